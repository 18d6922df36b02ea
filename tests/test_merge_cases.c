/*
 * The cases in fixtures/merge once more, for what `trivet merge --check` does not look at: each with other options and answers,
 * and with memory that runs out at every single allocation, those from an arena included. What comes out is the same, or ENOMEM.
 *
 * The Makefile links this program so that the library's allocations come here first.
 */
#include <dirent.h>
#include <sys/stat.h>

#include "test_merge_support.h"

#include "arena.h"

static bool armed;
static size_t left, failed;
static size_t tried, points; /* merges, and allocations that failed */

/* Once, after `left` more. */
static bool runs_out(void) {
    if (!armed || left-- > 0)
        return false;
    armed = false;
    failed++;
    return true;
}

#define WRAP(result, name, parameters, ...)                                                                  \
    result __real_##name parameters;                                                                         \
    result __wrap_##name parameters;                                                                         \
    result __wrap_##name parameters {                                                                        \
        return runs_out() ? NULL : __real_##name(__VA_ARGS__);                                               \
    }

WRAP(void *, malloc, (size_t size), size)
WRAP(void *, calloc, (size_t count, size_t size), count, size)
WRAP(void *, realloc, (void *old, size_t size), old, size)
WRAP(void *, tm_alloc, (tm_arena * arena, size_t size), arena, size)
WRAP(void *, tm_alloc_array, (tm_arena * arena, size_t count, size_t size), arena, count, size)
WRAP(char *, tm_alloc_bytes, (tm_arena * arena, size_t size), arena, size)

/* ---- one case ------------------------------------------------------------------------------------------ */

typedef struct {
    char *json[3]; /* the ancestor's may be NULL */
    trivet_merge_options options;
} merge_case;

/* NULL where there is no such file. */
static char *load(const char *folder, const char *name) {
    char path[1024];
    struct stat st;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "rb");
    if (!file)
        return NULL;
    if (fstat(fileno(file), &st) != 0)
        fail_msg("%s", path);
    char *text = allocate((size_t)st.st_size + 1);
    text[fread(text, 1, (size_t)st.st_size, file)] = '\0';
    fclose(file);
    return text;
}

/* Everything from text to text. `*document` is NULL where it did not come so far. */
static int run(const merge_case *of, char **document) {
    trivet_merge_error err = TRIVET_MERGE_ERROR_INIT;
    trivet_merge_state *states[3] = {NULL, NULL, NULL};
    trivet_merge_result *result = NULL;
    size_t len;
    int rc = 0;
    *document = NULL;
    for (int i = 0; i < 3 && rc == 0; i++)
        if (of->json[i])
            rc = trivet_merge_state_read(of->json[i], strlen(of->json[i]), (trivet_merge_side)i, &states[i],
                                         &err);
    if (rc == 0)
        rc = trivet_merge(states[0], states[1], states[2], &of->options, &result, &err);
    if (rc == 0)
        rc = trivet_merge_result_write(result, document, &len);
    trivet_merge_result_free(result);
    for (int i = 0; i < 3; i++)
        trivet_merge_state_free(states[i]);
    return rc;
}

/* Memory runs out at each allocation in turn. */
static void exhaust(const merge_case *of, const char *folder) {
    char *wanted, *got;
    int expected = run(of, &wanted);
    for (size_t n = 0;; n++) {
        left = n;
        failed = 0;
        armed = true;
        int rc = run(of, &got);
        armed = false;
        if (rc != TRIVET_MERGE_ENOMEM &&
            (rc != expected || !got != !wanted || (got && strcmp(got, wanted) != 0)))
            fail_msg("%s: %d without allocation %zu, %d with it:\n%s\n%s", folder, rc, n, expected,
                     got ? got : "", wanted ? wanted : "");
        free(got);
        if (failed == 0)
            break;
        points++;
        assert_true(n < 100000);
    }
    free(wanted);
}

/* The slices of ties lie in states that are gone: they are kept here. */
static void keep(trivet_merge_slice *slice) {
    if (!slice->data)
        return;
    char *copy = allocate(slice->len + 1);
    memcpy(copy, slice->data, slice->len);
    slice->data = copy;
}

/* With an answer for each tie it merges; with one answer less, or one to no question, it says so. */
static void answer(merge_case of, const char *folder, trivet_merge_side pick) {
    trivet_merge_error err = TRIVET_MERGE_ERROR_INIT;
    trivet_merge_state *states[3] = {NULL, NULL, NULL};
    trivet_merge_result *open = NULL;
    for (int i = 0; i < 3; i++)
        if (of.json[i])
            assert_int_equal(trivet_merge_state_read(of.json[i], strlen(of.json[i]), (trivet_merge_side)i,
                                                     &states[i], &err),
                             0);
    assert_int_equal(trivet_merge(states[0], states[1], states[2], &of.options, &open, &err), 0);
    size_t count = trivet_merge_result_tie_count(open);
    trivet_merge_pick *picks = allocate((count + 1) * sizeof *picks);
    for (size_t i = 0; i < count; i++) {
        trivet_merge_tie tie;
        trivet_merge_result_tie(open, i, &tie);
        picks[count - 1 - i] = (trivet_merge_pick){tie.section, tie.slot, tie.item_id, tie.field, pick};
    }
    trivet_merge_result_free(open);
    of.options.picks = picks;
    of.options.pick_count = count;
    if (count > 0) {
        char *document;
        for (size_t i = 0; i < count; i++) {
            keep(&picks[i].item_id);
            keep(&picks[i].field);
        }
        if (run(&of, &document) != 0 || !strstr(document, "\"status\":\"merged\""))
            fail_msg("%s: answered, and not merged", folder);
        free(document);
        exhaust(&of, folder);
        of.options.pick_count = count - 1;
        if (count > 1)
            assert_int_equal(run(&of, &document), TRIVET_MERGE_EPICK);
        of.options.pick_count = count + 1;
        picks[count] = picks[0];
        assert_int_equal(run(&of, &document), TRIVET_MERGE_EPICK);
        picks[count].slot = 63;
        assert_int_equal(run(&of, &document), TRIVET_MERGE_EPICK);
        picks[0].pick = TRIVET_MERGE_ANCESTOR;
        of.options.pick_count = count;
        assert_int_equal(run(&of, &document), TRIVET_MERGE_EPICK);
        for (size_t i = 0; i < count; i++) {
            free((char *)picks[i].item_id.data);
            free((char *)picks[i].field.data);
        }
    }
    free(picks);
    for (int i = 0; i < 3; i++)
        trivet_merge_state_free(states[i]);
}

static void try_case(const char *folder) {
    static const char *const names[] = {"ancestor.json", "phone.json", "computer.json"};
    static const struct {
        trivet_merge_large large;
        trivet_merge_text text;
        int64_t offset;
        double threshold;
    } variants[] = {
        {TRIVET_MERGE_LARGE_ASK, TRIVET_MERGE_TEXT_LINES, 0, 0.8},
        {TRIVET_MERGE_LARGE_BOTH, TRIVET_MERGE_TEXT_WHOLE, 3600000, 0.01},
        {TRIVET_MERGE_LARGE_COMPUTER, TRIVET_MERGE_TEXT_LINES, -1, 0},
        {TRIVET_MERGE_LARGE_PHONE, TRIVET_MERGE_TEXT_LINES, INT64_MAX, 0},
        {TRIVET_MERGE_LARGE_ASK, TRIVET_MERGE_TEXT_LINES, -1000000, 0.8},
        {TRIVET_MERGE_LARGE_ASK, TRIVET_MERGE_TEXT_LINES, -1, 0.8},
        {TRIVET_MERGE_LARGE_ASK, TRIVET_MERGE_TEXT_LINES, 0, 0},
    };
    merge_case of = {.options = TRIVET_MERGE_OPTIONS_INIT};
    for (int i = 0; i < 3; i++)
        of.json[i] = load(folder, names[i]);
    for (size_t v = 0; of.json[1] && of.json[2] && v < sizeof variants / sizeof *variants; v++) {
        char *document;
        of.options.large = variants[v].large;
        of.options.text = variants[v].text;
        of.options.phone_clock_offset = variants[v].offset;
        of.options.large_threshold = variants[v].threshold;
        int rc = run(&of, &document);
        assert_true(rc == 0 || rc == TRIVET_MERGE_EINPUT);
        free(document);
        exhaust(&of, folder);
        if (rc == 0) {
            answer(of, folder, TRIVET_MERGE_PHONE);
            answer(of, folder, TRIVET_MERGE_COMPUTER);
        }
        tried++;
    }
    for (int i = 0; i < 3; i++)
        free(of.json[i]);
}

/* Every folder below that holds a case. */
static void walk(const char *folder) {
    DIR *dir = opendir(folder);
    if (!dir)
        fail_msg("%s", folder);
    try_case(folder);
    for (struct dirent *entry; (entry = readdir(dir));) {
        char path[1024];
        struct stat st;
        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
            walk(path);
    }
    closedir(dir);
}

static void every_case(void **unused) {
    (void)unused;
    walk("fixtures/merge");
    assert_true(tried > 500 && points > 10000);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_case)};
    return cmocka_run_group_tests_name("merge: cases", tests, NULL, NULL);
}
