/* nonces.c - a hash set of hashes: linear probing, at most three quarters full, doubled when it would be
 * more. */
#include "nonces.h"

#include <stdlib.h>
#include <string.h>

void proto_nonces_release(proto_nonces *nonces) {
    free(nonces->slots);
    sodium_memzero(nonces, sizeof *nonces);
}

static uint64_t hash_of(const proto_nonces *nonces, const uint8_t nonce[static 24]) {
    uint8_t bytes[crypto_shorthash_BYTES];
    uint64_t hash;
    crypto_shorthash(bytes, nonce, 24, nonces->key);
    memcpy(&hash, bytes, sizeof hash);
    return hash == 0 ? 1 : hash;
}

/* Where it stands, or where it would. There is always an empty slot. */
static size_t find(const uint64_t *slots, size_t size, uint64_t hash) {
    size_t at = (size_t)hash & (size - 1);
    while (slots[at] != 0 && slots[at] != hash)
        at = (at + 1) & (size - 1);
    return at;
}

bool proto_nonces_has(const proto_nonces *nonces, const uint8_t nonce[static 24]) {
    if (nonces->size == 0)
        return false;
    return nonces->slots[find(nonces->slots, nonces->size, hash_of(nonces, nonce))] != 0;
}

static int grow(proto_nonces *nonces) {
    size_t size = nonces->size == 0 ? 16 : nonces->size * 2;
    uint64_t *slots = calloc(size, sizeof *slots);
    if (slots == NULL)
        return -1;
    for (size_t i = 0; i < nonces->size; i++) {
        if (nonces->slots[i] != 0)
            slots[find(slots, size, nonces->slots[i])] = nonces->slots[i];
    }
    free(nonces->slots);
    nonces->slots = slots;
    nonces->size = size;
    return 0;
}

int proto_nonces_add(proto_nonces *nonces, const uint8_t nonce[static 24]) {
    if (nonces->count >= nonces->size / 4 * 3 && grow(nonces) != 0)
        return -1;
    uint64_t hash = hash_of(nonces, nonce);
    size_t at = find(nonces->slots, nonces->size, hash);
    if (nonces->slots[at] == 0)
        nonces->count++;
    nonces->slots[at] = hash;
    return 0;
}
