/*
 * channel2.c - version 2: what both ends derive, and its binary frames (protocol §7).
 *
 *     psk = H("trivet/2 pairing key", pairing key)        H(k, m): BLAKE2b-256 of m, keyed with k
 *     th  = H("trivet/2 transcript", computer public || key_init as sent)
 *     prk = H(psk, X25519(own secret, their public) || th)
 *     proof, p2c, c2p, device_key = H(prk, a label each)
 *
 *     frame       secretbox(plain, key of the direction, nonce)
 *     plain[0]    kind: 1 JSON, 2 chunk of a file
 *     plain[1..]  body; of kind 2: u32 LE transfer, u64 LE offset, bytes
 *     nonce       u64 LE counter of the direction, 16 zero bytes; never sent
 */
#include "channel2.h"

#include "trivet_proto.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

enum { TAG = crypto_secretbox_MACBYTES };

/* ---- keys ---- */

static void hash_labelled(uint8_t out[static 32], const char *label, const uint8_t *data, size_t len) {
    crypto_generichash(out, 32, data, len, (const uint8_t *)label, strlen(label));
}

static void expand(uint8_t out[static 32], const uint8_t prk[static 32], const char *label) {
    crypto_generichash(out, 32, (const uint8_t *)label, strlen(label), prk, 32);
}

static void transcript(uint8_t th[static 32], const uint8_t computer_public[static 32],
                       const uint8_t *key_init, size_t len) {
    static const char label[] = "trivet/2 transcript";
    crypto_generichash_state state;
    crypto_generichash_init(&state, (const uint8_t *)label, sizeof label - 1, 32);
    crypto_generichash_update(&state, computer_public, 32);
    crypto_generichash_update(&state, key_init, len);
    crypto_generichash_final(&state, th, 32);
}

int trivet_proto_channel2_derive(trivet_proto_channel2_keys *out, const uint8_t pairing_key[static 32],
                                 const uint8_t own_secret[static 32], const uint8_t their_public[static 32],
                                 const uint8_t computer_public[static 32], const uint8_t *key_init,
                                 size_t key_init_len) {
    uint8_t shared_th[64];
    memset(out, 0, sizeof *out);
    if (crypto_scalarmult(shared_th, own_secret, their_public) != 0)
        return TRIVET_PROTO_EINPUT;
    hash_labelled(out->psk, "trivet/2 pairing key", pairing_key, 32);
    transcript(out->th, computer_public, key_init, key_init_len);
    memcpy(shared_th + 32, out->th, 32);
    crypto_generichash(out->prk, 32, shared_th, sizeof shared_th, out->psk, 32);
    sodium_memzero(shared_th, sizeof shared_th);
    expand(out->proof, out->prk, "computer proof");
    expand(out->p2c, out->prk, "phone to computer");
    expand(out->c2p, out->prk, "computer to phone");
    expand(out->device_key, out->prk, "device key");
    return TRIVET_PROTO_OK;
}

/* ---- frames ---- */

static void nonce_of(uint8_t nonce[static 24], uint64_t counter) {
    memset(nonce, 0, 24);
    for (unsigned i = 0; i < 8; i++)
        nonce[i] = (uint8_t)(counter >> 8 * i);
}

static bool is_sound(uint8_t kind, size_t body_len) {
    return kind == PROTO_KIND_JSON || (kind == PROTO_KIND_CHUNK && body_len >= PROTO_CHUNK_HEAD);
}

void proto_channel2_seal_in_place(const uint8_t key[static 32], uint64_t counter, uint8_t kind,
                                  uint8_t *frame, size_t len) {
    uint8_t nonce[24];
    frame[TAG] = kind;
    nonce_of(nonce, counter);
    crypto_secretbox_detached(frame + TAG, frame, frame + TAG, len + 1, nonce, key);
}

int trivet_proto_channel2_seal(const uint8_t key[static 32], uint64_t counter, uint8_t kind,
                               const uint8_t *body, size_t len, uint8_t **out, size_t *out_len) {
    if (!is_sound(kind, len))
        return TRIVET_PROTO_EINPUT;
    if (len > SIZE_MAX / 4)
        return TRIVET_PROTO_ENOMEM;
    uint8_t *frame = malloc(TAG + 1 + len);
    if (frame == NULL)
        return TRIVET_PROTO_ENOMEM;
    if (len > 0)
        memcpy(frame + TAG + 1, body, len);
    proto_channel2_seal_in_place(key, counter, kind, frame, len);
    *out = frame;
    *out_len = TAG + 1 + len;
    return TRIVET_PROTO_OK;
}

int proto_channel2_open_frame(const uint8_t key[static 32], uint64_t counter, const uint8_t *frame,
                              size_t len, uint8_t **out, size_t *body_len) {
    uint8_t nonce[24];
    if (len <= TAG) /* an empty plaintext has no kind */
        return TRIVET_PROTO_EINPUT;
    size_t plain_len = len - TAG;
    uint8_t *plain = malloc(plain_len + 1);
    if (plain == NULL)
        return TRIVET_PROTO_ENOMEM;
    nonce_of(nonce, counter);
    if (crypto_secretbox_open_detached(plain, frame + TAG, frame, plain_len, nonce, key) != 0 ||
        !is_sound(plain[0], plain_len - 1)) {
        sodium_memzero(plain, plain_len);
        free(plain);
        return TRIVET_PROTO_EINPUT;
    }
    plain[plain_len] = '\0';
    *body_len = plain_len - 1;
    *out = plain;
    return TRIVET_PROTO_OK;
}

int trivet_proto_channel2_open(const uint8_t key[static 32], uint64_t counter, const uint8_t *frame,
                               size_t len, uint8_t *kind, uint8_t **body, size_t *body_len) {
    int r = proto_channel2_open_frame(key, counter, frame, len, body, body_len);
    if (r == TRIVET_PROTO_OK) {
        *kind = (*body)[0];
        memmove(*body, *body + 1, *body_len + 1);
    }
    return r;
}
