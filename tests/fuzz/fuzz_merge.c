/*
 * Any three documents, with a record separator (0x1e) between them, ancestor first: what can be read can be merged, the
 * same way each time, what comes out is a state, and merging it with itself changes nothing (merge §6, L5). An empty
 * first document is a merge without an ancestor.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <trivet_merge.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(int good) {
    if (!good)
        abort();
}

static trivet_merge_state *read_part(const char *text, size_t len) {
    trivet_merge_error err = TRIVET_MERGE_ERROR_INIT;
    trivet_merge_state *state = NULL;
    return trivet_merge_state_read(text, len, TRIVET_MERGE_PHONE, &state, &err) == 0 ? state : NULL;
}

/* The result's document; the merged state's in *snapshot, NULL where there is none. */
static char *merge(const trivet_merge_state *a, const trivet_merge_state *p, const trivet_merge_state *c,
                   char **snapshot, size_t *len) {
    trivet_merge_error err = TRIVET_MERGE_ERROR_INIT;
    trivet_merge_result *result = NULL;
    char *report = NULL;
    size_t report_len;
    expect(trivet_merge(a, p, c, NULL, &result, &err) == 0);
    expect(trivet_merge_result_write(result, &report, &report_len) == 0);
    *snapshot = NULL;
    if (trivet_merge_result_snapshot(result))
        expect(trivet_merge_state_write(trivet_merge_result_snapshot(result), snapshot, len) == 0);
    trivet_merge_result_free(result);
    return report;
}

static void check_merged(const char *json, size_t len) {
    trivet_merge_state *m = read_part(json, len);
    char *again, *report;
    size_t again_len = 0;
    expect(m != NULL);
    report = merge(m, m, m, &again, &again_len);
    expect(again != NULL && again_len == len && memcmp(again, json, len) == 0);
    free(report);
    free(again);
    trivet_merge_state_free(m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const char *text = (const char *)data;
    const char *first = memchr(data, 0x1e, size);
    const char *second = first ? memchr(first + 1, 0x1e, size - (size_t)(first + 1 - text)) : NULL;
    if (!second)
        return 0;
    trivet_merge_state *a = first == text ? NULL : read_part(text, (size_t)(first - text));
    trivet_merge_state *p = read_part(first + 1, (size_t)(second - first - 1));
    trivet_merge_state *c = read_part(second + 1, size - (size_t)(second + 1 - text));
    if ((a || first == text) && p && c) {
        char *one, *two;
        size_t one_len = 0, two_len = 0;
        char *report = merge(a, p, c, &one, &one_len), *same = merge(a, p, c, &two, &two_len);
        expect(strcmp(report, same) == 0 && !one == !two && one_len == two_len);
        if (one) {
            expect(memcmp(one, two, one_len) == 0);
            check_merged(one, one_len);
        }
        free(one);
        free(two);
        free(report);
        free(same);
    }
    trivet_merge_state_free(c);
    trivet_merge_state_free(p);
    trivet_merge_state_free(a);
    return 0;
}
