/*
 * Each allocation of src/net fails in its turn: nothing crashes, nothing leaks, and whoever waits hears of an
 * end. malloc and its kin are replaced for the whole program; libuv keeps the real ones, since it aborts
 * without memory. The sanitizers bring a malloc of their own: there this test has nothing to do.
 */
#include "test_net_support.h"

#include "net/client.h"
#include "net/control.h"
#include "net/handshake.h"
#include "net/http.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define REPLACE_MALLOC 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define REPLACE_MALLOC 0
#endif
#endif
#if !defined(REPLACE_MALLOC) && defined(__GLIBC__)
#define REPLACE_MALLOC 1
#endif

#if REPLACE_MALLOC

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);
void __libc_free(void *old);

/* Allocations that still succeed; negative: all do. Volatile: the compiler thinks it knows what malloc reads. */
static _Thread_local volatile long until_failure = -1;
static _Atomic long live; /* allocated and not freed, by all threads: the resolver's results change hands */

static bool fails(void) {
    if (until_failure < 0)
        return false;
    return until_failure-- == 0;
}

void *malloc(size_t size) {
    void *p = fails() ? NULL : __libc_malloc(size);

    live += p != NULL;
    return p;
}

void *calloc(size_t count, size_t size) {
    void *p = fails() ? NULL : __libc_calloc(count, size);

    live += p != NULL;
    return p;
}

void *realloc(void *old, size_t size) {
    void *p = fails() ? NULL : __libc_realloc(old, size);

    live += p && !old;
    return p;
}

void free(void *p) {
    live -= p != NULL;
    __libc_free(p);
}

/* ---- without sockets ---- */

static void ignore_message(void *owner, bool binary, const uint8_t *data, size_t len) {
    (void)binary;
    (void)data;
    *(size_t *)owner += len;
}

static void ignore_ping(void *owner, const uint8_t *data, size_t len) {
    (void)owner;
    (void)data;
    (void)len;
}

static void ignore_close(void *owner, int code) {
    (void)owner;
    (void)code;
}

static bool parse_head(void) {
    http_parser *p = http_parser_new(false, 4096, 10);
    const char *reason;
    char *response = NULL;
    size_t used;
    bool done = false;

    if (p && http_parser_feed(p, TEST_UPGRADE, strlen(TEST_UPGRADE), &used) == HTTP_MESSAGE &&
        handshake_check(http_parser_head(p), &reason) == 0)
        response = handshake_response(http_parser_head(p));
    done = response != NULL;
    if (p && !done && http_parser_refusal(p))
        assert_int_equal(http_parser_refusal(p), 500);
    free(response);
    http_parser_free(p);
    return done;
}

static bool read_frames(void) {
    static const frames_events events = {ignore_message, ignore_ping, ignore_close};
    static const uint8_t head[] = "\x02\xfe\xff\xff\0\0\0", tail[] = "\x80\x81\0\0\0\0x";
    static uint8_t payload[65535];
    size_t got = 0;
    frames f;
    int code;

    frames_init(&f, true, 200000); /* more than a message gets at its beginning */
    code = frames_feed(&f, head, 8, &events, &got);
    if (code == 0)
        code = frames_feed(&f, payload, sizeof payload, &events, &got);
    if (code == 0)
        code = frames_feed(&f, tail, 7, &events, &got);
    frames_release(&f);
    assert_true(code == 0 || code == CLOSE_INTERNAL);
    assert_int_equal(got, code == 0 ? 65536 : 0);
    return code == 0;
}

/* Runs with the first allocation failing, then the second, until all goes well. In between it runs without any
 * failing, which must go well, and leaves the same set aside for later each time. */
static void fail_each(bool (*run)(void), long at_least) {
    bool well = false;
    long n = 0;

    assert_true(run());
    while (!well) {
        long before = live;

        until_failure = n++;
        well = run() && until_failure >= 0;
        until_failure = -1;
        assert_true(run());
        if (live != before)
            fail_msg("%ld blocks leaked where allocation %ld failed", live - before, n - 1);
        assert_true(n < 1000);
    }
    assert_true(n > at_least); /* some did fail */
}

static void test_parsers(void **state) {
    (void)state;
    fail_each(parse_head, 3);
    fail_each(read_frames, 2);
}

/* ---- a listener, a client and a control socket, on one loop ---- */

static uv_loop_t loop;
static listener *port;
static websocket *ours; /* the server's end */
static unsigned client_ends, echoes;
static bool port_closed, control_closed;

static void on_server_message(void *owner, bool binary, const uint8_t *data, size_t len) {
    uint8_t *copy = malloc(len);

    (void)owner;
    if (copy) {
        memcpy(copy, data, len);
        websocket_send_steal(ours, binary, copy, len);
    } else {
        websocket_abort(ours);
    }
}

static void on_server_closed(void *owner, int code) {
    (void)owner;
    (void)code;
}

static void on_server_websocket(void *owner, websocket *ws) {
    static const websocket_events events = {on_server_message, on_server_closed};

    (void)owner;
    ours = ws;
    websocket_set_owner(ws, &events, NULL);
    listener_authenticated(port, ws);
}

static void on_server_request(void *owner, const http_request *request, http_response *response) {
    (void)owner;
    (void)request;
    (void)response;
}

static void on_port_closed(void *owner) {
    (void)owner;
    port_closed = true;
}

static void on_client_message(void *owner, bool binary, const uint8_t *data, size_t len) {
    (void)binary;
    (void)data;
    (void)len;
    echoes++;
    websocket_close(*(websocket **)owner, 1000, "done");
}

static void on_client_closed(void *owner, int code) {
    (void)owner;
    (void)code;
    client_ends++;
}

static void on_client_open(void *owner, websocket *ws) {
    static const websocket_events events = {on_client_message, on_client_closed};
    uint8_t *message = malloc(20000);

    *(websocket **)owner = ws;
    websocket_set_owner(ws, &events, owner);
    if (message) {
        memset(message, 'm', 20000);
        websocket_send_steal(ws, false, message, 20000);
    } else {
        websocket_abort(ws);
    }
}

static void on_client_failed(void *owner, const char *reason) {
    (void)owner;
    (void)reason;
    client_ends++;
}

static bool converse(void) {
    static const listener_events listening = {on_server_request, on_server_websocket, NULL, on_port_closed};
    static const client_events connecting = {on_client_open, on_client_failed};
    listener_options options = LISTENER_OPTIONS_INIT;
    websocket *theirs = NULL;
    bool well = true;

    options.port = 0;
    options.websocket.close_timeout = 20;
    options.unauthenticated_timeout = 50;
    echoes = client_ends = 0;
    port_closed = false;
    if (listener_new(&loop, &options, &listening, NULL, &port) != 0) {
        uv_run(&loop, UV_RUN_NOWAIT);
        return false;
    }
    if (client_connect(&loop, "127.0.0.1", listener_port(port), 100, &options.websocket, &connecting,
                       &theirs) != 0)
        well = false;
    for (int i = 0; i < GUARD && well && client_ends == 0; i++)
        uv_run(&loop, UV_RUN_ONCE);
    assert_true(!well || client_ends == 1);
    listener_close(port);
    while (!port_closed)
        uv_run(&loop, UV_RUN_ONCE);
    listener_free(port);
    return well && echoes == 1;
}

static void test_connections(void **state) {
    (void)state;
    signal(SIGPIPE, SIG_IGN);
    free(http_response_head(200, NULL, NULL, 0, true)); /* the first date makes libc read its time zones */
    assert_int_equal(uv_loop_init(&loop), 0);
    fail_each(converse, 10);
    assert_int_equal(uv_loop_close(&loop), 0);
}

/* ---- a port that has no memory for a connection hears of the next one ---- */

static long failures;
static unsigned refusals;

static void on_port_refused(void *owner, const char *address, const char *reason) {
    (void)owner;
    (void)address;
    (void)reason;
    refusals++;
    if (--failures > 0)
        until_failure = 0;
}

static int connect_plainly(void) {
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons(listener_port(port)),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

/* Until the connection ends or something came; the number of bytes. */
static ssize_t hear(int fd) {
    char answer[1000];
    ssize_t n = -1;

    for (int i = 0; i < GUARD && n < 0; i++) {
        uv_run(&loop, UV_RUN_NOWAIT);
        n = recv(fd, answer, sizeof answer, MSG_DONTWAIT);
        if (n < 0 && errno == ECONNRESET)
            n = 0;
    }
    return n;
}

static void test_no_memory_to_accept(void **state) {
    static const listener_events listening = {on_server_request, on_server_websocket, on_port_refused,
                                              on_port_closed};
    static const char request[] = "GET /ping HTTP/1.0\r\n\r\n";
    listener_options options = LISTENER_OPTIONS_INIT;

    (void)state;
    options.port = 0;
    port_closed = false;
    assert_int_equal(uv_loop_init(&loop), 0);
    assert_int_equal(listener_new(&loop, &options, &listening, NULL, &port), 0);
    for (long turned_away = 1; turned_away <= 3; turned_away++) {
        int fds[4];
        for (long i = 0; i <= turned_away; i++)
            fds[i] = connect_plainly();
        refusals = 0;
        failures = turned_away;
        until_failure = 0;
        for (int i = 0; i < GUARD && failures > 0; i++)
            uv_run(&loop, UV_RUN_NOWAIT);
        until_failure = -1;
        assert_int_equal(refusals, turned_away);
        /* Each is ended or served, and none left waiting. */
        for (long i = 0; i <= turned_away; i++) {
            send(fds[i], request, sizeof request - 1, MSG_NOSIGNAL);
            assert_true(hear(fds[i]) >= 0);
            close(fds[i]);
        }
        fds[0] = connect_plainly();
        send(fds[0], request, sizeof request - 1, MSG_NOSIGNAL);
        assert_true(hear(fds[0]) > 0);
        close(fds[0]);
    }
    listener_close(port);
    while (!port_closed)
        uv_run(&loop, UV_RUN_ONCE);
    listener_free(port);
    assert_int_equal(uv_loop_close(&loop), 0);
}

static void on_control_request(void *owner, control_call *call, json_t *request, char *raw, size_t raw_len) {
    (void)owner;
    control_answer(call, request, raw, raw_len);
}

static void on_control_closed(void *owner) {
    (void)owner;
    control_closed = true;
}

static bool control(void) {
    static const control_events events = {on_control_request, on_control_closed};
    static const char path[] = "/tmp/trivet-net-memory.sock", request[] = "{\"raw\":5000}\n";
    char response[6000], raw[5000] = {0};
    control_server *server;
    ssize_t n = -1;
    size_t len = 0;
    int fd;

    control_closed = false;
    if (control_server_new(&loop, path, &events, NULL, &server) != 0)
        return false;
    fd = control_connect(path);
    if (fd >= 0) {
        send(fd, request, sizeof request - 1, MSG_NOSIGNAL);
        send(fd, raw, sizeof raw, MSG_NOSIGNAL);
        /* The answer, or the end of the connection. */
        for (int i = 0; i < 1000 && n != 0 && len < sizeof request - 1 + sizeof raw; i++) {
            uv_run(&loop, UV_RUN_NOWAIT);
            n = recv(fd, response + len, sizeof response - len, MSG_DONTWAIT);
            len += n > 0 ? (size_t)n : 0;
        }
        close(fd);
    }
    control_server_close(server);
    while (!control_closed)
        uv_run(&loop, UV_RUN_ONCE);
    control_server_free(server);
    return len == sizeof request - 1 + sizeof raw;
}

static void test_control(void **state) {
    (void)state;
    assert_int_equal(uv_loop_init(&loop), 0);
    fail_each(control, 10);
    assert_int_equal(uv_loop_close(&loop), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parsers),
        cmocka_unit_test(test_connections),
        cmocka_unit_test(test_no_memory_to_accept),
        cmocka_unit_test(test_control),
    };

    void *volatile p;

    until_failure = 0;
    p = malloc(1);
    until_failure = -1;
    free(p);
    if (p) {
        puts("1..1\nok 1 - every allocation fails # SKIP malloc is another's here"); /* valgrind */
        return 0;
    }
    uv_replace_allocator(__libc_malloc, __libc_realloc, __libc_calloc, __libc_free);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#else

int main(void) {
    puts("1..1\nok 1 - every allocation fails # SKIP malloc is the sanitizer's");
    return 0;
}

#endif
