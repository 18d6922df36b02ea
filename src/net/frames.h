/*
 * frames.h - RFC 6455's frames, either end, without a socket: bytes in, whole messages out.
 *
 * wslay reads the frames; the rules above them (order of fragments, limits, UTF-8, close codes) are here and
 * not wslay's event layer's, because that one sets aside memory for what a header promises, keeps 4 KiB for
 * each direction of an idle connection, and queues a pong for every ping however slowly the peer reads.
 *
 * Calling sequence: frames_init, then frames_feed with whatever has arrived, until it returns a close code or
 * an event says that the connection is over; frames_release. frames_stop, from within an event, makes the
 * feed return at once.
 *
 * A message is kept in one buffer that grows with the bytes that arrived, not with those announced. A message
 * that came whole in one piece is not copied at all. Between messages a reader owns no memory.
 */
#ifndef TRIVET_NET_FRAMES_H
#define TRIVET_NET_FRAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "utf8.h"

enum {
    FRAMES_MAX_HEADER = 14,      /* bytes */
    FRAMES_MAX_CONTROL = 125,    /* bytes of payload, RFC 6455 §5.5 */
    FRAMES_MAX_FRAGMENTS = 65536 /* of one message; more closes with 1008 */
};

enum frames_opcode { FRAME_TEXT = 1, FRAME_BINARY = 2, FRAME_CLOSE = 8, FRAME_PING = 9, FRAME_PONG = 10 };

/* Close codes that this room gives by itself, RFC 6455 §7.4.1. */
enum {
    CLOSE_NORMAL = 1000,
    CLOSE_GOING_AWAY = 1001,
    CLOSE_PROTOCOL_ERROR = 1002,
    CLOSE_NO_STATUS = 1005, /* a close frame without a code; never sent */
    CLOSE_ABNORMAL = 1006,  /* no close frame at all; never sent */
    CLOSE_INVALID_DATA = 1007,
    CLOSE_POLICY = 1008,
    CLOSE_TOO_LARGE = 1009,
    CLOSE_INTERNAL = 1011
};

/* All data is borrowed for the call. */
typedef struct {
    void (*on_message)(void *owner, bool binary, const uint8_t *data, size_t len);
    void (*on_ping)(void *owner, const uint8_t *data, size_t len);
    /* The peer's close frame; nothing is read after it. `code` is CLOSE_NO_STATUS where it held none. */
    void (*on_close)(void *owner, int code);
} frames_events;

typedef struct wslay_frame_context wslay_frame_context;

typedef struct {
    wslay_frame_context *wslay; /* NULL between frames: then nothing is held, see frames.c */
    uint8_t *message;           /* what has come of the open message, from malloc */
    size_t len, size;
    size_t limit;       /* of one message, bytes */
    uint64_t done;      /* payload bytes of the open frame handled so far */
    uint64_t unparsed;  /* bytes fed and not yet accounted to a whole frame */
    uint32_t fragments; /* data frames of the open message */
    utf8_check_state utf8;
    uint8_t control[FRAMES_MAX_CONTROL];
    uint8_t opcode;      /* of the open message; 0: none */
    bool expects_masked; /* the server's end: RFC 6455 §5.1 */
    bool stopped;
    /* NULL, or asked first where a message came in pieces: true takes `data`, a block from malloc, over. */
    bool (*on_block)(void *owner, bool binary, uint8_t *data, size_t len);
    size_t left; /* bytes at the end of what was fed last that were not taken, as an event stopped it */
} frames;

void frames_init(frames *f, bool server, size_t limit);
void frames_release(frames *f);

/*
 * Handles `len` bytes. 0, or the code to close with: 1002 malformed, 1007 not UTF-8, 1008 too many fragments,
 * 1009 larger than the limit, 1011 out of memory. Nothing may be fed after such a code, nor after on_close.
 */
int frames_feed(frames *f, const uint8_t *data, size_t len, const frames_events *events, void *owner);

void frames_stop(frames *f);

/* Writes a frame's header (final, unfragmented); `mask` is the client's key, NULL on the server's end. Returns
 * its length. */
size_t frames_header(uint8_t out[static FRAMES_MAX_HEADER], uint8_t opcode, uint64_t len,
                     const uint8_t *mask);

/* XORs `data` with a client's 4-byte key (RFC 6455 §5.3). */
void frames_mask(uint8_t *data, size_t len, const uint8_t key[static 4]);

/* Whether a peer may send this code in a close frame, and an application here (RFC 6455 §7.4). */
bool frames_close_code_valid(int code);

#endif
