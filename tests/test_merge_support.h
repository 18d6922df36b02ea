/* test_merge_support.h - short ways to read, write and merge in tests; a failure ends the test. */
#ifndef TEST_MERGE_SUPPORT_H
#define TEST_MERGE_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "trivet_merge.h"

#define SLICE(literal) ((trivet_merge_slice){(literal), strlen(literal)})

/* From malloc, never NULL. */
static inline void *allocate(size_t size) {
    void *memory = malloc(size);
    if (!memory)
        abort();
    return memory;
}

static inline trivet_merge_state *read_text(const char *json) {
    trivet_merge_error err = TRIVET_MERGE_ERROR_INIT;
    trivet_merge_state *state = NULL;
    if (trivet_merge_state_read(json, strlen(json), TRIVET_MERGE_PHONE, &state, &err) != 0)
        fail_msg("%s: %s in %.200s", err.path, err.reason, json);
    return state;
}

static inline char *write_text(const trivet_merge_state *state) {
    char *out = NULL;
    size_t len = 0;
    assert_int_equal(trivet_merge_state_write(state, &out, &len), 0);
    assert_int_equal(strlen(out), len);
    return out;
}

static inline void assert_state(const trivet_merge_state *state, const char *expected) {
    char *text = write_text(state);
    assert_string_equal(text, expected);
    free(text);
}

/* 64 bits from a seed, the same on every machine (splitmix64). */
static inline uint64_t next_random(uint64_t *seed) {
    uint64_t z = (*seed += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static inline size_t random_below(uint64_t *seed, size_t bound) {
    return (size_t)(next_random(seed) % bound);
}

#endif
