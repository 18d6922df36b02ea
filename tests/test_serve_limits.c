/* What bounds a hostile peer: delays for wrong secrets, log lines; and the worker that all of it goes through. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "log.h"
#include "serve/chatter.h"
#include "serve/throttle.h"
#include "serve/worker.h"

/* ---- throttle ---- */

static void test_delays_double(void **state) {
    static const uint64_t delays[] = {1000, 2000, 4000, 8000, 8000, 8000};
    throttle t = {0};

    (void)state;
    for (size_t i = 0; i < sizeof delays / sizeof *delays; i++)
        assert_int_equal(throttle_failed(&t, "192.168.1.7", 5000 + i, NULL), delays[i]);
    assert_int_equal(throttle_failed(&t, "192.168.1.8", 6000, NULL), 1000); /* each address has its own */
    throttle_succeeded(&t, "192.168.1.7");
    assert_int_equal(throttle_failed(&t, "192.168.1.7", 6001, NULL), 1000);
    assert_int_equal(throttle_failed(&t, "192.168.1.8", 6002, NULL), 2000);
}

/* Who has one address of an IPv6 /64 has them all; on a link each neighbour has its own. The row is counted. */
static void test_delays_of_networks(void **state) {
    static const struct {
        const char *address;
        uint64_t delay;
        unsigned row;
    } cases[] = {{"2001:db8::1", 1000, 1},      {"2001:db8::2", 2000, 2},
                 {"2001:db8::ffff:3", 4000, 3}, {"2001:db8:0:1::1", 1000, 1},
                 {"fe80::1%lo", 1000, 1},       {"fe80::2%lo", 1000, 1},
                 {"2001:db8::4", 8000, 4},      {"2001:db8::5", 8000, THROTTLE_MANY},
                 {"2001:db8::6", 8000, 6},      {"fe80::1%lo", 2000, 2}};
    throttle t = {0};
    unsigned row;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(throttle_failed(&t, cases[i].address, 1000 + i, &row), cases[i].delay);
        assert_int_equal(row, cases[i].row);
    }
    throttle_succeeded(&t, "2001:db8::abcd");
    assert_int_equal(throttle_failed(&t, "2001:db8::1", 2000, NULL), 1000);
}

static void test_delays_are_forgotten(void **state) {
    throttle t = {0};

    (void)state;
    throttle_failed(&t, "a", 1000, NULL);
    assert_int_equal(throttle_failed(&t, "a", 1000 + THROTTLE_MEMORY_MS, NULL), 2000);
    assert_int_equal(throttle_failed(&t, "a", 1001 + 2 * (uint64_t)THROTTLE_MEMORY_MS, NULL), 1000);
}

static void test_the_quietest_makes_room(void **state) {
    throttle t = {0};
    char address[16];

    (void)state;
    for (unsigned i = 0; i < THROTTLE_ADDRESSES; i++) {
        snprintf(address, sizeof address, "10.0.0.%u", i);
        assert_int_equal(throttle_failed(&t, address, 1000 + i, NULL), 1000);
    }
    throttle_failed(&t, "10.0.0.0", 5000, NULL);
    assert_int_equal(throttle_failed(&t, "10.9.9.9", 5001, NULL), 1000);
    assert_int_equal(throttle_failed(&t, "10.0.0.0", 5002, NULL), 4000); /* is still known */
    assert_int_equal(throttle_failed(&t, "10.0.0.2", 5003, NULL), 2000);
    assert_int_equal(throttle_failed(&t, "10.0.0.1", 5004, NULL), 1000); /* made room */
}

/* ---- chatter ---- */

static void test_lines_of_a_stranger(void **state) {
    chatter c = {0};
    chatter_note note;

    (void)state;
    for (unsigned i = 1; i <= CHATTER_STRANGER_LINES; i++) {
        note = chatter_take(&c, "a", CHATTER_STRANGER, 1000);
        assert_true(note.say);
        assert_int_equal(note.falls_silent, i == CHATTER_STRANGER_LINES);
    }
    for (int i = 0; i < 7; i++) {
        note = chatter_take(&c, "a", CHATTER_STRANGER, 999 + CHATTER_WINDOW_MS);
        assert_false(note.say);
        assert_false(note.falls_silent);
    }
    assert_true(chatter_take(&c, "b", CHATTER_STRANGER, 2000).say);
    note = chatter_take(&c, "a", CHATTER_STRANGER, 1000 + CHATTER_WINDOW_MS);
    assert_true(note.say);
    assert_int_equal(note.left_out, 7);
    assert_int_equal(chatter_take(&c, "a", CHATTER_STRANGER, 1000 + CHATTER_WINDOW_MS).left_out, 0);
}

/* Whoever has many addresses gains nothing by it, and devices are not counted in with them. */
static void test_lines_of_many_strangers(void **state) {
    chatter c = {0};
    unsigned said = 0, silences = 0;
    char address[32];

    (void)state;
    for (unsigned i = 0; i < 10000; i++) {
        snprintf(address, sizeof address, "2001:db8::%x", i);
        chatter_note note = chatter_take(&c, address, CHATTER_STRANGER, 1000);
        said += note.say;
        silences += note.falls_silent;
    }
    assert_int_equal(said, CHATTER_ALL_STRANGERS_LINES);
    assert_int_equal(silences, 1);
    for (unsigned i = 0; i < CHATTER_DEVICE_LINES; i++)
        assert_true(chatter_take(&c, "device", CHATTER_DEVICE, 1000).say);
    assert_false(chatter_take(&c, "device", CHATTER_DEVICE, 1000).say);
    chatter_note note = chatter_take(&c, "new", CHATTER_STRANGER, 1000 + CHATTER_WINDOW_MS);
    assert_true(note.say && note.all);
    assert_int_equal(note.left_out, 10000 - CHATTER_ALL_STRANGERS_LINES);
}

/* A name that is cut is found again. */
static void test_a_long_name(void **state) {
    chatter c = {0};
    char name[200];

    (void)state;
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    for (unsigned i = 0; i < CHATTER_STRANGER_LINES; i++)
        chatter_take(&c, name, CHATTER_STRANGER, 1);
    assert_false(chatter_take(&c, name, CHATTER_STRANGER, 1).say);
}

/* ---- names in lines ---- */

static void test_log_name(void **state) {
    static const struct {
        const char *name, *shown;
    } cases[] = {
        {"Pixel 9", "Pixel 9"},
        {"M\xc3\xbcller", "M\xc3\xbcller"},
        {"\x1b[31m\r\n\t\x7f", "\\x1b[31m\\x0d\\x0a\\x09\\x7f"},
        {"\xc2\x85\xc2\x9b", "\\xc2\\x85\\xc2\\x9b"}, /* C1: a line's end, a terminal's CSI */
        {"\xff\xc3", "\\xff\\xc3"},                   /* no UTF-8 */
        {"\xc0\x8a", "\\xc0\\x8a"},                   /* a line's end, overlong */
        {"a\xe2\x80\xaez", "a\\xe2\\x80\\xaez"},      /* U+202E turns the line round */
        {"a\xe2\x80\xa8z", "a\\xe2\\x80\\xa8z"},      /* U+2028, a line's end */
        {"\xe2\x81\xa6\xe2\x81\xa9", "\\xe2\\x81\\xa6\\xe2\\x81\\xa9"},
        {"\xe2\x80\x94\xe2\x82\xac", "\xe2\x80\x94\xe2\x82\xac"}, /* a dash and a euro */
    };
    char out[64];

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_string_equal(log_name(cases[i].name, out, sizeof out), cases[i].shown);
    assert_string_equal(log_name("aaaa\xc3\xbc", out, 6), "aaaa"); /* no half character */
    assert_string_equal(log_name("aaa\n", out, 6), "aaa");
}

/* ---- worker ---- */

struct noted {
    worker_job job;
    worker *worker;
    struct noted *then;
    int number;
};

static int ran[4], done[4], count_ran, count_done;

static void run_noted(worker_job *job) {
    ran[count_ran++] = ((struct noted *)job)->number;
}

static void done_noted(worker_job *job) {
    struct noted *n = (struct noted *)job;

    done[count_done++] = n->number;
    if (n->then)
        worker_submit(n->worker, &n->then->job);
}

/* In the order in which they were given, one at a time; what `done` gives comes last. */
static void test_worker_order(void **state) {
    uv_loop_t loop;
    worker w;
    struct noted jobs[4];

    (void)state;
    assert_int_equal(uv_loop_init(&loop), 0);
    worker_init(&w, &loop);
    for (int i = 0; i < 4; i++)
        jobs[i] = (struct noted){{run_noted, done_noted, NULL}, &w, i == 0 ? &jobs[3] : NULL, i};
    for (int i = 0; i < 3; i++)
        worker_submit(&w, &jobs[i].job);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(count_done, 4);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(ran[i], i);
        assert_int_equal(done[i], i);
    }
    assert_int_equal(uv_loop_close(&loop), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_delays_double),        cmocka_unit_test(test_delays_of_networks),
        cmocka_unit_test(test_delays_are_forgotten), cmocka_unit_test(test_the_quietest_makes_room),
        cmocka_unit_test(test_lines_of_a_stranger),  cmocka_unit_test(test_lines_of_many_strangers),
        cmocka_unit_test(test_a_long_name),          cmocka_unit_test(test_log_name),
        cmocka_unit_test(test_worker_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
