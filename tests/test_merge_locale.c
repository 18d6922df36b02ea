/*
 * A German locale, whose decimal point is a comma, changes no number (merge §1). Where the system has none, one is made from
 * its sources in a temporary folder.
 */
#include <locale.h>
#include <stdio.h>
#include <unistd.h>

#include "test_merge_support.h"

static char folder[] = "/tmp/trivet-locale.XXXXXX";

static bool prints_commas(void) {
    char text[8];
    snprintf(text, sizeof text, "%.1f", 1.5);
    return strcmp(text, "1,5") == 0;
}

static bool german(void) {
    return setlocale(LC_ALL, "de_DE.UTF-8") != NULL && prints_commas();
}

/* NULL, or why there is no such locale. */
static const char *make_german(void) {
    char command[256];
    if (system("command -v localedef >/dev/null 2>&1") != 0)
        return "no de_DE.UTF-8, and no localedef to make it";
    snprintf(command, sizeof command, "localedef -i de_DE -f UTF-8 %s/de_DE.UTF-8 >/dev/null 2>&1", folder);
    if (system(command) != 0)
        return "no de_DE.UTF-8, and no sources of it (package locales)";
    setenv("LOCPATH", folder, 1);
    return german() ? NULL : "de_DE.UTF-8 was made, but cannot be used";
}

static void remove_folder(void) {
    char command[64];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    if (system(command) != 0)
        perror(folder);
}

/* Each is its own canonical form. */
static const char *const numbers[] = {"0.5",     "1.5",    "-2.25",
                                      "1e+21",   "5e-324", "0.000001",
                                      "1234567", "1e-7",   "123456789.12345679",
                                      "0.1",     "0.3",    "1.7976931348623157e+308"};

static void numbers_stay(void **unused) {
    (void)unused;
    const char *why = german() ? NULL : make_german();
    if (why) {
        print_message("# skip: %s\n", why);
        skip();
    }
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        char json[512], *out = NULL;
        size_t len;
        trivet_merge_error err = TRIVET_MERGE_ERROR_INIT;
        trivet_merge_state *state = NULL;
        trivet_merge_result *result = NULL;
        snprintf(
            json, sizeof json,
            "{\"lists\":[[{\"deleted\":false,\"deletedAt\":null,\"id\":\"a\",\"position\":%s,\"text\":\"x\","
            "\"weight\":%s}]]}",
            numbers[i], numbers[i]);
        assert_int_equal(trivet_merge_state_read(json, strlen(json), TRIVET_MERGE_PHONE, &state, &err), 0);
        assert_int_equal(trivet_merge(NULL, state, state, NULL, &result, &err), 0);
        assert_int_equal(trivet_merge_state_write(trivet_merge_result_snapshot(result), &out, &len), 0);
        assert_string_equal(out, json);
        free(out);
        trivet_merge_result_free(result);
        trivet_merge_state_free(state);
    }
    /* and a comma is none of JSON's */
    static const char comma[] = "{\"lists\":[[{\"id\":\"a\",\"position\":1,5,\"text\":\"x\"}]]}";
    trivet_merge_error err = TRIVET_MERGE_ERROR_INIT;
    trivet_merge_state *state = NULL;
    assert_int_equal(trivet_merge_state_read(comma, strlen(comma), TRIVET_MERGE_PHONE, &state, &err),
                     TRIVET_MERGE_EINPUT);
    assert_true(prints_commas());
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(numbers_stay)};
    if (!mkdtemp(folder)) {
        perror(folder);
        return 1;
    }
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    remove_folder();
    return failed;
}
