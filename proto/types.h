/*
 * types.h - what is known of each type of message (protocol §3).
 */
#ifndef TRIVET_PROTO_TYPES_H
#define TRIVET_PROTO_TYPES_H

#include "scan.h"
#include "schema.h"

/* TRIVET_PROTO_UNKNOWN where the member is none of the names. */
trivet_proto_type proto_type_of(const proto_member *member);

/* Whether it may go this way. */
bool proto_type_goes(trivet_proto_type type, trivet_proto_way way);

/* Whether this version of the channel has it. A session of version 1 takes the others for unknown ones. */
bool proto_type_is_of(trivet_proto_type type, int version);

/* NULL: it holds a state, and is cut and spliced. `type` is one of the enum's. */
const proto_field *proto_type_fields(trivet_proto_type type);

#endif
