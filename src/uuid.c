/* Random identifiers. What they were made from is wiped: a pairing's secret is one. */
#include "uuid.h"

#include <sodium.h>
#include <stdint.h>
#include <stdio.h>

void uuid_v4(char out[static UUID_SIZE]) {
    uint8_t random[16];
    char hex[33];

    randombytes_buf(random, sizeof random);
    random[6] = (uint8_t)((random[6] & 0x0f) | 0x40);
    random[8] = (uint8_t)((random[8] & 0x3f) | 0x80);
    sodium_bin2hex(hex, sizeof hex, random, sizeof random);
    snprintf(out, UUID_SIZE, "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12, hex + 16, hex + 20);
    sodium_memzero(random, sizeof random);
    sodium_memzero(hex, sizeof hex);
}
