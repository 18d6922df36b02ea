/*
 * An accepted connection's HTTP: requests are answered one after another, in order; the first thing that is
 * wrong is answered and ends the connection.
 */
#include "peer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "handshake.h"
#include "scratch.h"
#include "websocket_stream.h"

enum {
    MAX_UNSENT = 1 << 16, /* bytes of answers that a pipelining peer may leave unread */
    READ_IN_TURN = 1024   /* bytes: 25 small requests, of each who has a place */
};

typedef struct {
    uv_write_t request;
    peer *peer;
    size_t len;
    char *head, *body;
} answer;

/* ---- lists ---- */

void peer_list_append(peer_list *list, peer *p) {
    p->list = list;
    p->prev = list->last;
    p->next = NULL;
    if (list->last)
        list->last->next = p;
    else
        list->first = p;
    list->last = p;
    list->count++;
}

void peer_list_remove(peer *p) {
    peer_list *list = p->list;

    if (!list)
        return;
    *(p->prev ? &p->prev->next : &list->first) = p->next;
    *(p->next ? &p->next->prev : &list->last) = p->prev;
    list->count--;
    p->list = NULL;
}

/* ---- the end ---- */

static void release(peer *p) {
    p->host->gone(p);
    http_parser_free(p->http);
    free(p);
}

static void on_closed(uv_handle_t *handle) {
    peer *p = handle->data;

    free(handle);
    release(p);
}

static void on_websocket_gone(void *context) {
    release(context);
}

void peer_end(peer *p) {
    if (p->ws) {
        websocket_abort(p->ws);
    } else if (!p->closing) {
        p->closing = true;
        uv_close((uv_handle_t *)p->tcp, on_closed);
    }
}

/* ---- answers ---- */

static void on_shutdown(uv_shutdown_t *request, int status) {
    (void)status;
    free(request);
}

/* No more requests: what is queued goes out, then the peer sees the end and has a moment to close. */
static void linger(peer *p) {
    uv_shutdown_t *request;

    if (p->lingering || p->closing)
        return;
    p->lingering = true;
    request = malloc(sizeof *request);
    if (request && uv_shutdown(request, (uv_stream_t *)p->tcp, on_shutdown) != 0)
        free(request);
    p->host->lingers(p);
}

static void free_answer(answer *a) {
    free(a->head);
    free(a->body);
    free(a);
}

static void on_answered(uv_write_t *request, int status) {
    answer *a = (answer *)request;
    peer *p = a->peer;

    p->queued -= a->len;
    free_answer(a);
    if ((status < 0 && status != UV_ECANCELED) || (p->ended && p->queued == 0))
        peer_end(p);
}

/* Sends an answer; `head` and `body` are taken over. */
static void send_answer(peer *p, char *head, char *body, size_t body_len, bool last) {
    answer *a = malloc(sizeof *a);
    uv_buf_t bufs[2];

    if (!a || !head) {
        free(a);
        free(head);
        free(body);
        peer_end(p);
        return;
    }
    *a = (answer){.peer = p, .head = head, .body = body, .len = strlen(head) + body_len};
    bufs[0] = uv_buf_init(head, (unsigned)strlen(head));
    bufs[1] = uv_buf_init(body, (unsigned)body_len);
    if (uv_write(&a->request, (uv_stream_t *)p->tcp, bufs, body_len > 0 ? 2 : 1, on_answered) != 0) {
        free_answer(a);
        peer_end(p);
        return;
    }
    p->queued += a->len;
    if (last)
        linger(p);
}

void peer_refuse(peer *p, int status, const char *reason) {
    const char *extra = status == 426 ? "Sec-WebSocket-Version: 13\r\nUpgrade: websocket\r\n" : NULL;
    char *body = NULL;
    int len = asprintf(&body, "%d %s\n", status, http_status_name(status));

    if (p->host->events->on_refused)
        p->host->events->on_refused(p->host->owner, p->address, reason);
    send_answer(p, http_response_head(status, "text/plain", extra, len > 0 ? (size_t)len : 0, false),
                len > 0 ? body : NULL, len > 0 ? (size_t)len : 0, true);
}

static void refuse_head(peer *p, int status) {
    peer_refuse(p, status,
                status == 431   ? "head too large"
                : status == 413 ? "body too large"
                : status == 417 ? "expectation"
                : status == 501 ? "transfer coding"
                : status == 505 ? "HTTP version"
                : status == 500 ? "out of memory"
                                : "malformed request");
}

/* ---- requests ---- */

/* Where a request is meant to go: a target may itself name the host (RFC 9112 §3.2.2). */
typedef struct {
    char *path; /* from malloc, without the query */
    char *host; /* from malloc, may be NULL */
} destination;

static bool find_destination(const http_head *head, destination *out) {
    const char *target = head->target, *host = head->fields[FIELD_HOST];
    size_t host_len = host ? strlen(host) : 0;

    if (strncasecmp(target, "http://", 7) == 0) {
        host = target + 7;
        host_len = strcspn(host, "/?#");
        target = host + host_len;
    }
    *out = (destination){NULL, NULL};
    out->path = *target == '/' || *target == '*' ? strndup(target, strcspn(target, "?#")) : strdup("/");
    out->host = host ? strndup(host, host_len) : NULL;
    return out->path && (out->host || !host);
}

static void answer_request(peer *p, const http_head *head, const char *path) {
    bool is_head = strcmp(head->method, "HEAD") == 0, last = !head->keep_alive;
    char local[ADDRESS_SIZE];
    uint16_t port = address_of_own_end(p->tcp, local);
    http_request request = {.method = is_head ? "GET" : head->method,
                            .path = path,
                            .address = p->address,
                            .local = local,
                            .local_port = port,
                            .loopback = p->loopback};
    http_response response = {0};
    char *allow = NULL;

    p->served = true;
    p->host->events->on_request(p->host->owner, &request, &response);
    if (response.status == 0) {
        free(response.body);
        response =
            (http_response){.status = 404, .content_type = "text/plain", .body = strdup("404 Not Found\n")};
        response.len = response.body ? strlen(response.body) : 0;
    }
    if (response.allow && asprintf(&allow, "Allow: %s\r\n", response.allow) < 0)
        allow = NULL;
    if (is_head) {
        free(response.body);
        response.body = NULL;
    }
    send_answer(p, http_response_head(response.status, response.content_type, allow, response.len, !last),
                response.body, is_head ? 0 : response.len, last);
    free(allow);
}

static void upgrade(peer *p, const http_head *head) {
    const listener_options *options = p->host->options;
    char *response = handshake_response(head);
    websocket *ws;

    if (!response) {
        peer_end(p);
        return;
    }
    uv_read_stop((uv_stream_t *)p->tcp);
    ws = websocket_new(p->tcp, true, p->address, &options->websocket);
    if (!ws) {
        free(response);
        peer_end(p);
        return;
    }
    p->ws = ws;
    p->tcp = NULL;
    websocket_set_hook(ws, on_websocket_gone, p);
    websocket_write_raw(ws, response, strlen(response));
    free(response);
    p->host->events->on_websocket(p->host->owner, ws);
}

static bool host_allowed(const listener_options *options, const char *host) {
    bool allowed = handshake_host_allowed(host, options->server_name, options->extra_host);

    for (const char *const *known = options->known_hosts; known && *known && !allowed; known++)
        allowed = handshake_host_allowed(host, NULL, *known);
    return allowed;
}

/* One whole request. */
static void handle_request(peer *p, const http_head *head) {
    const listener_options *options = p->host->options;
    const char *host = head->fields[FIELD_HOST], *reason;
    destination to;
    int status;

    if (head->repeated || (!host && head->minor > 0)) {
        peer_refuse(p, 400, "malformed request");
        return;
    }
    if (!find_destination(head, &to)) {
        peer_end(p);
    } else if (handshake_wanted(head)) {
        status = handshake_check(head, &reason);
        if (status == 0 && head->fields[FIELD_ORIGIN] && !host_allowed(options, host)) {
            /* A page whose own name was made to lead here has an Origin that equals its Host. */
            status = 403;
            reason = "host";
        }
        if (status != 0)
            peer_refuse(p, status, reason);
        else
            upgrade(p, head);
    } else if (strcmp(to.path, "/ping") != 0 && !(to.host && host_allowed(options, to.host))) {
        peer_refuse(p, 403, "host");
    } else {
        answer_request(p, head, to.path);
    }
    free(to.path);
    free(to.host);
}

static void receive(peer *p, const char *data, size_t len) {
    size_t used;

    while (len > 0 && !p->lingering && !p->closing) {
        enum http_result result;

        if (p->queued > MAX_UNSENT) { /* it asks, and does not read the answers */
            peer_end(p);
            return;
        }
        result = http_parser_feed(p->http, data, len, &used);
        data += used;
        len -= used;
        if (result == HTTP_MORE)
            return;
        if (result == HTTP_REFUSED) {
            refuse_head(p, http_parser_refusal(p->http));
            return;
        }
        handle_request(p, http_parser_head(p->http));
        if (p->ws) {
            http_parser_free(p->http);
            p->http = NULL;
            websocket_start(p->ws, (const uint8_t *)data, len);
            return;
        }
        http_parser_next(p->http);
    }
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf) {
    peer *p = handle->data;

    (void)suggested;
    scratch_to_read_in_turn(buf, &p->filled, 1, READ_IN_TURN);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf) {
    peer *p = stream->data;

    if (scratch_turn_over(&p->filled, n, buf))
        return;
    if (n > 0) {
        receive(p, buf->base, (size_t)n);
    } else if (n == UV_EOF && p->queued > 0) { /* it may still want its answers */
        p->ended = true;
        linger(p);
    } else if (n < 0) {
        peer_end(p);
    }
}

/* ---- beginning ---- */

static void on_unused_closed(uv_handle_t *handle) {
    free(handle);
}

peer *peer_accept(uv_stream_t *server, const peer_host *host) {
    uv_tcp_t *tcp = malloc(sizeof *tcp);
    char address[ADDRESS_SIZE], source[ADDRESS_SIZE];
    peer *p;

    if (!tcp || uv_tcp_init(server->loop, tcp) != 0) {
        free(tcp);
        return NULL; /* the listener has not been relieved of it */
    }
    if (uv_accept(server, (uv_stream_t *)tcp) != 0) {
        uv_close((uv_handle_t *)tcp, on_unused_closed);
        return NULL;
    }
    address_of_peer(tcp, address);
    address_source(address, source);
    p = calloc(1, sizeof *p + strlen(address) + 1 + strlen(source) + 1);
    if (!p) {
        uv_close((uv_handle_t *)tcp, on_unused_closed);
        return NULL;
    }
    strcpy(p->address, address);
    p->source = strcpy(p->address + strlen(address) + 1, source);
    p->loopback = address_is_loopback(address);
    p->host = host;
    p->tcp = tcp;
    tcp->data = p;
    uv_tcp_nodelay(tcp, 1);
    return p;
}

void peer_start(peer *p) {
    if (!p->lingering)
        p->http = http_parser_new(false, p->host->options->max_head, p->host->options->max_body);
    if ((!p->http && !p->lingering) || uv_read_start((uv_stream_t *)p->tcp, on_alloc, on_read) != 0)
        peer_end(p);
}
