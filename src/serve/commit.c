/*
 * A new head. The order of the writes does not matter, for they become durable together with the caller's
 * transaction or not at all.
 */
#include "serve/commit.h"

#include "serve/counts.h"
#include "state/level.h"
#include "store/grave.h"

#include <string.h>

/* Cheap: the copy borrows. */
static int copy_state(const trivet_merge_state *from, trivet_merge_state **out) {
    int rc = trivet_merge_state_new(out);

    for (int i = 0; rc == 0 && i < TRIVET_MERGE_SECTIONS; i++)
        rc = trivet_merge_take_section(*out, from, (trivet_merge_section)i);
    return rc;
}

int commit_compare(const trivet_merge_state *was, const trivet_merge_state *is, trivet_merge_side by,
                   trivet_merge_counts *counts, bool *changed) {
    trivet_merge_options options = TRIVET_MERGE_OPTIONS_INIT;
    trivet_merge_error err = TRIVET_MERGE_ERROR_INIT;
    trivet_merge_state *before = NULL, *after = NULL;
    trivet_merge_result *result = NULL;
    bool phone = by == TRIVET_MERGE_PHONE;

    options.large = phone ? TRIVET_MERGE_LARGE_PHONE : TRIVET_MERGE_LARGE_COMPUTER;
    int rc = copy_state(was, &before);
    if (rc == 0)
        rc = copy_state(is, &after);
    if (rc == 0)
        rc = state_level(before, after);
    if (rc == 0)
        rc = trivet_merge(before, phone ? after : before, phone ? before : after, &options, &result, &err);
    if (rc == 0) {
        *changed = trivet_merge_result_change_count(result) > 0;
        trivet_merge_result_counts(result, counts);
    }
    trivet_merge_result_free(result);
    trivet_merge_state_free(before);
    trivet_merge_state_free(after);
    return rc;
}

/*
 * Whether anything but purged tombstones and factory defaults changed: those are never history (merge §6, L5).
 */
static bool worth_a_line(const trivet_merge_state *was, const trivet_merge_state *is, history_line *line) {
    trivet_merge_counts counts;
    bool changed = true;

    if (commit_compare(was, is, TRIVET_MERGE_COMPUTER, &counts, &changed) == 0 && line->counts[0] == '\0')
        counts_text(&counts, line->counts, sizeof line->counts);
    if (line->counts[0] == '\0')
        strcpy(line->counts, "{}");
    return changed;
}

int commit_head(store *s, const trivet_merge_state *before, const trivet_merge_state *after,
                history_line *line, store_name *name, store_error *err) {
    int code = head_get(s, &line->before, err);

    if (code == 0)
        code = snapshot_put(s, after, name, err);
    if (code != 0)
        return code;
    line->after = *name;
    if (store_name_equal(&line->before, name))
        return line->always ? history_add(s, line, err) : 0;
    if ((code = head_set(s, name, err)) != 0 || (code = grave_update(s, before, after, line->time, err)) != 0)
        return code;
    return worth_a_line(before, after, line) || line->always ? history_add(s, line, err) : 0;
}
