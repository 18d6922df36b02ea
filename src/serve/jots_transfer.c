/*
 * jots_transfer.c - one file in pieces (protocol §7, "Files"), from the phone to the disk.
 *
 *     begin --files' worker--> OPENED --file_request--> COMING --file_end, all written--> hash and name --> over
 *               what is there already is hashed          | ^
 *                                                        v | pieces, at most a window of them, are written in turns
 *     the phone's error, silence, too much, a full disk, a cut: over
 *
 * One job at a time is on the files' worker, and the content is its own meanwhile; what comes waits in `waiting`, which
 * the protocol's machine bounds: no more than a window beyond the last ack can come, and an ack is only sent for
 * what is written. While a sync runs on the connection none is sent, so that it waits for no more than a window either.
 *
 * What is lost when: jot_content.c says it for the power. A message that is lost is a connection that is lost, and then what was written
 * stays, and the next request begins behind it; what was not written by then comes again. Where all has come and the end
 * was lost, the next request asks for nothing but the end.
 */
#include "serve/jots_parts.h"

#include "store/jot_content.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

enum {
    ACK_EVERY = 256 << 10, /* bytes */
    WAITING_MAX = 512, /* pieces; small ones count against the phone's rate, so that no more come in time */
    ROOM_EVERY = 16 << 20,     /* bytes between two looks at the room on the disk */
    REREAD_AT_ONCE = 128 << 20 /* bytes of one job, so that other phones' files get on */
};

typedef struct {
    uint8_t *buffer;
    const uint8_t *data;
    size_t len;
} piece;

struct transfer {
    worker_job job; /* first */
    jots *j;
    enum { OPENING, OPENED, COMING, ENDED } step;
    bool busy;    /* the job is on the worker */
    bool over;    /* nothing more is wanted; it goes when it is not busy */
    bool discard; /* and with it what was written */
    uint32_t number;
    uint64_t from;   /* where it began: what was there before */
    uint64_t came;   /* the offset up to which pieces have come */
    uint64_t stored; /* `written`, as the loop knows it */
    uint64_t acked;  /* the last one sent */
    uint64_t deadline;
    piece waiting[WAITING_MAX];
    size_t waiting_count;
    store_name told; /* the hash, once ENDED */

    /* the job's */
    jot_content *content;
    piece writing[WAITING_MAX];
    size_t writing_count;
    uint64_t written;
    uint64_t checked; /* up to where there is room on the disk */
    uint64_t left;    /* to be read again */
    bool fits;        /* it has the hash that was told */
    bool too_large;   /* there is room on the disk, but not for this one */
    store_name hash;
    uint64_t size;
    int rc;
    store_error err;
};

static void go_on(transfer *t);

static void free_pieces(piece *pieces, size_t *count) {
    for (size_t i = 0; i < *count; i++)
        free(pieces[i].buffer);
    *count = 0;
}

static void wait_anew(transfer *t) {
    t->deadline = jots_now(t->j) + (uint64_t)t->j->host->config->jot_file_timeout;
}

/* ---- jobs ---- */

static void run_open(worker_job *job) {
    transfer *t = (transfer *)job;
    jots *j = t->j;
    uint64_t told = j->file.told_size > 0 ? (uint64_t)j->file.told_size : 0;

    if (!t->content)
        t->rc = jot_content_resume(store_folder(j->host->store), j->file.num, &t->content, &t->err);
    if (t->rc == 0)
        t->rc = jot_content_reread(t->content, REREAD_AT_ONCE, &t->left, &t->err);
    if (t->rc == 0) {
        t->written = jot_content_size(t->content);
        t->rc = jot_content_room(t->content, 0, &t->err);
        t->checked = t->written;
    }
    if (t->rc == 0 && told > t->written) {
        t->rc = jot_content_room(t->content, told - t->written, &t->err);
        t->too_large = t->rc == STORE_FULL;
    }
}

/* Its row is gone, and the partial file with it. */
static void look_for_it(transfer *t) {
    if (t->rc == 0 && jot_content_is_forgotten(t->content))
        t->rc = STORE_NONE;
}

static void run_write(worker_job *job) {
    transfer *t = (transfer *)job;

    look_for_it(t);
    for (size_t i = 0; i < t->writing_count && t->rc == 0; i++) {
        t->rc = jot_content_add(t->content, t->writing[i].data, t->writing[i].len, &t->err);
        free(t->writing[i].buffer);
        t->writing[i].buffer = NULL;
    }
    free_pieces(t->writing, &t->writing_count);
    t->written = jot_content_size(t->content);
    if (t->rc == 0 && t->written - t->checked >= ROOM_EVERY) {
        t->checked = t->written;
        t->rc = jot_content_room(t->content, 0, &t->err);
    }
}

static void run_finish(worker_job *job) {
    transfer *t = (transfer *)job;

    look_for_it(t);
    t->fits = jot_content_is(t->content, &t->told);
    if (t->rc == 0 && t->fits)
        t->rc = jot_content_finish(t->content, &t->hash, &t->size, &t->err);
}

/* To unlink a large file takes its time. */
static void run_discard(worker_job *job) {
    transfer *t = (transfer *)job;

    jot_content_discard(t->content);
    jot_content_free(t->content);
    t->content = NULL;
}

static void done(worker_job *job) {
    transfer *t = (transfer *)job;
    connection *c = t->j->connection;

    t->busy = false;
    t->stored = t->written;
    go_on(t);
    connection_pump(c);
    connection_let_go(c);
}

static void submit(transfer *t, void (*run)(worker_job *)) {
    t->busy = true;
    t->rc = 0;
    t->job = (worker_job){run, done, NULL};
    connection_hold(t->j->connection);
    worker_submit(t->j->host->files, &t->job);
}

/* ---- its end ---- */

static void dispose(transfer *t) {
    t->j->transfer = NULL;
    free_pieces(t->waiting, &t->waiting_count);
    jot_content_free(t->content);
    free(t);
}

static void leave(transfer *t) {
    t->over = true;
    free_pieces(t->waiting, &t->waiting_count);
    trivet_proto_computer_leave_transfer(connection_machine(t->j->connection));
}

/* It does not come, for now; `told` is for the phone, where it is not the phone's own word. */
static void fail(transfer *t, const char *code, const char *reason, bool discard) {
    jots *j = t->j;

    if (t->over)
        return;
    leave(t);
    t->discard = discard;
    if (code)
        trivet_proto_computer_error(connection_machine(j->connection), code, "transfer", reason);
    jots_record(j, &j->file, NULL, 0, reason);
}

/* The phone has it no more: there is nothing to record, and others can be asked for. */
static void forgotten(transfer *t) {
    leave(t);
    if (t->step == COMING)
        trivet_proto_computer_error(connection_machine(t->j->connection), "gone", "transfer",
                                    "the jot has no such file any more");
}

static void fail_here(transfer *t) {
    jots *j = t->j;
    bool full = t->rc == STORE_FULL;

    if (t->rc == STORE_NONE) {
        forgotten(t);
        return;
    }
    if (t->too_large) {
        SAY(j, LOG_WARNING, "jots: %s", t->err.message);
        fail(t, NULL, "this computer's disk has too little space for it", false);
        return;
    }
    SAY(j, LOG_ERROR, "jots: %s", t->err.message);
    event_store_error(j->host, &t->err);
    j->full_until = jots_now(j) + FULL_WAIT_MS;
    /* On a full disk the space is worth more than what had come; and what could not be synced may be lost (jot_content.c). */
    fail(t, full ? "full" : "failed",
         full ? "no space left on this computer's disk" : "it could not be written on this computer",
         full || t->step == ENDED);
}

static void finished(transfer *t) {
    jots *j = t->j;

    if (t->fits) {
        t->over = true;
        jots_record(j, &j->file, &t->hash, t->size, "");
    } else if (t->from > 0) {
        /* The beginning may be another file's, or have suffered with the power: once more, all of it. */
        SAY(j, LOG_WARNING,
            "a file that was resumed has not the hash that it should have: it is asked for once more");
        t->over = t->discard = true;
        j->passed = j->file.num - 1;
    } else {
        fail(t, "hash", "what came has not the hash that was told", true);
    }
}

/* Whatever is next, unless the worker has it in hand. */
static void go_on(transfer *t) {
    if (t->busy)
        return;
    if (!t->over && t->rc != 0)
        fail_here(t);
    else if (!t->over && t->step == OPENING && t->left == 0)
        t->step = OPENED; /* jots_transfer_go asks */
    else if (!t->over && t->step == ENDED && t->job.run == run_finish)
        finished(t);
    if (t->over && t->discard && t->content)
        submit(t, run_discard);
    else if (t->over)
        dispose(t);
    else if (t->step == OPENING)
        submit(t, run_open);
    else if (t->waiting_count > 0) {
        memcpy(t->writing, t->waiting, t->waiting_count * sizeof *t->waiting);
        t->writing_count = t->waiting_count;
        t->waiting_count = 0;
        submit(t, run_write);
    } else if (t->step == ENDED)
        submit(t, run_finish);
}

/* ---- what the phone sends ---- */

void jots_transfer_piece(transfer *t, trivet_proto_piece *p) {
    const jots *j = t->j;
    uint64_t most = j->host->config->jot_file_max;

    if (t->over || t->step != COMING)
        return;
    wait_anew(t);
    t->came = p->offset + p->len;
    if (j->file.kind == JOT_FILE && j->file.told_size > 0 && (uint64_t)j->file.told_size < most)
        most = (uint64_t)j->file.told_size;
    if (t->came > most) {
        fail(t, "size", "it is larger than it was said to be, or than is allowed", true);
    } else if (t->waiting_count == WAITING_MAX) {
        fail(t, "size", "it comes in pieces too small", true);
    } else {
        t->waiting[t->waiting_count++] = (piece){p->buffer, p->data, p->len};
        p->buffer = NULL;
    }
    go_on(t);
}

static bool read_hash(const json_t *body, store_name *out) {
    const char *text = json_string_value(json_object_get(body, "hash"));
    uint8_t bytes[36];
    size_t len;

    if (!text || strlen(text) > 44 || !trivet_proto_base64_decode(bytes, &len, text, strlen(text)) ||
        len != sizeof out->bytes)
        return false;
    memcpy(out->bytes, bytes, len);
    return true;
}

void jots_transfer_ended(transfer *t, const json_t *body) {
    const json_t *size = json_object_get(body, "size");

    if (t->over || t->step != COMING)
        return;
    if (json_object_get(body, "error"))
        fail(t, NULL, "the phone cannot give it", true);
    else if (!json_is_integer(size) || (uint64_t)json_integer_value(size) != t->came)
        fail(t, "size", "what came has not the size that was told", true);
    else if (!read_hash(body, &t->told))
        fail(t, "hash", "no hash was told", true);
    else if (t->came == 0 && t->j->file.kind != JOT_FILE)
        fail(t, NULL, "the phone gave nothing", true);
    else
        t->step = ENDED;
    go_on(t);
}

/* ---- what it is sent ---- */

static bool ask(transfer *t) {
    jots *j = t->j;

    t->number = ++j->transfers;
    t->from = t->came = t->acked = t->stored;
    if (!jots_send(j, TRIVET_PROTO_FILE_REQUEST,
                   json_pack("{s:I, s:s, s:s, s:I, s:I}", "jotId", (json_int_t)j->file.jot_id, "fileId",
                             j->file.file_id, "fileType", jot_kind_name(j->file.kind), "transfer",
                             (json_int_t)t->number, "offset", (json_int_t)t->from))) {
        t->over = true;
        go_on(t);
        return false;
    }
    t->step = COMING;
    wait_anew(t);
    return true;
}

bool jots_transfer_go(transfer *t) {
    if (!t || t->over || !connection_is_open(t->j->connection) || connection_sync(t->j->connection))
        return false;
    if (t->step == OPENED)
        return ask(t);
    if (t->step != COMING || t->stored - t->acked < ACK_EVERY)
        return false;
    t->acked = t->stored;
    wait_anew(t);
    return jots_send(
        t->j, TRIVET_PROTO_FILE_ACK,
        json_pack("{s:I, s:I}", "transfer", (json_int_t)t->number, "offset", (json_int_t)t->acked));
}

/* ---- time, and the connection's end ---- */

uint64_t jots_transfer_deadline(const transfer *t) {
    return t->step == COMING && !t->over ? t->deadline : UINT64_MAX;
}

void jots_transfer_tick(transfer *t) {
    if (jots_now(t->j) < jots_transfer_deadline(t))
        return;
    if (t->busy || connection_sync(t->j->connection) ||
        connection_partial(t->j->connection) !=
            t->j->partial) { /* it is not the phone that waits, or it is coming */
        t->j->partial = connection_partial(t->j->connection);
        wait_anew(t);
        return;
    }
    fail(t, "timeout", "the phone did not go on", false);
    go_on(t);
}

void jots_transfer_cut(transfer *t) {
    leave(t);
    go_on(t);
}

void jots_transfer_begin(jots *j) {
    bool allowed = j->file.told_size <= 0 || (uint64_t)j->file.told_size <= j->host->config->jot_file_max;
    transfer *t = allowed ? calloc(1, sizeof *t) : NULL;

    if (!allowed)
        jots_record(j, &j->file, NULL, 0, "it is larger than is allowed");
    if (!t)
        return;
    t->j = j;
    t->left = 1;
    j->transfer = t;
    j->partial = 0;
    submit(t, run_open);
}
