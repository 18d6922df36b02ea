/* index.c - linear probing; when that goes wrong, binary search. */
#include "index.h"

#include "sort.h"
#include "state.h"

/* At half load a table of a million honest ids has no probe nearly as long. */
enum { PROBE_MAX = 128 };

static inline uint64_t mix(uint64_t h, const char *p, size_t len) {
    uint64_t v = 0;
    memcpy(&v, p, len);
    h = (h ^ v) * UINT64_C(0x9e3779b97f4a7c15);
    return h ^ h >> 32;
}

/* Two chains side by side: a multiplication takes a processor several cycles, but it can do two at a time. */
uint32_t tm_hash(tm_slice id) {
    uint64_t a = id.len, b = UINT64_C(0xd6e8feb86659fd93);
    const char *p = id.data;
    size_t left = id.len;
    for (; left >= 16; p += 16, left -= 16) {
        a = mix(a, p, 8);
        b = mix(b, p + 8, 8);
    }
    if (left >= 8) {
        a = mix(a, p, 8);
        p += 8;
        left -= 8;
    }
    if (left >= 4) {
        b = mix(b, p, 4);
        p += 4;
        left -= 4;
    }
    if (left > 0)
        a = mix(a, p, left);
    return (uint32_t)((a ^ (b << 31 | b >> 33)) * UINT64_C(0xd6e8feb86659fd93) >> 32);
}

static size_t table_size(size_t count) {
    size_t size = 16;
    while (size < count * 2)
        size *= 2;
    return size;
}

int tm_index_init(tm_index *index, tm_arena *arena, size_t count) {
    size_t size = table_size(count);
    tm_node **table = tm_alloc_array(arena, size, sizeof *table);
    if (!table)
        return TRIVET_MERGE_ENOMEM;
    memset(table, 0, size * sizeof *table);
    *index = (tm_index){table, size - 1, 0, false, 0};
    return 0;
}

/* ---- sorted -------------------------------------------------------------------------------------------- */

static int compare_ids(const void *a, const void *b) {
    return tm_slice_compare(((const tm_node *)a)->item.id, ((const tm_node *)b)->item.id);
}

/* Where the id stands or would stand. */
static size_t lower_bound(const tm_index *index, tm_slice id) {
    size_t low = 0, high = index->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (tm_slice_compare(index->table[middle]->item.id, id) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static int make_sorted(tm_index *index, tm_arena *arena) {
    size_t room = index->mask + 1, count = 0;
    tm_node **array = tm_alloc_array(arena, room, sizeof *array);
    if (!array)
        return TRIVET_MERGE_ENOMEM;
    for (size_t i = 0; i <= index->mask; i++)
        if (index->table[i])
            array[count++] = index->table[i];
    tm_sort((void **)array, count, compare_ids, NULL);
    *index = (tm_index){array, 0, count, true, room};
    return 0;
}

static int add_sorted(tm_index *index, tm_arena *arena, tm_node *node, tm_node **present) {
    size_t at = lower_bound(index, node->item.id);
    if (at < index->count && tm_slice_equal(index->table[at]->item.id, node->item.id)) {
        *present = index->table[at];
        return 0;
    }
    if (index->count == index->room) {
        tm_node **array = tm_alloc_array(arena, index->room * 2, sizeof *array);
        if (!array)
            return TRIVET_MERGE_ENOMEM;
        memcpy(array, index->table, index->count * sizeof *array);
        index->table = array;
        index->room *= 2;
    }
    memmove(index->table + at + 1, index->table + at, (index->count - at) * sizeof *index->table);
    index->table[at] = node;
    index->count++;
    return 0;
}

/* ---- hashed -------------------------------------------------------------------------------------------- */

static inline bool is_it(const tm_node *node, tm_slice id, uint32_t hash) {
    return node->hash == hash && tm_slice_equal(node->item.id, id);
}

/* The place of the id, or the free one where it would stand. */
static inline tm_node **probe(const tm_index *index, tm_slice id, uint32_t hash, size_t *steps) {
    size_t i = hash & index->mask;
    for (*steps = 0; index->table[i] && !is_it(index->table[i], id, hash); i = (i + 1) & index->mask)
        ++*steps;
    return &index->table[i];
}

static int grow(tm_index *index, tm_arena *arena) {
    tm_index bigger;
    if (tm_index_init(&bigger, arena, index->mask + 1) != 0)
        return TRIVET_MERGE_ENOMEM;
    for (size_t i = 0; i <= index->mask; i++) {
        size_t steps;
        tm_node *node = index->table[i];
        if (node)
            *probe(&bigger, node->item.id, node->hash, &steps) = node;
    }
    bigger.count = index->count;
    *index = bigger;
    return 0;
}

int tm_index_add(tm_index *index, tm_arena *arena, tm_node *node, tm_node **present) {
    *present = NULL;
    if (!index->sorted) {
        size_t steps;
        if ((index->count + 1) * 2 > index->mask + 1 && grow(index, arena) != 0)
            return TRIVET_MERGE_ENOMEM;
        tm_node **place = probe(index, node->item.id, node->hash, &steps);
        if (*place || steps <= PROBE_MAX) {
            *present = *place;
            if (!*place) {
                *place = node;
                index->count++;
            }
            return 0;
        }
        if (make_sorted(index, arena) != 0)
            return TRIVET_MERGE_ENOMEM;
    }
    return add_sorted(index, arena, node, present);
}

tm_node *tm_index_find(const tm_index *index, tm_slice id, uint32_t hash) {
    if (index->sorted) {
        size_t at = lower_bound(index, id);
        return at < index->count && tm_slice_equal(index->table[at]->item.id, id) ? index->table[at] : NULL;
    }
    size_t steps;
    return *probe(index, id, hash, &steps);
}

void tm_index_replace(tm_index *index, tm_node *node) {
    size_t steps;
    if (index->sorted)
        index->table[lower_bound(index, node->item.id)] = node;
    else
        *probe(index, node->item.id, node->hash, &steps) = node;
}

void tm_index_remove(tm_index *index, tm_slice id, uint32_t hash) {
    index->count--;
    if (index->sorted) {
        size_t at = lower_bound(index, id);
        memmove(index->table + at, index->table + at + 1, (index->count - at) * sizeof *index->table);
        return;
    }
    size_t steps, hole = (size_t)(probe(index, id, hash, &steps) - index->table);
    /* what stands behind the hole moves into it, unless that is before the place where its probe begins */
    for (size_t i = (hole + 1) & index->mask; index->table[i]; i = (i + 1) & index->mask) {
        size_t home = index->table[i]->hash & index->mask;
        if (((i - home) & index->mask) < ((i - hole) & index->mask))
            continue;
        index->table[hole] = index->table[i];
        hole = i;
    }
    index->table[hole] = NULL;
}
