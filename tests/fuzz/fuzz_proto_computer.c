/*
 * fuzz_proto_computer.c - the computer's machine after a good handshake, fed any messages, with an owner that syncs.
 *
 * The input is a row of steps, each one byte and what follows it:
 *     'm' text NUL     a message, sealed under a fresh nonce
 *     'r' text NUL     the bytes as they are
 *     't' byte         that many seconds pass
 *     's' 'p' 'f' 'c'  the owner starts, proposes, confirms, cancels
 *     anything else    nothing
 */
#include "trivet_proto.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct {
    trivet_proto_computer *c;
    uint8_t key[32];
    uint64_t nonce;
    int64_t now;
    bool closed;
} peer;

static void constant(void *ctx, uint8_t *out, size_t len) {
    uint64_t *counter = ctx;
    memset(out, 0x5a, len);
    ++*counter;
    memcpy(out, counter, sizeof *counter);
}

static void send_sealed(peer *p, const uint8_t *text, size_t len) {
    uint8_t nonce[24] = {1}, *envelope;
    size_t envelope_len;
    p->nonce++;
    memcpy(nonce + 1, &p->nonce, sizeof p->nonce);
    if (trivet_proto_channel1_seal(p->key, nonce, text, len, &envelope, &envelope_len) != 0)
        abort();
    trivet_proto_computer_receive(p->c, false, envelope, envelope_len, p->now);
    free(envelope);
}

/* After the end nothing may come. */
static void drain(peer *p) {
    trivet_proto_event event;
    trivet_proto_output output;
    while (trivet_proto_computer_event(p->c, &event)) {
        if (p->closed)
            abort();
        if (event.kind == TRIVET_PROTO_EVENT_HANDSHAKE)
            trivet_proto_computer_accept(p->c, p->now);
        trivet_proto_event_release(&event);
    }
    while (trivet_proto_computer_output(p->c, &output)) {
        if (p->closed)
            abort();
        p->closed = output.close != 0;
        trivet_proto_output_release(&output);
    }
    int64_t deadline = trivet_proto_computer_deadline(p->c);
    if (deadline <= p->now)
        abort();
}

static void open_channel(peer *p) {
    static const char hello[] =
        "{\"type\":\"handshake\",\"deviceId\":\"d\",\"lastSyncTimestamp\":0,\"pairingSecret\":\"s\"}";
    uint8_t secret[32] = {3}, public_key[32], theirs[32];
    char base64[48], text[128] = "{\"type\":\"key_init\",\"publicKey\":\"";
    trivet_proto_output output;
    crypto_scalarmult_base(public_key, secret);
    sodium_bin2base64(base64, sizeof base64, public_key, 32, sodium_base64_VARIANT_ORIGINAL);
    strcat(strcat(text, base64), "\"}");
    trivet_proto_computer_receive(p->c, false, (const uint8_t *)text, strlen(text), p->now);
    if (!trivet_proto_computer_output(p->c, &output))
        abort();
    const char *at = memmem(output.data, output.len, "\"publicKey\":\"", 13);
    sodium_base642bin(theirs, 32, at + 13, 44, NULL, NULL, NULL, sodium_base64_VARIANT_ORIGINAL);
    trivet_proto_output_release(&output);
    if (trivet_proto_channel1_key(p->key, theirs, secret) != 0)
        abort();
    send_sealed(p, (const uint8_t *)hello, sizeof hello - 1);
    drain(p);
}

static size_t step(peer *p, const uint8_t *data, size_t size) {
    const uint8_t *text = data + 1, *end = memchr(text, '\0', size - 1);
    size_t len = end != NULL ? (size_t)(end - text) : size - 1;
    switch (data[0]) {
    case 'm':
        send_sealed(p, text, len);
        return 1 + len;
    case 'r':
        trivet_proto_computer_receive(p->c, false, text, len, p->now);
        return 1 + len;
    case 't':
        p->now += size > 1 ? data[1] * 1000 : 0;
        trivet_proto_computer_tick(p->c, p->now);
        return size > 1 ? 2 : 1;
    case 's':
        trivet_proto_computer_start(p->c, "{}", 2, 0, p->now);
        return 1;
    case 'p':
        trivet_proto_computer_propose(p->c, "{\"lists\":[]}", 12, 0, p->now);
        return 1;
    case 'f':
        trivet_proto_computer_confirm(p->c, TRIVET_PROTO_DESKTOP_WINS, "{}", 2, 0);
        return 1;
    case 'c':
        trivet_proto_computer_cancel(p->c);
        return 1;
    default:
        return 1;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    uint64_t counter = 0;
    trivet_proto_computer_options options = TRIVET_PROTO_COMPUTER_OPTIONS_INIT;
    options.random = constant;
    options.random_ctx = &counter;
    peer p = {.c = trivet_proto_computer_new(&options, 0)};
    open_channel(&p);
    for (size_t at = 0; at < size;) {
        at += step(&p, data + at, size - at);
        drain(&p);
    }
    trivet_proto_computer_free(p.c);
    return 0;
}
