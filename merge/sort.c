/*
 * sort.c - merge sort that leaves ordered halves alone, and a heap sort for when there is no memory; and a radix sort of keys.
 */
#include "sort.h"

#include <string.h>

enum { FEW = 128 };

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

/* ---- by keys ------------------------------------------------------------------------------------------- */

/* By the one byte of the key at `shift`, stably. */
static void pass(const tm_keyed *from, size_t count, tm_keyed *to, unsigned shift) {
    size_t next[256] = {0}, at = 0;
    for (size_t i = 0; i < count; i++)
        next[from[i].key >> shift & 0xff]++;
    for (size_t byte = 0; byte < 256; byte++) {
        size_t of_byte = next[byte];
        next[byte] = at;
        at += of_byte;
    }
    for (size_t i = 0; i < count; i++)
        to[next[from[i].key >> shift & 0xff]++] = from[i];
}

/* Items of one key. */
static void sort_equal(tm_keyed *items, size_t count, tm_compare *compare, void **spare) {
    for (size_t i = 0; i < count; i++)
        spare[i] = (void *)items[i].item;
    merge_sort(spare, count, compare, spare + count);
    for (size_t i = 0; i < count; i++)
        items[i].item = spare[i];
}

static bool is_after(const tm_keyed *a, const tm_keyed *b, tm_compare *compare) {
    return a->key != b->key ? a->key > b->key : compare(a->item, b->item) > 0;
}

/* Less work than a few passes, where there are few items. */
static void sort_few(tm_keyed *items, size_t count, tm_compare *compare) {
    for (size_t i = 1; i < count; i++) {
        tm_keyed item = items[i];
        size_t j = i;
        for (; j > 0 && is_after(&items[j - 1], &item, compare); j--)
            items[j] = items[j - 1];
        items[j] = item;
    }
}

void tm_sort_keyed(tm_keyed *items, size_t count, tm_compare *compare, tm_keyed *spare) {
    tm_keyed *from = items, *to = spare;
    if (count <= FEW) {
        sort_few(items, count, compare);
        return;
    }
    uint64_t differ = 0;
    for (size_t i = 1; i < count; i++)
        differ |= items[i].key ^ items[0].key;
    for (unsigned shift = 0; shift < 64; shift += 8) {
        if ((differ >> shift & 0xff) == 0)
            continue;
        pass(from, count, to, shift);
        tm_keyed *sorted = to;
        to = from;
        from = sorted;
    }
    if (from != items)
        memcpy(items, from, count * sizeof *items);
    for (size_t i = 0, end; i < count; i = end) {
        for (end = i + 1; end < count && items[end].key == items[i].key;)
            end++;
        if (end - i > 1)
            sort_equal(items + i, end - i, compare, (void **)spare);
    }
}

uint64_t tm_key_of_double(double value) {
    uint64_t bits;
    value += 0.0; /* of two zeros one */
    memcpy(&bits, &value, sizeof bits);
    return bits >> 63 != 0 ? ~bits : bits | UINT64_C(1) << 63;
}

uint64_t tm_key_of_bytes(const char *data, size_t len) {
    unsigned char b[8] = {0};
    if (len > 0)
        memcpy(b, data, len < sizeof b ? len : sizeof b);
    return (uint64_t)b[0] << 56 | (uint64_t)b[1] << 48 | (uint64_t)b[2] << 40 | (uint64_t)b[3] << 32 |
           (uint64_t)b[4] << 24 | (uint64_t)b[5] << 16 | (uint64_t)b[6] << 8 | b[7];
}
