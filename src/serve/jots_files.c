/*
 * jots_files.c - which file is next, what came of each, and those of version 1, which come in one message.
 */
#include "serve/jots_parts.h"

#include "jot/meta.h"
#include "serve/jots_dir.h"
#include "store/jot_content.h"

#include <stdlib.h>
#include <string.h>

enum { DECODED_CHARS = 65536 /* at a time; a multiple of four */ };

static store *store_of(const task *t) {
    return t->j->host->store;
}

/* Other phones may have waited for the turn. */
void jots_give_turn_back(jots *j) {
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

/* ---- which is next ---- */

static void run_next(worker_job *job) {
    task *t = (task *)job;

    t->rc =
        jot_file_next(store_of(t), t->j->device, t->after, t->unasked, t->j->in_pieces, &t->file, &t->err);
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

void jots_pick_file(jots *j) {
    task *t = jots_give(j, NULL, NULL, 0, run_next, back_next);

    if (!t)
        return;
    t->after = j->passed;
    t->unasked = j->host->config->jots_auto;
    worker_submit(j->host->worker, &t->job);
}

/* ---- what came of it ---- */

static void run_record(worker_job *job) {
    task *t = (task *)job;
    store *s = store_of(t);

    t->rc = jot_file_find(s, t->j->device, t->file.jot_id, t->file.kind, t->file.file_id, &t->num, &t->jot,
                          &t->err);
    if (t->rc == 0 && t->file.num != 0 && t->file.num != t->num)
        t->rc = STORE_NONE; /* the phone has another one under that name by now */
    if (t->rc == 0)
        t->rc = t->reason[0] ? jot_file_failed(s, t->num, t->reason, &t->err)
                             : jot_file_stored(s, t->num, t->jot, &t->hash, t->size, wall_clock(), &t->err);
}

static void back_record(task *t) {
    jots *j = t->j;
    server_event e = {.kind = t->reason[0] ? EVENT_FILE_FAILED : EVENT_FILE_STORED,
                      .number = t->jot,
                      .bytes = t->size,
                      .reason = t->reason,
                      .duration = (int64_t)(jots_now(j) - j->asked_at)};

    if (t->rc == 0)
        connection_tell(j->connection, &e);
    if (t->rc == 0 && !t->reason[0]) {
        SAY(j, LOG_INFO, "jot %lld: stored a file of %llu bytes", (long long)t->jot,
            (unsigned long long)t->size);
        jots_dir_poke(j->host->jots_dir);
    } else if (t->rc == 0) {
        SAY(j, LOG_WARNING, "jot %lld: a file did not come: %s", (long long)t->jot, t->reason);
    }
    j->storing = false;
}

/* ---- in one message: its bytes ---- */

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
void jots_record(jots *j, const jot_request *file, const store_name *hash, uint64_t size,
                 const char *reason) {
    char *id = strdup(file->file_id);
    task *t = id ? jots_give(j, NULL, NULL, 0, run_record, back_record) : NULL;

    j->storing = t != NULL;
    if (!t) {
        free(id);
        return;
    }
    t->file = *file;
    t->file.file_id = id;
    if (hash)
        t->hash = *hash;
    t->size = size;
    snprintf(t->reason, sizeof t->reason, "%s", reason);
    worker_submit(j->host->worker, &t->job);
}

static void back_store(task *t) {
    jots *j = t->j;

    jots_give_turn_back(j);
    if (t->rc != 0)
        j->full_until = jots_now(j) + FULL_WAIT_MS;
    jots_record(j, &t->file, &t->hash, t->size, t->reason);
}

/* A late answer is taken, but only where something lacks it: what nothing names would stay on the disk for good. */
static void run_late(worker_job *job) {
    task *t = (task *)job;

    t->rc = jot_file_find(store_of(t), t->j->device, t->file.jot_id, t->file.kind, t->file.file_id, &t->num,
                          &t->jot, &t->err);
}

static void store_it(jots *j, jot_request *file, json_t *body, size_t bytes) {
    task *t = jots_give(j, NULL, body, bytes, run_store, back_store);

    j->storing = t != NULL;
    if (!t)
        return;
    t->file = *file;
    file->file_id = NULL;
    worker_submit(j->host->files, &t->job);
}

static void back_late(task *t) {
    t->j->storing = false;
    if (t->rc == 0)
        store_it(t->j, &t->file, t->body, t->bytes);
}

/* ---- in one message: answers ---- */

static bool is_awaited_file(const jots *j, const jot_request *file) {
    return j->awaits == FILE_BYTES && j->file.file_id && file->jot_id == j->file.jot_id &&
           file->kind == j->file.kind && strcmp(file->file_id, j->file.file_id) == 0;
}

void jots_on_file(jots *j, json_t *body, size_t bytes) {
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
        jots_record(j, &file, NULL, 0, reason);
    } else if (awaited) {
        store_it(j, &file, body, bytes);
    } else if ((t = jots_give(j, NULL, body, bytes, run_late, back_late))) {
        j->storing = true;
        t->file = file;
        file.file_id = NULL;
        worker_submit(j->host->worker, &t->job);
    }
    if (awaited && file.file_id)
        jots_give_turn_back(j);
    free(file.file_id);
}

static void run_failed(worker_job *job) {
    task *t = (task *)job;
    t->rc = t->reason[0] ? jot_file_failed(store_of(t), t->num, t->reason, &t->err)
                         : jot_file_cut(store_of(t), t->num, &t->err);
}

static void back_failed(task *t) {
    server_event e = {.kind = EVENT_FILE_FAILED,
                      .reason = t->reason[0] ? t->reason : "the connection ended",
                      .duration = (int64_t)(jots_now(t->j) - t->j->asked_at)};

    if (t->rc == 0)
        connection_tell(t->j->connection, &e);
}

/* Without a reason: the connection was cut. */
void jots_fail_file(jots *j, const char *reason) {
    task *t = jots_give(j, NULL, NULL, 0, run_failed, back_failed);

    j->awaits = NOTHING;
    jots_give_turn_back(j);
    if (!t)
        return;
    t->num = j->file.num;
    snprintf(t->reason, sizeof t->reason, "%s", reason);
    worker_submit(j->host->worker, &t->job);
}

/* ---- asking ---- */

bool jots_ask_file(jots *j) {
    if (!j->picked || (!j->in_pieces && j->host->files_asked >= FILES_AT_ONCE))
        return false;
    j->passed = j->file.num;
    j->picked = false;
    j->asked_at = jots_now(j);
    if (j->in_pieces) {
        jots_transfer_begin(j);
        return false;
    }
    if (!jots_send(j, TRIVET_PROTO_FILE_REQUEST,
                   json_pack("{s:I, s:s, s:s}", "jotId", (json_int_t)j->file.jot_id, "fileId",
                             j->file.file_id, "fileType", jot_kind_name(j->file.kind))))
        return false;
    j->host->files_asked++;
    j->holds_turn = true;
    j->awaits = FILE_BYTES;
    j->partial = 0;
    j->deadline = jots_now(j) + (uint64_t)j->host->config->jot_file_timeout;
    return true;
}
