/*
 * The client's way to a websocket: resolve, connect to one address after another, upgrade.
 *
 *   RESOLVING ---> CONNECTING ---> UPGRADING ---> open: the stream goes to a websocket
 *       |           |  ^  | next     |
 *       |           |  +--+ address  |
 *       +-----------+----------------+----> failed, with the last reason; also when the time is up
 *
 * Whatever happened, finish() closes what is open and the object goes when all handles are closed and the
 * resolver has returned; only then the owner hears of a failure.
 */
#include "client.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "address.h"
#include "handshake.h"
#include "websocket_stream.h"

enum { READ_SIZE = 4096, MAX_RESPONSE_HEAD = 16384, REASON_SIZE = 128 };

typedef struct {
    const client_events *events;
    void *owner;
    websocket_options options;
    uv_timer_t timer;
    uv_getaddrinfo_t resolver;
    uv_connect_t connector;
    uv_write_t writer;
    uv_tcp_t *tcp; /* NULL before the first attempt and between two */
    struct addrinfo *addresses, *next;
    http_parser *http;
    char *host, *request;
    unsigned pending; /* callbacks that must come before the object can go */
    bool finished;
    char key[HANDSHAKE_KEY_SIZE];
    char reason[REASON_SIZE];
    char read_buffer[READ_SIZE];
} client;

static void try_next(client *c);

/* ---- the end ---- */

static void one_done(client *c) {
    if (--c->pending > 0 || !c->finished)
        return;
    if (c->reason[0])
        c->events->on_failed(c->owner, c->reason);
    uv_freeaddrinfo(c->addresses);
    http_parser_free(c->http);
    free(c->host);
    free(c->request);
    free(c);
}

static void on_timer_closed(uv_handle_t *handle) {
    one_done(handle->data);
}

static void on_tcp_closed(uv_handle_t *handle) {
    client *c = handle->data;

    free(handle);
    if (!c->finished)
        try_next(c);
    one_done(c);
}

static void close_tcp(client *c) {
    if (c->tcp)
        uv_close((uv_handle_t *)c->tcp, on_tcp_closed);
    c->tcp = NULL;
}

static void finish(client *c) {
    if (c->finished)
        return;
    c->finished = true;
    uv_close((uv_handle_t *)&c->timer, on_timer_closed);
    uv_cancel((uv_req_t *)&c->resolver);
    close_tcp(c);
}

__attribute__((format(printf, 2, 3))) static void fail(client *c, const char *format, ...) {
    va_list args;

    if (c->finished)
        return;
    va_start(args, format);
    vsnprintf(c->reason, sizeof c->reason, format, args);
    va_end(args);
    finish(c);
}

/* ---- upgrading ---- */

/* The answer was right: the stream, and what followed the head, are the websocket's. */
static void become_websocket(client *c, const char *rest, size_t len) {
    char address[ADDRESS_SIZE];
    uv_tcp_t *tcp = c->tcp;
    websocket *ws;

    address_of_peer(tcp, address);
    uv_read_stop((uv_stream_t *)tcp);
    ws = websocket_new(tcp, false, address, &c->options);
    if (!ws) {
        fail(c, "out of memory");
        return;
    }
    c->tcp = NULL;
    c->pending--; /* its closing is no longer ours */
    c->reason[0] = '\0';
    c->events->on_open(c->owner, ws);
    websocket_start(ws, (const uint8_t *)rest, len);
    finish(c);
}

static void on_response(client *c, const char *data, size_t len) {
    size_t used;
    const http_head *head;
    const char *wrong;

    switch (http_parser_feed(c->http, data, len, &used)) {
    case HTTP_MORE:
        return;
    case HTTP_REFUSED:
        fail(c, "not an HTTP server");
        return;
    case HTTP_MESSAGE:
        break;
    }
    head = http_parser_head(c->http);
    if (head->status != 101) {
        fail(c, "HTTP status %d", head->status);
        return;
    }
    wrong = handshake_check_response(head, c->key);
    if (wrong)
        fail(c, "%s", wrong);
    else
        become_websocket(c, data + used, len - used);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf) {
    client *c = handle->data;

    (void)suggested;
    *buf = uv_buf_init(c->read_buffer, sizeof c->read_buffer);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf) {
    client *c = stream->data;

    if (n > 0)
        on_response(c, buf->base, (size_t)n);
    else if (n < 0)
        fail(c, "%s", n == UV_EOF ? "the server closed the connection" : uv_strerror((int)n));
}

/* The request's buffer is the client's, so the client waits for this. */
static void on_written(uv_write_t *write, int status) {
    client *c = write->data;

    if (status < 0)
        fail(c, "%s", uv_strerror(status));
    one_done(c);
}

static void upgrade(client *c) {
    uv_buf_t buf = uv_buf_init(c->request, (unsigned)strlen(c->request));
    uv_stream_t *stream = (uv_stream_t *)c->tcp;
    int error = uv_read_start(stream, on_alloc, on_read);

    uv_tcp_nodelay(c->tcp, 1);
    c->writer.data = c;
    if (error == 0)
        error = uv_write(&c->writer, stream, &buf, 1, on_written);
    if (error != 0)
        fail(c, "%s", uv_strerror(error));
    else
        c->pending++;
}

/* ---- connecting ---- */

static void on_connected(uv_connect_t *connector, int status) {
    client *c = connector->data;

    if (!c->finished) {
        if (status == 0) {
            c->reason[0] = '\0';
            upgrade(c);
        } else {
            snprintf(c->reason, sizeof c->reason, "%s", uv_strerror(status));
            close_tcp(c); /* and on to the next address */
        }
    }
    one_done(c);
}

/* Connects to the next address; with none left, the last one's reason stands. */
static void try_next(client *c) {
    struct addrinfo *address = c->next;
    int error;

    if (!address) {
        if (c->reason[0])
            finish(c);
        else
            fail(c, "no address");
        return;
    }
    c->next = address->ai_next;
    c->tcp = malloc(sizeof *c->tcp);
    if (!c->tcp || uv_tcp_init(c->timer.loop, c->tcp) != 0) {
        free(c->tcp);
        c->tcp = NULL;
        fail(c, "out of memory");
        return;
    }
    c->pending++;
    c->tcp->data = c->connector.data = c;
    error = uv_tcp_connect(&c->connector, c->tcp, address->ai_addr, on_connected);
    if (error == 0) {
        c->pending++;
    } else {
        snprintf(c->reason, sizeof c->reason, "%s", uv_strerror(error));
        close_tcp(c);
    }
}

static void on_resolved(uv_getaddrinfo_t *resolver, int status, struct addrinfo *addresses) {
    client *c = resolver->data;

    c->addresses = c->next = addresses;
    if (status != 0)
        fail(c, "%s", uv_strerror(status));
    else if (!c->finished)
        try_next(c);
    one_done(c);
}

static void on_timer(uv_timer_t *timer) {
    fail(timer->data, "time-out");
}

/* Without the brackets of an IPv6 literal. */
static char *bare_host(const char *host) {
    size_t len = strlen(host);

    return len > 2 && host[0] == '[' && host[len - 1] == ']' ? strndup(host + 1, len - 2) : strdup(host);
}

int client_connect(uv_loop_t *loop, const char *host, uint16_t port, uint64_t timeout,
                   const websocket_options *options, const client_events *events, void *owner) {
    static const websocket_options defaults = WEBSOCKET_OPTIONS_INIT;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    client *c = calloc(1, sizeof *c);
    char service[8];
    int error = UV_ENOMEM;

    if (!c)
        return error;
    c->events = events;
    c->owner = owner;
    c->options = options ? *options : defaults;
    c->host = bare_host(host);
    c->http = http_parser_new(true, MAX_RESPONSE_HEAD, 0);
    c->request = c->host && handshake_new_key(c->key) ? handshake_request(c->host, port, c->key) : NULL;
    c->resolver.data = c->timer.data = c;
    snprintf(service, sizeof service, "%u", port);
    if (c->http && c->request)
        error = uv_getaddrinfo(loop, &c->resolver, on_resolved, c->host, service, &hints);
    if (error != 0) {
        http_parser_free(c->http);
        free(c->host);
        free(c->request);
        free(c);
        return error;
    }
    uv_timer_init(loop, &c->timer);
    uv_timer_start(&c->timer, on_timer, timeout, 0);
    c->pending = 2; /* the timer's closing and the resolver */
    return 0;
}
