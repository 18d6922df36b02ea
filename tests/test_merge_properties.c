/*
 * Laws L1 to L6 (merge §6) and the order of a slot, O1 to O5 (merge §5), on random histories of lists, orders and texts.
 *
 *     test_merge_properties [CASES] [SEED]
 *
 * A case that breaks one is made as small as it can be while it still does, and left as a folder for `trivet merge --check`,
 * with what the engine has now as what is expected. Its seed is printed: it runs again as `test_merge_properties 1 SEED`.
 *
 * What a side moved is found here by trying every subset of a slot, so that nothing is shared with the engine's way.
 */
#include <limits.h>
#include <sys/stat.h>

#include "test_merge_history.h"

enum { MANY = 150000 };

/* What a side did to a slot. Sets are bits by id. */
typedef struct {
    unsigned unmoved, moved; /* of those that A and the side hold live there */
    bool renumbered;
} deed;

/* A slot before the merge and after it. */
typedef struct {
    int slot;
    deed p, c;
    unsigned fixed;        /* live in A, P and C there, and moved by neither */
    int ids[IDS], count;   /* M's, in order */
    double positions[IDS]; /* of `ids` */
} slot_view;

/* What the three hold, and that as states and merged while a property is looked at. */
typedef struct {
    models m;
    trivet_merge_state *sa, *sp, *sc;
    trivet_merge_result *r;
    slot_view slots[SLOTS];
} history;

static trivet_merge_state *state_of(const model *m) {
    char *json = write_model(m);
    trivet_merge_error err = TRIVET_MERGE_ERROR_INIT;
    trivet_merge_state *state;
    if (trivet_merge_state_read_steal(json, strlen(json), TRIVET_MERGE_PHONE, &state, &err) != 0)
        fail_msg("%s: %s", err.path, err.reason);
    return state;
}

static trivet_merge_result *merge(const trivet_merge_state *a, const trivet_merge_state *p,
                                  const trivet_merge_state *c) {
    trivet_merge_options options = TRIVET_MERGE_OPTIONS_INIT;
    trivet_merge_error err = TRIVET_MERGE_ERROR_INIT;
    trivet_merge_result *result;
    options.large_threshold = 1;
    if (trivet_merge(a, p, c, &options, &result, &err) != 0)
        fail_msg("%s: %s", err.path, err.reason);
    return result;
}

static bool is_question(const trivet_merge_result *r) {
    return trivet_merge_result_status(r) == TRIVET_MERGE_LARGE_CHANGE;
}

/* ---- a slot ------------------------------------------------------------------------------------------- */

static bool lives_in(const item *it, int slot) {
    return it->held && !it->deleted && it->slot == slot;
}

/* What lives in a slot, in its order: ids, which here sort as their numbers do. How many. */
static int order_of(const model *m, int slot, int *ids) {
    int count = 0;
    for (int i = 0; i < IDS; i++) {
        if (!lives_in(&m->items[i], slot))
            continue;
        int at = count++;
        for (; at > 0 && m->items[ids[at - 1]].position > m->items[i].position; at--)
            ids[at] = ids[at - 1];
        ids[at] = i;
    }
    return count;
}

static int bits(unsigned set) {
    return __builtin_popcount(set);
}

/* Whether the subset of `ids` that `pick` has the bits of ascends on the side. */
static bool ascends(const model *side, const int *ids, int count, unsigned pick) {
    int last = -1;
    for (int i = 0; i < count; i++) {
        if ((pick >> i & 1) == 0)
            continue;
        if (last >= 0 && (side->items[ids[i]].position < side->items[last].position ||
                          (side->items[ids[i]].position <= side->items[last].position && ids[i] < last)))
            return false;
        last = ids[i];
    }
    return true;
}

static deed deed_of(const model *a, const model *side, int slot) {
    int ids[IDS], count = 0, in_a[IDS], all = order_of(a, slot, in_a);
    unsigned same = 0, best = 0;
    for (int i = 0; i < all; i++) {
        if (!lives_in(&side->items[in_a[i]], slot))
            continue;
        if (!(side->items[in_a[i]].position < a->items[in_a[i]].position) &&
            !(side->items[in_a[i]].position > a->items[in_a[i]].position))
            same |= 1u << count;
        ids[count++] = in_a[i];
    }
    for (unsigned pick = 1; pick < 1u << count; pick++) {
        int more = bits(pick) - bits(best), kept = bits(pick & same) - bits(best & same);
        unsigned differ = pick ^ best;
        bool first = (pick & differ & (0u - differ)) != 0; /* has the lowest that only one of them has */
        if ((more > 0 || (more == 0 && (kept > 0 || (kept == 0 && first)))) &&
            ascends(side, ids, count, pick))
            best = pick;
    }
    deed done = {.renumbered = (best & ~same) != 0};
    for (int i = 0; i < count; i++)
        *((best >> i & 1) != 0 ? &done.unmoved : &done.moved) |= 1u << ids[i];
    return done;
}

/* M's live items of a slot: their ids, in order. How many. */
static int merged_order(const trivet_merge_state *m, int slot, int *ids, double *positions) {
    trivet_merge_item it;
    int count = 0;
    for (size_t i = 0; trivet_merge_item_at(m, TRIVET_MERGE_LISTS, (size_t)slot, i, &it); i++) {
        if (it.deleted)
            continue;
        ids[count] = it.id.data[1] - '0';
        positions[count++] = it.position;
    }
    return count;
}

/* ---- order, slot by slot ------------------------------------------------------------------------------ */

/* No item of the slot added, moved or given another position. */
static bool left_alone(const model *a, const model *side, int slot) {
    for (int i = 0; i < IDS; i++) {
        const item *had = &a->items[i], *has = &side->items[i];
        if (lives_in(has, slot) &&
            (!lives_in(had, slot) || had->position < has->position || had->position > has->position))
            return false;
        if (lives_in(had, slot) && has->held && has->slot != slot)
            return false;
    }
    return true;
}

/* Whether those of `ids` that are in M's order come there in the order of `ids`. */
static bool in_order(const slot_view *v, const int *ids, int count) {
    int last = -1;
    for (int i = 0; i < count; i++) {
        for (int at = 0; at < v->count; at++) {
            if (v->ids[at] != ids[i])
                continue;
            if (at < last)
                return false;
            last = at;
        }
    }
    return true;
}

static bool o1(const history *h, const slot_view *v) {
    int ids[IDS];
    bool p = left_alone(&h->m.a, &h->m.p, v->slot), c = left_alone(&h->m.a, &h->m.c, v->slot);
    return (!p || in_order(v, ids, order_of(&h->m.c, v->slot, ids))) &&
           (!c || in_order(v, ids, order_of(&h->m.p, v->slot, ids)));
}

static bool o2(const history *h, const slot_view *v) {
    int ids[IDS], fixed = 0, count = order_of(&h->m.a, v->slot, ids);
    for (int i = 0; i < count; i++)
        if ((v->fixed >> ids[i] & 1) != 0)
            ids[fixed++] = ids[i];
    return in_order(v, ids, fixed);
}

/* The fixed items before `id` and after it: as -1 where there is none. False: it is not there. */
static bool neighbours(const slot_view *v, const int *ids, int count, int id, int *left, int *right) {
    bool seen = false;
    *left = *right = -1;
    for (int i = 0; i < count; i++) {
        if (ids[i] == id)
            seen = true;
        else if ((v->fixed >> ids[i] & 1) != 0 && !seen)
            *left = ids[i];
        else if ((v->fixed >> ids[i] & 1) != 0 && *right < 0)
            *right = ids[i];
    }
    return seen;
}

/* Held live there, and either new there or moved. */
static bool came_or_moved(const history *h, const slot_view *v, const model *side, const deed *done, int id) {
    return lives_in(&side->items[id], v->slot) &&
           (!lives_in(&h->m.a.items[id], v->slot) || (done->moved >> id & 1) != 0);
}

static bool o3(const history *h, const slot_view *v) {
    for (int id = 0; id < IDS; id++) {
        bool p = came_or_moved(h, v, &h->m.p, &v->p, id), c = came_or_moved(h, v, &h->m.c, &v->c, id);
        int ids[IDS], left, right, left_in_m, right_in_m;
        if (p == c || !neighbours(v, v->ids, v->count, id, &left_in_m, &right_in_m))
            continue;
        neighbours(v, ids, order_of(p ? &h->m.p : &h->m.c, v->slot, ids), id, &left, &right);
        if (left != left_in_m || right != right_in_m)
            return false;
    }
    return true;
}

static bool o4(const history *h, const slot_view *v) {
    if (v->p.renumbered || v->c.renumbered)
        return true;
    for (int i = 0; i < v->count; i++) {
        for (int k = 0; k < v->count; k++) {
            int x = v->ids[i], y = v->ids[k];
            bool added = !h->m.a.items[x].held && !h->m.a.items[y].held &&
                         lives_in(&h->m.p.items[x], v->slot) && !h->m.c.items[x].held &&
                         lives_in(&h->m.c.items[y], v->slot) && !h->m.p.items[y].held;
            double at = h->m.p.items[x].position, other = h->m.c.items[y].position;
            if (!added || at < other || at > other)
                continue;
            if (v->positions[i] < at || v->positions[i] > at || v->positions[k] < at ||
                v->positions[k] > at || (x < y) != (i < k))
                return false;
        }
    }
    return true;
}

#define IN_EACH_SLOT(name, holds)                                                                            \
    static bool name(const history *h) {                                                                     \
        for (int slot = 0; slot < SLOTS; slot++)                                                             \
            if (!holds(h, &h->slots[slot]))                                                                  \
                return false;                                                                                \
        return true;                                                                                         \
    }

IN_EACH_SLOT(order1, o1)
IN_EACH_SLOT(order2, o2)
IN_EACH_SLOT(order3, o3)
IN_EACH_SLOT(order4, o4)

/* ---- laws --------------------------------------------------------------------------------------------- */

static bool is_empty(const trivet_merge_result *r) {
    static const trivet_merge_counts none;
    trivet_merge_counts counts;
    trivet_merge_result_counts(r, &counts);
    return memcmp(&counts, &none, sizeof none) == 0 && trivet_merge_result_change_count(r) == 0 &&
           trivet_merge_result_tie_count(r) == 0;
}

/* Whether the merge is that state; where `quiet`, with an empty report. */
static bool comes_to(const trivet_merge_state *a, const trivet_merge_state *p, const trivet_merge_state *c,
                     const trivet_merge_state *expected, bool quiet) {
    trivet_merge_result *r = merge(a, p, c);
    bool good = is_question(r) || (trivet_merge_state_equal(trivet_merge_result_snapshot(r), expected) &&
                                   (!quiet || is_empty(r)));
    trivet_merge_result_free(r);
    return good;
}

static bool l1(const history *h) {
    return comes_to(h->sa, h->sa, h->sa, h->sa, true);
}

static bool l2(const history *h) {
    return comes_to(h->sa, h->sp, h->sa, h->sp, false) && comes_to(h->sa, h->sa, h->sc, h->sc, false);
}

static bool l3(const history *h) {
    return comes_to(h->sa, h->sp, h->sp, h->sp, true) && comes_to(NULL, h->sp, h->sp, h->sp, true);
}

/* Two sides placed an item and are equally old: a tie that no one is asked about, and P's place. */
static bool is_tied(const history *h, const slot_view *v) {
    for (int i = 0; i < IDS; i++)
        if (lives_in(&h->m.p.items[i], v->slot) && lives_in(&h->m.c.items[i], v->slot) &&
            (v->fixed >> i & 1) == 0 && h->m.p.items[i].updated == h->m.c.items[i].updated)
            return true;
    return false;
}

/* In such a slot, and in one that both renumbered, which starts from C's values, positions need not be the same. */
static bool has_free_values(const history *h, const slot_view *v) {
    return is_tied(h, v) || (v->p.renumbered && v->c.renumbered);
}

/* Swapped, M has the same in the slot: but for what was tied, and for the values where both renumbered it. */
static bool same_slot(const history *h, const slot_view *v, const trivet_merge_state *swapped) {
    const trivet_merge_state *m = trivet_merge_result_snapshot(h->r);
    bool tied = is_tied(h, v), free_values = has_free_values(h, v);
    trivet_merge_item x, y;
    size_t slot;
    if (trivet_merge_item_count(m, TRIVET_MERGE_LISTS, (size_t)v->slot) !=
        trivet_merge_item_count(swapped, TRIVET_MERGE_LISTS, (size_t)v->slot))
        return false;
    for (size_t i = 0; trivet_merge_item_at(m, TRIVET_MERGE_LISTS, (size_t)v->slot, i, &x); i++) {
        if (!trivet_merge_item_find(swapped, TRIVET_MERGE_LISTS, x.id, &y, &slot) || slot != (size_t)v->slot)
            return false;
        if (free_values && !x.deleted)
            y.position = x.position;
        if (!trivet_merge_item_equal(&x, &y))
            return false;
    }
    int ids[IDS];
    double positions[IDS];
    return tied || in_order(v, ids, merged_order(swapped, v->slot, ids, positions));
}

static bool mirrored(const trivet_merge_result *r, const trivet_merge_result *swapped) {
    trivet_merge_counts x, y;
    trivet_merge_result_counts(r, &x);
    trivet_merge_result_counts(swapped, &y);
    return x.added_from_phone == y.added_from_computer && x.added_from_computer == y.added_from_phone &&
           x.edited_field == y.edited_field && x.edited_lww == y.edited_lww && x.tombstoned == y.tombstoned &&
           x.removed == y.removed && x.restored == y.restored && x.ties == 0 && y.ties == 0 &&
           x.scratchpad_line_merged == y.scratchpad_line_merged;
}

/* Where no slot's values are free, the same positions and slots are seen to change, each by the other side. */
static bool moves_mirrored(const trivet_merge_result *r, const trivet_merge_result *swapped) {
    size_t count = trivet_merge_result_change_count(r), found = 0;
    trivet_merge_counts x, y;
    trivet_merge_result_counts(r, &x);
    trivet_merge_result_counts(swapped, &y);
    if (x.moved != y.moved || trivet_merge_result_change_count(swapped) != count)
        return false;
    for (size_t i = 0; i < count; i++) {
        trivet_merge_change mine, other;
        trivet_merge_result_change(r, i, &mine);
        for (size_t j = 0; j < count; j++) {
            trivet_merge_result_change(swapped, j, &other);
            found +=
                mine.side != other.side && mine.kind == other.kind && mine.section == other.section &&
                mine.slot == other.slot && mine.id.len == other.id.len && mine.field.len == other.field.len &&
                memcmp(mine.id.data ? mine.id.data : "", other.id.data ? other.id.data : "", mine.id.len) ==
                    0 &&
                memcmp(mine.field.data ? mine.field.data : "", other.field.data ? other.field.data : "",
                       mine.field.len) == 0;
        }
    }
    return found == count;
}

static bool l4(const history *h) {
    trivet_merge_result *swapped = merge(h->sa, h->sc, h->sp);
    bool good = mirrored(h->r, swapped), free_values = false;
    for (int slot = 0; slot < SLOTS; slot++)
        free_values = free_values || has_free_values(h, &h->slots[slot]);
    good = good && (free_values || moves_mirrored(h->r, swapped));
    for (int slot = 0; good && slot < SLOTS; slot++)
        good = same_slot(h, &h->slots[slot], trivet_merge_result_snapshot(swapped));
    for (size_t i = 0; good && i < PADS; i++) {
        trivet_merge_entry x, y;
        good = trivet_merge_entry_at(trivet_merge_result_snapshot(h->r), TRIVET_MERGE_SCRATCHPAD, i, &x) &&
               trivet_merge_entry_at(trivet_merge_result_snapshot(swapped), TRIVET_MERGE_SCRATCHPAD, i, &y) &&
               trivet_merge_entry_equal(&x, &y);
    }
    trivet_merge_result_free(swapped);
    return good;
}

static bool l5(const history *h) {
    const trivet_merge_state *m = trivet_merge_result_snapshot(h->r);
    return comes_to(m, m, m, m, true);
}

/* Whether `side` holds a field's value as the live item of M has it. */
static bool was_held(const history *h, const slot_view *v, const trivet_merge_item *m) {
    int id = m->id.data[1] - '0', done = (m->has & TRIVET_MERGE_HAS_DONE) == 0 ? 2 : m->done;
    const item *p = &h->m.p.items[id], *c = &h->m.c.items[id];
    bool built = v->p.renumbered || v->c.renumbered;
#define HELD(test) ((p->held && (test(p))) || (c->held && (test(c))))
#define TEXT(it) ((it)->text == m->text.data[1] - '0')
#define DONE(it) ((it)->done == done)
#define SLOT(it) ((it)->slot == v->slot)
#define CREATED(it) ((it)->created == m->created_at)
#define PLACE(it)                                                                                            \
    ((it)->slot == v->slot && !((it)->position < m->position) && !((it)->position > m->position))
    return HELD(TEXT) && HELD(DONE) && HELD(SLOT) && HELD(CREATED) && (built || HELD(PLACE));
}

static bool l6(const history *h) {
    const trivet_merge_state *m = trivet_merge_result_snapshot(h->r);
    for (int slot = 0; slot < SLOTS; slot++) {
        trivet_merge_item it;
        for (size_t i = 0; trivet_merge_item_at(m, TRIVET_MERGE_LISTS, (size_t)slot, i, &it); i++)
            if (!it.deleted && !was_held(h, &h->slots[slot], &it))
                return false;
    }
    for (int i = 0; i < IDS; i++) {
        char id[] = {'i', (char)('0' + i), '\0'};
        bool added = !h->m.a.items[i].held && (h->m.p.items[i].held || h->m.c.items[i].held);
        if (added && !trivet_merge_item_find(m, TRIVET_MERGE_LISTS, SLICE(id), NULL, NULL))
            return false;
    }
    return true;
}

/* ---- looking, and making small ------------------------------------------------------------------------- */

typedef bool property(const history *h);

static void close_history(history *h) {
    trivet_merge_result_free(h->r);
    trivet_merge_state_free(h->sa);
    trivet_merge_state_free(h->sp);
    trivet_merge_state_free(h->sc);
}

static void open_history(history *h) {
    h->sa = state_of(&h->m.a);
    h->sp = state_of(&h->m.p);
    h->sc = state_of(&h->m.c);
    h->r = merge(h->sa, h->sp, h->sc);
    for (int slot = 0; slot < SLOTS && !is_question(h->r); slot++) {
        slot_view *v = &h->slots[slot];
        *v = (slot_view){
            .slot = slot, .p = deed_of(&h->m.a, &h->m.p, slot), .c = deed_of(&h->m.a, &h->m.c, slot)};
        v->fixed = v->p.unmoved & v->c.unmoved;
        v->count = merged_order(trivet_merge_result_snapshot(h->r), slot, v->ids, v->positions);
    }
}

static bool breaks(const models *m, property *holds) {
    history h = {.m = *m};
    open_history(&h);
    bool broken = !is_question(h.r) && !holds(&h);
    close_history(&h);
    return broken;
}

static void shrink(models *m, property *holds) {
    for (int step = 0, since = 0; since < STEPS; step = (step + 1) % STEPS, since++) {
        models smaller = *m;
        make_smaller(&smaller, step);
        if (weight(&smaller) >= weight(m) || !breaks(&smaller, holds))
            continue;
        *m = smaller;
        since = 0;
    }
}

/* ---- a fixture ---------------------------------------------------------------------------------------- */

static void write_file(const char *folder, const char *name, const char *content) {
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    if (!file || fprintf(file, "%s\n", content) < 0 || fclose(file) != 0)
        fail_msg("%s cannot be written", path);
}

static void keep(const models *m, const char *about, char folder[static PATH_MAX]) {
    const char *tmp = getenv("TMPDIR");
    snprintf(folder, PATH_MAX, "%s/trivet-property.XXXXXX", tmp ? tmp : "/tmp");
    if (!mkdtemp(folder))
        fail_msg("%s cannot be made", folder);
    history h = {.m = *m};
    open_history(&h);
    char *a = write_model(&h.m.a), *p = write_model(&h.m.p), *c = write_model(&h.m.c), *result;
    size_t len;
    assert_int_equal(trivet_merge_result_write(h.r, &result, &len), 0);
    write_file(folder, "about", about);
    write_file(folder, "ancestor.json", a);
    write_file(folder, "phone.json", p);
    write_file(folder, "computer.json", c);
    write_file(folder, "options.json", "{\"threshold\":1}");
    write_file(folder, "expected.json", result);
    free(a);
    free(p);
    free(c);
    free(result);
    close_history(&h);
}

/* ---- tests -------------------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    property *holds;
} properties[] = {
    {"O1: what one side left alone shows in the other's order", order1},
    {"O2: what neither moved keeps its order", order2},
    {"O3: what one added or moved keeps its fixed neighbours", order3},
    {"O4: two added at one position keep it, in the order of their ids", order4},
    {"L1: merge(A, A, A) is A", l1},
    {"L2: merge(A, P, A) is P, merge(A, A, C) is C", l2},
    {"L3: merge(A, X, X) is X", l3},
    {"L4: swapped, the same", l4},
    {"L5: once more changes nothing", l5},
    {"L6: every value was held, nothing added is missing", l6},
};

enum { PROPERTIES = sizeof properties / sizeof *properties };

static uint64_t broken_by[PROPERTIES]; /* a seed; 0: none */

static void look_at(uint64_t seed) {
    history h = {0};
    make(&h.m, seed);
    open_history(&h);
    for (size_t i = 0; i < PROPERTIES && !is_question(h.r); i++)
        if (broken_by[i] == 0 && !properties[i].holds(&h))
            broken_by[i] = seed;
    close_history(&h);
}

static void test_property(void **state) {
    size_t i = *(const size_t *)*state;
    if (broken_by[i] == 0)
        return;
    char folder[PATH_MAX];
    models m;
    make(&m, broken_by[i]);
    shrink(&m, properties[i].holds);
    keep(&m, properties[i].name, folder);
    fail_msg("seed %llu, made small: %s", (unsigned long long)broken_by[i], folder);
}

/* O5: a slot of many items. Were the cost quadratic anywhere, this would take minutes and not a second, and the run's limit. */
static trivet_merge_state *many(uint64_t seed, int how) {
    char *json = allocate((size_t)MANY * 96), *p = json + sprintf(json, "{\"lists\":[[");
    uint64_t mix = seed;
    for (int i = 0; i < MANY; i++) {
        size_t place = how == 0   ? (size_t)i
                       : how == 1 ? (size_t)(MANY - i)
                                  : random_below(&mix, (size_t)MANY * 4);
        p += sprintf(p, "%s{\"id\":\"%d\",\"text\":\"\",\"position\":%zu,\"updatedAt\":%d}", i ? "," : "", i,
                     place * 2 + seed, 10 + how);
    }
    p += sprintf(p, "]]}");
    trivet_merge_error err = TRIVET_MERGE_ERROR_INIT;
    trivet_merge_state *state;
    assert_int_equal(
        trivet_merge_state_read_steal(json, (size_t)(p - json), TRIVET_MERGE_PHONE, &state, &err), 0);
    return state;
}

static void test_many(void **unused) {
    (void)unused;
    trivet_merge_state *a = many(1, 0), *reversed = many(2, 1), *shuffled = many(3, 2),
                       *renumbered = many(4, 0);
    trivet_merge_state *const pairs[][2] = {
        {reversed, renumbered}, {shuffled, reversed}, {renumbered, shuffled}, {a, reversed}};
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        trivet_merge_result *r = merge(a, pairs[i][0], pairs[i][1]);
        assert_int_equal(trivet_merge_item_count(trivet_merge_result_snapshot(r), TRIVET_MERGE_LISTS, 0),
                         MANY);
        trivet_merge_result_free(r);
    }
    trivet_merge_state_free(a);
    trivet_merge_state_free(reversed);
    trivet_merge_state_free(shuffled);
    trivet_merge_state_free(renumbered);
}

int main(int argc, char **argv) {
    uint64_t cases = argc > 1 ? strtoull(argv[1], NULL, 10) : 10000,
             first = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
    if (cases == 0 || first == 0 || argc > 3) {
        fprintf(stderr, "usage: %s [CASES] [SEED]\n", argv[0]);
        return 64;
    }
    for (uint64_t i = 0; i < cases; i++)
        look_at(first + i);
    size_t numbers[PROPERTIES];
    struct CMUnitTest tests[PROPERTIES + 1];
    for (size_t i = 0; i < PROPERTIES; i++) {
        numbers[i] = i;
        tests[i] = (struct CMUnitTest){properties[i].name, test_property, NULL, NULL, &numbers[i]};
    }
    tests[PROPERTIES] = (struct CMUnitTest)cmocka_unit_test(test_many);
    return cmocka_run_group_tests_name("merge: properties", tests, NULL, NULL);
}
