/*
 * sync.h - one sync with one phone, start to end (protocol §4): the machine that talks and the merge that
 * thinks, brought together.
 *
 *     LOADING --own state sent--> WAITING
 *     WAITING --answer--> MERGING
 *     MERGING --PROPOSE: second state sent--> WAITING
 *             --ASK--> ASKING --answered--> MERGING
 *             --KEEP, APPLY: confirm sent; else: cancel sent--> ended
 *
 * It ends by itself and frees itself; whoever waits for it is told how it ended. It ends with its connection.
 */
#ifndef TRIVET_SERVE_SYNC_H
#define TRIVET_SERVE_SYNC_H

#include "serve/connection.h"
#include <trivet_merge.h>

typedef struct sync_run sync_run;

/* NULL: out of memory. */
sync_run *sync_start(connection *c);

/* The phone's state of this round; `state` is taken over. */
void sync_answer(sync_run *s, char *state, size_t len, int64_t since);

/* The machine or the connection has given the sync up. `outcome` is a word for those who wait: "timeout",
 * "gone", ... */
void sync_abandon(sync_run *s, const char *outcome);

/* When sync_tick is to be called, by uv_now(); UINT64_MAX: never. */
uint64_t sync_deadline(const sync_run *s);
void sync_tick(sync_run *s);

/* Told once, when the sync has ended. `counts` is NULL where nothing was committed. */
typedef void sync_ended_fn(void *ctx, const char *device, const char *outcome,
                           const trivet_merge_counts *counts);

/* -1: out of memory, and `fn` will not be called. */
int sync_wait(sync_run *s, sync_ended_fn *fn, void *ctx);

/* ---- its question ---- */

/* The open question's id; 0: none is open. *kind is "tie" or "large_change". */
int64_t sync_question(const sync_run *s, const char **kind);

/* 0; the number of ties still unanswered; or -1 where the answer does not fit the question. */
int sync_pick(sync_run *s, trivet_merge_side side, const size_t *ties, size_t count);
int sync_choose(sync_run *s, trivet_merge_large choice);
void sync_cancel(sync_run *s);

/*
 * The phone's own answer, a `resolve` that matches its schema (protocol §7). NULL, or why it was not taken, and in *path
 * where: "id" for one that is not this sync's open question. `s` NULL: none runs.
 */
const char *sync_resolve(sync_run *s, const json_t *body, const char **path);

#endif
