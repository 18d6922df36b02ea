/*
 * sort.h - sorts of pointers, O(n log n) on every input.
 *
 * tm_sort() takes any order, and near n steps where that is nearly there. tm_sort_keyed() is for what mostly differs in a few bytes:
 * with those beside the pointers it needs to look at the things themselves only where they are equal.
 */
#ifndef TM_SORT_H
#define TM_SORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef int tm_compare(const void *a, const void *b);

/* Stable. `spare` has room for `count` pointers; where there is no memory for it (NULL), the sort is not stable. */
void tm_sort(void **items, size_t count, tm_compare *compare, void **spare);

typedef struct {
    uint64_t key;
    const void *item;
} tm_keyed;

/* By key, of equal keys by `compare`. `spare` has room for `count`. */
void tm_sort_keyed(tm_keyed *items, size_t count, tm_compare *compare, tm_keyed *spare);

/* Keys that sort as what they were made of does, but that equal keys decide nothing. */
uint64_t tm_key_of_double(double value);
uint64_t tm_key_of_bytes(const char *data, size_t len);

#endif
