/*
 * trivet-mdns: what of Trivet talks to avahi-daemon, as a program of its own. `trivet` starts it; nobody else
 * needs to.
 *
 *     trivet-mdns announce NAME ID PORT [INTERFACE/FAMILY...]    until standard input ends; see announce.h
 *     trivet-mdns browse MILLISECONDS                            see browse.h
 *
 * A program of its own, because the libraries (libavahi-client, libdbus and what that needs) would make an idle server
 * a sixth larger, and because their calls block for as long as D-Bus hangs. Where mDNS is off none of them is
 * touched. The server holds the other end of standard input: however it ends, this ends, too, and what it
 * announced is taken back.
 */
#include "mdns/announce.h"
#include "mdns/browse.h"

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

typedef struct {
    uv_pipe_t input;
    announcer *announcer;
    char nothing[16];
} program;

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf) {
    program *p = handle->data;

    (void)suggested;
    *buf = uv_buf_init(p->nothing, sizeof p->nothing);
}

static void on_input(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf) {
    program *p = stream->data;

    (void)buf;
    if (n >= 0)
        return;
    announce_close(p->announcer);
    uv_close((uv_handle_t *)stream, NULL);
}

static int number(const char *text, long max) {
    char *end;
    long value = strtol(text, &end, 10);

    return *text && (*end == '\0' || *end == '/') && value >= 0 && value <= max ? (int)value : -1;
}

static bool read_place(const char *text, announce_place *out) {
    const char *slash = strchr(text, '/');

    out->interface = number(text, 1 << 30);
    out->family = slash ? number(slash + 1, 255) : -1;
    return out->interface > 0 && out->family >= 0;
}

static int announce(uv_loop_t *loop, int argc, char **argv) {
    announce_options options = {.name = argv[0], .id = argv[1]};
    int port = number(argv[2], 65535);
    program p = {0};

    for (int i = 3; i < argc && options.place_count < ANNOUNCE_PLACES; i++)
        if (!read_place(argv[i], &options.places[options.place_count++]))
            return EX_USAGE;
    if (port <= 0 || strlen(argv[1]) > 64)
        return EX_USAGE;
    options.port = (uint16_t)port;
    uv_pipe_init(loop, &p.input, 0);
    p.input.data = &p;
    if (uv_pipe_open(&p.input, 0) != 0 || !(p.announcer = announce_new(loop, &options)))
        return EX_OSERR;
    uv_read_start((uv_stream_t *)&p.input, on_alloc, on_input);
    uv_run(loop, UV_RUN_DEFAULT);
    announce_free(p.announcer);
    return 0;
}

int main(int argc, char **argv) {
    uv_loop_t loop;
    int status = EX_USAGE;

    if (uv_loop_init(&loop) != 0)
        return EX_OSERR;
    /* What a terminal sends to all of its processes is the server's to act on. */
    signal(SIGINT, SIG_IGN);
    if (argc >= 5 && strcmp(argv[1], "announce") == 0)
        status = announce(&loop, argc - 2, argv + 2);
    else if (argc == 3 && strcmp(argv[1], "browse") == 0 && number(argv[2], 60000) > 0)
        status = browse_run(&loop, (uint64_t)number(argv[2], 60000));
    else
        fputs("trivet-mdns is started by trivet(1)\n", stderr);
    uv_loop_close(&loop);
    return status;
}
