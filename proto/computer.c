/*
 * computer.c - the computer's end of a connection (protocol §2 to §4, §7).
 *
 *     new ──> KEY_INIT ──key_init──────────> HANDSHAKE ──handshake──> DECISION ──accept──> OPEN
 *                 '──version 2──> KEY ──key──^ '──no good frame──> WRONG_KEY      (what comes waits unread)
 *
 * In version 2 the owner is asked for the key of the device that the key_init names. Where there is none, a random one
 * takes its place and all goes on alike, until the first frame fails to open: a peer without the right key
 * learns nothing from the answer or its time. The owner hears of it then, and refuses when it likes; what comes meanwhile is
 * dropped. Nothing that is sent before `accept` depends on who it is, and the phone takes the
 * first frame that it gets as a sign that the owner has stored the device key.
 *
 *     a sync, within OPEN:
 *
 *     IDLE ──start──> ASKED ──the phone's state──> ANSWERED ──confirm──> IDLE
 *                       ^─────────────propose─────────┘
 *     cancel, the phone's sync_cancel, no answer in time, an answer that is refused: back to IDLE.
 *
 * Answers carry no id, so unanswered questions are counted: first those given up, then the one of the sync
 * that runs. An answer belongs to the first of them, and the phone's sync_cancel is one: a state may still
 * follow it, which then answers nothing. Were the question left open, a phone that sends no such state would
 * have each later answer taken for the one before.
 */
#include "computer.h"

#include "channel2.h"
#include "types.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

enum { FILE_TIMEOUT = 120000 /* ms; a file that takes longer no longer holds up the answer timeout */ };

/* ---- life ---- */

trivet_proto_computer *trivet_proto_computer_new(const trivet_proto_computer_options *options, int64_t now) {
    static const trivet_proto_computer_options defaults = TRIVET_PROTO_COMPUTER_OPTIONS_INIT;
    if (options == NULL)
        options = &defaults;
    trivet_proto_computer *c = calloc(1, sizeof *c);
    if (c == NULL)
        return NULL;
    const proto_session_options session = {options->random, options->random_ctx, options->max_message,
                                           options->max_nonces, options->refused_per_minute};
    if (proto_session_init(&c->session, &session) != 0) {
        free(c);
        return NULL;
    }
    c->options = *options;
    c->now = now;
    c->handshake_deadline = now + options->handshake_timeout;
    proto_bucket_init(&c->rate, options->rate, options->burst, now);
    return c;
}

void trivet_proto_computer_free(trivet_proto_computer *c) {
    if (c == NULL)
        return;
    proto_computer_drop_waiting(c);
    free(c->key_init);
    proto_session_release(&c->session);
    sodium_memzero(c, sizeof *c);
    free(c);
}

bool trivet_proto_computer_event(trivet_proto_computer *c, trivet_proto_event *out) {
    return proto_session_event(&c->session, out);
}

bool trivet_proto_computer_output(trivet_proto_computer *c, trivet_proto_output *out) {
    return proto_session_output(&c->session, out);
}

size_t trivet_proto_computer_message_limit(const trivet_proto_computer *c) {
    if (c->state == OPEN)
        return c->options.max_message;
    return c->state == DECISION ? PROTO_WAITING_LIMIT - c->waiting_bytes : PROTO_SMALL_MESSAGE;
}

int proto_computer_violation(trivet_proto_computer *c, const char *reason) {
    proto_session_close(&c->session, TRIVET_PROTO_CLOSE_VIOLATION, reason);
    return TRIVET_PROTO_ESTATE;
}

/* ---- a sync ---- */

static void end_sync(trivet_proto_computer *c) {
    if (c->sync == ASKED)
        c->given_up++;
    c->sync = IDLE;
}

/* Ends it, tells the phone, and then the owner. `event` is moved. */
static int cancel_sync(trivet_proto_computer *c, trivet_proto_event *event) {
    end_sync(c);
    int r = proto_session_send_type(&c->session, TRIVET_PROTO_SYNC_CANCEL);
    if (r != TRIVET_PROTO_OK) {
        trivet_proto_event_release(event);
        return r;
    }
    return proto_session_tell(&c->session, event);
}

/* A state, good or refused, answers the oldest question. True: that of the sync that runs. */
static bool is_awaited(trivet_proto_computer *c) {
    if (c->given_up > 0) {
        c->given_up--;
        return false;
    }
    return c->sync == ASKED;
}

static int state_came(trivet_proto_computer *c, trivet_proto_message *message) {
    trivet_proto_event event = {.kind = TRIVET_PROTO_EVENT_STATE, .type = message->type, .message = *message};
    if (is_awaited(c)) {
        c->sync = ANSWERED;
        return proto_session_tell(&c->session, &event);
    }
    trivet_proto_message_release(message);
    return proto_session_tell_kind(&c->session, TRIVET_PROTO_EVENT_IGNORED, TRIVET_PROTO_STATE_SYNC);
}

static int state_refused(trivet_proto_computer *c, const trivet_proto_error *error) {
    if (!is_awaited(c))
        return proto_session_refused(&c->session, TRIVET_PROTO_STATE_SYNC, error, c->now);
    if (proto_session_send_error(&c->session, "refused", error->path, error->reason) != TRIVET_PROTO_OK)
        return TRIVET_PROTO_ENOMEM;
    c->sync = ANSWERED; /* however badly: no other answer to this question will come */
    trivet_proto_event event = {
        .kind = TRIVET_PROTO_EVENT_SYNC_REFUSED, .type = TRIVET_PROTO_STATE_SYNC, .error = *error};
    int r = cancel_sync(c, &event);
    return r == TRIVET_PROTO_OK ? proto_session_count_refused(&c->session, c->now) : r;
}

static int phone_cancelled(trivet_proto_computer *c) {
    trivet_proto_event_kind kind =
        c->sync == IDLE ? TRIVET_PROTO_EVENT_IGNORED : TRIVET_PROTO_EVENT_SYNC_CANCELLED;
    end_sync(c);
    if (c->given_up > 0)
        c->given_up--;
    return proto_session_tell_kind(&c->session, kind, TRIVET_PROTO_SYNC_CANCEL);
}

static void file_came(trivet_proto_computer *c) {
    if (c->files_asked > 0 && --c->files_asked == 0)
        c->answer_deadline = c->now + c->options.answer_timeout;
}

/* ---- files in pieces ---- */

static uint64_t little_endian(const uint8_t *at, unsigned bytes) {
    uint64_t n = 0;
    for (unsigned i = 0; i < bytes; i++)
        n |= (uint64_t)at[i] << 8 * i;
    return n;
}

/* While pieces come the phone's answer may be behind them: its time begins anew with each. */
static void line_is_busy(trivet_proto_computer *c) {
    if (c->sync == ASKED)
        c->answer_deadline = c->now + c->options.answer_timeout;
}

/* `plain` is moved: the kind, and `len` bytes of body. */
static int piece_came(trivet_proto_computer *c, uint8_t *plain, size_t len) {
    const uint8_t *body = plain + 1;
    uint64_t offset = little_endian(body + 4, 8);
    proto_piece piece =
        proto_receiving_take(&c->receiving, (uint32_t)little_endian(body, 4), offset, len - PROTO_CHUNK_HEAD);
    trivet_proto_event event = {.kind = TRIVET_PROTO_EVENT_PIECE,
                                .piece = {plain, body + PROTO_CHUNK_HEAD, len - PROTO_CHUNK_HEAD, offset}};
    if (piece == PROTO_PIECE_TAKEN) {
        line_is_busy(c);
        return proto_session_tell(&c->session, &event);
    }
    free(plain);
    return piece == PROTO_PIECE_LATE ? TRIVET_PROTO_OK
                                     : proto_computer_violation(c, "a piece of a file out of turn");
}

static bool read_count(const json_t *body, const char *key, uint64_t most, uint64_t *out) {
    const json_t *value = json_object_get(body, key);
    *out = (uint64_t)json_integer_value(value);
    return json_is_integer(value) && json_integer_value(value) >= 0 && *out <= most;
}

static int end_came(trivet_proto_computer *c, trivet_proto_message *message) {
    static const trivet_proto_error error = {"transfer", "is not open"};
    trivet_proto_event event = {
        .kind = TRIVET_PROTO_EVENT_MESSAGE, .type = TRIVET_PROTO_FILE_END, .message = *message};
    uint64_t number;
    proto_piece piece = PROTO_PIECE_WRONG;
    if (read_count(message->body, "transfer", UINT32_MAX, &number))
        piece = proto_receiving_end(&c->receiving, (uint32_t)number);
    if (piece == PROTO_PIECE_TAKEN)
        return proto_session_tell(&c->session, &event);
    trivet_proto_message_release(message);
    return piece == PROTO_PIECE_LATE
               ? proto_session_tell_kind(&c->session, TRIVET_PROTO_EVENT_IGNORED, TRIVET_PROTO_FILE_END)
               : proto_session_refused(&c->session, TRIVET_PROTO_FILE_END, &error, c->now);
}

/* Before a file_request or a file_ack of version 2 is sent. */
static bool fits_transfer(trivet_proto_computer *c, trivet_proto_type type, const json_t *body) {
    uint64_t number, offset;
    if (!read_count(body, "transfer", UINT32_MAX, &number) ||
        !read_count(body, "offset", UINT64_MAX, &offset))
        return false;
    return type == TRIVET_PROTO_FILE_REQUEST ? proto_receiving_begin(&c->receiving, (uint32_t)number, offset)
                                             : proto_receiving_ack(&c->receiving, (uint32_t)number, offset);
}

void trivet_proto_computer_leave_transfer(trivet_proto_computer *c) {
    proto_receiving_leave(&c->receiving);
}

/* ---- messages ---- */

/* `message` is moved. */
static int handle(trivet_proto_computer *c, trivet_proto_message *message) {
    static const trivet_proto_error twice = {"type", "comes once, and first"};
    static const trivet_proto_error console = {"type", "is for a console, and this device is a phone"};
    static const trivet_proto_error in_pieces = {"type", "is version 1's: files come in pieces"};
    trivet_proto_type type = message->type;
    trivet_proto_event event = {.kind = TRIVET_PROTO_EVENT_MESSAGE, .type = type, .message = *message};
    switch (type) {
    case TRIVET_PROTO_STATE_SYNC:
        return state_came(c, message);
    case TRIVET_PROTO_FILE_END:
        return end_came(c, message);
    case TRIVET_PROTO_FILE_RESPONSE:
        if (c->session.version == 2)
            break;
        file_came(c);
        return proto_session_tell(&c->session, &event);
    case TRIVET_PROTO_JOT_MANIFEST:
    case TRIVET_PROTO_JOT_META_RESPONSE:
    case TRIVET_PROTO_JOT_REFRESH_RESPONSE:
    case TRIVET_PROTO_JOT_DOWNLOAD_RESPONSE:
    case TRIVET_PROTO_JOT_CLEAR_ACK:
    case TRIVET_PROTO_DEBUG_LOG:
    case TRIVET_PROTO_SYNC_ACK:
    case TRIVET_PROTO_RESOLVE:
    case TRIVET_PROTO_ERROR:
        return proto_session_tell(&c->session, &event);
    default:
        break;
    }
    trivet_proto_message_release(message);
    switch (type) {
    case TRIVET_PROTO_SYNC_REQUEST: /* during a sync it is answered by that one */
        return c->sync != IDLE ? TRIVET_PROTO_OK
                               : proto_session_tell_kind(&c->session, TRIVET_PROTO_EVENT_SYNC_REQUEST, type);
    case TRIVET_PROTO_SYNC_CANCEL:
        return phone_cancelled(c);
    case TRIVET_PROTO_HEARTBEAT:
        return proto_session_send_type(&c->session, TRIVET_PROTO_HEARTBEAT);
    case TRIVET_PROTO_UNKNOWN: {
        int r = proto_session_tell_kind(&c->session, TRIVET_PROTO_EVENT_IGNORED, type);
        return r == TRIVET_PROTO_OK
                   ? proto_session_send_error(&c->session, "unknown", "type", "is not known here")
                   : r;
    }
    case TRIVET_PROTO_FILE_RESPONSE:
        return proto_session_refused(&c->session, type, &in_pieces, c->now);
    case TRIVET_PROTO_CONTROL:
        return proto_session_refused(&c->session, type, &console, c->now);
    default: /* key_init, handshake */
        return proto_session_refused(&c->session, type, &twice, c->now);
    }
}

static int too_fast(trivet_proto_computer *c) {
    proto_session_close(&c->session, TRIVET_PROTO_CLOSE_TOO_FAST, "too many messages a second");
    return TRIVET_PROTO_ESTATE;
}

int proto_computer_take(trivet_proto_computer *c, const proto_decoded *decoded) {
    trivet_proto_message message = decoded->message;
    if (decoded->piece != NULL)
        return piece_came(c, decoded->piece, decoded->piece_len);
    if (c->unpaid && !proto_bucket_take(&c->rate, c->now)) {
        trivet_proto_message_release(&message);
        return too_fast(c);
    }
    if (decoded->result == TRIVET_PROTO_OK)
        return handle(c, &message);
    if (decoded->result == TRIVET_PROTO_ENOMEM)
        return proto_session_out_of_memory(&c->session);
    if (message.type == TRIVET_PROTO_STATE_SYNC)
        return state_refused(c, &decoded->error);
    if (message.type == TRIVET_PROTO_FILE_RESPONSE)
        file_came(c);
    return proto_session_refused(&c->session, message.type, &decoded->error, c->now);
}

void proto_computer_decode(uint8_t kind, uint8_t *plain, size_t len, int version, proto_decoded *out) {
    *out = (proto_decoded){.result = TRIVET_PROTO_OK};
    if (kind == PROTO_KIND_JSON) {
        out->result = proto_message_decode_steal(plain, len, TRIVET_PROTO_FROM_PHONE, version, &out->message,
                                                 &out->error);
    } else {
        out->piece = plain;
        out->piece_len = len;
    }
}

static int receive_open(trivet_proto_computer *c, bool binary, const uint8_t *data, size_t len) {
    uint8_t *plain, kind;
    size_t plain_len;
    proto_decoded decoded;
    int r = proto_session_open(&c->session, binary, data, len, &kind, &plain, &plain_len);
    if (r != TRIVET_PROTO_OK)
        return r;
    proto_computer_decode(kind, plain, plain_len, c->session.version, &decoded);
    return proto_computer_take(c, &decoded);
}

/* What ends the connection has done so when this returns. */
static int take_message(trivet_proto_computer *c, bool binary, const uint8_t *data, size_t len) {
    return c->state == OPEN ? receive_open(c, binary, data, len)
                            : proto_computer_opening(c, binary, data, len);
}

/* Frames of version 2 are binary, all else is text. */
static bool is_of_wrong_sort(const trivet_proto_computer *c, bool binary) {
    return binary != (c->session.version == 2);
}

bool proto_computer_admit(trivet_proto_computer *c, bool binary, size_t len, int64_t now) {
    c->unpaid = c->state == OPEN && binary && len >= PROTO_TRANSFER_FREE + TRIVET_PROTO_PIECE_ROOM &&
                proto_receiving_expects(&c->receiving);
    if (!c->unpaid && !proto_bucket_take(&c->rate, now))
        too_fast(c);
    else if (len > trivet_proto_computer_message_limit(c))
        proto_session_close(&c->session, TRIVET_PROTO_CLOSE_TOO_LARGE, "the message is too large");
    else if (c->state == WRONG_KEY)
        return false;
    else if (is_of_wrong_sort(c, binary))
        proto_computer_violation(c, binary ? "a binary message" : "a text message where a frame belongs");
    else
        return true;
    return false;
}

int trivet_proto_computer_receive(trivet_proto_computer *c, bool binary, const uint8_t *data, size_t len,
                                  int64_t now) {
    trivet_proto_computer_tick(c, now);
    if (!proto_session_is_open(&c->session))
        return TRIVET_PROTO_ESTATE;
    if (proto_computer_admit(c, binary, len, now) &&
        take_message(c, binary, data, len) == TRIVET_PROTO_ENOMEM)
        return TRIVET_PROTO_ENOMEM;
    return TRIVET_PROTO_OK;
}

/* ---- time ---- */

static int64_t answer_deadline(const trivet_proto_computer *c) {
    return c->files_asked > 0 ? c->file_deadline : c->answer_deadline;
}

static void answer_is_late(trivet_proto_computer *c) {
    if (c->files_asked > 0) { /* that file will not come: the answer's time begins anew */
        c->files_asked = 0;
        c->answer_deadline = c->now + c->options.answer_timeout;
        return;
    }
    trivet_proto_event event = {.kind = TRIVET_PROTO_EVENT_SYNC_TIMEOUT, .type = TRIVET_PROTO_STATE_SYNC};
    cancel_sync(c, &event);
}

void trivet_proto_computer_tick(trivet_proto_computer *c, int64_t now) {
    if (now > c->now)
        c->now = now;
    if (c->now < trivet_proto_computer_deadline(c))
        return;
    if (c->state == OPEN)
        answer_is_late(c);
    else
        proto_session_close(&c->session, TRIVET_PROTO_CLOSE_TIMEOUT, "no handshake in time");
}

int64_t trivet_proto_computer_deadline(const trivet_proto_computer *c) {
    if (!proto_session_is_open(&c->session))
        return INT64_MAX;
    if (c->state < WRONG_KEY)
        return c->handshake_deadline;
    return c->state == OPEN && c->sync == ASKED ? answer_deadline(c) : INT64_MAX;
}

/* ---- the owner's calls ---- */

static bool is_ready(const trivet_proto_computer *c) {
    return c->state == OPEN && proto_session_is_open(&c->session);
}

int trivet_proto_computer_accept(trivet_proto_computer *c, int64_t now) {
    if (c->state != DECISION || !proto_session_is_open(&c->session))
        return TRIVET_PROTO_ESTATE;
    if (now > c->now)
        c->now = now;
    c->state = OPEN;
    c->session.tells_errors = c->session.version == 2;
    int r = TRIVET_PROTO_OK;
    for (size_t i = 0; i < c->waiting_count && proto_session_is_open(&c->session); i++)
        r = take_message(c, c->session.version == 2, c->waiting[i].data, c->waiting[i].len);
    proto_computer_drop_waiting(c);
    return r == TRIVET_PROTO_ENOMEM ? r : TRIVET_PROTO_OK;
}

int trivet_proto_computer_refuse(trivet_proto_computer *c, int close_code, const char *reason) {
    return c->state == DECISION || c->state == WRONG_KEY ? trivet_proto_computer_close(c, close_code, reason)
                                                         : TRIVET_PROTO_ESTATE;
}

int trivet_proto_computer_close(trivet_proto_computer *c, int close_code, const char *reason) {
    if (!proto_session_is_open(&c->session))
        return TRIVET_PROTO_ESTATE;
    proto_session_close(&c->session, close_code, reason != NULL ? reason : "");
    proto_computer_drop_waiting(c);
    return TRIVET_PROTO_OK;
}

/* Sends a state, and waits for the phone's. */
static int ask(trivet_proto_computer *c, const char *state, size_t len, int64_t since, int64_t now) {
    /* Encoding only reads it. */
    const trivet_proto_message message = {
        .type = TRIVET_PROTO_STATE_SYNC, .state = (char *)(uintptr_t)state, .state_len = len, .since = since};
    int r = proto_session_send(&c->session, &message);
    if (r != TRIVET_PROTO_OK)
        return r;
    if (now > c->now)
        c->now = now;
    c->sync = ASKED;
    c->answer_deadline = c->now + c->options.answer_timeout;
    return TRIVET_PROTO_OK;
}

int trivet_proto_computer_start(trivet_proto_computer *c, const char *state, size_t len, int64_t since,
                                int64_t now) {
    return is_ready(c) && c->sync == IDLE ? ask(c, state, len, since, now) : TRIVET_PROTO_ESTATE;
}

int trivet_proto_computer_propose(trivet_proto_computer *c, const char *merged, size_t len, int64_t since,
                                  int64_t now) {
    return is_ready(c) && c->sync == ANSWERED ? ask(c, merged, len, since, now) : TRIVET_PROTO_ESTATE;
}

int trivet_proto_computer_confirm(trivet_proto_computer *c, trivet_proto_mode mode, const char *snapshot,
                                  size_t len, int64_t applied_at) {
    if (!is_ready(c) || c->sync != ANSWERED)
        return TRIVET_PROTO_ESTATE;
    const trivet_proto_message message = {.type = TRIVET_PROTO_SYNC_CONFIRM,
                                          .mode = mode,
                                          .state = (char *)(uintptr_t)snapshot,
                                          .state_len = len,
                                          .applied_at = applied_at};
    int r = proto_session_send(&c->session, &message);
    if (r == TRIVET_PROTO_OK)
        end_sync(c);
    return r;
}

int trivet_proto_computer_cancel(trivet_proto_computer *c) {
    if (!is_ready(c))
        return TRIVET_PROTO_ESTATE;
    end_sync(c);
    return proto_session_send_type(&c->session, TRIVET_PROTO_SYNC_CANCEL);
}

int trivet_proto_computer_version(const trivet_proto_computer *c) {
    return c->state > KEY ? c->session.version : 0;
}

int trivet_proto_computer_error(trivet_proto_computer *c, const char *code, const char *path,
                                const char *message) {
    return is_ready(c) ? proto_session_send_error(&c->session, code, path, message) : TRIVET_PROTO_ESTATE;
}

int trivet_proto_computer_send(trivet_proto_computer *c, trivet_proto_type type, json_t *body) {
    const trivet_proto_message message = {.type = type, .body = body};
    if (!is_ready(c))
        return TRIVET_PROTO_ESTATE;
    if (!proto_type_goes(type, TRIVET_PROTO_FROM_COMPUTER) || type == TRIVET_PROTO_KEY_EXCHANGE ||
        type == TRIVET_PROTO_STATE_SYNC || type == TRIVET_PROTO_SYNC_CONFIRM ||
        type == TRIVET_PROTO_SYNC_CANCEL)
        return TRIVET_PROTO_EINPUT;
    if (c->session.version == 2 && (type == TRIVET_PROTO_FILE_REQUEST || type == TRIVET_PROTO_FILE_ACK) &&
        !fits_transfer(c, type, body))
        return TRIVET_PROTO_EINPUT;
    int r = proto_session_send(&c->session, &message);
    if (r == TRIVET_PROTO_OK && type == TRIVET_PROTO_FILE_REQUEST && c->session.version == 1) {
        c->files_asked++;
        c->file_deadline = c->now + FILE_TIMEOUT;
    }
    return r;
}
