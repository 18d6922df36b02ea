#include "transfer.h"

/* ---- receiving ---- */

bool proto_receiving_begin(proto_receiving *r, uint32_t number, uint64_t offset) {
    if (number <= r->number)
        return false;
    proto_receiving_leave(r);
    if (r->oldest == 0)
        r->oldest = number;
    r->number = number;
    r->open = true;
    r->next = r->acked = offset;
    return true;
}

bool proto_receiving_ack(proto_receiving *r, uint32_t number, uint64_t offset) {
    if (!r->open || number != r->number || offset < r->acked || offset > r->next)
        return false;
    r->acked = offset;
    return true;
}

void proto_receiving_leave(proto_receiving *r) {
    if (r->open)
        r->late += PROTO_TRANSFER_WINDOW - (r->next - r->acked);
    r->open = false;
}

bool proto_receiving_expects(const proto_receiving *r) {
    return r->open || r->late > 0;
}

/* And is not over, as far as its phone has told. */
static bool was_asked_for(const proto_receiving *r, uint32_t number) {
    return number > 0 && number >= r->oldest && number <= r->number;
}

/* Of one that was left: it is over when something of a later one has come. */
static proto_piece take_late(proto_receiving *r, uint32_t number, size_t len) {
    if (!was_asked_for(r, number) || len > r->late)
        return PROTO_PIECE_WRONG;
    r->oldest = number;
    r->late -= len;
    return PROTO_PIECE_LATE;
}

proto_piece proto_receiving_take(proto_receiving *r, uint32_t number, uint64_t offset, size_t len) {
    if (len == 0 || len > PROTO_TRANSFER_PIECE)
        return PROTO_PIECE_WRONG;
    if (!r->open || number != r->number)
        return take_late(r, number, len);
    if (offset != r->next || len > r->acked + PROTO_TRANSFER_WINDOW - r->next)
        return PROTO_PIECE_WRONG;
    r->oldest = number;
    r->late = 0;
    r->next += len;
    return PROTO_PIECE_TAKEN;
}

proto_piece proto_receiving_end(proto_receiving *r, uint32_t number) {
    if (!was_asked_for(r, number))
        return PROTO_PIECE_WRONG;
    bool taken = r->open && number == r->number;
    r->oldest = number + 1;
    if (number == r->number) {
        r->open = false;
        r->late = 0;
    }
    return taken ? PROTO_PIECE_TAKEN : PROTO_PIECE_LATE;
}

/* ---- sending ---- */

void proto_sending_begin(proto_sending *s, uint32_t number, uint64_t offset) {
    *s = (proto_sending){.number = number, .open = true, .next = offset, .acked = offset};
}

int proto_sending_acked(proto_sending *s, uint32_t number, uint64_t offset) {
    if (number < s->number || (number == s->number && !s->open))
        return 0;
    if (number != s->number || offset < s->acked || offset > s->next)
        return -1;
    s->acked = offset;
    return 1;
}

size_t proto_sending_room(const proto_sending *s) {
    uint64_t room = s->open ? s->acked + PROTO_TRANSFER_WINDOW - s->next : 0;
    return room < PROTO_TRANSFER_PIECE ? (size_t)room : PROTO_TRANSFER_PIECE;
}
