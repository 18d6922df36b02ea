/*
 * fuzz_proto_message.c - the text of a message, either way; what is understood is written, and understood again.
 */
#include "trivet_proto.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void there_and_back(const uint8_t *data, size_t size, trivet_proto_way way) {
    trivet_proto_message message, again;
    trivet_proto_error error;
    uint8_t *text;
    size_t len;
    if (trivet_proto_message_decode(data, size, way, &message, &error) != 0)
        return;
    if (message.type != TRIVET_PROTO_UNKNOWN) {
        if (trivet_proto_message_encode(&message, &text, &len) != 0 ||
            trivet_proto_message_decode(text, len, way, &again, &error) != 0 || again.type != message.type ||
            again.since != message.since || again.state_len != message.state_len ||
            (message.body != NULL && !json_equal(again.body, message.body)))
            abort();
        trivet_proto_message_release(&again);
        free(text);
    }
    trivet_proto_message_release(&message);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    there_and_back(data, size, TRIVET_PROTO_FROM_PHONE);
    there_and_back(data, size, TRIVET_PROTO_FROM_COMPUTER);
    return 0;
}
