/*
 * peer_log.h - log lines about peers, as many as chatter.h lets them have. For what a peer can cause at will;
 * what the server finds out by itself goes to log.h.
 */
#ifndef TRIVET_SERVE_PEER_LOG_H
#define TRIVET_SERVE_PEER_LOG_H

#include "log.h"
#include "serve/host.h"

/* One line. `device` is the id of one that has shown its secret, and `label` its name; else NULL, and an address. On
 * the loop's thread. */
void peer_log(host *h, enum log_level level, const char *device, const char *label, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

/* The same for an event with its fields, whoever it is about among them. */
void peer_log_fields(host *h, enum log_level level, const char *event, const char *device, const char *label,
                     const log_field *fields, size_t count);

#endif
