/* Where a thread's loop reads to. */
#include "net/scratch.h"

#include <stdlib.h>
#include <threads.h>

static tss_t key;
static once_flag once = ONCE_FLAG_INIT;

static void make_key(void) {
    if (tss_create(&key, free) != thrd_success)
        abort(); /* no keys left at the program's start: nothing of it would work */
}

scratch *scratch_get(void) {
    call_once(&once, make_key);
    scratch *s = tss_get(key);

    if (!s && (s = malloc(sizeof *s)) && tss_set(key, s) != thrd_success) {
        free(s);
        s = NULL;
    }
    return s;
}

void scratch_to_read(uv_buf_t *buf) {
    scratch *s = scratch_get();
    *buf = s ? uv_buf_init(s->read, sizeof s->read) : uv_buf_init(NULL, 0);
}

enum { TURN_OVER = UINT8_MAX };

void scratch_to_read_in_turn(uv_buf_t *buf, uint8_t *filled, uint8_t turns, size_t most) {
    if (*filled >= turns) {
        *filled = TURN_OVER;
        *buf = uv_buf_init(NULL, 0);
        return;
    }
    scratch_to_read(buf);
    if (buf->len > most)
        buf->len = most;
}

bool scratch_turn_over(uint8_t *filled, ssize_t n, const uv_buf_t *buf) {
    if (n == UV_ENOBUFS && *filled == TURN_OVER) { /* and not out of memory */
        *filled = 0;
        return true;
    }
    if (n > 0 && (size_t)n == buf->len)
        ++*filled;
    else
        *filled = 0;
    return false;
}
