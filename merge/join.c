/*
 * join.c - brings together what the three sides hold under one id.
 *
 * Two sides mostly hold a slot's items in the same order. So the partner of an item is looked for first where the last one's was,
 * and a little further on; only then in the index, which in a large state costs a trip to main memory. What was found that way is
 * ticked off, and not looked at when its own side's turn comes.
 */
#include <stdlib.h>

#include "engine.h"

enum { AHEAD = 4 };

/* A side that partners are looked for in. */
typedef struct {
    tm_items *items; /* NULL: none there */
    tm_arena *arena;
    size_t next[TRIVET_MERGE_MAX_SLOTS];
    bool *ticked; /* for each item, slot by slot */
    size_t first[TRIVET_MERGE_MAX_SLOTS];
} partners;

typedef struct {
    partners a, p, c;
    tm_rows *out;
} joiner;

static int partners_init(partners *of, const trivet_merge_state *state, trivet_merge_section section) {
    *of = (partners){.items = tm_items_of(state, section)};
    if (!state)
        return 0;
    of->arena = &((trivet_merge_state *)state)->arena;
    for (size_t s = 1; s < of->items->slot_count; s++)
        of->first[s] = of->first[s - 1] + of->items->slots[s - 1].count;
    of->ticked = calloc(of->items->total + 1, sizeof *of->ticked);
    return of->ticked ? 0 : TRIVET_MERGE_ENOMEM;
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
                in->ticked[in->first[like->slot] + i] = true;
                return node;
            }
        }
    }
    return tm_items_find(in->items, in->arena, like->item.id, like->hash);
}

static void add_row(joiner *j, const tm_node *a, const tm_node *p, const tm_node *c, unsigned marks) {
    j->out->rows[j->out->count] = (tm_row){a, p, c};
    j->out->marks[j->out->count++] = (uint16_t)marks;
}

static bool is_changed(const tm_node *a, const tm_node *side) {
    return side && side->item.position != a->item.position && side->slot == a->slot && !side->item.deleted &&
           !a->item.deleted;
}

static unsigned marks_of(const tm_node *a, const tm_node *side) {
    unsigned marks = is_changed(a, side) ? TM_CHANGED : 0u;
    if (side && tm_slice_equal(a->item.text, side->item.text))
        marks |= TM_TEXT | (side->slot == a->slot && tm_fields_equal(&a->item, &side->item) ? TM_SAME : 0u);
    return marks;
}

/* The row of what A holds. The forms are compared here, where their strings are at hand. */
static void add_known(joiner *j, const tm_node *a) {
    const tm_node *p = find(&j->p, a), *c = find(&j->c, a);
    unsigned marks = marks_of(a, p) | marks_of(a, c) << 1;
    add_row(j, a, p, c, marks);
    if ((marks & (TM_CHANGED | TM_CHANGED << 1)) != 0)
        j->out->changed[a->slot] = true;
}

/* Ancestor, phone, computer are visited in this order: what an earlier one holds has its row already. */
static void join_node(joiner *j, const tm_node *node, trivet_merge_side side) {
    switch (side) { /* not covered: there is no fourth side */
    case TRIVET_MERGE_ANCESTOR:
        add_known(j, node);
        break;
    case TRIVET_MERGE_PHONE:
        if (!find(&j->a, node))
            add_row(j, NULL, node, find(&j->c, node), 0);
        break;
    case TRIVET_MERGE_COMPUTER:
        if (!find(&j->a, node) && !find(&j->p, node))
            add_row(j, NULL, NULL, node, 0);
        break;
    }
}

static void join_side(joiner *j, const partners *of, trivet_merge_side side) {
    memset(j->a.next, 0, sizeof j->a.next);
    memset(j->p.next, 0, sizeof j->p.next);
    memset(j->c.next, 0, sizeof j->c.next);
    for (size_t s = 0; of->items && s < of->items->slot_count; s++)
        for (size_t i = 0; i < of->items->slots[s].count; i++)
            if (!of->ticked[of->first[s] + i])
                join_node(j, of->items->slots[s].nodes[i], side);
}

static size_t total(const tm_items *items) {
    return items ? items->total : 0;
}

int tm_join(const trivet_merge_state *a, const trivet_merge_state *p, const trivet_merge_state *c,
            trivet_merge_section section, tm_rows *out) {
    joiner j = {.out = out};
    int rc = partners_init(&j.a, a, section);
    if (rc == 0)
        rc = partners_init(&j.p, p, section);
    if (rc == 0)
        rc = partners_init(&j.c, c, section);
    size_t most = total(j.a.items) + total(j.p.items) + total(j.c.items);
    *out = (tm_rows){.rows = rc == 0 ? malloc((most + 1) * (sizeof *out->rows + sizeof *out->marks)) : NULL};
    if (out->rows) {
        out->marks = (uint16_t *)(out->rows + most + 1);
        memcpy(out->first, j.a.first, sizeof out->first);
        join_side(&j, &j.a, TRIVET_MERGE_ANCESTOR);
        join_side(&j, &j.p, TRIVET_MERGE_PHONE);
        join_side(&j, &j.c, TRIVET_MERGE_COMPUTER);
    }
    free(j.a.ticked);
    free(j.p.ticked);
    free(j.c.ticked);
    return out->rows ? 0 : TRIVET_MERGE_ENOMEM;
}
