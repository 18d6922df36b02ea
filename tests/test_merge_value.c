/* Comparing JSON values deeply, and the index under hostile ids. */
#include "test_merge_support.h"

#include "state.h"
#include "value.h"

static void compares_deeply(void **unused) {
    (void)unused;
    static const struct {
        const char *a, *b;
        bool equal;
    } cases[] = {
        {"1", "1.0", true},
        {"1", "1e0", true},
        {"100", "1E2", true},
        {"0", "-0", true},
        {"1e999", "2e999", true},
        {"1", "2", false},
        {"1", "\"1\"", false},
        {"null", "0", false},
        {"null", "false", false},
        {"true", "true", true},
        {"true", "false", false},
        {"9007199254740993", "9007199254740992", true},
        {"0.1", "0.10000000000000001", true},
        {"0.1", "0.1000000000000001", false},
        {"-", "1", false},
        {"\"a\"", "\"\\u0061\"", true},
        {"\"/\"", "\"\\/\"", true},
        {"\"\\n\"", "\"\\u000a\"", true},
        {"\"\\ud83c\\udf89\"", "\"\xf0\x9f\x8e\x89\"", true},
        {"\"\\ud83c\"", "\"\\uD83C\"", true},
        {"\"\\ud83c\"", "\"\\ud83c\\udf89\"", false},
        {"\"ab\"", "\"a\"", false},
        {"\"\"", "\"a\"", false},
        {"\"\\\\u0061\"", "\"\\u0061\"", false},
        {"\"\\\"\"", "\"\\u0022\"", true},
        {"[]", "[]", true},
        {"[]", "[[]]", false},
        {"[1,2]", "[1.0,2.0]", true},
        {"[1,2]", "[2,1]", false},
        {"[1]", "[1,2]", false},
        {"[1,2]", "[1]", false},
        {"[]", "{}", false},
        {"{}", "{}", true},
        {"{}", "{\"a\":1}", false},
        {"{\"a\":1}", "{}", false},
        {"{\"a\":1,\"b\":2}", "{\"b\":2,\"a\":1.0}", true},
        {"{\"a\":1,\"b\":2}", "{\"b\":1,\"a\":2}", false},
        {"{\"a\":1}", "{\"a\":1,\"b\":1}", false},
        {"{\"a\":1,\"b\":1}", "{\"a\":1}", false},
        {"{\"a\":1,\"b\":1}", "{\"a\":1,\"c\":1}", false},
        {"{\"a\":1,\"c\":1,\"b\":1}", "{\"a\":1,\"b\":1}", false},
        {"{\"\\u0061\":{\"x\":[1],\"y\":0}}", "{\"a\":{\"y\":0,\"x\":[1.0]}}", true},
        {"{\"x\":{\"a\":1,\"b\":2},\"y\":1}", "{\"y\":1,\"x\":{\"b\":2,\"a\":3}}", false},
        {"{\"a\":1,\"b\":1,\"c\":1}", "{\"a\":1,\"c\":1,\"d\":1}", false},
        {"[{\"a\":1,\"b\":2},3]", "[{\"b\":2,\"a\":1},3]", true},
        {"[{\"a\":1,\"b\":2},3]", "[{\"b\":2,\"a\":1},4]", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        trivet_merge_slice a = SLICE(cases[i].a), b = SLICE(cases[i].b);
        if (tm_value_equal(a, b) != cases[i].equal || tm_value_equal(b, a) != cases[i].equal)
            fail_msg("%s and %s", cases[i].a, cases[i].b);
    }
    assert_true(tm_value_equal((trivet_merge_slice){NULL, 0}, SLICE("null")));
    assert_false(tm_value_equal((trivet_merge_slice){NULL, 0}, SLICE("0")));
}

/* Objects of many members in the opposite order; `odd` has another value. */
static char *big_object(int count, bool backwards, int odd) {
    char *json = allocate((size_t)count * 24 + 8), *p = json;
    *p++ = '{';
    for (int i = 0; i < count; i++) {
        int key = backwards ? count - 1 - i : i;
        p += sprintf(p, "%s\"k%d\":%d", i ? "," : "", key, key == odd ? -1 : key);
    }
    strcpy(p, "}");
    return json;
}

static void compares_large_objects(void **unused) {
    (void)unused;
    static const int counts[] = {2, 7, 8, 9, 10, 100, 100000};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        char *a = big_object(counts[i], false, -1), *b = big_object(counts[i], true, -1);
        char *c = big_object(counts[i], true, counts[i] / 2);
        assert_true(tm_value_equal(SLICE(a), SLICE(b)));
        assert_false(tm_value_equal(SLICE(a), SLICE(c)));
        free(a);
        free(b);
        free(c);
    }
}

/* Ids that all start their probe at one place of a table of any size up to 2^`bits`. */
static char (*colliding_ids(size_t count, unsigned bits))[16] {
    char(*ids)[16] = allocate(count * sizeof *ids);
    size_t found = 0;
    for (unsigned long i = 0; found < count; i++) {
        sprintf(ids[found], "h%lu", i);
        found += (tm_hash(SLICE(ids[found])) & ((1u << bits) - 1)) == 0;
    }
    return ids;
}

static char *items_json(char (*ids)[16], size_t count, int step) {
    char *json = allocate(count * 64 + 64), *p = json + sprintf(json, "{\"lists\":[[");
    for (size_t i = 0; i < count; i++)
        p += sprintf(p, "%s{\"id\":\"%s\",\"text\":\"t%d\",\"position\":%zu,\"updatedAt\":%d}", i ? "," : "",
                     ids[i], step, i, step);
    strcpy(p, "]]}");
    return json;
}

static void assert_found(const trivet_merge_state *state, char (*ids)[16], size_t count, size_t gone) {
    for (size_t i = 0; i < count; i++) {
        trivet_merge_item item;
        bool found = trivet_merge_item_find(state, TRIVET_MERGE_LISTS, SLICE(ids[i]), &item, NULL);
        assert_int_equal(found, i != gone);
        if (found)
            assert_true(item.position == (double)i);
    }
}

/* Enough for the table to give up, one by one as well as at once. */
static void colliding_ids_work(void **unused) {
    (void)unused;
    enum { COUNT = 600 };
    char(*ids)[16] = colliding_ids(COUNT, 11);
    char *json = items_json(ids, COUNT, 1);
    trivet_merge_state *at_once = read_text(json), *one_by_one;
    trivet_merge_item item;
    assert_true(at_once->items[0].index.is_tree);
    assert_found(at_once, ids, COUNT, COUNT);
    assert_int_equal(trivet_merge_state_new(&one_by_one), 0);
    for (size_t i = 0; i < COUNT; i++) {
        assert_true(trivet_merge_item_at(at_once, TRIVET_MERGE_LISTS, 0, i, &item));
        assert_int_equal(trivet_merge_put_item(one_by_one, TRIVET_MERGE_LISTS, 0, &item, NULL), 0);
        assert_true(trivet_merge_item_find(one_by_one, TRIVET_MERGE_LISTS, item.id, &item, NULL));
    }
    assert_true(one_by_one->items[0].index.is_tree);
    assert_true(trivet_merge_state_equal(at_once, one_by_one));
    assert_int_equal(trivet_merge_remove_item(one_by_one, TRIVET_MERGE_LISTS, SLICE(ids[77])), 0);
    assert_int_equal(trivet_merge_remove_item(one_by_one, TRIVET_MERGE_LISTS, SLICE(ids[77])),
                     TRIVET_MERGE_ENOTHERE);
    assert_found(one_by_one, ids, COUNT, 77);
    trivet_merge_state_free(one_by_one);
    trivet_merge_state_free(at_once);
    free(json);
    free(ids);
}

/* The table takes out what collides without losing what stands behind it. */
static void hashed_removal(void **unused) {
    (void)unused;
    enum { COUNT = 60 };
    char(*ids)[16] = colliding_ids(COUNT, 8);
    char *json = items_json(ids, COUNT, 1);
    for (size_t gone = 0; gone < COUNT; gone++) {
        trivet_merge_state *state = read_text(json);
        assert_false(state->items[0].index.is_tree);
        assert_int_equal(trivet_merge_remove_item(state, TRIVET_MERGE_LISTS, SLICE(ids[gone])), 0);
        assert_found(state, ids, COUNT, gone);
        trivet_merge_state_free(state);
    }
    free(json);
    free(ids);
}

static void duplicates_among_colliding_ids(void **unused) {
    (void)unused;
    enum { COUNT = 400 };
    char(*ids)[16] = colliding_ids(COUNT, 11);
    char *older = items_json(ids, COUNT, 1), *newer = items_json(ids, COUNT, 2);
    char *both = allocate(strlen(older) + strlen(newer));
    /* {"lists":[[older],[newer]]} */
    sprintf(both, "%.*s,%s", (int)strlen(older) - 2, older, newer + strlen("{\"lists\":["));
    trivet_merge_state *state = read_text(both);
    assert_int_equal(trivet_merge_item_count(state, TRIVET_MERGE_LISTS, 0), 0);
    assert_int_equal(trivet_merge_item_count(state, TRIVET_MERGE_LISTS, 1), COUNT);
    assert_int_equal(state->duplicates, COUNT);
    assert_found(state, ids, COUNT, COUNT);
    trivet_merge_state_free(state);
    free(both);
    free(newer);
    free(older);
    free(ids);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(compares_deeply),
        cmocka_unit_test(compares_large_objects),
        cmocka_unit_test(colliding_ids_work),
        cmocka_unit_test(hashed_removal),
        cmocka_unit_test(duplicates_among_colliding_ids),
    };
    return cmocka_run_group_tests_name("merge: values and ids", tests, NULL, NULL);
}
