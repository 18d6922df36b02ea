/*
 * test_proto_parsers.c - the small parsers: base64, the scanner, literals, envelopes; and what counts nonces and rates.
 */
#include "test_proto_support.h"

#include "base64.h"
#include "channel1.h"
#include "member.h"
#include "nonces.h"
#include "rate.h"
#include "scan.h"
#include "text.h"
#include "tree.h"

/* ---- base64 ---- */

static void base64_as_libsodium_has_it(void **state) {
    uint8_t data[200], back[400];
    char ours[400], theirs[400];
    (void)state;
    for (size_t len = 0; len <= sizeof data; len++) {
        size_t back_len = 99999;
        randombytes_buf(data, len);
        size_t text_len = proto_base64_encoded_size(len);
        proto_base64_encode(ours, data, len);
        sodium_bin2base64(theirs, sizeof theirs, data, len, sodium_base64_VARIANT_ORIGINAL);
        assert_int_equal(text_len, strlen(theirs));
        assert_memory_equal(ours, theirs, text_len);
        assert_true(proto_base64_decoded_size(text_len) >= len);
        for (size_t padding = 0; padding < 2; padding++) {
            assert_true(proto_base64_decode(back, &back_len, ours, text_len));
            assert_true(proto_base64_valid(ours, text_len));
            assert_int_equal(back_len, len);
            assert_memory_equal(back, data, len);
            while (text_len > 0 && ours[text_len - 1] == '=')
                text_len--;
        }
    }
}

static void base64_every_character(void **state) {
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    (void)state;
    for (int c = 0; c < 256; c++) {
        for (size_t at = 0; at < 4; at++) {
            char text[4] = {'A', 'A', 'A', 'A'};
            uint8_t out[8];
            size_t len;
            text[at] = (char)c;
            bool expected = c != 0 && strchr(alphabet, c) != NULL;
            if (c == '=' && at == 3)
                expected = true;
            assert_int_equal(proto_base64_decode(out, &len, text, 4), expected);
            assert_int_equal(proto_base64_valid(text, 4), expected);
        }
    }
}

static void base64_refused(void **state) {
    static const char *const bad[] = {
        "A",     "=",      "==",    "====",  "A===", "AA=",    "AAA==",    "AAAAA",
        "AAAA=", "AAAA==", "AA==A", "AA=A",  "A=AA", "AB==",   "AAB=",     "AB",
        "AAB",   " AAA",   "AAA ",  "AAA\n", "AA-_", "AAAA\n", "AAAA====", "=AAA"};
    uint8_t out[16];
    size_t len;
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (proto_base64_decode(out, &len, bad[i], strlen(bad[i])) ||
            proto_base64_valid(bad[i], strlen(bad[i])))
            fail_msg("accepted: %s", bad[i]);
    }
    assert_false(proto_base64_decode(out, &len, "AAAAAA", 5)); /* and what follows is not looked at */
    assert_false(proto_base64_valid("AAAAAA", 5));
    assert_false(proto_base64_decode(out, &len, "AA", 1));
}

/* ---- scanner ---- */

/* The members of an object as "key=value;", or NULL where it is refused. */
static const char *members_of(const char *text, size_t len) {
    static char out[4096];
    proto_scan scan;
    proto_member member;
    size_t at = 0;
    int r;
    proto_scan_begin(&scan, text, len);
    out[0] = '\0';
    while ((r = proto_scan_next(&scan, &member)) > 0)
        at += (size_t)snprintf(out + at, sizeof out - at, "%.*s%c%.*s;", (int)member.key_len, member.key,
                               member.kind, (int)member.value_len, member.value);
    return r == 0 ? out : NULL;
}

static void scan_members(void **state) {
    static const struct {
        const char *text, *members;
    } cases[] = {
        {"{}", ""},
        {" { } ", ""},
        {"{\"a\":1}", "a01;"},
        {"{\"a\":-0.5e+10,\"b\":true,\"c\":false,\"d\":null}", "a0-0.5e+10;bttrue;cffalse;dnnull;"},
        {"{\"a\":\"x\\\\\",\"b\":\"\\\"}\",\"\":\"\"}", "a\"\"x\\\\\";b\"\"\\\"}\";\"\"\";"},
        {"{\"a\":[1,{\"b\":\"]\"}],\"c\":{\"d\":[[]]}}", "a[[1,{\"b\":\"]\"}];c{{\"d\":[[]]};"},
        {"{\"a\\\"\":1}", "a\\\"01;"},
        {"{\"a\":1,}", NULL},
        {"{,}", NULL},
        {"{\"a\"}", NULL},
        {"{\"a\":}", NULL},
        {"{\"a\":1 \"b\":2}", NULL},
        {"{a:1}", NULL},
        {"{\"a\":1}}", NULL},
        {"{\"a\":+1}", NULL},
        {"{\"a\":.1}", NULL},
        {"{\"a\":1.}", NULL},
        {"{\"a\":1e}", NULL},
        {"{\"a\":-}", NULL},
        {"{\"a\":00}", NULL},
        {"{\"a\":tru}", NULL},
        {"{\"a\":[}", NULL},
        {"{\"a\":[\"]}", NULL},
        {"{\"a\":\"x\\\"}", NULL},
        {"[]", NULL},
        {"", NULL},
        {"null", NULL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *members = members_of(cases[i].text, strlen(cases[i].text));
        if (cases[i].members == NULL) {
            if (members != NULL)
                fail_msg("accepted: %s", cases[i].text);
        } else {
            assert_non_null(members);
            assert_string_equal(members, cases[i].members);
        }
    }
}

/* Strings, escapes and brackets on every side of a block's border: what is skipped must not depend on where. */
static void scan_blocks(void **state) {
    static const char inside[] = "[\"a\\\\\\\"]\",{\"b\":\"\\\\\"},[[\"\\\"[\"]],\"}}}}\"]";
    (void)state;
    for (size_t shift = 0; shift < 140; shift++) {
        for (size_t fill = 0; fill < 3; fill++) {
            char text[400], pad[200];
            memset(pad, fill == 0 ? ' ' : fill == 1 ? '1' : ',', shift);
            pad[shift] = '\0';
            snprintf(text, sizeof text, fill == 1 ? "{\"p\":[\"%s\",%s],\"q\":2}" : "{\"p\":[%s%s],\"q\":2}",
                     pad, inside);
            char *exact = strndup(text, strlen(text));
            const char *members = members_of(exact, strlen(exact));
            assert_non_null(members);
            assert_non_null(strstr(members, ";q02;"));
            for (size_t cut = 0; cut < strlen(exact); cut++)
                assert_null(members_of(exact, cut));
            free(exact);
        }
    }
}

/* Runs of backslashes of every length, at every place in a block. */
static void scan_backslashes(void **state) {
    (void)state;
    for (size_t run = 0; run < 70; run++) {
        for (size_t shift = 0; shift < 70; shift++) {
            char text[400], *to = stpcpy(text, "{\"a\":[\"");
            memset(to, 'x', shift);
            to += shift;
            memset(to, '\\', run);
            to += run;
            strcpy(to, run % 2 == 0 ? "\"],\"b\":1}" : "\"]\"],\"b\":1}");
            const char *members = members_of(text, strlen(text));
            assert_non_null(members);
            assert_non_null(strstr(members, ";b01;"));
        }
    }
}

static void scan_keys(void **state) {
    static const struct {
        const char *key;
        bool is;
    } cases[] = {{"type", true},         {"\\u0074ype", true},
                 {"typ\\u0065", true},   {"\\u0074\\u0079\\u0070\\u0065", true},
                 {"\\U0074ype", false},  {"typ", false},
                 {"types", false},       {"\\u0075ype", false},
                 {"\\u0074yp\\", false}, {"\\u0074yp", false},
                 {"type\\u0000", false}, {"\\u007", false}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        proto_member member = {.key = cases[i].key, .key_len = strlen(cases[i].key)};
        if (proto_scan_key_is(&member, "type") != cases[i].is)
            fail_msg("%s", cases[i].key);
    }
    proto_member upper = {.key = "\\u002Dx", .key_len = 7};
    assert_true(proto_scan_key_is(&upper, "-x"));
}

/* ---- literals ---- */

static void literals(void **state) {
    static const struct {
        const char *raw, *text; /* NULL: refused */
    } cases[] = {
        {"", ""},
        {"plain \xc3\xbc", "plain \xc3\xbc"},
        {"\\\"\\\\\\/\\b\\f\\n\\r\\t", "\"\\/\b\f\n\r\t"},
        {"\\u00e9\\u20ac\\ud83d\\ude00", "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"},
        {"\\ud83d!", "\xef\xbf\xbd!"},
        {"\\ud83d\\u0041", "\xef\xbf\xbd"
                           "A"},
        {"\\u0000", "\xef\xbf\xbd"},
        {"\\", NULL},
        {"\\x", NULL},
        {"\\u12", NULL},
        {"\\u12g4", NULL},
        {"a\"b", NULL},
        {"\n", NULL},
        {"\x80", NULL},
        {"\xc0\x80", NULL},
        {"\xed\xa0\x80", NULL},
        {"\xe0\x80\x80", NULL},
        {"\xf0\x80\x80\x80", NULL},
        {"\xf4\x90\x80\x80", NULL},
        {"\xf5\x80\x80\x80", NULL},
        {"\xe2\x82", NULL},
        {"\xe2\x82g", NULL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char out[100];
        size_t len, raw_len = strlen(cases[i].raw);
        char *exact = malloc(raw_len + 1);
        memcpy(exact, cases[i].raw, raw_len);
        bool good = proto_text_read(exact, raw_len, out, &len);
        free(exact);
        if (good != (cases[i].text != NULL))
            fail_msg("%s", cases[i].raw);
        if (good)
            assert_string_equal(out, cases[i].text);
    }
    char written[100];
    *proto_text_write(written, "a\"\\\n\x1f\x7f\xc3\xbc/") = '\0';
    assert_string_equal(written, "\"a\\\"\\\\\\u000a\\u001f\x7f\xc3\xbc/\"");
}

/* ---- trees ---- */

static void trees(void **state) {
    static const struct {
        const char *text, *again; /* as jansson writes it; NULL: refused */
        const char *reason;
    } cases[] = {
        {"null", "null", NULL},
        {" [ ] ", "[]", NULL},
        {"{\"b\":[1,2.5,-3,1e2,-0,0.0],\"a\":{}}", "{\"b\":[1,2.5,-3,100.0,0,0.0],\"a\":{}}", NULL},
        {"[999999999999999999,-99999999999999999]", "[999999999999999999,-99999999999999999]", NULL},
        {"[9999999999999999999999]", "[1e22]", NULL},
        {"[\"\\ud800\\u0000\"]", "[\"\xf4\x8f\xbf\xbf\xee\x80\x80\xf4\x8f\xbf\xbf\xee\xa0\x80\"]", NULL},
        {"", NULL, "no JSON (byte 0)"},
        {"[1 2]", NULL, "no JSON (byte 3)"},
        {"[1,]", NULL, "no JSON (byte 3)"},
        {"[,1]", NULL, "no JSON (byte 1)"},
        {"{\"a\" 1}", NULL, "no JSON (byte 5)"},
        {"{\"a\":1,}", NULL, "no JSON (byte 7)"},
        {"{1:1}", NULL, "no JSON (byte 1)"},
        {"{\"a\":1,\"\\u0061\":1}", NULL, "a repeated key (byte 15)"},
        {"[1]]", NULL, "no JSON (byte 3)"},
        {"[1}", NULL, "no JSON (byte 2)"},
        {"[-]", NULL, "no JSON (byte 1)"},
        {"[1e999]", NULL, "a number too large (byte 6)"},
        {"[\"\\ud8\"]", NULL, "no JSON string of UTF-8 (byte 7)"},
        {"[\"\xff\"]", NULL, "no JSON string of UTF-8 (byte 4)"},
        {"[\"\n\"]", NULL, "no JSON string of UTF-8 (byte 4)"},
        {"[\"", NULL, "no JSON (byte 1)"},
        {"[truE]", NULL, "no JSON (byte 1)"},
        {"[\f1]", NULL, "no JSON (byte 1)"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        trivet_proto_error error = {"", ""};
        json_t *tree;
        int r = proto_tree_read(cases[i].text, strlen(cases[i].text), &tree, &error);
        if (cases[i].again == NULL) {
            assert_int_equal(r, TRIVET_PROTO_EINPUT);
            assert_null(tree);
            assert_string_equal(error.reason, cases[i].reason);
            continue;
        }
        if (r != 0)
            fail_msg("%s: %s", cases[i].text, error.reason);
        char *again = json_dumps(tree, JSON_COMPACT | JSON_ENCODE_ANY);
        assert_string_equal(again, cases[i].again);
        free(again);
        json_decref(tree);
    }
}

static void trees_are_64_deep_at_most(void **state) {
    (void)state;
    for (size_t depth = 63; depth <= 65; depth++) {
        char text[200];
        trivet_proto_error error;
        json_t *tree;
        memset(text, '[', depth);
        memset(text + depth, ']', depth);
        assert_int_equal(proto_tree_read(text, 2 * depth, &tree, &error),
                         depth <= 64 ? 0 : TRIVET_PROTO_EINPUT);
        json_decref(tree);
    }
    /* side by side is not within */
    char row[400] = "[[]", *to = row + 3;
    json_t *tree;
    for (int i = 0; i < 100; i++)
        to = stpcpy(to, ",[]");
    strcpy(to, "]");
    assert_int_equal(proto_tree_read(row, strlen(row), &tree, NULL), 0);
    assert_int_equal(json_array_size(tree), 101);
    json_decref(tree);
}

/* ---- envelopes ---- */

static void envelopes(void **state) {
    static const struct {
        const char *text;
        int found;
    } cases[] = {
        {"{\"enc\":true,\"n\":\"AA\",\"d\":\"BB\"}", 1},
        {"{\"enc\":true,\"n\":\"\",\"d\":\"\",\"x\":{\"n\":1}}", 1},
        {"{\"n\":\"AA\",\"d\":\"BB\"}", 0},
        {"{\"enc\":false,\"n\":\"AA\",\"d\":\"BB\"}", 0},
        {"{\"enc\":\"true\",\"n\":\"AA\",\"d\":\"BB\"}", 0},
        {"{\"enc\":1}", 0},
        {"{}", 0},
        {"{\"enc\":true}", -1},
        {"{\"enc\":true,\"n\":\"AA\"}", -1},
        {"{\"enc\":true,\"n\":\"AA\",\"d\":null}", -1},
        {"{\"enc\":true,\"n\":5,\"d\":\"\"}", -1},
        {"{\"enc\":true,\"n\":\"AA\",\"d\":\"BB\",\"d\":\"BB\"}", -1},
        {"{\"enc\":true,\"n\":\"AA\",\"n\":\"AA\",\"d\":\"BB\"}", -1},
        {"{\"enc\":true,\"enc\":true,\"n\":\"AA\",\"d\":\"BB\"}", -1},
        {"[]", -1},
        {"", -1},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        proto_envelope found;
        assert_int_equal(proto_envelope_find((const uint8_t *)cases[i].text, strlen(cases[i].text), &found),
                         cases[i].found);
    }
}

/* Some writers spell / as \/, and any character may be spelled as an escape. */
static void envelopes_with_escapes(void **state) {
    uint8_t key[32] = {1}, nonce[24], got[24], *envelope, *plain;
    size_t len, plain_len;
    (void)state;
    memset(nonce, 0xff, sizeof nonce); /* all slashes */
    assert_int_equal(trivet_proto_channel1_seal(key, nonce, (const uint8_t *)"hello", 5, &envelope, &len), 0);
    char *spelled = calloc(6, len + 1), *to = spelled;
    size_t d = (size_t)(strstr((const char *)envelope, "\"d\":\"") + 5 - (const char *)envelope);
    for (size_t i = 0; i < len; i++) {
        if (i == d)
            to += sprintf(to, "\\u%04x", envelope[i]);
        else if (envelope[i] == '/')
            to = stpcpy(to, i % 2 == 0 ? "\\/" : "\\u002F");
        else
            *to++ = (char)envelope[i];
    }
    assert_int_equal(
        trivet_proto_channel1_open(key, (const uint8_t *)spelled, strlen(spelled), got, &plain, &plain_len),
        0);
    assert_memory_equal(got, nonce, 24);
    assert_int_equal(plain_len, 5);
    assert_memory_equal(plain, "hello", 6);
    free(plain);
    free(spelled);
    free(envelope);
}

static void envelopes_cut_and_changed(void **state) {
    uint8_t key[32] = {1}, nonce[24] = {2}, *envelope, *plain;
    size_t len, plain_len;
    (void)state;
    assert_int_equal(trivet_proto_channel1_seal(key, nonce, (const uint8_t *)"hello", 5, &envelope, &len), 0);
    for (size_t cut = 0; cut < len; cut++) {
        uint8_t *exact = malloc(cut + 1);
        memcpy(exact, envelope, cut);
        assert_int_equal(trivet_proto_channel1_open(key, exact, cut, nonce, &plain, &plain_len),
                         TRIVET_PROTO_EINPUT);
        free(exact);
    }
    for (size_t at = 0; at < len; at++) { /* any bit of it matters */
        for (int bit = 0; bit < 8; bit++) {
            envelope[at] ^= (uint8_t)(1 << bit);
            assert_int_equal(trivet_proto_channel1_open(key, envelope, len, nonce, &plain, &plain_len),
                             TRIVET_PROTO_EINPUT);
            envelope[at] ^= (uint8_t)(1 << bit);
        }
    }
    free(envelope);
}

static void frames_cut_and_changed(void **state) {
    uint8_t key[32] = {1}, kind, *frame, *body;
    size_t len, body_len;
    (void)state;
    assert_int_equal(trivet_proto_channel2_seal(key, 3, 1, (const uint8_t *)"{}", 2, &frame, &len), 0);
    for (size_t cut = 0; cut < len; cut++)
        assert_int_equal(trivet_proto_channel2_open(key, 3, frame, cut, &kind, &body, &body_len),
                         TRIVET_PROTO_EINPUT);
    for (size_t at = 0; at < len; at++) {
        frame[at] ^= 1;
        assert_int_equal(trivet_proto_channel2_open(key, 3, frame, len, &kind, &body, &body_len),
                         TRIVET_PROTO_EINPUT);
        frame[at] ^= 1;
    }
    assert_int_equal(trivet_proto_channel2_open(key, 3, frame, len, &kind, &body, &body_len), 0);
    free(body);
    free(frame);
    /* What may not be received is not sent. */
    assert_int_equal(trivet_proto_channel2_seal(key, 0, 0, (const uint8_t *)"", 0, &frame, &len),
                     TRIVET_PROTO_EINPUT);
    assert_int_equal(trivet_proto_channel2_seal(key, 0, 3, (const uint8_t *)"", 0, &frame, &len),
                     TRIVET_PROTO_EINPUT);
    assert_int_equal(trivet_proto_channel2_seal(key, 0, 2, key, 11, &frame, &len), TRIVET_PROTO_EINPUT);
    assert_int_equal(trivet_proto_channel2_seal(key, 0, 2, key, 12, &frame, &len), 0);
    free(frame);
}

/* ---- nonces, rates ---- */

static void nonces(void **state) {
    proto_nonces set = {.key = {1}};
    uint8_t nonce[24] = {0};
    (void)state;
    assert_false(proto_nonces_has(&set, nonce));
    for (uint32_t i = 0; i < 5000; i++) {
        memcpy(nonce, &i, sizeof i);
        assert_false(proto_nonces_has(&set, nonce));
        assert_int_equal(proto_nonces_add(&set, nonce), 0);
        assert_true(proto_nonces_has(&set, nonce));
        assert_int_equal(set.count, i + 1);
    }
    for (uint32_t i = 0; i < 5000; i++) {
        memcpy(nonce, &i, sizeof i);
        assert_true(proto_nonces_has(&set, nonce));
        assert_int_equal(proto_nonces_add(&set, nonce), 0);
    }
    assert_int_equal(set.count, 5000);
    proto_nonces_release(&set);
}

static void buckets(void **state) {
    proto_bucket bucket;
    (void)state;
    proto_bucket_init(&bucket, 2, 3, 100);
    assert_true(proto_bucket_take(&bucket, 100));
    assert_true(proto_bucket_take(&bucket, 50)); /* a clock that goes back gives nothing, and takes nothing */
    assert_true(proto_bucket_take(&bucket, 100));
    assert_false(proto_bucket_take(&bucket, 100));
    assert_false(proto_bucket_take(&bucket, 599));
    assert_true(proto_bucket_take(&bucket, 600));
    assert_false(proto_bucket_take(&bucket, 600));
    for (int i = 0; i < 3; i++)
        assert_true(proto_bucket_take(&bucket, 1000000));
    assert_false(proto_bucket_take(&bucket, 1000000));
}

static void windows(void **state) {
    proto_window window;
    (void)state;
    proto_window_init(&window, 3);
    assert_true(proto_window_add(&window, 0, 100));
    assert_true(proto_window_add(&window, 50, 100));
    assert_true(proto_window_add(&window, 100, 100));
    assert_false(proto_window_add(&window, 149, 100));
    assert_true(proto_window_add(&window, 200, 100));
    proto_window_init(&window, 0);
    assert_false(proto_window_add(&window, 0, 100));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(base64_as_libsodium_has_it),
        cmocka_unit_test(base64_every_character),
        cmocka_unit_test(base64_refused),
        cmocka_unit_test(scan_members),
        cmocka_unit_test(scan_blocks),
        cmocka_unit_test(scan_backslashes),
        cmocka_unit_test(scan_keys),
        cmocka_unit_test(literals),
        cmocka_unit_test(trees),
        cmocka_unit_test(trees_are_64_deep_at_most),
        cmocka_unit_test(envelopes),
        cmocka_unit_test(envelopes_with_escapes),
        cmocka_unit_test(envelopes_cut_and_changed),
        cmocka_unit_test(frames_cut_and_changed),
        cmocka_unit_test(nonces),
        cmocka_unit_test(buckets),
        cmocka_unit_test(windows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
