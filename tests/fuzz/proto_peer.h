/*
 * proto_peer.h - what fuzz_proto_computer.c, fuzz_proto_version2.c and fuzz_proto_phone.c have in common: a machine of proto/, a
 * peer that holds its keys and says whatever the input tells it to, and the time.
 *
 * A target makes its machine and opens the channel; then it takes the input step by step, each step one byte and what follows it,
 * and drains after each. It defines on_event and on_output, for what its owner does and what must hold besides. Of a machine that
 * has ended nothing may come, and its deadline is always ahead: else the process aborts.
 */
#ifndef PROTO_PEER_H
#define PROTO_PEER_H

#include "trivet_proto.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct {
    trivet_proto_computer *computer; /* it, or the phone, is the machine that is fed; the other is NULL */
    trivet_proto_phone *phone;
    bool version_2;
    uint8_t key[32];                 /* version 1's */
    trivet_proto_channel2_keys keys; /* version 2's */
    uint64_t sent;
    int64_t now; /* ms */
    bool closed; /* the machine ended the connection */
} peer;

static const uint8_t pairing_key[32] = {7};

/* Each borrows; `closed` is already what the output says. */
static void on_event(peer *p, const trivet_proto_event *event);
static void on_output(peer *p, const trivet_proto_output *output);

/* For the options' `random`; ctx: a uint64_t of its own. */
static void constant(void *ctx, uint8_t *out, size_t len) {
    uint64_t *counter = ctx;
    memset(out, 0x5a, len);
    ++*counter;
    memcpy(out, counter, sizeof *counter);
}

/* ---- the machine, whichever it is ---- */

static void receive(peer *p, bool binary, const uint8_t *data, size_t len) {
    if (p->phone)
        trivet_proto_phone_receive(p->phone, binary, data, len, p->now);
    else
        trivet_proto_computer_receive(p->computer, binary, data, len, p->now);
}

static void pass_seconds(peer *p, unsigned seconds) {
    p->now += seconds * 1000;
    if (p->phone)
        trivet_proto_phone_tick(p->phone, p->now);
    else
        trivet_proto_computer_tick(p->computer, p->now);
}

static bool next_event(peer *p, trivet_proto_event *event) {
    return p->phone ? trivet_proto_phone_event(p->phone, event)
                    : trivet_proto_computer_event(p->computer, event);
}

static bool next_output(peer *p, trivet_proto_output *output) {
    return p->phone ? trivet_proto_phone_output(p->phone, output)
                    : trivet_proto_computer_output(p->computer, output);
}

static int64_t deadline(const peer *p) {
    return p->phone ? trivet_proto_phone_deadline(p->phone) : trivet_proto_computer_deadline(p->computer);
}

/* Takes all that the machine has to tell. */
static void drain(peer *p) {
    trivet_proto_event event;
    trivet_proto_output output;
    while (next_event(p, &event)) {
        if (p->closed)
            abort();
        on_event(p, &event);
        trivet_proto_event_release(&event);
    }
    while (next_output(p, &output)) {
        if (p->closed)
            abort();
        p->closed = output.close != 0;
        on_output(p, &output);
        trivet_proto_output_release(&output);
    }
    if (deadline(p) <= p->now)
        abort();
}

/* ---- the peer ---- */

/* The public key of `secret`, as it is and in base64. */
static void own_key(const uint8_t secret[static 32], uint8_t public_key[static 32], char base64[static 48]) {
    crypto_scalarmult_base(public_key, secret);
    sodium_bin2base64(base64, 48, public_key, 32, sodium_base64_VARIANT_ORIGINAL);
}

/* The machine's, of its key_init or key_exchange. */
static void key_in(const trivet_proto_output *output, uint8_t theirs[static 32]) {
    const char *at = memmem(output->data, output->len, "\"publicKey\":\"", 13);
    sodium_base642bin(theirs, 32, at + 13, 44, NULL, NULL, NULL, sodium_base64_VARIANT_ORIGINAL);
}

/* Under its counter; also what an honest peer cannot: a kind that there is not. */
static void send_frame(peer *p, uint8_t kind, const uint8_t *body, size_t len) {
    uint8_t nonce[24] = {0}, *frame = malloc(len + 17), *plain = malloc(len + 1);
    if (!frame || !plain)
        abort();
    memcpy(nonce, &p->sent, sizeof p->sent);
    p->sent++;
    plain[0] = kind;
    if (len > 0)
        memcpy(plain + 1, body, len);
    crypto_secretbox_easy(frame, plain, len + 1, nonce, p->phone ? p->keys.c2p : p->keys.p2c);
    receive(p, true, frame, len + 17);
    free(frame);
    free(plain);
}

/* Under a fresh nonce. */
static void send_envelope(peer *p, const uint8_t *text, size_t len) {
    uint8_t nonce[24] = {1}, *envelope;
    size_t envelope_len;
    p->sent++;
    memcpy(nonce + 1, &p->sent, sizeof p->sent);
    if (trivet_proto_channel1_seal(p->key, nonce, text, len, &envelope, &envelope_len) != 0)
        abort();
    receive(p, false, envelope, envelope_len);
    free(envelope);
}

/* Version 1 has no kinds. */
static void send_sealed(peer *p, uint8_t kind, const uint8_t *body, size_t len) {
    if (p->version_2)
        send_frame(p, kind, body, len);
    else
        send_envelope(p, body, len);
}

/* ---- steps: each returns how many bytes of the input it took, 0 if the first one is not for it ---- */

static size_t least(size_t a, size_t b) {
    return a < b ? a : b;
}

/*
 *     'm' text NUL     a message, sealed
 *     'r' text NUL     a text frame as it is
 *     't' byte         that many seconds pass
 */
static size_t step_of_text(peer *p, const uint8_t *data, size_t size) {
    const uint8_t *text = data + 1, *end = memchr(text, '\0', size - 1);
    size_t len = end != NULL ? (size_t)(end - text) : size - 1;
    switch (data[0]) {
    case 'm':
        send_sealed(p, 1, text, len);
        return 1 + len;
    case 'r':
        receive(p, false, text, len);
        return 1 + len;
    case 't':
        pass_seconds(p, size > 1 ? data[1] : 0);
        return least(2, size);
    default:
        return 0;
    }
}

/*
 *     'k' kind len bytes    a frame of any kind, sealed
 *     'b' len bytes         a binary frame as it is
 */
static inline size_t step_of_frame(peer *p, const uint8_t *data, size_t size) {
    size_t len;
    switch (data[0]) {
    case 'k':
        if (size < 3)
            return 1;
        len = least(data[2], size - 3);
        send_sealed(p, data[1], data + 3, len);
        return 3 + len;
    case 'b':
        len = size > 1 ? least(data[1], size - 2) : 0;
        receive(p, true, data + least(2, size), len);
        return least(2, size) + len;
    default:
        return 0;
    }
}

/*
 *     's' 'p' 'f' 'c'  the computer's owner starts, proposes, confirms, cancels
 */
static inline size_t step_of_owner(peer *p, uint8_t what) {
    switch (what) {
    case 's':
        trivet_proto_computer_start(p->computer, "{}", 2, 0, p->now);
        return 1;
    case 'p':
        trivet_proto_computer_propose(p->computer, "{\"lists\":[]}", 12, 0, p->now);
        return 1;
    case 'f':
        trivet_proto_computer_confirm(p->computer, TRIVET_PROTO_DESKTOP_WINS, "{}", 2, 0);
        return 1;
    case 'c':
        trivet_proto_computer_cancel(p->computer);
        return 1;
    default:
        return 0;
    }
}

#endif
