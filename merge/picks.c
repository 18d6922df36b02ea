/* picks.c - ties and their answers (merge §7). */
#include <stdlib.h>

#include "buffer.h"
#include "engine.h"
#include "sort.h"

int tm_out_of_memory(tm_merge *m) {
    return tm_error_set(m->err, TRIVET_MERGE_ENOMEM, TRIVET_MERGE_COMPUTER, NULL, 0, "out of memory");
}

tm_slice tm_quoted(tm_merge *m, tm_slice slice) {
    if (!slice.data)
        return TM_SLICE("null");
    char *out = tm_alloc_bytes(m->arena, slice.len + 2);
    if (!out)
        return (tm_slice){NULL, 0};
    *out = '"';
    char *end = tm_put(out + 1, slice.data, slice.len);
    *end = '"';
    return (tm_slice){out, slice.len + 2};
}

static int compare_picks(const void *left, const void *right) {
    const trivet_merge_pick *a = left, *b = right;
    if (a->section != b->section)
        return a->section < b->section ? -1 : 1;
    if (a->slot != b->slot)
        return a->slot < b->slot ? -1 : 1;
    if (!a->item_id.data != !b->item_id.data)
        return a->item_id.data ? 1 : -1;
    int order = tm_slice_compare(a->item_id, b->item_id);
    return order != 0 ? order : tm_slice_compare(a->field, b->field);
}

int tm_picks_init(tm_merge *m) {
    size_t count = m->options->pick_count;
    if (!m->options->picks)
        return 0;
    m->picks = calloc(count + 1, sizeof *m->picks);
    m->picked = calloc(count + 1, sizeof *m->picked);
    if (!m->picks || !m->picked)
        return tm_out_of_memory(m);
    for (size_t i = 0; i < count; i++)
        m->picks[i] = &m->options->picks[i];
    tm_sort((void **)m->picks, count, compare_picks, NULL);
    return 0;
}

/* lists[2]["the id"].text */
static int fail_pick(tm_merge *m, const trivet_merge_pick *pick, const char *reason) {
    tm_step path[4] = {{tm_section_key(pick->section), 0}, {{NULL, 0}, pick->slot}};
    size_t steps = 2;
    if (pick->item_id.data)
        path[steps++] = (tm_step){pick->item_id, 0};
    path[steps++] = (tm_step){pick->field.data ? pick->field : TM_SLICE(""), 0};
    return tm_error_set(m->err, TRIVET_MERGE_EPICK, TRIVET_MERGE_PHONE, path, steps, reason);
}

static int answer(tm_merge *m, const trivet_merge_pick *tie, tm_take *take) {
    size_t low = 0, high = m->options->pick_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare_picks(m->picks[middle], tie) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == m->options->pick_count || compare_picks(m->picks[low], tie) != 0)
        return fail_pick(m, tie, "this tie has no pick");
    trivet_merge_side side = m->picks[low]->pick;
    if (side != TRIVET_MERGE_PHONE && side != TRIVET_MERGE_COMPUTER)
        return fail_pick(m, tie, "the pick is neither phone nor computer");
    m->picked[low] = true;
    *take = side == TRIVET_MERGE_PHONE ? TM_TAKE_P : TM_TAKE_C;
    return 0;
}

int tm_tie(tm_merge *m, tm_subject *s, tm_slice field, tm_slice p_value, tm_slice c_value, tm_take *take) {
    trivet_merge_result *result = m->result;
    *take = TM_TAKE_P;
    if (s->silent)
        return 0;
    s->tied = true;
    if (m->options->picks) {
        trivet_merge_pick tie = {s->section, s->slot, s->id, field, TRIVET_MERGE_PHONE};
        return answer(m, &tie, take);
    }
    if (result->tie_count == result->tie_room) {
        size_t room = result->tie_room ? result->tie_room * 2 : 8;
        trivet_merge_tie *ties = realloc(result->ties, room * sizeof *ties);
        if (!ties)
            return tm_out_of_memory(m);
        result->ties = ties;
        result->tie_room = room;
    }
    tm_slice null = TM_SLICE("null");
    result->ties[result->tie_count++] = (trivet_merge_tie){.section = s->section,
                                                           .slot = s->slot,
                                                           .item_id = s->id,
                                                           .field = field,
                                                           .phone_value = p_value.data ? p_value : null,
                                                           .computer_value = c_value.data ? c_value : null};
    return 0;
}

int tm_picks_finish(tm_merge *m) {
    for (size_t i = 0; m->picks && i < m->options->pick_count; i++)
        if (!m->picked[i])
            return fail_pick(m, m->picks[i],
                             i > 0 && compare_picks(m->picks[i - 1], m->picks[i]) == 0
                                 ? "this tie is picked twice"
                                 : "no tie matches this pick");
    return 0;
}
