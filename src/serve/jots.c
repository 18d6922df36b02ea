/*
 * A machine of two parts: what is awaited from the phone (`awaits`), and jobs on the workers (`jobs`), each of which
 * comes back with what to do next. jots_go() is the one place that sends.
 */
#include "serve/jots.h"

#include "jot/meta.h"
#include "serve/jots_dir.h"
#include "serve/peer_log.h"
#include "store/jot_content.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

enum {
    META_WAIT_MS = 15000,
    META_AGAIN_MS = 5000, /* the least time between two questions about one jot */
    CLEAR_WAIT_MS = 15000,
    FILE_WAIT_MS = 120000,
    FULL_WAIT_MS = 60000, /* after a full disk */
    FILES_AT_ONCE = 2,    /* of all phones together: each is held in memory once */
    PACE_PER_S = 20,
    PACE_BURST = 40,
    JOBS_MAX = 8,          /* of one phone; what comes beyond is dropped, and asked for again */
    DECODED_CHARS = 65536, /* at a time; a multiple of four */
    LARGE_JSON = 1 << 20   /* what is worth giving back to the system */
};

#define SAY(j, level, ...)                                                                                   \
    peer_log(connection_host((j)->connection), level, (j)->device, connection_label((j)->connection),        \
             __VA_ARGS__)

struct question {
    int64_t id;
    uint64_t asked_at; /* uv_now(); 0: never */
    bool wanted;
};

struct jots {
    connection *connection;
    host *host;
    char device[9];
    enum { NOTHING, META, FILE_BYTES, CLEARED } awaits;
    uint64_t deadline; /* of what is awaited */
    int64_t meta_id;   /* the awaited meta's jot */
    jot_request file;  /* the one that is awaited, or was last */
    bool picked;       /* it is the next one, and not asked for yet */
    size_t partial;    /* websocket_partial when last looked at */
    bool holds_turn;   /* of FILES_AT_ONCE */

    struct question *questions; /* by the jot's id */
    size_t question_count;
    bool look;      /* files may be missing */
    int64_t passed; /* files up to this number have had their turn */
    uint64_t full_until;
    unsigned jobs;
    bool storing; /* a file is being written */
    double tokens;
    uint64_t tokens_at;

    struct {
        int64_t num, id;
        jots_cleared_fn *fn; /* NULL: none is being cleared */
        void *ctx;
        bool checked; /* its meta came, and all of it is stored */
        bool asked;   /* its meta was asked for */
    } clear;
};

/* One job on a worker. */
typedef struct task {
    worker_job job; /* first */
    jots *j;
    json_t *body;
    int rc;
    store_error err;
    void (*back)(struct task *t); /* on the loop */
    /* what came of it */
    int64_t *ask;
    size_t ask_count;
    bool changed, whole, known, unasked;
    jot_request file;
    int64_t num, jot, after;
    store_name hash;
    uint64_t size;
    char reason[64];
} task;

static uint64_t now_of(const jots *j) {
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
    j->tokens = PACE_BURST;
    j->tokens_at = now_of(j);
    return j;
}

void jots_free(jots *j) {
    if (!j)
        return;
    free(j->questions);
    free(j->file.file_id);
    free(j);
}

/* Other phones may have waited for the turn. */
static void give_turn_back(jots *j) {
    if (!j->holds_turn)
        return;
    j->holds_turn = false;
    j->host->files_asked--;
    for (connection *c = j->host->connections, *next; c; c = next) {
        next = connection_next(c);
        if (c != j->connection)
            connection_pump(c);
    }
}

static void end_clear(jots *j, int status, const char *message) {
    jots_cleared_fn *fn = j->clear.fn;

    j->clear.fn = NULL;
    if (j->awaits == CLEARED)
        j->awaits = NOTHING;
    if (fn)
        fn(j->clear.ctx, status, message);
}

/* ---- jobs ---- */

static void run_nothing(worker_job *job) {
    (void)job;
}

static void done(worker_job *job) {
    task *t = (task *)job;
    jots *j = t->j;
    connection *c = j->connection;

    j->jobs--;
    if (t->rc != 0 && t->rc != STORE_NONE) {
        SAY(j, LOG_ERROR, "jots: %s", t->err.message);
        event_store_error(j->host, &t->err);
    }
    t->back(t);
    /* Counted on the loop alone: a job only reads it. */
    bool large = json_string_length(json_object_get(t->body, "data")) > LARGE_JSON;
    json_decref(t->body);
#ifdef __GLIBC__
    if (large)
        malloc_trim(0);
#endif
    free(t->ask);
    free(t->file.file_id);
    free(t);
    connection_pump(c);
    connection_let_go(c);
}

/* `body` becomes the job's. NULL: there are too many, or no memory. */
static task *give(jots *j, worker *w, json_t *body, void (*run)(worker_job *), void (*back)(task *)) {
    task *t = j->jobs < JOBS_MAX ? calloc(1, sizeof *t) : NULL;

    if (!t)
        return NULL;
    t->j = j;
    t->body = json_incref(body);
    t->back = back;
    t->job = (worker_job){run ? run : run_nothing, done, NULL};
    j->jobs++;
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

static void judge_clear(task *t) {
    jots *j = t->j;

    if (!j->clear.fn || !j->clear.asked || j->clear.checked || t->rc != 0 ||
        json_integer_value(json_object_get(json_object_get(t->body, "jot"), "id")) != j->clear.id)
        return;
    if (t->known && t->num == j->clear.num && t->whole)
        j->clear.checked = true;
    else
        end_clear(j, 1, "not all of it is stored on this computer yet: nothing was cleared");
}

static void back_meta(task *t) {
    if (t->changed)
        jots_dir_poke(t->j->host->jots_dir);
    judge_clear(t);
    jots_look(t->j);
}

/* ---- files: which is next ---- */

static void run_next(worker_job *job) {
    task *t = (task *)job;

    t->rc = jot_file_next(store_of(t), t->j->device, t->after, t->unasked, &t->file, &t->err);
}

/* It may be that a sync has begun meanwhile: jots_go sends it when its time comes. */
static void back_next(task *t) {
    jots *j = t->j;

    if (t->rc != 0) {
        j->look = false;
        return;
    }
    free(j->file.file_id);
    j->file = t->file;
    t->file.file_id = NULL;
    j->picked = true;
}

static void look_for_file(jots *j) {
    task *t = give(j, NULL, NULL, run_next, back_next);

    if (!t)
        return;
    t->after = j->passed;
    t->unasked = j->host->config->jots_auto;
    worker_submit(j->host->worker, &t->job);
}

/* ---- files: their bytes ---- */

static void run_record(worker_job *job) {
    task *t = (task *)job;
    store *s = store_of(t);

    t->rc = jot_file_find(s, t->j->device, t->file.jot_id, t->file.kind, t->file.file_id, &t->num, &t->jot,
                          &t->err);
    if (t->rc == 0)
        t->rc = t->reason[0] ? jot_file_failed(s, t->num, t->reason, &t->err)
                             : jot_file_stored(s, t->num, t->jot, &t->hash, t->size, wall_clock(), &t->err);
}

static void back_record(task *t) {
    jots *j = t->j;

    if (t->rc == 0 && !t->reason[0]) {
        SAY(j, LOG_INFO, "jot %lld: stored a file of %llu bytes", (long long)t->jot,
            (unsigned long long)t->size);
        jots_dir_poke(j->host->jots_dir);
    } else if (t->rc == 0) {
        SAY(j, LOG_WARNING, "jot %lld: a file did not come: %s", (long long)t->jot, t->reason);
    }
    j->storing = false;
}

/* Base64 to bytes to the disk, a little at a time. */
static int write_decoded(task *t, jot_content *c, const char *text, size_t len) {
    uint8_t *bytes = malloc(DECODED_CHARS);
    int rc = bytes ? 0 : store_out_of_memory(&t->err);

    for (size_t at = 0; rc == 0 && at < len; at += DECODED_CHARS) {
        size_t part = len - at < DECODED_CHARS ? len - at : DECODED_CHARS, got;
        if (trivet_proto_base64_decode(bytes, &got, text + at, part))
            rc = jot_content_add(c, bytes, got, &t->err);
        else
            snprintf(t->reason, sizeof t->reason, "what came is no base64");
        if (t->reason[0])
            break;
    }
    free(bytes);
    return rc;
}

static void run_store(worker_job *job) {
    task *t = (task *)job;
    const json_t *data = json_object_get(t->body, "data");
    size_t len = json_string_length(data);
    jot_content *c = NULL;

    t->rc = jot_content_new(store_folder(store_of(t)), len / 4 * 3, &c, &t->err);
    if (t->rc == 0)
        t->rc = write_decoded(t, c, json_string_value(data), len);
    if (t->rc == 0 && !t->reason[0])
        t->rc = jot_content_finish(c, &t->hash, &t->size, &t->err);
    jot_content_free(c);
    if (t->rc == STORE_FULL)
        snprintf(t->reason, sizeof t->reason, "no space left on this computer's disk");
    else if (t->rc != 0)
        snprintf(t->reason, sizeof t->reason, "it could not be written on this computer");
}

/* The store's worker records what the files' worker has written. */
static void record(jots *j, const task *from, const jot_request *file, const char *reason) {
    char *id = strdup(file->file_id);
    task *t = id ? give(j, NULL, NULL, run_record, back_record) : NULL;

    if (!t) {
        free(id);
        j->storing = false;
        return;
    }
    t->file = *file;
    t->file.file_id = id;
    if (from) {
        t->hash = from->hash;
        t->size = from->size;
    }
    snprintf(t->reason, sizeof t->reason, "%s", reason);
    worker_submit(j->host->worker, &t->job);
}

static void back_store(task *t) {
    jots *j = t->j;

    give_turn_back(j);
    if (t->rc != 0)
        j->full_until = now_of(j) + FULL_WAIT_MS;
    record(j, t, &t->file, t->reason);
}

/* ---- files: answers ---- */

static bool is_awaited_file(const jots *j, const jot_request *file) {
    return j->awaits == FILE_BYTES && j->file.file_id && file->jot_id == j->file.jot_id &&
           file->kind == j->file.kind && strcmp(file->file_id, j->file.file_id) == 0;
}

static void on_file(jots *j, json_t *body) {
    jot_request file = {.jot_id = json_integer_value(json_object_get(body, "jotId"))};
    const char *id = json_string_value(json_object_get(body, "fileId")), *reason = "";
    bool awaited;

    if (!id || !jot_meta_kind(json_string_value(json_object_get(body, "fileType")), &file.kind) ||
        !(file.file_id = strdup(id)))
        return;
    awaited = is_awaited_file(j, &file);
    if (awaited)
        j->awaits = NOTHING;
    if (json_object_get(body, "error"))
        reason = "the phone cannot give it";
    else if (json_string_length(json_object_get(body, "data")) == 0 && file.kind != JOT_FILE)
        reason = "the phone gave nothing";
    task *t = NULL;
    if (j->storing) {
        /* One at a time: a late answer on top of another is asked for again. */
    } else if (reason[0]) {
        j->storing = true;
        record(j, NULL, &file, reason);
    } else if ((t = give(j, NULL, body, run_store, back_store))) {
        j->storing = true;
        t->file = file;
        file.file_id = NULL;
        worker_submit(j->host->files, &t->job);
    }
    if (awaited && !t)
        give_turn_back(j);
    free(file.file_id);
}

static void run_failed(worker_job *job) {
    task *t = (task *)job;
    t->rc = t->reason[0] ? jot_file_failed(store_of(t), t->num, t->reason, &t->err)
                         : jot_file_cut(store_of(t), t->num, &t->err);
}

static void back_failed(task *t) {
    (void)t;
}

/* Without a reason: the connection was cut. */
static void fail_file(jots *j, const char *reason) {
    task *t = give(j, NULL, NULL, run_failed, back_failed);

    j->awaits = NOTHING;
    give_turn_back(j);
    if (!t)
        return;
    t->num = j->file.num;
    snprintf(t->reason, sizeof t->reason, "%s", reason);
    worker_submit(j->host->worker, &t->job);
}

/* ---- clearing ---- */

static void run_cleared(worker_job *job) {
    task *t = (task *)job;
    t->rc = jot_cleared(store_of(t), t->num, wall_clock(), &t->err);
}

static void back_cleared(task *t) {
    end_clear(t->j, 0, "");
}

static void on_clear_ack(jots *j, const json_t *body) {
    const json_t *ids = json_object_get(body, "cleared"), *id;
    size_t i;

    if (j->awaits != CLEARED)
        return;
    j->awaits = NOTHING;
    json_array_foreach(ids, i, id) {
        if (json_integer_value(id) != j->clear.id)
            continue;
        task *t = give(j, NULL, NULL, run_cleared, back_cleared);
        if (t) {
            t->num = j->clear.num;
            worker_submit(j->host->worker, &t->job);
            return;
        }
    }
    end_clear(j, 1, "the phone did not clear it");
}

bool jots_clear(jots *j, int64_t num, int64_t id, jots_cleared_fn *fn, void *ctx) {
    if (j->clear.fn)
        return false;
    j->clear.num = num;
    j->clear.id = id;
    j->clear.fn = fn;
    j->clear.ctx = ctx;
    j->clear.checked = j->clear.asked = false;
    return true;
}

/* ---- messages ---- */

void jots_message(jots *j, trivet_proto_type type, json_t *body) {
    switch (type) {
    case TRIVET_PROTO_JOT_MANIFEST:
        give(j, j->host->worker, body, run_manifest, back_manifest);
        return;
    case TRIVET_PROTO_JOT_META_RESPONSE:
        if (j->awaits == META &&
            json_integer_value(json_object_get(json_object_get(body, "jot"), "id")) == j->meta_id)
            j->awaits = NOTHING;
        give(j, j->host->worker, body, run_meta, back_meta);
        return;
    case TRIVET_PROTO_JOT_REFRESH_RESPONSE:
        give(j, j->host->worker, body, run_refresh, back_meta);
        return;
    case TRIVET_PROTO_FILE_RESPONSE:
        on_file(j, body);
        return;
    case TRIVET_PROTO_JOT_CLEAR_ACK:
        on_clear_ack(j, body);
        return;
    default: /* jot_download_response: never asked for */
        connection_tell(j->connection,
                        &(server_event){.kind = EVENT_MESSAGE_IGNORED, .word = trivet_proto_type_name(type)});
    }
}

void jots_look(jots *j) {
    j->look = true;
    j->passed = 0;
    j->picked = false;
}

/* ---- sending ---- */

static bool take_token(jots *j) {
    uint64_t now = now_of(j);

    j->tokens += (double)(now - j->tokens_at) * PACE_PER_S / 1000;
    if (j->tokens > PACE_BURST)
        j->tokens = PACE_BURST;
    j->tokens_at = now;
    if (j->tokens < 1)
        return false;
    j->tokens -= 1;
    return true;
}

static bool send_message(jots *j, trivet_proto_type type, json_t *body) {
    int rc = body || type == TRIVET_PROTO_JOT_REFRESH_REQUEST
                 ? trivet_proto_computer_send(connection_machine(j->connection), type, body)
                 : TRIVET_PROTO_ENOMEM;

    json_decref(body);
    return rc == TRIVET_PROTO_OK;
}

static bool ask_meta(jots *j, int64_t id) {
    if (!send_message(j, TRIVET_PROTO_JOT_META_REQUEST, json_pack("{s:I}", "jotId", (json_int_t)id)))
        return false;
    j->awaits = META;
    j->meta_id = id;
    j->deadline = now_of(j) + META_WAIT_MS;
    return true;
}

static bool ask_clear(jots *j) {
    if (!j->clear.checked) {
        j->clear.asked = true;
        return ask_meta(j, j->clear.id);
    }
    if (!send_message(j, TRIVET_PROTO_JOT_CLEAR_REQUEST,
                      json_pack("{s:[I]}", "jotIds", (json_int_t)j->clear.id)))
        return false;
    j->awaits = CLEARED;
    j->deadline = now_of(j) + CLEAR_WAIT_MS;
    return true;
}

static bool ask_file(jots *j) {
    if (j->host->files_asked >= FILES_AT_ONCE || !j->picked)
        return false;
    j->passed = j->file.num;
    j->picked = false;
    if (!send_message(j, TRIVET_PROTO_FILE_REQUEST,
                      json_pack("{s:I, s:s, s:s}", "jotId", (json_int_t)j->file.jot_id, "fileId",
                                j->file.file_id, "fileType", jot_kind_name(j->file.kind))))
        return false;
    j->host->files_asked++;
    j->holds_turn = true;
    j->awaits = FILE_BYTES;
    j->partial = 0;
    j->deadline = now_of(j) + FILE_WAIT_MS;
    return true;
}

/* The first that is due; *later is when another will be. */
static struct question *due_question(jots *j, uint64_t *later) {
    uint64_t now = now_of(j);

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
    return j->look && now_of(j) >= j->full_until;
}

bool jots_go(jots *j) {
    uint64_t later;
    struct question *q;

    if (!j || !may_ask(j))
        return false;
    q = due_question(j, &later);
    if (!j->clear.fn && !q && wants_file(j) && !j->picked) {
        look_for_file(j); /* comes back here with one, or with none */
        return false;
    }
    if (!j->clear.fn && !q && (!wants_file(j) || j->host->files_asked >= FILES_AT_ONCE))
        return false;
    if (!take_token(j))
        return false;
    if (j->clear.fn)
        return ask_clear(j);
    if (!q)
        return ask_file(j);
    q->wanted = false;
    q->asked_at = now_of(j);
    return ask_meta(j, q->id);
}

bool jots_refresh(jots *j) {
    return may_ask(j) && take_token(j) && send_message(j, TRIVET_PROTO_JOT_REFRESH_REQUEST, NULL);
}

/* ---- time, and the end ---- */

uint64_t jots_deadline(const jots *j) {
    uint64_t later, now = now_of(j);

    if (j->awaits != NOTHING)
        return j->deadline;
    if (!may_ask(j))
        return UINT64_MAX;
    bool due = due_question((jots *)(uintptr_t)j, &later) != NULL;
    if (due || j->clear.fn || (wants_file(j) && j->host->files_asked < FILES_AT_ONCE))
        return now + 1000 / PACE_PER_S; /* it waits for its pace */
    if (j->look && j->full_until > now && j->full_until < later)
        return j->full_until;
    return later;
}

void jots_tick(jots *j) {
    if (j->awaits == NOTHING || now_of(j) < j->deadline)
        return;
    if (j->awaits == FILE_BYTES) {
        size_t partial = connection_partial(j->connection);
        if (partial != j->partial) { /* it is coming */
            j->partial = partial;
            j->deadline = now_of(j) + FILE_WAIT_MS;
            return;
        }
        fail_file(j, "the phone did not answer");
        return;
    }
    bool clearing = j->clear.fn && (j->awaits == CLEARED || (j->clear.asked && j->meta_id == j->clear.id));
    j->awaits = NOTHING;
    if (clearing)
        end_clear(j, EX_TEMPFAIL, "the phone did not answer; `trivet jots` shows what it has, later");
}

void jots_end(jots *j, int code) {
    if (j->awaits == FILE_BYTES && !j->host->stopping &&
        (code == TRIVET_PROTO_CLOSE_GOING_AWAY || code == TRIVET_PROTO_CLOSE_TOO_LARGE || code == 1006))
        fail_file(j, "");
    give_turn_back(j);
    j->awaits = NOTHING;
    end_clear(j, EX_UNAVAILABLE, "the phone went away; `trivet jots` shows what it has, later");
}
