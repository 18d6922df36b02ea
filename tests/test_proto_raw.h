/*
 * test_proto_raw.h - a phone without manners: it sends any text, sealed or not, under any nonce, to a computer
 * machine, and reads what comes back.
 */
#ifndef TRIVET_TEST_PROTO_RAW_H
#define TRIVET_TEST_PROTO_RAW_H

#include "test_proto_support.h"

typedef struct {
    trivet_proto_computer *c;
    trivet_proto_computer_options options;
    uint8_t secret[32], public_key[32], key[32];
    uint64_t nonce; /* the next one's number */
    uint8_t last_nonce[24];
    int64_t now;
    int closed;      /* the code of the close output, or 0 */
    char text[8192]; /* the last message that came, opened if it was sealed */
    uint8_t their_nonce[24];
} raw_phone;

#define RAW_HANDSHAKE                                                                                        \
    "{\"type\":\"handshake\",\"deviceId\":\"d\",\"lastSyncTimestamp\":0,\"pairingSecret\":\"s\"}"

static inline void raw_init_with(raw_phone *raw, const trivet_proto_computer_options *options) {
    *raw = (raw_phone){.options = *options, .now = 1000};
    memset(raw->secret, 7, sizeof raw->secret);
    crypto_scalarmult_base(raw->public_key, raw->secret);
    raw->c = trivet_proto_computer_new(&raw->options, raw->now);
    assert_non_null(raw->c);
}

static inline void raw_init(raw_phone *raw) {
    const trivet_proto_computer_options options = TRIVET_PROTO_COMPUTER_OPTIONS_INIT;
    raw_init_with(raw, &options);
}

static inline void raw_release(raw_phone *raw) {
    trivet_proto_computer_free(raw->c);
}

static inline int raw_plain(raw_phone *raw, const char *text) {
    return trivet_proto_computer_receive(raw->c, false, (const uint8_t *)text, strlen(text), raw->now);
}

static inline int raw_key_init_with(raw_phone *raw, const uint8_t public_key[static 32], const char *more) {
    char base64[48], text[256];
    sodium_bin2base64(base64, sizeof base64, public_key, 32, sodium_base64_VARIANT_ORIGINAL);
    snprintf(text, sizeof text, "{\"type\":\"key_init\",\"publicKey\":\"%s\"%s}", base64, more);
    return raw_plain(raw, text);
}

/* Sealed under the given nonce. */
static inline int raw_box(raw_phone *raw, const char *text, size_t len, const uint8_t nonce[static 24]) {
    uint8_t *envelope;
    size_t envelope_len;
    assert_int_equal(
        trivet_proto_channel1_seal(raw->key, nonce, (const uint8_t *)text, len, &envelope, &envelope_len), 0);
    int r = trivet_proto_computer_receive(raw->c, false, envelope, envelope_len, raw->now);
    free(envelope);
    return r;
}

static inline int raw_send(raw_phone *raw, const char *text) {
    memset(raw->last_nonce, 0xcc, sizeof raw->last_nonce);
    memcpy(raw->last_nonce, &raw->nonce, sizeof raw->nonce);
    raw->nonce++;
    return raw_box(raw, text, strlen(text), raw->last_nonce);
}

/* Fetches one output into `text`, or the code of the end into `closed`. */
static inline bool raw_fetch(raw_phone *raw) {
    trivet_proto_output output;
    uint8_t *plain;
    size_t len;
    if (!trivet_proto_computer_output(raw->c, &output))
        return false;
    raw->closed = output.close;
    if (output.close == 0 &&
        trivet_proto_channel1_open(raw->key, output.data, output.len, raw->their_nonce, &plain, &len) == 0) {
        trivet_proto_output_release(&output);
        output.data = plain;
        output.len = len;
    }
    assert_true(output.len < sizeof raw->text);
    if (output.len > 0)
        memcpy(raw->text, output.data, output.len);
    raw->text[output.len] = '\0';
    trivet_proto_output_release(&output);
    return true;
}

static inline void raw_expect(raw_phone *raw, trivet_proto_event_kind kind) {
    trivet_proto_event event;
    if (!trivet_proto_computer_event(raw->c, &event))
        fail_msg("no event, expected kind %d", kind);
    if (event.kind != kind)
        fail_msg("event %d %s %s, expected %d", event.kind, event.error.path, event.error.reason, kind);
    trivet_proto_event_release(&event);
}

static inline void raw_expect_refused(raw_phone *raw, trivet_proto_type type, const char *path) {
    trivet_proto_event event;
    if (!trivet_proto_computer_event(raw->c, &event))
        fail_msg("nothing was refused");
    assert_int_equal(event.kind, TRIVET_PROTO_EVENT_REFUSED);
    assert_int_equal(event.type, type);
    assert_string_equal(event.error.path, path);
    assert_true(event.error.reason[0] != '\0');
    trivet_proto_event_release(&event);
}

static inline void raw_is_quiet(raw_phone *raw) {
    trivet_proto_event event;
    if (trivet_proto_computer_event(raw->c, &event))
        fail_msg("event %d %s %s", event.kind, event.error.path, event.error.reason);
    if (raw_fetch(raw))
        fail_msg("output %d %s", raw->closed, raw->text);
}

/* The machine has ended with `code`, says so once each way, and nothing afterwards. */
static inline void raw_expect_close(raw_phone *raw, int code) {
    trivet_proto_event event;
    if (!trivet_proto_computer_event(raw->c, &event))
        fail_msg("not closed, expected %d", code);
    if (event.kind != TRIVET_PROTO_EVENT_CLOSED || event.close_code != code)
        fail_msg("event %d, code %d, %s; expected %d", event.kind, event.close_code, event.error.reason,
                 code);
    assert_true(strlen(event.error.reason) > 0);
    trivet_proto_event_release(&event);
    assert_true(raw_fetch(raw));
    assert_int_equal(raw->closed, code);
    raw_is_quiet(raw);
    assert_int_equal(raw_plain(raw, "{}"), TRIVET_PROTO_ESTATE);
    raw_is_quiet(raw);
    assert_int_equal(trivet_proto_computer_deadline(raw->c), INT64_MAX);
}

/* key_init and key_exchange: from here on messages can be sealed. */
static inline void raw_agree(raw_phone *raw) {
    const char *public_key;
    uint8_t theirs[32];
    size_t len;
    assert_int_equal(raw_key_init_with(raw, raw->public_key, ""), 0);
    assert_true(raw_fetch(raw));
    public_key = strstr(raw->text, "\"publicKey\":\"") + 13;
    assert_int_equal(
        sodium_base642bin(theirs, 32, public_key, 44, NULL, &len, NULL, sodium_base64_VARIANT_ORIGINAL), 0);
    assert_int_equal(trivet_proto_channel1_key(raw->key, theirs, raw->secret), 0);
}

/* Up to an accepted handshake. */
static inline void raw_open(raw_phone *raw) {
    raw_agree(raw);
    assert_int_equal(raw_send(raw, RAW_HANDSHAKE), 0);
    raw_expect(raw, TRIVET_PROTO_EVENT_HANDSHAKE);
    assert_int_equal(trivet_proto_computer_accept(raw->c, raw->now), 0);
}

#endif
