/*
 * computer_large.c - a large message in three steps, so that the owner of many machines is not held up by one.
 *
 * What another thread does in the second step touches the message alone: the key is a copy, and the machine may send,
 * be ticked, closed and freed meanwhile. The owner hands in no other message of that machine until the third, since
 * version 2 counts frames in their order, and either version's messages mean something in theirs.
 */
#include "computer.h"

#include <sodium.h>
#include <stdlib.h>

struct trivet_proto_large {
    uint8_t *data;
    proto_box box;
    bool decoded;
    proto_decoded found;
};

trivet_proto_large *trivet_proto_computer_begin(trivet_proto_computer *c, bool binary, uint8_t *data,
                                                size_t len, int64_t now) {
    trivet_proto_computer_tick(c, now);
    if (c->state != OPEN || !proto_session_is_open(&c->session))
        return NULL;
    trivet_proto_large *large = calloc(1, sizeof *large);
    if (large == NULL || !proto_computer_admit(c, binary, len, now)) {
        free(large);
        return NULL;
    }
    large->data = data;
    proto_session_lend(&c->session, data, len, &large->box);
    return large;
}

void trivet_proto_large_open(trivet_proto_large *large) {
    proto_box *box = &large->box;
    proto_box_open(box);
    free(large->data);
    large->data = NULL;
    if (box->result != TRIVET_PROTO_OK)
        return;
    proto_computer_decode(box->kind, box->plain, box->plain_len, box->version, &large->found);
    large->decoded = true;
    box->plain = NULL;
}

void trivet_proto_large_free(trivet_proto_large *large) {
    if (large == NULL)
        return;
    if (large->decoded) {
        trivet_proto_message_release(&large->found.message);
        free(large->found.piece);
    }
    proto_box_release(&large->box);
    free(large->data);
    free(large);
}

int trivet_proto_computer_end(trivet_proto_computer *c, trivet_proto_large *large, int64_t now) {
    trivet_proto_computer_tick(c, now);
    int r = TRIVET_PROTO_ESTATE;
    if (proto_session_is_open(&c->session)) {
        r = proto_session_account(&c->session, &large->box);
        if (r == TRIVET_PROTO_OK) {
            large->decoded = false; /* it is moved */
            r = proto_computer_take(c, &large->found);
        }
    }
    trivet_proto_large_free(large);
    return r == TRIVET_PROTO_ENOMEM || !proto_session_is_open(&c->session) ? r : TRIVET_PROTO_OK;
}
