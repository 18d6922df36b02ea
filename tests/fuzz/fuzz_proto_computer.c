/*
 * fuzz_proto_computer.c - the computer's machine after a good handshake in version 1, fed any messages, with an owner that syncs.
 *
 * The input is a row of steps as in proto_peer.h: 'm' 'r' 't', and 's' 'p' 'f' 'c' for the owner; any other byte is nothing.
 */
#include "proto_peer.h"

static void on_event(peer *p, const trivet_proto_event *event) {
    if (event->kind == TRIVET_PROTO_EVENT_HANDSHAKE)
        trivet_proto_computer_accept(p->computer, p->now);
}

static void on_output(peer *p, const trivet_proto_output *output) {
    (void)p, (void)output;
}

static void open_channel(peer *p) {
    static const char hello[] =
        "{\"type\":\"handshake\",\"deviceId\":\"d\",\"lastSyncTimestamp\":0,\"pairingSecret\":\"s\"}";
    uint8_t secret[32] = {3}, public_key[32], theirs[32];
    char base64[48], text[128];
    trivet_proto_output output;
    own_key(secret, public_key, base64);
    snprintf(text, sizeof text, "{\"type\":\"key_init\",\"publicKey\":\"%s\"}", base64);
    receive(p, false, (const uint8_t *)text, strlen(text));
    if (!trivet_proto_computer_output(p->computer, &output))
        abort();
    key_in(&output, theirs);
    trivet_proto_output_release(&output);
    if (trivet_proto_channel1_key(p->key, theirs, secret) != 0)
        abort();
    send_envelope(p, (const uint8_t *)hello, sizeof hello - 1);
    drain(p);
}

static size_t step(peer *p, const uint8_t *data, size_t size) {
    size_t taken = step_of_text(p, data, size);
    if (taken == 0)
        taken = step_of_owner(p, data[0]);
    return taken > 0 ? taken : 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    uint64_t counter = 0;
    trivet_proto_computer_options options = TRIVET_PROTO_COMPUTER_OPTIONS_INIT;
    options.random = constant;
    options.random_ctx = &counter;
    peer p = {.computer = trivet_proto_computer_new(&options, 0)};
    open_channel(&p);
    for (size_t at = 0; at < size;) {
        at += step(&p, data + at, size - at);
        drain(&p);
    }
    trivet_proto_computer_free(p.computer);
    return 0;
}
