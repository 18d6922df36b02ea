/*
 * channel1.c - version 1: one shared key, and a JSON envelope around each message (protocol §2).
 *
 * An envelope is found with the scanner and not with a JSON parser: most of a large one is one string. Base64
 * may be spelled with JSON escapes (some writers spell / as \/), which costs a copy and so is asked for only
 * then.
 */
#include "channel1.h"

#include "base64.h"
#include "scan.h"
#include "text.h"
#include "trivet_proto.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

static const char head[] = "{\"enc\":true,\"n\":\"", middle[] = "\",\"d\":\"", tail[] = "\"}";
enum { NONCE_TEXT = 32, FIXED = sizeof head + sizeof middle + sizeof tail - 3 + NONCE_TEXT };

/* ---- key ---- */

int trivet_proto_channel1_key(uint8_t key[static 32], const uint8_t their_public[static 32],
                              const uint8_t own_secret[static 32]) {
    return crypto_box_beforenm(key, their_public, own_secret) == 0 ? TRIVET_PROTO_OK : TRIVET_PROTO_EINPUT;
}

/* ---- sealing ---- */

size_t proto_channel1_envelope_size(size_t len) {
    return FIXED + proto_base64_encoded_size(len + PROTO_BOX_HEADROOM);
}

int proto_channel1_seal_in_place(const uint8_t key[static 32], const uint8_t nonce[static 24], uint8_t *box,
                                 size_t len, uint8_t **out, size_t *out_len) {
    uint8_t *plain = box + PROTO_BOX_HEADROOM;
    crypto_secretbox_detached(plain, box, plain, len, nonce, key);
    *out_len = proto_channel1_envelope_size(len);
    *out = malloc(*out_len);
    if (*out == NULL)
        return TRIVET_PROTO_ENOMEM;
    char *to = (char *)*out;
    to = mempcpy(to, head, sizeof head - 1);
    proto_base64_encode(to, nonce, PROTO_NONCE_LEN);
    to = mempcpy(to + NONCE_TEXT, middle, sizeof middle - 1);
    proto_base64_encode(to, box, len + PROTO_BOX_HEADROOM);
    memcpy(to + proto_base64_encoded_size(len + PROTO_BOX_HEADROOM), tail, sizeof tail - 1);
    return TRIVET_PROTO_OK;
}

int trivet_proto_channel1_seal(const uint8_t key[static 32], const uint8_t nonce[static 24],
                               const uint8_t *plain, size_t len, uint8_t **out, size_t *out_len) {
    if (len > SIZE_MAX / 4)
        return TRIVET_PROTO_ENOMEM;
    uint8_t *box = malloc(PROTO_BOX_HEADROOM + len);
    if (box == NULL)
        return TRIVET_PROTO_ENOMEM;
    if (len > 0)
        memcpy(box + PROTO_BOX_HEADROOM, plain, len);
    int r = proto_channel1_seal_in_place(key, nonce, box, len, out, out_len);
    free(box);
    return r;
}

/* ---- opening ---- */

/* A string member, once; false where it stands twice or is no string. */
static bool take_string(const proto_member *member, const char **text, size_t *len) {
    if (member->kind != '"' || *text != NULL)
        return false;
    *text = member->value + 1;
    *len = member->value_len - 2;
    return true;
}

int proto_envelope_find(const uint8_t *text, size_t len, proto_envelope *out) {
    proto_scan scan;
    proto_member member;
    bool sound = true;
    char enc = '\0';
    int r;
    *out = (proto_envelope){NULL, NULL, 0, 0};
    proto_scan_begin(&scan, text, len);
    while ((r = proto_scan_next(&scan, &member)) > 0) {
        if (proto_scan_key_is(&member, "n")) {
            sound = take_string(&member, &out->n, &out->n_len) && sound;
        } else if (proto_scan_key_is(&member, "d")) {
            sound = take_string(&member, &out->d, &out->d_len) && sound;
        } else if (proto_scan_key_is(&member, "enc")) {
            sound = sound && enc == '\0';
            enc = member.kind;
        }
    }
    if (r < 0)
        return -1;
    if (enc != 't')
        return 0;
    return sound && out->n != NULL && out->d != NULL ? 1 : -1;
}

/* Base64 as a JSON string holds it. `out` has room for proto_base64_decoded_size(len). 1, 0, or -1: no
 * memory. */
static int read_base64(const char *raw, size_t len, uint8_t *out, size_t *out_len) {
    if (memchr(raw, '\\', len) == NULL)
        return proto_base64_decode(out, out_len, raw, len);
    char *plain = malloc(len + 1);
    if (plain == NULL)
        return -1;
    size_t plain_len = 0;
    bool good =
        proto_text_read(raw, len, plain, &plain_len) && proto_base64_decode(out, out_len, plain, plain_len);
    free(plain);
    return good;
}

bool proto_envelope_nonce(const proto_envelope *envelope, uint8_t nonce[static 24]) {
    char plain[6 * NONCE_TEXT + 1]; /* every character may be spelled as an escape */
    uint8_t bytes[sizeof plain];
    size_t plain_len = 0, len = 0;
    if (envelope->n_len >= sizeof plain ||
        !proto_text_read(envelope->n, envelope->n_len, plain, &plain_len) ||
        !proto_base64_decode(bytes, &len, plain, plain_len) || len != PROTO_NONCE_LEN)
        return false;
    memcpy(nonce, bytes, PROTO_NONCE_LEN);
    return true;
}

int proto_envelope_open(const proto_envelope *envelope, const uint8_t key[static 32],
                        const uint8_t nonce[static 24], uint8_t **out, size_t *out_len) {
    uint8_t tag[PROTO_BOX_HEADROOM];
    size_t len = 0;
    uint8_t *box = malloc(proto_base64_decoded_size(envelope->d_len));
    if (box == NULL)
        return TRIVET_PROTO_ENOMEM;
    int r = read_base64(envelope->d, envelope->d_len, box, &len);
    if (r != 1 || len < sizeof tag) {
        free(box);
        return r < 0 ? TRIVET_PROTO_ENOMEM : TRIVET_PROTO_EINPUT;
    }
    memcpy(tag, box, sizeof tag);
    len -= sizeof tag;
    /* The plaintext goes to the front of the block, so that the block is the message and can be handed on. */
    memmove(box, box + sizeof tag, len);
    if (crypto_secretbox_open_detached(box, box, tag, len, nonce, key) != 0) {
        free(box);
        return TRIVET_PROTO_EINPUT;
    }
    box[len] = '\0';
    *out = box;
    *out_len = len;
    return TRIVET_PROTO_OK;
}

int trivet_proto_channel1_open(const uint8_t key[static 32], const uint8_t *envelope, size_t len,
                               uint8_t nonce[static 24], uint8_t **out, size_t *out_len) {
    proto_envelope found;
    if (proto_envelope_find(envelope, len, &found) != 1 || !proto_envelope_nonce(&found, nonce))
        return TRIVET_PROTO_EINPUT;
    return proto_envelope_open(&found, key, nonce, out, out_len);
}
