/* test_proto_transfer.c - what may come of a file in pieces, and what may be sent (protocol §7). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "transfer.h"

enum { PIECE = PROTO_TRANSFER_PIECE, WINDOW = PROTO_TRANSFER_WINDOW };
enum what { BEGIN, ACK, LEAVE, TAKE, END };

typedef struct {
    enum what what;
    uint32_t number;
    uint64_t offset;
    size_t len;
    int result; /* of begin and ack: whether; of take and end: a proto_piece */
} move;

static void play(const char *name, const move *moves, size_t count) {
    proto_receiving r = {0};
    for (size_t i = 0; i < count; i++) {
        const move *m = &moves[i];
        int result = m->result;
        if (m->what == BEGIN)
            result = proto_receiving_begin(&r, m->number, m->offset);
        else if (m->what == ACK)
            result = proto_receiving_ack(&r, m->number, m->offset);
        else if (m->what == TAKE)
            result = (int)proto_receiving_take(&r, m->number, m->offset, m->len);
        else if (m->what == END)
            result = (int)proto_receiving_end(&r, m->number);
        else
            proto_receiving_leave(&r);
        if (result != m->result)
            fail_msg("%s, move %zu: %d in place of %d", name, i, result, m->result);
    }
}

#define PLAY(name, ...)                                                                                      \
    do {                                                                                                     \
        const move moves_[] = {__VA_ARGS__};                                                                 \
        play(name, moves_, sizeof moves_ / sizeof *moves_);                                                  \
    } while (0)
#define TAKEN PROTO_PIECE_TAKEN
#define LATE PROTO_PIECE_LATE
#define WRONG PROTO_PIECE_WRONG

static void receiving(void **state) {
    (void)state;
    PLAY("in order", {BEGIN, 1, 0, 0, 1}, {TAKE, 1, 0, PIECE, TAKEN}, {TAKE, 1, PIECE, 1, TAKEN},
         {END, 1, 0, 0, TAKEN});
    PLAY("resumed", {BEGIN, 1, 100, 0, 1}, {TAKE, 1, 100, 5, TAKEN}, {TAKE, 1, 105, 5, TAKEN});
    PLAY("nothing was asked for", {TAKE, 0, 0, 1, WRONG}, {TAKE, 1, 0, 1, WRONG}, {END, 1, 0, 0, WRONG},
         {END, 0, 0, 0, WRONG});
    PLAY("numbers rise", {BEGIN, 5, 0, 0, 1}, {BEGIN, 5, 0, 0, 0}, {BEGIN, 4, 0, 0, 0}, {BEGIN, 6, 0, 0, 1},
         {BEGIN, UINT32_MAX, 0, 0, 1});
    PLAY("another transfer", {BEGIN, 5, 0, 0, 1}, {TAKE, 4, 0, 1, WRONG}, {TAKE, 6, 0, 1, WRONG},
         {END, 6, 0, 0, WRONG});
    PLAY("a gap, a repetition", {BEGIN, 1, 0, 0, 1}, {TAKE, 1, 1, 1, WRONG}, {TAKE, 1, 0, 2, TAKEN},
         {TAKE, 1, 0, 2, WRONG}, {TAKE, 1, UINT64_MAX, 1, WRONG});
    PLAY("empty, too large", {BEGIN, 1, 0, 0, 1}, {TAKE, 1, 0, 0, WRONG}, {TAKE, 1, 0, PIECE + 1, WRONG});
    PLAY("after the end", {BEGIN, 1, 0, 0, 1}, {END, 1, 0, 0, TAKEN}, {TAKE, 1, 0, 1, WRONG},
         {END, 1, 0, 0, WRONG}, {ACK, 1, 0, 0, 0});
    PLAY("left: what was on its way is dropped", {BEGIN, 1, 0, 0, 1}, {TAKE, 1, 0, 9, TAKEN},
         {LEAVE, 0, 0, 0, 0}, {TAKE, 1, 9, 9, LATE}, {BEGIN, 2, 0, 0, 1}, {TAKE, 1, 18, 9, LATE},
         {TAKE, 2, 0, 9, TAKEN}, {TAKE, 1, 27, 9, WRONG});
    PLAY("left, and its end", {BEGIN, 1, 0, 0, 1}, {BEGIN, 2, 0, 0, 1}, {END, 1, 0, 0, LATE},
         {TAKE, 1, 0, 1, WRONG}, {TAKE, 2, 0, 1, TAKEN});
    PLAY("acks", {BEGIN, 1, 7, 0, 1}, {ACK, 1, 6, 0, 0}, {ACK, 1, 8, 0, 0}, {TAKE, 1, 7, 5, TAKEN},
         {ACK, 2, 12, 0, 0}, {ACK, 1, 12, 0, 1}, {ACK, 1, 11, 0, 0});
}

static void window(void **state) {
    proto_receiving r = {0};
    uint64_t at = 0;
    (void)state;
    assert_true(proto_receiving_begin(&r, 1, 0));
    for (; at < WINDOW; at += PIECE)
        assert_int_equal(proto_receiving_take(&r, 1, at, PIECE), TAKEN);
    assert_int_equal(proto_receiving_take(&r, 1, at, 1), WRONG);
    assert_true(proto_receiving_ack(&r, 1, 10));
    assert_int_equal(proto_receiving_take(&r, 1, at, 11), WRONG);
    assert_int_equal(proto_receiving_take(&r, 1, at, 10), TAKEN);
    /* Left with 100 bytes of window open: no more than these are dropped in silence. */
    assert_true(proto_receiving_ack(&r, 1, 110));
    proto_receiving_leave(&r);
    assert_true(proto_receiving_expects(&r));
    assert_int_equal(proto_receiving_take(&r, 1, at + 10, 60), LATE);
    assert_int_equal(proto_receiving_take(&r, 1, at + 70, 41), WRONG);
    assert_int_equal(proto_receiving_take(&r, 1, at + 70, 40), LATE);
    assert_false(proto_receiving_expects(&r));
}

static void sending(void **state) {
    proto_sending s = {0};
    (void)state;
    assert_int_equal(proto_sending_room(&s), 0);
    proto_sending_begin(&s, 3, 1000);
    assert_int_equal(proto_sending_room(&s), PIECE);
    s.next += WINDOW - 5;
    assert_int_equal(proto_sending_room(&s), 5);
    s.next += 5;
    assert_int_equal(proto_sending_room(&s), 0);
    assert_int_equal(proto_sending_acked(&s, 2, 0), 0);
    assert_int_equal(proto_sending_acked(&s, 4, 1000), -1);
    assert_int_equal(proto_sending_acked(&s, 3, 999), -1);
    assert_int_equal(proto_sending_acked(&s, 3, 1000 + WINDOW + 1), -1);
    assert_int_equal(proto_sending_acked(&s, 3, 1000 + WINDOW), 1);
    assert_int_equal(proto_sending_room(&s), PIECE);
    s.open = false;
    assert_int_equal(proto_sending_acked(&s, 3, 1000 + WINDOW), 0);
    assert_int_equal(proto_sending_room(&s), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(receiving), cmocka_unit_test(window),
                                       cmocka_unit_test(sending)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
