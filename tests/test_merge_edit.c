/* Changing states, looking into them, comparing them, writing them in parts. */
#include "test_merge_support.h"

static const char two_slots[] =
    "{\"lists\":[[{\"id\":\"a\",\"text\":\"A\",\"position\":1,\"u\":[1]},{\"id\":\"b\",\"text\":\"B\","
    "\"position\":2}],[]],\"other\":1,\"scratchpad\":[]}";

static trivet_merge_item item_of(const char *id, const char *text, double position) {
    return (trivet_merge_item){.id = SLICE(id), .text = SLICE(text), .position = position, .deleted_at = -1};
}

/* "lists/0: a b; lists/1: c" in canonical order */
static void assert_order(const trivet_merge_state *state, trivet_merge_section section,
                         const char *expected) {
    char text[512] = "", *p = text;
    for (size_t slot = 0; slot < trivet_merge_slot_count(state, section); slot++) {
        trivet_merge_item item;
        p += sprintf(p, slot ? "|" : "");
        for (size_t i = 0; trivet_merge_item_at(state, section, slot, i, &item); i++)
            p += sprintf(p, "%s%.*s", i ? " " : "", (int)item.id.len, item.id.data);
        assert_int_equal(trivet_merge_item_count(state, section, slot) > 0, p > text && p[-1] != '|');
    }
    assert_string_equal(text, expected);
}

static void puts_moves_and_removes(void **unused) {
    (void)unused;
    trivet_merge_state *s = read_text(two_slots);
    trivet_merge_item item = item_of("c", "C", 1.5);
    size_t slot;
    assert_int_equal(trivet_merge_put_item(s, TRIVET_MERGE_LISTS, 0, &item, NULL), 0);
    assert_order(s, TRIVET_MERGE_LISTS, "a c b|");
    item.position = 9; /* in place */
    assert_int_equal(trivet_merge_put_item(s, TRIVET_MERGE_LISTS, 0, &item, NULL), 0);
    assert_order(s, TRIVET_MERGE_LISTS, "a b c|");
    assert_int_equal(trivet_merge_put_item(s, TRIVET_MERGE_LISTS, 3, &item, NULL), 0);
    assert_order(s, TRIVET_MERGE_LISTS, "a b|||c");
    assert_true(trivet_merge_item_find(s, TRIVET_MERGE_LISTS, SLICE("c"), &item, &slot));
    assert_int_equal(slot, 3);
    assert_false(trivet_merge_item_find(s, TRIVET_MERGE_LOCKED_LISTS, SLICE("c"), &item, &slot));
    item.deleted = true;
    item.deleted_at = 5;
    assert_int_equal(trivet_merge_put_item(s, TRIVET_MERGE_LISTS, 0, &item, NULL), 0);
    item = item_of("0", "zero", 100);
    assert_int_equal(trivet_merge_put_item(s, TRIVET_MERGE_LISTS, 0, &item, NULL), 0);
    assert_order(s, TRIVET_MERGE_LISTS, "a b 0 c|||");
    assert_int_equal(trivet_merge_remove_item(s, TRIVET_MERGE_LISTS, SLICE("a")), 0);
    assert_int_equal(trivet_merge_remove_item(s, TRIVET_MERGE_LISTS, SLICE("a")), TRIVET_MERGE_ENOTHERE);
    assert_int_equal(trivet_merge_remove_item(s, TRIVET_MERGE_LISTS_CATEGORIES, SLICE("b")),
                     TRIVET_MERGE_ENOTHERE);
    assert_state(
        s, "{\"lists\":[[{\"deleted\":false,\"deletedAt\":null,\"id\":\"b\",\"position\":2,\"text\":\"B\"},"
           "{\"deleted\":false,\"deletedAt\":null,\"id\":\"0\",\"position\":100,\"text\":\"zero\"},"
           "{\"deleted\":true,\"deletedAt\":5,\"id\":\"c\",\"position\":9,\"text\":\"C\"}],[],[],[]],"
           "\"other\":1,"
           "\"scratchpad\":[]}");
    trivet_merge_state_free(s);
}

/* A copy owns what it holds, unknown fields and all: the source may go. */
static void copies_what_it_is_given(void **unused) {
    (void)unused;
    char *json =
        strdup("{\"lists\":[[{\"id\":\"a\",\"text\":\"A\",\"position\":1,\"u\":12,\"v\":{\"k\":[1]}}]],"
               "\"listsCategories\":[{\"label\":\"L\",\"section\":\"lists\",\"icon\":3}]}");
    trivet_merge_state *from = read_text(json), *to;
    trivet_merge_item item;
    trivet_merge_entry entry;
    assert_int_equal(trivet_merge_state_new(&to), 0);
    assert_true(trivet_merge_item_at(from, TRIVET_MERGE_LISTS, 0, 0, &item));
    assert_true(trivet_merge_entry_at(from, TRIVET_MERGE_LISTS_CATEGORIES, 0, &entry));
    assert_int_equal(trivet_merge_put_item(to, TRIVET_MERGE_LOCKED_LISTS, 1, &item, NULL), 0);
    assert_int_equal(trivet_merge_put_entry(to, TRIVET_MERGE_LISTS_CATEGORIES, 1, &entry, NULL), 0);
    trivet_merge_item copy;
    assert_true(trivet_merge_item_find(to, TRIVET_MERGE_LOCKED_LISTS, SLICE("a"), &copy, NULL));
    assert_true(trivet_merge_item_equal(&item, &copy));
    trivet_merge_state_free(from);
    memset(json, 'x', strlen(json));
    free(json);
    assert_state(to,
                 "{\"listsCategories\":[{\"label\":\"\",\"section\":\"lists\",\"updatedAt\":0},"
                 "{\"icon\":3,\"label\":\"L\",\"section\":\"lists\",\"updatedAt\":0}],\"lockedLists\":[[],"
                 "[{\"deleted\":false,\"deletedAt\":null,\"id\":\"a\",\"position\":1,\"text\":\"A\",\"u\":12,"
                 "\"v\":{\"k\":[1]}}]]}");
    trivet_merge_state_free(to);
}

static void refuses_bad_items(void **unused) {
    (void)unused;
    static const struct {
        const char *id, *text;
        double position;
        int64_t created, updated, deleted_at;
        size_t slot;
        const char *path;
    } cases[] = {
        {"", "", 1, 0, 0, -1, 0, "id"},
        {"a\"b", "", 1, 0, 0, -1, 0, "id"},
        {"\xff", "", 1, 0, 0, -1, 0, "id"},
        {"x", "a\nb", 1, 0, 0, -1, 0, "text"},
        {"x", "\\", 1, 0, 0, -1, 0, "text"},
        {"x", "\\u0041", 1, 0, 0, -1, 0, "text"},
        {"x", "", 1e308 * 10, 0, 0, -1, 0, "position"},
        {"x", "", 1, -1, 0, -1, 0, "createdAt"},
        {"x", "", 1, 0, INT64_C(1) << 53, -1, 0, "updatedAt"},
        {"x", "", 1, 0, 0, -2, 0, "deletedAt"},
        {"x", "", 1, 0, 0, -1, 64, "lists"},
    };
    trivet_merge_state *s = read_text(two_slots);
    char *before = write_text(s);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        trivet_merge_error err = TRIVET_MERGE_ERROR_INIT;
        trivet_merge_item item = item_of(cases[i].id, cases[i].text, cases[i].position);
        item.created_at = cases[i].created;
        item.updated_at = cases[i].updated;
        item.deleted_at = cases[i].deleted_at;
        assert_int_equal(trivet_merge_put_item(s, TRIVET_MERGE_LISTS, cases[i].slot, &item, &err),
                         TRIVET_MERGE_EINPUT);
        assert_string_equal(err.path, cases[i].path);
    }
    trivet_merge_item good = item_of("x", "", 1);
    assert_int_equal(trivet_merge_put_item(s, TRIVET_MERGE_SCRATCHPAD, 0, &good, NULL), TRIVET_MERGE_EINPUT);
    char long_id[258];
    memset(long_id, 'x', sizeof long_id);
    good.id = (trivet_merge_slice){long_id, 257};
    assert_int_equal(trivet_merge_put_item(s, TRIVET_MERGE_LISTS, 0, &good, NULL), TRIVET_MERGE_EINPUT);
    assert_state(s, before);
    good.id.len = 256;
    assert_int_equal(trivet_merge_put_item(s, TRIVET_MERGE_LISTS, 63, &good, NULL), 0);
    free(before);
    trivet_merge_state_free(s);
}

static void puts_entries(void **unused) {
    (void)unused;
    trivet_merge_state *s;
    trivet_merge_entry entry = {.text = SLICE("note"), .updated_at = 7}, read;
    assert_int_equal(trivet_merge_state_new(&s), 0);
    assert_int_equal(trivet_merge_put_entry(s, TRIVET_MERGE_SCRATCHPAD, 1, &entry, NULL), 0);
    entry.text = SLICE("other");
    assert_int_equal(trivet_merge_put_entry(s, TRIVET_MERGE_SCRATCHPAD, 1, &entry, NULL), 0);
    assert_state(
        s, "{\"scratchpad\":[{\"content\":\"\",\"updatedAt\":0},{\"content\":\"other\",\"updatedAt\":7}]}");
    assert_true(trivet_merge_entry_at(s, TRIVET_MERGE_SCRATCHPAD, 0, &read));
    assert_true(trivet_merge_entry_is_default(&read));
    assert_true(trivet_merge_entry_at(s, TRIVET_MERGE_SCRATCHPAD, 1, &read));
    assert_false(trivet_merge_entry_is_default(&read));
    assert_true(trivet_merge_entry_equal(&read, &entry));
    assert_false(trivet_merge_entry_at(s, TRIVET_MERGE_SCRATCHPAD, 2, &read));
    assert_int_equal(trivet_merge_put_entry(s, TRIVET_MERGE_SCRATCHPAD, 64, &entry, NULL),
                     TRIVET_MERGE_EINPUT);
    assert_int_equal(trivet_merge_put_entry(s, TRIVET_MERGE_LISTS, 0, &entry, NULL), TRIVET_MERGE_EINPUT);
    entry.updated_at = -1;
    assert_int_equal(trivet_merge_put_entry(s, TRIVET_MERGE_SCRATCHPAD, 0, &entry, NULL),
                     TRIVET_MERGE_EINPUT);
    trivet_merge_state_free(s);
}

static void takes_sections(void **unused) {
    (void)unused;
    trivet_merge_state *from = read_text(two_slots),
                       *to = read_text("{\"mine\":1,\"lists\":[],\"lockedLists\":[[]],\"scratchpad\":"
                                       "[{\"content\":\"s\"}]}");
    assert_int_equal(trivet_merge_take_section(to, from, TRIVET_MERGE_LISTS), 0);
    assert_int_equal(trivet_merge_take_section(to, from, TRIVET_MERGE_LOCKED_LISTS), 0);
    assert_int_equal(trivet_merge_take_section(to, from, TRIVET_MERGE_SCRATCHPAD), 0);
    assert_true(trivet_merge_state_equal(from, to));
    /* an edit of one is none of the other */
    trivet_merge_item item = item_of("a", "changed", 1);
    char *before = write_text(from);
    assert_int_equal(trivet_merge_put_item(to, TRIVET_MERGE_LISTS, 1, &item, NULL), 0);
    assert_int_equal(trivet_merge_remove_item(to, TRIVET_MERGE_LISTS, SLICE("b")), 0);
    assert_state(from, before);
    assert_order(to, TRIVET_MERGE_LISTS, "|a");
    free(before);
    trivet_merge_state_free(to);
    trivet_merge_state_free(from);
}

static void pads(void **unused) {
    (void)unused;
    trivet_merge_state *s = read_text(
        "{\"lists\":[[{\"id\":\"a\",\"text\":\"A\",\"position\":1}]],\"scratchpad\":[{\"content\":\"s\","
        "\"updatedAt\":1}]}");
    trivet_merge_state *like = read_text("{\"lists\":[[],[],[]],\"scratchpadCategories\":[{},{},{}]}");
    assert_int_equal(trivet_merge_pad(s, like, 2), 0);
    assert_state(s, "{\"lists\":[[{\"deleted\":false,\"deletedAt\":null,\"id\":\"a\",\"position\":1,\"text\":"
                    "\"A\"}],[],[]],"
                    "\"listsCategories\":[{\"label\":\"\",\"section\":\"lists\",\"updatedAt\":0},{\"label\":"
                    "\"\",\"section\":\"lists\","
                    "\"updatedAt\":0}],\"lockedLists\":[[],[]],\"lockedListsCategories\":[{\"label\":\"\","
                    "\"section\":\"lockedLists\","
                    "\"updatedAt\":0},{\"label\":\"\",\"section\":\"lockedLists\",\"updatedAt\":0}],"
                    "\"scratchpad\":[{\"content\":\"s\","
                    "\"updatedAt\":1},{\"content\":\"\",\"updatedAt\":0}],\"scratchpadCategories\":[{"
                    "\"label\":\"\",\"section\":"
                    "\"scratchpad\",\"updatedAt\":0},{\"label\":\"\",\"section\":\"scratchpad\","
                    "\"updatedAt\":0},{\"label\":\"\","
                    "\"section\":\"scratchpad\",\"updatedAt\":0}]}");
    char *before = write_text(s);
    assert_int_equal(trivet_merge_pad(s, NULL, 1), 0);
    assert_int_equal(trivet_merge_pad(s, NULL, 65), TRIVET_MERGE_EINPUT);
    assert_state(s, before);
    free(before);
    trivet_merge_state_free(like);
    trivet_merge_state_free(s);
}

static void agrees(void **unused) {
    (void)unused;
    static const struct {
        const char *merged, *side;
        bool agree;
    } cases[] = {
        {"{}", "{}", true},
        {"{\"lists\":[[{\"id\":\"a\",\"text\":\"\",\"position\":1}]]}", "{}", true}, /* not sent */
        {"{\"lists\":[[{\"id\":\"a\",\"text\":\"\",\"position\":1}]]}", "{\"lists\":[]}", false},
        {"{}", "{\"lists\":[[],[]]}", true},
        {"{\"lists\":[[],[]]}", "{\"lists\":[[],[],[]]}", true},
        {"{\"lists\":[[],[]]}", "{\"lists\":[]}", true},
        {"{\"lists\":[[{\"id\":\"a\",\"text\":\"\",\"position\":1}]]}",
         "{\"lists\":[[{\"position\":1.0,\"id\":\"a\",\"text\":\"\",\"deleted\":false,\"updatedAt\":0}]]}",
         true},
        {"{\"lists\":[[{\"id\":\"a\",\"text\":\"\",\"position\":1}]]}",
         "{\"lists\":[[{\"id\":\"a\",\"text\":\"\",\"position\":1,\"updatedAt\":1}]]}", false},
        {"{\"lists\":[[{\"id\":\"a\",\"text\":\"\",\"position\":1}],[]]}",
         "{\"lists\":[[],[{\"id\":\"a\",\"text\":\"\",\"position\":1}]]}", false},
        {"{\"lists\":[[{\"id\":\"a\",\"text\":\"\",\"position\":1}]]}",
         "{\"lists\":[[{\"id\":\"a\",\"text\":\"\",\"position\":1},{\"id\":\"a\",\"text\":\"\",\"position\":"
         "1}]]}",
         false},
        {"{\"lists\":[[{\"id\":\"a\",\"text\":\"\",\"position\":1,\"u\":[1,2]}]]}",
         "{\"lists\":[[{\"id\":\"a\",\"text\":\"\",\"position\":1,\"u\":[1.0, 2e0]}]]}", true},
        {"{\"lists\":[[{\"id\":\"a\",\"text\":\"\",\"position\":1}]]}",
         "{\"lists\":[[{\"id\":\"a\",\"text\":\"\",\"position\":1,\"u\":null}]]}", true},
        {"{\"scratchpad\":[{\"content\":\"s\",\"updatedAt\":1}]}",
         "{\"scratchpad\":[{\"content\":\"s\",\"updatedAt\":1},{\"content\":\"\",\"updatedAt\":0}]}", true},
        {"{\"scratchpad\":[{\"content\":\"s\",\"updatedAt\":1},{\"content\":\"\",\"updatedAt\":0}]}",
         "{\"scratchpad\":[{\"content\":\"s\",\"updatedAt\":1}]}", true},
        {"{\"scratchpad\":[{\"content\":\"s\",\"updatedAt\":1}]}", "{\"scratchpad\":[]}", false},
        {"{\"scratchpad\":[{\"content\":\"s\",\"updatedAt\":1}]}",
         "{\"scratchpad\":[{\"content\":\"\",\"updatedAt\":0}]}", false},
        {"{\"listsCategories\":[{\"label\":\"a\",\"section\":\"lists\"}]}",
         "{\"listsCategories\":[{\"label\":\"a\",\"section\":\"lockedLists\"}]}", false},
        {"{\"k\":1,\"l\":2}", "{\"l\":2.0}", true},
        {"{\"k\":1}", "{\"k\":2}", false},
        {"{}", "{\"k\":1}", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        trivet_merge_state *merged = read_text(cases[i].merged), *side = read_text(cases[i].side);
        if (trivet_merge_state_agrees(merged, side) != cases[i].agree)
            fail_msg("%s and %s", cases[i].merged, cases[i].side);
        trivet_merge_state_free(merged);
        trivet_merge_state_free(side);
    }
}

static void equal_is_to_the_byte(void **unused) {
    (void)unused;
    static const char *const documents[] = {
        "{}",
        "{\"lists\":[]}",
        "{\"lists\":[[]]}",
        "{\"lockedLists\":[]}",
        "{\"k\":1}",
        "{\"k\":1.0}",
        "{\"l\":1}",
        "{\"lists\":[[{\"id\":\"a\",\"text\":\"\",\"position\":1}]]}",
        "{\"lists\":[[{\"id\":\"a\",\"text\":\"\",\"position\":2}]]}",
        "{\"lists\":[[{\"id\":\"b\",\"text\":\"\",\"position\":1}]]}",
        "{\"lists\":[[{\"id\":\"a\",\"text\":\"t\",\"position\":1}]]}",
        "{\"lists\":[[{\"id\":\"a\",\"text\":\"\",\"position\":1,\"updatedAt\":0}]]}",
        "{\"lists\":[[{\"id\":\"a\",\"text\":\"\",\"position\":1,\"done\":false}]]}",
        "{\"lists\":[[{\"id\":\"a\",\"text\":\"\",\"position\":1,\"deleted\":true}]]}",
        "{\"lists\":[[{\"id\":\"a\",\"text\":\"\",\"position\":1,\"deletedAt\":1}]]}",
        "{\"lists\":[[{\"id\":\"a\",\"text\":\"\",\"position\":1,\"u\":1}]]}",
        "{\"lists\":[[{\"id\":\"a\",\"text\":\"\",\"position\":1,\"u\":1.0}]]}",
        "{\"scratchpad\":[]}",
        "{\"scratchpad\":[{}]}",
        "{\"scratchpad\":[{\"content\":\"\"}]}",
        "{\"scratchpad\":[{\"updatedAt\":0}]}",
        "{\"scratchpad\":[{\"x\":0}]}"};
    size_t count = sizeof documents / sizeof *documents;
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < count; j++) {
            trivet_merge_state *a = read_text(documents[i]), *b = read_text(documents[j]);
            if (trivet_merge_state_equal(a, b) != (i == j))
                fail_msg("%s and %s", documents[i], documents[j]);
            trivet_merge_state_free(a);
            trivet_merge_state_free(b);
        }
    }
}

/* ---- parts -------------------------------------------------------------------------------------------- */

typedef struct {
    char text[1024];
    int stop_after;
} part_list;

static int list_part(void *ctx, trivet_merge_slice key, size_t index, const char *json, size_t len) {
    part_list *l = ctx;
    char *p = l->text + strlen(l->text);
    p += sprintf(p, "%.*s", (int)key.len, key.data);
    if (index != SIZE_MAX)
        p += sprintf(p, "[%zu]", index);
    sprintf(p, "=%.*s;", (int)len, json);
    return l->stop_after-- == 0 ? 42 : 0;
}

static void writes_parts(void **unused) {
    (void)unused;
    trivet_merge_state *s = read_text(
        "{\"z\":[1],\"lists\":[[],[{\"id\":\"a\",\"text\":\"\",\"position\":1}]],\"lockedLists\":[],"
        "\"listsCategories\":[{\"label\":\"l\"},{}],\"scratchpad\":[{\"content\":\"s\"},{}],\"a\":\"x\"}");
    part_list l = {"", -1};
    assert_int_equal(trivet_merge_state_write_parts(s, list_part, &l), 0);
    assert_string_equal(
        l.text,
        "a=\"x\";lists[0]=[];lists[1]=[{\"deleted\":false,\"deletedAt\":null,\"id\":\"a\",\"position\":1,"
        "\"text\":\"\"}];listsCategories=[{\"label\":\"l\"},{}];lockedLists[0]=;"
        "scratchpad[0]={\"content\":\"s\"};scratchpad[1]={};z=[1];");
    part_list few = {"", 2};
    assert_int_equal(trivet_merge_state_write_parts(s, list_part, &few), 42);
    assert_string_equal(
        few.text,
        "a=\"x\";lists[0]=[];lists[1]=[{\"deleted\":false,\"deletedAt\":null,\"id\":\"a\",\"position\":1,"
        "\"text\":\"\"}];");
    trivet_merge_state_free(s);
}

/* ---- strings ------------------------------------------------------------------------------------------ */

static void quotes(void **unused) {
    (void)unused;
    static const struct {
        const char *plain;
        size_t len;
        const char *slice;
    } cases[] = {{"", 0, ""},
                 {"plain", 5, "plain"},
                 {"a\"b\\c/", 6, "a\\\"b\\\\c/"},
                 {"\b\f\n\r\t\x1f\x7f", 7, "\\b\\f\\n\\r\\t\\u001f\x7f"},
                 {"a\0b", 3, "a\\u0000b"},
                 {"caf\xc3\xa9 \xf0\x9f\x8e\x89", 10, "caf\xc3\xa9 \xf0\x9f\x8e\x89"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *quoted, *plain;
        size_t len;
        assert_int_equal(trivet_merge_quote(cases[i].plain, cases[i].len, &quoted, &len), 0);
        assert_string_equal(quoted, cases[i].slice);
        assert_int_equal(len, strlen(quoted));
        assert_int_equal(trivet_merge_unquote((trivet_merge_slice){quoted, len}, &plain, &len), 0);
        assert_int_equal(len, cases[i].len);
        assert_memory_equal(plain, cases[i].plain, len + 1);
        free(plain);
        free(quoted);
    }
    char *out = NULL;
    size_t len;
    assert_int_equal(trivet_merge_quote("\xed\xa0\x80", 3, &out, &len), TRIVET_MERGE_EINPUT);
    assert_int_equal(trivet_merge_quote("a\xc3", 2, &out, &len), TRIVET_MERGE_EINPUT);
    assert_null(out);
    assert_int_equal(trivet_merge_unquote(SLICE("x\\ud83c \\udf89\\u00e9\\ud83c\\udf89"), &out, &len), 0);
    assert_string_equal(out, "x\xef\xbf\xbd \xef\xbf\xbd\xc3\xa9\xf0\x9f\x8e\x89");
    free(out);
}

/* ---- limits and others -------------------------------------------------------------------------------- */

static void names(void **unused) {
    (void)unused;
    assert_string_equal(trivet_merge_side_name(TRIVET_MERGE_ANCESTOR), "ancestor");
    assert_string_equal(trivet_merge_side_name(TRIVET_MERGE_COMPUTER), "computer");
    assert_string_equal(trivet_merge_section_name(TRIVET_MERGE_LOCKED_LISTS_CATEGORIES),
                        "lockedListsCategories");
    assert_string_equal(trivet_merge_section_name(TRIVET_MERGE_SECTIONS), "");
    trivet_merge_state *s = read_text(two_slots);
    assert_true(trivet_merge_state_has(s, TRIVET_MERGE_LISTS));
    assert_true(trivet_merge_state_has(s, TRIVET_MERGE_SCRATCHPAD));
    assert_false(trivet_merge_state_has(s, TRIVET_MERGE_LOCKED_LISTS));
    assert_false(trivet_merge_state_has(s, TRIVET_MERGE_SECTIONS));
    assert_int_equal(trivet_merge_slot_count(s, TRIVET_MERGE_LISTS), 2);
    assert_int_equal(trivet_merge_item_count(s, TRIVET_MERGE_LISTS, 0), 2);
    assert_int_equal(trivet_merge_item_count(s, TRIVET_MERGE_LISTS, 2), 0);
    assert_int_equal(trivet_merge_item_count(s, TRIVET_MERGE_SCRATCHPAD, 0), 0);
    trivet_merge_state_free(s);
}

/* Edits that come in any order cost about the same: this ends at once or never. */
static void many_edits(void **unused) {
    (void)unused;
    enum { COUNT = 20000 };
    trivet_merge_state *s;
    uint64_t seed = 1;
    char id[16];
    assert_int_equal(trivet_merge_state_new(&s), 0);
    for (int i = 0; i < 3 * COUNT; i++) {
        sprintf(id, "%d", (int)random_below(&seed, COUNT));
        trivet_merge_item item = item_of(id, "t", (double)random_below(&seed, COUNT));
        assert_int_equal(trivet_merge_put_item(s, TRIVET_MERGE_LISTS, random_below(&seed, 2), &item, NULL),
                         0);
    }
    trivet_merge_item last = {.deleted_at = -1}, item;
    for (size_t i = 0; trivet_merge_item_at(s, TRIVET_MERGE_LISTS, 0, i, &item); i++, last = item)
        assert_true(i == 0 || last.position <= item.position);
    trivet_merge_state_free(s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(puts_moves_and_removes),
        cmocka_unit_test(copies_what_it_is_given),
        cmocka_unit_test(refuses_bad_items),
        cmocka_unit_test(puts_entries),
        cmocka_unit_test(takes_sections),
        cmocka_unit_test(pads),
        cmocka_unit_test(agrees),
        cmocka_unit_test(equal_is_to_the_byte),
        cmocka_unit_test(writes_parts),
        cmocka_unit_test(quotes),
        cmocka_unit_test(names),
        cmocka_unit_test(many_edits),
    };
    return cmocka_run_group_tests_name("merge: edits", tests, NULL, NULL);
}
