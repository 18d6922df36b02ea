/* equal.c - comparing whole states. */
#include "state.h"
#include "value.h"

/* ---- to the byte --------------------------------------------------------------------------------------- */

static bool same_rest(const tm_rest *a, const tm_rest *b) {
    if (a == b)
        return true;
    if (!a || !b || a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++)
        if (!tm_slice_equal(a->fields[i].key, b->fields[i].key) ||
            !tm_slice_equal(a->fields[i].value, b->fields[i].value))
            return false;
    return true;
}

static bool same_node(const tm_node *left, const tm_node *right) {
    const trivet_merge_item *a = &left->item, *b = &right->item;
    return left == right ||
           (a->has == b->has && a->updated_at == b->updated_at && a->position == b->position &&
            a->deleted == b->deleted && a->deleted_at == b->deleted_at && a->created_at == b->created_at &&
            a->done == b->done && tm_slice_equal(a->id, b->id) && tm_slice_equal(a->text, b->text) &&
            same_rest(a->rest, b->rest));
}

static bool same_items(tm_items *a, tm_items *b) {
    if (a->present != b->present || a->slot_count != b->slot_count || a->total != b->total)
        return false;
    tm_items_sort(a);
    tm_items_sort(b);
    for (size_t s = 0; s < a->slot_count; s++) {
        if (a->slots[s].count != b->slots[s].count)
            return false;
        for (size_t i = 0; i < a->slots[s].count; i++)
            if (!same_node(a->slots[s].nodes[i], b->slots[s].nodes[i]))
                return false;
    }
    return true;
}

static bool same_entries(const tm_entries *a, const tm_entries *b) {
    if (a->present != b->present || a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++) {
        const tm_entry *x = a->entries[i], *y = b->entries[i];
        if (x != y &&
            (x->has_updated_at != y->has_updated_at || x->entry.updated_at != y->entry.updated_at ||
             !x->entry.text.data != !y->entry.text.data || !tm_slice_equal(x->entry.text, y->entry.text) ||
             !same_rest(x->entry.rest, y->entry.rest)))
            return false;
    }
    return true;
}

bool trivet_merge_state_equal(const trivet_merge_state *a, const trivet_merge_state *b) {
    if (a->unknown_count != b->unknown_count)
        return false;
    for (size_t i = 0; i < a->unknown_count; i++)
        if (!tm_slice_equal(a->unknown[i].key, b->unknown[i].key) ||
            !tm_slice_equal(a->unknown[i].value, b->unknown[i].value))
            return false;
    for (unsigned s = 0; s < TRIVET_MERGE_SECTIONS; s++) {
        trivet_merge_section section = (trivet_merge_section)s;
        bool same = tm_is_items(section) ? same_items(tm_items_of(a, section), tm_items_of(b, section))
                                         : same_entries(tm_entries_of(a, section), tm_entries_of(b, section));
        if (!same)
            return false;
    }
    return true;
}

/* ---- in what a side would see -------------------------------------------------------------------------- */

static bool agree_slots(tm_slot *a, tm_slot *b) {
    if (a->count != b->count)
        return false;
    tm_slot_sort(a);
    tm_slot_sort(b);
    for (size_t i = 0; i < a->count; i++) {
        const tm_node *x = a->nodes[i], *y = b->nodes[i];
        if (x != y && !trivet_merge_item_equal(&x->item, &y->item))
            return false;
    }
    return true;
}

static bool agree_items(tm_items *merged, tm_items *side) {
    if (merged->total != side->total)
        return false;
    for (size_t s = 0; s < merged->slot_count || s < side->slot_count; s++) {
        tm_slot none = {.sorted = true};
        if (!agree_slots(s < merged->slot_count ? &merged->slots[s] : &none,
                         s < side->slot_count ? &side->slots[s] : &none))
            return false;
    }
    return true;
}

static bool agree_entries(const tm_entries *merged, const tm_entries *side) {
    static const trivet_merge_entry none = {0};
    for (size_t i = 0; i < merged->count || i < side->count; i++) {
        const trivet_merge_entry *x = i < merged->count ? &merged->entries[i]->entry : &none;
        const trivet_merge_entry *y = i < side->count ? &side->entries[i]->entry : &none;
        if (!(trivet_merge_entry_is_default(x) && trivet_merge_entry_is_default(y)) &&
            !trivet_merge_entry_equal(x, y))
            return false;
    }
    return true;
}

static bool agree_unknown(const trivet_merge_state *merged, const trivet_merge_state *side) {
    size_t i = 0;
    for (size_t j = 0; j < side->unknown_count; j++, i++) {
        while (i < merged->unknown_count &&
               tm_slice_compare(merged->unknown[i].key, side->unknown[j].key) < 0)
            i++;
        if (i == merged->unknown_count || !tm_slice_equal(merged->unknown[i].key, side->unknown[j].key) ||
            !tm_value_equal(merged->unknown[i].value, side->unknown[j].value))
            return false;
    }
    return true;
}

bool trivet_merge_state_agrees(const trivet_merge_state *merged, const trivet_merge_state *side) {
    if (side->duplicates > 0 || !agree_unknown(merged, side))
        return false;
    for (unsigned s = 0; s < TRIVET_MERGE_SECTIONS; s++) {
        trivet_merge_section section = (trivet_merge_section)s;
        if (!trivet_merge_state_has(side, section))
            continue;
        bool agree = tm_is_items(section)
                         ? agree_items(tm_items_of(merged, section), tm_items_of(side, section))
                         : agree_entries(tm_entries_of(merged, section), tm_entries_of(side, section));
        if (!agree)
            return false;
    }
    return true;
}
