/*
 * The running server: store, worker, listener and control socket brought up in this order and torn down in
 * reverse. What phones say goes to connection.c, what commands ask to control.c.
 */
#include "serve/serve.h"

#include "fixture/keep.h"
#include "log.h"
#include "net/address.h"
#include "serve/connection.h"
#include "serve/control_plane.h"
#include "serve/event_log.h"
#include "serve/exposition.h"
#include "serve/hook.h"
#include "serve/jots_dir.h"
#include "serve/mdns.h"
#include "serve/metrics.h"
#include "serve/moved.h"
#include "serve/notify.h"
#include "serve/pairing_code.h"
#include "serve/reachable.h"
#include "serve/requests.h"
#include "serve/roster.h"
#include "serve/watchdog.h"
#include "store/access.h"
#include "serve/upkeep.h"
#include "store/device.h"
#include "store/jot.h"
#include "store/jot_content.h"
#include "store/question.h"

#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

enum { SERVER_ID_LEN = 16 };

struct server {
    uv_loop_t loop;
    config *config; /* ours; a reload puts another in its place */
    const reload_source *source;
    worker worker, files, openings;
    host host;
    control_plane *control;
    hook *hook;
    metrics *metrics;
    upkeep *upkeep;
    mdns *mdns; /* NULL: nothing is announced */
    moved_watch *moved;
    watchdog watchdog;
    uv_signal_t signals[3];
    char name[257], id[SERVER_ID_LEN + 1];
    int64_t started; /* ms since 1970 */
    roster *roster;  /* NULL until the store was read */
    bool stopping, hurried, listener_closed, on_terminal;
};

/* ---- plain HTTP (protocol §1) ---- */

static void answer_json(http_response *response, json_t *body) {
    response->status = 200;
    response->content_type = "application/json";
    response->body = body ? json_dumps(body, JSON_COMPACT) : NULL;
    response->len = response->body ? strlen(response->body) : 0;
    json_decref(body);
}

/* Numbers about a household are for who was meant to have them: without a word in the settings, this computer's
 * own users. */
static void answer_metrics(struct server *s, const http_request *request, http_response *response) {
    response->content_type = "text/plain";
    if (s->config->metrics == METRICS_OFF)
        return; /* 404 */
    if (s->config->metrics == METRICS_LOCAL && !request->loopback) {
        response->status = 403;
        response->body = strdup("metrics = on, in the settings, lets other computers read this\n");
    } else if ((response->body = metrics_text(s->metrics, &response->len))) {
        response->status = 200;
        response->content_type = EXPOSITION_TYPE;
    } else {
        response->status = 500;
    }
    response->len = response->body ? strlen(response->body) : 0;
}

/* Remembers that the network lets others through, for `trivet doctor`. */
static void arrived(struct server *s, const char *address) {
    if (!s->host.arrived && address[0] && !reachable_is_own(address))
        s->host.arrived = true;
}

static void on_http(void *owner, const http_request *request, http_response *response) {
    struct server *s = owner;
    bool ping = strcmp(request->path, "/ping") == 0, health = strcmp(request->path, "/health") == 0;
    bool numbers = strcmp(request->path, "/metrics") == 0;
    char *proof = roster_prove(s->roster, request);

    arrived(s, request->address);
    if (!ping && !health && !numbers && !proof)
        return; /* 404 */
    if (strcmp(request->method, "GET") != 0) {
        response->status = 405;
        response->allow = "GET, HEAD";
    } else if (proof) {
        answer_json(response, json_pack("{s:s, s:s}", "status", "ok", "proof", proof));
    } else if (numbers) {
        answer_metrics(s, request, response);
    } else if (ping) {
        answer_json(response, json_pack("{s:s, s:s}", "status", "ok", "deviceId", s->name));
    } else {
        answer_json(response, json_pack("{s:s, s:s, s:I, s:I}", "status", "ok", "version", TRIVET_VERSION,
                                        "uptime", (json_int_t)((wall_clock() - s->started) / 1000), "devices",
                                        (json_int_t)roster_devices(s->roster)));
    }
    free(proof);
}

static void on_websocket(void *owner, websocket *ws) {
    struct server *s = owner;

    arrived(s, websocket_address(ws));
    connection_open(&s->host, ws);
}

/* The listener's reasons by kind (serve/event.h). */
static const char *refusal_word(const char *reason) {
    static const struct {
        const char *reason, *word;
    } words[] = {{"address", "address"},
                 {"host", "host"},
                 {"origin", "origin"},
                 {"time-out", "time-out"},
                 {"too many from this address", "crowded"},
                 {"too many connections", "crowded"},
                 {"upgrade", "request"},
                 {"WebSocket version", "request"},
                 {"WebSocket key", "request"},
                 {"malformed request", "request"},
                 {"head too large", "request"},
                 {"body too large", "request"},
                 {"HTTP version", "request"}};

    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strcmp(words[i].reason, reason) == 0)
            return words[i].word;
    return "failed";
}

static void on_refused(void *owner, const char *address, const char *reason) {
    struct server *s = owner;

    arrived(s, address);
    event_emit(&s->host, &(server_event){.kind = EVENT_CONNECTION_REFUSED,
                                         .address = address,
                                         .word = refusal_word(reason),
                                         .reason = reason});
}

/* ---- what must be known of devices here, read on the worker ---- */

struct read_roster {
    worker_job job;
    struct server *server;
    roster *roster;
};

static void take_roster(struct server *s, roster *fresh) {
    if (!fresh)
        return;
    if (s->host.listener)
        listener_set_known_hosts(s->host.listener, roster_names(fresh));
    roster_free(s->roster);
    s->roster = fresh;
}

static void run_read(worker_job *job) {
    struct read_roster *r = (struct read_roster *)job;
    r->roster = roster_read(r->server->host.store);
}

static void done_read(worker_job *job) {
    struct read_roster *r = (struct read_roster *)job;
    take_roster(r->server, r->roster);
    free(r);
}

static void on_devices_changed(void *owner) {
    struct read_roster *r = calloc(1, sizeof *r);

    if (!r)
        return;
    *r = (struct read_roster){.job = {run_read, done_read, NULL}, .server = owner};
    moved_watch_look(r->server->moved);
    worker_submit(&r->server->worker, &r->job);
}

/* ---- settings ---- */

static void set_name(struct server *s) {
    if (s->config->name[0])
        snprintf(s->name, sizeof s->name, "%s", s->config->name);
    else if (gethostname(s->name, sizeof s->name - 1) != 0 || !s->name[0])
        snprintf(s->name, sizeof s->name, "trivet");
}

static void listener_settings(const struct server *s, listener_options *out) {
    const config *c = s->config;

    *out = (listener_options)LISTENER_OPTIONS_INIT;
    out->host = c->host[0] ? c->host : NULL;
    out->port = c->port;
    out->allow_any = c->allow_any;
    out->server_name = s->name;
    out->known_hosts = roster_names(s->roster);
    out->extra_host = out->host; /* whoever was told to reach it by that name may */
    /* The protocol's machine ends a slow handshake with 4002; the listener's own limit is for what never gets
     * so far. */
    out->unauthenticated_timeout = (uint64_t)c->handshake_timeout;
    out->unauthenticated_per_address = c->unauthenticated_per_address;
    out->unauthenticated_max = c->unauthenticated_max;
    out->websocket.max_queued = c->max_queued;
}

static void warn_of_strangers(const struct server *s) {
    if (s->config->allow_any)
        log_warning(
            "connections from any address are accepted (allow = any): use this behind a firewall only");
}

static void use_config(struct server *s, config *c) {
    free(s->config);
    s->config = c;
    s->host.config = c;
    log_set_level((enum log_level)c->log_level);
    log_set_format((enum log_format)c->log_format);
    set_name(s);
}

static void reload(struct server *s) {
    listener_options options;
    config *fresh;

    notify_reloading();
    if ((fresh = reload_config(s->source, s->config))) {
        use_config(s, fresh);
        warn_of_strangers(s);
        listener_settings(s, &options);
        if (listener_update(s->host.listener, &options) != 0)
            log_error("out of memory: new connections are treated as before");
        mdns_rename(s->mdns, s->name);
    }
    notify("READY=1");
}

/* ---- stopping: each part says when it is closed; the loop ends when nothing is left ---- */

static void close_control(struct server *s) {
    if (!s->control)
        return;
    control_plane_close(s->control);
    if (s->hurried)
        control_plane_close(s->control);
}

static void on_listener_closed(void *owner) {
    struct server *s = owner;
    s->listener_closed = true;
    close_control(s);
}

static void stop(struct server *s) {
    if (s->stopping)
        return;
    s->stopping = s->host.stopping = true;
    notify("STOPPING=1");
    if (s->metrics)
        metrics_close(s->metrics);
    upkeep_close(s->upkeep);
    mdns_close(s->mdns);
    hook_close(s->hook);
    moved_watch_close(s->moved);
    listener_close(s->host.listener);
}

/* Asked twice, nobody waits for peers any more; what the worker has begun is still finished. */
static void hurry(struct server *s) {
    if (s->hurried)
        return;
    s->hurried = true;
    listener_close(s->host.listener);
    if (s->listener_closed)
        close_control(s);
}

static void on_signal(uv_signal_t *handle, int number) {
    struct server *s = handle->data;
    const char *name = number == SIGTERM ? "SIGTERM" : number == SIGINT ? "SIGINT" : "SIGHUP";

    /* A terminal that was closed sends one too, and then is none any more. */
    if (number == SIGHUP && (!s->on_terminal || isatty(STDERR_FILENO))) {
        reload(s);
        return;
    }
    log_info("stopping%s (%s)", s->stopping ? " at once" : "", name);
    if (s->stopping)
        hurry(s);
    else
        stop(s);
}

static int watch_signals(struct server *s) {
    static const int numbers[] = {SIGTERM, SIGINT, SIGHUP};

    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a file over the user's limit is a full disk, told as one */
    s->on_terminal = isatty(STDERR_FILENO);
    for (int i = 0; i < 3; i++) {
        uv_signal_init(&s->loop, &s->signals[i]);
        s->signals[i].data = s;
        uv_unref((uv_handle_t *)&s->signals[i]); /* to the end, and without holding it up */
        if (uv_signal_start(&s->signals[i], on_signal, numbers[i]) != 0)
            return EX_OSERR;
    }
    return 0;
}

/* ---- starting ---- */

/* What names this server on the network, from its first start on. It is no secret. */
static int read_id(struct server *s, store_error *err) {
    int rc = store_meta_get(s->host.store, "server.id", s->id, sizeof s->id, err);

    if (rc != STORE_NONE)
        return rc;
    store_random_id(s->id, SERVER_ID_LEN);
    return store_meta_set(s->host.store, "server.id", s->id, err);
}

static void on_access(void *ctx, bool tightened, const char *what) {
    (void)ctx;
    (void)tightened;
    log_warning("%s", what);
}

/* The folder holds everything in the clear: nobody else may look into it. One that is not there yet is made so. */
static int check_access(const char *folder, store_error *err) {
    return access(folder, F_OK) == 0 ? access_check(folder, true, on_access, NULL, err) : 0;
}

static int open_store(struct server *s, const char *folder) {
    store_error err = STORE_ERROR_INIT;

    if (check_access(folder, &err) == 0 && store_open(folder, STORE_CREATE, &s->host.store, &err) == 0 &&
        read_id(s, &err) == 0 && question_drop_all(s->host.store, &err) == 0 &&
        device_drop_lapsed(s->host.store, wall_clock(), &err) == 0 &&
        jot_partial_sweep(s->host.store, &err) == 0) {
        store_remember(s->host.store);
        jot_content_sweep(folder);
        take_roster(s, roster_read(s->host.store));
        return 0;
    }
    if (err.code == STORE_LOCKED && err.holder)
        log_error("%s is in use by process %ld: stop it first, or choose another folder with --data", folder,
                  err.holder);
    else
        log_error("%s", err.message);
    return err.status ? err.status : EX_SOFTWARE;
}

/* Told at once, not when a merge is lost. */
static int prepare_record(const struct server *s) {
    char why[1200];

    if (!s->config->record[0] || fixture_keep_prepare(s->config->record, why, sizeof why))
        return 0;
    log_error("merges cannot be recorded: %s", why);
    return EX_CANTCREAT;
}

static int start_listener(struct server *s) {
    static const listener_events events = {on_http, on_websocket, on_refused, on_listener_closed};
    const config *c = s->config;
    listener_options options;

    listener_settings(s, &options);
    int rc = listener_new(&s->loop, &options, &events, s, &s->host.listener);
    if (rc == 0)
        return 0;
    const char *where = c->host[0] ? c->host : "all addresses";
    if (rc == UV_EADDRINUSE)
        log_error("port %u is in use: stop what uses it, or choose another with --port", c->port);
    else if (rc == UV_EACCES)
        log_error("port %u needs more rights than this user has: choose one above 1023 with --port", c->port);
    else if (rc == UV_EADDRNOTAVAIL || rc == UV_EINVAL)
        log_error("%s is no address of this computer: leave --host out for all, or see `ip addr`", where);
    else
        log_error("cannot listen on %s, port %u: %s", where, c->port, uv_strerror(rc));
    return EX_UNAVAILABLE;
}

/* Where that does not succeed the server is there all the same: phones have its address from their codes. */
static int start_network(struct server *s) {
    mdns_options options = {
        .loop = &s->loop, .name = s->name, .id = s->id, .port = listener_port(s->host.listener)};

    options.bound_count = listener_bound(s->host.listener, &options.bound);
    if (s->config->mdns)
        s->mdns = mdns_new(&options);
    s->moved = moved_watch_new(&s->host, options.port);
    return 0;
}

static int start_control(struct server *s) {
    control_plane_options options = {&s->host, s->name, listener_port(s->host.listener), s->started, s->mdns};
    int rc = control_plane_new(&options, &s->control);

    if (rc == 0)
        return 0;
    log_error("%s/control.sock: %s", store_folder(s->host.store), uv_strerror(rc));
    return EX_CANTCREAT;
}

static int start_metrics(struct server *s) {
    if ((s->metrics = metrics_new(&s->host, s->started)))
        return 0;
    log_error("out of memory");
    return EX_OSERR;
}

/* ---- what a person sees first ---- */

static void print_addresses(uint16_t port) {
    reachable_address addresses[REACHABLE_MAX];
    size_t count = reachable_all(addresses);

    for (size_t i = 0; i < count; i++)
        log_greeting("%s http://%s:%u", i ? "      " : "phones:", addresses[i].text, port);
}

/* A code is a secret: it is shown to a person at a terminal, and never written to what may be a log. */
static void show_first_code(struct server *s) {
    reachable_address best;
    json_t *request = json_pack("{s:s}", "do", "pair"), *response = NULL;
    char *raw = NULL, *text = NULL;
    size_t raw_len;
    trivet_proto_pairing pairing;
    trivet_proto_error err;

    reachable_best(&best);
    requests_context context = {.store = s->host.store,
                                .server_name = s->name,
                                .ip = best.text,
                                .port = listener_port(s->host.listener),
                                .now = wall_clock()};
    if (request)
        requests_run(&context, request, NULL, 0, &response, &raw, &raw_len);
    s->host.code_made = true;
    if (response && json_is_true(json_object_get(response, "ok")))
        text = json_dumps(response, JSON_COMPACT);
    if (text && trivet_proto_pairing_decode(text, strlen(text), &pairing, &err) == 0) {
        fprintf(stderr, "\nNo phone is paired yet. Scan this with the app within 10 minutes:\n\n");
        pairing_show(stderr, &pairing, pairing_colour(stderr));
        fprintf(stderr, "\n`trivet pair` makes another code.\n");
    }
    sodium_memzero(&pairing, sizeof pairing);
    if (text)
        sodium_memzero(text, strlen(text));
    free(text);
    free(raw);
    json_decref(request);
    json_decref(response);
}

/* A name stands for each of its addresses that this computer has. */
static void print_listening(const struct server *s, uint16_t port) {
    const struct sockaddr_storage *bound;
    size_t count = listener_bound(s->host.listener, &bound), len = 0;
    const char *where = s->config->host[0] ? s->config->host : "[::]";
    bool bare = strchr(where, ':') && where[0] != '[';
    char also[LISTENER_ADDRESSES * (ADDRESS_SIZE + 2) + 4] = "";

    for (size_t i = 0; i < count && count > 1; i++) {
        char address[ADDRESS_SIZE];
        address_format((const struct sockaddr *)&bound[i], address);
        len += (size_t)snprintf(also + len, sizeof also - len, "%s%s%s", i ? ", " : " (", address,
                                i + 1 == count ? ")" : "");
    }
    log_greeting("listening on %s%s%s:%u%s", bare ? "[" : "", where, bare ? "]" : "", port, also);
}

static void greet(struct server *s) {
    uint16_t port = listener_port(s->host.listener);

    log_greeting("trivet %s keeps its data in %s", TRIVET_VERSION, store_folder(s->host.store));
    print_addresses(port);
    warn_of_strangers(s);
    if (s->config->record[0])
        log_greeting("each merge is recorded in %s, with stand-ins for texts; numbers stay",
                     s->config->record);
    if (roster_devices(s->roster) == 0 && isatty(STDERR_FILENO))
        show_first_code(s);
    else if (roster_devices(s->roster) == 0)
        log_greeting("No phone is paired yet: `trivet pair` shows a code.");
    print_listening(s, port);
    notify("READY=1");
    watchdog_start(&s->watchdog, &s->loop, &s->worker, WATCHDOG_PATIENCE_MS);
}

/* ---- all of it ---- */

int serve_run(const char *folder, const config *c, const reload_source *source) {
    struct server *s = calloc(1, sizeof *s);
    config *own = malloc(sizeof *own);
    int status = EX_OSERR;

    /*
     * SQLite and merges run one at a time, and so do the writing of files and the opening of large messages: more threads
     * would only sleep. One is left for name look-ups.
     */
    setenv("UV_THREADPOOL_SIZE", "4", 0);
#ifdef M_ARENA_MAX
    mallopt(M_ARENA_MAX, 1); /* what one thread frees, the other may use: an idle server stays small */
#endif
    if (!s || !own || sodium_init() < 0 || uv_loop_init(&s->loop) != 0) {
        free(s);
        free(own);
        log_error("out of memory");
        return EX_OSERR;
    }
    *own = *c;
    s->source = source;
    s->started = wall_clock();
    worker_init(&s->worker, &s->loop);
    worker_init(&s->files, &s->loop);
    worker_init(&s->openings, &s->loop);
    s->host = (host){.loop = &s->loop,
                     .worker = &s->worker,
                     .files = &s->files,
                     .openings = &s->openings,
                     .on_devices_changed = on_devices_changed,
                     .owner = s};
    use_config(s, own);
    event_log_start(&s->host);
    if (!(s->hook = hook_new(&s->host)))
        log_warning("hook: out of memory, it will not be run");
    if ((status = prepare_record(s)) == 0 && (status = open_store(s, folder)) == 0 &&
        (status = watch_signals(s)) == 0 && (status = start_listener(s)) == 0 &&
        (status = start_network(s)) == 0 && (status = start_control(s)) == 0 &&
        (status = start_metrics(s)) == 0 &&
        (status = (s->upkeep = upkeep_new(&s->host)) ? 0 : EX_OSERR) == 0) {
        s->host.jots_dir = jots_dir_new(&s->host);
        greet(s);
    } else if (s->host.listener)
        stop(s);
    uv_run(&s->loop, UV_RUN_DEFAULT);
    watchdog_stop(&s->watchdog);
    for (int i = 0; i < 3; i++)
        if (s->signals[i].data)
            uv_close((uv_handle_t *)&s->signals[i], NULL);
    uv_run(&s->loop, UV_RUN_DEFAULT);

    upkeep_free(s->upkeep);
    jots_dir_free(s->host.jots_dir);
    metrics_free(s->metrics);
    control_plane_free(s->control);
    mdns_free(s->mdns);
    hook_free(s->hook);
    moved_watch_free(s->moved);
    listener_free(s->host.listener);
    roster_free(s->roster);
    store_close(s->host.store);
    uv_loop_close(&s->loop);
    free(s->config);
    free(s);
    return status;
}
