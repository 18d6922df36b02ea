/* merge.c - the whole merge, in its order: join, guard, items, entries, unknown keys, picks, report. */
#include <stdlib.h>

#include "engine.h"

/* Whose items of a section a side stands for: its own, or where it has no view A's, or without A the other's.
 */
static const trivet_merge_state *view(const trivet_merge_state *side, const trivet_merge_state *a,
                                      const trivet_merge_state *other, trivet_merge_section section) {
    if (trivet_merge_state_has(side, section))
        return side;
    return a && trivet_merge_state_has(a, section) ? a : other;
}

static int join_section(tm_merge *m, trivet_merge_section section) {
    const trivet_merge_state *p = view(m->p, m->a, m->c, section), *c = view(m->c, m->a, m->p, section);
    return tm_join(m->a, p, c, section, &m->rows[section]) == 0 ? 0 : tm_out_of_memory(m);
}

/* M's section is there if anyone has it, and as long as the longest; with room for what will mostly be in it.
 */
static int open_section(tm_merge *m, trivet_merge_section section) {
    const trivet_merge_state *const sides[] = {m->a, m->p, m->c};
    tm_items *merged = tm_items_of(&m->result->snapshot, section);
    for (int i = 0; i < 3; i++)
        if (sides[i] && trivet_merge_state_has(sides[i], section))
            tm_items_extend(merged, trivet_merge_slot_count(sides[i], section));
    for (size_t s = 0; s < merged->slot_count; s++) {
        size_t most = 0;
        for (int i = 0; i < 3; i++) {
            size_t count = sides[i] ? trivet_merge_item_count(sides[i], section, s) : 0;
            most = count > most ? count : most;
        }
        if (tm_slot_reserve(&merged->slots[s], m->arena, most + most / 16) != 0)
            return tm_out_of_memory(m);
    }
    return 0;
}

/* The choice of a large change: one side's items wholesale; the other's where it has no view of them. */
static int choose_item(tm_merge *m, trivet_merge_section section, const tm_row *row) {
    bool phone = m->large == TRIVET_MERGE_LARGE_PHONE;
    if (!trivet_merge_state_has(phone ? m->p : m->c, section))
        phone = !phone;
    const tm_node *node = phone ? row->p : row->c;
    if (node && !(node = tm_dated(m, section, row, node)))
        return tm_out_of_memory(m);
    int rc = node ? tm_add_item(m, section, node) : 0;
    return rc != 0 ? rc : tm_report_item(m, section, row, node, NULL); /* not covered: one side has room */
}

static void release_rows(tm_merge *m, trivet_merge_section section) {
    free(m->rows[section].rows);
    m->rows[section] = (tm_rows){.rows = NULL};
}

static int merge_items(tm_merge *m, trivet_merge_section section) {
    bool chosen = m->large == TRIVET_MERGE_LARGE_PHONE || m->large == TRIVET_MERGE_LARGE_COMPUTER;
    const tm_rows *rows = &m->rows[section];
    int rc = open_section(m, section);
    if (rc == 0 && !chosen)
        rc = tm_find_moves(m, section);
    for (size_t i = 0; rc == 0 && i < rows->count; i++)
        rc = chosen ? choose_item(m, section, &rows->rows[i])
                    : tm_merge_item(m, section, &rows->rows[i], rows->marks[i]);
    if (rc == 0 && !chosen)
        rc = tm_build_orders(m, section);
    release_rows(m, section); /* what comes next can use their memory */
    tm_items_sort(tm_items_of(&m->result->snapshot, section));
    return rc;
}

static int merge_sections(tm_merge *m) {
    int rc = 0;
    for (unsigned s = 0; rc == 0 && s < TRIVET_MERGE_SECTIONS; s++) {
        trivet_merge_section section = (trivet_merge_section)s;
        rc = tm_is_items(section) ? merge_items(m, section) : tm_merge_entries(m, section);
    }
    return rc != 0 ? rc : tm_merge_unknown(m);
}

/* Large change, unanswered: that is the result. */
static bool is_question(tm_merge *m, bool asked) {
    m->large = asked ? m->options->large : TRIVET_MERGE_LARGE_ASK;
    return asked && m->large == TRIVET_MERGE_LARGE_ASK;
}

static int run(tm_merge *m) {
    bool asked;
    int rc;
    for (unsigned s = 0; s < TM_ITEM_SECTIONS; s++)
        if ((rc = join_section(m, (trivet_merge_section)s)) != 0)
            return rc;
    if ((rc = tm_guard(m, &asked)) != 0)
        return rc;
    m->result->counts.duplicates = m->p->duplicates + m->c->duplicates;
    if (is_question(m, asked)) {
        m->result->status = TRIVET_MERGE_LARGE_CHANGE;
        return 0;
    }
    if ((rc = tm_picks_init(m)) != 0 || (rc = merge_sections(m)) != 0 || (rc = tm_picks_finish(m)) != 0 ||
        (rc = tm_report_finish(m)) != 0)
        return rc;
    m->result->status = m->result->tie_count > 0 ? TRIVET_MERGE_CONFLICT : TRIVET_MERGE_MERGED;
    return 0;
}

static void release(tm_merge *m) {
    for (unsigned s = 0; s < TM_ITEM_SECTIONS; s++)
        release_rows(m, (trivet_merge_section)s);
    for (size_t s = 0; s < TRIVET_MERGE_MAX_SLOTS; s++)
        free(m->placing[s].items);
    free(m->picks);
    free(m->picked);
    free(m->fields);
}

/* Of the larger side, and for each item what a phone leaves out and M writes. */
static size_t document_hint(const trivet_merge_state *p, const trivet_merge_state *c) {
    const trivet_merge_state *larger = p->size_hint > c->size_hint ? p : c;
    size_t items = larger->items[0].total + larger->items[1].total;
    return larger->size_hint + larger->size_hint / 16 + items * 34;
}

int trivet_merge(const trivet_merge_state *ancestor, const trivet_merge_state *phone,
                 const trivet_merge_state *computer, const trivet_merge_options *options,
                 trivet_merge_result **out, trivet_merge_error *err) {
    static const trivet_merge_options defaults = TRIVET_MERGE_OPTIONS_INIT;
    tm_merge m = {.a = ancestor,
                  .p = phone,
                  .c = computer,
                  .options = options ? options : &defaults,
                  .err = err,
                  .pairs = TM_PAIRS_MAX};
    *out = NULL;
    m.result = calloc(1, sizeof *m.result);
    if (!m.result)
        return tm_out_of_memory(&m);
    tm_state_init(&m.result->snapshot, document_hint(phone, computer) / 8);
    m.result->snapshot.size_hint = document_hint(phone, computer);
    m.arena = &m.result->snapshot.arena;
    int rc = run(&m);
    release(&m);
    if (rc != 0) {
        trivet_merge_result_free(m.result);
        return rc;
    }
    *out = m.result;
    return 0;
}
