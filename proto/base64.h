/*
 * base64.h - base64 at table speed (protocol §2).
 *
 * What it carries is ciphertext and public keys, so it need not run in constant time: a table does ten times
 * what libsodium's does. Standard alphabet; reading takes text with or without padding and refuses everything
 * else: white space, the URL alphabet, padding cut in half, and last characters with bits that no byte uses.
 */
#ifndef TRIVET_PROTO_BASE64_H
#define TRIVET_PROTO_BASE64_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Characters for `len` bytes, padding included; no NUL. `len` up to SIZE_MAX / 2. */
size_t proto_base64_encoded_size(size_t len);
/* Room that reading `len` characters may need. */
size_t proto_base64_decoded_size(size_t len);

/* Writes exactly proto_base64_encoded_size(len) characters. */
void proto_base64_encode(char *out, const uint8_t *data, size_t len);

/* False: refused, and `out` holds rubbish. */
bool proto_base64_decode(uint8_t *out, size_t *out_len, const char *text, size_t len);

/* Whether it would decode; writes nothing. */
bool proto_base64_valid(const char *text, size_t len);

#endif
