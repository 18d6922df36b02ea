/*
 * text.c - merges a scratchpad by lines, as diff3 does (merge §4).
 *
 * Both sides are aligned with the ancestor. What does not align are a side's hunks, between any two of which there
 * is at least one line that the side left alone. The two sides' hunks are gone through together, in the ancestor's
 * order, while M's text is written.
 */
#include <stdlib.h>

#include "engine.h"
#include "lines.h"

/* Lines of the ancestor, and what a side has instead of them. */
typedef struct {
    size_t from, to; /* of A */
    tm_slice lines;
} hunk;

typedef struct {
    tm_lines lines;
    tm_alignment alignment;
    size_t *partner;
    size_t at_a, at; /* where the walk stands */
    hunk hunk;       /* the one it has come to */
    bool more;       /* there is one */
} side;

typedef struct {
    tm_lines a;
    side p, c;
    bool p_first; /* P's insertion, where the dates say so */
    bool bytes;   /* ... they do not */
    size_t at;    /* lines of A that are in M, or for which something else is */
    char *out;    /* the end of M's text so far */
} text_merge;

/* ---- hunks --------------------------------------------------------------------------------------------- */

static void next_hunk(side *s, const tm_lines *a) {
    while (s->at_a < a->count && s->partner[s->at_a] == s->at) {
        s->at_a++;
        s->at++;
    }
    s->more = s->at_a < a->count || s->at < s->lines.count;
    size_t from = s->at_a, begin = s->at;
    while (s->at_a < a->count && s->partner[s->at_a] == TM_NO_LINE)
        s->at_a++;
    s->at = s->at_a < a->count ? s->partner[s->at_a] : s->lines.count;
    s->hunk = (hunk){from, s->at_a, tm_lines_slice(&s->lines, begin, s->at)};
}

static void put(text_merge *t, tm_slice slice) {
    if (slice.len > 0)
        memcpy(t->out, slice.data, slice.len);
    t->out += slice.len;
}

static void put_unchanged(text_merge *t, size_t to) {
    put(t, tm_lines_slice(&t->a, t->at, to));
    t->at = to;
}

static void apply(text_merge *t, side *s) {
    put_unchanged(t, s->hunk.from);
    put(t, s->hunk.lines);
    t->at = s->hunk.to;
    next_hunk(s, &t->a);
}

static bool same_hunk(const hunk *a, const hunk *b) {
    return a->from == b->from && a->to == b->to && tm_slice_equal(a->lines, b->lines);
}

static bool is_insertion(const hunk *h) {
    return h->from == h->to;
}

/* Two that overlap or touch: one after the other, once, or not at all. */
static bool apply_both(text_merge *t) {
    const hunk *p = &t->p.hunk, *c = &t->c.hunk;
    if (same_hunk(p, c)) {
        apply(t, &t->p);
        next_hunk(&t->c, &t->a);
        return true;
    }
    if (!is_insertion(p) || !is_insertion(c)) /* two insertions touch at one place only */
        return false;
    bool p_first = t->bytes ? tm_slice_compare(p->lines, c->lines) < 0 : t->p_first;
    apply(t, p_first ? &t->p : &t->c);
    apply(t, p_first ? &t->c : &t->p);
    return true;
}

static bool apply_hunks(text_merge *t) {
    next_hunk(&t->p, &t->a);
    next_hunk(&t->c, &t->a);
    while (t->p.more || t->c.more) {
        if (!t->c.more || (t->p.more && t->p.hunk.to < t->c.hunk.from))
            apply(t, &t->p);
        else if (!t->p.more || t->c.hunk.to < t->p.hunk.from)
            apply(t, &t->c);
        else if (!apply_both(t))
            return false;
    }
    put_unchanged(t, t->a.count);
    return true;
}

/* ---- texts --------------------------------------------------------------------------------------------- */

/* A field of its own: of two sides that both changed it each has what the other has. */
static bool is_ended(const text_merge *t) {
    return t->p.lines.ended == t->a.ended ? t->c.lines.ended : t->p.lines.ended;
}

static int write_merged(tm_merge *m, text_merge *t, tm_slice *out, bool *merged) {
    char *text = tm_alloc_bytes(m->arena, t->a.text.len + t->p.lines.text.len + t->c.lines.text.len);
    if (!text)
        return TRIVET_MERGE_ENOMEM;
    t->out = text;
    *merged = apply_hunks(t);
    size_t len = *merged ? (size_t)(t->out - text) : 0;
    if (len > 0 && !is_ended(t))
        len -= 2;
    tm_trim_bytes(m->arena, text, len);
    if (*merged)
        *out = (tm_slice){text, len};
    return 0;
}

static int finish_side(side *s, const tm_lines *a) {
    s->partner = malloc((a->count + 1) * sizeof *s->partner);
    return s->partner ? tm_alignment_finish(&s->alignment, s->partner) : TRIVET_MERGE_ENOMEM;
}

static int merge_texts(tm_merge *m, text_merge *t, tm_slice *out, bool *merged) {
    if (tm_align(&t->p.alignment, &t->a, &t->p.lines) != 0 ||
        tm_align(&t->c.alignment, &t->a, &t->c.lines) != 0)
        return TRIVET_MERGE_ENOMEM;
    uint64_t pairs = t->p.alignment.pairs + t->c.alignment.pairs;
    if (pairs > m->pairs)
        return 0;
    m->pairs -= pairs;
    if (finish_side(&t->p, &t->a) != 0 || finish_side(&t->c, &t->a) != 0)
        return TRIVET_MERGE_ENOMEM;
    return write_merged(m, t, out, merged);
}

static void release_side(side *s) {
    free(s->partner);
    tm_alignment_release(&s->alignment);
    tm_lines_release(&s->lines);
}

int tm_merge_lines(tm_merge *m, const tm_subject *s, tm_slice a, tm_slice p, tm_slice c, tm_slice *out,
                   bool *merged) {
    text_merge t = {.p_first = s->p_time < s->c_time, .bytes = s->p_time == s->c_time};
    int rc = tm_lines_init(&t.a, a);
    *merged = false;
    if (rc == 0)
        rc = tm_lines_init(&t.p.lines, p);
    if (rc == 0)
        rc = tm_lines_init(&t.c.lines, c);
    if (rc == 0)
        rc = merge_texts(m, &t, out, merged);
    release_side(&t.p);
    release_side(&t.c);
    tm_lines_release(&t.a);
    return rc == 0 ? 0 : tm_out_of_memory(m);
}
