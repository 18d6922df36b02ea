/* The parts of src/net that need no socket: UTF-8, frames, HTTP heads, handshake rules, addresses. */
#include "test_net_support.h"

#include "net/address.h"
#include "net/handshake.h"
#include "net/http.h"
#include "net/utf8.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* ---- UTF-8 ---- */

static const struct {
    const char *bytes;
    bool valid, complete;
} utf8_cases[] = {
    {"", true, true},
    {"plain", true, true},
    {"h\xc3\xa9", true, true},
    {"\xc2\x80\xdf\xbf", true, true},
    {"\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf", true, true},
    {"\xf0\x90\x80\x80\xf4\x8f\xbf\xbf", true, true},
    {"0123456789012345678901234567890123456789\xe2\x82\xac"
     "0123456789012345678901234567890123456789",
     true, true},
    {"\x80", false, false},     /* a continuation alone */
    {"\xc0\xaf", false, false}, /* overlong, two bytes */
    {"\xc1\xbf", false, false},
    {"\xe0\x9f\xbf", false, false},     /* overlong, three */
    {"\xf0\x8f\xbf\xbf", false, false}, /* overlong, four */
    {"\xed\xa0\x80", false, false},     /* a surrogate */
    {"\xf4\x90\x80\x80", false, false}, /* beyond U+10FFFF */
    {"\xf5\x80\x80\x80", false, false},
    {"\xff", false, false},
    {"\xc3(", false, false},
    {"0123456789012345678901234567890123456789\xff", false, false},
    {"\xe2\x82", true, false}, /* not whole yet */
    {"abc\xf0\x9f\x98", true, false},
};

static void test_utf8(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(utf8_cases); i++) {
        const uint8_t *bytes = (const uint8_t *)utf8_cases[i].bytes;
        size_t len = strlen(utf8_cases[i].bytes);

        /* In two pieces, at every place; the first cut is the whole. */
        for (size_t cut = 0; cut <= len; cut++) {
            utf8_check_state check = UTF8_CHECK_INIT;
            bool valid = utf8_check(&check, bytes, cut) && utf8_check(&check, bytes + cut, len - cut);

            if (valid != utf8_cases[i].valid)
                fail_msg("case %zu, cut at %zu: valid is %d", i, cut, valid);
            if (valid)
                assert_int_equal(utf8_check_complete(&check), utf8_cases[i].complete);
        }
    }
}

/* ---- frames ---- */

typedef struct {
    char log[4096];
    size_t len;
} event_log;

static void note(event_log *log, const char *kind, const uint8_t *data, size_t len) {
    int n = snprintf(log->log + log->len, sizeof log->log - log->len, "%s(%zu:%.*s) ", kind, len,
                     len < 64 ? (int)len : 0, data ? (const char *)data : "");

    log->len += (size_t)n;
    assert_true(log->len < sizeof log->log);
}

static void note_message(void *owner, bool binary, const uint8_t *data, size_t len) {
    note(owner, binary ? "binary" : "text", data, len);
}

static void note_ping(void *owner, const uint8_t *data, size_t len) {
    note(owner, "ping", data, len);
}

static void note_close(void *owner, int code) {
    char text[8];

    snprintf(text, sizeof text, "%d", code);
    note(owner, "close", (const uint8_t *)text, strlen(text));
}

static const frames_events note_events = {note_message, note_ping, note_close};

#define F(bytes) bytes, sizeof(bytes) - 1

/* A server's input: every frame masked with zeroes, so that the payloads can be read. */
#define M "\0\0\0\0"

static const struct {
    const char *name, *bytes;
    size_t len;
    int code;
    const char *events;
} frame_cases[] = {
    {"text", F("\x81\x82" M "hi"), 0, "text(2:hi) "},
    {"empty", F("\x81\x80" M "\x82\x80" M), 0, "text(0:) binary(0:) "},
    {"binary", F("\x82\x81" M "\xff"), 0, "binary(1:\xff) "},
    {"fragments with a ping between", F("\x01\x82" M "ab\x89\x81" M "p\x00\x80" M "\x80\x81" M "c"), 0,
     "ping(1:p) text(3:abc) "},
    {"a character over two fragments", F("\x01\x81" M "\xc3\x80\x81" M "\xa9"), 0, "text(2:\xc3\xa9) "},
    {"an unasked pong", F("\x8a\x81" M "x\x81\x80" M), 0, "text(0:) "},
    {"close", F("\x88\x82" M "\x03\xe8\x81\x81" M "x"), 0, "close(4:1000) "},
    {"close with a reason",
     F("\x88\x85" M "\x10\x9a"
       "bye"),
     0, "close(4:4250) "},
    {"close without a code", F("\x88\x80" M), 0, "close(4:1005) "},
    {"unmasked", F("\x81\x02hi"), 1002, ""},
    {"RSV1", F("\xc1\x80" M), 1002, ""},
    {"RSV2", F("\xa1\x80" M), 1002, ""},
    {"RSV3", F("\x91\x80" M), 1002, ""},
    {"unknown data opcode", F("\x83\x80" M), 1002, ""},
    {"unknown control opcode", F("\x8b\x80" M), 1002, ""},
    {"continuation of nothing", F("\x80\x80" M), 1002, ""},
    {"text within a message", F("\x01\x80" M "\x81\x80" M), 1002, ""},
    {"fragmented ping", F("\x09\x80" M), 1002, ""},
    {"ping of 126 bytes", F("\x89\xfe\x00\x7e" M), 1002, ""},
    {"length not minimal, 16 bits", F("\x81\xfe\x00\x05" M "hello"), 1002, ""},
    {"length not minimal, 64 bits", F("\x81\xff\0\0\0\0\0\0\0\x05" M "hello"), 1002, ""},
    {"length with its top bit", F("\x82\xff\x80\0\0\0\0\0\0\0" M "x"), 1002, ""},
    {"close of one byte", F("\x88\x81" M "\x03"), 1002, ""},
    {"close of one byte after a ping", F("\x89\x82" M "\x03\xe8\x88\x81" M "\x03"), 1002,
     "ping(2:\x03\xe8) "},
    {"close 999", F("\x88\x82" M "\x03\xe7"), 1002, ""},
    {"close 1005", F("\x88\x82" M "\x03\xed"), 1002, ""},
    {"close 1006", F("\x88\x82" M "\x03\xee"), 1002, ""},
    {"close 1015", F("\x88\x82" M "\x03\xf7"), 1002, ""},
    {"close 2999", F("\x88\x82" M "\x0b\xb7"), 1002, ""},
    {"close 5000", F("\x88\x82" M "\x13\x88"), 1002, ""},
    {"close with a reason that is not UTF-8", F("\x88\x83" M "\x03\xe8\xff"), 1007, ""},
    {"not UTF-8", F("\x81\x81" M "\xff"), 1007, ""},
    {"half a character at the end", F("\x81\x81" M "\xc3"), 1007, ""},
    {"half a character before a final empty fragment", F("\x01\x81" M "\xc3\x80\x80" M), 1007, ""},
    {"binary need not be UTF-8", F("\x82\x82" M "\xc3\x28"), 0, "binary(2:\xc3\x28) "},
    {"larger than the limit", F("\x82\xfe\x01\x01" M "x"), 1009, ""},
    {"announced as 2^62", F("\x82\xff\x40\0\0\0\0\0\0\0" M "x"), 1009, ""},
    {"fragments larger than the limit", F("\x02\x81" M "x\x80\xfe\x01\x00" M "y"), 1009, ""},
    {"a ping after a message", F("\x81\x81" M "a\x89\x80" M), 0, "text(1:a) ping(0:) "},
};

static void check_frames(size_t i, size_t piece) {
    frames f;
    event_log log = {{0}, 0};
    int code = 0;

    frames_init(&f, true, 256);
    for (size_t at = 0; at < frame_cases[i].len && code == 0 && !strstr(log.log, "close"); at += piece) {
        size_t len = frame_cases[i].len - at < piece ? frame_cases[i].len - at : piece;

        code = frames_feed(&f, (const uint8_t *)frame_cases[i].bytes + at, len, &note_events, &log);
    }
    frames_release(&f);
    if (code != frame_cases[i].code || strcmp(log.log, frame_cases[i].events) != 0)
        fail_msg("%s, %zu bytes at a time: code %d, events %s", frame_cases[i].name, piece, code, log.log);
}

static void test_frames(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(frame_cases); i++)
        for (size_t piece = 1; piece <= frame_cases[i].len; piece++)
            check_frames(i, piece);
}

/* No truncation gives more than a beginning of the events, and none leaks. */
static void test_frames_truncated(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(frame_cases); i++)
        for (size_t len = 0; len < frame_cases[i].len; len++) {
            frames f;
            event_log log = {{0}, 0};

            frames_init(&f, true, 256);
            frames_feed(&f, (const uint8_t *)frame_cases[i].bytes, len, &note_events, &log);
            frames_release(&f);
            assert_int_equal(strncmp(log.log, frame_cases[i].events, strlen(log.log)), 0);
        }
}

/* Readers that take turns in the middle of frames do not see each other's bytes. */
static void test_frames_interleaved(void **state) {
    frames a, b;
    event_log log_a = {{0}, 0}, log_b = {{0}, 0};

    (void)state;
    frames_init(&a, true, 256);
    frames_init(&b, true, 256);
    for (size_t round = 0; round < 2; round++)
        for (size_t i = 0; i < 9; i++) {
            assert_int_equal(
                frames_feed(&a, (const uint8_t *)"\x81\x83" M "abc" + i, 1, &note_events, &log_a), 0);
            assert_int_equal(
                frames_feed(&b, (const uint8_t *)"\x82\x83" M "xyz" + i, 1, &note_events, &log_b), 0);
        }
    assert_null(a.wslay); /* between frames nothing is held */
    assert_null(a.message);
    frames_release(&a);
    frames_release(&b);
    assert_string_equal(log_a.log, "text(3:abc) text(3:abc) ");
    assert_string_equal(log_b.log, "binary(3:xyz) binary(3:xyz) ");
}

/* A header that announces much costs nothing until the bytes come. */
static void test_frames_grow_with_what_came(void **state) {
    frames f;
    event_log log = {{0}, 0};

    (void)state;
    frames_init(&f, true, 1u << 30);
    assert_int_equal(frames_feed(&f, (const uint8_t *)"\x82\xff\0\0\0\0\x3f\xff\xff\xff" M "0123456789", 24,
                                 &note_events, &log),
                     0);
    assert_int_equal(f.len, 10);
    assert_true(f.size <= 65536);
    frames_release(&f);
    /* And never more than the frame can fill. */
    frames_init(&f, true, 1u << 30);
    assert_int_equal(frames_feed(&f, (const uint8_t *)"\x82\xfe\x4e\x20" M, 8, &note_events, &log), 0);
    for (int i = 0; i < 19999; i++)
        assert_int_equal(frames_feed(&f, (const uint8_t *)"x", 1, &note_events, &log), 0);
    assert_int_equal(f.size, 20000);
    frames_release(&f);
}

static void test_frames_endless_fragments(void **state) {
    frames f;
    event_log log = {{0}, 0};
    int code;

    (void)state;
    frames_init(&f, true, 1u << 30);
    code = frames_feed(&f, (const uint8_t *)"\x02\x80" M, 6, &note_events, &log);
    for (int i = 1; i < FRAMES_MAX_FRAGMENTS; i++)
        code |= frames_feed(&f, (const uint8_t *)"\x00\x80" M, 6, &note_events, &log);
    assert_int_equal(code, 0);
    assert_int_equal(frames_feed(&f, (const uint8_t *)"\x00\x80" M, 6, &note_events, &log), 1008);
    assert_string_equal(log.log, "");
    frames_release(&f);
}

static void test_frames_header_and_mask(void **state) {
    static const struct {
        uint64_t len;
        const char *bytes;
        size_t header;
    } cases[] = {
        {0, "\x81\x00", 2},
        {125, "\x81\x7d", 2},
        {126, "\x81\x7e\x00\x7e", 4},
        {65535, "\x81\x7e\xff\xff", 4},
        {65536, "\x81\x7f\0\0\0\0\0\1\0\0", 10},
    };
    uint8_t out[FRAMES_MAX_HEADER], key[4] = {0x37, 0xfa, 0x21, 0x3d}, hello[5] = "Hello";

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_int_equal(frames_header(out, FRAME_TEXT, cases[i].len, NULL), cases[i].header);
        assert_memory_equal(out, cases[i].bytes, cases[i].header);
    }
    /* RFC 6455 §5.7: a masked "Hello". */
    frames_mask(hello, sizeof hello, key);
    assert_int_equal(frames_header(out, FRAME_TEXT, 5, key), 6);
    assert_memory_equal(out, "\x81\x85\x37\xfa\x21\x3d", 6);
    assert_memory_equal(hello, "\x7f\x9f\x4d\x51\x58", 5);
}

/* ---- HTTP heads ---- */

#define HEAD_LIMIT 256

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

/* ---- addresses ---- */

static void test_local_addresses(void **state) {
    static const struct {
        const char *address;
        bool local;
    } cases[] = {
        {"127.0.0.1", true},
        {"127.255.0.9", true},
        {"10.1.2.3", true},
        {"172.16.0.1", true},
        {"172.31.255.255", true},
        {"172.32.0.1", false},
        {"172.15.0.1", false},
        {"192.168.0.1", true},
        {"192.169.0.1", false},
        {"169.254.7.7", true},
        {"100.64.0.1", true},
        {"100.127.255.255", true},
        {"100.128.0.1", false},
        {"100.63.255.255", false},
        {"8.8.8.8", false},
        {"::1", true},
        {"fe80::1", true},
        {"febf::1", true},
        {"fec0::1", false},
        {"fc00::1", true},
        {"fdff::1", true},
        {"fe00::1", false},
        {"2600:1234::1", false},
        {"::ffff:192.168.1.1", true},
        {"::ffff:8.8.8.8", false},
        {"fe80::1%lo", true},
        {"", false},
        {"localhost", false},
        {"192.168.1", false},
        {"::", false},
        {"0.0.0.0", false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++)
        if (listener_address_is_local(cases[i].address) != cases[i].local)
            fail_msg("%s", cases[i].address);
}

/* What counts as one where peers are bounded, and as one network. */
static void test_sources(void **state) {
    static const struct {
        const char *address, *source, *network;
    } cases[] = {
        {"192.168.1.7", "192.168.1.7", "192.168.1.0/24"},
        {"10.1.2.3", "10.1.2.3", "10.1.2.0/24"},
        {"2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64", "2001:db8:1:2::/64"},
        {"2001:db8:1:2::1", "2001:db8:1:2::/64", "2001:db8:1:2::/64"},
        {"2001:db8:1:3::1", "2001:db8:1:3::/64", "2001:db8:1:3::/64"},
        {"fd00::2", "fd00::/64", "fd00::/64"},
        {"::1", "::/64", "::/64"},
        {"::ffff:192.168.1.7", "::ffff:192.168.1.7", "192.168.1.0/24"},
        {"fe80::1:2%lo", "fe80::1:2%lo", "%lo"},
        {"fe80::1:2", "fe80::1:2", "%"},
        {"", "", ""},
        {"nonsense", "nonsense", "nonsense"},
    };
    char text[ADDRESS_SIZE];

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        address_source(cases[i].address, text);
        assert_string_equal(text, cases[i].source);
        address_network(cases[i].address, text);
        assert_string_equal(text, cases[i].network);
        snprintf(text, sizeof text, "%s", cases[i].address);
        address_source(text, text);
        assert_string_equal(text, cases[i].source);
    }
}

/* Every address of this computer's own interfaces is near. */
static void test_own_addresses(void **state) {
    uv_interface_address_t *own;
    char text[ADDRESS_SIZE];
    int count;

    (void)state;
    assert_int_equal(uv_interface_addresses(&own, &count), 0);
    for (int i = 0; i < count; i++) {
        address_format((const struct sockaddr *)&own[i].address, text);
        assert_true(listener_address_is_local(text));
    }
    uv_free_interface_addresses(own, count);
}

static void test_address_text(void **state) {
    static const struct {
        const char *in, *out;
        bool loopback;
    } cases[] = {
        {"192.168.1.7", "192.168.1.7", false},   {"::ffff:192.168.1.7", "192.168.1.7", false},
        {"::ffff:127.0.0.1", "127.0.0.1", true}, {"::1", "::1", true},
        {"fe80::1%lo", "fe80::1%lo", false},     {"2001:db8::1", "2001:db8::1", false},
    };
    struct sockaddr_storage address;
    char text[ADDRESS_SIZE];

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_true(address_parse(cases[i].in, 80, &address));
        address_format((struct sockaddr *)&address, text);
        assert_string_equal(text, cases[i].out);
        assert_int_equal(address_is_loopback(text), cases[i].loopback);
    }
    /* As a dual-stack socket reports it. */
    assert_int_equal(uv_ip6_addr("::ffff:10.0.0.1", 80, (struct sockaddr_in6 *)(void *)&address), 0);
    address_format((struct sockaddr *)&address, text);
    assert_string_equal(text, "10.0.0.1");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_utf8),
        cmocka_unit_test(test_frames),
        cmocka_unit_test(test_frames_truncated),
        cmocka_unit_test(test_frames_interleaved),
        cmocka_unit_test(test_frames_grow_with_what_came),
        cmocka_unit_test(test_frames_endless_fragments),
        cmocka_unit_test(test_frames_header_and_mask),
        cmocka_unit_test(test_http),
        cmocka_unit_test(test_http_truncated),
        cmocka_unit_test(test_http_pipelined),
        cmocka_unit_test(test_http_lists),
        cmocka_unit_test(test_accept_key),
        cmocka_unit_test(test_hosts),
        cmocka_unit_test(test_upgrade_rules),
        cmocka_unit_test(test_client_handshake),
        cmocka_unit_test(test_local_addresses),
        cmocka_unit_test(test_own_addresses),
        cmocka_unit_test(test_address_text),
        cmocka_unit_test(test_sources),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
