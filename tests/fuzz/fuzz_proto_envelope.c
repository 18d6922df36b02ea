/*
 * fuzz_proto_envelope.c - an envelope of version 1 or a frame of version 2, as it comes from the wire: found, read, and opened
 * only if it was sealed; what was sealed opens as it was.
 */
#include "channel1.h"
#include "trivet_proto.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t key[32] = {1};

static void as_it_comes(const uint8_t *data, size_t size) {
    uint8_t nonce[24], kind, *plain;
    size_t len;
    if (trivet_proto_channel1_open(key, data, size, nonce, &plain, &len) == 0)
        free(plain);
    if (trivet_proto_channel2_open(key, 0, data, size, &kind, &plain, &len) == 0)
        free(plain);
}

static void there_and_back(const uint8_t *data, size_t size) {
    uint8_t nonce[24] = {2}, again[24], kind, *sealed, *plain;
    size_t sealed_len, len;
    if (trivet_proto_channel1_seal(key, nonce, data, size, &sealed, &sealed_len) != 0 ||
        trivet_proto_channel1_open(key, sealed, sealed_len, again, &plain, &len) != 0 || len != size ||
        (size > 0 && memcmp(plain, data, size) != 0) || memcmp(nonce, again, 24) != 0)
        abort();
    free(sealed);
    free(plain);
    if (size == 0 ||
        trivet_proto_channel2_seal(key, size, data[0], data + 1, size - 1, &sealed, &sealed_len) != 0)
        return; /* a kind that there is not */
    if (trivet_proto_channel2_open(key, size, sealed, sealed_len, &kind, &plain, &len) == 0) {
        if (kind != data[0] || len != size - 1 || (len > 0 && memcmp(plain, data + 1, len) != 0))
            abort();
        free(plain);
    }
    if (trivet_proto_channel2_open(key, size + 1, sealed, sealed_len, &kind, &plain, &len) == 0)
        abort(); /* under another number */
    sealed[size % sealed_len] ^= 1;
    if (trivet_proto_channel2_open(key, size, sealed, sealed_len, &kind, &plain, &len) == 0)
        abort();
    free(sealed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    as_it_comes(data, size);
    there_and_back(data, size);
    return 0;
}
