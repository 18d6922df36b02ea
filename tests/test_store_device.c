/*
 * test_store_device.c - pairings and the phones on them.
 */
#include "test_store.h"

#include "store/device.h"
#include <sysexits.h>

enum { NOW = 1000000000 };

static device create(fixture *f, const char *name, const char *replaces, char secret[static 37]) {
    device d = {0};
    uint8_t k[32];
    ok(device_create(f->s, name, replaces, NOW, &d, secret, k, &f->err));
    return d;
}

static void see(fixture *f, const device *d, const char *phone, int64_t now, bool expect_new) {
    bool new_phone = !expect_new;
    ok(device_seen(f->s, d->id, phone, "192.0.2.7", now, &new_phone, &f->err));
    assert_int_equal(new_phone, expect_new);
}

static device get(fixture *f, const char *id) {
    device d = {0};
    ok(device_find(f->s, id, &d, &f->err));
    return d;
}

static void makes_codes(void **state) {
    fixture *f = *state;
    char secret[37], other[37];
    uint8_t k[32], k2[32];
    device d, e;
    ok(device_create(f->s, "kitchen", NULL, NOW, &d, secret, k, &f->err));
    ok(device_create(f->s, NULL, NULL, NOW, &e, other, k2, &f->err));
    assert_int_equal(strlen(d.id), 8);
    assert_int_equal(strspn(d.id, "0123456789abcdef"), 8);
    assert_string_not_equal(d.id, e.id);
    assert_string_equal(d.name, "kitchen");
    assert_true(d.named);
    assert_false(e.named);
    assert_int_equal(d.created_at, NOW);
    assert_int_equal(d.lapses_at, NOW + 10 * 60 * 1000);
    /* xxxxxxxx-xxxx-4xxx-[89ab]xxx-xxxxxxxxxxxx */
    assert_int_equal(strlen(secret), 36);
    assert_int_equal(strspn(secret, "0123456789abcdef-"), 36);
    assert_true(secret[8] == '-' && secret[13] == '-' && secret[18] == '-' && secret[23] == '-');
    assert_int_equal(secret[14], '4');
    assert_non_null(strchr("89ab", secret[19]));
    assert_string_not_equal(secret, other);
    assert_memory_not_equal(k, k2, sizeof k);
    assert_int_equal(ask(f, "SELECT count(*) FROM device WHERE length(k) = 32 AND length(secret_hash) = 32"),
                     2);
}

static void keeps_no_secret(void **state) {
    fixture *f = *state;
    char secret[37], path[4300], text[200];
    create(f, "kitchen", NULL, secret);
    snprintf(text, sizeof text, "SELECT count(*) FROM device WHERE secret_hash = CAST('%s' AS BLOB)", secret);
    assert_int_equal(ask(f, text), 0);
    store_close(f->s);
    f->s = NULL;
    FILE *file = fopen(file_in(f, "trivet.db", path), "rb");
    assert_non_null(file);
    static char bytes[1 << 20];
    size_t len = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    assert_true(len > 0 && len < sizeof bytes);
    assert_null(memmem(bytes, len, secret, 36));
    assert_null(memmem(bytes, len, secret, 8));
}

static void finds_by_secret(void **state) {
    fixture *f = *state;
    char secret[37], other[37];
    device d = create(f, "one", NULL, secret), e = create(f, "two", NULL, other), found;
    ok(device_by_secret(f->s, secret, NOW, &found, &f->err));
    assert_string_equal(found.id, d.id);
    ok(device_by_secret(f->s, other, NOW + DEVICE_CODE_LIFE_MS - 1, &found, &f->err));
    assert_string_equal(found.id, e.id);
    gives(STORE_NONE, device_by_secret(f->s, "", NOW, &found, &f->err));
    gives(STORE_NONE, device_by_secret(f->s, "00000000-0000-4000-8000-000000000000", NOW, &found, &f->err));
    /* unused, it lapses; used, it does not */
    gives(STORE_NONE, device_by_secret(f->s, secret, NOW + DEVICE_CODE_LIFE_MS, &found, &f->err));
    see(f, &d, "Pixel 8", NOW + 1, false);
    ok(device_by_secret(f->s, secret, NOW + DEVICE_CODE_LIFE_MS, &found, &f->err));
    ok(device_revoke(f->s, d.id, NOW + 2, &f->err));
    gives(STORE_NONE, device_by_secret(f->s, secret, NOW + 2, &found, &f->err));
    secret[35] = secret[35] == '0' ? '1' : '0';
    gives(STORE_NONE, device_by_secret(f->s, secret, NOW, &found, &f->err));
}

/* Devices with ids that a test can know. */
static void three_devices(fixture *f) {
    char secret[37];
    create(f, "Anna", NULL, secret);
    create(f, "Ben", NULL, secret);
    create(f, "Ben", NULL, secret);
    assert_int_equal(sqlite3_exec(f->s->db,
                                  "UPDATE device SET id = 'aaaa0001' WHERE num = 1;"
                                  "UPDATE device SET id = 'aaaa0002' WHERE num = 2;"
                                  "UPDATE device SET id = 'cccc0003' WHERE num = 3;",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
}

static void finds_by_id_prefix_or_name(void **state) {
    static const struct {
        const char *given, *id, *message;
    } cases[] = {
        {"aaaa0001", "aaaa0001", NULL},   {"c", "cccc0003", NULL},
        {"aaaa0002", "aaaa0002", NULL},   {"Anna", "aaaa0001", NULL},
        {"aaaa", NULL, "more than one"},  {"Ben", NULL, "more than one"},
        {"Carl", NULL, "no device Carl"}, {"", NULL, "empty"},
        {"aaaa00010", NULL, "no device"}, {"anna", NULL, "no device"},
    };
    fixture *f = *state;
    three_devices(f);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        device d;
        if (cases[i].id == NULL) {
            says(STORE_NONE, cases[i].message, device_find(f->s, cases[i].given, &d, &f->err));
            continue;
        }
        ok(device_find(f->s, cases[i].given, &d, &f->err));
        assert_string_equal(d.id, cases[i].id);
    }
}

static void a_revoked_name_stands_back(void **state) {
    fixture *f = *state;
    device d;
    three_devices(f);
    ok(device_revoke(f->s, "aaaa0002", NOW, &f->err));
    ok(device_find(f->s, "Ben", &d, &f->err));
    assert_string_equal(d.id, "cccc0003");
    ok(device_find(f->s, "aaaa0002", &d, &f->err));
    assert_int_equal(d.revoked_at, NOW);
    ok(device_revoke(f->s, "aaaa0002", NOW + 9, &f->err));
    assert_int_equal(get(f, "aaaa0002").revoked_at, NOW);
    says(STORE_NONE, "no device", device_revoke(f->s, "aaaa", NOW, &f->err));
}

static void lists_in_order(void **state) {
    fixture *f = *state;
    device *all;
    size_t count;
    ok(device_list(f->s, &all, &count, &f->err));
    assert_int_equal(count, 0);
    free(all);
    char secret[37], name[16];
    for (int i = 0; i < 20; i++) {
        snprintf(name, sizeof name, "d%d", i);
        create(f, name, NULL, secret);
    }
    reopen(f);
    ok(device_list(f->s, &all, &count, &f->err));
    assert_int_equal(count, 20);
    for (int i = 0; i < 20; i++) {
        snprintf(name, sizeof name, "d%d", i);
        assert_string_equal(all[i].name, name);
    }
    free(all);
}

static void a_handshake_is_kept(void **state) {
    fixture *f = *state;
    char secret[37];
    device d = create(f, NULL, NULL, secret);
    see(f, &d, "Pixel 8", NOW + 5, false);
    assert_int_equal(ask(f, "SELECT k IS NULL FROM device"), 1);
    device e = get(f, d.id);
    assert_string_equal(e.name, "Pixel 8");
    assert_false(e.named);
    assert_int_equal(e.lapses_at, 0);
    assert_int_equal(e.last_seen_at, NOW + 5);
    assert_int_equal(e.last_sync_at, 0);
    assert_string_equal(e.address, "192.0.2.7");
    see(f, &d, "Pixel 8", NOW + 6, false);
    see(f, &d, "iPhone", NOW + 7, true);
    see(f, &d, "iPhone", NOW + 8, false);
    ok(device_synced(f->s, d.id, "iPhone", NOW + 9, &f->err));
    e = get(f, d.id);
    assert_string_equal(e.name, "Pixel 8");
    assert_int_equal(e.last_seen_at, NOW + 8);
    assert_int_equal(e.last_sync_at, NOW + 9);

    device_phone *phones;
    size_t count;
    ok(device_phones(f->s, d.id, &phones, &count, &f->err));
    assert_int_equal(count, 2);
    assert_string_equal(phones[0].phone, "Pixel 8");
    assert_int_equal(phones[0].first_seen_at, NOW + 5);
    assert_int_equal(phones[0].last_seen_at, NOW + 6);
    assert_int_equal(phones[0].last_sync_at, 0);
    assert_string_equal(phones[1].phone, "iPhone");
    assert_int_equal(phones[1].first_seen_at, NOW + 7);
    assert_int_equal(phones[1].last_seen_at, NOW + 8);
    assert_int_equal(phones[1].last_sync_at, NOW + 9);
    free(phones);
    bool new_phone;
    says(STORE_NONE, "no device", device_seen(f->s, "nobody", "x", "y", NOW, &new_phone, &f->err));
    says(STORE_NONE, "no device", device_synced(f->s, "nobody", "x", NOW, &f->err));
    gives(STORE_NONE, device_phones(f->s, "nobody", &phones, &count, &f->err));
}

static void a_given_name_stays(void **state) {
    fixture *f = *state;
    char secret[37], longest[DEVICE_NAME_MAX + 2];
    device d = create(f, "Mum's", NULL, secret);
    see(f, &d, "Pixel 8", NOW, false);
    assert_string_equal(get(f, d.id).name, "Mum's");
    memset(longest, 'n', sizeof longest);
    longest[DEVICE_NAME_MAX] = '\0';
    d = create(f, longest, NULL, secret);
    assert_string_equal(get(f, d.id).name, longest);
    longest[DEVICE_NAME_MAX] = 'n';
    longest[DEVICE_NAME_MAX + 1] = '\0';
    uint8_t k[32];
    int rc = device_create(f->s, longest, NULL, NOW, &d, secret, k, &f->err);
    assert_int_equal(f->err.status, EX_USAGE);
    says(STORE_FAILED, "256 bytes", rc);
}

static void the_replaced_one_goes_on_first_use(void **state) {
    fixture *f = *state;
    char secret[37], secret2[37];
    device old = create(f, "old", NULL, secret), found;
    see(f, &old, "Pixel 8", NOW, false);
    device fresh = create(f, "new", old.id, secret2);
    assert_string_equal(fresh.replaces, old.id);
    assert_string_equal(get(f, fresh.id).replaces, old.id);
    ok(device_by_secret(f->s, secret, NOW, &found, &f->err));
    see(f, &fresh, "Pixel 9", NOW + 3, false);
    gives(STORE_NONE, device_by_secret(f->s, secret, NOW, &found, &f->err));
    assert_int_equal(get(f, old.id).revoked_at, NOW + 3);
    see(f, &fresh, "Pixel 9", NOW + 4, false);
    assert_int_equal(get(f, old.id).revoked_at, NOW + 3);
    uint8_t k[32];
    says(STORE_NONE, "no device", device_create(f->s, NULL, "nobody", NOW, &found, secret, k, &f->err));
    assert_int_equal(ask(f, "SELECT count(*) FROM device"), 2);
}

/* A code that never came into use was to replace `old`; what replaces it in turn ends both. */
static void the_replaced_one_of_the_replaced_goes_too(void **state) {
    fixture *f = *state;
    char secret[37];
    device old = create(f, "old", NULL, secret);
    see(f, &old, "Pixel 8", NOW, false);
    device unused = create(f, "unused", old.id, secret), fresh = create(f, "new", unused.id, secret);
    see(f, &fresh, "Pixel 9", NOW + 3, false);
    assert_int_equal(get(f, unused.id).revoked_at, NOW + 3);
    assert_int_equal(get(f, old.id).revoked_at, NOW + 3);
    assert_int_equal(get(f, fresh.id).revoked_at, 0);
}

static void lapsed_codes_go(void **state) {
    fixture *f = *state;
    char secret[37];
    device used = create(f, "used", NULL, secret);
    see(f, &used, "Pixel 8", NOW, false);
    device lapsed = create(f, "lapsed", used.id, secret);
    device lapsed2 = create(f, "lapsed too", lapsed.id, secret);
    device last = {0};
    uint8_t k[32];
    ok(device_create(f->s, "last", lapsed2.id, NOW + 5, &last, secret, k, &f->err));
    ok(device_drop_lapsed(f->s, NOW + DEVICE_CODE_LIFE_MS - 1, &f->err));
    assert_int_equal(ask(f, "SELECT count(*) FROM device"), 4);
    ok(device_drop_lapsed(f->s, NOW + DEVICE_CODE_LIFE_MS, &f->err));
    assert_int_equal(ask(f, "SELECT count(*) FROM device"), 2);
    /* what the lapsed ones were to replace is now for the last one to */
    assert_string_equal(get(f, "last").replaces, used.id);
    see(f, &last, "Pixel 9", NOW + 6, false);
    assert_int_equal(get(f, "used").revoked_at, NOW + 6);
    ok(device_drop_lapsed(f->s, NOW + 2 * DEVICE_CODE_LIFE_MS, &f->err));
    assert_int_equal(ask(f, "SELECT count(*) FROM device"), 2);
}

/* ---- version 2's keys (device.h) ---- */

static void open_session(fixture *f, const device *d, int gen, const device_keys *asked, uint8_t made,
                         int expect) {
    device out;
    uint8_t k1[32];
    bool new_phone;
    memset(k1, made, sizeof k1);
    gives(expect, device_seen_version_2(f->s, d->id, gen, asked, k1, "Pixel 9", "192.0.2.7", NOW + 1, &out,
                                        &new_phone, &f->err));
}

static device_keys keys_of(fixture *f, const char *id, int64_t now, int expect) {
    device_keys keys;
    memset(&keys, 0xee, sizeof keys);
    gives(expect, device_keys_get(f->s, id, now, &keys, &f->err));
    return keys;
}

static bool is_all(const uint8_t *bytes, uint8_t value) {
    for (size_t i = 0; i < 32; i++)
        if (bytes[i] != value)
            return false;
    return true;
}

static void keys_go_from_the_codes_to_the_devices(void **state) {
    fixture *f = *state;
    char secret[37];
    device d = create(f, "one", NULL, secret);
    device_keys code = keys_of(f, d.id, NOW, 0);
    assert_true(code.has[0] && !code.has[1] && is_all(code.key[1], 0));
    /* 1: k1 beside k. The phone may begin anew, and its new one takes the first one's place. */
    open_session(f, &d, 0, &code, 0x11, 0);
    assert_int_equal(get(f, "one").version_2_at, NOW + 1);
    assert_int_equal(get(f, "one").lapses_at, 0);
    device_keys both = keys_of(f, d.id, NOW, 0);
    assert_true(both.has[0] && both.has[1] && is_all(both.key[1], 0x11));
    open_session(f, &d, 0, &both, 0x22, 0);
    /* What was asked for before that is late, under either generation. */
    open_session(f, &d, 0, &both, 0x33, STORE_NONE);
    open_session(f, &d, 0, &code, 0x33, STORE_NONE);
    open_session(f, &d, 1, &both, 0x33, STORE_NONE);
    both = keys_of(f, d.id, NOW, 0);
    assert_true(both.has[0] && is_all(both.key[1], 0x22));
    /* 3: k goes with the first session under k1, and k1 stays. */
    open_session(f, &d, 1, &both, 0x44, 0);
    device_keys own = keys_of(f, d.id, NOW, 0);
    assert_true(!own.has[0] && is_all(own.key[0], 0) && is_all(own.key[1], 0x22));
    open_session(f, &d, 0, &own, 0x55, STORE_NONE);
    open_session(f, &d, 0, &both, 0x55, STORE_NONE);
    open_session(f, &d, 1, &own, 0x55, 0);
    assert_true(is_all(keys_of(f, d.id, NOW, 0).key[1], 0x22));
    ok(device_revoke(f->s, d.id, NOW, &f->err));
    assert_int_equal(ask(f, "SELECT count(*) FROM device WHERE k IS NULL AND k1 IS NULL"), 1);
    device_keys none = keys_of(f, d.id, NOW, STORE_NONE);
    assert_true(!none.has[0] && !none.has[1] && is_all(none.key[1], 0));
    open_session(f, &d, 1, &own, 0x55, STORE_NONE);
}

static void codes_that_lapsed_have_no_keys(void **state) {
    fixture *f = *state;
    char secret[37];
    device d = create(f, "one", NULL, secret), e = create(f, "two", NULL, secret);
    device_keys code = keys_of(f, d.id, NOW + DEVICE_CODE_LIFE_MS - 1, 0);
    keys_of(f, d.id, NOW + DEVICE_CODE_LIFE_MS, STORE_NONE);
    keys_of(f, "", NOW, STORE_NONE);
    keys_of(f, "unknown", NOW, STORE_NONE);
    open_session(f, &d, 0, &code, 0x11, 0);
    keys_of(f, d.id, NOW + DEVICE_CODE_LIFE_MS, 0);
    /* Version 1 erases the code's key, and then it is no key for version 2. */
    code = keys_of(f, e.id, NOW, 0);
    see(f, &e, "Pixel 8", NOW + 1, false);
    open_session(f, &e, 0, &code, 0x11, STORE_NONE);
    assert_int_equal(get(f, "two").version_2_at, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(makes_codes, setup_store, teardown),
        cmocka_unit_test_setup_teardown(keeps_no_secret, setup_store, teardown),
        cmocka_unit_test_setup_teardown(finds_by_secret, setup_store, teardown),
        cmocka_unit_test_setup_teardown(finds_by_id_prefix_or_name, setup_store, teardown),
        cmocka_unit_test_setup_teardown(a_revoked_name_stands_back, setup_store, teardown),
        cmocka_unit_test_setup_teardown(lists_in_order, setup_store, teardown),
        cmocka_unit_test_setup_teardown(a_handshake_is_kept, setup_store, teardown),
        cmocka_unit_test_setup_teardown(a_given_name_stays, setup_store, teardown),
        cmocka_unit_test_setup_teardown(the_replaced_one_goes_on_first_use, setup_store, teardown),
        cmocka_unit_test_setup_teardown(the_replaced_one_of_the_replaced_goes_too, setup_store, teardown),
        cmocka_unit_test_setup_teardown(lapsed_codes_go, setup_store, teardown),
        cmocka_unit_test_setup_teardown(keys_go_from_the_codes_to_the_devices, setup_store, teardown),
        cmocka_unit_test_setup_teardown(codes_that_lapsed_have_no_keys, setup_store, teardown),
    };
    return cmocka_run_group_tests_name("store: devices", tests, NULL, NULL);
}
