/*
 * Scratchpads by lines (merge §4): cases for what the rules say, the alignment against trying all, and what must hold
 * whatever the texts are.
 *
 * Texts are slices: a line's end is written \\n in C.
 */
#include "lines.h"
#include "test_merge_support.h"

enum { BY_LINES = 1, P_WINS, C_WINS, TIE };

#define N "\\n"

/* ---- the rules ---------------------------------------------------------------------------------------- */

typedef struct {
    const char *name, *a, *p, *c;
    int p_time, c_time, outcome;
    const char *m; /* BY_LINES */
} text_case;

static const text_case cases[] = {
    {"apart", "a" N "b" N "c" N, "A" N "b" N "c" N, "a" N "b" N "C" N, 20, 30, BY_LINES, "A" N "b" N "C" N},
    {"touching", "a" N "b" N "c" N, "A" N "b" N "c" N, "a" N "B" N "c" N, 20, 30, C_WINS, NULL},
    {"touching, the phone later", "a" N "b" N "c" N, "A" N "b" N "c" N, "a" N "B" N "c" N, 31, 30, P_WINS,
     NULL},
    {"touching, at one time", "a" N "b" N "c" N, "A" N "b" N "c" N, "a" N "B" N "c" N, 30, 30, TIE, NULL},
    {"one within the other", "a" N "b" N "c" N, "X" N, "a" N "B" N "c" N, 20, 30, C_WINS, NULL},
    {"alike", "a" N "b" N "c" N "d" N "e" N, "A" N "b" N "c" N "d" N "E" N, "A" N "b" N "C" N "d" N "e" N, 20,
     30, BY_LINES, "A" N "b" N "C" N "d" N "E" N},
    {"the same place, not alike", "a" N "b" N, "X" N "b" N, "Y" N "b" N, 20, 30, C_WINS, NULL},
    {"alike but longer", "a" N "b" N, "X" N "b" N, "X" N "Y" N "b" N, 20, 30, C_WINS, NULL},
    {"two insertions, the phone's older", "a" N, "p" N "a" N, "c" N "a" N, 20, 30, BY_LINES,
     "p" N "c" N "a" N},
    {"two insertions, the computer's older", "a" N, "c" N "a" N, "p" N "a" N, 30, 20, BY_LINES,
     "p" N "c" N "a" N},
    {"two insertions of one date", "a" N, "p" N "a" N, "c" N "a" N, 30, 30, BY_LINES, "c" N "p" N "a" N},
    {"... by bytes, a shorter line first", "a" N, "pp" N "a" N, "p" N "a" N, 30, 30, BY_LINES,
     "p" N "pp" N "a" N},
    {"an insertion, and a deletion right behind", "a" N "b" N, "a" N "x" N "b" N, "a" N, 20, 30, C_WINS,
     NULL},
    {"an insertion, and a deletion right before", "a" N "b" N, "a" N "x" N "b" N, "b" N, 20, 30, C_WINS,
     NULL},
    {"a line between is enough", "a" N "b" N "c" N, "b" N "c" N, "a" N "b" N "x" N, 20, 30, BY_LINES,
     "b" N "x" N},
    {"a line between two deletions", "a" N "b" N "c" N, "b" N "c" N, "a" N "b" N, 20, 30, BY_LINES, "b" N},
    {"everything deleted between the two", "a" N "b" N "a" N, "b" N "a" N, "a" N "b" N, 20, 30, BY_LINES,
     "b" N},
    {"no line is left", "a" N, "", "a", 20, 30, BY_LINES, ""},
    {"nothing before", "", "p", "c", 20, 30, BY_LINES, "p" N "c"},
    {"one ends its last line", "", "p", "c" N, 20, 30, BY_LINES, "p" N "c" N},
    {"a first line of nothing", "", N, "c", 20, 30, BY_LINES, N "c" N},
    {"an end added by both", "a" N "b" N "c", "A" N "b" N "c" N, "a" N "b" N "C" N, 20, 30, BY_LINES,
     "A" N "b" N "C" N},
    {"an end added by one", "a" N "b" N "c", "A" N "b" N "c", "a" N "b" N "c" N, 20, 30, BY_LINES,
     "A" N "b" N "c" N},
    {"an end taken by one", "a" N "b" N "c" N, "A" N "b" N "c" N, "a" N "b" N "c", 20, 30, BY_LINES,
     "A" N "b" N "c"},
    {"a last line without an end is as one with", "a" N "b" N "c", "a" N "b" N "c" N "d" N, "A" N "b" N "c",
     20, 30, BY_LINES, "A" N "b" N "c" N "d" N},
    {"a backslash is no end", "a\\\\n" N "b" N "c", "A\\\\n" N "b" N "c", "a\\\\n" N "b" N "C", 20, 30,
     BY_LINES, "A\\\\n" N "b" N "C"},
    {"... not the last byte either", "a" N "b" N "c\\\\", "A" N "b" N "c\\\\", "a" N "b" N "c\\\\" N, 20, 30,
     BY_LINES, "A" N "b" N "c\\\\" N},
    {"escapes within", "\\u0000" N "\\\"" N "\\ud800n", "\\u0001" N "\\\"" N "\\ud800n",
     "\\u0000" N "\\\"" N "\\ud801n", 20, 30, BY_LINES, "\\u0001" N "\\\"" N "\\ud801n"},
};

static trivet_merge_state *pad_of(const char *content, int time) {
    char *json = allocate(strlen(content) + 96);
    sprintf(json, "{\"scratchpad\":[{\"content\":\"%s\",\"updatedAt\":%d}]}", content, time);
    trivet_merge_error err = TRIVET_MERGE_ERROR_INIT;
    trivet_merge_state *state;
    if (trivet_merge_state_read_steal(json, strlen(json), TRIVET_MERGE_PHONE, &state, &err) != 0)
        fail_msg("%s: %s in %.200s", err.path, err.reason, content);
    return state;
}

/* M's text, from malloc, and how it came about. */
typedef struct {
    char *text;
    trivet_merge_counts counts;
    bool conflict;
    int64_t updated_at;
} merged_text;

static merged_text merge_pads(const char *a, const char *p, const char *c, int p_time, int c_time,
                              bool whole) {
    trivet_merge_state *as = pad_of(a, 10), *ps = pad_of(p, p_time), *cs = pad_of(c, c_time);
    trivet_merge_options options = TRIVET_MERGE_OPTIONS_INIT;
    trivet_merge_entry entry;
    trivet_merge_result *r;
    merged_text m;
    if (whole)
        options.text = TRIVET_MERGE_TEXT_WHOLE;
    assert_int_equal(trivet_merge(as, ps, cs, &options, &r, NULL), 0);
    trivet_merge_result_counts(r, &m.counts);
    m.conflict = trivet_merge_result_status(r) == TRIVET_MERGE_CONFLICT;
    assert_true(trivet_merge_entry_at(trivet_merge_result_snapshot(r), TRIVET_MERGE_SCRATCHPAD, 0, &entry));
    m.updated_at = entry.updated_at;
    m.text = allocate(entry.text.len + 1);
    memcpy(m.text, entry.text.data, entry.text.len);
    m.text[entry.text.len] = '\0';
    trivet_merge_result_free(r);
    trivet_merge_state_free(as);
    trivet_merge_state_free(ps);
    trivet_merge_state_free(cs);
    return m;
}

static void rules(void **unused) {
    (void)unused;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const text_case *t = &cases[i];
        merged_text m = merge_pads(t->a, t->p, t->c, t->p_time, t->c_time, false);
        const char *expected = t->outcome == BY_LINES ? t->m : t->outcome == C_WINS ? t->c : t->p;
        if (strcmp(m.text, expected) != 0 || m.conflict != (t->outcome == TIE) ||
            m.counts.scratchpad_line_merged != (t->outcome == BY_LINES))
            fail_msg("%s: %s, expected %s", t->name, m.text, expected);
        assert_int_equal(m.counts.edited_lww, t->outcome == C_WINS || t->outcome == P_WINS);
        assert_int_equal(m.counts.edited_field, t->outcome == BY_LINES);
        assert_int_equal(m.updated_at, t->p_time > t->c_time ? t->p_time : t->c_time);
        free(m.text);
    }
}

static void as_a_whole(void **unused) {
    (void)unused;
    merged_text m = merge_pads("a" N "b" N "c", "A" N "b" N "c", "a" N "b" N "C", 20, 30, true);
    assert_string_equal(m.text, "a" N "b" N "C");
    assert_int_equal(m.counts.scratchpad_line_merged, 0);
    assert_int_equal(m.counts.edited_lww, 1);
    free(m.text);
}

/* Only scratchpads have lines: a label is one field. */
static void labels(void **unused) {
    (void)unused;
    trivet_merge_state *a = read_text("{\"listsCategories\":[{\"label\":\"a\\nb\\nc\",\"updatedAt\":1}]}"),
                       *p = read_text("{\"listsCategories\":[{\"label\":\"A\\nb\\nc\",\"updatedAt\":2}]}"),
                       *c = read_text("{\"listsCategories\":[{\"label\":\"a\\nb\\nC\",\"updatedAt\":3}]}");
    trivet_merge_result *r;
    assert_int_equal(trivet_merge(a, p, c, NULL, &r, NULL), 0);
    assert_state(trivet_merge_result_snapshot(r),
                 "{\"listsCategories\":[{\"label\":\"a\\nb\\nC\",\"updatedAt\":3}]}");
    trivet_merge_result_free(r);
    trivet_merge_state_free(a);
    trivet_merge_state_free(p);
    trivet_merge_state_free(c);
}

/* ---- alignment ----------------------------------------------------------------------------------------- */

enum { LINES = 7 };

/* Up to LINES lines of a few kinds. */
static void random_text(uint64_t *random, size_t kinds, char *out) {
    *out = '\0';
    for (size_t count = random_below(random, LINES + 1); count > 0; count--)
        out += sprintf(out, "%c" N, (char)('a' + random_below(random, kinds)));
}

/* Each line is one letter and its end: three bytes. */
static bool same_line(const char *a, size_t i, const char *b, size_t j) {
    return a[3 * i] == b[3 * j];
}

/*
 * By trying all: the longest way to align a[from...] with b[at...], the first in a and then in b. Returns its length; `best`
 * has for each line of a the line of b, or TM_NO_LINE.
 */
static size_t try_all(const char *a, size_t a_end, const char *b, size_t b_end, size_t from, size_t at,
                      size_t *best) {
    size_t longest = 0;
    for (size_t i = from; i < a_end; i++)
        best[i] = TM_NO_LINE;
    for (size_t i = from; i < a_end; i++) {
        for (size_t j = at; j < b_end; j++) {
            size_t rest[LINES];
            if (!same_line(a, i, b, j))
                continue;
            size_t length = 1 + try_all(a, a_end, b, b_end, i + 1, j + 1, rest);
            if (length <= longest)
                continue;
            longest = length;
            for (size_t k = from; k < a_end; k++)
                best[k] = k < i ? TM_NO_LINE : k == i ? j : rest[k];
        }
    }
    return longest;
}

static void align_by_trying(const char *a, const char *b, size_t *partner) {
    size_t a_count = strlen(a) / 3, b_count = strlen(b) / 3, head = 0, tail = 0;
    size_t most = a_count < b_count ? a_count : b_count;
    while (head < most && same_line(a, head, b, head))
        head++;
    while (head + tail < most && same_line(a, a_count - 1 - tail, b, b_count - 1 - tail))
        tail++;
    for (size_t i = 0; i < head; i++)
        partner[i] = i;
    try_all(a, a_count - tail, b, b_count - tail, head, head, partner);
    for (size_t i = 0; i < tail; i++)
        partner[a_count - 1 - i] = b_count - 1 - i;
}

static void alignment(void **unused) {
    (void)unused;
    for (uint64_t seed = 1; seed <= 5000; seed++) {
        uint64_t random = seed;
        char a[64], b[64];
        size_t expected[LINES], got[LINES];
        tm_lines al, bl;
        tm_alignment x;
        random_text(&random, 2 + seed % 4, a);
        random_text(&random, 2 + seed % 4, b);
        assert_int_equal(tm_lines_init(&al, SLICE(a)), 0);
        assert_int_equal(tm_lines_init(&bl, SLICE(b)), 0);
        assert_int_equal(tm_align(&x, &al, &bl), 0);
        assert_int_equal(tm_alignment_finish(&x, got), 0);
        align_by_trying(a, b, expected);
        for (size_t i = 0; i < al.count; i++)
            if (got[i] != expected[i])
                fail_msg("seed %llu: %s and %s at line %zu", (unsigned long long)seed, a, b, i);
        tm_alignment_release(&x);
        tm_lines_release(&al);
        tm_lines_release(&bl);
    }
}

static void lines(void **unused) {
    (void)unused;
    static const struct {
        const char *text;
        size_t count;
        bool ended;
    } texts[] = {{"", 0, false},         {"a", 1, false},    {"a" N, 1, true},       {N, 1, true},
                 {"a" N "b", 2, false},  {N N, 2, true},     {"a\\\\n", 1, false},   {"a\\\\" N, 1, true},
                 {"\\u000e" N, 1, true}, {"\\\\", 1, false}, {"\\\\\\\\n", 1, false}};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        tm_lines l;
        assert_int_equal(tm_lines_init(&l, SLICE(texts[i].text)), 0);
        assert_int_equal(l.count, texts[i].count);
        assert_int_equal(l.ended, texts[i].ended);
        assert_int_equal(l.start[l.count], l.text.len);
        for (size_t j = 0; j < l.count; j++) {
            tm_slice line = tm_lines_slice(&l, j, j + 1);
            assert_memory_equal(line.data + line.len - 2, N, 2);
        }
        tm_lines_release(&l);
    }
}

/* ---- whatever the texts are ---------------------------------------------------------------------------- */

static size_t count_of(const char *text, char line) {
    size_t count = 0;
    for (; *text; text++)
        count += *text == line && text[1] == '\\';
    return count;
}

/* Swapped sides give the same text; what one side alone has written is there, and once. */
static void swapped(void **unused) {
    (void)unused;
    size_t by_lines = 0;
    for (uint64_t seed = 1; seed <= 3000; seed++) {
        uint64_t random = seed;
        char a[64], p[80], c[80];
        random_text(&random, 4, a);
        size_t count = strlen(a) / 3, p_at = random_below(&random, count + 1),
               c_at = random_below(&random, count + 1);
        sprintf(p, "%.*sP" N "%s", (int)(3 * p_at), a, a + 3 * p_at + (p_at < count && seed % 2 ? 3 : 0));
        sprintf(c, "%.*sC" N "%s", (int)(3 * c_at), a, a + 3 * c_at + (c_at < count && seed % 3 ? 3 : 0));
        merged_text m = merge_pads(a, p, c, 20, 20 + (int)(seed % 5), false),
                    s = merge_pads(a, c, p, 20 + (int)(seed % 5), 20, false);
        assert_int_equal(m.counts.scratchpad_line_merged, s.counts.scratchpad_line_merged);
        if (!m.conflict)
            assert_string_equal(m.text, s.text);
        if (m.counts.scratchpad_line_merged) {
            by_lines++;
            assert_int_equal(count_of(m.text, 'P'), 1);
            assert_int_equal(count_of(m.text, 'C'), 1);
        }
        free(m.text);
        free(s.text);
    }
    assert_true(by_lines > 1000);
}

/* `count` lines that go a, b, a, b. */
static char *alternating(const char *first, size_t count, const char *last) {
    char *text = allocate(strlen(first) + 3 * count + strlen(last) + 1),
         *out = text + sprintf(text, "%s", first);
    for (size_t i = 0; i < count; i++)
        out += sprintf(out, "%c" N, i % 2 ? 'b' : 'a');
    sprintf(out, "%s", last);
    return text;
}

/* Equal lines without end: past 4,194,304 pairs of them, the whole text is one field. */
static void too_many_pairs(void **unused) {
    (void)unused;
    static const struct {
        size_t count;
        bool by_lines;
    } sizes[] = {{1000, true}, {2040, true}, {2060, false}, {300000, false}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        /* neither start nor end is equal, and each line of the one has half of the other's */
        char *a = alternating("", sizes[i].count, "z" N),
             *p = alternating("p" N, sizes[i].count, "z" N "q" N),
             *c = alternating("c" N, sizes[i].count, "z" N "d" N);
        merged_text m = merge_pads(a, p, c, 20, 30, false);
        assert_int_equal(m.counts.scratchpad_line_merged, sizes[i].by_lines);
        assert_int_equal(m.counts.edited_lww, !sizes[i].by_lines);
        assert_memory_equal(m.text, sizes[i].by_lines ? "p" N "c" N "a" N : "c" N "a" N "b" N, 9);
        free(m.text);
        free(a);
        free(p);
        free(c);
    }
}

/* The bound is for all of them together, in their order. */
static void too_many_pairs_together(void **unused) {
    (void)unused;
    enum { COUNT = 1600 };
    static const char *const first[] = {"", "p" N, "c" N}, *const last[] = {"z" N, "z" N "q" N, "z" N "d" N};
    trivet_merge_state *s[3];
    trivet_merge_result *r;
    trivet_merge_entry entry;
    for (int i = 0; i < 3; i++) {
        char *text = alternating(first[i], COUNT, last[i]), *json = allocate(2 * strlen(text) + 256);
        sprintf(
            json,
            "{\"scratchpad\":[{\"content\":\"%s\",\"updatedAt\":%d},{\"content\":\"%s\",\"updatedAt\":%d}]}",
            text, 10 + i, text, 10 + i);
        s[i] = read_text(json); /* which it borrows from */
        free(text);
        text = write_text(s[i]);
        trivet_merge_state_free(s[i]);
        free(json);
        assert_int_equal(trivet_merge_state_read_steal(text, strlen(text), TRIVET_MERGE_PHONE, &s[i], NULL),
                         0);
    }
    assert_int_equal(trivet_merge(s[0], s[1], s[2], NULL, &r, NULL), 0);
    assert_true(trivet_merge_entry_at(trivet_merge_result_snapshot(r), TRIVET_MERGE_SCRATCHPAD, 0, &entry));
    assert_memory_equal(entry.text.data, "p" N "c" N "a" N, 9);
    assert_true(trivet_merge_entry_at(trivet_merge_result_snapshot(r), TRIVET_MERGE_SCRATCHPAD, 1, &entry));
    assert_memory_equal(entry.text.data, "c" N "a" N "b" N, 9);
    trivet_merge_result_free(r);
    for (int i = 0; i < 3; i++)
        trivet_merge_state_free(s[i]);
}

/* Long texts whose lines all differ, shuffled: quick, and no less exact. */
static void a_large_text(void **unused) {
    (void)unused;
    enum { COUNT = 50000 };
    char *a = allocate(COUNT * 10 + 1), *p = allocate(COUNT * 10 + 16), *c = allocate(COUNT * 10 + 16);
    char *ap = a, *pp = p + sprintf(p, "p" N), *cp = c;
    for (int i = 0; i < COUNT; i++) {
        ap += sprintf(ap, "%d" N, i);
        if (i != COUNT / 2)
            pp += sprintf(pp, "%d" N, i);
        cp += sprintf(cp, "%d" N, i == COUNT - 1 ? i : i * 7 % (COUNT - 1));
    }
    sprintf(cp, "c" N);
    merged_text m = merge_pads(a, p, a, 20, 10, false);
    assert_string_equal(m.text, p);
    free(m.text);
    m = merge_pads(a, p, c, 20, 30, false);
    assert_int_equal(m.counts.scratchpad_line_merged, 0);
    assert_string_equal(m.text, c);
    free(m.text);
    free(a);
    free(p);
    free(c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rules),          cmocka_unit_test(as_a_whole),
        cmocka_unit_test(labels),         cmocka_unit_test(alignment),
        cmocka_unit_test(lines),          cmocka_unit_test(swapped),
        cmocka_unit_test(too_many_pairs), cmocka_unit_test(too_many_pairs_together),
        cmocka_unit_test(a_large_text),
    };
    return cmocka_run_group_tests_name("merge: text", tests, NULL, NULL);
}
