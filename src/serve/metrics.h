/*
 * metrics.h - the numbers behind `GET /metrics`, for Prometheus and what reads its text format.
 *
 * Most are counted as events come (event.h). What only the store knows (items, sizes, devices) is read on the
 * worker and kept here: again when something was committed, at most once a second, and only while somebody
 * asks for metrics at all. An answer never waits for the store, so it can be that much behind, and the very first
 * one is without these.
 *
 * Labels are from fixed sets, but for the ids of devices, of which there are as many as the user paired. No
 * name, address or content is in any of it. Who may read it is the owner's affair (config.h, `metrics`).
 */
#ifndef TRIVET_SERVE_METRICS_H
#define TRIVET_SERVE_METRICS_H

#include "serve/host.h"

typedef struct metrics metrics;

/* Listens to the events of `h` from now on. `started`: ms since 1970. NULL: out of memory. */
metrics *metrics_new(host *h, int64_t started);

/* The text, from malloc; NULL: out of memory. *len is its length. */
char *metrics_text(metrics *m, size_t *len);

/* Stops its timer, so that the loop can end. */
void metrics_close(metrics *m);

/* After the loop has ended. */
void metrics_free(metrics *m); /* NULL is fine */

#endif
