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

/*
 * Whether what a pairing code says still leads to this computer, as far as its own addresses tell: false only
 * for an address that is none of its own now while it has others. Names are taken to be right, and so is
 * everything while it is on no network.
 *
 *     reachable_own *own = reachable_own_new();
 *     if (!reachable_own_has(own, "192.168.1.7")) tell;
 *     reachable_own_free(own);
 */
typedef struct reachable_own reachable_own;

reachable_own *reachable_own_new(void); /* as of now; NULL, which has everything, where that is not known */
bool reachable_own_has(const reachable_own *own, const char *place);
void reachable_own_free(reachable_own *own);

/* Whether avahi-daemon runs on this computer: without it nobody finds a NAME.local. */
bool reachable_avahi_runs(void);

#endif
