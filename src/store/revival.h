/*
 * revival.h - items that were deleted and that a restore brought back, with the date of that.
 *
 * A phone that was away may have deleted such an item itself, before the restore. The engine lets a deletion win over
 * whatever it is not known to come before (merge §2); the date tells a merge that it does (src/serve/revived.h). Kept
 * as long as a grave (prune.h): a phone that was away for longer is a new one. At most one for each item.
 */
#ifndef TRIVET_STORE_REVIVAL_H
#define TRIVET_STORE_REVIVAL_H

#include "store.h"
#include <trivet_merge.h>

/* The item is live again since `time`, its updatedAt. */
int revival_add(store *s, trivet_merge_section section, trivet_merge_slice id, int64_t time,
                store_error *err);

/* Called for each, in no order; `id` lives for the call. Stops at non-zero and returns that. */
typedef int revival_fn(void *ctx, trivet_merge_section section, trivet_merge_slice id, int64_t time);
int revival_each(store *s, revival_fn *fn, void *ctx, store_error *err);

#endif
