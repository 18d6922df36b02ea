/* arena.c - a list of chunks, each twice the last up to a bound, so that little is wasted at any size. */
#include "arena.h"

#include <stdint.h>
#include <stdlib.h>

enum { ALIGN = 8, CHUNK_MIN = 1024, CHUNK_MAX = 1 << 20 };

struct tm_chunk {
    struct tm_chunk *older;
    double aligned[]; /* the strictest type in use */
};

void tm_arena_init(tm_arena *arena, size_t hint) {
    arena->chunks = NULL;
    arena->at = arena->end = NULL;
    arena->next = hint < CHUNK_MIN ? CHUNK_MIN : hint;
}

void tm_arena_release(tm_arena *arena) {
    while (arena->chunks) {
        struct tm_chunk *older = arena->chunks->older;
        free(arena->chunks);
        arena->chunks = older;
    }
    arena->at = arena->end = NULL;
}

/* A chunk with room for `size` bytes becomes the newest. */
static int grow(tm_arena *arena, size_t size) {
    if (size > SIZE_MAX / 2)
        return -1;
    size_t room = arena->next > size ? arena->next : size;
    struct tm_chunk *chunk = malloc(sizeof *chunk + room);
    if (!chunk)
        return -1;
    chunk->older = arena->chunks;
    arena->chunks = chunk;
    arena->at = (char *)chunk->aligned;
    arena->end = arena->at + room;
    arena->next = room >= CHUNK_MAX / 2 ? CHUNK_MAX : room * 2;
    return 0;
}

void *tm_alloc(tm_arena *arena, size_t size) {
    size_t skip = (size_t)(-(uintptr_t)arena->at & (ALIGN - 1));
    /* an empty arena has no address to give, not even for nothing */
    if (!arena->at || (size_t)(arena->end - arena->at) < skip ||
        (size_t)(arena->end - arena->at) - skip < size) {
        if (grow(arena, size) != 0)
            return NULL;
        skip = 0;
    }
    void *p = arena->at + skip;
    arena->at += skip + size;
    return p;
}

/* Nothing is no NULL either: in an arena that has no chunk yet it would look like a lack of memory. */
void *tm_alloc_array(tm_arena *arena, size_t count, size_t size) {
    if (count == 0)
        count = 1;
    return count > SIZE_MAX / 2 / size ? NULL : tm_alloc(arena, count * size);
}

char *tm_alloc_bytes(tm_arena *arena, size_t size) {
    if ((!arena->at || (size_t)(arena->end - arena->at) < size) && grow(arena, size) != 0)
        return NULL;
    char *p = arena->at;
    arena->at += size;
    return p;
}

void tm_trim_bytes(tm_arena *arena, char *bytes, size_t used) {
    arena->at = bytes + used;
}
