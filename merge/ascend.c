/*
 * ascend.c - the longest ascending subsequence, and of several the one that the rules name.
 *
 * From the last member to the first each one's best value is found: how long a subsequence can be that starts
 * there, and how many preferred members such a one can have, in the two halves of one number. A Fenwick tree holds,
 * by rank, the best value of those that come later. Then a walk from the first member takes every one that can
 * still lead to the best, which is the earliest such subsequence.
 */
#include "ascend.h"

#include <stdlib.h>

#include "sort.h"

/* ---- in the order of places ---------------------------------------------------------------------------- */

int tm_place_compare(const tm_node *a, const tm_node *b) {
    if (a->item.position != b->item.position)
        return a->item.position < b->item.position ? -1 : 1;
    return tm_slice_compare(a->item.id, b->item.id);
}

static int compare_pointers(const void *left, const void *right) {
    return tm_slice_compare((*(const tm_node *const *)left)->item.id,
                            (*(const tm_node *const *)right)->item.id);
}

int tm_place_order(const tm_node *const *nodes, size_t count, uint32_t *order) {
    tm_keyed *sorted = malloc((2 * count + 1) * sizeof *sorted);
    if (!sorted)
        return TRIVET_MERGE_ENOMEM;
    for (size_t i = 0; i < count; i++)
        sorted[i] = (tm_keyed){tm_key_of_double(nodes[i]->item.position), &nodes[i]};
    tm_sort_keyed(sorted, count, compare_pointers, sorted + count);
    for (size_t i = 0; i < count; i++)
        order[i] = (uint32_t)((const tm_node *const *)sorted[i].item - nodes);
    free(sorted);
    return 0;
}

int tm_place_rank(const tm_node *const *nodes, size_t count, uint32_t *rank) {
    uint32_t *order = malloc((count + 1) * sizeof *order);
    int rc = order ? tm_place_order(nodes, count, order) : TRIVET_MERGE_ENOMEM;
    for (size_t i = 0; rc == 0 && i < count; i++)
        rank[order[i]] = (uint32_t)i;
    free(order);
    return rc;
}

/* ---- subsequences -------------------------------------------------------------------------------------- */

/* The tree's cells count ranks from the greatest down, from 1: a prefix of it is all that is above a rank. */
static uint64_t best_above(const uint64_t *tree, size_t count, size_t rank) {
    uint64_t best = 0;
    for (size_t cell = count - rank - 1; cell > 0; cell &= cell - 1)
        best = tree[cell] > best ? tree[cell] : best;
    return best;
}

static void raise_best(uint64_t *tree, size_t count, size_t rank, uint64_t value) {
    for (size_t cell = count - rank; cell <= count; cell += cell & (0 - cell))
        tree[cell] = tree[cell] < value ? value : tree[cell];
}

static bool is_ascending(const uint32_t *rank, size_t count) {
    for (size_t i = 1; i < count; i++)
        if (rank[i] < rank[i - 1])
            return false;
    return true;
}

static uint64_t worth(const bool *preferred, size_t i) {
    return (UINT64_C(1) << 32) + (preferred && preferred[i]);
}

/*
 * Takes each member that can still lead to `wanted`. Its rank need not be looked at: one of lesser rank than the last that
 * was taken, and before the one that may follow that, would be worth more.
 */
static void walk(const bool *preferred, size_t count, const uint64_t *values, uint64_t wanted, bool *chosen) {
    for (size_t i = 0; i < count; i++) {
        chosen[i] = wanted > 0 && values[i] == wanted;
        if (chosen[i])
            wanted -= worth(preferred, i);
    }
}

int tm_ascend(const uint32_t *rank, const bool *preferred, size_t count, bool *chosen) {
    uint64_t best = 0;
    if (is_ascending(rank, count)) {
        memset(chosen, true, count * sizeof *chosen);
        return 0;
    }
    uint64_t *values = calloc(2 * count + 1, sizeof *values), *tree = values + count;
    if (!values)
        return TRIVET_MERGE_ENOMEM;
    for (size_t i = count; i-- > 0;) {
        values[i] = best_above(tree, count, rank[i]) + worth(preferred, i);
        raise_best(tree, count, rank[i], values[i]);
        best = values[i] > best ? values[i] : best;
    }
    walk(preferred, count, values, best, chosen);
    free(values);
    return 0;
}
