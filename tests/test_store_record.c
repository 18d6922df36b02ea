/*
 * test_store_record.c - ancestor records, and what `since` values mean (merge §10).
 */
#include "test_store.h"

#include "store/blob.h"
#include "store/device.h"
#include "store/record.h"

enum { NOW = 1000000000 };

static device pair(fixture *f, const char *replaces) {
    device d = {0};
    char secret[37];
    uint8_t k[32];
    ok(device_create(f->s, NULL, replaces, NOW, &d, secret, k, &f->err));
    return d;
}

/* Any stored bytes do for a state's name here. */
static store_name named(fixture *f, const char *text) {
    store_name name;
    blob_name(text, strlen(text), &name);
    ok(blob_put(f->s, &name, text, strlen(text), &f->err));
    return name;
}

static int64_t add(fixture *f, const device *d, const char *phone, int64_t since_before) {
    record r = {.sent = named(f, "sent"),
                .snapshot = named(f, "snapshot"),
                .since_before = since_before,
                .applied = 7,
                .time = NOW + since_before};
    ok(record_add(f->s, d->id, phone, &r, &f->err));
    assert_int_equal(r.applied, 0);
    return r.id;
}

/* The since_before of a phone's records, newest first, as text: "3 2 1". */
static const char *listed(fixture *f, const device *d, const char *phone) {
    static char text[256];
    record *all;
    size_t count;
    int at = 0;
    *text = '\0';
    ok(record_list(f->s, d->id, phone, &all, &count, &f->err));
    for (size_t i = 0; i < count; i++)
        at +=
            snprintf(text + at, sizeof text - (size_t)at, "%s%d", i > 0 ? " " : "", (int)all[i].since_before);
    free(all);
    return text;
}

static void keeps_all_of_a_record(void **state) {
    fixture *f = *state;
    device d = pair(f, NULL);
    record first = {.sent = named(f, "a"), .snapshot = named(f, "b"), .since_before = 0, .time = NOW};
    record second = {.sent = named(f, "c"),
                     .snapshot = named(f, "d"),
                     .ancestor = named(f, "e"),
                     .has_ancestor = true,
                     .since_before = INT64_C(1) << 52,
                     .time = NOW + 1};
    ok(record_add(f->s, d.id, "Pixel 8", &first, &f->err));
    ok(record_add(f->s, d.id, "Pixel 8", &second, &f->err));
    assert_true(second.id > first.id);
    reopen(f);
    record *all;
    size_t count;
    ok(record_list(f->s, d.id, "Pixel 8", &all, &count, &f->err));
    assert_int_equal(count, 2);
    assert_int_equal(all[0].id, second.id);
    assert_true(store_name_equal(&all[0].sent, &second.sent));
    assert_true(store_name_equal(&all[0].snapshot, &second.snapshot));
    assert_true(store_name_equal(&all[0].ancestor, &second.ancestor));
    assert_true(all[0].has_ancestor);
    assert_int_equal(all[0].since_before, INT64_C(1) << 52);
    assert_int_equal(all[0].time, NOW + 1);
    assert_int_equal(all[1].id, first.id);
    assert_false(all[1].has_ancestor);
    assert_false(store_name_equal(&all[1].sent, &all[1].snapshot));
    free(all);
}

static void refuses_what_is_not_there(void **state) {
    fixture *f = *state;
    device d = pair(f, NULL);
    record r = {.sent = named(f, "a"), .snapshot = {{1}}};
    says(STORE_FAILED, "never stored", record_add(f->s, d.id, "Pixel 8", &r, &f->err));
    r.snapshot = r.sent;
    says(STORE_NONE, "no device", record_add(f->s, "nobody", "Pixel 8", &r, &f->err));
    ok(store_begin(f->s, &f->err)); /* the failed ones left no transaction behind */
    store_rollback(f->s);
    gives(STORE_NONE, record_applied(f->s, 12345, RECORD_LISTS, 1, &f->err));
    assert_string_equal(listed(f, &d, "Pixel 8"), "");
    assert_string_equal(listed(f, &(device){.id = "nobody"}, "Pixel 8"), "");
    int64_t id;
    gives(STORE_NONE, record_by_since(f->s, "nobody", "Pixel 8", RECORD_LISTS, 1, &id, &f->err));
}

static void groups_are_apart(void **state) {
    fixture *f = *state;
    device d = pair(f, NULL);
    int64_t one = add(f, &d, "Pixel 8", 1), two = add(f, &d, "Pixel 8", 2), id = 0;
    ok(record_applied(f->s, one, RECORD_LISTS, 100, &f->err));
    ok(record_applied(f->s, one, RECORD_LISTS, 100, &f->err));
    ok(record_applied(f->s, one, RECORD_LISTS, 101, &f->err));
    ok(record_applied(f->s, two, RECORD_SCRATCHPAD, 100, &f->err));
    ok(record_by_since(f->s, d.id, "Pixel 8", RECORD_LISTS, 100, &id, &f->err));
    assert_int_equal(id, one);
    ok(record_by_since(f->s, d.id, "Pixel 8", RECORD_LISTS, 101, &id, &f->err));
    assert_int_equal(id, one);
    ok(record_by_since(f->s, d.id, "Pixel 8", RECORD_SCRATCHPAD, 100, &id, &f->err));
    assert_int_equal(id, two);
    gives(STORE_NONE, record_by_since(f->s, d.id, "Pixel 8", RECORD_LOCKED_LISTS, 100, &id, &f->err));
    gives(STORE_NONE, record_by_since(f->s, d.id, "Pixel 8", RECORD_SCRATCHPAD, 101, &id, &f->err));
    /* the newest wins, whenever it was told */
    ok(record_applied(f->s, two, RECORD_LISTS, 100, &f->err));
    ok(record_applied(f->s, one, RECORD_LISTS, 100, &f->err));
    ok(record_by_since(f->s, d.id, "Pixel 8", RECORD_LISTS, 100, &id, &f->err));
    assert_int_equal(id, two);
    record *all;
    size_t count;
    ok(record_list(f->s, d.id, "Pixel 8", &all, &count, &f->err));
    assert_int_equal(all[0].applied, 1u << RECORD_SCRATCHPAD | 1u << RECORD_LISTS);
    assert_int_equal(all[1].applied, 1u << RECORD_LISTS);
    free(all);
}

/* What retention does: the record goes, what was known of its values stays. */
static void drop(fixture *f, int64_t id) {
    char text[64];
    snprintf(text, sizeof text, "DELETE FROM record WHERE id = %d", (int)id);
    assert_int_equal(sqlite3_exec(f->s->db, text, NULL, NULL, NULL), SQLITE_OK);
}

static void values_outlive_their_record(void **state) {
    fixture *f = *state;
    device d = pair(f, NULL);
    int64_t one = add(f, &d, "Pixel 8", 1), two = add(f, &d, "Pixel 8", 2), id = 0;
    ok(record_applied(f->s, one, RECORD_LISTS, 100, &f->err));
    ok(record_applied(f->s, two, RECORD_LISTS, 200, &f->err));
    drop(f, one);
    gives(STORE_GONE, record_by_since(f->s, d.id, "Pixel 8", RECORD_LISTS, 100, &id, &f->err));
    ok(record_by_since(f->s, d.id, "Pixel 8", RECORD_LISTS, 200, &id, &f->err));
    gives(STORE_NONE, record_by_since(f->s, d.id, "Pixel 8", RECORD_LISTS, 300, &id, &f->err));
    drop(f, two);
    gives(STORE_GONE, record_by_since(f->s, d.id, "Pixel 8", RECORD_LISTS, 200, &id, &f->err));
    assert_string_equal(listed(f, &d, "Pixel 8"), "");
    /* an id is never used again, or an old value would mean a new record */
    reopen(f);
    assert_true(add(f, &d, "Pixel 8", 3) > two);
    gives(STORE_GONE, record_by_since(f->s, d.id, "Pixel 8", RECORD_LISTS, 200, &id, &f->err));
}

static void a_second_phone_begins_with_all(void **state) {
    fixture *f = *state;
    device d = pair(f, NULL), other = pair(f, NULL);
    int64_t id = 0;
    int64_t one = add(f, &d, "Pixel 8", 1);
    add(f, &other, "Pixel 8", 9);
    add(f, &d, "iPhone", 2);
    int64_t three = add(f, &d, "Pixel 8", 3);
    ok(record_applied(f->s, one, RECORD_LISTS, 100, &f->err));
    assert_string_equal(listed(f, &d, "Pixel 8"), "3 1");
    assert_string_equal(listed(f, &d, "iPhone"), "2");
    assert_string_equal(listed(f, &d, "Nokia"), "3 2 1");
    ok(record_by_since(f->s, d.id, "Nokia", RECORD_LISTS, 100, &id, &f->err));
    assert_int_equal(id, one);
    gives(STORE_NONE, record_by_since(f->s, d.id, "iPhone", RECORD_LISTS, 100, &id, &f->err));
    gives(STORE_NONE, record_by_since(f->s, other.id, "Pixel 8", RECORD_LISTS, 100, &id, &f->err));
    add(f, &d, "Nokia", 4);
    assert_string_equal(listed(f, &d, "Nokia"), "4");
    gives(STORE_NONE, record_by_since(f->s, d.id, "Nokia", RECORD_LISTS, 100, &id, &f->err));
    /* one whose records were dropped had some: it does not begin again */
    ok(record_applied(f->s, three, RECORD_LISTS, 103, &f->err));
    drop(f, one);
    drop(f, three);
    assert_string_equal(listed(f, &d, "Pixel 8"), "");
    gives(STORE_GONE, record_by_since(f->s, d.id, "Pixel 8", RECORD_LISTS, 103, &id, &f->err));
}

static void a_replacement_inherits(void **state) {
    fixture *f = *state;
    device old = pair(f, NULL), unused = pair(f, old.id), fresh = pair(f, unused.id);
    int64_t id = 0, one = add(f, &old, "Pixel 8", 1);
    add(f, &old, "iPhone", 2);
    ok(record_applied(f->s, one, RECORD_LISTS, 100, &f->err));
    assert_string_equal(listed(f, &fresh, "Pixel 8"), "2 1");
    assert_string_equal(listed(f, &fresh, "Pixel 9"), "2 1");
    ok(record_by_since(f->s, fresh.id, "Pixel 9", RECORD_LISTS, 100, &id, &f->err));
    assert_int_equal(id, one);
    bool new_phone;
    ok(device_seen(f->s, fresh.id, "Pixel 9", "", NOW, &new_phone, &f->err));
    assert_string_equal(listed(f, &fresh, "Pixel 9"), "2 1");
    /* one of its own, and it inherits no more; a second phone of it neither */
    add(f, &fresh, "Pixel 9", 3);
    assert_string_equal(listed(f, &fresh, "Pixel 9"), "3");
    assert_string_equal(listed(f, &fresh, "iPhone"), "3");
    assert_string_equal(listed(f, &old, "iPhone"), "2");
    gives(STORE_NONE, record_by_since(f->s, fresh.id, "Pixel 9", RECORD_LISTS, 100, &id, &f->err));
}

static void belongs_to_the_transaction(void **state) {
    fixture *f = *state;
    device d = pair(f, NULL);
    add(f, &d, "Pixel 8", 1);
    ok(store_begin(f->s, &f->err));
    int64_t two = add(f, &d, "iPhone", 2);
    ok(record_applied(f->s, two, RECORD_LISTS, 100, &f->err));
    store_rollback(f->s);
    assert_string_equal(listed(f, &d, "iPhone"), "1");
    int64_t id;
    gives(STORE_NONE, record_by_since(f->s, d.id, "iPhone", RECORD_LISTS, 100, &id, &f->err));
}

enum { DAY = 24 * 3600 * 1000 };

/* A phone's records of these times, in days; their since_before numbers them from 1. */
static void add_dated(fixture *f, const device *d, const char *phone, const int *days, size_t count) {
    for (size_t i = 0; i < count; i++) {
        record r = {.sent = named(f, "sent"),
                    .snapshot = named(f, "snapshot"),
                    .since_before = (int64_t)i + 1,
                    .time = (int64_t)days[i] * DAY};
        ok(record_add(f->s, d->id, phone, &r, &f->err));
    }
}

static void retention_keeps(void **state) {
    static const struct {
        const char *what;
        int days[8];
        size_t count;
        record_limits limits;
        const char *kept;
    } cases[] = {
        {"all within both numbers", {1, 2, 3}, 3, {1, 3, 99LL * DAY}, "3 2 1"},
        {"no more than the most", {1, 2, 3, 4}, 4, {1, 2, 1000LL * DAY}, "4 3"},
        {"what is young enough", {1, 2, 3, 4}, 4, {1, 9, 98LL * DAY}, "4 3 2"},
        {"the least, however old", {1, 2, 3, 4}, 4, {2, 9, DAY}, "4 3"},
        {"no gaps, whatever the clock did", {1, 99, 1, 1}, 4, {1, 9, 98LL * DAY}, "4 3 2"},
        {"a number before an age", {99, 99, 99, 99}, 4, {1, 2, 98LL * DAY}, "4 3"},
        {"none", {1, 2}, 2, {0, 9, DAY}, ""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        void *fresh = NULL;
        assert_int_equal(setup_store(&fresh), 0);
        fixture *f = fresh;
        device d = pair(f, NULL);
        size_t dropped = 0;
        int64_t cursor = 0;
        add_dated(f, &d, "Pixel 8", cases[i].days, cases[i].count);
        ok(record_prune(f->s, 100LL * DAY, &cases[i].limits, 50, &cursor, &dropped, &f->err));
        if (strcmp(listed(f, &d, "Pixel 8"), cases[i].kept) != 0)
            fail_msg("%s: %s", cases[i].what, listed(f, &d, "Pixel 8"));
        assert_int_equal(cursor, 0);
        assert_int_equal(dropped, cases[i].count - (strlen(cases[i].kept) + 1) / 2);
        teardown(&fresh);
    }
}

static void retention_goes_in_small_steps(void **state) {
    static const int days[] = {1, 1, 1, 1, 1, 1};
    static const char *const after_each[] = {"6 5 4 3|6 5 4 3 2 1", "6 5|6 5 4 3 2 1", "6|6 5 4 3 2",
                                             "6|6 5 4", "6|6"};
    fixture *f = *state;
    device d = pair(f, NULL);
    record_limits limits = {1, 1, DAY};
    int64_t cursor = 0;
    size_t dropped = 0, steps = 0;
    add_dated(f, &d, "Pixel 8", days, 6);
    add_dated(f, &d, "iPhone", days, 6);
    do {
        char text[64];
        if (steps == sizeof after_each / sizeof *after_each)
            break; /* it has only seen that there are no more phones */
        ok(record_prune(f->s, 2 * DAY, &limits, 2, &cursor, &dropped, &f->err));
        int len = snprintf(text, sizeof text, "%s|", listed(f, &d, "Pixel 8"));
        snprintf(text + len, sizeof text - (size_t)len, "%s", listed(f, &d, "iPhone"));
        assert_string_equal(text, after_each[steps++]);
    } while (cursor != 0);
    assert_int_equal(steps, sizeof after_each / sizeof *after_each);
    assert_int_equal(dropped, 10);
    /* a time that one of them came with is known to be an old one; that of the last is not */
    int64_t id;
    gives(STORE_GONE, record_by_since(f->s, d.id, "iPhone", RECORD_LISTS, 5, &id, &f->err));
    gives(STORE_GONE, record_by_since(f->s, d.id, "iPhone", RECORD_SCRATCHPAD, 5, &id, &f->err));
    gives(STORE_NONE, record_by_since(f->s, d.id, "iPhone", RECORD_LISTS, 6, &id, &f->err));
    /* once more: nothing */
    ok(record_prune(f->s, 2 * DAY, &limits, 50, &cursor, &dropped, &f->err));
    assert_int_equal(dropped, 10);
}

/* Both questions are answered from an index, however many records there are. */
static void asks_an_index(void **state) {
    static const struct {
        sql_id statement;
        const char *plan;
    } cases[] = {
        {SQL_RECORD_OF_PHONE, "USING INDEX record_by_phone (phone=?)"},
        {SQL_RECORD_OF_DEVICE, "USING INDEX record_by_device (device=?)"},
        {SQL_RECORD_NTH, "USING COVERING INDEX record_by_phone (phone=?)"},
        {SQL_RECORD_OLDEST, "USING INDEX record_by_phone (phone=?)"},
        {SQL_RECORD_PRUNE, "INDEX record_by_phone (phone=? AND rowid<?)"},
        {SQL_SINCE_OF_PHONE, "USING PRIMARY KEY (device=? AND grp=? AND since=?)"},
        {SQL_SINCE_OF_DEVICE, "USING PRIMARY KEY (device=? AND grp=? AND since=?)"},
    };
    fixture *f = *state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[512];
        sqlite3_stmt *q = NULL;
        bool used = false;
        snprintf(text, sizeof text, "EXPLAIN QUERY PLAN %s",
                 sqlite3_sql(sql_get(f->s, cases[i].statement, &f->err)));
        assert_int_equal(sqlite3_prepare_v2(f->s->db, text, -1, &q, NULL), SQLITE_OK);
        while (sqlite3_step(q) == SQLITE_ROW) {
            const char *step = (const char *)sqlite3_column_text(q, 3);
            used |= strstr(step, cases[i].plan) != NULL;
            if (strstr(step, "SCAN") != NULL || strstr(step, "TEMP B-TREE") != NULL)
                fail_msg("%s: %s", text, step);
        }
        assert_true(used);
        sqlite3_finalize(q);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(keeps_all_of_a_record, setup_store, teardown),
        cmocka_unit_test_setup_teardown(refuses_what_is_not_there, setup_store, teardown),
        cmocka_unit_test_setup_teardown(groups_are_apart, setup_store, teardown),
        cmocka_unit_test_setup_teardown(values_outlive_their_record, setup_store, teardown),
        cmocka_unit_test_setup_teardown(a_second_phone_begins_with_all, setup_store, teardown),
        cmocka_unit_test_setup_teardown(a_replacement_inherits, setup_store, teardown),
        cmocka_unit_test_setup_teardown(belongs_to_the_transaction, setup_store, teardown),
        cmocka_unit_test(retention_keeps),
        cmocka_unit_test_setup_teardown(retention_goes_in_small_steps, setup_store, teardown),
        cmocka_unit_test_setup_teardown(asks_an_index, setup_store, teardown),
    };
    return cmocka_run_group_tests_name("store: records", tests, NULL, NULL);
}
