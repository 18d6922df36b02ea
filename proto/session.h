/*
 * session.h - what both ends of a connection have in common: the key, the nonces, what waits to be fetched by
 * the owner, and the end (protocol §2).
 *
 * Functions that may end the connection do so themselves, by proto_session_close, and return
 * TRIVET_PROTO_ESTATE: their callers only have to stop. Out of memory ends it as well, with 1001, since a
 * message that was lost cannot be asked for again; that needs no memory, because the end is kept apart from
 * the queues.
 */
#ifndef TRIVET_PROTO_SESSION_H
#define TRIVET_PROTO_SESSION_H

#include "channel1.h"
#include "message.h"
#include "nonces.h"
#include "rate.h"

/* Room before a message's text: for a tag, and version 2's kind. */
enum { PROTO_HEADROOM = PROTO_BOX_HEADROOM + 1 };

/* A queue of things of one size; freed whenever it becomes empty, so that an idle connection holds none. */
typedef struct {
    uint8_t *items;
    size_t first, count, room;
} proto_queue;

typedef struct {
    trivet_proto_random_fn *random;
    void *random_ctx;
    int version; /* 1, or 2 once proto_session_agree2 was called */
    uint8_t own_secret[32];
    uint8_t key[32];                       /* version 1 */
    uint8_t send_key[32], receive_key[32]; /* version 2, and the rest of this block */
    uint64_t sent, received;               /* frames: the next one's nonce */
    uint8_t device_key[32];                /* this session's; of use under gen 0 */
    bool tells_errors;                     /* what is refused is answered by an `error` */
    size_t max_message;                    /* of an envelope or frame, either way */
    uint32_t max_nonces;
    proto_nonces nonces;
    proto_window refused;
    proto_queue events, outputs;
    int close_code; /* 0 while open */
    char close_reason[124];
    bool closed_told, close_sent; /* to the owner, each once */
} proto_session;

typedef struct {
    trivet_proto_random_fn *random; /* NULL: libsodium's */
    void *random_ctx;
    size_t max_message;
    uint32_t max_nonces;
    uint32_t refused_per_minute;
} proto_session_options;

/* -1: libsodium does not start. */
int proto_session_init(proto_session *session, const proto_session_options *options);
void proto_session_release(proto_session *session);

/* Makes the connection's key pair. */
void proto_session_key_pair(proto_session *session, uint8_t public_key[static 32]);
/* EINPUT: the public key is of low order; nothing happened. The own secret is wiped either way. */
int proto_session_agree(proto_session *session, const uint8_t their_public[static 32]);

/*
 * Version 2's keys, from the pairing's. On the phone `computer_public` is `their_public`, the very pointer. `proof` is the computer's, to be
 * sent or compared. EINPUT and the own secret as above.
 */
int proto_session_agree2(proto_session *session, const uint8_t pairing_key[static 32],
                         const uint8_t their_public[static 32], const uint8_t computer_public[static 32],
                         const uint8_t *key_init, size_t key_init_len, uint8_t proof[static 32]);
/* A copy of the session's device key for an event; NULL: out of memory. The session's own is wiped. */
uint8_t *proto_session_take_device_key(proto_session *session);

/* The first call counts. The reason is cut to 123 bytes. */
void proto_session_close(proto_session *session, int close_code, const char *reason);
bool proto_session_is_open(const proto_session *session);
/* Closes and returns ENOMEM. */
int proto_session_out_of_memory(proto_session *session);

/* `event` is moved, also on failure. */
int proto_session_tell(proto_session *session, trivet_proto_event *event);
/* One without a message. */
int proto_session_tell_kind(proto_session *session, trivet_proto_event_kind kind, trivet_proto_type type);
bool proto_session_event(proto_session *session, trivet_proto_event *out);
bool proto_session_output(proto_session *session, trivet_proto_output *out);

/* A plaintext message; `data` is moved. */
int proto_session_send_plain(proto_session *session, uint8_t *data, size_t len);
/* Encodes, seals, queues. EINPUT: it does not match its schema, is too large, or of a type that the session's version
 * does not have; nothing happened. */
int proto_session_send(proto_session *session, const trivet_proto_message *message);
int proto_session_send_type(proto_session *session, trivet_proto_type type);
/* An `error` where the version has one, else nothing. `path` may hold anything that a peer sent as a key. */
int proto_session_send_error(proto_session *session, const char *code, const char *path, const char *message);
/* Seals and queues a text that stands after PROTO_HEADROOM bytes of room; `box` is moved. */
int proto_session_send_box(proto_session *session, uint8_t *box, size_t len);
/* A piece of a file, whose bytes stand after PROTO_HEADROOM and PROTO_CHUNK_HEAD bytes of room; `box` is moved. */
int proto_session_send_piece(proto_session *session, uint32_t transfer, uint64_t offset, uint8_t *box,
                             size_t len);

/*
 * Opens an envelope or a frame; *plain is malloc'd, with a NUL after it. A message of the wrong sort for the version, text
 * or binary, closes like one that does not open. *kind is 1 for JSON; it is 2 for a piece of a file, and then the
 * *plain_len bytes of body begin at *plain + 1.
 */
int proto_session_open(proto_session *session, bool binary, const uint8_t *data, size_t len, uint8_t *kind,
                       uint8_t **plain, size_t *plain_len);

/*
 * The same in three steps, of which the second touches no session and may be another thread's: what opens it is lent, it
 * is opened, and the session accounts for it. The first and the third come one pair after the other.
 */
typedef struct {
    int version;
    uint8_t key[32];  /* until it was opened */
    uint64_t counter; /* version 2 */
    const uint8_t *data;
    size_t len;
    int result;       /* OK; EINPUT: it does not open; ENOMEM */
    const char *flaw; /* where it is not even an envelope: why not */
    bool has_nonce;   /* version 1, and the next */
    uint8_t nonce[PROTO_NONCE_LEN];
    uint8_t kind;
    uint8_t *plain; /* malloc'd, with a NUL after it */
    size_t plain_len;
} proto_box;

void proto_session_lend(const proto_session *session, const uint8_t *data, size_t len, proto_box *out);
void proto_box_open(proto_box *box);
/* Where it is not OK, the session has closed, and the box was released; else `plain` is the caller's. */
int proto_session_account(proto_session *session, proto_box *box);
void proto_box_release(proto_box *box);

/* A frame of version 2 alone, which may fail to open: EINPUT, and nothing happened. */
int proto_session_try_frame(proto_session *session, const uint8_t *data, size_t len, uint8_t *kind,
                            uint8_t **plain, size_t *plain_len);

/* Tells the owner of a refused message, and in version 2 the peer, and counts it; the tenth in a minute closes. */
int proto_session_refused(proto_session *session, trivet_proto_type type, const trivet_proto_error *error,
                          int64_t now);
/* Counts it only. */
int proto_session_count_refused(proto_session *session, int64_t now);

#endif
