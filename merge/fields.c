/* fields.c - the table of merge §3, and the fields that the engine knows nothing about. */
#include <stdlib.h>

#include "engine.h"
#include "number.h"
#include "value.h"

tm_take tm_decide(const tm_subject *s, bool p_is_a, bool c_is_a, bool p_is_c, bool *recent) {
    if (s->has_a && p_is_a)
        return c_is_a ? TM_TAKE_A : TM_TAKE_C;
    if (s->has_a && c_is_a)
        return TM_TAKE_P;
    if (p_is_c)
        return TM_TAKE_SAME;
    if (s->p_time == s->c_time)
        return TM_TAKE_TIE;
    if (recent)
        *recent = true;
    return s->p_time > s->c_time ? TM_TAKE_P : TM_TAKE_C;
}

int64_t tm_phone_time(const tm_merge *m, int64_t p_time, const int64_t *a_time) {
    int64_t offset = m->options->phone_clock_offset;
    /* what was never dated cannot be dated wrongly */
    if (offset == 0 || p_time == 0 || (a_time && *a_time == p_time))
        return p_time;
    if (offset > TM_TIME_MAX - p_time)
        return TM_TIME_MAX;
    return offset < -p_time ? 0 : p_time + offset;
}

/* ---- unknown fields ------------------------------------------------------------------------------------ */

static int push(tm_merge *m, tm_slice key, tm_slice value) {
    if (m->field_count == m->field_room) {
        size_t room = m->field_room ? m->field_room * 2 : 16;
        tm_field *fields = realloc(m->fields, room * sizeof *fields);
        if (!fields)
            return tm_out_of_memory(m);
        m->fields = fields;
        m->field_room = room;
    }
    m->fields[m->field_count++] = (tm_field){key, value};
    return 0;
}

/* Equal values can be written differently; which one is kept may not depend on who is the phone (law L4). */
static tm_slice same_value(tm_slice p, tm_slice c) {
    if (!p.data || !c.data)
        return p.data ? p : c;
    return tm_slice_compare(p, c) <= 0 ? p : c;
}

static int merge_field(tm_merge *m, tm_subject *s, tm_slice key, tm_slice a, tm_slice p, tm_slice c) {
    bool p_is_a = tm_value_equal(p, a), c_is_a = tm_value_equal(c, a), p_is_c = tm_value_equal(p, c);
    tm_take take = tm_decide(s, p_is_a, c_is_a, p_is_c, &s->recent);
    if (take == TM_TAKE_TIE) {
        /* a category's own section is no one's choice */
        bool silent = !s->id.data && tm_slice_equal(key, TM_SLICE("section"));
        int rc = silent ? 0 : tm_tie(m, s, key, p, c, &take);
        if (rc != 0)
            return rc;
    }
    tm_slice value = take == TM_TAKE_A      ? a
                     : take == TM_TAKE_C    ? c
                     : take == TM_TAKE_SAME ? same_value(p, c)
                                            : p;
    return value.data ? push(m, key, value) : 0;
}

/* The least key that is left in any of them. */
static tm_slice least_key(const tm_rest *const rest[3], const size_t at[3]) {
    tm_slice least = {NULL, 0};
    for (int i = 0; i < 3; i++) {
        if (!rest[i] || at[i] == rest[i]->count)
            continue;
        tm_slice key = rest[i]->fields[at[i]].key;
        if (!least.data || tm_slice_compare(key, least) < 0)
            least = key;
    }
    return least;
}

static int merge_fields(tm_merge *m, tm_subject *s, const tm_rest *const rest[3]) {
    size_t at[3] = {0, 0, 0};
    m->field_count = 0;
    for (;;) {
        tm_slice key = least_key(rest, at), values[3] = {{NULL, 0}, {NULL, 0}, {NULL, 0}};
        if (!key.data)
            return 0;
        for (int i = 0; i < 3; i++)
            if (rest[i] && at[i] < rest[i]->count && tm_slice_equal(rest[i]->fields[at[i]].key, key))
                values[i] = rest[i]->fields[at[i]++].value;
        int rc = merge_field(m, s, key, values[0], values[1], values[2]);
        if (rc != 0)
            return rc;
    }
}

int tm_merge_rest(tm_merge *m, tm_subject *s, const tm_rest *a, const tm_rest *p, const tm_rest *c,
                  const tm_rest **out) {
    const tm_rest *const rest[3] = {a, p, c};
    *out = NULL;
    if (!a && !p && !c)
        return 0;
    int rc = merge_fields(m, s, rest);
    if (rc != 0 || m->field_count == 0)
        return rc;
    tm_rest *merged = tm_alloc(m->arena, sizeof *merged + m->field_count * sizeof merged->fields[0]);
    if (!merged)
        return tm_out_of_memory(m);
    merged->count = m->field_count;
    memcpy(merged->fields, m->fields, m->field_count * sizeof merged->fields[0]);
    *out = merged;
    return 0;
}
