/*
 * The date that retention measures from: with a clock that is right it is the clock, and with one that jumps it does not.
 */
#include "store/age.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define HOUR (3600LL * 1000)
#define NOW (20000 * 24 * HOUR)

static char folder[64];
static store *s;

static int open_fresh(void **state) {
    store_error err = STORE_ERROR_INIT;
    (void)state;
    strcpy(folder, "/tmp/trivet-age-XXXXXX");
    assert_non_null(mkdtemp(folder));
    assert_int_equal(0, store_open(folder, STORE_CREATE, &s, &err));
    return 0;
}

static int close_it(void **state) {
    char command[128];
    (void)state;
    store_close(s);
    snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command);
}

/* In hours since NOW, both. */
static int64_t at(int64_t hours) {
    store_error err = STORE_ERROR_INIT;
    int64_t out = 0;
    assert_int_equal(0, age_now(s, NOW + hours * HOUR, &out, &err));
    return (out - NOW) / HOUR;
}

enum { DAYS = 24, YEAR = 365 * DAYS };

static void test_a_clock_that_is_right(void **state) {
    (void)state;
    for (int64_t hour = 0; hour < 2 * YEAR; hour += 1 + hour % 24)
        assert_int_equal(hour, at(hour));
}

static void test_a_year_ahead_and_back(void **state) {
    (void)state;
    assert_int_equal(0, at(0));
    assert_int_equal(2 * DAYS, at(YEAR));
    assert_int_equal(2 * DAYS, at(YEAR)); /* however often it is asked */
    assert_int_equal(2 * DAYS + 10, at(YEAR + 5));
    assert_int_equal(6, at(6));
    assert_int_equal(4 * DAYS + 10, at(YEAR + 6));
    assert_int_equal(30, at(30));
}

static void test_a_year_back_and_right_again(void **state) {
    (void)state;
    assert_int_equal(0, at(0));
    assert_int_equal(-YEAR, at(-YEAR));
    assert_int_equal(5 - YEAR, at(5 - YEAR));
    assert_int_equal(10, at(10));                 /* no lag remains */
    assert_int_equal(-56 * YEAR, at(-56 * YEAR)); /* 1970, before the network has told the time */
    assert_int_equal(20, at(20));
}

static void test_switched_off_for_a_year(void **state) {
    (void)state;
    assert_int_equal(0, at(0));
    assert_int_equal(2 * DAYS, at(YEAR));
    int64_t day = 366, date = 0;
    for (; day < 2000 && (date = at(day * DAYS)) < day * DAYS; day++)
        ;
    assert_in_range(day, 720, 740); /* caught up, and it took as long as it lagged */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_clock_that_is_right, open_fresh, close_it),
        cmocka_unit_test_setup_teardown(test_a_year_ahead_and_back, open_fresh, close_it),
        cmocka_unit_test_setup_teardown(test_a_year_back_and_right_again, open_fresh, close_it),
        cmocka_unit_test_setup_teardown(test_switched_off_for_a_year, open_fresh, close_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
