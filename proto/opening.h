/*
 * opening.h - the messages that open a channel: key_init, key_exchange, handshake (protocol §2, §7).
 *
 * They hold keys and the pairing secret, so they are read and written without jansson, whose memory cannot be
 * wiped. All are strict.
 */
#ifndef TRIVET_PROTO_OPENING_H
#define TRIVET_PROTO_OPENING_H

#include "trivet_proto.h"

/* key_init and key_exchange */
typedef struct {
    uint8_t public_key[32];
    int version; /* of the channel that it asks for: 1, 2, or 0 for any other */
    /* version 2, key_init: */
    char device[65];
    int gen;
    /* version 2, key_exchange: */
    uint8_t proof[32];
} proto_key_message;

int proto_key_message_read(const uint8_t *text, size_t len, trivet_proto_type type, proto_key_message *out,
                           trivet_proto_error *err);
int proto_key_message_write(trivet_proto_type type, const proto_key_message *message, uint8_t **out,
                            size_t *len);

typedef struct {
    char *secret, *device_id; /* malloc'd, UTF-8, lone surrogates as U+FFFD; no secret in version 2 */
    int64_t last_sync;
    int64_t clock; /* ms since 1970 by the phone's clock; version 2 */
} proto_handshake;

/* Wipes the secret. */
void proto_handshake_release(proto_handshake *handshake);
int proto_handshake_read(const uint8_t *text, size_t len, int version, proto_handshake *out,
                         trivet_proto_error *err);
/* Without a secret (NULL) it is version 2's, with `clock`. */
int proto_handshake_write(const proto_handshake *handshake, size_t headroom, uint8_t **out, size_t *len);

#endif
