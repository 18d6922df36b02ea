/* Idle connections wake the computer together: whenever they began, their pings leave in one turn of the loop. */
#include "net/websocket_stream.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

enum { PEERS = 4, INTERVAL = 60 };

struct peer {
    websocket *ws;
    int fd; /* the other end */
};

static void on_message(void *owner, bool binary, const uint8_t *data, size_t len) {
    (void)owner, (void)binary, (void)data, (void)len;
}

static void on_closed(void *owner, int code) {
    (void)code;
    ((struct peer *)owner)->ws = NULL;
}

static void open_peer(uv_loop_t *loop, struct peer *p) {
    static const websocket_events events = {on_message, on_closed};
    websocket_options options = WEBSOCKET_OPTIONS_INIT;
    uv_tcp_t *tcp = malloc(sizeof *tcp);
    int fds[2];

    options.ping_interval = INTERVAL;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    assert_int_equal(uv_tcp_init(loop, tcp), 0);
    assert_int_equal(uv_tcp_open(tcp, fds[0]), 0);
    p->fd = fds[1];
    p->ws = websocket_new(tcp, true, "127.0.0.1", &options);
    assert_non_null(p->ws);
    websocket_set_owner(p->ws, &events, p);
    websocket_start(p->ws, NULL, 0);
}

/* How many peers have a ping (RFC 6455 §5.5.2) waiting; takes it. */
static int pinged(struct peer *peers) {
    int count = 0;
    uint8_t bytes[64];

    for (int i = 0; i < PEERS; i++)
        count += recv(peers[i].fd, bytes, sizeof bytes, MSG_DONTWAIT) >= 2 && bytes[0] == 0x89;
    return count;
}

static void test_one_beat(void **state) {
    struct peer peers[PEERS] = {{NULL, -1}};
    uv_loop_t loop;
    int beats = 0;

    (void)state;
    uv_loop_init(&loop);
    for (int i = 0; i < PEERS; i++) {
        open_peer(&loop, &peers[i]);
        uv_sleep(3); /* none begins when another does */
        uv_update_time(&loop);
    }
    /* Those that began before a beat that passed meanwhile have had one more. */
    uv_run(&loop, UV_RUN_ONCE);
    pinged(peers);
    while (beats < 3) {
        uv_run(&loop, UV_RUN_ONCE);
        int count = pinged(peers);
        if (count == 0)
            continue;
        assert_int_equal(count, PEERS);
        beats++;
    }
    for (int i = 0; i < PEERS; i++)
        websocket_abort(peers[i].ws);
    uv_run(&loop, UV_RUN_DEFAULT);
    for (int i = 0; i < PEERS; i++) {
        assert_null(peers[i].ws);
        close(peers[i].fd);
    }
    assert_int_equal(uv_loop_close(&loop), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_one_beat)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
