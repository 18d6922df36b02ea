/*
 * discover.h - finds servers on the network, and among them the one that a phone is paired with.
 *
 * What mDNS says is what anybody in the network may say, and version 1 of the protocol gives the pairing's secret to
 * whoever answers. So discovery trusts nothing that it finds: each candidate must first prove that it knows
 * the pairing, and that for the very address at which it was asked (net/proof.h, which says what that shows
 * and what it does not). No proof, no connection.
 */
#ifndef TRIVET_PHONE_DISCOVER_H
#define TRIVET_PHONE_DISCOVER_H

#include "phone/folder.h"

enum { DISCOVER_MAX = 256 };

/* As it was announced, by whomever. */
typedef struct {
    char name[256], host[256], address[64], id[65];
    uint16_t port;
} discovered;

/*
 * All that is announced now, by address: IPv4 first, link-local IPv6 last. It takes a second, three at most. *out is the
 * caller's to free(). Status 69 where avahi-daemon cannot be asked.
 */
int discover_all(discovered **out, size_t *count, edit_error *err);

/* Whether who answers at this numeric address knows the pairing. Two seconds at most. */
bool discover_proven(const trivet_proto_pairing *pairing, const char *address, uint16_t port);

/* Which of them do; who is not asked within half a minute, for all that others say nothing, does not. */
void discover_ours(const trivet_proto_pairing *pairing, const discovered *list, size_t count, bool *ours);

/*
 * Makes the folder's pairing lead to its computer: asks at the known address, then all who are announced.
 * What was found elsewhere is remembered in the folder; *moved says so. Status 69 where nobody proves it, 77
 * where the pairing is too old for a proof.
 */
int discover_computer(phone_folder *f, bool *moved, edit_error *err);

#endif
