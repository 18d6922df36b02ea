/* sort.c - merge sort that leaves ordered halves alone, and a heap sort for when there is no memory. */
#include "sort.h"

#include <string.h>

static void insertion_sort(void **items, size_t count, tm_compare *compare) {
    for (size_t i = 1; i < count; i++) {
        void *item = items[i];
        size_t j = i;
        for (; j > 0 && compare(items[j - 1], item) > 0; j--)
            items[j] = items[j - 1];
        items[j] = item;
    }
}

static void merge_sort(void **items, size_t count, tm_compare *compare, void **spare) {
    if (count <= 8) {
        insertion_sort(items, count, compare);
        return;
    }
    size_t half = count / 2;
    merge_sort(items, half, compare, spare);
    merge_sort(items + half, count - half, compare, spare);
    if (compare(items[half - 1], items[half]) <= 0)
        return;
    /* what of the left half is already in its place stays there */
    size_t start = 0;
    while (compare(items[start], items[half]) <= 0)
        start++;
    size_t left = start, right = half, out = start;
    memcpy(spare + start, items + start, (half - start) * sizeof *items);
    while (left < half && right < count)
        items[out++] = compare(spare[left], items[right]) <= 0 ? spare[left++] : items[right++];
    memcpy(items + out, spare + left, (half - left) * sizeof *items);
}

static void sift(void **items, size_t at, size_t count, tm_compare *compare) {
    void *item = items[at];
    for (size_t child; (child = 2 * at + 1) < count; at = child) {
        if (child + 1 < count && compare(items[child], items[child + 1]) < 0)
            child++;
        if (compare(item, items[child]) >= 0)
            break;
        items[at] = items[child];
    }
    items[at] = item;
}

static void heap_sort(void **items, size_t count, tm_compare *compare) {
    for (size_t i = count / 2; i-- > 0;)
        sift(items, i, count, compare);
    for (size_t last = count; last-- > 1;) {
        void *greatest = items[0];
        items[0] = items[last];
        items[last] = greatest;
        sift(items, 0, last, compare);
    }
}

void tm_sort(void **items, size_t count, tm_compare *compare, void **spare) {
    if (count < 2)
        return;
    if (spare)
        merge_sort(items, count, compare, spare);
    else
        heap_sort(items, count, compare);
}
