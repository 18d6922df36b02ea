/*
 * config.h - the server's settings: defaults, then a file, then the environment, then flags.
 *
 *     config_init(&c);
 *     config_load(&c, NULL, tell, ctx);              trivet.conf, then TRIVET_PORT and the like
 *     config_set(&c, "port", "8081", why, sizeof why);
 *
 * One table in config.c names every key, its kind, default and range, and whether a running server takes a new value
 * over; trivet.conf(5) says the same in words, and a test compares the two.
 *
 * The running server's settings are a `const config` that only the loop's thread reads (host.h); a reload puts
 * another in its place.
 */
#ifndef TRIVET_SERVE_CONFIG_H
#define TRIVET_SERVE_CONFIG_H

#include "serve/policy.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Who may read /metrics: nobody, this computer, whoever may connect. */
enum { METRICS_OFF, METRICS_LOCAL, METRICS_ON };

typedef struct {
    uint16_t port;  /* 8080; 0 picks one */
    char host[256]; /* "": all addresses */
    char name[257]; /* the server's name; "": the machine's */
    bool mdns;
    bool allow_any;
    bool v1;                                                /* version 1 of the protocol is allowed */
    int64_t ask_timeout, answer_timeout, handshake_timeout; /* ms */
    size_t max_message;                                     /* bytes */
    size_t max_queued;                                      /* bytes, per connection */
    unsigned unauthenticated_per_address, unauthenticated_max;
    double large_threshold;
    policy on_tie, on_large_change;
    unsigned metrics;                              /* METRICS_... */
    char hook[1024];                               /* an absolute path; "": none (hook.h) */
    int64_t hook_timeout;                          /* ms */
    int64_t keep_all, keep_hourly, keep_daily;     /* ms: past states (store/prune.h) */
    int64_t keep_history, keep_lost, keep_deleted; /* ms */
    bool jots_auto;                                /* files of jots are asked for as they appear */
    char jots_dir[1024];                           /* where jots are kept as plain files, too; "": nowhere */
    int64_t jot_meta_timeout, jot_file_timeout;    /* ms without a byte of it */
    size_t jot_file_max;                           /* bytes, of one that comes in pieces */
    char record[1024];              /* the folder where each merge is kept as a case; "": nowhere */
    unsigned log_level, log_format; /* log.h's enums */
} config;

/* Told once for each thing that is wrong: where it stands, its key, and what is allowed. */
typedef void config_tell_fn(void *ctx, const char *message);

/* The defaults. */
void config_init(config *c);

/*
 * The file and then the environment. `path` NULL: the first of the usual places that exists, or none. 0, or -1 after
 * `tell` was called for each error; *c is then good for nothing.
 */
int config_load(config *c, const char *path, config_tell_fn *tell, void *ctx);

/*
 * Variables that look like settings and are none, TRIVET_PROT say: `tell` is called once for each. They do nothing, and are no
 * error, since a newer version may know them and other programs may have their own.
 */
void config_unknown_variables(config_tell_fn *tell, void *ctx);

/* Which file config_load() reads for `path`, at most `size` bytes; "": none. */
void config_find(const char *path, char *out, size_t size);

/* One `key = value`, as from a flag. 0, or -1 with what to tell the user in `message`. */
int config_set(config *c, const char *key, const char *value, char *message, size_t size);

/* Every key with its value, and in a comment what may stand there, as a file that says the same as *c. */
void config_print(const config *c, FILE *out);

/*
 * What a running server makes of settings that were read again: where a key that only a start can change differs,
 * `fresh` gets the running value. `tell` is called with the name of each key that differs.
 */
void config_merge_running(const config *running, config *fresh,
                          void (*tell)(void *ctx, const char *key, bool taken_over), void *ctx);

/* ---- for config_file.c ---- */

/* The name of key number `i`, NULL after the last. */
const char *config_key(size_t i);

/* The key whose name is nearest to what was typed, NULL where none is near. */
const char *config_nearest(const char *name);

#endif
