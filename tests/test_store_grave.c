/*
 * test_store_grave.c - what is kept of items that left the computer's state (merge §10).
 */
#include "test_store.h"

#include "store/grave.h"

enum { NOW = 1000000000 };

#define LIVE(id) "{\"id\":\"" id "\",\"text\":\"" id "\",\"position\":1,\"updatedAt\":5}"
#define DEAD(id, at)                                                                                         \
    "{\"id\":\"" id "\",\"text\":\"" id                                                                      \
    "\",\"position\":1,\"updatedAt\":5,\"deleted\":true,\"deletedAt\":" at "}"

/* Graves as text, in order: "section/slot/id@deletedAt ...". */
static int append_grave(void *ctx, trivet_merge_section section, size_t slot, const trivet_merge_item *item) {
    char *text = ctx;
    size_t at = strlen(text);
    snprintf(text + at, 512 - at, "%s%d/%zu/%.*s@%lld", at > 0 ? " " : "", (int)section, slot,
             (int)item->id.len, item->id.data, (long long)item->deleted_at);
    return item->deleted ? 0 : -100;
}

static const char *graves(fixture *f) {
    static char text[512];
    *text = '\0';
    ok(grave_each(f->s, append_grave, text, &f->err));
    return text;
}

static void update(fixture *f, const char *before_json, const char *after_json, int64_t now) {
    trivet_merge_state *before = state_of(before_json), *after = state_of(after_json);
    ok(grave_update(f->s, before, after, now, &f->err));
    trivet_merge_state_free(before);
    trivet_merge_state_free(after);
}

static void digs_for_those_that_left(void **state) {
    static const struct {
        const char *before, *after, *graves;
    } cases[] = {
        {"{}", "{}", ""},
        {"{\"lists\":[[" LIVE("a") "]]}", "{\"lists\":[[" LIVE("a") "]]}", ""},
        {"{\"lists\":[[" LIVE("a") "]]}", "{\"lists\":[[" DEAD("a", "7") "]]}", ""},
        {"{\"lists\":[[" LIVE("a") "]]}", "{\"lists\":[[]]}", "0/0/a@1000000000"},
        {"{\"lists\":[[" LIVE("a") "]]}", "{\"lists\":[]}", "0/0/a@1000000000"},
        {"{\"lists\":[[" LIVE("a") "]]}", "{}", "0/0/a@1000000000"},
        {"{\"lists\":[[" DEAD("a", "7") "]]}", "{\"lists\":[[]]}", "0/0/a@7"},
        {"{\"lists\":[[" DEAD("a", "null") "]]}", "{\"lists\":[[]]}", "0/0/a@1000000000"},
        {"{\"lockedLists\":[[],[" LIVE("a") "]]}", "{\"lockedLists\":[[],[]]}", "1/1/a@1000000000"},
        /* the same id in the other section is another item */
        {"{\"lists\":[[" LIVE("a") "]],\"lockedLists\":[[]]}",
         "{\"lists\":[[]],\"lockedLists\":[[" LIVE("a") "]]}", "0/0/a@1000000000"},
        /* moved is not gone */
        {"{\"lists\":[[" LIVE("a") "],[]]}", "{\"lists\":[[],[" LIVE("a") "]]}", ""},
        {"{\"lists\":[[],[" LIVE("a") "]]}", "{\"lists\":[[" LIVE("a") "]]}", ""},
        {"{\"lists\":[[" LIVE("a") "," LIVE("b") "," LIVE("c") "]]}",
         "{\"lists\":[[" LIVE("c") "],[" LIVE("a") "]]}", "0/0/b@1000000000"},
        /* some left, some came, the order is another */
        {"{\"lists\":[[" LIVE("a") "," LIVE("b") "," LIVE("c") "," LIVE("d") "," DEAD("e", "3") "]]}",
         "{\"lists\":[[" LIVE("aa") "," LIVE("b") "," LIVE("bb") "," LIVE("d") "," LIVE("z") "]]}",
         "0/0/a@1000000000 0/0/c@1000000000 0/0/e@3"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        void *fresh = NULL;
        assert_int_equal(setup_store(&fresh), 0);
        fixture *f = fresh;
        update(f, cases[i].before, cases[i].after, NOW);
        if (strcmp(graves(f), cases[i].graves) != 0)
            fail_msg("%s to %s: %s", cases[i].before, cases[i].after, graves(f));
        teardown(&fresh);
    }
}

static void fills_them_for_those_that_live(void **state) {
    fixture *f = *state;
    static const char *const gone = "{\"lists\":[[" LIVE("b") "]]}";
    update(f, "{\"lists\":[[" LIVE("a") "," LIVE("b") "," LIVE("c") "," LIVE("d") "]]}", gone, NOW);
    assert_string_equal(graves(f), "0/0/a@1000000000 0/0/c@1000000000 0/0/d@1000000000");
    /*
     * back as dead it stays buried; back alive, in whatever slot, it does not; the other section's
     * is another
     */
    update(
        f, gone,
        "{\"lists\":[[" LIVE("b") "," DEAD("a", "8") "],[" LIVE("c") "]],\"lockedLists\":[[" LIVE("d") "]]}",
        NOW);
    assert_string_equal(graves(f), "0/0/a@1000000000 0/0/d@1000000000");
    update(f, "{\"lists\":[[" DEAD("a", "8") "]]}", "{\"lists\":[[" LIVE("a") "]]}", NOW);
    assert_string_equal(graves(f), "0/0/d@1000000000");
    /* gone once more, its last form is the one that is kept */
    update(f, "{\"lists\":[[],[" DEAD("d", "9") "]]}", "{}", NOW);
    assert_string_equal(graves(f), "0/1/d@9");
}

static int keep_item(void *ctx, trivet_merge_section section, size_t slot, const trivet_merge_item *item) {
    char **json = ctx;
    size_t len;
    (void)section;
    (void)slot;
    return trivet_merge_item_write(item, json, &len);
}

static void keeps_all_of_an_item(void **state) {
    fixture *f = *state;
    char *json = NULL;
    update(f,
           "{\"lists\":[[{\"id\":\"\\ud800 \\\"\",\"text\":\"\\udc00\",\"position\":1.5,\"done\":true,"
           "\"createdAt\":3,\"updatedAt\":4,\"colour\":{\"deep\":[1.50]}}]]}",
           "{}", NOW);
    reopen(f);
    ok(grave_each(f->s, keep_item, &json, &f->err));
    assert_string_equal(json, "{\"colour\":{\"deep\":[1.50]},\"createdAt\":3,\"deleted\":true,"
                              "\"deletedAt\":1000000000,\"done\":true,\"id\":\"\\ud800 \\\"\","
                              "\"position\":1.5,\"text\":\"\\udc00\",\"updatedAt\":4}");
    free(json);
}

static int stop_at_second(void *ctx, trivet_merge_section section, size_t slot,
                          const trivet_merge_item *item) {
    int *seen = ctx;
    (void)section;
    (void)slot;
    (void)item;
    return ++*seen == 2 ? 42 : 0;
}

/* More than one keeper's worth, so that items of all of them are seen. */
static char *many_items(size_t count) {
    char *json = malloc(64 + count * 96);
    assert_non_null(json);
    int at = sprintf(json, "{\"lists\":[[");
    for (size_t i = 0; i < count; i++)
        at +=
            sprintf(json + at, "%s{\"id\":\"%zu\",\"text\":\"t\",\"position\":%zu}", i > 0 ? "," : "", i, i);
    sprintf(json + at, "]]}");
    return json;
}

static int count_grave(void *ctx, trivet_merge_section section, size_t slot, const trivet_merge_item *item) {
    size_t *count = ctx;
    ++*count;
    return section == TRIVET_MERGE_LISTS && slot == 0 && item->text.len == 1 ? 0 : -100;
}

static void shows_all_or_stops(void **state) {
    fixture *f = *state;
    char *json = many_items(1000);
    update(f, json, "{}", NOW);
    free(json);
    int seen = 0;
    assert_int_equal(grave_each(f->s, stop_at_second, &seen, &f->err), 42);
    assert_int_equal(seen, 2);
    size_t count = 0;
    ok(grave_each(f->s, count_grave, &count, &f->err));
    assert_int_equal(count, 1000);
}

static void prune(void **state) {
    fixture *f = *state;
    update(f, "{\"lists\":[[" LIVE("a") "]]}", "{}", NOW);
    update(f, "{\"lists\":[[" LIVE("b") "]]}", "{}", NOW + 1);
    update(f, "{\"lists\":[[" LIVE("c") "]]}", "{}", NOW);
    size_t dropped = 10;
    ok(grave_prune(f->s, NOW, 5, &dropped, &f->err));
    assert_int_equal(dropped, 10);
    assert_string_equal(graves(f), "0/0/a@1000000000 0/0/b@1000000001 0/0/c@1000000000");
    ok(grave_prune(f->s, NOW + 2, 2, &dropped, &f->err)); /* the oldest, and no more than it may */
    assert_int_equal(dropped, 12);
    assert_string_equal(graves(f), "0/0/b@1000000001");
    ok(grave_prune(f->s, NOW + 2, 2, &dropped, &f->err));
    assert_int_equal(dropped, 13);
    assert_string_equal(graves(f), "");
}

static void damage_is_seen(void **state) {
    static const char *const damage[] = {"item = x'7b7d'", "item = zeroblob(0)", "slot = -1", "section = 6",
                                         "item = CAST(replace(CAST(item AS TEXT), 'true', 'false') AS BLOB)"};
    (void)state;
    for (size_t i = 0; i < sizeof damage / sizeof *damage; i++) {
        void *fresh = NULL;
        assert_int_equal(setup_store(&fresh), 0);
        fixture *f = fresh;
        char text[200];
        size_t count = 0;
        update(f, "{\"lists\":[[" LIVE("a") "]]}", "{}", NOW);
        snprintf(text, sizeof text, "UPDATE grave SET %s", damage[i]);
        assert_int_equal(sqlite3_exec(f->s->db, text, NULL, NULL, NULL), SQLITE_OK);
        says(STORE_DAMAGED, "grave", grave_each(f->s, count_grave, &count, &f->err));
        assert_int_equal(count, 0);
        teardown(&fresh);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(digs_for_those_that_left),
        cmocka_unit_test_setup_teardown(fills_them_for_those_that_live, setup_store, teardown),
        cmocka_unit_test_setup_teardown(keeps_all_of_an_item, setup_store, teardown),
        cmocka_unit_test_setup_teardown(shows_all_or_stops, setup_store, teardown),
        cmocka_unit_test_setup_teardown(prune, setup_store, teardown),
        cmocka_unit_test(damage_is_seen),
    };
    return cmocka_run_group_tests_name("store: graves", tests, NULL, NULL);
}
