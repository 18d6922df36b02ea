/*
 * commit.h - the one way in which the computer's state changes: a new head, its history line and graves,
 * together.
 *
 * Called inside the caller's transaction (store_begin ... store_commit), so that what belongs to the same
 * change (an ancestor record, a device's last sync) is durable with it or not at all.
 */
#ifndef TRIVET_SERVE_COMMIT_H
#define TRIVET_SERVE_COMMIT_H

#include "store/history.h"
#include "store/snapshot.h"

/*
 * Makes `after` the head. `line` gives time, cause, device, phone and counts ("": taken from comparing the
 * two); before and after are filled in. Unless line->always, no history line is written where the two differ in
 * nothing but purged tombstones and factory defaults (merge §6, L5). *name is the new head's.
 */
int commit_head(store *s, const trivet_merge_state *before, const trivet_merge_state *after,
                history_line *line, store_name *name, store_error *err);

/*
 * What changes from one state to the other, in numbers, as if `by` had made it. Asked of the engine itself, as a merge into
 * which that side alone brings something, so that there is one opinion of what a change is. 0, or the engine's code.
 */
int commit_compare(const trivet_merge_state *was, const trivet_merge_state *is, trivet_merge_side by,
                   trivet_merge_counts *counts, bool *changed);

#endif
