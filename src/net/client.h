/*
 * client.h - opens a WebSocket connection to a server: resolve, connect, upgrade.
 */
#ifndef TRIVET_NET_CLIENT_H
#define TRIVET_NET_CLIENT_H

#include "websocket.h"

typedef struct {
    void (*on_open)(void *owner, websocket *ws); /* the owner calls websocket_set_owner before it returns */
    void (*on_failed)(void *owner, const char *reason); /* "connection refused", "HTTP status 403", ... */
} client_events;

/*
 * `host` is a name, an IPv4 address or an IPv6 address, bracketed or not. One of the two callbacks comes,
 * never from within this call, and the client is gone. `timeout` in ms covers everything up to the upgrade. 0, or
 * a negative libuv error: then no callback comes. `events` must outlive the attempt.
 */
int client_connect(uv_loop_t *loop, const char *host, uint16_t port, uint64_t timeout,
                   const websocket_options *options, const client_events *events, void *owner);

#endif
