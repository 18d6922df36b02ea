/*
 * text.h - JSON string literals, and what UTF-8 cannot hold of them (protocol §1).
 *
 * A JSON string is any sequence of UTF-16 units: half a surrogate pair (the phone app cuts texts at code
 * units) and U+0000 are data. jansson refuses the first and C strings end at the second. So a message is
 * guarded before jansson reads it and unguarded after jansson has written it:
 *
 *     in the message                          in a json_t string
 *     a lone \ud800 to \udfff                 U+10FFFF U+E000 to U+E7FF
 *     \u0000                                  U+10FFFF U+E800
 *     U+10FFFF (a noncharacter, so unheard of) U+10FFFF U+10FFFF
 *     anything else                           itself
 *
 * The mapping loses nothing, is equal only for what is equal, and is plain UTF-8 without NUL: a string may be
 * kept, compared and written to a message again without a thought. Only where it leaves the protocol, to be
 * shown, must it go through trivet_proto_text_plain.
 */
#ifndef TRIVET_PROTO_TEXT_H
#define TRIVET_PROTO_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* 0: *out is NULL where the text needs no change, else malloc'd; -1: out of memory. */
int proto_text_unguard(const char *json, size_t len, char **out, size_t *out_len);

/*
 * The string of one JSON literal, given without its quotation marks, as UTF-8 with U+FFFD for lone surrogates
 * and U+0000. `out` has room for `len` + 1 bytes, for no escape is shorter than what it stands for. False: no
 * literal, or no UTF-8. *out_len excludes the NUL. Keeps no copy of what it read.
 */
bool proto_text_read(const char *raw, size_t len, char *out, size_t *out_len);

/* The same, guarded as above instead; `out` has room for 2 * len + 1 bytes. */
bool proto_text_read_guarded(const char *raw, size_t len, char *out, size_t *out_len);

/* Writes a literal with its quotation marks; at most 6 * strlen(text) + 2 bytes. Returns the end. */
char *proto_text_write(char *out, const char *text);

bool proto_text_is_utf8(const char *text, size_t len);

#endif
