/*
 * join.c - brings together what the three sides hold under one id.
 *
 * Two sides mostly hold a slot's items in the same order. So the partner of an item is looked for first where the last one's was,
 * and a little further on; only then in the index, which in a large state costs a trip to main memory.
 */
#include <stdlib.h>

#include "engine.h"

enum { AHEAD = 4 };

/* A side that partners are looked for in. */
typedef struct {
    tm_items *items; /* NULL: none there */
    tm_arena *arena;
    size_t next[TRIVET_MERGE_MAX_SLOTS];
} partners;

typedef struct {
    partners a, p, c;
    tm_rows *out;
} joiner;

static void partners_init(partners *of, const trivet_merge_state *state, trivet_merge_section section) {
    *of = (partners){.items = tm_items_of(state, section)};
    if (state)
        of->arena = &((trivet_merge_state *)state)->arena;
}

static const tm_node *find(partners *in, const tm_node *like) {
    if (!in->items)
        return NULL;
    if (like->slot < in->items->slot_count) {
        const tm_slot *slot = &in->items->slots[like->slot];
        size_t from = in->next[like->slot], to = slot->count - from < AHEAD ? slot->count : from + AHEAD;
        for (size_t i = from; i < to; i++) {
            const tm_node *node = slot->nodes[i];
            if (node->hash == like->hash && tm_slice_equal(node->item.id, like->item.id)) {
                in->next[like->slot] = i + 1;
                return node;
            }
        }
    }
    return tm_items_find(in->items, in->arena, like->item.id, like->hash);
}

static void add_row(joiner *j, const tm_node *a, const tm_node *p, const tm_node *c) {
    j->out->rows[j->out->count++] = (tm_row){a, p, c};
}

/* Ancestor, phone, computer are visited in this order: what an earlier one holds has its row already. */
static void join_node(joiner *j, const tm_node *node, trivet_merge_side side) {
    switch (side) {
    case TRIVET_MERGE_ANCESTOR:
        add_row(j, node, find(&j->p, node), find(&j->c, node));
        break;
    case TRIVET_MERGE_PHONE:
        if (!find(&j->a, node))
            add_row(j, NULL, node, find(&j->c, node));
        break;
    case TRIVET_MERGE_COMPUTER:
        if (!find(&j->a, node) && !find(&j->p, node))
            add_row(j, NULL, NULL, node);
        break;
    }
}

static void join_side(joiner *j, const tm_items *items, trivet_merge_side side) {
    memset(j->a.next, 0, sizeof j->a.next);
    memset(j->p.next, 0, sizeof j->p.next);
    memset(j->c.next, 0, sizeof j->c.next);
    for (size_t s = 0; items && s < items->slot_count; s++)
        for (size_t i = 0; i < items->slots[s].count; i++)
            join_node(j, items->slots[s].nodes[i], side);
}

static size_t total(const tm_items *items) {
    return items ? items->total : 0;
}

int tm_join(const trivet_merge_state *a, const trivet_merge_state *p, const trivet_merge_state *c,
            trivet_merge_section section, tm_rows *out) {
    joiner j;
    partners_init(&j.a, a, section);
    partners_init(&j.p, p, section);
    partners_init(&j.c, c, section);
    size_t most = total(j.a.items) + total(j.p.items) + total(j.c.items);
    *out = (tm_rows){malloc((most + 1) * sizeof *out->rows), 0};
    if (!out->rows)
        return TRIVET_MERGE_ENOMEM;
    j.out = out;
    join_side(&j, j.a.items, TRIVET_MERGE_ANCESTOR);
    join_side(&j, j.p.items, TRIVET_MERGE_PHONE);
    join_side(&j, j.c.items, TRIVET_MERGE_COMPUTER);
    return 0;
}
