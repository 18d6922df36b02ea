/*
 * moves.c - which items a side moved within a slot, and which slots it renumbered (merge §5).
 *
 * Of the ids that A and the side hold live in a slot those with A's value show in A's order on the side too: they
 * are a common subsequence by themselves. So a side has not renumbered the slot exactly where no longer one exists,
 * and then it moved exactly what has another value. Most slots can be seen to be so without looking for a longest
 * one: whatever a moved item is in, the items that it was moved across are not; as soon as each changed item has
 * been moved across an unchanged one of its own, no subsequence with any of them can be longer than that of the
 * unchanged ones.
 */
#include <stdlib.h>

#include "ascend.h"
#include "engine.h"

/* How far from where it was an item's own crossed one is looked for. */
enum { REACH = 8 };

/* A slot of A. */
typedef struct {
    tm_merge *m;
    size_t slot;
    const tm_row *rows; /* of what A holds there */
    uint16_t *marks;
    size_t count;
} known_slot;

/* ---- seen at once -------------------------------------------------------------------------------------- */

/* The side has `other` where A has it, and `row` on the other side of it. */
static bool crosses(const known_slot *k, const tm_row *row, const tm_row *other, int side) {
    const tm_node *still = tm_side(other, side);
    if (!tm_lives_in(other->a, k->slot) || !tm_lives_in(still, k->slot))
        return false;
    return (tm_place_compare(row->a, other->a) < 0) != (tm_place_compare(tm_side(row, side), still) < 0);
}

/* Marks an unchanged item that this one was moved across and none before it. */
static bool has_crossed(const known_slot *k, size_t at, int side) {
    const tm_row *row = &k->rows[at];
    bool down = tm_side(row, side)->item.position > row->a->item.position;
    size_t left = down ? k->count - 1 - at : at;
    for (size_t i = 1; i <= REACH && i <= left; i++) {
        size_t other = down ? at + i : at - i;
        if ((k->marks[other] & (TM_CHANGED | TM_CROSSED) << side) == 0 &&
            crosses(k, row, &k->rows[other], side)) {
            k->marks[other] |= (uint16_t)(TM_CROSSED << side);
            return true;
        }
    }
    return false;
}

/* False where it takes a closer look. */
static bool only_moves(const known_slot *k) {
    for (size_t i = 0; i < k->count; i++)
        for (int side = TM_P; side <= TM_C; side++)
            if ((k->marks[i] & TM_CHANGED << side) != 0 && !has_crossed(k, i, side))
                return false;
    return true;
}

/* ---- a closer look ------------------------------------------------------------------------------------- */

/* What A and one side hold live in the slot. */
typedef struct {
    const tm_row **rows; /* malloc'd; in A's order, once they were sorted */
    const tm_node **nodes;
    uint32_t *rank;
    bool *same, *unmoved;
    size_t count;
} common;

static void release_common(common *c) {
    free(c->rows);
    free(c->nodes);
    free(c->rank);
    free(c->same);
    free(c->unmoved);
}

static int init_common(common *c, size_t most) {
    *c = (common){.rows = malloc((most + 1) * sizeof *c->rows),
                  .nodes = malloc((most + 1) * sizeof *c->nodes),
                  .rank = malloc((most + 1) * sizeof *c->rank),
                  .same = malloc((most + 1) * sizeof *c->same),
                  .unmoved = malloc((most + 1) * sizeof *c->unmoved)};
    return c->rows && c->nodes && c->rank && c->same && c->unmoved ? 0 : TRIVET_MERGE_ENOMEM;
}

static const tm_node *counts_as(const known_slot *k, const tm_row *row, int side) {
    tm_row counts = tm_row_counts(k->m, row);
    return tm_side(&counts, side);
}

/* Into A's order. */
static int collect(const known_slot *k, int side, common *c) {
    for (size_t i = 0; i < k->count; i++) {
        const tm_row *row = &k->rows[i];
        if (!tm_lives_in(row->a, k->slot) || !tm_lives_in(counts_as(k, row, side), k->slot))
            continue;
        c->nodes[c->count] = row->a;
        c->rows[c->count++] = row;
    }
    if (tm_place_order(c->nodes, c->count, c->rank) != 0)
        return TRIVET_MERGE_ENOMEM;
    const tm_row **sorted = malloc((c->count + 1) * sizeof *sorted);
    if (!sorted)
        return TRIVET_MERGE_ENOMEM;
    for (size_t i = 0; i < c->count; i++)
        sorted[i] = c->rows[c->rank[i]];
    free(c->rows);
    c->rows = sorted;
    return 0;
}

static int compare_orders(const known_slot *k, int side, common *c) {
    int rc = collect(k, side, c);
    if (rc != 0)
        return rc;
    for (size_t i = 0; i < c->count; i++) {
        c->nodes[i] = counts_as(k, c->rows[i], side);
        c->same[i] = c->nodes[i]->item.position == c->rows[i]->a->item.position;
    }
    rc = tm_place_rank(c->nodes, c->count, c->rank);
    return rc != 0 ? rc : tm_ascend(c->rank, c->same, c->count, c->unmoved);
}

/* Marks what the side moved, and sees whether it renumbered. */
static int look_closely(const known_slot *k, int side) {
    common c;
    int rc = init_common(&c, k->count);
    if (rc == 0)
        rc = compare_orders(k, side, &c);
    for (size_t i = 0; rc == 0 && i < c.count; i++) {
        if (!c.unmoved[i])
            k->marks[c.rows[i] - k->rows] |= (uint16_t)(TM_MOVED << side);
        else if (!c.same[i])
            k->m->renumbered[side] |= UINT64_C(1) << k->slot;
    }
    release_common(&c);
    return rc == 0 ? 0 : tm_out_of_memory(k->m);
}

int tm_find_moves(tm_merge *m, trivet_merge_section section) {
    const tm_rows *rows = &m->rows[section];
    const tm_items *known = tm_items_of(m->a, section);
    m->renumbered[TM_P] = m->renumbered[TM_C] = 0;
    for (size_t s = 0; known && s < known->slot_count; s++) {
        known_slot k = {m, s, rows->rows + rows->first[s], rows->marks + rows->first[s],
                        known->slots[s].count};
        if (!rows->changed[s] || only_moves(&k))
            continue;
        for (int side = TM_P; side <= TM_C; side++) {
            int rc = look_closely(&k, side);
            if (rc != 0)
                return rc;
        }
    }
    return 0;
}
