/*
 * connection_parts.h - what a connection is made of, for those that make it up: connection.c (its life, the way of
 * its bytes) and admission.c (who it is). Nobody else includes it.
 */
#ifndef TRIVET_SERVE_CONNECTION_PARTS_H
#define TRIVET_SERVE_CONNECTION_PARTS_H

#include "net/address.h"
#include "serve/connection.h"
#include "serve/peer_log.h"
#include "store/device.h"

struct sync_run;
struct jots;
struct opening;

struct connection {
    host *host;
    connection *next, **link; /* in host->connections; link NULL: not in it */
    unsigned references;
    websocket *ws; /* NULL once it has ended */
    trivet_proto_computer *machine;
    uv_timer_t timer;
    uint64_t refuse_at; /* uv_now() at which a wrong secret is answered; 0: none waits */
    bool accepted, pumping, synced;
    uint64_t opened; /* uv_now() */
    device device;
    device_keys keys; /* version 2, from its key_init to its handshake */
    int64_t clock_offset;
    int64_t confirmed; /* the record of the last confirm, until it was acknowledged; 0: none */
    char phone[257];
    char label[64];
    char address[ADDRESS_SIZE];
    struct sync_run *sync;
    struct opening *opening; /* of a large message; NULL: none */
    struct jots *jots;       /* from the handshake on; NULL: no memory for it, and none are taken */
};

/* A log line about this connection, by the name that it has by now. */
#define SAY(c, level, ...)                                                                                   \
    peer_log((c)->host, level, connection_device(c),                                                         \
             (c)->accepted ? (c)->label : websocket_address((c)->ws), __VA_ARGS__)

int64_t connection_time(const connection *c); /* the loop's, as the machine takes it */

#endif
