/*
 * roster.h - what the loop must know of paired phones without asking the store: how many there are, under
 * which names codes have told them to look for this computer, and what it takes to prove to one of them that
 * this is its computer (net/proof.h). Read on the worker whenever pairings change, then handed to the loop.
 */
#ifndef TRIVET_SERVE_ROSTER_H
#define TRIVET_SERVE_ROSTER_H

#include "net/listener.h"
#include "store/device.h"

typedef struct roster roster;

/* NULL: the store does not answer, or memory is out; what was known before may stand. */
roster *roster_read(store *s);
void roster_free(roster *r); /* wipes the keys */

size_t roster_devices(const roster *r); /* paired and in use; 0 for NULL */

/* Host names in codes, up to a NULL; borrowed. */
const char *const *roster_names(const roster *r);

/*
 * Answers GET /prove/DEVICE/NONCE: the proof's hex digits from malloc, NULL where the path is another. An unknown or
 * revoked device gets an answer made with a key that nobody has, by the same work.
 */
char *roster_prove(const roster *r, const http_request *request);

#endif
