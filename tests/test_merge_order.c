/*
 * Order (merge §5): cases for what the rules say, the longest ascending subsequence against trying all, and the
 * properties O1 to O5 on random slots.
 *
 * A slot is written as its items' letters, positions and, where they matter, updatedAt: "a1 b2.5 c3/20 d4!" with d dead.
 */

#include "ascend.h"
#include "test_merge_support.h"

/* ---- a slot as a document, and back ------------------------------------------------------------------- */

/* "a1 b2 | c1": two slots. From malloc. */
static char *document(const char *spec) {
    char *json = allocate(strlen(spec) * 80 + 64), *p = json + sprintf(json, "{\"lists\":[[");
    bool first = true;
    while (*spec) {
        if (*spec == ' ') {
            spec++;
            continue;
        }
        if (*spec == '|') {
            p += sprintf(p, "],[");
            first = true;
            spec++;
            continue;
        }
        char id = *spec++, *end;
        double position = strtod(spec, &end);
        long time = *end == '/' ? strtol(end + 1, &end, 10) : 10;
        p += sprintf(p, "%s{\"id\":\"%c\",\"text\":\"\",\"position\":%.17g,\"updatedAt\":%ld%s}",
                     first ? "" : ",", id, position, time,
                     *end == '!' ? ",\"deleted\":true,\"deletedAt\":5" : "");
        first = false;
        spec = end + (*end == '!');
    }
    sprintf(p, "]]}");
    return json;
}

static trivet_merge_state *state_of(const char *spec) {
    char *json = document(spec);
    trivet_merge_error err = TRIVET_MERGE_ERROR_INIT;
    trivet_merge_state *state;
    if (trivet_merge_state_read_steal(json, strlen(json), TRIVET_MERGE_PHONE, &state, &err) != 0)
        fail_msg("%s: %s in %s", err.path, err.reason, spec);
    return state;
}

/* The live items of a state's slots, in order: "a1 b2.5 | c3". */
static void describe(const trivet_merge_state *state, char *out) {
    trivet_merge_item item;
    *out = '\0';
    for (size_t slot = 0; slot < trivet_merge_slot_count(state, TRIVET_MERGE_LISTS); slot++) {
        if (slot > 0)
            out += sprintf(out, "%s|", out[-1] == '|' ? "" : " ");
        for (size_t i = 0; trivet_merge_item_at(state, TRIVET_MERGE_LISTS, slot, i, &item); i++)
            if (!item.deleted)
                out += sprintf(out, "%s%.*s%.17g", i || slot ? " " : "", (int)item.id.len, item.id.data,
                               item.position);
    }
}

static trivet_merge_result *merge_states(const trivet_merge_state *a, const trivet_merge_state *p,
                                         const trivet_merge_state *c) {
    trivet_merge_options options = TRIVET_MERGE_OPTIONS_INIT;
    trivet_merge_error err = TRIVET_MERGE_ERROR_INIT;
    trivet_merge_result *result;
    options.large_threshold = 2; /* never */
    if (trivet_merge(a, p, c, &options, &result, &err) != 0)
        fail_msg("%s: %s", err.path, err.reason);
    return result;
}

/* ---- the rules ---------------------------------------------------------------------------------------- */

typedef struct {
    const char *name, *a, *p, *c, *m;
} order_case;

static const order_case cases[] = {
    /* who moved what */
    {"positions are fields where nobody renumbered", "a1 b2 c3", "b2 a2.5/20 c3", "a1 c1.5/30 b2",
     "c1.5 b2 a2.5"},
    {"... and a tie takes the phone's", "a1 b2 c3", "b2 a2.5/20 c3", "b2 c3 a4/20", "b2 a2.5 c3"},
    {"... whatever moves cross each other", "a1 b2 c3 d4", "b2 c3 a3.5/20 d4", "a1 d1.5/30 b2 c3",
     "d1.5 b2 c3 a3.5"},
    {"unmoved with another value: renumbered", "a1 b2", "a1 b3/20", "a1 x1.5/30 b2", "a1 x2 b3"},
    {"an item alone is unmoved", "a1", "a4/20", "x0/30 a1", "x3 a4"},
    {"most unchanged values first", "a1 b2", "b0/20 a1", "a1 x5/30 b2", "b0 a1 x5"},
    {"then the first in A's order", "a1 b2 c3", "c7 b8 a9", "a1 x1.5/30 b2 c3", "c7 b8 a9 x10"},
    {"... item by item: a and c, not b and d", "a1 b2 c3 d4", "c11 d12 a13 b14", "a1 x1.5/30 b2 c3 d4",
     "c11 d12 a13 x13.5 b14"},
    {"equal positions show by id", "a1 b1 c1", "a2 b2 c2", "a1 b1 c1 x1/30", "a2 b2 c2 x3"},
    {"many moved, all of them across unmoved ones", "a1 b2 c3 d4 e5 f6", "b2 d4 f6 a6.5/20 c6.6/20 e6.7/20",
     "a1 b2 c3 d4 e5 f6 x7/30", "b2 d4 f6 a6.5 c6.5999999999999996 e6.7000000000000002 x7"},
    {"a block moved across one item: that one was moved, and is not fixed", "a1 b2 c3", "b0.1/20 c0.2/20 a1",
     "a1 x1.5/30 b2 c3", "x-0.90000000000000002 b0.10000000000000001 c0.20000000000000001 a1"},
    {"only what both hold live counts", "a1 b2 c3", "a1 c3", "a1 b5/30! c3", "a1 c3"},
    {"each slot by itself", "a1 b2 | c1 d2", "a5 b6 | c1 d2", "a1 x1.5/30 b2 | d2 c3/30",
     "a5 x5.5 b6 | d2 c3"},
    /* where it goes */
    {"behind the nearest fixed item", "a1 b2 c3", "a10 b20 c30", "a1 b2 x2.5/30 c3", "a10 b20 x25 c30"},
    {"or the top", "a1 b2 c3", "a10 b20 c30", "x0/30 a1 b2 c3", "x9 a10 b20 c30"},
    {"what one side deleted is not fixed", "a1 b2 c3", "a10 b20 c30", "a1 x2.5/30 c3", "a10 x20 c30"},
    {"a run stays together", "a1 b2", "a10 m11/20 o12/20 b20", "a1 n1.1/30 p1.2/30 b2",
     "a10 m11 o12 n14.666666666666666 p17.333333333333332 b20"},
    {"the run with the lesser first id comes first", "a1 b2", "a10 z11/20 c12/20 b20", "a1 d1.1/30 b2",
     "a10 d10.5 z11 c12 b20"},
    {"the one that moved it has it", "a1 b2 c3", "a10/40 b20/40 c30/40", "b2 c3 a4/30", "b20 c30 a31"},
    {"both moved it: the later one", "a1 b2 c3 d4", "a10 c20 d30 b40/30", "b0/20 a1 c3 d4",
     "a10 c20 d30 b40"},
    {"both moved it: the later one is the computer", "a1 b2 c3 d4", "a10 c20 d30 b40/20", "b0/30 a1 c3 d4",
     "b9 a10 c20 d30"},
    {"both moved it at one time: the phone", "a1 b2 c3 d4", "a10 c20 d30 b40/20", "b0/20 a1 c3 d4",
     "a10 c20 d30 b40"},
    {"both added it: the later one", "a1 b2", "a10 x15/20 b20", "x0/30 a1 b2", "x15 a17.5 b20"},
    {"the one that holds it live has it", "a1 b2 r3!", "a10 b20 r3/90!", "a1 r1.5/30 b2", "a10 r15 b20"},
    /* values */
    {"both renumbered: from the computer's", "a1 b2", "a10 b20", "a3 b7", "a3 b7"},
    {"what ascends is kept, the first in M's order", "a1 b2 c3", "a10 b20 c30", "a1 c1.5/30 b2",
     "a10 c30 b31"},
    {"above the first kept", "a1 b2", "a10 b20", "x0/30 y0.5/30 z0.6/30 a1 b2", "x7 y8 z9 a10 b20"},
    {"below the last kept", "a1 b2", "a10 b20", "a1 b2 x3/30 y4/30", "a10 b20 x21 y22"},
    {"nothing strictly between", "a1 b2", "a1 b1.0000000000000002", "a1 x1.5/30 b2", "a1 x2 b3"},
    {"room for one but not for two", "a1 b2", "a1 b1.0000000000000004", "a1 y1.4/30 x1.5/30 b2",
     "a1 y2 x3 b4"},
    {"not finite", "a1 b2", "a-1.5e308 b1.5e308", "a1 x1.5/30 b2", "a1 x2 b3"},
    {"a step that is lost", "a1 b2", "a-1e300 b5", "x0/30 a1 b2", "x1 a2 b3"},
    {"nothing kept", "a1 b2", "a10 b20", "x1.5/30", "x1"},
    {"nothing left at all", "a1 b2", "a10 b20", "", ""},
};

static void rules(void **unused) {
    (void)unused;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const order_case *t = &cases[i];
        trivet_merge_state *a = state_of(t->a), *p = state_of(t->p), *c = state_of(t->c);
        trivet_merge_result *r = merge_states(a, p, c);
        const trivet_merge_state *m = trivet_merge_result_snapshot(r);
        char got[4096];
        describe(m, got);
        if (strcmp(got, t->m) != 0)
            fail_msg("%s: %s, expected %s", t->name, got, t->m);
        /* L5: whoever applied it holds what it says */
        trivet_merge_result *again = merge_states(m, m, m);
        assert_true(trivet_merge_state_agrees(trivet_merge_result_snapshot(again), m));
        assert_int_equal(trivet_merge_result_change_count(again), 0);
        trivet_merge_result_free(again);
        trivet_merge_result_free(r);
        trivet_merge_state_free(a);
        trivet_merge_state_free(p);
        trivet_merge_state_free(c);
    }
}

/* Every item whose value a side must change is reported as moved, and counted once. */
static void report(void **unused) {
    (void)unused;
    trivet_merge_state *a = state_of("a1 b2 c3"), *p = state_of("a10 b20 c30"),
                       *c = state_of("a1 c1.5/30 b2");
    trivet_merge_result *r = merge_states(a, p, c);
    trivet_merge_counts counts;
    static const char *const expected[] = {"a computer", "b phone", "b computer", "c computer"};
    trivet_merge_result_counts(r, &counts);
    assert_int_equal(counts.moved, 3);
    assert_int_equal(counts.edited_field + counts.edited_lww + counts.ties, 0);
    assert_int_equal(trivet_merge_result_change_count(r), 4);
    for (size_t i = 0; i < 4; i++) {
        trivet_merge_change change;
        char text[64];
        trivet_merge_result_change(r, i, &change);
        assert_int_equal(change.kind, TRIVET_MERGE_MOVED);
        snprintf(text, sizeof text, "%.*s %s", (int)change.id.len, change.id.data,
                 trivet_merge_side_name(change.side));
        assert_string_equal(text, expected[i]);
    }
    trivet_merge_result_free(r);
    trivet_merge_state_free(a);
    trivet_merge_state_free(p);
    trivet_merge_state_free(c);
}

/* ---- the longest ascending subsequence ----------------------------------------------------------------- */

enum { TRIED = 9 };

static int bits(unsigned set) {
    int count = 0;
    for (; set != 0; set &= set - 1)
        count++;
    return count;
}

static bool ascends(const uint32_t *rank, unsigned set) {
    int last = -1;
    for (int i = 0; i < TRIED; i++) {
        if ((set >> i & 1) == 0)
            continue;
        if ((int)rank[i] < last)
            return false;
        last = (int)rank[i];
    }
    return true;
}

/* Whether the first members of `x` come first. */
static bool is_earlier(unsigned x, unsigned y) {
    unsigned differ = x ^ y;
    return differ != 0 && (x & differ & (0 - differ)) != 0;
}

static unsigned best_of_all(const uint32_t *rank, unsigned preferred) {
    unsigned best = 0;
    for (unsigned set = 0; set < 1u << TRIED; set++) {
        if (!ascends(rank, set))
            continue;
        int longer = bits(set) - bits(best), more = bits(set & preferred) - bits(best & preferred);
        if (longer > 0 || (longer == 0 && (more > 0 || (more == 0 && is_earlier(set, best)))))
            best = set;
    }
    return best;
}

static void subsequences(void **unused) {
    (void)unused;
    for (uint64_t seed = 1; seed <= 2000; seed++) {
        uint64_t random = seed;
        uint32_t rank[TRIED];
        bool preferred[TRIED], chosen[TRIED];
        unsigned prefer = 0, got = 0;
        for (uint32_t i = 0; i < TRIED; i++) {
            size_t j = random_below(&random, i + 1);
            rank[i] = rank[j];
            rank[j] = i;
            preferred[i] = random_below(&random, 2) == 0;
            prefer |= (unsigned)preferred[i] << i;
        }
        assert_int_equal(tm_ascend(rank, seed % 3 ? preferred : NULL, TRIED, chosen), 0);
        for (int i = 0; i < TRIED; i++)
            got |= (unsigned)chosen[i] << i;
        assert_int_equal(got, best_of_all(rank, seed % 3 ? prefer : 0));
    }
}

static void subsequence_of_nothing(void **unused) {
    (void)unused;
    bool chosen = true;
    uint32_t rank = 0;
    assert_int_equal(tm_ascend(&rank, NULL, 0, &chosen), 0);
    assert_int_equal(tm_ascend(&rank, NULL, 1, &chosen), 0);
    assert_true(chosen);
}

/* ---- properties on random slots ------------------------------------------------------------------------ */

enum { CASES = 4000, LETTERS = 16 };

typedef struct {
    bool held[LETTERS], renumbered;
    double position[LETTERS];
    int time[LETTERS];
} slot;

static const char letters[] = "abcdefghijklmnop";

/* Whether i shows before j. */
static bool before(const slot *s, int i, int j) {
    return s->position[i] < s->position[j] || (s->position[i] == s->position[j] && i < j);
}

static slot random_slot(uint64_t *random) {
    slot s = {0};
    for (int i = 0; i < LETTERS / 2; i++) {
        s.held[i] = random_below(random, 5) != 0;
        s.position[i] = (double)random_below(random, 20);
        s.time[i] = 10;
    }
    return s;
}

static void renumber(slot *s) {
    double rank[LETTERS];
    for (int i = 0; i < LETTERS; i++) {
        rank[i] = 100;
        for (int j = 0; j < LETTERS; j++)
            rank[i] += s->held[j] && before(s, j, i) ? 10 : 0;
    }
    memcpy(s->position, rank, sizeof rank);
    s->renumbered = true;
}

/* `adds`: which letters it may add, so that two sides add different ones. */
static slot edited_slot(uint64_t *random, const slot *from, int adds, bool may_renumber) {
    slot s = *from;
    for (size_t edits = random_below(random, 5); edits > 0; edits--) {
        int i = (int)random_below(random, LETTERS / 2);
        switch (random_below(random, 4)) {
        case 0:
            s.held[i] = false;
            break;
        case 1:
            i = LETTERS / 2 + adds * LETTERS / 4 + i % (LETTERS / 4);
            s.held[i] = true; /* fall through */
        default:
            s.position[i] = (double)random_below(random, 200) / 10;
            s.time[i] = 20 + 2 * (int)edits + adds;
        }
    }
    if (may_renumber && random_below(random, 2) == 0)
        renumber(&s);
    return s;
}

static trivet_merge_state *slot_state(const slot *s) {
    char spec[LETTERS * 40], *p = spec;
    *p = '\0';
    for (int i = 0; i < LETTERS; i++)
        if (s->held[i])
            p += sprintf(p, "%c%.17g/%d ", letters[i], s->position[i], s->time[i]);
    return state_of(spec);
}

static slot read_slot(const trivet_merge_state *state) {
    slot s = {0};
    trivet_merge_item item;
    for (size_t i = 0; trivet_merge_item_at(state, TRIVET_MERGE_LISTS, 0, i, &item); i++) {
        int at = item.id.data[0] - 'a';
        s.held[at] = true;
        s.position[at] = item.position;
    }
    return s;
}

static slot merge_slots(const slot *a, const slot *p, const slot *c) {
    trivet_merge_state *as = slot_state(a), *ps = slot_state(p), *cs = slot_state(c);
    trivet_merge_result *r = merge_states(as, ps, cs);
    slot m = read_slot(trivet_merge_result_snapshot(r));
    trivet_merge_result_free(r);
    trivet_merge_state_free(as);
    trivet_merge_state_free(ps);
    trivet_merge_state_free(cs);
    return m;
}

static void assert_same_order(uint64_t seed, const slot *m, const slot *like) {
    for (int i = 0; i < LETTERS; i++)
        for (int j = 0; j < LETTERS; j++)
            if (m->held[i] && m->held[j] && like->held[i] && like->held[j] && i != j &&
                before(m, i, j) != before(like, i, j))
                fail_msg("seed %llu: %c and %c", (unsigned long long)seed, letters[i], letters[j]);
}

/* O1, and L2: the other side's slot as it is. */
static void one_side_left_alone(void **unused) {
    (void)unused;
    for (uint64_t seed = 1; seed <= CASES; seed++) {
        uint64_t random = seed;
        slot a = random_slot(&random), p = edited_slot(&random, &a, 0, true), m = merge_slots(&a, &p, &a);
        assert_same_order(seed, &m, &p);
        assert_memory_equal(m.held, p.held, sizeof m.held);
        m = merge_slots(&a, &a, &p);
        assert_same_order(seed, &m, &p);
    }
}

/* What a side moved in the sense of merge §5: of all subsets the one that the rules name, by trying all. */
static void find_moved(const slot *a, const slot *s, bool *moved) {
    int known[LETTERS / 2], count = 0;
    unsigned best = 0;
    int best_length = -1, best_same = -1;
    for (int i = 0; i < LETTERS / 2; i++)
        if (a->held[i] && s->held[i])
            known[count++] = i;
    for (int i = 1; i < count; i++) /* into A's order */
        for (int j = i; j > 0 && before(a, known[j], known[j - 1]); j--) {
            int other = known[j];
            known[j] = known[j - 1];
            known[j - 1] = other;
        }
    for (unsigned set = 0; set < 1u << count; set++) {
        int last = -1, same = 0, length = 0;
        for (int i = 0; i < count && length >= 0; i++) {
            if ((set >> i & 1) == 0)
                continue;
            length = last < 0 || before(s, known[last], known[i]) ? length + 1 : -1;
            same += a->position[known[i]] == s->position[known[i]];
            last = i;
        }
        if (length > best_length ||
            (length == best_length && (same > best_same || (same == best_same && is_earlier(set, best))))) {
            best = set;
            best_length = length;
            best_same = same;
        }
    }
    memset(moved, 0, LETTERS * sizeof *moved);
    for (int i = 0; i < count; i++)
        moved[known[i]] = (best >> i & 1) == 0;
}

/* The nearest fixed item before i, or -1. */
static int fixed_before(const slot *s, const bool *fixed, int i) {
    int nearest = -1;
    for (int j = 0; j < LETTERS; j++)
        if (fixed[j] && j != i && before(s, j, i) && (nearest < 0 || before(s, nearest, j)))
            nearest = j;
    return nearest;
}

/* O2 and O3. */
static void unmoved_and_moved(void **unused) {
    (void)unused;
    for (uint64_t seed = 1; seed <= CASES; seed++) {
        uint64_t random = seed;
        slot a = random_slot(&random), p = edited_slot(&random, &a, 0, true),
             c = edited_slot(&random, &a, 1, seed % 2 == 0), m = merge_slots(&a, &p, &c);
        bool p_moved[LETTERS], c_moved[LETTERS], fixed[LETTERS];
        find_moved(&a, &p, p_moved);
        find_moved(&a, &c, c_moved);
        slot still = a;
        for (int i = 0; i < LETTERS; i++) {
            fixed[i] = m.held[i] && a.held[i] && p.held[i] && c.held[i] && !p_moved[i] && !c_moved[i];
            still.held[i] = fixed[i];
        }
        assert_same_order(seed, &m, &still);
        for (int i = 0; i < LETTERS; i++) {
            bool by_p = p.held[i] && (p_moved[i] || !a.held[i]),
                 by_c = c.held[i] && (c_moved[i] || !a.held[i]);
            if (m.held[i] && by_p != by_c &&
                fixed_before(&m, fixed, i) != fixed_before(by_p ? &p : &c, fixed, i))
                fail_msg("seed %llu: %c", (unsigned long long)seed, letters[i]);
        }
    }
}

/* O4. */
static void added_at_one_position(void **unused) {
    (void)unused;
    for (uint64_t seed = 1; seed <= CASES; seed++) {
        uint64_t random = seed;
        slot a = random_slot(&random), p = a, c = a;
        int i = LETTERS / 2 + (int)random_below(&random, LETTERS / 4), j = i + LETTERS / 4;
        double position = (double)random_below(&random, 20);
        p.held[i] = c.held[j] = true;
        p.position[i] = c.position[j] = position;
        slot m = random_below(&random, 2) == 0 ? merge_slots(&a, &p, &c) : merge_slots(&a, &c, &p);
        assert_true(m.held[i] && m.held[j] && m.position[i] == position && m.position[j] == position);
        assert_true(before(&m, i, j));
    }
}

/* ---- O5 ------------------------------------------------------------------------------------------------ */

enum { MANY = 100000 };

typedef double numbering(size_t i);

static double in_order(size_t i) {
    return (double)i;
}

static double halves(size_t i) {
    return (double)i + 0.5;
}

static double reversed(size_t i) {
    return (double)(2 * (size_t)MANY - i);
}

static double shuffled(size_t i) {
    return (double)(i * 40507 % MANY) + 0.25; /* 40507 and MANY have no common divisor */
}

static double shuffled_otherwise(size_t i) {
    return (double)(i * 61927 % MANY) + 0.75;
}

static trivet_merge_state *many(numbering *position) {
    char *json = allocate((size_t)MANY * 80), *p = json + sprintf(json, "{\"lists\":[[");
    trivet_merge_state *state;
    for (size_t i = 0; i < MANY; i++)
        p += sprintf(p, "%s{\"id\":\"i%zu\",\"text\":\"\",\"position\":%.2f}", i ? "," : "", i, position(i));
    p += sprintf(p, "]]}");
    assert_int_equal(
        trivet_merge_state_read_steal(json, (size_t)(p - json), TRIVET_MERGE_PHONE, &state, NULL), 0);
    return state;
}

/* What is quadratic would take minutes here. */
static void a_large_slot(void **unused) {
    (void)unused;
    static numbering *const pairs[][2] = {
        {reversed, in_order}, {reversed, halves}, {shuffled, halves}, {shuffled, shuffled_otherwise}};
    trivet_merge_state *a = many(in_order);
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        trivet_merge_state *p = many(pairs[i][0]), *c = many(pairs[i][1]);
        trivet_merge_result *r = merge_states(a, p, c);
        const trivet_merge_state *m = trivet_merge_result_snapshot(r);
        assert_int_equal(trivet_merge_item_count(m, TRIVET_MERGE_LISTS, 0), MANY);
        if (i == 0)
            assert_true(trivet_merge_state_agrees(m, p));
        trivet_merge_result_free(r);
        trivet_merge_state_free(p);
        trivet_merge_state_free(c);
    }
    trivet_merge_state_free(a);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rules),
        cmocka_unit_test(report),
        cmocka_unit_test(subsequences),
        cmocka_unit_test(subsequence_of_nothing),
        cmocka_unit_test(one_side_left_alone),
        cmocka_unit_test(unmoved_and_moved),
        cmocka_unit_test(added_at_one_position),
        cmocka_unit_test(a_large_slot),
    };
    return cmocka_run_group_tests_name("merge: order", tests, NULL, NULL);
}
