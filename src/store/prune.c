/*
 * prune.c - one run of retention, phase after phase.
 *
 *   THIN     lines of history lose what is too old of their states (`kept`), in order of their ids
 *   RECORDS  ancestor records, by record_prune()
 *   GRAVES   graves, revivals, what was restored
 *   LINES    lines that keep no state, and what lost
 *   MARK     everything that is still named is walked, state by state, and its blobs are marked; what is not part of the
 *            head is packed on the way, the older first, so that a state is the difference from the one before it
 *   SWEEP    blobs without a mark are dropped
 *   VACUUM   free pages go back to the file system, where there are many
 *
 * If the power goes, in the process or in the machine:
 *   - Within a step: it is one transaction, so all of it is undone.
 *   - After a step of THIN, RECORDS, GRAVES or LINES: names are gone, the blobs that they named are still there. The
 *     next run finds nothing to do there and goes on; its sweep drops them.
 *   - After a step of MARK: marks were in memory and are forgotten; a blob that was packed holds the same bytes in
 *     another form, in a row that says which.
 *   - After a step of SWEEP: a state that nothing names may lack parts, which no one can see; the rest of it goes with
 *     the next run. It cannot be named again meanwhile by storing it again, for what is missing is stored then.
 *   - After a step of VACUUM: pages moved within a transaction of SQLite's own.
 *
 * A run over records only is RECORDS alone; what those named is still there, until the next whole run.
 *
 * Nothing that is damaged is dropped, and nothing else either: a state that is named and cannot be walked ends the run
 * with an error before the sweep.
 */
#include "prune.h"

#include "age.h"
#include "blob.h"
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
enum { STEP_US = 5000, LONG_US = 20000, PLACES = 1024 };

typedef enum { THIN, RECORDS, GRAVES, LINES, MARK, SWEEP, VACUUM, DONE } phase;

/* A place in a state, slot 2 of lists say, and the newest blob there that others are stored as a difference from. */
typedef struct {
    uint64_t key; /* of the section's name */
    size_t index;
    int64_t base;
} place;

struct prune {
    prune_limits limits;
    prune_counts done;
    size_t rows; /* of the next step; its time goes with it */
    size_t rows_left, packed_before;
    struct timespec began;
    phase at;
    int64_t now; /* by age.h */
    int64_t cursor, record_cursor;
    history_line pending; /* THIN: kept, and not decided on yet; id 0: none */
    store *marking;       /* whose `marks` are ours */
    blob_marks *present;  /* parts of the head: left as they are */
    enum { BY_LINES, BY_RECORDS, BY_RESTORED, ROOTS_DONE } roots; /* MARK: what is walked */
    place places[PLACES];
    size_t place_count;
    int64_t base; /* the base that is in memory, 0: none */
    uint8_t *base_data;
    size_t base_len;
    int vacuum_left;
};

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

static void drop_marks(prune *p) {
    if (p->marking == NULL)
        return;
    marks_free(p->marking->marks);
    p->marking->marks = NULL;
    p->marking = NULL;
    marks_free(p->present);
    p->present = NULL;
    free(p->base_data);
    p->base_data = NULL;
}

void prune_end(prune *p, store *s) {
    (void)s;
    if (p == NULL)
        return;
    drop_marks(p);
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

static bool time_left(const prune *p) {
    return us_since(&p->began) < STEP_US * (int64_t)p->rows / PRUNE_ROWS;
}

static bool budget_left(prune *p) {
    return p->rows_left > 0 && p->rows_left-- > 0 && time_left(p);
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
    while (rc == 0 && found > 0 && budget_left(p)) {
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
    while (rc == 0 && look < 2 && budget_left(p)) {
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

/* ---- packing ------------------------------------------------------------------------------------------ */

static uint64_t hash(const char *key, size_t len, bool array) {
    uint64_t h = UINT64_C(14695981039346656037);
    for (size_t i = 0; i < len; i++)
        h = (h ^ (uint8_t)key[i]) * UINT64_C(1099511628211);
    return h ^ array;
}

/* NULL: more places than anyone has; what is there stays unpacked. */
static place *place_of(prune *p, uint64_t key, size_t index) {
    for (size_t i = 0; i < p->place_count; i++)
        if (p->places[i].key == key && p->places[i].index == index)
            return &p->places[i];
    if (p->place_count == PLACES)
        return NULL;
    p->places[p->place_count] = (place){key, index, 0};
    return &p->places[p->place_count++];
}

static int need_base(prune *p, store *s, int64_t num, store_error *err) {
    if (p->base == num && p->base_data != NULL)
        return 0;
    free(p->base_data);
    p->base_data = NULL;
    p->base = num;
    return blob_read_base(s, num, &p->base_data, &p->base_len, err);
}

typedef struct {
    prune *p;
    store *s;
    place *place;
    blob_info *info;
    uint8_t *best; /* from malloc */
    size_t best_len;
} packing;

/*
 * As a difference where that is much smaller than alone, else alone, and then what follows is measured from it. How much
 * smaller, is what makes the sum of both least while a slot slowly becomes another: about a quarter.
 */
static int pack_part(void *ctx, const uint8_t *data, size_t len, store_error *err) {
    packing *k = ctx;
    pack_bytes bytes = {data, len}, base = {k->p->base_data, k->p->base_len};
    size_t alone_len = 0;
    if (k->place->base != 0) {
        k->best = pack(bytes, &base, &k->best_len);
        if (k->best == NULL)
            return store_out_of_memory(err);
        k->info->coding = PACK_DIFFERENCE;
        k->info->base = k->place->base;
        if (k->best_len <= 128 || k->best_len <= len / 32)
            return 0;
    }
    uint8_t *alone = pack(bytes, NULL, &alone_len);
    if (alone == NULL)
        return store_out_of_memory(err);
    if (k->best != NULL && k->best_len <= alone_len / 4) {
        free(alone);
        return 0;
    }
    free(k->best);
    k->best = alone;
    k->best_len = alone_len;
    k->info->coding = PACK_ALONE;
    k->info->base = 0;
    return 0;
}

static int repack(prune *p, store *s, place *at, const store_name *name, blob_info *info, store_error *err) {
    packing k = {.p = p, .s = s, .place = at, .info = info};
    int rc = at->base != 0 ? need_base(p, s, at->base, err) : 0;
    if (rc == 0)
        rc = blob_get(s, name, pack_part, &k, err);
    if (rc == 0 && k.best_len < info->size) {
        rc = blob_repack(s, info, k.best, k.best_len, err);
        p->done.packed++;
    } else {
        info->coding = PACK_RAW;
    }
    free(k.best);
    return rc;
}

/* ---- MARK --------------------------------------------------------------------------------------------- */

typedef struct {
    prune *p;
    store *s;
    bool head;
    store_error *err;
    bool packed, unfinished; /* a part was; a part is yet to be */
} walk;

static int mark_part(void *ctx, const char *key, size_t key_len, bool array, size_t index,
                     const store_name *name) {
    walk *w = ctx;
    prune *p = w->p;
    blob_info info;
    if (name == NULL)
        return 0;
    int rc = blob_look(w->s, name, &info, w->err);
    if (rc != 0)
        return rc;
    if (w->head)
        marks_set(p->present, info.num);
    marks_set(w->s->marks, info.num);
    place *at = place_of(p, hash(key, key_len, array), index);
    if (info.coding == PACK_RAW && at != NULL && !marks_has(p->present, info.num) &&
        info.size >= PACK_LEAST && info.size <= PACK_MOST) {
        if (w->packed && !time_left(p)) {
            w->unfinished = true;
            return 0;
        }
        rc = repack(p, w->s, at, name, &info, w->err);
        w->packed |= info.coding != PACK_RAW;
    }
    if (info.coding == PACK_DIFFERENCE)
        marks_set(w->s->marks, info.base);
    if (at != NULL && info.coding == PACK_DIFFERENCE)
        at->base = info.base;
    else if (at != NULL && info.coding == PACK_ALONE)
        at->base = info.num;
    return rc;
}

typedef struct {
    uint8_t *data;
    size_t len;
} bytes;

static int copy_bytes(void *ctx, const uint8_t *data, size_t len, store_error *err) {
    bytes *b = ctx;
    b->data = malloc(len + 1);
    b->len = len;
    if (b->data == NULL)
        return store_out_of_memory(err);
    memcpy(b->data, data, len);
    return 0;
}

/*
 * 1: the time is over before all of its parts are packed. It is to be walked again in the next step, which finds those
 * packed that this one came to.
 */
static int mark_state(prune *p, store *s, const store_name *name, bool head, store_error *err) {
    blob_info info;
    bytes list = {NULL, 0};
    int rc = blob_look(s, name, &info, err);
    if (rc != 0 || (marks_set(s->marks, info.num) && !head))
        return rc; /* walked before */
    rc = blob_get(s, name, copy_bytes, &list, err);
    if (rc == 0) {
        walk w = {.p = p, .s = s, .head = head, .err = err};
        rc = snapshot_parts(list.data, list.len, mark_part, &w);
        if (rc == 0 && w.unfinished) {
            marks_clear(s->marks, info.num);
            rc = 1;
        }
        if (rc == STORE_DAMAGED)
            store_fail_damaged(s, err, "a list of parts is not what it should be");
    }
    free(list.data);
    return rc;
}

/* What was named since the marking began, and the head as it is now. */
static int mark_noted(prune *p, store *s, store_error *err) {
    store_name name;
    int rc, taken;
    while ((taken = marks_take(s->marks, &name)) == 0) {
        if ((rc = mark_state(p, s, &name, false, err)) > 0)
            marks_note(s->marks, &name);
        if (rc != 0)
            return rc;
        if (!budget_left(p))
            return 1;
    }
    return taken == STORE_NONE ? 0 : store_out_of_memory(err);
}

static int begin_marking(prune *p, store *s, store_error *err) {
    sqlite3_stmt *q = sql_get(s, SQL_BLOB_TOP, err);
    int rc = sql_row(s, q, err);
    int64_t top = rc > 0 ? sqlite3_column_int64(q, 0) : 0;
    store_name head;
    sql_reset(q);
    if (rc < 0)
        return rc;
    if (s->marks != NULL)
        return store_fail(err, STORE_FAILED, "%s: a pruning is under way already", s->path);
    p->marking = s;
    s->marks = marks_new(top);
    p->present = marks_new(top);
    if (s->marks == NULL || p->present == NULL)
        return store_out_of_memory(err);
    p->cursor = 0;
    rc = head_get(s, &head, err);
    if (rc == 0) /* what is part of the head must be known before anything is packed */
        rc = mark_state(p, s, &head, true, err);
    memset(p->places, 0, sizeof p->places); /* the head's own order is not what differences are made in */
    p->place_count = 0;
    return rc;
}

static int mark_line(prune *p, store *s, store_error *err) {
    history_line line;
    int rc = history_next_kept(s, p->cursor, &line, err);
    if (rc <= 0) {
        p->roots = rc == 0 ? BY_RECORDS : p->roots;
        p->cursor = 0;
        return rc;
    }
    rc = line.kept & HISTORY_BEFORE ? mark_state(p, s, &line.before, false, err) : 0;
    if (rc == 0 && line.kept & HISTORY_AFTER)
        rc = mark_state(p, s, &line.after, false, err);
    p->cursor = rc == 0 ? line.id : p->cursor;
    return rc < 0 ? rc : 0;
}

static int mark_record(prune *p, store *s, store_error *err) {
    store_name names[3];
    bool has[3] = {false};
    sqlite3_stmt *q = sql_get(s, SQL_RECORD_NAMES, err);
    sql_int(q, 1, p->cursor);
    int rc = sql_row(s, q, err);
    int64_t id = rc > 0 ? sqlite3_column_int64(q, 0) : 0;
    for (int i = 0; rc > 0 && i < 3; i++)
        has[i] = sql_name_of(q, i + 1, &names[i]);
    sql_reset(q);
    if (rc < 0)
        return rc;
    if (rc == 0)
        p->roots = BY_RESTORED;
    rc = 0;
    for (int i = 0; rc == 0 && i < 3; i++)
        if (has[i])
            rc = mark_state(p, s, &names[i], false, err);
    p->cursor = rc == 0 ? id : p->cursor;
    return rc < 0 ? rc : 0;
}

static int mark_restored(prune *p, store *s, store_error *err) {
    store_name head;
    int64_t id = p->cursor;
    int rc = restored_next(s, &id, &head, err);
    if (rc != 0)
        return rc;
    if (id == 0)
        p->roots = ROOTS_DONE;
    else
        rc = mark_state(p, s, &head, false, err);
    p->cursor = rc == 0 ? id : p->cursor;
    return rc < 0 ? rc : 0;
}

static int mark(prune *p, store *s, store_error *err) {
    int rc = p->marking == NULL ? begin_marking(p, s, err) : 0;
    while (rc == 0 && p->roots != ROOTS_DONE && budget_left(p))
        rc = p->roots == BY_LINES     ? mark_line(p, s, err)
             : p->roots == BY_RECORDS ? mark_record(p, s, err)
                                      : mark_restored(p, s, err);
    if (rc < 0 || p->roots != ROOTS_DONE)
        return rc < 0 ? rc : 1;
    return mark_noted(p, s, err);
}

/* ---- SWEEP -------------------------------------------------------------------------------------------- */

/* The first blob from the cursor on without a mark; 0: there is none within this step's reach, or at all. */
static int64_t unmarked(prune *p, store *s, bool *end, store_error *err, int *rc) {
    *rc = 0;
    while (budget_left(p)) {
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
        if (!marks_has(s->marks, num))
            return num;
    }
    return 0;
}

static int sweep(prune *p, store *s, store_error *err) {
    bool end = false;
    int64_t num;
    int rc = mark_noted(p, s, err);
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
        [THIN] = thin, [RECORDS] = prune_records, [GRAVES] = prune_graves, [LINES] = prune_lines,
        [MARK] = mark, [SWEEP] = sweep,           [VACUUM] = vacuum};
    int rc = phases[p->at](p, s, err);
    if (rc == 0) {
        p->at = p->limits.records_only ? DONE : p->at + 1;
        p->cursor = 0;
    }
    if (p->at == VACUUM)
        drop_marks(p);
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
        drop_marks(p);
        p->at = DONE;
        return rc < 0 ? rc : committed;
    }
    p->done.steps++;
    fit_next_step(p);
    return p->at != DONE;
}
