/*
 * fuzz_proto_envelope.c - an envelope, as it comes from the wire: found, its nonce and its box read.
 */
#include "channel1.h"
#include "trivet_proto.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const uint8_t key[32] = {1};
    uint8_t nonce[24], *plain;
    size_t len;
    if (trivet_proto_channel1_open(key, data, size, nonce, &plain, &len) == 0)
        free(plain);
    return 0;
}
