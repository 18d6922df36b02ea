/*
 * fuzz_proto_version2.c - the computer's machine in version 2 (protocol §7), fed what a phone that holds the key, or
 * one that does not, can send.
 *
 * The first byte: odd, and a key_init of the input's own follows, up to a NUL; else a good one and a good handshake
 * were sent. Then a row of steps as in proto_peer.h: 'm' 'k' 'b' 'r' 't', and 's' 'p' 'f' 'c' for the owner; and
 *     'e'              the owner tells an error
 *     'x'              it refuses whoever has shown a wrong key, of whom nothing may come before
 *     anything else    nothing
 */
#include "proto_peer.h"

/* Of this input's connection. */
static struct {
    bool open, wrong, refused;
    uint64_t received;
} seen;

static void on_event(peer *p, const trivet_proto_event *event) {
    if (seen.wrong && !seen.refused && event->kind != TRIVET_PROTO_EVENT_CLOSED)
        abort();
    if (event->kind == TRIVET_PROTO_EVENT_WRONG_KEY) {
        if (seen.open || trivet_proto_computer_accept(p->computer, p->now) == 0)
            abort();
        seen.wrong = true;
    }
    if (event->kind == TRIVET_PROTO_EVENT_KEY_WANTED)
        trivet_proto_computer_key(p->computer, event->gen == 0 ? pairing_key : NULL, p->now);
    if (event->kind == TRIVET_PROTO_EVENT_HANDSHAKE)
        trivet_proto_computer_accept(p->computer, p->now);
}

static void on_output(peer *p, const trivet_proto_output *output) {
    uint8_t kind, *body;
    size_t len;
    if (seen.wrong && !seen.refused && !p->closed)
        abort();
    if (!seen.open || p->closed)
        return;
    /* numbered without a gap */
    if (!output->binary || trivet_proto_channel2_open(p->keys.c2p, seen.received++, output->data, output->len,
                                                      &kind, &body, &len) != 0)
        abort();
    free(body);
}

static void open_channel(peer *p) {
    static const char hello[] =
        "{\"type\":\"handshake\",\"deviceId\":\"d\",\"lastSyncTimestamp\":0,\"now\":1700000000000}";
    uint8_t secret[32] = {3}, public_key[32], theirs[32];
    char base64[48], text[160];
    trivet_proto_event event;
    trivet_proto_output output;
    own_key(secret, public_key, base64);
    snprintf(text, sizeof text,
             "{\"type\":\"key_init\",\"publicKey\":\"%s\",\"v\":2,\"device\":\"d\",\"gen\":0}", base64);
    receive(p, false, (const uint8_t *)text, strlen(text));
    if (!trivet_proto_computer_event(p->computer, &event) || event.kind != TRIVET_PROTO_EVENT_KEY_WANTED)
        abort();
    trivet_proto_event_release(&event);
    trivet_proto_computer_key(p->computer, pairing_key, p->now);
    if (!trivet_proto_computer_output(p->computer, &output))
        abort();
    key_in(&output, theirs);
    trivet_proto_output_release(&output);
    if (trivet_proto_channel2_derive(&p->keys, pairing_key, secret, theirs, theirs, (const uint8_t *)text,
                                     strlen(text)) != 0)
        abort();
    seen.open = true;
    send_frame(p, 1, (const uint8_t *)hello, sizeof hello - 1);
    drain(p);
}

static size_t step(peer *p, const uint8_t *data, size_t size) {
    size_t taken = step_of_text(p, data, size);
    if (taken == 0)
        taken = step_of_frame(p, data, size);
    if (taken == 0)
        taken = step_of_owner(p, data[0]);
    if (taken > 0)
        return taken;
    if (data[0] == 'x')
        seen.refused |=
            trivet_proto_computer_refuse(p->computer, TRIVET_PROTO_CLOSE_VIOLATION, "wrong key") == 0;
    if (data[0] == 'e')
        trivet_proto_computer_error(p->computer, "refused", "lists[0]", "not so");
    return 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    uint64_t counter = 0;
    trivet_proto_computer_options options = TRIVET_PROTO_COMPUTER_OPTIONS_INIT;
    size_t at = 1;
    if (size == 0)
        return 0;
    options.random = constant;
    options.random_ctx = &counter;
    options.version_2 = true;
    memset(&seen, 0, sizeof seen);
    peer p = {.version_2 = true, .computer = trivet_proto_computer_new(&options, 0)};
    if (data[0] & 1) {
        const uint8_t *end = memchr(data + 1, '\0', size - 1);
        size_t len = end != NULL ? (size_t)(end - data - 1) : size - 1;
        receive(&p, false, data + 1, len);
        drain(&p);
        at += len;
    } else {
        open_channel(&p);
    }
    while (at < size) {
        at += step(&p, data + at, size - at);
        drain(&p);
    }
    trivet_proto_computer_free(p.computer);
    return 0;
}
