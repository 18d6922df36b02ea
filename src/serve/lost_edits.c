/*
 * What lost: read off the merge's changes, which say what each side will see change (merge §9). A value that a side
 * must give up is lost if it was that side's edit, that is, if it is not what the ancestor held. One row is kept for
 * each item or entry and side, with the names of the fields.
 *
 * Not counted: a position (no one is asked about one), creation times, and a scratchpad that was merged by lines.
 */
#include "serve/lost_edits.h"

#include "store/lost.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct look {
    store *store;
    const lost_edits *merge;
    const trivet_merge_result *result; /* whose changes are looked at */
    trivet_merge_side side;            /* the one that gives way */
    const trivet_merge_state *held;
    store_error *err;
};

static bool same_slice(trivet_merge_slice a, trivet_merge_slice b) {
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

static bool field_is(const trivet_merge_change *c, const char *name) {
    return c->field.data && c->field.len == strlen(name) && memcmp(c->field.data, name, c->field.len) == 0;
}

static bool is_same_thing(const trivet_merge_change *a, const trivet_merge_change *b) {
    return a->side == b->side && a->section == b->section && !a->id.data == !b->id.data &&
           (a->id.data ? same_slice(a->id, b->id) : a->slot == b->slot);
}

static bool find(const trivet_merge_state *state, const trivet_merge_change *c, trivet_merge_item *item,
                 size_t *slot) {
    return state && trivet_merge_item_find(state, c->section, c->id, item, slot);
}

/* ---- was it an edit? ---------------------------------------------------------------------------------- */

static bool same_unknown(const trivet_merge_item *a, const trivet_merge_item *b) {
    trivet_merge_item as_b = *b;
    as_b.rest = a->rest;
    return trivet_merge_item_equal(&as_b, b);
}

/* Whether the side had edited what this change takes away. */
static bool item_edited(const struct look *l, const trivet_merge_change *c) {
    trivet_merge_item held, base;
    size_t held_slot, base_slot = 0;

    if (!find(l->held, c, &held, &held_slot) || held.deleted)
        return false;
    bool known = find(l->merge->ancestor, c, &base, &base_slot) && !base.deleted;
    bool moved = !known || held_slot != base_slot, text = !known || !same_slice(held.text, base.text),
         done = !known || held.done != base.done, unknown = !known || !same_unknown(&held, &base);
    if (c->kind == TRIVET_MERGE_TOMBSTONED || c->kind == TRIVET_MERGE_REMOVED)
        return moved || text || done || unknown;
    if (c->kind == TRIVET_MERGE_MOVED) {
        trivet_merge_item is;
        size_t slot;
        return moved && find(l->merge->merged, c, &is, &slot) && slot != held_slot;
    }
    if (c->kind != TRIVET_MERGE_EDITED || field_is(c, "createdAt") || field_is(c, "position"))
        return false;
    return field_is(c, "text") ? text : field_is(c, "done") ? done : field_is(c, "slot") ? moved : unknown;
}

/* An entry whose text lost; where M has neither side's, the lines of both are in it. */
static bool entry_edited(const struct look *l, const trivet_merge_change *c) {
    trivet_merge_entry held, base, is, other;
    const trivet_merge_state *across = l->side == TRIVET_MERGE_PHONE ? l->merge->computer : l->merge->phone;

    if (c->kind != TRIVET_MERGE_EDITED || (!field_is(c, "label") && !field_is(c, "content")) ||
        !trivet_merge_entry_at(l->held, c->section, c->slot, &held) || held.text.len == 0 ||
        held.updated_at == 0 /* a factory default is no edit (merge §3) */)
        return false;
    if (l->merge->ancestor && trivet_merge_entry_at(l->merge->ancestor, c->section, c->slot, &base) &&
        same_slice(base.text, held.text))
        return false;
    return trivet_merge_entry_at(l->merge->merged, c->section, c->slot, &is) &&
           !same_slice(is.text, held.text) && trivet_merge_entry_at(across, c->section, c->slot, &other) &&
           same_slice(is.text, other.text);
}

/* ---- writing it down ---------------------------------------------------------------------------------- */

/* A document of the one item or entry as `state` has it; where it is not there, or is dead, its slot is empty. */
static int form_of(const trivet_merge_state *state, const trivet_merge_change *c,
                   const trivet_merge_item *held, char **out) {
    trivet_merge_error why = TRIVET_MERGE_ERROR_INIT;
    trivet_merge_state *form = NULL;
    trivet_merge_item item = *held;
    trivet_merge_entry entry;
    size_t slot = c->slot, len;
    int rc = trivet_merge_state_new(&form);

    if (rc == 0 && c->id.data) {
        bool there = find(state, c, &item, &slot) && !item.deleted;
        rc = trivet_merge_put_item(form, c->section, slot, &item, &why);
        if (rc == 0 && !there)
            rc = trivet_merge_remove_item(form, c->section, c->id);
    } else if (rc == 0 && trivet_merge_entry_at(state, c->section, c->slot, &entry)) {
        rc = trivet_merge_put_entry(form, c->section, c->slot, &entry, &why);
    }
    if (rc == 0)
        rc = trivet_merge_state_write(form, out, &len);
    trivet_merge_state_free(form);
    return rc;
}

static const char *reason(const struct look *l, const trivet_merge_change *c) {
    trivet_merge_item p, k;
    trivet_merge_entry pe, ke;

    if (!l->merge->result)
        return "large_change";
    if (c->kind == TRIVET_MERGE_TOMBSTONED || c->kind == TRIVET_MERGE_REMOVED)
        return "deleted";
    bool equal = c->id.data ? find(l->merge->phone, c, &p, NULL) && find(l->merge->computer, c, &k, NULL) &&
                                  p.updated_at == k.updated_at
                            : trivet_merge_entry_at(l->merge->phone, c->section, c->slot, &pe) &&
                                  trivet_merge_entry_at(l->merge->computer, c->section, c->slot, &ke) &&
                                  pe.updated_at == ke.updated_at;
    return equal ? "tie" : "newer";
}

static int keep(const struct look *l, const trivet_merge_change *c, char *fields) {
    lost_row row = {.time = l->merge->now, .fields = fields};
    trivet_merge_item held = {0};
    int rc;

    snprintf(row.device, sizeof row.device, "%s", l->merge->device);
    snprintf(row.phone, sizeof row.phone, "%s", l->merge->phone_name);
    snprintf(row.side, sizeof row.side, "%s", trivet_merge_side_name(l->side));
    snprintf(row.reason, sizeof row.reason, "%s", reason(l, c));
    if (c->id.data)
        find(l->held, c, &held, NULL);
    if (form_of(l->held, c, &held, &row.form) != 0 || form_of(l->merge->merged, c, &held, &row.stands) != 0)
        rc = store_out_of_memory(l->err);
    else
        rc = lost_add(l->store, &row, l->err);
    free(row.form);
    free(row.stands);
    return rc;
}

/* ---- all changes -------------------------------------------------------------------------------------- */

static bool edited(const struct look *l, const trivet_merge_change *c) {
    return c->id.data ? item_edited(l, c) : entry_edited(l, c);
}

/* Changes `from` to `to` are of one thing, on l->side. */
static int look_at(const struct look *l, size_t from, size_t to) {
    char *fields = NULL;
    size_t size = 0;
    FILE *f = NULL;
    trivet_merge_change c, first = {0};
    int count = 0;

    for (size_t i = from; i < to; i++) {
        trivet_merge_result_change(l->result, i, &c);
        if (!edited(l, &c))
            continue;
        if (!f && !(f = open_memstream(&fields, &size)))
            return store_out_of_memory(l->err);
        if (size == 0 && count == 0)
            first = c;
        trivet_merge_slice field = c.kind == TRIVET_MERGE_MOVED ? (trivet_merge_slice){"slot", 4} : c.field;
        if (c.kind == TRIVET_MERGE_EDITED || c.kind == TRIVET_MERGE_MOVED)
            fprintf(f, "%s\"%.*s\"", count++ ? "," : "", (int)field.len, field.data);
    }
    if (!f)
        return 0;
    if (fclose(f) != 0) {
        free(fields);
        return store_out_of_memory(l->err);
    }
    char *array = NULL;
    int rc = asprintf(&array, "[%s]", fields) < 0 ? store_out_of_memory(l->err) : keep(l, &first, array);
    free(array);
    free(fields);
    return rc;
}

/* The changes of l->result, those on l->side; `any`: of both sides, each as its own. */
static int look_through(struct look *l, bool any) {
    size_t count = trivet_merge_result_change_count(l->result), from = 0;
    int rc = 0;

    while (rc == 0 && from < count) {
        trivet_merge_change first, next;
        size_t to = from + 1;
        trivet_merge_result_change(l->result, from, &first);
        for (; to < count; to++) {
            trivet_merge_result_change(l->result, to, &next);
            if (!is_same_thing(&first, &next))
                break;
        }
        if (any) {
            l->side = first.side;
            l->held = first.side == TRIVET_MERGE_PHONE ? l->merge->phone : l->merge->computer;
        }
        if (!l->merge->import || l->side == TRIVET_MERGE_COMPUTER)
            rc = look_at(l, from, to);
        from = to;
    }
    return rc;
}

/* What one side gives up, found by comparing it with what was made of it. */
static int look_from(struct look *l, trivet_merge_side side) {
    trivet_merge_options options = TRIVET_MERGE_OPTIONS_INIT;
    trivet_merge_error why = TRIVET_MERGE_ERROR_INIT;
    trivet_merge_result *result = NULL;

    l->side = side;
    l->held = side == TRIVET_MERGE_PHONE ? l->merge->phone : l->merge->computer;
    options.large = TRIVET_MERGE_LARGE_COMPUTER;
    if (trivet_merge(l->held, l->held, l->merge->merged, &options, &result, &why) != 0)
        return store_out_of_memory(l->err);
    l->result = result;
    int rc = look_through(l, false);
    trivet_merge_result_free(result);
    return rc;
}

int lost_edits_note(store *s, const lost_edits *merge, store_error *err) {
    struct look l = {.store = s, .merge = merge, .result = merge->result, .err = err};

    if (merge->result)
        return look_through(&l, true);
    int rc = look_from(&l, TRIVET_MERGE_PHONE);
    return rc == 0 ? look_from(&l, TRIVET_MERGE_COMPUTER) : rc;
}
