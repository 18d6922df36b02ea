/* Doubles to text and back, against the C library's. */
#include <math.h>

#include "test_merge_support.h"

#include "number.h"

static double read_number(const char *text) {
    const char *end = text + strlen(text);
    if (tm_number_scan(text, end) != end)
        fail_msg("not scanned to its end: %s", text);
    return tm_number_read(text, end);
}

static void same_double(const char *text, double got, double wanted) {
    if (memcmp(&got, &wanted, sizeof got) != 0)
        fail_msg("%s: read %.17g, not %.17g", text, got, wanted);
}

static double random_double(uint64_t *seed) {
    for (;;) {
        uint64_t bits = next_random(seed);
        double value;
        if (random_below(seed, 8) == 0)
            bits &= UINT64_C(0x800fffffffffffff) |
                    (next_random(seed) & UINT64_C(0x0010000000000000)); /* subnormal */
        if (random_below(seed, 8) == 0)
            bits &= ~UINT64_C(0xfffffffffffff); /* a power of two: its lower neighbour is half as far */
        memcpy(&value, &bits, sizeof value);
        if (isfinite(value))
            return value;
    }
}

static void reads_what_strtod_reads(void **unused) {
    (void)unused;
    static const char *const texts[] = {"0",
                                        "-0",
                                        "1",
                                        "-1",
                                        "0.5",
                                        "123456789012345",
                                        "1234567890123456",
                                        "9007199254740993",
                                        "9007199254740992.5",
                                        "9007199254740991.5",
                                        "1e22",
                                        "1e23",
                                        "8.5e22",
                                        "123e-22",
                                        "1e-23",
                                        "2.2250738585072011e-308",
                                        "2.2250738585072012e-308",
                                        "2.2250738585072014e-308",
                                        "4.9e-324",
                                        "2.4703282292062327e-324",
                                        "2.4703282292062328e-324",
                                        "1.7976931348623157e308",
                                        "1.7976931348623158e308",
                                        "1.7976931348623159e308",
                                        "1e309",
                                        "1e-400",
                                        "0e999999999999",
                                        "1e999999999999999999999",
                                        "1e-999999999999999999999",
                                        "0.000000000000000000000000000001e30",
                                        "179769313486231580793728971405301e276",
                                        "100000000000000016777215",
                                        "100000000000000016777216",
                                        "6929495644600919.5",
                                        "3.7455744005952583e15",
                                        "0.1e1",
                                        "1E+2",
                                        "1e0",
                                        "7.0e-10"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        same_double(texts[i], read_number(texts[i]), strtod(texts[i], NULL));
}

/* The exact midpoint of two doubles goes to the even one; one digit far behind it decides otherwise. */
static void halves_go_to_even(void **unused) {
    (void)unused;
    uint64_t seed = 1;
    for (int i = 0; i < 400; i++) {
        double value = fabs(random_double(&seed)), next = nextafter(value, INFINITY);
        if (!isfinite(next))
            continue;
        char text[1600];
        /* the sum of both is exact in long double; half of it has no more digits than this */
        int len = snprintf(text, sizeof text - 2, "%.1100Lf", ((long double)value + (long double)next) / 2);
        if (len >= (int)sizeof text - 2)
            continue;
        same_double(text, read_number(text), strtod(text, NULL));
        text[len] = '1';
        text[len + 1] = '\0';
        same_double(text, read_number(text), strtod(text, NULL));
    }
}

static void reads_random_texts(void **unused) {
    (void)unused;
    uint64_t seed = 2;
    char text[64];
    for (int i = 0; i < 20000; i++) {
        snprintf(text, sizeof text, "%.*e", (int)random_below(&seed, 25), random_double(&seed));
        same_double(text, read_number(text), strtod(text, NULL));
        snprintf(text, sizeof text, "%llu.%llue%d",
                 (unsigned long long)next_random(&seed) >> random_below(&seed, 60),
                 (unsigned long long)next_random(&seed) >> random_below(&seed, 60),
                 (int)random_below(&seed, 60) - 30);
        same_double(text, read_number(text), strtod(text, NULL));
    }
}

/* The least number of digits that reads back, by trying. */
static int shortest(double value) {
    char text[64];
    for (int digits = 1; digits < 17; digits++) {
        snprintf(text, sizeof text, "%.*e", digits - 1, value);
        if (strtod(text, NULL) == value)
            return digits;
    }
    return 17;
}

static int significant(const char *text) {
    int count = 0, zeros = 0;
    for (; *text && *text != 'e'; text++) {
        if (*text == '0' && count > 0)
            zeros++;
        else if (*text >= '1' && *text <= '9') {
            count += zeros + 1;
            zeros = 0;
        }
    }
    return count;
}

static void writes_the_shortest(void **unused) {
    (void)unused;
    uint64_t seed = 3;
    for (int i = 0; i < 6000; i++) {
        double value = i % 3 == 0 ? random_double(&seed)
                       : i % 3 == 1
                           ? (double)(int64_t)next_random(&seed) / pow(10, (double)random_below(&seed, 20))
                           : ldexp((double)random_below(&seed, 1 << 20), -(int)random_below(&seed, 30));
        char text[TM_NUMBER_MAX + 1];
        *tm_number_write(text, value) = '\0';
        assert_true(strlen(text) < TM_NUMBER_MAX);
        if (value != 0)
            same_double(text, read_number(text), value);
        if (significant(text) > shortest(value))
            fail_msg("%s is longer than need be for %.17g", text, value);
    }
}

/* As JavaScript writes them. */
static void writes_like_javascript(void **unused) {
    (void)unused;
    static const struct {
        double value;
        const char *text;
    } cases[] = {{0, "0"},
                 {-0.0, "0"},
                 {1, "1"},
                 {-1, "-1"},
                 {0.1, "0.1"},
                 {-1.5, "-1.5"},
                 {1e21, "1e+21"},
                 {123456789012345680000.0, "123456789012345680000"},
                 {1e-6, "0.000001"},
                 {1e-7, "1e-7"},
                 {1.5e-7, "1.5e-7"},
                 {5e-324, "5e-324"},
                 {1.7976931348623157e308, "1.7976931348623157e+308"},
                 {9007199254740993.0, "9007199254740992"},
                 {9007199254740994.0, "9007199254740994"},
                 {1152921504606846976.0, "1152921504606847000"},
                 {0.30000000000000004, "0.30000000000000004"},
                 {4.35, "4.35"},
                 {100.25, "100.25"},
                 {9.5367431640625e-07, "9.5367431640625e-7"},
                 {2e-44, "2e-44"},
                 {1e300, "1e+300"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[TM_NUMBER_MAX + 1];
        *tm_number_write(text, cases[i].value) = '\0';
        assert_string_equal(text, cases[i].text);
    }
}

static void scans_only_json(void **unused) {
    (void)unused;
    static const struct {
        const char *text;
        int len; /* -1: no number */
    } cases[] = {{"", -1},     {"-", -1},   {"+1", -1},  {".5", -1},   {"1.", -1}, {"1e", -1},
                 {"1e+", -1},  {"-a", -1},  {"NaN", -1}, {"01", 1},    {"-01", 2}, {"1.5.5", 3},
                 {"1e5e5", 3}, {"0x10", 1}, {"12,", 2},  {"1e-05]", 5}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *text = cases[i].text, *end = tm_number_scan(text, text + strlen(text));
        assert_int_equal(end ? end - text : -1, cases[i].len);
    }
}

/* A thousand digits, and zeros by the ten thousand, are read exactly. */
static void reads_long_texts(void **unused) {
    (void)unused;
    size_t len = 30000;
    char *text = allocate(len + 64);
    memset(text, '0', len);
    memcpy(text, "0.", 2);
    strcpy(text + len, "15e30000");
    same_double("zeros", read_number(text), strtod(text, NULL));
    for (size_t i = 0; i < 2000; i++)
        text[i] = (char)('1' + i % 9);
    strcpy(text + 2000, "e-1990");
    same_double("digits", read_number(text), strtod(text, NULL));
    free(text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_what_strtod_reads), cmocka_unit_test(halves_go_to_even),
        cmocka_unit_test(reads_random_texts),      cmocka_unit_test(writes_the_shortest),
        cmocka_unit_test(writes_like_javascript),  cmocka_unit_test(scans_only_json),
        cmocka_unit_test(reads_long_texts),
    };
    return cmocka_run_group_tests_name("merge: numbers", tests, NULL, NULL);
}
