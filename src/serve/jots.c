/*
 * A machine of two parts: what is awaited from the phone (`awaits`), and jobs on the workers (`jobs`), each of which
 * comes back with what to do next. jots_go() is the one place that sends.
 */
#include "serve/jots_parts.h"

#include "jot/meta.h"
#include "serve/jots_dir.h"

#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

uint64_t jots_now(const jots *j) {
    return uv_now(j->host->loop);
}

/* ---- life ---- */

jots *jots_new(connection *c) {
    jots *j = calloc(1, sizeof *j);

    if (!j)
        return NULL;
    j->connection = c;
    j->host = connection_host(c);
    snprintf(j->device, sizeof j->device, "%s", connection_device(c));
    j->in_pieces = connection_version(c) == 2;
    j->tokens = PACE_BURST;
    j->tokens_at = jots_now(j);
    return j;
}

void jots_free(jots *j) {
    if (!j)
        return;
    free(j->questions);
    free(j->file.file_id);
    free(j);
}

/* ---- jobs ---- */

static void done(worker_job *job) {
    task *t = (task *)job;
    jots *j = t->j;
    connection *c = j->connection;

    j->jobs--;
    j->job_bytes -= t->bytes;
    if (t->rc != 0 && t->rc != STORE_NONE) {
        SAY(j, LOG_ERROR, "jots: %s", t->err.message);
        event_store_error(j->host, &t->err);
    }
    t->back(t);
    json_decref(t->body); /* counted on the loop alone: a job only reads it */
    free(t->ask);
    free(t->file.file_id);
    jot_files_free(t->rows, t->row_count);
    free(t);
    connection_pump(c);
    connection_let_go(c);
}

task *jots_give(jots *j, worker *w, json_t *body, size_t bytes, void (*run)(worker_job *),
                void (*back)(task *)) {
    bool fits = j->jobs == 0 ||
                (j->jobs < JOBS_MAX && bytes <= JOBS_BYTES_MAX && j->job_bytes <= JOBS_BYTES_MAX - bytes);
    task *t = fits ? calloc(1, sizeof *t) : NULL;

    if (!t)
        return NULL;
    t->j = j;
    t->body = json_incref(body);
    t->bytes = bytes;
    t->back = back;
    t->job = (worker_job){run, done, NULL};
    j->jobs++;
    j->job_bytes += bytes;
    connection_hold(j->connection);
    if (w)
        worker_submit(w, &t->job);
    return t;
}

static store *store_of(const task *t) {
    return t->j->host->store;
}

/* ---- manifests ---- */

static void run_manifest(worker_job *job) {
    task *t = (task *)job;
    jot_seen *seen;
    size_t count;

    if (jot_meta_manifest(json_object_get(t->body, "jots"), &seen, &count) != 0) {
        t->rc = store_out_of_memory(&t->err);
        return;
    }
    t->rc =
        jot_manifest(store_of(t), t->j->device, seen, count, wall_clock(), &t->ask, &t->ask_count, &t->err);
    free(seen);
}

static int compare_questions(const void *a, const void *b) {
    int64_t x = ((const struct question *)a)->id, y = ((const struct question *)b)->id;
    return (x > y) - (x < y);
}

static struct question *find_question(const jots *j, int64_t id) {
    struct question key = {.id = id};
    return j->question_count ? bsearch(&key, j->questions, j->question_count, sizeof key, compare_questions)
                             : NULL;
}

/* Only those of the last manifest are kept: bounded, as it is. `ask` is sorted. */
static void back_manifest(task *t) {
    jots *j = t->j;
    struct question *fresh = t->rc == 0 ? calloc(t->ask_count + 1, sizeof *fresh) : NULL;

    if (!fresh)
        return;
    for (size_t i = 0; i < t->ask_count; i++) {
        const struct question *old = find_question(j, t->ask[i]);
        fresh[i] = (struct question){t->ask[i], old ? old->asked_at : 0, true};
    }
    free(j->questions);
    j->questions = fresh;
    j->question_count = t->ask_count;
    jots_dir_poke(j->host->jots_dir);
    jots_look(j);
}

/* ---- metas ---- */

static int apply_one(task *t, const json_t *jot) {
    jot_meta meta;
    bool changed = false;

    if (jot_meta_read(jot, &meta) != 0)
        return store_out_of_memory(&t->err);
    t->partly = t->partly || meta.partly;
    if (meta.partly &&
        meta.told.file_count == 0) { /* it is not empty on the phone, and must not count as that */
        jot_meta_release(&meta);
        return 0;
    }
    int rc = jot_apply(store_of(t), t->j->device, &meta.told, wall_clock(), &t->num, &changed, &t->err);
    t->known = t->num != 0;
    t->changed = t->changed || changed;
    jot_meta_release(&meta);
    return rc;
}

static void run_meta(worker_job *job) {
    task *t = (task *)job;

    t->rc = apply_one(t, json_object_get(t->body, "jot"));
    if (t->rc == 0 && t->known)
        t->rc = jot_is_whole(store_of(t), t->num, &t->whole, &t->err);
}

/* All of a refresh in one transaction. */
static void run_refresh(worker_job *job) {
    task *t = (task *)job;
    const json_t *jots_array = json_object_get(t->body, "jots"), *jot;
    size_t i;

    if ((t->rc = store_begin(store_of(t), &t->err)) != 0)
        return;
    json_array_foreach(jots_array, i, jot) {
        if (t->rc == 0 && i < JOT_MAX)
            t->rc = apply_one(t, jot);
    }
    if (t->rc == 0)
        t->rc = store_commit(store_of(t), &t->err);
    if (t->rc != 0)
        store_rollback(store_of(t));
}

static void back_meta(task *t) {
    if (t->changed)
        jots_dir_poke(t->j->host->jots_dir);
    if (t->partly)
        SAY(t->j, LOG_WARNING, "not all that the phone tells of a jot can be kept here");
    jots_clear_judge(t);
    jots_look(t->j);
}

/* ---- messages ---- */

static void give_metas(jots *j, json_t *body, size_t bytes, bool left_out, void (*run)(worker_job *)) {
    task *t = jots_give(j, NULL, body, bytes, run, back_meta);

    if (!t)
        return;
    t->partly = left_out;
    worker_submit(j->host->worker, &t->job);
}

void jots_message(jots *j, trivet_proto_type type, json_t *body, size_t bytes, bool left_out) {
    switch (type) {
    case TRIVET_PROTO_JOT_MANIFEST:
        jots_clear_doubt(j);
        jots_give(j, j->host->worker, body, bytes, run_manifest, back_manifest);
        return;
    case TRIVET_PROTO_JOT_META_RESPONSE:
        if (j->awaits == META &&
            json_integer_value(json_object_get(json_object_get(body, "jot"), "id")) == j->meta_id)
            j->awaits = NOTHING;
        give_metas(j, body, bytes, left_out, run_meta);
        return;
    case TRIVET_PROTO_JOT_REFRESH_RESPONSE:
        jots_clear_doubt(j);
        give_metas(j, body, bytes, left_out, run_refresh);
        return;
    case TRIVET_PROTO_FILE_RESPONSE:
        jots_on_file(j, body, bytes);
        return;
    case TRIVET_PROTO_FILE_END:
        if (j->transfer)
            jots_transfer_ended(j->transfer, body);
        return;
    case TRIVET_PROTO_JOT_CLEAR_ACK:
        jots_clear_acked(j, body);
        return;
    default: /* jot_download_response: never asked for */
        connection_tell(j->connection,
                        &(server_event){.kind = EVENT_MESSAGE_IGNORED, .word = trivet_proto_type_name(type)});
    }
}

void jots_piece(jots *j, trivet_proto_piece *piece) {
    if (j->transfer)
        jots_transfer_piece(j->transfer, piece);
}

void jots_look(jots *j) {
    j->look = true;
    j->passed = 0;
    j->picked = false;
}

/* ---- sending ---- */

static bool take_token(jots *j) {
    uint64_t now = jots_now(j);

    j->tokens += (double)(now - j->tokens_at) * PACE_PER_S / 1000;
    if (j->tokens > PACE_BURST)
        j->tokens = PACE_BURST;
    j->tokens_at = now;
    if (j->tokens < 1)
        return false;
    j->tokens -= 1;
    return true;
}

bool jots_send(jots *j, trivet_proto_type type, json_t *body) {
    int rc = body || type == TRIVET_PROTO_JOT_REFRESH_REQUEST
                 ? trivet_proto_computer_send(connection_machine(j->connection), type, body)
                 : TRIVET_PROTO_ENOMEM;

    json_decref(body);
    return rc == TRIVET_PROTO_OK;
}

bool jots_ask_meta(jots *j, int64_t id) {
    if (!jots_send(j, TRIVET_PROTO_JOT_META_REQUEST, json_pack("{s:I}", "jotId", (json_int_t)id)))
        return false;
    j->awaits = META;
    j->meta_id = id;
    j->deadline = jots_now(j) + (uint64_t)j->host->config->jot_meta_timeout;
    return true;
}

/* The first that is due; *later is when another will be. */
static struct question *due_question(jots *j, uint64_t *later) {
    uint64_t now = jots_now(j);

    *later = UINT64_MAX;
    for (size_t i = 0; i < j->question_count; i++) {
        struct question *q = &j->questions[i];
        uint64_t at = q->asked_at ? q->asked_at + META_AGAIN_MS : 0;
        if (q->wanted && at <= now)
            return q;
        if (q->wanted && at < *later)
            *later = at;
    }
    return NULL;
}

static bool may_ask(const jots *j) {
    return connection_is_open(j->connection) && !connection_sync(j->connection) && j->awaits == NOTHING &&
           j->jobs == 0 && !j->storing;
}

static bool wants_file(const jots *j) {
    return j->look && !j->transfer && jots_now(j) >= j->full_until;
}

/* Pieces are no burden: those of a file that come in one message take turns with other phones'. */
static bool has_turn(const jots *j) {
    return j->in_pieces || j->host->files_asked < FILES_AT_ONCE;
}

bool jots_go(jots *j) {
    uint64_t later;
    struct question *q;

    if (j && jots_transfer_go(j->transfer))
        return true;
    if (!j || !may_ask(j))
        return false;
    q = due_question(j, &later);
    if (!j->clear.fn && !q && wants_file(j) && !j->picked) {
        jots_pick_file(j); /* comes back here with one, or with none */
        return false;
    }
    if (!j->clear.fn && !q && (!wants_file(j) || !has_turn(j)))
        return false;
    if (!take_token(j))
        return false;
    if (j->clear.fn)
        return jots_clear_go(j);
    if (!q)
        return jots_ask_file(j);
    q->wanted = false;
    q->asked_at = jots_now(j);
    return jots_ask_meta(j, q->id);
}

bool jots_refresh(jots *j) {
    return may_ask(j) && take_token(j) && jots_send(j, TRIVET_PROTO_JOT_REFRESH_REQUEST, NULL);
}

/* ---- time, and the end ---- */

static uint64_t asking_deadline(const jots *j) {
    uint64_t later, now = jots_now(j);

    if (j->awaits != NOTHING)
        return j->deadline;
    if (!may_ask(j))
        return UINT64_MAX;
    bool due = due_question((jots *)(uintptr_t)j, &later) != NULL;
    if (due || j->clear.fn || (wants_file(j) && has_turn(j)))
        return now + 1000 / PACE_PER_S; /* it waits for its pace */
    if (j->look && j->full_until > now && j->full_until < later)
        return j->full_until;
    return later;
}

uint64_t jots_deadline(const jots *j) {
    uint64_t coming = j->transfer ? jots_transfer_deadline(j->transfer) : UINT64_MAX;
    uint64_t asking = asking_deadline(j);

    return coming < asking ? coming : asking;
}

void jots_tick(jots *j) {
    if (j->transfer)
        jots_transfer_tick(j->transfer);
    if (j->awaits == NOTHING || jots_now(j) < j->deadline)
        return;
    if (j->awaits == FILE_BYTES) {
        size_t partial = connection_partial(j->connection);
        if (partial != j->partial) { /* it is coming */
            j->partial = partial;
            j->deadline = jots_now(j) + (uint64_t)j->host->config->jot_file_timeout;
            return;
        }
        jots_fail_file(j, "the phone did not answer");
        return;
    }
    jots_clear_late(j);
    j->awaits = NOTHING;
}

void jots_end(jots *j, int code) {
    if (j->awaits == FILE_BYTES && !j->host->stopping &&
        (code == TRIVET_PROTO_CLOSE_GOING_AWAY || code == TRIVET_PROTO_CLOSE_TOO_LARGE || code == 1006))
        jots_fail_file(j, "");
    if (j->transfer)
        jots_transfer_cut(j->transfer);
    jots_give_turn_back(j);
    j->awaits = NOTHING;
    jots_clear_end(j, EX_UNAVAILABLE, "the phone went away; `trivet jots` shows what it has, later");
}
