/*
 * restored.h - the states that this computer was restored to from a backup.
 *
 * A phone that synced after the backup was made holds what descends from the backup's head, and so does the computer from
 * then on; but the merge itself is forgotten. So that head is what both have in common (merge §10, case 3). It is kept
 * like what a record names, for as long as a grave.
 *
 * A row is written with the restored database, before that takes the place of the old one (swap.h): if the power goes,
 * both are there or neither.
 */
#ifndef TRIVET_STORE_RESTORED_H
#define TRIVET_STORE_RESTORED_H

#include "store.h"

/* The present head is what was restored at the time `now`. Nothing where there are no records. */
int restored_note(store *s, int64_t now, store_error *err);

/*
 * The next one after `record`, for who walks them all from 0, the oldest first: the newest record that it had, or 0, and its
 * head.
 */
int restored_next(store *s, int64_t *record, store_name *head, store_error *err);

#endif
