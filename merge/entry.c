/* entry.c - merges categories and scratchpads, slot by slot, on their own updatedAt (merge §3, §4). */
#include "engine.h"

typedef struct {
    const tm_entry *a, *p, *c;
} entry_row;

static const tm_entry *entry_of(const trivet_merge_state *state, trivet_merge_section section, size_t index) {
    const tm_entries *entries = tm_entries_of(state, section);
    return entries && index < entries->count ? entries->entries[index] : NULL;
}

/* Never dated, where the ancestor was: a fresh install's own entry, and no edit. */
static bool is_factory_default(const tm_entry *entry, const tm_entry *a) {
    return a && entry->entry.updated_at == 0 && a->entry.updated_at > 0;
}

/* A side without a view, or with a factory default, agrees with A; without A, with the other side. */
static entry_row views(const entry_row *held) {
    entry_row row = *held;
    if (!row.p || is_factory_default(row.p, row.a))
        row.p = row.a ? row.a : row.c;
    if (!row.c || is_factory_default(row.c, row.a))
        row.c = row.a ? row.a : held->p;
    return row;
}

static bool same_text(const tm_entry *a, const tm_entry *b) {
    return !a->entry.text.data == !b->entry.text.data && tm_slice_equal(a->entry.text, b->entry.text);
}

/* A scratchpad that both changed, differently, is merged by lines where that can be done (merge §4). */
static int try_lines(tm_merge *m, const tm_subject *s, const entry_row *row, tm_entry *out, bool *merged) {
    *merged = false;
    if (s->section != TRIVET_MERGE_SCRATCHPAD || m->options->text == TRIVET_MERGE_TEXT_WHOLE || !row->a)
        return 0;
    tm_slice a = row->a->entry.text, p = row->p->entry.text, c = row->c->entry.text;
    if (!a.data || !p.data || !c.data)
        return 0;
    int rc = tm_merge_lines(m, s, a, p, c, &out->entry.text, merged);
    m->result->counts.scratchpad_line_merged += *merged;
    return rc;
}

static int merge_text(tm_merge *m, tm_subject *s, const entry_row *row, tm_entry *out) {
    bool p_is_a = row->a && same_text(row->p, row->a), c_is_a = row->a && same_text(row->c, row->a);
    bool p_is_c = same_text(row->p, row->c), merged = false;
    if (!p_is_a && !c_is_a && !p_is_c) {
        int rc = try_lines(m, s, row, out, &merged);
        if (rc != 0 || merged)
            return rc;
    }
    tm_take take = tm_decide(s, p_is_a, c_is_a, p_is_c, &s->recent);
    if (take == TM_TAKE_TIE) {
        tm_slice p_value = tm_quoted(m, row->p->entry.text), c_value = tm_quoted(m, row->c->entry.text);
        if (!p_value.data || !c_value.data)
            return tm_out_of_memory(m);
        int rc = tm_tie(m, s, tm_text_key(s->section), p_value, c_value, &take);
        if (rc != 0)
            return rc;
    }
    const tm_entry *from = take == TM_TAKE_A ? row->a : take == TM_TAKE_C ? row->c : row->p;
    out->entry.text = from->entry.text;
    return 0;
}

static void merge_updated_at(const tm_subject *s, const entry_row *row, tm_entry *out) {
    bool p = row->p->has_updated_at, c = row->c->has_updated_at;
    out->entry.updated_at = s->p_time > s->c_time ? s->p_time : s->c_time;
    out->has_updated_at = s->p_time == s->c_time ? p || c : s->p_time > s->c_time ? p : c;
}

static int merge_row(tm_merge *m, tm_subject *s, const entry_row *row, tm_entry *out) {
    const tm_rest *rest;
    size_t first_tie = m->result->tie_count;
    merge_updated_at(s, row, out);
    int rc = merge_text(m, s, row, out);
    if (rc != 0)
        return rc;
    rc = tm_merge_rest(m, s, row->a ? row->a->entry.rest : NULL, row->p->entry.rest, row->c->entry.rest,
                       &rest);
    out->entry.rest = rest;
    for (size_t i = first_tie; i < m->result->tie_count; i++)
        m->result->ties[i].context = out->entry.text;
    return rc;
}

static int merge_entry(tm_merge *m, trivet_merge_section section, size_t index, const tm_entry **out) {
    entry_row held = {entry_of(m->a, section, index), entry_of(m->p, section, index),
                      entry_of(m->c, section, index)};
    entry_row row = views(&held);
    tm_subject s = {.section = section, .slot = index, .has_a = row.a != NULL};
    int64_t p_time = row.p->entry.updated_at;
    s.p_time = row.p == held.p ? tm_phone_time(m, p_time, row.a ? &row.a->entry.updated_at : NULL) : p_time;
    s.c_time =
        row.c == row.p ? s.p_time : row.c->entry.updated_at; /* one without a view agrees, dates and all */
    s.silent = p_time == 0 && row.c->entry.updated_at == 0;
    tm_entry *entry = tm_alloc(m->arena, sizeof *entry);
    if (!entry)
        return tm_out_of_memory(m);
    *entry = (tm_entry){0};
    int rc = merge_row(m, &s, &row, entry);
    *out = entry;
    return rc != 0 ? rc : tm_report_entry(m, held.p, held.c, entry, &s);
}

/* The choice of a large change: one side's entry wholesale, the other's where it has none. */
static int choose_entry(tm_merge *m, trivet_merge_section section, size_t index, const tm_entry **out) {
    const tm_entry *p = entry_of(m->p, section, index), *c = entry_of(m->c, section, index);
    bool phone = m->large == TRIVET_MERGE_LARGE_PHONE;
    const tm_entry *first = phone ? p : c, *second = phone ? c : p;
    const tm_entry *a = entry_of(m->a, section, index);
    *out = first ? first : second ? second : a;
    if (p && *out == p) {
        tm_entry *dated = tm_alloc(m->arena, sizeof *dated);
        if (!dated)
            return tm_out_of_memory(m);
        *dated = *p;
        dated->entry.updated_at = tm_phone_time(m, p->entry.updated_at, a ? &a->entry.updated_at : NULL);
        *out = dated;
    }
    tm_subject s = {.section = section, .slot = index};
    return tm_report_entry(m, p, c, *out, &s);
}

int tm_merge_entries(tm_merge *m, trivet_merge_section section) {
    const trivet_merge_state *const sides[] = {m->a, m->p, m->c};
    tm_entries *merged = tm_entries_of(&m->result->snapshot, section);
    size_t count = 0;
    for (int i = 0; i < 3; i++) {
        const tm_entries *entries = tm_entries_of(sides[i], section);
        if (!entries)
            continue;
        merged->present |= entries->present;
        count = entries->count > count ? entries->count : count;
    }
    bool chosen = m->large == TRIVET_MERGE_LARGE_PHONE || m->large == TRIVET_MERGE_LARGE_COMPUTER;
    for (; merged->count < count; merged->count++) {
        const tm_entry **out = &merged->entries[merged->count];
        int rc = chosen ? choose_entry(m, section, merged->count, out)
                        : merge_entry(m, section, merged->count, out);
        if (rc != 0)
            return rc;
    }
    return 0;
}
