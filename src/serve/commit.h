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

#endif
