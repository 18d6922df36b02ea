/*
 * All ids are sorted; the one that an id shares most with is then next to it, so that a prefix one byte
 * longer than what it shares with its neighbours is its own.
 */
#include "state/prefix.h"

#include <stdlib.h>
#include <string.h>

enum { SHORTEST = 4 };

typedef struct {
    char *bytes; /* plain UTF-8, NUL-terminated; lone surrogates as U+FFFD */
    size_t len;
} plain_id;

struct prefixes {
    plain_id *ids;
    size_t count;
};

static int compare(const void *a, const void *b) {
    const plain_id *x = a, *y = b;
    int order = memcmp(x->bytes, y->bytes, x->len < y->len ? x->len : y->len);

    if (order != 0)
        return order;
    return x->len < y->len ? -1 : x->len > y->len;
}

static size_t count_live(const trivet_merge_state *state, trivet_merge_section section) {
    trivet_merge_item item;
    size_t count = 0;

    for (size_t slot = 0; slot < trivet_merge_slot_count(state, section); slot++) {
        for (size_t i = 0; trivet_merge_item_at(state, section, slot, i, &item) && !item.deleted; i++)
            count++;
    }
    return count;
}

static int collect(prefixes *p, const trivet_merge_state *state, trivet_merge_section section) {
    trivet_merge_item item;

    for (size_t slot = 0; slot < trivet_merge_slot_count(state, section); slot++) {
        for (size_t i = 0; trivet_merge_item_at(state, section, slot, i, &item) && !item.deleted; i++) {
            plain_id *id = &p->ids[p->count];
            if (trivet_merge_unquote(item.id, &id->bytes, &id->len) != 0)
                return -1;
            p->count++;
        }
    }
    return 0;
}

int prefixes_new(const trivet_merge_state *state, prefixes **out) {
    prefixes *p = calloc(1, sizeof *p);
    size_t count = count_live(state, TRIVET_MERGE_LISTS) + count_live(state, TRIVET_MERGE_LOCKED_LISTS);

    if (!p || !(p->ids = calloc(count ? count : 1, sizeof *p->ids)) ||
        collect(p, state, TRIVET_MERGE_LISTS) != 0 || collect(p, state, TRIVET_MERGE_LOCKED_LISTS) != 0) {
        prefixes_free(p);
        return -1;
    }
    qsort(p->ids, p->count, sizeof *p->ids, compare);
    *out = p;
    return 0;
}

void prefixes_free(prefixes *p) {
    if (!p)
        return;
    for (size_t i = 0; i < p->count; i++)
        free(p->ids[i].bytes);
    free(p->ids);
    free(p);
}

static size_t shared(const plain_id *a, const plain_id *b) {
    size_t i = 0;

    while (i < a->len && i < b->len && a->bytes[i] == b->bytes[i])
        i++;
    return i;
}

char *prefixes_of(const prefixes *p, trivet_merge_slice slice) {
    plain_id id;
    size_t low = 0, high = p->count, need = SHORTEST;

    if (trivet_merge_unquote(slice, &id.bytes, &id.len) != 0)
        return NULL;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare(&p->ids[middle], &id) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    /* p->ids[low] is the id itself. */
    if (low > 0 && shared(&id, &p->ids[low - 1]) >= need)
        need = shared(&id, &p->ids[low - 1]) + 1;
    if (low + 1 < p->count && shared(&id, &p->ids[low + 1]) >= need)
        need = shared(&id, &p->ids[low + 1]) + 1;
    while (need < id.len && ((unsigned char)id.bytes[need] & 0xC0) == 0x80)
        need++;
    if (need < id.len)
        id.bytes[need] = '\0';
    return id.bytes;
}
