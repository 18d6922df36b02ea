/*
 * upkeep.h - the running server drops what is old (store/prune.h): soon after it started, and once an hour from
 * then. After each thousand commits it drops ancestor records only: what a sync looks at has a bound however busy the hour
 * (merge §10), while a whole run walks all that is kept.
 *
 * Each step of a run is a job of its own on the worker, given to it after the one before, so that it stands behind
 * whatever a phone or a command has asked for meanwhile.
 */
#ifndef TRIVET_SERVE_UPKEEP_H
#define TRIVET_SERVE_UPKEEP_H

#include "serve/host.h"
#include "store/prune.h"

typedef struct upkeep upkeep;

/* NULL: out of memory. */
upkeep *upkeep_new(host *h);

/* Begins no more; a step that is on the worker is finished there. NULL is fine for both. */
void upkeep_close(upkeep *u);
void upkeep_free(upkeep *u); /* after the loop has ended */

/* What the settings say of retention. */
void upkeep_limits(const config *c, prune_limits *out);

#endif
