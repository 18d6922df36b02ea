/* The app's own stores (src/cli/app_stores.h): which keys are taken, and what broken files lead to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "cli/app_stores.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#define LISTS "jotbunker-lists.json"
#define LOCKED "jotbunker-lockedLists.json"
#define PAD "jotbunker-scratchpad.json"

typedef struct {
    const char *name, *content;
} file;

/* Reads a folder with these files; the exit status. What is told goes to nowhere. */
static int read_files(const file *files, size_t count, char **out) {
    char folder[] = "/tmp/trivet-stores-XXXXXX", path[256];
    size_t len;
    int status, nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC), kept = dup(STDERR_FILENO);

    assert_non_null(mkdtemp(folder));
    for (size_t i = 0; i < count; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, files[i].name);
        FILE *f = fopen(path, "we");
        assert_non_null(f);
        fputs(files[i].content, f);
        fclose(f);
    }
    dup2(nowhere, STDERR_FILENO);
    status = app_stores_read(folder, out, &len);
    dup2(kept, STDERR_FILENO);
    close(kept);
    close(nowhere);
    for (size_t i = 0; i < count; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, files[i].name);
        unlink(path);
    }
    rmdir(folder);
    assert_true(status != 0 || len == strlen(*out));
    return status;
}

static void test_all_three(void **unused) {
    static const file files[] = {
        {LISTS, "{\"state\":{\"activeTab\":2,\"lists\":[[{\"id\":\"a\"}],[]],\"categories\":[{\"label\":"
                "\"G\"}]},\"version\":3}"},
        {LOCKED, " {\n\"version\" : 1, \"state\" : { \"lockedLists\" : [ [ ] ] , \"lockedListsCategories\" : "
                 "[] } } "},
        {PAD, "{\"state\":{\"contents\":[{\"content\":\"}]\\\"\\ud800\"}],\"Categories\":[1]}}"},
    };
    char *out;

    (void)unused;
    assert_int_equal(read_files(files, 3, &out), 0);
    assert_string_equal(out,
                        "{\"lists\":[[{\"id\":\"a\"}],[]],\"listsCategories\":[{\"label\":\"G\"}],"
                        "\"lockedLists\":[ [ ] ],\"lockedListsCategories\":[],"
                        "\"scratchpad\":[{\"content\":\"}]\\\"\\ud800\"}],\"scratchpadCategories\":[1]}");
    free(out);
}

static void test_one_and_none(void **unused) {
    static const file one[] = {{LISTS, "{\"state\":{\"items\":[],\"lists\":{}}}"}},
                      other[] = {{"notes.json", "{}"}};
    char *out;

    (void)unused;
    assert_int_equal(read_files(one, 1, &out), 0);
    assert_string_equal(out, "{\"lists\":[]}"); /* what is no array is not the lists */
    free(out);
    assert_int_equal(read_files(other, 1, &out), EX_NOINPUT);
    assert_null(out);
}

static void test_no_store(void **unused) {
    static const char *const contents[] = {
        "",
        "[]",
        "null",
        "{\"lists\":[]}",
        "{\"state\":[]}",
        "{\"state\":{}}",
        "{\"state\":{\"lists\":null}}",
        "{\"state\":{\"lists\":[[}",
        "{\"state\":{\"lists\":\"[]\"}}",
        "{\"state\":{\"lists\" []}}",
        "{\"state\":{\"lists",
        "{\"state\":\"\\",
    };
    char *out;

    (void)unused;
    for (size_t i = 0; i < sizeof contents / sizeof contents[0]; i++) {
        const file files[] = {{LISTS, contents[i]}};
        int status = read_files(files, 1, &out);
        if (status != EX_DATAERR || out)
            fail_msg("%s: status %d", contents[i], status);
    }
}

/* A file that was cut off anywhere is refused, or (cut behind its lists) still gives all of them. */
static void test_every_truncation(void **unused) {
    static const char WHOLE[] =
        "{\"version\":1,\"state\":{\"lists\":[[{\"t\":\"a\\\"b\"}]],\"categories\":[{}]}}";
    static const char LISTS_PART[] = "{\"lists\":[[{\"t\":\"a\\\"b\"}]]";
    char cut[sizeof WHOLE], *out;

    (void)unused;
    for (size_t len = 0; len < sizeof WHOLE; len++) {
        memcpy(cut, WHOLE, len);
        cut[len] = '\0';
        const file files[] = {{LISTS, cut}};
        int status = read_files(files, 1, &out);
        if (status == 0)
            assert_memory_equal(out, LISTS_PART, sizeof LISTS_PART - 1);
        else
            assert_int_equal(status, EX_DATAERR);
        assert_true(len < sizeof WHOLE - 2 || status == 0);
        free(out);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_three),
        cmocka_unit_test(test_one_and_none),
        cmocka_unit_test(test_no_store),
        cmocka_unit_test(test_every_truncation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
