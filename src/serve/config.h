/*
 * config.h - the server's settings: defaults, then a file, then the environment, then flags.
 *
 * One table in config.c names every key, its kind, default and range. `trivet.conf` is read by inih;
 * `TRIVET_PORT` and the like override it. An unknown key or a bad value is an error that names file, line and
 * what is allowed.
 */
#ifndef TRIVET_SERVE_CONFIG_H
#define TRIVET_SERVE_CONFIG_H

#include "serve/policy.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Who may read /metrics: nobody, this computer, whoever may connect. */
enum { METRICS_OFF, METRICS_LOCAL, METRICS_ON };

typedef struct {
    uint16_t port;  /* 8080; 0 picks one */
    char host[256]; /* "": all addresses */
    char name[257]; /* the server's name; "": the machine's */
    bool mdns;
    bool allow_any;
    int64_t ask_timeout, answer_timeout, handshake_timeout; /* ms */
    size_t max_message;                                     /* bytes */
    size_t max_queued;                                      /* bytes, per connection */
    unsigned unauthenticated_per_address, unauthenticated_max;
    double large_threshold;
    policy on_tie, on_large_change;
    unsigned metrics;  /* METRICS_... */
    char record[1024]; /* the folder where each merge is kept as a case; "": nowhere */
} config;

void config_init(config *c);

/* `path` NULL: the first of the usual places that exists, or none. 0, or -1 with what to tell the user in
 * `message`. */
int config_load(config *c, const char *path, char *message, size_t size);

/* One `key = value`, as from a flag. */
int config_set(config *c, const char *key, const char *value, char *message, size_t size);

#endif
