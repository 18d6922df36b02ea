/*
 * test_store_snapshot.c - states as parts, and back.
 */
#include "test_store.h"

#include "store/blob.h"

#define EMPTY_CATEGORIES "\"listsCategories\":[],\"lockedListsCategories\":[]"
#define ITEM(id, text)                                                                                       \
    "{\"id\":\"" id "\",\"text\":\"" text "\",\"done\":false,\"position\":1,\"createdAt\":1,\"updatedAt\":"  \
    "2}"

/* Each has a canonical document of its own, apart from the last ones: see `same`. */
static const char *const documents[] = {
    "{}",
    "{\"lists\":[]}",
    "{\"lists\":[[]]}",
    "{\"lists\":[[],[]]}",
    "{\"lockedLists\":[]}",
    "{\"lists\":[[" ITEM("a", "milk") "]]}",
    "{\"lists\":[[" ITEM("a", "milk") "],[]]}",
    "{\"lists\":[[],[" ITEM("a", "milk") "]]}",
    "{\"lists\":[[" ITEM("a", "milk") "," ITEM("b", "bread") "]]}",
    "{\"lockedLists\":[[" ITEM("a", "milk") "]]}",
    "{\"lists\":[[" ITEM("a", "\\ud83d half of a pair, \\u0000 and \\\" \xf0\x9f\x98\x80") "]]}",
    "{\"lists\":[[" ITEM("a", "\\udc00\\ud800") "]]}",
    "{\"scratchpad\":[]}",
    "{\"scratchpad\":[{\"content\":\"one\\ntwo\",\"updatedAt\":5}]}",
    "{\"scratchpad\":[{\"content\":\"\",\"updatedAt\":0},{\"content\":\"\",\"updatedAt\":0}]}",
    "{\"scratchpadCategories\":[{\"label\":\"\",\"section\":\"scratchpad\",\"updatedAt\":0}]}",
    "{\"listsCategories\":[{\"label\":\"Home\",\"section\":\"lists\",\"updatedAt\":7}]}",
    "{\"zebra\":null,\"aardvark\":[1,2.50,{\"deep\":[true,\"\\ud800\"]}]}",
    "{\"zebra\":[],\"aardvark\":{}}",
    "{\"a key \\ud800 with \\\"all\\\" \\u0001 in it\":17}",
    "{\"\":0}",
    "{\"lists\":[]," EMPTY_CATEGORIES ",\"lockedLists\":[],\"scratchpad\":[],\"scratchpadCategories\":[]}",
    "{\"lists\":[[" ITEM("a", "x") "],[],[" ITEM(
        "b",
        "y") "]]," EMPTY_CATEGORIES
             ",\"lockedLists\":[[],[" ITEM(
                 "a",
                 "x") "]],\"scratchpad\":[{\"content\":\"\\ud800\",\"updatedAt\":1,\"colour\":{\"r\":1}}],"
                      "\"scratchpadCategories\":[],\"later\":{\"version\":[3]}}",
};
enum { DOCUMENTS = sizeof documents / sizeof *documents };

/* Pairs with one canonical document. */
static const char *const same[][2] = {
    {"{\"lists\":null}", "{}"},
    {" { \"lists\" : [ [ ] ] } ", "{\"lists\":[[]]}"},
    {"{\"zebra\":1,\"aardvark\":2}", "{\"aardvark\":2,\"zebra\":1}"},
    {"{\"lists\":[[{\"text\":\"x\",\"position\":1.0,\"id\":\"a\"}]]}",
     "{\"lists\":[[{\"id\":\"a\",\"text\":\"x\",\"position\":1,\"deleted\":false,\"deletedAt\":null}]]}"},
};

static char *canonical(const trivet_merge_state *state) {
    char *text = NULL;
    size_t len = 0;
    assert_int_equal(trivet_merge_state_write(state, &text, &len), 0);
    return text;
}

static void check_round_trip(fixture *f, const char *json) {
    trivet_merge_state *state = state_of(json), *read = NULL;
    char *expected = canonical(state), *got = NULL;
    size_t len = 0;
    store_name name, only;
    ok(snapshot_put(f->s, state, &name, &f->err));
    ok(snapshot_name(state, &only, &f->err));
    assert_true(store_name_equal(&name, &only));
    ok(snapshot_get(f->s, &name, &got, &len, &f->err));
    assert_string_equal(got, expected);
    assert_int_equal(len, strlen(expected));
    ok(snapshot_read(f->s, &name, &read, &f->err));
    assert_true(trivet_merge_state_equal(state, read));
    trivet_merge_state_free(read);
    trivet_merge_state_free(state);
    free(expected);
    free(got);
}

static void comes_back_as_it_was(void **state) {
    fixture *f = *state;
    for (size_t i = 0; i < DOCUMENTS; i++)
        check_round_trip(f, documents[i]);
    for (size_t i = 0; i < sizeof same / sizeof *same; i++)
        check_round_trip(f, same[i][0]);
}

static void comes_back_after_a_restart(void **state) {
    fixture *f = *state;
    store_name name = put(f, documents[DOCUMENTS - 1]), head;
    ok(head_set(f->s, &name, &f->err));
    reopen(f);
    ok(head_get(f->s, &head, &f->err));
    assert_true(store_name_equal(&name, &head));
    check_round_trip(f, documents[DOCUMENTS - 1]);
}

/* 64 slots in every section. */
static void takes_every_slot(void **state) {
    fixture *f = *state;
    static char json[1 << 16];
    int at = 0;
#define more(...) at += snprintf(json + at, sizeof json - (size_t)at, __VA_ARGS__)
    more("{");
    static const char *const slots[] = {"lists", "lockedLists"};
    for (size_t k = 0; k < 2; k++) {
        more("\"%s\":[", slots[k]);
        for (int i = 0; i < TRIVET_MERGE_MAX_SLOTS; i++)
            more("%s[{\"id\":\"%d\",\"text\":\"t\",\"position\":1}]", i > 0 ? "," : "", i);
        more("],");
    }
    static const char *const categories[] = {"listsCategories", "lockedListsCategories",
                                             "scratchpadCategories"};
    for (size_t k = 0; k < 3; k++) {
        more("\"%s\":[", categories[k]);
        for (int i = 0; i < TRIVET_MERGE_MAX_SLOTS; i++)
            more("%s{\"label\":\"%d\",\"section\":\"x\",\"updatedAt\":1}", i > 0 ? "," : "", i);
        more("],");
    }
    more("\"scratchpad\":[");
    for (int i = 0; i < TRIVET_MERGE_MAX_SLOTS; i++)
        more("%s{\"content\":\"%d\",\"updatedAt\":1}", i > 0 ? "," : "", i);
    more("]}");
#undef more
    assert_true((size_t)at < sizeof json);
    check_round_trip(f, json);
}

static void equal_names_mean_equal_states(void **state) {
    (void)state;
    fixture none = {0}, *f = &none;
    store_name names[DOCUMENTS];
    char *texts[DOCUMENTS];
    for (size_t i = 0; i < DOCUMENTS; i++) {
        trivet_merge_state *each = state_of(documents[i]);
        ok(snapshot_name(each, &names[i], &f->err));
        texts[i] = canonical(each);
        trivet_merge_state_free(each);
        for (size_t j = 0; j <= i; j++)
            if (store_name_equal(&names[i], &names[j]) != (strcmp(texts[i], texts[j]) == 0) ||
                (i != j && store_name_equal(&names[i], &names[j])))
                fail_msg("%s and %s", texts[i], texts[j]);
    }
    for (size_t i = 0; i < DOCUMENTS; i++)
        free(texts[i]);
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        trivet_merge_state *a = state_of(same[i][0]), *b = state_of(same[i][1]);
        store_name left, right;
        ok(snapshot_name(a, &left, &f->err));
        ok(snapshot_name(b, &right, &f->err));
        if (!store_name_equal(&left, &right))
            fail_msg("%s and %s", same[i][0], same[i][1]);
        trivet_merge_state_free(a);
        trivet_merge_state_free(b);
    }
}

/* The format is on disks: this name changes only with a version of the list. */
static void the_format_stays(void **state) {
    (void)state;
    fixture none = {0}, *f = &none;
    char hex[65];
    store_name name, expected;
    trivet_merge_state *each = state_of("{\"lists\":[[],[]],\"scratchpad\":[],\"x\":1}");
    uint8_t list[200] = {0, 't', 'v', 's', 1};
    size_t at = 5;
#define bytes(data, len) (memcpy(list + at, data, len), at += len)
    bytes("s\5\0\0\0lists\2\0\0\0", 14);
    store_name part;
    blob_name("[]", 2, &part);
    bytes(part.bytes, 32);
    bytes(part.bytes, 32);
    bytes("s\12\0\0\0scratchpad\0\0\0\0", 19);
    bytes("v\1\0\0\0x\1\0\0\0", 10);
    blob_name("1", 1, &part);
    bytes(part.bytes, 32);
#undef bytes
    blob_name(list, at, &expected);
    ok(snapshot_name(each, &name, &f->err));
    store_name_hex(&name, hex);
    if (!store_name_equal(&name, &expected))
        fail_msg("%s", hex);
    trivet_merge_state_free(each);
}

static void an_edit_stores_one_part(void **state) {
    fixture *f = *state;
    static const char *const before = "{\"lists\":[[" ITEM("a", "milk") "],[" ITEM(
        "b", "bread") "]],"
                      "\"scratchpad\":[{\"content\":\"x\",\"updatedAt\":1}]}";
    static const char *const after = "{\"lists\":[[" ITEM("a", "oats") "],[" ITEM(
        "b", "bread") "]],"
                      "\"scratchpad\":[{\"content\":\"x\",\"updatedAt\":1}]}";
    put(f, before);
    int64_t blobs = ask(f, "SELECT count(*) FROM blob");
    put(f, before);
    assert_int_equal(ask(f, "SELECT count(*) FROM blob"), blobs);
    put(f, after);
    assert_int_equal(ask(f, "SELECT count(*) FROM blob"), blobs + 2);
    put(f, before);
    assert_int_equal(ask(f, "SELECT count(*) FROM blob"), blobs + 2);
}

/* A name from a transaction that was rolled back is not taken for stored. */
static void a_rollback_forgets_parts(void **state) {
    fixture *f = *state;
    ok(store_begin(f->s, &f->err));
    store_name name = put(f, documents[5]);
    store_rollback(f->s);
    char *json;
    size_t len;
    says(STORE_DAMAGED, "missing", snapshot_get(f->s, &name, &json, &len, &f->err));
    put(f, documents[5]);
    ok(snapshot_get(f->s, &name, &json, &len, &f->err));
    free(json);
}

static void damage_of_a_part_is_seen(void **state) {
    static const struct {
        const char *sql, *message;
    } cases[] = {
        {"UPDATE blob SET data = CAST(replace(CAST(data AS TEXT), 'milk', 'silk') AS BLOB)"
         " WHERE CAST(data AS TEXT) LIKE '%milk%'",
         "altered"},
        {"DELETE FROM blob WHERE CAST(data AS TEXT) LIKE '%milk%'", "missing"},
        {"UPDATE blob SET data = zeroblob(0) WHERE CAST(data AS TEXT) LIKE '%milk%'", "altered"},
        {"UPDATE blob SET data = CAST(data || x'00' AS BLOB) WHERE substr(data, 2, 3) = CAST('tvs' AS BLOB)",
         "altered"},
        {"DELETE FROM blob", "missing"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        void *fresh = NULL;
        assert_int_equal(setup_store(&fresh), 0);
        fixture *f = fresh;
        trivet_merge_state *read = NULL;
        store_name name = put(f, documents[5]);
        assert_int_equal(sqlite3_exec(f->s->db, cases[i].sql, NULL, NULL, NULL), SQLITE_OK);
        assert_true(sqlite3_changes(f->s->db) > 0);
        says(STORE_DAMAGED, cases[i].message, snapshot_read(f->s, &name, &read, &f->err));
        assert_null(read);
        ok(store_meta_set(f->s, "still", "works", &f->err));
        teardown(&fresh);
    }
    (void)state;
}

/* A list whose hash is right, and which is nevertheless none. */
static void a_false_list_is_seen(void **state) {
#define MAGIC "\0tvs\1"
    static const struct {
        const char *bytes;
        size_t len;
    } lists[] = {
        {"", 0},
        {"\0tvs", 4},
        {"\0tvs\2", 5},
        {"{}", 2},
        {MAGIC "s", 6},
        {MAGIC "s\1\0\0\0", 10},
        {MAGIC "s\377\377\377\377", 10},
        {MAGIC "s\1\0\0\0x", 11},
        {MAGIC "s\1\0\0\0x\1\0\0\0", 15},
        {MAGIC "s\1\0\0\0x\377\377\377\377", 15},
        {MAGIC "v\1\0\0\0x\0\0\0\0", 15},
        {MAGIC "q\1\0\0\0x\0\0\0\0", 15},
        {MAGIC "s\1\0\0\0x\0\0\0\0s", 16},
        {MAGIC "s\5\0\0\0lists\1\0\0\0"
               "0123456789abcdef0123456789abcdef",
         51},
        {MAGIC "s\1\0\0\0\"\0\0\0\0", 15}, /* a document that cannot be read */
    };
    fixture *f = *state;
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        store_name name;
        trivet_merge_state *read = NULL;
        blob_name(lists[i].bytes, lists[i].len, &name);
        ok(blob_put(f->s, &name, lists[i].bytes, lists[i].len, &f->err));
        int rc = snapshot_read(f->s, &name, &read, &f->err);
        if (rc != STORE_DAMAGED || f->err.code != STORE_DAMAGED)
            fail_msg("list %zu: %d", i, rc);
        f->err = (store_error)STORE_ERROR_INIT;
    }
}

static void an_unknown_kind_of_group_is_seen(void **state) {
    fixture *f = *state;
    uint8_t list[] = {0, 't', 'v', 's', 1, 'v', 1, 0, 0, 0, 'x', 1, 0, 0, 0, [15 + 31] = 0};
    store_name name;
    char *json = NULL;
    size_t len;
    blob_name("1", 1, &name);
    ok(blob_put(f->s, &name, "1", 1, &f->err));
    memcpy(list + 15, name.bytes, sizeof name.bytes);
    blob_name(list, sizeof list, &name);
    ok(blob_put(f->s, &name, list, sizeof list, &f->err));
    ok(snapshot_get(f->s, &name, &json, &len, &f->err));
    assert_string_equal(json, "{\"x\":1}");
    free(json);
    list[5] = 'q';
    blob_name(list, sizeof list, &name);
    ok(blob_put(f->s, &name, list, sizeof list, &f->err));
    says(STORE_DAMAGED, "list of parts", snapshot_get(f->s, &name, &json, &len, &f->err));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(comes_back_as_it_was, setup_store, teardown),
        cmocka_unit_test_setup_teardown(comes_back_after_a_restart, setup_store, teardown),
        cmocka_unit_test_setup_teardown(takes_every_slot, setup_store, teardown),
        cmocka_unit_test(equal_names_mean_equal_states),
        cmocka_unit_test(the_format_stays),
        cmocka_unit_test_setup_teardown(an_edit_stores_one_part, setup_store, teardown),
        cmocka_unit_test_setup_teardown(a_rollback_forgets_parts, setup_store, teardown),
        cmocka_unit_test(damage_of_a_part_is_seen),
        cmocka_unit_test_setup_teardown(a_false_list_is_seen, setup_store, teardown),
        cmocka_unit_test_setup_teardown(an_unknown_kind_of_group_is_seen, setup_store, teardown),
    };
    return cmocka_run_group_tests_name("store: snapshots", tests, NULL, NULL);
}
