/*
 * test_proto_sync.c - whole syncs between both machines (protocol §4).
 */
#include "test_proto_pair.h"

static const char state_c[] = "{\"lists\":[[{\"id\":\"c\"}]]}";
static const char state_p1[] = "{\"lists\":[[{\"id\":\"p\"}]],\"x\":{\"since\":1}}";
static const char state_m[] = "{\"lists\":[[{\"id\":\"c\"},{\"id\":\"p\"}]]}";

static void start(test_pair *pair) {
    assert_int_equal(trivet_proto_computer_start(pair->c, state_c, strlen(state_c), 7, pair->now), 0);
}

static void answer(test_pair *pair, const char *state, int64_t since) {
    p_expect(pair, TRIVET_PROTO_EVENT_STATE_WANTED);
    assert_int_equal(trivet_proto_phone_answer(pair->p, state, strlen(state), since), 0);
    pump(pair);
}

static void expect_state(test_pair *pair, const char *state, int64_t since) {
    trivet_proto_event event = c_event(pair, TRIVET_PROTO_EVENT_STATE);
    assert_string_equal(event.message.state, state);
    assert_int_equal(event.message.state_len, strlen(state));
    assert_int_equal(event.message.since, since);
    trivet_proto_event_release(&event);
}

/* ---- rounds ---- */

static void two_rounds(void **state) {
    test_pair pair;
    (void)state;
    pair_open(&pair);
    assert_int_equal(trivet_proto_phone_request_sync(pair.p), 0);
    pump(&pair);
    c_expect(&pair, TRIVET_PROTO_EVENT_SYNC_REQUEST);
    start(&pair);
    pump(&pair);
    trivet_proto_event wanted = p_event(&pair, TRIVET_PROTO_EVENT_STATE_WANTED);
    assert_string_equal(wanted.message.state, state_c);
    assert_int_equal(wanted.message.since, 7);
    trivet_proto_event_release(&wanted);
    assert_int_equal(trivet_proto_phone_answer(pair.p, state_p1, strlen(state_p1), 1780000000000), 0);
    pump(&pair);
    expect_state(&pair, state_p1, 1780000000000);
    assert_int_equal(trivet_proto_computer_propose(pair.c, state_m, strlen(state_m), 8, pair.now), 0);
    pump(&pair);
    answer(&pair, state_p1, 1780000000000);
    expect_state(&pair, state_p1, 1780000000000);
    assert_int_equal(
        trivet_proto_computer_confirm(pair.c, TRIVET_PROTO_DESKTOP_WINS, state_m, strlen(state_m), 99), 0);
    pump(&pair);
    trivet_proto_event confirmed = p_event(&pair, TRIVET_PROTO_EVENT_CONFIRMED);
    assert_int_equal(confirmed.message.mode, TRIVET_PROTO_DESKTOP_WINS);
    assert_int_equal(confirmed.message.applied_at, 99);
    assert_string_equal(confirmed.message.state, state_m);
    trivet_proto_event_release(&confirmed);
    no_events(&pair);
    assert_int_equal(trivet_proto_computer_deadline(pair.c), INT64_MAX);
    pair_release(&pair);
}

static void one_round_keeps_the_phones_state(void **state) {
    test_pair pair;
    (void)state;
    pair_open(&pair);
    start(&pair);
    pump(&pair);
    answer(&pair, "{}", 0);
    expect_state(&pair, "{}", 0);
    assert_int_equal(trivet_proto_computer_confirm(pair.c, TRIVET_PROTO_PHONE_WINS, NULL, 0, 1), 0);
    pump(&pair);
    trivet_proto_event confirmed = p_event(&pair, TRIVET_PROTO_EVENT_CONFIRMED);
    assert_int_equal(confirmed.message.mode, TRIVET_PROTO_PHONE_WINS);
    assert_null(confirmed.message.state);
    trivet_proto_event_release(&confirmed);
    pair_release(&pair);
}

/* A large state goes through whole, and is handed over as it came. */
static void large_state(void **state) {
    test_pair pair;
    (void)state;
    size_t len = 1000000;
    char *large = malloc(len + 1);
    assert_non_null(large);
    memset(large, 'x', len);
    memcpy(large, "{\"lists\":[\"", 11);
    memcpy(large + len - 3, "\"]}", 4);
    pair_open(&pair);
    start(&pair);
    pump(&pair);
    answer(&pair, large, 5);
    expect_state(&pair, large, 5);
    free(large);
    pair_release(&pair);
}

static void what_is_too_large_is_not_sent(void **state) {
    test_pair pair;
    trivet_proto_computer_options options = TRIVET_PROTO_COMPUTER_OPTIONS_INIT;
    char large[1001];
    (void)state;
    memset(large, 'x', sizeof large);
    memcpy(large, "{\"a\":\"", 6);
    memcpy(large + 999, "\"}", 2);
    options.max_message = 1400; /* 4/3 of the text, and the rest of the envelope */
    pair_open_with(&pair, &options);
    assert_int_equal(trivet_proto_computer_start(pair.c, large, sizeof large, 0, pair.now),
                     TRIVET_PROTO_EINPUT);
    pump(&pair);
    no_events(&pair);
    memcpy(large + 899, "\"}", 2);
    assert_int_equal(trivet_proto_computer_start(pair.c, large, 901, 0, pair.now), 0);
    pump(&pair);
    p_expect(&pair, TRIVET_PROTO_EVENT_STATE_WANTED);
    pair_release(&pair);
}

/* ---- turns ---- */

static void calls_out_of_turn(void **state) {
    test_pair pair;
    trivet_proto_computer_options options = TRIVET_PROTO_COMPUTER_OPTIONS_INIT;
    (void)state;
    pair_init_with(&pair, &options);
    assert_int_equal(trivet_proto_computer_start(pair.c, "{}", 2, 0, 0), TRIVET_PROTO_ESTATE);
    assert_int_equal(trivet_proto_computer_cancel(pair.c), TRIVET_PROTO_ESTATE);
    assert_int_equal(trivet_proto_computer_accept(pair.c, 0), TRIVET_PROTO_ESTATE);
    assert_int_equal(trivet_proto_computer_refuse(pair.c, 4001, "no"), TRIVET_PROTO_ESTATE);
    assert_int_equal(trivet_proto_phone_request_sync(pair.p), TRIVET_PROTO_ESTATE);
    assert_int_equal(trivet_proto_phone_answer(pair.p, "{}", 2, 0), TRIVET_PROTO_ESTATE);
    assert_int_equal(trivet_proto_phone_send(pair.p, TRIVET_PROTO_HEARTBEAT, NULL), TRIVET_PROTO_ESTATE);
    assert_int_equal(trivet_proto_computer_send(pair.c, TRIVET_PROTO_HEARTBEAT, NULL), TRIVET_PROTO_ESTATE);
    pair_release(&pair);

    pair_open(&pair);
    assert_int_equal(trivet_proto_computer_propose(pair.c, "{}", 2, 0, 0), TRIVET_PROTO_ESTATE);
    assert_int_equal(trivet_proto_computer_confirm(pair.c, TRIVET_PROTO_PHONE_WINS, NULL, 0, 0),
                     TRIVET_PROTO_ESTATE);
    assert_int_equal(trivet_proto_phone_answer(pair.p, "{}", 2, 0), TRIVET_PROTO_ESTATE);
    start(&pair);
    assert_int_equal(trivet_proto_computer_start(pair.c, "{}", 2, 0, 0), TRIVET_PROTO_ESTATE);
    assert_int_equal(trivet_proto_computer_propose(pair.c, "{}", 2, 0, 0), TRIVET_PROTO_ESTATE);
    assert_int_equal(trivet_proto_computer_confirm(pair.c, TRIVET_PROTO_PHONE_WINS, NULL, 0, 0),
                     TRIVET_PROTO_ESTATE);
    pair_release(&pair);
}

/* What the other end would refuse is not sent. */
static void own_bad_messages_are_not_sent(void **state) {
    test_pair pair;
    (void)state;
    pair_open(&pair);
    static const char *const bad[] = {"",     "[]", "{\"lists\":1}", "{\"type\":\"x\"}", "{\"since\":1}",
                                      "{} x", "{"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(trivet_proto_computer_start(pair.c, bad[i], strlen(bad[i]), 0, 0),
                         TRIVET_PROTO_EINPUT);
    assert_int_equal(trivet_proto_computer_start(pair.c, "{}", 2, -1, 0), TRIVET_PROTO_EINPUT);
    json_t *body = json_object();
    static const trivet_proto_type wrong_way[] = {TRIVET_PROTO_JOT_MANIFEST, TRIVET_PROTO_STATE_SYNC,
                                                  TRIVET_PROTO_SYNC_CONFIRM, TRIVET_PROTO_SYNC_CANCEL,
                                                  TRIVET_PROTO_KEY_EXCHANGE, TRIVET_PROTO_UNKNOWN};
    for (size_t i = 0; i < sizeof wrong_way / sizeof *wrong_way; i++)
        assert_int_equal(trivet_proto_computer_send(pair.c, wrong_way[i], body), TRIVET_PROTO_EINPUT);
    assert_int_equal(trivet_proto_computer_send(pair.c, TRIVET_PROTO_FILE_REQUEST, body),
                     TRIVET_PROTO_EINPUT);
    assert_int_equal(trivet_proto_phone_send(pair.p, TRIVET_PROTO_FILE_REQUEST, body), TRIVET_PROTO_EINPUT);
    json_decref(body);
    pump(&pair);
    no_events(&pair);
    start(&pair); /* and nothing has happened */
    pair_release(&pair);
}

static void sync_request_during_a_sync_is_dropped(void **state) {
    test_pair pair;
    (void)state;
    pair_open(&pair);
    start(&pair);
    assert_int_equal(trivet_proto_phone_request_sync(pair.p), 0);
    pump(&pair);
    p_expect(&pair, TRIVET_PROTO_EVENT_STATE_WANTED);
    no_events(&pair);
    assert_int_equal(trivet_proto_phone_answer(pair.p, "{}", 2, 0), 0);
    assert_int_equal(trivet_proto_phone_request_sync(pair.p), 0);
    pump(&pair);
    c_expect(&pair, TRIVET_PROTO_EVENT_STATE);
    no_events(&pair);
    assert_int_equal(trivet_proto_computer_cancel(pair.c), 0);
    assert_int_equal(trivet_proto_phone_request_sync(pair.p), 0);
    pump(&pair);
    c_expect(&pair, TRIVET_PROTO_EVENT_SYNC_REQUEST);
    pair_release(&pair);
}

/* It hears of it where the sync cannot even begin, and nothing is out of step then. */
static void a_sync_that_cannot_start_is_cancelled(void **state) {
    test_pair pair;
    (void)state;
    pair_open(&pair);
    assert_int_equal(trivet_proto_phone_request_sync(pair.p), 0);
    pump(&pair);
    c_expect(&pair, TRIVET_PROTO_EVENT_SYNC_REQUEST);
    assert_int_equal(trivet_proto_computer_cancel(pair.c), 0);
    pump(&pair);
    p_expect(&pair, TRIVET_PROTO_EVENT_SYNC_CANCELLED);
    start(&pair);
    pump(&pair);
    answer(&pair, "{}", 1);
    expect_state(&pair, "{}", 1);
    pair_release(&pair);
}

/* ---- heartbeats ---- */

/* The computer answers the phone's; two that answered each other would never stop. */
static void heartbeats_end(void **state) {
    test_pair pair;
    trivet_proto_output output;
    (void)state;
    pair_open(&pair);
    assert_int_equal(trivet_proto_phone_send(pair.p, TRIVET_PROTO_HEARTBEAT, NULL), 0);
    assert_true(pump_to_computer(&pair));
    assert_true(pump_to_phone(&pair));
    assert_false(trivet_proto_phone_output(pair.p, &output));
    no_events(&pair);
    pair_release(&pair);
}

/* ---- answers ---- */

static void answer_to_a_given_up_sync_is_dropped(void **state) {
    test_pair pair;
    (void)state;
    pair_open(&pair);
    start(&pair);
    assert_int_equal(trivet_proto_computer_cancel(pair.c), 0);
    start(&pair);
    assert_int_equal(trivet_proto_computer_cancel(pair.c), 0);
    start(&pair);
    while (pump_to_phone(&pair))
        ;
    p_expect(&pair, TRIVET_PROTO_EVENT_STATE_WANTED);
    p_expect(&pair, TRIVET_PROTO_EVENT_SYNC_CANCELLED);
    p_expect(&pair, TRIVET_PROTO_EVENT_STATE_WANTED);
    p_expect(&pair, TRIVET_PROTO_EVENT_SYNC_CANCELLED);
    p_expect(&pair, TRIVET_PROTO_EVENT_STATE_WANTED);
    for (int64_t i = 1; i <= 3; i++)
        assert_int_equal(trivet_proto_phone_answer(pair.p, "{}", 2, i), 0);
    assert_int_equal(trivet_proto_phone_answer(pair.p, "{}", 2, 4), TRIVET_PROTO_ESTATE);
    pump(&pair);
    c_expect(&pair, TRIVET_PROTO_EVENT_IGNORED);
    c_expect(&pair, TRIVET_PROTO_EVENT_IGNORED);
    expect_state(&pair, "{}", 3);
    no_events(&pair);
    pair_release(&pair);
}

/* A phone that gives up in place of an answer is in step afterwards. */
static void the_phones_cancel_is_an_answer(void **state) {
    test_pair pair;
    (void)state;
    pair_open(&pair);
    for (int i = 0; i < 3; i++) {
        start(&pair);
        pump(&pair);
        p_expect(&pair, TRIVET_PROTO_EVENT_STATE_WANTED);
        assert_int_equal(trivet_proto_phone_send(pair.p, TRIVET_PROTO_SYNC_CANCEL, NULL), 0);
        assert_int_equal(trivet_proto_phone_answer(pair.p, "{}", 2, 0), TRIVET_PROTO_ESTATE);
        pump(&pair);
        c_expect(&pair, TRIVET_PROTO_EVENT_SYNC_CANCELLED);
        no_events(&pair);
    }
    start(&pair);
    pump(&pair);
    answer(&pair, "{}", 5);
    expect_state(&pair, "{}", 5);
    /* In its own time, while the computer thinks: there is no question that it could answer. */
    assert_int_equal(trivet_proto_phone_send(pair.p, TRIVET_PROTO_SYNC_CANCEL, NULL), 0);
    pump(&pair);
    c_expect(&pair, TRIVET_PROTO_EVENT_SYNC_CANCELLED);
    start(&pair);
    pump(&pair);
    answer(&pair, "{}", 6);
    expect_state(&pair, "{}", 6);
    pair_release(&pair);
}

/* Two questions wait, and the phone gives both up: the first cancel ends the sync that runs, the second
 * settles what is left. A cancel too many is ignored. */
static void the_phones_cancel_answers_the_oldest_question(void **state) {
    test_pair pair;
    (void)state;
    pair_open(&pair);
    start(&pair);
    assert_int_equal(trivet_proto_computer_cancel(pair.c), 0);
    start(&pair);
    while (pump_to_phone(&pair))
        ;
    for (int i = 0; i < 3; i++)
        assert_int_equal(trivet_proto_phone_send(pair.p, TRIVET_PROTO_SYNC_CANCEL, NULL), 0);
    pump(&pair);
    c_expect(&pair, TRIVET_PROTO_EVENT_SYNC_CANCELLED);
    c_expect(&pair, TRIVET_PROTO_EVENT_IGNORED);
    c_expect(&pair, TRIVET_PROTO_EVENT_IGNORED);
    p_expect(&pair, TRIVET_PROTO_EVENT_STATE_WANTED);
    p_expect(&pair, TRIVET_PROTO_EVENT_SYNC_CANCELLED);
    p_expect(&pair, TRIVET_PROTO_EVENT_STATE_WANTED);
    no_events(&pair);
    start(&pair);
    pump(&pair);
    answer(&pair, "{}", 3);
    expect_state(&pair, "{}", 3);
    pair_release(&pair);
}

/* A state that follows a cancel all the same answers nothing. */
static void a_state_after_the_phones_cancel_is_dropped(void **state) {
    test_pair pair;
    (void)state;
    pair_open(&pair);
    start(&pair);
    assert_int_equal(trivet_proto_phone_send(pair.p, TRIVET_PROTO_SYNC_CANCEL, NULL), 0);
    pump(&pair);
    c_expect(&pair, TRIVET_PROTO_EVENT_SYNC_CANCELLED);
    answer(&pair, "{}", 1);
    c_expect(&pair, TRIVET_PROTO_EVENT_IGNORED);
    start(&pair);
    pump(&pair);
    answer(&pair, "{}", 2);
    expect_state(&pair, "{}", 2);
    pair_release(&pair);
}

static void no_answer_in_time(void **state) {
    test_pair pair;
    (void)state;
    pair_open(&pair);
    pair.now = 50000;
    start(&pair);
    pump(&pair);
    p_expect(&pair, TRIVET_PROTO_EVENT_STATE_WANTED);
    assert_int_equal(trivet_proto_computer_deadline(pair.c), 80000);
    trivet_proto_computer_tick(pair.c, 79999);
    no_events(&pair);
    trivet_proto_computer_tick(pair.c, 80000);
    c_expect(&pair, TRIVET_PROTO_EVENT_SYNC_TIMEOUT);
    assert_int_equal(trivet_proto_computer_deadline(pair.c), INT64_MAX);
    pair.now = 80001;
    pump(&pair);
    p_expect(&pair, TRIVET_PROTO_EVENT_SYNC_CANCELLED);
    start(&pair); /* a late answer is that of the sync before */
    pump(&pair);
    assert_int_equal(trivet_proto_phone_answer(pair.p, "{}", 2, 1), 0);
    answer(&pair, "{}", 2);
    c_expect(&pair, TRIVET_PROTO_EVENT_IGNORED);
    expect_state(&pair, "{}", 2);
    assert_int_equal(trivet_proto_computer_deadline(pair.c), INT64_MAX); /* the owner has all the time */
    pair_release(&pair);
}

/* The 30 s do not run while a file is on its way. */
static void files_hold_up_the_answer_timeout(void **state) {
    test_pair pair;
    (void)state;
    pair_open(&pair);
    json_t *request = json_pack("{s:i,s:s,s:s}", "jotId", 1, "fileId", "f", "fileType", "image");
    assert_int_equal(trivet_proto_computer_send(pair.c, TRIVET_PROTO_FILE_REQUEST, request), 0);
    start(&pair);
    pump(&pair);
    p_expect(&pair, TRIVET_PROTO_EVENT_MESSAGE);
    pair.now += 60000;
    trivet_proto_computer_tick(pair.c, pair.now);
    c_is_quiet(&pair);
    json_t *response =
        json_pack("{s:i,s:s,s:s,s:s}", "jotId", 1, "fileId", "f", "fileType", "image", "data", "AA==");
    assert_int_equal(trivet_proto_phone_send(pair.p, TRIVET_PROTO_FILE_RESPONSE, response), 0);
    pump(&pair);
    c_expect(&pair, TRIVET_PROTO_EVENT_MESSAGE);
    assert_int_equal(trivet_proto_computer_deadline(pair.c), pair.now + 30000);
    trivet_proto_computer_tick(pair.c, pair.now + 30000);
    c_expect(&pair, TRIVET_PROTO_EVENT_SYNC_TIMEOUT);

    /* A file that never comes holds it up for two minutes. */
    pair.now += 30000;
    assert_int_equal(trivet_proto_computer_send(pair.c, TRIVET_PROTO_FILE_REQUEST, request), 0);
    start(&pair);
    assert_int_equal(trivet_proto_computer_deadline(pair.c), pair.now + 120000);
    trivet_proto_computer_tick(pair.c, pair.now + 120000);
    assert_int_equal(trivet_proto_computer_deadline(pair.c), pair.now + 150000);
    json_decref(request);
    json_decref(response);
    pair_release(&pair);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_rounds),
        cmocka_unit_test(one_round_keeps_the_phones_state),
        cmocka_unit_test(large_state),
        cmocka_unit_test(what_is_too_large_is_not_sent),
        cmocka_unit_test(calls_out_of_turn),
        cmocka_unit_test(own_bad_messages_are_not_sent),
        cmocka_unit_test(sync_request_during_a_sync_is_dropped),
        cmocka_unit_test(a_sync_that_cannot_start_is_cancelled),
        cmocka_unit_test(heartbeats_end),
        cmocka_unit_test(answer_to_a_given_up_sync_is_dropped),
        cmocka_unit_test(the_phones_cancel_is_an_answer),
        cmocka_unit_test(the_phones_cancel_answers_the_oldest_question),
        cmocka_unit_test(a_state_after_the_phones_cancel_is_dropped),
        cmocka_unit_test(no_answer_in_time),
        cmocka_unit_test(files_hold_up_the_answer_timeout),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
