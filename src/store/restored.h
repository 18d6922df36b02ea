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
 * For a phone whose newest record is `record`: the head of the first restore that this record outlived, and the newest record
 * of then. The first, because the phone's last merge may have been forgotten in any of those that followed, and all
 * descend from it. STORE_NONE: it has synced since, or there was none.
 */
int restored_find(store *s, int64_t record, store_name *head, int64_t *newest, store_error *err);

/* The next one after `record`, for who walks them all from 0: its record, or 0. */
int restored_next(store *s, int64_t *record, store_name *head, store_error *err);

#endif
