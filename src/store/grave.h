/*
 * grave.h - what left the computer's state (merge §10): an item's last form, as a tombstone, for as long as a
 * phone that was away may still hold it.
 */
#ifndef TRIVET_STORE_GRAVE_H
#define TRIVET_STORE_GRAVE_H

#include "store.h"
#include <trivet_merge.h>

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

/* Drops graves dug before `then`. */
int grave_expire(store *s, int64_t then, store_error *err);

#endif
