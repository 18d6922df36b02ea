/*
 * worker.h - a queue of jobs that run one after the other on libuv's thread pool, off the event loop.
 *
 * The store and everything that is read through it belong to the worker: only a job's `run` may touch them.
 * `done` runs on the loop, in the order in which the jobs were given.
 */
#ifndef TRIVET_SERVE_WORKER_H
#define TRIVET_SERVE_WORKER_H

#include <stdbool.h>
#include <uv.h>

typedef struct worker_job worker_job;

/* Embedded at the start of the caller's own struct, which must live until `done` was called. */
struct worker_job {
    void (*run)(worker_job *job);  /* on a pool thread */
    void (*done)(worker_job *job); /* on the loop; may free the job and give new ones */
    worker_job *next;              /* the queue's */
};

typedef struct {
    uv_loop_t *loop;
    uv_work_t request;
    worker_job *first, *last; /* `first` is running where `busy` */
    bool busy;
    uint64_t since; /* the loop's time at which the running job was given to the pool */
} worker;

void worker_init(worker *w, uv_loop_t *loop);
void worker_submit(worker *w, worker_job *job);

/* Takes a job back that has not begun: true, and neither of its functions is called. False: it runs, or is not there. */
bool worker_withdraw(worker *w, worker_job *job);

/* How long the job that runs now has been running, in ms; 0: none does. On the loop's thread. */
uint64_t worker_busy_for(const worker *w);

#endif
