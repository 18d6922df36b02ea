/* How far a phone's state is from one that it could have come from (merge §10): counted, item by item. */
#include "serve/distance.h"

const group_sections record_groups[RECORD_GROUPS] = {
    [RECORD_LISTS] = {TRIVET_MERGE_LISTS, {TRIVET_MERGE_LISTS_CATEGORIES}, 1},
    [RECORD_LOCKED_LISTS] = {TRIVET_MERGE_LOCKED_LISTS, {TRIVET_MERGE_LOCKED_LISTS_CATEGORIES}, 1},
    [RECORD_SCRATCHPAD] = {TRIVET_MERGE_SECTIONS,
                           {TRIVET_MERGE_SCRATCHPAD, TRIVET_MERGE_SCRATCHPAD_CATEGORIES},
                           2},
};

bool group_has_items(record_group g) {
    return record_groups[g].items != TRIVET_MERGE_SECTIONS;
}

bool same_place_and_value(const trivet_merge_item *a, size_t slot_a, const trivet_merge_item *b,
                          size_t slot_b) {
    return slot_a == slot_b && trivet_merge_item_equal(a, b);
}

bool same_entry(const trivet_merge_entry *a, const trivet_merge_entry *b) {
    if (a && trivet_merge_entry_is_default(a))
        a = NULL;
    if (b && trivet_merge_entry_is_default(b))
        b = NULL;
    return a && b ? trivet_merge_entry_equal(a, b) : a == b;
}

static bool has_alike(const trivet_merge_state *state, trivet_merge_section section,
                      const trivet_merge_item *item, size_t slot) {
    trivet_merge_item other;
    size_t at;

    return state && trivet_merge_item_find(state, section, item->id, &other, &at) &&
           same_place_and_value(item, slot, &other, at);
}

static void add_items(distance *d, const trivet_merge_state *phone, const trivet_merge_state *state,
                      const trivet_merge_state *made, trivet_merge_section section, size_t earlier) {
    trivet_merge_item p, s;
    size_t slot_s;

    for (size_t slot = 0; slot < trivet_merge_slot_count(phone, section); slot++)
        for (size_t i = 0; trivet_merge_item_at(phone, section, slot, i, &p); i++) {
            if (!state || !trivet_merge_item_find(state, section, p.id, &s, &slot_s)) {
                d->sum++;
                d->unknown++;
                continue;
            }
            if (!p.deleted && s.deleted)
                d->sum += 3; /* the app has no way to bring an item back */
            else if (!same_place_and_value(&p, slot, &s, slot_s))
                d->sum += p.updated_at < s.updated_at && !has_alike(made, section, &p, slot) ? earlier : 1;
        }
    for (size_t slot = 0; state && slot < trivet_merge_slot_count(state, section); slot++)
        for (size_t i = 0; trivet_merge_item_at(state, section, slot, i, &s) && !s.deleted; i++)
            if (!trivet_merge_item_find(phone, section, s.id, NULL, NULL))
                d->gone++;
}

static size_t entry_distance(const trivet_merge_state *phone, const trivet_merge_state *state,
                             trivet_merge_section section) {
    size_t count = trivet_merge_slot_count(phone, section);
    size_t differing = 0;

    for (size_t i = 0; i < count; i++) {
        trivet_merge_entry p, s;
        bool in_phone = trivet_merge_entry_at(phone, section, i, &p);
        bool in_state = state && trivet_merge_entry_at(state, section, i, &s);
        if (!same_entry(in_phone ? &p : NULL, in_state ? &s : NULL))
            differing++;
    }
    return differing;
}

distance state_distance(const trivet_merge_state *phone, const trivet_merge_state *state,
                        const trivet_merge_state *made, record_group group, size_t earlier) {
    const group_sections *g = &record_groups[group];
    distance d = {0};

    /* A section that the phone does not send says nothing. */
    if (group_has_items(group) && trivet_merge_state_has(phone, g->items))
        add_items(&d, phone, state, made, g->items, earlier);
    d.sum += 3 * d.gone; /* the app deletes by tombstone: a live item does not just go */
    for (size_t i = 0; i < g->entry_sections; i++)
        if (trivet_merge_state_has(phone, g->entries[i]))
            d.sum += entry_distance(phone, state, g->entries[i]);
    return d;
}

bool distance_less(const distance *a, const distance *b) {
    if (a->sum != b->sum)
        return a->sum < b->sum;
    if (a->gone != b->gone)
        return a->gone < b->gone;
    return a->unknown < b->unknown;
}
