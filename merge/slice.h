/* slice.h - comparing and copying the insides of strings (trivet_merge.h says what a slice is). */
#ifndef TM_SLICE_H
#define TM_SLICE_H

#include <string.h>

#include "arena.h"
#include "trivet_merge.h"

typedef trivet_merge_slice tm_slice;

#define TM_SLICE(literal) ((tm_slice){(literal), sizeof(literal) - 1})

/* memcmp() and memcpy() may not be given NULL, not even for no bytes. */
static inline bool tm_slice_equal(tm_slice a, tm_slice b) {
    return a.len == b.len && (a.data == b.data || a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

/* By bytes; a prefix comes first. */
static inline int tm_slice_compare(tm_slice a, tm_slice b) {
    size_t common = a.len < b.len ? a.len : b.len;
    int order = common == 0 ? 0 : memcmp(a.data, b.data, common);
    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

/* Into the arena; `data` stays NULL where it is. False when out of memory. */
static inline bool tm_slice_copy(tm_arena *arena, tm_slice from, tm_slice *to) {
    *to = from;
    if (!from.data)
        return true;
    char *bytes = tm_alloc_bytes(arena, from.len);
    if (!bytes)
        return false;
    if (from.len > 0)
        memcpy(bytes, from.data, from.len);
    to->data = bytes;
    return true;
}

#endif
