/*
 * mdns.h - the server on the network: `_trivet._tcp`, protocol §8.
 *
 * A program of its own (src/mdns says why) does it; this room starts it, hears what becomes of it, says so in
 * the log, and starts it again after a pause where it ends. Nothing that it does or fails to do stops the
 * server or holds it up.
 *
 *     mdns_new    ...    mdns_close    uv_run until all is closed    mdns_free
 */
#ifndef TRIVET_SERVE_MDNS_H
#define TRIVET_SERVE_MDNS_H

#include <stddef.h>
#include <stdint.h>
#include <uv.h>

typedef struct mdns mdns;

typedef enum {
    MDNS_OFF,      /* not wanted, or only loopback is listened on */
    MDNS_WAITING,  /* for avahi-daemon, which may not be installed */
    MDNS_ANNOUNCED /* under mdns_name */
} mdns_state;

typedef struct {
    uv_loop_t *loop;
    const char *name; /* the server's; what mDNS does not take of it is left out */
    const char *id;
    uint16_t port;
    const struct sockaddr_storage *bound; /* what is listened on */
    size_t bound_count;
} mdns_options;

/*
 * Starts to announce. Strings are copied. NULL where there is nothing to announce, which every function here
 * takes as MDNS_OFF, and where memory is out.
 */
mdns *mdns_new(const mdns_options *options);

/*
 * Announces under this name from now on; the old one is taken back. Where another computer had the name already, so that it was
 * announced with a number behind it, it is tried once more. avahi-daemon's own new beginnings do the same.
 */
void mdns_rename(mdns *m, const char *name);

/* Takes the announcement back; the loop then ends within a second at the most. */
void mdns_close(mdns *m);
void mdns_free(mdns *m);

mdns_state mdns_get_state(const mdns *m);
const char *mdns_name(const mdns *m);   /* as announced, perhaps with a number behind it; "" else */
const char *mdns_reason(const mdns *m); /* why not, while MDNS_WAITING */

#endif
