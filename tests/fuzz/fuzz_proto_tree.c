/*
 * fuzz_proto_tree.c - our reader of small messages beside jansson's: what one takes the other takes, and makes the
 * same of it, but for what ours is there to do otherwise.
 */
#include "tree.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/*
 * Strings that are guarded, integers beyond 18 digits: there the two differ on purpose. And jansson takes a NUL for
 * the end.
 */
static bool may_differ(const uint8_t *data, size_t size) {
    size_t digits = 0, most = 0;
    for (size_t i = 0; i < size; i++) {
        digits = data[i] >= '0' && data[i] <= '9' ? digits + 1 : 0;
        most = digits > most ? digits : most;
    }
    return most > 18 || (size > 0 && memchr(data, '\0', size) != NULL) ||
           memmem(data, size, "\\u", 2) != NULL || memmem(data, size, "\xf4\x8f\xbf\xbf", 4) != NULL;
}

static bool is_bound(const char *reason) {
    return strncmp(reason, "too many", 8) == 0 || strncmp(reason, "nested", 6) == 0 ||
           strncmp(reason, "a number", 8) == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    trivet_proto_error error = {"", ""};
    json_t *ours = NULL;
    uint8_t *exact = malloc(size + 1); /* so that a read too far is seen */
    if (exact == NULL)
        return 0;
    if (size > 0)
        memcpy(exact, data, size);
    exact = realloc(exact, size > 0 ? size : 1);
    int r = proto_tree_read((const char *)exact, size, &ours, &error);
    json_t *theirs = json_loadb((const char *)exact, size, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, NULL);
    if ((r == TRIVET_PROTO_OK) != (ours != NULL))
        abort();
    if (!may_differ(data, size) && !is_bound(error.reason)) {
        if ((ours != NULL) != (theirs != NULL) || (ours != NULL && !json_equal(ours, theirs)))
            abort();
    }
    json_decref(ours);
    json_decref(theirs);
    free(exact);
    return 0;
}
