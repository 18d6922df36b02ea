/*
 * prune_mark.c - the phase MARK of a run (prune.c): every state that is named is walked, its blobs are marked, and what is not
 * part of the head is packed on the way.
 */
#include "prune_parts.h"

#include "blob.h"
#include "pack.h"
#include "record.h"
#include "restored.h"
#include "snapshot.h"
#include "sql.h"
#include <stdlib.h>
#include <string.h>

void prune_drop_marks(prune *p) {
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
        if (w->packed && !prune_time_left(p)) {
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
int prune_mark_noted(prune *p, store *s, store_error *err) {
    store_name name;
    int rc, taken;
    while ((taken = marks_take(s->marks, &name)) == 0) {
        if ((rc = mark_state(p, s, &name, false, err)) > 0)
            marks_note(s->marks, &name);
        if (rc != 0)
            return rc;
        if (!prune_budget_left(p))
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

int prune_mark(prune *p, store *s, store_error *err) {
    int rc = p->marking == NULL ? begin_marking(p, s, err) : 0;
    while (rc == 0 && p->roots != ROOTS_DONE && prune_budget_left(p))
        rc = p->roots == BY_LINES     ? mark_line(p, s, err)
             : p->roots == BY_RECORDS ? mark_record(p, s, err)
                                      : mark_restored(p, s, err);
    if (rc < 0 || p->roots != ROOTS_DONE)
        return rc < 0 ? rc : 1;
    return prune_mark_noted(p, s, err);
}
