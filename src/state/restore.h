/*
 * restore.h - a past state, or one thing of it, as an edit of the present one.
 *
 * What comes out is an ordinary state whose differences from the head are ordinary edits, so that the next syncs carry
 * them to every phone: what is brought back is dated max(now, old updatedAt + 1) (merge §3), what was added since is
 * deleted with a tombstone, what is as it was keeps its date. Nothing is ever undone behind a phone's back: an edit
 * that a phone made meanwhile merges with it as with any other.
 */
#ifndef TRIVET_STATE_RESTORE_H
#define TRIVET_STATE_RESTORE_H

#include "state/edit.h"

/* All of `then`, dated against `head`. *out borrows from both. Status 1 where nothing is to do. */
int restore_all(const trivet_merge_state *head, const trivet_merge_state *then, int64_t now,
                trivet_merge_state **out, edit_error *err);

/* The head with one live item of `then` (its id, or a unique prefix) as it was there, deleted or not by now. */
int restore_item(const trivet_merge_state *head, const trivet_merge_state *then, const char *id, int64_t now,
                 trivet_merge_state **out, edit_error *err);

/*
 * The head with what lost (store/lost.h): `form` holds one item or entry, of which `fields` (names as in a merge's
 * changes, `count` of them) are taken; none is all of it.
 */
int restore_fields(const trivet_merge_state *head, const trivet_merge_state *form, const char *const *fields,
                   size_t count, int64_t now, trivet_merge_state **out, edit_error *err);

#endif
