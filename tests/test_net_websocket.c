/* Websockets over real sockets: framing, limits, the closing handshake, slow and silent peers. */
#include "test_net_support.h"

#include "net/scratch.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

static test_server server;
static raw_client raw;

static int teardown(void **state) {
    (void)state;
    test_server_stop(&server);
    return 0;
}

static void start_with(websocket_options own) {
    listener_options options = LISTENER_OPTIONS_INIT;

    options.websocket = own;
    test_server_start(&server, &options);
    server.authenticate = true;
}

static void send_text(const char *text) {
    raw_frame(&server, &raw, 0x81, text, strlen(text));
}

/* What must end by itself is not helped along by the time-out. */
static int setup(void **state) {
    websocket_options options = WEBSOCKET_OPTIONS_INIT;

    (void)state;
    options.close_timeout = 600000;
    options.ping_interval = 0; /* a slow machine must not see one between its frames */
    options.idle_timeout = 600000;
    start_with(options);
    return 0;
}

/* The server has given the connection up; its owner heard `code`. */
static void expect_end(int code) {
    RAW_UNTIL(&server, &raw, raw.ended);
    TEST_UNTIL(&server, server.closed == server.opened);
    assert_int_equal(server.close_code, code);
    assert_null(server.last);
    raw_close(&raw);
}

static void test_echo_sizes(void **state) {
    static const size_t sizes[] = {0, 1, 125, 126, 4095, 4096, 16384, 16385, 65535, 65536, 100000};
    char *payload = malloc(100000);

    (void)state;
    for (size_t i = 0; i < 100000; i++)
        payload[i] = (char)(' ' + i % 90);
    raw_websocket(&server, &raw);
    for (size_t i = 0; i < COUNT(sizes); i++) {
        raw_frame(&server, &raw, 0x81, payload, sizes[i]);
        raw_expect(&server, &raw, 0x81, payload, sizes[i]);
        raw_frame(&server, &raw, 0x82, payload, sizes[i]);
        raw_expect(&server, &raw, 0x82, payload, sizes[i]);
    }
    raw_close(&raw);
    free(payload);
}

/* 50 MiB, the largest message of protocol §1, arrive in fragments and go back. */
static void test_largest_message(void **state) {
    enum { PIECE = 1 << 20, PIECES = 50 };
    char *piece = malloc(PIECE);
    size_t total = 0;

    (void)state;
    memset(piece, 'z', PIECE);
    raw_websocket(&server, &raw);
    for (int i = 0; i < PIECES; i++)
        raw_frame(&server, &raw, (uint8_t)((i == 0 ? 0x01 : 0x00) | (i == PIECES - 1 ? 0x80 : 0x00)), piece,
                  PIECE);
    while (total < 10 + (size_t)PIECE * PIECES) {
        uv_run(&server.loop, UV_RUN_NOWAIT);
        raw_receive(&raw);
        assert_false(raw.ended);
        total += raw.len;
        raw_drop(&raw, raw.len);
    }
    assert_int_equal(total, 10 + (size_t)PIECE * PIECES);
    raw_close(&raw);
    free(piece);
}

/* Frames that come in the same packet as the upgrade's head are not lost, cut anywhere. */
static void test_frames_right_behind_the_head(void **state) {
    static const char frame[] = "\x81\x82\0\0\0\0hi";
    char bytes[512];
    size_t head = strlen(TEST_UPGRADE), len = head + sizeof frame - 1;

    (void)state;
    memcpy(bytes, TEST_UPGRADE, head);
    memcpy(bytes + head, frame, sizeof frame - 1);
    for (size_t cut = head - 4; cut <= len; cut++) {
        raw_open(&server, &raw);
        raw_send(&server, &raw, bytes, cut);
        test_turn(&server);
        raw_send(&server, &raw, bytes + cut, len - cut);
        RAW_UNTIL(&server, &raw, raw.len >= 4 && memcmp(raw.data + raw.len - 4, "\x81\x02hi", 4) == 0);
        raw_close(&raw);
    }
}

static void test_one_byte_at_a_time(void **state) {
    static const char frames_bytes[] = "\x01\x82\0\0\0\0ab\x89\x81\0\0\0\0p\x80\x81\0\0\0\0c";

    (void)state;
    raw_websocket(&server, &raw);
    for (size_t i = 0; i + 1 < sizeof frames_bytes; i++) {
        raw_send(&server, &raw, frames_bytes + i, 1);
        test_turn(&server);
    }
    raw_expect(&server, &raw, 0x8a, "p", 1);
    raw_expect(&server, &raw, 0x81, "abc", 3);
    raw_close(&raw);
}

static void test_hang_up_anywhere(void **state) {
    static const char frames_bytes[] = "\x01\x82\0\0\0\0ab\x80\x81\0\0\0\0c\x88\x82\0\0\0\0\x03\xe8";

    (void)state;
    for (size_t len = 0; len + 1 < sizeof frames_bytes; len++) {
        raw_websocket(&server, &raw);
        raw_send(&server, &raw, frames_bytes, len);
        raw_close(&raw);
        TEST_UNTIL(&server, server.closed == server.opened);
        assert_int_equal(server.close_code, CLOSE_ABNORMAL);
    }
}

static void test_refused_frames(void **state) {
    static const struct {
        const char *bytes;
        size_t len;
        int code;
    } cases[] = {
        {"\x81\x02hi", 4, 1002},                         /* not masked */
        {"\xc1\x80\0\0\0\0", 6, 1002},                   /* a reserved bit */
        {"\x83\x80\0\0\0\0", 6, 1002},                   /* an unknown opcode */
        {"\x80\x80\0\0\0\0", 6, 1002},                   /* a continuation of nothing */
        {"\x81\x81\0\0\0\0\xff", 7, 1007},               /* not UTF-8 */
        {"\x82\xff\0\0\0\0\1\0\0\0\0\0\0\0x", 15, 1009}, /* 16 MiB announced */
        {"\x88\x82\0\0\0\0\x03\xed", 8, 1002},           /* a close code that may not be sent */
    };

    (void)state;
    server.message_limit = 1 << 20;
    for (size_t i = 0; i < COUNT(cases); i++) {
        raw_websocket(&server, &raw);
        raw_send(&server, &raw, cases[i].bytes, cases[i].len);
        /* What follows is thrown away, and does not destroy the close frame on its way. */
        raw_send(&server, &raw, "\x81\x82\0\0\0\0hi and more and more", 26);
        assert_int_equal(raw_close_code(&server, &raw), cases[i].code);
        RAW_UNTIL(&server, &raw, raw.ended); /* the server's half; then ours */
        assert_false(raw.reset);
        raw_close(&raw);
        TEST_UNTIL(&server, server.closed == server.opened);
        assert_int_equal(server.close_code, cases[i].code);
    }
}

/* The limit is that of the moment, and of the message, not of its fragments. */
static void test_message_limit(void **state) {
    char payload[64];

    (void)state;
    memset(payload, 'a', sizeof payload);
    server.message_limit = 32;
    raw_websocket(&server, &raw);
    raw_frame(&server, &raw, 0x81, payload, 32);
    raw_expect(&server, &raw, 0x81, payload, 32);
    websocket_set_message_limit(server.last, 64);
    raw_frame(&server, &raw, 0x01, payload, 32);
    raw_frame(&server, &raw, 0x80, payload, 32);
    raw_expect(&server, &raw, 0x81, payload, 64);
    raw_frame(&server, &raw, 0x01, payload, 64);
    raw_frame(&server, &raw, 0x80, payload, 1);
    assert_int_equal(raw_close_code(&server, &raw), 1009);
    raw_close(&raw);
    TEST_UNTIL(&server, server.closed == 1);
    assert_int_equal(server.close_code, 1009);
}

/* ---- the closing handshake ---- */

static void test_peer_closes(void **state) {
    static const struct {
        const char *payload;
        size_t len;
        int code;
    } cases[] = {
        {"\x03\xe8", 2, 1000},       {"\x03\xe9gone", 6, 1001}, {"\x0f\xa0", 2, 4000},
        {"\x13\x87reason", 8, 4999}, {"\x0b\xb8", 2, 3000},     {"", 0, CLOSE_NO_STATUS},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        raw_websocket(&server, &raw);
        send_text("first");
        raw_frame(&server, &raw, 0x88, cases[i].payload, cases[i].len);
        send_text("after the end");
        raw_expect(&server, &raw, 0x81, "first", 5);
        assert_int_equal(raw_close_code(&server, &raw), cases[i].code); /* echoed, and nothing behind it */
        assert_int_equal(raw.len, 0);
        expect_end(cases[i].code);
    }
}

static void test_owner_closes(void **state) {
    static const int codes[] = {1000, 1001, 1009, 4000, 4001, 4009, 4999};

    (void)state;
    for (size_t i = 0; i < COUNT(codes); i++) {
        char command[64], wanted[64];
        int len = snprintf(wanted, sizeof wanted, "%c%cthe reason", codes[i] >> 8, codes[i] & 0xff);

        snprintf(command, sizeof command, "close %d the reason", codes[i]);
        raw_websocket(&server, &raw);
        send_text("before");
        send_text(command);
        send_text("ignored");
        raw_expect(&server, &raw, 0x81, "before", 6);
        raw_expect(&server, &raw, 0x88, wanted, (size_t)len);
        test_turn(&server);
        assert_int_equal(server.closed, i); /* it waits for the peer's close frame */
        raw_frame(&server, &raw, 0x88, wanted, 2);
        RAW_UNTIL(&server, &raw, raw.ended);
        assert_int_equal(raw.len, 0);
        assert_false(raw.reset);
        expect_end(codes[i]);
        assert_int_equal(server.messages, 2 * (i + 1));
    }
}

/* A reason of more than 123 bytes is cut, and not within a character. */
static void test_long_reason(void **state) {
    char command[256] = "close 4000 ";
    size_t header, len;

    (void)state;
    memset(command + 11, 'r', 122);
    strcpy(command + 11 + 122, "\xe2\x82\xac and more");
    raw_websocket(&server, &raw);
    send_text(command);
    assert_int_equal(raw_next_frame(&server, &raw, &header, &len), 0x88);
    assert_int_equal(len, 2 + 122);
    command[11 + 122] = '\0';
    assert_memory_equal(raw.data + header + 2, command + 11, 122);
    raw_close(&raw);
}

static void test_peer_does_not_answer_a_close(void **state) {
    websocket_options options = WEBSOCKET_OPTIONS_INIT;

    (void)state;
    options.close_timeout = 30;
    start_with(options);
    raw_websocket(&server, &raw);
    send_text("close 4001 go");
    assert_int_equal(raw_close_code(&server, &raw), 4001);
    expect_end(4001);
    /* The same after a frame that was refused, with a peer that keeps its end open. */
    raw_websocket(&server, &raw);
    raw_send(&server, &raw, "\x81\x02hi", 4);
    assert_int_equal(raw_close_code(&server, &raw), 1002);
    expect_end(1002);
    test_server_stop(&server);
}

static void test_abort(void **state) {
    (void)state;
    raw_websocket(&server, &raw);
    send_text("abort");
    send_text("ignored");
    expect_end(CLOSE_ABNORMAL);
}

/* ---- slow, silent and noisy peers ---- */

static void test_slow_reader_is_put_out(void **state) {
    static raw_client other;
    websocket_options options = WEBSOCKET_OPTIONS_INIT;

    (void)state;
    options.max_queued = 8u << 20;
    start_with(options);
    raw_websocket(&server, &other);
    raw_websocket(&server, &raw);
    for (int i = 0; i < 100 && server.closed == 0; i++)
        send_text("send 1000000");
    TEST_UNTIL(&server, server.closed == 1);
    assert_int_equal(server.close_code, CLOSE_ABNORMAL);
    raw_close(&raw);
    raw_frame(&server, &other, 0x81, "still here", 10);
    raw_expect(&server, &other, 0x81, "still here", 10);
    raw_close(&other);
    test_server_stop(&server);
}

/* A message larger than all that may wait is refused at once. */
static void test_message_larger_than_the_queue(void **state) {
    websocket_options options = WEBSOCKET_OPTIONS_INIT;

    (void)state;
    options.max_queued = 1000;
    start_with(options);
    raw_websocket(&server, &raw);
    send_text("send 1001");
    expect_end(CLOSE_ABNORMAL);
    test_server_stop(&server);
}

/* A reader that takes its time, but takes it all, gets it all. */
static void test_patient_reader(void **state) {
    size_t total = 0;

    (void)state;
    raw_websocket(&server, &raw);
    for (int i = 0; i < 20; i++)
        send_text("send 1000000");
    while (total < 20 * 1000010) {
        uv_run(&server.loop, UV_RUN_NOWAIT);
        raw_receive(&raw);
        assert_false(raw.ended);
        for (size_t i = 0; i < raw.len; i++)
            if (total + i == 0 || total + i == 1000010)
                assert_int_equal((uint8_t)raw.data[i], 0x81);
        total += raw.len;
        raw_drop(&raw, raw.len);
    }
    assert_int_equal(total, 20 * 1000010);
    raw_close(&raw);
}

/* Whoever pings and does not read gets one pong for many, the latest; the queue does not grow with them. */
static void test_ping_flood(void **state) {
    enum { PINGS = 60000 };
    int small = 65536;
    unsigned pongs = 0, latest = 0;
    char payload[FRAMES_MAX_CONTROL] = {0};
    websocket_options options = WEBSOCKET_OPTIONS_INIT;
    uint8_t *batch = malloc(PINGS * (6u + sizeof payload)), *p = batch;

    (void)state;
    start_with(options);
    raw_websocket(&server, &raw);
    setsockopt(raw.fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    for (unsigned i = 1; i <= PINGS; i++) {
        memcpy(p, "\x89\xfd\0\0\0\0", 6);
        snprintf(payload, sizeof payload, "%u", i);
        memcpy(p + 6, payload, sizeof payload);
        p += 6 + sizeof payload;
    }
    raw_send(&server, &raw, batch, (size_t)(p - batch));
    for (int turn = 0; turn < 500; turn++) /* all of it is read before a byte is taken */
        uv_run(&server.loop, UV_RUN_NOWAIT);
    while (latest != PINGS) {
        size_t header, len;

        assert_int_equal(raw_next_frame(&server, &raw, &header, &len), 0x8a);
        assert_int_equal(len, sizeof payload);
        latest = (unsigned)strtoul(raw.data + header, NULL, 10);
        raw_drop(&raw, header + len);
        pongs++;
    }
    assert_true(pongs < PINGS);
    free(batch);
    raw_close(&raw);
    test_server_stop(&server);
}

/* Who fills the room that he is given so many times has had his turn, and then has another. How long one is, the floods of
 * tests/scenario show. */
static void test_turns(void **state) {
    uint8_t filled = 0;
    uv_buf_t buf;

    (void)state;
    for (int turn = 0; turn < 3; turn++) {
        for (int i = 0; i < 4; i++) {
            scratch_to_read_in_turn(&buf, &filled, 4, 1000);
            assert_int_equal(buf.len, 1000);
            assert_false(scratch_turn_over(&filled, 1000, &buf));
        }
        scratch_to_read_in_turn(&buf, &filled, 4, 1000);
        assert_int_equal(buf.len, 0);
        assert_true(scratch_turn_over(&filled, UV_ENOBUFS, &buf));
    }
    for (int i = 0; i < 10; i++) { /* what does not fill it is the last that there was */
        scratch_to_read_in_turn(&buf, &filled, 1, 1000);
        assert_int_equal(buf.len, 1000);
        assert_false(scratch_turn_over(&filled, 999, &buf));
    }
    scratch_to_read_in_turn(&buf, &filled, 1, SIZE_MAX);
    assert_int_equal(buf.len, SCRATCH_READ);
    assert_false(scratch_turn_over(&filled, UV_ENOBUFS, &buf)); /* no memory: that is an error */
    assert_false(scratch_turn_over(&filled, UV_EOF, &buf));
}

static void test_pings_and_silence(void **state) {
    websocket_options options = WEBSOCKET_OPTIONS_INIT;

    (void)state;
    options.ping_interval = 20;
    options.idle_timeout = 0;
    start_with(options);
    raw_websocket(&server, &raw);
    for (int i = 0; i < 3; i++)
        raw_expect(&server, &raw, 0x89, NULL, 0);
    raw_close(&raw);
    test_server_stop(&server);

    options.idle_timeout = 70;
    start_with(options);
    raw_websocket(&server, &raw);
    raw_expect(&server, &raw, 0x89, NULL, 0);
    expect_end(CLOSE_ABNORMAL); /* no byte came */
    test_server_stop(&server);

    options.ping_interval = 0; /* without pings, silence is noticed all the same */
    start_with(options);
    raw_websocket(&server, &raw);
    expect_end(CLOSE_ABNORMAL);
    assert_int_equal(raw.len, 0);
    test_server_stop(&server);
}

/* Who reads one huge message slowly sends nothing meanwhile, for many times the idle time-out, and is alive; who
 * stops reading is not. */
static void test_reading_is_life(void **state) {
    enum { SIZE = 4 << 20, PIECE = 128 << 10, PAUSE_MS = 20, IDLE_MS = 200 };
    websocket_options options = WEBSOCKET_OPTIONS_INIT;
    static char piece[PIECE];
    int small = 65536;

    (void)state;
    options.ping_interval = 0;
    options.idle_timeout = IDLE_MS;
    start_with(options);
    for (int stops = 0; stops <= 1; stops++) {
        size_t total = 0;
        ssize_t n = -1;

        raw_websocket(&server, &raw);
        setsockopt(raw.fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
        assert_int_equal(websocket_send_steal(server.last, true, calloc(1, SIZE), SIZE), 0);
        while (total < 10 + (size_t)SIZE && n != 0 && !(stops && total >= SIZE / 2)) {
            uint64_t until = uv_hrtime() + PAUSE_MS * 1000000u;
            n = recv(raw.fd, piece, sizeof piece, MSG_DONTWAIT);
            total += n > 0 ? (size_t)n : 0;
            while (uv_hrtime() < until)
                uv_run(&server.loop, UV_RUN_NOWAIT);
        }
        if (!stops)
            assert_int_equal(total, 10 + (size_t)SIZE);
        TEST_UNTIL(&server, server.closed == server.opened); /* now it is silent */
        assert_int_equal(server.close_code, CLOSE_ABNORMAL);
        raw_close(&raw);
    }
    test_server_stop(&server);
}

/* Many messages in one packet, and answers that interleave with another connection's. */
static void test_many_small_messages(void **state) {
    enum { MESSAGES = 30000 };
    static raw_client other;
    char *batch = malloc(MESSAGES * 14 + 16), *p = batch;

    (void)state;
    raw_websocket(&server, &other);
    raw_websocket(&server, &raw);
    for (int i = 0; i < MESSAGES; i++) {
        memcpy(p, "\x82\x88\0\0\0\0", 6);
        snprintf(p + 6, 12, "%08d", i);
        p += 14;
    }
    raw_send(&server, &raw, batch, (size_t)(p - batch));
    raw_frame(&server, &other, 0x81, "between", 7);
    raw_expect(&server, &other, 0x81, "between", 7);
    for (int i = 0; i < MESSAGES; i++) {
        char wanted[16];

        snprintf(wanted, sizeof wanted, "%08d", i);
        raw_expect(&server, &raw, 0x82, wanted, 8);
    }
    raw_close(&raw);
    raw_close(&other);
    free(batch);
}

/* More answers to one packet than are gathered at a time. */
static void test_many_larger_answers(void **state) {
    enum { ANSWERS = 300 };
    static const char request[] = "\x81\x89\0\0\0\0send 1000";
    char batch[ANSWERS * (sizeof request - 1)], answer[1000];

    (void)state;
    memset(answer, 'x', sizeof answer);
    for (size_t i = 0; i < ANSWERS; i++)
        memcpy(batch + i * (sizeof request - 1), request, sizeof request - 1);
    raw_websocket(&server, &raw);
    raw_send(&server, &raw, batch, sizeof batch);
    for (int i = 0; i < ANSWERS; i++)
        raw_expect(&server, &raw, 0x81, answer, sizeof answer);
    raw_close(&raw);
}

int main(void) {
#define WITH_SERVER(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        WITH_SERVER(test_echo_sizes),
        WITH_SERVER(test_largest_message),
        WITH_SERVER(test_frames_right_behind_the_head),
        WITH_SERVER(test_one_byte_at_a_time),
        WITH_SERVER(test_hang_up_anywhere),
        WITH_SERVER(test_refused_frames),
        WITH_SERVER(test_message_limit),
        WITH_SERVER(test_peer_closes),
        WITH_SERVER(test_owner_closes),
        WITH_SERVER(test_long_reason),
        cmocka_unit_test(test_peer_does_not_answer_a_close),
        WITH_SERVER(test_abort),
        cmocka_unit_test(test_slow_reader_is_put_out),
        cmocka_unit_test(test_message_larger_than_the_queue),
        WITH_SERVER(test_patient_reader),
        cmocka_unit_test(test_ping_flood),
        cmocka_unit_test(test_turns),
        cmocka_unit_test(test_pings_and_silence),
        cmocka_unit_test(test_reading_is_life),
        WITH_SERVER(test_many_small_messages),
        WITH_SERVER(test_many_larger_answers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
