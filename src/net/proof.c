/* The keyed hash, and an address in the one form in which both ends write it. */
#include "proof.h"

#include <sodium.h>
#include <string.h>

#include "address.h"

static const char label[] = "trivet/1 server proof";

void proof_key(const char *secret, uint8_t key[static PROOF_KEY_LEN]) {
    crypto_generichash(key, PROOF_KEY_LEN, (const uint8_t *)secret, strlen(secret), NULL, 0);
}

bool proof_make(const uint8_t key[static PROOF_KEY_LEN], const uint8_t nonce[static PROOF_NONCE_LEN],
                const uint8_t salt[static PROOF_SALT_LEN], const char *address, uint16_t port,
                uint8_t proof[static PROOF_LEN]) {
    uint8_t place[18] = {[10] = 0xff, [11] = 0xff};
    struct sockaddr_storage parsed;
    char bare[ADDRESS_SIZE];
    size_t len = strcspn(address, "%");

    if (len >= sizeof bare)
        return false;
    memcpy(bare, address, len);
    bare[len] = '\0';
    if (!address_parse(bare, 0, &parsed))
        return false;
    if (parsed.ss_family == AF_INET)
        memcpy(place + 12, &((const struct sockaddr_in *)(const void *)&parsed)->sin_addr, 4);
    else
        memcpy(place, &((const struct sockaddr_in6 *)(const void *)&parsed)->sin6_addr, 16);
    place[16] = (uint8_t)(port >> 8);
    place[17] = (uint8_t)port;

    crypto_generichash_state hash;
    crypto_generichash_init(&hash, key, PROOF_KEY_LEN, PROOF_LEN - PROOF_SALT_LEN);
    crypto_generichash_update(&hash, (const uint8_t *)label, sizeof label - 1);
    crypto_generichash_update(&hash, nonce, PROOF_NONCE_LEN);
    crypto_generichash_update(&hash, salt, PROOF_SALT_LEN);
    crypto_generichash_update(&hash, place, sizeof place);
    memcpy(proof, salt, PROOF_SALT_LEN);
    crypto_generichash_final(&hash, proof + PROOF_SALT_LEN, PROOF_LEN - PROOF_SALT_LEN);
    sodium_memzero(&hash, sizeof hash);
    return true;
}
