/*
 * fuzz_proto_pairing.c - the JSON of a pairing code; what is understood is written, and understood as the same.
 */
#include "trivet_proto.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    trivet_proto_pairing pairing, again;
    trivet_proto_error error;
    char *text;
    if (trivet_proto_pairing_decode((const char *)data, size, &pairing, &error) != 0)
        return 0;
    if (trivet_proto_pairing_encode(&pairing, &text) != 0 ||
        trivet_proto_pairing_decode(text, strlen(text), &again, &error) != 0 ||
        memcmp(&pairing, &again, sizeof pairing) != 0)
        abort();
    free(text);
    return 0;
}
