/*
 * distance.h - how far a phone's state is from one that it could have come from (merge §10).
 *
 * The phone stores lists, locked lists and scratchpads one after the other, each with its categories. So these three
 * groups are measured, and their ancestors chosen, apart.
 */
#ifndef TRIVET_SERVE_DISTANCE_H
#define TRIVET_SERVE_DISTANCE_H

#include "store/record.h"
#include <trivet_merge.h>

typedef struct {
    trivet_merge_section items; /* TRIVET_MERGE_SECTIONS: none */
    trivet_merge_section entries[2];
    size_t entry_sections;
} group_sections;

extern const group_sections record_groups[RECORD_GROUPS];

bool group_has_items(record_group group);

/* Whether two items are equal, slot, position and times included. */
bool same_place_and_value(const trivet_merge_item *a, size_t slot_a, const trivet_merge_item *b,
                          size_t slot_b);

/* NULL stands for an entry that is not there; a factory default stands for nothing too. */
bool same_entry(const trivet_merge_entry *a, const trivet_merge_entry *b);

/*
 * How far a phone's group is from a state. `sum` counts one for each item, category and scratchpad that differs, three for
 * what a phone's user can have caused by no edit, and `earlier` (of state_distance) for an item that differs and is dated
 * before the state's. That is 3 where the state may be one that the phone itself had made (its own clock does not run back),
 * and 1 where the date may be another clock's; and always 1 for an item that the phone has as in `made`, a state that it is
 * known to have made of that one: then it is dated before it in any case. How much an item differs must not count: who ticks an item again that the
 * other side had unticked would look like one who never heard of it.
 *
 * The other numbers decide between equal sums, the first that differs: live items of the state that the phone lacks (a
 * wrong choice would delete them), and items of the phone that the state does not hold (an edit of an item that it does hold
 * is measured, an item that it does not is new).
 */
typedef struct {
    size_t sum, gone, unknown;
} distance;

/* `state` NULL is the empty state, `made` NULL none. */
distance state_distance(const trivet_merge_state *phone, const trivet_merge_state *state,
                        const trivet_merge_state *made, record_group group, size_t earlier);

/* Whether a is less than b. */
bool distance_less(const distance *a, const distance *b);

#endif
