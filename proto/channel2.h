/*
 * channel2.h - version 2's frames without a copy, for the machines (protocol §7); the rest is in trivet_proto.h.
 */
#ifndef TRIVET_PROTO_CHANNEL2_H
#define TRIVET_PROTO_CHANNEL2_H

#include <stddef.h>
#include <stdint.h>

enum { PROTO_KIND_JSON = 1, PROTO_KIND_CHUNK = 2, PROTO_CHUNK_HEAD = 12 };

/* `frame` holds 17 bytes of room and then `len` of body, which is encrypted where it stands. */
void proto_channel2_seal_in_place(const uint8_t key[static 32], uint64_t counter, uint8_t kind,
                                  uint8_t *frame, size_t len);

/* Opens a frame; *plain is malloc'd and holds the kind, the body of *body_len bytes, and a NUL. Errors as trivet_proto_channel2_open. */
int proto_channel2_open_frame(const uint8_t key[static 32], uint64_t counter, const uint8_t *frame,
                              size_t len, uint8_t **plain, size_t *body_len);

#endif
