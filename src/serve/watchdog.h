/*
 * watchdog.h - tells the service manager that the server is alive, where it asked for that (sd_watchdog_enabled(3):
 * WATCHDOG_USEC and WATCHDOG_PID), at half of the interval, so that it restarts one that hangs.
 *
 * Alive is the loop, which sends the pings, and the worker: while one of its jobs has run for longer than
 * WATCHDOG_PATIENCE_MS, none is sent. Where nobody asked there is no timer and no wake-up.
 */
#ifndef TRIVET_SERVE_WATCHDOG_H
#define TRIVET_SERVE_WATCHDOG_H

#include "serve/worker.h"

/* Longer than any honest job: a merge of the largest states takes seconds, a slow card may take a minute to sync. */
enum { WATCHDOG_PATIENCE_MS = 5 * 60 * 1000 };

typedef struct {
    uv_timer_t timer;
    const worker *worker;
    uint64_t patience; /* ms */
    bool running, silent;
} watchdog;

/* Does not keep the loop alive. `patience` is WATCHDOG_PATIENCE_MS but for tests. */
void watchdog_start(watchdog *w, uv_loop_t *loop, const worker *checked, uint64_t patience);

/* The loop must turn once more before *w may go. */
void watchdog_stop(watchdog *w);

#endif
