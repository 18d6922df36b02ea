/*
 * order.c - builds the order of a slot that a side renumbered (merge §5).
 *
 * Each side's list is what is fixed and what belongs to the side, in the side's order. What is fixed stands in both
 * lists in A's order, so M's order comes of walking them together: between two fixed items the one side's run and
 * the other's, whichever starts with the lesser id first. Then come the values.
 */
#include <stdlib.h>

#include "ascend.h"
#include "engine.h"

enum { FIXED = 2 }; /* an item that belongs to no side */

typedef struct {
    tm_placed **items; /* malloc'd */
    size_t count;
} list;

typedef struct {
    tm_merge *m;
    size_t slot;
    const tm_rows *rows;
    tm_placing *from;
    list lists[2];         /* each side's own items and the fixed ones, in that side's order */
    tm_placed **order;     /* M's */
    const tm_node **nodes; /* the same number of them, for whoever sorts */
    uint32_t *rank;
    double *values;
    bool *kept, *chosen;
} builder;

/* ---- keeping ------------------------------------------------------------------------------------------- */

int tm_place_later(tm_merge *m, const tm_placed *placed) {
    tm_placing *placing = &m->placing[placed->node->slot];
    if (placing->count == placing->room) {
        size_t room = placing->room ? placing->room * 2 : 32;
        tm_placed *items = realloc(placing->items, room * sizeof *items);
        if (!items)
            return tm_out_of_memory(m);
        placing->items = items;
        placing->room = room;
    }
    placing->items[placing->count++] = *placed;
    return 0;
}

/* ---- whose it is --------------------------------------------------------------------------------------- */

static bool in_slot(const tm_node *node, size_t slot) {
    return node && node->slot == slot; /* not covered: who is asked holds it, live elsewhere or dead */
}

/*
 * What is dead on a side has no place in that side's order. Only where neither side holds it live here (the one moved
 * the tombstone, the other restored the item elsewhere) a tombstone's position has to do.
 */
static int owner(const tm_placed *placed, unsigned marks, size_t slot) {
    const tm_row *row = &placed->row;
    unsigned moved = marks & (TM_MOVED | TM_MOVED << 1);
    bool p = tm_lives_in(row->p, slot), c = tm_lives_in(row->c, slot);
    if (p && c && moved == 0 && tm_lives_in(row->a, slot))
        return FIXED;
    if (!p && !c) {
        p = in_slot(row->p, slot);
        c = in_slot(row->c, slot);
    }
    if (p != c)
        return p ? TM_P : TM_C;
    if (moved == TM_MOVED || moved == TM_MOVED << 1)
        return moved == TM_MOVED ? TM_P : TM_C;
    return placed->c_time > placed->p_time ? TM_C : TM_P;
}

static int sort_list(builder *b, list *l, int side) {
    for (size_t i = 0; i < l->count; i++)
        b->nodes[i] = tm_side(&l->items[i]->row, side);
    int rc = tm_place_order(b->nodes, l->count, b->rank);
    for (size_t i = 0; rc == 0 && i < l->count; i++)
        b->order[i] = l->items[b->rank[i]];
    if (rc == 0 && l->count > 0)
        memcpy(l->items, b->order, l->count * sizeof *l->items);
    return rc;
}

static int make_lists(builder *b) {
    for (size_t i = 0; i < b->from->count; i++) {
        tm_placed *placed = &b->from->items[i];
        placed->owner = owner(placed, b->rows->marks[placed->held - b->rows->rows], b->slot);
        for (int side = TM_P; side <= TM_C; side++)
            if (placed->owner == side || placed->owner == FIXED)
                b->lists[side].items[b->lists[side].count++] = placed;
    }
    int rc = sort_list(b, &b->lists[TM_P], TM_P);
    return rc != 0 ? rc : sort_list(b, &b->lists[TM_C], TM_C);
}

/* ---- M's order ----------------------------------------------------------------------------------------- */

/* The end of the run that starts at `from`: the next fixed item, or the list's end. */
static size_t run_end(const list *l, size_t from) {
    while (from < l->count && l->items[from]->owner != FIXED)
        from++;
    return from;
}

static size_t copy_run(builder *b, size_t out, const list *l, size_t from, size_t to) {
    while (from < to)
        b->order[out++] = l->items[from++];
    return out;
}

static void interleave(builder *b) {
    const list *p = &b->lists[TM_P], *c = &b->lists[TM_C];
    size_t i = 0, j = 0, out = 0;
    for (;;) {
        size_t p_end = run_end(p, i), c_end = run_end(c, j);
        bool p_first = i == p_end || j == c_end ||
                       tm_slice_compare(p->items[i]->node->item.id, c->items[j]->node->item.id) < 0;
        out = p_first ? copy_run(b, out, p, i, p_end) : copy_run(b, out, c, j, c_end);
        out = p_first ? copy_run(b, out, c, j, c_end) : copy_run(b, out, p, i, p_end);
        if (p_end == p->count)
            return; /* and C's list is at its end too: what is fixed is in both */
        b->order[out++] = p->items[p_end];
        i = p_end + 1;
        j = c_end + 1;
    }
}

/* ---- values -------------------------------------------------------------------------------------------- */

/* Of those that the base side holds live here, the most whose values ascend keep them. */
static int keep(builder *b) {
    int base = (b->m->renumbered[TM_C] >> b->slot & 1) != 0 ? TM_C : TM_P;
    size_t count = b->from->count, based = 0;
    for (size_t i = 0; i < count; i++) {
        const tm_node *node = tm_side(&b->order[i]->row, base);
        if (tm_lives_in(node, b->slot))
            b->nodes[based++] = node;
    }
    int rc = tm_place_rank(b->nodes, based, b->rank);
    if (rc == 0)
        rc = tm_ascend(b->rank, NULL, based, b->chosen);
    based = 0;
    for (size_t i = 0; rc == 0 && i < count; i++) {
        const tm_node *node = tm_side(&b->order[i]->row, base);
        b->kept[i] = tm_lives_in(node, b->slot) && b->chosen[based++];
        b->values[i] = b->kept[i] ? node->item.position : 0;
    }
    return rc;
}

/* The values of a gap, from `from` to `to`. */
static void fill(double *values, size_t from, size_t to, size_t count) {
    size_t k = to - from;
    for (size_t j = 1; j <= k; j++) {
        double *value = &values[from + j - 1];
        if (from > 0 && to < count)
            *value = values[from - 1] + (values[to] - values[from - 1]) * (double)j / (double)(k + 1);
        else if (to < count)
            *value = values[to] - (double)(k + 1 - j);
        else if (from > 0)
            *value = values[from - 1] + (double)j;
    }
}

/*
 * Whether each value shows where it should; kept ones do, even two that are equal. One that is not finite stands between
 * two finite ones that were kept, and so is not below the next.
 */
static bool ascend_in_doubles(const builder *b) {
    for (size_t i = 1; i < b->from->count; i++)
        if (!(b->kept[i - 1] && b->kept[i]) && !(b->values[i - 1] < b->values[i]))
            return false;
    return true;
}

static void set_values(builder *b) {
    size_t count = b->from->count, kept = 0;
    for (size_t i = 0; i < count; i++) {
        kept += b->kept[i];
        if (b->kept[i])
            continue;
        size_t from = i;
        while (i + 1 < count && !b->kept[i + 1])
            i++;
        fill(b->values, from, i + 1, count);
    }
    if (kept > 0 && ascend_in_doubles(b))
        return;
    for (size_t i = 0; i < count; i++)
        b->values[i] = (double)(i + 1);
}

/* ---- into M -------------------------------------------------------------------------------------------- */

static int put(builder *b, trivet_merge_section section, tm_placed *placed, double value) {
    tm_subject s = {.tied = placed->tied, .recent = placed->recent, .same_text = placed->same_text};
    if (placed->node->item.position != value) {
        if (!placed->own) {
            tm_node *copy = tm_alloc(b->m->arena, sizeof *copy);
            if (!copy)
                return tm_out_of_memory(b->m);
            *copy = *placed->node;
            placed->node = copy;
        }
        placed->node->item.position = value;
    }
    int rc = tm_add_item(b->m, section, placed->node);
    return rc != 0 ? rc : tm_report_item(b->m, section, placed->held, placed->node, &s);
}

static void release(builder *b) {
    free(b->lists[TM_P].items);
    free(b->lists[TM_C].items);
    free(b->order);
    free(b->nodes);
    free(b->rank);
    free(b->values);
    free(b->kept);
    free(b->chosen);
}

static int init(builder *b, tm_merge *m, trivet_merge_section section, size_t slot) {
    size_t room = m->placing[slot].count + 1;
    *b = (builder){.m = m,
                   .slot = slot,
                   .rows = &m->rows[section],
                   .from = &m->placing[slot],
                   .lists = {{malloc(room * sizeof *b->order), 0}, {malloc(room * sizeof *b->order), 0}},
                   .order = malloc(room * sizeof *b->order),
                   .nodes = malloc(room * sizeof *b->nodes),
                   .rank = malloc(room * sizeof *b->rank),
                   .values = malloc(room * sizeof *b->values),
                   .kept = malloc(room * sizeof *b->kept),
                   .chosen = malloc(room * sizeof *b->chosen)};
    return b->lists[TM_P].items && b->lists[TM_C].items && b->order && b->nodes && b->rank && b->values &&
                   b->kept && b->chosen
               ? 0
               : TRIVET_MERGE_ENOMEM;
}

static int build(builder *b) {
    int rc = make_lists(b);
    if (rc != 0)
        return rc;
    interleave(b);
    if ((rc = keep(b)) != 0)
        return rc;
    set_values(b);
    return 0;
}

static int build_order(tm_merge *m, trivet_merge_section section, size_t slot) {
    builder b;
    int rc = init(&b, m, section, slot);
    if (rc == 0)
        rc = build(&b);
    if (rc != 0)
        rc = tm_out_of_memory(m);
    for (size_t i = 0; rc == 0 && i < b.from->count; i++)
        rc = put(&b, section, b.order[i], b.values[i]);
    free(m->placing[slot].items);
    m->placing[slot] = (tm_placing){.items = NULL};
    release(&b);
    return rc;
}

int tm_build_orders(tm_merge *m, trivet_merge_section section) {
    for (size_t s = 0; s < TRIVET_MERGE_MAX_SLOTS; s++) {
        int rc = m->placing[s].count > 0 ? build_order(m, section, s) : 0;
        if (rc != 0)
            return rc;
    }
    return 0;
}
