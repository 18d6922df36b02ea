/*
 * place.h - which position puts an item where a person wants it.
 *
 * Live items of a slot show in ascending (position, id) order (merge §1). A move is to change one item and
 * leave its neighbours as they are (merge §5), so what is looked for is a number between theirs. There may be
 * none: equal positions, or doubles that have no other between them.
 */
#ifndef TRIVET_STATE_PLACE_H
#define TRIVET_STATE_PLACE_H

#include <stdbool.h>
#include <trivet_merge.h>

/*
 * A finite position with which the item `id` stands after `low` and before `high`; either may be NULL for the
 * slot's end. false: there is none, and the slot must be numbered afresh.
 */
bool place_between(const trivet_merge_item *low, const trivet_merge_item *high, trivet_merge_slice id,
                   double *position);

/* Whether (position, id) stands before the item. */
bool place_before(double position, trivet_merge_slice id, const trivet_merge_item *item);

/* Ids in the order in which items show: bytes. */
int place_compare_ids(trivet_merge_slice a, trivet_merge_slice b);

#endif
