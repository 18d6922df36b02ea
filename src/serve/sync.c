/*
 * One sync (protocol §4). All thinking is a job on the worker (reconcile.c); this file only passes what comes
 * of it to the machine and back. While a job runs the object stays, even if the sync has been abandoned
 * meanwhile: the job's end then frees it.
 */
#include "serve/sync.h"

#include "serve/peer_log.h"
#include "serve/reconcile.h"
#include "store/question.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What a phone can cause as often as it likes. */
#define SAY(s, level, ...)                                                                                   \
    peer_log(connection_host((s)->connection), level, (s)->device, connection_label((s)->connection),        \
             __VA_ARGS__)

enum { AROUND_STATE = 256 /* bytes, of a confirm and its frame; max_message is at least 64 KiB */ };
enum { MATCHING = 4000000 /* comparisons of picks with ties, at most */ };
enum task { LOAD, ANSWER, DECIDE, WITHDRAW };
enum step { LOADING, WAITING, MERGING, ASKING, ENDED };

struct waiter {
    sync_ended_fn *fn;
    void *ctx;
    struct waiter *next;
};

struct sync_run {
    worker_job job; /* first: the worker gives it back */
    connection *connection;
    store *store;
    char device
        [65]; /* the worker may not look into the connection, or into settings that may change meanwhile */
    char record[sizeof((config *)NULL)->record];
    reconcile *reconcile;
    turn_place place; /* among syncs that want to commit (turn.h) */
    uint64_t turn_ends;
    enum step step;
    bool busy;              /* a job runs */
    _Atomic bool abandoned; /* told to a job that waits: what it would do is not wanted any more */
    struct waiter *waiters;

    /* for the job: what to do, and what came of it */
    enum task task;
    char *document;
    size_t len;
    int64_t since;
    int64_t ask_timeout;
    reconcile_outcome outcome;
    int64_t question; /* its row; 0: none */
    store_error err;

    json_t *conflict; /* the question as the phone was told of it; NULL: it was not */

    uint64_t started, deadline; /* by uv_now(); the question's deadline */
};

/* ---- on the worker ---- */

static void drop_question(sync_run *s) {
    store_error ignored = STORE_ERROR_INIT;
    if (s->question)
        question_drop(s->store, s->question, &ignored); /* a row that stays is dropped at the next start */
    s->question = 0;
}

static int open_question(sync_run *s, int64_t now) {
    question_row row = {.deadline = now + s->ask_timeout};
    const char *kind, *body = reconcile_question(s->reconcile, &kind);

    snprintf(row.device, sizeof row.device, "%s", s->device);
    snprintf(row.kind, sizeof row.kind, "%s", kind);
    row.body = (char *)body; /* copied by question_add */
    int rc = question_add(s->store, &row, &s->err);
    s->question = rc == 0 ? row.id : 0;
    return rc;
}

static void run(worker_job *job) {
    sync_run *s = (sync_run *)job;
    int64_t now = wall_clock();

    drop_question(s);
    if (s->abandoned) /* also for one whose phone was revoked while the job waited */
        return;
    switch (s->task) {
    case LOAD:
        reconcile_own_state(s->reconcile, &s->document, &s->len, &s->err);
        return;
    case ANSWER:
        s->outcome = reconcile_answer(s->reconcile, s->document, s->len, s->since, now);
        s->document = NULL;
        break;
    case DECIDE:
        s->outcome = reconcile_decide(s->reconcile, now);
        break;
    case WITHDRAW:
        return;
    }
    if (s->outcome == RECONCILE_FAILED)
        s->err = *reconcile_error(s->reconcile);
    if (s->outcome == RECONCILE_ASK && open_question(s, now) != 0)
        s->outcome = RECONCILE_FAILED;
}

/* ---- on the loop ---- */

static void done(worker_job *job);

static void submit(sync_run *s, enum task task) {
    s->task = task;
    s->busy = true;
    s->job = (worker_job){run, done, NULL};
    worker_submit(connection_host(s->connection)->worker, &s->job);
}

static turn *turn_of(const sync_run *s) {
    return &connection_host(s->connection)->turn;
}

static void on_turn(turn_place *place) {
    sync_run *s = (sync_run *)(void *)((char *)place - offsetof(sync_run, place));

    submit(s, s->task);
}

/* What may end in a commit: at once, or when it is this sync's turn. */
static void submit_in_turn(sync_run *s, enum task task) {
    s->task = task;
    s->place.go = on_turn;
    if (turn_ask(turn_of(s), &s->place))
        submit(s, task);
}

static void free_sync(sync_run *s) {
    reconcile_free(s->reconcile);
    json_decref(s->conflict);
    free(s->document);
    connection_let_go(s->connection);
    free(s);
}

static void tell_end(sync_run *s, const char *outcome, const trivet_merge_counts *counts) {
    uint64_t now = uv_now(connection_host(s->connection)->loop);

    connection_tell(s->connection, &(server_event){.kind = EVENT_SYNC_ENDED,
                                                   .word = outcome,
                                                   .duration = (int64_t)(now - s->started),
                                                   .counts = counts,
                                                   .first = counts && connection_first_sync(s->connection)});
}

static void tell_answered(const sync_run *s, const char *how) {
    if (s->step == ASKING)
        connection_tell(s->connection,
                        &(server_event){.kind = EVENT_QUESTION_ANSWERED, .word = how, .number = s->question});
}

/* Tells those who wait, and lets the connection have its next sync. The object goes when no job holds it. */
static void end(sync_run *s, const char *outcome, const trivet_merge_counts *counts) {
    if (s->step == ENDED)
        return;
    s->step = ENDED;
    s->abandoned = true;
    turn_leave(turn_of(s), &s->place);
    tell_end(s, outcome, counts);
    connection_sync_ended(s->connection);
    while (s->waiters) {
        struct waiter *w = s->waiters;
        s->waiters = w->next;
        w->fn(w->ctx, s->device, outcome, counts);
        free(w);
    }
    /* A job that has not begun holds a whole state, and there may be one of each connection that a phone has given up. */
    if (s->busy && !worker_withdraw(connection_host(s->connection)->worker, &s->job))
        return;
    s->busy = false;
    if (s->question)
        submit(s, WITHDRAW);
    else
        free_sync(s);
}

static void cancel(sync_run *s, const char *outcome) {
    connection *c = s->connection;

    connection_hold(c);
    trivet_proto_computer_cancel(connection_machine(c));
    end(s, outcome, NULL);
    connection_pump(c);
    connection_let_go(c);
}

sync_run *sync_start(connection *c) {
    const config *settings = connection_host(c)->config;
    reconcile_settings merge_settings = RECONCILE_SETTINGS_INIT;
    sync_run *s = calloc(1, sizeof *s);

    if (!s)
        return NULL;
    merge_settings.large_threshold = settings->large_threshold;
    snprintf(s->record, sizeof s->record, "%s", settings->record);
    merge_settings.record = s->record[0] ? s->record : NULL;
    merge_settings.on_tie = settings->on_tie;
    merge_settings.on_large_change = settings->on_large_change;
    merge_settings.phone_clock_offset = connection_clock_offset(c);
    if (connection_version(c) == 2)
        merge_settings.one_round = settings->max_message - AROUND_STATE;
    s->store = connection_host(c)->store;
    s->reconcile = reconcile_new(s->store, connection_device(c), connection_phone(c), &merge_settings);
    if (!s->reconcile) {
        free(s);
        return NULL;
    }
    s->connection = c;
    snprintf(s->device, sizeof s->device, "%s", connection_device(c));
    s->ask_timeout = settings->ask_timeout;
    s->started = uv_now(connection_host(c)->loop);
    connection_hold(c);
    connection_tell(c, &(server_event){.kind = EVENT_SYNC_STARTED});
    submit(s, LOAD);
    return s;
}

/* Told when it counts: with the commit, or when the sync is given up for it. */
static void say_policy(sync_run *s) {
    const char *kind;
    policy p;

    if (!reconcile_policy(s->reconcile, &kind, &p))
        return;
    connection_tell(s->connection,
                    &(server_event){.kind = EVENT_QUESTION_ANSWERED, .word = "policy", .reason = kind});
    SAY(s, LOG_INFO, "a question (%s) was answered by policy: on_%s = %s", kind, kind, policy_name(p));
}

static void confirmed(sync_run *s, bool with_snapshot) {
    trivet_proto_computer *machine = connection_machine(s->connection);
    trivet_merge_counts counts;
    size_t len;
    const char *document = reconcile_document(s->reconcile, &len);

    reconcile_counts(s->reconcile, &counts);
    say_policy(s);
    connection_tell(s->connection, &(server_event){.kind = EVENT_COMMIT, .word = "sync"});
    if (with_snapshot)
        trivet_proto_computer_confirm(machine, TRIVET_PROTO_DESKTOP_WINS, document, len, wall_clock());
    else
        trivet_proto_computer_confirm(machine, TRIVET_PROTO_PHONE_WINS, NULL, 0, wall_clock());
    connection_confirmed(s->connection, reconcile_record(s->reconcile));
    end(s, reconcile_changed(s->reconcile) || with_snapshot ? "synced" : "unchanged", &counts);
}

/*
 * Tells a phone of version 2, so that its user may answer. The body goes through the protocol's reader, as its texts
 * are JSON that a C string cannot hold. Where it is too large for that, the question waits on the computer alone.
 */
static void tell_phone(sync_run *s) {
    static const char head[] = "{\"type\":\"conflict\",\"id\":%lld,\"remaining\":%lld,";
    const char *kind, *body = reconcile_question(s->reconcile, &kind);
    bool ties = strcmp(kind, "tie") == 0;
    trivet_proto_message message;
    char *text = NULL;
    char begin[sizeof head + 48];

    json_decref(s->conflict);
    s->conflict = NULL;
    if (connection_version(s->connection) != 2)
        return;
    snprintf(begin, sizeof begin, head, (long long)s->question, (long long)s->ask_timeout);
    /* Of a large change the body is an object, whose members are taken over. */
    int len = asprintf(&text, ties ? "%s\"ties\":%s}" : "%s%s", begin, ties ? body : body + 1);
    if (len < 0)
        return;
    if (trivet_proto_message_decode((uint8_t *)text, (size_t)len, TRIVET_PROTO_FROM_COMPUTER, &message,
                                    NULL) == 0) {
        if (trivet_proto_computer_send(connection_machine(s->connection), TRIVET_PROTO_CONFLICT,
                                       message.body) == 0)
            s->conflict = json_incref(message.body);
        trivet_proto_message_release(&message);
    }
    free(text);
}

static void ask(sync_run *s) {
    const char *kind;

    s->step = ASKING;
    turn_leave(turn_of(s), &s->place); /* people take their time */
    s->deadline = uv_now(connection_host(s->connection)->loop) + (uint64_t)s->ask_timeout;
    reconcile_question(s->reconcile, &kind);
    connection_tell(s->connection, &(server_event){.kind = EVENT_QUESTION_OPENED,
                                                   .word = kind,
                                                   .number = s->question,
                                                   .duration = s->ask_timeout});
    tell_phone(s);
}

/* A state that the machine did not take. */
static void not_sent(sync_run *s, int rc) {
    if (rc == TRIVET_PROTO_EINPUT)
        SAY(s, LOG_ERROR, "sync given up: the state is larger than a message may be: see max_message");
    cancel(s, "failed");
}

static void propose(sync_run *s) {
    size_t len;
    const char *document = reconcile_document(s->reconcile, &len);
    connection *c = s->connection;

    s->step = WAITING;
    if (reconcile_was_stale(s->reconcile))
        turn_take(turn_of(s), &s->place);
    s->turn_ends = uv_now(connection_host(c)->loop) + TURN_MS;
    int rc = trivet_proto_computer_propose(connection_machine(c), document, len, connection_last_sync(c),
                                           (int64_t)uv_now(connection_host(c)->loop));
    if (rc != 0)
        not_sent(s, rc);
}

static void say_refusal(sync_run *s) {
    const trivet_merge_error *refusal = reconcile_refusal(s->reconcile);
    char path[256]; /* may name a key that the peer made up */

    log_name(refusal->path, path, sizeof path);
    connection_tell(
        s->connection,
        &(server_event){.kind = EVENT_MESSAGE_REFUSED, .word = "state_sync", .reason = refusal->reason});
    trivet_proto_computer_error(connection_machine(s->connection), "refused", refusal->path, refusal->reason);
    SAY(s, LOG_WARNING, "refused state_sync: %s: %s%s%s", trivet_merge_side_name(refusal->side), path,
        path[0] ? ": " : "", refusal->reason);
}

static void act(sync_run *s) {
    switch (s->outcome) {
    case RECONCILE_KEEP:
        confirmed(s, false);
        return;
    case RECONCILE_APPLY:
        confirmed(s, true);
        return;
    case RECONCILE_PROPOSE:
        propose(s);
        return;
    case RECONCILE_ASK:
        ask(s);
        return;
    case RECONCILE_REFUSED:
        say_refusal(s);
        cancel(s, "refused");
        return;
    case RECONCILE_TOO_LARGE:
        not_sent(s, TRIVET_PROTO_EINPUT);
        return;
    case RECONCILE_RESTLESS:
        SAY(s, LOG_WARNING, "sync given up: one side kept changing");
        cancel(s, "restless");
        return;
    case RECONCILE_DECLINED:
        say_policy(s);
        cancel(s, "cancelled");
        return;
    case RECONCILE_FAILED:
        SAY(s, LOG_ERROR, "sync given up: %s", s->err.message);
        event_store_error(connection_host(s->connection), &s->err);
        cancel(s, "failed");
        return;
    }
}

static void send_own_state(sync_run *s) {
    connection *c = s->connection;

    if (s->err.code) {
        s->outcome = RECONCILE_FAILED;
        act(s);
        return;
    }
    s->step = WAITING;
    int rc = trivet_proto_computer_start(connection_machine(c), s->document, s->len, connection_last_sync(c),
                                         (int64_t)uv_now(connection_host(c)->loop));
    free(s->document);
    s->document = NULL;
    if (rc != 0)
        not_sent(s, rc);
}

static void done(worker_job *job) {
    sync_run *s = (sync_run *)job;
    connection *c = s->connection;

    s->busy = false;
    if (s->step == ENDED) { /* abandoned meanwhile */
        if (s->question)
            submit(s, WITHDRAW);
        else
            free_sync(s);
        return;
    }
    connection_hold(c);
    if (s->task == LOAD)
        send_own_state(s);
    else
        act(s);
    connection_pump(c);
    connection_let_go(c);
}

void sync_answer(sync_run *s, char *state, size_t len, int64_t since) {
    if (s->step != WAITING) {
        free(state);
        return;
    }
    s->step = MERGING;
    s->document = state;
    s->len = len;
    s->since = since;
    submit_in_turn(s, ANSWER);
}

void sync_abandon(sync_run *s, const char *outcome) {
    tell_answered(s, "gone");
    end(s, outcome, NULL);
}

uint64_t sync_deadline(const sync_run *s) {
    if (s->step == WAITING && turn_has(turn_of(s), &s->place))
        return s->turn_ends;
    return s->step == ASKING ? s->deadline : UINT64_MAX;
}

void sync_tick(sync_run *s) {
    if (s->step == WAITING)
        turn_leave(turn_of(s), &s->place); /* its phone is silent */
    if (s->step != ASKING)
        return;
    tell_answered(s, "timeout");
    cancel(s, "unanswered");
}

int sync_wait(sync_run *s, sync_ended_fn *fn, void *ctx) {
    struct waiter *w = malloc(sizeof *w);
    if (!w)
        return -1;
    *w = (struct waiter){fn, ctx, s->waiters};
    s->waiters = w;
    return 0;
}

/* ---- its question ---- */

int64_t sync_question(const sync_run *s, const char **kind) {
    if (s->step != ASKING)
        return 0;
    reconcile_question(s->reconcile, kind);
    return s->question;
}

static int decide_when(sync_run *s, int unanswered) {
    if (unanswered == 0) {
        tell_answered(s, "person");
        s->step = MERGING;
        submit_in_turn(s, DECIDE);
    }
    return unanswered;
}

int sync_pick(sync_run *s, trivet_merge_side side, const size_t *ties, size_t count) {
    return s->step == ASKING ? decide_when(s, reconcile_pick(s->reconcile, side, ties, count)) : -1;
}

int sync_choose(sync_run *s, trivet_merge_large choice) {
    return s->step == ASKING ? decide_when(s, reconcile_choose(s->reconcile, choice)) : -1;
}

/* ---- the phone's own answer ---- */

static bool same_member(const json_t *a, const json_t *b, const char *key) {
    const json_t *x = json_object_get(a, key), *y = json_object_get(b, key);
    return x == y || (x && y && json_equal(x, y));
}

/* An item is told by its id; its slot is only where the merge would put it. */
static bool is_tie(const json_t *pick, const json_t *tie) {
    return same_member(pick, tie, "section") && same_member(pick, tie, "field") &&
           same_member(pick, tie, "itemId") &&
           (json_object_get(tie, "itemId") || same_member(pick, tie, "slot"));
}

/* Its number from 1 on, or 0. Picks mostly come in the ties' order, so the search begins at `from`. */
static size_t find_tie(const json_t *ties, const json_t *pick, size_t from, size_t *budget) {
    size_t count = json_array_size(ties);

    for (size_t i = 0; i < count && *budget; i++, (*budget)--) {
        size_t at = (from + i) % count;
        if (is_tie(pick, json_array_get(ties, at)))
            return at + 1;
    }
    return 0;
}

/* Checked as a whole before any counts. */
static const char *take_picks(sync_run *s, const json_t *picks) {
    const json_t *ties = json_object_get(s->conflict, "ties");
    size_t count = json_array_size(picks), counts[2] = {0, 0}, budget = MATCHING;
    size_t *numbers =
        calloc(2 * count + 1, sizeof *numbers); /* the phone's from the front, the computer's behind */
    const char *why = numbers ? NULL : "out of memory";

    for (size_t i = 0; i < count && !why; i++) {
        const json_t *pick = json_array_get(picks, i);
        const char *side = json_string_value(json_object_get(pick, "pick"));
        size_t tie = find_tie(ties, pick, i, &budget);
        bool computer = strcmp(side, "computer") == 0;
        if (!tie)
            why = "a pick matches no tie";
        else if (!computer && strcmp(side, "phone") != 0)
            why = "expected phone or computer";
        else
            numbers[(computer ? count : 0) + counts[computer]++] = tie;
    }
    if (!why && count == 0)
        why = "no picks";
    if (!why && counts[0] && reconcile_pick(s->reconcile, TRIVET_MERGE_PHONE, numbers, counts[0]) < 0)
        why = "does not fit the question";
    int left = -1;
    if (!why)
        left = reconcile_pick(s->reconcile, counts[1] ? TRIVET_MERGE_COMPUTER : TRIVET_MERGE_PHONE,
                              counts[1] ? numbers + count : numbers, counts[1] ? counts[1] : counts[0]);
    if (!why && left < 0)
        why = "does not fit the question";
    free(numbers);
    if (!why)
        decide_when(s, left);
    return why;
}

static const char *take_choice(sync_run *s, const char *choice) {
    trivet_merge_large large = strcmp(choice, "phone") == 0      ? TRIVET_MERGE_LARGE_PHONE
                               : strcmp(choice, "computer") == 0 ? TRIVET_MERGE_LARGE_COMPUTER
                               : strcmp(choice, "both") == 0     ? TRIVET_MERGE_LARGE_BOTH
                                                                 : TRIVET_MERGE_LARGE_ASK;

    return large != TRIVET_MERGE_LARGE_ASK && sync_choose(s, large) >= 0
               ? NULL
               : "expected phone, computer or both, to a question about a large change";
}

const char *sync_resolve(sync_run *s, const json_t *body, const char **path) {
    const char *choice = json_string_value(json_object_get(body, "choice"));
    const json_t *picks = json_object_get(body, "picks");

    *path = "id";
    if (!s || s->step != ASKING || !s->conflict ||
        json_integer_value(json_object_get(body, "id")) != s->question)
        return "that question is not open";
    *path = choice ? "choice" : "picks";
    if (choice ? picks != NULL : picks == NULL)
        return "expected one of picks and choice";
    return choice ? take_choice(s, choice) : take_picks(s, picks);
}

void sync_cancel(sync_run *s) {
    tell_answered(s, "cancelled");
    cancel(s, "cancelled");
}
