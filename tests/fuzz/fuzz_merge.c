/*
 * Any three documents, with a record separator (0x1e) between them, ancestor first; an empty first one is a merge without an
 * ancestor. What can be read can be merged, the same way each time, what comes out is a state, the laws of merge §6 hold as far as they
 * do for states of which nothing is known, and none of it takes steps for each pair of anything (the Makefile has the library's basic
 * blocks counted).
 *
 * Not held here: O2 and O3, for which one has to find out what was moved, and O4, for which, what was renumbered
 * (tests/test_merge_properties.c does, by trying every subset); L7, which is about many merges (tests/test_reconcile_sim.c).
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <trivet_merge.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t steps;

/* Stands in for what each block calls (the Makefile's --wrap). */
void __wrap___sanitizer_cov_trace_pc(void);
void __wrap___sanitizer_cov_trace_pc(void) {
    steps++;
}

static void expect(bool good) {
    if (!good)
        abort();
}

static bool same_bytes(trivet_merge_slice a, trivet_merge_slice b) {
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

/* ---- states -------------------------------------------------------------------------------------------- */

static trivet_merge_state *read_part(const char *text, size_t len) {
    trivet_merge_error err = TRIVET_MERGE_ERROR_INIT;
    trivet_merge_state *state = NULL;
    return trivet_merge_state_read(text, len, TRIVET_MERGE_PHONE, &state, &err) == 0 ? state : NULL;
}

/* The same once more from its own document: with no duplicates. */
static trivet_merge_state *canonical(trivet_merge_state *state) {
    trivet_merge_error err = TRIVET_MERGE_ERROR_INIT;
    trivet_merge_state *again = NULL;
    char *json = NULL;
    size_t len = 0;
    expect(trivet_merge_state_write(state, &json, &len) == 0);
    expect(trivet_merge_state_read_steal(json, len, TRIVET_MERGE_PHONE, &again, &err) == 0);
    expect(trivet_merge_state_equal(again, state));
    trivet_merge_state_free(state);
    return again;
}

/* Walks the items of a state. */
typedef struct {
    const trivet_merge_state *state;
    unsigned section;
    size_t slot, next;
    trivet_merge_item item; /* in `section` and `slot` */
} walk;

static bool step(walk *w) {
    for (; w->section <= TRIVET_MERGE_LOCKED_LISTS; w->section++, w->slot = 0) {
        for (; w->slot < TRIVET_MERGE_MAX_SLOTS; w->slot++, w->next = 0)
            if (trivet_merge_item_at(w->state, (trivet_merge_section)w->section, w->slot, w->next,
                                     &w->item)) {
                w->next++;
                return true;
            }
    }
    return false;
}

/* The item that `w` is at, on another side. */
static bool find(const trivet_merge_state *state, const walk *w, trivet_merge_item *item, size_t *slot) {
    return state && trivet_merge_item_find(state, (trivet_merge_section)w->section, w->item.id, item, slot);
}

/* ---- merging ------------------------------------------------------------------------------------------- */

static trivet_merge_result *merge(const trivet_merge_state *a, const trivet_merge_state *p,
                                  const trivet_merge_state *c) {
    trivet_merge_error err = TRIVET_MERGE_ERROR_INIT;
    trivet_merge_result *result = NULL;
    expect(trivet_merge(a, p, c, NULL, &result, &err) == 0);
    return result;
}

static bool is_empty(const trivet_merge_result *r) {
    static const trivet_merge_counts none;
    trivet_merge_counts counts;
    trivet_merge_result_counts(r, &counts);
    return memcmp(&counts, &none, sizeof none) == 0 && trivet_merge_result_change_count(r) == 0 &&
           trivet_merge_result_tie_count(r) == 0;
}

static void check_same_document(const trivet_merge_result *one, const trivet_merge_result *two) {
    char *x = NULL, *y = NULL;
    size_t x_len = 0, y_len = 0;
    expect(trivet_merge_result_write(one, &x, &x_len) == 0 &&
           trivet_merge_result_write(two, &y, &y_len) == 0);
    expect(x_len == y_len && memcmp(x, y, x_len) == 0);
    free(x);
    free(y);
}

/* ---- L1, L5: nothing to do ----------------------------------------------------------------------------- */

static void check_unchanged(const trivet_merge_state *m) {
    trivet_merge_result *r = merge(m, m, m);
    expect(trivet_merge_result_status(r) == TRIVET_MERGE_MERGED && is_empty(r));
    expect(trivet_merge_state_equal(trivet_merge_result_snapshot(r), m));
    trivet_merge_result_free(r);
}

/* ---- L2, L3: one side's edits, or both sides' alike ---------------------------------------------------- */

/* No date of `side` is below A's: neither has a clock run back, nor is an entry a factory default. */
static bool dates_rise(const trivet_merge_state *a, const trivet_merge_state *side) {
    trivet_merge_item was;
    trivet_merge_entry before, entry;
    for (walk w = {.state = side}; step(&w);)
        if (find(a, &w, &was, NULL) && w.item.updated_at < was.updated_at)
            return false;
    for (unsigned s = TRIVET_MERGE_LISTS_CATEGORIES; s < TRIVET_MERGE_SECTIONS; s++)
        for (size_t i = 0; trivet_merge_entry_at(side, (trivet_merge_section)s, i, &entry); i++)
            if (trivet_merge_entry_at(a, (trivet_merge_section)s, i, &before) &&
                entry.updated_at < before.updated_at)
                return false;
    return true;
}

/* Both hold as many entries, or the side has no view of them. */
static bool entries_match(const trivet_merge_state *a, const trivet_merge_state *side) {
    for (unsigned s = TRIVET_MERGE_LISTS_CATEGORIES; s < TRIVET_MERGE_SECTIONS; s++)
        if (trivet_merge_state_has(side, (trivet_merge_section)s) &&
            trivet_merge_slot_count(side, (trivet_merge_section)s) <
                trivet_merge_slot_count(a, (trivet_merge_section)s))
            return false;
    return true;
}

/* What comes out is what the one side that edited holds, or both do. */
static void check_taken(const trivet_merge_state *a, const trivet_merge_state *p, const trivet_merge_state *c,
                        const trivet_merge_state *edited) {
    trivet_merge_result *r = merge(a, p, c);
    if (trivet_merge_result_status(r) != TRIVET_MERGE_LARGE_CHANGE) {
        expect(trivet_merge_result_tie_count(r) == 0);
        expect(trivet_merge_state_agrees(trivet_merge_result_snapshot(r), edited));
        expect(p != c || is_empty(r));
    }
    trivet_merge_result_free(r);
}

static void check_one_side(const trivet_merge_state *a, const trivet_merge_state *x) {
    check_taken(NULL, x, x, x);
    if (!a || !dates_rise(a, x) || !entries_match(a, x))
        return;
    check_taken(a, x, x, x);
    check_taken(a, x, a, x);
    check_taken(a, a, x, x);
}

/* ---- L4: swapped ---------------------------------------------------------------------------------------- */

static void check_mirrored_ties(const trivet_merge_result *one, const trivet_merge_result *two) {
    size_t count = trivet_merge_result_tie_count(one);
    expect(trivet_merge_result_tie_count(two) == count);
    for (size_t i = 0; i < count; i++) {
        trivet_merge_tie x, y;
        bool found = false;
        trivet_merge_result_tie(one, i, &x);
        for (size_t j = 0; j < count && !found;
             j++) { /* M's slot may be tied itself, and order them otherwise */
            trivet_merge_result_tie(two, j, &y);
            found = x.section == y.section && same_bytes(x.item_id, y.item_id) &&
                    same_bytes(x.field, y.field) && (x.item_id.data || x.slot == y.slot);
        }
        expect(found && same_bytes(x.phone_value, y.computer_value) &&
               same_bytes(x.computer_value, y.phone_value));
    }
}

static void check_mirrored_counts(const trivet_merge_result *one, const trivet_merge_result *two) {
    trivet_merge_counts x, y;
    trivet_merge_result_counts(one, &x);
    trivet_merge_result_counts(two, &y);
    expect(x.ties == y.ties && x.restored == y.restored && x.removed == y.removed &&
           x.tombstoned == y.tombstoned && x.duplicates == y.duplicates &&
           x.scratchpad_line_merged == y.scratchpad_line_merged);
}

/* A position may have tied silently, and so may all that is dead. */
static void check_mirrored_item(const walk *w, const trivet_merge_state *swapped, bool tied) {
    trivet_merge_item other;
    size_t slot;
    expect(find(swapped, w, &other, &slot) && other.deleted == w->item.deleted &&
           other.deleted_at == w->item.deleted_at && other.updated_at == w->item.updated_at);
    if (w->item.deleted || tied)
        return;
    other.position = w->item.position;
    expect(slot == w->slot && trivet_merge_item_equal(&w->item, &other));
}

static void check_swapped(const trivet_merge_state *a, const trivet_merge_state *p,
                          const trivet_merge_state *c, const trivet_merge_result *r) {
    trivet_merge_result *swapped = merge(a, c, p);
    const trivet_merge_state *m = trivet_merge_result_snapshot(r);
    expect(trivet_merge_result_status(swapped) == trivet_merge_result_status(r));
    if (m) {
        bool tied = trivet_merge_result_tie_count(r) > 0;
        check_mirrored_ties(r, swapped);
        check_mirrored_counts(r, swapped);
        for (walk w = {.state = m}; step(&w);)
            check_mirrored_item(&w, trivet_merge_result_snapshot(swapped), tied);
    } else {
        trivet_merge_large_change x, y;
        trivet_merge_result_large_change(r, &x);
        trivet_merge_result_large_change(swapped, &y);
        expect(x.known == y.known && x.phone_missing == y.computer_missing &&
               x.computer_missing == y.phone_missing);
    }
    trivet_merge_result_free(swapped);
}

/* ---- L6: where values come from ------------------------------------------------------------------------- */

static bool holds_text(const trivet_merge_state *side, const walk *w) {
    trivet_merge_item it;
    return find(side, w, &it, NULL) && same_bytes(it.text, w->item.text);
}

static bool holds_slot(const trivet_merge_state *side, const walk *w) {
    trivet_merge_item it;
    size_t slot;
    return find(side, w, &it, &slot) && slot == w->slot;
}

static void check_nothing_missing(const trivet_merge_state *a, const trivet_merge_state *side,
                                  const trivet_merge_state *m) {
    trivet_merge_item it;
    for (walk w = {.state = side}; step(&w);)
        expect(find(a, &w, &it, NULL) || find(m, &w, &it, NULL));
}

/* A side without a view of them stands for what A holds. */
static void check_held(const trivet_merge_state *a, const trivet_merge_state *p, const trivet_merge_state *c,
                       const trivet_merge_state *m) {
    for (walk w = {.state = m}; step(&w);) {
        trivet_merge_section section = (trivet_merge_section)w.section;
        const trivet_merge_state *third =
            trivet_merge_state_has(p, section) && trivet_merge_state_has(c, section) ? NULL : a;
        expect(holds_text(p, &w) || holds_text(c, &w) || holds_text(third, &w));
        expect(holds_slot(p, &w) || holds_slot(c, &w) || holds_slot(third, &w));
    }
    check_nothing_missing(a, p, m);
    check_nothing_missing(a, c, m);
}

/* ---- O1: one side left a slot alone ---------------------------------------------------------------------- */

/* No item of the slot added, moved or given another position, tombstones included: the other side may restore what they are of. */
static bool left_alone(const trivet_merge_state *a, const trivet_merge_state *side,
                       trivet_merge_section section, size_t slot) {
    trivet_merge_item it, was;
    size_t at;
    for (size_t i = 0; trivet_merge_item_at(side, section, slot, i, &it); i++) {
        bool known = trivet_merge_item_find(a, section, it.id, &was, &at);
        if (known ? at != slot || was.position != it.position || (was.deleted && !it.deleted) : !it.deleted)
            return false;
    }
    for (size_t i = 0; trivet_merge_item_at(a, section, slot, i, &it); i++)
        if (trivet_merge_item_find(side, section, it.id, NULL, &at) && at != slot)
            return false;
    return true;
}

/* M's live items of the slot that `side` holds live there come in that side's order. */
static void check_order(const trivet_merge_state *m, const trivet_merge_state *side,
                        trivet_merge_section section, size_t slot) {
    trivet_merge_item it, held, last = {.text = {NULL, 0}};
    size_t at;
    bool any = false;
    for (size_t i = 0; trivet_merge_item_at(m, section, slot, i, &it); i++) {
        if (it.deleted || !trivet_merge_item_find(side, section, it.id, &held, &at) || at != slot ||
            held.deleted)
            continue;
        if (any && held.position <= last.position) {
            size_t common = held.id.len < last.id.len ? held.id.len : last.id.len;
            int order = memcmp(last.id.data, held.id.data, common);
            expect(held.position == last.position &&
                   (order < 0 || (order == 0 && last.id.len < held.id.len)));
        }
        last = held;
        any = true;
    }
}

static void check_orders(const trivet_merge_state *a, const trivet_merge_state *p,
                         const trivet_merge_state *c, const trivet_merge_state *m) {
    for (unsigned s = TRIVET_MERGE_LISTS; s <= TRIVET_MERGE_LOCKED_LISTS; s++) {
        trivet_merge_section section = (trivet_merge_section)s;
        if (!trivet_merge_state_has(p, section) || !trivet_merge_state_has(c, section))
            continue;
        for (size_t slot = 0; slot < trivet_merge_slot_count(m, section); slot++) {
            if (left_alone(a, p, section, slot))
                check_order(m, c, section, slot);
            if (left_alone(a, c, section, slot))
                check_order(m, p, section, slot);
        }
    }
}

/* ---- O5: no more than n log n steps --------------------------------------------------------------------- */

/* Lines may be looked at pair by pair, up to a bound (merge §4). Generous otherwise: a pair of anything else would break it. */
static uint64_t steps_allowed(const uint8_t *data, size_t size) {
    enum { EACH = 300 };
    uint64_t lines = 1, bits = 1;
    for (size_t i = 1; i < size; i++)
        lines += data[i - 1] == '\\' && (data[i] == 'n' || data[i] == 'u');
    uint64_t pairs = lines * lines < UINT64_C(1) << 22 ? lines * lines : UINT64_C(1) << 22;
    while (size >> bits != 0)
        bits++;
    return EACH * (size + 1000) * bits + EACH * pairs;
}

/* ---- one input ------------------------------------------------------------------------------------------ */

static void check(const trivet_merge_state *a, const trivet_merge_state *p, const trivet_merge_state *c,
                  uint64_t allowed) {
    steps = 0;
    trivet_merge_result *r = merge(a, p, c);
    expect(steps <= allowed);
    trivet_merge_result *again = merge(a, p, c);
    check_same_document(r, again);
    trivet_merge_result_free(again);
    const trivet_merge_state *m = trivet_merge_result_snapshot(r);
    check_swapped(a, p, c, r);
    if (m) {
        check_unchanged(m);
        check_held(a, p, c, m);
        if (a)
            check_orders(a, p, c, m);
    }
    trivet_merge_result_free(r);
    check_unchanged(p);
    check_one_side(a, p);
    check_one_side(a, c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const char *text = (const char *)data;
    const char *first = memchr(data, 0x1e, size);
    const char *second = first ? memchr(first + 1, 0x1e, size - (size_t)(first + 1 - text)) : NULL;
    uint64_t allowed = steps_allowed(data, size);
    if (!second)
        return 0;
    steps = 0;
    trivet_merge_state *a = first == text ? NULL : read_part(text, (size_t)(first - text));
    trivet_merge_state *p = read_part(first + 1, (size_t)(second - first - 1));
    trivet_merge_state *c = read_part(second + 1, size - (size_t)(second + 1 - text));
    expect(steps <= allowed);
    if ((a || first == text) && p && c) {
        trivet_merge_result *r = merge(a, p, c); /* with whatever duplicates they have */
        trivet_merge_result_free(r);
        a = a ? canonical(a) : NULL;
        p = canonical(p);
        c = canonical(c);
        check(a, p, c, allowed);
    }
    trivet_merge_state_free(c);
    trivet_merge_state_free(p);
    trivet_merge_state_free(a);
    return 0;
}
