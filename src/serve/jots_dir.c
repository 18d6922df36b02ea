/*
 * One jot at a time, in turns: LOAD its rows (the store's worker), WRITE its files (the files' worker), KEEP: it counts as
 * written (the store's worker).
 */
#include "serve/jots_dir.h"

#include "jot/copy.h"
#include "log.h"

#include <stdlib.h>
#include <string.h>

struct jots_dir {
    worker_job job; /* first: the worker gives it back */
    host *host;
    enum { REST, LOAD, WRITE, KEEP } step;
    bool again; /* something changed meanwhile */
    bool told;  /* of a failure in this round */
    bool started;
    int64_t num; /* the one that it is about, or the last */
    jot_copy copy;
    jot_copied copied;
    int rc;
    store_error err;
    char dir[sizeof((config *)NULL)->jots_dir];
};

/* Another folder than last time: all of it is written. */
static int look_at_start(jots_dir *d) {
    char before[sizeof d->dir] = "";
    int rc = store_meta_get(d->host->store, "jots.dir", before, sizeof before, &d->err);
    if (rc == STORE_NONE || (rc == 0 && strcmp(before, d->dir) != 0)) {
        rc = jot_unkeep_all(d->host->store, &d->err);
        if (rc == 0)
            rc = store_meta_set(d->host->store, "jots.dir", d->dir, &d->err);
    }
    d->started = rc == 0;
    return rc;
}

static void run(worker_job *job) {
    jots_dir *d = (jots_dir *)job;
    store *s = d->host->store;

    d->rc = 0;
    d->err = (store_error)STORE_ERROR_INIT;
    switch (d->step) {
    case LOAD:
        d->rc = d->started ? 0 : look_at_start(d);
        if (d->rc == 0 && (d->rc = jot_unkept(s, d->num, &d->num, &d->err)) == 0)
            d->rc = jot_copy_load(s, d->num, &d->copy, &d->err);
        return;
    case WRITE:
        d->rc = jot_copy_write(&d->copy, store_folder(s), d->dir, &d->copied, &d->err);
        return;
    case KEEP: {
        jot_row row;
        if ((d->rc = jot_get(s, d->num, &row, &d->err)) != 0)
            return;
        if (row.changed_at == d->copy.row.changed_at)
            d->rc = jot_keep(s, d->num, &d->err);
        return;
    }
    case REST:
        return;
    }
}

static void submit(jots_dir *d, int step);

static void rest(jots_dir *d) {
    bool again = d->again;

    d->step = REST;
    d->again = d->told = false;
    d->num = 0;
    if (again)
        submit(d, LOAD);
}

static void done(worker_job *job) {
    jots_dir *d = (jots_dir *)job;
    int step = (int)d->step;

    if (d->rc != 0 || step == KEEP)
        jot_copy_release(&d->copy);
    if (d->rc != 0 && d->rc != STORE_NONE) {
        if (!d->told)
            log_error("jots_dir: %s", d->err.message);
        d->told = true;
        d->again = false;
    }
    if (d->rc != 0 && step == WRITE && !d->host->stopping)
        submit(d, LOAD); /* the next one: what is in the way of this one need not be in its way */
    else if (d->rc != 0 || d->host->stopping)
        rest(d);
    else
        submit(d, step == LOAD ? WRITE : step == WRITE ? KEEP : LOAD);
    if (d->host->stopping)
        jot_copy_release(&d->copy);
}

static void submit(jots_dir *d, int step) {
    if (d->host->stopping) {
        d->step = REST;
        return;
    }
    d->step = step == LOAD ? LOAD : step == WRITE ? WRITE : KEEP;
    d->job = (worker_job){run, done, NULL};
    worker_submit(step == WRITE ? d->host->files : d->host->worker, &d->job);
}

void jots_dir_poke(jots_dir *d) {
    if (!d)
        return;
    if (d->step == REST)
        submit(d, LOAD);
    else
        d->again = true;
}

jots_dir *jots_dir_new(host *h) {
    jots_dir *d = h->config->jots_dir[0] ? calloc(1, sizeof *d) : NULL;

    if (!d)
        return NULL;
    d->host = h;
    snprintf(d->dir, sizeof d->dir, "%s", h->config->jots_dir);
    jots_dir_poke(d);
    return d;
}

void jots_dir_free(jots_dir *d) {
    if (d)
        jot_copy_release(&d->copy);
    free(d);
}
