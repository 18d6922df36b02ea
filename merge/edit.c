/*
 * edit.c - changing a state from outside.
 *
 * Everything that can fail is done before anything is changed. Nodes and entries are made new, never altered:
 * other states may point to the old ones.
 */
#include "number.h"
#include "state.h"

static int refuse(const trivet_merge_state *state, trivet_merge_error *err, const char *key,
                  const char *reason) {
    tm_step step = {{key, strlen(key)}, 0};
    return tm_error_set(err, TRIVET_MERGE_EINPUT, state->side, &step, 1, reason);
}

static int no_memory(const trivet_merge_state *state, trivet_merge_error *err) {
    return tm_error_set(err, TRIVET_MERGE_ENOMEM, state->side, NULL, 0, "out of memory");
}

/* ---- checking ------------------------------------------------------------------------------------------ */

/* Whether it is the inside of a canonical string literal: read as one, it comes out as it is. */
static bool is_slice(tm_slice slice) {
    tm_arena arena;
    tm_reader r;
    tm_slice read;
    char small[512];
    if (slice.len == 0)
        return true;
    tm_arena_init(&arena, 0);
    char *text = slice.len + 2 <= sizeof small ? small : tm_alloc_bytes(&arena, slice.len + 2);
    bool valid = false;
    if (text) {
        text[0] = text[slice.len + 1] = '"';
        memcpy(text + 1, slice.data, slice.len);
        tm_reader_init(&r, text, slice.len + 2, TRIVET_MERGE_COMPUTER, &arena, NULL);
        valid = tm_string(&r, &read) == 0 && r.at == r.end && tm_slice_equal(read, slice);
    }
    tm_arena_release(&arena);
    return valid;
}

static bool is_time(int64_t time) {
    return time >= 0 && time <= TM_TIME_MAX;
}

static int check_item(const trivet_merge_state *state, const trivet_merge_item *item,
                      trivet_merge_error *err) {
    if (!item->id.data || item->id.len == 0 || item->id.len > TRIVET_MERGE_MAX_ID)
        return refuse(state, err, "id", "expected 1 to 256 bytes");
    if (!is_slice(item->id))
        return refuse(state, err, "id", "expected a string");
    if (!item->text.data || !is_slice(item->text))
        return refuse(state, err, "text", "expected a string");
    if (item->position - item->position != 0)
        return refuse(state, err, "position", "expected a finite number");
    if (!is_time(item->created_at))
        return refuse(state, err, "createdAt", "expected an integer from 0 to 9007199254740991");
    if (!is_time(item->updated_at))
        return refuse(state, err, "updatedAt", "expected an integer from 0 to 9007199254740991");
    if (item->deleted_at != -1 && !is_time(item->deleted_at))
        return refuse(state, err, "deletedAt", "expected an integer from 0 to 9007199254740991");
    return 0;
}

/* ---- copying ------------------------------------------------------------------------------------------- */

/* Like tm_slice_copy(), with one byte behind it that ends a number (value.c reads one to its end). */
static bool copy_value(tm_arena *arena, tm_slice from, tm_slice *to) {
    char *bytes = tm_alloc_bytes(arena, from.len + 1);
    if (!bytes)
        return false;
    memcpy(bytes, from.data, from.len);
    bytes[from.len] = '\0';
    *to = (tm_slice){bytes, from.len};
    return true;
}

static bool copy_rest(tm_arena *arena, const tm_rest *from, const void **to) {
    *to = NULL;
    if (!from)
        return true;
    tm_rest *rest = tm_alloc(arena, sizeof *rest + from->count * sizeof rest->fields[0]);
    if (!rest)
        return false;
    rest->count = from->count;
    for (size_t i = 0; i < from->count; i++)
        if (!tm_slice_copy(arena, from->fields[i].key, &rest->fields[i].key) ||
            !copy_value(arena, from->fields[i].value, &rest->fields[i].value))
            return false;
    *to = rest;
    return true;
}

static tm_node *copy_item(tm_arena *arena, const trivet_merge_item *item, size_t slot) {
    tm_node *node = tm_alloc(arena, sizeof *node);
    if (!node)
        return NULL;
    *node = (tm_node){.item = *item, .slot = (uint16_t)slot};
    /* a value that is there cannot be left out */
    if (item->done)
        node->item.has |= TRIVET_MERGE_HAS_DONE;
    if (item->created_at != 0)
        node->item.has |= TRIVET_MERGE_HAS_CREATED_AT;
    if (item->updated_at != 0)
        node->item.has |= TRIVET_MERGE_HAS_UPDATED_AT;
    if (!tm_slice_copy(arena, item->id, &node->item.id) ||
        !tm_slice_copy(arena, item->text, &node->item.text) ||
        !copy_rest(arena, item->rest, &node->item.rest))
        return NULL;
    node->hash = tm_hash(node->item.id);
    return node;
}

/* ---- items --------------------------------------------------------------------------------------------- */

/* Where the node stands in its slot. */
static size_t index_in_slot(tm_slot *slot, const tm_node *node) {
    size_t low = 0, high = slot->count;
    if (!slot->sorted) {
        while (slot->nodes[low] != node)
            low++;
        return low;
    }
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (tm_node_compare(slot->nodes[middle], node) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void take_out(tm_items *items, const tm_node *node) {
    tm_slot *slot = &items->slots[node->slot];
    size_t at = index_in_slot(slot, node);
    slot->count--;
    memmove(slot->nodes + at, slot->nodes + at + 1, (slot->count - at) * sizeof *slot->nodes);
    items->total--;
}

/* Appends, and keeps a slot that is in order known to be so where the node belongs at the end. */
static void put_in(tm_items *items, tm_node *node) {
    tm_slot *slot = &items->slots[node->slot];
    bool sorted =
        slot->count == 0 || (slot->sorted && tm_node_compare(slot->nodes[slot->count - 1], node) < 0);
    tm_slot_push(items, node->slot, node);
    slot->sorted = sorted;
}

int trivet_merge_put_item(trivet_merge_state *state, trivet_merge_section section, size_t slot,
                          const trivet_merge_item *item, trivet_merge_error *err) {
    tm_items *items = tm_items_of(state, section);
    if (!items)
        return refuse(state, err, "", "items go into lists and lockedLists");
    if (slot >= TRIVET_MERGE_MAX_SLOTS)
        return refuse(state, err, trivet_merge_section_name(section), "more than 64 slots");
    int rc = check_item(state, item, err);
    if (rc != 0)
        return rc;
    tm_node *node = copy_item(&state->arena, item, slot), *old;
    if (!node)
        return no_memory(state, err);
    old = tm_items_find(items, &state->arena, node->item.id, node->hash);
    if (!old && state->items[0].total + state->items[1].total >= TRIVET_MERGE_MAX_ITEMS)
        return refuse(state, err, trivet_merge_section_name(section), "more than 1000000 items");
    tm_slot none = {0}, *at = slot < items->slot_count ? &items->slots[slot] : &none;
    if (tm_slot_reserve(at, &state->arena, 1) != 0)
        return no_memory(state, err);
    if (!old && items->index.table && tm_index_add(&items->index, &state->arena, node, &old) != 0)
        return no_memory(state, err);
    if (old) {
        if (items->index.table)
            tm_index_replace(&items->index, node);
        take_out(items, old);
    }
    if (slot >= items->slot_count) {
        tm_items_extend(items, slot + 1);
        items->slots[slot] = none;
    }
    put_in(items, node);
    return 0;
}

int trivet_merge_remove_item(trivet_merge_state *state, trivet_merge_section section, trivet_merge_slice id) {
    tm_items *items = tm_items_of(state, section);
    uint32_t hash = tm_hash(id);
    const tm_node *node = items ? tm_items_find(items, &state->arena, id, hash) : NULL;
    if (!node)
        return TRIVET_MERGE_ENOTHERE;
    if (items->index.table)
        tm_index_remove(&items->index, id, hash);
    take_out(items, node);
    return 0;
}

/* ---- entries ------------------------------------------------------------------------------------------- */

/* {"content":"","updatedAt":0}, or for a category {"label":"","section":"lists","updatedAt":0}: what an app
 * that was never used holds. */
static const tm_entry *default_entry(trivet_merge_section section) {
    static const tm_rest lists = {1, {{{"section", 7}, {"\"lists\"", 7}}}};
    static const tm_rest locked_lists = {1, {{{"section", 7}, {"\"lockedLists\"", 13}}}};
    static const tm_rest scratchpad = {1, {{{"section", 7}, {"\"scratchpad\"", 12}}}};
    static const tm_entry defaults[] = {{{{"", 0}, 0, &lists}, true},
                                        {{{"", 0}, 0, &locked_lists}, true},
                                        {{{"", 0}, 0, NULL}, true},
                                        {{{"", 0}, 0, &scratchpad}, true}};
    return &defaults[section - TRIVET_MERGE_LISTS_CATEGORIES];
}

static void pad_entries(tm_entries *entries, trivet_merge_section section, size_t count) {
    entries->present = true;
    while (entries->count < count)
        entries->entries[entries->count++] = default_entry(section);
}

int trivet_merge_put_entry(trivet_merge_state *state, trivet_merge_section section, size_t index,
                           const trivet_merge_entry *entry, trivet_merge_error *err) {
    tm_entries *entries = tm_entries_of(state, section);
    if (!entries)
        return refuse(state, err, "", "entries go into categories and scratchpads");
    if (index >= TRIVET_MERGE_MAX_SLOTS)
        return refuse(state, err, trivet_merge_section_name(section), "more than 64 slots");
    tm_slice key = tm_text_key(section);
    if (!is_slice(entry->text))
        return refuse(state, err, key.data, "expected a string");
    if (!is_time(entry->updated_at))
        return refuse(state, err, "updatedAt", "expected an integer from 0 to 9007199254740991");
    tm_entry *copy = tm_alloc(&state->arena, sizeof *copy);
    if (!copy)
        return no_memory(state, err);
    *copy = (tm_entry){*entry, true};
    if (!tm_slice_copy(&state->arena, entry->text, &copy->entry.text) ||
        !copy_rest(&state->arena, entry->rest, &copy->entry.rest))
        return no_memory(state, err);
    pad_entries(entries, section, index);
    if (index == entries->count)
        entries->count++;
    entries->entries[index] = copy;
    return 0;
}

/* ---- sections ------------------------------------------------------------------------------------------ */

static int take_items(trivet_merge_state *to, const trivet_merge_state *from, trivet_merge_section section) {
    const tm_items *source = tm_items_of(from, section);
    tm_items taken = {.present = source->present, .slot_count = source->slot_count, .total = source->total};
    for (size_t s = 0; s < source->slot_count; s++) {
        tm_slot *slot = &taken.slots[s];
        if (tm_slot_reserve(slot, &to->arena, source->slots[s].count) != 0)
            return TRIVET_MERGE_ENOMEM;
        slot->count = source->slots[s].count;
        slot->sorted = source->slots[s].sorted;
        if (slot->count > 0)
            memcpy(slot->nodes, source->slots[s].nodes, slot->count * sizeof *slot->nodes);
    }
    if (section == TRIVET_MERGE_LISTS) {
        tm_field *unknown = tm_alloc_array(&to->arena, from->unknown_count, sizeof *unknown);
        if (!unknown)
            return TRIVET_MERGE_ENOMEM;
        if (from->unknown_count > 0)
            memcpy(unknown, from->unknown, from->unknown_count * sizeof *unknown);
        to->unknown = unknown;
        to->unknown_count = from->unknown_count;
    }
    *tm_items_of(to, section) = taken;
    return 0;
}

int trivet_merge_take_section(trivet_merge_state *to, const trivet_merge_state *from,
                              trivet_merge_section section) {
    if (to->size_hint < from->size_hint)
        to->size_hint = from->size_hint;
    if (tm_is_items(section))
        return take_items(to, from, section);
    if (!tm_is_entries(section))
        return TRIVET_MERGE_ENOTHERE;
    *tm_entries_of(to, section) = *tm_entries_of(from, section);
    return 0;
}

int trivet_merge_pad(trivet_merge_state *state, const trivet_merge_state *like, size_t at_least) {
    if (at_least > TRIVET_MERGE_MAX_SLOTS)
        return TRIVET_MERGE_EINPUT;
    for (unsigned s = 0; s < TRIVET_MERGE_SECTIONS; s++) {
        trivet_merge_section section = (trivet_merge_section)s;
        size_t count = like ? trivet_merge_slot_count(like, section) : 0;
        if (count < at_least)
            count = at_least;
        if (tm_is_items(section))
            tm_items_extend(tm_items_of(state, section), count);
        else
            pad_entries(tm_entries_of(state, section), section, count);
    }
    return 0;
}
