/*
 * grave.c - last forms of items that left the computer's state.
 *
 * Two states of the computer mostly hold the same items in the same order, so both are walked side by side
 * and an item is only looked up where the walk finds two different ids. An item that is live before and after
 * cannot have a grave, and costs one comparison of ids.
 */
#include "grave.h"

#include "sql.h"
#include <stdlib.h>
#include <string.h>

enum { ITEM_SECTIONS = 2, KEEPER_ITEMS = 128 };
static const trivet_merge_section item_sections[ITEM_SECTIONS] = {TRIVET_MERGE_LISTS,
                                                                  TRIVET_MERGE_LOCKED_LISTS};

/* ---- one item --------------------------------------------------------------------------------------- */

static int dig(store *s, trivet_merge_section section, size_t slot, const trivet_merge_item *item,
               int64_t now, store_error *err) {
    trivet_merge_item last = *item;
    if (!last.deleted || last.deleted_at < 0)
        last.deleted_at = now;
    last.deleted = true;
    char *json = NULL;
    size_t len = 0;
    if (trivet_merge_item_write(&last, &json, &len) != 0)
        return store_out_of_memory(err);
    sqlite3_stmt *q = sql_get(s, SQL_GRAVE_PUT, err);
    sql_int(q, 1, section);
    sql_blob(q, 2, last.id.data, last.id.len);
    sql_int(q, 3, (int64_t)slot);
    sql_blob(q, 4, json, len);
    sql_int(q, 5, now);
    int rc = sql_run(s, q, err);
    free(json);
    return rc;
}

static int fill(store *s, trivet_merge_section section, trivet_merge_slice id, store_error *err) {
    sqlite3_stmt *q = sql_get(s, SQL_GRAVE_DROP, err);
    sql_int(q, 1, section);
    sql_blob(q, 2, id.data, id.len);
    return sql_run(s, q, err);
}

/* ---- two states ------------------------------------------------------------------------------------- */

typedef struct {
    store *s;
    const trivet_merge_state *before, *after;
    int64_t now;
    store_error *err;
} walk;

static bool same_id(const trivet_merge_item *a, const trivet_merge_item *b) {
    return a->id.len == b->id.len && memcmp(a->id.data, b->id.data, a->id.len) == 0;
}

/* `now_there` is the item after, `was` the one before or NULL. */
static int came(const walk *w, trivet_merge_section section, const trivet_merge_item *was,
                const trivet_merge_item *now_there) {
    if (now_there->deleted || (was != NULL && !was->deleted))
        return 0;
    return fill(w->s, section, now_there->id, w->err);
}

static bool holds(const trivet_merge_state *state, trivet_merge_section section, trivet_merge_slice id,
                  trivet_merge_item *found) {
    return trivet_merge_item_find(state, section, id, found, NULL);
}

/*
 * One slot on both sides. Where the ids differ, an item that is gone or new is passed on its own side alone,
 * so that the walk is in step again; items that are only elsewhere are passed on both.
 */
static int walk_slot(const walk *w, trivet_merge_section section, size_t slot) {
    size_t i = 0, j = 0;
    int rc = 0;
    while (rc == 0) {
        trivet_merge_item was, is, found;
        bool has_was = trivet_merge_item_at(w->before, section, slot, i, &was);
        bool has_is = trivet_merge_item_at(w->after, section, slot, j, &is);
        if (!has_was && !has_is)
            break;
        if (has_was && has_is && same_id(&was, &is)) {
            rc = came(w, section, &was, &is);
            i++;
            j++;
        } else if (has_was && !holds(w->after, section, was.id, &found)) {
            rc = dig(w->s, section, slot, &was, w->now, w->err);
            i++;
        } else if (has_is && !holds(w->before, section, is.id, &found)) {
            rc = came(w, section, NULL, &is);
            j++;
        } else {
            rc = has_is ? came(w, section, &found, &is) : 0;
            i += has_was;
            j += has_is;
        }
    }
    return rc;
}

static int walk_states(const walk *w) {
    for (size_t k = 0; k < ITEM_SECTIONS; k++) {
        size_t before = trivet_merge_slot_count(w->before, item_sections[k]);
        size_t after = trivet_merge_slot_count(w->after, item_sections[k]);
        for (size_t slot = 0; slot < before || slot < after; slot++) {
            int rc = walk_slot(w, item_sections[k], slot);
            if (rc != 0)
                return rc;
        }
    }
    return 0;
}

int grave_update(store *s, const trivet_merge_state *before, const trivet_merge_state *after, int64_t now,
                 store_error *err) {
    bool own;
    int rc = sql_enter(s, &own, err);
    walk w = {.s = s, .before = before, .after = after, .now = now, .err = err};
    return rc == 0 ? sql_leave(s, own, walk_states(&w), err) : rc;
}

/* ---- all graves ------------------------------------------------------------------------------------- */

/* Items live in a state; a fresh one every so often keeps its memory small. */
static int fresh_keeper(trivet_merge_state **keeper, store_error *err) {
    trivet_merge_state_free(*keeper);
    *keeper = NULL;
    return trivet_merge_state_new(keeper) == 0 ? 0 : store_out_of_memory(err);
}

static int show(store *s, sqlite3_stmt *q, trivet_merge_state *keeper, grave_fn *fn, void *ctx,
                store_error *err) {
    const char *json = sqlite3_column_blob(q, 2);
    size_t len = (size_t)sqlite3_column_bytes(q, 2);
    int64_t section = sqlite3_column_int64(q, 0), slot = sqlite3_column_int64(q, 1);
    trivet_merge_item item;
    trivet_merge_error merr = TRIVET_MERGE_ERROR_INIT;
    int rc = json != NULL ? trivet_merge_item_read(keeper, json, len, &item, &merr) : TRIVET_MERGE_EINPUT;
    if (rc == TRIVET_MERGE_ENOMEM)
        return store_out_of_memory(err);
    if (rc != 0 || !item.deleted || section < 0 || section >= TRIVET_MERGE_SECTIONS || slot < 0)
        return store_fail_damaged(s, err, "a grave is not what it should be");
    return fn(ctx, (trivet_merge_section)section, (size_t)slot, &item);
}

int grave_each(store *s, grave_fn *fn, void *ctx, store_error *err) {
    trivet_merge_state *keeper = NULL;
    sqlite3_stmt *q = sql_get(s, SQL_GRAVE_EACH, err);
    int rc;
    for (size_t n = 0; (rc = sql_row(s, q, err)) > 0; n++) {
        rc = n % KEEPER_ITEMS == 0 ? fresh_keeper(&keeper, err) : 0;
        if (rc == 0)
            rc = show(s, q, keeper, fn, ctx, err);
        if (rc != 0)
            break;
    }
    sql_reset(q);
    trivet_merge_state_free(keeper);
    return rc;
}

int grave_prune(store *s, int64_t then, size_t max_rows, size_t *dropped, store_error *err) {
    sqlite3_stmt *q = sql_get(s, SQL_GRAVE_PRUNE, err);
    sql_int(q, 1, then);
    sql_int(q, 2, max_rows > INT64_MAX ? INT64_MAX : (int64_t)max_rows);
    int rc = sql_run(s, q, err);
    if (rc == 0)
        *dropped += (size_t)sqlite3_changes(s->db);
    return rc;
}
