/*
 * libc.c - the functions of stdlib.h and string.h beside it, for a WebAssembly module that has no C library.
 *
 * Memory is handed out upwards and, but for the newest piece, never reused: a module is instantiated for a merge and thrown away.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))

enum { ALIGN = 16, PAGE = 65536 };

extern char __heap_base[];

/* Stands before each piece. */
typedef union {
    size_t size;
    char room[ALIGN];
} head;

static char *top;

EXPORT void *malloc(size_t size) {
    if (!top)
        top = __heap_base + (-(uintptr_t)__heap_base & (ALIGN - 1));
    if (size > SIZE_MAX / 2)
        return NULL;
    size_t whole = sizeof(head) + ((size + ALIGN - 1) & ~(size_t)(ALIGN - 1));
    size_t have = (size_t)__builtin_wasm_memory_size(0) * PAGE - (size_t)top;
    if (whole > have && __builtin_wasm_memory_grow(0, (whole - have + PAGE - 1) / PAGE) == SIZE_MAX)
        return NULL;
    head *h = (head *)(void *)top;
    h->size = size;
    top += whole;
    return h + 1;
}

EXPORT void free(void *p) {
    head *h = (head *)p - 1;
    if (p && (char *)p + ((h->size + ALIGN - 1) & ~(size_t)(ALIGN - 1)) == top)
        top = (char *)h;
}

void *calloc(size_t count, size_t size) {
    if (size > 0 && count > SIZE_MAX / size)
        return NULL;
    void *p = malloc(count * size);
    return p ? memset(p, 0, count * size) : NULL;
}

void *realloc(void *p, size_t size) {
    void *to = malloc(size);
    if (to && p) {
        size_t old = ((head *)p - 1)->size;
        memcpy(to, p, old < size ? old : size);
    }
    return to;
}

void *memcpy(void *restrict to, const void *restrict from, size_t len) {
    return memmove(to, from, len);
}

void *memmove(void *to, const void *from, size_t len) {
    unsigned char *t = to;
    const unsigned char *f = from;
    if ((uintptr_t)t <= (uintptr_t)f)
        for (size_t i = 0; i < len; i++)
            t[i] = f[i];
    else
        while (len-- > 0)
            t[len] = f[len];
    return to;
}

void *memset(void *to, int byte, size_t len) {
    unsigned char *t = to;
    for (size_t i = 0; i < len; i++)
        t[i] = (unsigned char)byte;
    return to;
}

int memcmp(const void *a, const void *b, size_t len) {
    const unsigned char *x = a, *y = b;
    for (size_t i = 0; i < len; i++)
        if (x[i] != y[i])
            return x[i] < y[i] ? -1 : 1;
    return 0;
}

void *memchr(const void *p, int byte, size_t len) {
    const unsigned char *x = p;
    for (size_t i = 0; i < len; i++)
        if (x[i] == (unsigned char)byte)
            return (void *)(uintptr_t)(x + i);
    return NULL;
}

size_t strlen(const char *text) {
    size_t len = 0;
    while (text[len] != '\0')
        len++;
    return len;
}
