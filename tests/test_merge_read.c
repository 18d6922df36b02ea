/* Reading: every truncation, every byte changed, limits; fixtures/merge/refused holds the refusals one by one. */
#include "test_merge_support.h"

/* A document with everything in it. */
static const char everything[] =
    " { \"lists\" : [ [ {\"id\":\"a\\u00e9\\ud83d\\ude00\\ud83d\",\"text\":\"caf\xc3\xa9 \xe2\x82\xac "
    "\xf0\x9f\x8e\x89 \\n\\\"\\\\\\/\\b\\f\\r\\t\\u0000\",\"done\":true,\"position\":-1.5e-3,\"createdAt\":1,"
    "\"updatedAt\":9007199254740991,\"deleted\":true,\"deletedAt\":null,\"u\":{\"k\":[1,2.50,true,false,null,"
    "\"s\",{}, "
    "[] ],\"l\":{ \"m\" : -0 }}} "
    ",\t{\"id\":\"b\",\"text\":\"\",\"position\":12345678901234567890,\"deletedAt\":3}],[]],\r\n"
    "\"lockedLists\":null,\"listsCategories\":[{\"label\":\"L\",\"section\":\"lists\",\"updatedAt\":5,\"x\":"
    "1}],"
    "\"lockedListsCategories\":[],\"scratchpad\":[{\"content\":\"one\\ntwo\",\"updatedAt\":0}],"
    "\"scratchpadCategories\":[{}],\"other\":[[[]]],\"nothing\":null}\n";

/* In a block of exactly its length, so that a byte read beyond is seen by valgrind and ASan. */
static int read_exact(const char *json, size_t len, trivet_merge_state **state) {
    trivet_merge_error err = TRIVET_MERGE_ERROR_INIT;
    char *copy = allocate(len ? len : 1);
    memcpy(copy, json, len);
    int rc = trivet_merge_state_read_steal(copy, len, TRIVET_MERGE_PHONE, state, &err);
    if (rc != 0) {
        assert_int_equal(err.code, rc);
        assert_int_equal(err.side, TRIVET_MERGE_PHONE);
        assert_true(err.reason[0] != '\0');
        assert_null(*state);
    }
    return rc;
}

/* What was read is written, and reads back to the same. */
static void check_round_trip(const trivet_merge_state *state) {
    char *text = write_text(state);
    trivet_merge_state *again = read_text(text);
    assert_state(again, text);
    assert_true(trivet_merge_state_equal(state, again));
    assert_true(trivet_merge_state_agrees(state, again));
    trivet_merge_state_free(again);
    free(text);
}

static void reads_everything(void **unused) {
    (void)unused;
    trivet_merge_state *state;
    assert_int_equal(read_exact(everything, strlen(everything), &state), 0);
    check_round_trip(state);
    assert_state(state,
                 "{\"lists\":[[{\"deleted\":false,\"deletedAt\":3,\"id\":\"b\",\"position\":"
                 "12345678901234567000,\"text\":\"\"},"
                 "{\"createdAt\":1,\"deleted\":true,\"deletedAt\":null,\"done\":true,\"id\":"
                 "\"a\xc3\xa9\xf0\x9f\x98\x80\\ud83d\","
                 "\"position\":-0.0015,\"text\":\"caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x8e\x89 "
                 "\\n\\\"\\\\/\\b\\f\\r\\t\\u0000\","
                 "\"u\":{\"k\":[1,2.50,true,false,null,\"s\",{},[]],\"l\":{\"m\":-0}},\"updatedAt\":"
                 "9007199254740991}],[]],"
                 "\"listsCategories\":[{\"label\":\"L\",\"section\":\"lists\",\"updatedAt\":5,\"x\":1}],"
                 "\"lockedListsCategories\":[],\"other\":[[[]]],\"scratchpad\":[{\"content\":\"one\\ntwo\","
                 "\"updatedAt\":0}],"
                 "\"scratchpadCategories\":[{}]}");
    trivet_merge_state_free(state);
}

static void refuses_every_truncation(void **unused) {
    (void)unused;
    size_t whole = strlen(everything) - 1; /* the line end is no part of it */
    for (size_t len = 0; len < whole; len++) {
        trivet_merge_state *state;
        assert_int_equal(read_exact(everything, len, &state), TRIVET_MERGE_EINPUT);
    }
}

/* Each byte changed to each of these: refused, or read and written like any other document. */
static void survives_every_changed_byte(void **unused) {
    (void)unused;
    static const char changes[] = "\0\"\\{}[]:,0e-u \x80\xe2\xff";
    size_t len = strlen(everything);
    char *copy = allocate(len);
    size_t refused = 0;
    for (size_t i = 0; i < len; i++) {
        for (size_t c = 0; c < sizeof changes - 1; c++) {
            trivet_merge_state *state;
            memcpy(copy, everything, len);
            copy[i] = changes[c];
            if (read_exact(copy, len, &state) == 0)
                check_round_trip(state);
            else
                refused++;
            trivet_merge_state_free(state);
        }
    }
    free(copy);
    assert_true(refused > len);
}

/* `before`, `count` items whose ids are numbers from `first` on, `after`. */
static char *items_from(size_t first, size_t count, const char *before, const char *after, size_t *len) {
    char *json = allocate(count * 48 + 256), *p = json;
    p += sprintf(p, "%s", before);
    for (size_t i = first; i < first + count; i++)
        p += sprintf(p, "%s{\"id\":\"%zu\",\"text\":\"\",\"position\":%zu}", i > first ? "," : "", i, i);
    p += sprintf(p, "%s", after);
    *len = (size_t)(p - json);
    return json;
}

static void a_million_items_and_no_more(void **unused) {
    (void)unused;
    trivet_merge_error err = TRIVET_MERGE_ERROR_INIT;
    trivet_merge_state *state;
    size_t len;
    char *json = items_from(0, TRIVET_MERGE_MAX_ITEMS, "{\"lists\":[[", "]]}", &len);
    assert_int_equal(trivet_merge_state_read_steal(json, len, TRIVET_MERGE_COMPUTER, &state, &err), 0);
    assert_int_equal(trivet_merge_item_count(state, TRIVET_MERGE_LISTS, 0), TRIVET_MERGE_MAX_ITEMS);
    trivet_merge_state_free(state);
    json = items_from(0, TRIVET_MERGE_MAX_ITEMS, "{\"lists\":[[",
                      "]],\"lockedLists\":[[{\"id\":\"x\",\"text\":\"\",\"position\":1}]]}", &len);
    assert_int_equal(trivet_merge_state_read_steal(json, len, TRIVET_MERGE_COMPUTER, &state, &err),
                     TRIVET_MERGE_EINPUT);
    assert_string_equal(err.path, "lockedLists[0][0]");
    assert_string_equal(err.reason, "more than 1000000 items");
}

/* Two states that may be read can be too much together; M could not be read again. */
static void a_million_items_in_m(void **unused) {
    (void)unused;
    enum { HALF = TRIVET_MERGE_MAX_ITEMS / 2 };
    trivet_merge_error err = TRIVET_MERGE_ERROR_INIT;
    trivet_merge_state *p, *c;
    trivet_merge_result *result;
    size_t len;
    char *json = items_from(0, HALF, "{\"lists\":[[", "]]}", &len);
    assert_int_equal(trivet_merge_state_read_steal(json, len, TRIVET_MERGE_PHONE, &p, &err), 0);
    json = items_from(HALF, HALF + 1, "{\"lockedLists\":[[", "]]}", &len);
    assert_int_equal(trivet_merge_state_read_steal(json, len, TRIVET_MERGE_COMPUTER, &c, &err), 0);
    assert_int_equal(trivet_merge(NULL, p, c, NULL, &result, &err), TRIVET_MERGE_EINPUT);
    assert_null(result);
    assert_string_equal(err.path, "");
    assert_non_null(strstr(err.reason, "more than 1000000 items"));
    trivet_merge_item item;
    assert_true(trivet_merge_item_at(c, TRIVET_MERGE_LOCKED_LISTS, 0, 0, &item));
    assert_int_equal(trivet_merge_remove_item(c, TRIVET_MERGE_LOCKED_LISTS, item.id), 0);
    assert_int_equal(trivet_merge(NULL, p, c, NULL, &result, &err), 0);
    trivet_merge_result_free(result);
    trivet_merge_state_free(c);
    trivet_merge_state_free(p);
}

/* A path that does not fit ends at a whole character. */
static void long_paths_are_cut(void **unused) {
    (void)unused;
    trivet_merge_error err = TRIVET_MERGE_ERROR_INIT;
    trivet_merge_state *state;
    for (size_t shift = 0; shift < 4; shift++) {
        char json[2048] = "{\"";
        memset(json + 2, 'k', shift);
        for (int i = 0; i < 100; i++)
            strcat(json, "\xf0\x9f\x8e\x89");
        strcat(json, "\":}");
        err.code = 0;
        assert_int_equal(trivet_merge_state_read(json, strlen(json), TRIVET_MERGE_PHONE, &state, &err),
                         TRIVET_MERGE_EINPUT);
        assert_true(strlen(err.path) >= sizeof err.path - 5);
        assert_memory_equal(err.path + strlen(err.path) - 4, "\xf0\x9f\x8e\x89", 4);
    }
}

static void the_first_error_stands(void **unused) {
    (void)unused;
    trivet_merge_error err = TRIVET_MERGE_ERROR_INIT;
    trivet_merge_state *state;
    assert_int_equal(trivet_merge_state_read("[", 1, TRIVET_MERGE_ANCESTOR, &state, &err),
                     TRIVET_MERGE_EINPUT);
    assert_int_equal(trivet_merge_state_read("{\"lists\":1}", 11, TRIVET_MERGE_PHONE, &state, &err),
                     TRIVET_MERGE_EINPUT);
    assert_int_equal(err.side, TRIVET_MERGE_ANCESTOR);
    assert_string_equal(err.path, "");
    assert_int_equal(trivet_merge_state_read("[", 1, TRIVET_MERGE_ANCESTOR, &state, NULL),
                     TRIVET_MERGE_EINPUT);
}

/* Objects and arrays that a naive reader takes quadratic time over; this ends at once or not at all. */
static void hostile_shapes_are_cheap(void **unused) {
    (void)unused;
    enum { COUNT = 200000 };
    trivet_merge_state *state;
    char *json = allocate(COUNT * 20), *p = json;
    p += sprintf(p, "{\"v\":{");
    for (int i = 0; i < COUNT; i++)
        p += sprintf(p, "%s\"%d\":0", i ? "," : "", COUNT - i);
    p += sprintf(p, "}}");
    assert_int_equal(
        trivet_merge_state_read_steal(json, (size_t)(p - json), TRIVET_MERGE_PHONE, &state, NULL), 0);
    trivet_merge_state_free(state);
    json = allocate(COUNT * 20);
    p = json + sprintf(json, "{\"lists\":[[{\"id\":\"x\",\"text\":\"\",\"position\":1");
    for (int i = 0; i < COUNT; i++)
        p += sprintf(p, ",\"u%d\":0", COUNT - i);
    p += sprintf(p, "}]]}");
    assert_int_equal(
        trivet_merge_state_read_steal(json, (size_t)(p - json), TRIVET_MERGE_PHONE, &state, NULL), 0);
    trivet_merge_state_free(state);
}

static void one_item_alone(void **unused) {
    (void)unused;
    trivet_merge_error err = TRIVET_MERGE_ERROR_INIT;
    trivet_merge_state *keeper;
    trivet_merge_item item;
    char *out;
    size_t len;
    const char json[] =
        " {\"text\":\"t\",\"id\":\"\\u0069\",\"position\":2,\"b\":{ },\"a\":[1, 2],\"updatedAt\":7} ";
    assert_int_equal(trivet_merge_state_new(&keeper), 0);
    assert_int_equal(trivet_merge_item_read(keeper, json, strlen(json), &item, &err), 0);
    assert_int_equal(trivet_merge_item_write(&item, &out, &len), 0);
    assert_string_equal(
        out, "{\"a\":[1,2],\"b\":{},\"deleted\":false,\"deletedAt\":null,\"id\":\"i\",\"position\":2,"
             "\"text\":\"t\",\"updatedAt\":7}");
    free(out);
    assert_int_equal(trivet_merge_item_read(keeper, json, strlen(json) - 2, &item, &err),
                     TRIVET_MERGE_EINPUT);
    err.code = 0;
    assert_int_equal(
        trivet_merge_item_read(keeper, "{\"id\":\"x\",\"text\":\"\",\"position\":[]}", 34, &item, &err),
        TRIVET_MERGE_EINPUT);
    assert_string_equal(err.path, "position");
    trivet_merge_state_free(keeper);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_everything),
        cmocka_unit_test(refuses_every_truncation),
        cmocka_unit_test(survives_every_changed_byte),
        cmocka_unit_test(a_million_items_and_no_more),
        cmocka_unit_test(a_million_items_in_m),
        cmocka_unit_test(long_paths_are_cut),
        cmocka_unit_test(the_first_error_stands),
        cmocka_unit_test(hostile_shapes_are_cheap),
        cmocka_unit_test(one_item_alone),
    };
    return cmocka_run_group_tests_name("merge: reading", tests, NULL, NULL);
}
