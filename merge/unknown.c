/* unknown.c - top-level keys that the engine knows nothing about: fields without a clock, C's on a tie (merge
 * §3). */
#include "engine.h"
#include "value.h"

static const tm_field *at(const trivet_merge_state *state, size_t index) {
    return state && index < state->unknown_count ? &state->unknown[index] : NULL;
}

/* A key that a side does not send is no deletion: the side agrees (merge §1). */
static tm_slice merge_value(const tm_merge *m, tm_slice a, tm_slice p, tm_slice c) {
    if (m->large == TRIVET_MERGE_LARGE_PHONE)
        return p.data ? p : c.data ? c : a;
    if (m->large == TRIVET_MERGE_LARGE_COMPUTER)
        return c.data ? c : p.data ? p : a;
    p = p.data ? p : a.data ? a : c;
    c = c.data ? c : a.data ? a : p;
    if (a.data && tm_value_equal(p, a))
        return tm_value_equal(c, a) ? a : c;
    if (a.data && tm_value_equal(c, a))
        return p;
    if (tm_value_equal(p, c))
        return tm_slice_compare(p, c) <= 0 ? p : c;
    return c;
}

int tm_merge_unknown(tm_merge *m) {
    const trivet_merge_state *const sides[] = {m->a, m->p, m->c};
    trivet_merge_state *merged = &m->result->snapshot;
    size_t next[3] = {0, 0, 0},
           most = m->p->unknown_count + m->c->unknown_count + (m->a ? m->a->unknown_count : 0);
    if (most == 0)
        return 0;
    merged->unknown = tm_alloc_array(m->arena, most, sizeof *merged->unknown);
    if (!merged->unknown)
        return tm_out_of_memory(m);
    for (;;) {
        tm_slice key = {NULL, 0}, values[3] = {{NULL, 0}, {NULL, 0}, {NULL, 0}};
        for (int i = 0; i < 3; i++) {
            const tm_field *field = at(sides[i], next[i]);
            if (field && (!key.data || tm_slice_compare(field->key, key) < 0))
                key = field->key;
        }
        if (!key.data)
            return 0;
        for (int i = 0; i < 3; i++) {
            const tm_field *field = at(sides[i], next[i]);
            if (field && tm_slice_equal(field->key, key)) {
                values[i] = field->value;
                next[i]++;
            }
        }
        merged->unknown[merged->unknown_count++] =
            (tm_field){key, merge_value(m, values[0], values[1], values[2])};
    }
}
