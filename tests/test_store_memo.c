/*
 * test_store_memo.c - parts that a store remembers: the same bytes under the same names, within bounds, and nothing that the
 * database does not hold taken for stored.
 */
#include "test_store.h"

#include "store/blob.h"
#include "store/memo.h"

static const char milk[] = "{\"lists\":[[{\"deleted\":false,\"deletedAt\":null,\"id\":\"a\",\"position\":1,"
                           "\"text\":\"milk\"}]]}";

static store_name put_milk(fixture *f) {
    trivet_merge_error why = TRIVET_MERGE_ERROR_INIT;
    trivet_merge_state *state;
    store_name name;
    ok(trivet_merge_state_read(milk, sizeof milk - 1, TRIVET_MERGE_COMPUTER, &state, &why));
    ok(snapshot_put(f->s, state, &name, &f->err));
    trivet_merge_state_free(state);
    return name;
}

static void reads_back(fixture *f, const store_name *name) {
    char *json;
    size_t len;
    ok(snapshot_get(f->s, name, &json, &len, &f->err));
    assert_string_equal(json, milk);
    free(json);
}

static void names_are_those_of_the_bytes(void **state) {
    (void)state;
    memo *m = memo_new();
    store_name a, b;
    size_t len;

    for (int pass = 0; pass < 2; pass++)
        for (int i = 0; i < 300; i++) {
            char text[32];
            size_t n = (size_t)snprintf(text, sizeof text, "part %03d", i);
            memo_name(m, text, n, &a);
            blob_name(text, n, &b);
            assert_true(store_name_equal(&a, &b));
            const char *found = memo_find(m, &a, &len);
            assert_non_null(found);
            assert_int_equal(len, n);
            assert_memory_equal(found, text, n);
        }
    memo_free(m);
    memo_name(NULL, "x", 1, &a); /* none is kept: hashed each time */
    blob_name("x", 1, &b);
    assert_true(store_name_equal(&a, &b));
    assert_null(memo_find(NULL, &a, &len));
}

static void the_oldest_goes_first(void **state) {
    (void)state;
    enum { SIZE = MEMO_BYTES / 5, COUNT = 12 };
    memo *m = memo_new();
    char *bytes = calloc(1, SIZE), *huge = calloc(1, MEMO_BYTES);
    store_name names[COUNT], name;
    size_t len;

    for (int i = 0; i < COUNT; i++) {
        bytes[0] = (char)i;
        memo_name(m, bytes, SIZE, &names[i]);
        assert_non_null(memo_find(m, &names[0], &len)); /* used all the time */
    }
    for (int i = 0; i < COUNT; i++)
        assert_int_equal(memo_find(m, &names[i], &len) != NULL, i == 0 || i >= COUNT - 4);
    memo_name(m, huge, MEMO_BYTES, &name); /* too large to be worth all the others */
    assert_null(memo_find(m, &name, &len));
    assert_non_null(memo_find(m, &names[0], &len));
    free(bytes);
    free(huge);
    memo_free(m);
}

static void is_read_without_the_database(void **state) {
    fixture *f = *state;
    store_remember(f->s);
    store_name name = put_milk(f);
    reads_back(f, &name);
    ok(sql_exec(f->s, "UPDATE blob SET data = zeroblob(3) WHERE CAST(data AS TEXT) LIKE '%milk%'", &f->err));
    reads_back(f, &name);
    reopen(f);
    store_remember(f->s);
    char *json;
    size_t len;
    says(STORE_DAMAGED, "altered", snapshot_get(f->s, &name, &json, &len, &f->err));
}

/* What is known by name is stored all the same: a rollback has taken it out of the database, not out of the memo. */
static void what_was_rolled_back_is_stored_again(void **state) {
    fixture *f = *state;
    store_remember(f->s);
    ok(store_begin(f->s, &f->err));
    put_milk(f);
    store_rollback(f->s);
    store_name name = put_milk(f);
    ok(head_set(f->s, &name, &f->err));
    reopen(f);
    reads_back(f, &name);
}

static void a_look_sees_one_moment_and_writes_nothing(void **state) {
    fixture *f = *state;
    char value[16];
    ok(store_begin_look(f->s, &f->err));
    assert_int_equal(store_meta_get(f->s, "server.name", value, sizeof value, &f->err), STORE_NONE);
    says(STORE_FAILED, "open already", store_begin(f->s, &f->err));
    store_rollback(f->s);
    ok(store_meta_set(f->s, "after", "it", &f->err));
    ok(store_meta_get(f->s, "after", value, sizeof value, &f->err));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_those_of_the_bytes),
        cmocka_unit_test(the_oldest_goes_first),
        cmocka_unit_test_setup_teardown(is_read_without_the_database, setup_store, teardown),
        cmocka_unit_test_setup_teardown(what_was_rolled_back_is_stored_again, setup_store, teardown),
        cmocka_unit_test_setup_teardown(a_look_sees_one_moment_and_writes_nothing, setup_store, teardown),
    };
    return cmocka_run_group_tests_name("store: what it remembers", tests, NULL, NULL);
}
