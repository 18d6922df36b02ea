/*
 * test_opening_work.c - an unknown device, a revoked one, a lapsed code and a wrong key get their answers by the same work
 * (protocol §7), so that the time tells nothing about which it was.
 *
 * Not time is measured but the way taken: the Makefile links the protocol and store/device.c with a call at the start of each basic
 * block, and the row of these, one after the other, must be the same for all sorts of strangers, and the same number of steps for SQLite.
 * What is not seen by this are the functions of libsodium, which are made to take one time, and the kernel's.
 * tests/bench/opening.mjs has the clock's view of it.
 */
#include "test_store.h"

#include "store/device.h"
#include "trivet_proto.h"
#include <sodium.h>

enum { NOW = 1000000000, DEVICES = 21 };

static struct {
    uint64_t blocks, way; /* how many, and a hash of which in which order */
    uint64_t sqlite;
} work;

/* GCC and clang call it at the start of each block. */
void __sanitizer_cov_trace_pc(void);
void __sanitizer_cov_trace_pc(void) {
    work.blocks++;
    work.way = (work.way ^ (uint64_t)(uintptr_t)__builtin_return_address(0)) * 0x100000001b3u;
}

static uint64_t sqlite_steps(const store *s) {
    uint64_t steps = 0;
    for (sqlite3_stmt *q = sqlite3_next_stmt(s->db, NULL); q != NULL; q = sqlite3_next_stmt(s->db, q))
        steps += (uint64_t)sqlite3_stmt_status(q, SQLITE_STMTSTATUS_VM_STEP, 0);
    return steps;
}

static void fixed(void *ctx, uint8_t *out, size_t len) {
    (void)ctx;
    memset(out, 0x5a, len);
}

/* How a server finds the key that a connection is answered with; false: none. */
typedef bool lookup(fixture *f, const char *id, int gen, device_keys *keys);

static bool as_it_is(fixture *f, const char *id, int gen, device_keys *keys) {
    int rc = device_keys_get(f->s, id, NOW, keys, &f->err);
    assert_true(rc == 0 || rc == STORE_NONE);
    return keys->has[gen];
}

/* What one would write first: who is not there is not looked for any further. */
static bool naive(fixture *f, const char *id, int gen, device_keys *keys) {
    device d;
    if (device_find(f->s, id, &d, &f->err) != 0 || d.revoked_at != 0 ||
        (d.lapses_at != 0 && d.lapses_at <= NOW))
        return false;
    return as_it_is(f, id, gen, keys);
}

/* A connection from its key_init to the refusal of a frame that does not open. */
static void meet(fixture *f, lookup *find, const char *id, int gen) {
    trivet_proto_computer_options options = TRIVET_PROTO_COMPUTER_OPTIONS_INIT;
    trivet_proto_event event;
    trivet_proto_output output;
    device_keys keys = {{false, false}, {{0}, {0}}};
    uint8_t frame[120] = {1, 2, 3};
    char key_init[256];
    options.version_2 = true;
    options.random = fixed;
    trivet_proto_computer *c = trivet_proto_computer_new(&options, 0);
    snprintf(key_init, sizeof key_init,
             "{\"type\":\"key_init\",\"publicKey\":\"wwGhhdgOeoMMF6mUF/hnoKge3hme31dkrgKlDRIfSHI=\",\"v\":2,"
             "\"device\":\"%s\",\"gen\":%d}",
             id, gen);
    memset(&work, 0, sizeof work);
    uint64_t before = sqlite_steps(f->s);
    trivet_proto_computer_receive(c, false, (const uint8_t *)key_init, strlen(key_init), 0);
    assert_true(trivet_proto_computer_event(c, &event));
    assert_int_equal(event.kind, TRIVET_PROTO_EVENT_KEY_WANTED);
    bool has = find(f, event.device, event.gen, &keys);
    trivet_proto_event_release(&event);
    assert_int_equal(trivet_proto_computer_key(c, has ? keys.key[gen] : NULL, 0), 0);
    assert_true(trivet_proto_computer_output(c, &output));
    trivet_proto_output_release(&output);
    trivet_proto_computer_receive(c, true, frame, sizeof frame, 0);
    assert_true(trivet_proto_computer_event(c, &event));
    assert_int_equal(event.kind, TRIVET_PROTO_EVENT_WRONG_KEY);
    trivet_proto_event_release(&event);
    assert_int_equal(trivet_proto_computer_refuse(c, TRIVET_PROTO_CLOSE_VIOLATION, "no"), 0);
    work.sqlite = sqlite_steps(f->s) - before;
    trivet_proto_computer_free(c);
    f->err = (store_error)STORE_ERROR_INIT;
}

/* Devices of every sort; their numbers are their places. */
static void fill(fixture *f) {
    for (int i = 1; i <= DEVICES; i++) {
        char secret[37], sql[100];
        uint8_t k[32];
        device d;
        ok(device_create(f->s, NULL, NULL, NOW, &d, secret, k, &f->err));
        snprintf(sql, sizeof sql, "UPDATE device SET id = 'aaaa00%02d' WHERE num = %d", i, i);
        assert_int_equal(sqlite3_exec(f->s->db, sql, NULL, NULL, NULL), SQLITE_OK);
    }
    assert_int_equal(
        sqlite3_exec(
            f->s->db,
            "UPDATE device SET k1 = zeroblob(32), lapses_at = 0 WHERE num IN (1, 3, 21);" /* both */
            "UPDATE device SET k = NULL, k1 = zeroblob(32), lapses_at = 0 WHERE num = 4;" /* k is over */
            "UPDATE device SET k = NULL, lapses_at = 0 WHERE num = 5;"                    /* of version 1 */
            "UPDATE device SET lapses_at = 5 WHERE num = 6;",
            NULL, NULL, NULL),
        SQLITE_OK);
    ok(device_revoke(f->s, "aaaa0007", NOW, &f->err));
}

static const struct {
    const char *what, *id;
} strangers[] = {
    {"a wrong key, first device", "aaaa0001"}, {"a wrong key", "aaaa0002"},
    {"a wrong key, last device", "aaaa0021"},  {"a code that is over", "aaaa0004"},
    {"a device of version 1", "aaaa0005"},     {"a code that lapsed", "aaaa0006"},
    {"a revoked device", "aaaa0007"},          {"an id nearly like one", "aaaa0029"},
    {"an id like none", "zzzzzzzz"},
};

/* How many strangers took another way than the first. */
static unsigned others(fixture *f, lookup *find, int gen, bool told) {
    unsigned count = 0;
    meet(f, find, strangers[0].id, gen); /* statements are prepared */
    meet(f, find, strangers[0].id, gen);
    uint64_t blocks = work.blocks, way = work.way, sqlite = work.sqlite;
    assert_true(blocks > 500 && sqlite > DEVICES);
    for (size_t i = 0; i < sizeof strangers / sizeof *strangers; i++) {
        meet(f, find, strangers[i].id, gen);
        if (work.blocks == blocks && work.way == way && work.sqlite == sqlite)
            continue;
        count++;
        if (told)
            print_message("gen %d, %s: %llu blocks and %llu steps of SQLite, not %llu and %llu%s\n", gen,
                          strangers[i].what, (unsigned long long)work.blocks, (unsigned long long)work.sqlite,
                          (unsigned long long)blocks, (unsigned long long)sqlite,
                          work.blocks == blocks ? ", by another way" : "");
    }
    return count;
}

static void all_strangers_take_one_way(void **state) {
    fixture *f = *state;
    fill(f);
    assert_int_equal(others(f, as_it_is, 0, true), 0);
    assert_int_equal(others(f, as_it_is, 1, true), 0);
}

/* The measure sees what it is for. */
static void a_naive_lookup_is_found_out(void **state) {
    fixture *f = *state;
    fill(f);
    assert_true(others(f, naive, 0, false) == 4);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(all_strangers_take_one_way, setup_store, teardown),
        cmocka_unit_test_setup_teardown(a_naive_lookup_is_found_out, setup_store, teardown),
    };
    return sodium_init() < 0 ? 1 : cmocka_run_group_tests_name("the work of an opening", tests, NULL, NULL);
}
