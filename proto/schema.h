/*
 * schema.h - checks the fields of a small message against a table (protocol §3).
 *
 * A table of fields describes an object; message.c holds one for each type. Checking with `fill` makes a
 * lenient object whole as it goes: what is missing or null gets its default, and a bad entry of an array of
 * objects or ids is left out alone. Without `fill` (our own messages, before they are sent) nothing is
 * changed.
 */
#ifndef TRIVET_PROTO_SCHEMA_H
#define TRIVET_PROTO_SCHEMA_H

#include "trivet_proto.h"

typedef enum {
    PROTO_FIELD_STRING,
    PROTO_FIELD_ID,      /* a string of 1 to 256 bytes */
    PROTO_FIELD_BASE64,  /* a string */
    PROTO_FIELD_NUMBER,  /* finite; JSON has no other */
    PROTO_FIELD_COUNT,   /* an integer of 0 to 2^53 - 1; 1.0 and 1e3 are, and become integers */
    PROTO_FIELD_BOOL,    /* default false */
    PROTO_FIELD_DRAWING, /* a string or null */
    PROTO_FIELD_FILE_TYPE,
    PROTO_FIELD_OBJECT, /* the rest have `of` */
    PROTO_FIELD_OBJECTS,
    PROTO_FIELD_STRINGS,
    PROTO_FIELD_IDS,
    PROTO_FIELD_COUNTS
} proto_field_kind;

typedef enum {
    PROTO_REQUIRED,
    PROTO_NULL_IS_ZERO, /* required, and null counts as 0 */
    PROTO_LENIENT,      /* missing or null: the kind's default */
    PROTO_OPTIONAL      /* may be missing; null counts as missing */
} proto_presence;

typedef struct proto_field {
    const char *name; /* NULL ends a table */
    proto_field_kind kind;
    proto_presence presence;
    const struct proto_field *of; /* the fields of OBJECT and OBJECTS */
} proto_field;

/* 0, TRIVET_PROTO_EINPUT with path and reason, TRIVET_PROTO_ENOMEM. *left_out: an entry of a lenient array was bad. */
int proto_schema_check(json_t *object, const proto_field *fields, bool fill, bool *left_out,
                       trivet_proto_error *err);

/* Always TRIVET_PROTO_EINPUT. */
int proto_refuse(trivet_proto_error *err, const char *path, const char *reason);

#endif
