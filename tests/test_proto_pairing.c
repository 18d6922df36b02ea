/*
 * test_proto_pairing.c - pairing codes, there and back.
 */
#include "test_proto_support.h"

#define SECRET "2f1c3f9e-6c1e-4d4b-9a53-0d4a1f2b3c4d"
#define K "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHv8"

static void pairing_there_and_back(void **state) {
    static const char *const codes[] = {
        "{\"ip\":\"192.168.1.20\",\"port\":8080,\"secret\":\"" SECRET
        "\",\"v\":2,\"device\":\"d1\",\"name\":\"Anna's "
        "\\\"PC\\\"\",\"k\":\"" K "\"}",
        "{\"ip\":\"kitchen.local\",\"port\":1,\"secret\":\"" SECRET "\",\"v\":2}",
        "{\"ip\":\"[fe80::1%wlan0.7]\",\"port\":1,\"v\":2,\"device\":\"d\",\"k\":\"" K "\"}",
        "{\"ip\":\"[fe80::1]\",\"port\":65535,\"v\":2,\"device\":\"d\",\"k\":\"" K "\"}",
    };
    (void)state;
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        trivet_proto_pairing pairing;
        trivet_proto_error error;
        char *text;
        if (trivet_proto_pairing_decode(codes[i], strlen(codes[i]), &pairing, &error) != 0)
            fail_msg("%s: %s", error.path, error.reason);
        assert_int_equal(trivet_proto_pairing_encode(&pairing, &text), 0);
        assert_string_equal(text, codes[i]);
        free(text);
    }
}

static void pairing_fields(void **state) {
    static const char code[] =
        "{\"x\":[1],\"k\":\"" K "\",\"name\":null,\"device\":\"t\\u00e9l\",\"secret\":\"" SECRET
        "\",\"port\":8.08e3,\"ip\":\"::\",\"ip2\":1}";
    static const char good[] = "{\"k\":\"" K "\",\"name\":null,\"device\":\"t\\u00e9l\",\"secret\":\"" SECRET
                               "\",\"port\":8.08e3,\"ip\":\"[::1]\",\"more\":{\"ip\":1}}";
    trivet_proto_pairing pairing;
    trivet_proto_error error;
    (void)state;
    assert_int_equal(trivet_proto_pairing_decode(code, strlen(code), &pairing, &error), TRIVET_PROTO_EINPUT);
    assert_string_equal(error.path, "ip");
    assert_int_equal(pairing.secret[0], '\0'); /* nothing is left of what was read */
    assert_int_equal(pairing.k[1], 0);
    assert_int_equal(trivet_proto_pairing_decode(good, strlen(good), &pairing, &error), 0);
    assert_string_equal(pairing.ip, "[::1]");
    assert_int_equal(pairing.port, 8080);
    assert_string_equal(pairing.secret, SECRET);
    assert_string_equal(pairing.device, "t\xc3\xa9l");
    assert_string_equal(pairing.name, "");
    assert_true(pairing.has_k);
    assert_int_equal(pairing.k[1], 1);
    assert_int_equal(pairing.k[31], 0xff & 0xff);
    for (size_t cut = 0; cut < strlen(good); cut++) {
        char *exact = malloc(cut + 1);
        memcpy(exact, good, cut);
        assert_int_equal(trivet_proto_pairing_decode(exact, cut, &pairing, NULL), TRIVET_PROTO_EINPUT);
        free(exact);
    }
}

static void pairing_refused(void **state) {
    static const struct {
        const char *path, *code;
    } bad[] = {
        {"", "[]"},
        {"ip", "{\"port\":1,\"secret\":\"" SECRET "\"}"},
        {"ip", "{\"ip\":\"\",\"port\":1,\"secret\":\"" SECRET "\"}"},
        {"ip", "{\"ip\":5,\"port\":1,\"secret\":\"" SECRET "\"}"},
        {"ip", "{\"ip\":\"a b\",\"port\":1,\"secret\":\"" SECRET "\"}"},
        {"ip", "{\"ip\":\"a/b\",\"port\":1,\"secret\":\"" SECRET "\"}"},
        {"ip", "{\"ip\":\"[::1\",\"port\":1,\"secret\":\"" SECRET "\"}"},
        {"ip", "{\"ip\":\"[fe80::1%]\",\"port\":1,\"secret\":\"" SECRET "\"}"},
        {"ip", "{\"ip\":\"[fe80::1%a b]\",\"port\":1,\"secret\":\"" SECRET "\"}"},
        {"ip", "{\"ip\":\"[fe80::1%sixteen-letters-]\",\"port\":1,\"secret\":\"" SECRET "\"}"},
        {"ip", "{\"ip\":\"[fd00::1%eth0]\",\"port\":1,\"secret\":\"" SECRET "\"}"},
        {"ip", "{\"ip\":\"[kitchen]\",\"port\":1,\"secret\":\"" SECRET "\"}"},
        {"ip", "{\"ip\":\"a\",\"ip\":\"a\",\"port\":1,\"secret\":\"" SECRET "\"}"},
        {"port", "{\"ip\":\"a\",\"secret\":\"" SECRET "\"}"},
        {"port", "{\"ip\":\"a\",\"port\":0,\"secret\":\"" SECRET "\"}"},
        {"port", "{\"ip\":\"a\",\"port\":65536,\"secret\":\"" SECRET "\"}"},
        {"port", "{\"ip\":\"a\",\"port\":\"1\",\"secret\":\"" SECRET "\"}"},
        {"port", "{\"ip\":\"a\",\"port\":1.5,\"secret\":\"" SECRET "\"}"},
        {"secret", "{\"ip\":\"a\",\"port\":1}"},
        {"secret", "{\"ip\":\"a\",\"port\":1,\"secret\":\"2f1c3f9e-6c1e-1d4b-9a53-0d4a1f2b3c4d\"}"},
        {"secret", "{\"ip\":\"a\",\"port\":1,\"secret\":\"2f1c3f9e-6c1e-4d4b-ca53-0d4a1f2b3c4d\"}"},
        {"secret", "{\"ip\":\"a\",\"port\":1,\"secret\":\"" SECRET "0\"}"},
        {"secret", "{\"ip\":\"a\",\"port\":1,\"secret\":\"2f1c3f9e\"}"},
        {"secret", "{\"ip\":\"a\",\"port\":1,\"secret\":\"zf1c3f9e-6c1e-4d4b-9a53-0d4a1f2b3c4d\"}"},
        {"device", "{\"ip\":\"a\",\"port\":1,\"secret\":\"" SECRET
                   "\",\"device\":\"01234567890123456789012345678901234567890123456789012345678901234\"}"},
        {"device", "{\"ip\":\"a\",\"port\":1,\"k\":\"" K "\"}"},
        {"device", "{\"ip\":\"a\",\"port\":1,\"device\":\"\",\"k\":\"" K "\"}"},
        {"k", "{\"ip\":\"a\",\"port\":1,\"device\":\"d\",\"k\":\"A" K "\"}"},
        {"k", "{\"ip\":\"a\",\"port\":1,\"k\":\"AAAA\"}"},
        {"k", "{\"ip\":\"a\",\"port\":1,\"k\":\"AAECAwQFBgcI+QoLDA0ODxAREhMUFRYXGBkaGxwdHv8\"}"},
        {"k", "{\"ip\":\"a\",\"port\":1,\"k\":\"AAECAwQFBgcI/QoLDA0ODxAREhMUFRYXGBkaGxwdHv8\"}"},
        {"k", "{\"ip\":\"a\",\"port\":1,\"k\":\"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHv9\"}"},
        {"k", "{\"ip\":\"a\",\"port\":1,\"k\":\"" K "=\"}"},
        {"k", "{\"ip\":\"a\",\"port\":1,\"k\":7}"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        trivet_proto_pairing pairing;
        trivet_proto_error error;
        if (trivet_proto_pairing_decode(bad[i].code, strlen(bad[i].code), &pairing, &error) !=
            TRIVET_PROTO_EINPUT)
            fail_msg("accepted: %s", bad[i].code);
        assert_string_equal(error.path, bad[i].path);
    }
}

static void pairing_that_is_not_written(void **state) {
    trivet_proto_pairing pairing = {.ip = "a", .port = 1};
    char *text;
    (void)state;
    assert_int_equal(trivet_proto_pairing_encode(&pairing, &text), TRIVET_PROTO_EINPUT);
    pairing.has_k = true;
    assert_int_equal(trivet_proto_pairing_encode(&pairing, &text), TRIVET_PROTO_EINPUT);
    strcpy(pairing.device, "d");
    assert_int_equal(trivet_proto_pairing_encode(&pairing, &text), 0);
    free(text);
    pairing.port = 0;
    assert_int_equal(trivet_proto_pairing_encode(&pairing, &text), TRIVET_PROTO_EINPUT);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pairing_there_and_back),
        cmocka_unit_test(pairing_fields),
        cmocka_unit_test(pairing_refused),
        cmocka_unit_test(pairing_that_is_not_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
