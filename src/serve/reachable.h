/*
 * reachable.h - at which addresses a phone on the same network finds this computer.
 */
#ifndef TRIVET_SERVE_REACHABLE_H
#define TRIVET_SERVE_REACHABLE_H

#include <stdbool.h>
#include <stddef.h>

enum { REACHABLE_TEXT = 64, REACHABLE_MAX = 16 };

/* As in a URL: IPv6 in brackets. */
typedef struct {
    char text[REACHABLE_TEXT];
} reachable_address;

/*
 * The one for pairing codes: the IPv4 address on the default route's interface, else any that is no
 * loopback's, else 127.0.0.1. Nothing is sent.
 */
void reachable_best(reachable_address *out);

/*
 * All, the best one first: addresses of interfaces that are up, without loopback, link-local IPv6 and the
 * bridges of containers and virtual machines. At least one; returns how many, at most REACHABLE_MAX.
 */
size_t reachable_all(reachable_address out[static REACHABLE_MAX]);

/* Whether a numeric address, loopback included, is one of this computer's own. */
bool reachable_is_own(const char *address);

#endif
