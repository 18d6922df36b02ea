/*
 * The phones of a history. Of version 2, and some of version 1: `trivet phone` as it is, src/phone/session.c on a folder, which
 * may be killed before or after each file that it replaces. The others are the app of version 1, by protocol §4: it keeps the
 * computer's state aside, answers with its own, and takes a snapshot over in four writes, between which it may be killed; what
 * was typed since its last answer goes then.
 */
#ifndef TEST_WIRE_PHONE_H
#define TEST_WIRE_PHONE_H

#include "test_wire_computer.h"

#include "net/client.h"
#include "phone/session.h"

#include <errno.h>
#include <sysexits.h>

enum { MAX_PHONES = 4 };

struct handset {
    struct phone p; /* its code, its name; the app's lists */
    struct actor actor;
    bool session, version_2;
    bool twin; /* another has the same code */
    uint64_t asked;
    int64_t last_record;
    unsigned syncs;  /* that it has applied */
    int64_t applied; /* the record of the last one that it has applied whole */
    char secret[37], key[45];

    /* `trivet phone` */
    char path[128];
    phone_folder *folder; /* for edits, beside the session's own */
    bool running;
    unsigned die_in; /* the so many-th file that is replaced; 0: never */
    bool die_before;

    /* the app */
    uv_loop_t loop;
    uv_timer_t timer;
    bool connecting, has_timer;
    websocket *ws;
    trivet_proto_phone *machine;
    trivet_merge_state *answered;
};

static struct handset phones[MAX_PHONES];
static unsigned phone_count;

/* Of each edit: who made it, and that it may be lost: typed in the last round trip of version 1, or never acknowledged. */
static struct {
    int by[MAX_EDITS];
    bool may_go[MAX_EDITS];
} edits;

static void note_author(int count, int by) {
    for (; count < the_ledger->edit_count; count++)
        edits.by[count] = by;
}

static void may_be_lost(int edit, bool may) {
    if (edit < the_ledger->edit_count)
        edits.may_go[edit] = may;
}

/* In some histories the clocks by which people edit are coarse, so that edits tie. */
static int64_t grain;

static int64_t dated(const struct actor *a) {
    return wall_of(a) - wall_of(a) % grain;
}

static struct handset *find_phone(const char *code, const char *name) {
    for (unsigned i = 0; i < phone_count; i++)
        if (strcmp(phones[i].p.device, code) == 0 && strcmp(phones[i].p.name, name) == 0)
            return &phones[i];
    return NULL;
}

static uint64_t *question_of(const char *code, const char *name) {
    struct handset *h = find_phone(code, name);
    return h ? &h->asked : NULL;
}

static void sync_started(const char *code, const char *name) {
    computer.started = find_phone(code, name);
}

static void cut_phone(const struct handset *h) {
    for (unsigned i = 0; i < net.count; i++)
        if (net.wires[i]->client == h->actor.number)
            cut(net.wires[i], draw(NETWORK, 4) == 0);
}

/* ---- machines are counted: each connection has one, and lives as long as its last sync and job ---- */

trivet_proto_computer *__real_trivet_proto_computer_new(const trivet_proto_computer_options *options,
                                                        int64_t now);
trivet_proto_computer *__wrap_trivet_proto_computer_new(const trivet_proto_computer_options *options,
                                                        int64_t now);
void __real_trivet_proto_computer_free(trivet_proto_computer *c);
void __wrap_trivet_proto_computer_free(trivet_proto_computer *c);
trivet_proto_phone *__real_trivet_proto_phone_new(const trivet_proto_phone_options *options, int64_t now);
trivet_proto_phone *__wrap_trivet_proto_phone_new(const trivet_proto_phone_options *options, int64_t now);
void __real_trivet_proto_phone_free(trivet_proto_phone *p);
void __wrap_trivet_proto_phone_free(trivet_proto_phone *p);

trivet_proto_computer *__wrap_trivet_proto_computer_new(const trivet_proto_computer_options *options,
                                                        int64_t now) {
    world.machines++;
    return __real_trivet_proto_computer_new(options, now);
}

void __wrap_trivet_proto_computer_free(trivet_proto_computer *c) {
    world.machines -= c != NULL;
    __real_trivet_proto_computer_free(c);
}

trivet_proto_phone *__wrap_trivet_proto_phone_new(const trivet_proto_phone_options *options, int64_t now) {
    world.machines++;
    return __real_trivet_proto_phone_new(options, now);
}

void __wrap_trivet_proto_phone_free(trivet_proto_phone *p) {
    world.machines -= p != NULL;
    __real_trivet_proto_phone_free(p);
}

/* ---- killed ---- */

static void kill_phone(struct handset *h, bool power) {
    TRACE("%s %s\n", h->p.name, power ? "loses its power" : "is killed");
    for (unsigned i = 0; i < net.count; i++) {
        struct side *s = &net.wires[i]->sides[CLIENT];
        if (net.wires[i]->client != h->actor.number || !s->tcp)
            continue;
        drop_process(s, power);
        cut(net.wires[i], power);
        break_side(s, 1); /* its own end knows in any case */
    }
    if (h->ws)
        websocket_abort(h->ws);
}

int renameat(int from_folder, const char *from, int to_folder, const char *to) {
    static int (*real)(int, const char *, int, const char *);
    struct handset *h = NULL;
    int rc = 0;

    if (!real)
        *(void **)&real = dlsym(RTLD_NEXT, "renameat");
    for (unsigned i = 0; i < phone_count; i++)
        if (world.current == &phones[i].actor && phones[i].die_in > 0 && --phones[i].die_in == 0)
            h = &phones[i];
    if (!h || !h->die_before)
        rc = real(from_folder, from, to_folder, to);
    if (h) {
        TRACE("  %s a file is replaced, ", h->die_before ? "before" : "after");
        kill_phone(h, false);
        errno = EIO;
        return -1;
    }
    return rc;
}

/* ---- `trivet phone` ---- */

static trivet_merge_state *read_folder(struct handset *h, int64_t *since) {
    edit_error err = EDIT_ERROR_INIT;
    trivet_merge_state *state = NULL;

    must(phone_folder_lock(h->folder, &err) == 0 && phone_folder_read(h->folder, &state, since, &err) == 0,
         err.message);
    phone_folder_unlock(h->folder);
    return state;
}

/* Nested in step(): while this one runs, all others go on. */
static int session_syncs(struct handset *h, bool quiet) {
    static const char *const picks[] = {"phone", "computer", NULL, NULL};
    phone_session_options options = PHONE_SESSION_OPTIONS_INIT;
    phone_session_result result;
    edit_error err = EDIT_ERROR_INIT;
    struct actor *before = world.current;
    phone_folder *folder;

    if (h->running)
        return 0;
    h->running = true;
    options.version_1 = !h->version_2;
    options.pick = quiet ? "phone" : picks[pick(4)];
    h->die_before = pick(2);
    h->die_in = !quiet && pick(5) == 0 ? 1 + pick(3) : 0;
    TRACE("%s syncs\n", h->p.name);
    world.current = &h->actor;
    must(phone_folder_open(h->path, &folder, &err) == 0, err.message);
    int rc = phone_session_run(folder, &options, &result, &err);
    phone_folder_close(folder);
    world.current = before;
    h->die_in = 0;
    h->running = false;
    TRACE("%s has synced: %d %s\n", h->p.name, rc, rc == 0 ? "" : err.message);
    h->syncs += rc == 0;
    if (rc == 0)
        h->applied = h->last_record;
    if (rc != 0 &&
        (quiet || err.status == EX_PROTOCOL || err.status == EX_NOPERM || err.status == EX_SOFTWARE))
        die("a phone's sync failed");
    return rc;
}

/* ---- the app ---- */

static void app_pump(struct handset *h);

static void note_overwritten(const trivet_merge_state *before, const trivet_merge_state *now,
                             const trivet_merge_state *answered) {
    bool dead;

    for (int i = 0; i < the_ledger->item_count; i++) {
        const struct item *it = &the_ledger->items[i];
        int had = text_in(before, it, &dead);
        if (had >= 0 && had != text_in(now, it, &dead) && had != text_in(answered, it, &dead))
            edits.may_go[had] = true;
    }
}

/* Its time, lists, locked lists and scratchpads are written one after the other. */
static void app_applies(struct handset *h, const trivet_proto_message *confirm) {
    static const trivet_merge_section order[3][2] = {
        {TRIVET_MERGE_LISTS, TRIVET_MERGE_LISTS_CATEGORIES},
        {TRIVET_MERGE_LOCKED_LISTS, TRIVET_MERGE_LOCKED_LISTS_CATEGORIES},
        {TRIVET_MERGE_SCRATCHPAD, TRIVET_MERGE_SCRATCHPAD_CATEGORIES}};
    bool killed = !net.perfect && draw(NETWORK, 8) == 0;
    int groups = killed ? (int)draw(NETWORK, 5) - 1 : 3;
    struct held *held = &h->p.held;
    trivet_merge_state *merged, *mixed;

    if (killed && groups < 0) { /* before the first */
        kill_phone(h, false);
        return;
    }
    merged = confirm->state ? read_copy(confirm->state, confirm->state_len) : clone(held->state);
    memset(held->two, 0, sizeof held->two);
    held->since = wall_of(&h->actor);
    trivet_merge_state_free(held->named);
    held->named = merged;
    h->syncs++;
    if (confirm->state) {
        if (groups < 3)
            killed_between(the_ledger, held, merged);
        must(trivet_merge_state_new(&mixed) == 0, "new");
        for (int g = 0; g < 3; g++)
            for (int k = 0; k < 2; k++)
                trivet_merge_take_section(mixed, g < groups ? merged : held->state, order[g][k]);
        trivet_merge_state *stored = clone(mixed);
        trivet_merge_state_free(mixed);
        if (h->answered)
            note_overwritten(held->state, stored, h->answered);
        trivet_merge_state_free(held->state);
        held->state = stored;
    }
    TRACE("  %s applies %s, %d of its groups, since %lld\n", h->p.name,
          confirm->state ? "a snapshot" : "nothing", groups, (long long)held->since);
    if (killed)
        kill_phone(h, false);
    else
        h->applied = h->last_record;
}

static void app_answers(struct handset *h) {
    char *json;
    size_t len;

    if (!net.perfect && draw(NETWORK, 16) == 0) { /* its user gives it up, which is an answer as well */
        TRACE("  %s cancels\n", h->p.name);
        if (trivet_proto_phone_send(h->machine, TRIVET_PROTO_SYNC_CANCEL, NULL) != 0)
            wrong("the app could not cancel");
        return;
    }
    trivet_merge_state_free(h->answered);
    h->answered = clone(h->p.held.state);
    must(trivet_merge_state_write(h->answered, &json, &len) == 0, "write");
    if (trivet_proto_phone_answer(h->machine, json, len, h->p.held.since) != 0)
        wrong("the app could not answer");
    free(json);
}

static void app_event(struct handset *h, const trivet_proto_event *e) {
    switch (e->kind) {
    case TRIVET_PROTO_EVENT_READY:
        if (draw(NETWORK, 8) == 0)
            (void)trivet_proto_phone_send(h->machine, TRIVET_PROTO_HEARTBEAT, NULL);
        if (net.perfect || draw(NETWORK, 4) > 0)
            (void)trivet_proto_phone_request_sync(h->machine);
        break;
    case TRIVET_PROTO_EVENT_STATE_WANTED:
        app_answers(h);
        break;
    case TRIVET_PROTO_EVENT_CONFIRMED:
        app_applies(h, &e->message);
        break;
    case TRIVET_PROTO_EVENT_REFUSED:
        TRACE("  refused: %s %s\n", e->error.path, e->error.reason);
        wrong("the app's end refused a message");
        break;
    case TRIVET_PROTO_EVENT_CLOSED:
        if (e->close_code != TRIVET_PROTO_CLOSE_TIMEOUT && e->close_code != TRIVET_PROTO_CLOSE_DONE)
            wrong("the app's end of a connection failed");
        break;
    default:
        break;
    }
}

static void on_app_timer(uv_timer_t *timer) {
    struct handset *h = timer->data;

    if (!h->ws)
        return;
    trivet_proto_phone_tick(h->machine, (int64_t)uv_now(&h->loop));
    app_pump(h);
}

static void app_pump(struct handset *h) {
    trivet_proto_event e;
    trivet_proto_output out;

    while (h->ws && trivet_proto_phone_event(h->machine, &e)) {
        app_event(h, &e);
        trivet_proto_event_release(&e);
    }
    while (h->ws && trivet_proto_phone_output(h->machine, &out)) {
        if (out.close)
            websocket_close(h->ws, out.close, NULL);
        else
            websocket_send_steal(h->ws, out.binary, out.data, out.len);
        if (!out.close)
            out.data = NULL;
        trivet_proto_output_release(&out);
    }
    int64_t at = trivet_proto_phone_deadline(h->machine), now = (int64_t)uv_now(&h->loop);
    if (at == INT64_MAX)
        uv_timer_stop(&h->timer);
    else
        uv_timer_start(&h->timer, on_app_timer, at > now ? (uint64_t)(at - now) : 0, 0);
}

static void on_app_message(void *owner, bool binary, const uint8_t *data, size_t len) {
    struct handset *h = owner;

    (void)trivet_proto_phone_receive(h->machine, binary, data, len, (int64_t)uv_now(&h->loop));
    app_pump(h);
}

static void on_app_closed(void *owner, int code) {
    struct handset *h = owner;

    TRACE("  %s's end of the connection closed with %d\n", h->p.name, code);
    if (!may_end_so(code))
        wrong("a connection ended for a wrong reason");
    h->ws = NULL;
    uv_timer_stop(&h->timer);
    trivet_proto_phone_free(h->machine);
    h->machine = NULL;
    trivet_merge_state_free(h->answered);
    h->answered = NULL;
}

static void on_app_open(void *owner, websocket *ws) {
    static const websocket_events events = {on_app_message, on_app_closed};
    trivet_proto_phone_options options = TRIVET_PROTO_PHONE_OPTIONS_INIT;
    struct handset *h = owner;

    h->connecting = false;
    h->ws = ws;
    websocket_set_owner(ws, &events, h);
    options.secret = h->secret;
    options.device_id = h->p.name;
    options.last_sync = h->p.held.since > 0 ? h->p.held.since : 0;
    h->machine = trivet_proto_phone_new(&options, (int64_t)uv_now(&h->loop));
    app_pump(h);
}

static void on_app_failed(void *owner, const char *reason) {
    struct handset *h = owner;

    TRACE("  %s cannot connect: %s\n", h->p.name, reason);
    h->connecting = false;
}

/* Connects, or asks for a sync on the connection that it has. */
static void app_syncs(struct handset *h) {
    static const client_events events = {on_app_open, on_app_failed};
    struct actor *before = world.current;

    if (h->connecting)
        return;
    TRACE("%s %s\n", h->p.name, h->ws ? "asks for a sync" : "connects");
    world.current = &h->actor;
    if (h->ws) {
        (void)trivet_proto_phone_request_sync(h->machine);
        app_pump(h);
    } else {
        h->connecting = true;
        must(client_connect(&h->loop, "192.168.1.2", PORT, 10000, NULL, &events, h) == 0, "connect");
    }
    world.current = before;
}

static void app_leaves(struct handset *h) {
    if (!h->ws)
        return;
    TRACE("%s leaves\n", h->p.name);
    (void)trivet_proto_phone_close(h->machine, TRIVET_PROTO_CLOSE_DONE, "");
    app_pump(h);
}

/* ---- both ---- */

static trivet_merge_state *phone_state(struct handset *h) {
    int64_t since;
    return h->session ? read_folder(h, &since) : clone(h->p.held.state);
}

static void edit_phone(struct handset *h) {
    struct hand hand = {h->p.name, dated(&h->actor), !h->session, NULL, h->session ? NULL : h->p.held.two};
    edit_error err = EDIT_ERROR_INIT;
    trivet_merge_state *state = NULL;
    int64_t since = 0;
    int count = the_ledger->edit_count;

    if (!h->session) {
        edit_somehow(the_ledger, h->p.held.state, &hand);
    } else {
        unsigned die_in = h->die_in;
        h->die_in = 0;
        must(phone_folder_lock(h->folder, &err) == 0 &&
                 phone_folder_read(h->folder, &state, &since, &err) == 0,
             err.message);
        edit_somehow(the_ledger, state, &hand);
        must(phone_folder_write(h->folder, state, since, &err) == 0, err.message);
        phone_folder_unlock(h->folder);
        trivet_merge_state_free(state);
        h->die_in = die_in;
    }
    note_author(count, (int)h->actor.number);
}

static void pair_phone(unsigned number, const struct handset *twin) {
    struct handset *h = &phones[number];
    store_error err = STORE_ERROR_INIT;
    edit_error refusal = EDIT_ERROR_INIT;
    trivet_proto_pairing pairing = {.ip = "192.168.1.2", .port = PORT, .has_k = true};
    device d = {0};

    *h = (struct handset){.actor = {.name = h->p.name, .number = number}};
    snprintf(h->p.name, sizeof h->p.name, "phone%u", number);
    h->version_2 = !twin && pick(2);
    h->session = h->version_2 || pick(3) == 0;
    h->twin = twin != NULL;
    if (twin) {
        phones[number - 1].twin = true;
        memcpy(h->p.device, twin->p.device, sizeof h->p.device);
        memcpy(h->secret, twin->secret, sizeof h->secret);
        pairing.has_k = false;
    } else {
        /* The code does not lapse, wherever clocks jump to. */
        must(device_create(the_store, NULL, NULL, wall_of(NULL) * 4, &d, h->secret, pairing.k, &err) == 0,
             err.message);
        memcpy(h->p.device, d.id, sizeof h->p.device);
        char *key = trivet_proto_base64_encode(pairing.k, sizeof pairing.k);
        snprintf(h->key, sizeof h->key, "%s", key);
        free(key);
        keep_secret(h->secret, 36);
        keep_secret(h->key, 43);
    }
    TRACE("%s has code %s and version %d%s\n", h->p.name, h->p.device, h->version_2 ? 2 : 1,
          h->session ? "" : " of the app");
    if (h->session) {
        snprintf(h->path, sizeof h->path, "%s/phone%u", the_folder, number);
        memcpy(pairing.secret, h->secret, sizeof pairing.secret);
        memcpy(pairing.device, h->p.device, strlen(h->p.device) + 1);
        nftw(h->path, remove_one, 8, FTW_DEPTH | FTW_PHYS);
        must(phone_folder_init(h->path, &pairing, h->p.name, &refusal) == 0 &&
                 phone_folder_open(h->path, &h->folder, &refusal) == 0,
             refusal.message);
        return;
    }
    struct actor *before = world.current;
    world.current = &h->actor;
    uv_loop_init(&h->loop);
    world.current = before;
    uv_timer_init(&h->loop, &h->timer);
    h->timer.data = h;
    must(trivet_merge_state_new(&h->p.held.state) == 0 && trivet_merge_pad(h->p.held.state, NULL, 6) == 0,
         "out of memory");
}

static void retire_phone(struct handset *h) {
    phone_folder_close(h->folder);
    release(&h->p.held);
}

#endif
