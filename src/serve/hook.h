/*
 * hook.h - the user's own command, run when something happens that a person may want to know of (`hook` in
 * trivet.conf).
 *
 * It gets the event as one JSON object and a line end on its standard input; what is in it stands in
 * trivet.conf(5). Never content, no secret and no key (serve/event.h).
 *
 * The command is run as it is, by no shell: as a session and process group of its own, in "/", with nothing of the
 * server's but PATH, HOME, LANG and TRIVET_DATA, and no file descriptors but the three (the others are the
 * store's lock, sockets, the log). Its output goes to /dev/null. After `hook_timeout` its group gets SIGTERM, two
 * seconds later SIGKILL. What it has left in the background when it ends by itself is its own affair.
 *
 * At most HOOK_RUNNING at a time, and HOOK_WAITING events wait for their turn; those beyond are dropped,
 * counted, and told of in the log once there is room again. Nothing else depends on the command: that it cannot be
 * run, fails or takes too long is logged once, until it works again.
 *
 * All on the loop's thread. Settings are read when an event comes, so that a reload counts from then on.
 */
#ifndef TRIVET_SERVE_HOOK_H
#define TRIVET_SERVE_HOOK_H

#include "serve/host.h"

enum { HOOK_RUNNING = 4, HOOK_WAITING = 32, HOOK_GRACE_MS = 2000 };

typedef struct hook hook;

/* Listens to the host's events from now on. NULL: out of memory. */
hook *hook_new(host *h);

/* No more events: those that wait are dropped, and what runs has HOOK_GRACE_MS to end. */
void hook_close(hook *k);
void hook_free(hook *k); /* after the loop has ended; NULL is fine */

#endif
