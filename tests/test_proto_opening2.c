/*
 * test_proto_opening2.c - an opening of version 2, one "must" of protocol §7 after the other: what each end refuses, and
 * what it does not do before it may.
 */
#include "test_proto_support.h"

static const uint8_t pairing_key[32] = "a key of 32 bytes, for tests....";

/* A phone's end without manners, and the computer's machine. */
typedef struct {
    trivet_proto_computer *c;
    test_random random;
    uint8_t secret[32], public_key[32];
    char key_init[512];
    trivet_proto_channel2_keys keys;
    uint64_t sent;
} stranger;

static void stranger_init(stranger *s, const char *device, int gen) {
    trivet_proto_computer_options options = TRIVET_PROTO_COMPUTER_OPTIONS_INIT;
    char public_key[45];
    *s = (stranger){.random = {.counter = 1}, .secret = {7}};
    options.random = test_random_bytes;
    options.random_ctx = &s->random;
    options.version_2 = true;
    s->c = trivet_proto_computer_new(&options, 0);
    assert_non_null(s->c);
    crypto_scalarmult_base(s->public_key, s->secret);
    sodium_bin2base64(public_key, sizeof public_key, s->public_key, 32, sodium_base64_VARIANT_ORIGINAL);
    snprintf(s->key_init, sizeof s->key_init,
             "{\"type\":\"key_init\",\"publicKey\":\"%s\",\"v\":2,\"device\":\"%s\",\"gen\":%d}", public_key,
             device, gen);
}

static void stranger_release(stranger *s) {
    trivet_proto_computer_free(s->c);
}

static void say_key_init(stranger *s) {
    trivet_proto_computer_receive(s->c, false, (const uint8_t *)s->key_init, strlen(s->key_init), 0);
}

static int next_event(stranger *s, trivet_proto_event *event) {
    return trivet_proto_computer_event(s->c, event) ? (int)event->kind : -1;
}

static void expect(stranger *s, trivet_proto_event_kind kind) {
    trivet_proto_event event;
    int found = next_event(s, &event);
    if (found != (int)kind)
        fail_msg("event %d %s, expected %d", found, event.error.reason, kind);
    trivet_proto_event_release(&event);
}

static void expect_close(stranger *s, int code) {
    trivet_proto_event event;
    if (next_event(s, &event) == TRIVET_PROTO_EVENT_REFUSED) {
        trivet_proto_event_release(&event);
        next_event(s, &event);
    }
    assert_int_equal(event.kind, TRIVET_PROTO_EVENT_CLOSED);
    assert_int_equal(event.close_code, code);
    trivet_proto_event_release(&event);
}

static size_t outputs(stranger *s) {
    trivet_proto_output output;
    size_t count = 0;
    while (trivet_proto_computer_output(s->c, &output)) {
        trivet_proto_output_release(&output);
        count++;
    }
    return count;
}

/* Up to the computer's key_exchange, with the keys that belong to `key`. */
static void agree(stranger *s, const uint8_t *key) {
    trivet_proto_output output;
    uint8_t theirs[32];
    say_key_init(s);
    expect(s, TRIVET_PROTO_EVENT_KEY_WANTED);
    assert_int_equal(trivet_proto_computer_key(s->c, key, 0), 0);
    assert_true(trivet_proto_computer_output(s->c, &output));
    const char *at = memmem(output.data, output.len, "\"publicKey\":\"", 13);
    assert_non_null(at);
    assert_int_equal(
        sodium_base642bin(theirs, 32, at + 13, 44, NULL, NULL, NULL, sodium_base64_VARIANT_ORIGINAL), 0);
    trivet_proto_output_release(&output);
    assert_int_equal(trivet_proto_channel2_derive(&s->keys, pairing_key, s->secret, theirs, theirs,
                                                  (const uint8_t *)s->key_init, strlen(s->key_init)),
                     0);
}

static void say_frame(stranger *s, uint8_t kind, const char *body, size_t len) {
    uint8_t *frame;
    size_t frame_len;
    assert_int_equal(trivet_proto_channel2_seal(s->keys.p2c, s->sent++, kind, (const uint8_t *)body, len,
                                                &frame, &frame_len),
                     0);
    trivet_proto_computer_receive(s->c, true, frame, frame_len, 0);
    free(frame);
}

#define HANDSHAKE                                                                                            \
    "{\"type\":\"handshake\",\"deviceId\":\"Pixel 9\",\"lastSyncTimestamp\":0,\"now\":1780000000000}"

/* ---- key_init ---- */

/* What the owner is asked for, or "refused". */
static void device_asked(const char *spelled, char out[static 65]) {
    stranger s;
    trivet_proto_event event;
    stranger_init(&s, spelled, 0);
    say_key_init(&s);
    strcpy(out, "refused");
    if (next_event(&s, &event) == TRIVET_PROTO_EVENT_KEY_WANTED)
        strcpy(out, event.device);
    trivet_proto_event_release(&event);
    stranger_release(&s);
}

#define EIGHT "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9" /* bytes, in four characters */

static void a_device_is_its_bytes(void **state) {
    static const struct {
        const char *spelled, *asked;
    } cases[] = {
        {"d-7f3a", "d-7f3a"},
        {"D-7F3A", "D-7F3A"},
        {" d ", " d "},
        {"\xc3\xa9", "\xc3\xa9"},   /* one character, */
        {"e\xcc\x81", "e\xcc\x81"}, /* and the same in two: another device */
        {"\\u00e9\\u0064", "\xc3\xa9"
                           "d"},          /* an escape is a way to write, not another name */
        {"\xef\xac\x80", "\xef\xac\x80"}, /* ff */
        {EIGHT EIGHT EIGHT EIGHT EIGHT EIGHT EIGHT EIGHT, EIGHT EIGHT EIGHT EIGHT EIGHT EIGHT EIGHT EIGHT},
        {EIGHT EIGHT EIGHT EIGHT EIGHT EIGHT EIGHT EIGHT "x", "refused"}, /* 65 bytes, 33 characters */
        {"", "refused"},
        {"\xc3", "refused"}, /* no UTF-8 */
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char asked[65];
        device_asked(cases[i].spelled, asked);
        assert_string_equal(asked, cases[i].asked);
    }
}

#define PUBLIC "\"publicKey\":\"wwGhhdgOeoMMF6mUF/hnoKge3hme31dkrgKlDRIfSHI=\""

static void key_inits_that_are_refused(void **state) {
    static const char *const texts[] = {
        "{\"type\":\"key_init\"," PUBLIC ",\"v\":2,\"device\":\"d\",\"gen\":0,\"v\":2}",
        "{\"type\":\"key_init\"," PUBLIC ",\"v\":2,\"device\":\"d\",\"gen\":0,\"device\":\"e\"}",
        "{\"type\":\"key_init\"," PUBLIC ",\"v\":2,\"device\":\"d\",\"gen\":0,\"g\\u0065n\":1}",
        "{\"type\":\"key_init\"," PUBLIC ",\"v\":2,\"device\":\"d\",\"gen\":0.0}",
        "{\"type\":\"key_init\"," PUBLIC ",\"v\":2,\"device\":\"d\",\"gen\":-0}",
        "{\"type\":\"key_init\"," PUBLIC ",\"v\":2,\"device\":\"d\",\"gen\":true}",
        "{\"type\":\"key_init\"," PUBLIC ",\"v\":2,\"device\":\"d\",\"gen\":null}",
        "{\"type\":\"key_init\"," PUBLIC ",\"v\":2,\"device\":null,\"gen\":0}",
        "{\"type\":\"key_init\",\"publicKey\":\"wwGhhdgOeoMMF6mUF/"
        "hnoKge3hme31dkrgKlDRIfSA==\",\"v\":2,\"device\":\"d\",\"gen\":0}",
        "{\"type\":\"key_init\",\"v\":2,\"device\":\"d\",\"gen\":0}",
        "{\"type\":\"key_init\"," PUBLIC ",\"v\":2,\"device\":\"d\",\"gen\":0",
    };
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        stranger s;
        stranger_init(&s, "d", 0);
        trivet_proto_computer_receive(s.c, false, (const uint8_t *)texts[i], strlen(texts[i]), 0);
        expect_close(&s, 4004);
        stranger_release(&s);
    }
}

static void no_key_of_low_order(void **state) {
    size_t i;
    json_t *hex, *vectors = load_vectors();
    (void)state;
    json_array_foreach(json_object_get(vectors, "low_order_public_keys"), i, hex) {
        stranger s;
        char base64[45];
        size_t len;
        uint8_t *bytes = from_hex(json_string_value(hex), &len);
        stranger_init(&s, "d", 0);
        sodium_bin2base64(base64, sizeof base64, bytes, 32, sodium_base64_VARIANT_ORIGINAL);
        memcpy(strstr(s.key_init, "publicKey") + 12, base64, 44);
        say_key_init(&s);
        expect(&s, TRIVET_PROTO_EVENT_KEY_WANTED);
        trivet_proto_computer_key(s.c, i % 2 == 0 ? pairing_key : NULL, 0);
        expect_close(&s, 4004);
        assert_int_equal(outputs(&s), 1); /* the close, and no key_exchange */
        stranger_release(&s);
        free(bytes);
    }
    assert_true(i >= 7);
    json_decref(vectors);
}

/* ---- key_exchange ---- */

static trivet_proto_phone *new_phone(test_random *random) {
    trivet_proto_phone_options options = TRIVET_PROTO_PHONE_OPTIONS_INIT;
    *random = (test_random){.counter = 1u << 20};
    options.random = test_random_bytes;
    options.random_ctx = random;
    options.pairing_key = pairing_key;
    options.secret = "2f1c3f9e-6c1e-4d4b-9a53-0d4a1f2b3c4d"; /* the code's, which is not for version 2 */
    options.device = "d-7f3a";
    options.device_id = "Pixel 9";
    trivet_proto_phone *p = trivet_proto_phone_new(&options, 0);
    trivet_proto_output output;
    assert_non_null(p);
    assert_true(trivet_proto_phone_output(p, &output));
    trivet_proto_output_release(&output);
    return p;
}

#define PROOF "\"proof\":\"wUUOS0kE8m3lZxBQCMLk3bpL4pORg8Ls29x4kjqRdrA=\""

static void nothing_follows_without_the_proof(void **state) {
    static const struct {
        const char *text;
        bool not_proven; /* and not just nonsense */
    } cases[] = {
        {"{\"type\":\"key_exchange\"," PUBLIC "}", true},
        {"{\"type\":\"key_exchange\"," PUBLIC ",\"v\":1}", true},
        {"{\"type\":\"key_exchange\"," PUBLIC ",\"v\":null," PROOF "}", true},
        {"{\"type\":\"key_exchange\"," PUBLIC ",\"v\":3," PROOF "}", true},
        {"{\"type\":\"key_exchange\"," PUBLIC ",\"v\":\"2\"," PROOF "}", true},
        {"{\"type\":\"key_exchange\"," PUBLIC ",\"v\":2," PROOF "}", true},
        {"{\"type\":\"key_exchange\"," PUBLIC "," PROOF "}", true},
        {"{\"type\":\"key_exchange\"," PUBLIC ",\"v\":2}", false},
        {"{\"type\":\"key_exchange\"," PUBLIC ",\"v\":2,\"proof\":null}", false},
        {"{\"type\":\"key_exchange\"," PUBLIC ",\"v\":2,\"proof\":\"\"}", false},
        {"{\"type\":\"key_exchange\"," PUBLIC
         ",\"v\":2,\"proof\":\"wUUOS0kE8m3lZxBQCMLk3bpL4pORg8Ls29x4kjqRdg==\"}",
         false},
        {"{\"type\":\"key_exchange\"," PUBLIC ",\"v\":2," PROOF "," PROOF "}", false},
        {"{\"type\":\"key_exchange\",\"v\":2," PROOF "}", false},
        {"{\"type\":\"key_init\"," PUBLIC ",\"v\":2," PROOF "}", false},
        {"{\"type\":\"heartbeat\"}", false},
        {"{\"type\":\"error\",\"code\":\"refused\",\"path\":\"v\",\"message\":\"use version 1\"}", false},
        {"", false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        test_random random;
        trivet_proto_phone *p = new_phone(&random);
        trivet_proto_event event;
        trivet_proto_output output;
        bool not_proven = false;
        trivet_proto_phone_receive(p, false, (const uint8_t *)cases[i].text, strlen(cases[i].text), 0);
        while (trivet_proto_phone_event(p, &event)) {
            not_proven |= event.kind == TRIVET_PROTO_EVENT_NOT_PROVEN;
            if (event.kind == TRIVET_PROTO_EVENT_READY || event.kind == TRIVET_PROTO_EVENT_DEVICE_KEY)
                fail_msg("taken: %s", cases[i].text);
            trivet_proto_event_release(&event);
        }
        if (not_proven != cases[i].not_proven)
            fail_msg("%s: proven %d", cases[i].text, !not_proven);
        assert_true(trivet_proto_phone_output(p, &output));
        assert_int_equal(output.close, 4004);
        trivet_proto_output_release(&output);
        assert_false(trivet_proto_phone_output(p, &output));
        trivet_proto_phone_free(p);
    }
}

/* ---- the first frame ---- */

static void first_frames_of_one_who_has_the_key(void **state) {
    static const struct {
        uint8_t kind;
        const char *body;
    } cases[] = {
        {1, "{\"type\":\"heartbeat\"}"},
        {1, "{\"type\":\"sync_request\"}"},
        {1, "{\"type\":\"debug_log\",\"lines\":[]}"},
        {1, "{\"type\":\"handshake\",\"deviceId\":\"x\",\"lastSyncTimestamp\":0}"},
        {1, "{\"type\":\"handshake\",\"deviceId\":\"x\",\"lastSyncTimestamp\":0,\"pairingSecret\":\"s\"}"},
        {1, "{\"type\":\"handshake\",\"deviceId\":\"x\",\"lastSyncTimestamp\":0,\"now\":-1}"},
        {1, "{\"type\":\"handshake\",\"deviceId\":\"x\",\"lastSyncTimestamp\":0,\"now\":\"1\"}"},
        {1, "{\"type\":\"handshake\",\"deviceId\":\"\",\"lastSyncTimestamp\":0,\"now\":1}"},
        {1, "{\"type\":\"handshake\",\"deviceId\":\"x\",\"now\":1}"},
        {1, "{\"type\":\"key_init\"}"},
        {1, ""},
        {2, HANDSHAKE},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        stranger s;
        stranger_init(&s, "d", 0);
        agree(&s, pairing_key);
        say_frame(&s, cases[i].kind, cases[i].body, strlen(cases[i].body));
        expect_close(&s, 4004);
        assert_int_equal(outputs(&s), 1);
        stranger_release(&s);
    }
}

/* Whoever has not the key, and whoever makes it look so: the owner is told, and nothing else happens until it refuses. */
static void first_frames_that_do_not_open(void **state) {
    enum { OTHER_KEY, OTHER_WAY, SECOND_COUNT, NO_TAG, ONLY_A_TAG, EMPTY, UNKNOWN_KIND, SHORT_CHUNK, CASES };
    (void)state;
    for (int i = 0; i < CASES; i++) {
        stranger s;
        uint8_t frame[64] = {0}, plain[] = "\3{}";
        uint8_t nonce[24] = {0};
        stranger_init(&s, "d", 0);
        agree(&s, i == OTHER_KEY ? NULL : pairing_key);
        if (i == OTHER_WAY)
            memcpy(s.keys.p2c, s.keys.c2p, 32);
        s.sent = i == SECOND_COUNT;
        if (i == UNKNOWN_KIND || i == SHORT_CHUNK) {
            plain[0] = i == UNKNOWN_KIND ? 3 : 2;
            crypto_secretbox_easy(frame, plain, 3, nonce, s.keys.p2c);
            trivet_proto_computer_receive(s.c, true, frame, 16 + 3, 0);
        } else if (i >= NO_TAG) {
            size_t len = i == NO_TAG ? 15 : i == ONLY_A_TAG ? 16 : 0;
            trivet_proto_computer_receive(s.c, true, frame, len, 0);
        } else {
            say_frame(&s, 1, HANDSHAKE, sizeof HANDSHAKE - 1);
        }
        expect(&s, TRIVET_PROTO_EVENT_WRONG_KEY);
        /* Whatever else it says, nothing comes of it; also not what is right after all. */
        assert_int_equal(trivet_proto_computer_deadline(s.c), INT64_MAX);
        s.sent = 0;
        say_frame(&s, 1, HANDSHAKE, sizeof HANDSHAKE - 1);
        trivet_proto_computer_receive(s.c, false, (const uint8_t *)"{}", 2, 0);
        trivet_proto_computer_tick(s.c, 60000);
        trivet_proto_event event;
        assert_int_equal(next_event(&s, &event), -1);
        assert_int_equal(outputs(&s), 0);
        assert_int_equal(trivet_proto_computer_accept(s.c, 0), TRIVET_PROTO_ESTATE);
        assert_int_equal(trivet_proto_computer_key(s.c, pairing_key, 0), TRIVET_PROTO_ESTATE);
        assert_int_equal(trivet_proto_computer_refuse(s.c, 4004, "a frame that does not open"), 0);
        expect_close(&s, 4004);
        assert_int_equal(outputs(&s), 1);
        stranger_release(&s);
    }
}

/* The phone takes the first frame as a sign that the device key is stored. */
static void nothing_is_sent_before_the_owner_accepts(void **state) {
    static const char *const messages[] = {"{\"type\":\"heartbeat\"}", "{\"type\":\"of tomorrow\"}",
                                           "{\"type\":\"debug_log\",\"lines\":[1]}",
                                           "{\"type\":\"sync_request\"}"};
    stranger s;
    (void)state;
    stranger_init(&s, "d", 0);
    agree(&s, pairing_key);
    say_frame(&s, 1, HANDSHAKE, sizeof HANDSHAKE - 1);
    for (size_t i = 0; i < 4; i++)
        say_frame(&s, 1, messages[i], strlen(messages[i]));
    expect(&s, TRIVET_PROTO_EVENT_HANDSHAKE);
    trivet_proto_event event;
    assert_int_equal(next_event(&s, &event), -1);
    assert_int_equal(trivet_proto_computer_send(s.c, TRIVET_PROTO_HEARTBEAT, NULL), TRIVET_PROTO_ESTATE);
    assert_int_equal(trivet_proto_computer_start(s.c, "{}", 2, 0, 0), TRIVET_PROTO_ESTATE);
    assert_int_equal(trivet_proto_computer_error(s.c, "a", "b", "c"), TRIVET_PROTO_ESTATE);
    assert_int_equal(outputs(&s), 0);
    assert_int_equal(trivet_proto_computer_accept(s.c, 0), 0);
    assert_int_equal(outputs(&s), 3); /* a heartbeat and two errors */
    stranger_release(&s);
}

/* Two ends that answered one would never stop. */
static void an_error_is_never_answered(void **state) {
    static const char *const errors[] = {
        "{\"type\":\"error\",\"code\":\"refused\",\"path\":\"x\",\"message\":\"y\"}",
        "{\"type\":\"error\"}",
        "{\"type\":\"error\",\"code\":7,\"path\":[],\"message\":{}}",
    };
    stranger s;
    (void)state;
    stranger_init(&s, "d", 1);
    agree(&s, pairing_key);
    say_frame(&s, 1, HANDSHAKE, sizeof HANDSHAKE - 1);
    assert_int_equal(trivet_proto_computer_accept(s.c, 0), 0);
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
        say_frame(&s, 1, errors[i], strlen(errors[i]));
        assert_int_equal(outputs(&s), 0);
    }
    stranger_release(&s);
}

/* The bounds of version 1's opening hold here, too. */
static void too_late_and_too_large(void **state) {
    static char large[4096];
    stranger s;
    (void)state;
    stranger_init(&s, "d", 0);
    agree(&s, pairing_key);
    assert_int_equal(trivet_proto_computer_deadline(s.c), 10000);
    trivet_proto_computer_tick(s.c, 10000);
    expect_close(&s, 4002);
    stranger_release(&s);
    for (size_t len = 4096 - 17; len <= 4096 - 16; len++) {
        memset(large, ' ', sizeof large);
        memcpy(large, HANDSHAKE, sizeof HANDSHAKE - 1);
        stranger_init(&s, "d", 0);
        agree(&s, pairing_key);
        say_frame(&s, 1, large, len);
        if (len == 4096 - 17)
            expect(&s, TRIVET_PROTO_EVENT_HANDSHAKE);
        else
            expect_close(&s, 1009);
        stranger_release(&s);
    }
}

static void ten_refused_in_a_minute_close(void **state) {
    static const char bad[] = "{\"type\":\"sync_ack\",\"since\":-1}";
    stranger s;
    (void)state;
    stranger_init(&s, "d", 1);
    agree(&s, pairing_key);
    say_frame(&s, 1, HANDSHAKE, sizeof HANDSHAKE - 1);
    expect(&s, TRIVET_PROTO_EVENT_HANDSHAKE);
    assert_int_equal(trivet_proto_computer_accept(s.c, 0), 0);
    for (int i = 1; i <= 10; i++) {
        say_frame(&s, 1, bad, sizeof bad - 1);
        expect(&s, TRIVET_PROTO_EVENT_REFUSED);
        assert_int_equal(outputs(&s), i < 10 ? 1 : 2); /* each is told, and the tenth is the last */
    }
    stranger_release(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_device_is_its_bytes),
        cmocka_unit_test(key_inits_that_are_refused),
        cmocka_unit_test(no_key_of_low_order),
        cmocka_unit_test(nothing_follows_without_the_proof),
        cmocka_unit_test(first_frames_of_one_who_has_the_key),
        cmocka_unit_test(first_frames_that_do_not_open),
        cmocka_unit_test(nothing_is_sent_before_the_owner_accepts),
        cmocka_unit_test(an_error_is_never_answered),
        cmocka_unit_test(too_late_and_too_large),
        cmocka_unit_test(ten_refused_in_a_minute_close),
    };
    return sodium_init() < 0 ? 1 : cmocka_run_group_tests_name("an opening of version 2", tests, NULL, NULL);
}
