/*
 * websocket_stream.h - how the listener and the client make a websocket of a TCP stream whose upgrade has
 * been agreed. For this room only.
 */
#ifndef TRIVET_NET_WEBSOCKET_STREAM_H
#define TRIVET_NET_WEBSOCKET_STREAM_H

#include "websocket.h"

/*
 * Takes over `tcp` (open, from malloc, no reads running; its `data` is the websocket's from now on), also
 * its closing and freeing. `address` is copied. NULL when out of memory: `tcp` is then still the caller's.
 */
websocket *websocket_new(uv_tcp_t *tcp, bool server, const char *address, const websocket_options *options);

/* Sends bytes as they are, before the first frame: the answer to the upgrade. Copied. */
void websocket_write_raw(websocket *ws, const char *bytes, size_t len);

/* The stream's first bytes, that came along with the upgrade's head; then reading starts. Not to be called
 * from within a call of the owner's. */
void websocket_start(websocket *ws, const uint8_t *data, size_t len);

/* `gone` is called after the owner's on_closed, just before the object is freed. */
void websocket_set_hook(websocket *ws, void (*gone)(void *context), void *context);
void *websocket_hook_context(const websocket *ws);

#endif
