/*
 * guard.c - notices that a side has lost nearly everything (merge §8): a wiped phone, a wrong folder. Such a
 * side must not delete on the other what nobody deleted, so somebody is asked first.
 */
#include <stdlib.h>

#include "engine.h"

static bool is_live(const tm_node *node) {
    return node && !node->item.deleted;
}

static void measure(const tm_rows *rows, bool p_has, bool c_has, trivet_merge_large_change *large) {
    for (size_t i = 0; i < rows->count; i++) {
        const tm_row *row = &rows->rows[i];
        if (!is_live(row->a))
            continue;
        large->known++;
        /* a side without a view agrees: it misses nothing, and has what the other misses */
        large->phone_missing += p_has && !row->p && (!c_has || is_live(row->c));
        large->computer_missing += c_has && !row->c && (!p_has || is_live(row->p));
    }
}

static bool reaches(size_t missing, size_t known, double threshold) {
    /* the quotient of 4 and 5 is the very double that 0.8 is read as; a product would not do */
    return missing > 0 && (double)missing / (double)known >= threshold;
}

static bool is_large(const trivet_merge_large_change *large, double threshold) {
    return large->known > 0 && (reaches(large->phone_missing, large->known, threshold) ||
                                reaches(large->computer_missing, large->known, threshold));
}

static int measure_against(const trivet_merge_state *against, const trivet_merge_state *p,
                           const trivet_merge_state *c, trivet_merge_large_change *large) {
    for (unsigned s = 0; s < TM_ITEM_SECTIONS; s++) {
        trivet_merge_section section = (trivet_merge_section)s;
        tm_rows rows;
        if (tm_join(against, p, c, section, &rows) != 0)
            return TRIVET_MERGE_ENOMEM;
        measure(&rows, trivet_merge_state_has(p, section), trivet_merge_state_has(c, section), large);
        free(rows.rows);
    }
    return 0;
}

int trivet_merge_guard(const trivet_merge_state *against, const trivet_merge_state *phone,
                       const trivet_merge_state *computer, double threshold,
                       trivet_merge_large_change *large) {
    *large = (trivet_merge_large_change){0, 0, 0};
    int rc = measure_against(against, phone, computer, large);
    return rc == 0 ? is_large(large, threshold) : rc;
}

int tm_guard(tm_merge *m, bool *asked) {
    trivet_merge_large_change large = {0, 0, 0};
    if (m->a) {
        for (unsigned s = 0; s < TM_ITEM_SECTIONS; s++) {
            trivet_merge_section section = (trivet_merge_section)s;
            measure(&m->rows[s], trivet_merge_state_has(m->p, section), trivet_merge_state_has(m->c, section),
                    &large);
        }
    } else if (m->options->guard && measure_against(m->options->guard, m->p, m->c, &large) != 0) {
        return tm_out_of_memory(m);
    }
    *asked = is_large(&large, m->options->large_threshold);
    if (*asked)
        m->result->large = large;
    return 0;
}
