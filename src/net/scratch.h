/*
 * scratch.h - where a thread's loop reads to, and where it gathers what it writes.
 *
 * One of each for a thread, whatever number of connections it has: what is read is used up before the next read, and what is gathered
 * is handed over before the read that it answers is over. Made when first asked for and freed when the thread ends, so that threads
 * which never touch the network pay nothing (thread-local arrays would be cleared in each).
 */
#ifndef TRIVET_NET_SCRATCH_H
#define TRIVET_NET_SCRATCH_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

enum { SCRATCH_READ = 65536, SCRATCH_GATHER = 65536 };

typedef struct {
    char read[SCRATCH_READ];
    uint8_t gather[SCRATCH_GATHER];
} scratch;

/* This thread's; NULL: out of memory. */
scratch *scratch_get(void);

/* For uv_alloc_cb: the room to read to; none (which libuv tells as UV_ENOBUFS) where memory is out. */
void scratch_to_read(uv_buf_t *buf);

/*
 * How much of one connection is read before others have their turn. libuv reads on for as long as the room that it is
 * given is filled, 32 times, which for those who send small requests and pings is tens of milliseconds of work. So a
 * reader counts in a byte of its own how often that has happened, and at `turns` gives no room: libuv tells UV_ENOBUFS, goes on
 * with the others, and comes back.
 */
void scratch_to_read_in_turn(uv_buf_t *buf, uint8_t *filled, uint8_t turns, size_t most);

/* First thing in such a reader's uv_read_cb. True: nothing has come, its turn is over. */
bool scratch_turn_over(uint8_t *filled, ssize_t n, const uv_buf_t *buf);

#endif
