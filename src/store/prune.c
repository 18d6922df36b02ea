/*
 * prune.c - one run of retention, phase after phase.
 *
 *   THIN     lines of history lose what is too old of their states (`kept`), in order of their ids
 *   RECORDS  ancestor records, by record_prune()
 *   GRAVES   graves, revivals, what was restored
 *   LINES    lines that keep no state, and what lost
 *   MARK     everything that is still named is walked, state by state, and its blobs are marked; what is not part of the
 *            head is packed on the way, the older first, so that a state is the difference from the one before it
 *   SWEEP    blobs without a mark are dropped: first SWEEP_DIFFERENCES, then the others, which those may differ from
 *   VACUUM   free pages go back to the file system, where there are many
 *
 * If the power goes, in the process or in the machine:
 *   - Within a step: it is one transaction, so all of it is undone.
 *   - After a step of THIN, RECORDS, GRAVES or LINES: names are gone, the blobs that they named are still there. The
 *     next run finds nothing to do there and goes on; its sweep drops them.
 *   - After a step of MARK: marks were in memory and are forgotten; a blob that was packed holds the same bytes in
 *     another form, in a row that says which.
 *   - After a step of SWEEP: a state that nothing names may lack parts, which no one can see; the rest of it goes with
 *     the next run. It can be named again meanwhile by storing it again: what is missing is stored then, and each part
 *     that is there can be read, for none outlives what it differs from.
 *   - After a step of VACUUM: pages moved within a transaction of SQLite's own.
 *
 * A run over records only is RECORDS alone; what those named is still there, until the next whole run.
 *
 * Nothing that is damaged is dropped, and nothing else either: a state that is named and cannot be walked ends the run
 * with an error before the sweep.
 */
#include "prune_parts.h"

#include "age.h"
#include "grave.h"
#include "history.h"
#include "marks.h"
#include "pack.h"
#include "restored.h"
#include "snapshot.h"
#include "sql.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/*
 * What a step may do at most: rows, and time after which it begins nothing more. Half of both, and half again, after a step
 * that took long as a whole, the wait for the disk included, and twice as much after a short one: on a slow or busy disk
 * steps are small.
 */
enum { STEP_US = 5000, LONG_US = 20000 };

prune *prune_new(const prune_limits *limits) {
    prune *p = calloc(1, sizeof *p);
    if (p == NULL)
        return NULL;
    p->limits = *limits;
    p->rows = limits->rows;
    p->at = limits->records_only ? RECORDS : THIN;
    return p;
}

const prune_counts *prune_done(const prune *p) {
    return &p->done;
}

void prune_end(prune *p, store *s) {
    (void)s;
    if (p == NULL)
        return;
    prune_drop_marks(p);
    free(p);
}

/* ---- time that a step has left ------------------------------------------------------------------------ */

static int64_t us_since(const struct timespec *then) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (now.tv_sec - then->tv_sec) * INT64_C(1000000) + (now.tv_nsec - then->tv_nsec) / 1000;
}

static void step_begin(prune *p) {
    p->rows_left = p->rows;
    p->packed_before = p->done.packed;
    clock_gettime(CLOCK_MONOTONIC, &p->began);
}

bool prune_time_left(const prune *p) {
    return us_since(&p->began) < STEP_US * (int64_t)p->rows / PRUNE_ROWS;
}

bool prune_budget_left(prune *p) {
    return p->rows_left > 0 && p->rows_left-- > 0 && prune_time_left(p);
}

static void fit_next_step(prune *p) {
    int64_t took = us_since(&p->began);
    if (took > LONG_US && p->rows > 1)
        p->rows /= 2;
    else if (took < LONG_US / 4 && p->rows < p->limits.rows)
        p->rows *= 2;
}

/* ---- THIN --------------------------------------------------------------------------------------------- */

/* In which hour, day or week (of UTC) a state of this age is the last to be kept. */
static int64_t bucket(const prune *p, int64_t age, int64_t time) {
    int64_t length = age < p->limits.hourly  ? PRUNE_DAY_MS / 24
                     : age < p->limits.daily ? PRUNE_DAY_MS
                                             : 7 * PRUNE_DAY_MS;
    return time / length - (time < 0);
}

static int keep_only(prune *p, store *s, const history_line *line, unsigned kept, store_error *err) {
    if (kept == line->kept)
        return 0;
    p->done.thinned += (line->kept & ~kept & HISTORY_AFTER) != 0;
    sqlite3_stmt *q = sql_get(s, SQL_HISTORY_KEEP, err);
    sql_int(q, 1, line->id);
    sql_int(q, 2, kept);
    return sql_run(s, q, err);
}

/* Decides on the pending line; `next` is the one that follows it, NULL where it is the last. */
static int decide(prune *p, store *s, const history_line *next, store_error *err) {
    const history_line *line = &p->pending;
    int64_t age = p->now - line->time;
    unsigned kept = line->kept;
    if (line->id == 0 || age < p->limits.all)
        return 0;
    kept &= ~(unsigned)HISTORY_BEFORE;
    if (next != NULL && bucket(p, age, line->time) == bucket(p, age, next->time))
        kept &= ~(unsigned)HISTORY_AFTER;
    return keep_only(p, s, line, kept, err);
}

static int thin(prune *p, store *s, store_error *err) {
    int rc = 0, found = 1;
    while (rc == 0 && found > 0 && prune_budget_left(p)) {
        history_line next;
        found = history_next_kept(s, p->cursor, &next, err);
        if (found < 0)
            return found;
        rc = decide(p, s, found > 0 ? &next : NULL, err);
        p->pending = found > 0 ? next : (history_line){0};
        p->cursor = p->pending.id;
    }
    return rc != 0 ? rc : found > 0;
}

/* ---- RECORDS, GRAVES, LINES --------------------------------------------------------------------------- */

static int prune_records(prune *p, store *s, store_error *err) {
    int rc = record_prune(s, p->now, &p->limits.records, p->rows, &p->record_cursor, &p->done.records, err);
    return rc != 0 ? rc : p->record_cursor != 0;
}

static int drop_old(prune *p, store *s, sql_id id, int64_t then, size_t *dropped, store_error *err) {
    sqlite3_stmt *q = sql_get(s, id, err);
    sql_int(q, 1, then);
    sql_int(q, 2, (int64_t)p->rows);
    int rc = sql_run(s, q, err);
    *dropped = rc == 0 ? (size_t)sqlite3_changes(s->db) : 0;
    return rc;
}

static int prune_graves(prune *p, store *s, store_error *err) {
    size_t graves = 0, revivals = 0, restored = 0;
    int rc = grave_prune(s, p->now - p->limits.graves, p->rows, &graves, err);
    if (rc == 0)
        rc = drop_old(p, s, SQL_REVIVAL_PRUNE, p->now - p->limits.graves, &revivals, err);
    if (rc == 0)
        rc = drop_old(p, s, SQL_RESTORED_PRUNE, p->now - p->limits.graves, &restored, err);
    p->done.graves += graves + revivals + restored;
    return rc != 0 ? rc : graves == p->rows || revivals == p->rows || restored == p->rows;
}

/* The oldest line from the cursor on: 1 it may go, 0 it may not, 2 there is none that is old enough. */
static int look_at_line(prune *p, store *s, store_error *err) {
    sqlite3_stmt *q = sql_get(s, SQL_HISTORY_OLDEST, err);
    sql_int(q, 1, p->cursor);
    int rc = sql_row(s, q, err), answer = 2;
    if (rc > 0 && sqlite3_column_int64(q, 1) < p->now - p->limits.lines) {
        p->cursor = sqlite3_column_int64(q, 0);
        answer = sqlite3_column_int(q, 2) == 0;
    }
    sql_reset(q);
    return rc < 0 ? rc : answer;
}

static int prune_lines(prune *p, store *s, store_error *err) {
    size_t lost = 0;
    int look = 0, rc = 0;
    while (rc == 0 && look < 2 && prune_budget_left(p)) {
        if ((look = look_at_line(p, s, err)) < 0)
            return look;
        if (look != 1)
            continue;
        sqlite3_stmt *q = sql_get(s, SQL_HISTORY_DROP, err);
        sql_int(q, 1, p->cursor);
        rc = sql_run(s, q, err);
        p->done.lines++;
    }
    if (rc == 0)
        rc = drop_old(p, s, SQL_LOST_PRUNE, p->now - p->limits.lost, &lost, err);
    p->done.lost += lost;
    return rc != 0 ? rc : look < 2 || lost == p->rows;
}

/* ---- SWEEP -------------------------------------------------------------------------------------------- */

static int is_difference(store *s, int64_t num, store_error *err) {
    sqlite3_stmt *q = sql_get(s, SQL_BLOB_CODING, err);
    sql_int(q, 1, num);
    int rc = sql_row(s, q, err);
    if (rc > 0)
        rc = sqlite3_column_int(q, 0) == PACK_DIFFERENCE;
    sql_reset(q);
    return rc;
}

/*
 * The first blob from the cursor on without a mark, among differences where those are swept; 0: there is none within this
 * step's reach, or at all.
 */
static int64_t unmarked(prune *p, store *s, bool *end, store_error *err, int *rc) {
    *rc = 0;
    while (prune_budget_left(p)) {
        sqlite3_stmt *q = sql_get(s, SQL_BLOB_NEXT, err);
        sql_int(q, 1, p->cursor);
        sql_int(q, 2, marks_top(s->marks));
        int found = sql_row(s, q, err);
        int64_t num = found > 0 ? sqlite3_column_int64(q, 0) : 0;
        sql_reset(q);
        *rc = found < 0 ? found : 0;
        *end = found == 0;
        if (found <= 0)
            return 0;
        p->cursor = num;
        if (marks_has(s->marks, num))
            continue;
        int goes = p->at == SWEEP ? 1 : is_difference(s, num, err);
        *rc = goes < 0 ? goes : 0;
        if (goes != 0)
            return goes > 0 ? num : 0;
    }
    return 0;
}

static int sweep(prune *p, store *s, store_error *err) {
    bool end = false;
    int64_t num;
    int rc = prune_mark_noted(p, s, err);
    if (rc != 0)
        return rc; /* more to walk first, or an error */
    while ((num = unmarked(p, s, &end, err, &rc)) != 0) {
        sqlite3_stmt *q = sql_get(s, SQL_BLOB_DROP, err);
        sql_int(q, 1, num);
        if ((rc = sql_run(s, q, err)) != 0)
            return rc;
        p->done.blobs++;
    }
    return rc != 0 ? rc : !end;
}

/* ---- VACUUM ------------------------------------------------------------------------------------------- */

static int pragma(store *s, const char *text, int64_t *out, store_error *err) {
    sqlite3_stmt *q = NULL;
    int rc = sqlite3_prepare_v2(s->db, text, -1, &q, NULL);
    if (rc != SQLITE_OK)
        return sql_fail(s, rc, err);
    rc = sql_row(s, q, err);
    *out = rc > 0 ? sqlite3_column_int64(q, 0) : 0;
    sqlite3_finalize(q);
    return rc < 0 ? rc : 0;
}

/*
 * Free pages are used again by what comes, so a few of them are no loss. A database of a version that could not give
 * them back keeps them for that.
 */
static int vacuum(prune *p, store *s, store_error *err) {
    int64_t free_pages = 0, pages = 0, mode = 0;
    int rc = pragma(s, "PRAGMA auto_vacuum", &mode, err);
    if (rc == 0)
        rc = pragma(s, "PRAGMA freelist_count", &free_pages, err);
    if (rc == 0)
        rc = pragma(s, "PRAGMA page_count", &pages, err);
    if (rc != 0 || mode != 2)
        return rc;
    if (p->vacuum_left == 0 && free_pages > 256 && free_pages > pages / 8)
        p->vacuum_left = (int)(free_pages - pages / 16);
    if (p->vacuum_left <= 0 || free_pages == 0)
        return 0;
    char text[64];
    snprintf(text, sizeof text, "PRAGMA incremental_vacuum(%d)", (int)p->rows);
    rc = sql_exec(s, text, err);
    p->vacuum_left -= (int)p->rows;
    return rc != 0 ? rc : p->vacuum_left > 0;
}

/* ---- one step ----------------------------------------------------------------------------------------- */

static int run_phase(prune *p, store *s, store_error *err) {
    static int (*const phases[])(prune *, store *, store_error *) = {
        [THIN] = thin,       [RECORDS] = prune_records,   [GRAVES] = prune_graves, [LINES] = prune_lines,
        [MARK] = prune_mark, [SWEEP_DIFFERENCES] = sweep, [SWEEP] = sweep,         [VACUUM] = vacuum};
    int rc = phases[p->at](p, s, err);
    if (rc == 0) {
        p->at = p->limits.records_only ? DONE : p->at + 1;
        p->cursor = 0;
    }
    if (p->at == VACUUM)
        prune_drop_marks(p);
    return rc;
}

bool prune_due(store *s, int64_t wall) {
    char text[32];
    if (store_meta_get(s, "prune.last", text, sizeof text, NULL) != 0)
        return true;
    int64_t last = strtoll(text, NULL, 10);
    return wall < last || wall - last >= PRUNE_DAY_MS;
}

static int note_end(store *s, int64_t wall, store_error *err) {
    char text[32];
    snprintf(text, sizeof text, "%lld", (long long)wall);
    return store_meta_set(s, "prune.last", text, err);
}

int prune_step(prune *p, store *s, int64_t wall, store_error *err) {
    if (p->at == DONE)
        return 0;
    step_begin(p);
    int rc = store_begin(s, err);
    if (rc == 0 && p->done.steps == 0)
        rc = age_now(s, wall, &p->now, err);
    if (rc == 0)
        rc = run_phase(p, s, err);
    if (rc >= 0 && p->at == DONE && !p->limits.records_only)
        rc = note_end(s, wall, err);
    int committed = rc >= 0 ? store_commit(s, err) : 0;
    if (rc < 0 || committed != 0) {
        store_rollback(s);
        prune_drop_marks(p);
        p->at = DONE;
        return rc < 0 ? rc : committed;
    }
    p->done.steps++;
    fit_next_step(p);
    return p->at != DONE;
}
