/* Moments as they are typed: durations, dates in local time, and what is neither. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "cli/when.h"

#include <stdlib.h>
#include <time.h>

enum { NOW = 1000000000 }; /* seconds: 2001-09-09 01:46:40 UTC */

static void test_moments(void **unused) {
    static const struct {
        const char *typed;
        int64_t seconds; /* -1: it is no moment */
    } cases[] = {
        {"0s", NOW},
        {"90s", NOW - 90},
        {"15m", NOW - 15 * 60},
        {"2h", NOW - 2 * 3600},
        {"yesterday", NOW - 86400},
        {"3d", NOW - 3 * 86400},
        {"2w", NOW - 14 * 86400},
        {"99999s", NOW - 99999},
        {"100000s", -1}, /* the name of a state, perhaps */
        {"2001-09-09", NOW - 6400},
        {"2001-09-09 01:46", NOW - 40},
        {"2001-09-09T01:46:40", NOW},
        {"2000-02-29", 951782400},
        {"2001-02-29", -1},
        {"2001-02-30", -1},
        {"2001-04-31", -1},
        {"2001-13-01", -1},
        {"2001-09-09 25:00", -1},
        {"2001-09-09 01:46:40 or so", -1},
        {"2h ago", -1},
        {"h", -1},
        {"-1h", -1},
        {"2y", -1},
        {"", -1},
    };
    (void)unused;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t got = -1000;
        bool is = when_parse(cases[i].typed, (int64_t)NOW * 1000, &got);
        if (is != (cases[i].seconds >= 0) || got != cases[i].seconds * 1000)
            fail_msg("\"%s\": %lld, not %lld", cases[i].typed, (long long)got / 1000,
                     (long long)cases[i].seconds);
    }
}

/* Half past two did not exist on that day in Berlin: an hour more or less is no reason to refuse it. */
static void test_summer_time(void **unused) {
    int64_t got = 0;
    (void)unused;

    setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1);
    tzset();
    assert_true(when_parse("2026-03-29 02:30", 0, &got));
    assert_true(llabs(got - 1774747800000) <= 3600000);
    setenv("TZ", "UTC", 1);
    tzset();
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_moments), cmocka_unit_test(test_summer_time)};

    setenv("TZ", "UTC", 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
