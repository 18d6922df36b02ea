/*
 * buffer.h - text being written.
 *
 * Memory that runs out is noted and asked about once at the end, so that what writes reads as what is
 * written.
 */
#ifndef TM_BUFFER_H
#define TM_BUFFER_H

#include "number.h"
#include "slice.h"

typedef struct {
    char *data;
    size_t len, room;
    bool failed; /* out of memory; everything from there on is dropped */
} tm_buffer;

/* `hint`: about how many bytes will come. */
void tm_buffer_init(tm_buffer *b, size_t hint);
void tm_buffer_release(tm_buffer *b);

/* The text, NUL-terminated, to the caller; or ENOMEM. The buffer is released either way. */
int tm_buffer_finish(tm_buffer *b, char **out, size_t *len);

bool tm_buffer_grow(tm_buffer *b, size_t size);

/* Where `size` more bytes may be written, or NULL; tm_buffer_wrote() says how many were. */
static inline char *tm_buffer_space(tm_buffer *b, size_t size) {
    return b->room - b->len >= size || tm_buffer_grow(b, size) ? b->data + b->len : NULL;
}

static inline void tm_buffer_wrote(tm_buffer *b, const char *end) {
    b->len = (size_t)(end - b->data);
}

static inline char *tm_put(char *to, const char *data, size_t len) {
    if (len > 0)
        memcpy(to, data, len);
    return to + len;
}

#define TM_PUT(to, literal) tm_put((to), (literal), sizeof(literal) - 1)

void tm_buffer_add(tm_buffer *b, const char *data, size_t len);
void tm_buffer_slice(tm_buffer *b, tm_slice slice);  /* as it is */
void tm_buffer_string(tm_buffer *b, tm_slice slice); /* in quotation marks */
void tm_buffer_integer(tm_buffer *b, uint64_t value);

#define TM_ADD(buffer, literal) tm_buffer_add((buffer), (literal), sizeof(literal) - 1)

#endif
