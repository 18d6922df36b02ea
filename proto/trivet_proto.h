/*
 * trivet_proto.h - the protocol as state machines over bytes, for both ends of a connection.
 *
 * A machine takes whole WebSocket messages and the time, and gives back events for its owner and messages for
 * its peer. It has no socket, clock, disk or thread of its own; time (ms, monotonic, any origin) is a
 * parameter. The rules, by section number, are in proto/README.md ("protocol §2"). This library may not know
 * the merge library: states cross it as JSON text, unread but for what tells where they begin and end.
 *
 * Calling sequence, computer's end (the phone's is alike):
 *
 *     c = trivet_proto_computer_new(&options, now);
 *     for each thing that happens:
 *         a message came:         trivet_proto_computer_receive(c, binary, data, len, now);
 *         the deadline passed:    trivet_proto_computer_tick(c, now);
 *         the owner decided:      trivet_proto_computer_accept / start / propose / confirm / ...
 *       and after each:
 *         while (trivet_proto_computer_event(c, &event))   { act; trivet_proto_event_release(&event); }
 *         while (trivet_proto_computer_output(c, &output)) { send; trivet_proto_output_release(&output); }
 *         arm a timer for trivet_proto_computer_deadline(c)
 *     trivet_proto_computer_free(c);                       // wipes every key
 *
 * Invariants: after an output with `close` set there are no more outputs and no more events. No call blocks.
 * All input is hostile: bounded before it is allocated, checked before it is used.
 */
#ifndef TRIVET_PROTO_H
#define TRIVET_PROTO_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- errors ---- */

enum {
    TRIVET_PROTO_OK = 0,
    TRIVET_PROTO_EINPUT = -1, /* refused; path and reason say where and why */
    TRIVET_PROTO_ENOMEM = -2,
    TRIVET_PROTO_ESTATE = -3 /* the call does not fit the machine's state; nothing happened */
};

/* Close codes (protocol §2, RFC 6455 §7.4). */
enum {
    TRIVET_PROTO_CLOSE_DONE = 1000,
    TRIVET_PROTO_CLOSE_GOING_AWAY = 1001,
    TRIVET_PROTO_CLOSE_TOO_LARGE = 1009,
    TRIVET_PROTO_CLOSE_WRONG_SECRET = 4001,
    TRIVET_PROTO_CLOSE_TIMEOUT = 4002,
    TRIVET_PROTO_CLOSE_VERSION = 4003,
    TRIVET_PROTO_CLOSE_VIOLATION = 4004,
    TRIVET_PROTO_CLOSE_TOO_FAST = 4005,
    TRIVET_PROTO_CLOSE_REPLACED = 4009,
    TRIVET_PROTO_CLOSE_REVOKED = 4010
};

/* Never holds content, only keys and indices. */
typedef struct {
    char path[256];
    char reason[128];
} trivet_proto_error;

/* ---- messages (protocol §3) ---- */

typedef enum {
    TRIVET_PROTO_UNKNOWN, /* a type that we do not know: ignored and counted */
    TRIVET_PROTO_KEY_INIT,
    TRIVET_PROTO_KEY_EXCHANGE,
    TRIVET_PROTO_HANDSHAKE,
    TRIVET_PROTO_SYNC_REQUEST,
    TRIVET_PROTO_STATE_SYNC,
    TRIVET_PROTO_SYNC_CONFIRM,
    TRIVET_PROTO_SYNC_CANCEL,
    TRIVET_PROTO_JOT_MANIFEST,
    TRIVET_PROTO_JOT_META_REQUEST,
    TRIVET_PROTO_JOT_META_RESPONSE,
    TRIVET_PROTO_JOT_REFRESH_REQUEST,
    TRIVET_PROTO_JOT_REFRESH_RESPONSE,
    TRIVET_PROTO_JOT_DOWNLOAD_REQUEST,
    TRIVET_PROTO_JOT_DOWNLOAD_RESPONSE,
    TRIVET_PROTO_JOT_CLEAR_REQUEST,
    TRIVET_PROTO_JOT_CLEAR_ACK,
    TRIVET_PROTO_FILE_REQUEST,
    TRIVET_PROTO_FILE_RESPONSE,
    TRIVET_PROTO_HEARTBEAT,
    TRIVET_PROTO_DEBUG_LOG,
    /* version 2 alone (protocol §7) */
    TRIVET_PROTO_SYNC_ACK,
    TRIVET_PROTO_CONFLICT,
    TRIVET_PROTO_RESOLVE,
    TRIVET_PROTO_ERROR,
    TRIVET_PROTO_CONTROL,
    TRIVET_PROTO_FILE_END,
    TRIVET_PROTO_FILE_ACK,
    TRIVET_PROTO_TYPES /* how many */
} trivet_proto_type;

const char *trivet_proto_type_name(trivet_proto_type type); /* "state_sync" */

typedef enum { TRIVET_PROTO_FROM_PHONE = 1, TRIVET_PROTO_FROM_COMPUTER = 2 } trivet_proto_way;

typedef enum { TRIVET_PROTO_PHONE_WINS, TRIVET_PROTO_DESKTOP_WINS } trivet_proto_mode;

/*
 * A message, validated. What else it holds depends on the type:
 *   state_sync    `state` (the object without `type` and `since`: a document of merge §1, unchecked but for
 *                 its outer shape), `since`
 *   sync_confirm  `mode`, `applied_at`, `state` (the snapshot, as unchecked; NULL where it was left out)
 *   all others    `body`, the whole object in the shape of protocol §3, lenient ones filled in; of an unknown
 *                 type NULL, and to encode NULL stands for no fields
 * A state is UTF-8 only if whoever reads it finds so; a NUL follows it.
 */
typedef struct {
    trivet_proto_type type;
    json_t *body;
    char *state;
    size_t state_len;
    int64_t since; /* ms since 1970 by the phone's clock; 0 = never */
    trivet_proto_mode mode;
    int64_t applied_at; /* ms since 1970 by the computer's clock */
    size_t bytes;       /* of its text, where it was decoded: what it costs to hold it grows with this */
    bool left_out;      /* it held an entry of an array that made no sense, and is not in `body` */
} trivet_proto_message;

/*
 * `way` says who sent it: a type that goes only the other way is refused. A refused message leaves `type` in
 * *out, if it was known, and nothing to release. Encoding gives text of *len bytes, malloc'd, and refuses
 * (EINPUT) what the other end would.
 */
int trivet_proto_message_decode(const uint8_t *data, size_t len, trivet_proto_way way,
                                trivet_proto_message *out, trivet_proto_error *err);
int trivet_proto_message_encode(const trivet_proto_message *message, uint8_t **out, size_t *len);
void trivet_proto_message_release(trivet_proto_message *message);

/*
 * Strings in a body are UTF-8 without NUL, whatever was sent: U+0000 and half surrogate pairs, which JSON can
 * spell and neither C nor UTF-8 can hold, stand as U+10FFFF and a private character (proto/text.h). They
 * compare, can be stored, and go back into a message as they came. To show a string, take this copy of it,
 * where U+FFFD stands for each of them; malloc'd, NULL when out of memory.
 */
char *trivet_proto_text_plain(const char *text);

/*
 * The bytes of a file_response's `data`, or of a part of it that begins and ends at a multiple of four characters. `out` has
 * room for three bytes for each four characters begun. False: it is no base64 (a message that was decoded holds none such).
 */
bool trivet_proto_base64_decode(uint8_t *out, size_t *out_len, const char *text, size_t len);
/* The reverse; malloc'd and NUL-terminated, NULL when out of memory. */
char *trivet_proto_base64_encode(const uint8_t *data, size_t len);

/* ---- events and outputs, alike for both ends ---- */

typedef enum {
    /* computer's end */
    TRIVET_PROTO_EVENT_KEY_WANTED, /* device, gen: answer with trivet_proto_computer_key */
    TRIVET_PROTO_EVENT_HANDSHAKE,  /* version, device_id, last_sync; of version 1 secret; of 2 device, gen,
                                        device_key, clock, and the peer holds the pairing's key, for its first
                                        frame has opened: answer with accept or refuse */
    TRIVET_PROTO_EVENT_WRONG_KEY, /* version 2's wrong secret: the first frame does not open under the key that
                                        was given, or under nobody's: answer with refuse, 4004 */
    TRIVET_PROTO_EVENT_SYNC_REQUEST, /* the phone wants a sync now (dropped by the machine while one runs) */
    TRIVET_PROTO_EVENT_STATE,        /* message: the phone's answer in this round */
    TRIVET_PROTO_EVENT_SYNC_TIMEOUT, /* no answer in time; the machine has sent sync_cancel and is idle */
    TRIVET_PROTO_EVENT_SYNC_REFUSED, /* the phone's state was refused: path, reason; sync_cancel is sent, idle
                                      */
    TRIVET_PROTO_EVENT_PIECE,        /* version 2: piece, the next one of the open transfer */
    /* phone's end */
    TRIVET_PROTO_EVENT_READY,        /* channel is up, handshake sent (whether accepted shows only later) */
    TRIVET_PROTO_EVENT_STATE_WANTED, /* message: the computer's state; answer with trivet_proto_phone_answer
                                      */
    TRIVET_PROTO_EVENT_CONFIRMED,    /* message: the sync_confirm */
    TRIVET_PROTO_EVENT_NOT_PROVEN, /* version 2: whoever answers does not know the pairing's key, or this is no
                                        longer it; the end follows, and nothing was told to them */
    TRIVET_PROTO_EVENT_DEVICE_KEY, /* version 2, gen 0: device_key, which the computer keeps by now; to be kept
                                        durably in place of the pairing's, and used under gen 1 from then on */
    /* both */
    TRIVET_PROTO_EVENT_SYNC_CANCELLED, /* the peer gave the sync up */
    TRIVET_PROTO_EVENT_MESSAGE, /* message: any other that needs an owner: jots, files, debug_log, and of
                                          version 2 sync_ack, conflict, resolve, error, file_end, file_ack */
    TRIVET_PROTO_EVENT_REFUSED, /* a message was refused: type, path, reason; for the log */
    TRIVET_PROTO_EVENT_IGNORED, /* a message of unknown type, or an answer to no question; for counting */
    TRIVET_PROTO_EVENT_CLOSED /* the connection ends, by the machine or its owner: close_code, reason; the last */
} trivet_proto_event_kind;

/* A piece of a file, of 1 to 65536 bytes. */
typedef struct {
    uint8_t *buffer;     /* malloc'd, with the bytes somewhere in it; steal by setting it to NULL */
    const uint8_t *data; /* borrowed from `buffer` */
    size_t len;
    uint64_t offset;
} trivet_proto_piece;

typedef struct {
    trivet_proto_event_kind kind;
    trivet_proto_message message;
    trivet_proto_piece piece;
    int version;         /* of the channel: 1 or 2 */
    char *secret;        /* wiped by event_release */
    char *device;        /* the pairing's id, 1 to 64 bytes */
    int gen;             /* 0: the key is the code's; 1: the device key */
    uint8_t *device_key; /* 32 bytes; wiped by event_release */
    char *device_id;     /* UTF-8; lone surrogates as U+FFFD */
    int64_t last_sync;
    int64_t clock; /* ms since 1970 by the phone's clock, when it sent the handshake */
    trivet_proto_type type;
    int close_code;
    trivet_proto_error error;
} trivet_proto_event;

void trivet_proto_event_release(trivet_proto_event *event);

typedef struct {
    uint8_t *data; /* a whole message; steal by setting it to NULL */
    size_t len;
    bool binary;
    int close; /* 0, or the close code to end with; then data is the reason, UTF-8 of at most 123 bytes */
} trivet_proto_output;

void trivet_proto_output_release(trivet_proto_output *output);

/* Fills `len` bytes from a cryptographic generator. */
typedef void trivet_proto_random_fn(void *ctx, uint8_t *out, size_t len);

/* ---- the computer's end (protocol §2 to §4) ---- */

typedef struct {
    trivet_proto_random_fn *random; /* NULL: libsodium's */
    void *random_ctx;
    size_t max_message;        /* bytes, once the secret was checked */
    int64_t handshake_timeout; /* ms, from new until the handshake was read */
    int64_t answer_timeout;    /* ms, for the phone's answer to a state_sync */
    uint32_t max_nonces;
    double rate, burst;          /* messages a second, and at once */
    uint32_t refused_per_minute; /* this many refused messages close with 4004 */
    bool version_1, version_2; /* which are offered; the second is for owners that answer EVENT_KEY_WANTED */
} trivet_proto_computer_options;

#define TRIVET_PROTO_COMPUTER_OPTIONS_INIT                                                                   \
    { NULL, NULL, 50u << 20, 10000, 30000, 1000000, 50.0, 200.0, 10, true, false }

typedef struct trivet_proto_computer trivet_proto_computer;

trivet_proto_computer *trivet_proto_computer_new(const trivet_proto_computer_options *options, int64_t now);
void trivet_proto_computer_free(trivet_proto_computer *c);

int trivet_proto_computer_receive(trivet_proto_computer *c, bool binary, const uint8_t *data, size_t len,
                                  int64_t now);

/*
 * The same for a large message, in three steps, of which the second may be another thread's: begin, open, end. Between begin
 * and end the machine takes no other message; all else may be asked of it, its end included. `data` is from malloc and is
 * taken over; NULL: it is not, for the machine is not open to large messages, has just closed, or there is no
 * memory: receive says which. `end` frees `large`; where the machine is gone, free does.
 */
typedef struct trivet_proto_large trivet_proto_large;
trivet_proto_large *trivet_proto_computer_begin(trivet_proto_computer *c, bool binary, uint8_t *data,
                                                size_t len, int64_t now);
void trivet_proto_large_open(trivet_proto_large *large);
int trivet_proto_computer_end(trivet_proto_computer *c, trivet_proto_large *large, int64_t now);
void trivet_proto_large_free(trivet_proto_large *large);

void trivet_proto_computer_tick(trivet_proto_computer *c, int64_t now);
int64_t trivet_proto_computer_deadline(const trivet_proto_computer *c); /* INT64_MAX: none */
bool trivet_proto_computer_event(trivet_proto_computer *c, trivet_proto_event *out);
bool trivet_proto_computer_output(trivet_proto_computer *c, trivet_proto_output *out);

/* The largest message that may come now: 4 KiB until the handshake was read, 1 MiB in all until it was
 * accepted. */
size_t trivet_proto_computer_message_limit(const trivet_proto_computer *c);

/*
 * The owner's answer to EVENT_KEY_WANTED, whenever it comes within the handshake's time: the 32 bytes of the key that the
 * device's generation has, or NULL where there is no such device, it was revoked, or that generation is over. NULL
 * is answered as a key is, by the same work with a key that nobody has, and differs in nothing that a peer could see.
 */
int trivet_proto_computer_key(trivet_proto_computer *c, const uint8_t *key, int64_t now);

/*
 * The owner's answer to EVENT_HANDSHAKE, whenever it comes: no timeout runs. Accept: what waited unread since is
 * handled now, in order. EVENT_WRONG_KEY can only be refused.
 */
int trivet_proto_computer_accept(trivet_proto_computer *c, int64_t now);
int trivet_proto_computer_refuse(trivet_proto_computer *c, int close_code, const char *reason);

/*
 * One sync (protocol §4): start -> EVENT_STATE (P1) -> confirm or propose -> EVENT_STATE (P2) -> confirm or
 * propose ... Each sends what its name says; `cancel` may come at any time in between, and in place of start
 * where the phone wants a sync that cannot be. Documents are borrowed for the call. The
 * answer timeout runs from start or propose until the answer. ESTATE where out of turn.
 */
int trivet_proto_computer_start(trivet_proto_computer *c, const char *state, size_t len, int64_t since,
                                int64_t now);
int trivet_proto_computer_propose(trivet_proto_computer *c, const char *merged, size_t len, int64_t since,
                                  int64_t now);
int trivet_proto_computer_confirm(trivet_proto_computer *c, trivet_proto_mode mode, const char *snapshot,
                                  size_t len, int64_t applied_at);
int trivet_proto_computer_cancel(trivet_proto_computer *c);

/* 1 or 2; 0 before it is known. */
int trivet_proto_computer_version(const trivet_proto_computer *c);

/* Version 2 tells the phone of what was refused by its owner, too; nothing in version 1, which knows no such message. */
int trivet_proto_computer_error(trivet_proto_computer *c, const char *code, const char *path,
                                const char *message);

/* Any other message of protocol §3 and §7 that goes from computer to phone. `body` is borrowed. */
int trivet_proto_computer_send(trivet_proto_computer *c, trivet_proto_type type, json_t *body);

/*
 * A file in pieces (version 2, protocol §7): a file_request with `transfer`, above all before it on this connection, and
 * `offset` opens it; EVENT_PIECE follows in order, and each file_ack with `transfer` and `offset`, of what was written, lets
 * a window of 1 MiB beyond it come; EVENT_MESSAGE with file_end is the end. leave: no more of it is wanted, and nothing of it is
 * told any more. EINPUT from `send` where such a message does not fit what is open.
 */
void trivet_proto_computer_leave_transfer(trivet_proto_computer *c);

/* Ends the connection for a reason of the owner's. */
int trivet_proto_computer_close(trivet_proto_computer *c, int close_code, const char *reason);

/* ---- the phone's end ---- */

typedef struct {
    trivet_proto_random_fn *random;
    void *random_ctx;
    const char *secret;    /* copied */
    const char *device_id; /* copied */
    int64_t last_sync;
    size_t max_message;
    int64_t handshake_timeout; /* ms, until key_exchange */
    /* Version 2, and then no secret: */
    const uint8_t *pairing_key; /* 32 bytes, copied; NULL: version 1 */
    const char *device;         /* the pairing's id; copied */
    int gen;                    /* 0: the key is the code's `k`; 1: the device key */
    int64_t clock;              /* ms since 1970 */
} trivet_proto_phone_options;

#define TRIVET_PROTO_PHONE_OPTIONS_INIT                                                                      \
    { NULL, NULL, NULL, NULL, 0, 50u << 20, 10000, NULL, NULL, 0, 0 }

typedef struct trivet_proto_phone trivet_proto_phone;

/* The key_init is the first output. */
trivet_proto_phone *trivet_proto_phone_new(const trivet_proto_phone_options *options, int64_t now);
void trivet_proto_phone_free(trivet_proto_phone *p);

int trivet_proto_phone_receive(trivet_proto_phone *p, bool binary, const uint8_t *data, size_t len,
                               int64_t now);
void trivet_proto_phone_tick(trivet_proto_phone *p, int64_t now);
int64_t trivet_proto_phone_deadline(const trivet_proto_phone *p);
bool trivet_proto_phone_event(trivet_proto_phone *p, trivet_proto_event *out);
bool trivet_proto_phone_output(trivet_proto_phone *p, trivet_proto_output *out);

int trivet_proto_phone_request_sync(trivet_proto_phone *p);
/* Each EVENT_STATE_WANTED needs one, in order, though the sync was cancelled since: the computer counts them. */
int trivet_proto_phone_answer(trivet_proto_phone *p, const char *state, size_t len, int64_t since);
/* After a confirm was applied durably: `since` names what the phone holds now. Says nothing in version 1. */
int trivet_proto_phone_ack(trivet_proto_phone *p, int64_t since);
int trivet_proto_phone_send(trivet_proto_phone *p, trivet_proto_type type, json_t *body);
int trivet_proto_phone_close(trivet_proto_phone *p, int close_code, const char *reason);

/*
 * A file in pieces (version 2): an EVENT_MESSAGE with file_request opens the transfer that it names, in place of any before.
 * room: how many bytes the next piece may have, 0 where none may be sent until a file_ack has come (which is an
 * EVENT_MESSAGE too). send_piece: `buffer`, malloc'd, is moved, on failure too; its `len` bytes begin at
 * TRIVET_PROTO_PIECE_ROOM, are encrypted where they stand, and are those at the offset that follows the last piece. A file_end
 * is sent as any other message, and ends it.
 */
enum { TRIVET_PROTO_PIECE_ROOM = 29 };
size_t trivet_proto_phone_piece_room(const trivet_proto_phone *p);
int trivet_proto_phone_send_piece(trivet_proto_phone *p, uint8_t *buffer, size_t len);

/* ---- channels (protocol §2, §7), for tests and for those who write a client ---- */

/* Version 1: shared key, and one envelope. seal's `nonce` must be fresh; open refuses anything but one good
 * envelope. */
int trivet_proto_channel1_key(uint8_t key[static 32], const uint8_t their_public[static 32],
                              const uint8_t own_secret[static 32]);
int trivet_proto_channel1_seal(const uint8_t key[static 32], const uint8_t nonce[static 24],
                               const uint8_t *plain, size_t len, uint8_t **out, size_t *out_len);
int trivet_proto_channel1_open(const uint8_t key[static 32], const uint8_t *envelope, size_t len,
                               uint8_t nonce[static 24], uint8_t **out, size_t *out_len);

/* Version 2: what both ends derive (protocol §7). */
typedef struct {
    uint8_t psk[32], th[32], prk[32], proof[32], p2c[32], c2p[32], device_key[32];
} trivet_proto_channel2_keys;

int trivet_proto_channel2_derive(trivet_proto_channel2_keys *out, const uint8_t pairing_key[static 32],
                                 const uint8_t own_secret[static 32], const uint8_t their_public[static 32],
                                 const uint8_t computer_public[static 32], const uint8_t *key_init,
                                 size_t key_init_len);
/* One frame: 16 bytes of tag and the sealed `kind || body`; the counter is the nonce. */
int trivet_proto_channel2_seal(const uint8_t key[static 32], uint64_t counter, uint8_t kind,
                               const uint8_t *body, size_t len, uint8_t **out, size_t *out_len);
int trivet_proto_channel2_open(const uint8_t key[static 32], uint64_t counter, const uint8_t *frame,
                               size_t len, uint8_t *kind, uint8_t **body, size_t *body_len);

/* ---- pairing (protocol §6) ---- */

typedef struct {
    char ip[256]; /* IPv4, a name, or a bracketed IPv6 address */
    uint16_t port;
    char secret[37]; /* UUID v4; "" in a --web or --v2 code */
    char device[65]; /* id, 1 to 64 bytes */
    char name[257];
    uint8_t k[32];
    bool has_k;
} trivet_proto_pairing;

/* To and from the QR code's JSON; unknown keys are ignored. *out is malloc'd and NUL-terminated. */
int trivet_proto_pairing_encode(const trivet_proto_pairing *pairing, char **out);
int trivet_proto_pairing_decode(const char *json, size_t len, trivet_proto_pairing *out,
                                trivet_proto_error *err);

#endif
