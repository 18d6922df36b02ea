/*
 * announce.h - keeps a server announced as `_trivet._tcp` (protocol §8) through whatever happens to
 * avahi-daemon and the system bus.
 *
 * What becomes of it is written to standard output, a line at a time:
 *
 *     announced NAME       it can be found under this name; again after each restart of avahi-daemon
 *     renamed NAME         another computer has the name; `announced` follows
 *     waiting REASON       not announced now; tried again when avahi-daemon appears, or by and by
 *     refused REASON       it never will be: avahi does not take the name
 */
#ifndef TRIVET_MDNS_ANNOUNCE_H
#define TRIVET_MDNS_ANNOUNCE_H

#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#define MDNS_SERVICE "_trivet._tcp"

enum { ANNOUNCE_PLACES = 16 };

/* An interface's index and AF_INET, AF_INET6 or 0 for both. */
typedef struct {
    int interface, family;
} announce_place;

typedef struct {
    const char *name; /* of the instance: UTF-8, 1 to 63 bytes */
    const char *id;   /* the server's */
    uint16_t port;
    announce_place places[ANNOUNCE_PLACES];
    size_t place_count; /* 0: everywhere */
} announce_options;

typedef struct announcer announcer;

/* NULL: out of memory. Strings are copied. */
announcer *announce_new(uv_loop_t *loop, const announce_options *options);

/* Takes it back (goodbye packets are avahi-daemon's) and closes; the loop needs one more turn. */
void announce_close(announcer *a);
void announce_free(announcer *a);

#endif
