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
