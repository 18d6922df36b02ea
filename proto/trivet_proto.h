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

/* ---- events and outputs, alike for both ends ---- */

typedef enum {
    /* computer's end */
    TRIVET_PROTO_EVENT_HANDSHAKE,    /* secret, device_id, last_sync: answer with accept or refuse */
    TRIVET_PROTO_EVENT_SYNC_REQUEST, /* the phone wants a sync now (dropped by the machine while one runs) */
    TRIVET_PROTO_EVENT_STATE,        /* message: the phone's answer in this round */
    TRIVET_PROTO_EVENT_SYNC_TIMEOUT, /* no answer in time; the machine has sent sync_cancel and is idle */
    TRIVET_PROTO_EVENT_SYNC_REFUSED, /* the phone's state was refused: path, reason; sync_cancel is sent, idle
                                      */
    /* phone's end */
    TRIVET_PROTO_EVENT_READY,        /* channel is up, handshake sent (whether accepted shows only later) */
    TRIVET_PROTO_EVENT_STATE_WANTED, /* message: the computer's state; answer with trivet_proto_phone_answer
                                      */
    TRIVET_PROTO_EVENT_CONFIRMED,    /* message: the sync_confirm */
    /* both */
    TRIVET_PROTO_EVENT_SYNC_CANCELLED, /* the peer gave the sync up */
    TRIVET_PROTO_EVENT_MESSAGE,        /* message: any other that needs an owner: jots, files, debug_log */
    TRIVET_PROTO_EVENT_REFUSED,        /* a message was refused: type, path, reason; for the log */
    TRIVET_PROTO_EVENT_IGNORED, /* a message of unknown type, or an answer to no question; for counting */
    TRIVET_PROTO_EVENT_CLOSED /* the connection ends, by the machine or its owner: close_code, reason; the last */
} trivet_proto_event_kind;

typedef struct {
    trivet_proto_event_kind kind;
    trivet_proto_message message;
    char *secret;    /* wiped by event_release */
    char *device_id; /* UTF-8; lone surrogates as U+FFFD */
    int64_t last_sync;
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
} trivet_proto_computer_options;

#define TRIVET_PROTO_COMPUTER_OPTIONS_INIT                                                                   \
    { NULL, NULL, 50u << 20, 10000, 30000, 1000000, 50.0, 200.0, 10 }

typedef struct trivet_proto_computer trivet_proto_computer;

trivet_proto_computer *trivet_proto_computer_new(const trivet_proto_computer_options *options, int64_t now);
void trivet_proto_computer_free(trivet_proto_computer *c);

int trivet_proto_computer_receive(trivet_proto_computer *c, bool binary, const uint8_t *data, size_t len,
                                  int64_t now);
void trivet_proto_computer_tick(trivet_proto_computer *c, int64_t now);
int64_t trivet_proto_computer_deadline(const trivet_proto_computer *c); /* INT64_MAX: none */
bool trivet_proto_computer_event(trivet_proto_computer *c, trivet_proto_event *out);
bool trivet_proto_computer_output(trivet_proto_computer *c, trivet_proto_output *out);

/* The largest message that may come now: 4 KiB until the handshake was read, 1 MiB in all until it was
 * accepted. */
size_t trivet_proto_computer_message_limit(const trivet_proto_computer *c);

/*
 * The owner's answer to EVENT_HANDSHAKE, whenever it comes: no timeout runs. Accept: what waited unread since is
 * handled now, in order.
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

/* Any other message of protocol §3 that goes from computer to phone. `body` is borrowed. */
int trivet_proto_computer_send(trivet_proto_computer *c, trivet_proto_type type, json_t *body);

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
} trivet_proto_phone_options;

#define TRIVET_PROTO_PHONE_OPTIONS_INIT                                                                      \
    { NULL, NULL, NULL, NULL, 0, 50u << 20, 10000 }

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
int trivet_proto_phone_send(trivet_proto_phone *p, trivet_proto_type type, json_t *body);
int trivet_proto_phone_close(trivet_proto_phone *p, int close_code, const char *reason);

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
