/*
 * Between "no one listens on the socket" and "the store is locked" lies a moment in which a server starts or
 * stops, or another command works. So the two are tried in turn for a few seconds before a command gives up.
 */
#include "cli/client.h"

#include "cli/print.h"
#include "net/control.h"
#include "serve/config.h"
#include "serve/reachable.h"
#include "serve/requests.h"
#include "serve/upkeep.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

enum { PATIENCE_MS = 3000, GRACE_MS = 500, PAUSE_MS = 20, LONG_TEXT = 64 * 1024 };

typedef struct {
    const cli_common *common;
    json_t *request;
    const char *raw;
    size_t raw_len;
    unsigned flags;
} call;

void reply_release(reply *r) {
    json_decref(r->response);
    free(r->raw);
    *r = (reply){0};
}

/* ---- the server --------------------------------------------------------------------------------------- */

/* -1: no server listens. */
static int ask_server(const call *c, reply *out) {
    char path[PATH_MAX + 16];
    int fd, code;

    snprintf(path, sizeof path, "%s/control.sock", c->common->data);
    if ((fd = control_connect(path)) < 0)
        return -1;
    out->from_server = true;
    code =
        control_call_blocking(fd, c->request, c->raw, c->raw_len, &out->response, &out->raw, &out->raw_len);
    close(fd);
    if (code != 0)
        return print_failure(
            EX_UNAVAILABLE,
            "the server ended before it answered; whether it did what was asked is not known");
    return 0;
}

/* ---- the store ---------------------------------------------------------------------------------------- */

static void tell(void *ctx, const char *message) {
    (void)ctx;
    print_failure(EX_CONFIG, "%s", message);
}

/* This computer as a pairing code names it. */
static int network(config *settings, reachable_address *address) {
    config_init(settings);
    if (config_load(settings, NULL, tell, NULL) != 0)
        return EX_CONFIG;
    if (settings->name[0] == '\0' && gethostname(settings->name, sizeof settings->name) != 0)
        settings->name[0] = '\0';
    settings->name[sizeof settings->name - 1] = '\0';
    reachable_best(address);
    return 0;
}

static int run_here(const call *c, store *s, reply *out) {
    reachable_address address = {""};
    config settings = {0};
    requests_context ctx = {.store = s, .now = print_now(), .alone = true};

    if ((c->flags & CLIENT_NETWORK) && network(&settings, &address) != 0)
        return EX_CONFIG;
    ctx.server_name = settings.name;
    ctx.ip = address.text;
    ctx.port = settings.port;
    requests_run(&ctx, c->request, c->raw, c->raw_len, &out->response, &out->raw, &out->raw_len);
    return out->response ? 0 : print_failure(EX_OSERR, "out of memory");
}

/*
 * Whether there is a database, or might be one behind what may not be looked at; a log without its database and a restore that was
 * interrupted are for the store to tell of.
 */
static bool has_data(const char *folder) {
    static const char *const names[] = {"trivet.db", "trivet.db-wal", "trivet.db.next"};
    char path[PATH_MAX + 32];

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        if (access(path, F_OK) == 0 || (errno != ENOENT && errno != ENOTDIR))
            return true;
    }
    return false;
}

/* To look makes nothing. */
static int refuse_empty(const char *folder) {
    bool service = geteuid() != 0 && options_service_folder() && strcmp(folder, OPTIONS_SERVICE_FOLDER) != 0;

    return print_failure(EX_NOINPUT, "%s holds no data yet: `trivet serve` and `trivet add` make some%s",
                         folder,
                         service ? "; what this computer's service keeps is in " OPTIONS_SERVICE_FOLDER
                                   ", and `sudo trivet` finds it"
                                 : "");
}

static void ignore(void *ctx, const char *message) {
    (void)ctx;
    (void)message;
}

/*
 * Where no server ever runs, commands drop what is old (store/prune.h), once a day. Not with settings that are wrong, which
 * may have said to keep it; and no command fails because of it. A command that only looks changes nothing.
 */
static void keep_up(store *s) {
    store_error err = STORE_ERROR_INIT;
    prune_limits limits;
    config settings;
    prune *run;

    config_init(&settings);
    if (!prune_due(s, print_now()) || config_load(&settings, NULL, ignore, NULL) != 0)
        return;
    upkeep_limits(&settings, &limits);
    if ((run = prune_new(&limits)) != NULL)
        while (prune_step(run, s, print_now(), &err) > 0)
            ;
    prune_end(run, s);
}

/* -1: another process holds the store; *holder is its pid, 0 if unknown. */
static int ask_store(const call *c, reply *out, long *holder) {
    store_error err = STORE_ERROR_INIT;
    struct stat st;
    store *s;
    bool fresh;
    int status;

    if (requests_reads(reply_string(c->request, "do")) && !has_data(c->common->data))
        return refuse_empty(c->common->data);
    fresh = stat(c->common->data, &st) != 0 && errno == ENOENT;
    if (store_open(c->common->data, STORE_CREATE | STORE_TRY, &s, &err) != 0) {
        *holder = err.holder;
        return err.code == STORE_LOCKED
                   ? -1
                   : print_failure(err.status ? err.status : EX_SOFTWARE, "%s", err.message);
    }
    if (fresh) /* it may be a slip of the finger */
        print_note("%s: a new data folder was made", c->common->data);
    status = run_here(c, s, out);
    if (status == 0 && json_is_true(json_object_get(out->response, "ok")) &&
        !requests_reads(reply_string(c->request, "do")))
        keep_up(s);
    store_close(s);
    return status;
}

/* ---- either ------------------------------------------------------------------------------------------- */

static int refuse_locked(const call *c, long holder) {
    if (holder > 0)
        return print_failure(EX_TEMPFAIL,
                             "%s: process %ld holds the data folder and does not answer; wait for it, or "
                             "end it",
                             c->common->data, holder);
    return print_failure(EX_TEMPFAIL,
                         "%s: another process holds the data folder and does not answer; wait for it",
                         c->common->data);
}

/*
 * `trivet serve &` and the next command of a script start at once. A pairing code needs the server's port, and on a
 * folder that has no database yet a server is likelier than none, so these two wait a moment for one to appear.
 */
static bool may_be_starting(const call *c) {
    char path[PATH_MAX + 16];

    snprintf(path, sizeof path, "%s/trivet.db", c->common->data);
    return (c->flags & CLIENT_AWAIT) || access(path, F_OK) != 0;
}

static int ask(const call *c, reply *out) {
    const struct timespec pause = {0, PAUSE_MS * 1000000L};
    long holder = 0;

    for (int waited = 0; waited < PATIENCE_MS; waited += PAUSE_MS) {
        int status = ask_server(c, out);
        if (status >= 0)
            return status;
        if (c->flags & CLIENT_SERVER_ONLY)
            return print_failure(EX_UNAVAILABLE, "no server runs on %s; start one with `trivet serve`",
                                 c->common->data);
        if ((waited >= GRACE_MS || !may_be_starting(c)) && (status = ask_store(c, out, &holder)) >= 0)
            return status;
        nanosleep(&pause, NULL);
    }
    return refuse_locked(c, holder);
}

/* What the response says: 0, or its status after telling its message. */
static int judge(const reply *r) {
    const char *message = reply_string(r->response, "message");
    int status = (int)reply_number(r->response, "status");

    if (json_is_true(json_object_get(r->response, "ok")))
        return 0;
    return print_failure(status > 0 && status < 128 ? status : EX_SOFTWARE, "%s",
                         message[0] ? message : "the server refused");
}

int client_request(const cli_common *common, json_t *request, const char *raw, size_t raw_len, unsigned flags,
                   reply *out) {
    call c = {common, request, raw, raw_len, flags};
    int status;

    *out = (reply){0};
    if (!request)
        return print_failure(EX_DATAERR,
                             "an argument is not UTF-8; is the terminal's character set another?");
    status = ask(&c, out);
    json_decref(request);
    if (status == 0)
        status = judge(out);
    if (status != 0)
        reply_release(out);
    return status;
}

void client_set_text(json_t *request, const char *text, const char **raw, size_t *raw_len) {
    *raw = NULL;
    *raw_len = 0;
    if (strlen(text) < LONG_TEXT && json_object_set_new(request, "text", json_string(text)) == 0)
        return;
    *raw = text;
    *raw_len = strlen(text);
}

int client_state(const cli_common *common, reply *r, trivet_merge_state **state) {
    trivet_merge_error err = TRIVET_MERGE_ERROR_INIT;
    int status = client_request(common, json_pack("{s:s}", "do", "state"), NULL, 0, 0, r);

    *state = NULL;
    if (status != 0)
        return status;
    if (r->raw && trivet_merge_state_read(r->raw, r->raw_len, TRIVET_MERGE_COMPUTER, state, &err) == 0)
        return 0;
    reply_release(r);
    return print_failure(EX_DATAERR, "the stored state is damaged: %s: %s", err.path, err.reason);
}

const char *reply_string(const json_t *object, const char *key) {
    const char *value = json_string_value(json_object_get(object, key));

    return value ? value : "";
}

int64_t reply_number(const json_t *object, const char *key) {
    return json_integer_value(json_object_get(object, key));
}
