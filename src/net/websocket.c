/*
 * A WebSocket connection over libuv: reading, writing, liveness and the closing handshake.
 *
 *             close(), frames refused             peer's close frame
 *   OPEN ------------------------------> CLOSING ----------------------> DRAINING
 *     |                                     |                               |
 *     |   peer's close frame, echoed        |  close_timeout                |  all is written (client: and
 *     +-------------------------------------|------------------------------>|  end of stream), close_timeout
 *     |                                     v                               v
 *     +----------------------------------> GONE <---------------------------+
 *        end of stream, abort, idle, slow reader: from every state
 *
 * GONE means that uv_close() was called on the stream and the timer; when both callbacks have run the owner
 * hears on_closed and the object is freed. Because that is the only way out, nothing is called back from
 * within a call of the owner's.
 *
 * Output goes to the stream at once, as far as it takes it; libuv's own queue holds the rest, payloads
 * uncopied. While a read is being handled, small frames are gathered first, so that many answers to many
 * messages cost one system call.
 */
#include "websocket_stream.h"

#include <assert.h>
#include <linux/sockios.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "frames.h"
#include "scratch.h"

enum {
    GATHER_MAX = 16384,                /* larger frames go out by themselves */
    DEFAULT_MESSAGE_LIMIT = 50u << 20, /* protocol §1 */
    MAX_REASON = FRAMES_MAX_CONTROL - 2,
    READS_IN_TURN = 4, /* of SCRATCH_READ each */
    ALIVE_BYTES = 4096 /* read between two looks */
};

enum state { OPEN, CLOSING, DRAINING, GONE };

struct websocket {
    uv_tcp_t *tcp;
    uv_timer_t timer;
    frames in;
    const websocket_events *events; /* NULL until the owner is known */
    void *owner;
    websocket_block_fn *on_block; /* NULL: messages come to on_message alone */
    void (*gone)(void *context);
    void *context;
    char *address;
    uint8_t *pong; /* payload of a pong that waits for earlier output; only the latest is kept */
    websocket_options options;
    uint64_t last_received, next_ping; /* ms, the loop's clock; the first: of any sign of life */
    uint64_t given, taken; /* bytes given to the stream, and of these what the peer had at the last look */
    size_t pending;        /* writes in libuv's queue */
    int code;              /* what on_closed will say; 0: not known yet */
    enum state state;
    uint8_t pong_len;
    uint8_t open_handles;
    uint8_t filled; /* reads in this turn, scratch.h */
    bool server;
    bool deaf;     /* the input is out of step: bytes are thrown away until the stream ends */
    bool shut;     /* uv_shutdown was asked for */
    bool received; /* the peer's close frame has come */
    bool paused;
    uint8_t *kept; /* read before the pause, and not looked at yet; NULL: nothing */
    size_t kept_len;
};

/* One write that the stream did not take at once. */
typedef struct {
    uv_write_t request;
    uint8_t header[FRAMES_MAX_HEADER];
    uint8_t *payload;
} pending_write;

/* The frames gathered during a read of this thread's loop. */
static _Thread_local struct {
    websocket *of; /* whose read is being handled */
    size_t len;
    uint8_t *bytes; /* scratch.h's */
} gathered;

static uv_stream_t *stream_of(websocket *ws) {
    return (uv_stream_t *)ws->tcp;
}

/* ---- the end ---- */

static void on_handle_closed(uv_handle_t *handle) {
    websocket *ws = handle->data;

    if (--ws->open_handles > 0)
        return;
    if (ws->events)
        ws->events->on_closed(ws->owner, ws->code ? ws->code : CLOSE_ABNORMAL);
    if (ws->gone)
        ws->gone(ws->context);
    frames_release(&ws->in);
    free(ws->pong);
    free(ws->kept);
    free(ws->address);
    free(ws->tcp);
    free(ws);
}

static void end(websocket *ws) {
    if (ws->state == GONE)
        return;
    ws->state = GONE;
    frames_stop(&ws->in);
    if (gathered.of == ws)
        gathered.len = 0;
    uv_close((uv_handle_t *)ws->tcp, on_handle_closed);
    uv_close((uv_handle_t *)&ws->timer, on_handle_closed);
}

/* ---- writing ---- */

/* What waits to be sent costs, bookkeeping included: many tiny messages are no way around the limit. */
static size_t queued(const websocket *ws) {
    return uv_stream_get_write_queue_size((const uv_stream_t *)ws->tcp) +
           ws->pending * sizeof(pending_write) + (gathered.of == ws ? gathered.len : 0);
}

static void send_control(websocket *ws, uint8_t opcode, const uint8_t *data, size_t len);

static void on_shutdown(uv_shutdown_t *request, int status) {
    (void)status; /* the stream's end, or the time-out, follows anyway */
    free(request);
}

static void shut(websocket *ws) {
    uv_shutdown_t *request = ws->shut ? NULL : malloc(sizeof *request);

    if (!request)
        return;
    ws->shut = true;
    if (uv_shutdown(request, stream_of(ws), on_shutdown) != 0)
        free(request);
}

/* Called whenever output may have come to its end. */
static void check_drained(websocket *ws) {
    if (ws->state == GONE || queued(ws) > 0)
        return;
    if (ws->pong && ws->state == OPEN) {
        uint8_t *pong = ws->pong;

        ws->pong = NULL;
        send_control(ws, FRAME_PONG, pong, ws->pong_len);
        free(pong);
    } else if (ws->state == DRAINING && ws->server) {
        end(ws); /* RFC 6455 §7.1.1: the server closes first */
    } else if (ws->state == CLOSING && ws->deaf) {
        shut(ws); /* and read on: to close now could destroy the close frame on its way */
    }
}

static void on_written(uv_write_t *request, int status) {
    websocket *ws = request->data;
    pending_write *pending = (pending_write *)request;

    free(pending->payload);
    free(pending);
    ws->pending--;
    if (status < 0 && status != UV_ECANCELED)
        end(ws);
    else
        check_drained(ws);
}

/* Leaves the rest of a header and a payload (taken over) to libuv's queue. */
static void write_rest(websocket *ws, const uint8_t *header, size_t header_len, uint8_t *payload, size_t len,
                       size_t done) {
    pending_write *pending = malloc(sizeof *pending);
    size_t skip = done < header_len ? done : header_len;
    uv_buf_t bufs[2];

    if (!pending) {
        free(payload);
        end(ws);
        return;
    }
    pending->payload = payload;
    pending->request.data = ws;
    if (header_len > 0)
        memcpy(pending->header, header, header_len);
    bufs[0] = uv_buf_init((char *)pending->header + skip, (unsigned)(header_len - skip));
    bufs[1].base = done > skip ? (char *)payload + (done - skip) : (char *)payload;
    bufs[1].len = len - (done - skip);
    if (uv_write(&pending->request, stream_of(ws), bufs, 2, on_written) != 0) {
        free(payload);
        free(pending);
        end(ws);
        return;
    }
    ws->given += bufs[0].len + bufs[1].len;
    ws->pending++;
}

/* Writes what the stream takes now; returns the number of bytes, SIZE_MAX where the stream has failed. */
static size_t write_now(websocket *ws, uv_buf_t *bufs, unsigned count) {
    int n = 0;

    if (uv_stream_get_write_queue_size(stream_of(ws)) == 0)
        n = uv_try_write(stream_of(ws), bufs, count);
    if (n < 0 && n != UV_EAGAIN) {
        end(ws);
        return SIZE_MAX;
    }
    ws->given += n > 0 ? (uint64_t)n : 0;
    return n > 0 ? (size_t)n : 0;
}

static void write_copy(websocket *ws, const uint8_t *bytes, size_t len) {
    uv_buf_t buf = uv_buf_init((char *)(uintptr_t)bytes, (unsigned)len);
    size_t done = write_now(ws, &buf, 1);
    uint8_t *copy;

    if (done >= len)
        return;
    copy = malloc(len - done);
    if (!copy) {
        end(ws);
        return;
    }
    memcpy(copy, bytes + done, len - done);
    write_rest(ws, NULL, 0, copy, len - done, 0);
}

static void flush_gathered(websocket *ws) {
    size_t len = gathered.len;

    gathered.len = 0;
    if (len > 0 && ws->state != GONE)
        write_copy(ws, gathered.bytes, len);
}

/* True where the frame was gathered. */
static bool gather(websocket *ws, const uint8_t *header, size_t header_len, const uint8_t *payload,
                   size_t len) {
    if (gathered.of != ws)
        return false;
    if (len > GATHER_MAX) {
        flush_gathered(ws);
        return false;
    }
    if (gathered.len + header_len + len > SCRATCH_GATHER)
        flush_gathered(ws);
    memcpy(gathered.bytes + gathered.len, header, header_len);
    if (len > 0)
        memcpy(gathered.bytes + gathered.len + header_len, payload, len);
    gathered.len += header_len + len;
    return true;
}

/* A client's frames are masked with a fresh key each (RFC 6455 §5.3). Returns the header's length, 0 where
 * there are no random bytes. */
static size_t begin_frame(websocket *ws, uint8_t header[static FRAMES_MAX_HEADER], uint8_t opcode,
                          uint8_t *payload, size_t len) {
    uint8_t key[4];

    if (ws->server)
        return frames_header(header, opcode, len, NULL);
    if (uv_random(NULL, NULL, key, sizeof key, 0, NULL) != 0)
        return 0;
    frames_mask(payload, len, key);
    return frames_header(header, opcode, len, key);
}

static void send_control(websocket *ws, uint8_t opcode, const uint8_t *data, size_t len) {
    uint8_t frame[FRAMES_MAX_HEADER + FRAMES_MAX_CONTROL], header[FRAMES_MAX_HEADER];
    uint8_t payload[FRAMES_MAX_CONTROL];
    size_t header_len;

    assert(len <= FRAMES_MAX_CONTROL);
    if (len > 0)
        memcpy(payload, data, len);
    header_len = begin_frame(ws, header, opcode, payload, len);
    if (header_len == 0) {
        end(ws);
        return;
    }
    if (gather(ws, header, header_len, payload, len))
        return;
    memcpy(frame, header, header_len);
    memcpy(frame + header_len, payload, len);
    write_copy(ws, frame, header_len + len);
}

int websocket_send_steal(websocket *ws, bool binary, uint8_t *data, size_t len) {
    uint8_t header[FRAMES_MAX_HEADER];
    size_t header_len, done;
    uv_buf_t bufs[2];

    if (ws->state != OPEN) {
        free(data);
        return -1;
    }
    header_len = begin_frame(ws, header, binary ? FRAME_BINARY : FRAME_TEXT, data, len);
    if (header_len == 0 || len > ws->options.max_queued ||
        queued(ws) > ws->options.max_queued - len) { /* a reader too slow */
        free(data);
        end(ws);
        return -1;
    }
    if (gather(ws, header, header_len, data, len)) {
        free(data);
        return 0;
    }
    bufs[0] = uv_buf_init((char *)header, (unsigned)header_len);
    bufs[1].base = (char *)data;
    bufs[1].len = len;
    done = ws->state == GONE ? SIZE_MAX : write_now(ws, bufs, 2);
    if (done == SIZE_MAX || done == header_len + len)
        free(data);
    else
        write_rest(ws, header, header_len, data, len, done);
    return ws->state == GONE ? -1 : 0;
}

void websocket_write_raw(websocket *ws, const char *bytes, size_t len) {
    write_copy(ws, (const uint8_t *)bytes, len);
}

/* ---- time ---- */

static void on_timer(uv_timer_t *timer);

static void start_timer(websocket *ws, uint64_t delay) {
    uv_timer_start(&ws->timer, on_timer, delay, 0);
}

/*
 * A phone that reads one huge message over a slow network sends nothing, pongs included, until it has all of it; but
 * it acknowledges what it reads. Less than ALIVE_BYTES at a time proves nothing: pings are acknowledged by the
 * system of a peer whose program hangs.
 */
static void look_for_progress(websocket *ws) {
    int unread = 0, fd = -1;

    if (uv_fileno((const uv_handle_t *)ws->tcp, &fd) != 0 || ioctl(fd, SIOCOUTQ, &unread) != 0)
        unread = 0;
    uint64_t waits = uv_stream_get_write_queue_size(stream_of(ws)) + (uint64_t)unread;
    uint64_t taken = ws->given > waits ? ws->given - waits : 0;
    if (taken >= ws->taken + ALIVE_BYTES)
        ws->last_received = uv_now(ws->timer.loop);
    ws->taken = taken;
}

/* All connections are pinged at the same moments: a thousand idle phones wake this computer, and its processor, as often as
 * one does. */
static uint64_t next_beat(const websocket *ws) {
    uint64_t interval = ws->options.ping_interval;
    return interval > 0 ? (uv_now(ws->timer.loop) / interval + 1) * interval : 0;
}

/* Arms the timer for the next ping or for the moment at which the peer has been silent for too long. */
static void schedule(websocket *ws) {
    uint64_t now = uv_now(ws->timer.loop), next = UINT64_MAX;

    if (ws->options.ping_interval > 0)
        next = ws->next_ping;
    if (ws->options.idle_timeout > 0 && ws->last_received + ws->options.idle_timeout < next)
        next = ws->last_received + ws->options.idle_timeout;
    if (next != UINT64_MAX)
        start_timer(ws, next > now ? next - now : 0);
}

static void on_timer(uv_timer_t *timer) {
    websocket *ws = timer->data;
    uint64_t now = uv_now(timer->loop);

    if (ws->state != OPEN) { /* the peer did not end it in time */
        end(ws);
        return;
    }
    look_for_progress(ws);
    if (ws->options.idle_timeout > 0 && now - ws->last_received >= ws->options.idle_timeout) {
        end(ws);
        return;
    }
    if (ws->options.ping_interval > 0 && now >= ws->next_ping) {
        ws->next_ping = next_beat(ws);
        send_control(ws, FRAME_PING, NULL, 0);
    }
    if (ws->state == OPEN)
        schedule(ws);
}

/* ---- closing ---- */

static void send_close(websocket *ws, int code, const char *reason) {
    uint8_t payload[FRAMES_MAX_CONTROL];
    size_t len = reason ? strlen(reason) : 0;

    if (len > MAX_REASON) {
        len = MAX_REASON;
        while (len > 0 && ((uint8_t)reason[len] & 0xc0) == 0x80)
            len--; /* never in the middle of a character */
    }
    payload[0] = (uint8_t)(code >> 8);
    payload[1] = (uint8_t)code;
    if (len > 0)
        memcpy(payload + 2, reason, len);
    send_control(ws, FRAME_CLOSE, payload, code == CLOSE_NO_STATUS ? 0 : len + 2);
}

size_t websocket_partial(const websocket *ws) {
    return ws->in.len;
}

bool websocket_is_open(const websocket *ws) {
    return ws->state == OPEN;
}

void websocket_close(websocket *ws, int code, const char *reason) {
    if (ws->state != OPEN)
        return;
    assert(frames_close_code_valid(code));
    ws->state = CLOSING;
    ws->code = code;
    start_timer(ws, ws->options.close_timeout);
    send_close(ws, code, reason);
    if (gathered.of != ws)
        check_drained(ws);
}

void websocket_abort(websocket *ws) {
    end(ws);
}

/* The input broke a rule: say so, and hear nothing more. */
static void fail(websocket *ws, int code) {
    static const char *const reasons[] = {[CLOSE_PROTOCOL_ERROR - 1000] = "protocol error",
                                          [CLOSE_INVALID_DATA - 1000] = "not UTF-8",
                                          [CLOSE_POLICY - 1000] = "too many fragments",
                                          [CLOSE_TOO_LARGE - 1000] = "message too large",
                                          [CLOSE_INTERNAL - 1000] = "out of memory"};

    ws->deaf = true;
    frames_release(&ws->in);
    websocket_close(ws, code, reasons[code - 1000]);
    if (ws->state == CLOSING)
        check_drained(ws);
}

/* ---- reading ---- */

static void handle_message(void *owner, bool binary, const uint8_t *data, size_t len) {
    websocket *ws = owner;

    if (ws->state == OPEN && ws->events)
        ws->events->on_message(ws->owner, binary, data, len);
}

static bool handle_block(void *owner, bool binary, uint8_t *data, size_t len) {
    websocket *ws = owner;

    return ws->state == OPEN && ws->on_block(ws->owner, binary, data, len);
}

static void handle_ping(void *owner, const uint8_t *data, size_t len) {
    websocket *ws = owner;

    if (ws->state != OPEN)
        return;
    if (uv_stream_get_write_queue_size(stream_of(ws)) == 0) {
        send_control(ws, FRAME_PONG, data, len);
        return;
    }
    /* The peer reads slowly: RFC 6455 §5.5.3 lets the latest ping stand for all. */
    if (!ws->pong)
        ws->pong = malloc(FRAMES_MAX_CONTROL);
    if (!ws->pong)
        return;
    memcpy(ws->pong, data, len);
    ws->pong_len = (uint8_t)len;
}

static void handle_close(void *owner, int code) {
    websocket *ws = owner;
    bool first = ws->state == OPEN;

    if (ws->state == GONE)
        return;
    ws->received = true;
    ws->state = DRAINING;
    if (first) {
        ws->code = code;
        start_timer(ws, ws->options.close_timeout);
        send_close(ws, code, NULL);
    }
}

static void keep(websocket *ws, const uint8_t *data, size_t len) {
    ws->kept = malloc(len);
    if (!ws->kept) {
        end(ws);
        return;
    }
    memcpy(ws->kept, data, len);
    ws->kept_len = len;
}

static void receive(websocket *ws, const uint8_t *data, size_t len) {
    static const frames_events events = {handle_message, handle_ping, handle_close};
    int code;

    ws->last_received = uv_now(ws->timer.loop);
    if (ws->deaf || ws->received || ws->state == GONE)
        return;
    scratch *room = scratch_get();
    if (!room) {
        end(ws);
        return;
    }
    gathered.of = ws;
    gathered.bytes = room->gather;
    code = frames_feed(&ws->in, data, len, &events, ws);
    if (code != 0 && ws->state != GONE)
        fail(ws, code);
    else if (ws->paused && ws->in.left > 0)
        keep(ws, data + len - ws->in.left, ws->in.left);
    flush_gathered(ws);
    gathered.of = NULL;
    check_drained(ws);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf) {
    websocket *ws = handle->data;
    bool trusted = ws->in.limit >= SCRATCH_READ; /* who has shown nothing yet may send little (protocol §2) */

    (void)suggested;
    scratch_to_read_in_turn(buf, &ws->filled, trusted ? READS_IN_TURN : 1, SCRATCH_READ);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf) {
    websocket *ws = stream->data;

    if (scratch_turn_over(&ws->filled, n, buf))
        return;
    if (n > 0)
        receive(ws, (const uint8_t *)buf->base, (size_t)n);
    else if (n < 0)
        end(ws);
}

/* ---- beginning ---- */

websocket *websocket_new(uv_tcp_t *tcp, bool server, const char *address, const websocket_options *options) {
    static const websocket_options defaults = WEBSOCKET_OPTIONS_INIT;
    websocket *ws = calloc(1, sizeof *ws);

    if (!ws || !(ws->address = strdup(address)) || uv_timer_init(tcp->loop, &ws->timer) != 0) {
        if (ws)
            free(ws->address);
        free(ws);
        return NULL;
    }
    ws->tcp = tcp;
    ws->server = server;
    ws->options = options ? *options : defaults;
    ws->open_handles = 2;
    tcp->data = ws->timer.data = ws;
    frames_init(&ws->in, server, DEFAULT_MESSAGE_LIMIT);
    ws->last_received = uv_now(tcp->loop);
    ws->next_ping = next_beat(ws);
    schedule(ws);
    return ws;
}

void websocket_take_blocks(websocket *ws, websocket_block_fn *fn) {
    ws->on_block = fn;
    ws->in.on_block = handle_block;
}

void websocket_pause(websocket *ws) {
    ws->paused = true;
    frames_stop(&ws->in);
    uv_read_stop(stream_of(ws));
}

void websocket_resume(websocket *ws) {
    uint8_t *data = ws->kept;
    size_t len = ws->kept_len;

    if (!ws->paused)
        return;
    ws->paused = false;
    ws->kept = NULL;
    ws->kept_len = 0;
    receive(ws, data, len); /* with nothing, too: whole frames may stand in the reader */
    free(data);
    if (!ws->paused && ws->state != GONE && uv_read_start(stream_of(ws), on_alloc, on_read) != 0)
        end(ws);
}

void websocket_start(websocket *ws, const uint8_t *data, size_t len) {
    if (len > 0)
        receive(ws, data, len);
    if (!ws->paused && ws->state != GONE && uv_read_start(stream_of(ws), on_alloc, on_read) != 0)
        end(ws);
}

void websocket_set_owner(websocket *ws, const websocket_events *events, void *owner) {
    ws->events = events;
    ws->owner = owner;
}

void websocket_set_message_limit(websocket *ws, size_t bytes) {
    ws->in.limit = bytes;
}

const char *websocket_address(const websocket *ws) {
    return ws->address;
}

uint16_t websocket_own_end(const websocket *ws, char out[static ADDRESS_SIZE]) {
    return address_of_own_end(ws->tcp, out);
}

void websocket_set_hook(websocket *ws, void (*gone)(void *context), void *context) {
    ws->gone = gone;
    ws->context = context;
}

void *websocket_hook_context(const websocket *ws) {
    return ws->context;
}
