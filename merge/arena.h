/*
 * arena.h - memory of things that die together.
 *
 * Every state and every result owns one arena; nothing in it is freed alone. NULL means out of memory.
 */
#ifndef TM_ARENA_H
#define TM_ARENA_H

#include <stddef.h>

struct tm_chunk;

typedef struct {
    struct tm_chunk *chunks; /* newest first */
    char *at, *end;          /* what is left of the newest */
    size_t next;             /* bytes of the next chunk */
} tm_arena;

/* `hint`: how many bytes the first chunk should have; allocates nothing yet. */
void tm_arena_init(tm_arena *arena, size_t hint);
void tm_arena_release(tm_arena *arena);

/* Aligned for every type of this library. */
void *tm_alloc(tm_arena *arena, size_t size);
void *tm_alloc_array(tm_arena *arena, size_t count, size_t size);

/* Bytes, unaligned. */
char *tm_alloc_bytes(tm_arena *arena, size_t size);

/* Gives the end of the newest tm_alloc_bytes() back: it keeps `used` of its bytes. */
void tm_trim_bytes(tm_arena *arena, char *bytes, size_t used);

#endif
