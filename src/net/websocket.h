/*
 * websocket.h - one WebSocket connection on a libuv stream (RFC 6455 framing by wslay), either end.
 *
 * A connection is made by the listener (server's end) or the client (client's end) and given to its owner
 * through `websocket_events`. Everything happens on the loop's thread. Whole text or binary messages go in
 * and out; pings, fragments, close handshakes, UTF-8 checks, limits and slow readers are this file's.
 *
 * Invariants: after on_closed the object is gone and no callback follows; on_closed comes exactly once, never
 * from within a call of the owner's. Backpressure: at most `max_queued` bytes wait for a slow reader, then
 * the connection ends.
 */
#ifndef TRIVET_NET_WEBSOCKET_H
#define TRIVET_NET_WEBSOCKET_H

#include "address.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <uv.h>

typedef struct websocket websocket;

typedef struct {
    /* A whole message; `data` is borrowed for the call. */
    void (*on_message)(void *owner, bool binary, const uint8_t *data, size_t len);
    /* The connection has ended: `code` is the close code received or sent, 1006 without one. */
    void (*on_closed)(void *owner, int code);
} websocket_events;

typedef struct {
    size_t max_queued;      /* bytes that may wait to be sent; 64 MiB */
    uint64_t ping_interval; /* ms; 20000; 0: never */
    uint64_t idle_timeout;  /* ms without a byte from the peer, nor its reading on in what it is sent; 60000;
                               0: none */
    uint64_t close_timeout; /* ms to wait for the peer's close frame; 2000 */
} websocket_options;

#define WEBSOCKET_OPTIONS_INIT                                                                               \
    { 64u << 20, 20000, 60000, 2000 }

void websocket_set_owner(websocket *ws, const websocket_events *events, void *owner);

/* The largest message that is accepted from now on; a larger one closes with 1009. */
void websocket_set_message_limit(websocket *ws, size_t bytes);

/*
 * From now on `fn` is asked first where a message of more than one read has come: true takes `data`, a block from malloc,
 * over, and on_message does not follow.
 */
typedef bool websocket_block_fn(void *owner, bool binary, uint8_t *data, size_t len);
void websocket_take_blocks(websocket *ws, websocket_block_fn *fn);

/*
 * From within such a call: no message more until resume, which hands on what had come by then before it returns, and reads
 * on. What the peer sends meanwhile waits in the system's buffers; a pause must be short (protocol §1: 5 s).
 */
void websocket_pause(websocket *ws);
void websocket_resume(websocket *ws);

/* Queues one message. `data` is from malloc and now the connection's, on failure too. 0, or -1 where it is
 * closing. */
int websocket_send_steal(websocket *ws, bool binary, uint8_t *data, size_t len);

/* How much has come of a message that is not whole yet, in bytes. */
size_t websocket_partial(const websocket *ws);

/* Whether neither end has begun to close it. */
bool websocket_is_open(const websocket *ws);

/*
 * Starts the closing handshake after what is queued; nothing is received any more. Repeating it does
 * nothing.
 */
void websocket_close(websocket *ws, int code, const char *reason);

/* Ends at once, without a closing handshake. on_closed still comes, later. */
void websocket_abort(websocket *ws);

/* The peer's numeric address, IPv4-mapped ones unwrapped: "192.168.1.7", "fe80::1%eth0". Lives as long as
 * `ws`. */
const char *websocket_address(const websocket *ws);

/* Our own end of it: the address into `out`, and as the result the port; 0 where it is gone. */
uint16_t websocket_own_end(const websocket *ws, char out[static ADDRESS_SIZE]);

#endif
