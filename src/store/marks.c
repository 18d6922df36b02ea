/*
 * marks.c - a bit for each blob, and a stack of names.
 */
#include "marks.h"

#include "sql.h"
#include <stdlib.h>

static const int64_t MOST = INT64_C(1) << 30; /* blobs; 128 MB of marks */

struct blob_marks {
    int64_t top;
    store_name *noted;
    size_t count;
    bool lost; /* a name that there was no memory for */
    uint8_t bits[];
};

blob_marks *marks_new(int64_t top) {
    if (top < 0 || top > MOST)
        return NULL;
    blob_marks *m = calloc(1, sizeof *m + (size_t)top / 8 + 1);
    if (m != NULL)
        m->top = top;
    return m;
}

void marks_free(blob_marks *m) {
    if (m == NULL)
        return;
    free(m->noted);
    free(m);
}

int64_t marks_top(const blob_marks *m) {
    return m->top;
}

bool marks_has(const blob_marks *m, int64_t num) {
    return num < 0 || num > m->top || (m->bits[num / 8] & 1u << num % 8) != 0;
}

bool marks_set(blob_marks *m, int64_t num) {
    bool had = marks_has(m, num);
    if (!had)
        m->bits[num / 8] = (uint8_t)(m->bits[num / 8] | 1u << num % 8);
    return had;
}

void marks_clear(blob_marks *m, int64_t num) {
    if (num >= 0 && num <= m->top)
        m->bits[num / 8] = (uint8_t)(m->bits[num / 8] & ~(1u << num % 8));
}

void marks_note(blob_marks *m, const store_name *name) {
    store_name *grown = store_grow(m->noted, m->count, sizeof *grown);
    if (grown == NULL) {
        m->lost = true;
        return;
    }
    m->noted = grown;
    m->noted[m->count++] = *name;
}

int marks_take(blob_marks *m, store_name *out) {
    if (m->lost)
        return STORE_FAILED;
    if (m->count == 0)
        return STORE_NONE;
    *out = m->noted[--m->count];
    return 0;
}
