/*
 * opening.h - the messages that open a channel: key_init, key_exchange, handshake (protocol §2).
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
    bool other_version; /* it asks for a version of the channel that is not 1 */
} proto_key_message;

int proto_key_message_read(const uint8_t *text, size_t len, trivet_proto_type type, proto_key_message *out,
                           trivet_proto_error *err);
int proto_key_message_write(trivet_proto_type type, const uint8_t public_key[static 32], uint8_t **out,
                            size_t *len);

typedef struct {
    char *secret, *device_id; /* malloc'd, UTF-8, lone surrogates as U+FFFD */
    int64_t last_sync;
} proto_handshake;

/* Wipes the secret. */
void proto_handshake_release(proto_handshake *handshake);
int proto_handshake_read(const uint8_t *text, size_t len, proto_handshake *out, trivet_proto_error *err);
int proto_handshake_write(const char *secret, const char *device_id, int64_t last_sync, size_t headroom,
                          uint8_t **out, size_t *len);

#endif
