/*
 * moved.h - phones that were paired with an address that this computer does not have now: their codes lead to
 * nobody, or to a stranger. It happens where a router gives addresses out anew (DHCP), and to a computer that
 * is carried about.
 *
 * Only a phone that goes by its code counts. One that came to another of our addresses than its code says, or to another
 * port, has found its way without: by discovery, by a name, or through a router that forwards a port to us, so that the code
 * says the router's address, which never was ours. What its code says is then forgotten (moved_came_otherwise).
 *
 * moved_find() looks once. A watch looks whenever the kernel says that addresses have changed (rtnetlink: nothing wakes
 * up in between), and has the log tell, once for each change for the worse and once when all is well again.
 */
#ifndef TRIVET_SERVE_MOVED_H
#define TRIVET_SERVE_MOVED_H

#include "store/device.h"

struct host;

/*
 * The devices in use whose code says something else than what holds now, of `port` (0: not known) or address. *out is
 * the caller's to free(). On the worker.
 */
int moved_find(store *s, uint16_t port, device **out, size_t *count, store_error *err);

/*
 * Whether a phone that has just shown who it is came another way than its code says: our end of the connection is
 * `address` (net/address.h), `port`. A name in a code leads wherever its owner lets it: of that the port alone is compared.
 */
bool moved_came_otherwise(const device *d, const char *address, uint16_t port);

typedef struct moved_watch moved_watch;

/* NULL: there will be no word in the log; the rest works without. */
moved_watch *moved_watch_new(struct host *h, uint16_t port);

/* Phones were paired or revoked: looks soon. */
void moved_watch_look(moved_watch *w);

/* Ends with the loop, and after the worker's last job. Both take NULL. */
void moved_watch_close(moved_watch *w);
void moved_watch_free(moved_watch *w);

#endif
