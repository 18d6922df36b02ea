/*
 * jots_parts.h - what jots.h is made of, for those that make it up: jots.c (what is asked and when, metas),
 * jots_clear.c (clearing), jots_files.c (which file is next, those of version 1, what came of each) and jots_transfer.c (those in pieces, of version 2).
 * Nobody else includes it.
 */
#ifndef TRIVET_SERVE_JOTS_PARTS_H
#define TRIVET_SERVE_JOTS_PARTS_H

#include "serve/jots.h"
#include "serve/peer_log.h"
#include "store/jot.h"

enum {
    META_AGAIN_MS = 5000, /* the least time between two questions about one jot */
    CLEAR_WAIT_MS = 15000,
    FULL_WAIT_MS = 60000, /* after a full disk */
    FILES_AT_ONCE = 2,    /* of version 1 and all phones together: each is held in memory once */
    PACE_PER_S = 20,
    PACE_BURST = 40,
    JOBS_MAX = 8,             /* of one phone; what comes beyond is dropped, and asked for again */
    JOBS_BYTES_MAX = 16 << 20 /* the messages of these, together; one alone may be larger */
};

#define SAY(j, level, ...)                                                                                   \
    peer_log(connection_host((j)->connection), level, (j)->device, connection_label((j)->connection),        \
             __VA_ARGS__)

struct question {
    int64_t id;
    uint64_t asked_at; /* uv_now(); 0: never */
    bool wanted;
};

typedef struct transfer transfer;

struct jots {
    connection *connection;
    host *host;
    char device[9];
    bool in_pieces; /* version 2 of the protocol */
    enum { NOTHING, META, FILE_BYTES, CLEARED } awaits;
    uint64_t deadline;  /* of what is awaited */
    int64_t meta_id;    /* the awaited meta's jot */
    jot_request file;   /* the one that is awaited, or was last */
    uint64_t asked_at;  /* uv_now(), of that */
    bool picked;        /* it is the next one, and not asked for yet */
    size_t partial;     /* websocket_partial when last looked at */
    bool holds_turn;    /* of FILES_AT_ONCE */
    transfer *transfer; /* the one that runs; NULL: none */
    uint32_t transfers; /* the last one's number */

    struct question *questions; /* by the jot's id */
    size_t question_count;
    bool look;      /* files may be missing */
    int64_t passed; /* files up to this number have had their turn */
    uint64_t full_until;
    unsigned jobs;
    size_t job_bytes;
    bool storing; /* a file is being written, or what came of it recorded */
    double tokens;
    uint64_t tokens_at;

    struct {
        int64_t num, id;
        jots_cleared_fn *fn; /* NULL: none is being cleared */
        void *ctx;
        enum { CLEAR_READ, CLEAR_READING, CLEAR_ASK, CLEAR_ASKED, CLEAR_CHECKED } step;
        uint64_t checked_at; /* uv_now() */
    } clear;
};

/* One job on a worker. */
typedef struct task {
    worker_job job; /* first */
    jots *j;
    json_t *body;
    size_t bytes; /* of the message that `body` is */
    int rc;
    store_error err;
    void (*back)(struct task *t); /* on the loop */
    /* what came of it */
    int64_t *ask;
    size_t ask_count;
    bool changed, whole, known, unasked;
    bool partly; /* not all that the phone tells can be kept */
    jot_file_row *rows;
    size_t row_count;
    jot_request file;
    int64_t num, jot, after;
    store_name hash;
    uint64_t size;
    char reason[64];
} task;

uint64_t jots_now(const jots *j); /* the loop's, ms */

/* Gives a job to `w` (NULL: the caller does). `body`, of `bytes`, becomes the job's. NULL: there are too many, or no memory. */
task *jots_give(jots *j, worker *w, json_t *body, size_t bytes, void (*run)(worker_job *),
                void (*back)(task *));
/* `body` is moved. False: it could not be sent. */
bool jots_send(jots *j, trivet_proto_type type, json_t *body);

/* Asks for a meta; j->awaits. False: it could not be sent. */
bool jots_ask_meta(jots *j, int64_t id);

/* ---- jots_clear.c ---- */

/* The next step, if it is time: true, something was sent. */
bool jots_clear_go(jots *j);
void jots_clear_judge(task *meta); /* a meta came, and was recorded */
void jots_clear_acked(jots *j, const json_t *body);
/* What the phone has may have changed since it was looked at. */
void jots_clear_doubt(jots *j);
/* What is awaited did not come. */
void jots_clear_late(jots *j);
void jots_clear_end(jots *j, int status, const char *message);

/* ---- jots_files.c ---- */

void jots_give_turn_back(jots *j);
/* Has the next one picked: j->picked, or j->look is over. */
void jots_pick_file(jots *j);
bool jots_ask_file(jots *j);
void jots_on_file(jots *j, json_t *body, size_t bytes);
/* The file that is awaited will not come; without a reason: the connection was cut. */
void jots_fail_file(jots *j, const char *reason);
/* What came of `file`, for the database: its content is there, durable, or a reason why not. `j->storing` until it is done. */
void jots_record(jots *j, const jot_request *file, const store_name *hash, uint64_t size, const char *reason);

/* ---- jots_transfer.c ---- */

/* Asks for j->file in pieces; j->transfer until it is over. */
void jots_transfer_begin(jots *j);
/* Sends what it has to. True: something was sent. NULL is fine, and does nothing. */
bool jots_transfer_go(transfer *t);
void jots_transfer_piece(transfer *t, trivet_proto_piece *piece);
void jots_transfer_ended(transfer *t, const json_t *body);
uint64_t jots_transfer_deadline(const transfer *t);
void jots_transfer_tick(transfer *t);
/* The connection has ended: what was written stays. */
void jots_transfer_cut(transfer *t);

#endif
