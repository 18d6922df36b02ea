/*
 * grave.h - what left the computer's state (merge §10): an item's last form, as a tombstone, for as long as a
 * phone that was away may still hold it.
 */
#ifndef TRIVET_STORE_GRAVE_H
#define TRIVET_STORE_GRAVE_H

#include "store.h"
#include <trivet_merge.h>

/* How long a grave is kept where the user set nothing else. */
#define GRAVE_LIFE_MS (400LL * 24 * 3600 * 1000)

/*
 * Compares two states of the computer: items that left get a grave (dated `now` where they have no
 * deletedAt), items that are live again lose theirs.
 */
int grave_update(store *s, const trivet_merge_state *before, const trivet_merge_state *after, int64_t now,
                 store_error *err);

/* Called for each grave of a section; `item` is dead and lives for the call. Stops at non-zero and returns
 * that. */
typedef int grave_fn(void *ctx, trivet_merge_section section, size_t slot, const trivet_merge_item *item);
int grave_each(store *s, grave_fn *fn, void *ctx, store_error *err);

/* Retention: drops graves dug before `then`, the oldest first, `max_rows` at most, and adds how many to *dropped. Less than
 * `max_rows`: there are no more. */
int grave_prune(store *s, int64_t then, size_t max_rows, size_t *dropped, store_error *err);

#endif
