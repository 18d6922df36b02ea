/*
 * The computer of a history: the program's own listener, connections, syncs, worker and store, as `trivet serve` puts them
 * together, and its user, who edits, answers questions and starts syncs. It can be stopped, and crash at any write or moment;
 * what a crash leaves is torn down with neither disk nor network taking notice.
 */
#ifndef TEST_WIRE_COMPUTER_H
#define TEST_WIRE_COMPUTER_H

#include "test_wire_net.h"
#include "test_wire_disk.h"

#include "serve/commit.h"
#include "serve/connection.h"
#include "serve/event.h"
#include "serve/sync.h"
#include "store/history.h"
#include "store/question.h"

enum { MAX_ASKED = 64, COMPUTER = -1 };

struct handset; /* a phone */

static struct computer {
    struct actor actor;
    uv_loop_t loop;
    worker worker, files;
    host host;
    config config;
    bool up, falling, closed;
    bool committed;          /* somebody is to look at what */
    struct handset *started; /* whose sync has just begun */
    bool hurried_user;       /* answers at once: the history is at its end */
    unsigned crashes, commits, questions;
} computer;

/* Of a phone's sync: what was asked in it (hashed with its name), until its commit or end. */
static uint64_t *question_of(const char *code, const char *name);
static void sync_started(const char *code, const char *name);

static struct {
    uint64_t asked[MAX_ASKED]; /* and answered, and committed */
    unsigned count;
} answers;

/* ---- its user answers ---- */

struct answer {
    int64_t question;
    char device[65];
};

static void fire_answer(struct event *e) {
    struct answer *a = e->what;
    connection *c = computer.up && !computer.falling ? connection_find(&computer.host, a->device) : NULL;
    sync_run *s = c ? connection_sync(c) : NULL;
    const char *kind;

    if (s && sync_question(s, &kind) == a->question && !computer.hurried_user && draw(NETWORK, 8) == 0)
        sync_cancel(s);
    else if (s && sync_question(s, &kind) == a->question)
        sync_pick(s, draw(NETWORK, 2) ? TRIVET_MERGE_PHONE : TRIVET_MERGE_COMPUTER, NULL, 0);
    free(a);
}

static uint64_t hash_of_question(const char *name, const char *body) {
    uint64_t hash = 14695981039346656037u; /* FNV-1a */

    for (; *name; name++)
        hash = (hash ^ (uint8_t)*name) * 1099511628211u;
    for (; *body; body++)
        hash = (hash ^ (uint8_t)*body) * 1099511628211u;
    return hash;
}

static void question_opened(const server_event *e, const char *name) {
    store_error err = STORE_ERROR_INIT;
    question_row *rows;
    size_t count;
    struct answer *a = calloc(1, sizeof *a);
    uint64_t *asked = question_of(e->device, name);

    computer.questions++;
    if (!a || question_list(computer.host.store, &rows, &count, &err) != 0) {
        wrong("a question cannot be read");
        free(a);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        if (rows[i].id != e->number)
            continue;
        TRACE("  %s is asked: %s %s\n", name, rows[i].kind, rows[i].body);
        uint64_t hash = hash_of_question(name, rows[i].body);
        if (asked)
            *asked = hash;
        for (unsigned k = 0; k < answers.count; k++)
            if (answers.asked[k] == hash)
                wrong("the same thing was asked twice");
    }
    question_list_free(rows, count);
    a->question = e->number;
    snprintf(a->device, sizeof a->device, "%s", e->device);
    unsigned mood = computer.hurried_user ? 0 : draw(NETWORK, 6);
    after(mood < 4    ? draw(NETWORK, 3000)
          : mood == 4 ? 55000 + draw(NETWORK, 10000)
                      : 1000000,
          &computer.loop, fire_answer, a);
}

/* ---- what it tells ---- */

/* What a connection may end with, nobody being at fault. */
static bool may_end_so(int64_t code) {
    return code == 1000 || code == 1001 || code == 1006 || code == 4002 || code == 4009 || code == 1005;
}

static void on_server_event(void *owner, const server_event *e) {
    (void)owner;
    if (computer.falling)
        return;
    switch (e->kind) {
    case EVENT_COMMIT:
        computer.commits++;
        computer.committed = true;
        break;
    case EVENT_SYNC_STARTED:
        sync_started(e->device, e->name);
        break;
    case EVENT_SYNC_ENDED:
        TRACE("  a sync of %s ended: %s\n", e->device, e->word);
        if (!disk.dead && (strcmp(e->word, "failed") == 0 || strcmp(e->word, "refused") == 0))
            wrong("a sync failed");
        if (!e->counts && question_of(e->device, e->name))
            *question_of(e->device, e->name) = 0;
        break;
    case EVENT_QUESTION_OPENED:
        if (!disk.dead)
            question_opened(e, e->name);
        break;
    case EVENT_MESSAGE_REFUSED:
        TRACE("  refused %s: %s\n", e->word, e->reason);
        wrong("the computer refused a message");
        break;
    case EVENT_WRONG_SECRET:
        wrong("a right secret was taken for a wrong one");
        break;
    case EVENT_STORE_ERROR:
        if (!disk.dead) {
            TRACE("  %s\n", e->reason);
            wrong("the store failed");
        }
        break;
    case EVENT_CONNECTION_CLOSED:
        TRACE("  the computer's end of a connection of %s closed with %d\n", e->name, (int)e->number);
        if (!may_end_so(e->number))
            wrong("a connection ended for a wrong reason");
        break;
    default:
        break;
    }
}

/* ---- up and down ---- */

static void on_http(void *owner, const http_request *request, http_response *response) {
    (void)owner, (void)request, (void)response;
}

static void on_socket(void *owner, websocket *ws) {
    (void)owner;
    connection_open(&computer.host, ws);
}

static void on_refused(void *owner, const char *address, const char *reason) {
    (void)owner, (void)address;
    if (!computer.falling && strcmp(reason, "time-out") != 0)
        TRACE("  a connection was refused: %s\n", reason);
}

static void on_listener_closed(void *owner) {
    (void)owner;
    computer.closed = true;
}

static void start_computer(void) {
    static const listener_events events = {on_http, on_socket, on_refused, on_listener_closed};
    store_error err = STORE_ERROR_INIT;
    listener_options options = LISTENER_OPTIONS_INIT;
    struct actor *before = world.current;

    world.current = &computer.actor;
    uv_loop_init(&computer.loop);
    computer.host = (host){.loop = &computer.loop,
                           .worker = &computer.worker,
                           .files = &computer.files,
                           .config = &computer.config};
    worker_init(&computer.worker, &computer.loop);
    worker_init(&computer.files, &computer.loop);
    if (store_open(the_folder, 0, &computer.host.store, &err) != 0 ||
        question_drop_all(computer.host.store, &err) != 0 ||
        device_drop_lapsed(computer.host.store, wall_clock(), &err) != 0)
        die(err.message);
    the_store = computer.host.store;
    event_listen(&computer.host, on_server_event, NULL);
    options.unauthenticated_timeout = (uint64_t)computer.config.handshake_timeout;
    options.unauthenticated_per_address = computer.config.unauthenticated_per_address;
    options.unauthenticated_max = computer.config.unauthenticated_max;
    options.websocket.max_queued = computer.config.max_queued;
    must(listener_new(&computer.loop, &options, &events, NULL, &computer.host.listener) == 0, "no listener");
    computer.up = true;
    computer.falling = computer.closed = false;
    world.current = before;
}

/* All that is still to be done on its loop, at once. */
static void drain_computer(void) {
    struct event *e;
    unsigned turns = 0;

    while ((!computer.closed || computer.worker.first) && (e = first_event(&computer.loop))) {
        int64_t now = world.now;
        fire(e);
        world.now = now;
        must(++turns < 20000, "the computer does not come to its end");
    }
    while ((e = first_event(&computer.loop))) { /* that a stream broke which is closed by now, and the like */
        must(e->fire != fire_work && e->fire != fire_timer, "something is left to do after the end");
        fire(e);
    }
}

static void end_computer(void) {
    struct actor *before = world.current;
    int64_t now = world.now;

    world.current = &computer.actor;
    drain_computer();
    must(computer.closed, "the computer did not close all connections");
    must(computer.host.connections == NULL, "a connection is left");
    listener_free(computer.host.listener);
    store_close(computer.host.store);
    the_store = NULL;
    computer.up = false;
    uv_loop_close(&computer.loop);
    world.current = before;
    world.now = now;
}

static void crash_computer(bool power) {
    struct actor *before = world.current;

    TRACE("the computer %s\n", power ? "loses its power" : "is killed");
    computer.crashes++;
    computer.falling = disk.dead = true;
    world.current = &computer.actor;
    for (unsigned i = 0; i < net.count; i++)
        if (net.wires[i]->sides[SERVER].tcp)
            drop_process(&net.wires[i]->sides[SERVER], power);
    listener_close(computer.host.listener);
    listener_close(computer.host.listener); /* waits for nobody */
    world.current = before;
    end_computer();
    disk_recover(power);
}

/* ---- its user ---- */

struct edit_job {
    worker_job job;
    uint64_t chance;
    int edit; /* in the ledger; MAX_EDITS: none that wrote a text */
    int rc;
};

static void note_author(int count, int by);
static void may_be_lost(int edit, bool may);
static int64_t dated(const struct actor *a);

static void run_edit(worker_job *job) {
    struct edit_job *j = (struct edit_job *)job;
    store_error err = STORE_ERROR_INIT;
    history_line line = {.time = wall_clock(), .cause = "edit", .counts = "{}"};
    trivet_merge_state *before, *after_it;
    store_name name;

    if (disk.dead)
        return;
    random_state = j->chance;
    j->edit = the_ledger->edit_count;
    before = computer_state();
    after_it = clone(before);
    edit_somehow(the_ledger, after_it, &(struct hand){.who = "computer", .now = dated(&computer.actor)});
    note_author(j->edit, COMPUTER);
    if (j->edit == the_ledger->edit_count)
        j->edit = MAX_EDITS;
    may_be_lost(j->edit, true); /* until its user is told that it is stored */
    if ((j->rc = store_begin(the_store, &err)) == 0 &&
        (j->rc = commit_head(the_store, before, after_it, &line, &name, &err)) == 0)
        j->rc = store_commit(the_store, &err);
    if (j->rc != 0)
        store_rollback(the_store);
    if (j->rc != 0 && !disk.dead)
        wrong("an edit on the computer failed");
    trivet_merge_state_free(before);
    trivet_merge_state_free(after_it);
}

static void done_edit(worker_job *job) {
    struct edit_job *j = (struct edit_job *)job;

    if (j->rc == 0) {
        computer.committed = true;
        may_be_lost(j->edit, false);
    }
    free(j);
}

static void computer_edits(void) {
    struct edit_job *j = calloc(1, sizeof *j);

    if (!j)
        abort();
    *j = (struct edit_job){.job = {run_edit, done_edit, NULL}, .chance = random_state, .rc = -1};
    worker_submit(&computer.worker, &j->job);
}

/* As `trivet sync` does, for all that are connected. */
static void computer_syncs(void) {
    for (connection *c = computer.host.connections; c; c = connection_next(c))
        if (connection_is_open(c) && pick(2))
            connection_start_sync(c);
}

#endif
