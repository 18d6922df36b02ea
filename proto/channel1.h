/*
 * channel1.h - version 1's envelopes without a copy, for the machines (protocol §2).
 *
 *     {"enc":true,"n":"<base64, 24 bytes>","d":"<base64 of tag and ciphertext>"}
 *
 * The public functions in trivet_proto.h are these with a copy before or after.
 */
#ifndef TRIVET_PROTO_CHANNEL1_H
#define TRIVET_PROTO_CHANNEL1_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Room that a box needs before the plaintext, for its tag. */
enum { PROTO_BOX_HEADROOM = 16, PROTO_KEY_LEN = 32, PROTO_NONCE_LEN = 24 };

/* The length of an envelope around `len` bytes of plaintext. */
size_t proto_channel1_envelope_size(size_t len);

/*
 * `box` holds PROTO_BOX_HEADROOM bytes of room and then `len` of plaintext, which is encrypted where it
 * stands: nothing of it is left. The envelope is malloc'd. 0 or TRIVET_PROTO_ENOMEM.
 */
int proto_channel1_seal_in_place(const uint8_t key[static 32], const uint8_t nonce[static 24], uint8_t *box,
                                 size_t len, uint8_t **out, size_t *out_len);

/* The two strings of an envelope, as they stand in it, between their quotation marks. */
typedef struct {
    const char *n, *d;
    size_t n_len, d_len;
} proto_envelope;

/* 1: an envelope; 0: an object that is none, so plaintext; -1: no object, or an envelope that is damaged. */
int proto_envelope_find(const uint8_t *text, size_t len, proto_envelope *out);

/* False: its nonce is none. */
bool proto_envelope_nonce(const proto_envelope *envelope, uint8_t nonce[static 24]);

/* *out is malloc'd, a NUL after it. 0, TRIVET_PROTO_EINPUT, TRIVET_PROTO_ENOMEM. */
int proto_envelope_open(const proto_envelope *envelope, const uint8_t key[static 32],
                        const uint8_t nonce[static 24], uint8_t **out, size_t *out_len);

#endif
