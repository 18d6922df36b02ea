/* What a WebSocket is made of, without a socket: UTF-8, frames. */
#include "test_net_support.h"

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

/* ---- stopped in each event, and fed what was left ---- */

static frames stopping;

static void stop_message(void *owner, bool binary, const uint8_t *data, size_t len) {
    note_message(owner, binary, data, len);
    frames_stop(&stopping);
}

static void stop_ping(void *owner, const uint8_t *data, size_t len) {
    note_ping(owner, data, len);
    frames_stop(&stopping);
}

static const frames_events stop_events = {stop_message, stop_ping, note_close};

static void check_stopped(size_t i, size_t piece) {
    event_log log = {{0}, 0};
    int code = 0;

    frames_init(&stopping, true, 256);
    for (size_t at = 0; at < frame_cases[i].len && code == 0 && !strstr(log.log, "close"); at += piece) {
        const uint8_t *data = (const uint8_t *)frame_cases[i].bytes + at;
        size_t len = frame_cases[i].len - at < piece ? frame_cases[i].len - at : piece;

        do { /* once more with nothing: whole frames may stand in the reader */
            code = frames_feed(&stopping, data, len, &stop_events, &log);
            data += len - stopping.left;
            len = stopping.left;
        } while (code == 0 && stopping.stopped && !strstr(log.log, "close"));
    }
    if (code == 0 && !strstr(log.log, "close"))
        assert_null(stopping.wslay);
    frames_release(&stopping);
    if (code != frame_cases[i].code || strcmp(log.log, frame_cases[i].events) != 0)
        fail_msg("%s, %zu bytes at a time, stopped: code %d, events %s", frame_cases[i].name, piece, code,
                 log.log);
}

static void test_frames_stopped(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(frame_cases); i++)
        for (size_t piece = 1; piece <= frame_cases[i].len; piece++)
            check_stopped(i, piece);
}

/* More than the reader takes at a time: what it has not taken is told. */
static void test_frames_stopped_early(void **state) {
    enum { COUNT_OF = 60, EACH = 200, SIZE = COUNT_OF * (EACH + 8) };
    static uint8_t bytes[SIZE];
    const uint8_t *data = bytes;
    event_log log = {{0}, 0};
    size_t len = SIZE, stops = 0;
    bool left = false;

    (void)state;
    for (int i = 0; i < COUNT_OF; i++)
        memcpy(bytes + i * (EACH + 8), "\x82\xfe\x00\xc8" M, 8);
    frames_init(&stopping, true, 256);
    do {
        assert_int_equal(frames_feed(&stopping, data, len, &stop_events, &log), 0);
        data += len - stopping.left;
        len = stopping.left;
        left |= len > 0;
        stops += stopping.stopped;
    } while (stopping.stopped);
    assert_true(left);
    assert_int_equal(stops, COUNT_OF);
    assert_null(stopping.wslay); /* every byte is accounted for */
    frames_release(&stopping);
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

/* A message in small fragments is not copied as a whole for each of them. */
static void test_frames_grow_seldom(void **state) {
    enum { FRAGMENTS = 50000, LIMIT = 1 << 20 };
    event_log log = {{0}, 0};
    size_t grown = 0, before = 0;
    frames f;

    (void)state;
    frames_init(&f, true, LIMIT);
    for (int i = 0; i < FRAGMENTS; i++) {
        const char *fragment = i == 0 ? "\x02\x87" M "1234567" : "\x00\x87" M "1234567";

        assert_int_equal(frames_feed(&f, (const uint8_t *)fragment, 13, &note_events, &log), 0);
        grown += f.size != before;
        before = f.size;
    }
    assert_int_equal(f.len, 7 * FRAGMENTS);
    assert_in_range(grown, 1, 10);
    assert_true(f.size <= LIMIT);
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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_utf8),
        cmocka_unit_test(test_frames),
        cmocka_unit_test(test_frames_stopped),
        cmocka_unit_test(test_frames_stopped_early),
        cmocka_unit_test(test_frames_truncated),
        cmocka_unit_test(test_frames_interleaved),
        cmocka_unit_test(test_frames_grow_with_what_came),
        cmocka_unit_test(test_frames_grow_seldom),
        cmocka_unit_test(test_frames_endless_fragments),
        cmocka_unit_test(test_frames_header_and_mask),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
