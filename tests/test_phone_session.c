/*
 * One sync of a phone's folder, against a computer that does what each case tells it: a thread with the
 * listener, the protocol's computer end, and a list of steps. (The real computer's side is tested by the
 * scenarios.)
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "net/listener.h"
#include "phone/session.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

static const char SECRET[] = "11111111-1111-4111-8111-111111111111";
static const char MILK[] =
    "{\"lists\":[[{\"id\":\"m\",\"position\":1,\"text\":\"milk\",\"updatedAt\":5}],[],[],[],[],[]]}";
static const char BREAD[] =
    "{\"lists\":[[{\"id\":\"b\",\"position\":1,\"text\":\"bread\",\"updatedAt\":9}],[],[],[],[],[]]}";

static char root[64], folder[96];

/* ---- the computer ---- */

/* What it does with the handshake, and with each answer of the phone in turn. */
typedef enum {
    CONFIRM_PHONE,   /* phone-wins, no snapshot */
    CONFIRM_BREAD,   /* desktop-wins with BREAD */
    CONFIRM_NOTHING, /* desktop-wins without a snapshot */
    CONFIRM_BAD,     /* desktop-wins with what is no state */
    PROPOSE_BREAD,
    CANCEL,
    HANG_UP, /* without a closing handshake */
    CLOSE,   /* with `code` */
    SILENCE,
} step;

typedef struct {
    bool refuse_handshake;
    bool no_start; /* never asks for the phone's state */
    int code;
    step steps[4];
    const char *edit_before[4]; /* an item that another command adds right before the step */
    /* what came of it */
    unsigned answers;
    char *answer[4]; /* the phone's states */
    int64_t since[4];
    bool manifest;
    int closed; /* the phone's close code */
    /* inside */
    uv_loop_t loop;
    uv_async_t stop;
    uv_timer_t timer;
    listener *listener;
    websocket *ws;
    trivet_proto_computer *machine;
} computer;

static void edit_phone(const char *id) {
    phone_folder *f = NULL;
    trivet_merge_state *state = NULL;
    trivet_merge_item item = {
        .id = {id, strlen(id)}, .text = {id, strlen(id)}, .position = 50, .updated_at = 7};
    item.has = TRIVET_MERGE_HAS_UPDATED_AT;
    item.deleted_at = -1;
    int64_t since = 0;
    edit_error err = EDIT_ERROR_INIT;
    trivet_merge_error bad = TRIVET_MERGE_ERROR_INIT;
    if (phone_folder_open(folder, &f, &err) != 0 || phone_folder_lock(f, &err) != 0 ||
        phone_folder_read(f, &state, &since, &err) != 0 ||
        trivet_merge_put_item(state, TRIVET_MERGE_LISTS, 0, &item, &bad) != 0 ||
        phone_folder_write(f, state, since, &err) != 0)
        abort();
    trivet_merge_state_free(state);
    phone_folder_close(f);
}

static void take_step(computer *c, int64_t now) {
    unsigned n = c->answers - 1;
    if (c->edit_before[n] != NULL)
        edit_phone(c->edit_before[n]);
    switch (c->steps[n]) {
    case CONFIRM_PHONE:
        trivet_proto_computer_confirm(c->machine, TRIVET_PROTO_PHONE_WINS, NULL, 0, 1);
        break;
    case CONFIRM_BREAD:
        trivet_proto_computer_confirm(c->machine, TRIVET_PROTO_DESKTOP_WINS, BREAD, strlen(BREAD), 1);
        break;
    case CONFIRM_NOTHING:
        trivet_proto_computer_confirm(c->machine, TRIVET_PROTO_DESKTOP_WINS, NULL, 0, 1);
        break;
    case CONFIRM_BAD:
        trivet_proto_computer_confirm(c->machine, TRIVET_PROTO_DESKTOP_WINS, "{\"lists\":[[{\"id\":1}]]}", 22,
                                      1);
        break;
    case PROPOSE_BREAD:
        trivet_proto_computer_propose(c->machine, BREAD, strlen(BREAD), 0, now);
        break;
    case CANCEL:
        trivet_proto_computer_cancel(c->machine);
        break;
    case HANG_UP:
        websocket_abort(c->ws);
        break;
    case CLOSE:
        trivet_proto_computer_close(c->machine, c->code, "told to");
        break;
    case SILENCE:
        break;
    }
}

static void heed(computer *c, trivet_proto_event *event, int64_t now) {
    switch (event->kind) {
    case TRIVET_PROTO_EVENT_HANDSHAKE:
        if (c->refuse_handshake || strcmp(event->secret, SECRET) != 0)
            trivet_proto_computer_refuse(c->machine, c->code, "no");
        else
            trivet_proto_computer_accept(c->machine, now);
        break;
    case TRIVET_PROTO_EVENT_SYNC_REQUEST:
        if (!c->no_start)
            trivet_proto_computer_start(c->machine, "{}", 2, 0, now);
        break;
    case TRIVET_PROTO_EVENT_STATE:
        c->since[c->answers] = event->message.since;
        c->answer[c->answers] = strndup(event->message.state, event->message.state_len);
        c->answers++;
        take_step(c, now);
        break;
    case TRIVET_PROTO_EVENT_MESSAGE:
        c->manifest = c->manifest || event->message.type == TRIVET_PROTO_JOT_MANIFEST;
        break;
    default:
        break;
    }
}

static void computer_pump(computer *c) {
    int64_t now = (int64_t)uv_now(&c->loop);
    trivet_proto_event event;
    while (trivet_proto_computer_event(c->machine, &event)) {
        heed(c, &event, now);
        trivet_proto_event_release(&event);
    }
    trivet_proto_output output;
    while (trivet_proto_computer_output(c->machine, &output)) {
        if (output.close != 0) {
            websocket_close(c->ws, output.close, "over");
        } else {
            (void)websocket_send_steal(c->ws, output.binary, output.data, output.len);
            output.data = NULL;
        }
        trivet_proto_output_release(&output);
    }
}

static void on_message(void *owner, bool binary, const uint8_t *data, size_t len) {
    computer *c = owner;
    trivet_proto_computer_receive(c->machine, binary, data, len, (int64_t)uv_now(&c->loop));
    computer_pump(c);
}

static void on_closed(void *owner, int code) {
    computer *c = owner;
    c->closed = code;
    trivet_proto_computer_free(c->machine);
    c->machine = NULL;
}

static void on_websocket(void *owner, websocket *ws) {
    static const websocket_events EVENTS = {on_message, on_closed};
    computer *c = owner;
    c->ws = ws;
    c->machine = trivet_proto_computer_new(NULL, (int64_t)uv_now(&c->loop));
    websocket_set_owner(ws, &EVENTS, c);
    websocket_set_message_limit(ws, 1 << 20);
}

static void on_request(void *owner, const http_request *request, http_response *response) {
    (void)owner;
    (void)request;
    response->status = 404;
}

static void on_refused(void *owner, const char *address, const char *reason) {
    (void)owner;
    (void)address;
    (void)reason;
}

static void on_gone(void *owner) {
    computer *c = owner;
    uv_close((uv_handle_t *)&c->stop, NULL);
}

static void on_stop(uv_async_t *async) {
    computer *c = async->data;
    listener_close(c->listener);
}

static void *computer_thread(void *arg) {
    computer *c = arg;
    uv_run(&c->loop, UV_RUN_DEFAULT);
    return NULL;
}

/* ---- one case ---- */

static int setup(void **unused) {
    (void)unused;
    snprintf(root, sizeof root, "/tmp/trivet-phone.XXXXXX");
    if (mkdtemp(root) == NULL)
        return -1;
    snprintf(folder, sizeof folder, "%s/p", root);
    return 0;
}

static int teardown(void **unused) {
    (void)unused;
    const char *names[] = {"phone.json", "pairing.json", "lock", "sync.lock"};
    char path[160];
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        unlink(path);
    }
    rmdir(folder);
    return rmdir(root);
}

/* A phone that holds `state` and last synced at 7. */
static void make_phone(uint16_t port, const char *json) {
    trivet_proto_pairing pairing = {.ip = "127.0.0.1", .port = port, .device = "d", .name = "n"};
    memcpy(pairing.secret, SECRET, sizeof SECRET);
    edit_error err = EDIT_ERROR_INIT;
    trivet_merge_error bad = TRIVET_MERGE_ERROR_INIT;
    trivet_merge_state *state = NULL;
    phone_folder *f = NULL;
    assert_int_equal(phone_folder_init(folder, &pairing, "Pixel", &err), 0);
    assert_int_equal(trivet_merge_state_read(json, strlen(json), TRIVET_MERGE_PHONE, &state, &bad), 0);
    assert_int_equal(phone_folder_open(folder, &f, &err), 0);
    assert_int_equal(phone_folder_lock(f, &err), 0);
    assert_int_equal(phone_folder_write(f, state, 7, &err), 0);
    phone_folder_close(f);
    trivet_merge_state_free(state);
}

/* What the phone holds: "milk bread", in the list's order; `since` too. */
static void see_phone(char *texts, size_t size, int64_t *since) {
    phone_folder *f = NULL;
    trivet_merge_state *state = NULL;
    trivet_merge_item item;
    edit_error err = EDIT_ERROR_INIT;
    assert_int_equal(phone_folder_open(folder, &f, &err), 0);
    assert_int_equal(phone_folder_lock(f, &err), 0);
    assert_int_equal(phone_folder_read(f, &state, since, &err), 0);
    texts[0] = '\0';
    size_t used = 0;
    for (size_t i = 0; trivet_merge_item_at(state, TRIVET_MERGE_LISTS, 0, i, &item); i++)
        used += (size_t)snprintf(texts + used, size - used, "%s%.*s", i == 0 ? "" : " ", (int)item.text.len,
                                 item.text.data);
    trivet_merge_state_free(state);
    phone_folder_close(f);
}

typedef struct {
    int status; /* 0, or the error's */
    char message[512];
    phone_session_result result;
    char texts[256];
    int64_t since;
} outcome;

static outcome sync_phone(uint64_t timeout) {
    outcome o = {0};
    phone_folder *f = NULL;
    edit_error err = EDIT_ERROR_INIT;
    phone_session_options options = PHONE_SESSION_OPTIONS_INIT;
    if (timeout != 0)
        options.timeout = timeout;
    assert_int_equal(phone_folder_open(folder, &f, &err), 0);
    o.status = phone_session_run(f, &options, &o.result, &err) == 0 ? 0 : err.status;
    snprintf(o.message, sizeof o.message, "%s", err.message);
    phone_folder_close(f);
    see_phone(o.texts, sizeof o.texts, &o.since);
    return o;
}

static outcome run_with(computer *c, const char *state, uint64_t timeout) {
    static const listener_events EVENTS = {on_request, on_websocket, on_refused, on_gone};
    listener_options options = LISTENER_OPTIONS_INIT;
    options.host = "127.0.0.1";
    options.port = 0;
    pthread_t thread;
    assert_int_equal(uv_loop_init(&c->loop), 0);
    assert_int_equal(uv_async_init(&c->loop, &c->stop, on_stop), 0);
    c->stop.data = c;
    assert_int_equal(listener_new(&c->loop, &options, &EVENTS, c, &c->listener), 0);
    make_phone(listener_port(c->listener), state);
    assert_int_equal(pthread_create(&thread, NULL, computer_thread, c), 0);
    outcome o = sync_phone(timeout);
    uv_async_send(&c->stop);
    assert_int_equal(pthread_join(thread, NULL), 0);
    listener_free(c->listener);
    assert_int_equal(uv_loop_close(&c->loop), 0);
    return o;
}

static void release(computer *c) {
    for (unsigned i = 0; i < c->answers; i++)
        free(c->answer[i]);
}

/* ---- syncs that end well ---- */

static void phone_wins_keeps_its_state(void **unused) {
    (void)unused;
    computer c = {.steps = {CONFIRM_PHONE}};
    outcome o = run_with(&c, MILK, 0);
    assert_string_equal(o.message, "");
    assert_int_equal(o.status, 0);
    assert_string_equal(o.texts, "milk");
    assert_int_equal(c.since[0], 7);
    assert_true(o.since > 7);
    assert_int_equal(o.since, o.result.since);
    assert_int_equal(c.closed, 1000);
    assert_true(c.manifest);
    release(&c);
}

static void what_is_confirmed_is_held(void **unused) {
    (void)unused;
    computer c = {.steps = {PROPOSE_BREAD, CONFIRM_BREAD}};
    outcome o = run_with(&c, MILK, 0);
    assert_int_equal(o.status, 0);
    assert_string_equal(o.texts, "bread");
    assert_int_equal(c.answers, 2);
    assert_string_equal(c.answer[0], c.answer[1]);
    assert_false(o.result.remerged);
    assert_int_equal(o.result.counts.added_from_computer, 1);
    assert_true(o.since > 7);
    release(&c);
}

static void an_edit_between_rounds_is_answered(void **unused) {
    (void)unused;
    computer c = {.steps = {PROPOSE_BREAD, CONFIRM_PHONE}, .edit_before = {"eggs"}};
    outcome o = run_with(&c, MILK, 0);
    assert_int_equal(o.status, 0);
    assert_null(strstr(c.answer[0], "eggs"));
    assert_non_null(strstr(c.answer[1], "eggs"));
    assert_string_equal(o.texts, "milk eggs");
    release(&c);
}

static void an_edit_before_the_confirm_survives(void **unused) {
    (void)unused;
    computer c = {.steps = {CONFIRM_BREAD}, .edit_before = {"eggs"}};
    outcome o = run_with(&c, "{\"lists\":[[],[],[],[],[],[]]}", 0);
    assert_int_equal(o.status, 0);
    assert_null(strstr(c.answer[0], "eggs"));
    assert_string_equal(o.texts, "bread eggs");
    assert_true(o.result.remerged);
    assert_true(o.since > 7);
    release(&c);
}

static void keys_that_a_confirm_leaves_out_stay(void **unused) {
    (void)unused;
    computer c = {.steps = {CONFIRM_BREAD}};
    outcome o = run_with(&c, "{\"lists\":[[]],\"scratchpad\":[{\"content\":\"note\",\"updatedAt\":3}]}", 0);
    assert_int_equal(o.status, 0);
    phone_folder *f = NULL;
    trivet_merge_state *state = NULL;
    trivet_merge_entry entry;
    int64_t since;
    edit_error err = EDIT_ERROR_INIT;
    assert_int_equal(phone_folder_open(folder, &f, &err), 0);
    assert_int_equal(phone_folder_lock(f, &err), 0);
    assert_int_equal(phone_folder_read(f, &state, &since, &err), 0);
    assert_true(trivet_merge_entry_at(state, TRIVET_MERGE_SCRATCHPAD, 0, &entry));
    assert_int_equal(entry.text.len, 4);
    trivet_merge_state_free(state);
    phone_folder_close(f);
    release(&c);
}

/* ---- syncs that change nothing ---- */

static void what_fails_changes_nothing(void **unused) {
    (void)unused;
    static const struct {
        const char *name;
        computer c;
        int status;
        const char *says;
    } CASES[] = {
        {"cancelled", {.steps = {CANCEL}}, 1, "nothing was changed"},
        {"cancelled in the second round", {.steps = {PROPOSE_BREAD, CANCEL}}, 1, "trivet pending"},
        {"wrong secret", {.refuse_handshake = true, .code = 4001}, EX_NOPERM, "wrong secret"},
        {"revoked", {.steps = {CLOSE}, .code = 4010}, EX_NOPERM, "revoked"},
        {"version refused", {.refuse_handshake = true, .code = 4003}, EX_PROTOCOL, "version 1"},
        {"replaced", {.steps = {CLOSE}, .code = 4009}, EX_TEMPFAIL, "another connection"},
        {"stopping", {.steps = {CLOSE}, .code = 1001}, EX_UNAVAILABLE, "stopping"},
        {"violation", {.steps = {CLOSE}, .code = 4004}, EX_PROTOCOL, "code 4004"},
        {"cut off", {.steps = {HANG_UP}}, EX_UNAVAILABLE, "broke"},
        {"cut off in the second round", {.steps = {PROPOSE_BREAD, HANG_UP}}, EX_UNAVAILABLE, "broke"},
        {"no snapshot", {.steps = {CONFIRM_NOTHING}}, EX_PROTOCOL, "did not send"},
        {"bad snapshot", {.steps = {CONFIRM_BAD}}, EX_PROTOCOL, "lists[0][0]"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        computer c = CASES[i].c;
        outcome o = run_with(&c, MILK, 0);
        if (o.status != CASES[i].status || strstr(o.message, CASES[i].says) == NULL)
            fail_msg("%s: status %d: %s", CASES[i].name, o.status, o.message);
        assert_string_equal(o.texts, "milk");
        assert_int_equal(o.since, 7);
        assert_null(strstr(o.message, SECRET));
        release(&c);
    }
}

static void a_computer_that_says_nothing_is_left(void **unused) {
    (void)unused;
    computer c = {.no_start = true};
    outcome o = run_with(&c, MILK, 300);
    assert_int_equal(o.status, EX_UNAVAILABLE);
    assert_non_null(strstr(o.message, "in time"));
    assert_int_equal(c.closed, 1000);
    computer later = {.steps = {SILENCE}};
    o = run_with(&later, MILK, 300);
    assert_int_equal(o.status, EX_UNAVAILABLE);
    assert_int_equal(o.since, 7);
    release(&later);
}

static void nobody_there(void **unused) {
    (void)unused;
    make_phone(1, MILK); /* tcpmux: nobody has it */
    outcome o = sync_phone(0);
    assert_int_equal(o.status, EX_UNAVAILABLE);
    assert_non_null(strstr(o.message, "127.0.0.1:1"));
    assert_non_null(strstr(o.message, "trivet serve"));
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        CASE(phone_wins_keeps_its_state),           CASE(what_is_confirmed_is_held),
        CASE(an_edit_between_rounds_is_answered),   CASE(an_edit_before_the_confirm_survives),
        CASE(keys_that_a_confirm_leaves_out_stay),  CASE(what_fails_changes_nothing),
        CASE(a_computer_that_says_nothing_is_left), CASE(nobody_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
