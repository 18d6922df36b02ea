/*
 * browse.h - finds the servers that are announced as `_trivet._tcp` (protocol §8).
 *
 * Each one is written to standard output as it is found, one line of JSON:
 *
 *     {"name":"kitchen","host":"kitchen.local","address":"192.168.1.7","port":8080,"id":"5f3a...","v":"2"}
 *
 * once for each address (an IPv6 one with its interface where it is link-local: "fe80::1%eth0"). All of it is
 * what somebody on the network claims.
 */
#ifndef TRIVET_MDNS_BROWSE_H
#define TRIVET_MDNS_BROWSE_H

#include <stdint.h>
#include <uv.h>

/*
 * Blocks until avahi-daemon knows no more, `timeout` ms at most. 0; 69 where avahi-daemon cannot be asked; 71
 * out of memory. What was wrong is said on standard error.
 */
int browse_run(uv_loop_t *loop, uint64_t timeout);

#endif
