/* What is printed (src/cli/print.h, src/serve/pairing_code.h): texts that hold anything, widths, times, QR codes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "cli/print.h"
#include "serve/pairing_code.h"
#include "serve/reachable.h"

#include <locale.h>
#include <stdlib.h>
#include <string.h>

static void test_line(void **unused) {
    static const struct {
        const char *text, *printed;
    } cases[] = {
        {"milk", "milk"},
        {"", ""},
        {"a\nb\tc\r", "a\\nb\\tc\\r"},
        {"\033[31mred", "\\x1b[31mred"},
        {"caf\xc3\xa9 \xf0\x9f\xa5\x9b", "caf\xc3\xa9 \xf0\x9f\xa5\x9b"},
        {"\xc2\x9b"
         "31m",
         "\\u009b31m"},                            /* C1: a terminal obeys it as ESC [ */
        {"\xe2\x80\xaegnp.exe", "\\u202egnp.exe"}, /* turns the direction of writing */
        {"\xff\xc3", "\\xff\\xc3"},
        {"\xed\xa0\x80", "\\xed\\xa0\\x80"},          /* a surrogate */
        {"\xc0\xaf", "\\xc0\\xaf"},                   /* too long a form */
        {"\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"}, /* beyond Unicode */
        {"\x7f", "\\x7f"},
    };

    (void)unused;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *out = NULL;
        size_t len;
        FILE *f = open_memstream(&out, &len);
        print_line(f, cases[i].text, strlen(cases[i].text));
        fclose(f);
        assert_string_equal(out, cases[i].printed);
        free(out);
    }
}

static void test_when(void **unused) {
    static const int64_t now = INT64_C(1700000000000), minute = 60000;
    static const struct {
        int64_t ago;
        const char *printed;
    } cases[] = {
        {0, "just now"},
        {59999, "just now"},
        {minute, "1 minute ago"},
        {59 * minute, "59 minutes ago"},
        {60 * minute, "1 hour ago"},
        {23 * 60 * minute, "23 hours ago"},
        {24 * 60 * minute, "2023-11-13 22:13"},
        {-5 * minute, "2023-11-14 22:18"}, /* the clock was set back */
    };
    char out[32];

    (void)unused;
    setenv("TZ", "UTC", 1);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_string_equal(print_when(now - cases[i].ago, now, out, sizeof out), cases[i].printed);
    assert_string_equal(print_when(0, now, out, sizeof out), "never");
}

static void test_width(void **unused) {
    (void)unused;
    setlocale(LC_CTYPE, "C.UTF-8");
    assert_int_equal(print_width("abc"), 3);
    assert_int_equal(print_width("\xc3\xa4"), 1);
    assert_int_equal(print_width("\xe7\x89\x9b\xe4\xb9\xb3"), 4); /* two wide characters */
    assert_int_equal(print_width("e\xcc\x81"), 1);                /* a combining accent */
}

/* ---- the QR code -------------------------------------------------------------------------------------- */

static char *show(bool colour) {
    trivet_proto_pairing pairing = {
        .ip = "192.168.1.5", .port = 8080, .device = "0a1b2c3d", .name = "hall", .has_k = true};
    char *out = NULL;
    size_t len;
    FILE *f = open_memstream(&out, &len);

    strcpy(pairing.secret, "6f1c2f0e-58d8-4d6a-9f0b-0d8c3f7b2a11");
    assert_int_equal(pairing_show(f, &pairing, colour), 0);
    fclose(f);
    return out;
}

/* Without colours the light parts are blocks: four rows and columns of quiet zone come first. */
static void test_code_without_colours(void **unused) {
    char *out = show(false), *line = strchr(out, '\n') + 1, *end = strchr(line, '\n');
    size_t columns = (size_t)(end - line) / strlen("█");

    (void)unused;
    assert_null(strchr(out, '\033'));
    assert_true(columns >= 21 + 8 && columns <= 80 &&
                columns % 4 == 1); /* 17 + 4 n modules and the quiet zone */
    for (int row = 0; row < 2; row++, line = end + 1, end = strchr(line, '\n')) {
        assert_int_equal(end - line, (long)(columns * strlen("█")));
        for (size_t i = 0; i < columns; i++)
            assert_memory_equal(line + i * strlen("█"), "█", strlen("█"));
    }
    assert_memory_equal(line, "████ ▄▄▄▄▄ █",
                        strlen("████ ▄▄▄▄▄ █")); /* the corner's square, in paper's negative */
    assert_non_null(strstr(out, "192.168.1.5\n"));
    assert_non_null(strstr(out, "8080\n"));
    assert_non_null(strstr(out, "6f1c2f0e-58d8-4d6a-9f0b-0d8c3f7b2a11\n"));
    free(out);
}

/* With them it is black on white in fixed colours, each line ended by a reset. */
static void test_code_with_colours(void **unused) {
    static const char START[] = "\033[38;5;16;48;5;231m", CORNER[] = "    █▀▀▀▀▀█ ";
    char *out = show(true), *line = strstr(out, START);

    (void)unused;
    assert_non_null(line);
    for (int row = 0; row < 2; row++) {
        assert_int_equal(strspn(line + strlen(START), " "), strcspn(line + strlen(START), "\033"));
        line = strchr(line, '\n') + 1;
        assert_memory_equal(line - strlen("\033[0m\n"), "\033[0m\n", strlen("\033[0m\n"));
    }
    assert_memory_equal(line + strlen(START), CORNER, strlen(CORNER));
    free(out);
}

static void test_reachable(void **unused) {
    reachable_address all[REACHABLE_MAX], best;
    size_t count = reachable_all(all);

    (void)unused;
    reachable_best(&best);
    assert_in_range(count, 1, REACHABLE_MAX);
    assert_true(all[0].text[0] == '[' || strcmp(best.text, all[0].text) == 0);
    for (size_t i = 0; i < count; i++) {
        assert_true(strncmp(all[i].text, "[fe80", 5) != 0);
        assert_true(count == 1 || strncmp(all[i].text, "127.", 4) != 0);
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(all[i].text, all[j].text);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_line),
        cmocka_unit_test(test_when),
        cmocka_unit_test(test_width),
        cmocka_unit_test(test_code_without_colours),
        cmocka_unit_test(test_code_with_colours),
        cmocka_unit_test(test_reachable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
