/* The listener's plain HTTP, its policies, places and time-outs, over real sockets. */
#include "test_net_support.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define CLOSE "Connection: close\r\n"
#define LOCAL "Host: localhost\r\n"

static test_server server;
static raw_client raw;

static int setup(void **state) {
    (void)state;
    test_server_start(&server, NULL);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    test_server_stop(&server);
    return 0;
}

static const struct {
    const char *request;
    int status;
    const char *contains; /* in the answer; NULL: nothing in particular */
    const char *refusal;  /* NULL: none */
} cases[] = {
    {"GET /ping HTTP/1.1\r\n" LOCAL CLOSE "\r\n", 200, "\r\n\r\n{\"status\":\"ok\"}", NULL},
    {"GET /ping?x=/y HTTP/1.1\r\n" LOCAL CLOSE "\r\n", 200, "Content-Length: 15\r\n", NULL},
    {"GET /ping HTTP/1.1\r\nHost: evil.example\r\n" CLOSE "\r\n", 200, NULL, NULL},
    {"GET /ping HTTP/1.0\r\n\r\n", 200, "Connection: close\r\n", NULL},
    {"GET http://localhost/ping HTTP/1.1\r\n" LOCAL CLOSE "\r\n", 200, NULL, NULL},
    {"GET /nothing HTTP/1.1\r\n" LOCAL CLOSE "\r\n", 404, NULL, NULL},
    {"GET http://localhost HTTP/1.1\r\n" LOCAL CLOSE "\r\n", 404, NULL, NULL},
    {"POST /ping HTTP/1.1\r\n" LOCAL CLOSE "Content-Length: 2\r\n\r\nab", 405, "Allow: GET, HEAD\r\n", NULL},
    {"OPTIONS * HTTP/1.1\r\n" LOCAL CLOSE "\r\n", 404, NULL, NULL},
    {"GET /only HTTP/1.1\r\nHost: trivet.local:1\r\n" CLOSE "\r\n", 200, NULL, NULL},
    {"GET /only HTTP/1.1\r\nHost: 192.168.1.7\r\n" CLOSE "\r\n", 200, NULL, NULL},
    {"GET /only HTTP/1.1\r\nHost: evil.example\r\n" CLOSE "\r\n", 403, "Connection: close\r\n", "host"},
    {"GET http://evil.example/only HTTP/1.1\r\n" LOCAL CLOSE "\r\n", 403, NULL, "host"},
    {"GET /only HTTP/1.0\r\n\r\n", 403, NULL, "host"},
    {"GET /ping HTTP/1.1\r\n" CLOSE "\r\n", 400, NULL, "malformed request"},
    {"GET /ping HTTP/1.1\r\n" LOCAL LOCAL CLOSE "\r\n", 400, NULL, "malformed request"},
    {"GET /ping HTTP/1.1\r\nHost : localhost\r\n\r\n", 400, NULL, "malformed request"},
    {"nonsense\r\n\r\n", 400, "Connection: close\r\n", "malformed request"},
    {"GET /ping HTTP/2.0\r\n\r\n", 505, NULL, "HTTP version"},
    {"POST /ping HTTP/1.1\r\n" LOCAL "Content-Length: 65537\r\n\r\n", 413, NULL, "body too large"},
    {"GET /x HTTP/1.1\r\n" LOCAL
     "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\r\n",
     400, NULL, "WebSocket key"},
    {"GET /x HTTP/1.1\r\n" LOCAL "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: " TEST_KEY
     "\r\nSec-WebSocket-Version: 12\r\n\r\n",
     426, "Sec-WebSocket-Version: 13\r\n", "WebSocket version"},
    {"GET /x HTTP/1.1\r\n" LOCAL "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: " TEST_KEY
     "\r\nSec-WebSocket-Version: 13\r\nOrigin: http://evil.example\r\n\r\n",
     403, NULL, "origin"},
    {"POST /x HTTP/1.1\r\n" LOCAL "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: " TEST_KEY
     "\r\nSec-WebSocket-Version: 13\r\n\r\n",
     400, NULL, "upgrade"},
    {"GET /x HTTP/1.0\r\n" LOCAL "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: " TEST_KEY
     "\r\nSec-WebSocket-Version: 13\r\n\r\n",
     400, NULL, "upgrade"},
    /* An upgrade to something else is a request like any other. */
    {"GET /ping HTTP/1.1\r\n" LOCAL "Upgrade: h2c\r\nConnection: Upgrade, close\r\n\r\n", 200, NULL, NULL},
};

static void test_answers(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        unsigned refused = server.refused;
        int status = raw_exchange(&server, &raw, cases[i].request);

        if (status != cases[i].status || raw.reset)
            fail_msg("%s: %d, reset %d", cases[i].request, status, raw.reset);
        if (cases[i].contains && !strstr(raw.data, cases[i].contains))
            fail_msg("%s: %s", cases[i].request, raw.data);
        assert_int_equal(server.refused - refused, cases[i].refusal != NULL);
        if (cases[i].refusal)
            assert_string_equal(server.reason, cases[i].refusal);
    }
}

static void test_head_has_no_body(void **state) {
    (void)state;
    assert_int_equal(
        raw_exchange(&server, &raw, "HEAD /ping HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"), 200);
    assert_non_null(strstr(raw.data, "Content-Length: 15\r\n"));
    assert_string_equal(raw.data + raw.len - 4, "\r\n\r\n");
}

static void test_one_byte_at_a_time(void **state) {
    static const char request[] = "GET /ping HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

    (void)state;
    raw_open(&server, &raw);
    for (size_t i = 0; i + 1 < sizeof request; i++) {
        assert_int_equal(server.requests, 0);
        raw_send(&server, &raw, request + i, 1);
        test_turn(&server);
    }
    RAW_UNTIL(&server, &raw, raw.ended);
    assert_memory_equal(raw.data, "HTTP/1.1 200 OK\r\n", 17);
    raw_close(&raw);
}

/* Whoever hangs up in the middle of a request is gone without a trace. */
static void test_every_truncation(void **state) {
    static const char request[] = "GET /ping HTTP/1.1\r\nHost: localhost\r\n\r\n";

    (void)state;
    for (size_t len = 0; len + 1 < sizeof request; len++) {
        raw_open(&server, &raw);
        raw_send(&server, &raw, request, len);
        raw_close(&raw);
    }
    TEST_UNTIL(&server, listener_connections(server.listener) == 0);
    assert_int_equal(server.requests, 0);
}

static void test_pipelining(void **state) {
    const char *at;

    (void)state;
    raw_open(&server, &raw);
    raw_send_text(
        &server, &raw,
        "GET /ping HTTP/1.1\r\nHost: a\r\n\r\nPOST /only HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2"
        "\r\n\r\nxyGET /none HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\nGET /ping HTTP/1.1\r\n");
    RAW_UNTIL(&server, &raw, raw.ended);
    raw_close(&raw);
    assert_false(raw.reset);
    at = strstr(raw.data, "HTTP/1.1 200 ");
    assert_ptr_equal(at, raw.data);
    at = strstr(at, "HTTP/1.1 405 ");
    assert_non_null(at);
    at = strstr(at, "HTTP/1.1 404 ");
    assert_non_null(at);
    assert_null(strstr(at + 1, "HTTP/1.1"));
    assert_int_equal(server.requests, 3);
}

static void test_keep_alive(void **state) {
    (void)state;
    raw_open(&server, &raw);
    for (unsigned i = 1; i <= 3; i++) {
        raw_send_text(&server, &raw, "GET /ping HTTP/1.1\r\nHost: a\r\n\r\n");
        RAW_UNTIL(&server, &raw, strstr(raw.data, "\"ok\"}"));
        assert_false(raw.ended);
        assert_int_equal(server.requests, i);
        raw_drop(&raw, raw.len);
    }
    raw_close(&raw);
}

static void test_head_too_large(void **state) {
    char field[1024];

    (void)state;
    memset(field, 'a', sizeof field);
    memcpy(field, "\r\nX: ", 5);
    raw_open(&server, &raw);
    raw_send_text(&server, &raw, "GET /ping HTTP/1.1\r\nHost: a");
    for (int i = 0; i < 64; i++)
        raw_send(&server, &raw, field, sizeof field);
    RAW_UNTIL(&server, &raw, raw.ended);
    assert_false(raw.reset); /* although more was sent than read: the answer must arrive */
    assert_memory_equal(raw.data, "HTTP/1.1 431 ", 13);
    assert_string_equal(server.reason, "head too large");
    raw_close(&raw);
}

/* A body that nobody wants is still waited out, so that the answer after it is the next request's. */
static void test_body_is_skipped(void **state) {
    char chunk[1000];

    (void)state;
    memset(chunk, 'b', sizeof chunk);
    raw_open(&server, &raw);
    raw_send_text(&server, &raw, "POST /ping HTTP/1.1\r\nHost: a\r\nContent-Length: 60000\r\n\r\n");
    for (int i = 0; i < 60; i++)
        raw_send(&server, &raw, chunk, sizeof chunk);
    raw_send_text(&server, &raw, "GET /ping HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    RAW_UNTIL(&server, &raw, raw.ended);
    assert_memory_equal(raw.data, "HTTP/1.1 405 ", 13);
    assert_non_null(strstr(raw.data, "HTTP/1.1 200 "));
    raw_close(&raw);
}

static void test_big_answer(void **state) {
    size_t total = 0;

    (void)state;
    raw_open(&server, &raw);
    raw_send_text(&server, &raw, "GET /big HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    while (!raw.ended) {
        test_turn(&server);
        raw_receive(&raw);
        total += raw.len;
        raw_drop(&raw, raw.len);
    }
    assert_false(raw.reset);
    assert_true(total > 3u << 20);
    raw_close(&raw);
}

/* Somebody who asks and asks and does not read is not served for ever. */
static void test_greedy_pipeline(void **state) {
    (void)state;
    raw_open(&server, &raw);
    for (int i = 0; i < 1000; i++)
        raw_send_text(&server, &raw, "GET /big HTTP/1.1\r\nHost: localhost\r\n\r\n");
    TEST_UNTIL(&server, listener_connections(server.listener) == 0);
    assert_true(server.requests < 20);
    raw_close(&raw);
}

static void test_port_in_use(void **state) {
    listener_options options = LISTENER_OPTIONS_INIT;
    listener *second;

    (void)state;
    options.port = server.port;
    assert_int_equal(listener_new(&server.loop, &options, &test_listener_events, &server, &second),
                     UV_EADDRINUSE);
    assert_null(second);
}

/* One port takes both families; an IPv4 address is shown as one. */
static void test_dual_stack(void **state) {
    struct sockaddr_in6 address = {
        .sin6_family = AF_INET6, .sin6_port = htons(server.port), .sin6_addr = in6addr_loopback};
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void)state;
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        if (fd >= 0)
            close(fd);
        skip(); /* no IPv6 here: the fallback has taken over */
    }
    assert_int_equal(send(fd, TEST_UPGRADE, strlen(TEST_UPGRADE), 0), strlen(TEST_UPGRADE));
    TEST_UNTIL(&server, server.last);
    assert_string_equal(websocket_address(server.last), "::1");
    close(fd);
    raw_websocket(&server, &raw);
    assert_string_equal(websocket_address(server.last), "127.0.0.1");
    raw_close(&raw);
}

/* ---- servers with options of their own ---- */

static void test_listening_hosts(void **state) {
    static const char *const hosts[] = {"127.0.0.1", "localhost", "0.0.0.0", "::ffff:127.0.0.1"};

    (void)state;
    for (size_t i = 0; i < COUNT(hosts); i++) {
        listener_options options = LISTENER_OPTIONS_INIT;

        options.host = hosts[i];
        test_server_start(&server, &options);
        test_server_stop(&server);
    }
}

static void test_time_out(void **state) {
    static const char *const beginnings[] = {
        "", "GET /pi", "GET /ping HTTP/1.1\r\nHost: a\r\n",
        "POST /ping HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc"};
    listener_options options = LISTENER_OPTIONS_INIT;

    (void)state;
    options.unauthenticated_timeout = 40;
    test_server_start(&server, &options);
    for (size_t i = 0; i < COUNT(beginnings); i++) {
        raw_open(&server, &raw);
        raw_send_text(&server, &raw, beginnings[i]);
        RAW_UNTIL(&server, &raw, raw.ended);
        assert_int_equal(raw.len, 0);
        assert_int_equal(server.refused, i + 1);
        assert_string_equal(server.reason, "time-out");
        raw_close(&raw);
    }
    /* Who was served and then keeps silent is closed too, but refused nothing. */
    raw_open(&server, &raw);
    raw_send_text(&server, &raw, "GET /ping HTTP/1.1\r\nHost: a\r\n\r\n");
    RAW_UNTIL(&server, &raw, raw.ended);
    assert_memory_equal(raw.data, "HTTP/1.1 200 ", 13);
    assert_int_equal(server.refused, COUNT(beginnings));
    raw_close(&raw);
    test_server_stop(&server);
}

static void test_unauthenticated_websocket_times_out(void **state) {
    listener_options options = LISTENER_OPTIONS_INIT;
    raw_client authenticated;

    (void)state;
    options.unauthenticated_timeout = 40;
    test_server_start(&server, &options);
    server.authenticate = true;
    raw_websocket(&server, &authenticated);
    server.authenticate = false;
    raw_websocket(&server, &raw);
    assert_int_equal(raw_close_code(&server, &raw), 4002);
    raw_frame(&server, &raw, 0x88, "\x0f\xa2", 2);
    RAW_UNTIL(&server, &raw, raw.ended);
    assert_int_equal(server.close_code, 4002);
    assert_string_equal(server.reason, "time-out");
    /* The other one is still there. */
    raw_frame(&server, &authenticated, 0x81, "hi", 2);
    raw_expect(&server, &authenticated, 0x81, "hi", 2);
    raw_close(&raw);
    raw_close(&authenticated);
    test_server_stop(&server);
}

/* Opens `count` plain connections one after another, so that their order is known. */
static void open_many(raw_client *clients, size_t count) {
    for (size_t i = 0; i < count; i++) {
        size_t before = listener_connections(server.listener);
        unsigned refused = server.refused;

        raw_open(&server, &clients[i]);
        TEST_UNTIL(&server, listener_connections(server.listener) > before || server.refused > refused);
    }
}

static void check_places(unsigned per_address, unsigned max, const char *reason) {
    listener_options options = LISTENER_OPTIONS_INIT;
    static raw_client clients[6];
    raw_client *authenticated = &clients[0], *oldest = &clients[1];

    options.unauthenticated_per_address = per_address;
    options.unauthenticated_max = max;
    options.unauthenticated_timeout = 600000;
    test_server_start(&server, &options);
    server.authenticate = true;
    raw_websocket(&server, authenticated);
    server.authenticate = false;
    raw_websocket(&server, oldest);
    open_many(clients + 2, 2);
    assert_int_equal(server.refused, 0);
    /* A fourth without a secret: the oldest of them hears 4002 and goes. */
    open_many(clients + 4, 1);
    assert_int_equal(server.refused, 1);
    assert_string_equal(server.reason, reason);
    assert_int_equal(raw_close_code(&server, oldest), 4002);
    /* And a fifth: now a plain one is the oldest. */
    open_many(clients + 5, 1);
    RAW_UNTIL(&server, &clients[2], clients[2].ended);
    raw_receive(&clients[3]);
    assert_false(clients[3].ended);
    /* The authenticated one was never in the way; its place counts no more. */
    raw_frame(&server, authenticated, 0x81, "hi", 2);
    raw_expect(&server, authenticated, 0x81, "hi", 2);
    for (size_t i = 0; i < COUNT(clients); i++)
        raw_close(&clients[i]);
    test_server_stop(&server);
}

static void test_places_of_an_address(void **state) {
    (void)state;
    check_places(3, 100, "too many from this address");
}

static void test_places_in_all(void **state) {
    (void)state;
    check_places(100, 3, "too many connections");
}

/* What was refused and does not hang up is cut off, and a crowd of it at once. */
static void test_lingering_is_bounded(void **state) {
    listener_options options = LISTENER_OPTIONS_INIT;
    enum { CROWD = 40 };
    raw_client *clients = calloc(CROWD, sizeof *clients);

    (void)state;
    options.unauthenticated_per_address = 100;
    options.websocket.close_timeout = 600000;
    test_server_start(&server, &options);
    for (size_t i = 0; i < CROWD; i++) {
        raw_open(&server, &clients[i]);
        raw_send_text(&server, &clients[i], "nonsense\r\n\r\n");
    }
    TEST_UNTIL(&server, server.refused == CROWD);
    TEST_UNTIL(&server, listener_connections(server.listener) == 32);
    for (size_t i = 0; i < CROWD; i++)
        raw_close(&clients[i]);
    TEST_UNTIL(&server, listener_connections(server.listener) == 0);
    free(clients);
    test_server_stop(&server);
    /* A single one is cut off in time. */
    options.websocket.close_timeout = 30;
    test_server_start(&server, &options);
    raw_open(&server, &raw);
    raw_send_text(&server, &raw, "nonsense\r\n\r\n");
    TEST_UNTIL(&server, server.refused == 1);
    TEST_UNTIL(&server, listener_connections(server.listener) == 0);
    raw_close(&raw);
    test_server_stop(&server);
}

/* Stopping ends them all: 1001 for websockets, the stream's end for the rest. */
static void test_stop_with_open_connections(void **state) {
    static raw_client open, waiting, plain, asking;
    listener_options options = LISTENER_OPTIONS_INIT;

    (void)state;
    options.websocket.close_timeout = 500;
    test_server_start(&server, &options);
    server.authenticate = true;
    raw_websocket(&server, &open);
    server.authenticate = false;
    raw_websocket(&server, &waiting);
    raw_open(&server, &plain);
    raw_open(&server, &asking);
    raw_send_text(&server, &asking, "GET /ping HT");
    TEST_UNTIL(&server, listener_connections(server.listener) == 4);
    listener_close(server.listener);
    assert_int_equal(raw_close_code(&server, &open), 1001);
    assert_int_equal(raw_close_code(&server, &waiting), 1001);
    raw_frame(&server, &open, 0x88, "\x03\xe9",
              2); /* `waiting` does not answer, and is not waited for long */
    RAW_UNTIL(&server, &plain, plain.ended);
    RAW_UNTIL(&server, &asking, asking.ended);
    TEST_UNTIL(&server, server.finished);
    RAW_UNTIL(&server, &waiting, waiting.ended);
    assert_int_equal(server.closed, 2);
    assert_int_equal(server.close_code, 1001);
    raw_close(&open);
    raw_close(&waiting);
    raw_close(&plain);
    raw_close(&asking);
    listener_free(server.listener);
    assert_int_equal(uv_loop_close(&server.loop), 0);
}

int main(void) {
#define WITH_SERVER(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        WITH_SERVER(test_answers),
        WITH_SERVER(test_head_has_no_body),
        WITH_SERVER(test_one_byte_at_a_time),
        WITH_SERVER(test_every_truncation),
        WITH_SERVER(test_pipelining),
        WITH_SERVER(test_keep_alive),
        WITH_SERVER(test_head_too_large),
        WITH_SERVER(test_body_is_skipped),
        WITH_SERVER(test_big_answer),
        WITH_SERVER(test_greedy_pipeline),
        WITH_SERVER(test_port_in_use),
        WITH_SERVER(test_dual_stack),
        cmocka_unit_test(test_listening_hosts),
        cmocka_unit_test(test_time_out),
        cmocka_unit_test(test_unauthenticated_websocket_times_out),
        cmocka_unit_test(test_places_of_an_address),
        cmocka_unit_test(test_places_in_all),
        cmocka_unit_test(test_lingering_is_bounded),
        cmocka_unit_test(test_stop_with_open_connections),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
