/*
 * fsck_content.c - reading everything once.
 *
 *   1  every blob against its name (blob.h)
 *   2  every list of parts: each part is there, sound, and readable under its key by the merge engine. A part is read under a
 *      key only once, however many states hold it
 *   3  every row that names a state, and rows that hold data of their own
 */
#include "fsck_content.h"

#include "folder.h"
#include "jot.h"
#include "jot_content.h"

#include <dirent.h>

#include "blob.h"
#include "snapshot.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TO_REPAIR "`trivet fsck --repair`, with the server stopped"
static const int64_t REVIVAL_TIME_MAX =
    INT64_C(9007199254740991); /* ms: the last date that a state can hold (merge §1) */
enum { TOLD_MAX = 5 };         /* findings of one kind, each told; the rest is counted */

void fsck_tell(const fsck_options *options, fsck_result *result, bool fault, const char *kind,
               const char *means, const char *action, const char *format, ...) {
    fsck_finding finding = {.fault = fault, .kind = kind, .means = means, .action = action};
    va_list args;
    va_start(args, format);
    vsnprintf(finding.what, sizeof finding.what, format, args);
    va_end(args);
    result->faults += fault;
    result->notes += !fault;
    options->found(options->ctx, &finding);
}

static void progress(const fsck_content *c, const char *doing, size_t done) {
    if (c->options->progress != NULL && (done % 256 == 0 || done == c->count))
        c->options->progress(c->options->ctx, doing, done, c->count);
}

/* ---- rows ----------------------------------------------------------------------------------------------- */

int fsck_rows(store *s, const char *question, fsck_row_fn *fn, void *ctx, store_error *err) {
    sqlite3_stmt *q = NULL;
    int rc = sqlite3_prepare_v2(s->db, question, -1, &q, NULL);
    if (rc == SQLITE_ERROR)
        return STORE_NONE;
    if (rc != SQLITE_OK)
        return sql_fail(s, rc, err);
    while ((rc = sql_row(s, q, err)) > 0 && (rc = fn(ctx, q)) == 0)
        ;
    sqlite3_finalize(q);
    return rc;
}

/* What a repair would do about a finding; `text` is taken over. */
static int drop(fsck_content *c, char *text) {
    char **grown = text != NULL ? store_grow(c->drops, c->drop_count, sizeof *grown) : NULL;
    if (grown == NULL) {
        sqlite3_free(text);
        return store_out_of_memory(c->err);
    }
    c->drops = grown;
    c->drops[c->drop_count++] = text;
    return 0;
}

/* ---- 1: parts ------------------------------------------------------------------------------------------- */

static int add_part(void *ctx, sqlite3_stmt *q) {
    fsck_content *c = ctx;
    part_row *grown = store_grow(c->parts, c->count, sizeof *grown);
    if (grown == NULL)
        return store_out_of_memory(c->err);
    c->parts = grown;
    c->parts[c->count] = (part_row){.status = PART_UNREAD};
    c->count += sql_name_of(q, 0, &c->parts[c->count].name);
    return 0;
}

static int compare_names(const void *a, const void *b) {
    return memcmp(a, b, sizeof(store_name)); /* first in a part_row */
}

static part_row *find(const fsck_content *c, const store_name *name) {
    return c->count == 0 ? NULL : bsearch(name, c->parts, c->count, sizeof *c->parts, compare_names);
}

part_status fsck_content_status(const fsck_content *c, const store_name *name) {
    const part_row *row = find(c, name);
    return row != NULL ? row->status : PART_DAMAGED;
}

static int note_kind(void *ctx, const uint8_t *data, size_t len, store_error *err) {
    part_row *row = ctx;
    (void)err;
    row->status =
        snapshot_is_list(data, len) ? PART_BROKEN : PART_PLAIN; /* a list until it has proved sound */
    return 0;
}

/* 0: read, sound or not. */
static int read_part(fsck_content *c, part_row *row) {
    store_error why = STORE_ERROR_INIT;
    int rc = blob_get(c->s, &row->name, note_kind, row, &why);
    if (rc == STORE_DAMAGED)
        row->status = PART_DAMAGED;
    return rc == 0 || rc == STORE_DAMAGED ? 0 : store_fail(c->err, rc, "%s", why.message);
}

static int read_parts(fsck_content *c) {
    size_t damaged = 0;
    int rc = fsck_rows(c->s, "SELECT name FROM blob", add_part, c, c->err);
    if (rc != 0)
        return rc == STORE_NONE ? store_fail_damaged(c->s, c->err, "it has no table of parts") : rc;
    if (c->count > 0)
        qsort(c->parts, c->count, sizeof *c->parts, compare_names);
    for (size_t i = 0; rc == 0 && i < c->count; i++) {
        char hex[65];
        rc = read_part(c, &c->parts[i]);
        progress(c, "parts", i + 1);
        if (rc != 0 || c->parts[i].status != PART_DAMAGED)
            continue;
        store_name_hex(&c->parts[i].name, hex);
        /* Gone, so that the same bytes can be stored once more. */
        rc = drop(c, sqlite3_mprintf("DELETE FROM blob WHERE name = x'%s'", hex));
        if (++damaged <= TOLD_MAX)
            fsck_tell(c->options, c->result, true, "part",
                      "bytes on the disk are not what was written; states that hold it are "
                      "incomplete",
                      TO_REPAIR, "part %.16s was altered", hex);
    }
    if (damaged > TOLD_MAX)
        fsck_tell(c->options, c->result, true, "part", "the disk fails, or something wrote over the database",
                  TO_REPAIR, "%zu more parts were altered", damaged - TOLD_MAX);
    c->result->parts = c->count;
    return rc;
}

/* ---- 2: states ------------------------------------------------------------------------------------------ */

static const char *const KEYS[] = {
    "lists",      "listsCategories",      "lockedLists", "lockedListsCategories",
    "scratchpad", "scratchpadCategories", NULL};

/* The bit of a key in part_row.as; 0: a key that the engine does not know, whose value may be anything. */
static uint8_t bit_of(const char *key, size_t key_len) {
    for (size_t i = 0; KEYS[i] != NULL; i++)
        if (strlen(KEYS[i]) == key_len && memcmp(KEYS[i], key, key_len) == 0)
            return (uint8_t)(1u << i);
    return 0;
}

typedef struct {
    const char *key;
    size_t key_len;
    bool array, fits;
} place;

/* A document with nothing but this part, as the engine reads it. */
static int try_part(void *ctx, const uint8_t *data, size_t len, store_error *err) {
    place *p = ctx;
    trivet_merge_error why = TRIVET_MERGE_ERROR_INIT;
    trivet_merge_state *state = NULL;
    char *text = malloc(len + p->key_len + 16);
    if (text == NULL)
        return store_out_of_memory(err);
    size_t at = (size_t)sprintf(text, "{\"%.*s\":%s", (int)p->key_len, p->key, p->array ? "[" : "");
    memcpy(text + at, data, len);
    at += len;
    at += (size_t)sprintf(text + at, "%s}", p->array ? "]" : "");
    int rc = trivet_merge_state_read(text, at, TRIVET_MERGE_COMPUTER, &state, &why);
    p->fits = rc == 0;
    trivet_merge_state_free(state);
    free(text);
    return rc == TRIVET_MERGE_ENOMEM ? store_out_of_memory(err) : 0;
}

bool fsck_content_fits(fsck_content *c, const store_name *name, const char *key, size_t key_len, bool array) {
    part_row *row = find(c, name);
    store_error why = STORE_ERROR_INIT;
    uint8_t bit = bit_of(key, key_len);
    if (row == NULL || row->status != PART_PLAIN)
        return false;
    if (bit != 0 && (row->as & bit) != 0)
        return true;
    place p = {key, key_len, array, false};
    if (key_len > 65536 || blob_get(c->s, name, try_part, &p, &why) != 0 || !p.fits)
        return false;
    row->as |= bit;
    return true;
}

static int check_one(void *ctx, const char *key, size_t key_len, bool array, size_t index,
                     const store_name *name) {
    (void)index;
    return name == NULL || fsck_content_fits(ctx, name, key, key_len, array) ? 0 : STORE_DAMAGED;
}

typedef struct {
    uint8_t *data;
    size_t len;
} bytes;

/* Copied, because no other blob may be read while one is. */
static int copy_bytes(void *ctx, const uint8_t *data, size_t len, store_error *err) {
    bytes *b = ctx;
    b->data = malloc(len + 1);
    if (b->data == NULL)
        return store_out_of_memory(err);
    memcpy(b->data, data, len);
    b->len = len;
    return 0;
}

static int read_state(fsck_content *c, part_row *row) {
    bytes list = {NULL, 0};
    int rc = blob_get(c->s, &row->name, copy_bytes, &list, c->err);
    if (rc == 0 && snapshot_parts(list.data, list.len, check_one, c) == 0)
        row->status = PART_LIST;
    free(list.data);
    return rc;
}

static int read_states(fsck_content *c) {
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < c->count; i++) {
        progress(c, "states", i + 1);
        if (c->parts[i].status != PART_BROKEN)
            continue;
        rc = read_state(c, &c->parts[i]);
        c->result->states++;
    }
    return rc;
}

/* ---- 3: rows that name states --------------------------------------------------------------------------- */

typedef struct {
    const char *question, *older; /* the latter where this folder's version does not know the former */
    const char *kind, *what, *means, *action;
    const char *repair; /* with %lld for the row's first column; NULL: it takes more than that */
} row_check;

typedef struct {
    fsck_content *c;
    const row_check *check;
    int (*is_bad)(fsck_content *c, sqlite3_stmt *q); /* 1, 0, or < 0 */
    size_t faults;
} row_walk;

static int walk_row(void *ctx, sqlite3_stmt *q) {
    row_walk *w = ctx;
    int bad = w->is_bad(w->c, q);
    if (bad <= 0)
        return bad;
    const unsigned char *called = sqlite3_column_text(q, 0);
    if (++w->faults <= TOLD_MAX)
        fsck_tell(w->c->options, w->c->result, true, w->check->kind, w->check->means, w->check->action,
                  "%s%s%s", w->check->what, called != NULL ? " " : "",
                  called != NULL ? (const char *)called : "");
    return w->check->repair != NULL
               ? drop(w->c, sqlite3_mprintf(w->check->repair, sqlite3_column_int64(q, 0)))
               : 0;
}

static int walk_rows(fsck_content *c, const row_check *check, int (*is_bad)(fsck_content *, sqlite3_stmt *)) {
    row_walk w = {c, check, is_bad, 0};
    int rc = fsck_rows(c->s, check->question, walk_row, &w, c->err);
    if (rc == STORE_NONE && check->older != NULL)
        rc = fsck_rows(c->s, check->older, walk_row, &w, c->err);
    if (w.faults > TOLD_MAX)
        fsck_tell(c->options, c->result, true, check->kind, check->means, check->action, "%zu more like that",
                  w.faults - TOLD_MAX);
    return rc == STORE_NONE ? 0 : rc;
}

/* All columns but the first are names of states, or NULL. */
static int names_damaged_state(fsck_content *c, sqlite3_stmt *q) {
    for (int i = 1; i < sqlite3_column_count(q); i++) {
        store_name name;
        if (sqlite3_column_type(q, i) != SQLITE_NULL &&
            (!sql_name_of(q, i, &name) || fsck_content_status(c, &name) != PART_LIST))
            return 1;
    }
    return 0;
}

static const row_check NAMES[] = {
    {"SELECT NULL, name FROM head", NULL, "head", "the present state cannot be read whole",
     "a list, scratchpad or labels of the present state are damaged",
     TO_REPAIR
     ": each damaged list is taken from the newest state that has it whole, and phones bring back the rest",
     NULL},
    {"SELECT id, sent, snapshot, ancestor FROM record", NULL, "record",
     "a state is damaged that is named by record",
     "what this phone and the computer last agreed on cannot be read whole",
     TO_REPAIR
     ": it is dropped, and that phone's next sync compares both sides as they are, which loses nothing",
     "DELETE FROM record WHERE id = %lld"},
    {"SELECT record, head FROM restored", NULL, "record",
     "a state is damaged that a restore went back to, after record",
     "phones that have not synced since the restore are measured from an older state",
     TO_REPAIR ": it is forgotten", "DELETE FROM restored WHERE record = %lld"},
    {"SELECT id, CASE WHEN kept & 1 THEN after END, CASE WHEN kept & 2 THEN before END FROM history",
     "SELECT id, after, before FROM history", "history", "a state is damaged that is named by history line",
     "that past state cannot be brought back", TO_REPAIR ": the line is dropped",
     "DELETE FROM history WHERE id = %lld"},
};

/* ---- 3: rows with data of their own --------------------------------------------------------------------- */

static int always(fsck_content *c, sqlite3_stmt *q) {
    (void)c;
    (void)q;
    return 1; /* the question finds the bad ones alone */
}

static const row_check ROWS[] = {
    {"SELECT num FROM device WHERE length(id) <> 8 OR length(secret_hash) <> 32 OR length(k) <> 32"
     " OR length(k1) <> 32",
     NULL, "device", "a pairing is not what it should be: row", "its phone cannot be recognised",
     "pair that phone again; see `trivet devices`", NULL},
    {"SELECT num FROM device WHERE replaces <> '' AND replaces NOT IN (SELECT id FROM device)", NULL,
     "device", "a pairing names a device that it replaced and that is not there: row",
     "its phone's first sync compares both sides as they are", TO_REPAIR ": it forgets the other",
     "UPDATE device SET replaces = '' WHERE num = %lld"},
    {"SELECT id FROM history WHERE NOT json_valid(counts)", NULL, "history",
     "the counts are damaged of history line", "what happened then is told without numbers",
     TO_REPAIR ": the numbers are dropped", "UPDATE history SET counts = '{}' WHERE id = %lld"},
    {"SELECT id FROM question WHERE NOT json_valid(body)", NULL, "question", "a question is damaged: row",
     "it cannot be answered", "nothing: the next start of the server drops open questions",
     "DELETE FROM question WHERE id = %lld"},
};

static int reads_as_tombstone(fsck_content *c, const char *json, size_t len, bool *out) {
    trivet_merge_error why = TRIVET_MERGE_ERROR_INIT;
    trivet_merge_state *keeper = NULL;
    trivet_merge_item item;
    int rc = trivet_merge_state_new(&keeper);
    if (rc == 0)
        rc = trivet_merge_item_read(keeper, json, len, &item, &why);
    *out = rc == 0 && item.deleted;
    trivet_merge_state_free(keeper);
    return rc == TRIVET_MERGE_ENOMEM ? store_out_of_memory(c->err) : 0;
}

/* Columns: nothing to call it by, section, id, slot, item. */
static int is_bad_grave(fsck_content *c, sqlite3_stmt *q) {
    const char *json = sqlite3_column_blob(q, 4);
    int64_t section = sqlite3_column_int64(q, 1);
    bool sound = false;
    if (json != NULL && section >= 0 && section < TRIVET_MERGE_SECTIONS && sqlite3_column_int64(q, 3) >= 0) {
        int rc = reads_as_tombstone(c, json, (size_t)sqlite3_column_bytes(q, 4), &sound);
        if (rc != 0)
            return rc;
    }
    if (sound)
        return 0;
    int rc = drop(c, sqlite3_mprintf("DELETE FROM grave WHERE section = %lld AND id = x'%s'", section,
                                     (const char *)sqlite3_column_text(q, 5)));
    return rc != 0 ? rc : 1;
}

static const row_check GRAVES = {"SELECT NULL, section, id, slot, item, hex(id) FROM grave",
                                 NULL,
                                 "grave",
                                 "the note of a deleted item is damaged",
                                 "a phone that still holds the item would bring it back",
                                 TO_REPAIR
                                 ": the note is dropped; if the item comes back, delete it once more",
                                 NULL};

static int is_bad_lost(fsck_content *c, sqlite3_stmt *q) {
    for (int i = 1; i <= 2; i++) {
        trivet_merge_error why = TRIVET_MERGE_ERROR_INIT;
        trivet_merge_state *state = NULL;
        const char *json = sqlite3_column_blob(q, i);
        int rc = json == NULL ? TRIVET_MERGE_EINPUT
                              : trivet_merge_state_read(json, (size_t)sqlite3_column_bytes(q, i),
                                                        TRIVET_MERGE_COMPUTER, &state, &why);
        trivet_merge_state_free(state);
        if (rc == TRIVET_MERGE_ENOMEM)
            return store_out_of_memory(c->err);
        if (rc != 0)
            return 1;
    }
    return 0;
}

static const row_check LOST = {"SELECT id, form, stands FROM lost",
                               NULL,
                               "history",
                               "what lost to a newer edit is damaged: row",
                               "it cannot be brought back",
                               TO_REPAIR ": the row is dropped",
                               "DELETE FROM lost WHERE id = %lld"};

/* Columns: nothing to call it by, section, id, time. The first two are its key, whatever they hold. */
static int is_bad_revival(fsck_content *c, sqlite3_stmt *q) {
    int64_t section = sqlite3_column_int64(q, 1);
    int len = sqlite3_column_bytes(q, 2);
    if (section >= 0 && section < TRIVET_MERGE_SECTIONS && len > 0 && sqlite3_column_int64(q, 3) > 0 &&
        sqlite3_column_int64(q, 3) <= REVIVAL_TIME_MAX)
        return 0;
    int rc = drop(c, sqlite3_mprintf("DELETE FROM revival WHERE section = %lld AND id = x'%s'", section,
                                     (const char *)sqlite3_column_text(q, 4)));
    return rc != 0 ? rc : 1;
}

static const row_check REVIVALS = {"SELECT NULL, section, id, time, hex(id) FROM revival",
                                   NULL,
                                   "revival",
                                   "the note of an item that was brought back is damaged",
                                   "a phone that had deleted that item before may delete it again",
                                   TO_REPAIR
                                   ": the note is dropped; if the item goes, bring it back once more",
                                   NULL};

/* ---- 3: the head, and the clock ------------------------------------------------------------------------- */

static int check_head(fsck_content *c) {
    store_error why = STORE_ERROR_INIT;
    trivet_merge_state *state = NULL;
    store_name name;
    int rc = head_get(c->s, &name, &why);
    c->head_sound = false;
    if (rc == 0 && fsck_content_status(c, &name) != PART_LIST)
        return 0; /* told already */
    if (rc == 0)
        rc = snapshot_read(c->s, &name, &state, &why);
    trivet_merge_state_free(state);
    c->head_sound = rc == 0;
    if (rc == STORE_DAMAGED)
        fsck_tell(c->options, c->result, true, NAMES[0].kind, NAMES[0].means, NAMES[0].action, "%s",
                  NAMES[0].what);
    return rc == 0 || rc == STORE_DAMAGED ? 0 : store_fail(c->err, rc, "%s", why.message);
}

static int tell_future(void *ctx, sqlite3_stmt *q) {
    fsck_content *c = ctx;
    int64_t count = sqlite3_column_int64(q, 0);
    if (count > 0)
        fsck_tell(c->options, c->result, false, "clock",
                  "this computer's clock was ahead then, or is behind now; edits of that time count as newer "
                  "than today's",
                  "see that the clock is right (timedatectl); edit the items concerned once more if an old "
                  "text wins",
                  "%" PRId64 " lines of the history are dated more than a day from now", count);
    return 0;
}

static int check_clock(fsck_content *c) {
    char *question = sqlite3_mprintf("SELECT count(*) FROM history WHERE time > %lld",
                                     (long long)c->options->now + 24LL * 3600 * 1000);
    if (question == NULL)
        return store_out_of_memory(c->err);
    int rc = fsck_rows(c->s, question, tell_future, c, c->err);
    sqlite3_free(question);
    return rc == STORE_NONE ? 0 : rc;
}

/* ---- 4: files of jots ----------------------------------------------------------------------------------- */

static int compare_contents(const void *a, const void *b) {
    return memcmp(a, b, sizeof((store_name *)NULL)->bytes); /* the name stands first in both */
}

static int tell_content(fsck_content *c, const store_name *name, bool missing) {
    char hex[65];
    store_name_hex(name, hex);
    fsck_tell(c->options, c->result, true, "jot",
              "that photo, recording or file of a jot cannot be given out",
              TO_REPAIR ": it counts as not stored, and a phone that still has it is asked for it again",
              "jots/%s is %s", hex, missing ? "missing" : "damaged");
    return drop(c, sqlite3_mprintf(
                       "UPDATE jot_file SET hash = NULL, size = 0, stored_at = 0 WHERE hash = x'%s'", hex));
}

/* What lies in jots/ and no row names. */
static void tell_unnamed(fsck_content *c, const jot_content_name *all, size_t count) {
    char *path = folder_path(c->folder, "jots"), name[JOT_CONTENT_NAME_LEN + 8];
    DIR *dir = path != NULL ? opendir(path) : NULL;
    const struct dirent *entry;
    size_t unnamed = 0;
    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        store_name hash;
        snprintf(name, sizeof name, "jots/%.64s", entry->d_name);
        if (jot_content_name_read(name, &hash) &&
            (count == 0 || bsearch(&hash, all, count, sizeof *all, compare_contents) == NULL))
            unnamed++;
    }
    if (unnamed > 0)
        fsck_tell(c->options, c->result, false, "jot",
                  "a power cut left them, or they belong to a database that was put aside by a restore",
                  "nothing: a phone that gives such a file again makes it count",
                  "%zu files in jots/ belong to no jot", unnamed);
    if (dir != NULL)
        closedir(dir);
    free(path);
}

static int check_jots(fsck_content *c) {
    jot_content_name *all = NULL;
    size_t count = 0;
    int rc = jot_contents(c->s, &all, &count, c->err);
    for (size_t i = 0; rc == 0 && i < count; i++) {
        store_error why = STORE_ERROR_INIT;
        int found = jot_content_check(c->folder, &all[i].hash, &why);
        if (c->options->progress != NULL)
            c->options->progress(c->options->ctx, "files of jots", i + 1, count);
        if (found == STORE_NONE || found == STORE_DAMAGED)
            rc = tell_content(c, &all[i].hash, found == STORE_NONE);
        else if (found != 0)
            rc = store_fail(c->err, found, "%s", why.message);
    }
    if (rc == 0)
        tell_unnamed(c, all, count);
    free(all);
    return rc;
}

/* ---- all of it ------------------------------------------------------------------------------------------ */

int fsck_content_run(fsck_content *c) {
    int rc = read_parts(c);
    if (rc == 0)
        rc = read_states(c);
    for (size_t i = 0; rc == 0 && i < sizeof NAMES / sizeof *NAMES; i++)
        rc = walk_rows(c, &NAMES[i], names_damaged_state);
    if (rc == 0)
        rc = check_head(c);
    for (size_t i = 0; rc == 0 && i < sizeof ROWS / sizeof *ROWS; i++)
        rc = walk_rows(c, &ROWS[i], always);
    if (rc == 0)
        rc = walk_rows(c, &GRAVES, is_bad_grave);
    if (rc == 0)
        rc = walk_rows(c, &REVIVALS, is_bad_revival);
    if (rc == 0)
        rc = walk_rows(c, &LOST, is_bad_lost);
    if (rc == 0)
        rc = check_jots(c);
    return rc == 0 ? check_clock(c) : rc;
}

void fsck_content_release(fsck_content *c) {
    for (size_t i = 0; i < c->drop_count; i++)
        sqlite3_free(c->drops[i]);
    free(c->drops);
    free(c->parts);
    c->drops = NULL;
    c->parts = NULL;
    c->drop_count = c->count = 0;
}
