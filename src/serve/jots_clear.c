/*
 * jots_clear.c - taking a jot off its phone, on the user's word.
 *
 *     READ --worker, files' worker--> ASK --meta_request--> ASKED --meta, all of it stored--> CHECKED --clear_request--> ack
 *      every stored file has its hash
 *
 * What the phone deletes is then here alone, so what is here is read first, to its last byte. The meta comes last, and the request goes out
 * right behind it: where anything came in between, a manifest or a sync, the meta is asked for once more.
 *
 * The power goes, or a message is lost, before the phone has the request: nothing has changed. After that: the phone has cleared it, which
 * its next manifest shows, and all of it is here, durable since before the meta was recorded.
 */
#include "serve/jots_parts.h"

#include "store/jot_content.h"

#include <sysexits.h>

enum { CHECKED_FOR_MS = 1000 };

void jots_clear_end(jots *j, int status, const char *message) {
    jots_cleared_fn *fn = j->clear.fn;

    j->clear.fn = NULL;
    if (j->awaits == CLEARED)
        j->awaits = NOTHING;
    if (fn)
        fn(j->clear.ctx, status, message);
}

bool jots_clear(jots *j, int64_t num, int64_t id, jots_cleared_fn *fn, void *ctx) {
    if (j->clear.fn)
        return false;
    j->clear.num = num;
    j->clear.id = id;
    j->clear.fn = fn;
    j->clear.ctx = ctx;
    j->clear.step = CLEAR_READ;
    return true;
}

/* ---- what is here ---- */

static void run_rows(worker_job *job) {
    task *t = (task *)job;

    t->rc = jot_files(t->j->host->store, t->num, &t->rows, &t->row_count, &t->err);
}

static void run_read(worker_job *job) {
    task *t = (task *)job;

    for (size_t i = 0; i < t->row_count && t->rc == 0; i++)
        if (t->rows[i].stored && t->rows[i].gone_at == 0)
            t->rc = jot_content_check(store_folder(t->j->host->store), &t->rows[i].hash, &t->err);
    t->whole = t->rc == 0;
    if (t->rc == STORE_DAMAGED)
        t->rc = STORE_NONE; /* it is told to whoever asked, who is sent to fsck */
}

/* Of an earlier one, whose connection has ended since. */
static bool is_reading(const task *t) {
    return t->j->clear.fn && t->j->clear.step == CLEAR_READING && t->j->clear.num == t->num;
}

static void back_read(task *t) {
    if (!is_reading(t))
        return;
    if (t->whole)
        t->j->clear.step = CLEAR_ASK;
    else
        jots_clear_end(t->j, 1,
                       "a file of it is missing or damaged on this computer (see `trivet fsck`): nothing was "
                       "cleared");
}

static void back_rows(task *t) {
    jots *j = t->j;
    task *next = is_reading(t) && t->rc == 0 ? jots_give(j, NULL, NULL, 0, run_read, back_read) : NULL;

    if (!next) {
        if (is_reading(t))
            jots_clear_end(j, EX_TEMPFAIL, "it could not be looked at: nothing was cleared; try again");
        return;
    }
    next->num = t->num;
    next->rows = t->rows;
    next->row_count = t->row_count;
    t->rows = NULL;
    t->row_count = 0;
    worker_submit(j->host->files, &next->job);
}

static void read_it(jots *j) {
    task *t = jots_give(j, NULL, NULL, 0, run_rows, back_rows);

    if (!t)
        return; /* jots_clear_go comes again */
    j->clear.step = CLEAR_READING;
    t->num = j->clear.num;
    worker_submit(j->host->worker, &t->job);
}

/* ---- what the phone has ---- */

void jots_clear_judge(task *t) {
    jots *j = t->j;

    if (!j->clear.fn || j->clear.step != CLEAR_ASKED ||
        json_integer_value(json_object_get(json_object_get(t->body, "jot"), "id")) != j->clear.id)
        return;
    if (t->rc != 0)
        jots_clear_end(j, 1, "what it holds now could not be stored: nothing was cleared");
    else if (t->partly)
        jots_clear_end(j, 1, "the phone has more of it than can be kept here: nothing was cleared");
    else if (!t->known || t->num != j->clear.num || !t->whole)
        jots_clear_end(j, 1, "not all of it is stored on this computer yet: nothing was cleared");
    else {
        j->clear.step = CLEAR_CHECKED;
        j->clear.checked_at = jots_now(j);
    }
}

void jots_clear_doubt(jots *j) {
    if (j->clear.step == CLEAR_CHECKED && j->awaits != CLEARED)
        j->clear.step = CLEAR_ASK;
}

/* ---- sending ---- */

bool jots_clear_go(jots *j) {
    if (j->clear.step == CLEAR_READ) {
        read_it(j);
        return false;
    }
    if (j->clear.step == CLEAR_READING)
        return false;
    if (j->clear.step != CLEAR_CHECKED || jots_now(j) - j->clear.checked_at > CHECKED_FOR_MS) {
        j->clear.step = CLEAR_ASKED;
        return jots_ask_meta(j, j->clear.id);
    }
    if (!jots_send(j, TRIVET_PROTO_JOT_CLEAR_REQUEST,
                   json_pack("{s:[I]}", "jotIds", (json_int_t)j->clear.id)))
        return false;
    j->awaits = CLEARED;
    j->deadline = jots_now(j) + CLEAR_WAIT_MS;
    return true;
}

void jots_clear_late(jots *j) {
    if (j->clear.fn && (j->awaits == CLEARED || (j->clear.step == CLEAR_ASKED && j->meta_id == j->clear.id)))
        jots_clear_end(j, EX_TEMPFAIL, "the phone did not answer; `trivet jots` shows what it has, later");
}

static void run_cleared(worker_job *job) {
    task *t = (task *)job;
    t->rc = jot_cleared(t->j->host->store, t->num, wall_clock(), &t->err);
}

static void back_cleared(task *t) {
    jots_clear_end(t->j, 0, "");
}

void jots_clear_acked(jots *j, const json_t *body) {
    const json_t *ids = json_object_get(body, "cleared"), *id;
    size_t i;

    if (j->awaits != CLEARED)
        return;
    j->awaits = NOTHING;
    json_array_foreach(ids, i, id) {
        if (json_integer_value(id) != j->clear.id)
            continue;
        task *t = jots_give(j, NULL, NULL, 0, run_cleared, back_cleared);
        if (t) {
            t->num = j->clear.num;
            worker_submit(j->host->worker, &t->job);
            return;
        }
    }
    jots_clear_end(j, 1, "the phone did not clear it");
}
