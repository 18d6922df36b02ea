/*
 * message.h - what the machines need of messages beyond trivet_proto.h (protocol §3).
 */
#ifndef TRIVET_PROTO_MESSAGE_H
#define TRIVET_PROTO_MESSAGE_H

#include "trivet_proto.h"

/*
 * As trivet_proto_message_decode, but takes `text` over, whatever it returns: it is malloc'd, has a NUL after
 * `len` bytes, and becomes the message's state without a copy. out->type is set also where the message is
 * refused for something else than its type. A type that `version` of the channel does not have is an unknown one.
 */
int proto_message_decode_steal(uint8_t *text, size_t len, trivet_proto_way way, int version,
                               trivet_proto_message *out, trivet_proto_error *err);

/* As trivet_proto_message_encode, with `headroom` bytes of room before the text, not counted in *len. */
int proto_message_encode_at(const trivet_proto_message *message, size_t headroom, uint8_t **out, size_t *len);

/* The type alone, the rest unread. EINPUT: no object, or no one string `type` in it. */
int proto_message_type(const uint8_t *text, size_t len, trivet_proto_type *type, trivet_proto_error *err);

#endif
