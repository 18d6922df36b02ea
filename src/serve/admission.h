/*
 * admission.h - who a connection is (protocol §2, §7): the key of the device that a key_init names, and the check of
 * its handshake. Both ask the store, hence the worker; what comes of it is told to the connection's machine.
 */
#ifndef TRIVET_SERVE_ADMISSION_H
#define TRIVET_SERVE_ADMISSION_H

#include "serve/connection.h"

/* TRIVET_PROTO_EVENT_KEY_WANTED: answered whether or not there is such a device, in the same way. */
void admission_look_up(connection *c, const trivet_proto_event *event);

/* TRIVET_PROTO_EVENT_HANDSHAKE: the connection is accepted, put out, or refused after a delay. */
void admission_check(connection *c, const trivet_proto_event *event);

/* A wrong secret, or TRIVET_PROTO_EVENT_WRONG_KEY: counted, told, and refused when its delay is over. */
void admission_turn_away(connection *c);
void admission_refuse(connection *c);

#endif
