/* The client's end: against our own listener, and against servers that answer badly or not at all. */
#include "test_net_support.h"

#include "net/client.h"
#include "net/handshake.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

static test_server server;

typedef struct {
    websocket *ws;
    char failure[128];
    unsigned opened, failed, closed, messages;
    int close_code;
    size_t last_len;
    char last[64]; /* the beginning of the last message */
} test_client;

static void on_message(void *owner, bool binary, const uint8_t *data, size_t len) {
    test_client *client = owner;

    (void)binary;
    client->messages++;
    client->last_len = len;
    snprintf(client->last, sizeof client->last, "%.*s", len < 60 ? (int)len : 60, (const char *)data);
}

static void on_closed(void *owner, int code) {
    test_client *client = owner;

    client->closed++;
    client->close_code = code;
    client->ws = NULL;
}

static void on_open(void *owner, websocket *ws) {
    static const websocket_events events = {on_message, on_closed};
    test_client *client = owner;

    client->opened++;
    client->ws = ws;
    websocket_set_owner(ws, &events, client);
}

static void on_failed(void *owner, const char *reason) {
    test_client *client = owner;

    client->failed++;
    snprintf(client->failure, sizeof client->failure, "%s", reason);
}

static const client_events events = {on_open, on_failed};

static void start_client(test_client *client, const char *host, uint16_t port, uint64_t timeout) {
    *client = (test_client){0};
    assert_int_equal(client_connect(&server.loop, host, port, timeout, NULL, &events, client), 0);
    assert_int_equal(client->opened + client->failed, 0);
}

static void send_text(test_client *client, const char *text) {
    assert_int_equal(
        websocket_send_steal(client->ws, false, (uint8_t *)test_copy(text, strlen(text)), strlen(text)), 0);
}

static int setup(void **state) {
    (void)state;
    test_server_start(&server, NULL);
    server.authenticate = true;
    return 0;
}

static int teardown(void **state) {
    (void)state;
    test_server_stop(&server);
    return 0;
}

static void test_round_trip(void **state) {
    static const char *const hosts[] = {"127.0.0.1", "localhost", "::ffff:127.0.0.1", "[::ffff:127.0.0.1]"};
    test_client client;
    uint8_t *large;

    (void)state;
    for (size_t i = 0; i < COUNT(hosts); i++) {
        start_client(&client, hosts[i], server.port, 5000);
        TEST_UNTIL(&server, client.opened + client.failed == 1);
        assert_string_equal(client.failure, "");
        send_text(&client, "one");
        send_text(&client, "h\xc3\xa9");
        TEST_UNTIL(&server, client.messages == 2);
        assert_string_equal(client.last, "h\xc3\xa9");
        large = malloc(3000000);
        memset(large, 'b', 3000000);
        assert_int_equal(websocket_send_steal(client.ws, true, large, 3000000), 0);
        TEST_UNTIL(&server, client.messages == 3);
        assert_int_equal(client.last_len, 3000000);
        assert_int_equal(websocket_send_steal(client.ws, true, NULL, 0), 0);
        TEST_UNTIL(&server, client.messages == 4);
        websocket_close(client.ws, 4321, "enough");
        assert_int_equal(client.closed, 0);
        TEST_UNTIL(&server, client.closed == 1 && server.closed == i + 1);
        assert_int_equal(client.close_code, 4321);
        assert_int_equal(server.close_code, 4321);
    }
}

static void test_server_ends_it(void **state) {
    test_client client;

    (void)state;
    start_client(&client, "127.0.0.1", server.port, 5000);
    TEST_UNTIL(&server, client.opened == 1);
    send_text(&client, "close 4009 replaced");
    TEST_UNTIL(&server, client.closed == 1);
    assert_int_equal(client.close_code, 4009);

    start_client(&client, "127.0.0.1", server.port, 5000);
    TEST_UNTIL(&server, client.opened == 1);
    send_text(&client, "abort");
    TEST_UNTIL(&server, client.closed == 1);
    assert_int_equal(client.close_code, CLOSE_ABNORMAL);

    start_client(&client, "127.0.0.1", server.port, 5000);
    TEST_UNTIL(&server, client.opened == 1);
    websocket_abort(client.ws);
    websocket_abort(client.ws);
    assert_int_equal(client.closed, 0); /* never from within a call */
    TEST_UNTIL(&server, client.closed == 1 && server.closed == server.opened);
    assert_int_equal(server.close_code, CLOSE_ABNORMAL);
}

/* The loop ends while clients are open or on their way. */
static void test_stop_while_clients_are_about(void **state) {
    test_client open;

    (void)state;
    start_client(&open, "127.0.0.1", server.port, 5000);
    TEST_UNTIL(&server, open.opened == 1);
    listener_close(server.listener);
    TEST_UNTIL(&server, open.closed == 1 && server.finished);
    assert_int_equal(open.close_code, 1001);
    listener_free(server.listener);
    assert_int_equal(uv_loop_close(&server.loop), 0);
}

/* ---- bad servers ---- */

/* A port on loopback; it listens where `backlog` is not negative. */
static int bad_server(int backlog, uint16_t *port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    if (backlog >= 0)
        assert_int_equal(listen(fd, backlog), 0);
    *port = ntohs(address.sin_port);
    return fd;
}

static void test_refused_connection(void **state) {
    test_client client;
    uint16_t port;
    int fd = bad_server(-1, &port);

    (void)state;
    start_client(&client, "127.0.0.1", port, 5000);
    TEST_UNTIL(&server, client.failed == 1);
    assert_string_equal(client.failure, "connection refused");
    /* With a name every address is tried. */
    start_client(&client, "localhost", port, 5000);
    TEST_UNTIL(&server, client.failed == 1);
    assert_string_equal(client.failure, "connection refused");
    close(fd);
}

static void test_time_out(void **state) {
    test_client client;
    uint16_t port;
    int fd = bad_server(5, &port); /* takes connections, and never says a word */

    (void)state;
    start_client(&client, "127.0.0.1", port, 50);
    TEST_UNTIL(&server, client.failed == 1);
    assert_string_equal(client.failure, "time-out");
    close(fd);
}

static void test_host_too_long(void **state) {
    char host[600];
    test_client client = {0};

    (void)state;
    memset(host, 'a', sizeof host - 1);
    host[sizeof host - 1] = '\0';
    assert_true(client_connect(&server.loop, host, 1, 50, NULL, &events, &client) < 0);
}

/* What a server answers, %s being the right accept key. */
static const struct {
    const char *answer, *failure; /* NULL: it opens */
} answers[] = {
#define UP "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    {UP "Sec-WebSocket-Accept: %s\r\n\r\n", NULL},
    {UP "Sec-WebSocket-Accept: %s\r\n\r\n\x81\x05hello", NULL},
    {"HTTP/1.1 101 x\r\nupgrade: WebSocket\r\nconnection: x, upgrade\r\nSec-WebSocket-Accept:%s\r\n\r\n",
     NULL},
    {"HTTP/1.1 403 Forbidden\r\nContent-Length: 4\r\n\r\n403\n", "HTTP status 403"},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "HTTP status 200"},
    {"HTTP/1.0 404 Not Found\r\n\r\n", "HTTP status 404"},
    {"HTTP/1.1 101 x\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n", "not a WebSocket server"},
    {"HTTP/1.1 101 x\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: %s\r\n\r\n", "not a WebSocket server"},
    {UP "\r\n", "wrong Sec-WebSocket-Accept"},
    {UP "Sec-WebSocket-Accept: x\r\nSec-WebSocket-Accept: %s\r\n\r\n", "wrong Sec-WebSocket-Accept"},
    {UP "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n", "wrong Sec-WebSocket-Accept"},
    {UP "Sec-WebSocket-Accept: %s\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n",
     "an extension or subprotocol that was not asked for"},
    {UP "Sec-WebSocket-Accept: %s\r\nSec-WebSocket-Protocol: chat\r\n\r\n",
     "an extension or subprotocol that was not asked for"},
    {"SSH-2.0-OpenSSH\r\n", "not an HTTP server"},
    {"", "the server closed the connection"},
    {"HTTP/1.1 101 Swi", "the server closed the connection"},
};

static void answer_one(int listening, const char *format, test_client *client) {
    char request[2048] = "", answer[2048], accept_key[HANDSHAKE_ACCEPT_SIZE] = "", *key;
    int fd = -1;
    size_t len = 0;

    TEST_UNTIL(&server, (fd = accept4(listening, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0);
    while (!strstr(request, "\r\n\r\n")) {
        ssize_t n = recv(fd, request + len, sizeof request - 1 - len, 0);

        len += n > 0 ? (size_t)n : 0;
        request[len] = '\0';
        test_turn(&server);
    }
    key = strstr(request, "Sec-WebSocket-Key: ");
    assert_non_null(key);
    key[19 + 24] = '\0';
    handshake_accept(key + 19, accept_key);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    len = (size_t)snprintf(answer, sizeof answer, format, accept_key);
#pragma GCC diagnostic pop
    /* One byte after another; the last ones, and a first message with them, in one piece. */
    for (size_t i = 0; i < len;) {
        size_t n = len - i > 12 ? 1 : len - i;

        assert_int_equal(send(fd, answer + i, n, MSG_NOSIGNAL), n);
        i += n;
        uv_run(&server.loop, UV_RUN_NOWAIT);
        if (client->failed)
            break;
    }
    if (!client->failed)
        shutdown(fd, SHUT_WR);
    TEST_UNTIL(&server, client->opened + client->failed == 1);
    TEST_UNTIL(&server, client->opened == client->closed);
    close(fd);
}

static void test_answers(void **state) {
    test_client client;
    uint16_t port;
    int fd = bad_server(5, &port);

    (void)state;
    assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    for (size_t i = 0; i < COUNT(answers); i++) {
        start_client(&client, "127.0.0.1", port, 5000);
        answer_one(fd, answers[i].answer, &client);
        if (answers[i].failure)
            assert_string_equal(client.failure, answers[i].failure);
        assert_int_equal(client.opened, answers[i].failure == NULL);
        assert_int_equal(client.failed, answers[i].failure != NULL);
    }
    close(fd);
}

/* A client takes no masked frame (RFC 6455 §5.1). */
static void test_masked_frame_from_the_server(void **state) {
    frames f;

    (void)state;
    frames_init(&f, false, 100);
    assert_int_equal(frames_feed(&f, (const uint8_t *)"\x81\x80\0\0\0\0", 6, NULL, NULL), 1002);
    frames_release(&f);
}

int main(void) {
#define WITH_SERVER(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        WITH_SERVER(test_round_trip),
        WITH_SERVER(test_server_ends_it),
        cmocka_unit_test_setup(test_stop_while_clients_are_about, setup),
        WITH_SERVER(test_refused_connection),
        WITH_SERVER(test_time_out),
        WITH_SERVER(test_host_too_long),
        WITH_SERVER(test_answers),
        WITH_SERVER(test_masked_frame_from_the_server),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
