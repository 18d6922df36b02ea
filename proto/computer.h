/*
 * computer.h - what the parts of the computer's machine share: computer.c, which has the account of its states, and
 * computer_opening.c, which has all that comes before the owner's decision.
 */
#ifndef TRIVET_PROTO_COMPUTER_H
#define TRIVET_PROTO_COMPUTER_H

#include "opening.h"
#include "session.h"
#include "transfer.h"

enum {
    PROTO_SMALL_MESSAGE = 4096,   /* until the handshake was read */
    PROTO_WAITING_LIMIT = 1 << 20 /* all messages together, until it was accepted */
};

typedef struct {
    uint8_t *data;
    size_t len;
} proto_waiting_message;

struct trivet_proto_computer {
    trivet_proto_computer_options options;
    proto_session session;
    enum { KEY_INIT, KEY, HANDSHAKE, WRONG_KEY, DECISION, OPEN } state;
    int64_t now;                /* the latest time that was told */
    int64_t handshake_deadline; /* until DECISION */
    proto_bucket rate;
    unsigned early_logs; /* plaintext debug_log dropped */

    /* version 2, of the key_init; its text until the key has come */
    proto_key_message theirs;
    uint8_t own_public[32];
    uint8_t *key_init;
    size_t key_init_len;

    proto_waiting_message *waiting; /* while in DECISION */
    size_t waiting_count, waiting_room, waiting_bytes;

    enum { IDLE, ASKED, ANSWERED } sync;
    uint64_t given_up;       /* questions asked and not answered, of syncs that ended */
    int64_t answer_deadline; /* while ASKED */
    unsigned files_asked;    /* file_request without its response: the answer timeout does not run */
    int64_t file_deadline;
    proto_receiving receiving; /* version 2 */
    bool unpaid;               /* the message that came is not counted yet, as a large piece would not be */
};

/* Ends the connection with 4004, and gives ESTATE. */
int proto_computer_violation(trivet_proto_computer *c, const char *reason);

/* What was in a box: a message, or why there is none; or a piece of a file (malloc'd). */
typedef struct {
    int result;
    trivet_proto_message message; /* where it was refused, its type alone */
    trivet_proto_error error;
    uint8_t *piece;
    size_t piece_len;
} proto_decoded;

/* Touches no machine. `plain` is moved. */
void proto_computer_decode(uint8_t kind, uint8_t *plain, size_t len, int version, proto_decoded *out);
/* Acts on it; what it holds is moved. */
int proto_computer_take(trivet_proto_computer *c, const proto_decoded *decoded);

/* Whether a message may come now: neither too fast nor too large, and of the right sort. False has closed. */
bool proto_computer_admit(trivet_proto_computer *c, bool binary, size_t len, int64_t now);

/* A message that came before OPEN. What ends the connection has done so when this returns. */
int proto_computer_opening(trivet_proto_computer *c, bool binary, const uint8_t *data, size_t len);
void proto_computer_drop_waiting(trivet_proto_computer *c);

#endif
