/*
 * fuzz_proto_phone.c - the phone's machine, in either version, fed what a computer can send: one that holds the keys, or
 * whoever sits where it should be.
 *
 * The first byte: bit 0, version 2; bit 1, no good key_exchange was sent. Then steps as in fuzz_proto_version2.c: 'm', 'k' (version 2),
 * 'b', 'r', 't', and 'q' 'a' 'n' where the owner asks for a sync, answers with its state, acknowledges.
 */
#include "trivet_proto.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t pairing_key[32] = {7};

typedef struct {
    trivet_proto_phone *p;
    trivet_proto_channel2_keys keys;
    uint8_t key[32]; /* version 1's */
    uint64_t sent;
    int64_t now;
    bool version2, closed;
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
    while (trivet_proto_phone_event(p->p, &event)) {
        if (p->closed)
            abort();
        trivet_proto_event_release(&event);
    }
    while (trivet_proto_phone_output(p->p, &output)) {
        if (p->closed)
            abort();
        p->closed = output.close != 0;
        trivet_proto_output_release(&output);
    }
    if (trivet_proto_phone_deadline(p->p) <= p->now)
        abort();
}

/* Also what an honest peer cannot: a kind that there is not. */
static void send_frame(peer *p, uint8_t kind, const uint8_t *body, size_t len) {
    uint8_t nonce[24] = {0}, *frame = malloc(len + 17), *plain = malloc(len + 1);
    if (!frame || !plain)
        abort();
    memcpy(nonce, &p->sent, sizeof p->sent);
    p->sent++;
    plain[0] = kind;
    if (len > 0)
        memcpy(plain + 1, body, len);
    crypto_secretbox_easy(frame, plain, len + 1, nonce, p->keys.c2p);
    trivet_proto_phone_receive(p->p, true, frame, len + 17, p->now);
    free(frame);
    free(plain);
}

static void send_sealed(peer *p, uint8_t kind, const uint8_t *body, size_t len) {
    uint8_t nonce[24] = {1}, *envelope;
    size_t envelope_len;
    if (p->version2) {
        send_frame(p, kind, body, len);
        return;
    }
    p->sent++;
    memcpy(nonce + 1, &p->sent, sizeof p->sent);
    if (trivet_proto_channel1_seal(p->key, nonce, body, len, &envelope, &envelope_len) != 0)
        abort();
    trivet_proto_phone_receive(p->p, false, envelope, envelope_len, p->now);
    free(envelope);
}

/* Takes the key_init and, if `good`, answers it as the computer would. */
static void open_channel(peer *p, bool good) {
    uint8_t secret[32] = {9}, public_key[32], theirs[32];
    char base64[48], proof[48] = "", text[256];
    trivet_proto_output output;
    if (!trivet_proto_phone_output(p->p, &output))
        abort();
    const char *at = memmem(output.data, output.len, "\"publicKey\":\"", 13);
    sodium_base642bin(theirs, 32, at + 13, 44, NULL, NULL, NULL, sodium_base64_VARIANT_ORIGINAL);
    crypto_scalarmult_base(public_key, secret);
    sodium_bin2base64(base64, sizeof base64, public_key, 32, sodium_base64_VARIANT_ORIGINAL);
    if (trivet_proto_channel2_derive(&p->keys, pairing_key, secret, theirs, public_key, output.data,
                                     output.len) != 0 ||
        trivet_proto_channel1_key(p->key, theirs, secret) != 0)
        abort();
    trivet_proto_output_release(&output);
    if (p->version2) {
        sodium_bin2base64(proof, sizeof proof, p->keys.proof, 32, sodium_base64_VARIANT_ORIGINAL);
        snprintf(text, sizeof text,
                 "{\"type\":\"key_exchange\",\"publicKey\":\"%s\",\"v\":2,\"proof\":\"%s\"}", base64, proof);
    } else {
        snprintf(text, sizeof text, "{\"type\":\"key_exchange\",\"publicKey\":\"%s\"}", base64);
    }
    if (good)
        trivet_proto_phone_receive(p->p, false, (const uint8_t *)text, strlen(text), p->now);
    drain(p);
    if (good && p->closed)
        abort();
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
        trivet_proto_phone_receive(p->p, true, data + least(2, size), some, p->now);
        return least(2, size) + some;
    case 'r':
        trivet_proto_phone_receive(p->p, false, text, len, p->now);
        return 1 + len;
    case 't':
        p->now += size > 1 ? data[1] * 1000 : 0;
        trivet_proto_phone_tick(p->p, p->now);
        return least(2, size);
    case 'q':
        trivet_proto_phone_request_sync(p->p);
        return 1;
    case 'a':
        trivet_proto_phone_answer(p->p, "{\"lists\":[]}", 12, 0);
        return 1;
    case 'n':
        trivet_proto_phone_ack(p->p, 0);
        return 1;
    default:
        return 1;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    uint64_t counter = 0;
    trivet_proto_phone_options options = TRIVET_PROTO_PHONE_OPTIONS_INIT;
    if (size == 0)
        return 0;
    peer p = {.version2 = data[0] & 1};
    options.random = constant;
    options.random_ctx = &counter;
    options.device_id = "phone";
    if (p.version2) {
        options.pairing_key = pairing_key;
        options.device = "d";
    } else {
        options.secret = "s";
    }
    p.p = trivet_proto_phone_new(&options, 0);
    open_channel(&p, !(data[0] & 2));
    for (size_t at = 1; at < size;) {
        at += step(&p, data + at, size - at);
        drain(&p);
    }
    trivet_proto_phone_free(p.p);
    return 0;
}
