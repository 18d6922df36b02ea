/*
 * test_proto_large.c - a message that is taken in three steps does all that one does that is received, and nothing besides
 * where the connection ends in between.
 */
#include "test_proto_pair.h"

static int group_setup(void **state) {
    (void)state;
    return sodium_init() < 0;
}

static const char state_json[] =
    "{\"lists\":[[]],\"lockedLists\":[[]],\"listsCategories\":[],\"lockedListsCategories\":[]}";

/* The phone's answer to a state, sealed and not handed over. */
static trivet_proto_output answer_of(test_pair *pair) {
    trivet_proto_output out;
    assert_int_equal(trivet_proto_computer_start(pair->c, state_json, strlen(state_json), 0, pair->now), 0);
    while (pump_to_phone(pair)) {
    }
    p_expect(pair, TRIVET_PROTO_EVENT_STATE_WANTED);
    trivet_proto_phone_answer(pair->p, state_json, strlen(state_json), 7);
    assert_true(trivet_proto_phone_output(pair->p, &out));
    return out;
}

static trivet_proto_large *begin(test_pair *pair, trivet_proto_output *out) {
    trivet_proto_large *large =
        trivet_proto_computer_begin(pair->c, out->binary, out->data, out->len, pair->now);
    if (large)
        out->data = NULL; /* taken over */
    return large;
}

/* A pair where a message of the phone's is on its way, taken up to where it is to be opened. */
static trivet_proto_large *begin_answer(test_pair *pair) {
    pair_open(pair);
    trivet_proto_output out = answer_of(pair);
    trivet_proto_large *large = begin(pair, &out);
    assert_non_null(large);
    return large;
}

static void is_as_one_received(void **state) {
    (void)state;
    test_pair pair;
    trivet_proto_large *large = begin_answer(&pair);
    c_is_quiet(&pair);
    trivet_proto_large_open(large);
    c_is_quiet(&pair);
    assert_int_equal(trivet_proto_computer_end(pair.c, large, pair.now), TRIVET_PROTO_OK);
    trivet_proto_event event = c_event(&pair, TRIVET_PROTO_EVENT_STATE);
    assert_string_equal(event.message.state, state_json);
    assert_int_equal(event.message.since, 7);
    trivet_proto_event_release(&event);
    no_events(&pair);
    pair_release(&pair);
}

/* What the machine does meanwhile has no part in it. */
static void the_machine_goes_on_meanwhile(void **state) {
    (void)state;
    test_pair pair;
    trivet_proto_large *large = begin_answer(&pair);
    assert_int_equal(trivet_proto_computer_cancel(pair.c), 0);
    trivet_proto_large_open(large);
    while (pump_to_phone(&pair)) {
    }
    p_expect(&pair, TRIVET_PROTO_EVENT_SYNC_CANCELLED);
    assert_int_equal(trivet_proto_computer_end(pair.c, large, pair.now), TRIVET_PROTO_OK);
    c_expect(&pair, TRIVET_PROTO_EVENT_IGNORED); /* it answers a sync that was given up */
    /* And the next one is taken as ever. */
    trivet_proto_output out = answer_of(&pair);
    trivet_proto_computer_receive(pair.c, out.binary, out.data, out.len, pair.now);
    c_expect(&pair, TRIVET_PROTO_EVENT_STATE);
    trivet_proto_output_release(&out);
    pair_release(&pair);
}

/* At each of the two places. */
static void the_end_of_the_connection_drops_it(void **state) {
    (void)state;
    for (int opened = 0; opened < 2; opened++) {
        test_pair pair;
        trivet_proto_event event;
        trivet_proto_large *large = begin_answer(&pair);
        if (opened)
            trivet_proto_large_open(large);
        trivet_proto_computer_close(pair.c, TRIVET_PROTO_CLOSE_REPLACED, "replaced");
        if (!opened)
            trivet_proto_large_open(large); /* the thread does not know */
        assert_int_equal(trivet_proto_computer_end(pair.c, large, pair.now), TRIVET_PROTO_ESTATE);
        while (trivet_proto_computer_event(pair.c, &event)) {
            assert_int_equal(event.kind, TRIVET_PROTO_EVENT_CLOSED);
            assert_int_equal(event.close_code, TRIVET_PROTO_CLOSE_REPLACED);
            trivet_proto_event_release(&event);
        }
        pair_release(&pair);
    }
    trivet_proto_large_free(NULL);
}

static void without_an_end_nothing_leaks(void **state) {
    (void)state;
    for (int opened = 0; opened < 2; opened++) {
        test_pair pair;
        trivet_proto_large *large = begin_answer(&pair);
        if (opened)
            trivet_proto_large_open(large);
        pair_release(&pair);
        trivet_proto_large_free(large);
    }
}

enum harm { REPLAYED, ALTERED, PLAINTEXT, NO_JSON };

static void what_is_wrong_closes(void **state) {
    (void)state;
    static const struct {
        enum harm harm;
        const char *reason;
    } cases[] = {{REPLAYED, "a nonce used twice"},
                 {ALTERED, "a box that does not open"},
                 {PLAINTEXT, "plaintext where an encrypted message belongs"},
                 {NO_JSON, "a damaged envelope"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        test_pair pair;
        pair_open(&pair);
        trivet_proto_output out = answer_of(&pair);
        if (cases[i].harm == REPLAYED) {
            trivet_proto_computer_receive(pair.c, out.binary, out.data, out.len, pair.now);
            c_expect(&pair, TRIVET_PROTO_EVENT_STATE);
        } else if (cases[i].harm == ALTERED) {
            out.data[out.len - 10] = out.data[out.len - 10] == 'A' ? 'B' : 'A';
        } else {
            memset(out.data, ' ', out.len);
            memcpy(out.data, cases[i].harm == PLAINTEXT ? "{}" : "{,", 2);
        }
        trivet_proto_large *large = begin(&pair, &out);
        trivet_proto_large_open(large);
        assert_int_equal(trivet_proto_computer_end(pair.c, large, pair.now), TRIVET_PROTO_ESTATE);
        trivet_proto_event event = c_event(&pair, TRIVET_PROTO_EVENT_CLOSED);
        assert_int_equal(event.close_code, TRIVET_PROTO_CLOSE_VIOLATION);
        assert_string_equal(event.error.reason, cases[i].reason);
        trivet_proto_event_release(&event);
        pair_release(&pair);
    }
}

static void any_other_message_comes(void **state) {
    (void)state;
    test_pair pair;
    trivet_proto_output out;
    pair_open(&pair);
    json_t *body = json_pack("{s:[]}", "jots");
    trivet_proto_phone_send(pair.p, TRIVET_PROTO_JOT_MANIFEST, body);
    json_decref(body);
    assert_true(trivet_proto_phone_output(pair.p, &out));
    trivet_proto_large *large = begin(&pair, &out);
    trivet_proto_large_open(large);
    assert_int_equal(trivet_proto_computer_end(pair.c, large, pair.now), TRIVET_PROTO_OK);
    c_expect(&pair, TRIVET_PROTO_EVENT_MESSAGE);
    pair_release(&pair);
}

/* Where the three steps are not for: the caller keeps the message, and receive says what is the matter. */
static void is_not_begun(void **state) {
    (void)state;
    trivet_proto_computer_options options = TRIVET_PROTO_COMPUTER_OPTIONS_INIT;
    test_pair pair;
    uint8_t byte = '{';
    pair_init_with(&pair, &options);
    assert_null(trivet_proto_computer_begin(pair.c, false, &byte, 1, pair.now)); /* no handshake yet */
    pair_release(&pair);

    pair_open(&pair);
    assert_null(trivet_proto_computer_begin(pair.c, true, &byte, 1, pair.now));
    trivet_proto_event event = c_event(&pair, TRIVET_PROTO_EVENT_CLOSED);
    assert_int_equal(event.close_code, TRIVET_PROTO_CLOSE_VIOLATION);
    trivet_proto_event_release(&event);
    assert_null(trivet_proto_computer_begin(pair.c, false, &byte, 1, pair.now));
    pair_release(&pair);

    options = (trivet_proto_computer_options)TRIVET_PROTO_COMPUTER_OPTIONS_INIT;
    options.max_message = 4096;
    pair_open_with(&pair, &options);
    assert_null(trivet_proto_computer_begin(pair.c, false, &byte, 4097, pair.now));
    event = c_event(&pair, TRIVET_PROTO_EVENT_CLOSED);
    assert_int_equal(event.close_code, TRIVET_PROTO_CLOSE_TOO_LARGE);
    trivet_proto_event_release(&event);
    pair_release(&pair);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_as_one_received),
        cmocka_unit_test(the_machine_goes_on_meanwhile),
        cmocka_unit_test(the_end_of_the_connection_drops_it),
        cmocka_unit_test(without_an_end_nothing_leaks),
        cmocka_unit_test(what_is_wrong_closes),
        cmocka_unit_test(any_other_message_comes),
        cmocka_unit_test(is_not_begun),
    };
    return cmocka_run_group_tests_name("proto: large messages", tests, group_setup, NULL);
}
