/*
 * One phone's connection. Callbacks only record what happened and call the machine; connection_pump() then
 * acts on what the machine has to say, until it has nothing more.
 *
 * Lifetime: one reference for the WebSocket, one for each job on the worker, one for the timer's handle.
 */
#include "serve/connection.h"

#include "serve/admission.h"
#include "serve/connection_parts.h"
#include "serve/jots.h"
#include "serve/reconcile.h"
#include "serve/sync.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

int64_t wall_clock(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Told with what is known of this connection by now; `e` is from the caller's stack. */
static void tell(const connection *c, server_event *e) {
    bool known = c->device.id[0] != '\0';

    e->device = known ? c->device.id : NULL;
    if (!e->name && known)
        e->name = c->device.named ? c->device.name : c->phone;
    e->address = c->address;
    event_emit(c->host, e);
}

int64_t connection_time(const connection *c) {
    return (int64_t)uv_now(c->host->loop);
}

void connection_hold(connection *c) {
    c->references++;
}

void connection_let_go(connection *c) {
    if (--c->references > 0)
        return;
    trivet_proto_computer_free(c->machine);
    jots_free(c->jots);
    sodium_memzero(&c->keys, sizeof c->keys);
    free(c);
}

/* ---- the timer: one for all that has a deadline ---- */

static void on_timer(uv_timer_t *timer);

static void arm_timer(connection *c) {
    uint64_t now = uv_now(c->host->loop), at = UINT64_MAX;
    int64_t machine = trivet_proto_computer_deadline(c->machine);

    if (machine != INT64_MAX)
        at = (uint64_t)machine;
    if (c->refuse_at && c->refuse_at < at)
        at = c->refuse_at;
    if (c->sync && sync_deadline(c->sync) < at)
        at = sync_deadline(c->sync);
    if (c->jots && jots_deadline(c->jots) < at)
        at = jots_deadline(c->jots);
    if (at == UINT64_MAX)
        uv_timer_stop(&c->timer);
    else
        uv_timer_start(&c->timer, on_timer, at > now ? at - now : 0, 0);
}

static void on_timer(uv_timer_t *timer) {
    connection *c = timer->data;
    uint64_t now = uv_now(c->host->loop);

    connection_hold(c);
    if (c->refuse_at && now >= c->refuse_at) {
        c->refuse_at = 0;
        admission_refuse(c);
    }
    trivet_proto_computer_tick(c->machine, (int64_t)now);
    if (c->sync && now >= sync_deadline(c->sync))
        sync_tick(c->sync);
    if (c->jots)
        jots_tick(c->jots);
    connection_pump(c);
    connection_let_go(c);
}

static void on_timer_closed(uv_handle_t *handle) {
    connection_let_go(handle->data);
}

/* ---- what only version 2 says ---- */

struct ack {
    worker_job job;
    connection *connection;
    int64_t record, since;
};

static void run_ack(worker_job *job) {
    struct ack *a = (struct ack *)job;
    store_error err = STORE_ERROR_INIT;

    /* Where it cannot be kept, the next sync finds out as it does for a phone of version 1. */
    (void)reconcile_acked(a->connection->host->store, a->record, a->since, &err);
}

static void done_ack(worker_job *job) {
    struct ack *a = (struct ack *)job;

    connection_let_go(a->connection);
    free(a);
}

/* One for each confirm, so that a phone cannot make work. */
static void on_ack(connection *c, const json_t *body) {
    struct ack *a = c->confirmed ? calloc(1, sizeof *a) : NULL;

    if (!a) {
        if (!c->confirmed)
            trivet_proto_computer_error(c->machine, "stale", "since", "no confirm waits for it");
        return;
    }
    *a = (struct ack){
        .connection = c, .record = c->confirmed, .since = json_integer_value(json_object_get(body, "since"))};
    a->job = (worker_job){run_ack, done_ack, NULL};
    c->confirmed = 0;
    connection_hold(c);
    worker_submit(c->host->worker, &a->job);
}

static void on_resolve(connection *c, const json_t *body) {
    const char *path, *why = sync_resolve(c->sync, body, &path);

    if (why)
        trivet_proto_computer_error(c->machine, strcmp(path, "id") == 0 ? "stale" : "unfitting", path, why);
}

static void on_other_message(connection *c, const trivet_proto_event *event) {
    if (event->type == TRIVET_PROTO_SYNC_ACK)
        on_ack(c, event->message.body);
    else if (event->type == TRIVET_PROTO_RESOLVE)
        on_resolve(c, event->message.body);
    else if (c->jots && event->type != TRIVET_PROTO_DEBUG_LOG && event->type != TRIVET_PROTO_ERROR)
        jots_message(c->jots, event->type, event->message.body, event->message.bytes,
                     event->message.left_out);
}

/* ---- events of the machine ---- */

static void on_refused(const connection *c, const trivet_proto_event *event) {
    char path[256]; /* may name a key that the peer made up */

    tell(c, &(server_event){.kind = EVENT_MESSAGE_REFUSED,
                            .word = trivet_proto_type_name(event->type),
                            .reason = event->error.reason});
    SAY(c, LOG_WARNING, "refused %s: %s%s%s", trivet_proto_type_name(event->type),
        log_name(event->error.path, path, sizeof path), path[0] ? ": " : "", event->error.reason);
}

static void act(connection *c, trivet_proto_event *event) {
    switch (event->kind) {
    case TRIVET_PROTO_EVENT_KEY_WANTED:
        admission_look_up(c, event);
        break;
    case TRIVET_PROTO_EVENT_HANDSHAKE:
        admission_check(c, event);
        break;
    case TRIVET_PROTO_EVENT_WRONG_KEY:
        admission_turn_away(c);
        break;
    case TRIVET_PROTO_EVENT_SYNC_REQUEST:
        connection_start_sync(c);
        break;
    case TRIVET_PROTO_EVENT_STATE:
        if (c->sync) {
            sync_answer(c->sync, event->message.state, event->message.state_len, event->message.since);
            event->message.state = NULL;
        }
        break;
    case TRIVET_PROTO_EVENT_SYNC_TIMEOUT:
    case TRIVET_PROTO_EVENT_SYNC_CANCELLED:
    case TRIVET_PROTO_EVENT_SYNC_REFUSED:
        if (event->kind == TRIVET_PROTO_EVENT_SYNC_REFUSED)
            on_refused(c, event);
        if (c->sync)
            sync_abandon(c->sync, event->kind == TRIVET_PROTO_EVENT_SYNC_TIMEOUT     ? "timeout"
                                  : event->kind == TRIVET_PROTO_EVENT_SYNC_CANCELLED ? "cancelled"
                                                                                     : "refused");
        break;
    case TRIVET_PROTO_EVENT_REFUSED:
        on_refused(c, event);
        break;
    case TRIVET_PROTO_EVENT_IGNORED:
        tell(c, &(server_event){.kind = EVENT_MESSAGE_IGNORED, .word = trivet_proto_type_name(event->type)});
        break;
    case TRIVET_PROTO_EVENT_CLOSED:
        if (event->close_code != TRIVET_PROTO_CLOSE_DONE)
            SAY(c, LOG_INFO, "closing with %d: %s", event->close_code, event->error.reason);
        break;
    case TRIVET_PROTO_EVENT_PIECE:
        if (c->jots)
            jots_piece(c->jots, &event->piece);
        break;
    case TRIVET_PROTO_EVENT_MESSAGE:
        on_other_message(c, event);
        break;
    default:
        break;
    }
}

static void send_output(connection *c, trivet_proto_output *out) {
    if (!c->ws)
        return;
    if (out->close) {
        char reason[124] = "";
        size_t len = out->len < sizeof reason ? out->len : sizeof reason - 1;
        if (len)
            memcpy(reason, out->data, len);
        websocket_close(c->ws, out->close, reason);
    } else {
        tell(c, &(server_event){.kind = EVENT_SENT, .bytes = out->len});
        websocket_send_steal(c->ws, out->binary, out->data, out->len);
        out->data = NULL;
    }
}

/* Not entered twice: what an event's action adds is seen by the loop that is running. */
void connection_pump(connection *c) {
    trivet_proto_event event;
    trivet_proto_output output;
    bool more = true;

    if (c->pumping || !c->ws)
        return;
    c->pumping = true;
    connection_hold(c);
    while (more && c->ws) {
        more = false;
        while (c->ws && trivet_proto_computer_event(c->machine, &event)) {
            act(c, &event);
            trivet_proto_event_release(&event);
            more = true;
        }
        while (trivet_proto_computer_output(c->machine, &output)) {
            send_output(c, &output);
            trivet_proto_output_release(&output);
            more = true;
        }
        if (!more)
            more = jots_go(c->jots);
    }
    if (c->ws) {
        websocket_set_message_limit(c->ws, trivet_proto_computer_message_limit(c->machine));
        arm_timer(c);
    }
    c->pumping = false;
    connection_let_go(c);
}

/* ---- the WebSocket ---- */

static void on_message(void *owner, bool binary, const uint8_t *data, size_t len) {
    connection *c = owner;

    tell(c, &(server_event){.kind = EVENT_RECEIVED, .bytes = len});
    trivet_proto_computer_receive(c->machine, binary, data, len, connection_time(c));
    connection_pump(c);
}

/* Bytes. What is smaller is opened in less than a millisecond, on the loop: most states are. */
enum { LARGE_MESSAGE = 512 << 10 };

/*
 * A large one is opened and read on a thread of the pool, for a photo would hold up every other phone for a tenth of a
 * second. Its connection is not read from meanwhile, so that messages keep their order and one is in memory at a time;
 * it may end, be replaced or revoked: then what was in the message is dropped, and at once where others are before it, so that
 * a phone that comes again and again leaves no more behind than one is being opened.
 */
struct opening {
    worker_job job;
    connection *connection;
    trivet_proto_large *large;
};

static void run_opening(worker_job *job) {
    trivet_proto_large_open(((struct opening *)job)->large);
}

static void done_opening(worker_job *job) {
    struct opening *o = (struct opening *)job;
    connection *c = o->connection;

    c->opening = NULL;
    trivet_proto_computer_end(c->machine, o->large, connection_time(c));
    free(o);
    connection_pump(c);
    if (c->ws)
        websocket_resume(c->ws);
    connection_let_go(c);
}

static void drop_opening(connection *c) {
    struct opening *o = c->opening;

    if (!o || !worker_withdraw(c->host->openings, &o->job))
        return;
    c->opening = NULL;
    trivet_proto_large_free(o->large);
    free(o);
    connection_let_go(c);
}

static bool on_block(void *owner, bool binary, uint8_t *data, size_t len) {
    connection *c = owner;
    struct opening *o = len >= LARGE_MESSAGE ? calloc(1, sizeof *o) : NULL;

    if (!o || !(o->large = trivet_proto_computer_begin(c->machine, binary, data, len, connection_time(c)))) {
        free(o);
        return false; /* on_message follows */
    }
    tell(c, &(server_event){.kind = EVENT_RECEIVED, .bytes = len});
    o->job = (worker_job){run_opening, done_opening, NULL};
    o->connection = c;
    c->opening = o;
    connection_hold(c);
    websocket_pause(c->ws);
    worker_submit(c->host->openings, &o->job);
    connection_pump(c); /* its deadlines were looked at */
    return true;
}

static void on_closed(void *owner, int code) {
    connection *c = owner;

    c->ws = NULL;
    if (c->link) {
        *c->link = c->next;
        if (c->next)
            c->next->link = c->link;
        c->link = NULL;
    }
    drop_opening(c);
    if (c->sync)
        sync_abandon(c->sync, "gone");
    if (c->jots)
        jots_end(c->jots, code);
    tell(c, &(server_event){.kind = EVENT_CONNECTION_CLOSED,
                            .number = code,
                            .duration = (int64_t)(uv_now(c->host->loop) - c->opened)});
    uv_close((uv_handle_t *)&c->timer, on_timer_closed);
    connection_let_go(c);
}

static const websocket_events events = {on_message, on_closed};

void connection_open(host *h, websocket *ws) {
    trivet_proto_computer_options options = TRIVET_PROTO_COMPUTER_OPTIONS_INIT;
    connection *c = calloc(1, sizeof *c);

    options.max_message = h->config->max_message;
    options.handshake_timeout = h->config->handshake_timeout;
    options.answer_timeout = h->config->answer_timeout;
    options.version_1 = h->config->v1;
    options.version_2 = true;
    if (c)
        c->machine = trivet_proto_computer_new(&options, (int64_t)uv_now(h->loop));
    if (!c || !c->machine) {
        free(c);
        websocket_abort(ws);
        return;
    }
    c->host = h;
    c->ws = ws;
    c->references = 2; /* the WebSocket and the timer's handle */
    c->link = &h->connections;
    c->next = h->connections;
    if (c->next)
        c->next->link = &c->next;
    h->connections = c;
    c->opened = uv_now(h->loop);
    snprintf(c->address, sizeof c->address, "%s", websocket_address(ws));
    uv_timer_init(h->loop, &c->timer);
    c->timer.data = c;
    websocket_set_owner(ws, &events, c);
    websocket_take_blocks(ws, on_block);
    tell(c, &(server_event){.kind = EVENT_CONNECTION_OPENED});
    connection_pump(c);
}

void connection_close(connection *c, int code, const char *reason) {
    trivet_proto_computer_close(c->machine, code, reason);
    if (c->sync)
        sync_abandon(c->sync, "gone");
    c->accepted = false;
    connection_pump(c);
}

/* ---- looking, and the sync ---- */

host *connection_host(const connection *c) {
    return c->host;
}

const char *connection_device(const connection *c) {
    return c->accepted ? c->device.id : NULL;
}

const char *connection_phone(const connection *c) {
    return c->phone;
}

const char *connection_label(const connection *c) {
    return c->label;
}

int64_t connection_last_sync(const connection *c) {
    return c->device.last_sync_at;
}

int connection_version(const connection *c) {
    return trivet_proto_computer_version(c->machine);
}

int64_t connection_clock_offset(const connection *c) {
    return c->clock_offset;
}

void connection_confirmed(connection *c, int64_t record) {
    c->confirmed = record;
}

bool connection_is_open(const connection *c) {
    return c->ws != NULL && c->accepted;
}

jots *connection_jots(const connection *c) {
    return c->jots;
}

size_t connection_partial(const connection *c) {
    return c->ws ? websocket_partial(c->ws) : 0;
}

connection *connection_next(const connection *c) {
    return c->next;
}

connection *connection_find(const host *h, const char *id) {
    for (connection *c = h->connections; c; c = c->next)
        if (connection_is_open(c) && strcmp(c->device.id, id) == 0)
            return c;
    return NULL;
}

bool connection_first_sync(connection *c) {
    bool first = c->device.last_sync_at == 0 && !c->synced;

    c->synced = true;
    return first;
}

void connection_tell(const connection *c, server_event *e) {
    tell(c, e);
}

sync_run *connection_sync(const connection *c) {
    return c->sync;
}

sync_run *connection_start_sync(connection *c) {
    if (!c->sync && connection_is_open(c))
        c->sync = sync_start(c);
    return c->sync;
}

trivet_proto_computer *connection_machine(connection *c) {
    return c->machine;
}

void connection_sync_ended(connection *c) {
    c->sync = NULL;
}
