/*
 * transfer.h - a file in pieces: what may come next, and what may be sent next (protocol §7).
 *
 *     computer   begin -> take ... (ack, each PROTO_TRANSFER_ACK) -> end | leave
 *     phone      begin -> sent ... (acked)                        -> end
 *
 * One transfer is open at a time; beginning another leaves the one before. Pieces come in order, so one that is not the next in order,
 * empty, too large, of a transfer that is over or was never asked for, or beyond PROTO_TRANSFER_WINDOW bytes after the last ack is a
 * violation. Only what a phone had sent before it could know that its transfer was left is dropped in silence: never
 * more than a window for each.
 *
 * Plain bookkeeping: nothing is allocated, and no bytes are held.
 */
#ifndef TRIVET_PROTO_TRANSFER_H
#define TRIVET_PROTO_TRANSFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    PROTO_TRANSFER_PIECE = 65536,    /* bytes of a piece, at most */
    PROTO_TRANSFER_WINDOW = 1 << 20, /* beyond the last ack */
    PROTO_TRANSFER_FREE = 16384 /* a piece from this size on does not count against the rate of messages */
};

/* The computer's end; all zero: nothing was asked for yet. */
typedef struct {
    uint32_t number; /* the latest one */
    uint32_t oldest; /* of which pieces may still come */
    bool open;       /* else it is over, or was left */
    uint64_t next;   /* offset of the next piece */
    uint64_t acked;
    uint64_t late; /* bytes that may still come of transfers that were left */
} proto_receiving;

typedef enum { PROTO_PIECE_TAKEN, PROTO_PIECE_LATE, PROTO_PIECE_WRONG } proto_piece;

/* False: the number is not above the last one. */
bool proto_receiving_begin(proto_receiving *r, uint32_t number, uint64_t offset);
/* False: it is not open, or that many have not come. */
bool proto_receiving_ack(proto_receiving *r, uint32_t number, uint64_t offset);
void proto_receiving_leave(proto_receiving *r);
proto_piece proto_receiving_take(proto_receiving *r, uint32_t number, uint64_t offset, size_t len);
proto_piece proto_receiving_end(proto_receiving *r, uint32_t number);
/* Whether pieces may come at all. */
bool proto_receiving_expects(const proto_receiving *r);

/* The phone's end. */
typedef struct {
    uint32_t number;
    bool open;
    uint64_t next, acked;
} proto_sending;

void proto_sending_begin(proto_sending *s, uint32_t number, uint64_t offset);
/* 1: taken, 0: of a transfer that is over, -1: it makes no sense. */
int proto_sending_acked(proto_sending *s, uint32_t number, uint64_t offset);
/* How large the next piece may be; 0: none may be sent now. */
size_t proto_sending_room(const proto_sending *s);

#endif
