/*
 * item.c - merges one item.
 *
 * First whether it is there at all (merge §2), then field by field (merge §3). The slot is a field, and the
 * position goes with it (merge §5); where a slot was renumbered it is order.c's.
 */
#include "engine.h"

#include "number.h"

int tm_add_item(tm_merge *m, trivet_merge_section section, const tm_node *node) {
    trivet_merge_state *snapshot = &m->result->snapshot;
    tm_items *items = tm_items_of(snapshot, section);
    if (snapshot->items[0].total + snapshot->items[1].total == TRIVET_MERGE_MAX_ITEMS)
        return tm_error_set(m->err, TRIVET_MERGE_EINPUT, TRIVET_MERGE_PHONE, NULL, 0,
                            "merged, both sides together hold more than 1000000 items");
    if (tm_slot_reserve(&items->slots[node->slot], m->arena, 1) != 0)
        return tm_out_of_memory(m);
    tm_slot_push(items, node->slot, (tm_node *)node);
    return 0;
}

/* ---- presence ------------------------------------------------------------------------------------------ */

typedef enum { GONE, LIVE, DEAD } presence;

static bool is_dead(const tm_node *node) {
    return node && node->item.deleted;
}

/* The item is on both sides. */
static presence presence_of_both(const tm_row *row) {
    bool p_dead = is_dead(row->p), c_dead = is_dead(row->c);
    if (p_dead == c_dead)
        return p_dead ? DEAD : LIVE;
    if (!is_dead(row->a))
        return DEAD; /* deletion wins, whether the ancestor knows the item or not */
    /* dead before, and one side restored it; but the other may have deleted it once more since */
    const tm_node *dead = p_dead ? row->p : row->c;
    return dead->item.deleted_at > row->a->item.deleted_at ? DEAD : LIVE;
}

/* The item is on one side only. */
static presence presence_of_one(const tm_row *row) {
    const tm_node *there = row->p ? row->p : row->c;
    if (!row->a)
        return is_dead(there) ? DEAD : LIVE; /* new */
    if (!is_dead(row->a))
        return GONE;                     /* absence of what the ancestor knows is a deletion */
    return is_dead(there) ? GONE : LIVE; /* purged, unless restored */
}

/* ---- fields -------------------------------------------------------------------------------------------- */

static const trivet_merge_item *taken(const tm_row *row, tm_take take) {
    return take == TM_TAKE_A ? &row->a->item : take == TM_TAKE_C ? &row->c->item : &row->p->item;
}

static tm_slice number_value(tm_merge *m, size_t value) {
    char *out = tm_alloc_bytes(m->arena, TM_NUMBER_MAX);
    if (!out)
        return (tm_slice){NULL, 0};
    tm_slice slice = {out, (size_t)(tm_integer_write(out, value) - out)};
    tm_trim_bytes(m->arena, out, slice.len);
    return slice;
}

/* Of equal values a field stands in M if either side holds it, so that M does not depend on who is the phone.
 */
static unsigned same_has(const tm_row *row, unsigned bit) {
    return (row->p->item.has | row->c->item.has) & bit;
}

static int merge_slot(tm_merge *m, tm_subject *s, const tm_row *row, tm_node *out) {
    const tm_node *a = row->a, *p = row->p, *c = row->c;
    tm_take take =
        tm_decide(s, a && p->slot == a->slot, a && c->slot == a->slot, p->slot == c->slot, &s->recent);
    s->slot = take == TM_TAKE_C ? c->slot : p->slot;
    if (take == TM_TAKE_TIE) {
        tm_slice p_value = number_value(m, p->slot), c_value = number_value(m, c->slot);
        if (!p_value.data || !c_value.data)
            return tm_out_of_memory(m);
        int rc = tm_tie(m, s, TM_SLICE("slot"), p_value, c_value, &take);
        if (rc != 0)
            return rc;
    }
    out->slot = take == TM_TAKE_C ? c->slot : p->slot;
    return 0;
}

/* The position goes with the slot; only where both sides hold the item there it is a field, that no one is
 * asked about. */
static void merge_position(const tm_subject *s, const tm_row *row, tm_node *out) {
    const tm_node *a = row->a, *p = row->p, *c = row->c;
    if (p->slot != c->slot) {
        out->item.position = out->slot == p->slot ? p->item.position : c->item.position;
        return;
    }
    tm_subject here = *s;
    here.has_a = a && a->slot == p->slot; /* one that A gave it in another slot means nothing here */
    double ap = here.has_a ? a->item.position : 0, pp = p->item.position, cp = c->item.position;
    out->item.position = taken(row, tm_decide(&here, pp == ap, cp == ap, pp == cp, NULL))->position;
}

static int merge_text(tm_merge *m, tm_subject *s, const tm_row *row, tm_node *out) {
    tm_slice p = row->p->item.text, c = row->c->item.text;
    bool p_is_a = row->p == row->a || (s->marks & TM_TEXT) != 0;
    bool c_is_a = row->c == row->a || (s->marks & TM_TEXT << 1) != 0;
    s->same_text = p_is_a || c_is_a ? p_is_a && c_is_a : tm_slice_equal(p, c);
    tm_take take = tm_decide(s, p_is_a, c_is_a, s->same_text, &s->recent);
    if (take == TM_TAKE_TIE) {
        tm_slice p_value = tm_quoted(m, p), c_value = tm_quoted(m, c);
        if (!p_value.data || !c_value.data)
            return tm_out_of_memory(m);
        int rc = tm_tie(m, s, TM_SLICE("text"), p_value, c_value, &take);
        if (rc != 0)
            return rc;
    }
    out->item.text = taken(row, take)->text;
    return 0;
}

static tm_slice done_value(const trivet_merge_item *item) {
    if ((item->has & TRIVET_MERGE_HAS_DONE) == 0)
        return TM_SLICE("null");
    return item->done ? TM_SLICE("true") : TM_SLICE("false");
}

static int merge_done(tm_merge *m, tm_subject *s, const tm_row *row, tm_node *out) {
    const trivet_merge_item *p = &row->p->item, *c = &row->c->item;
    bool p_is_a = row->a && tm_done_equal(p, &row->a->item),
         c_is_a = row->a && tm_done_equal(c, &row->a->item);
    tm_take take = tm_decide(s, p_is_a, c_is_a, tm_done_equal(p, c), &s->recent);
    if (take == TM_TAKE_TIE) {
        int rc = tm_tie(m, s, TM_SLICE("done"), done_value(p), done_value(c), &take);
        if (rc != 0)
            return rc;
    }
    const trivet_merge_item *from = taken(row, take);
    out->item.done = from->done;
    out->item.has |= from->has & TRIVET_MERGE_HAS_DONE;
    return 0;
}

/* As the other fields, but a tie takes the lesser and is not reported. */
static void merge_created_at(const tm_subject *s, const tm_row *row, tm_node *out) {
    const trivet_merge_item *p = &row->p->item, *c = &row->c->item;
    int64_t a = row->a ? row->a->item.created_at : 0;
    tm_take take = tm_decide(s, p->created_at == a, c->created_at == a, p->created_at == c->created_at, NULL);
    if (take == TM_TAKE_TIE)
        take = p->created_at < c->created_at ? TM_TAKE_P : TM_TAKE_C;
    const trivet_merge_item *from = taken(row, take);
    out->item.created_at = from->created_at;
    out->item.has |= take == TM_TAKE_SAME ? same_has(row, TRIVET_MERGE_HAS_CREATED_AT)
                                          : from->has & TRIVET_MERGE_HAS_CREATED_AT;
}

static void merge_updated_at(const tm_subject *s, const tm_row *row, tm_node *out) {
    const unsigned bit = TRIVET_MERGE_HAS_UPDATED_AT;
    out->item.updated_at = s->p_time > s->c_time ? s->p_time : s->c_time;
    out->item.has |= s->p_time == s->c_time  ? same_has(row, bit)
                     : s->p_time > s->c_time ? row->p->item.has & bit
                                             : row->c->item.has & bit;
}

/* `deleted` and `deletedAt` are one value; of two new deletion times M takes the greater. */
static void merge_deletion(const tm_row *row, bool dead, tm_node *out) {
    const trivet_merge_item *p = &row->p->item, *c = &row->c->item;
    out->item.deleted = dead;
    if (p->deleted != dead || c->deleted != dead) {
        out->item.deleted_at = p->deleted == dead ? p->deleted_at : c->deleted_at;
        return;
    }
    bool known = row->a && row->a->item.deleted == dead;
    int64_t a = known ? row->a->item.deleted_at : -1, pt = p->deleted_at, ct = c->deleted_at;
    out->item.deleted_at = known && pt == a ? ct : known && ct == a ? pt : pt > ct ? pt : ct;
}

static int merge_all_fields(tm_merge *m, tm_subject *s, const tm_row *row, tm_node *out) {
    const tm_rest *rest;
    int rc;
    merge_deletion(row, s->silent, out);
    merge_created_at(s, row, out);
    merge_updated_at(s, row, out);
    if ((rc = merge_slot(m, s, row, out)) != 0)
        return rc;
    merge_position(s, row, out);
    if ((rc = merge_text(m, s, row, out)) != 0 || (rc = merge_done(m, s, row, out)) != 0)
        return rc;
    rc = tm_merge_rest(m, s, row->a ? row->a->item.rest : NULL, row->p->item.rest, row->c->item.rest, &rest);
    out->item.rest = rest;
    return rc;
}

/* ---- one item ------------------------------------------------------------------------------------------ */

static tm_node *copy_node(tm_merge *m, const tm_node *from) {
    tm_node *node = tm_alloc(m->arena, sizeof *node);
    if (node)
        *node = *from;
    return node;
}

/* Into M and the report, or where its slot's order is to be built, kept for that. */
static int finish(tm_merge *m, trivet_merge_section section, const tm_placed *placed, const tm_subject *s) {
    if (tm_awaits_place(m, placed->node))
        return tm_place_later(m, placed);
    int rc = tm_add_item(m, section, placed->node);
    return rc != 0 ? rc : tm_report_item(m, section, placed->held, placed->node, s);
}

const tm_node *tm_dated(tm_merge *m, trivet_merge_section section, const tm_row *row, const tm_node *node) {
    if (node != row->p || !trivet_merge_state_has(m->p, section))
        return node;
    int64_t time = tm_phone_time(m, node->item.updated_at, row->a ? &row->a->item.updated_at : NULL);
    if (time == node->item.updated_at)
        return node;
    tm_node *dated = copy_node(m, node);
    if (dated)
        dated->item.updated_at = time;
    return dated;
}

/* It is on one side only, and M takes it as it is; but for the clock. */
static int take_one(tm_merge *m, trivet_merge_section section, const tm_row *row, const tm_row *held) {
    const tm_node *node = tm_dated(m, section, row, row->p ? row->p : row->c);
    if (!node)
        return tm_out_of_memory(m);
    tm_placed placed = {.held = held, .row = *row, .node = (tm_node *)node};
    return finish(m, section, &placed, NULL);
}

static int merge_both(tm_merge *m, trivet_merge_section section, const tm_row *row, const tm_row *held,
                      unsigned marks) {
    tm_subject s = {.section = section,
                    .id = row->p->item.id,
                    .has_a = row->a != NULL,
                    .marks = marks,
                    .silent = presence_of_both(row) == DEAD}; /* no one is asked about a deleted item */
    s.p_time = trivet_merge_state_has(m->p, section)
                   ? tm_phone_time(m, row->p->item.updated_at, row->a ? &row->a->item.updated_at : NULL)
                   : row->p->item.updated_at;
    s.c_time =
        row->c == row->p ? s.p_time : row->c->item.updated_at; /* one without a view agrees, dates and all */
    tm_node *node = tm_alloc(m->arena, sizeof *node);
    if (!node)
        return tm_out_of_memory(m);
    *node = (tm_node){.hash = row->p->hash};
    node->item.id = row->p->item.id;
    size_t first_tie = m->result->tie_count;
    int rc = merge_all_fields(m, &s, row, node);
    if (rc != 0)
        return rc;
    for (size_t i = first_tie; i < m->result->tie_count; i++)
        m->result->ties[i].context = node->item.text;
    tm_placed placed = {.held = held,
                        .row = *row,
                        .node = node,
                        .own = true,
                        .tied = s.tied,
                        .recent = s.recent,
                        .same_text = s.same_text,
                        .p_time = s.p_time,
                        .c_time = s.c_time};
    return finish(m, section, &placed, &s);
}

tm_row tm_row_counts(const tm_merge *m, const tm_row *held) {
    tm_row row = *held;
    if (m->large == TRIVET_MERGE_LARGE_BOTH && row.a && (row.p || row.c)) {
        row.p = row.p ? row.p : row.a;
        row.c = row.c ? row.c : row.a;
    }
    return row;
}

/* Both sides and the ancestor agree, as they do about by far the most. */
static int take_agreed(tm_merge *m, trivet_merge_section section, const tm_row *row) {
    if (!tm_awaits_place(m, row->a))
        return tm_add_item(m, section, row->a);
    tm_placed placed = {.held = row, .row = *row, .node = (tm_node *)row->a, .same_text = true};
    return tm_place_later(m, &placed);
}

int tm_merge_item(tm_merge *m, trivet_merge_section section, const tm_row *held, unsigned marks) {
    const unsigned same = TM_SAME | TM_SAME << 1;
    if ((marks & same) == same)
        return take_agreed(m, section, held);
    tm_row row = tm_row_counts(m, held);
    if (row.p && row.c)
        return merge_both(m, section, &row, held, marks);
    if ((row.p || row.c) && presence_of_one(&row) != GONE)
        return take_one(m, section, &row, held);
    return tm_report_item(m, section, held, NULL, NULL);
}
