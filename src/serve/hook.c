/*
 * Running the user's command.
 *
 *     on_event: text --> waiting --> start: pipe filled, child spawned --> running --> on_ended --> closed --> next
 *                                                          on_time: SIGTERM, later SIGKILL --^
 *
 * The event is written into the pipe before the child is there, which is why it must fit: a pipe takes 4 KiB at
 * once on every system (pipe(7)), and ENTRY_MAX bounds the text. So a child that never reads holds nothing up.
 */
#include "serve/hook.h"

#include "log.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ENTRY_MAX = 4096 };

typedef struct {
    uv_process_t process; /* closed first */
    uv_timer_t timer;
    hook *hook;
    bool used, timed_out, failed;
} child;

struct hook {
    host *host;
    char *waiting[HOOK_WAITING]; /* texts from malloc; a ring */
    size_t first, count;
    uint64_t dropped; /* since the last one that was told */
    child children[HOOK_RUNNING];
    bool told; /* of a failure, and nothing has worked since */
    bool closing;
};

/* ---- what is told ---- */

/* A name as a phone sent it; the store has checked that it is UTF-8. */
static void set_text(json_t *o, const char *key, const char *text) {
    json_t *value = text[0] ? json_string(text) : NULL;

    if (value)
        json_object_set_new(o, key, value);
}

static const char *word_for(const server_event *e) {
    switch (e->kind) {
    case EVENT_QUESTION_OPENED:
        return "question";
    case EVENT_SYNC_ENDED:
        return e->first && e->counts ? "first_sync" : NULL;
    case EVENT_DEVICE_REVOKED:
        return "revoked";
    case EVENT_WRONG_SECRETS:
        return "wrong_secrets";
    case EVENT_PHONE_NEW_NETWORK:
        return "new_network";
    case EVENT_PHONE_NEW_NAME:
        return "new_phone";
    case EVENT_FILE_STORED:
    case EVENT_FILE_FAILED:
        return event_name(e->kind);
    default:
        return NULL;
    }
}

/* One line of JSON, from malloc; NULL: no memory, or it is longer than a pipe takes at once. */
static char *describe(const server_event *e, const char *word) {
    json_t *o = json_object();

    set_text(o, "event", word);
    json_object_set_new(o, "time", json_integer(e->time));
    set_text(o, "device", e->device);
    set_text(o, "name", e->name);
    set_text(o, "address", e->address);
    if (e->kind == EVENT_QUESTION_OPENED) {
        set_text(o, "kind", e->word);
        json_object_set_new(o, "question", json_integer(e->number));
        json_object_set_new(o, "deadline", json_integer(e->time + e->duration));
    }
    if (e->kind == EVENT_WRONG_SECRETS)
        json_object_set_new(o, "count", json_integer((json_int_t)e->count));
    if (e->kind == EVENT_PHONE_NEW_NETWORK)
        set_text(o, "before", e->reason);
    if (e->kind == EVENT_FILE_STORED)
        json_object_set_new(o, "bytes", json_integer((json_int_t)e->bytes));
    if (e->kind == EVENT_FILE_STORED)
        json_object_set_new(o, "duration", json_integer(e->duration));
    if (e->kind == EVENT_FILE_FAILED)
        set_text(o, "reason", e->reason);
    if ((e->kind == EVENT_FILE_STORED || e->kind == EVENT_FILE_FAILED) && e->number > 0)
        json_object_set_new(o, "jot", json_integer(e->number));
    char *text = json_dumps(o, JSON_COMPACT | JSON_ENSURE_ASCII), *line = NULL;
    json_decref(o);
    if (text && strlen(text) < ENTRY_MAX - 1 && asprintf(&line, "%s\n", text) < 0)
        line = NULL;
    free(text);
    return line;
}

/* ---- running it ---- */

static void run_next(hook *k);

/* Once, until something works again. */
static void complain(hook *k, const char *what) {
    if (!k->told)
        log_warning("hook %s: %s; further failures are not logged until it works again",
                    k->host->config->hook, what);
    k->told = true;
}

static void on_timer_closed(uv_handle_t *handle) {
    child *c = handle->data;
    hook *k = c->hook;

    memset(c, 0, sizeof *c);
    run_next(k);
}

static void on_process_closed(uv_handle_t *handle) {
    child *c = handle->data;
    uv_close((uv_handle_t *)&c->timer, on_timer_closed);
}

static void on_ended(uv_process_t *process, int64_t status, int signal_number) {
    child *c = process->data;
    char what[80];

    uv_timer_stop(&c->timer);
    if (c->timed_out)
        kill(-process->pid, SIGKILL); /* what it started and did not end; its group's number is still taken */
    if (c->timed_out && !c->hook->closing)
        complain(c->hook, "took longer than hook_timeout, and was ended");
    else if (status != 0 || signal_number != 0) {
        snprintf(what, sizeof what, signal_number ? "was ended by signal %d" : "ended with status %d",
                 signal_number ? signal_number : (int)status);
        if (!c->hook->closing)
            complain(c->hook, what);
    } else {
        c->hook->told = false;
    }
    uv_close((uv_handle_t *)&c->process, on_process_closed);
}

static void end_group(child *c, int number) {
    kill(-c->process.pid, number); /* the whole group: it is its leader's, who is not reaped yet */
}

static void on_time(uv_timer_t *timer) {
    child *c = timer->data;

    end_group(c, c->timed_out ? SIGKILL : SIGTERM);
    if (!c->timed_out)
        uv_timer_start(timer, on_time, HOOK_GRACE_MS, 0);
    c->timed_out = true;
}

/*
 * Nothing of ours is inherited: we open all with O_CLOEXEC, but whoever started us may have left something
 * open.
 */
static void mark_descriptors(void) {
    if (close_range(3, ~0U, CLOSE_RANGE_CLOEXEC) == 0)
        return;
    DIR *dir = opendir("/proc/self/fd"); /* an older kernel */
    struct dirent *entry;
    while (dir && (entry = readdir(dir))) {
        int fd = atoi(entry->d_name);
        if (fd > 2)
            fcntl(fd, F_SETFD, FD_CLOEXEC);
    }
    if (dir)
        closedir(dir);
}

/* The read end of a pipe that holds `text` and then ends; -1 with errno. */
static int filled_pipe(const char *text) {
    int ends[2];

    if (pipe2(ends, O_CLOEXEC) != 0)
        return -1;
    ssize_t n = write(ends[1], text, strlen(text));
    int why = errno;
    close(ends[1]);
    if (n == (ssize_t)strlen(text))
        return ends[0];
    close(ends[0]);
    errno = why;
    return -1;
}

/* KEY=VALUE for the child; from malloc. */
static char *variable(const char *name, const char *value, const char *otherwise) {
    char *text = NULL;
    return asprintf(&text, "%s=%s", name, value && value[0] ? value : otherwise) < 0 ? NULL : text;
}

static int spawn(hook *k, child *c, int in, int null) {
    char *folder = realpath(store_folder(k->host->store), NULL);
    char *environment[] = {variable("PATH", NULL, "/usr/local/bin:/usr/bin:/bin"),
                           variable("HOME", getenv("HOME"), "/"), variable("LANG", NULL, "C.UTF-8"),
                           variable("TRIVET_DATA", folder, ""), NULL};
    char *arguments[] = {(char *)k->host->config->hook, NULL};
    uv_stdio_container_t stdio[3] = {{.flags = UV_INHERIT_FD, .data.fd = in},
                                     {.flags = UV_INHERIT_FD, .data.fd = null},
                                     {.flags = UV_INHERIT_FD, .data.fd = null}};
    uv_process_options_t options = {.exit_cb = on_ended,
                                    .file = arguments[0],
                                    .args = arguments,
                                    .env = environment,
                                    .cwd = "/",
                                    .flags = UV_PROCESS_DETACHED,
                                    .stdio_count = 3,
                                    .stdio = stdio};
    bool whole = true;

    for (int i = 0; i < 4; i++)
        whole = whole && environment[i];
    mark_descriptors();
    int rc = whole ? uv_spawn(k->host->loop, &c->process, &options) : UV_ENOMEM;
    for (int i = 0; i < 4; i++)
        free(environment[i]);
    free(folder);
    return rc;
}

static void start(hook *k, child *c, const char *text) {
    int in = filled_pipe(text), null = open("/dev/null", O_RDWR | O_CLOEXEC);
    int rc = in < 0 || null < 0 ? uv_translate_sys_error(errno) : 0;

    *c = (child){.hook = k, .used = true};
    uv_timer_init(k->host->loop, &c->timer);
    c->timer.data = c;
    c->process.data = c;
    if (rc == 0)
        rc = spawn(k, c, in, null);
    if (in >= 0)
        close(in);
    if (null >= 0)
        close(null);
    if (rc == 0) {
        uv_timer_start(&c->timer, on_time, (uint64_t)k->host->config->hook_timeout, 0);
        return;
    }
    complain(k, uv_strerror(rc));
    if (c->process.type == UV_PROCESS) /* libuv has made a handle of it */
        uv_close((uv_handle_t *)&c->process, on_process_closed);
    else
        uv_close((uv_handle_t *)&c->timer, on_timer_closed);
}

static void run_next(hook *k) {
    for (size_t i = 0; i < HOOK_RUNNING && k->count > 0 && !k->closing; i++) {
        if (k->children[i].used)
            continue;
        char *text = k->waiting[k->first];
        k->first = (k->first + 1) % HOOK_WAITING;
        k->count--;
        start(k, &k->children[i], text);
        free(text);
    }
    if (k->count == 0 && k->dropped > 0) {
        log_warning("hook %s: %llu events were dropped, because more happened than it could take",
                    k->host->config->hook, (unsigned long long)k->dropped);
        k->dropped = 0;
    }
}

static void on_event(void *owner, const server_event *e) {
    hook *k = owner;
    const char *word = word_for(e);

    if (!word || k->closing || !k->host->config->hook[0])
        return;
    char *text = k->count < HOOK_WAITING ? describe(e, word) : NULL;
    if (!text) {
        k->dropped++;
        return;
    }
    k->waiting[(k->first + k->count++) % HOOK_WAITING] = text;
    run_next(k);
}

/* ---- its life ---- */

hook *hook_new(host *h) {
    hook *k = calloc(1, sizeof *k);

    if (k) {
        k->host = h;
        event_listen(h, on_event, k);
    }
    return k;
}

static void drop_waiting(hook *k) {
    for (; k->count > 0; k->count--, k->first = (k->first + 1) % HOOK_WAITING)
        free(k->waiting[k->first]);
}

void hook_close(hook *k) {
    if (!k || k->closing)
        return;
    k->closing = true;
    drop_waiting(k);
    for (size_t i = 0; i < HOOK_RUNNING; i++)
        if (k->children[i].used && uv_is_active((uv_handle_t *)&k->children[i].timer) &&
            !k->children[i].timed_out)
            on_time(&k->children[i].timer);
}

void hook_free(hook *k) {
    if (!k)
        return;
    drop_waiting(k);
    free(k);
}
