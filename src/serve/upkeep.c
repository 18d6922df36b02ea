/*
 *     IDLE --- timer ---> RUNNING --- the last step ---> IDLE
 *
 * While a run is under way the store keeps marks that every job on the worker may write to. So a run that is given up
 * because the server stops is ended on the worker, too, by a last job.
 */
#include "serve/upkeep.h"

#include "log.h"
#include "serve/event.h"

#include <stdlib.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

enum {
    FIRST_MS = 3000,
    EVERY_MS = 3600 * 1000,
    EVERY_COMMITS = 1000,
    REST_MS = 1000,
    LARGE = 1 << 20 /* bytes, of a message */
};

struct upkeep {
    worker_job job;
    host *host;
    uv_timer_t timer, rest;
    prune *run; /* the worker's while a job is there; NULL: none is under way */
    bool stop;  /* for the job that is given to the worker next: end the run */
    bool closing;
    bool records_only; /* the run under way */
    unsigned commits;  /* since the last run began */
    int result;
    store_error error;
};

void upkeep_limits(const config *c, prune_limits *out) {
    *out = (prune_limits)PRUNE_LIMITS_INIT;
    out->all = c->keep_all;
    out->hourly = c->keep_hourly;
    out->daily = c->keep_daily;
    out->lines = c->keep_history;
    out->lost = c->keep_lost;
    out->graves = out->records.age_ms = c->keep_deleted;
}

static void on_run(worker_job *job) {
    upkeep *u = (upkeep *)job;

    u->result = u->stop ? 0 : prune_step(u->run, u->host->store, wall_clock(), &u->error);
    if (u->stop)
        prune_end(u->run, u->host->store);
    else if (u->result <= 0 && !u->records_only)
        store_shrink(u->host->store); /* the pages that it has looked at are no one's next */
}

static void tell(const prune_counts *n) {
    if (n->thinned + n->lines + n->lost + n->records + n->graves + n->blobs + n->packed > 0)
        log_event(LOG_DEBUG, "pruned", LOG_NUMBER("states", (long long)n->thinned),
                  LOG_NUMBER("lines", (long long)n->lines), LOG_NUMBER("records", (long long)n->records),
                  LOG_NUMBER("graves", (long long)n->graves), LOG_NUMBER("parts", (long long)n->blobs),
                  LOG_NUMBER("packed", (long long)n->packed), LOG_NUMBER("steps", (long long)n->steps));
}

/* The largest things by far are a sync's states and photos. Given back after each, they would be fetched again by the next. */
static void on_rest(uv_timer_t *timer) {
    (void)timer;
#ifdef __GLIBC__
    malloc_trim(0);
#endif
}

static void on_done(worker_job *job) {
    upkeep *u = (upkeep *)job;

    if (u->stop) {
        u->run = NULL;
        return;
    }
    if (u->result > 0) {
        u->stop = u->closing;
        worker_submit(u->host->worker, &u->job);
        return;
    }
    if (u->result < 0)
        event_store_error(u->host, &u->error);
    else
        tell(prune_done(u->run));
    prune_end(u->run, u->host->store); /* its marks are gone already */
    u->run = NULL;
    on_rest(&u->rest); /* an idle server stays small */
}

static void begin(upkeep *u, bool records_only) {
    prune_limits limits;

    upkeep_limits(u->host->config, &limits);
    limits.records_only = records_only;
    if (u->run || u->closing || !(u->run = prune_new(&limits)))
        return; /* in an hour, then */
    u->records_only = records_only;
    u->commits = 0;
    u->error = (store_error)STORE_ERROR_INIT;
    worker_submit(u->host->worker, &u->job);
}

static void on_timer(uv_timer_t *timer) {
    begin(timer->data, false);
}

static bool took_much(const server_event *e) {
    return e->kind == EVENT_SYNC_ENDED || e->kind == EVENT_FILE_STORED || e->kind == EVENT_FILE_FAILED ||
           (e->kind == EVENT_RECEIVED && e->bytes >= LARGE);
}

static void on_event(void *owner, const server_event *e) {
    upkeep *u = owner;

    if (took_much(e) && !u->closing && !uv_is_active((uv_handle_t *)&u->rest))
        uv_timer_start(&u->rest, on_rest, REST_MS, 0);
    if (e->kind == EVENT_COMMIT && ++u->commits >= EVERY_COMMITS)
        begin(u, true);
}

upkeep *upkeep_new(host *h) {
    upkeep *u = calloc(1, sizeof *u);

    if (!u)
        return NULL;
    u->host = h;
    u->job = (worker_job){on_run, on_done, NULL};
    uv_timer_init(h->loop, &u->timer);
    u->timer.data = u;
    uv_timer_start(&u->timer, on_timer, FIRST_MS, EVERY_MS);
    uv_unref((uv_handle_t *)&u->timer);
    uv_timer_init(h->loop, &u->rest);
    uv_unref((uv_handle_t *)&u->rest);
    event_listen(h, on_event, u);
    return u;
}

void upkeep_close(upkeep *u) {
    if (!u || u->closing)
        return;
    u->closing = true;
    uv_close((uv_handle_t *)&u->timer, NULL);
    uv_close((uv_handle_t *)&u->rest, NULL);
}

void upkeep_free(upkeep *u) {
    free(u);
}
