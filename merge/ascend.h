/*
 * ascend.h - nodes in the order in which they show, and the longest part of a sequence that ascends (merge §5).
 */
#ifndef TM_ASCEND_H
#define TM_ASCEND_H

#include "state.h"

/* By (position, id), dead ones like the others. */
int tm_place_compare(const tm_node *a, const tm_node *b);

/* `order[0]` becomes the index of the node that shows first, and so on. 0 or ENOMEM. */
int tm_place_order(const tm_node *const *nodes, size_t count, uint32_t *order);

/* `rank[i]` becomes the place of node i in that order. 0 or ENOMEM. */
int tm_place_rank(const tm_node *const *nodes, size_t count, uint32_t *rank);

/*
 * Marks in `chosen` a longest subsequence of ascending ranks (each of 0 to count - 1 is there once). Of several
 * longest it is the one with the most `preferred` members (NULL: none is); of several such the one whose first
 * member comes first, then whose second does, and so on. O(n log n) on every input; 0 or ENOMEM.
 */
int tm_ascend(const uint32_t *rank, const bool *preferred, size_t count, bool *chosen);

#endif
