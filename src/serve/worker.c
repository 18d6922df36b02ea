/* One uv_work_t at a time: the queue's order is the order of the store's transactions. */
#include "serve/worker.h"

#include <stddef.h>

static void start_next(worker *w);

static void on_run(uv_work_t *request) {
    worker *w = request->data;
    w->first->run(w->first);
}

static void on_done(uv_work_t *request, int status) {
    worker *w = request->data;
    worker_job *job = w->first;

    (void)status; /* never UV_ECANCELED: nothing here cancels */
    w->first = job->next;
    if (!w->first)
        w->last = NULL;
    w->busy = false;
    job->done(job);
    start_next(w);
}

static void start_next(worker *w) {
    if (w->busy || !w->first)
        return;
    w->busy = true;
    w->since = uv_now(w->loop);
    w->request.data = w;
    uv_queue_work(w->loop, &w->request, on_run, on_done);
}

void worker_init(worker *w, uv_loop_t *loop) {
    *w = (worker){.loop = loop};
}

void worker_submit(worker *w, worker_job *job) {
    job->next = NULL;
    if (w->last)
        w->last->next = job;
    else
        w->first = job;
    w->last = job;
    start_next(w);
}

bool worker_withdraw(worker *w, worker_job *job) {
    worker_job *before = w->busy ? w->first : NULL, **at = w->busy ? &w->first->next : &w->first;

    while (*at && *at != job) {
        before = *at;
        at = &before->next;
    }
    if (!*at)
        return false;
    *at = job->next;
    if (w->last == job)
        w->last = before;
    return true;
}

uint64_t worker_busy_for(const worker *w) {
    return w->busy ? uv_now(w->loop) - w->since : 0;
}
