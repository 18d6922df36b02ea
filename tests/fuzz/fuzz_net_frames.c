/*
 * WebSocket frames. The first byte chooses the end and the size of the pieces that the rest comes in; pieces must
 * make no difference to the messages, nor to the code that closes.
 */
#include <stdlib.h>
#include <string.h>

#include "net/frames.h"

enum { LIMIT = 300 };

typedef struct {
    uint64_t hash; /* of everything heard */
    size_t count;
} account;

static void note(account *a, uint8_t kind, const uint8_t *data, size_t len) {
    a->count++;
    a->hash = (a->hash ^ kind ^ len) * 0x100000001b3u;
    for (size_t i = 0; i < len; i++)
        a->hash = (a->hash ^ data[i]) * 0x100000001b3u;
}

static void on_message(void *owner, bool binary, const uint8_t *data, size_t len) {
    utf8_check_state utf8 = UTF8_CHECK_INIT;

    if (len > LIMIT || (!binary && (!utf8_check(&utf8, data, len) || !utf8_check_complete(&utf8))))
        abort();
    note(owner, binary, data, len);
}

static void on_ping(void *owner, const uint8_t *data, size_t len) {
    if (len > FRAMES_MAX_CONTROL)
        abort();
    note(owner, 2, data, len);
}

static void on_close(void *owner, int code) {
    if (code != CLOSE_NO_STATUS && !frames_close_code_valid(code))
        abort();
    note(owner, 3, (const uint8_t *)&code, sizeof code);
    ((account *)owner)->count |= (size_t)1 << 62;
}

static int run(const uint8_t *data, size_t len, size_t piece, bool server, account *a) {
    static const frames_events events = {on_message, on_ping, on_close};
    frames f;
    int code = 0;

    *a = (account){0, 0};
    frames_init(&f, server, LIMIT);
    while (len > 0 && code == 0 && !(a->count >> 62)) {
        size_t n = len < piece ? len : piece;

        code = frames_feed(&f, data, n, &events, a);
        data += n;
        len -= n;
        if (f.size > 2 * 16384 || f.len > LIMIT)
            abort();
    }
    frames_release(&f);
    return code;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    account whole, pieces;
    bool server;

    if (size < 2)
        return 0;
    server = data[0] & 1;
    if (run(data + 1, size - 1, size, server, &whole) !=
            run(data + 1, size - 1, (size_t)(data[0] >> 1) % 19 + 1, server, &pieces) ||
        whole.hash != pieces.hash || whole.count != pieces.count)
        abort();
    return 0;
}
