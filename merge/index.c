/* index.c - linear probing; when that goes wrong, a crit-bit tree. */
#include "index.h"

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
    *index = (tm_index){table, size - 1, 0, false, NULL};
    return 0;
}

/* ---- tree ---------------------------------------------------------------------------------------------- */

/*
 * Where ids first part: left of a branch are those that have a 0 in the one bit of the one byte, right of it those that have a 1.
 * Down the tree the places only move towards the ends of the ids. Behind its end an id reads as zeros; no slice holds one.
 * A link's lowest bit tells a branch from a node: both are aligned.
 */
typedef struct {
    void *child[2];
    size_t byte;
    unsigned others; /* all bits but that one */
} branch;

static bool is_branch(const void *link) {
    return ((uintptr_t)link & 1) != 0;
}

static branch *branch_of(void *link) {
    return (branch *)(void *)((char *)link - 1);
}

static unsigned byte_at(tm_slice id, size_t at) {
    return at < id.len ? (unsigned char)id.data[at] : 0;
}

static unsigned direction(const branch *b, tm_slice id) {
    return (b->others | byte_at(id, b->byte)) == 0xff;
}

/* The link to the one node that the id could be; where `above` is given, also that to the branch over it, NULL for none. */
static void **leaf(tm_index *index, tm_slice id, void ***above) {
    void **link = &index->root, **last = NULL;
    while (is_branch(*link)) {
        branch *b = branch_of(*link);
        last = link;
        link = &b->child[direction(b, id)];
    }
    if (above)
        *above = last;
    return link;
}

static int add_to_tree(tm_index *index, tm_arena *arena, tm_node *node, tm_node **present) {
    tm_slice id = node->item.id;
    if (!index->root) {
        index->root = node;
        index->count++;
        return 0;
    }
    tm_node *nearest = *leaf(index, id, NULL);
    if (tm_slice_equal(nearest->item.id, id)) {
        *present = nearest;
        return 0;
    }
    branch *b = tm_alloc(arena, sizeof *b);
    if (!b)
        return TRIVET_MERGE_ENOMEM;
    for (b->byte = 0; byte_at(id, b->byte) == byte_at(nearest->item.id, b->byte);)
        b->byte++;
    unsigned parting = byte_at(id, b->byte) ^ byte_at(nearest->item.id, b->byte);
    while ((parting & (parting - 1)) != 0)
        parting &= parting - 1; /* the highest bit stays */
    b->others = parting ^ 0xff;
    void **link = &index->root;
    while (is_branch(*link)) {
        branch *next = branch_of(*link);
        if (next->byte > b->byte || (next->byte == b->byte && next->others > b->others))
            break;
        link = &next->child[direction(next, id)];
    }
    unsigned side = direction(b, id);
    b->child[side] = node;
    b->child[1 - side] = *link;
    *link = (char *)b + 1;
    index->count++;
    return 0;
}

static int make_tree(tm_index *index, tm_arena *arena) {
    tm_index tree = {.table = index->table, .is_tree = true};
    for (size_t i = 0; i <= index->mask; i++) {
        tm_node *present;
        if (index->table[i] && add_to_tree(&tree, arena, index->table[i], &present) != 0)
            return TRIVET_MERGE_ENOMEM;
    }
    *index = tree;
    return 0;
}

static void remove_from_tree(tm_index *index, tm_slice id) {
    void **above, **link = leaf(index, id, &above);
    if (above) {
        branch *b = branch_of(*above);
        *above = b->child[link == &b->child[0]];
    } else {
        index->root = NULL;
    }
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
    if (!index->is_tree) {
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
        if (make_tree(index, arena) != 0)
            return TRIVET_MERGE_ENOMEM;
    }
    return add_to_tree(index, arena, node, present);
}

tm_node *tm_index_find(const tm_index *index, tm_slice id, uint32_t hash) {
    if (index->is_tree) {
        tm_node *node = *leaf((tm_index *)index, id, NULL);
        return node && tm_slice_equal(node->item.id, id) ? node : NULL;
    }
    size_t steps;
    return *probe(index, id, hash, &steps);
}

void tm_index_replace(tm_index *index, tm_node *node) {
    size_t steps;
    if (index->is_tree)
        *leaf(index, node->item.id, NULL) = node;
    else
        *probe(index, node->item.id, node->hash, &steps) = node;
}

void tm_index_remove(tm_index *index, tm_slice id, uint32_t hash) {
    index->count--;
    if (index->is_tree) {
        remove_from_tree(index, id);
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
