/*
 * fsck_repair.c - what is dropped, and what takes the place of a damaged list in the present state.
 *
 * Dropped are: parts whose bytes are not those that their name says (so that the same bytes can be stored once more);
 * records and lines of history that name a state which cannot be read whole; graves and other rows that cannot be read.
 * A dropped record leaves its `since` values behind, which then mean "no ancestor" (merge §10): that phone's next sync
 * compares both sides as they are, and nothing on either is lost.
 *
 * The present state is saved list by list. A damaged one is taken from the newest line of history, else from the newest
 * record, that has that list whole; if none has, it is empty. It may then lack what was added since and hold what was
 * deleted since, so:
 *
 *   - all records are dropped: with an ancestor, what is lacking would be read as deleted, and would go from the phones too.
 *     Without one, what a phone has and the computer lacks comes back
 *   - what lies in a grave is taken out again
 *
 * Lost is only what was edited in a damaged list since that state and had reached no phone.
 */
#include "fsck_repair.h"

#include "blob.h"
#include "grave.h"
#include "history.h"
#include "snapshot.h"

#include <stdlib.h>
#include <string.h>

/* ---- the present state, part by part -------------------------------------------------------------------- */

typedef struct {
    char *key; /* with a NUL; from malloc */
    size_t key_len, index;
    bool array, empty, sound;
    store_name name;
} wanted_part;

typedef struct {
    fsck_content *c;
    wanted_part *parts; /* of the state that is being put together */
    size_t count, unsound;
    char *json;    /* what the saved state reads, from sqlite3_malloc */
    uint8_t *list; /* that is being looked at */
    size_t list_len;
    int rc;
} salvage;

static int take_list(void *ctx, const uint8_t *data, size_t len, store_error *err) {
    salvage *v = ctx;
    v->list = malloc(len + 1);
    if (v->list == NULL)
        return store_out_of_memory(err);
    memcpy(v->list, data, len);
    v->list_len = len;
    return 0;
}

/* Whether there is such a list; its bytes are in v->list then. */
static bool get_list(salvage *v, const store_name *name) {
    store_error why = STORE_ERROR_INIT;
    part_status status = fsck_content_status(v->c, name);
    free(v->list);
    v->list = NULL;
    if (status != PART_LIST && status != PART_BROKEN)
        return false;
    int rc = blob_get(v->c->s, name, take_list, v, &why);
    if (rc != 0 && rc != STORE_DAMAGED)
        v->rc = store_fail(v->c->err, rc, "%s", why.message);
    return rc == 0;
}

static int want_part(void *ctx, const char *key, size_t key_len, bool array, size_t index,
                     const store_name *name) {
    salvage *v = ctx;
    if (index >=
        TRIVET_MERGE_MAX_SLOTS) /* a key's copy for each of them: a short list could ask for any memory */
        return STORE_DAMAGED;
    wanted_part *grown = store_grow(v->parts, v->count, sizeof *grown);
    if (grown == NULL)
        return store_out_of_memory(v->c->err);
    v->parts = grown;
    wanted_part part = {.key_len = key_len, .index = index, .array = array, .empty = name == NULL};
    part.key = strndup(key, key_len);
    if (part.key == NULL)
        return store_out_of_memory(v->c->err);
    part.sound = part.empty || fsck_content_fits(v->c, name, key, key_len, array);
    if (name != NULL)
        part.name = *name;
    v->unsound += !part.sound;
    v->parts[v->count++] = part;
    return 0;
}

static void forget_parts(salvage *v) {
    for (size_t i = 0; i < v->count; i++)
        free(v->parts[i].key);
    v->count = v->unsound = 0;
}

/* A part of another state, which may serve for one that is wanted; not where that state had no slots at all. */
static int offer_part(void *ctx, const char *key, size_t key_len, bool array, size_t index,
                      const store_name *name) {
    salvage *v = ctx;
    for (size_t i = 0; name != NULL && i < v->count; i++) {
        wanted_part *part = &v->parts[i];
        if (part->sound || part->index != index || part->array != array || part->key_len != key_len ||
            memcmp(part->key, key, key_len) != 0 || !fsck_content_fits(v->c, name, key, key_len, array))
            continue;
        part->sound = true;
        part->name = *name;
        v->unsound--;
    }
    return 0;
}

/* A state of the past: the frame where there is none yet, and then whatever it has whole. */
static int offer_state(void *ctx, sqlite3_stmt *q) {
    salvage *v = ctx;
    store_name name;
    if ((v->count > 0 && v->unsound == 0) || !sql_name_of(q, 0, &name) || !get_list(v, &name))
        return v->rc;
    if (v->count == 0) {
        int rc = snapshot_parts(v->list, v->list_len, want_part, v);
        if (rc != 0)
            forget_parts(v);
        return rc == STORE_DAMAGED ? 0 : rc;
    }
    int rc = snapshot_parts(v->list, v->list_len, offer_part, v);
    return rc == STORE_DAMAGED ? 0 : rc;
}

static int append_part(void *ctx, const uint8_t *data, size_t len, store_error *err) {
    (void)err;
    sqlite3_str_append(ctx, (const char *)data, (int)len);
    return 0;
}

static const char *filler(const wanted_part *part) {
    if (strcmp(part->key, "scratchpad") == 0)
        return "{\"content\":\"\",\"updatedAt\":0}";
    return "[]";
}

static int write_part(salvage *v, size_t i, sqlite3_str *out) {
    const wanted_part *part = &v->parts[i];
    bool first = i == 0 || strcmp(v->parts[i - 1].key, part->key) != 0;
    bool last = i + 1 == v->count || strcmp(v->parts[i + 1].key, part->key) != 0;
    int rc = 0;
    if (first)
        sqlite3_str_appendf(out, "%s\"%s\":%s", i > 0 ? "," : "", part->key, part->array ? "[" : "");
    else
        sqlite3_str_appendall(out, ",");
    if (part->empty)
        ;
    else if (part->sound)
        rc = blob_get(v->c->s, &part->name, append_part, out, v->c->err);
    else
        sqlite3_str_appendall(out, filler(part));
    if (last && part->array)
        sqlite3_str_appendall(out, "]");
    return rc;
}

static int dig_out(void *ctx, trivet_merge_section section, size_t slot, const trivet_merge_item *item) {
    trivet_merge_state *state = ctx;
    trivet_merge_item there;
    (void)slot;
    return trivet_merge_item_find(state, section, item->id, &there, NULL) && !there.deleted
               ? trivet_merge_remove_item(state, section, item->id)
               : 0;
}

/* What stands in v->parts, as a state. */
static int put_together(salvage *v, trivet_merge_state **out) {
    trivet_merge_error why = TRIVET_MERGE_ERROR_INIT;
    sqlite3_str *text = sqlite3_str_new(NULL);
    int rc = 0;
    *out = NULL;
    sqlite3_str_appendall(text, "{");
    for (size_t i = 0; rc == 0 && i < v->count; i++)
        rc = write_part(v, i, text);
    sqlite3_str_appendall(text, "}");
    size_t len = (size_t)sqlite3_str_length(text);
    char *json = sqlite3_str_finish(text);
    if (rc == 0 && json == NULL)
        rc = store_out_of_memory(v->c->err);
    if (rc == 0 && trivet_merge_state_read(json, len, TRIVET_MERGE_COMPUTER, out, &why) != 0)
        rc = why.code == TRIVET_MERGE_ENOMEM
                 ? store_out_of_memory(v->c->err)
                 : store_fail(v->c->err, STORE_DAMAGED,
                              "what is left of the present state cannot be read: %s: %s", why.path,
                              why.reason);
    v->json = json;
    return rc;
}

/* The state as the merge engine writes it: an item that two lists hold, of two times, is in one of them. */
static int store_state(fsck_content *c, trivet_merge_state *state) {
    trivet_merge_error why = TRIVET_MERGE_ERROR_INIT;
    trivet_merge_result *result = NULL;
    history_line line = {.time = c->options->now, .cause = "repair", .counts = "{}"};
    if (trivet_merge(state, state, state, NULL, &result, &why) != 0)
        return store_out_of_memory(c->err);
    int rc = snapshot_put(c->s, trivet_merge_result_snapshot(result), &line.after, c->err);
    line.before = line.after;
    if (rc == 0)
        rc = head_set(c->s, &line.after, c->err);
    if (rc == 0)
        rc = history_add(c->s, &line, c->err);
    trivet_merge_result_free(result);
    return rc;
}

static const char EMPTY[] =
    "{\"lists\":[],\"listsCategories\":[],\"lockedLists\":[],\"lockedListsCategories\":[],"
    "\"scratchpad\":[],\"scratchpadCategories\":[]}";

static int find_state(salvage *v, trivet_merge_state **out) {
    static const char *const questions[] = {
        "SELECT name FROM head", "SELECT after FROM history ORDER BY id DESC",
        "SELECT before FROM history ORDER BY id DESC", "SELECT snapshot FROM record ORDER BY id DESC"};
    trivet_merge_error why = TRIVET_MERGE_ERROR_INIT;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < sizeof questions / sizeof *questions; i++)
        rc = fsck_rows(v->c->s, questions[i], offer_state, v, v->c->err);
    if (rc != 0)
        return rc;
    if (v->count > 0)
        return put_together(v, out);
    return trivet_merge_state_read(EMPTY, sizeof EMPTY - 1, TRIVET_MERGE_COMPUTER, out, &why) == 0
               ? 0
               : store_out_of_memory(v->c->err);
}

/* ---- all of it ------------------------------------------------------------------------------------------ */

/* Rows whose owner is gone. */
static const char ORPHANS[] = "DELETE FROM device_phone WHERE device NOT IN (SELECT num FROM device);"
                              "DELETE FROM device_network WHERE device NOT IN (SELECT num FROM device);"
                              "DELETE FROM record WHERE device NOT IN (SELECT num FROM device)"
                              " OR phone NOT IN (SELECT num FROM device_phone);"
                              "DELETE FROM record_since WHERE device NOT IN (SELECT num FROM device)"
                              " OR phone NOT IN (SELECT num FROM device_phone);"
                              /* A phone whose records are gone had some: their `since` values count on. */
                              "UPDATE device_phone SET has_records = 1 WHERE num IN (SELECT phone FROM "
                              "record UNION SELECT phone FROM record_since);"
                              /* What belongs to a jot whose own row is lost gets one, under no device. */
                              "INSERT INTO jot (num, device, id, first_at, changed_at, gone_at)"
                              " SELECT DISTINCT jot, '', jot, 0, 0, 1 FROM (SELECT jot FROM jot_form UNION"
                              " SELECT jot FROM jot_file) WHERE jot NOT IN (SELECT num FROM jot);"
                              "DELETE FROM question;";

static int apply(fsck_content *c, trivet_merge_state *state) {
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < c->drop_count; i++)
        rc = sql_exec(c->s, c->drops[i], c->err);
    if (rc == 0)
        rc = sql_exec(c->s, ORPHANS, c->err);
    if (rc != 0 || state == NULL)
        return rc;
    rc = sql_exec(c->s, "DELETE FROM record", c->err);
    if (rc == 0)
        rc = grave_each(c->s, dig_out, state, c->err);
    return rc == 0 ? store_state(c, state) : rc;
}

int fsck_repair_content(fsck_content *c) {
    salvage v = {.c = c};
    trivet_merge_state *state = NULL;
    int rc = store_begin(c->s, c->err);
    if (rc == 0 && !c->head_sound)
        rc = find_state(&v, &state); /* before what it reads is dropped */
    if (rc == 0)
        rc = apply(c, state);
    if (rc == 0)
        rc = store_commit(c->s, c->err);
    if (rc != 0)
        store_rollback(c->s);
    trivet_merge_state_free(state);
    sqlite3_free(v.json);
    forget_parts(&v);
    free(v.parts);
    free(v.list);
    return rc;
}
