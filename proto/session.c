/*
 * session.c - see session.h.
 */
#include "session.h"

#include "channel2.h"
#include "types.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

enum { MINUTE = 60000 };

/* ---- queues ---- */

static void *queue_at(const proto_queue *queue, size_t index, size_t size) {
    return queue->items + (queue->first + index) * size;
}

static int queue_push(proto_queue *queue, const void *item, size_t size) {
    if (queue->first > 0 && queue->first + queue->count == queue->room) {
        memmove(queue->items, queue_at(queue, 0, size), queue->count * size);
        queue->first = 0;
    }
    if (queue->count == queue->room) {
        size_t room = queue->room == 0 ? 4 : queue->room * 2;
        uint8_t *items = realloc(queue->items, room * size);
        if (items == NULL)
            return TRIVET_PROTO_ENOMEM;
        queue->items = items;
        queue->room = room;
    }
    memcpy(queue_at(queue, queue->count, size), item, size);
    queue->count++;
    return TRIVET_PROTO_OK;
}

static bool queue_pop(proto_queue *queue, void *out, size_t size) {
    if (queue->count == 0)
        return false;
    memcpy(out, queue_at(queue, 0, size), size);
    queue->first++;
    queue->count--;
    if (queue->count == 0) {
        free(queue->items);
        *queue = (proto_queue){NULL, 0, 0, 0};
    }
    return true;
}

static void drop_events(proto_session *session) {
    trivet_proto_event event;
    while (queue_pop(&session->events, &event, sizeof event))
        trivet_proto_event_release(&event);
}

/* ---- life ---- */

static void sodium_random(void *ctx, uint8_t *out, size_t len) {
    (void)ctx;
    randombytes_buf(out, len);
}

int proto_session_init(proto_session *session, const proto_session_options *options) {
    memset(session, 0, sizeof *session);
    if (sodium_init() < 0)
        return -1;
    session->random = options->random != NULL ? options->random : sodium_random;
    session->random_ctx = options->random_ctx;
    session->version = 1;
    session->max_message = options->max_message;
    session->max_nonces = options->max_nonces;
    proto_window_init(&session->refused, options->refused_per_minute);
    return 0;
}

static void wipe_keys(proto_session *session) {
    sodium_memzero(session->own_secret, sizeof session->own_secret);
    sodium_memzero(session->key, sizeof session->key);
    sodium_memzero(session->send_key, sizeof session->send_key);
    sodium_memzero(session->receive_key, sizeof session->receive_key);
    sodium_memzero(session->device_key, sizeof session->device_key);
    proto_nonces_release(&session->nonces);
}

void proto_session_release(proto_session *session) {
    trivet_proto_output output;
    drop_events(session);
    while (queue_pop(&session->outputs, &output, sizeof output))
        trivet_proto_output_release(&output);
    wipe_keys(session);
}

/* ---- keys ---- */

void proto_session_key_pair(proto_session *session, uint8_t public_key[static 32]) {
    session->random(session->random_ctx, session->own_secret, sizeof session->own_secret);
    crypto_scalarmult_base(public_key, session->own_secret);
}

int proto_session_agree(proto_session *session, const uint8_t their_public[static 32]) {
    int r = trivet_proto_channel1_key(session->key, their_public, session->own_secret);
    sodium_memzero(session->own_secret, sizeof session->own_secret);
    session->random(session->random_ctx, session->nonces.key, sizeof session->nonces.key);
    return r;
}

int proto_session_agree2(proto_session *session, const uint8_t pairing_key[static 32],
                         const uint8_t their_public[static 32], const uint8_t computer_public[static 32],
                         const uint8_t *key_init, size_t key_init_len, uint8_t proof[static 32]) {
    trivet_proto_channel2_keys keys;
    int r = trivet_proto_channel2_derive(&keys, pairing_key, session->own_secret, their_public,
                                         computer_public, key_init, key_init_len);
    sodium_memzero(session->own_secret, sizeof session->own_secret);
    if (r == TRIVET_PROTO_OK) {
        bool computer = computer_public != their_public;
        session->version = 2;
        memcpy(session->send_key, computer ? keys.c2p : keys.p2c, 32);
        memcpy(session->receive_key, computer ? keys.p2c : keys.c2p, 32);
        memcpy(session->device_key, keys.device_key, 32);
        memcpy(proof, keys.proof, 32);
    }
    sodium_memzero(&keys, sizeof keys);
    return r;
}

uint8_t *proto_session_take_device_key(proto_session *session) {
    uint8_t *copy = malloc(sizeof session->device_key);
    if (copy != NULL)
        memcpy(copy, session->device_key, sizeof session->device_key);
    sodium_memzero(session->device_key, sizeof session->device_key);
    return copy;
}

/* ---- the end ---- */

/* Cut where a character begins, as a close frame takes UTF-8 only. */
static void copy_reason(char out[static 124], const char *reason) {
    size_t len = strlen(reason);
    if (len > 123) {
        len = 123;
        while (len > 0 && ((uint8_t)reason[len] & 0xc0) == 0x80)
            len--;
    }
    memcpy(out, reason, len);
    out[len] = '\0';
}

void proto_session_close(proto_session *session, int close_code, const char *reason) {
    if (session->close_code != 0)
        return;
    session->close_code = close_code;
    copy_reason(session->close_reason, reason);
    wipe_keys(session);
}

bool proto_session_is_open(const proto_session *session) {
    return session->close_code == 0;
}

int proto_session_out_of_memory(proto_session *session) {
    proto_session_close(session, TRIVET_PROTO_CLOSE_GOING_AWAY, "out of memory");
    return TRIVET_PROTO_ENOMEM;
}

/* ---- events ---- */

int proto_session_tell(proto_session *session, trivet_proto_event *event) {
    if (queue_push(&session->events, event, sizeof *event) == TRIVET_PROTO_OK)
        return TRIVET_PROTO_OK;
    trivet_proto_event_release(event);
    return proto_session_out_of_memory(session);
}

int proto_session_tell_kind(proto_session *session, trivet_proto_event_kind kind, trivet_proto_type type) {
    trivet_proto_event event = {.kind = kind, .type = type};
    return proto_session_tell(session, &event);
}

bool proto_session_event(proto_session *session, trivet_proto_event *out) {
    memset(out, 0, sizeof *out);
    if (session->close_sent)
        return false;
    if (queue_pop(&session->events, out, sizeof *out))
        return true;
    if (session->close_code == 0 || session->closed_told)
        return false;
    session->closed_told = true;
    out->kind = TRIVET_PROTO_EVENT_CLOSED;
    out->close_code = session->close_code;
    memcpy(out->error.reason, session->close_reason, sizeof session->close_reason);
    return true;
}

void trivet_proto_event_release(trivet_proto_event *event) {
    trivet_proto_message_release(&event->message);
    if (event->secret != NULL)
        sodium_memzero(event->secret, strlen(event->secret));
    if (event->device_key != NULL)
        sodium_memzero(event->device_key, 32);
    free(event->piece.buffer);
    free(event->secret);
    free(event->device_key);
    free(event->device);
    free(event->device_id);
    memset(event, 0, sizeof *event);
}

int proto_session_refused(proto_session *session, trivet_proto_type type, const trivet_proto_error *error,
                          int64_t now) {
    trivet_proto_event event = {.kind = TRIVET_PROTO_EVENT_REFUSED, .type = type, .error = *error};
    int r = proto_session_tell(session, &event);
    if (r == TRIVET_PROTO_OK && type != TRIVET_PROTO_ERROR) /* or two ends would echo */
        r = proto_session_send_error(session, "refused", error->path, error->reason);
    return r == TRIVET_PROTO_OK ? proto_session_count_refused(session, now) : r;
}

int proto_session_count_refused(proto_session *session, int64_t now) {
    if (proto_window_add(&session->refused, now, MINUTE))
        return TRIVET_PROTO_OK;
    proto_session_close(session, TRIVET_PROTO_CLOSE_VIOLATION, "too many refused messages");
    return TRIVET_PROTO_ESTATE;
}

/* ---- outputs ---- */

bool proto_session_output(proto_session *session, trivet_proto_output *out) {
    memset(out, 0, sizeof *out);
    if (queue_pop(&session->outputs, out, sizeof *out))
        return true;
    if (session->close_code == 0 || session->close_sent)
        return false;
    session->close_sent = true;
    drop_events(session);
    out->close = session->close_code;
    out->data = (uint8_t *)strdup(session->close_reason);
    out->len = out->data != NULL ? strlen(session->close_reason) : 0;
    return true;
}

void trivet_proto_output_release(trivet_proto_output *output) {
    free(output->data);
    memset(output, 0, sizeof *output);
}

static int queue_output(proto_session *session, bool binary, uint8_t *data, size_t len) {
    trivet_proto_output output = {.data = data, .len = len, .binary = binary};
    if (queue_push(&session->outputs, &output, sizeof output) == TRIVET_PROTO_OK)
        return TRIVET_PROTO_OK;
    free(data);
    return proto_session_out_of_memory(session);
}

int proto_session_send_plain(proto_session *session, uint8_t *data, size_t len) {
    return queue_output(session, false, data, len);
}

/* A fresh nonce, put down as used. */
static int next_nonce(proto_session *session, uint8_t nonce[static 24]) {
    if (session->nonces.count >= session->max_nonces) {
        proto_session_close(session, TRIVET_PROTO_CLOSE_GOING_AWAY, "the channel is used up");
        return TRIVET_PROTO_ESTATE;
    }
    do
        session->random(session->random_ctx, nonce, PROTO_NONCE_LEN);
    while (proto_nonces_has(&session->nonces, nonce));
    return proto_nonces_add(&session->nonces, nonce) == 0 ? TRIVET_PROTO_OK
                                                          : proto_session_out_of_memory(session);
}

static int send_envelope(proto_session *session, uint8_t *box, size_t len) {
    uint8_t nonce[PROTO_NONCE_LEN], *envelope = NULL;
    size_t envelope_len = 0;
    int r = next_nonce(session, nonce);
    /* The envelope's tag stands right before the text. */
    if (r == TRIVET_PROTO_OK &&
        proto_channel1_seal_in_place(session->key, nonce, box + 1, len, &envelope, &envelope_len) != 0)
        r = proto_session_out_of_memory(session);
    if (r != TRIVET_PROTO_OK)
        sodium_memzero(box, PROTO_HEADROOM + len);
    free(box);
    return r == TRIVET_PROTO_OK ? proto_session_send_plain(session, envelope, envelope_len) : r;
}

/* Under one key no count may come twice, so the last one is never used. */
static int used_up(proto_session *session) {
    proto_session_close(session, TRIVET_PROTO_CLOSE_GOING_AWAY, "the channel is used up");
    return TRIVET_PROTO_ESTATE;
}

int proto_session_send_box(proto_session *session, uint8_t *box, size_t len) {
    if (session->version == 1)
        return send_envelope(session, box, len);
    if (session->sent == UINT64_MAX) {
        sodium_memzero(box, PROTO_HEADROOM + len);
        free(box);
        return used_up(session);
    }
    proto_channel2_seal_in_place(session->send_key, session->sent++, PROTO_KIND_JSON, box, len);
    return queue_output(session, true, box, PROTO_HEADROOM + len);
}

int proto_session_send_piece(proto_session *session, uint32_t transfer, uint64_t offset, uint8_t *box,
                             size_t len) {
    uint8_t *head = box + PROTO_HEADROOM;
    if (session->sent == UINT64_MAX) {
        free(box);
        return used_up(session);
    }
    for (unsigned i = 0; i < 4; i++)
        head[i] = (uint8_t)(transfer >> 8 * i);
    for (unsigned i = 0; i < 8; i++)
        head[4 + i] = (uint8_t)(offset >> 8 * i);
    len += PROTO_CHUNK_HEAD;
    proto_channel2_seal_in_place(session->send_key, session->sent++, PROTO_KIND_CHUNK, box, len);
    return queue_output(session, true, box, PROTO_HEADROOM + len);
}

static size_t sealed_size(const proto_session *session, size_t len) {
    return session->version == 1 ? proto_channel1_envelope_size(len) : PROTO_HEADROOM + len;
}

int proto_session_send(proto_session *session, const trivet_proto_message *message) {
    uint8_t *box = NULL;
    size_t len = 0;
    if (!proto_type_is_of(message->type, session->version))
        return TRIVET_PROTO_EINPUT;
    int r = proto_message_encode_at(message, PROTO_HEADROOM, &box, &len);
    if (r == TRIVET_PROTO_ENOMEM)
        return proto_session_out_of_memory(session);
    if (r != TRIVET_PROTO_OK)
        return r;
    if (sealed_size(session, len) > session->max_message) {
        free(box);
        return TRIVET_PROTO_EINPUT;
    }
    return proto_session_send_box(session, box, len);
}

/* Keys that a peer made up may be cut within a character; then the path is left out. */
static json_t *error_body(const char *code, const char *path, const char *message) {
    json_t *at = json_string(path);
    if (at == NULL)
        at = json_string("");
    return json_pack("{s:s, s:o, s:s}", "code", code, "path", at, "message", message);
}

int proto_session_send_error(proto_session *session, const char *code, const char *path,
                             const char *message) {
    if (!session->tells_errors || !proto_session_is_open(session))
        return TRIVET_PROTO_OK;
    trivet_proto_message error = {.type = TRIVET_PROTO_ERROR, .body = error_body(code, path, message)};
    if (error.body == NULL)
        return proto_session_out_of_memory(session);
    int r = proto_session_send(session, &error);
    json_decref(error.body);
    return r;
}

int proto_session_send_type(proto_session *session, trivet_proto_type type) {
    const trivet_proto_message message = {.type = type};
    return proto_session_send(session, &message);
}

/* ---- inputs ---- */

static int violation(proto_session *session, const char *reason) {
    proto_session_close(session, TRIVET_PROTO_CLOSE_VIOLATION, reason);
    return TRIVET_PROTO_ESTATE;
}

void proto_session_lend(const proto_session *session, const uint8_t *data, size_t len, proto_box *out) {
    *out = (proto_box){.version = session->version, .counter = session->received, .data = data, .len = len};
    memcpy(out->key, session->version == 1 ? session->key : session->receive_key, sizeof out->key);
}

static int open_envelope(proto_box *box) {
    proto_envelope envelope;
    int r = proto_envelope_find(box->data, box->len, &envelope);
    box->kind = PROTO_KIND_JSON;
    if (r == 0)
        box->flaw = "plaintext where an encrypted message belongs";
    else if (r < 0 || !proto_envelope_nonce(&envelope, box->nonce))
        box->flaw = "a damaged envelope";
    if (box->flaw != NULL)
        return TRIVET_PROTO_EINPUT;
    box->has_nonce = true;
    return proto_envelope_open(&envelope, box->key, box->nonce, &box->plain, &box->plain_len);
}

/* A piece of a file is left where it is, after its kind. */
static int open_frame(proto_box *box) {
    int r =
        proto_channel2_open_frame(box->key, box->counter, box->data, box->len, &box->plain, &box->plain_len);
    if (r == TRIVET_PROTO_OK && (box->kind = box->plain[0]) == PROTO_KIND_JSON)
        memmove(box->plain, box->plain + 1, box->plain_len + 1);
    return r;
}

void proto_box_open(proto_box *box) {
    box->result = box->version == 1 ? open_envelope(box) : open_frame(box);
    sodium_memzero(box->key, sizeof box->key);
}

void proto_box_release(proto_box *box) {
    if (box->plain != NULL)
        sodium_memzero(box->plain, box->plain_len);
    free(box->plain);
    sodium_memzero(box->key, sizeof box->key);
    box->plain = NULL;
}

/* A nonce that is used again closes whatever is in its box. */
static int account_envelope(proto_session *session, const proto_box *box) {
    if (box->has_nonce && proto_nonces_has(&session->nonces, box->nonce))
        return violation(session, "a nonce used twice");
    if (box->has_nonce && session->nonces.count >= session->max_nonces) {
        proto_session_close(session, TRIVET_PROTO_CLOSE_GOING_AWAY, "the channel is used up");
        return TRIVET_PROTO_ESTATE;
    }
    if (box->result == TRIVET_PROTO_EINPUT)
        return violation(session, box->flaw != NULL ? box->flaw : "a box that does not open");
    return box->result == TRIVET_PROTO_OK && proto_nonces_add(&session->nonces, box->nonce) == 0
               ? TRIVET_PROTO_OK
               : proto_session_out_of_memory(session);
}

static int account_frame(proto_session *session, const proto_box *box) {
    if (session->received == UINT64_MAX)
        return used_up(session);
    if (box->result == TRIVET_PROTO_ENOMEM)
        return proto_session_out_of_memory(session);
    if (box->result != TRIVET_PROTO_OK)
        return violation(session, "a frame that does not open");
    session->received++;
    return TRIVET_PROTO_OK;
}

int proto_session_account(proto_session *session, proto_box *box) {
    int r = box->version == 1 ? account_envelope(session, box) : account_frame(session, box);
    if (r != TRIVET_PROTO_OK)
        proto_box_release(box);
    return r;
}

int proto_session_try_frame(proto_session *session, const uint8_t *data, size_t len, uint8_t *kind,
                            uint8_t **plain, size_t *plain_len) {
    proto_box box;
    proto_session_lend(session, data, len, &box);
    proto_box_open(&box);
    bool foreign = box.result == TRIVET_PROTO_EINPUT && session->received != UINT64_MAX;
    int r = foreign ? TRIVET_PROTO_EINPUT : proto_session_account(session, &box);
    *kind = box.kind;
    *plain = box.plain;
    *plain_len = box.plain_len;
    return r;
}

int proto_session_open(proto_session *session, bool binary, const uint8_t *data, size_t len, uint8_t *kind,
                       uint8_t **plain, size_t *plain_len) {
    proto_box box;
    if (binary != (session->version == 2))
        return violation(session, binary ? "a binary message" : "a text message where a frame belongs");
    proto_session_lend(session, data, len, &box);
    proto_box_open(&box);
    int r = proto_session_account(session, &box);
    *kind = box.kind;
    *plain = box.plain;
    *plain_len = box.plain_len;
    return r;
}
