/*
 * test_proto_channel.c - the strict rules of version 1's channel once it is open, on the computer's end (protocol §2), and what
 * the phone's end refuses of a computer.
 */
#include "test_proto_raw.h"

#define EARLY_LOG "{\"type\":\"debug_log\",\"lines\":[\"x\"]}"
#define HEARTBEAT "{\"type\":\"heartbeat\"}"
#define KEY "\"publicKey\":\"hV+Ns6hqgXn+LkDMzJrDathhC7oua8oP0CzreMFF0CA=\""

/* ---- boxes and nonces ---- */

static void plaintext_after_the_handshake(void **state) {
    static const char *const plain[] = {HEARTBEAT, EARLY_LOG, "{}", "rubbish",
                                        "{\"enc\":false,\"n\":\"\",\"d\":\"\"}"};
    (void)state;
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++) {
        raw_phone raw;
        raw_init(&raw);
        raw_open(&raw);
        raw_plain(&raw, plain[i]);
        raw_expect_close(&raw, 4004);
        raw_release(&raw);
    }
}

/* Sealed well, and not said to be. */
static void an_envelope_says_that_it_is_one(void **state) {
    raw_phone raw;
    uint8_t nonce[24] = {0xee}, *envelope;
    size_t len;
    (void)state;
    raw_init(&raw);
    raw_open(&raw);
    assert_int_equal(trivet_proto_channel1_seal(raw.key, nonce, (const uint8_t *)HEARTBEAT, strlen(HEARTBEAT),
                                                &envelope, &len),
                     0);
    assert_memory_equal(envelope, "{\"enc\":true", 11);
    memcpy(envelope + 7, "null", 4);
    trivet_proto_computer_receive(raw.c, false, envelope, len, raw.now);
    free(envelope);
    raw_expect_close(&raw, 4004);
    raw_release(&raw);
}

static void a_box_that_does_not_open(void **state) {
    raw_phone raw;
    (void)state;
    raw_init(&raw);
    raw_open(&raw);
    raw.key[0] ^= 1;
    raw_send(&raw, HEARTBEAT);
    raw_expect_close(&raw, 4004);
    raw_release(&raw);
}

static void a_replayed_nonce(void **state) {
    (void)state;
    for (int other_text = 0; other_text < 2; other_text++) {
        raw_phone raw;
        const char *again = other_text ? "{\"type\":\"sync_request\"}" : HEARTBEAT;
        raw_init(&raw);
        raw_open(&raw);
        raw_send(&raw, HEARTBEAT);
        raw_fetch(&raw);
        raw_box(&raw, again, strlen(again), raw.last_nonce);
        raw_expect_close(&raw, 4004);
        raw_release(&raw);
    }
}

/* The handshake's nonce counts as well. */
static void a_replayed_handshake(void **state) {
    raw_phone raw;
    (void)state;
    raw_init(&raw);
    raw_open(&raw);
    raw_box(&raw, RAW_HANDSHAKE, strlen(RAW_HANDSHAKE), raw.last_nonce);
    raw_expect_close(&raw, 4004);
    raw_release(&raw);
}

static void a_reflected_message(void **state) {
    raw_phone raw;
    trivet_proto_output output;
    (void)state;
    raw_init(&raw);
    raw_open(&raw);
    raw_send(&raw, HEARTBEAT);
    assert_true(trivet_proto_computer_output(raw.c, &output));
    trivet_proto_computer_receive(raw.c, false, output.data, output.len, raw.now);
    trivet_proto_output_release(&output);
    raw_expect_close(&raw, 4004);
    raw_release(&raw);
}

/* Ours and theirs together; an envelope more is one too many, whichever end it is of. */
static void the_nonces_run_out(void **state) {
    trivet_proto_computer_options options = TRIVET_PROTO_COMPUTER_OPTIONS_INIT;
    raw_phone raw;
    (void)state;
    options.max_nonces = 5;
    raw_init_with(&raw, &options);
    raw_open(&raw);                                /* 1 */
    raw_send(&raw, HEARTBEAT);                     /* 2, 3 */
    raw_send(&raw, "{\"type\":\"sync_request\"}"); /* 4 */
    raw_send(&raw, "{\"type\":\"sync_request\"}"); /* 5 */
    assert_true(raw_fetch(&raw));
    raw_expect(&raw, TRIVET_PROTO_EVENT_SYNC_REQUEST);
    raw_expect(&raw, TRIVET_PROTO_EVENT_SYNC_REQUEST);
    raw_is_quiet(&raw);
    raw_send(&raw, "{\"type\":\"sync_request\"}");
    raw_expect_close(&raw, 1001);
    raw_release(&raw);

    raw_init_with(&raw, &options);
    raw_open(&raw);
    for (int i = 0; i < 4; i++)
        assert_int_equal(trivet_proto_computer_send(raw.c, TRIVET_PROTO_HEARTBEAT, NULL), 0);
    assert_int_equal(trivet_proto_computer_start(raw.c, "{}", 2, 0, raw.now), TRIVET_PROTO_ESTATE);
    for (int i = 0; i < 4; i++)
        assert_true(raw_fetch(&raw)); /* what was sent before is sent still */
    raw_expect_close(&raw, 1001);
    raw_release(&raw);
}

static void a_million_nonces_is_the_default(void **state) {
    const trivet_proto_computer_options options = TRIVET_PROTO_COMPUTER_OPTIONS_INIT;
    (void)state;
    assert_int_equal(options.max_nonces, 1000000);
    assert_int_equal(options.max_message, 50 << 20);
    assert_int_equal(options.handshake_timeout, 10000);
    assert_int_equal(options.answer_timeout, 30000);
    assert_int_equal(options.refused_per_minute, 10);
}

/* The computer's own nonces: no two alike, and none that the phone has used. */
static void own_nonces_are_fresh(void **state) {
    test_random random = {.counter = 0};
    trivet_proto_computer_options options = TRIVET_PROTO_COMPUTER_OPTIONS_INIT;
    raw_phone raw;
    uint8_t nonce[24];
    (void)state;
    options.random = test_random_bytes;
    options.random_ctx = &random;
    raw_init_with(&raw, &options);
    raw_open(&raw);
    /* What the generator will give next, the phone has used. */
    test_random ahead = random;
    test_random_bytes(&ahead, nonce, sizeof nonce);
    raw_box(&raw, HEARTBEAT, strlen(HEARTBEAT), nonce);
    assert_true(raw_fetch(&raw));
    assert_memory_not_equal(raw.their_nonce, nonce, 24);
    random.counter--; /* and once more what it gave last */
    memcpy(nonce, raw.their_nonce, 24);
    raw_send(&raw, HEARTBEAT);
    assert_true(raw_fetch(&raw));
    assert_memory_not_equal(raw.their_nonce, nonce, 24);
    raw_release(&raw);
}

/* ---- rates ---- */

static void two_hundred_at_once_and_fifty_a_second(void **state) {
    raw_phone raw;
    (void)state;
    raw_init(&raw);
    raw_open(&raw); /* 2 of the 200 */
    for (int i = 0; i < 198; i++)
        raw_send(&raw, "{\"type\":\"unheard of\"}");
    for (int i = 0; i < 198; i++)
        raw_expect(&raw, TRIVET_PROTO_EVENT_IGNORED);
    for (int i = 0; i < 100; i++) {
        raw.now += 20;
        raw_send(&raw, "{\"type\":\"unheard of\"}");
        raw_expect(&raw, TRIVET_PROTO_EVENT_IGNORED);
    }
    raw.now += 19;
    raw_send(&raw, "{\"type\":\"unheard of\"}");
    raw_expect_close(&raw, 4005);
    raw_release(&raw);
}

/* Messages that wait count when they come, and not again when they are read. */
static void messages_that_wait_count_once(void **state) {
    raw_phone raw;
    (void)state;
    raw_init(&raw);
    raw_agree(&raw);
    raw_send(&raw, RAW_HANDSHAKE);
    for (int i = 0; i < 198; i++)
        raw_send(&raw, "{\"type\":\"unheard of\"}");
    raw_expect(&raw, TRIVET_PROTO_EVENT_HANDSHAKE);
    raw_is_quiet(&raw);
    trivet_proto_computer_accept(raw.c, raw.now);
    for (int i = 0; i < 198; i++)
        raw_expect(&raw, TRIVET_PROTO_EVENT_IGNORED);
    raw_is_quiet(&raw);
    raw_send(&raw, "{\"type\":\"unheard of\"}");
    raw_expect_close(&raw, 4005);
    raw_release(&raw);
}

static void ten_refused_messages_within_a_minute(void **state) {
    raw_phone raw;
    (void)state;
    raw_init(&raw);
    raw_open(&raw);
    for (int i = 0; i < 9; i++) {
        raw_send(&raw, "{\"type\":\"jot_manifest\",\"jots\":1}");
        raw_expect_refused(&raw, TRIVET_PROTO_JOT_MANIFEST, "jots");
    }
    raw.now += 60000;
    for (int i = 0; i < 9; i++) {
        raw_send(&raw, "{\"type\":\"file_request\"}");
        raw_expect_refused(&raw, TRIVET_PROTO_FILE_REQUEST, "type");
    }
    raw_is_quiet(&raw);
    raw.now += 59999;
    raw_send(&raw, "no JSON");
    raw_expect_refused(&raw, TRIVET_PROTO_UNKNOWN, "");
    raw_expect_close(&raw, 4004);
    raw_release(&raw);
}

/* ---- messages once open ---- */

static void heartbeats_are_answered(void **state) {
    raw_phone raw;
    (void)state;
    raw_init(&raw);
    raw_open(&raw);
    raw_send(&raw, HEARTBEAT);
    assert_true(raw_fetch(&raw));
    assert_string_equal(raw.text, HEARTBEAT);
    raw_is_quiet(&raw);
    raw_release(&raw);
}

static void openings_come_once(void **state) {
    raw_phone raw;
    (void)state;
    raw_init(&raw);
    raw_open(&raw);
    raw_send(&raw, RAW_HANDSHAKE);
    raw_expect_refused(&raw, TRIVET_PROTO_HANDSHAKE, "type");
    raw_send(&raw, "{\"type\":\"key_init\",\"publicKey\":\"AAAA\"}");
    raw_expect_refused(&raw, TRIVET_PROTO_KEY_INIT, "type");
    raw_is_quiet(&raw);
    raw_release(&raw);
}

static void a_refused_state_cancels_the_sync(void **state) {
    raw_phone raw;
    trivet_proto_event event;
    (void)state;
    raw_init(&raw);
    raw_open(&raw);
    assert_int_equal(trivet_proto_computer_start(raw.c, "{}", 2, 0, raw.now), 0);
    assert_true(raw_fetch(&raw));
    assert_string_equal(raw.text, "{\"type\":\"state_sync\",\"since\":0}");
    raw_send(&raw, "{\"type\":\"state_sync\",\"lists\":{},\"since\":0}");
    assert_true(trivet_proto_computer_event(raw.c, &event));
    assert_int_equal(event.kind, TRIVET_PROTO_EVENT_SYNC_REFUSED);
    assert_string_equal(event.error.path, "lists");
    assert_string_equal(event.error.reason, "expected an array");
    trivet_proto_event_release(&event);
    assert_true(raw_fetch(&raw));
    assert_string_equal(raw.text, "{\"type\":\"sync_cancel\"}");
    raw_is_quiet(&raw);
    /* It was an answer: the next state is that of the next sync. */
    assert_int_equal(trivet_proto_computer_start(raw.c, "{}", 2, 0, raw.now), 0);
    raw_fetch(&raw);
    raw_send(&raw, "{\"type\":\"state_sync\",\"since\":0}");
    raw_expect(&raw, TRIVET_PROTO_EVENT_STATE);
    raw_release(&raw);
}

static void a_refused_state_answers_a_given_up_sync(void **state) {
    raw_phone raw;
    (void)state;
    raw_init(&raw);
    raw_open(&raw);
    trivet_proto_computer_start(raw.c, "{}", 2, 0, raw.now);
    trivet_proto_computer_cancel(raw.c);
    trivet_proto_computer_start(raw.c, "{}", 2, 0, raw.now);
    while (raw_fetch(&raw))
        ;
    raw_send(&raw, "{\"type\":\"state_sync\"}");
    raw_expect_refused(&raw, TRIVET_PROTO_STATE_SYNC, "since");
    raw_send(&raw, "{\"type\":\"state_sync\",\"since\":1}");
    raw_expect(&raw, TRIVET_PROTO_EVENT_STATE);
    raw_release(&raw);
}

static void an_answer_to_no_question(void **state) {
    raw_phone raw;
    (void)state;
    raw_init(&raw);
    raw_open(&raw);
    raw_send(&raw, "{\"type\":\"state_sync\",\"since\":1}");
    raw_expect(&raw, TRIVET_PROTO_EVENT_IGNORED);
    raw_send(&raw, "{\"type\":\"sync_cancel\"}");
    raw_expect(&raw, TRIVET_PROTO_EVENT_IGNORED);
    raw_is_quiet(&raw);
    raw_release(&raw);
}

static void the_phone_cancels(void **state) {
    raw_phone raw;
    (void)state;
    raw_init(&raw);
    raw_open(&raw);
    for (int answered = 0; answered < 2; answered++) {
        assert_int_equal(trivet_proto_computer_start(raw.c, "{}", 2, 0, raw.now), 0);
        if (answered) { /* the cancel stood in for the first answer, so this is the second one's */
            raw_send(&raw, "{\"type\":\"state_sync\",\"since\":1}");
            raw_expect(&raw, TRIVET_PROTO_EVENT_STATE);
        }
        raw_send(&raw, "{\"type\":\"sync_cancel\"}");
        raw_expect(&raw, TRIVET_PROTO_EVENT_SYNC_CANCELLED);
    }
    raw_release(&raw);
}

/* ---- the end ---- */

static void reasons_are_cut_at_a_character(void **state) {
    raw_phone raw;
    char reason[200];
    (void)state;
    raw_init(&raw);
    memset(reason, 'x', sizeof reason);
    memcpy(reason + 121, "\xe2\x82\xac", 4); /* bytes 121 to 123 */
    assert_int_equal(trivet_proto_computer_close(raw.c, 1001, reason), 0);
    raw_expect_close(&raw, 1001);
    assert_int_equal(strlen(raw.text), 121);
    assert_int_equal(trivet_proto_computer_close(raw.c, 1000, "again"), TRIVET_PROTO_ESTATE);
    raw_release(&raw);
}

static void no_event_follows_the_close_output(void **state) {
    raw_phone raw;
    trivet_proto_event event;
    (void)state;
    raw_init(&raw);
    raw_open(&raw);
    raw_send(&raw, "{\"type\":\"sync_request\"}");
    trivet_proto_computer_close(raw.c, 1001, "bye");
    assert_true(raw_fetch(&raw));
    assert_int_equal(raw.closed, 1001);
    assert_false(trivet_proto_computer_event(raw.c, &event));
    raw_release(&raw);
}

/* ---- the phone's end ---- */

typedef struct {
    const char *first, *then; /* texts to the phone, `then` sealed */
    int code;
} phone_case;

/* The computer's key pair is that of the test; the phone is the machine. */
static void phone_case_run(const phone_case *test) {
    uint8_t secret[32], public_key[32], theirs[32], key[32], nonce[24] = {9}, *envelope;
    char base64[48], text[256];
    size_t len;
    trivet_proto_phone_options options = TRIVET_PROTO_PHONE_OPTIONS_INIT;
    trivet_proto_output output;
    trivet_proto_event event;
    options.secret = "s";
    options.device_id = "d";
    memset(secret, 5, sizeof secret);
    crypto_scalarmult_base(public_key, secret);
    trivet_proto_phone *p = trivet_proto_phone_new(&options, 0);
    assert_true(trivet_proto_phone_output(p, &output));
    const char *at = strstr((const char *)output.data, "\"publicKey\":\"");
    assert_int_equal(
        sodium_base642bin(theirs, 32, at + 13, 44, NULL, &len, NULL, sodium_base64_VARIANT_ORIGINAL), 0);
    trivet_proto_output_release(&output);
    assert_int_equal(trivet_proto_channel1_key(key, theirs, secret), 0);
    sodium_bin2base64(base64, sizeof base64, public_key, 32, sodium_base64_VARIANT_ORIGINAL);
    snprintf(text, sizeof text, "{\"type\":\"key_exchange\",\"publicKey\":\"%s\"}", base64);
    const char *first = test->first != NULL ? test->first : text;
    trivet_proto_phone_receive(p, false, (const uint8_t *)first, strlen(first), 0);
    if (test->then != NULL) {
        bool sealed = test->then[0] == '{';
        assert_int_equal(trivet_proto_channel1_seal(key, nonce, (const uint8_t *)test->then,
                                                    strlen(test->then), &envelope, &len),
                         0);
        for (int i = 0; i < (sealed ? 1 : 2); i++)
            trivet_proto_phone_receive(p, false, envelope, len, 0);
        free(envelope);
    }
    int closed = 0;
    while (trivet_proto_phone_event(p, &event)) {
        closed = event.kind == TRIVET_PROTO_EVENT_CLOSED ? event.close_code : 0;
        trivet_proto_event_release(&event);
    }
    assert_int_equal(closed, test->code);
    trivet_proto_phone_free(p);
}

static void the_phone_is_as_strict(void **state) {
    static const phone_case cases[] = {
        {NULL, NULL, 0},
        {NULL, "{\"type\":\"sync_cancel\"}", 0},
        {NULL, "{\"type\":\"heartbeat\"}", 0},
        {NULL, "twice", 4004}, /* replayed */
        {"{\"type\":\"heartbeat\"}", NULL, 4004},
        {"{\"type\":\"key_init\"," KEY "}", NULL, 4004},
        {"{\"type\":\"key_exchange\"}", NULL, 4004},
        {"{\"type\":\"key_exchange\",\"publicKey\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\"}", NULL,
         4004},
        {"", NULL, 4004},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        phone_case_run(&cases[i]);
}

static void the_phone_gives_up_waiting(void **state) {
    trivet_proto_phone_options options = TRIVET_PROTO_PHONE_OPTIONS_INIT;
    trivet_proto_event event;
    (void)state;
    trivet_proto_phone *p = trivet_proto_phone_new(&options, 500);
    assert_int_equal(trivet_proto_phone_deadline(p), 10500);
    trivet_proto_phone_tick(p, 10499);
    assert_false(trivet_proto_phone_event(p, &event));
    trivet_proto_phone_tick(p, 10500);
    assert_true(trivet_proto_phone_event(p, &event));
    assert_int_equal(event.kind, TRIVET_PROTO_EVENT_CLOSED);
    assert_int_equal(event.close_code, 4002);
    trivet_proto_phone_free(p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plaintext_after_the_handshake),
        cmocka_unit_test(an_envelope_says_that_it_is_one),
        cmocka_unit_test(a_box_that_does_not_open),
        cmocka_unit_test(a_replayed_nonce),
        cmocka_unit_test(a_replayed_handshake),
        cmocka_unit_test(a_reflected_message),
        cmocka_unit_test(the_nonces_run_out),
        cmocka_unit_test(a_million_nonces_is_the_default),
        cmocka_unit_test(own_nonces_are_fresh),
        cmocka_unit_test(two_hundred_at_once_and_fifty_a_second),
        cmocka_unit_test(messages_that_wait_count_once),
        cmocka_unit_test(ten_refused_messages_within_a_minute),
        cmocka_unit_test(heartbeats_are_answered),
        cmocka_unit_test(openings_come_once),
        cmocka_unit_test(a_refused_state_cancels_the_sync),
        cmocka_unit_test(a_refused_state_answers_a_given_up_sync),
        cmocka_unit_test(an_answer_to_no_question),
        cmocka_unit_test(the_phone_cancels),
        cmocka_unit_test(reasons_are_cut_at_a_character),
        cmocka_unit_test(no_event_follows_the_close_output),
        cmocka_unit_test(the_phone_is_as_strict),
        cmocka_unit_test(the_phone_gives_up_waiting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
