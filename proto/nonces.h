/*
 * nonces.h - the nonces that either side has used on a connection (protocol §2).
 *
 * One set for both directions, so that a reflected message is found as a replayed one is. It keeps a keyed
 * 64-bit hash of each (SipHash, with a random key, so that nobody can choose two that meet): 12 bytes a nonce
 * on average, nothing before the first. That an honest fresh nonce is taken for a used one has a chance of
 * one in 37 million in the life of a connection that uses all 1,000,000.
 */
#ifndef TRIVET_PROTO_NONCES_H
#define TRIVET_PROTO_NONCES_H

#include <sodium.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
    uint8_t key[crypto_shorthash_KEYBYTES];
    uint64_t *slots; /* open addressing; 0: empty */
    size_t size;     /* 0 or a power of two */
    size_t count;
} proto_nonces;

/* The key is to be filled with random bytes. */
void proto_nonces_release(proto_nonces *nonces);

bool proto_nonces_has(const proto_nonces *nonces, const uint8_t nonce[static 24]);

/* -1: out of memory. Adding twice is adding once. */
int proto_nonces_add(proto_nonces *nonces, const uint8_t nonce[static 24]);

#endif
