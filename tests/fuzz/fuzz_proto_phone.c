/*
 * fuzz_proto_phone.c - the phone's machine, in either version, fed what a computer can send: one that holds the keys, or
 * whoever sits where it should be.
 *
 * The first byte: bit 0, version 2; bit 1, no good key_exchange was sent. Then steps as in proto_peer.h: 'm' 'k' 'b' 'r' 't' (of a
 * 'k' version 1 sends no kind), and 'q' 'a' 'n' where the owner asks for a sync, answers with its state, acknowledges.
 */
#include "proto_peer.h"

static void on_event(peer *p, const trivet_proto_event *event) {
    (void)p, (void)event;
}

static void on_output(peer *p, const trivet_proto_output *output) {
    (void)p, (void)output;
}

/* Takes the key_init and, if `good`, answers it as the computer would. */
static void open_channel(peer *p, bool good) {
    uint8_t secret[32] = {9}, public_key[32], theirs[32];
    char base64[48], proof[48] = "", text[256];
    trivet_proto_output output;
    if (!trivet_proto_phone_output(p->phone, &output))
        abort();
    key_in(&output, theirs);
    own_key(secret, public_key, base64);
    if (trivet_proto_channel2_derive(&p->keys, pairing_key, secret, theirs, public_key, output.data,
                                     output.len) != 0 ||
        trivet_proto_channel1_key(p->key, theirs, secret) != 0)
        abort();
    trivet_proto_output_release(&output);
    if (p->version_2) {
        sodium_bin2base64(proof, sizeof proof, p->keys.proof, 32, sodium_base64_VARIANT_ORIGINAL);
        snprintf(text, sizeof text,
                 "{\"type\":\"key_exchange\",\"publicKey\":\"%s\",\"v\":2,\"proof\":\"%s\"}", base64, proof);
    } else {
        snprintf(text, sizeof text, "{\"type\":\"key_exchange\",\"publicKey\":\"%s\"}", base64);
    }
    if (good)
        receive(p, false, (const uint8_t *)text, strlen(text));
    drain(p);
    if (good && p->closed)
        abort();
}

static size_t step(peer *p, const uint8_t *data, size_t size) {
    size_t taken = step_of_text(p, data, size);
    if (taken == 0)
        taken = step_of_frame(p, data, size);
    if (taken > 0)
        return taken;
    switch (data[0]) {
    case 'q':
        trivet_proto_phone_request_sync(p->phone);
        break;
    case 'a':
        trivet_proto_phone_answer(p->phone, "{\"lists\":[]}", 12, 0);
        break;
    case 'n':
        trivet_proto_phone_ack(p->phone, 0);
        break;
    default:
        break;
    }
    return 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    uint64_t counter = 0;
    trivet_proto_phone_options options = TRIVET_PROTO_PHONE_OPTIONS_INIT;
    if (size == 0)
        return 0;
    peer p = {.version_2 = data[0] & 1};
    options.random = constant;
    options.random_ctx = &counter;
    options.device_id = "phone";
    if (p.version_2) {
        options.pairing_key = pairing_key;
        options.device = "d";
    } else {
        options.secret = "s";
    }
    p.phone = trivet_proto_phone_new(&options, 0);
    open_channel(&p, !(data[0] & 2));
    for (size_t at = 1; at < size;) {
        at += step(&p, data + at, size - at);
        drain(&p);
    }
    trivet_proto_phone_free(p.phone);
    return 0;
}
