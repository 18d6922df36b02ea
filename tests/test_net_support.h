/*
 * test_net_support.h - what the tests of src/net share: a listener whose websockets echo, and a raw TCP client
 * that sees every byte. Both run in one thread: whoever waits for something turns the loop.
 *
 * Nothing here measures time; the guard only ends a test that would otherwise wait for ever.
 */
#ifndef TEST_NET_SUPPORT_H
#define TEST_NET_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/frames.h"
#include "net/listener.h"

enum { GUARD = 20000 /* turns of about a millisecond */, RAW_SIZE = 1 << 17 };

typedef struct {
    uv_loop_t loop;
    listener *listener;
    uint16_t port;
    bool authenticate;    /* every websocket at once */
    size_t message_limit; /* 0: the default */
    websocket *last;      /* the newest websocket; NULL when it is gone */
    unsigned opened, closed, messages, requests, refused;
    int close_code;  /* of the last one closed */
    char reason[64]; /* of the last refusal */
    bool finished;   /* the listener's on_closed has come */
} test_server;

/* ---- the server ---- */

static inline char *test_copy(const void *data, size_t len) {
    char *copy = malloc(len + 1);

    assert_non_null(copy);
    if (len > 0)
        memcpy(copy, data, len);
    copy[len] = '\0';
    return copy;
}

typedef struct {
    test_server *server;
    websocket *ws;
} test_echo;

/* Echoes; some texts are commands: "close CODE REASON", "abort", "send COUNT" (bytes of 'x'), "flood". */
static inline void test_on_message(void *owner, bool binary, const uint8_t *data, size_t len) {
    test_echo *echo = owner;
    char *text = test_copy(data, len);
    int code, at = 0;
    size_t count;

    echo->server->messages++;
    if (!binary && sscanf(text, "close %d %n", &code, &at) == 1) {
        websocket_close(echo->ws, code, text + at);
        websocket_close(echo->ws, 1000, "ignored");
        assert_int_equal(websocket_send_steal(echo->ws, false, (uint8_t *)test_copy("x", 1), 1), -1);
    } else if (!binary && strcmp(text, "abort") == 0) {
        websocket_abort(echo->ws);
    } else if (!binary && sscanf(text, "send %zu", &count) == 1) {
        uint8_t *bytes = malloc(count + 1);

        assert_non_null(bytes);
        memset(bytes, 'x', count);
        websocket_send_steal(echo->ws, false, bytes, count);
    } else {
        websocket_send_steal(echo->ws, binary, (uint8_t *)text, len);
        return;
    }
    free(text);
}

static inline void test_on_closed(void *owner, int code) {
    test_echo *echo = owner;

    echo->server->closed++;
    echo->server->close_code = code;
    if (echo->server->last == echo->ws)
        echo->server->last = NULL;
    free(echo);
}

static inline void test_on_websocket(void *owner, websocket *ws) {
    static const websocket_events events = {test_on_message, test_on_closed};
    test_server *server = owner;
    test_echo *echo = malloc(sizeof *echo);

    assert_non_null(echo);
    *echo = (test_echo){server, ws};
    websocket_set_owner(ws, &events, echo);
    if (server->message_limit)
        websocket_set_message_limit(ws, server->message_limit);
    if (server->authenticate)
        listener_authenticated(server->listener, ws);
    server->last = ws;
    server->opened++;
}

/* /ping and /big answer, /only takes GET. */
static inline void test_on_request(void *owner, const http_request *request, http_response *response) {
    test_server *server = owner;

    server->requests++;
    assert_string_equal(request->address, "127.0.0.1");
    assert_true(request->loopback);
    if (strcmp(request->path, "/big") == 0) {
        response->len = 3u << 20;
        response->body = calloc(1, response->len);
    } else if (strcmp(request->path, "/ping") == 0 || strcmp(request->path, "/only") == 0) {
        if (strcmp(request->method, "GET") != 0) {
            response->status = 405;
            response->allow = "GET, HEAD";
            return;
        }
        response->body = test_copy("{\"status\":\"ok\"}", 15);
        response->len = 15;
    } else {
        return;
    }
    response->status = 200;
    response->content_type = "application/json";
}

static inline void test_on_refused(void *owner, const char *address, const char *reason) {
    test_server *server = owner;

    assert_string_equal(address, "127.0.0.1");
    server->refused++;
    snprintf(server->reason, sizeof server->reason, "%s", reason);
}

static inline void test_on_listener_closed(void *owner) {
    ((test_server *)owner)->finished = true;
}

static const listener_events test_listener_events = {test_on_request, test_on_websocket, test_on_refused,
                                                     test_on_listener_closed};

/* One turn of the loop, and a moment for the other end. */
static inline void test_turn(test_server *server) {
    struct pollfd work = {.fd = uv_backend_fd(&server->loop), .events = POLLIN};

    uv_run(&server->loop, UV_RUN_NOWAIT);
    poll(&work, 1, 1);
}

/* Turns the loop until the condition holds. */
#define TEST_UNTIL(server, condition)                                                                        \
    do {                                                                                                     \
        int guard_ = GUARD;                                                                                  \
        while (!(condition)) {                                                                               \
            if (guard_-- == 0)                                                                               \
                fail_msg("waited in vain for: %s", #condition);                                              \
            test_turn(server);                                                                               \
        }                                                                                                    \
    } while (0)

static inline void test_server_start(test_server *server, const listener_options *options) {
    listener_options own = options ? *options : (listener_options)LISTENER_OPTIONS_INIT;

    signal(SIGPIPE, SIG_IGN);
    *server = (test_server){0};
    own.port = 0;
    assert_int_equal(uv_loop_init(&server->loop), 0);
    assert_int_equal(listener_new(&server->loop, &own, &test_listener_events, server, &server->listener), 0);
    server->port = listener_port(server->listener);
    assert_int_not_equal(server->port, 0);
}

static inline void test_server_stop(test_server *server) {
    listener_close(server->listener);
    assert_false(server->finished);
    TEST_UNTIL(server, server->finished);
    assert_int_equal(listener_connections(server->listener), 0);
    assert_int_equal(server->opened, server->closed);
    listener_free(server->listener);
    uv_run(&server->loop, UV_RUN_NOWAIT);
    assert_int_equal(uv_loop_close(&server->loop), 0);
}

/* ---- the raw client ---- */

typedef struct {
    int fd;
    bool ended; /* the peer has closed */
    bool reset; /* and rudely so */
    char *data; /* what has come and was not dropped, `len` bytes and a NUL, within `buffer` */
    size_t len;
    char buffer[2 * RAW_SIZE + 1];
} raw_client;

static inline void raw_open(test_server *server, raw_client *raw) {
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(server->port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

    raw->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    raw->ended = raw->reset = false;
    raw->len = 0;
    raw->data = raw->buffer;
    raw->data[0] = '\0';
    assert_true(raw->fd >= 0);
    assert_int_equal(connect(raw->fd, (struct sockaddr *)&address, sizeof address), 0);
    setsockopt(raw->fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
}

static inline void raw_close(raw_client *raw) {
    close(raw->fd);
    raw->fd = -1;
}

/* Takes what is there. */
static inline void raw_receive(raw_client *raw) {
    ssize_t n;

    if (raw->data > raw->buffer + RAW_SIZE) {
        memmove(raw->buffer, raw->data, raw->len + 1);
        raw->data = raw->buffer;
    }
    n = raw->ended || raw->len == RAW_SIZE
            ? -2
            : recv(raw->fd, raw->data + raw->len, RAW_SIZE - raw->len, MSG_DONTWAIT);

    if (n > 0)
        raw->len += (size_t)n;
    else if (n == 0 || (n == -1 && errno != EAGAIN)) {
        raw->ended = true;
        raw->reset = n < 0;
    }
    raw->data[raw->len] = '\0';
}

static inline void raw_send(test_server *server, raw_client *raw, const void *data, size_t len) {
    const char *p = data;

    for (int guard = GUARD; len > 0; guard--) {
        ssize_t n = send(raw->fd, p, len, MSG_DONTWAIT | MSG_NOSIGNAL);

        assert_true(guard > 0);
        if (n < 0 && errno != EAGAIN)
            return; /* the server has hung up: what it said before is what the test looks at */
        if (n < 0) {
            test_turn(server);
            continue;
        }
        p += n;
        len -= (size_t)n;
        uv_run(&server->loop, UV_RUN_NOWAIT);
    }
}

static inline void raw_send_text(test_server *server, raw_client *raw, const char *text) {
    raw_send(server, raw, text, strlen(text));
}

static inline void raw_drop(raw_client *raw, size_t len) {
    assert_true(len <= raw->len);
    raw->data += len;
    raw->len -= len;
}

#define RAW_UNTIL(server, raw, condition) TEST_UNTIL(server, (raw_receive(raw), (condition)))

/* Sends a request and reads until the server closes; the answer stays in raw->data. Returns its status. */
static inline int raw_exchange(test_server *server, raw_client *raw, const char *request) {
    raw_open(server, raw);
    raw_send_text(server, raw, request);
    RAW_UNTIL(server, raw, raw->ended);
    raw_close(raw);
    return strncmp(raw->data, "HTTP/1.1 ", 9) == 0 ? atoi(raw->data + 9) : 0;
}

/* ---- raw frames ---- */

#define TEST_KEY "dGhlIHNhbXBsZSBub25jZQ=="
#define TEST_UPGRADE                                                                                         \
    "GET /ping HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"                 \
    "Sec-WebSocket-Key: " TEST_KEY "\r\nSec-WebSocket-Version: 13\r\n\r\n"

/* Connects and upgrades. */
static inline void raw_websocket(test_server *server, raw_client *raw) {
    const char *end;

    raw_open(server, raw);
    raw_send_text(server, raw, TEST_UPGRADE);
    RAW_UNTIL(server, raw, strstr(raw->data, "\r\n\r\n"));
    assert_memory_equal(raw->data, "HTTP/1.1 101 ", 13);
    assert_non_null(strstr(raw->data, "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"));
    end = strstr(raw->data, "\r\n\r\n") + 4;
    raw_drop(raw, (size_t)(end - raw->data));
}

/* Sends a masked frame; `first` is its first byte: FIN, reserved bits, opcode. */
static inline void raw_frame(test_server *server, raw_client *raw, uint8_t first, const void *payload,
                             size_t len) {
    static const uint8_t key[4] = {0x37, 0xfa, 0x21, 0x3d};
    uint8_t header[FRAMES_MAX_HEADER], *masked = (uint8_t *)test_copy(payload, len);
    size_t header_len = frames_header(header, 0, len, key);

    header[0] = first;
    frames_mask(masked, len, key);
    raw_send(server, raw, header, header_len);
    raw_send(server, raw, masked, len);
    free(masked);
}

/* Waits for a whole frame; its payload is at raw->data + *header. Returns the first byte; -1 at the end. */
static inline int raw_next_frame(test_server *server, raw_client *raw, size_t *header, size_t *len) {
    const uint8_t *data;

    RAW_UNTIL(server, raw, raw->len >= 2 || raw->ended);
    if (raw->len < 2)
        return -1;
    data = (const uint8_t *)raw->data;
    assert_false(data[1] & 0x80); /* a server's frame is not masked */
    *len = data[1];
    *header = data[1] < 126 ? 2 : data[1] == 126 ? 4 : 10;
    RAW_UNTIL(server, raw, raw->len >= *header);
    data = (const uint8_t *)raw->data; /* it may have moved */
    if (*header > 2)
        *len = 0;
    for (size_t i = 2; i < *header; i++)
        *len = *len << 8 | data[i];
    assert_true(*header + *len <= RAW_SIZE);
    RAW_UNTIL(server, raw, raw->len >= *header + *len);
    return (uint8_t)raw->data[0];
}

static inline void raw_expect(test_server *server, raw_client *raw, int first, const void *payload,
                              size_t len) {
    size_t header, n;

    assert_int_equal(raw_next_frame(server, raw, &header, &n), first);
    assert_int_equal(n, len);
    if (len > 0)
        assert_memory_equal(raw->data + header, payload, len);
    raw_drop(raw, header + n);
}

/* Waits for the close frame, whatever comes before it; returns its code. */
static inline int raw_close_code(test_server *server, raw_client *raw) {
    size_t header, len;

    for (;;) {
        int first = raw_next_frame(server, raw, &header, &len), code;

        if (first == -1)
            return 0;
        code = len >= 2 ? (uint8_t)raw->data[header] << 8 | (uint8_t)raw->data[header + 1] : CLOSE_NO_STATUS;
        raw_drop(raw, header + len);
        if (first == 0x88)
            return code;
    }
}

#endif
