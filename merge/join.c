/* join.c - brings together what the three sides hold under one id. */
#include <stdlib.h>

#include "engine.h"

static const tm_node *find(const trivet_merge_state *state, trivet_merge_section section,
                           const tm_node *like) {
    if (!state)
        return NULL;
    tm_arena *arena = &((trivet_merge_state *)state)->arena;
    return tm_items_find(tm_items_of(state, section), arena, like->item.id, like->hash);
}

static size_t total(const trivet_merge_state *state, trivet_merge_section section) {
    return state ? tm_items_of(state, section)->total : 0;
}

typedef struct {
    const trivet_merge_state *a, *p, *c;
    trivet_merge_section section;
    tm_rows *out;
} joiner;

static void add_row(joiner *j, const tm_node *a, const tm_node *p, const tm_node *c) {
    j->out->rows[j->out->count++] = (tm_row){a, p, c};
}

/* Ancestor, phone, computer are visited in this order: what an earlier one holds has its row already. */
static void join_node(joiner *j, const tm_node *node, trivet_merge_side side) {
    switch (side) {
    case TRIVET_MERGE_ANCESTOR:
        add_row(j, node, find(j->p, j->section, node), find(j->c, j->section, node));
        break;
    case TRIVET_MERGE_PHONE:
        if (!find(j->a, j->section, node))
            add_row(j, NULL, node, find(j->c, j->section, node));
        break;
    case TRIVET_MERGE_COMPUTER:
        if (!find(j->a, j->section, node) && !find(j->p, j->section, node))
            add_row(j, NULL, NULL, node);
        break;
    }
}

static void join_side(joiner *j, const trivet_merge_state *state, trivet_merge_side side) {
    const tm_items *items = state ? tm_items_of(state, j->section) : NULL;
    if (!items)
        return;
    for (size_t s = 0; s < items->slot_count; s++)
        for (size_t i = 0; i < items->slots[s].count; i++)
            join_node(j, items->slots[s].nodes[i], side);
}

int tm_join(const trivet_merge_state *a, const trivet_merge_state *p, const trivet_merge_state *c,
            trivet_merge_section section, tm_rows *out) {
    joiner j = {a, p, c, section, out};
    size_t most = total(a, section) + total(p, section) + total(c, section);
    *out = (tm_rows){malloc((most + 1) * sizeof *out->rows), 0};
    if (!out->rows)
        return TRIVET_MERGE_ENOMEM;
    join_side(&j, a, TRIVET_MERGE_ANCESTOR);
    join_side(&j, p, TRIVET_MERGE_PHONE);
    join_side(&j, c, TRIVET_MERGE_COMPUTER);
    return 0;
}
