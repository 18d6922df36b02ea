/*
 * test_proto_version2.c - both machines speak version 2 (protocol §7), against the vectors and against each other.
 */
#include "test_proto_pair.h"

#include "session.h"

static json_t *vectors;

static int group_setup(void **state) {
    (void)state;
    vectors = load_vectors();
    return sodium_init() < 0;
}

static int group_teardown(void **state) {
    (void)state;
    json_decref(vectors);
    return 0;
}

static json_t *vector_at(size_t i) {
    json_t *vector = json_array_get(json_object_get(vectors, "v2"), i);
    assert_non_null(vector);
    return vector;
}

/* ---- both ends of a vector ---- */

static trivet_proto_computer *computer_of(const json_t *vector, test_random *random) {
    trivet_proto_computer_options options = TRIVET_PROTO_COMPUTER_OPTIONS_INIT;
    *random = (test_random){.first_len = 32};
    key_of(random->first, vector, "computerSecret");
    options.random = test_random_bytes;
    options.random_ctx = random;
    options.version_2 = true;
    return trivet_proto_computer_new(&options, 0);
}

static trivet_proto_phone *phone_of(const json_t *vector, test_random *random) {
    trivet_proto_phone_options options = TRIVET_PROTO_PHONE_OPTIONS_INIT;
    uint8_t key[32];
    *random = (test_random){.first_len = 32};
    key_of(random->first, vector, "phoneSecret");
    key_of(key, vector, "key");
    options.random = test_random_bytes;
    options.random_ctx = random;
    options.pairing_key = key;
    options.device = text_of(vector, "device");
    options.gen = (int)json_integer_value(json_object_get(vector, "gen"));
    options.device_id = "Pixel 9";
    options.clock = 1780000000000;
    return trivet_proto_phone_new(&options, 0);
}

static void expect_bytes(const trivet_proto_output *output, bool binary, const void *data, size_t len) {
    assert_int_equal(output->close, 0);
    assert_int_equal(output->binary, binary);
    assert_int_equal(output->len, len);
    assert_memory_equal(output->data, data, len);
}

static void expect_frame(const trivet_proto_output *output, const json_t *vector, size_t frame) {
    size_t len;
    uint8_t *bytes =
        from_hex(text_of(json_array_get(json_object_get(vector, "frames"), frame), "frame"), &len);
    expect_bytes(output, true, bytes, len);
    free(bytes);
}

/* Up to the computer's key_exchange; what it is asked for is checked. */
static void give_key(trivet_proto_computer *c, const json_t *vector, const char *key_init, bool known) {
    trivet_proto_event event;
    uint8_t key[32];
    key_of(key, vector, "key");
    assert_int_equal(trivet_proto_computer_receive(c, false, (const uint8_t *)key_init, strlen(key_init), 0),
                     0);
    assert_true(trivet_proto_computer_event(c, &event));
    assert_int_equal(event.kind, TRIVET_PROTO_EVENT_KEY_WANTED);
    assert_string_equal(event.device, text_of(vector, "device"));
    assert_int_equal(event.gen, json_integer_value(json_object_get(vector, "gen")));
    trivet_proto_event_release(&event);
    assert_int_equal(trivet_proto_computer_version(c), 0);
    assert_int_equal(trivet_proto_computer_key(c, known ? key : NULL, 0), 0);
    assert_int_equal(trivet_proto_computer_version(c), 2);
    assert_int_equal(trivet_proto_computer_key(c, key, 0), TRIVET_PROTO_ESTATE);
}

static void check_opening(const json_t *vector) {
    test_random random_c, random_p;
    trivet_proto_computer *c = computer_of(vector, &random_c);
    trivet_proto_phone *p = phone_of(vector, &random_p);
    trivet_proto_output output;
    trivet_proto_event event;
    uint8_t device_key[32];
    bool first = json_integer_value(json_object_get(vector, "gen")) == 0;

    key_of(device_key, vector, "deviceKey");
    assert_true(trivet_proto_phone_output(p, &output));
    expect_bytes(&output, false, text_of(vector, "keyInit"), strlen(text_of(vector, "keyInit")));
    trivet_proto_output_release(&output);
    give_key(c, vector, text_of(vector, "keyInit"), true);
    assert_true(trivet_proto_computer_output(c, &output));
    expect_bytes(&output, false, text_of(vector, "keyExchange"), strlen(text_of(vector, "keyExchange")));

    assert_false(trivet_proto_phone_output(p, &(trivet_proto_output){0}));
    trivet_proto_phone_receive(p, false, output.data, output.len, 0);
    trivet_proto_output_release(&output);
    assert_true(trivet_proto_phone_output(p, &output));
    expect_frame(&output, vector, 0);
    trivet_proto_computer_receive(c, true, output.data, output.len, 0);
    trivet_proto_output_release(&output);
    assert_true(trivet_proto_computer_event(c, &event));
    assert_int_equal(event.kind, TRIVET_PROTO_EVENT_HANDSHAKE);
    assert_int_equal(event.version, 2);
    assert_null(event.secret);
    assert_string_equal(event.device, text_of(vector, "device"));
    assert_string_equal(event.device_id, "Pixel 9");
    assert_int_equal(event.clock, 1780000000000);
    assert_memory_equal(event.device_key, device_key, 32);
    trivet_proto_event_release(&event);
    assert_int_equal(trivet_proto_computer_accept(c, 0), 0);

    /* The computer's first frame; nothing tells the phone of the device key before it. */
    assert_true(trivet_proto_phone_event(p, &event));
    assert_int_equal(event.kind, TRIVET_PROTO_EVENT_READY);
    trivet_proto_event_release(&event);
    assert_int_equal(trivet_proto_computer_send(c, TRIVET_PROTO_HEARTBEAT, NULL), 0);
    assert_true(trivet_proto_computer_output(c, &output));
    expect_frame(&output, vector, 1);
    trivet_proto_phone_receive(p, true, output.data, output.len, 0);
    trivet_proto_output_release(&output);
    assert_int_equal(trivet_proto_phone_event(p, &event), first);
    if (first) {
        assert_int_equal(event.kind, TRIVET_PROTO_EVENT_DEVICE_KEY);
        assert_memory_equal(event.device_key, device_key, 32);
    }
    trivet_proto_event_release(&event);
    trivet_proto_computer_free(c);
    trivet_proto_phone_free(p);
}

static void the_vectors_are_spoken(void **state) {
    (void)state;
    for (size_t i = 0; i < json_array_size(json_object_get(vectors, "v2")); i++)
        check_opening(vector_at(i));
}

static void the_phone_refuses(void **state) {
    size_t i;
    json_t *refused;
    (void)state;
    json_array_foreach(json_object_get(vectors, "v2_phone_refuses"), i, refused) {
        test_random random;
        trivet_proto_phone *p = phone_of(vector_at(0), &random);
        trivet_proto_output output;
        trivet_proto_event event;
        const char *text = text_of(refused, "keyExchange"), *why = text_of(refused, "why");
        assert_true(trivet_proto_phone_output(p, &output));
        trivet_proto_output_release(&output);
        trivet_proto_phone_receive(p, false, (const uint8_t *)text, strlen(text), 0);
        bool not_proven = false;
        while (trivet_proto_phone_event(p, &event)) {
            not_proven = not_proven || event.kind == TRIVET_PROTO_EVENT_NOT_PROVEN;
            if (event.kind == TRIVET_PROTO_EVENT_READY)
                fail_msg("taken: %s", why);
            trivet_proto_event_release(&event);
        }
        bool other_proof = strstr(why, "wrong proof") || strstr(why, "another transcript");
        if (other_proof || strstr(why, "stripped"))
            assert_true(not_proven);
        /* Not another byte but the close. */
        assert_true(trivet_proto_phone_output(p, &output));
        assert_int_equal(output.close, 4004);
        trivet_proto_output_release(&output);
        assert_false(trivet_proto_phone_output(p, &output));
        trivet_proto_phone_free(p);
    }
}

static int close_of(trivet_proto_computer *c) {
    trivet_proto_event event;
    int code = 0;
    while (trivet_proto_computer_event(c, &event)) {
        if (event.kind == TRIVET_PROTO_EVENT_WRONG_KEY)
            trivet_proto_computer_refuse(c, 4004, "a frame that does not open");
        if (event.kind == TRIVET_PROTO_EVENT_CLOSED)
            code = event.close_code;
        trivet_proto_event_release(&event);
    }
    return code;
}

static void the_computer_closes(void **state) {
    size_t i, j;
    json_t *run, *frame;
    (void)state;
    json_array_foreach(json_object_get(vectors, "v2_computer_closes"), i, run) {
        test_random random;
        trivet_proto_computer *c = computer_of(vector_at(0), &random);
        give_key(c, vector_at(0), text_of(vector_at(0), "keyInit"), true);
        json_array_foreach(json_object_get(run, "frames"), j, frame) {
            size_t len;
            uint8_t *bytes = from_hex(json_string_value(frame), &len);
            trivet_proto_computer_receive(c, true, bytes, len, 0);
            free(bytes);
        }
        if (close_of(c) != 4004)
            fail_msg("not closed: %s", text_of(run, "why"));
        trivet_proto_computer_free(c);
    }
}

/* ---- pairs ---- */

static const uint8_t pairing_key[32] = "a key of 32 bytes, for tests....";

static void pair2_init(test_pair *pair, int gen) {
    trivet_proto_computer_options computer = TRIVET_PROTO_COMPUTER_OPTIONS_INIT;
    trivet_proto_phone_options phone = TRIVET_PROTO_PHONE_OPTIONS_INIT;
    *pair = (test_pair){.random_c = {.counter = 1}, .random_p = {.counter = 1u << 20}, .now = 1000};
    computer.random = phone.random = test_random_bytes;
    computer.random_ctx = &pair->random_c;
    phone.random_ctx = &pair->random_p;
    computer.version_2 = true;
    phone.pairing_key = pairing_key;
    phone.device = "d-7f3a";
    phone.gen = gen;
    phone.device_id = "Pixel 9";
    phone.clock = 1780000000000;
    pair->c = trivet_proto_computer_new(&computer, pair->now);
    pair->p = trivet_proto_phone_new(&phone, pair->now);
    assert_non_null(pair->c);
    assert_non_null(pair->p);
}

static void pair2_open(test_pair *pair) {
    pair2_init(pair, 1);
    pump(pair);
    c_expect(pair, TRIVET_PROTO_EVENT_KEY_WANTED);
    assert_int_equal(trivet_proto_computer_key(pair->c, pairing_key, pair->now), 0);
    pump(pair);
    p_expect(pair, TRIVET_PROTO_EVENT_READY);
    c_expect(pair, TRIVET_PROTO_EVENT_HANDSHAKE);
    assert_int_equal(trivet_proto_computer_accept(pair->c, pair->now), 0);
    no_events(pair);
}

/* What a peer sees of an opening that fails: everything that the computer sends, and after how many random bytes drawn. */
static void watch(const uint8_t *key, char *seen, size_t room) {
    test_pair pair;
    trivet_proto_output output;
    trivet_proto_event event;
    uint8_t frame[40] = {1, 2, 3};
    size_t at = 0;
    pair2_init(&pair, 0);
    pump(&pair);
    c_expect(&pair, TRIVET_PROTO_EVENT_KEY_WANTED);
    assert_int_equal(trivet_proto_computer_key(pair.c, key, pair.now), 0);
    assert_true(trivet_proto_computer_output(pair.c, &output));
    /* The public key is the same for both, the proof differs, as it does for any two keys. */
    at += (size_t)snprintf(seen + at, room - at, "%zu %.*s %llu;", output.len, (int)(output.len - 46),
                           (char *)output.data, (unsigned long long)pair.random_c.counter);
    trivet_proto_output_release(&output);
    trivet_proto_computer_receive(pair.c, true, frame, sizeof frame, pair.now);
    while (trivet_proto_computer_event(pair.c, &event)) {
        at += (size_t)snprintf(seen + at, room - at, "event %d %d %s;", event.kind, event.close_code,
                               event.error.reason);
        if (event.kind == TRIVET_PROTO_EVENT_WRONG_KEY)
            trivet_proto_computer_refuse(pair.c, 4004, "a frame that does not open");
        trivet_proto_event_release(&event);
    }
    while (trivet_proto_computer_output(pair.c, &output)) {
        at += (size_t)snprintf(seen + at, room - at, "%d %.*s;", output.close, (int)output.len,
                               (char *)output.data);
        trivet_proto_output_release(&output);
    }
    pair_release(&pair);
}

static void an_unknown_device_is_a_wrong_key(void **state) {
    char known[512], unknown[512];
    (void)state;
    watch(pairing_key, known, sizeof known);
    watch(NULL, unknown, sizeof unknown);
    assert_string_equal(known, unknown);
    assert_non_null(strstr(known, "4004"));
}

/* A phone whose device the computer does not know is told nothing, and sends nothing. */
static void nothing_is_told_to_a_stranger(void **state) {
    test_pair pair;
    (void)state;
    pair2_init(&pair, 0);
    pump(&pair);
    c_expect(&pair, TRIVET_PROTO_EVENT_KEY_WANTED);
    assert_int_equal(trivet_proto_computer_key(pair.c, NULL, pair.now), 0);
    assert_true(pump_to_phone(&pair));
    p_expect(&pair, TRIVET_PROTO_EVENT_NOT_PROVEN);
    pump(&pair);
    c_is_quiet(&pair);
    assert_int_equal(pair.p_closed, 4004);
    pair_release(&pair);
}

static void a_text_message_closes(void **state) {
    test_pair pair;
    (void)state;
    pair2_open(&pair);
    trivet_proto_computer_receive(pair.c, false, (const uint8_t *)"{}", 2, pair.now);
    c_expect_close(&pair, 4004);
    pair_release(&pair);
    pair2_open(&pair);
    trivet_proto_phone_receive(pair.p, false, (const uint8_t *)"{}", 2, pair.now);
    p_expect(&pair, TRIVET_PROTO_EVENT_CLOSED);
    pair_release(&pair);
}

/* A frame too many before the key was there: the phone has to wait for the proof. */
static void what_comes_before_the_proof_closes(void **state) {
    test_pair pair;
    (void)state;
    pair2_init(&pair, 0);
    pump(&pair);
    c_expect(&pair, TRIVET_PROTO_EVENT_KEY_WANTED);
    assert_true(trivet_proto_computer_deadline(pair.c) != INT64_MAX);
    trivet_proto_computer_receive(pair.c, false, (const uint8_t *)"{\"type\":\"debug_log\",\"lines\":[]}", 31,
                                  pair.now);
    c_expect_close(&pair, 4004);
    assert_int_equal(trivet_proto_computer_key(pair.c, pairing_key, pair.now), TRIVET_PROTO_ESTATE);
    pair_release(&pair);
}

static void a_key_that_comes_late(void **state) {
    test_pair pair;
    (void)state;
    pair2_init(&pair, 0);
    pump(&pair);
    c_expect(&pair, TRIVET_PROTO_EVENT_KEY_WANTED);
    trivet_proto_computer_tick(pair.c, pair.now + 10000);
    c_expect_close(&pair, 4002);
    pair_release(&pair);
}

/* ---- what is refused at the start ---- */

static int answer_to(const char *key_init, bool version_1, bool version_2) {
    trivet_proto_computer_options options = TRIVET_PROTO_COMPUTER_OPTIONS_INIT;
    options.version_1 = version_1;
    options.version_2 = version_2;
    trivet_proto_computer *c = trivet_proto_computer_new(&options, 0);
    trivet_proto_computer_receive(c, false, (const uint8_t *)key_init, strlen(key_init), 0);
    if (options.version_2)
        (void)trivet_proto_computer_key(c, pairing_key, 0);
    int code = close_of(c);
    trivet_proto_computer_free(c);
    return code;
}

#define PUBLIC "\"publicKey\":\"wwGhhdgOeoMMF6mUF/hnoKge3hme31dkrgKlDRIfSHI=\""
#define ZERO "\"publicKey\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\""
#define EIGHT "12345678"

static void key_inits(void **state) {
    static const struct {
        const char *text;
        bool version_1, version_2;
        int code;
    } cases[] = {
        {"{\"type\":\"key_init\"," PUBLIC "}", true, true, 0},
        {"{\"type\":\"key_init\"," PUBLIC ",\"v\":1}", true, false, 0},
        {"{\"type\":\"key_init\"," PUBLIC "}", false, true, 4003},
        {"{\"type\":\"key_init\"," PUBLIC ",\"v\":2,\"device\":\"d\",\"gen\":0}", true, true, 0},
        {"{\"type\":\"key_init\"," PUBLIC ",\"v\":2,\"device\":\"d\",\"gen\":1}", false, true, 0},
        {"{\"type\":\"key_init\"," PUBLIC ",\"v\":2,\"device\":\"d\",\"gen\":0}", true, false, 4003},
        {"{\"type\":\"key_init\"," PUBLIC ",\"v\":3,\"device\":\"d\",\"gen\":0}", true, true, 4003},
        {"{\"type\":\"key_init\"," PUBLIC ",\"v\":2,\"device\":\"d\",\"gen\":2}", true, true, 4004},
        {"{\"type\":\"key_init\"," PUBLIC ",\"v\":2,\"device\":\"d\",\"gen\":\"0\"}", true, true, 4004},
        {"{\"type\":\"key_init\"," PUBLIC ",\"v\":2,\"device\":\"d\"}", true, true, 4004},
        {"{\"type\":\"key_init\"," PUBLIC ",\"v\":2,\"gen\":0}", true, true, 4004},
        {"{\"type\":\"key_init\"," PUBLIC ",\"v\":2,\"device\":\"\",\"gen\":0}", true, true, 4004},
        {"{\"type\":\"key_init\"," PUBLIC ",\"v\":2,\"device\":7,\"gen\":0}", true, true, 4004},
        {"{\"type\":\"key_init\"," PUBLIC
         ",\"v\":2,\"device\":\"" EIGHT EIGHT EIGHT EIGHT EIGHT EIGHT EIGHT EIGHT "\",\"gen\":0}",
         true, true, 0},
        {"{\"type\":\"key_init\"," PUBLIC
         ",\"v\":2,\"device\":\"" EIGHT EIGHT EIGHT EIGHT EIGHT EIGHT EIGHT EIGHT "9\",\"gen\":0}",
         true, true, 4004},
        {"{\"type\":\"key_init\"," ZERO ",\"v\":2,\"device\":\"d\",\"gen\":0}", true, true, 4004},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int code = answer_to(cases[i].text, cases[i].version_1, cases[i].version_2);
        if (code != cases[i].code)
            fail_msg("%s: %d", cases[i].text, code);
    }
}

static void phones_that_cannot_be(void **state) {
    trivet_proto_phone_options options = TRIVET_PROTO_PHONE_OPTIONS_INIT;
    (void)state;
    options.pairing_key = pairing_key;
    assert_null(trivet_proto_phone_new(&options, 0));
    options.device = EIGHT EIGHT EIGHT EIGHT EIGHT EIGHT EIGHT EIGHT "9";
    assert_null(trivet_proto_phone_new(&options, 0));
    options.device = "d";
    options.gen = 2;
    assert_null(trivet_proto_phone_new(&options, 0));
}

/* ---- the count of frames ---- */

static void a_count_never_wraps(void **state) {
    proto_session c, p;
    const proto_session_options options = {.max_message = 1000, .refused_per_minute = 10};
    uint8_t public_c[32], public_p[32], proof[32], kind, *plain;
    size_t len;
    trivet_proto_output output;
    (void)state;
    assert_int_equal(proto_session_init(&c, &options), 0);
    assert_int_equal(proto_session_init(&p, &options), 0);
    proto_session_key_pair(&c, public_c);
    proto_session_key_pair(&p, public_p);
    assert_int_equal(proto_session_agree2(&c, pairing_key, public_p, public_c, public_p, 32, proof), 0);
    assert_int_equal(proto_session_agree2(&p, pairing_key, public_c, public_c, public_p, 32, proof), 0);
    p.sent = c.received = UINT64_MAX - 1;
    assert_int_equal(proto_session_send_type(&p, TRIVET_PROTO_HEARTBEAT), 0);
    assert_true(proto_session_output(&p, &output));
    assert_int_equal(proto_session_open(&c, true, output.data, output.len, &kind, &plain, &len), 0);
    free(plain);
    /* The last one stays unused, on either side. */
    assert_int_equal(proto_session_open(&c, true, output.data, output.len, &kind, &plain, &len),
                     TRIVET_PROTO_ESTATE);
    assert_int_equal(c.close_code, 1001);
    trivet_proto_output_release(&output);
    assert_int_equal(proto_session_send_type(&p, TRIVET_PROTO_HEARTBEAT), TRIVET_PROTO_ESTATE);
    assert_int_equal(p.close_code, 1001);
    assert_true(sodium_is_zero(p.send_key, 32) && sodium_is_zero(p.receive_key, 32));
    proto_session_release(&c);
    proto_session_release(&p);
}

/* ---- messages ---- */

static void expect_error(test_pair *pair, const char *code, const char *path) {
    trivet_proto_event event = p_event(pair, TRIVET_PROTO_EVENT_MESSAGE);
    assert_int_equal(event.type, TRIVET_PROTO_ERROR);
    assert_string_equal(text_of(event.message.body, "code"), code);
    assert_string_equal(text_of(event.message.body, "path"), path);
    assert_true(text_of(event.message.body, "message")[0] != '\0');
    trivet_proto_event_release(&event);
}

/* Any text as a frame of the phone's. */
static void say(test_pair *pair, const char *text) {
    json_t *body = json_loads(text, 0, NULL);
    assert_non_null(body);
    json_decref(body);
    trivet_proto_message message;
    trivet_proto_error error;
    assert_int_equal(trivet_proto_message_decode((const uint8_t *)text, strlen(text), TRIVET_PROTO_FROM_PHONE,
                                                 &message, &error),
                     0);
    assert_int_equal(trivet_proto_phone_send(pair->p, message.type, message.body), 0);
    trivet_proto_message_release(&message);
}

static void control_is_for_consoles(void **state) {
    test_pair pair;
    (void)state;
    pair2_open(&pair);
    say(&pair, "{\"type\":\"control\",\"do\":\"status\"}");
    pump(&pair);
    c_expect(&pair, TRIVET_PROTO_EVENT_REFUSED);
    expect_error(&pair, "refused", "type");
    no_events(&pair);
    pair_release(&pair);
}

static void acks_and_answers_come_through(void **state) {
    test_pair pair;
    (void)state;
    pair2_open(&pair);
    assert_int_equal(trivet_proto_phone_ack(pair.p, 1780000000001), 0);
    pump(&pair);
    trivet_proto_event event = c_event(&pair, TRIVET_PROTO_EVENT_MESSAGE);
    assert_int_equal(event.type, TRIVET_PROTO_SYNC_ACK);
    assert_int_equal(json_integer_value(json_object_get(event.message.body, "since")), 1780000000001);
    trivet_proto_event_release(&event);
    say(&pair, "{\"type\":\"resolve\",\"id\":3,\"picks\":[{\"section\":\"lists\",\"slot\":0,\"itemId\":\"a\","
               "\"field\":\"text\",\"pick\":\"phone\"}]}");
    pump(&pair);
    event = c_event(&pair, TRIVET_PROTO_EVENT_MESSAGE);
    assert_int_equal(event.type, TRIVET_PROTO_RESOLVE);
    trivet_proto_event_release(&event);
    assert_int_equal(trivet_proto_computer_error(pair.c, "stale", "id", "that question is not open"), 0);
    pump(&pair);
    expect_error(&pair, "stale", "id");
    no_events(&pair);
    pair_release(&pair);
}

/* A bad pick is not left out: what stays would be another answer. */
static void a_bad_pick_spoils_all(void **state) {
    static const char text[] = "{\"type\":\"resolve\",\"id\":3,\"picks\":[{\"section\":\"lists\",\"slot\":0,"
                               "\"field\":\"text\",\"pick\":\"phone\"},{\"slot\":1}]}";
    trivet_proto_message message;
    trivet_proto_error error;
    (void)state;
    assert_int_equal(trivet_proto_message_decode((const uint8_t *)text, sizeof text - 1,
                                                 TRIVET_PROTO_FROM_PHONE, &message, &error),
                     TRIVET_PROTO_EINPUT);
    assert_string_equal(error.path, "picks[1].section");
}

/* In version 1 nobody has heard of these. */
static void version_1_has_none_of_them(void **state) {
    test_pair pair;
    json_t *body = json_pack("{s:i}", "since", 1);
    (void)state;
    pair_open(&pair);
    assert_int_equal(trivet_proto_phone_send(pair.p, TRIVET_PROTO_SYNC_ACK, body), TRIVET_PROTO_EINPUT);
    assert_int_equal(trivet_proto_phone_ack(pair.p, 1), 0);
    assert_int_equal(trivet_proto_computer_error(pair.c, "a", "b", "c"), 0);
    pump(&pair);
    no_events(&pair);
    json_decref(body);
    pair_release(&pair);
}

static void a_sync_takes_one_round(void **state) {
    static const char bad[] = "{\"lists\":[]}";
    test_pair pair;
    (void)state;
    pair2_open(&pair);
    assert_int_equal(trivet_proto_computer_start(pair.c, "{}", 2, 0, pair.now), 0);
    pump(&pair);
    p_expect(&pair, TRIVET_PROTO_EVENT_STATE_WANTED);
    assert_int_equal(trivet_proto_phone_answer(pair.p, bad, strlen(bad), 5), 0);
    pump(&pair);
    trivet_proto_event event = c_event(&pair, TRIVET_PROTO_EVENT_STATE);
    assert_int_equal(event.message.since, 5);
    trivet_proto_event_release(&event);
    /* One round: the confirm follows at once. */
    assert_int_equal(trivet_proto_computer_confirm(pair.c, TRIVET_PROTO_DESKTOP_WINS, "{}", 2, 7), 0);
    pump(&pair);
    p_expect(&pair, TRIVET_PROTO_EVENT_CONFIRMED);
    no_events(&pair);
    pair_release(&pair);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_vectors_are_spoken),
        cmocka_unit_test(the_phone_refuses),
        cmocka_unit_test(the_computer_closes),
        cmocka_unit_test(an_unknown_device_is_a_wrong_key),
        cmocka_unit_test(nothing_is_told_to_a_stranger),
        cmocka_unit_test(a_text_message_closes),
        cmocka_unit_test(what_comes_before_the_proof_closes),
        cmocka_unit_test(a_key_that_comes_late),
        cmocka_unit_test(key_inits),
        cmocka_unit_test(phones_that_cannot_be),
        cmocka_unit_test(a_count_never_wraps),
        cmocka_unit_test(control_is_for_consoles),
        cmocka_unit_test(acks_and_answers_come_through),
        cmocka_unit_test(a_bad_pick_spoils_all),
        cmocka_unit_test(version_1_has_none_of_them),
        cmocka_unit_test(a_sync_takes_one_round),
    };
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
