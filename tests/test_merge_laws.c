/*
 * The laws of merge §6 on random states.
 *
 * A case is an ancestor and two descendants of it, each with random edits. A descendant's edits carry dates that the
 * other's cannot have, so that nothing ties; in `wild` cases dates and everything else are at random.
 */
#include "test_merge_support.h"

enum { CASES = 3000, IDS = 12, SLOTS = 3, ENTRIES = 3 };

typedef struct {
    bool held, deleted;
    int slot, text, done, position, created, updated, deleted_at, unknown; /* done 2, unknown 0: lacking */
} item;

typedef struct {
    int text, updated;
} entry;

typedef struct {
    item items[2][IDS];
    entry entries[2][ENTRIES]; /* categories and scratchpads */
    int extra;
    bool no_view[4]; /* lists, lockedLists, listsCategories, scratchpad */
} model;

/* ---- making ------------------------------------------------------------------------------------------- */

/* Equal values, differently written, among them. */
static const char *const unknown_values[] = {
    "", "1", "1.0", "{\"a\":1,\"b\":[2]}", "{\"b\":[2e0],\"a\":1}", "null", "\"x\""};

static int below(uint64_t *seed, int bound) {
    return (int)random_below(seed, (size_t)bound);
}

static item random_item(uint64_t *seed, int time) {
    item it = {true,           below(seed, 4) == 0, below(seed, SLOTS), below(seed, 4),
               below(seed, 3), below(seed, 6),      below(seed, 4),     time,
               below(seed, 8), below(seed, 7)};
    if (!it.deleted)
        it.deleted_at = -1;
    return it;
}

static model random_model(uint64_t *seed) {
    model m = {.extra = below(seed, 3)};
    for (int s = 0; s < 2; s++) {
        for (int i = 0; i < IDS; i++)
            if (below(seed, 4) != 0)
                m.items[s][i] = random_item(seed, 10 + below(seed, 5));
        for (int i = 0; i < ENTRIES; i++)
            m.entries[s][i] = (entry){below(seed, 4), 10 + below(seed, 5)};
    }
    return m;
}

static void edit_item(uint64_t *seed, item *it, int time) {
    switch (below(seed, 9)) {
    case 0:
        it->held = false;
        return;
    case 1:
        it->deleted = !it->deleted;
        it->deleted_at = it->deleted ? time : -1;
        break;
    case 2:
        it->slot = below(seed, SLOTS);
        it->position = below(seed, 6);
        break;
    case 3:
        it->position = below(seed, 6);
        break;
    case 4:
        it->done = below(seed, 3);
        break;
    case 5:
        it->unknown = below(seed, 7);
        break;
    case 6:
        it->created = below(seed, 4);
        break;
    default:
        it->text = below(seed, 4);
    }
    it->updated = time;
}

/* Edits dated `time`, `time` + 2, ... */
static model edited(uint64_t *seed, const model *from, int time) {
    model m = *from;
    for (int edits = below(seed, 12); edits > 0; edits--, time += 2) {
        int s = below(seed, 2), i = below(seed, IDS);
        if (below(seed, 5) == 0)
            m.entries[s][i % ENTRIES] = (entry){below(seed, 4), time};
        else if (m.items[s][i].held)
            edit_item(seed, &m.items[s][i], time);
        else
            m.items[s][i] = random_item(seed, time);
    }
    return m;
}

static model wild(uint64_t *seed) {
    model m = random_model(seed);
    for (int s = 0; s < 2; s++)
        for (int i = 0; i < ENTRIES; i++)
            m.entries[s][i].updated = below(seed, 3);
    for (int i = 0; i < 4; i++)
        m.no_view[i] = below(seed, 6) == 0;
    return m;
}

/* ---- to a document ------------------------------------------------------------------------------------ */

static char *put_item(char *p, int id, const item *it) {
    p += sprintf(p, "{\"id\":\"i%d\",\"text\":\"t%d\",\"position\":%d,\"createdAt\":%d,\"updatedAt\":%d", id,
                 it->text, it->position, it->created, it->updated);
    if (it->done < 2)
        p += sprintf(p, ",\"done\":%s", it->done ? "true" : "false");
    if (it->deleted)
        p += sprintf(p, ",\"deleted\":true");
    if (it->deleted_at >= 0)
        p += sprintf(p, ",\"deletedAt\":%d", it->deleted_at);
    if (it->unknown > 0)
        p += sprintf(p, ",\"u\":%s", unknown_values[it->unknown]);
    return p + sprintf(p, "}");
}

static char *put_section(char *p, const item *items) {
    *p++ = '[';
    for (int slot = 0; slot < SLOTS; slot++) {
        p += sprintf(p, slot ? ",[" : "[");
        for (int i = 0, any = 0; i < IDS; i++) {
            if (!items[i].held || items[i].slot != slot)
                continue;
            if (any++)
                *p++ = ',';
            p = put_item(p, i, &items[i]);
        }
        *p++ = ']';
    }
    return p + sprintf(p, "]");
}

static char *put_entries(char *p, const entry *entries, const char *key) {
    *p++ = '[';
    for (int i = 0; i < ENTRIES; i++)
        p += sprintf(p, "%s{\"%s\":\"e%d\",\"updatedAt\":%d}", i ? "," : "", key, entries[i].text,
                     entries[i].updated);
    return p + sprintf(p, "]");
}

static trivet_merge_state *state_of(const model *m) {
    char *json = allocate(16384), *p = json + sprintf(json, "{\"extra\":%d", m->extra);
    trivet_merge_error err = TRIVET_MERGE_ERROR_INIT;
    trivet_merge_state *state;
    if (!m->no_view[0])
        p = put_section(p + sprintf(p, ",\"lists\":"), m->items[0]);
    if (!m->no_view[1])
        p = put_section(p + sprintf(p, ",\"lockedLists\":"), m->items[1]);
    if (!m->no_view[2])
        p = put_entries(p + sprintf(p, ",\"listsCategories\":"), m->entries[0], "label");
    if (!m->no_view[3])
        p = put_entries(p + sprintf(p, ",\"scratchpad\":"), m->entries[1], "content");
    p += sprintf(p, "}");
    if (trivet_merge_state_read_steal(json, (size_t)(p - json), TRIVET_MERGE_PHONE, &state, &err) != 0)
        fail_msg("%s: %s", err.path, err.reason);
    return state;
}

/* ---- merging ------------------------------------------------------------------------------------------ */

static trivet_merge_result *merged(const trivet_merge_state *a, const trivet_merge_state *p,
                                   const trivet_merge_state *c) {
    trivet_merge_options options = TRIVET_MERGE_OPTIONS_INIT;
    trivet_merge_error err = TRIVET_MERGE_ERROR_INIT;
    trivet_merge_result *result;
    options.large_threshold = 1; /* half of the cases would ask otherwise */
    options.large = TRIVET_MERGE_LARGE_BOTH;
    if (trivet_merge(a, p, c, &options, &result, &err) != 0)
        fail_msg("%s: %s", err.path, err.reason);
    assert_int_not_equal(trivet_merge_result_status(result), TRIVET_MERGE_LARGE_CHANGE);
    return result;
}

static void assert_empty_report(const trivet_merge_result *result) {
    static const trivet_merge_counts none;
    trivet_merge_counts counts;
    trivet_merge_result_counts(result, &counts);
    assert_memory_equal(&counts, &none, sizeof none);
    assert_int_equal(trivet_merge_result_change_count(result), 0);
    assert_int_equal(trivet_merge_result_tie_count(result), 0);
}

/* The three states of a case, and their documents. */
typedef struct {
    model am, pm, cm;
    trivet_merge_state *a, *p, *c;
} test_case;

static test_case make_case(uint64_t seed, bool is_wild) {
    test_case t;
    t.am = is_wild ? wild(&seed) : random_model(&seed);
    t.pm = is_wild ? wild(&seed) : edited(&seed, &t.am, 101);
    t.cm = is_wild ? wild(&seed) : edited(&seed, &t.am, 102);
    t.a = state_of(&t.am);
    t.p = state_of(&t.pm);
    t.c = state_of(&t.cm);
    return t;
}

static void release_case(test_case *t) {
    trivet_merge_state_free(t->a);
    trivet_merge_state_free(t->p);
    trivet_merge_state_free(t->c);
}

static void for_each_case(void (*check)(test_case *), bool is_wild) {
    for (uint64_t seed = 1; seed <= CASES; seed++) {
        test_case t = make_case(seed, is_wild);
        check(&t);
        release_case(&t);
    }
}

/* ---- the laws ----------------------------------------------------------------------------------------- */

static void check_law1(test_case *t) {
    trivet_merge_result *r = merged(t->a, t->a, t->a);
    assert_true(trivet_merge_state_equal(trivet_merge_result_snapshot(r), t->a));
    assert_empty_report(r);
    trivet_merge_result_free(r);
}

/* What is left of P's updatedAt, which never falls below A's. */
static model not_below(const model *p, const model *a) {
    model m = *p;
    for (int s = 0; s < 2; s++) {
        for (int i = 0; i < IDS; i++)
            if (a->items[s][i].held && a->items[s][i].updated > m.items[s][i].updated)
                m.items[s][i].updated = a->items[s][i].updated;
        for (int i = 0; i < ENTRIES; i++)
            if (a->entries[s][i].updated > m.entries[s][i].updated)
                m.entries[s][i].updated = a->entries[s][i].updated;
    }
    return m;
}

static void check_one_side(const trivet_merge_state *a, const trivet_merge_state *p,
                           const trivet_merge_state *c, const model *expected) {
    trivet_merge_state *wanted = state_of(expected);
    trivet_merge_result *r = merged(a, p, c);
    assert_true(trivet_merge_state_agrees(trivet_merge_result_snapshot(r), wanted));
    assert_int_equal(trivet_merge_result_tie_count(r), 0);
    trivet_merge_result_free(r);
    trivet_merge_state_free(wanted);
}

static void check_law2(test_case *t) {
    model p = not_below(&t->pm, &t->am), c = not_below(&t->cm, &t->am);
    check_one_side(t->a, t->p, t->a, &p);
    check_one_side(t->a, t->a, t->c, &c);
}

static void check_law3(test_case *t) {
    trivet_merge_result *r = merged(t->a, t->p, t->p);
    assert_true(trivet_merge_state_agrees(trivet_merge_result_snapshot(r), t->p));
    assert_empty_report(r);
    trivet_merge_result_free(r);
    r = merged(NULL, t->p, t->p);
    assert_true(trivet_merge_state_equal(trivet_merge_result_snapshot(r), t->p));
    assert_empty_report(r);
    trivet_merge_result_free(r);
}

/* How often a change of `kind` is reported for `side`. */
static size_t changes_of(const trivet_merge_result *r, trivet_merge_side side, trivet_merge_kind kind) {
    size_t count = 0;
    for (size_t i = 0; i < trivet_merge_result_change_count(r); i++) {
        trivet_merge_change change;
        trivet_merge_result_change(r, i, &change);
        count += change.side == side && change.kind == kind;
    }
    return count;
}

/*
 * Whether a side gave an item that it left in the slot another position: then the order of it may be built. For such slots
 * test_merge_properties.c finds out who renumbered what, and holds L4 and L6 to positions, too.
 */
static bool repositioned(const test_case *t, int section, int slot) {
    const model *const sides[] = {&t->pm, &t->cm};
    for (int i = 0; i < 2 * IDS; i++) {
        const item *a = &t->am.items[section][i / 2], *held = &sides[i % 2]->items[section][i / 2];
        if (a->held && !a->deleted && held->held && !held->deleted && a->slot == slot && held->slot == slot &&
            a->position != held->position)
            return true;
    }
    return false;
}

/* All but the values of an order that was built, which start from those of C if both sides renumbered the slot. */
static void check_same(const test_case *t, const trivet_merge_state *x, const trivet_merge_state *y) {
    for (int section = 0; section < 2; section++) {
        for (size_t slot = 0; slot < SLOTS; slot++) {
            trivet_merge_item held, other;
            size_t other_slot;
            assert_int_equal(trivet_merge_item_count(x, (trivet_merge_section)section, slot),
                             trivet_merge_item_count(y, (trivet_merge_section)section, slot));
            for (size_t i = 0; trivet_merge_item_at(x, (trivet_merge_section)section, slot, i, &held); i++) {
                assert_true(
                    trivet_merge_item_find(y, (trivet_merge_section)section, held.id, &other, &other_slot));
                assert_int_equal(other_slot, slot);
                if (!held.deleted && repositioned(t, section, (int)slot))
                    other.position = held.position;
                assert_true(trivet_merge_item_equal(&held, &other));
            }
        }
    }
    for (int section = TRIVET_MERGE_LISTS_CATEGORIES; section < TRIVET_MERGE_SECTIONS; section++) {
        trivet_merge_entry mine, other;
        for (size_t i = 0; trivet_merge_entry_at(x, (trivet_merge_section)section, i, &mine); i++) {
            assert_true(trivet_merge_entry_at(y, (trivet_merge_section)section, i, &other));
            assert_true(trivet_merge_entry_equal(&mine, &other));
        }
    }
}

static void check_law4(test_case *t) {
    trivet_merge_result *r = merged(t->a, t->p, t->c), *swapped = merged(t->a, t->c, t->p);
    trivet_merge_counts x, y;
    assert_int_equal(trivet_merge_result_status(r), TRIVET_MERGE_MERGED);
    check_same(t, trivet_merge_result_snapshot(r), trivet_merge_result_snapshot(swapped));
    for (int section = 0; section < 2; section++)
        for (int slot = 0; slot < SLOTS; slot++)
            if (repositioned(t, section, slot))
                goto out; /* then neither moves nor how many are the same */
    trivet_merge_result_counts(r, &x);
    trivet_merge_result_counts(swapped, &y);
    size_t from_phone = y.added_from_phone;
    y.added_from_phone = y.added_from_computer;
    y.added_from_computer = from_phone;
    assert_memory_equal(&x, &y, sizeof x);
    for (int kind = TRIVET_MERGE_ADDED; kind <= TRIVET_MERGE_RESTORED; kind++)
        for (int side = TRIVET_MERGE_PHONE; side <= TRIVET_MERGE_COMPUTER; side++)
            assert_int_equal(
                changes_of(r, (trivet_merge_side)side, (trivet_merge_kind)kind),
                changes_of(swapped, (trivet_merge_side)(TRIVET_MERGE_PHONE + TRIVET_MERGE_COMPUTER - side),
                           (trivet_merge_kind)kind));
out:
    trivet_merge_result_free(swapped);
    trivet_merge_result_free(r);
}

static void check_law5(test_case *t) {
    trivet_merge_result *r = merged(t->a, t->p, t->c);
    const trivet_merge_state *m = trivet_merge_result_snapshot(r);
    trivet_merge_result *again = merged(m, m, m);
    assert_true(trivet_merge_state_equal(trivet_merge_result_snapshot(again), m));
    assert_empty_report(again);
    trivet_merge_result_free(again);
    /* and what is written reads back as what it was */
    char *text = write_text(m);
    trivet_merge_state *read = read_text(text);
    assert_true(trivet_merge_state_equal(read, m));
    assert_state(read, text);
    trivet_merge_state_free(read);
    free(text);
    trivet_merge_result_free(r);
}

static bool find(const trivet_merge_state *state, int section, trivet_merge_slice id,
                 trivet_merge_item *out) {
    return trivet_merge_item_find(state, (trivet_merge_section)section, id, out, NULL);
}

static void check_held(const test_case *t, int section, size_t slot, const trivet_merge_item *m) {
    trivet_merge_item p, c;
    bool in_p = find(t->p, section, m->id, &p), in_c = find(t->c, section, m->id, &c);
    assert_true(in_p || in_c);
    assert_true((in_p && p.text.len == m->text.len && memcmp(p.text.data, m->text.data, m->text.len) == 0) ||
                (in_c && c.text.len == m->text.len && memcmp(c.text.data, m->text.data, m->text.len) == 0));
    assert_true((in_p && p.position == m->position) || (in_c && c.position == m->position) ||
                repositioned(t, section, (int)slot));
    assert_true((in_p && p.done == m->done) || (in_c && c.done == m->done));
}

/* Every value of a live item was held by a side; nothing that one side added is missing. */
static void check_law6(test_case *t) {
    trivet_merge_result *r = merged(t->a, t->p, t->c);
    const trivet_merge_state *m = trivet_merge_result_snapshot(r);
    for (int section = 0; section < 2; section++) {
        for (size_t slot = 0; slot < SLOTS; slot++) {
            trivet_merge_item held, other;
            for (size_t i = 0; trivet_merge_item_at(m, (trivet_merge_section)section, slot, i, &held); i++)
                if (!held.deleted)
                    check_held(t, section, slot, &held);
            for (size_t i = 0; trivet_merge_item_at(t->p, (trivet_merge_section)section, slot, i, &held); i++)
                if (!find(t->a, section, held.id, &other))
                    assert_true(find(m, section, held.id, &other));
            for (size_t i = 0; trivet_merge_item_at(t->c, (trivet_merge_section)section, slot, i, &held); i++)
                if (!find(t->a, section, held.id, &other))
                    assert_true(find(m, section, held.id, &other));
        }
    }
    trivet_merge_result_free(r);
}

#define LAW(name, check, is_wild)                                                                            \
    static void name(void **unused) {                                                                        \
        (void)unused;                                                                                        \
        for_each_case(check, is_wild);                                                                       \
    }

LAW(law1, check_law1, true)
LAW(law2, check_law2, false)
LAW(law3, check_law3, false)
LAW(law4, check_law4, false)
LAW(law5, check_law5, false)
LAW(law5_wild, check_law5, true)
LAW(law6, check_law6, false)

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(law1), cmocka_unit_test(law2),      cmocka_unit_test(law3), cmocka_unit_test(law4),
        cmocka_unit_test(law5), cmocka_unit_test(law5_wild), cmocka_unit_test(law6),
    };
    return cmocka_run_group_tests_name("merge: laws", tests, NULL, NULL);
}
