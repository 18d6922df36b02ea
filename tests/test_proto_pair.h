/*
 * test_proto_pair.h - both machines joined by a pipe in memory, with a time of their own.
 */
#ifndef TRIVET_TEST_PROTO_PAIR_H
#define TRIVET_TEST_PROTO_PAIR_H

#include "test_proto_support.h"

typedef struct {
    trivet_proto_computer *c;
    trivet_proto_phone *p;
    test_random random_c, random_p;
    int64_t now;
    int c_closed, p_closed; /* the codes of the close outputs */
} test_pair;

static inline void pair_init_with(test_pair *pair, trivet_proto_computer_options *options) {
    trivet_proto_phone_options phone = TRIVET_PROTO_PHONE_OPTIONS_INIT;
    *pair = (test_pair){.random_c = {.counter = 1}, .random_p = {.counter = 1u << 20}, .now = 1000};
    options->random = phone.random = test_random_bytes;
    options->random_ctx = &pair->random_c;
    phone.random_ctx = &pair->random_p;
    phone.secret = "2f1c3f9e-6c1e-4d4b-9a53-0d4a1f2b3c4d";
    phone.device_id = "Pixel \"9\" \xc3\xbc";
    phone.last_sync = 1780000000000;
    pair->c = trivet_proto_computer_new(options, pair->now);
    pair->p = trivet_proto_phone_new(&phone, pair->now);
    assert_non_null(pair->c);
    assert_non_null(pair->p);
}

static inline void pair_release(test_pair *pair) {
    trivet_proto_computer_free(pair->c);
    trivet_proto_phone_free(pair->p);
}

/* One message each way, if there is one. */
static inline bool pump_to_computer(test_pair *pair) {
    trivet_proto_output output;
    if (!trivet_proto_phone_output(pair->p, &output))
        return false;
    if (output.close != 0)
        pair->p_closed = output.close;
    else
        trivet_proto_computer_receive(pair->c, output.binary, output.data, output.len, pair->now);
    trivet_proto_output_release(&output);
    return true;
}

static inline bool pump_to_phone(test_pair *pair) {
    trivet_proto_output output;
    if (!trivet_proto_computer_output(pair->c, &output))
        return false;
    if (output.close != 0)
        pair->c_closed = output.close;
    else
        trivet_proto_phone_receive(pair->p, output.binary, output.data, output.len, pair->now);
    trivet_proto_output_release(&output);
    return true;
}

static inline void pump(test_pair *pair) {
    bool moved;
    do {
        moved = pump_to_computer(pair);
        moved = pump_to_phone(pair) || moved;
    } while (moved);
}

/* The next event, which must be of this kind. To be released. */
static inline trivet_proto_event c_event(test_pair *pair, trivet_proto_event_kind kind) {
    trivet_proto_event event;
    if (!trivet_proto_computer_event(pair->c, &event))
        fail_msg("no event of the computer, expected kind %d", kind);
    if (event.kind != kind)
        fail_msg("computer: event %d %s %s, expected %d", event.kind, event.error.path, event.error.reason,
                 kind);
    return event;
}

static inline trivet_proto_event p_event(test_pair *pair, trivet_proto_event_kind kind) {
    trivet_proto_event event;
    if (!trivet_proto_phone_event(pair->p, &event))
        fail_msg("no event of the phone, expected kind %d", kind);
    if (event.kind != kind)
        fail_msg("phone: event %d %s %s, expected %d", event.kind, event.error.path, event.error.reason,
                 kind);
    return event;
}

static inline void c_expect(test_pair *pair, trivet_proto_event_kind kind) {
    trivet_proto_event event = c_event(pair, kind);
    trivet_proto_event_release(&event);
}

static inline void p_expect(test_pair *pair, trivet_proto_event_kind kind) {
    trivet_proto_event event = p_event(pair, kind);
    trivet_proto_event_release(&event);
}

static inline void c_is_quiet(test_pair *pair) {
    trivet_proto_event event;
    if (trivet_proto_computer_event(pair->c, &event))
        fail_msg("computer: event %d %s %s", event.kind, event.error.path, event.error.reason);
}

static inline void no_events(test_pair *pair) {
    trivet_proto_event event;
    c_is_quiet(pair);
    if (trivet_proto_phone_event(pair->p, &event))
        fail_msg("phone: event %d %s %s", event.kind, event.error.path, event.error.reason);
}

/* Both ends open, no event left. */
static inline void pair_open_with(test_pair *pair, trivet_proto_computer_options *options) {
    pair_init_with(pair, options);
    pump(pair);
    p_expect(pair, TRIVET_PROTO_EVENT_READY);
    trivet_proto_event event = c_event(pair, TRIVET_PROTO_EVENT_HANDSHAKE);
    assert_string_equal(event.secret, "2f1c3f9e-6c1e-4d4b-9a53-0d4a1f2b3c4d");
    assert_string_equal(event.device_id, "Pixel \"9\" \xc3\xbc");
    assert_int_equal(event.last_sync, 1780000000000);
    trivet_proto_event_release(&event);
    assert_int_equal(trivet_proto_computer_accept(pair->c, pair->now), 0);
    no_events(pair);
}

static inline void pair_open(test_pair *pair) {
    trivet_proto_computer_options options = TRIVET_PROTO_COMPUTER_OPTIONS_INIT;
    pair_open_with(pair, &options);
}

/* Ends with the code on the computer's side, told and sent. */
static inline void c_expect_close(test_pair *pair, int code) {
    trivet_proto_event event = c_event(pair, TRIVET_PROTO_EVENT_CLOSED);
    assert_int_equal(event.close_code, code);
    trivet_proto_event_release(&event);
    while (pump_to_phone(pair))
        ;
    assert_int_equal(pair->c_closed, code);
}

#endif
