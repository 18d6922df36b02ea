/*
 * computer_opening.c - key_init, version 2's question for the key, the handshake, and what waits for the owner's decision
 * (protocol §2, §7).
 */
#include "computer.h"

#include "channel2.h"
#include "types.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

enum { EARLY_LOGS = 8 };

/* ---- opening ---- */

static int send_key_exchange(trivet_proto_computer *c, const proto_key_message *ours) {
    uint8_t *answer;
    size_t len;
    if (proto_key_message_write(TRIVET_PROTO_KEY_EXCHANGE, ours, &answer, &len) != TRIVET_PROTO_OK)
        return proto_session_out_of_memory(&c->session);
    c->state = HANDSHAKE;
    return proto_session_send_plain(&c->session, answer, len);
}

/* Version 2 goes on when the owner has said which key the device has. */
static int ask_for_key(trivet_proto_computer *c, const uint8_t *data, size_t len) {
    trivet_proto_event event = {.kind = TRIVET_PROTO_EVENT_KEY_WANTED,
                                .type = TRIVET_PROTO_KEY_INIT,
                                .version = 2,
                                .device = strdup(c->theirs.device),
                                .gen = c->theirs.gen};
    c->key_init = malloc(len);
    if (event.device == NULL || c->key_init == NULL) {
        trivet_proto_event_release(&event);
        return proto_session_out_of_memory(&c->session);
    }
    memcpy(c->key_init, data, len);
    c->key_init_len = len;
    c->state = KEY;
    return proto_session_tell(&c->session, &event);
}

/* `key`, or where it is NULL a random one, without a branch on which. */
static void key_or_nobodys(trivet_proto_computer *c, const uint8_t *key, uint8_t out[static 32]) {
    static const uint8_t none[32] = {0};
    uint8_t mask = (uint8_t)(0 - (uint8_t)(key != NULL));
    const uint8_t *from = key != NULL ? key : none;
    c->session.random(c->session.random_ctx, out, 32);
    for (size_t i = 0; i < 32; i++)
        out[i] = (uint8_t)((from[i] & mask) | (out[i] & (uint8_t)~mask));
}

int trivet_proto_computer_key(trivet_proto_computer *c, const uint8_t *key, int64_t now) {
    proto_key_message ours = {.version = 2};
    uint8_t used[32];
    if (c->state != KEY || !proto_session_is_open(&c->session))
        return TRIVET_PROTO_ESTATE;
    if (now > c->now)
        c->now = now;
    memcpy(ours.public_key, c->own_public, sizeof ours.public_key);
    key_or_nobodys(c, key, used);
    int r = proto_session_agree2(&c->session, used, c->theirs.public_key, c->own_public, c->key_init,
                                 c->key_init_len, ours.proof);
    sodium_memzero(used, sizeof used);
    free(c->key_init);
    c->key_init = NULL;
    r = r == TRIVET_PROTO_OK ? send_key_exchange(c, &ours)
                             : proto_computer_violation(c, "a public key of low order");
    sodium_memzero(&ours, sizeof ours);
    return r == TRIVET_PROTO_ENOMEM ? r : TRIVET_PROTO_OK;
}

static int refuse_version(trivet_proto_computer *c, const char *reason) {
    proto_session_close(&c->session, TRIVET_PROTO_CLOSE_VERSION, reason);
    return TRIVET_PROTO_ESTATE;
}

static int receive_key_init(trivet_proto_computer *c, const uint8_t *data, size_t len) {
    trivet_proto_error error;
    trivet_proto_type type;
    proto_key_message ours = {.version = 1};
    int r = proto_message_type(data, len, &type, &error);
    if (r != TRIVET_PROTO_OK || type != TRIVET_PROTO_KEY_INIT)
        return proto_computer_violation(c, "key_init comes first");
    r = proto_key_message_read(data, len, type, &c->theirs, &error);
    if (r == TRIVET_PROTO_ENOMEM)
        return proto_session_out_of_memory(&c->session);
    if (r != TRIVET_PROTO_OK) {
        r = proto_session_refused(&c->session, type, &error, c->now);
        return r == TRIVET_PROTO_OK ? proto_computer_violation(c, "key_init was refused") : r;
    }
    if (c->theirs.version == 1 && !c->options.version_1)
        return refuse_version(c, "version 1 is not allowed");
    if (c->theirs.version == 0 || (c->theirs.version == 2 && !c->options.version_2))
        return refuse_version(c,
                              c->options.version_2 ? "no version that is known" : "version 2 is not offered");
    proto_session_key_pair(&c->session, c->own_public);
    if (c->theirs.version == 2)
        return ask_for_key(c, data, len);
    if (proto_session_agree(&c->session, c->theirs.public_key) != TRIVET_PROTO_OK)
        return proto_computer_violation(c, "a public key of low order");
    memcpy(ours.public_key, c->own_public, sizeof ours.public_key);
    return send_key_exchange(c, &ours);
}

/* The phone's log timer can fire before it has a key. True: dropped. */
static bool is_early_log(trivet_proto_computer *c, const uint8_t *data, size_t len) {
    trivet_proto_error error;
    trivet_proto_type type;
    return proto_message_type(data, len, &type, &error) == TRIVET_PROTO_OK &&
           type == TRIVET_PROTO_DEBUG_LOG && ++c->early_logs <= EARLY_LOGS;
}

/* The first encrypted message: a handshake, or the end. */
static int read_handshake(trivet_proto_computer *c, const uint8_t *plain, size_t len) {
    proto_handshake handshake;
    trivet_proto_error error;
    trivet_proto_type type;
    int r = proto_message_type(plain, len, &type, &error);
    if (r != TRIVET_PROTO_OK || type != TRIVET_PROTO_HANDSHAKE)
        return proto_computer_violation(c, "handshake comes first");
    r = proto_handshake_read(plain, len, c->session.version, &handshake, &error);
    if (r == TRIVET_PROTO_ENOMEM)
        return proto_session_out_of_memory(&c->session);
    if (r != TRIVET_PROTO_OK) {
        r = proto_session_refused(&c->session, type, &error, c->now);
        return r == TRIVET_PROTO_OK ? proto_computer_violation(c, "handshake was refused") : r;
    }
    c->state = DECISION;
    trivet_proto_event event = {.kind = TRIVET_PROTO_EVENT_HANDSHAKE,
                                .type = type,
                                .version = c->session.version,
                                .secret = handshake.secret,
                                .device_id = handshake.device_id,
                                .last_sync = handshake.last_sync,
                                .clock = handshake.clock};
    if (c->session.version == 2) {
        event.gen = c->theirs.gen;
        event.device = strdup(c->theirs.device);
        event.device_key = proto_session_take_device_key(&c->session);
        if (event.device == NULL || event.device_key == NULL) {
            trivet_proto_event_release(&event);
            return proto_session_out_of_memory(&c->session);
        }
    }
    return proto_session_tell(&c->session, &event);
}

/* The owner decides how long it takes to say so (protocol §2, §7). */
static int wrong_key(trivet_proto_computer *c) {
    c->state = WRONG_KEY;
    return proto_session_tell_kind(&c->session, TRIVET_PROTO_EVENT_WRONG_KEY, TRIVET_PROTO_HANDSHAKE);
}

static int receive_handshake(trivet_proto_computer *c, bool binary, const uint8_t *data, size_t len) {
    uint8_t *plain, kind;
    size_t plain_len;
    if (c->session.version == 1 && is_early_log(c, data, len))
        return TRIVET_PROTO_OK;
    int r = c->session.version == 2
                ? proto_session_try_frame(&c->session, data, len, &kind, &plain, &plain_len)
                : proto_session_open(&c->session, binary, data, len, &kind, &plain, &plain_len);
    if (r == TRIVET_PROTO_EINPUT)
        return wrong_key(c);
    if (r != TRIVET_PROTO_OK)
        return r;
    r = kind == PROTO_KIND_JSON ? read_handshake(c, plain, plain_len)
                                : proto_computer_violation(c, "handshake comes first");
    sodium_memzero(plain, plain_len);
    free(plain);
    return r;
}

/* ---- waiting for the owner's decision ---- */

static int keep_waiting(trivet_proto_computer *c, const uint8_t *data, size_t len) {
    if (c->waiting_count == c->waiting_room) {
        size_t room = c->waiting_room == 0 ? 4 : c->waiting_room * 2;
        proto_waiting_message *waiting = realloc(c->waiting, room * sizeof *waiting);
        if (waiting == NULL)
            return proto_session_out_of_memory(&c->session);
        c->waiting = waiting;
        c->waiting_room = room;
    }
    uint8_t *copy = malloc(len + 1);
    if (copy == NULL)
        return proto_session_out_of_memory(&c->session);
    if (len > 0)
        memcpy(copy, data, len);
    c->waiting[c->waiting_count++] = (proto_waiting_message){copy, len};
    c->waiting_bytes += len;
    return TRIVET_PROTO_OK;
}

void proto_computer_drop_waiting(trivet_proto_computer *c) {
    for (size_t i = 0; i < c->waiting_count; i++)
        free(c->waiting[i].data);
    free(c->waiting);
    c->waiting = NULL;
    c->waiting_count = c->waiting_room = c->waiting_bytes = 0;
}

int proto_computer_opening(trivet_proto_computer *c, bool binary, const uint8_t *data, size_t len) {
    switch (c->state) {
    case KEY_INIT:
        return receive_key_init(c, data, len);
    case KEY:
        return proto_computer_violation(c, "key_exchange was not waited for");
    case HANDSHAKE:
        return receive_handshake(c, binary, data, len);
    default:
        return keep_waiting(c, data, len);
    }
}
