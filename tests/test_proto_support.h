/*
 * test_proto_support.h - what the tests of the protocol share: files, hex, random bytes from a list, an
 * owner's view of a machine.
 */
#ifndef TRIVET_TEST_PROTO_SUPPORT_H
#define TRIVET_TEST_PROTO_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "trivet_proto.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static inline json_t *load_vectors(void) {
    json_error_t error;
    json_t *vectors = json_load_file("fixtures/protocol/channel.json", 0, &error);
    if (vectors == NULL)
        fail_msg("fixtures/protocol/channel.json: %s (run the tests from the source root)", error.text);
    return vectors;
}

static inline const char *text_of(const json_t *object, const char *key) {
    const char *text = json_string_value(json_object_get(object, key));
    if (text == NULL)
        fail_msg("no string %s", key);
    return text;
}

/* malloc'd */
static inline uint8_t *from_hex(const char *hex, size_t *len) {
    size_t room = strlen(hex) / 2;
    uint8_t *out = malloc(room + 1);
    assert_non_null(out);
    assert_int_equal(sodium_hex2bin(out, room, hex, strlen(hex), NULL, len, NULL), 0);
    return out;
}

static inline void key_of(uint8_t key[static 32], const json_t *object, const char *name) {
    size_t len;
    uint8_t *bytes = from_hex(text_of(object, name), &len);
    assert_int_equal(len, 32);
    memcpy(key, bytes, 32);
    free(bytes);
}

/* Random bytes: first the given ones, then a counter, so that a test repeats. */
typedef struct {
    uint8_t first[32];
    size_t first_len;
    uint64_t counter;
} test_random;

static inline void test_random_bytes(void *ctx, uint8_t *out, size_t len) {
    test_random *r = ctx;
    memset(out, 0x5a, len);
    if (r->first_len > 0) {
        assert_int_equal(len, r->first_len);
        memcpy(out, r->first, len);
        r->first_len = 0;
        return;
    }
    r->counter++;
    memcpy(out, &r->counter, len < sizeof r->counter ? len : sizeof r->counter);
}

#endif
