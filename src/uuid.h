/*
 * uuid.h - random identifiers: of items, and of pairings as their secrets.
 */
#ifndef TRIVET_UUID_H
#define TRIVET_UUID_H

enum { UUID_SIZE = 37 }; /* with the NUL */

/* A UUID of version 4 (RFC 9562 §5.4) in lower-case hex, from libsodium's generator. */
void uuid_v4(char out[static UUID_SIZE]);

#endif
