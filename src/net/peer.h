/*
 * peer.h - one accepted TCP connection as the listener keeps it: it speaks HTTP until an upgrade makes a
 * websocket of it. For this room only.
 *
 *   HTTP --- upgrade ----> WEBSOCKET ---> gone
 *     |                                    ^
 *     +--- last answer --> LINGERING ------+   (input is thrown away, so that the answer is not lost to a reset)
 *
 * The listener decides how long a peer may stay (its lists and timer) and calls peer_end; the peer tells it
 * through `peer_host`. A peer frees itself when its handle's close callback has run, after `gone`.
 */
#ifndef TRIVET_NET_PEER_H
#define TRIVET_NET_PEER_H

#include "address.h"
#include "http.h"
#include "listener.h"

typedef struct peer peer;

/* What a peer needs of its listener; outlives it. */
typedef struct {
    const listener_options *options;
    const listener_events *events;
    void *owner;
    void *context;            /* the listener */
    void (*lingers)(peer *p); /* its last answer is on its way */
    void (*gone)(peer *p);    /* about to be freed */
} peer_host;

/* Peers in the order in which they came to the list. */
typedef struct {
    peer *first, *last;
    size_t count;
} peer_list;

struct peer {
    peer *prev, *next; /* in `list` */
    peer_list *list;
    const peer_host *host;
    uv_tcp_t *tcp;     /* the websocket's when there is one */
    websocket *ws;     /* NULL before the upgrade */
    http_parser *http; /* NULL after the upgrade or the last answer */
    uint64_t deadline; /* ms, the loop's clock: the end of its time in `list` */
    size_t queued;     /* bytes of answers that wait to be sent */
    uint8_t filled;    /* reads in this turn, scratch.h */
    bool lingering, closing, loopback;
    bool known;  /* a right secret was shown from there before (listener.c) */
    int verdict; /* while judged: the close code that waits for it, and the reason */
    const char *verdict_reason;
    bool served;        /* at least one request was answered */
    bool ended;         /* the peer has sent its last byte */
    const char *source; /* what of its address counts for places (address_source) */
    char address[];     /* and behind it `source` */
};

/* Accepts a connection from `server`; NULL where that failed. Nothing is read yet. */
peer *peer_accept(uv_stream_t *server, const peer_host *host);

/* Starts to read requests. */
void peer_start(peer *p);

/* Answers unasked and lingers: for who may not connect. */
void peer_refuse(peer *p, int status, const char *reason);

/* Ends it at once, the websocket too. */
void peer_end(peer *p);

void peer_list_append(peer_list *list, peer *p);
void peer_list_remove(peer *p);

#endif
