/* Few parts, so they are looked through one by one: by a word of the name, or by the length. */
#include "memo.h"

#include "blob.h"

#include <stdlib.h>
#include <string.h>

struct part {
    store_name name;
    void *data; /* NULL: a free place */
    size_t len;
    uint64_t used; /* the memo's clock at its last use */
};

struct memo {
    struct part parts[MEMO_PARTS];
    size_t bytes;
    uint64_t clock;
};

memo *memo_new(void) {
    return calloc(1, sizeof(memo));
}

static void drop(memo *m, struct part *p) {
    m->bytes -= p->len;
    free(p->data);
    *p = (struct part){.data = NULL};
}

void memo_free(memo *m) {
    if (!m)
        return;
    for (size_t i = 0; i < MEMO_PARTS; i++)
        drop(m, &m->parts[i]);
    free(m);
}

const void *memo_find(memo *m, const store_name *name, size_t *len) {
    for (size_t i = 0; m && i < MEMO_PARTS; i++) {
        struct part *p = &m->parts[i];
        if (!p->data || !store_name_equal(&p->name, name))
            continue;
        p->used = ++m->clock;
        *len = p->len;
        return p->data;
    }
    return NULL;
}

/* A free place, or that of the part whose use is the longest ago. */
static struct part *place_for(memo *m, size_t len) {
    for (;;) {
        struct part *oldest = NULL, *free_place = NULL;
        for (size_t i = 0; i < MEMO_PARTS; i++) {
            struct part *p = &m->parts[i];
            if (!p->data)
                free_place = p;
            else if (!oldest || p->used < oldest->used)
                oldest = p;
        }
        if (free_place && m->bytes + len <= MEMO_BYTES)
            return free_place;
        drop(m, oldest); /* there is one: no part alone is too large */
    }
}

void memo_keep(memo *m, const store_name *name, const void *data, size_t len) {
    size_t ignored;
    void *copy;

    if (!m || len == 0 || len > MEMO_BYTES / 4 || memo_find(m, name, &ignored) || !(copy = malloc(len)))
        return;
    memcpy(copy, data, len);
    struct part *p = place_for(m, len);
    *p = (struct part){*name, copy, len, ++m->clock};
    m->bytes += len;
}

void memo_name(memo *m, const void *data, size_t len, store_name *out) {
    for (size_t i = 0; m && i < MEMO_PARTS; i++) {
        struct part *p = &m->parts[i];
        if (!p->data || p->len != len || memcmp(p->data, data, len) != 0)
            continue;
        p->used = ++m->clock;
        *out = p->name;
        return;
    }
    blob_name(data, len, out);
    memo_keep(m, out, data, len);
}
