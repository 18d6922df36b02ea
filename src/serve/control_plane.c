/*
 * Requests of `trivet` commands to the running server. Most run on the worker as they would without a server,
 * and are then completed with what only the server knows; `sync` and `resolve` are about running syncs.
 */
#include "serve/control_plane.h"

#include "log.h"
#include "net/control.h"
#include "serve/connection.h"
#include "serve/control_jots.h"
#include "serve/counts.h"
#include "serve/reachable.h"
#include "serve/requests.h"
#include "serve/sync.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

struct control_plane {
    control_plane_options options;
    control_server *server;
};

static bool is_request(const json_t *request, const char *name) {
    const char *what = json_string_value(json_object_get(request, "do"));
    return what && strcmp(what, name) == 0;
}

static void refuse(control_call *call, int status, const char *message) {
    control_answer(call, requests_refusal(status, "%s", message), NULL, 0);
}

/* ---- requests on the store ---- */

struct store_call {
    worker_job job;
    char server_name[257]; /* copied: a reload may change it meanwhile */
    control_plane *plane;
    control_call *call;
    json_t *request, *response;
    char *raw, *raw_out;
    size_t raw_len, raw_out_len;
    bool changed; /* the store */
    store_error failure;
};

static void run_request(worker_job *job) {
    struct store_call *r = (struct store_call *)job;
    const control_plane_options *o = &r->plane->options;
    reachable_address best;

    reachable_best(&best);
    requests_context context = {.store = o->host->store,
                                .server_name = r->server_name,
                                .ip = best.text,
                                .port = o->port,
                                .now = wall_clock(),
                                .failure = &r->failure};
    int64_t changes = store_changes(o->host->store);
    requests_run(&context, r->request, r->raw, r->raw_len, &r->response, &r->raw_out, &r->raw_out_len);
    r->changed = store_changes(o->host->store) != changes;
}

static void mark_connected(const host *h, json_t *devices) {
    json_t *entry;
    size_t i;

    json_array_foreach(devices, i, entry) {
        const char *id = json_string_value(json_object_get(entry, "id"));
        const connection *c = id ? connection_find(h, id) : NULL;
        const char *kind;
        int64_t question = c && connection_sync(c) ? sync_question(connection_sync(c), &kind) : 0;
        json_object_set_new(entry, "connected", json_boolean(c));
        json_object_set_new(entry, "question", json_integer(question));
    }
}

static json_t *mdns_json(const mdns *m) {
    static const char *const names[] = {
        [MDNS_OFF] = "off", [MDNS_WAITING] = "waiting", [MDNS_ANNOUNCED] = "announced"};
    json_t *object = json_pack("{s:s}", "state", names[mdns_get_state(m)]);

    if (mdns_name(m)[0])
        json_object_set_new(object, "name", json_string(mdns_name(m)));
    if (mdns_reason(m)[0])
        json_object_set_new(object, "reason", json_string(mdns_reason(m)));
    return object;
}

static void complete_status(const control_plane_options *o, json_t *status) {
    reachable_address addresses[REACHABLE_MAX];
    size_t count = reachable_all(addresses), connections = 0, pending = 0;
    json_t *list = json_array();
    const char *kind;

    for (size_t i = 0; i < count; i++)
        json_array_append_new(list, json_string(addresses[i].text));
    for (connection *c = o->host->connections; c; c = connection_next(c)) {
        connections += connection_is_open(c);
        pending += connection_sync(c) && sync_question(connection_sync(c), &kind) != 0;
    }
    json_object_set_new(status, "running", json_true());
    json_object_set_new(status, "pid", json_integer(getpid()));
    json_object_set_new(status, "uptime", json_integer((wall_clock() - o->started) / 1000));
    json_object_set_new(status, "version", json_string(TRIVET_VERSION));
    json_object_set_new(status, "arrived", json_boolean(o->host->arrived));
    json_object_set_new(status, "code_made", json_boolean(o->host->code_made));
    json_object_set_new(status, "port", json_integer(o->port));
    json_object_set_new(status, "addresses", list);
    json_object_set_new(status, "mdns", mdns_json(o->mdns));
    json_object_set_new(status, "allow", json_string(o->host->config->allow_any ? "any" : "local"));
    json_object_set_new(status, "connections", json_integer((json_int_t)connections));
    json_object_set_new(status, "pending", json_integer((json_int_t)pending));
}

/* A revoked device is cut off at once (protocol §6). */
static void cut_off(const host *h, const json_t *response) {
    const char *id = json_string_value(json_object_get(response, "device"));
    connection *c = id ? connection_find(h, id) : NULL;

    if (c)
        connection_close(c, TRIVET_PROTO_CLOSE_REVOKED, "This device was revoked");
}

/* What others want to know of a request that was granted. */
static void tell(const struct store_call *r) {
    host *h = r->plane->options.host;
    const char *device = json_string_value(json_object_get(r->response, "device"));
    const char *name = json_string_value(json_object_get(r->response, "name"));

    if (is_request(r->request, "pair")) {
        h->code_made = true;
        event_emit(h, &(server_event){.kind = EVENT_CODE_MADE, .device = device});
    }
    if (is_request(r->request, "revoke"))
        event_emit(h, &(server_event){.kind = EVENT_DEVICE_REVOKED, .device = device, .name = name});
    if (r->changed && !is_request(r->request, "jots_want"))
        event_emit(h, &(server_event){.kind = EVENT_COMMIT, .word = "edit"});
}

static void done_request(worker_job *job) {
    struct store_call *r = (struct store_call *)job;
    const control_plane_options *o = &r->plane->options;

    if (json_is_true(json_object_get(r->response, "ok"))) {
        if (is_request(r->request, "devices"))
            mark_connected(o->host, json_object_get(r->response, "devices"));
        else if (is_request(r->request, "status"))
            complete_status(o, r->response);
        else if (is_request(r->request, "revoke"))
            cut_off(o->host, r->response);
        else if (is_request(r->request, "jots_want"))
            json_object_set_new(r->response, "connected",
                                json_boolean(control_jots_look(
                                    o->host, json_string_value(json_object_get(r->response, "device")))));
        tell(r);
        if ((is_request(r->request, "revoke") || is_request(r->request, "pair")) &&
            o->host->on_devices_changed)
            o->host->on_devices_changed(o->host->owner);
    }
    if (r->failure.code)
        event_store_error(o->host, &r->failure);
    control_answer(r->call, r->response, r->raw_out, r->raw_out_len);
    json_decref(r->request);
    free(r->raw);
    free(r);
}

static void ask_store(control_plane *p, control_call *call, json_t *request, char *raw, size_t raw_len) {
    struct store_call *r = calloc(1, sizeof *r);

    if (!r) {
        refuse(call, EX_OSERR, "out of memory");
        json_decref(request);
        free(raw);
        return;
    }
    r->job = (worker_job){run_request, done_request, NULL};
    snprintf(r->server_name, sizeof r->server_name, "%s", p->options.server_name);
    r->plane = p;
    r->call = call;
    r->request = request;
    r->raw = raw;
    r->raw_len = raw_len;
    worker_submit(p->options.host->worker, &r->job);
}

/* ---- sync ---- */

/* One `sync` request and the syncs that it waits for. */
struct sync_call {
    control_call *call;
    size_t open; /* syncs that have not ended, and one while they are being started */
    json_t *results;
};

static void sync_call_let_go(struct sync_call *w) {
    if (--w->open > 0)
        return;
    control_answer(w->call, json_pack("{s:b, s:o}", "ok", 1, "results", w->results), NULL, 0);
    free(w);
}

static void on_sync_ended(void *ctx, const char *device, const char *outcome,
                          const trivet_merge_counts *counts) {
    struct sync_call *w = ctx;
    json_t *result = json_pack("{s:s, s:s}", "device", device, "outcome", outcome);

    if (counts)
        json_object_set_new(result, "counts", counts_json(counts));
    json_array_append_new(w->results, result);
    sync_call_let_go(w);
}

static bool is_wanted(const connection *c, const char *typed) {
    return connection_is_open(c) && (!typed || strncmp(connection_device(c), typed, strlen(typed)) == 0 ||
                                     strcmp(connection_label(c), typed) == 0);
}

static void ask_sync(control_plane *p, control_call *call, const json_t *request) {
    const char *typed = json_string_value(json_object_get(request, "device"));
    bool wait = json_is_true(json_object_get(request, "wait"));
    json_t *started = json_array();
    struct sync_call *w = wait ? calloc(1, sizeof *w) : NULL;

    if (wait && w)
        *w = (struct sync_call){call, 1, json_array()};
    for (connection *c = p->options.host->connections; c && (w || !wait); c = connection_next(c)) {
        sync_run *s = is_wanted(c, typed) ? connection_start_sync(c) : NULL;
        if (!s)
            continue;
        json_array_append_new(started, json_string(connection_device(c)));
        if (w && sync_wait(s, on_sync_ended, w) == 0)
            w->open++;
    }
    size_t count = json_array_size(started);
    if ((wait && !w) || count == 0) {
        refuse(call, 1,
               wait && !w ? "out of memory"
               : typed    ? "that phone is not connected: open the app on it, in the same network"
                          : "no phone is connected: open the app on one, in the same network");
        if (w)
            json_decref(w->results);
        free(w);
        json_decref(started);
    } else if (w) {
        json_decref(started);
        sync_call_let_go(w);
    } else {
        control_answer(call, json_pack("{s:b, s:o}", "ok", 1, "started", started), NULL, 0);
    }
}

/* ---- resolve ---- */

static sync_run *find_question(const host *h, int64_t id, size_t *count) {
    sync_run *found = NULL;
    const char *kind;

    *count = 0;
    for (connection *c = h->connections; c; c = connection_next(c)) {
        sync_run *s = connection_sync(c);
        int64_t open = s ? sync_question(s, &kind) : 0;
        if (open && (id == 0 || open == id)) {
            found = s;
            (*count)++;
        }
    }
    return found;
}

/* 0 or more: ties still unanswered; -1: the answer does not fit. */
static int pick(sync_run *s, const char *side, const json_t *ties) {
    size_t count = json_array_size(ties), *numbers = count ? calloc(count, sizeof *numbers) : NULL;
    bool phone = strcmp(side, "phone") == 0, fits = phone || strcmp(side, "computer") == 0;

    for (size_t i = 0; i < count && numbers; i++) {
        json_int_t n = json_integer_value(json_array_get(ties, i));
        fits = fits && n >= 1;
        numbers[i] = (size_t)n;
    }
    int left = fits && (numbers || !count)
                   ? sync_pick(s, phone ? TRIVET_MERGE_PHONE : TRIVET_MERGE_COMPUTER, numbers, count)
                   : -1;
    free(numbers);
    return left;
}

static int choose(sync_run *s, const char *use) {
    static const struct {
        const char *name;
        trivet_merge_large large;
    } choices[] = {{"computer", TRIVET_MERGE_LARGE_COMPUTER},
                   {"phone", TRIVET_MERGE_LARGE_PHONE},
                   {"both", TRIVET_MERGE_LARGE_BOTH}};

    for (size_t i = 0; i < sizeof choices / sizeof choices[0]; i++)
        if (strcmp(choices[i].name, use) == 0)
            return sync_choose(s, choices[i].large);
    return -1;
}

static void ask_resolve(control_plane *p, control_call *call, const json_t *request) {
    const json_t *id = json_object_get(request, "id");
    const char *side = json_string_value(json_object_get(request, "pick"));
    const char *use = json_string_value(json_object_get(request, "use"));
    bool give_up = json_is_true(json_object_get(request, "cancel"));
    const char *kind = "";
    size_t count;
    sync_run *s = find_question(p->options.host, json_integer_value(id), &count);

    if (!s) {
        refuse(call, 1,
               id ? "there is no open question with that number: see `trivet pending`"
                  : "no question is open");
        return;
    }
    if (count > 1) {
        refuse(call, EX_USAGE, "several questions are open: give the number of one, see `trivet pending`");
        return;
    }
    int64_t question = sync_question(s, &kind);
    int left = 0;
    if (give_up)
        sync_cancel(s);
    else
        left = side ? pick(s, side, json_object_get(request, "ties")) : use ? choose(s, use) : -1;
    if (left < 0) {
        bool tie = strcmp(kind, "tie") == 0;
        refuse(call, EX_USAGE,
               tie ? "this question is about ties: answer with --pick phone or --pick computer (--tie N for "
                     "one of them)"
                   : "this question is about a large change: answer with --use computer, --use phone or "
                     "--use both");
        return;
    }
    control_answer(call,
                   json_pack("{s:b, s:I, s:s, s:i}", "ok", 1, "id", (json_int_t)question, "outcome",
                             give_up     ? "cancelled"
                             : left == 0 ? "resolved"
                                         : "waiting",
                             "left", left),
                   NULL, 0);
}

/* ---- the socket ---- */

static void on_request(void *owner, control_call *call, json_t *request, char *raw, size_t raw_len) {
    control_plane *p = owner;
    const char *name = json_string_value(json_object_get(request, "do"));

    if (name && requests_known(name)) {
        ask_store(p, call, request, raw, raw_len);
        return;
    }
    if (is_request(request, "sync"))
        ask_sync(p, call, request);
    else if (is_request(request, "resolve"))
        ask_resolve(p, call, request);
    else if (!control_jots(p->options.host, call, request))
        refuse(call, EX_PROTOCOL, "the running server does not know this request: is it of another version?");
    json_decref(request);
    free(raw);
}

static void on_closed(void *owner) {
    (void)owner; /* freed with the rest when the loop has ended */
}

int control_plane_new(const control_plane_options *options, control_plane **out) {
    static const control_events events = {on_request, on_closed};
    control_plane *p = calloc(1, sizeof *p);
    char *path = NULL;
    int rc = UV_ENOMEM;

    if (p && asprintf(&path, "%s/control.sock", store_folder(options->host->store)) > 0) {
        p->options = *options;
        rc = control_server_new(options->host->loop, path, &events, p, &p->server);
        free(path);
    }
    if (rc == 0)
        *out = p;
    else
        free(p);
    return rc;
}

void control_plane_close(control_plane *p) {
    control_server_close(p->server);
}

void control_plane_free(control_plane *p) {
    if (!p)
        return;
    control_server_free(p->server);
    free(p);
}
