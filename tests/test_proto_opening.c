/*
 * test_proto_opening.c - the strict rules of version 1's opening, on the computer's end (protocol §2): keys, handshake, what may wait
 * for it, and how long.
 */
#include "test_proto_raw.h"

#define EARLY_LOG "{\"type\":\"debug_log\",\"lines\":[\"x\"]}"
#define HEARTBEAT "{\"type\":\"heartbeat\"}"
#define KEY "\"publicKey\":\"hV+Ns6hqgXn+LkDMzJrDathhC7oua8oP0CzreMFF0CA=\""

/* ---- key_init ---- */

static void key_init_comes_first(void **state) {
    static const char *const others[] = {
        HEARTBEAT,
        EARLY_LOG,
        RAW_HANDSHAKE,
        "{\"enc\":true,\"n\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\",\"d\":\"AAAAAAAAAAAAAAAAAAAAAA==\"}",
        "{\"type\":\"key_exchange\"," KEY "}",
        "{}",
        "[]",
        "",
        "\"key_init\"",
        "{\"type\":\"key_init\"",
        "{\"type\":\"key_init\",\"type\":\"key_init\"," KEY "}",
    };
    (void)state;
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        raw_phone raw;
        raw_init(&raw);
        raw_plain(&raw, others[i]);
        raw_expect_close(&raw, 4004);
        raw_release(&raw);
    }
}

static void key_init_is_strict(void **state) {
    static const char *const bad[] = {
        "{\"type\":\"key_init\"}",
        "{\"type\":\"key_init\",\"publicKey\":null}",
        "{\"type\":\"key_init\",\"publicKey\":1}",
        "{\"type\":\"key_init\",\"publicKey\":\"\"}",
        "{\"type\":\"key_init\",\"publicKey\":\"AAAA\"}",
        "{\"type\":\"key_init\",\"publicKey\":\"hV+Ns6hqgXn+LkDMzJrDathhC7oua8oP0CzreMFF0CAA\"}",
        "{\"type\":\"key_init\",\"publicKey\":\"hV-Ns6hqgXn-LkDMzJrDathhC7oua8oP0CzreMFF0CA=\"}",
        "{\"type\":\"key_init\",\"publicKey\":\" hV+Ns6hqgXn+LkDMzJrDathhC7oua8oP0CzreMFF0CA=\"}",
    };
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        raw_phone raw;
        raw_init(&raw);
        raw_plain(&raw, bad[i]);
        raw_expect_refused(&raw, TRIVET_PROTO_KEY_INIT, "publicKey");
        raw_expect_close(&raw, 4004);
        raw_release(&raw);
    }
}

static void key_without_padding_is_taken(void **state) {
    raw_phone raw;
    (void)state;
    raw_init(&raw);
    raw_plain(
        &raw,
        "{\"type\":\"key_init\",\"publicKey\":\"hV+Ns6hqgXn+LkDMzJrDathhC7oua8oP0CzreMFF0CA\",\"v\":1}");
    assert_true(raw_fetch(&raw));
    assert_int_equal(raw.closed, 0);
    assert_non_null(strstr(raw.text, "key_exchange"));
    raw_release(&raw);
}

static void low_order_keys_are_refused(void **state) {
    json_t *vectors = load_vectors(), *hex;
    size_t i, len;
    (void)state;
    json_array_foreach(json_object_get(vectors, "low_order_public_keys"), i, hex) {
        raw_phone raw;
        uint8_t *key = from_hex(json_string_value(hex), &len);
        raw_init(&raw);
        raw_key_init_with(&raw, key, "");
        raw_expect_close(&raw, 4004);
        raw_release(&raw);
        free(key);
    }
    json_decref(vectors);
}

static void other_versions_are_not_offered(void **state) {
    static const char *const more[] = {",\"v\":2,\"device\":\"d\",\"gen\":0", ",\"v\":3", ",\"v\":\"1\"",
                                       ",\"v\":0"};
    (void)state;
    for (size_t i = 0; i < sizeof more / sizeof *more; i++) {
        raw_phone raw;
        raw_init(&raw);
        raw_key_init_with(&raw, raw.public_key, more[i]);
        raw_expect_close(&raw, 4003);
        raw_release(&raw);
    }
}

/* ---- before the handshake ---- */

static void eight_early_logs_are_dropped_unread(void **state) {
    raw_phone raw;
    (void)state;
    raw_init(&raw);
    raw_agree(&raw);
    for (int i = 0; i < 8; i++)
        raw_plain(&raw, i % 2 == 0 ? EARLY_LOG : "{\"lines\":[[[,\"type\"]]],\"type\":\"debug_log\"}");
    raw_is_quiet(&raw);
    raw_plain(&raw, EARLY_LOG);
    raw_expect_close(&raw, 4004);
    raw_release(&raw);
}

static void other_plaintext_before_the_handshake(void **state) {
    static const char *const others[] = {HEARTBEAT,
                                         RAW_HANDSHAKE,
                                         "{\"type\":\"sync_request\"}",
                                         "{\"type\":\"no such\"}",
                                         "{\"type\":\"key_init\"," KEY "}",
                                         "no JSON",
                                         ""};
    (void)state;
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        raw_phone raw;
        raw_init(&raw);
        raw_agree(&raw);
        raw_plain(&raw, others[i]);
        raw_expect_close(&raw, 4004);
        raw_release(&raw);
    }
}

static void handshake_comes_first(void **state) {
    static const char *const others[] = {HEARTBEAT, EARLY_LOG, "{\"type\":\"sync_request\"}", "{}",
                                         "x",       "",        "{\"type\":\"unheard of\"}"};
    (void)state;
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        raw_phone raw;
        raw_init(&raw);
        raw_agree(&raw);
        raw_send(&raw, others[i]);
        raw_expect_close(&raw, 4004);
        raw_release(&raw);
    }
}

static void handshake_is_strict(void **state) {
    static const struct {
        const char *path, *fields;
    } bad[] = {
        {"deviceId", "\"lastSyncTimestamp\":0,\"pairingSecret\":\"s\""},
        {"deviceId", "\"deviceId\":null,\"lastSyncTimestamp\":0,\"pairingSecret\":\"s\""},
        {"deviceId", "\"deviceId\":\"\",\"lastSyncTimestamp\":0,\"pairingSecret\":\"s\""},
        {"deviceId", "\"deviceId\":\"\xff\",\"lastSyncTimestamp\":0,\"pairingSecret\":\"s\""},
        {"lastSyncTimestamp", "\"deviceId\":\"d\",\"pairingSecret\":\"s\""},
        {"lastSyncTimestamp", "\"deviceId\":\"d\",\"lastSyncTimestamp\":\"0\",\"pairingSecret\":\"s\""},
        {"lastSyncTimestamp", "\"deviceId\":\"d\",\"lastSyncTimestamp\":-1,\"pairingSecret\":\"s\""},
        {"lastSyncTimestamp", "\"deviceId\":\"d\",\"lastSyncTimestamp\":0.5,\"pairingSecret\":\"s\""},
        {"lastSyncTimestamp", "\"deviceId\":\"d\",\"lastSyncTimestamp\":1e999,\"pairingSecret\":\"s\""},
        {"lastSyncTimestamp",
         "\"deviceId\":\"d\",\"lastSyncTimestamp\":9007199254740992,\"pairingSecret\":\"s\""},
        {"pairingSecret", "\"deviceId\":\"d\",\"lastSyncTimestamp\":0"},
        {"pairingSecret", "\"deviceId\":\"d\",\"lastSyncTimestamp\":0,\"pairingSecret\":5"},
        {"pairingSecret",
         "\"deviceId\":\"d\",\"lastSyncTimestamp\":0,\"pairingSecret\":\"s\",\"pairingSecret\":\"t\""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        raw_phone raw;
        char text[512];
        snprintf(text, sizeof text, "{\"type\":\"handshake\",%s}", bad[i].fields);
        raw_init(&raw);
        raw_agree(&raw);
        raw_send(&raw, text);
        raw_expect_refused(&raw, TRIVET_PROTO_HANDSHAKE, bad[i].path);
        raw_expect_close(&raw, 4004);
        raw_release(&raw);
    }
}

static void handshake_is_understood(void **state) {
    static const struct {
        const char *fields, *device_id, *secret;
        int64_t last_sync;
    } good[] = {
        {"\"deviceId\":\"d\",\"lastSyncTimestamp\":null,\"pairingSecret\":\"\"", "d", "", 0},
        {"\"deviceId\":\"a\\u00fc\\/\\n\",\"lastSyncTimestamp\":1e3,\"pairingSecret\":\"s\"", "a\xc3\xbc/\n",
         "s", 1000},
        {"\"deviceId\":\"\\ud83d\",\"lastSyncTimestamp\":2.0,\"pairingSecret\":\"s\"", "\xef\xbf\xbd", "s",
         2},
        {"\"deviceId\":\"\\ud83d\\ude00\\u0000\",\"lastSyncTimestamp\":9007199254740991,\"pairingSecret\":"
         "\"s\"",
         "\xf0\x9f\x98\x80\xef\xbf\xbd", "s", 9007199254740991},
        {"\"\\u0064eviceId\":\"d\",\"lastSyncTimestamp\":0,\"pairingSecret\":\"s\",\"extra\":{\"deviceId\":"
         "1}",
         "d", "s", 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        raw_phone raw;
        char text[512];
        trivet_proto_event event;
        snprintf(text, sizeof text, "{\"type\":\"handshake\",%s}", good[i].fields);
        raw_init(&raw);
        raw_agree(&raw);
        raw_send(&raw, text);
        assert_true(trivet_proto_computer_event(raw.c, &event));
        assert_int_equal(event.kind, TRIVET_PROTO_EVENT_HANDSHAKE);
        assert_string_equal(event.device_id, good[i].device_id);
        assert_string_equal(event.secret, good[i].secret);
        assert_int_equal(event.last_sync, good[i].last_sync);
        trivet_proto_event_release(&event);
        raw_release(&raw);
    }
}

static void four_kilobytes_until_the_handshake(void **state) {
    char big[4200];
    (void)state;
    memset(big, ' ', sizeof big);
    big[sizeof big - 1] = '\0';
    memcpy(big, EARLY_LOG, strlen(EARLY_LOG));
    for (int agreed = 0; agreed < 2; agreed++) {
        raw_phone raw;
        raw_init(&raw);
        if (agreed) {
            raw_agree(&raw);
            trivet_proto_computer_receive(raw.c, false, (const uint8_t *)big, 4096, raw.now);
            raw_is_quiet(&raw);
        }
        assert_int_equal(trivet_proto_computer_message_limit(raw.c), 4096);
        trivet_proto_computer_receive(raw.c, false, (const uint8_t *)big, 4097, raw.now);
        raw_expect_close(&raw, 1009);
        raw_release(&raw);
    }
}

static void binary_messages_are_of_another_version(void **state) {
    raw_phone raw;
    (void)state;
    raw_init(&raw);
    raw_agree(&raw);
    trivet_proto_computer_receive(raw.c, true, (const uint8_t *)EARLY_LOG, strlen(EARLY_LOG), raw.now);
    raw_expect_close(&raw, 4004);
    raw_release(&raw);
}

/* ---- time ---- */

static void ten_seconds_for_the_handshake(void **state) {
    (void)state;
    for (int agreed = 0; agreed < 2; agreed++) {
        raw_phone raw;
        raw_init(&raw);
        if (agreed) {
            raw.now += 9999;
            raw_agree(&raw);
        }
        assert_int_equal(trivet_proto_computer_deadline(raw.c), 11000);
        trivet_proto_computer_tick(raw.c, 10999);
        raw_is_quiet(&raw);
        trivet_proto_computer_tick(raw.c, 11000);
        raw_expect_close(&raw, 4002);
        raw_release(&raw);
    }
}

/* A message that comes late does not get in before the tick that would have closed. */
static void a_late_handshake_is_late(void **state) {
    raw_phone raw;
    (void)state;
    raw_init(&raw);
    raw_agree(&raw);
    raw.now = 11000;
    assert_int_equal(raw_send(&raw, RAW_HANDSHAKE), TRIVET_PROTO_ESTATE);
    raw_expect_close(&raw, 4002);
    raw_release(&raw);
}

/* The owner may take its time: the refusal of a wrong secret is delayed by up to 8 s. */
static void no_timeout_while_the_owner_decides(void **state) {
    raw_phone raw;
    (void)state;
    raw_init(&raw);
    raw_agree(&raw);
    raw_send(&raw, RAW_HANDSHAKE);
    raw_expect(&raw, TRIVET_PROTO_EVENT_HANDSHAKE);
    assert_int_equal(trivet_proto_computer_deadline(raw.c), INT64_MAX);
    trivet_proto_computer_tick(raw.c, 100000);
    raw_is_quiet(&raw);
    assert_int_equal(trivet_proto_computer_refuse(raw.c, 4001, "Invalid pairing secret"), 0);
    raw_expect_close(&raw, 4001);
    assert_string_equal(raw.text, "Invalid pairing secret");
    assert_int_equal(trivet_proto_computer_accept(raw.c, 100000), TRIVET_PROTO_ESTATE);
    raw_release(&raw);
}

/* ---- what follows the handshake ---- */

static void what_follows_waits_unread(void **state) {
    raw_phone raw;
    (void)state;
    raw_init(&raw);
    raw_agree(&raw);
    raw_send(&raw, RAW_HANDSHAKE);
    raw_send(&raw, "{\"type\":\"sync_request\"}");
    raw_send(&raw, "{\"type\":\"jot_manifest\",\"jots\":[]}");
    raw_send(&raw, HEARTBEAT);
    raw_expect(&raw, TRIVET_PROTO_EVENT_HANDSHAKE);
    raw_is_quiet(&raw);
    assert_int_equal(trivet_proto_computer_accept(raw.c, raw.now), 0);
    raw_expect(&raw, TRIVET_PROTO_EVENT_SYNC_REQUEST);
    raw_expect(&raw, TRIVET_PROTO_EVENT_MESSAGE);
    assert_true(raw_fetch(&raw));
    assert_string_equal(raw.text, HEARTBEAT);
    raw_is_quiet(&raw);
    raw_release(&raw);
}

/* Even what would end the connection is not looked at before the secret was. */
static void what_follows_a_refused_handshake_is_never_read(void **state) {
    raw_phone raw;
    (void)state;
    raw_init(&raw);
    raw_agree(&raw);
    raw_send(&raw, RAW_HANDSHAKE);
    raw_send(&raw, "{\"type\":\"sync_request\"}");
    raw_plain(&raw, "rubbish");
    raw_expect(&raw, TRIVET_PROTO_EVENT_HANDSHAKE);
    raw_is_quiet(&raw);
    trivet_proto_computer_refuse(raw.c, 4001, "Invalid pairing secret");
    raw_expect_close(&raw, 4001);
    raw_release(&raw);
}

static void what_waits_is_handled_until_the_end(void **state) {
    raw_phone raw;
    (void)state;
    raw_init(&raw);
    raw_agree(&raw);
    raw_send(&raw, RAW_HANDSHAKE);
    raw_send(&raw, "{\"type\":\"sync_request\"}");
    raw_plain(&raw, HEARTBEAT);
    memset(raw.key, 0, sizeof raw.key); /* what the machine's key is once it was wiped */
    raw_send(&raw, "{\"type\":\"sync_request\"}");
    raw_expect(&raw, TRIVET_PROTO_EVENT_HANDSHAKE);
    trivet_proto_computer_accept(raw.c, raw.now);
    raw_expect(&raw, TRIVET_PROTO_EVENT_SYNC_REQUEST);
    raw_expect_close(&raw, 4004);
    raw_release(&raw);
}

static void one_megabyte_waits_at_most(void **state) {
    raw_phone raw;
    uint8_t *big = calloc(1, 1 << 20);
    (void)state;
    assert_non_null(big);
    raw_init(&raw);
    raw_agree(&raw);
    raw_send(&raw, RAW_HANDSHAKE);
    raw_expect(&raw, TRIVET_PROTO_EVENT_HANDSHAKE);
    assert_int_equal(trivet_proto_computer_message_limit(raw.c), 1 << 20);
    trivet_proto_computer_receive(raw.c, false, big, 1000000, raw.now);
    assert_int_equal(trivet_proto_computer_message_limit(raw.c), 48576);
    trivet_proto_computer_receive(raw.c, false, big, 48576, raw.now);
    raw_is_quiet(&raw);
    trivet_proto_computer_receive(raw.c, false, big, 1, raw.now);
    raw_expect_close(&raw, 1009);
    raw_release(&raw);
    free(big);
}

static void the_limit_afterwards_is_the_owners(void **state) {
    raw_phone raw;
    trivet_proto_computer_options options = TRIVET_PROTO_COMPUTER_OPTIONS_INIT;
    uint8_t *big = calloc(1, 10001);
    (void)state;
    assert_non_null(big);
    options.max_message = 10000;
    raw_init_with(&raw, &options);
    raw_open(&raw);
    assert_int_equal(trivet_proto_computer_message_limit(raw.c), 10000);
    trivet_proto_computer_receive(raw.c, false, big, 10001, raw.now);
    raw_expect_close(&raw, 1009);
    raw_release(&raw);
    free(big);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(key_init_comes_first),
        cmocka_unit_test(key_init_is_strict),
        cmocka_unit_test(key_without_padding_is_taken),
        cmocka_unit_test(low_order_keys_are_refused),
        cmocka_unit_test(other_versions_are_not_offered),
        cmocka_unit_test(eight_early_logs_are_dropped_unread),
        cmocka_unit_test(other_plaintext_before_the_handshake),
        cmocka_unit_test(handshake_comes_first),
        cmocka_unit_test(handshake_is_strict),
        cmocka_unit_test(handshake_is_understood),
        cmocka_unit_test(four_kilobytes_until_the_handshake),
        cmocka_unit_test(binary_messages_are_of_another_version),
        cmocka_unit_test(ten_seconds_for_the_handshake),
        cmocka_unit_test(a_late_handshake_is_late),
        cmocka_unit_test(no_timeout_while_the_owner_decides),
        cmocka_unit_test(what_follows_waits_unread),
        cmocka_unit_test(what_follows_a_refused_handshake_is_never_read),
        cmocka_unit_test(what_waits_is_handled_until_the_end),
        cmocka_unit_test(one_megabyte_waits_at_most),
        cmocka_unit_test(the_limit_afterwards_is_the_owners),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
