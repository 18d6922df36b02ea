/*
 * Chance, from the seed alone: one stream for what the network does, one for keys and ids, one for what masks frames. What
 * people do has streams of its own (pick() of test_reconcile_ledger.h), so that a step that is left out does not change those
 * after it.
 *
 * And no pair of key and nonce may ever be used twice: every box that is sealed passes here.
 */
#ifndef TEST_WIRE_CHANCE_H
#define TEST_WIRE_CHANCE_H

#include <dlfcn.h>
#include <sodium.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum stream { NETWORK, KEYS, MASKS, STREAMS };
enum { BOXES = 1 << 16 };

static uint64_t streams[STREAMS];

static unsigned draw(enum stream s, unsigned below) {
    streams[s] += 0x9E3779B97F4A7C15u; /* splitmix64 */
    uint64_t z = streams[s];
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return (unsigned)((z ^ (z >> 31)) % below);
}

static void begin_chance(uint64_t seed) {
    for (unsigned s = 0; s < STREAMS; s++)
        streams[s] = (seed + 1) * 0xD1342543DE82EF95u + s * 0x2545F4914F6CDD1Du;
}

/* ---- libsodium's generator ---- */

static const char *drawn_name(void) {
    return "seeded";
}

static uint32_t drawn_random(void) {
    return draw(KEYS, UINT32_MAX);
}

static void drawn_buf(void *out, size_t size) {
    for (size_t i = 0; i < size; i++)
        ((uint8_t *)out)[i] = (uint8_t)draw(KEYS, 256);
}

static struct randombytes_implementation drawn = {
    .implementation_name = drawn_name, .random = drawn_random, .buf = drawn_buf};

/* ---- keys and nonces ---- */

static struct {
    uint64_t seen[BOXES]; /* of key and nonce; 0: a free place */
    unsigned count;
    unsigned again; /* how many were used twice */
} boxes;

static void note_box(const uint8_t *key, const uint8_t *nonce) {
    uint64_t hash = 14695981039346656037u;

    for (unsigned i = 0; i < crypto_secretbox_KEYBYTES; i++)
        hash = (hash ^ key[i]) * 1099511628211u;
    for (unsigned i = 0; i < crypto_secretbox_NONCEBYTES; i++)
        hash = (hash ^ nonce[i]) * 1099511628211u;
    hash |= 1;
    uint64_t at = hash >> 20;
    while (boxes.seen[at % BOXES] != 0 && boxes.seen[at % BOXES] != hash)
        at++;
    boxes.again += boxes.seen[at % BOXES] == hash;
    boxes.seen[at % BOXES] = hash;
    if (++boxes.count > BOXES / 2)
        abort();
}

int crypto_secretbox_detached(unsigned char *c, unsigned char *mac, const unsigned char *m,
                              unsigned long long mlen, const unsigned char *n, const unsigned char *k) {
    static int (*real)(unsigned char *, unsigned char *, const unsigned char *, unsigned long long,
                       const unsigned char *, const unsigned char *);

    if (!real)
        *(void **)&real = dlsym(RTLD_NEXT, "crypto_secretbox_detached");
    note_box(k, n);
    return real(c, mac, m, mlen, n, k);
}

#endif
