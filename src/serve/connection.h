/*
 * connection.h - one phone's connection: a WebSocket, the protocol's machine, and at most one sync.
 *
 * The way of a phone's bytes: listener -> websocket -> proto/computer -> connection -> sync -> reconcile ->
 * store, and back the same way. Jobs on the worker may outlive the connection: whoever gives one holds a
 * reference.
 */
#ifndef TRIVET_SERVE_CONNECTION_H
#define TRIVET_SERVE_CONNECTION_H

#include "serve/host.h"
#include <trivet_proto.h>

typedef struct connection connection;
struct sync_run;
struct jots;

/* Takes a fresh WebSocket over. Out of memory: the WebSocket is ended. */
void connection_open(host *h, websocket *ws);

void connection_hold(connection *c);
void connection_let_go(connection *c);

host *connection_host(const connection *c);

/*
 * The device's id once its secret was checked; NULL before. And the phone's own name, and one for log
 * lines.
 */
const char *connection_device(const connection *c);
const char *connection_phone(const connection *c);
const char *connection_label(const connection *c);
int connection_version(const connection *c); /* of the channel: 1 or 2 */
int64_t connection_clock_offset(
    const connection *c); /* ms: this clock less the phone's; 0 where it is not known, or small */
int64_t connection_last_sync(const connection *c); /* ms since 1970 when it connected; 0: never */

bool connection_is_open(const connection *c);
connection *connection_next(const connection *c); /* in host.connections */

/* The open connection of a device, or NULL. */
connection *connection_find(const host *h, const char *device);

/* What it has to do with jots, from its handshake on; NULL before. */
struct jots *connection_jots(const connection *c);
/* How much has come of a message that is not whole yet, in bytes. */
size_t connection_partial(const connection *c);

/* The running sync, or NULL. */
struct sync_run *connection_sync(const connection *c);

/* Starts one where none runs; NULL where that is impossible. */
struct sync_run *connection_start_sync(connection *c);

/* For sync.c: the machine, to be followed by connection_pump(), which sends what it has to say. */
trivet_proto_computer *connection_machine(connection *c);
void connection_pump(connection *c);
void connection_sync_ended(connection *c);

/* For sync.c: a sync was committed. Whether it was the device's first. */
bool connection_first_sync(connection *c);

/* For sync.c: a confirm was sent for this record, which the phone may acknowledge (reconcile_acked). */
void connection_confirmed(connection *c, int64_t record);

/* event_emit with device, name and address filled in. */
void connection_tell(const connection *c, server_event *e);

void connection_close(connection *c, int code, const char *reason);

#endif
