/*
 * avahi_loop.h - Avahi's event interface (AvahiPoll) on a libuv loop.
 *
 *     avahi_loop *poll = avahi_loop_new(&loop);
 *     AvahiClient *client = avahi_client_new(avahi_loop_poll(poll), ...);
 *     uv_run(&loop, UV_RUN_DEFAULT);
 *     avahi_client_free(client);      all of Avahi's objects first
 *     avahi_loop_free(poll);          then one more turn of the loop closes the handles
 *
 * One thread: the loop's. Watches and timeouts keep the loop alive while they wait for something. Any of them
 * may be updated or freed inside any callback, its own included.
 */
#ifndef TRIVET_MDNS_AVAHI_LOOP_H
#define TRIVET_MDNS_AVAHI_LOOP_H

#include <avahi-common/watch.h>
#include <uv.h>

typedef struct avahi_loop avahi_loop;

/* NULL: out of memory. The loop is borrowed. */
avahi_loop *avahi_loop_new(uv_loop_t *loop);

/* What is left of watches and timeouts ends without a callback. NULL is fine. */
void avahi_loop_free(avahi_loop *a);

/* Borrowed. */
const AvahiPoll *avahi_loop_poll(avahi_loop *a);

#endif
