/*
 * utf8.h - whether bytes that come in pieces are valid UTF-8 (RFC 3629), for text messages and close reasons.
 *
 * Calling sequence: start from UTF8_CHECK_INIT, utf8_check() each piece in order, and at the end ask
 * utf8_check_complete().
 */
#ifndef TRIVET_NET_UTF8_H
#define TRIVET_NET_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Between two pieces: what the next byte must be. */
typedef struct {
    uint8_t missing;         /* continuation bytes that the open character still needs */
    uint8_t lowest, highest; /* range of the next of them */
} utf8_check_state;

#define UTF8_CHECK_INIT                                                                                      \
    { 0, 0x80, 0xbf }

/* False as soon as no continuation could make the bytes valid; the state is of no use after that. */
bool utf8_check(utf8_check_state *state, const uint8_t *data, size_t len);

/* Whether the bytes so far end with a whole character. */
bool utf8_check_complete(const utf8_check_state *state);

#endif
