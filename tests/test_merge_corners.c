/*
 * What no case in fixtures/merge comes to: states that differ in one thing only, arguments that make no sense, and the far ends
 * of orders and searches. `make coverage` says what is left.
 */
#include "test_merge_support.h"

#define ITEM(fields) "{\"lists\":[[{\"id\":\"a\",\"position\":1,\"text\":\"x\"" fields "}]]}"
#define PAD(fields) "{\"scratchpad\":[{" fields "}]}"

/* ---- equality ------------------------------------------------------------------------------------------ */

/* Each pair differs in one thing. `agrees`: it is nothing that the side would see. */
static const struct {
    const char *a, *b;
    bool agrees;
} different[] = {
    {ITEM(""), ITEM(",\"done\":false"), false},
    {ITEM(""), ITEM(",\"updatedAt\":0"), true},
    {ITEM(",\"updatedAt\":1"), ITEM(",\"updatedAt\":2"), false},
    {ITEM(",\"createdAt\":1"), ITEM(",\"createdAt\":2"), false},
    {ITEM(",\"done\":true"), ITEM(",\"done\":false"), false},
    {ITEM(",\"deleted\":true"), ITEM(""), false},
    {ITEM(",\"deletedAt\":1"), ITEM(",\"deletedAt\":2"), false},
    {ITEM(",\"u\":1"), ITEM(""), false},
    {ITEM(""), ITEM(",\"u\":1"), false},
    {ITEM(",\"u\":null"), ITEM(""), true},
    {ITEM(",\"u\":1"), ITEM(",\"u\":1,\"v\":1"), false},
    {ITEM(",\"u\":1"), ITEM(",\"v\":1"), false},
    {ITEM(",\"u\":1"), ITEM(",\"u\":1.0"), true},
    {ITEM(""), "{\"lists\":[[{\"id\":\"a\",\"position\":2,\"text\":\"x\"}]]}", false},
    {ITEM(""), "{\"lists\":[[{\"id\":\"a\",\"position\":1,\"text\":\"y\"}]]}", false},
    {ITEM(""), "{\"lists\":[[{\"id\":\"b\",\"position\":1,\"text\":\"x\"}]]}", false},
    {ITEM(""), "{\"lists\":[[{\"id\":\"a\",\"position\":1,\"text\":\"x\"}],[]]}", true},
    {"{\"lists\":[[{\"id\":\"a\",\"position\":1,\"text\":\"x\"}],[]]}",
     "{\"lists\":[[],[{\"id\":\"a\",\"position\":1,\"text\":\"x\"}]]}", false},
    {"{\"lists\":[[]]}", ITEM(""), false},
    {"{\"lists\":[]}", "{\"lockedLists\":[]}", true},
    {PAD("\"content\":\"x\""), PAD("\"content\":\"y\""), false},
    {PAD("\"content\":\"x\""), PAD("\"updatedAt\":0"), false},
    {PAD("\"content\":\"x\""), PAD("\"content\":\"x\",\"updatedAt\":0"), true},
    {PAD("\"updatedAt\":1"), PAD("\"updatedAt\":2"), false},
    {PAD("\"updatedAt\":1"), PAD("\"content\":\"\",\"updatedAt\":1"), false},
    {PAD("\"content\":\"x\",\"u\":1"), PAD("\"content\":\"x\",\"u\":2"), false},
    {PAD(""), "{\"scratchpad\":[{},{}]}", true},
    {PAD(""), "{\"scratchpad\":[{},{\"content\":\"x\"}]}", false},
    {PAD("\"content\":\"x\""), "{\"scratchpad\":[]}", false},
    {PAD(""), PAD("\"content\":\"x\""), false},
    {"{\"u\":1}", "{\"v\":1}", false},
    {"{\"v\":1}", "{\"u\":1}", false},
    {"{\"u\":1}", "{\"u\":2}", false},
    {"{\"u\":1}", "{\"u\":1.0}", true},
    {"{\"u\":1,\"v\":2}", "{\"v\":2}", true},
    {"{\"u\":1}", "{\"u\":1,\"v\":2}", false},
};

static void one_difference_is_seen(void **unused) {
    (void)unused;
    for (size_t i = 0; i < sizeof different / sizeof *different; i++) {
        trivet_merge_state *a = read_text(different[i].a), *b = read_text(different[i].b);
        if (trivet_merge_state_equal(a, b) || trivet_merge_state_equal(b, a))
            fail_msg("equal: %s and %s", different[i].a, different[i].b);
        if (trivet_merge_state_agrees(a, b) != different[i].agrees)
            fail_msg("%s %s for one who holds %s", different[i].a,
                     different[i].agrees ? "changes something" : "changes nothing", different[i].b);
        if (!trivet_merge_state_agrees(a, a) || !trivet_merge_state_equal(a, a))
            fail_msg("not equal to itself: %s", different[i].a);
        trivet_merge_state_free(a);
        trivet_merge_state_free(b);
    }
}

/* ---- arguments ----------------------------------------------------------------------------------------- */

static trivet_merge_item item_of(const char *id, const char *text) {
    return (trivet_merge_item){.id = SLICE(id), .text = SLICE(text), .position = 1, .deleted_at = -1};
}

static void refused_item(trivet_merge_item item, const char *path, const char *reason) {
    trivet_merge_error err = TRIVET_MERGE_ERROR_INIT;
    trivet_merge_state *state = read_text("{}");
    assert_int_equal(trivet_merge_put_item(state, TRIVET_MERGE_LISTS, 0, &item, &err), TRIVET_MERGE_EINPUT);
    assert_string_equal(err.path, path);
    assert_string_equal(err.reason, reason);
    trivet_merge_state_free(state);
}

static void items_are_checked(void **unused) {
    (void)unused;
    static const char id_reason[] = "expected 1 to 256 bytes", string_reason[] = "expected a string";
    char longer[700];
    trivet_merge_item item = item_of("a", "x");
    item.id.data = NULL;
    refused_item(item, "id", id_reason);
    refused_item(item_of("", "x"), "id", id_reason);
    refused_item(item_of("\"", "x"), "id", string_reason);
    item = item_of("a", "x");
    item.text.data = NULL;
    refused_item(item, "text", string_reason);
    memset(longer, 'x', sizeof longer);
    longer[600] = '\n';
    longer[sizeof longer - 1] = '\0';
    refused_item(item_of("a", longer), "text", string_reason);
    /* canonical and not: an escape that JSON.stringify does not write, or writes otherwise */
    static const char *const texts[] = {"\\u0041", "\\u000a", "\\u001F", "\\ud83d\\ude00",
                                        "\\uD83D", "\\/",     "\\u00",   "\\"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        refused_item(item_of("a", texts[i]), "text", string_reason);
}

static void a_long_text_is_put(void **unused) {
    (void)unused;
    char text[700];
    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = '\0';
    trivet_merge_error err = TRIVET_MERGE_ERROR_INIT;
    trivet_merge_state *state = read_text("{}");
    trivet_merge_item item = item_of("a", text), found;
    item.created_at = 7;
    assert_int_equal(trivet_merge_put_item(state, TRIVET_MERGE_LISTS, 0, &item, &err), 0);
    assert_true(trivet_merge_item_at(state, TRIVET_MERGE_LISTS, 0, 0, &found));
    assert_int_equal(found.created_at, 7);
    assert_true((found.has & TRIVET_MERGE_HAS_CREATED_AT) != 0 && found.text.len == sizeof text - 1);
    trivet_merge_state_free(state);
}

static void sections_out_of_range(void **unused) {
    (void)unused;
    const trivet_merge_section none = (trivet_merge_section)99;
    trivet_merge_error err = TRIVET_MERGE_ERROR_INIT;
    trivet_merge_state *state = read_text(ITEM("")), *other = read_text("{\"u\":1}");
    trivet_merge_item item = item_of("a", "x");
    trivet_merge_entry entry = {.text = {"\n", 1}};
    assert_string_equal(trivet_merge_side_name((trivet_merge_side)9), "");
    assert_int_equal(trivet_merge_slot_count(state, none), 0);
    assert_false(trivet_merge_state_has(state, none));
    assert_false(trivet_merge_item_find(state, none, SLICE("a"), NULL, NULL));
    assert_false(trivet_merge_item_find(state, TRIVET_MERGE_SCRATCHPAD, SLICE("a"), NULL, NULL));
    assert_false(trivet_merge_entry_at(state, TRIVET_MERGE_LISTS, 0, &entry));
    assert_false(trivet_merge_entry_at(state, TRIVET_MERGE_SCRATCHPAD, 0, &entry));
    assert_int_equal(trivet_merge_item_count(state, none, 0), 0);
    assert_int_equal(trivet_merge_take_section(other, state, none), TRIVET_MERGE_ENOTHERE);
    assert_int_equal(trivet_merge_take_section(other, state, TRIVET_MERGE_LISTS), 0);
    assert_state(
        other,
        "{\"lists\":[[{\"deleted\":false,\"deletedAt\":null,\"id\":\"a\",\"position\":1,\"text\":\"x\"}]]}");
    assert_int_equal(trivet_merge_remove_item(state, none, SLICE("a")), TRIVET_MERGE_ENOTHERE);
    assert_int_equal(trivet_merge_put_item(state, none, 0, &item, &err), TRIVET_MERGE_EINPUT);
    assert_int_equal(trivet_merge_put_entry(state, TRIVET_MERGE_SCRATCHPAD, 0, &entry, &err),
                     TRIVET_MERGE_EINPUT);
    assert_int_equal(trivet_merge_pad(state, NULL, 65), TRIVET_MERGE_EINPUT);
    entry.text.data = NULL;
    entry.text.len = 0;
    assert_int_equal(trivet_merge_put_entry(state, TRIVET_MERGE_SCRATCHPAD, 0, &entry, &err), 0);
    assert_true(trivet_merge_entry_at(state, TRIVET_MERGE_SCRATCHPAD, 0, &entry) && !entry.text.data);
    trivet_merge_state_free(other);
    trivet_merge_state_free(state);
}

static void quoting_without_a_length(void **unused) {
    (void)unused;
    char *out = NULL;
    assert_int_equal(trivet_merge_quote("\x01\xf0\x9f\x98\x80", 5, &out, NULL), 0);
    assert_string_equal(out, "\\u0001\xf0\x9f\x98\x80");
    free(out);
    assert_int_equal(trivet_merge_unquote(SLICE("\\n\\u0001\\ud83d"), &out, NULL), 0);
    assert_string_equal(out, "\n\x01\xef\xbf\xbd");
    free(out);
}

/* ---- merges -------------------------------------------------------------------------------------------- */

/* The document of a merge; the ancestor may be NULL. */
static char *merge_document(const char *a, const char *p, const char *c, trivet_merge_options options) {
    trivet_merge_error err = TRIVET_MERGE_ERROR_INIT;
    trivet_merge_state *as = a ? read_text(a) : NULL, *ps = read_text(p), *cs = read_text(c);
    trivet_merge_result *result = NULL;
    char *out = NULL;
    size_t len;
    if (trivet_merge(as, ps, cs, &options, &result, &err) != 0)
        fail_msg("%s: %s", err.path, err.reason);
    assert_int_equal(trivet_merge_result_write(result, &out, &len), 0);
    trivet_merge_result_free(result);
    trivet_merge_state_free(as);
    trivet_merge_state_free(ps);
    trivet_merge_state_free(cs);
    return out;
}

#define DATED(id, text, updated)                                                                             \
    "{\"id\":\"" id "\",\"position\":1,\"text\":\"" text "\",\"updatedAt\":" updated "}"

static const struct {
    const char *what, *a, *p, *c;
    const char *holds; /* somewhere in the result's document */
} merges[] = {
    {"ties in two sections, both of slots and of entries, are in order", NULL,
     "{\"lists\":[[" DATED("a", "p", "1") "]],\"lockedLists\":[[" DATED(
         "a", "p", "1") "]],"
                        "\"listsCategories\":[{\"label\":\"p\",\"updatedAt\":1}],\"scratchpad\":[{"
                        "\"content\":\"p\",\"updatedAt\":1}]}",
     "{\"lists\":[[" DATED("a", "c", "1") "]],\"lockedLists\":[[" DATED(
         "a", "c", "1") "]],"
                        "\"listsCategories\":[{\"label\":\"c\",\"updatedAt\":1}],\"scratchpad\":[{"
                        "\"content\":\"c\",\"updatedAt\":1}]}",
     "\"ties\":4,"},
    {"an entry that one side holds without text", "{\"scratchpad\":[{\"updatedAt\":1}]}",
     "{\"scratchpad\":[{\"content\":\"p\",\"updatedAt\":2}]}",
     "{\"scratchpad\":[{\"content\":\"c\",\"updatedAt\":3}]}",
     "\"scratchpad\":[{\"content\":\"c\",\"updatedAt\":3}]"},
    {"a text that the phone took away", "{\"scratchpad\":[{\"content\":\"a\",\"updatedAt\":1}]}",
     "{\"scratchpad\":[{\"updatedAt\":2}]}", "{\"scratchpad\":[{\"content\":\"c\",\"updatedAt\":3}]}",
     "\"scratchpad\":[{\"content\":\"c\",\"updatedAt\":3}]"},
    {"a text that the computer took away", "{\"scratchpad\":[{\"content\":\"a\",\"updatedAt\":1}]}",
     "{\"scratchpad\":[{\"content\":\"p\",\"updatedAt\":2}]}", "{\"scratchpad\":[{\"updatedAt\":3}]}",
     "\"scratchpad\":[{\"updatedAt\":3}]"},
    {"... and that ties", "{\"scratchpad\":[{\"content\":\"a\",\"updatedAt\":1}]}",
     "{\"scratchpad\":[{\"content\":\"p\",\"updatedAt\":2}]}", "{\"scratchpad\":[{\"updatedAt\":2}]}",
     "\"computerValue\":null"},
    {"deletedAt of a live item is a field that a side sees", ITEM(""), ITEM(",\"deletedAt\":5"), ITEM(""),
     "{\"field\":\"deletedAt\",\"id\":\"a\",\"kind\":\"edited\""},
    {"a category field called section that differs is no one's choice", NULL,
     "{\"listsCategories\":[{\"label\":\"x\",\"section\":\"p\",\"u\":1,\"updatedAt\":1}]}",
     "{\"listsCategories\":[{\"label\":\"x\",\"section\":\"c\",\"u\":2,\"updatedAt\":1}]}", "\"ties\":1,"},
    {"an item's field called section ties like any other", NULL, ITEM(",\"section\":1,\"updatedAt\":1"),
     ITEM(",\"section\":2,\"updatedAt\":1"), "\"field\":\"section\""},
    {"unknown keys that are written differently and equal", "{\"u\":[]}", "{\"u\":1.0}", "{\"u\":1}",
     "\"u\":1}"},
    {"... the other way round", "{\"u\":[]}", "{\"u\":1}", "{\"u\":1.0}", "\"u\":1}"},
    {"unknown keys in any order", "{\"b\":1}", "{\"c\":2,\"a\":1}", "{\"a\":1,\"b\":3}",
     "\"snapshot\":{\"a\":1,\"b\":3,\"c\":2}"},
    {"more unknown fields than there is room for at first", ITEM(""),
     ITEM(",\"f01\":1,\"f02\":1,\"f03\":1,\"f04\":1,\"f05\":1,\"f06\":1,\"f07\":1,\"f08\":1,\"f09\":1,"
          "\"f10\":1"),
     ITEM(",\"f11\":1,\"f12\":1,\"f13\":1,\"f14\":1,\"f15\":1,\"f16\":1,\"f17\":1,\"f18\":1,\"f19\":1,"
          "\"f20\":1"),
     "\"f19\":1,\"f20\":1"},
    {"fields that are gone from one side's end", ITEM(",\"u\":1,\"v\":1"), ITEM(",\"u\":1"),
     ITEM(",\"u\":1,\"v\":1,\"w\":1"), "\"u\":1,\"w\":1"},
    {"a field that only the computer has, before all others", ITEM(",\"z\":1"), ITEM(",\"z\":1"),
     ITEM(",\"b\":2,\"z\":1"), "\"b\":2"},
    {"no date stays no date", "{\"scratchpad\":[{\"content\":\"a\"}]}",
     "{\"scratchpad\":[{\"content\":\"p\"}]}", "{\"scratchpad\":[{\"content\":\"a\"}]}",
     "\"scratchpad\":[{\"content\":\"p\"}]"},
    {"a date from the computer alone", "{\"scratchpad\":[{\"content\":\"a\"}]}",
     "{\"scratchpad\":[{\"content\":\"a\"}]}", "{\"scratchpad\":[{\"content\":\"c\",\"updatedAt\":0}]}",
     "\"scratchpad\":[{\"content\":\"c\",\"updatedAt\":0}]"},
};

static void merges_hold(void **unused) {
    (void)unused;
    for (size_t i = 0; i < sizeof merges / sizeof *merges; i++) {
        trivet_merge_options options = TRIVET_MERGE_OPTIONS_INIT;
        char *out = merge_document(merges[i].a, merges[i].p, merges[i].c, options);
        if (!strstr(out, merges[i].holds))
            fail_msg("%s:\n%s\nis not in\n%s", merges[i].what, merges[i].holds, out);
        free(out);
    }
}

/* What a side does not hold comes from the others, in a large change as well. */
static void wholesale(void **unused) {
    (void)unused;
    static const char a[] =
        "{\"lists\":[[" DATED("a", "x", "1") "]],\"u\":\"a\",\"scratchpad\":[{\"content\":\"a\"}]}";
    static const char full[] = "{\"lists\":[[" DATED("a", "x", "1") "]],\"v\":\"c\",\"w\":1}";
    static const char wiped[] = "{\"lists\":[[]],\"v\":\"p\"}";
    static const struct {
        bool phone_wiped;
        trivet_merge_large large;
        const char *holds;
    } cases[] = {
        {true, TRIVET_MERGE_LARGE_PHONE,
         "\"scratchpad\":[{\"content\":\"a\"}],\"u\":\"a\",\"v\":\"p\",\"w\":1"},
        {true, TRIVET_MERGE_LARGE_COMPUTER, "\"u\":\"a\",\"v\":\"c\",\"w\":1"},
        {false, TRIVET_MERGE_LARGE_PHONE, "\"u\":\"a\",\"v\":\"c\",\"w\":1"},
        {false, TRIVET_MERGE_LARGE_COMPUTER, "\"u\":\"a\",\"v\":\"p\",\"w\":1"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        trivet_merge_options options = TRIVET_MERGE_OPTIONS_INIT;
        options.large = cases[i].large;
        char *out = merge_document(a, cases[i].phone_wiped ? wiped : full,
                                   cases[i].phone_wiped ? full : wiped, options);
        if (!strstr(out, cases[i].holds))
            fail_msg("%zu: %s is not in\n%s", i, cases[i].holds, out);
        free(out);
    }
}

/* Under a choice, too, a section that nobody sends stays, and what both sides lack is gone. */
static void chosen_without_a_view(void **unused) {
    (void)unused;
    static const trivet_merge_large choices[] = {TRIVET_MERGE_LARGE_PHONE, TRIVET_MERGE_LARGE_COMPUTER,
                                                 TRIVET_MERGE_LARGE_BOTH};
    for (size_t i = 0; i < 3; i++) {
        trivet_merge_options options = TRIVET_MERGE_OPTIONS_INIT;
        options.large = choices[i];
        options.large_threshold = 0.1;
        char *out = merge_document("{\"lists\":[[" DATED("a", "x", "1") "," DATED(
                                       "b", "x", "1") "]],\"lockedLists\":[[" DATED("c", "x", "1") "]]}",
                                   "{\"lists\":[[]]}", "{\"lists\":[[" DATED("a", "x", "1") "]]}", options);
        assert_non_null(strstr(out, "\"lockedLists\":[[{\"deleted\":false,\"deletedAt\":null,\"id\":\"c\""));
        assert_null(strstr(out, "\"id\":\"b\""));
        free(out);
    }
}

static void a_large_change_tells_its_counts(void **unused) {
    (void)unused;
    trivet_merge_error err = TRIVET_MERGE_ERROR_INIT;
    trivet_merge_state *a = read_text(ITEM("")), *p = read_text("{\"lists\":[[]]}");
    trivet_merge_result *result = NULL;
    trivet_merge_large_change large;
    assert_int_equal(trivet_merge(a, p, a, NULL, &result, &err), 0);
    assert_int_equal(trivet_merge_result_status(result), TRIVET_MERGE_LARGE_CHANGE);
    assert_null(trivet_merge_result_snapshot(result));
    trivet_merge_result_large_change(result, &large);
    assert_int_equal(large.known, 1);
    assert_int_equal(large.phone_missing, 1);
    assert_int_equal(large.computer_missing, 0);
    trivet_merge_result_free(result);
    trivet_merge_state_free(p);
    trivet_merge_state_free(a);
}

/* Picks of every kind, given in the worst order; then one more, of no tie, at each end of theirs. */
static void picks_of_all_kinds(void **unused) {
    (void)unused;
    const trivet_merge_slice none = {NULL, 0};
    trivet_merge_pick picks[] = {
        {TRIVET_MERGE_SCRATCHPAD, 0, none, SLICE("content"), TRIVET_MERGE_COMPUTER},
        {TRIVET_MERGE_LISTS_CATEGORIES, 0, none, SLICE("label"), TRIVET_MERGE_PHONE},
        {TRIVET_MERGE_LOCKED_LISTS, 0, SLICE("a"), SLICE("text"), TRIVET_MERGE_COMPUTER},
        {TRIVET_MERGE_LISTS, 0, SLICE("a"), SLICE("text"), TRIVET_MERGE_PHONE},
        {TRIVET_MERGE_LISTS, 0, none, none, TRIVET_MERGE_PHONE},
    };
    trivet_merge_options options = TRIVET_MERGE_OPTIONS_INIT;
    options.picks = picks;
    options.pick_count = 4;
    char *out = merge_document(NULL, merges[0].p, merges[0].c, options);
    assert_non_null(strstr(out, "\"status\":\"merged\""));
    assert_non_null(strstr(out, "\"scratchpad\":[{\"content\":\"c\""));
    free(out);
    trivet_merge_error err = TRIVET_MERGE_ERROR_INIT;
    trivet_merge_state *p = read_text(merges[0].p), *c = read_text(merges[0].c);
    trivet_merge_result *result = NULL;
    options.pick_count = 5;
    assert_int_equal(trivet_merge(NULL, p, c, &options, &result, &err), TRIVET_MERGE_EPICK);
    assert_null(result);
    assert_string_equal(err.path, "lists[0][\"\"]");
    trivet_merge_state_free(p);
    trivet_merge_state_free(c);
}

/* ---- values -------------------------------------------------------------------------------------------- */

/* Of an unknown field; equal ones merge without a tie. */
static const struct {
    const char *p, *c;
    bool equal;
} values[] = {
    {"\"\\ud83d\\ude00\"", "\"\xf0\x9f\x98\x80\"", true},
    {"\"\\ud83dx\"", "\"\\ud83d\\n\"", false},
    {"\"\\ud83d\\u0041\"", "\"\\ud83dA\"", true},
    {"\"\\ud83d\\ue000\"", "\"\\ud83d\xee\x80\x80\"", true},
    {"\"\\ud83d\\ud83d\\ude00\"", "\"\\ud83d\xf0\x9f\x98\x80\"", true},
    {"\"\\ud83d\"", "\"\\ud83d1\"", false},
    {"\"\\ud83d\\nabcdef\"", "\"\\ud83d\\tabcdef\"", false},
    {"\"\xf4\x8f\xbf\xbf\"", "\"\\udbff\\udfff\"", true},
    {"\"\\u00e9\"", "\"\xc3\xa9\"", true},
    {"\"\\u20ac\"", "\"\xe2\x82\xac\"", true},
    {"\"\\u0022\\u005c\\u002f\"", "\"\\\"\\\\/\"", true},
    {"1", "\"1\"", false},
    {"\"1\"", "1", false},
    {"1", "[1]", false},
    {"[1]", "1", false},
    {"1", "{}", false},
    {"{}", "1", false},
    {"{}", "[]", false},
    {"true", "1", false},
    {"1", "true", false},
    {"-1", "-1.0", true},
    {"{\"a\":1,\"b\":2}", "{\"b\":2,\"a\":1}", true},
    {"{\"a\":1,\"b\":2}", "{\"b\":2,\"a\":3}", false},
    {"{\"a\":1,\"b\":2}", "{\"b\":2,\"c\":1}", false},
    {"{\"a\":1}", "{\"a\":1,\"b\":2}", false},
    {"{\"a\":1,\"b\":1,\"c\":1,\"d\":1,\"e\":1,\"f\":1,\"g\":1,\"h\":1,\"i\":1}",
     "{\"i\":1,\"h\":1,\"g\":1,\"f\":1,\"e\":1,\"d\":1,\"c\":1,\"b\":1,\"a\":1.0}", true},
    {"{\"a\":1,\"b\":1,\"c\":1,\"d\":1,\"e\":1,\"f\":1,\"g\":1,\"h\":1,\"i\":1}",
     "{\"j\":1,\"h\":1,\"g\":1,\"f\":1,\"e\":1,\"d\":1,\"c\":1,\"b\":1,\"a\":1}", false},
    {"{\"a\":1,\"b\":1,\"c\":1,\"d\":1,\"e\":1,\"f\":1,\"g\":1,\"h\":1,\"i\":1}",
     "{\"i\":2,\"h\":1,\"g\":1,\"f\":1,\"e\":1,\"d\":1,\"c\":1,\"b\":1,\"a\":1}", false},
};

static void values_compare(void **unused) {
    (void)unused;
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        char p[512], c[512];
        trivet_merge_options options = TRIVET_MERGE_OPTIONS_INIT;
        snprintf(p, sizeof p, ITEM(",\"updatedAt\":1,\"u\":%s"), values[i].p);
        snprintf(c, sizeof c, ITEM(",\"updatedAt\":1,\"u\":%s"), values[i].c);
        char *out = merge_document(NULL, p, c, options);
        if ((strstr(out, "\"status\":\"merged\"") != NULL) != values[i].equal)
            fail_msg("%s and %s", values[i].p, values[i].c);
        free(out);
    }
}

/* ---- refused ------------------------------------------------------------------------------------------- */

static const struct {
    const char *json, *path;
} refused[] = {
    {"{\"lists\":[[{\"id\":\"a\",\"a b\":{", "lists[0][0][\"a b\"]"},
    {"{\"lists\":[[{\"id\":\"a\",\"A_9z\":}]]}", "lists[0][0].A_9z"},
    {"{\"lists\":[[{\"id\":\"a\",\"9a\":}]]}", "lists[0][0][\"9a\"]"},
    {"{\"lists\":[[{\"id\":\"a\",\"a{\":}]]}", "lists[0][0][\"a{\"]"},
    {"{\"lists\":[[{\"id\":\"a\",\"a[\":}]]}", "lists[0][0][\"a[\"]"},
    {"{\"lists\":[[{\"id\":\"a\",\"a~\":}]]}", "lists[0][0][\"a~\"]"},
    {"{\"lists\":[[{\"id\":\"a\",\"a:\":}]]}", "lists[0][0][\"a:\"]"},
    {"{\"lists\":[[{\"id\":\"a\",\"\":}]]}", "lists[0][0][\"\"]"},
    {"{\"u\":{\"a\":1", "u"},
    {"{\"scratchpad\":[{\"updatedAt\":1,\"updatedAt\":1}]}", "scratchpad[0].updatedAt"},
    {"{\"u\":{\"a\":1 \"b\":2}}", "u"},
    {"{\"u\":{\"a\" 1}}", "u"},
    {"{\"u\":\"\\u12", "u"},
    {"{\"u\":\"\\u123\"}", "u"},
    {"{\"u\":\"\xe0\x9f\xbf\"}", "u"},
    {"{\"u\":\"\xed\xa0\x80\"}", "u"},
    {"{\"u\":\"\xf0\x8f\xbf\xbf\"}", "u"},
    {"{\"u\":\"\xf4\x90\x80\x80\"}", "u"},
    {"{\"u\":\"\xf0\x9f\x98\x41\"}", "u"},
    {"{\"u\":\"\xf0\x9f\x98", "u"},
};

static void refused_with_a_path(void **unused) {
    (void)unused;
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        trivet_merge_error err = TRIVET_MERGE_ERROR_INIT;
        trivet_merge_state *state = NULL;
        if (trivet_merge_state_read(refused[i].json, strlen(refused[i].json), TRIVET_MERGE_PHONE, &state,
                                    &err) != TRIVET_MERGE_EINPUT)
            fail_msg("read: %s", refused[i].json);
        if (strcmp(err.path, refused[i].path) != 0)
            fail_msg("%s: refused at %s, not %s (%s)", refused[i].json, err.path, refused[i].path,
                     err.reason);
    }
}

/* An object may be the level too many as well as an array. */
static void objects_nest_no_deeper(void **unused) {
    (void)unused;
    for (size_t levels = 62; levels <= 65; levels++) {
        char json[256], *p = stpcpy(json, "{\"u\":");
        trivet_merge_error err = TRIVET_MERGE_ERROR_INIT;
        trivet_merge_state *state = NULL;
        memset(p, '[', levels - 2);
        p = stpcpy(p + levels - 2, "{}");
        memset(p, ']', levels - 2);
        strcpy(p + levels - 2, "}");
        int rc = trivet_merge_state_read(json, strlen(json), TRIVET_MERGE_PHONE, &state, &err);
        assert_int_equal(rc, levels <= 64 ? 0 : TRIVET_MERGE_EINPUT);
        assert_string_equal(err.reason, levels <= 64 ? "" : "nested deeper than 64");
        trivet_merge_state_free(state);
    }
}

/* Space of every kind, in and around what is known and what is not. */
static void space_is_no_matter(void **unused) {
    (void)unused;
    trivet_merge_state *state =
        read_text(" \t\r\n{ \"u\"\t:\r{\n\"a\" : [ 1 ,\t2\r,\n3 ] } , \"lists\" : [\t[\r]\n] } \n");
    assert_state(state, "{\"lists\":[[]],\"u\":{\"a\":[1,2,3]}}");
    trivet_merge_state_free(state);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_difference_is_seen),
        cmocka_unit_test(items_are_checked),
        cmocka_unit_test(a_long_text_is_put),
        cmocka_unit_test(sections_out_of_range),
        cmocka_unit_test(quoting_without_a_length),
        cmocka_unit_test(merges_hold),
        cmocka_unit_test(wholesale),
        cmocka_unit_test(chosen_without_a_view),
        cmocka_unit_test(a_large_change_tells_its_counts),
        cmocka_unit_test(picks_of_all_kinds),
        cmocka_unit_test(values_compare),
        cmocka_unit_test(refused_with_a_path),
        cmocka_unit_test(objects_nest_no_deeper),
        cmocka_unit_test(space_is_no_matter),
    };
    return cmocka_run_group_tests_name("merge: corners", tests, NULL, NULL);
}
