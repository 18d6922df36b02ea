/* sort.h - a stable sort of pointers, O(n log n) on every input and near n on one that is nearly in order. */
#ifndef TM_SORT_H
#define TM_SORT_H

#include <stdbool.h>
#include <stddef.h>

typedef int tm_compare(const void *a, const void *b);

/* `spare` has room for `count` pointers. Where there is no memory for it (NULL), the sort is not stable. */
void tm_sort(void **items, size_t count, tm_compare *compare, void **spare);

#endif
