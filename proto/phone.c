/*
 * phone.c - the phone's end of a connection (protocol §2 to §4).
 *
 *     new, key_init sent ──> KEY_EXCHANGE ──key_exchange, handshake sent──> OPEN
 *
 * In version 2 the key_exchange must prove that the computer knows the pairing's key before another byte is sent. The
 * device key of a first session is told to the owner when the computer's first frame has opened: the computer
 * sends none before it has stored that key itself, so a phone that keeps it is never alone with it.
 *
 * A phone is a mirror: it asks for a sync, answers each state with its own, and takes what is confirmed. It
 * answers no heartbeat, for the computer answers those and two mirrors would never stop. The computer counts
 * answers, so each state that it sent must get one, in order, even when it has cancelled the sync since; a
 * sync_cancel of the phone's is an answer too.
 */
#include "opening.h"
#include "session.h"
#include "transfer.h"
#include "types.h"

#include "channel2.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

enum { REFUSED_PER_MINUTE = 10, MAX_NONCES = 1000000 };

struct trivet_proto_phone {
    proto_session session;
    enum { KEY_EXCHANGE, OPEN } state;
    char *secret, *device_id;
    int64_t last_sync;
    bool version_2;
    uint8_t pairing_key[32]; /* until the key_exchange; likewise the key_init, as it was sent */
    uint8_t *key_init;
    size_t key_init_len;
    int gen;
    int64_t clock;
    bool heard; /* a frame of the computer's has opened */
    int64_t now;
    int64_t deadline;      /* while in KEY_EXCHANGE */
    uint64_t unanswered;   /* states that the computer sent and the owner has not answered */
    proto_sending sending; /* version 2 */
};

/* ---- life ---- */

static void wipe_secret(trivet_proto_phone *p) {
    if (p->secret != NULL)
        sodium_memzero(p->secret, strlen(p->secret));
    free(p->secret);
    p->secret = NULL;
}

static void wipe_pairing_key(trivet_proto_phone *p) {
    sodium_memzero(p->pairing_key, sizeof p->pairing_key);
    free(p->key_init);
    p->key_init = NULL;
}

/* What the opening needs goes with the connection, and does not wait for its owner to free it. */
static void wipe_at_end(trivet_proto_phone *p) {
    if (proto_session_is_open(&p->session))
        return;
    wipe_secret(p);
    wipe_pairing_key(p);
}

static int send_key_init(trivet_proto_phone *p, const trivet_proto_phone_options *options) {
    proto_key_message message = {.version = p->version_2 ? 2 : 1, .gen = options->gen};
    uint8_t *text;
    size_t len;
    if (p->version_2)
        memcpy(message.device, options->device, strlen(options->device));
    proto_session_key_pair(&p->session, message.public_key);
    if (proto_key_message_write(TRIVET_PROTO_KEY_INIT, &message, &text, &len) != TRIVET_PROTO_OK)
        return TRIVET_PROTO_ENOMEM;
    if (p->version_2) {
        p->key_init = malloc(len);
        if (p->key_init == NULL) {
            free(text);
            return TRIVET_PROTO_ENOMEM;
        }
        memcpy(p->key_init, text, len);
        p->key_init_len = len;
    }
    return proto_session_send_plain(&p->session, text, len);
}

static bool fits_version_2(const trivet_proto_phone_options *options) {
    size_t len = options->device != NULL ? strlen(options->device) : 0;
    return len >= 1 && len <= 64 && (options->gen == 0 || options->gen == 1) && options->clock >= 0;
}

trivet_proto_phone *trivet_proto_phone_new(const trivet_proto_phone_options *options, int64_t now) {
    if (options->pairing_key != NULL && !fits_version_2(options))
        return NULL;
    trivet_proto_phone *p = calloc(1, sizeof *p);
    if (p == NULL)
        return NULL;
    const proto_session_options session = {options->random, options->random_ctx, options->max_message,
                                           MAX_NONCES, REFUSED_PER_MINUTE};
    p->version_2 = options->pairing_key != NULL;
    if (p->version_2)
        memcpy(p->pairing_key, options->pairing_key, sizeof p->pairing_key);
    p->gen = options->gen;
    p->clock = options->clock;
    p->secret = strdup(options->secret != NULL && !p->version_2 ? options->secret : "");
    p->device_id = strdup(options->device_id != NULL ? options->device_id : "");
    p->last_sync = options->last_sync;
    p->now = now;
    p->deadline = now + options->handshake_timeout;
    if (p->secret == NULL || p->device_id == NULL || proto_session_init(&p->session, &session) != 0 ||
        send_key_init(p, options) != TRIVET_PROTO_OK) {
        trivet_proto_phone_free(p);
        return NULL;
    }
    return p;
}

void trivet_proto_phone_free(trivet_proto_phone *p) {
    if (p == NULL)
        return;
    wipe_secret(p);
    wipe_pairing_key(p);
    free(p->device_id);
    proto_session_release(&p->session);
    sodium_memzero(p, sizeof *p);
    free(p);
}

bool trivet_proto_phone_event(trivet_proto_phone *p, trivet_proto_event *out) {
    return proto_session_event(&p->session, out);
}

bool trivet_proto_phone_output(trivet_proto_phone *p, trivet_proto_output *out) {
    return proto_session_output(&p->session, out);
}

static int violation(trivet_proto_phone *p, const char *reason) {
    proto_session_close(&p->session, TRIVET_PROTO_CLOSE_VIOLATION, reason);
    return TRIVET_PROTO_ESTATE;
}

/* ---- opening ---- */

static int send_handshake(trivet_proto_phone *p) {
    const proto_handshake handshake = {p->version_2 ? NULL : p->secret, p->device_id, p->last_sync, p->clock};
    uint8_t *box;
    size_t len;
    int r = proto_handshake_write(&handshake, PROTO_HEADROOM, &box, &len);
    if (r != TRIVET_PROTO_OK)
        return proto_session_out_of_memory(&p->session);
    wipe_secret(p);
    return proto_session_send_box(&p->session, box, len);
}

static int not_proven(trivet_proto_phone *p, const char *reason) {
    int r = proto_session_tell_kind(&p->session, TRIVET_PROTO_EVENT_NOT_PROVEN, TRIVET_PROTO_KEY_EXCHANGE);
    return r == TRIVET_PROTO_OK ? violation(p, reason) : r;
}

static int agree(trivet_proto_phone *p, const proto_key_message *theirs) {
    uint8_t proof[32];
    if (!p->version_2)
        return proto_session_agree(&p->session, theirs->public_key) == TRIVET_PROTO_OK
                   ? TRIVET_PROTO_OK
                   : violation(p, "a public key of low order");
    if (theirs->version != 2) /* never what was asked for: somebody would like to hear the secret */
        return not_proven(p, "version 2 was asked for and not answered");
    int r = proto_session_agree2(&p->session, p->pairing_key, theirs->public_key, theirs->public_key,
                                 p->key_init, p->key_init_len, proof);
    wipe_pairing_key(p);
    if (r != TRIVET_PROTO_OK)
        return violation(p, "a public key of low order");
    bool proven = sodium_memcmp(proof, theirs->proof, sizeof proof) == 0;
    sodium_memzero(proof, sizeof proof);
    return proven ? TRIVET_PROTO_OK : not_proven(p, "the computer does not know this pairing");
}

static int receive_key_exchange(trivet_proto_phone *p, const uint8_t *data, size_t len) {
    proto_key_message theirs;
    trivet_proto_error error;
    trivet_proto_type type;
    int r = proto_message_type(data, len, &type, &error);
    if (r != TRIVET_PROTO_OK || type != TRIVET_PROTO_KEY_EXCHANGE)
        return violation(p, "key_exchange comes first");
    r = proto_key_message_read(data, len, type, &theirs, &error);
    if (r == TRIVET_PROTO_ENOMEM)
        return proto_session_out_of_memory(&p->session);
    if (r != TRIVET_PROTO_OK) {
        r = proto_session_refused(&p->session, type, &error, p->now);
        return r == TRIVET_PROTO_OK ? violation(p, "key_exchange was refused") : r;
    }
    r = agree(p, &theirs);
    if (r != TRIVET_PROTO_OK)
        return r;
    p->state = OPEN;
    p->session.tells_errors = p->version_2;
    r = send_handshake(p);
    return r == TRIVET_PROTO_OK ? proto_session_tell_kind(&p->session, TRIVET_PROTO_EVENT_READY, type) : r;
}

/* ---- messages ---- */

/* Of version 2. 1: for the owner, 0: of a transfer that is over, -1: it makes no sense. */
static int transfer_came(trivet_proto_phone *p, trivet_proto_type type, const json_t *body) {
    const json_t *number = json_object_get(body, "transfer"), *offset = json_object_get(body, "offset");
    json_int_t n = json_integer_value(number);
    if (!json_is_integer(number) || !json_is_integer(offset) || n < 0 || n > (json_int_t)UINT32_MAX)
        return -1;
    if (type == TRIVET_PROTO_FILE_ACK)
        return proto_sending_acked(&p->sending, (uint32_t)n, (uint64_t)json_integer_value(offset));
    proto_sending_begin(&p->sending, (uint32_t)n, (uint64_t)json_integer_value(offset));
    return 1;
}

/* `message` is moved. */
static int handle(trivet_proto_phone *p, trivet_proto_message *message) {
    static const trivet_proto_error twice = {"type", "comes once, and first"};
    static const trivet_proto_error unfitting = {"transfer", "does not fit what is open"};
    trivet_proto_type type = message->type;
    trivet_proto_event event = {.kind = TRIVET_PROTO_EVENT_MESSAGE, .type = type, .message = *message};
    switch (type) {
    case TRIVET_PROTO_STATE_SYNC:
        p->unanswered++;
        event.kind = TRIVET_PROTO_EVENT_STATE_WANTED;
        break;
    case TRIVET_PROTO_SYNC_CONFIRM:
        event.kind = TRIVET_PROTO_EVENT_CONFIRMED;
        break;
    case TRIVET_PROTO_SYNC_CANCEL:
        event.kind = TRIVET_PROTO_EVENT_SYNC_CANCELLED;
        break;
    case TRIVET_PROTO_UNKNOWN:
        event.kind = TRIVET_PROTO_EVENT_IGNORED;
        if (proto_session_send_error(&p->session, "unknown", "type", "is not known here") ==
            TRIVET_PROTO_ENOMEM)
            return TRIVET_PROTO_ENOMEM;
        break;
    case TRIVET_PROTO_HEARTBEAT:
        trivet_proto_message_release(message);
        return TRIVET_PROTO_OK;
    case TRIVET_PROTO_FILE_REQUEST:
    case TRIVET_PROTO_FILE_ACK:
        if (!p->version_2)
            break;
        switch (transfer_came(p, type, message->body)) {
        case 1:
            break;
        case 0:
            trivet_proto_message_release(message);
            return TRIVET_PROTO_OK;
        default:
            trivet_proto_message_release(message);
            return proto_session_refused(&p->session, type, &unfitting, p->now);
        }
        break;
    case TRIVET_PROTO_KEY_EXCHANGE:
        trivet_proto_message_release(message);
        return proto_session_refused(&p->session, type, &twice, p->now);
    default:
        break;
    }
    return proto_session_tell(&p->session, &event);
}

/* The computer's first frame: it has stored the device key. */
static int first_frame(trivet_proto_phone *p) {
    p->heard = true;
    if (!p->version_2 || p->gen != 0)
        return TRIVET_PROTO_OK;
    trivet_proto_event event = {.kind = TRIVET_PROTO_EVENT_DEVICE_KEY,
                                .version = 2,
                                .device_key = proto_session_take_device_key(&p->session)};
    return event.device_key != NULL ? proto_session_tell(&p->session, &event)
                                    : proto_session_out_of_memory(&p->session);
}

/* The computer sends no pieces of files. */
static int refuse_piece(trivet_proto_phone *p) {
    static const trivet_proto_error error = {"", "no transfer is open"};
    return proto_session_refused(&p->session, TRIVET_PROTO_UNKNOWN, &error, p->now);
}

static int receive_open(trivet_proto_phone *p, bool binary, const uint8_t *data, size_t len) {
    uint8_t *plain, kind;
    size_t plain_len;
    trivet_proto_message message;
    trivet_proto_error error = {"", ""};
    int r = proto_session_open(&p->session, binary, data, len, &kind, &plain, &plain_len);
    if (r == TRIVET_PROTO_OK &&
        ((!p->heard && first_frame(p) != TRIVET_PROTO_OK) || kind != PROTO_KIND_JSON)) {
        free(plain);
        return proto_session_is_open(&p->session) ? refuse_piece(p) : TRIVET_PROTO_ENOMEM;
    }
    if (r != TRIVET_PROTO_OK)
        return r;
    r = proto_message_decode_steal(plain, plain_len, TRIVET_PROTO_FROM_COMPUTER, p->session.version, &message,
                                   &error);
    if (r == TRIVET_PROTO_OK)
        return handle(p, &message);
    if (r == TRIVET_PROTO_ENOMEM)
        return proto_session_out_of_memory(&p->session);
    return proto_session_refused(&p->session, message.type, &error, p->now);
}

int trivet_proto_phone_receive(trivet_proto_phone *p, bool binary, const uint8_t *data, size_t len,
                               int64_t now) {
    int r = TRIVET_PROTO_OK;
    trivet_proto_phone_tick(p, now);
    if (!proto_session_is_open(&p->session))
        return TRIVET_PROTO_ESTATE;
    if (len > p->session.max_message)
        proto_session_close(&p->session, TRIVET_PROTO_CLOSE_TOO_LARGE, "the message is too large");
    else if (binary && p->session.version == 1)
        violation(p, "a binary message");
    else if ((p->state == OPEN ? receive_open(p, binary, data, len) : receive_key_exchange(p, data, len)) ==
             TRIVET_PROTO_ENOMEM)
        r = TRIVET_PROTO_ENOMEM;
    wipe_at_end(p);
    return r;
}

/* ---- time ---- */

void trivet_proto_phone_tick(trivet_proto_phone *p, int64_t now) {
    if (now > p->now)
        p->now = now;
    if (p->now >= trivet_proto_phone_deadline(p))
        proto_session_close(&p->session, TRIVET_PROTO_CLOSE_TIMEOUT, "no key_exchange in time");
    wipe_at_end(p);
}

int64_t trivet_proto_phone_deadline(const trivet_proto_phone *p) {
    return p->state == KEY_EXCHANGE && proto_session_is_open(&p->session) ? p->deadline : INT64_MAX;
}

/* ---- the owner's calls ---- */

static bool is_ready(const trivet_proto_phone *p) {
    return p->state == OPEN && proto_session_is_open(&p->session);
}

int trivet_proto_phone_request_sync(trivet_proto_phone *p) {
    return is_ready(p) ? proto_session_send_type(&p->session, TRIVET_PROTO_SYNC_REQUEST)
                       : TRIVET_PROTO_ESTATE;
}

int trivet_proto_phone_answer(trivet_proto_phone *p, const char *state, size_t len, int64_t since) {
    if (!is_ready(p) || p->unanswered == 0)
        return TRIVET_PROTO_ESTATE;
    /* Encoding only reads it. */
    const trivet_proto_message message = {
        .type = TRIVET_PROTO_STATE_SYNC, .state = (char *)(uintptr_t)state, .state_len = len, .since = since};
    int r = proto_session_send(&p->session, &message);
    if (r == TRIVET_PROTO_OK)
        p->unanswered--;
    return r;
}

int trivet_proto_phone_ack(trivet_proto_phone *p, int64_t since) {
    if (!is_ready(p))
        return TRIVET_PROTO_ESTATE;
    if (!p->version_2)
        return TRIVET_PROTO_OK;
    json_t *body = json_pack("{s:I}", "since", (json_int_t)since);
    if (body == NULL)
        return TRIVET_PROTO_ENOMEM;
    int r = trivet_proto_phone_send(p, TRIVET_PROTO_SYNC_ACK, body);
    json_decref(body);
    return r;
}

size_t trivet_proto_phone_piece_room(const trivet_proto_phone *p) {
    return is_ready(p) ? proto_sending_room(&p->sending) : 0;
}

int trivet_proto_phone_send_piece(trivet_proto_phone *p, uint8_t *buffer, size_t len) {
    if (len == 0 || len > trivet_proto_phone_piece_room(p)) {
        free(buffer);
        return TRIVET_PROTO_ESTATE;
    }
    uint64_t offset = p->sending.next;
    p->sending.next += len;
    return proto_session_send_piece(&p->session, p->sending.number, offset, buffer, len);
}

static bool is_open_transfer(const trivet_proto_phone *p, const json_t *body) {
    return p->sending.open &&
           json_integer_value(json_object_get(body, "transfer")) == (json_int_t)p->sending.number;
}

int trivet_proto_phone_send(trivet_proto_phone *p, trivet_proto_type type, json_t *body) {
    const trivet_proto_message message = {.type = type, .body = body};
    if (!is_ready(p))
        return TRIVET_PROTO_ESTATE;
    if (!proto_type_goes(type, TRIVET_PROTO_FROM_PHONE) || type == TRIVET_PROTO_KEY_INIT ||
        type == TRIVET_PROTO_HANDSHAKE || type == TRIVET_PROTO_STATE_SYNC)
        return TRIVET_PROTO_EINPUT;
    if (type == TRIVET_PROTO_FILE_END && !is_open_transfer(p, body))
        return TRIVET_PROTO_ESTATE;
    int r = proto_session_send(&p->session, &message);
    if (r == TRIVET_PROTO_OK && type == TRIVET_PROTO_FILE_END)
        p->sending.open = false;
    if (r == TRIVET_PROTO_OK && type == TRIVET_PROTO_SYNC_CANCEL && p->unanswered > 0)
        p->unanswered--; /* the computer takes it for the answer */
    return r;
}

int trivet_proto_phone_close(trivet_proto_phone *p, int close_code, const char *reason) {
    if (!proto_session_is_open(&p->session))
        return TRIVET_PROTO_ESTATE;
    proto_session_close(&p->session, close_code, reason != NULL ? reason : "");
    wipe_at_end(p);
    return TRIVET_PROTO_OK;
}
