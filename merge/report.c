/*
 * report.c - what each side will see change, and the counts of it (merge §9).
 *
 * It compares M with what a side holds and knows nothing of how M came about, but for ties and
 * most-recent-wins. What no one can see is not reported: changes of and among tombstones, purges, and
 * updatedAt.
 */
#include <stdlib.h>

#include "engine.h"
#include "value.h"

/* What happens to one item or entry, over both sides. */
typedef struct {
    bool added_from_phone, added_from_computer, edited, moved, tombstoned, removed, restored;
} happened;

static int note(tm_merge *m, const trivet_merge_change *change) {
    trivet_merge_result *result = m->result;
    if (result->change_count == result->change_room) {
        size_t room = result->change_room ? result->change_room * 2 : 32;
        trivet_merge_change *changes = realloc(result->changes, room * sizeof *changes);
        if (!changes)
            return tm_out_of_memory(m);
        result->changes = changes;
        result->change_room = room;
    }
    result->changes[result->change_count++] = *change;
    return 0;
}

static int note_field(tm_merge *m, const trivet_merge_change *of, tm_slice field, happened *h) {
    trivet_merge_change change = *of;
    h->edited = true;
    change.kind = TRIVET_MERGE_EDITED;
    change.field = field;
    return note(m, &change);
}

static int note_kind(tm_merge *m, const trivet_merge_change *of, trivet_merge_kind kind, bool *flag) {
    trivet_merge_change change = *of;
    *flag = true;
    change.kind = kind;
    return note(m, &change);
}

/* One count at most; the later in the list of merge §9 first. */
static void count(trivet_merge_counts *counts, const happened *h, bool tied, bool recent) {
    bool seen = h->added_from_phone || h->added_from_computer || h->edited || h->moved;
    counts->moved += h->moved;
    if (tied)
        counts->ties++;
    else if (h->restored)
        counts->restored++;
    else if (h->removed)
        counts->removed++;
    else if (h->tombstoned)
        counts->tombstoned++;
    else if (seen && recent)
        counts->edited_lww++;
    else if (h->edited)
        counts->edited_field++;
    else if (h->added_from_computer)
        counts->added_from_computer++;
    else if (h->added_from_phone)
        counts->added_from_phone++;
}

/* ---- fields -------------------------------------------------------------------------------------------- */

static int diff_rest(tm_merge *m, const trivet_merge_change *of, const tm_rest *held, const tm_rest *merged,
                     happened *h) {
    size_t i = 0, j = 0, held_count = held ? held->count : 0, merged_count = merged ? merged->count : 0;
    if (held == merged)
        return 0;
    while (i < held_count || j < merged_count) {
        const tm_field *x = i < held_count ? &held->fields[i] : NULL,
                       *y = j < merged_count ? &merged->fields[j] : NULL;
        int order = !x ? 1 : !y ? -1 : tm_slice_compare(x->key, y->key);
        tm_slice key = order <= 0 ? x->key : y->key, before = {NULL, 0}, after = {NULL, 0};
        if (order <= 0) {
            before = x->value;
            i++;
        }
        if (order >= 0) {
            after = y->value;
            j++;
        }
        if (tm_value_equal(before, after))
            continue;
        int rc = note_field(m, of, key, h);
        if (rc != 0)
            return rc;
    }
    return 0;
}

/* Both are live. M's text is that of A, P or C, as it stands there; where it is another's than this side's, it tells to know whether
 * the two sides have the same. */
static int diff_fields(tm_merge *m, const trivet_merge_change *of, const tm_node *held, const tm_node *merged,
                       const tm_subject *s, happened *h) {
    const trivet_merge_item *a = &held->item, *b = &merged->item;
    int rc = 0;
    if (held->slot != merged->slot || a->position != b->position)
        rc = note_kind(m, of, TRIVET_MERGE_MOVED, &h->moved);
    if (rc == 0 && a->text.data != b->text.data && !(s ? s->same_text : tm_slice_equal(a->text, b->text)))
        rc = note_field(m, of, TM_SLICE("text"), h);
    if (rc == 0 && !tm_done_equal(a, b))
        rc = note_field(m, of, TM_SLICE("done"), h);
    if (rc == 0 && a->created_at != b->created_at)
        rc = note_field(m, of, TM_SLICE("createdAt"), h);
    if (rc == 0 && a->deleted_at != b->deleted_at)
        rc = note_field(m, of, TM_SLICE("deletedAt"), h);
    return rc != 0 ? rc : diff_rest(m, of, a->rest, b->rest, h);
}

/* ---- items --------------------------------------------------------------------------------------------- */

static int diff_item(tm_merge *m, const trivet_merge_change *of, const tm_row *row, const tm_node *held,
                     const tm_node *merged, const tm_subject *s, happened *h) {
    bool was_live = held && !held->item.deleted, is_live = merged && !merged->item.deleted;
    if (was_live && is_live)
        return held == merged ? 0 : diff_fields(m, of, held, merged, s, h);
    if (was_live)
        return merged ? note_kind(m, of, TRIVET_MERGE_TOMBSTONED, &h->tombstoned)
                      : note_kind(m, of, TRIVET_MERGE_REMOVED, &h->removed);
    if (!is_live)
        return 0;
    if (held || (row->a && row->a->item.deleted))
        return note_kind(m, of, TRIVET_MERGE_RESTORED, &h->restored);
    return note_kind(m, of, TRIVET_MERGE_ADDED,
                     of->side == TRIVET_MERGE_PHONE ? &h->added_from_computer : &h->added_from_phone);
}

int tm_report_item(tm_merge *m, trivet_merge_section section, const tm_row *row, const tm_node *node,
                   const tm_subject *s) {
    const tm_node *any = row->p ? row->p : row->c ? row->c : row->a;
    happened h = {0};
    trivet_merge_change of = {.section = section, .id = any->item.id};
    for (int i = 0; i < 2; i++) {
        const tm_node *held = i == 0 ? row->p : row->c;
        of.side = i == 0 ? TRIVET_MERGE_PHONE : TRIVET_MERGE_COMPUTER;
        of.slot = node ? node->slot : held ? held->slot : 0;
        int rc = diff_item(m, &of, row, held, node, s, &h);
        if (rc != 0)
            return rc;
    }
    count(&m->result->counts, &h, s && s->tied, s && s->recent);
    return 0;
}

/* ---- entries ------------------------------------------------------------------------------------------- */

static int diff_entry(tm_merge *m, const trivet_merge_change *of, const tm_entry *held,
                      const tm_entry *merged, happened *h) {
    int rc = 0;
    if (held == merged)
        return 0;
    if (!held->entry.text.data != !merged->entry.text.data ||
        !tm_slice_equal(held->entry.text, merged->entry.text))
        rc = note_field(m, of, tm_text_key(of->section), h);
    return rc != 0 ? rc : diff_rest(m, of, held->entry.rest, merged->entry.rest, h);
}

int tm_report_entry(tm_merge *m, const tm_entry *p, const tm_entry *c, const tm_entry *merged,
                    const tm_subject *s) {
    happened h = {0};
    trivet_merge_change of = {.section = s->section, .slot = s->slot, .side = TRIVET_MERGE_PHONE};
    int rc = p ? diff_entry(m, &of, p, merged, &h) : 0;
    of.side = TRIVET_MERGE_COMPUTER;
    if (rc == 0 && c)
        rc = diff_entry(m, &of, c, merged, &h);
    count(&m->result->counts, &h, s->tied, s->recent);
    return rc;
}

/* ---- order --------------------------------------------------------------------------------------------- */

/* Section (of 6), slot (of 64), and how the id begins. */
static uint64_t sort_key(trivet_merge_section section, size_t slot, tm_slice id) {
    return (uint64_t)section << 61 | (uint64_t)slot << 55 | tm_key_of_bytes(id.data, id.len) >> 9;
}

static int compare_changes(const void *left, const void *right) {
    const trivet_merge_change *a = left, *b = right;
    int order = tm_slice_compare(a->id, b->id);
    if (order != 0)
        return order;
    if (a->side != b->side)
        return (int)a->side - (int)b->side;
    if (a->kind != b->kind)
        return (int)a->kind - (int)b->kind;
    return tm_slice_compare(a->field, b->field);
}

static int compare_ties(const void *left, const void *right) {
    const trivet_merge_tie *a = left, *b = right;
    int order = tm_slice_compare(a->item_id, b->item_id);
    return order != 0 ? order : tm_slice_compare(a->field, b->field);
}

/* Room for `count` to be sorted, and as much to spare. */
static tm_keyed *make_keyed(size_t count) {
    return malloc((count * 2 + 1) * sizeof(tm_keyed));
}

static int sort_changes(trivet_merge_result *r) {
    size_t count = r->change_count;
    r->sorted_changes = make_keyed(count);
    if (!r->sorted_changes)
        return -1;
    for (size_t i = 0; i < count; i++) {
        const trivet_merge_change *change = &r->changes[i];
        r->sorted_changes[i] = (tm_keyed){sort_key(change->section, change->slot, change->id), change};
    }
    tm_sort_keyed(r->sorted_changes, count, compare_changes, r->sorted_changes + count);
    return 0;
}

static int sort_ties(trivet_merge_result *r) {
    size_t count = r->tie_count;
    r->sorted_ties = make_keyed(count);
    if (!r->sorted_ties)
        return -1;
    for (size_t i = 0; i < count; i++) {
        const trivet_merge_tie *tie = &r->ties[i];
        r->sorted_ties[i] = (tm_keyed){sort_key(tie->section, tie->slot, tie->item_id), tie};
    }
    tm_sort_keyed(r->sorted_ties, count, compare_ties, r->sorted_ties + count);
    return 0;
}

int tm_report_finish(tm_merge *m) {
    return sort_changes(m->result) == 0 && sort_ties(m->result) == 0 ? 0 : tm_out_of_memory(m);
}
