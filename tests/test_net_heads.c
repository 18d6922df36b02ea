/* HTTP heads and the rules of the handshake (RFC 6455 §4), without a socket. */
#include "test_net_support.h"

#include "net/handshake.h"
#include "net/http.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* ---- HTTP heads ---- */

#define HEAD_LIMIT 256
#define LONG "123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890"

static const struct {
    const char *request;
    int status;         /* 0: a whole request */
    const char *wanted; /* "method target host connection minor keep_alive body" */
} http_cases[] = {
    {"GET / HTTP/1.1\r\nHost: a\r\n\r\n", 0, "GET / a - 1 1 0"},
    {"\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 0, "GET / a - 1 1 0"},
    {"HEAD /a?b=c HTTP/1.1\r\nhOST:a:1 \r\n\r\n", 0, "HEAD /a?b=c a:1 - 1 1 0"},
    {"GET / HTTP/1.0\r\n\r\n", 0, "GET / - - 0 0 0"},
    {"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", 0, "GET / - keep-alive 0 1 0"},
    {"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", 0, "GET / a close 1 0 0"},
    {"GET / HTTP/1.1\r\nConnection: x\r\nHost: a\r\nConnection: y\r\n\r\n", 0, "GET / a x,y 1 1 0"},
    {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc", 0, "POST / a - 1 1 1"},
    {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\nHost: b\r\n\r\n", 0,
     "POST / a - 1 1 1"},
    {"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n", 0, "GET / a Upgrade 1 1 0"},
    {"GET http://b/x HTTP/1.1\r\nHost: a\r\n\r\n", 0, "GET http://b/x a - 1 1 0"},
    {"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", 0, "OPTIONS * a - 1 1 0"},
    {"nonsense\r\n\r\n", 400, NULL},
    {"\x16\x03\x01\x02", 400, NULL}, /* TLS */
    {"get / HTTP/1.1\r\n\r\n", 400, NULL},
    {"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400, NULL},
    {"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n", 400, NULL},
    {"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999999\r\n\r\n", 400, NULL},
    {"GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400, NULL},
    {"GET / HTTP/1.1\r\nHost: a\x01\r\n\r\n", 400, NULL},
    {"GET /\x01 HTTP/1.1\r\nHost: a\r\n\r\n", 400, NULL},
    {"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505, NULL},
    {"GET / HTTP/3.0\r\nHost: a\r\n\r\n", 505, NULL},
    {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\n", 413, NULL},
    {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
     "8\r\n12345678\r\n8\r\n12345678\r\n",
     413, NULL},
    /* Where a message ends must not be a matter of taste. */
    {"GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n z\r\n\r\n", 400, NULL},
    {"GET / HTTP/1.1\r\nHost: a\r\n\tb\r\n\r\n", 400, NULL},
    {"GET / HTTP/1.1\r\n Host: a\r\n\r\n", 400, NULL},
    {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\r\n chunked\r\n\r\n", 400, NULL},
    {"GET / HTTP/1.1\r\nHost: a\r\n\rX", 400, NULL},
    {"GET / HTTP/1.1\r\nHost: a\r\n\n", 400, NULL},
    {"\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 400, NULL},
    {"GET / HTTP/1.1\r\nHost: a\r\n: x\r\n\r\n", 400, NULL},
    {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501, NULL},
    {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n\r\n", 501,
     NULL},
    {"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400, NULL},
    {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n", 417, NULL},
    {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n", 413, NULL},
    {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2;" LONG LONG LONG LONG LONG LONG, 413,
     NULL},
    {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: " LONG LONG LONG LONG LONG LONG,
     413, NULL},
    {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: CHUNKED\r\n\r\n2\r\n\r\n\r\n0\r\n\r\n", 0,
     "POST / a - 1 1 1"},
    {"\r\n\r\nPOST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n\n x ", 0, "POST / a - 1 1 1"},
    {"GET / HTTP/1.1\r\nA: 3456789012345678901234567890123456789012345678901234567890"
     "123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890"
     "123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890"
     "1234567890123456789012345678901234567890\r\n",
     431, NULL},
};

static void describe(const http_head *head, char out[static 256]) {
    const char *host = head->fields[FIELD_HOST], *connection = head->fields[FIELD_CONNECTION];

    snprintf(out, 256, "%s %s %s %s %d %d %d", head->method, head->target, host ? host : "-",
             connection ? connection : "-", head->minor, head->keep_alive, head->body);
}

/* Feeds `piece` bytes at a time; *at is how many were used when it came to an end. */
static enum http_result feed(http_parser *p, const char *bytes, size_t len, size_t piece, size_t *at) {
    enum http_result result = HTTP_MORE;
    size_t used;

    for (*at = 0; *at < len && result == HTTP_MORE; *at += used) {
        size_t rest = len - *at;

        result = http_parser_feed(p, bytes + *at, rest < piece ? rest : piece, &used);
    }
    return result;
}

static void test_http(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(http_cases); i++) {
        const char *request = http_cases[i].request;
        size_t len = strlen(request), at;

        for (size_t piece = 1; piece <= len; piece++) {
            http_parser *p = http_parser_new(false, HEAD_LIMIT, 10);
            enum http_result result = feed(p, request, len, piece, &at);
            char text[256];

            if (http_cases[i].status == 0) {
                if (result != HTTP_MESSAGE || at != len)
                    fail_msg("case %zu, %zu at a time: result %d at %zu of %zu", i, piece, result, at, len);
                describe(http_parser_head(p), text);
                assert_string_equal(text, http_cases[i].wanted);
            } else if (result != HTTP_REFUSED || http_parser_refusal(p) != http_cases[i].status) {
                fail_msg("case %zu, %zu at a time: result %d, status %d", i, piece, result,
                         http_parser_refusal(p));
            }
            http_parser_free(p);
        }
    }
}

/* What was cut off is never taken for whole, and is refused no differently. */
static void test_http_truncated(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(http_cases); i++)
        for (size_t len = 0; len < strlen(http_cases[i].request); len++) {
            http_parser *p = http_parser_new(false, HEAD_LIMIT, 10);
            size_t at;
            enum http_result result = feed(p, http_cases[i].request, len, len, &at);

            assert_int_not_equal(result, HTTP_MESSAGE);
            if (result == HTTP_REFUSED)
                assert_int_equal(http_parser_refusal(p), http_cases[i].status);
            http_parser_free(p);
        }
}

static void test_http_pipelined(void **state) {
    static const char bytes[] =
        "GET /1 HTTP/1.1\r\nHost: a\r\n\r\n"
        "POST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nxy"
        "GET /3 HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n"
        "\x81\x80";

    (void)state;
    for (size_t piece = 1; piece < sizeof bytes; piece++) {
        http_parser *p = http_parser_new(false, HEAD_LIMIT, 10);
        size_t start = 0, at;

        for (int i = 1; i <= 3; i++) {
            char target[3] = {'/', (char)('0' + i), '\0'};

            assert_true(http_parser_idle(p));
            assert_int_equal(feed(p, bytes + start, sizeof bytes - 1 - start, piece, &at), HTTP_MESSAGE);
            assert_string_equal(http_parser_head(p)->target, target);
            start += at;
            http_parser_next(p);
        }
        assert_memory_equal(bytes + start, "\x81\x80", 2); /* what follows an upgrade is not touched */
        http_parser_free(p);
    }
}

static void test_http_lists(void **state) {
    (void)state;
    assert_true(http_list_has("upgrade", "Upgrade"));
    assert_true(http_list_has("keep-alive, Upgrade", "upgrade"));
    assert_true(http_list_has(" ,, a ,upgrade\t,b", "upgrade"));
    assert_false(http_list_has("upgrades", "upgrade"));
    assert_false(http_list_has("keep-alive upgrade", "upgrade"));
    assert_false(http_list_has("", "upgrade"));
    assert_false(http_list_has(NULL, "upgrade"));
}

/* ---- the handshake ---- */

static void test_accept_key(void **state) {
    char accept[HANDSHAKE_ACCEPT_SIZE];

    (void)state;
    handshake_accept("dGhlIHNhbXBsZSBub25jZQ==", accept); /* RFC 6455 §1.3 */
    assert_string_equal(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

static void test_hosts(void **state) {
    static const struct {
        const char *host;
        bool allowed;
    } cases[] = {
        {"127.0.0.1", true},
        {"192.168.1.7:8080", true},
        {"[::1]:8080", true},
        {"[fe80::1]", true},
        {"localhost", true},
        {"LocalHost:8080", true},
        {"localhost.", true},
        {"home", true},
        {"home.local", true},
        {"HOME.local:8080", true},
        {"home.local.", true},
        {"box.example", true},
        {"evil.example", false},
        {"home.local.evil.example", false},
        {"xhome.local", false},
        {".local", false},
        {"localhost.evil.example", false},
        {"127.0.0.1.evil.example", false},
        {"::1", false}, /* must stand in brackets */
        {"[127.0.0.1]", false},
        {"[localhost]", false},
        {"[::1", false},
        {"localhost:", true},
        {"localhost:80x", false},
        {"localhost:99999", false},
        {"localhost:8080:1", false},
        {"", false},
        {":8080", false},
        {".", false},
        {"user@localhost", false},
        {"999.1.1.1", false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++)
        if (handshake_host_allowed(cases[i].host, "home", "box.example") != cases[i].allowed)
            fail_msg("Host: %s", cases[i].host);
    assert_false(handshake_host_allowed("box.example", "home", NULL));
}

static const struct {
    const char *fields;
    int status;
} upgrade_cases[] = {
#define HOST "Host: h:8080\r\n"
#define UP "Upgrade: websocket\r\nConnection: Upgrade\r\n"
#define KEY "Sec-WebSocket-Key: " TEST_KEY "\r\n"
#define V13 "Sec-WebSocket-Version: 13\r\n"
    {HOST UP KEY V13, 0},
    {HOST "Upgrade: WebSocket\r\nConnection: keep-alive, upgrade\r\n" KEY V13, 0},
    {HOST UP KEY V13 "Sec-WebSocket-Extensions: permessage-deflate\r\nSec-WebSocket-Protocol: x\r\n", 0},
    {HOST UP KEY V13 "Content-Length: 0\r\n", 0},
    {HOST UP KEY V13 "Transfer-Encoding: chunked\r\n", 400},
    {HOST "Upgrade: websocket\r\n" KEY V13, 400},
    {HOST "Upgrade: websocket\r\nConnection: close\r\n" KEY V13, 400},
    {HOST UP V13, 400},
    {HOST UP "Sec-WebSocket-Key: \r\n" V13, 400},
    {HOST UP "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=\r\n" V13, 400},
    {HOST UP "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQAA\r\n" V13, 400},
    {HOST UP "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25j!!==\r\n" V13, 400},
    {HOST UP "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25j Q==\r\n" V13, 400},
    {HOST UP KEY KEY V13, 400},
    {HOST UP KEY, 426},
    {HOST UP KEY "Sec-WebSocket-Version: 8\r\n", 426},
    {HOST UP KEY "Sec-WebSocket-Version: 13, 8\r\n", 426},
    {HOST UP KEY V13 "Origin: http://h:8080\r\n", 0},
    {HOST UP KEY V13 "Origin: HTTP://H:8080\r\n", 0},
    {HOST UP KEY V13 "Origin: https://h:8080\r\n", 0},
    {HOST UP KEY V13 "Origin: http://h\r\n", 403},
    {HOST UP KEY V13 "Origin: http://h:8081\r\n", 403},
    {HOST UP KEY V13 "Origin: http://evil:8080\r\n", 403},
    {HOST UP KEY V13 "Origin: http://h:8080.evil\r\n", 403},
    {HOST UP KEY V13 "Origin: null\r\n", 403},
    {HOST UP KEY V13 "Origin: \r\n", 403},
    {HOST UP KEY V13 "Origin: http://h:8080\r\nOrigin: http://evil\r\n", 400},
    {"Host: h\r\n" UP KEY V13 "Origin: http://h\r\n", 0},
    {"Host: h\r\n" UP KEY V13 "Origin: http://h:80\r\n", 0},
    {"Host: h:80\r\n" UP KEY V13 "Origin: http://h\r\n", 0},
    {"Host: [fd00::2]:8080\r\n" UP KEY V13 "Origin: http://[fd00::2]:8080\r\n", 0},
    {"Host: [fd00::2]:8080\r\n" UP KEY V13 "Origin: http://fd00::2:8080\r\n", 403},
};

static void test_upgrade_rules(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(upgrade_cases); i++) {
        http_parser *p = http_parser_new(false, 4096, 10);
        char request[1024];
        const char *reason = "";
        size_t used;
        int status;

        snprintf(request, sizeof request, "GET /x HTTP/1.1\r\n%s\r\n%s", upgrade_cases[i].fields,
                 strstr(upgrade_cases[i].fields, "chunked") ? "0\r\n\r\n" : "");
        assert_int_equal(http_parser_feed(p, request, strlen(request), &used), HTTP_MESSAGE);
        assert_true(handshake_wanted(http_parser_head(p)));
        status = handshake_check(http_parser_head(p), &reason);
        if (status != upgrade_cases[i].status)
            fail_msg("%s\n: %d %s", upgrade_cases[i].fields, status, reason);
        http_parser_free(p);
    }
}

static void test_client_handshake(void **state) {
    char key[HANDSHAKE_KEY_SIZE], other[HANDSHAKE_KEY_SIZE], *request, *response;
    const char *reason;
    http_parser *server = http_parser_new(false, 4096, 0), *client = http_parser_new(true, 4096, 0);
    size_t used;

    (void)state;
    assert_true(handshake_new_key(key) && handshake_new_key(other));
    assert_string_not_equal(key, other);
    request = handshake_request("fe80::1%eth0", 80, key);
    assert_non_null(strstr(request, "Host: [fe80::1]:80\r\n"));
    assert_int_equal(http_parser_feed(server, request, strlen(request), &used), HTTP_MESSAGE);
    assert_int_equal(handshake_check(http_parser_head(server), &reason), 0);
    response = handshake_response(http_parser_head(server));
    assert_int_equal(http_parser_feed(client, response, strlen(response), &used), HTTP_MESSAGE);
    assert_int_equal(used, strlen(response));
    assert_null(handshake_check_response(http_parser_head(client), key));
    assert_non_null(handshake_check_response(http_parser_head(client), other));
    free(request);
    free(response);
    http_parser_free(server);
    http_parser_free(client);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_http),           cmocka_unit_test(test_http_truncated),
        cmocka_unit_test(test_http_pipelined), cmocka_unit_test(test_http_lists),
        cmocka_unit_test(test_accept_key),     cmocka_unit_test(test_hosts),
        cmocka_unit_test(test_upgrade_rules),  cmocka_unit_test(test_client_handshake),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
