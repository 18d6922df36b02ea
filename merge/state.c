/* state.c - a state's life, its canonical order, and looking into it. */
#include "state.h"

#include <stdlib.h>

#include "sort.h"
#include "value.h"

const char *trivet_merge_side_name(trivet_merge_side side) {
    static const char *const names[] = {"ancestor", "phone", "computer"};
    return (unsigned)side < 3 ? names[side] : "";
}

const char *trivet_merge_section_name(trivet_merge_section section) {
    static const char *const names[] = {"lists",           "lockedLists",
                                        "listsCategories", "lockedListsCategories",
                                        "scratchpad",      "scratchpadCategories"};
    return (unsigned)section < TRIVET_MERGE_SECTIONS ? names[section] : "";
}

tm_items *tm_items_of(const trivet_merge_state *state, trivet_merge_section section) {
    /* sorting and indexing when first asked is no change that a caller could see */
    return state && tm_is_items(section) ? &((trivet_merge_state *)state)->items[section] : NULL;
}

tm_entries *tm_entries_of(const trivet_merge_state *state, trivet_merge_section section) {
    return state && tm_is_entries(section)
               ? &((trivet_merge_state *)state)->entries[section - TRIVET_MERGE_LISTS_CATEGORIES]
               : NULL;
}

void tm_state_init(trivet_merge_state *state, size_t arena_hint) {
    memset(state, 0, sizeof *state);
    state->side = TRIVET_MERGE_COMPUTER;
    tm_arena_init(&state->arena, arena_hint);
}

void tm_state_clear(trivet_merge_state *state) {
    tm_arena_release(&state->arena);
    free(state->owned);
    state->owned = NULL;
}

int trivet_merge_state_new(trivet_merge_state **out) {
    *out = malloc(sizeof **out);
    if (!*out)
        return TRIVET_MERGE_ENOMEM;
    tm_state_init(*out, 0);
    return 0;
}

void trivet_merge_state_free(trivet_merge_state *state) {
    if (!state)
        return;
    tm_state_clear(state);
    free(state);
}

/* ---- order --------------------------------------------------------------------------------------------- */

int tm_node_compare(const void *left, const void *right) {
    const trivet_merge_item *a = &((const tm_node *)left)->item, *b = &((const tm_node *)right)->item;
    if (a->deleted != b->deleted)
        return a->deleted ? 1 : -1;
    if (!a->deleted && a->position != b->position)
        return a->position < b->position ? -1 : 1;
    return tm_slice_compare(a->id, b->id);
}

/* Live nodes in front, by position; the dead behind them, by id. */
static void sort_keyed(tm_slot *slot, tm_keyed *keyed) {
    size_t live = 0, dead = slot->count;
    for (size_t i = 0; i < slot->count; i++) {
        const trivet_merge_item *item = &slot->nodes[i]->item;
        if (item->deleted)
            keyed[--dead] = (tm_keyed){tm_key_of_bytes(item->id.data, item->id.len), slot->nodes[i]};
        else
            keyed[live++] = (tm_keyed){tm_key_of_double(item->position), slot->nodes[i]};
    }
    tm_sort_keyed(keyed, live, tm_node_compare, keyed + slot->count);
    tm_sort_keyed(keyed + live, slot->count - live, tm_node_compare, keyed + slot->count);
    for (size_t i = 0; i < slot->count; i++)
        slot->nodes[i] = (tm_node *)keyed[i].item;
}

void tm_slot_sort(tm_slot *slot) {
    if (slot->sorted)
        return;
    slot->sorted = true;
    size_t i = 1;
    while (i < slot->count && tm_node_compare(slot->nodes[i - 1], slot->nodes[i]) < 0)
        i++;
    if (i >= slot->count)
        return;
    tm_keyed *keyed = malloc(slot->count * 2 * sizeof *keyed);
    if (keyed)
        sort_keyed(slot, keyed);
    else
        tm_sort((void **)slot->nodes, slot->count, tm_node_compare, NULL);
    free(keyed);
}

void tm_items_sort(tm_items *items) {
    for (size_t s = 0; s < items->slot_count; s++)
        tm_slot_sort(&items->slots[s]);
}

/* ---- slots and index ----------------------------------------------------------------------------------- */

void tm_items_extend(tm_items *items, size_t slot_count) {
    items->present = true;
    for (; items->slot_count < slot_count; items->slot_count++)
        items->slots[items->slot_count] = (tm_slot){.sorted = true};
}

int tm_slot_reserve(tm_slot *slot, tm_arena *arena, size_t count) {
    if (slot->room - slot->count >= count)
        return 0;
    size_t room = slot->count == 0 ? count : slot->count + count + slot->count / 2 + 8;
    tm_node **nodes = tm_alloc_array(arena, room, sizeof *nodes);
    if (!nodes)
        return TRIVET_MERGE_ENOMEM;
    if (slot->count > 0)
        memcpy(nodes, slot->nodes, slot->count * sizeof *nodes);
    slot->nodes = nodes;
    slot->room = room;
    return 0;
}

void tm_slot_push(tm_items *items, size_t at, tm_node *node) {
    tm_slot *slot = &items->slots[at];
    slot->nodes[slot->count++] = node;
    slot->sorted = slot->count < 2;
    items->total++;
}

static int build_index(tm_items *items, tm_arena *arena) {
    tm_index index;
    if (tm_index_init(&index, arena, items->total) != 0)
        return TRIVET_MERGE_ENOMEM;
    for (size_t s = 0; s < items->slot_count; s++) {
        for (size_t i = 0; i < items->slots[s].count; i++) {
            tm_node *present;
            if (tm_index_add(&index, arena, items->slots[s].nodes[i], &present) != 0)
                return TRIVET_MERGE_ENOMEM;
        }
    }
    items->index = index;
    return 0;
}

static tm_node *search(const tm_items *items, tm_slice id) {
    for (size_t s = 0; s < items->slot_count; s++)
        for (size_t i = 0; i < items->slots[s].count; i++)
            if (tm_slice_equal(items->slots[s].nodes[i]->item.id, id))
                return items->slots[s].nodes[i];
    return NULL;
}

tm_node *tm_items_find(tm_items *items, tm_arena *arena, tm_slice id, uint32_t hash) {
    if (items->total == 0)
        return NULL;
    if (!items->index.table && build_index(items, arena) != 0)
        return search(items, id);
    return tm_index_find(&items->index, id, hash);
}

/* ---- looking in ---------------------------------------------------------------------------------------- */

bool trivet_merge_state_has(const trivet_merge_state *state, trivet_merge_section section) {
    if (tm_is_items(section))
        return tm_items_of(state, section)->present;
    return tm_is_entries(section) && tm_entries_of(state, section)->present;
}

size_t trivet_merge_slot_count(const trivet_merge_state *state, trivet_merge_section section) {
    if (tm_is_items(section))
        return tm_items_of(state, section)->slot_count;
    return tm_is_entries(section) ? tm_entries_of(state, section)->count : 0;
}

size_t trivet_merge_item_count(const trivet_merge_state *state, trivet_merge_section section, size_t slot) {
    const tm_items *items = tm_items_of(state, section);
    return items && slot < items->slot_count ? items->slots[slot].count : 0;
}

bool trivet_merge_item_at(const trivet_merge_state *state, trivet_merge_section section, size_t slot,
                          size_t index, trivet_merge_item *item) {
    if (index >= trivet_merge_item_count(state, section, slot))
        return false;
    tm_slot *at = &tm_items_of(state, section)->slots[slot];
    tm_slot_sort(at);
    *item = at->nodes[index]->item;
    return true;
}

bool trivet_merge_item_find(const trivet_merge_state *state, trivet_merge_section section,
                            trivet_merge_slice id, trivet_merge_item *item, size_t *slot) {
    tm_items *items = tm_items_of(state, section);
    if (!items)
        return false;
    const tm_node *node = tm_items_find(items, &((trivet_merge_state *)state)->arena, id, tm_hash(id));
    if (!node)
        return false;
    if (item)
        *item = node->item;
    if (slot)
        *slot = node->slot;
    return true;
}

bool trivet_merge_entry_at(const trivet_merge_state *state, trivet_merge_section section, size_t index,
                           trivet_merge_entry *entry) {
    const tm_entries *entries = tm_entries_of(state, section);
    if (!entries || index >= entries->count)
        return false;
    *entry = entries->entries[index]->entry;
    return true;
}

/* ---- equality ------------------------------------------------------------------------------------------ */

bool tm_rest_equal(const tm_rest *a, const tm_rest *b) {
    static const tm_rest none = {0};
    if (a == b)
        return true;
    a = a ? a : &none;
    b = b ? b : &none;
    size_t i = 0, j = 0;
    while (i < a->count || j < b->count) {
        int order = i == a->count   ? 1
                    : j == b->count ? -1
                                    : tm_slice_compare(a->fields[i].key, b->fields[j].key);
        tm_slice left = order <= 0 ? a->fields[i++].value : (tm_slice){NULL, 0};
        tm_slice right = order >= 0 ? b->fields[j++].value : (tm_slice){NULL, 0};
        if (!tm_value_equal(left, right))
            return false;
    }
    return true;
}

bool tm_done_equal(const trivet_merge_item *a, const trivet_merge_item *b) {
    return ((a->has ^ b->has) & TRIVET_MERGE_HAS_DONE) == 0 && a->done == b->done;
}

bool tm_fields_equal(const trivet_merge_item *a, const trivet_merge_item *b) {
    return a->updated_at == b->updated_at && a->position == b->position && a->deleted == b->deleted &&
           a->deleted_at == b->deleted_at && a->created_at == b->created_at && tm_done_equal(a, b) &&
           tm_rest_equal(a->rest, b->rest);
}

bool trivet_merge_item_equal(const trivet_merge_item *a, const trivet_merge_item *b) {
    return tm_fields_equal(a, b) && tm_slice_equal(a->id, b->id) && tm_slice_equal(a->text, b->text);
}

bool trivet_merge_entry_equal(const trivet_merge_entry *a, const trivet_merge_entry *b) {
    return a->updated_at == b->updated_at && !a->text.data == !b->text.data &&
           tm_slice_equal(a->text, b->text) && tm_rest_equal(a->rest, b->rest);
}

bool trivet_merge_entry_is_default(const trivet_merge_entry *entry) {
    return entry->text.len == 0 && entry->updated_at == 0;
}
