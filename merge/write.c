/*
 * write.c - the canonical document out (merge §1): keys sorted by bytes, no white space.
 *
 * The seven or eight keys of an item are written in one go where it has no unknown ones, which is nearly
 * always.
 */
#include "write.h"

#include <stdlib.h>

/* ---- items --------------------------------------------------------------------------------------------- */

/* The most that an item takes besides its id, its text and its unknown fields: eight keys, four numbers. */
enum { ITEM_FIXED = 256 };

static char *put_deletion(char *p, const trivet_merge_item *item) {
    if (!item->deleted && item->deleted_at < 0)
        return TM_PUT(p, "\"deleted\":false,\"deletedAt\":null,");
    p = item->deleted ? TM_PUT(p, "\"deleted\":true,\"deletedAt\":")
                      : TM_PUT(p, "\"deleted\":false,\"deletedAt\":");
    p = item->deleted_at < 0 ? TM_PUT(p, "null") : tm_integer_write(p, (uint64_t)item->deleted_at);
    *p++ = ',';
    return p;
}

static void write_plain_item(tm_buffer *b, const trivet_merge_item *item) {
    char *p = tm_buffer_space(b, item->id.len + item->text.len + ITEM_FIXED);
    if (!p)
        return;
    *p++ = '{';
    if ((item->has & TRIVET_MERGE_HAS_CREATED_AT) != 0) {
        p = tm_integer_write(TM_PUT(p, "\"createdAt\":"), (uint64_t)item->created_at);
        *p++ = ',';
    }
    p = put_deletion(p, item);
    if ((item->has & TRIVET_MERGE_HAS_DONE) != 0)
        p = item->done ? TM_PUT(p, "\"done\":true,") : TM_PUT(p, "\"done\":false,");
    p = tm_put(TM_PUT(p, "\"id\":\""), item->id.data, item->id.len);
    p = tm_number_write(TM_PUT(p, "\",\"position\":"), item->position);
    p = tm_put(TM_PUT(p, ",\"text\":\""), item->text.data, item->text.len);
    *p++ = '"';
    if ((item->has & TRIVET_MERGE_HAS_UPDATED_AT) != 0)
        p = tm_integer_write(TM_PUT(p, ",\"updatedAt\":"), (uint64_t)item->updated_at);
    *p++ = '}';
    tm_buffer_wrote(b, p);
}

/* Writes an object whose known keys come one by one, the unknown ones between them. */
typedef struct {
    tm_buffer *b;
    const tm_rest *rest;
    size_t next; /* of rest */
    bool any;
} member_writer;

static void put_key(member_writer *w, tm_slice key) {
    if (w->any)
        TM_ADD(w->b, ",");
    w->any = true;
    tm_buffer_string(w->b, key);
    TM_ADD(w->b, ":");
}

/* The unknown ones before `key`; all that are left where that has no data. */
static void put_rest(member_writer *w, tm_slice key) {
    while (w->rest && w->next < w->rest->count) {
        const tm_field *field = &w->rest->fields[w->next];
        if (key.data && tm_slice_compare(field->key, key) > 0)
            return;
        put_key(w, field->key);
        tm_buffer_slice(w->b, field->value);
        w->next++;
    }
}

static void begin_member(member_writer *w, tm_slice key) {
    put_rest(w, key);
    put_key(w, key);
}

static void put_bool(member_writer *w, tm_slice key, bool value) {
    begin_member(w, key);
    tm_buffer_slice(w->b, value ? TM_SLICE("true") : TM_SLICE("false"));
}

static void put_string(member_writer *w, tm_slice key, tm_slice value) {
    begin_member(w, key);
    tm_buffer_string(w->b, value);
}

/* -1 is null */
static void put_time(member_writer *w, tm_slice key, int64_t value) {
    begin_member(w, key);
    if (value < 0)
        TM_ADD(w->b, "null");
    else
        tm_buffer_integer(w->b, (uint64_t)value);
}

static void put_position(member_writer *w, double value) {
    begin_member(w, TM_SLICE("position"));
    char *to = tm_buffer_space(w->b, TM_NUMBER_MAX);
    if (to)
        tm_buffer_wrote(w->b, tm_number_write(to, value));
}

void tm_write_item(tm_buffer *b, const trivet_merge_item *item) {
    if (!item->rest) {
        write_plain_item(b, item);
        return;
    }
    member_writer w = {b, item->rest, 0, false};
    TM_ADD(b, "{");
    if ((item->has & TRIVET_MERGE_HAS_CREATED_AT) != 0)
        put_time(&w, TM_SLICE("createdAt"), item->created_at);
    put_bool(&w, TM_SLICE("deleted"), item->deleted);
    put_time(&w, TM_SLICE("deletedAt"), item->deleted_at);
    if ((item->has & TRIVET_MERGE_HAS_DONE) != 0)
        put_bool(&w, TM_SLICE("done"), item->done);
    put_string(&w, TM_SLICE("id"), item->id);
    put_position(&w, item->position);
    put_string(&w, TM_SLICE("text"), item->text);
    if ((item->has & TRIVET_MERGE_HAS_UPDATED_AT) != 0)
        put_time(&w, TM_SLICE("updatedAt"), item->updated_at);
    put_rest(&w, (tm_slice){NULL, 0});
    TM_ADD(b, "}");
}

static void write_slot(tm_buffer *b, tm_slot *slot) {
    tm_slot_sort(slot);
    TM_ADD(b, "[");
    for (size_t i = 0; i < slot->count; i++) {
        if (i > 0)
            TM_ADD(b, ",");
        tm_write_item(b, &slot->nodes[i]->item);
    }
    TM_ADD(b, "]");
}

/* ---- entries ------------------------------------------------------------------------------------------- */

static void write_entry(tm_buffer *b, trivet_merge_section section, const tm_entry *entry) {
    member_writer w = {b, entry->entry.rest, 0, false};
    TM_ADD(b, "{");
    if (entry->entry.text.data)
        put_string(&w, tm_text_key(section), entry->entry.text);
    if (entry->has_updated_at)
        put_time(&w, TM_SLICE("updatedAt"), entry->entry.updated_at);
    put_rest(&w, (tm_slice){NULL, 0});
    TM_ADD(b, "}");
}

/* ---- the document -------------------------------------------------------------------------------------- */

static void write_section(tm_buffer *b, const trivet_merge_state *state, trivet_merge_section section) {
    size_t count = trivet_merge_slot_count(state, section);
    TM_ADD(b, "[");
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            TM_ADD(b, ",");
        if (tm_is_items(section))
            write_slot(b, &tm_items_of(state, section)->slots[i]);
        else
            write_entry(b, section, tm_entries_of(state, section)->entries[i]);
    }
    TM_ADD(b, "]");
}

/* The known keys in the order of their bytes. */
static const trivet_merge_section in_order[TRIVET_MERGE_SECTIONS] = {
    TRIVET_MERGE_LISTS,        TRIVET_MERGE_LISTS_CATEGORIES,
    TRIVET_MERGE_LOCKED_LISTS, TRIVET_MERGE_LOCKED_LISTS_CATEGORIES,
    TRIVET_MERGE_SCRATCHPAD,   TRIVET_MERGE_SCRATCHPAD_CATEGORIES};

/* What comes next in canonical order: a section that is present, else an unknown key, else nothing. */
typedef struct {
    const trivet_merge_state *state;
    size_t known, unknown;
    trivet_merge_section section; /* TRIVET_MERGE_SECTIONS: an unknown key */
    tm_slice key, value;
} key_walk;

static bool next_key(key_walk *k) {
    while (k->known < TRIVET_MERGE_SECTIONS && !trivet_merge_state_has(k->state, in_order[k->known]))
        k->known++;
    bool known = k->known < TRIVET_MERGE_SECTIONS, unknown = k->unknown < k->state->unknown_count;
    if (!known && !unknown)
        return false;
    const tm_field *field = unknown ? &k->state->unknown[k->unknown] : NULL;
    if (!known || (unknown && tm_slice_compare(field->key, tm_section_key(in_order[k->known])) < 0)) {
        k->section = TRIVET_MERGE_SECTIONS;
        k->key = field->key;
        k->value = field->value;
        k->unknown++;
    } else {
        k->section = in_order[k->known++];
        k->key = tm_section_key(k->section);
    }
    return true;
}

void tm_write_state(tm_buffer *b, const trivet_merge_state *state) {
    key_walk k = {.state = state};
    bool any = false;
    TM_ADD(b, "{");
    while (next_key(&k)) {
        if (any)
            TM_ADD(b, ",");
        any = true;
        tm_buffer_string(b, k.key);
        TM_ADD(b, ":");
        if (k.section == TRIVET_MERGE_SECTIONS)
            tm_buffer_slice(b, k.value);
        else
            write_section(b, state, k.section);
    }
    TM_ADD(b, "}");
}

int trivet_merge_state_write(const trivet_merge_state *state, char **out, size_t *len) {
    tm_buffer b;
    tm_buffer_init(&b, state->size_hint + 64);
    tm_write_state(&b, state);
    return tm_buffer_finish(&b, out, len);
}

int trivet_merge_item_write(const trivet_merge_item *item, char **out, size_t *len) {
    tm_buffer b;
    tm_buffer_init(&b, item->id.len + item->text.len + ITEM_FIXED);
    tm_write_item(&b, item);
    return tm_buffer_finish(&b, out, len);
}

/* ---- parts --------------------------------------------------------------------------------------------- */

/* The slots or scratchpad entries of a section, one part each. */
static int write_slot_parts(const key_walk *k, tm_buffer *b, trivet_merge_part_fn *fn, void *ctx) {
    size_t count = trivet_merge_slot_count(k->state, k->section);
    if (count == 0)
        return fn(ctx, k->key, 0, "", 0);
    for (size_t i = 0; i < count; i++) {
        b->len = 0;
        if (k->section == TRIVET_MERGE_SCRATCHPAD)
            write_entry(b, k->section, tm_entries_of(k->state, k->section)->entries[i]);
        else
            write_slot(b, &tm_items_of(k->state, k->section)->slots[i]);
        if (b->failed)
            return TRIVET_MERGE_ENOMEM;
        int rc = fn(ctx, k->key, i, b->data, b->len);
        if (rc != 0)
            return rc;
    }
    return 0;
}

static int write_whole_part(const key_walk *k, tm_buffer *b, trivet_merge_part_fn *fn, void *ctx) {
    if (k->section == TRIVET_MERGE_SECTIONS)
        return fn(ctx, k->key, SIZE_MAX, k->value.data, k->value.len);
    b->len = 0;
    write_section(b, k->state, k->section);
    return b->failed ? TRIVET_MERGE_ENOMEM : fn(ctx, k->key, SIZE_MAX, b->data, b->len);
}

int trivet_merge_state_write_parts(const trivet_merge_state *state, trivet_merge_part_fn *fn, void *ctx) {
    key_walk k = {.state = state};
    tm_buffer b;
    int rc = 0;
    tm_buffer_init(&b, 4096);
    while (rc == 0 && next_key(&k)) {
        bool slots = tm_is_items(k.section) || k.section == TRIVET_MERGE_SCRATCHPAD;
        rc = slots ? write_slot_parts(&k, &b, fn, ctx) : write_whole_part(&k, &b, fn, ctx);
    }
    tm_buffer_release(&b);
    return rc;
}
