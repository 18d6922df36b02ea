/*
 * session.c - one sync, over one connection.
 *
 *     CONNECTING --on_open--> OPEN --(confirmed, cancelled, refused, timed out)--> CLOSING --on_closed--> over
 *         '---on_failed-------------------------------------------------------------------------------------^
 *
 * What to say and when is the machine's of proto/ ("phone"); this file moves bytes between it and the
 * websocket, gives it the time, and does what its events ask. Each libuv callback hands over what happened
 * and calls pump(). The first outcome stands: whatever comes after it only ends the connection.
 */
#include "phone/session.h"

#include "net/client.h"
#include "net/websocket.h"
#include "phone/apply.h"
#include "phone/jots.h"
#include "phone/now.h"
#include "phone/send.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <uv.h>

typedef struct {
    phone_folder *folder;
    const phone_session_options *options;
    bool version_2;
    phone_session_result *result;
    edit_error *err;
    uv_loop_t loop;
    uv_timer_t timer; /* the machine's deadline or ours, whichever is first */
    int64_t deadline; /* ms of uv_now */
    websocket *ws;    /* NULL before on_open and after on_closed */
    trivet_proto_phone *machine;
    char *answered; /* the state of the last answer, canonical */
    size_t answered_len;
    char peer[300]; /* "192.168.1.7:8080", for messages */
    bool decided;   /* the outcome stands */
    bool synced;
    int64_t stay;       /* ms */
    int64_t stay_until; /* ms of uv_now; 0: goes when the sync is decided */
    bool has_jots;
    phone_send sending;
    uv_idle_t idle; /* while there is something to be sent at once */
} session;

enum {
    SENDING_STAY = 60000,  /* ms without a sign of the computer's in the middle of a file */
    STORED_PER_MS = 200000 /* bytes that it is thought to look at again, at least */
};

static void pump(session *s);

/* ---- outcomes ---- */

static void __attribute__((format(printf, 3, 4))) fail(session *s, int status, const char *format, ...) {
    if (s->decided)
        return;
    va_list args;
    va_start(args, format);
    s->decided = true;
    s->err->status = status;
    vsnprintf(s->err->message, sizeof s->err->message, format, args);
    va_end(args);
}

/* `err` was filled in by one of the folder's functions. */
static void fail_with(session *s, const edit_error *err) {
    fail(s, err->status, "%s", err->message);
}

static void fail_closed(session *s, int code) {
    switch (code) {
    case TRIVET_PROTO_CLOSE_WRONG_SECRET:
        fail(s, EX_NOPERM,
             "%s does not accept this pairing: wrong secret; make a new code there with `trivet pair --json` "
             "and run "
             "`trivet phone --state %s init` with it",
             s->peer, phone_folder_path(s->folder));
        break;
    case TRIVET_PROTO_CLOSE_REVOKED:
        fail(s, EX_NOPERM, "this phone was revoked on %s; make a new code there with `trivet pair --json`",
             s->peer);
        break;
    case TRIVET_PROTO_CLOSE_VERSION:
        fail(s, EX_PROTOCOL, "%s refuses version %d of the protocol for this phone", s->peer,
             s->version_2 ? 2 : 1);
        break;
    case TRIVET_PROTO_CLOSE_REPLACED:
        fail(s, EX_TEMPFAIL,
             "another connection with the same pairing took over; each phone needs a code of its own");
        break;
    case TRIVET_PROTO_CLOSE_GOING_AWAY:
        fail(s, EX_UNAVAILABLE, "%s is stopping; nothing was changed, sync again later", s->peer);
        break;
    case TRIVET_PROTO_CLOSE_TOO_LARGE:
        fail(s, EX_DATAERR, "the state is too large for %s (close code 1009); see `max_message` there",
             s->peer);
        break;
    case TRIVET_PROTO_CLOSE_TIMEOUT:
        fail(s, EX_UNAVAILABLE, "%s took too long; sync again", s->peer);
        break;
    case 1006:
        fail(s, EX_UNAVAILABLE, "the connection to %s broke; sync again", s->peer);
        break;
    default:
        fail(s, EX_PROTOCOL, "%s ended the connection with code %d; its log says why", s->peer, code);
    }
}

/* ---- a sync's steps ---- */

/* Answers with the state as it is now, and remembers it. */
static void answer(session *s) {
    edit_error err = EDIT_ERROR_INIT;
    if (!s->version_2 && phone_folder_pairing(s->folder)->has_k &&
        phone_folder_drop_key(s->folder, &err) != 0) {
        fail_with(s, &err);
        return;
    }
    trivet_merge_state *state = NULL;
    int64_t since = 0;
    int got = phone_folder_lock(s->folder, &err);
    if (got == 0)
        got = phone_folder_read(s->folder, &state, &since, &err);
    phone_folder_unlock(s->folder);
    if (got != 0) {
        fail_with(s, &err);
        return;
    }
    free(s->answered);
    s->answered = NULL;
    if (trivet_merge_state_write(state, &s->answered, &s->answered_len) != 0 ||
        trivet_proto_phone_answer(s->machine, s->answered, s->answered_len, since) != 0)
        fail(s, EX_SOFTWARE, "could not answer %s; nothing was changed", s->peer);
    trivet_merge_state_free(state);
}

/* The computer may have more to ask. */
static void stay_on(session *s) {
    if (s->stay_until > 0 || (s->has_jots && s->stay > 0))
        s->stay_until = (int64_t)uv_now(&s->loop) + s->stay;
}

static void confirmed(session *s, const trivet_proto_message *confirm) {
    if (s->decided)
        return;
    const phone_answered answered = {s->answered, s->answered_len, s->peer};
    edit_error err = EDIT_ERROR_INIT;
    if (phone_apply(s->folder, confirm, &answered, s->result, &err) != 0) {
        fail_with(s, &err);
        return;
    }
    s->decided = s->synced = true;
    /* Whether it arrives or not: without it the next sync finds the same out. */
    (void)trivet_proto_phone_ack(s->machine, s->result->since);
    stay_on(s);
}

/* ---- jots ---- */

static int send_manifest(session *s) {
    edit_error err = EDIT_ERROR_INIT;
    json_t *manifest = phone_jots_manifest(s->folder, &err);
    if (manifest == NULL) {
        fail_with(s, &err);
        return 0; /* told */
    }
    s->has_jots = s->has_jots || json_array_size(json_object_get(manifest, "jots")) > 0;
    int sent = trivet_proto_phone_send(s->machine, TRIVET_PROTO_JOT_MANIFEST, manifest);
    json_decref(manifest);
    return sent;
}

static void answer_jots(session *s, const trivet_proto_message *message) {
    edit_error err = EDIT_ERROR_INIT;
    trivet_proto_type type = TRIVET_PROTO_UNKNOWN;
    json_t *body = NULL;
    bool manifest = false;
    if (phone_jots_answer(s->folder, message, &type, &body, &manifest, &err) != 0) {
        fail_with(s, &err);
        return;
    }
    if (body != NULL)
        (void)trivet_proto_phone_send(s->machine, type,
                                      body); /* one that does not fit a message goes unanswered */
    json_decref(body);
    if (manifest)
        (void)send_manifest(s);
    stay_on(s);
}

/* The computer writes what it got, and looks at all of it again, before it asks for more. */
static void stay_for_file(session *s) {
    int64_t time =
        phone_send_is_open(&s->sending) ? SENDING_STAY : s->stay + (int64_t)(s->sending.size / STORED_PER_MS);
    if (s->stay_until > 0 || s->has_jots)
        s->stay_until = (int64_t)uv_now(&s->loop) + time;
}

static void on_idle(uv_idle_t *idle) {
    session *s = idle->data;
    uv_idle_stop(idle); /* pump begins it anew */
    if (s->ws == NULL)
        return;
    phone_send_step(&s->sending, s->machine);
    stay_for_file(s);
    pump(s);
}

static void send_file(session *s, const json_t *request) {
    if (phone_send_request(&s->sending, s->folder, s->machine, request) != 0)
        fail(s, EX_OSERR, "out of memory");
}

/* As the app does: it asks for a sync and tells what jots it has, in one go. */
static void ask(session *s) {
    if (trivet_proto_phone_request_sync(s->machine) != 0 || send_manifest(s) != 0)
        fail(s, EX_SOFTWARE, "could not ask %s for a sync", s->peer);
}

/* The same pick for every tie; members that a tie lacks are left out. */
static json_t *picks_for(const json_t *ties, const char *side) {
    json_t *picks = json_array();
    for (size_t i = 0; i < json_array_size(ties); i++) {
        const json_t *tie = json_array_get(ties, i);
        json_array_append_new(
            picks, json_pack("{s:O, s:O, s:O*, s:O, s:s}", "section", json_object_get(tie, "section"), "slot",
                             json_object_get(tie, "slot"), "itemId", json_object_get(tie, "itemId"), "field",
                             json_object_get(tie, "field"), "pick", side));
    }
    return picks;
}

/* A question: answered as the user said, or left to the computer's. */
static void conflict(session *s, const json_t *body) {
    const json_t *ties = json_object_get(body, "ties");
    const char *word = ties != NULL ? s->options->pick : s->options->use;
    json_t *resolve = NULL;
    if (word == NULL)
        return;
    if (ties != NULL)
        resolve = json_pack("{s:O, s:o}", "id", json_object_get(body, "id"), "picks", picks_for(ties, word));
    else
        resolve = json_pack("{s:O, s:s}", "id", json_object_get(body, "id"), "choice", word);
    if (resolve == NULL || trivet_proto_phone_send(s->machine, TRIVET_PROTO_RESOLVE, resolve) != 0)
        fail(s, EX_SOFTWARE, "could not answer the question of %s; nothing was changed", s->peer);
    json_decref(resolve);
}

static void keep_key(session *s, const uint8_t *key) {
    edit_error err = EDIT_ERROR_INIT;
    if (phone_folder_keep_key(s->folder, key, &err) != 0)
        fail_with(s, &err);
}

/* Of a file the computer says that it wants no more of it; of all else that it refused there is nothing to be done. */
static void file_left(session *s, const json_t *body) {
    const char *path = json_string_value(json_object_get(body, "path"));
    if (path != NULL && strcmp(path, "transfer") == 0)
        phone_send_release(&s->sending);
}

static void handle(session *s, const trivet_proto_event *event) {
    switch (event->kind) {
    case TRIVET_PROTO_EVENT_NOT_PROVEN:
        fail(
            s, EX_NOPERM,
            "%s could not prove that it is the computer that this phone is paired with, and was told "
            "nothing: it "
            "is another one, somebody stands in between, or it no longer accepts this pairing. If `trivet "
            "devices` there says so, make a new code with `trivet pair --json` and run `trivet phone --state "
            "%s init` with it",
            s->peer, phone_folder_path(s->folder));
        break;
    case TRIVET_PROTO_EVENT_DEVICE_KEY:
        keep_key(s, event->device_key);
        break;
    case TRIVET_PROTO_EVENT_MESSAGE:
        if (event->type == TRIVET_PROTO_CONFLICT)
            conflict(s, event->message.body);
        else if (event->type == TRIVET_PROTO_FILE_REQUEST && s->version_2)
            send_file(s, event->message.body);
        else if (event->type == TRIVET_PROTO_ERROR)
            file_left(s, event->message.body);
        else if (event->type != TRIVET_PROTO_FILE_ACK)
            answer_jots(s, &event->message);
        break;
    case TRIVET_PROTO_EVENT_READY:
        ask(s);
        break;
    case TRIVET_PROTO_EVENT_STATE_WANTED:
        answer(s);
        break;
    case TRIVET_PROTO_EVENT_CONFIRMED:
        confirmed(s, &event->message);
        break;
    case TRIVET_PROTO_EVENT_SYNC_CANCELLED:
        fail(s, 1,
             "%s gave the sync up and nothing was changed on either side; its log says why. A question waits "
             "there "
             "for an answer? See `trivet pending` on the computer, then sync again",
             s->peer);
        break;
    case TRIVET_PROTO_EVENT_REFUSED:
        fail(s, EX_PROTOCOL, "%s sent a %s that the protocol does not allow: %s: %s", s->peer,
             trivet_proto_type_name(event->type), event->error.path, event->error.reason);
        break;
    case TRIVET_PROTO_EVENT_CLOSED:
        if (event->close_code == TRIVET_PROTO_CLOSE_TIMEOUT)
            fail_closed(s, event->close_code);
        else
            fail(s, EX_PROTOCOL, "%s does not speak this protocol: %s", s->peer, event->error.reason);
        break;
    default:
        break;
    }
}

/* ---- moving bytes ---- */

static void on_timer(uv_timer_t *timer);

static void arm(session *s) {
    int64_t at = trivet_proto_phone_deadline(s->machine), own = s->synced ? s->stay_until : s->deadline;
    if (at > own)
        at = own;
    int64_t now = (int64_t)uv_now(&s->loop);
    uv_timer_start(&s->timer, on_timer, at > now ? (uint64_t)(at - now) : 0, 0);
}

static bool is_staying(const session *s) {
    return s->synced && s->stay_until > (int64_t)uv_now(&s->loop);
}

static void pump(session *s) {
    if (s->ws == NULL)
        return;
    trivet_proto_event event;
    while (trivet_proto_phone_event(s->machine, &event)) {
        handle(s, &event);
        trivet_proto_event_release(&event);
    }
    if (phone_send_is_ready(&s->sending, s->machine))
        uv_idle_start(&s->idle, on_idle);
    if (s->decided && !is_staying(s)) /* refused by the machine where it has ended the connection itself */
        (void)trivet_proto_phone_close(s->machine, TRIVET_PROTO_CLOSE_DONE, "");
    trivet_proto_output output;
    while (trivet_proto_phone_output(s->machine, &output)) {
        if (output.close != 0) {
            char reason[124];
            snprintf(reason, sizeof reason, "%.*s", (int)(output.len < 123 ? output.len : 123),
                     output.data == NULL ? "" : (const char *)output.data);
            websocket_close(s->ws, output.close, reason);
        } else {
            (void)websocket_send_steal(s->ws, output.binary, output.data, output.len);
            output.data = NULL;
        }
        trivet_proto_output_release(&output);
    }
    if (s->decided && !is_staying(s))
        uv_timer_stop(&s->timer); /* the websocket's own close time-out is the last word */
    else
        arm(s);
}

static void on_timer(uv_timer_t *timer) {
    session *s = timer->data;
    if (s->ws == NULL)
        return;
    int64_t now = (int64_t)uv_now(&s->loop);
    trivet_proto_phone_tick(s->machine, now);
    if (now >= s->deadline)
        fail(s, EX_UNAVAILABLE, "%s did not finish the sync in time; nothing was changed here, sync again",
             s->peer);
    pump(s);
}

static void on_message(void *owner, bool binary, const uint8_t *data, size_t len) {
    session *s = owner;
    if (trivet_proto_phone_receive(s->machine, binary, data, len, (int64_t)uv_now(&s->loop)) ==
        TRIVET_PROTO_ENOMEM)
        fail(s, EX_OSERR, "out of memory; nothing was changed");
    pump(s);
}

static void on_closed(void *owner, int code) {
    session *s = owner;
    s->ws = NULL;
    uv_timer_stop(&s->timer);
    fail_closed(s, code);
}

static const websocket_events SOCKET_EVENTS = {on_message, on_closed};

static void on_open(void *owner, websocket *ws) {
    session *s = owner;
    s->ws = ws;
    websocket_set_owner(ws, &SOCKET_EVENTS, s);
    trivet_proto_phone_options options = TRIVET_PROTO_PHONE_OPTIONS_INIT;
    websocket_set_message_limit(ws, options.max_message);
    if (s->version_2) {
        options.pairing_key = phone_folder_pairing(s->folder)->k;
        options.device = phone_folder_pairing(s->folder)->device;
        options.gen = phone_folder_gen(s->folder);
        options.clock = phone_now();
    } else {
        options.secret = phone_folder_pairing(s->folder)->secret;
    }
    options.device_id = phone_folder_name(s->folder);
    options.last_sync = s->result->since;
    s->machine = trivet_proto_phone_new(&options, (int64_t)uv_now(&s->loop));
    if (s->machine == NULL) {
        fail(s, EX_OSERR, "out of memory");
        websocket_abort(ws);
        return;
    }
    pump(s);
}

static void on_failed(void *owner, const char *reason) {
    session *s = owner;
    fail(s, EX_UNAVAILABLE,
         "cannot reach the computer at %s: %s. Is `trivet serve` running there, and are both on one network?",
         s->peer, reason);
}

static const client_events CLIENT_EVENTS = {on_open, on_failed};

/* ---- all of it ---- */

static void run_loop(session *s, const phone_session_options *options) {
    const trivet_proto_pairing *pairing = phone_folder_pairing(s->folder);
    websocket_options socket = WEBSOCKET_OPTIONS_INIT;
    uv_timer_init(&s->loop, &s->timer);
    s->timer.data = s;
    uv_idle_init(&s->loop, &s->idle);
    s->idle.data = s;
    s->deadline = (int64_t)(uv_now(&s->loop) + options->timeout + options->stay);
    s->stay = (int64_t)options->stay;
    s->has_jots = options->always;
    int code = client_connect(&s->loop, pairing->ip, pairing->port, options->connect_timeout, &socket,
                              &CLIENT_EVENTS, s);
    if (code != 0)
        fail(s, EX_UNAVAILABLE, "cannot reach the computer at %s: %s", s->peer, uv_strerror(code));
    uv_run(&s->loop, UV_RUN_DEFAULT);
    fail_closed(s, 1006); /* unless something was decided */
    uv_close((uv_handle_t *)&s->timer, NULL);
    uv_close((uv_handle_t *)&s->idle, NULL);
    uv_run(&s->loop, UV_RUN_DEFAULT);
    uv_loop_close(&s->loop);
}

/* The handshake tells when the last sync was. */
static int read_since(session *s) {
    trivet_merge_state *state = NULL;
    if (phone_folder_lock(s->folder, s->err) != 0)
        return -1;
    int got = phone_folder_read(s->folder, &state, &s->result->since, s->err);
    phone_folder_unlock(s->folder);
    trivet_merge_state_free(state);
    return got;
}

int phone_session_run(phone_folder *folder, const phone_session_options *options,
                      phone_session_result *result, edit_error *err) {
    const phone_session_options defaults = PHONE_SESSION_OPTIONS_INIT;
    const trivet_proto_pairing *pairing = phone_folder_pairing(folder);
    session s = {.folder = folder, .result = result, .err = err, .sending = PHONE_SEND_INIT};
    s.options = options == NULL ? &defaults : options;
    s.version_2 = !s.options->version_1 && pairing->has_k && pairing->device[0] != '\0';
    memset(result, 0, sizeof *result);
    snprintf(s.peer, sizeof s.peer, "%s:%u", pairing->ip, (unsigned)pairing->port);
    if (!s.version_2 && pairing->secret[0] == '\0') {
        fail(&s, EX_USAGE, "this pairing is for version 2 of the protocol alone; leave --v1 out");
        return -1;
    }
    if (phone_folder_lock_sync(folder, err) != 0 || read_since(&s) != 0)
        return -1;
    if (uv_loop_init(&s.loop) != 0) {
        fail(&s, EX_OSERR, "out of memory");
        return -1;
    }
    run_loop(&s, s.options);
    phone_send_release(&s.sending);
    trivet_proto_phone_free(s.machine);
    free(s.answered);
    return s.synced ? 0 : -1;
}
