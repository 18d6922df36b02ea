/*
 * reload.h - reading the settings again while the server runs (SIGHUP).
 *
 * What a running server can take over is in force at once: for connections and syncs that begin from then on. What
 * it cannot (config.c's table says which) keeps its value, and the log says that a restart changes it. Settings with
 * an error in them change nothing at all.
 */
#ifndef TRIVET_SERVE_RELOAD_H
#define TRIVET_SERVE_RELOAD_H

#include "serve/config.h"

/* Where settings come from: file, environment and flags, as at the start. 0, or -1 after `tell` was called for each
 * error. */
typedef struct {
    int (*load)(void *ctx, config *fresh, config_tell_fn *tell, void *tell_ctx);
    void *ctx;
} reload_source;

/* The settings that are in force from now on, from malloc; NULL after logging why all stays as it is. */
config *reload_config(const reload_source *source, const config *running);

#endif
