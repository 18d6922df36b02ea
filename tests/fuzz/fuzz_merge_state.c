/* Any bytes as a state document: refused with a reason, or read, and then its canonical form reads back as itself. */
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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    trivet_merge_error err = TRIVET_MERGE_ERROR_INIT;
    trivet_merge_state *state = NULL, *again = NULL;
    char *json = NULL, *same = NULL;
    size_t len = 0, same_len = 0;

    int code = trivet_merge_state_read((const char *)data, size, TRIVET_MERGE_PHONE, &state, &err);
    if (code != 0) {
        expect(code == TRIVET_MERGE_EINPUT && err.reason[0] != '\0' && state == NULL);
        return 0;
    }
    expect(trivet_merge_state_write(state, &json, &len) == 0 && strlen(json) == len);
    expect(trivet_merge_state_read(json, len, TRIVET_MERGE_PHONE, &again, &err) == 0);
    expect(trivet_merge_state_write(again, &same, &same_len) == 0);
    expect(same_len == len && memcmp(same, json, len) == 0);
    expect(trivet_merge_state_equal(state, again));
    trivet_merge_state_free(again);
    trivet_merge_state_free(state);
    free(same);
    free(json);
    return 0;
}
