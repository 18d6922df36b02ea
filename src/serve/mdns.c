/*
 * The announcing program's other end.
 *
 *     RUNNING --- it ends ---> PAUSING --- timer ---> RUNNING
 *        |                        |
 *        |  mdns_rename: ends, and starts anew at once; the same where another computer had the name, so that it is
 *        |  tried once more
 *        +------ mdns_close ------+----> its standard input ends, it takes back what it announced and ends;
 *                                        killed after a second where it does not (its calls into D-Bus may hang)
 *
 * The log hears of each change once, and of changes to and fro (an avahi-daemon that keeps falling over) once
 * a minute at the most.
 */
#include "serve/mdns.h"

#include "log.h"
#include "net/address.h"
#include "net/mdns_program.h"
#include "net/utf8.h"

#include <limits.h>
#include <net/if.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    NAME_MAX_BYTES = 63, /* a DNS label */
    PLACES = 16,
    LINE = 256,
    FIRST_PAUSE = 10000,
    LONGEST_PAUSE = 600000,
    QUIET = 60000, /* between two lines of the log about the same thing */
    LAST_MOMENT = 1000
};

struct mdns {
    uv_loop_t *loop;
    char name[NAME_MAX_BYTES + 1], id[65];
    char port[8];
    char places[PLACES][24]; /* "2/10": an interface's index and a family */
    size_t place_count;
    char program[PATH_MAX];

    uv_process_t process;
    uv_pipe_t input, output;
    uv_timer_t timer;
    uint64_t pause;
    bool running, closing; /* `running`: process and pipes are open, or closing still */
    bool renaming;         /* the run ends for the sake of another name */
    int handles;           /* of one run, that are not closed yet */

    mdns_state state;
    char announced[LINE], reason[LINE], line[LINE];
    size_t line_len;
    bool told[MDNS_ANNOUNCED + 1]; /* that it came to this state, in `told_at` */
    uint64_t told_at[MDNS_ANNOUNCED + 1];
};

/* ---- what it says ---- */

static bool may_tell(mdns *m, mdns_state state) {
    uint64_t now = uv_now(m->loop);
    bool quiet = m->told[state] && now - m->told_at[state] < QUIET;

    if (!quiet) {
        m->told[state] = true;
        m->told_at[state] = now;
    }
    return !quiet;
}

static void set_waiting(mdns *m, const char *reason) {
    bool news = m->state != MDNS_WAITING || !m->reason[0];

    snprintf(m->reason, sizeof m->reason, "%s", reason);
    m->state = MDNS_WAITING;
    if (news && may_tell(m, MDNS_WAITING))
        log_event(LOG_INFO, "mdns", LOG_TEXT("state", "waiting"), LOG_TEXT("reason", reason),
                  LOG_TEXT("msg", "not announced on the network until that changes"));
}

static void set_announced(mdns *m, const char *name) {
    bool renamed = strcmp(name, m->announced[0] ? m->announced : m->name) != 0;
    bool news = m->state != MDNS_ANNOUNCED || renamed;

    snprintf(m->announced, sizeof m->announced, "%s", name);
    m->state = MDNS_ANNOUNCED;
    m->pause = FIRST_PAUSE;
    if (renamed && strcmp(name, m->name) == 0)
        log_event(LOG_INFO, "mdns", LOG_TEXT("state", "announced"), LOG_TEXT("name", name),
                  LOG_TEXT("msg", "no other computer on the network has this server's name any more"));
    else if (renamed)
        log_event(LOG_WARNING, "mdns", LOG_TEXT("state", "renamed"), LOG_TEXT("name", name),
                  LOG_TEXT("msg", "another computer on the network has this server's name"));
    else if (news && may_tell(m, MDNS_ANNOUNCED))
        log_event(LOG_INFO, "mdns", LOG_TEXT("state", "announced"), LOG_TEXT("name", name));
}

static void on_line(mdns *m, const char *line) {
    if (strncmp(line, "announced ", 10) == 0)
        set_announced(m, line + 10);
    else if (strncmp(line, "waiting ", 8) == 0 || strncmp(line, "refused ", 8) == 0)
        set_waiting(m, line + 8);
    /* `renamed`: the new name comes with `announced`. */
}

/* What does not fit a line is dropped: the program writes none so long. */
static void on_output(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf) {
    mdns *m = stream->data;

    if (n < 0) {
        uv_read_stop(stream); /* the end of the process comes, too */
        return;
    }
    m->line_len += (size_t)n;
    for (char *end; (end = memchr(m->line, '\n', m->line_len));) {
        *end = '\0';
        if (!m->closing && !m->renaming)
            on_line(m, m->line);
        m->line_len -= (size_t)(end + 1 - m->line);
        memmove(m->line, end + 1, m->line_len);
    }
    if (m->line_len == sizeof m->line)
        m->line_len = 0;
    (void)buf;
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf) {
    mdns *m = handle->data;

    (void)suggested;
    *buf = uv_buf_init(m->line + m->line_len, (unsigned)(sizeof m->line - m->line_len));
}

/* ---- one run ---- */

static void start(mdns *m);

static void on_timer(uv_timer_t *timer) {
    mdns *m = timer->data;

    if (!m->closing && !m->renaming)
        start(m);
    else if (uv_is_active((uv_handle_t *)&m->process))
        uv_process_kill(&m->process, SIGKILL);
}

static void on_handle_closed(uv_handle_t *handle) {
    mdns *m = handle->data;

    if (--m->handles > 0)
        return;
    m->running = false;
    if (m->closing) {
        uv_close((uv_handle_t *)&m->timer, NULL);
    } else if (m->renaming) {
        m->renaming = false;
        uv_timer_stop(&m->timer);
        start(m);
    }
}

static void close_input(mdns *m) {
    if (!uv_is_closing((uv_handle_t *)&m->input))
        uv_close((uv_handle_t *)&m->input, on_handle_closed);
}

static void try_later(mdns *m, const char *reason) {
    set_waiting(m, reason);
    uv_timer_start(&m->timer, on_timer, m->pause, 0);
    m->pause = m->pause * 2 > LONGEST_PAUSE ? LONGEST_PAUSE : m->pause * 2;
}

static void on_ended(uv_process_t *process, int64_t status, int number) {
    mdns *m = process->data;
    char reason[64];

    close_input(m);
    uv_close((uv_handle_t *)&m->output, on_handle_closed);
    uv_close((uv_handle_t *)process, on_handle_closed);
    if (m->closing || m->renaming)
        return;
    snprintf(reason, sizeof reason, "trivet-mdns ended with %s %d", number ? "signal" : "status",
             number ? number : (int)status);
    try_later(m, reason);
}

static void start(mdns *m) {
    char *args[5 + PLACES + 1] = {m->program, "announce", m->name, m->id, m->port};
    uv_stdio_container_t stdio[3] = {
        {.flags = UV_CREATE_PIPE | UV_READABLE_PIPE, .data.stream = (uv_stream_t *)&m->input},
        {.flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE, .data.stream = (uv_stream_t *)&m->output},
        {.flags = UV_INHERIT_FD, .data.fd = 2}};
    uv_process_options_t options = {
        .file = m->program, .args = args, .stdio = stdio, .stdio_count = 3, .exit_cb = on_ended};

    for (size_t i = 0; i < m->place_count; i++)
        args[5 + i] = m->places[i];
    m->line_len = 0;
    m->running = true;
    m->handles = 3;
    uv_pipe_init(m->loop, &m->input, 0);
    uv_pipe_init(m->loop, &m->output, 0);
    m->process.data = m->input.data = m->output.data = m;
    int error = uv_spawn(m->loop, &m->process, &options);
    if (error == 0) {
        uv_read_start((uv_stream_t *)&m->output, on_alloc, on_output);
        return;
    }
    /* The handle must be closed even where nothing was started (uv_spawn's documentation). */
    close_input(m);
    uv_close((uv_handle_t *)&m->output, on_handle_closed);
    uv_close((uv_handle_t *)&m->process, on_handle_closed);
    try_later(m, uv_strerror(error));
}

/* ---- what to announce, and where ---- */

/* A DNS label of readable UTF-8: cut at a character, without control characters; never empty. */
static void set_name(mdns *m, const char *name) {
    size_t len = 0;

    for (const unsigned char *p = (const unsigned char *)name; *p && len < NAME_MAX_BYTES; p++)
        if (*p >= 0x20 && *p != 0x7f)
            m->name[len++] = (char)*p;
    for (; len > 0; len--) {
        utf8_check_state check = UTF8_CHECK_INIT;
        if (utf8_check(&check, (const uint8_t *)m->name, len) && utf8_check_complete(&check))
            break;
    }
    m->name[len] = '\0';
    if (len == 0)
        snprintf(m->name, sizeof m->name, "trivet");
}

/* The interface that has `address`; 0: none. */
static int interface_of(const char *address) {
    uv_interface_address_t *all;
    char own[ADDRESS_SIZE];
    int count, found = 0;

    if (uv_interface_addresses(&all, &count) != 0)
        return 0;
    for (int i = 0; i < count && !found; i++) {
        address_format((const struct sockaddr *)&all[i].address, own);
        if (strcmp(own, address) == 0)
            found = (int)if_nametoindex(all[i].name);
    }
    uv_free_interface_addresses(all, count);
    return found;
}

/* One place for each address that others reach; false: there is none. Nothing set: everywhere. */
static bool set_places(mdns *m, const mdns_options *options) {
    bool any = false;

    for (size_t i = 0; i < options->bound_count && m->place_count < PLACES; i++) {
        const struct sockaddr *address = (const struct sockaddr *)&options->bound[i];
        char text[ADDRESS_SIZE];
        address_format(address, text);
        if (strcmp(text, "::") == 0 || strcmp(text, "0.0.0.0") == 0) {
            m->place_count = 0;
            return true;
        }
        if (address_is_loopback(text))
            continue;
        any = true;
        int interface = interface_of(text);
        if (interface > 0)
            snprintf(m->places[m->place_count++], sizeof m->places[0], "%d/%d", interface,
                     address->sa_family);
    }
    return any;
}

/* ---- all of it ---- */

mdns *mdns_new(const mdns_options *options) {
    mdns *m = calloc(1, sizeof *m);

    if (!m || !set_places(m, options)) {
        free(m);
        return NULL;
    }
    m->loop = options->loop;
    m->pause = FIRST_PAUSE;
    m->state = MDNS_WAITING;
    set_name(m, options->name);
    snprintf(m->id, sizeof m->id, "%s", options->id);
    snprintf(m->port, sizeof m->port, "%u", options->port);
    uv_timer_init(m->loop, &m->timer);
    m->timer.data = m;
    if (mdns_program(m->program, sizeof m->program) == 0)
        start(m);
    else
        set_waiting(m, "trivet-mdns is not installed");
    return m;
}

void mdns_rename(mdns *m, const char *name) {
    char before[sizeof m->name];

    if (!m || m->closing)
        return;
    memcpy(before, m->name, sizeof before);
    set_name(m, name);
    bool lent = m->state == MDNS_ANNOUNCED && strcmp(m->announced, m->name) != 0;
    if (strcmp(before, m->name) == 0 && !lent)
        return;
    m->announced[0] = '\0';
    m->told[MDNS_ANNOUNCED] = false;
    if (!m->running || m->renaming)
        return; /* the next run has it */
    if (uv_is_closing((uv_handle_t *)&m->process))
        return; /* it has just ended; the same */
    m->state = MDNS_WAITING;
    snprintf(m->reason, sizeof m->reason, "it gets another name");
    m->renaming = true;
    close_input(m);
    uv_timer_start(&m->timer, on_timer, LAST_MOMENT, 0);
}

void mdns_close(mdns *m) {
    if (!m || m->closing)
        return;
    m->closing = true;
    if (!m->running) {
        uv_close((uv_handle_t *)&m->timer, NULL);
        return;
    }
    close_input(m);
    uv_timer_start(&m->timer, on_timer, LAST_MOMENT, 0);
}

void mdns_free(mdns *m) {
    free(m);
}

mdns_state mdns_get_state(const mdns *m) {
    return m ? m->state : MDNS_OFF;
}

const char *mdns_name(const mdns *m) {
    return m && m->state == MDNS_ANNOUNCED ? m->announced : "";
}

const char *mdns_reason(const mdns *m) {
    return m && m->state == MDNS_WAITING ? m->reason : "";
}
