/*
 * fuzz_proto_version2.c - the computer's machine in version 2 (protocol §7), fed what a phone that holds the key, or
 * one that does not, can send.
 *
 * The first byte: odd, and a key_init of the input's own follows, up to a NUL; else a good one and a good handshake
 * were sent. Then a row of steps, each one byte and what follows it:
 *     'm' text NUL          a message, sealed under its counter
 *     'k' kind len bytes    a frame of any kind, sealed
 *     'b' len bytes         a binary frame as it is
 *     'r' text NUL          a text frame as it is
 *     't' byte              that many seconds pass
 *     's' 'p' 'f' 'c' 'e'   the owner starts, proposes, confirms, cancels, tells an error
 *     'x'                   it refuses whoever has shown a wrong key, of whom nothing may come before
 *     anything else         nothing
 */
#include "trivet_proto.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t pairing_key[32] = {7};

typedef struct {
    trivet_proto_computer *c;
    trivet_proto_channel2_keys keys;
    uint64_t sent, received;
    int64_t now;
    bool open, closed, wrong, refused;
} peer;

static void constant(void *ctx, uint8_t *out, size_t len) {
    uint64_t *counter = ctx;
    memset(out, 0x5a, len);
    ++*counter;
    memcpy(out, counter, sizeof *counter);
}

static void drain(peer *p) {
    trivet_proto_event event;
    trivet_proto_output output;
    while (trivet_proto_computer_event(p->c, &event)) {
        if (p->closed || (p->wrong && !p->refused && event.kind != TRIVET_PROTO_EVENT_CLOSED))
            abort();
        if (event.kind == TRIVET_PROTO_EVENT_WRONG_KEY) {
            if (p->open || trivet_proto_computer_accept(p->c, p->now) == 0)
                abort();
            p->wrong = true;
        }
        if (event.kind == TRIVET_PROTO_EVENT_KEY_WANTED)
            trivet_proto_computer_key(p->c, event.gen == 0 ? pairing_key : NULL, p->now);
        if (event.kind == TRIVET_PROTO_EVENT_HANDSHAKE)
            trivet_proto_computer_accept(p->c, p->now);
        trivet_proto_event_release(&event);
    }
    while (trivet_proto_computer_output(p->c, &output)) {
        uint8_t kind, *body;
        size_t len;
        if (p->closed || (p->wrong && !p->refused && output.close == 0))
            abort();
        p->closed = output.close != 0;
        if (p->open && !p->closed) { /* numbered without a gap */
            if (!output.binary || trivet_proto_channel2_open(p->keys.c2p, p->received++, output.data,
                                                             output.len, &kind, &body, &len) != 0)
                abort();
            free(body);
        }
        trivet_proto_output_release(&output);
    }
    if (trivet_proto_computer_deadline(p->c) <= p->now)
        abort();
}

/* Also what an honest peer cannot: a kind that there is not. */
static void send_sealed(peer *p, uint8_t kind, const uint8_t *body, size_t len) {
    uint8_t nonce[24] = {0}, *frame = malloc(len + 17), *plain = malloc(len + 1);
    if (!frame || !plain)
        abort();
    memcpy(nonce, &p->sent, sizeof p->sent);
    p->sent++;
    plain[0] = kind;
    if (len > 0)
        memcpy(plain + 1, body, len);
    crypto_secretbox_easy(frame, plain, len + 1, nonce, p->keys.p2c);
    trivet_proto_computer_receive(p->c, true, frame, len + 17, p->now);
    free(frame);
    free(plain);
}

static void open_channel(peer *p) {
    static const char hello[] =
        "{\"type\":\"handshake\",\"deviceId\":\"d\",\"lastSyncTimestamp\":0,\"now\":1700000000000}";
    uint8_t secret[32] = {3}, public_key[32], theirs[32];
    char base64[48], text[160];
    trivet_proto_event event;
    trivet_proto_output output;
    crypto_scalarmult_base(public_key, secret);
    sodium_bin2base64(base64, sizeof base64, public_key, 32, sodium_base64_VARIANT_ORIGINAL);
    snprintf(text, sizeof text,
             "{\"type\":\"key_init\",\"publicKey\":\"%s\",\"v\":2,\"device\":\"d\",\"gen\":0}", base64);
    trivet_proto_computer_receive(p->c, false, (const uint8_t *)text, strlen(text), p->now);
    if (!trivet_proto_computer_event(p->c, &event) || event.kind != TRIVET_PROTO_EVENT_KEY_WANTED)
        abort();
    trivet_proto_event_release(&event);
    trivet_proto_computer_key(p->c, pairing_key, p->now);
    if (!trivet_proto_computer_output(p->c, &output))
        abort();
    const char *at = memmem(output.data, output.len, "\"publicKey\":\"", 13);
    sodium_base642bin(theirs, 32, at + 13, 44, NULL, NULL, NULL, sodium_base64_VARIANT_ORIGINAL);
    trivet_proto_output_release(&output);
    if (trivet_proto_channel2_derive(&p->keys, pairing_key, secret, theirs, theirs, (const uint8_t *)text,
                                     strlen(text)) != 0)
        abort();
    p->open = true;
    send_sealed(p, 1, (const uint8_t *)hello, sizeof hello - 1);
    drain(p);
}

static size_t least(size_t a, size_t b) {
    return a < b ? a : b;
}

static size_t step(peer *p, const uint8_t *data, size_t size) {
    const uint8_t *text = data + 1, *end = memchr(text, '\0', size - 1);
    size_t len = end != NULL ? (size_t)(end - text) : size - 1, some;
    switch (data[0]) {
    case 'm':
        send_sealed(p, 1, text, len);
        return 1 + len;
    case 'k':
        if (size < 3)
            return 1;
        some = least(data[2], size - 3);
        send_sealed(p, data[1], data + 3, some);
        return 3 + some;
    case 'b':
        some = size > 1 ? least(data[1], size - 2) : 0;
        trivet_proto_computer_receive(p->c, true, data + least(2, size), some, p->now);
        return least(2, size) + some;
    case 'r':
        trivet_proto_computer_receive(p->c, false, text, len, p->now);
        return 1 + len;
    case 't':
        p->now += size > 1 ? data[1] * 1000 : 0;
        trivet_proto_computer_tick(p->c, p->now);
        return least(2, size);
    case 's':
        trivet_proto_computer_start(p->c, "{}", 2, 0, p->now);
        return 1;
    case 'p':
        trivet_proto_computer_propose(p->c, "{\"lists\":[]}", 12, 0, p->now);
        return 1;
    case 'f':
        trivet_proto_computer_confirm(p->c, TRIVET_PROTO_DESKTOP_WINS, "{}", 2, 0);
        return 1;
    case 'x':
        p->refused |= trivet_proto_computer_refuse(p->c, TRIVET_PROTO_CLOSE_VIOLATION, "wrong key") == 0;
        return 1;
    case 'c':
        trivet_proto_computer_cancel(p->c);
        return 1;
    case 'e':
        trivet_proto_computer_error(p->c, "refused", "lists[0]", "not so");
        return 1;
    default:
        return 1;
    }
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
    peer p = {.c = trivet_proto_computer_new(&options, 0)};
    if (data[0] & 1) {
        const uint8_t *end = memchr(data + 1, '\0', size - 1);
        size_t len = end != NULL ? (size_t)(end - data - 1) : size - 1;
        trivet_proto_computer_receive(p.c, false, data + 1, len, p.now);
        drain(&p);
        at += len;
    } else {
        open_channel(&p);
    }
    while (at < size) {
        at += step(&p, data + at, size - at);
        drain(&p);
    }
    trivet_proto_computer_free(p.c);
    return 0;
}
