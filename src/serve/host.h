/*
 * host.h - what the rooms of the running server have in common: made and torn down by serve.c, used on the
 * loop's thread (the store only on the worker's).
 */
#ifndef TRIVET_SERVE_HOST_H
#define TRIVET_SERVE_HOST_H

#include "net/listener.h"
#include "serve/chatter.h"
#include "serve/config.h"
#include "serve/event.h"
#include "serve/throttle.h"
#include "serve/turn.h"
#include "serve/worker.h"
#include "store/store.h"

struct connection;

typedef struct host {
    uv_loop_t *loop;
    worker *worker;
    worker
        *files; /* writes files of jots, beside the store's own worker: a commit does not wait for a photo */
    worker *openings;          /* opens large messages of phones, so that the loop does not stand still */
    struct jots_dir *jots_dir; /* NULL: none is kept */
    unsigned files_asked;      /* files of jots that phones are sending */
    bool stopping;
    store *store;
    const config
        *config; /* the loop's: a reload frees it and puts another here. Copy what a job on the worker needs,
                             texts too, and keep no pointer into it */
    listener *listener;
    throttle throttle;
    turn turn; /* of syncs */
    chatter chatter;
    event_listeners events;
    bool arrived;                            /* somebody connected who is not this computer */
    bool code_made;                          /* a pairing code was made since the start */
    struct connection *connections;          /* all that are open, newest first */
    void (*on_devices_changed)(void *owner); /* a phone paired: counts may differ */
    void *owner;
} host;

/* ms since 1970. The loop's own clock is uv_now(). */
int64_t wall_clock(void);

#endif
