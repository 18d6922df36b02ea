/*
 * test_proto_vectors.c - every entry of fixtures/protocol/channel.json, which was not made with libsodium.
 */
#include "test_proto_support.h"

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

static json_t *section(const char *name) {
    json_t *array = json_object_get(vectors, name);
    assert_true(json_array_size(array) > 0);
    return array;
}

/* ---- version 1 ---- */

static void check_envelope(const json_t *envelope, const uint8_t key[static 32]) {
    const char *plain = text_of(envelope, "plaintext"), *text = text_of(envelope, "text");
    uint8_t nonce[24], *out;
    size_t nonce_len, len;
    uint8_t *expected_nonce = from_hex(text_of(envelope, "nonce"), &nonce_len);
    assert_int_equal(nonce_len, 24);
    assert_int_equal(trivet_proto_channel1_open(key, (const uint8_t *)text, strlen(text), nonce, &out, &len),
                     0);
    assert_memory_equal(nonce, expected_nonce, 24);
    assert_int_equal(len, strlen(plain));
    assert_memory_equal(out, plain, len);
    free(out);
    assert_int_equal(
        trivet_proto_channel1_seal(key, expected_nonce, (const uint8_t *)plain, strlen(plain), &out, &len),
        0);
    assert_int_equal(len, strlen(text));
    assert_memory_equal(out, text, len);
    free(out);
    free(expected_nonce);
}

static void v1(void **state) {
    size_t i, j;
    json_t *vector, *envelope;
    (void)state;
    json_array_foreach(section("v1"), i, vector) {
        uint8_t phone_secret[32], phone_public[32], computer_secret[32], computer_public[32], shared[32],
            key[32];
        key_of(phone_secret, vector, "phoneSecret");
        key_of(phone_public, vector, "phonePublic");
        key_of(computer_secret, vector, "computerSecret");
        key_of(computer_public, vector, "computerPublic");
        key_of(shared, vector, "sharedKey");
        assert_int_equal(trivet_proto_channel1_key(key, computer_public, phone_secret), 0);
        assert_memory_equal(key, shared, 32);
        assert_int_equal(trivet_proto_channel1_key(key, phone_public, computer_secret), 0);
        assert_memory_equal(key, shared, 32);
        json_array_foreach(json_object_get(vector, "envelopes"), j, envelope) {
            check_envelope(envelope, shared);
        }
    }
}

/* The key messages, byte for byte as machines with these secrets write them. */
static void v1_key_messages(void **state) {
    size_t i;
    json_t *vector;
    (void)state;
    json_array_foreach(section("v1"), i, vector) {
        test_random random = {.first_len = 32};
        trivet_proto_phone_options phone = TRIVET_PROTO_PHONE_OPTIONS_INIT;
        trivet_proto_computer_options computer = TRIVET_PROTO_COMPUTER_OPTIONS_INIT;
        trivet_proto_output output;
        phone.random = computer.random = test_random_bytes;
        phone.random_ctx = computer.random_ctx = &random;
        key_of(random.first, vector, "phoneSecret");
        trivet_proto_phone *p = trivet_proto_phone_new(&phone, 0);
        assert_true(trivet_proto_phone_output(p, &output));
        assert_int_equal(output.len, strlen(text_of(vector, "keyInit")));
        assert_memory_equal(output.data, text_of(vector, "keyInit"), output.len);
        key_of(random.first, vector, "computerSecret");
        random.first_len = 32;
        trivet_proto_computer *c = trivet_proto_computer_new(&computer, 0);
        assert_int_equal(trivet_proto_computer_receive(c, false, output.data, output.len, 0), 0);
        trivet_proto_output_release(&output);
        assert_true(trivet_proto_computer_output(c, &output));
        assert_int_equal(output.len, strlen(text_of(vector, "keyExchange")));
        assert_memory_equal(output.data, text_of(vector, "keyExchange"), output.len);
        trivet_proto_output_release(&output);
        trivet_proto_computer_free(c);
        trivet_proto_phone_free(p);
    }
}

static void v1_refused(void **state) {
    size_t i, len;
    json_t *vector;
    (void)state;
    json_array_foreach(section("v1_refused"), i, vector) {
        uint8_t key[32], nonce[24], *out;
        const char *text = text_of(vector, "text");
        key_of(key, vector, "key");
        if (trivet_proto_channel1_open(key, (const uint8_t *)text, strlen(text), nonce, &out, &len) !=
            TRIVET_PROTO_EINPUT)
            fail_msg("accepted: %s", text_of(vector, "why"));
    }
}

static void v1_accepted(void **state) {
    size_t i, len;
    json_t *vector;
    (void)state;
    json_array_foreach(section("v1_accepted"), i, vector) {
        uint8_t key[32], nonce[24], *out;
        const char *text = text_of(vector, "text"), *plain = text_of(vector, "plaintext");
        trivet_proto_message message;
        trivet_proto_error error;
        key_of(key, vector, "key");
        if (trivet_proto_channel1_open(key, (const uint8_t *)text, strlen(text), nonce, &out, &len) != 0)
            fail_msg("refused: %s", text_of(vector, "why"));
        assert_int_equal(len, strlen(plain));
        assert_memory_equal(out, plain, len);
        assert_int_equal(trivet_proto_message_decode(out, len, TRIVET_PROTO_FROM_PHONE, &message, &error), 0);
        free(out);
        /* What was understood is written again as it came, escapes included. */
        assert_int_equal(trivet_proto_message_encode(&message, &out, &len), 0);
        assert_int_equal(len, strlen(plain));
        assert_memory_equal(out, plain, len);
        free(out);
        trivet_proto_message_release(&message);
    }
}

static void low_order_public_keys(void **state) {
    size_t i;
    json_t *vector;
    (void)state;
    json_array_foreach(section("low_order_public_keys"), i, vector) {
        uint8_t secret[32], key[32], zero[32] = {0};
        size_t len;
        trivet_proto_channel2_keys keys;
        uint8_t *public_key = from_hex(json_string_value(vector), &len);
        randombytes_buf(secret, sizeof secret);
        assert_int_equal(len, 32);
        assert_int_equal(trivet_proto_channel1_key(key, public_key, secret), TRIVET_PROTO_EINPUT);
        assert_int_equal(trivet_proto_channel2_derive(&keys, zero, secret, public_key, zero, zero, 0),
                         TRIVET_PROTO_EINPUT);
        free(public_key);
    }
}

/* ---- dialogues ---- */

/* A computer whose secret is that of the first vector, so that its key_exchange is known. */
static trivet_proto_computer *computer_of_vector(test_random *random) {
    trivet_proto_computer_options options = TRIVET_PROTO_COMPUTER_OPTIONS_INIT;
    *random = (test_random){.first_len = 32};
    key_of(random->first, json_array_get(section("v1"), 0), "computerSecret");
    options.random = test_random_bytes;
    options.random_ctx = random;
    return trivet_proto_computer_new(&options, 0);
}

/* Accepts a handshake; returns the code of the end, or 0. */
static int act_on_events(trivet_proto_computer *c) {
    trivet_proto_event event;
    int closed = 0;
    while (trivet_proto_computer_event(c, &event)) {
        if (event.kind == TRIVET_PROTO_EVENT_HANDSHAKE) {
            assert_string_equal(event.device_id, "Pixel 9");
            assert_string_equal(event.secret, "2f1c3f9e-6c1e-4d4b-9a53-0d4a1f2b3c4d");
            assert_int_equal(event.last_sync, 1780000000000);
            assert_int_equal(trivet_proto_computer_accept(c, 0), 0);
        }
        if (event.kind == TRIVET_PROTO_EVENT_CLOSED)
            closed = event.close_code;
        trivet_proto_event_release(&event);
    }
    return closed;
}

static void check_dialogue(const json_t *dialogue) {
    size_t i;
    json_t *step;
    test_random random;
    trivet_proto_output output;
    int closed = 0;
    trivet_proto_computer *c = computer_of_vector(&random);
    json_array_foreach(json_object_get(dialogue, "steps"), i, step) {
        const char *text = text_of(step, "text");
        if (strcmp(text_of(step, "from"), "phone") == 0) {
            assert_int_equal(closed, 0);
            trivet_proto_computer_receive(c, false, (const uint8_t *)text, strlen(text), 0);
            closed = act_on_events(c);
        } else {
            assert_true(trivet_proto_computer_output(c, &output));
            assert_int_equal(output.len, strlen(text));
            assert_memory_equal(output.data, text, output.len);
            trivet_proto_output_release(&output);
        }
    }
    const json_t *end = json_object_get(dialogue, "end");
    int expected = json_is_string(end) ? 0 : (int)json_integer_value(end);
    if (closed != expected)
        fail_msg("%s: ended with %d", text_of(dialogue, "about"), closed);
    int sent = 0;
    while (trivet_proto_computer_output(c, &output)) {
        sent = output.close;
        trivet_proto_output_release(&output);
    }
    assert_int_equal(sent, expected);
    trivet_proto_computer_free(c);
}

static void v1_dialogues(void **state) {
    size_t i;
    json_t *dialogue;
    (void)state;
    json_array_foreach(section("v1_dialogues"), i, dialogue) {
        check_dialogue(dialogue);
    }
}

/* ---- version 2 ---- */

/* Derives as the phone does, from a key_exchange. False: it refuses. */
static bool phone_takes(const json_t *vector, const char *key_exchange, trivet_proto_channel2_keys *keys) {
    uint8_t pairing_key[32], phone_secret[32], their_public[32], proof[32];
    const char *key_init = text_of(vector, "keyInit");
    json_t *message = json_loads(key_exchange, 0, NULL);
    const char *public_text = json_string_value(json_object_get(message, "publicKey"));
    const char *proof_text = json_string_value(json_object_get(message, "proof"));
    size_t len;
    bool good = json_integer_value(json_object_get(message, "v")) == 2 && proof_text != NULL &&
                sodium_base642bin(their_public, 32, public_text, strlen(public_text), NULL, &len, NULL,
                                  sodium_base64_VARIANT_ORIGINAL) == 0 &&
                len == 32 &&
                sodium_base642bin(proof, 32, proof_text, strlen(proof_text), NULL, &len, NULL,
                                  sodium_base64_VARIANT_ORIGINAL) == 0 &&
                len == 32;
    key_of(pairing_key, vector, "key");
    key_of(phone_secret, vector, "phoneSecret");
    good = good &&
           trivet_proto_channel2_derive(keys, pairing_key, phone_secret, their_public, their_public,
                                        (const uint8_t *)key_init, strlen(key_init)) == 0 &&
           sodium_memcmp(keys->proof, proof, 32) == 0;
    json_decref(message);
    return good;
}

static void check_key(const uint8_t key[static 32], const json_t *vector, const char *name) {
    uint8_t expected[32];
    key_of(expected, vector, name);
    assert_memory_equal(key, expected, 32);
}

static void v2_keys(void **state) {
    size_t i;
    json_t *vector;
    (void)state;
    json_array_foreach(section("v2"), i, vector) {
        trivet_proto_channel2_keys phone, computer;
        uint8_t pairing_key[32], computer_secret[32], computer_public[32], phone_public[32];
        const char *key_init = text_of(vector, "keyInit");
        assert_true(phone_takes(vector, text_of(vector, "keyExchange"), &phone));
        key_of(pairing_key, vector, "key");
        key_of(computer_secret, vector, "computerSecret");
        key_of(computer_public, vector, "computerPublic");
        key_of(phone_public, vector, "phonePublic");
        assert_int_equal(trivet_proto_channel2_derive(&computer, pairing_key, computer_secret, phone_public,
                                                      computer_public, (const uint8_t *)key_init,
                                                      strlen(key_init)),
                         0);
        assert_memory_equal(&phone, &computer, sizeof phone);
        check_key(phone.psk, vector, "psk");
        check_key(phone.th, vector, "th");
        check_key(phone.prk, vector, "prk");
        check_key(phone.p2c, vector, "p2c");
        check_key(phone.c2p, vector, "c2p");
        check_key(phone.device_key, vector, "deviceKey");
    }
}

/* A frame's body: a JSON message, or the chunk that the vector spells out. malloc'd. */
static uint8_t *body_of(const json_t *frame, size_t *len) {
    const char *text = json_string_value(json_object_get(frame, "body"));
    if (text != NULL) {
        *len = strlen(text);
        return (uint8_t *)strdup(text);
    }
    size_t bytes_len;
    uint8_t *bytes = from_hex(text_of(frame, "bytesHex"), &bytes_len), *body = malloc(12 + bytes_len);
    uint64_t transfer = (uint64_t)json_integer_value(json_object_get(frame, "transfer"));
    uint64_t offset = (uint64_t)json_integer_value(json_object_get(frame, "offset"));
    assert_non_null(body);
    for (unsigned i = 0; i < 4; i++)
        body[i] = (uint8_t)(transfer >> 8 * i);
    for (unsigned i = 0; i < 8; i++)
        body[4 + i] = (uint8_t)(offset >> 8 * i);
    memcpy(body + 12, bytes, bytes_len);
    free(bytes);
    *len = 12 + bytes_len;
    return body;
}

static void check_frame(const json_t *vector, const json_t *frame) {
    uint8_t key[32], kind, *sealed, *opened;
    size_t body_len, frame_len, sealed_len, opened_len;
    uint8_t *body = body_of(frame, &body_len), *expected = from_hex(text_of(frame, "frame"), &frame_len);
    uint64_t counter = (uint64_t)json_integer_value(json_object_get(frame, "counter"));
    int kind_expected = (int)json_integer_value(json_object_get(frame, "kind"));
    key_of(key, vector, text_of(frame, "way"));
    assert_int_equal(trivet_proto_channel2_seal(key, counter, (uint8_t)kind_expected, body, body_len, &sealed,
                                                &sealed_len),
                     0);
    assert_int_equal(sealed_len, frame_len);
    assert_memory_equal(sealed, expected, frame_len);
    assert_int_equal(
        trivet_proto_channel2_open(key, counter, expected, frame_len, &kind, &opened, &opened_len), 0);
    assert_int_equal(kind, kind_expected);
    assert_int_equal(opened_len, body_len);
    assert_memory_equal(opened, body, body_len);
    assert_int_equal(
        trivet_proto_channel2_open(key, counter + 1, expected, frame_len, &kind, &sealed, &sealed_len),
        TRIVET_PROTO_EINPUT);
    free(opened);
    free(sealed);
    free(expected);
    free(body);
}

static void v2_frames(void **state) {
    size_t i, j;
    json_t *vector, *frame;
    (void)state;
    json_array_foreach(section("v2"), i, vector) {
        json_array_foreach(json_object_get(vector, "frames"), j, frame) {
            check_frame(vector, frame);
        }
    }
}

static void v2_phone_refuses(void **state) {
    size_t i;
    json_t *vector;
    (void)state;
    json_array_foreach(section("v2_phone_refuses"), i, vector) {
        trivet_proto_channel2_keys keys;
        if (phone_takes(json_array_get(section("v2"), 0), text_of(vector, "keyExchange"), &keys))
            fail_msg("accepted: %s", text_of(vector, "why"));
    }
}

/* One frame as the computer reads it: opened, and if it is a message, decoded. */
static bool computer_takes(const uint8_t key[static 32], uint64_t counter, const char *hex) {
    uint8_t kind, *body;
    size_t len, body_len;
    trivet_proto_message message;
    uint8_t *frame = from_hex(hex, &len);
    bool good = trivet_proto_channel2_open(key, counter, frame, len, &kind, &body, &body_len) == 0;
    free(frame);
    if (good) {
        good = kind != 1 ||
               trivet_proto_message_decode(body, body_len, TRIVET_PROTO_FROM_PHONE, &message, NULL) == 0;
        if (good && kind == 1)
            trivet_proto_message_release(&message);
        free(body);
    }
    return good;
}

static void v2_computer_closes(void **state) {
    size_t i, j;
    json_t *vector, *frame;
    uint8_t key[32];
    (void)state;
    key_of(key, json_array_get(section("v2"), 0), "p2c");
    json_array_foreach(section("v2_computer_closes"), i, vector) {
        json_t *frames = json_object_get(vector, "frames");
        json_array_foreach(frames, j, frame) {
            bool last = j + 1 == json_array_size(frames);
            if (computer_takes(key, j, json_string_value(frame)) == last)
                fail_msg("%s: frame %zu %s", text_of(vector, "why"), j, last ? "taken" : "refused");
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(v1),
        cmocka_unit_test(v1_key_messages),
        cmocka_unit_test(v1_refused),
        cmocka_unit_test(v1_accepted),
        cmocka_unit_test(low_order_public_keys),
        cmocka_unit_test(v1_dialogues),
        cmocka_unit_test(v2_keys),
        cmocka_unit_test(v2_frames),
        cmocka_unit_test(v2_phone_refuses),
        cmocka_unit_test(v2_computer_closes),
    };
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
