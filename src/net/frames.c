/*
 * Frames to messages, by wslay's frame layer.
 *
 * A wslay context holds a buffer of 4 KiB. A reader that stands exactly between two frames needs none of its
 * state, so one context per thread is kept aside and lent to whichever reader is fed; only a reader that is
 * left inside a frame keeps it. That is why bytes are accounted for: `unparsed` is 0 exactly between frames.
 */
#include "frames.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <threads.h>

#include <wslay/wslay.h>

enum {
    FIRST_BUFFER = 16384,
    AT_ONCE = 131072 /* a frame up to this size gets all its room at its beginning */
};

/* What wslay's callback reads from during a feed. */
static _Thread_local struct {
    const uint8_t *data;
    size_t len;
} input;

/* The thread's context that nobody uses; freed when the thread ends. */
static tss_t spare_key;
static once_flag spare_once = ONCE_FLAG_INIT;

static void free_spare(void *context) {
    wslay_frame_context_free(context);
}

static void make_spare_key(void) {
    if (tss_create(&spare_key, free_spare) != thrd_success)
        abort(); /* no keys left at the program's start: nothing of it would work */
}

static ssize_t give_input(uint8_t *buf, size_t len, int flags, void *user_data) {
    (void)flags;
    (void)user_data;
    if (input.len == 0)
        return -1; /* wslay: "want read" */
    if (len > input.len)
        len = input.len;
    memcpy(buf, input.data, len);
    input.data += len;
    input.len -= len;
    return (ssize_t)len;
}

static wslay_frame_context *borrow_context(void) {
    static const struct wslay_frame_callbacks callbacks = {.recv_callback = give_input};
    wslay_frame_context *context;

    call_once(&spare_once, make_spare_key);
    context = tss_get(spare_key);
    if (context)
        tss_set(spare_key, NULL);
    else if (wslay_frame_context_init(&context, &callbacks, NULL) != 0)
        return NULL;
    return context;
}

static void return_context(frames *f) {
    if (tss_get(spare_key) || tss_set(spare_key, f->wslay) != thrd_success)
        wslay_frame_context_free(f->wslay);
    f->wslay = NULL;
}

void frames_init(frames *f, bool server, size_t limit) {
    *f = (frames){.limit = limit, .expects_masked = server, .utf8 = UTF8_CHECK_INIT};
}

static void drop_message(frames *f) {
    free(f->message);
    f->message = NULL;
    f->len = f->size = 0;
    f->fragments = 0;
    f->opcode = 0;
    f->utf8 = (utf8_check_state)UTF8_CHECK_INIT;
}

void frames_release(frames *f) {
    drop_message(f);
    if (f->wslay)
        wslay_frame_context_free(f->wslay); /* perhaps inside a frame: of no use to another */
    f->wslay = NULL;
}

void frames_stop(frames *f) {
    f->stopped = true;
}

bool frames_close_code_valid(int code) {
    return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) || (code >= 3000 && code <= 4999);
}

static bool is_control(uint8_t opcode) {
    return opcode >= FRAME_CLOSE;
}

/* The rules that a frame's header alone can break. */
static int check_header(frames *f, const struct wslay_frame_iocb *frame) {
    if (frame->rsv != 0 || frame->mask != f->expects_masked)
        return CLOSE_PROTOCOL_ERROR;
    switch (frame->opcode) {
    case WSLAY_TEXT_FRAME:
    case WSLAY_BINARY_FRAME:
        if (f->opcode != 0)
            return CLOSE_PROTOCOL_ERROR;
        f->opcode = frame->opcode;
        break;
    case WSLAY_CONTINUATION_FRAME:
        if (f->opcode == 0)
            return CLOSE_PROTOCOL_ERROR;
        break;
    case WSLAY_CONNECTION_CLOSE:
    case WSLAY_PING:
    case WSLAY_PONG:
        return frame->payload_length > FRAMES_MAX_CONTROL || !frame->fin ? CLOSE_PROTOCOL_ERROR : 0;
    default:
        return CLOSE_PROTOCOL_ERROR;
    }
    if (f->len > f->limit || frame->payload_length > f->limit - f->len)
        return CLOSE_TOO_LARGE;
    return ++f->fragments > FRAMES_MAX_FRAGMENTS ? CLOSE_POLICY : 0;
}

/*
 * Room for `more` bytes: the buffer doubles, never beyond what can still come: of the last frame its `rest`, of others
 * the limit. To give others no more than they fill would be to copy all that there is for each of 65,536 fragments.
 */
static int reserve(frames *f, size_t more, uint64_t rest, bool last) {
    size_t need = f->len + more, size = f->size ? f->size : FIRST_BUFFER;
    uint64_t most = last ? f->len + rest : f->limit;
    uint8_t *grown;

    if (need <= f->size)
        return 0;
    while (size < need)
        size *= 2;
    if (most >= need && (size > most || most <= AT_ONCE))
        size = (size_t)most;
    grown = realloc(f->message, size);
    if (!grown)
        return CLOSE_INTERNAL;
    f->message = grown;
    f->size = size;
    return 0;
}

/* A piece of a data frame. */
static int take_data(frames *f, const struct wslay_frame_iocb *frame, const frames_events *events,
                     void *owner) {
    bool binary = f->opcode == FRAME_BINARY, last = frame->fin && f->done == frame->payload_length;
    const uint8_t *data = frame->data;
    size_t len = frame->data_length;
    uint8_t *message;
    int code;

    if (!binary && (!utf8_check(&f->utf8, data, len) || (last && !utf8_check_complete(&f->utf8))))
        return CLOSE_INVALID_DATA;
    if (last && f->len == 0) { /* whole in one piece */
        drop_message(f);
        events->on_message(owner, binary, data, len);
        return 0;
    }
    if (len > 0) {
        code = reserve(f, len, frame->payload_length - f->done + len, frame->fin);
        if (code != 0)
            return code;
        memcpy(f->message + f->len, data, len);
        f->len += len;
    }
    if (last) {
        message = f->message;
        len = f->len;
        f->message = NULL;
        drop_message(f);
        if (!f->on_block || !f->on_block(owner, binary, message, len)) {
            events->on_message(owner, binary, message, len);
            free(message);
        }
    }
    return 0;
}

static int take_close(const uint8_t *data, size_t len, const frames_events *events, void *owner) {
    utf8_check_state utf8 = UTF8_CHECK_INIT;
    int code;

    if (len == 0) {
        events->on_close(owner, CLOSE_NO_STATUS);
        return 0;
    }
    if (len == 1)
        return CLOSE_PROTOCOL_ERROR;
    code = data[0] << 8 | data[1];
    if (!frames_close_code_valid(code))
        return CLOSE_PROTOCOL_ERROR;
    if (!utf8_check(&utf8, data + 2, len - 2) || !utf8_check_complete(&utf8))
        return CLOSE_INVALID_DATA;
    events->on_close(owner, code);
    return 0;
}

/* A piece of a control frame; check_header has bounded the whole. */
static int take_control(frames *f, const struct wslay_frame_iocb *frame, const frames_events *events,
                        void *owner) {
    size_t before = (size_t)f->done - frame->data_length, len = (size_t)frame->payload_length;

    assert(before + frame->data_length <= sizeof f->control);
    if (frame->data_length > 0)
        memcpy(f->control + before, frame->data, frame->data_length);
    if (f->done < frame->payload_length)
        return 0;
    if (frame->opcode == WSLAY_CONNECTION_CLOSE) {
        f->stopped = true;
        return take_close(f->control, len, events, owner);
    }
    if (frame->opcode == WSLAY_PING)
        events->on_ping(owner, f->control, len);
    return 0;
}

static uint64_t header_length(const struct wslay_frame_iocb *frame) {
    uint64_t extended = frame->payload_length < 126 ? 0 : frame->payload_length < 65536 ? 2 : 8;

    return 2 + extended + (frame->mask ? 4 : 0);
}

/* One piece of one frame, as wslay hands it out. */
static int take_piece(frames *f, const struct wslay_frame_iocb *frame, const frames_events *events,
                      void *owner) {
    int code = f->done == 0 ? check_header(f, frame) : 0;
    bool last;

    if (code != 0)
        return code;
    f->done += frame->data_length;
    last = f->done == frame->payload_length;
    code = is_control(frame->opcode) ? take_control(f, frame, events, owner)
                                     : take_data(f, frame, events, owner);
    if (last) {
        f->done = 0;
        f->unparsed -= header_length(frame) + frame->payload_length;
    }
    return code;
}

int frames_feed(frames *f, const uint8_t *data, size_t len, const frames_events *events, void *owner) {
    struct wslay_frame_iocb frame;
    int code = 0;
    ssize_t n;

    if (!f->wslay)
        f->wslay = borrow_context();
    if (!f->wslay)
        return CLOSE_INTERNAL;
    input.data = data;
    input.len = len;
    f->unparsed += len;
    f->stopped = false;
    while (code == 0 && !f->stopped) {
        memset(&frame, 0, sizeof frame);
        n = wslay_frame_recv(f->wslay, &frame);
        if (n == WSLAY_ERR_WANT_READ)
            break;
        code = n < 0 ? CLOSE_PROTOCOL_ERROR : take_piece(f, &frame, events, owner);
    }
    f->left = input.len;
    f->unparsed -= input.len;
    input.len = 0;
    if (code == 0 && !f->stopped && f->unparsed == 0)
        return_context(f);
    return code;
}

size_t frames_header(uint8_t out[static FRAMES_MAX_HEADER], uint8_t opcode, uint64_t len,
                     const uint8_t *mask) {
    uint8_t flag = mask ? 0x80 : 0;
    size_t n = 2, extended = len < 126 ? 0 : len < 65536 ? 2 : 8;

    out[0] = (uint8_t)(0x80 | opcode);
    out[1] = (uint8_t)(flag | (extended == 0 ? len : extended == 2 ? 126 : 127));
    for (size_t i = extended; i > 0; i--)
        out[n++] = (uint8_t)(len >> (8 * (i - 1)));
    if (mask) {
        memcpy(out + n, mask, 4);
        n += 4;
    }
    return n;
}

/* Eight bytes at a time: the key repeats every four. */
void frames_mask(uint8_t *data, size_t len, const uint8_t key[static 4]) {
    uint64_t eight, mask;
    size_t at = 0;

    memcpy(&mask, key, 4);
    memcpy((uint8_t *)&mask + 4, key, 4);
    for (; len - at >= 8; at += 8) {
        memcpy(&eight, data + at, 8);
        eight ^= mask;
        memcpy(data + at, &eight, 8);
    }
    for (; at < len; at++)
        data[at] ^= key[at & 3];
}
