/* Prometheus' text format, to the byte (src/serve/exposition.h). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "serve/exposition.h"

static char *text;
static size_t len;
static FILE *out;

static int setup(void **state) {
    (void)state;
    out = open_memstream(&text, &len);
    return out ? 0 : -1;
}

static void expect(const char *wanted) {
    assert_int_equal(fclose(out), 0);
    assert_string_equal(text, wanted);
    free(text);
}

static void test_samples(void **state) {
    (void)state;
    exposition_family(out, "a_total", "counter", "What it is.");
    exposition_sample(out, "a_total", NULL, NULL, 0);
    exposition_sample(out, "a_total", "l", "x", 9007199254740992.0);
    exposition_sample(out, "a_total", "l", "\"\\\n{}", 0.25);
    exposition_single(out, "b", "gauge", "It.", 1795202251.123);
    expect(
        "# HELP a_total What it is.\n# TYPE a_total counter\na_total 0\na_total{l=\"x\"} 9007199254740992\n"
        "a_total{l=\"\\\"\\\\\\n{}\"} 0.25\n# HELP b It.\n# TYPE b gauge\nb 1795202251.123\n");
}

/* A bound holds what is equal to it; buckets add up, and what is above all bounds is in the last alone. */
static void test_histogram(void **state) {
    exposition_histogram h = {0};
    const char *p;

    (void)state;
    exposition_observe(&h, 0);
    exposition_observe(&h, 0.005);
    exposition_observe(&h, 0.006);
    exposition_observe(&h, 300);
    exposition_observe(&h, 301);
    exposition_duration(out, "d", "It.", &h);
    assert_int_equal(fclose(out), 0);
    for (size_t i = 0; i < 6; i++) {
        static const char *const wanted[] = {"d_bucket{le=\"0.005\"} 2\n", "d_bucket{le=\"0.01\"} 3\n",
                                             "d_bucket{le=\"60\"} 3\n",    "d_bucket{le=\"300\"} 4\n",
                                             "d_bucket{le=\"+Inf\"} 5\n",  "d_sum 601.011\nd_count 5\n"};
        p = strstr(text, wanted[i]);
        if (!p)
            fail_msg("no %s in\n%s", wanted[i], text);
    }
    free(text);
}

static void test_process(void **state) {
    static const char *const names[] = {"process_cpu_seconds_total", "process_resident_memory_bytes",
                                        "process_virtual_memory_bytes", "process_open_fds",
                                        "process_start_time_seconds"};

    (void)state;
    exposition_process(out, 1500);
    assert_int_equal(fclose(out), 0);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char line[64];
        snprintf(line, sizeof line, "\n%s ", names[i]);
        const char *sample = strstr(text, line);
        assert_non_null(sample);
        assert_true(strtod(sample + strlen(line), NULL) > 0);
    }
    assert_non_null(strstr(text, "\nprocess_start_time_seconds 1.5\n"));
    free(text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_samples, setup),
        cmocka_unit_test_setup(test_histogram, setup),
        cmocka_unit_test_setup(test_process, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
