/*
 * prune.h - retention: which past states, lines of history and other traces are dropped as they grow old, and the space
 * given back; in many small steps, between which everything else goes on.
 *
 *     prune_limits limits = PRUNE_LIMITS_INIT;
 *     prune *p = prune_new(&limits);
 *     while ((rc = prune_step(p, store, wall_clock, &err)) > 0)
 *         ...anything else that uses the store...
 *     prune_end(p, store);
 *
 * What is always kept: the head; what an ancestor record names (record.h says which of those are dropped); what a restore went
 * back to (restored.h); every state
 * that is younger than `all`, and the one before each of its changes. Of older states the last one of each hour is kept,
 * up to the age of `hourly`; then the last of each day, up to `daily`; then the last of each week, for ever. An open
 * question names no stored state: its sync holds what it needs in memory, and stores it when it commits.
 *
 * A step is one transaction, of a few milliseconds and a bounded number of rows. What drops blobs never begins before
 * everything that is named was walked in this same run, and what is named meanwhile is walked before more is dropped
 * (marks.h). What happens if the power goes at each step stands in prune.c.
 */
#ifndef TRIVET_STORE_PRUNE_H
#define TRIVET_STORE_PRUNE_H

#include "record.h"
#include "store.h"

#define PRUNE_DAY_MS (24LL * 3600 * 1000)
enum { PRUNE_ROWS = 64 };

/* All in ms. */
typedef struct {
    int64_t all, hourly, daily; /* of states; ascending */
    int64_t lines;              /* of lines of history whose states are gone */
    int64_t lost;               /* of what lost */
    int64_t graves;             /* of graves, revivals and what was restored */
    record_limits records;
    size_t rows;       /* of a step, at most; down to 1 while the disk is slow or busy */
    bool records_only; /* a few steps however much is stored; no whole run (prune_due) */
} prune_limits;

#define PRUNE_LIMITS_INIT                                                                                    \
    {                                                                                                        \
        PRUNE_DAY_MS, 30 * PRUNE_DAY_MS, 400 * PRUNE_DAY_MS, 800 * PRUNE_DAY_MS, 400 * PRUNE_DAY_MS,         \
            400 * PRUNE_DAY_MS, RECORD_LIMITS_INIT, PRUNE_ROWS, false                                        \
    }

typedef struct {
    size_t steps, thinned, lines, lost, records, graves; /* states no longer kept; rows dropped */
    size_t blobs, packed;                                /* dropped; made small */
} prune_counts;

typedef struct prune prune;

prune *prune_new(const prune_limits *limits); /* NULL: out of memory */

/* Whether the last whole run was a day ago, for those who do not keep count. */
bool prune_due(store *s, int64_t wall);

/* 1: there is more to do, 0: it is done, < 0: a store's code; then the run is over, and whatever was done is sound. */
int prune_step(prune *p, store *s, int64_t wall, store_error *err);

const prune_counts *prune_done(const prune *p);

/* Also in the middle of a run. Before the store is closed; `p` may be NULL. */
void prune_end(prune *p, store *s);

#endif
