/* buffer.c - grows by half, so that a large text that was guessed too short is not held nearly twice. */
#include "buffer.h"

#include <stdlib.h>

void tm_buffer_init(tm_buffer *b, size_t hint) {
    *b = (tm_buffer){NULL, 0, 0, false};
    tm_buffer_grow(b, hint + 1);
}

void tm_buffer_release(tm_buffer *b) {
    free(b->data);
    *b = (tm_buffer){NULL, 0, 0, false};
}

bool tm_buffer_grow(tm_buffer *b, size_t size) {
    if (b->failed)
        return false;
    size_t room = b->room + b->room / 2;
    if (room < b->len + size)
        room = b->len + size;
    char *data = size > SIZE_MAX / 4 || room > SIZE_MAX / 2 ? NULL : realloc(b->data, room);
    if (!data) {
        b->failed = true;
        return false;
    }
    b->data = data;
    b->room = room;
    return true;
}

int tm_buffer_finish(tm_buffer *b, char **out, size_t *len) {
    TM_ADD(b, "\0");
    *out = NULL;
    if (b->failed) {
        tm_buffer_release(b);
        return TRIVET_MERGE_ENOMEM;
    }
    *out = b->data;
    if (len)
        *len = b->len - 1;
    return 0;
}

void tm_buffer_add(tm_buffer *b, const char *data, size_t len) {
    char *to = tm_buffer_space(b, len);
    if (to)
        tm_buffer_wrote(b, tm_put(to, data, len));
}

void tm_buffer_slice(tm_buffer *b, tm_slice slice) {
    tm_buffer_add(b, slice.data, slice.len);
}

void tm_buffer_string(tm_buffer *b, tm_slice slice) {
    char *to = tm_buffer_space(b, slice.len + 2);
    if (!to)
        return;
    *to++ = '"';
    to = tm_put(to, slice.data, slice.len);
    *to++ = '"';
    tm_buffer_wrote(b, to);
}

void tm_buffer_integer(tm_buffer *b, uint64_t value) {
    char *to = tm_buffer_space(b, TM_NUMBER_MAX);
    if (to)
        tm_buffer_wrote(b, tm_integer_write(to, value));
}
