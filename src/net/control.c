/*
 * The server's end of the control socket.
 *
 *   READING --- a whole request ---> CALLED --- control_answer ---> WRITING --- written ---> READING
 *      |                                                               |
 *      +--- end of stream, refused, failed                             +--- the last one
 *      v                                                               v
 *    closed <----------------------------------------------------------+
 *
 * While a call is open, or its answer under way, nothing is read: requests are answered in order, and a peer
 * that sends many of them waits in its own socket. A handle is never closed while a call is open, so a call
 * can always be answered, whether or not somebody is still there to read it.
 */
#include "control.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "control_socket.h"
#include "scratch.h"

enum {
    BACKLOG = 16,
    STOP_CHECK_MS = 500 /* once stopping, an answer of which nothing was read for so long is given up */
};

typedef struct connection connection;

struct control_server {
    uv_pipe_t pipe;
    const control_events *events;
    void *owner;
    char *path;
    dev_t device; /* the socket's file, so that another's is never removed */
    ino_t inode;
    connection *first;
    uv_timer_t timer; /* while closing */
    bool closing, pipe_closed, timer_closing;
};

enum state { READING, CALLED, WRITING, CLOSED };

/* Bytes from malloc that grow as they come. */
typedef struct {
    char *data;
    size_t len, size;
} bytes;

struct connection {
    uv_pipe_t pipe;
    control_server *server;
    connection *prev, *next;
    bytes input;     /* read and not used yet */
    size_t scanned;  /* bytes of it known to hold no '\n' */
    json_t *request; /* whose raw bytes are being read; else NULL */
    bytes raw;
    size_t raw_len; /* how many there will be */
    size_t unsent;  /* bytes of the answer, when the server that stops last looked; 0: it has not */
    enum state state;
    bool has_raw, last;
};

/* The answer's buffers live as long as its write. */
struct control_call {
    uv_write_t write;
    connection *connection;
    char *line, *raw;
};

static void read_on(connection *c);
static void advance(connection *c);

/* `most` bounds what is set aside; the caller has made sure that it suffices. */
static bool append(bytes *to, const char *data, size_t len, size_t most) {
    if (to->len + len > to->size) {
        size_t size = to->size * 2 > to->len + len ? to->size * 2 : to->len + len;
        char *grown = realloc(to->data, size < most ? size : most);

        if (!grown)
            return false;
        to->data = grown;
        to->size = size < most ? size : most;
    }
    if (len > 0)
        memcpy(to->data + to->len, data, len);
    to->len += len;
    return true;
}

static void drop_front(bytes *from, size_t len) {
    from->len -= len;
    if (from->len > 0) {
        memmove(from->data, from->data + len, from->len);
    } else {
        free(from->data);
        *from = (bytes){NULL, 0, 0};
    }
}

/* ---- the end ---- */

static void on_timer_closed(uv_handle_t *handle) {
    control_server *server = handle->data;

    if (server->events->on_closed)
        server->events->on_closed(server->owner);
}

/* The timer is the last handle. */
static void check_finished(control_server *server) {
    if (!server->pipe_closed || server->first || server->timer_closing)
        return;
    server->timer_closing = true;
    uv_close((uv_handle_t *)&server->timer, on_timer_closed);
}

static void on_connection_closed(uv_handle_t *handle) {
    connection *c = handle->data;
    control_server *server = c->server;

    *(c->prev ? &c->prev->next : &server->first) = c->next;
    if (c->next)
        c->next->prev = c->prev;
    json_decref(c->request);
    free(c->input.data);
    free(c->raw.data);
    free(c);
    check_finished(server);
}

static void end(connection *c) {
    if (c->state == CLOSED)
        return;
    c->state = CLOSED;
    uv_close((uv_handle_t *)&c->pipe, on_connection_closed);
}

/* ---- answers ---- */

static void free_call(control_call *call) {
    free(call->line);
    free(call->raw);
    free(call);
}

static void on_written(uv_write_t *write, int status) {
    control_call *call = (control_call *)write;
    connection *c = call->connection;

    free_call(call);
    if (c->state == CLOSED)
        return;
    if (status < 0 || c->last) {
        end(c);
        return;
    }
    c->state = READING;
    advance(c);
}

void control_answer(control_call *call, json_t *response, char *raw, size_t raw_len) {
    connection *c = call->connection;
    uv_buf_t bufs[2];
    size_t len = 0;

    call->raw = raw;
    call->line = response ? control_line(response, raw, raw_len, &len) : NULL;
    json_decref(response);
    bufs[0].base = call->line;
    bufs[0].len = len;
    bufs[1].base = raw;
    bufs[1].len = raw_len;
    c->state = WRITING;
    if (!call->line ||
        uv_write(&call->write, (uv_stream_t *)&c->pipe, bufs, raw_len > 0 ? 2 : 1, on_written) != 0) {
        free_call(call);
        end(c);
    }
}

static control_call *new_call(connection *c) {
    control_call *call = calloc(1, sizeof *call);

    if (call)
        call->connection = c;
    return call;
}

/* Answers what is no request; nothing more is read, since nobody knows where the next one would begin. */
static void refuse(connection *c, const char *message) {
    control_call *call = new_call(c);

    if (!call) {
        end(c);
        return;
    }
    c->last = true;
    control_answer(call, json_pack("{s:b,s:i,s:s}", "ok", 0, "status", EX_PROTOCOL, "message", message), NULL,
                   0);
}

/* ---- requests ---- */

/* Takes the line at the input's front apart. False where there is none yet, or a bad one. */
static bool take_line(connection *c) {
    char *newline = c->input.len > c->scanned
                        ? memchr(c->input.data + c->scanned, '\n', c->input.len - c->scanned)
                        : NULL;
    size_t len = newline ? (size_t)(newline - c->input.data) : c->input.len;

    c->scanned = newline ? 0 : c->input.len;
    if (len > CONTROL_MAX_LINE) {
        refuse(c, "the request's line is too long");
        return false;
    }
    if (!newline)
        return false;
    c->request = control_parse(c->input.data, len, &c->has_raw, &c->raw_len);
    drop_front(&c->input, len + 1);
    if (!c->request)
        refuse(c, "the request is no JSON object, or its \"raw\" no length");
    return c->request != NULL;
}

/* Takes what has come of the raw bytes; one more is set aside, for a NUL that the owner may count on. False
 * where some are missing. */
static bool take_raw(connection *c) {
    size_t missing = c->raw_len - c->raw.len, len = c->input.len < missing ? c->input.len : missing;

    if (!append(&c->raw, c->input.data, len, c->raw_len + 1) ||
        (len == missing && !append(&c->raw, "", 1, c->raw_len + 1))) {
        end(c);
        return false;
    }
    if (len > 0)
        drop_front(&c->input, len);
    return len == missing;
}

static void dispatch(connection *c) {
    control_call *call = new_call(c);
    json_t *request = c->request;
    char *raw = c->raw.data;

    if (!call) {
        end(c);
        return;
    }
    c->state = CALLED;
    c->request = NULL;
    c->raw = (bytes){NULL, 0, 0};
    c->server->events->on_request(c->server->owner, call, request, raw, c->raw_len);
}

/* Goes on with what has been read. An owner who answers at once comes back here through the loop. */
static void advance(connection *c) {
    if (c->state != READING)
        return;
    if ((c->request || take_line(c)) && (!c->has_raw || take_raw(c))) {
        uv_read_stop((uv_stream_t *)&c->pipe);
        dispatch(c);
    } else if (c->state == READING) {
        read_on(c);
    } else if (c->state == WRITING) {
        uv_read_stop((uv_stream_t *)&c->pipe);
    }
}

/* ---- reading and accepting ---- */

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf) {
    (void)handle;
    (void)suggested;
    scratch_to_read(buf);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf) {
    connection *c = stream->data;

    if (n > 0 && append(&c->input, buf->base, (size_t)n, CONTROL_MAX_LINE + 2 * SCRATCH_READ))
        advance(c);
    else if (n != 0)
        end(c);
}

static void read_on(connection *c) {
    int error = uv_read_start((uv_stream_t *)&c->pipe, on_alloc, on_read);

    if (error != 0 && error != UV_EALREADY)
        end(c);
}

static void on_connection(uv_stream_t *stream, int status) {
    control_server *server = stream->data;
    connection *c = status == 0 ? calloc(1, sizeof *c) : NULL;

    if (!c)
        return;
    uv_pipe_init(stream->loop, &c->pipe, 0);
    c->pipe.data = c;
    c->server = server;
    c->next = server->first;
    if (c->next)
        c->next->prev = c;
    server->first = c;
    if (uv_accept(stream, (uv_stream_t *)&c->pipe) != 0)
        end(c);
    else
        read_on(c);
}

/* ---- the server ---- */

/* A socket that nobody listens on any more is in the way. */
static int remove_stale(const char *path) {
    struct stat file;
    int fd;

    if (lstat(path, &file) != 0)
        return -errno;
    if (!S_ISSOCK(file.st_mode))
        return UV_EEXIST;
    fd = control_socket_connect(path);
    if (fd >= 0) {
        close(fd);
        return UV_EADDRINUSE;
    }
    if (fd != -ECONNREFUSED)
        return fd;
    return unlink(path) == 0 ? 0 : -errno;
}

static int bind_path(const char *path) {
    int fd = control_socket_bind(path), error;

    if (fd != -EADDRINUSE)
        return fd;
    error = remove_stale(path);
    return error != 0 ? error : control_socket_bind(path);
}

static void on_failed_closed(uv_handle_t *handle) {
    control_server_free(handle->data);
}

int control_server_new(uv_loop_t *loop, const char *path, const control_events *events, void *owner,
                       control_server **out) {
    control_server *server = calloc(1, sizeof *server);
    struct stat file;
    int fd, error;

    *out = NULL;
    if (!server || !(server->path = strdup(path))) {
        free(server);
        return UV_ENOMEM;
    }
    fd = bind_path(path); /* libuv's errors are negative errno values */
    if (fd < 0) {
        control_server_free(server);
        return fd;
    }
    server->events = events;
    server->owner = owner;
    if (lstat(path, &file) == 0) {
        server->device = file.st_dev;
        server->inode = file.st_ino;
    }
    uv_pipe_init(loop, &server->pipe, 0);
    server->pipe.data = server;
    error = uv_pipe_open(&server->pipe, fd);
    if (error != 0)
        close(fd);
    else
        error = uv_listen((uv_stream_t *)&server->pipe, BACKLOG, on_connection);
    if (error != 0) {
        unlink(path);
        uv_close((uv_handle_t *)&server->pipe, on_failed_closed);
        return error;
    }
    *out = server;
    return 0;
}

static void on_pipe_closed(uv_handle_t *handle) {
    control_server *server = handle->data;

    server->pipe_closed = true;
    check_finished(server);
}

/* A peer that does not read its answer must not hold up the end. */
static void on_stop_check(uv_timer_t *timer) {
    control_server *server = timer->data;

    for (connection *c = server->first; c; c = c->next) {
        size_t unsent = uv_stream_get_write_queue_size((uv_stream_t *)&c->pipe);

        if (c->state == WRITING && unsent == c->unsent)
            end(c);
        c->unsent = c->state == WRITING ? unsent : 0;
    }
}

static void end_answers(control_server *server) {
    for (connection *c = server->first; c; c = c->next)
        if (c->state == WRITING)
            end(c);
}

void control_server_close(control_server *server) {
    struct stat file;

    if (server->closing) {
        end_answers(server);
        return;
    }
    server->closing = true;
    uv_timer_init(server->pipe.loop, &server->timer);
    server->timer.data = server;
    uv_timer_start(&server->timer, on_stop_check, STOP_CHECK_MS, STOP_CHECK_MS);
    if (lstat(server->path, &file) == 0 && file.st_dev == server->device && file.st_ino == server->inode)
        unlink(server->path);
    uv_close((uv_handle_t *)&server->pipe, on_pipe_closed);
    for (connection *c = server->first; c; c = c->next) {
        c->last = true;
        if (c->state == READING)
            end(c);
    }
}

void control_server_free(control_server *server) {
    if (!server)
        return;
    free(server->path);
    free(server);
}
