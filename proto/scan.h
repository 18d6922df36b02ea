/*
 * scan.h - the top-level members of a JSON object, found without reading what is inside them.
 *
 * A state of 50 MiB is handed on as text to whoever merges it, and only `type` and a few scalars around it
 * concern the protocol. So the scanner skips from one top-level member to the next: it checks the top level
 * itself (braces, commas, keys, scalars) and inside a value only that brackets balance and strings end. What
 * it accepts is therefore not yet known to be JSON: whoever reads the inside checks the inside.
 *
 *     proto_scan scan;
 *     proto_scan_begin(&scan, text, len);
 *     while ((r = proto_scan_next(&scan, &member)) > 0)
 *         if (proto_scan_key_is(&member, "type")) ...
 *     r == 0: that was all of it; r < 0: not an object, at offset scan.at
 *
 * Slices point into the text, which must stay alive.
 */
#ifndef TRIVET_PROTO_SCAN_H
#define TRIVET_PROTO_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
    const char *key; /* the inside of the literal, escapes and all */
    size_t key_len;
    const char *value; /* the whole value, quotation marks included */
    size_t value_len;
    char kind;         /* '{' '[' '"' '0' (a number) 't' 'f' 'n' */
    const char *begin; /* the key's quotation mark: the member is begin .. value + value_len */
} proto_member;

/* What a first scan found, for those that follow: a large message is not to be read once for each question. */
enum { PROTO_OUTLINE = 16 };
typedef struct {
    proto_member members[PROTO_OUTLINE];
    size_t count;
    bool whole; /* all of it is there, and sound */
} proto_outline;

typedef struct {
    const char *text;
    size_t len, at;
    bool inside;                /* the opening brace has been passed */
    const proto_outline *known; /* NULL: the text is read */
    size_t next;                /* of `known` */
} proto_scan;

void proto_scan_begin(proto_scan *scan, const void *text, size_t len);
int proto_scan_next(proto_scan *scan, proto_member *member);

/* Scans the text once, and keeps what it finds where that is an object of a few members. */
void proto_outline_make(proto_outline *out, const void *text, size_t len);
/* As proto_scan_begin for the same text, with what the outline knows. */
void proto_scan_begin_known(proto_scan *scan, const proto_outline *known, const void *text, size_t len);

/* Also where the key is written with escapes, as "\u0074ype". */
bool proto_scan_key_is(const proto_member *member, const char *name);

/*
 * One token. `*at` is its first byte, before `len`; true: it is now after it. Of a string only the end is found; a
 * number is one to the letter of RFC 8259 §6.
 */
bool proto_scan_string(const char *text, size_t len, size_t *at);
bool proto_scan_number(const char *text, size_t len, size_t *at);

#endif
