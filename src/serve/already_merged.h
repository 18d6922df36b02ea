/*
 * already_merged.h - what a phone holds that a merge newer than its ancestor took already (merge §10).
 */
#ifndef TRIVET_SERVE_ALREADY_MERGED_H
#define TRIVET_SERVE_ALREADY_MERGED_H

#include "store/record.h"
#include "store/store.h"
#include <trivet_merge.h>

/*
 * An item, category or scratchpad of the phone that differs from `ancestor`, but that a newer record's merge had in just
 * this form (sent or merged) and kept, is no new edit: it is put into `ancestor` as it is. So is one in a form that an older
 * record's merge had, if it is dated before the ancestor's: whatever edited it would have dated it anew. An item that the ancestor
 * lacks, and that this phone has sent before in another form, is put there in the oldest form sent: the phone was
 * restored to a time in between. `records` are the phone's, newest first; for each group those with an id above
 * `not_newer` count.
 */
int already_merged(store *s, const record *records, size_t count,
                   const int64_t not_newer[static RECORD_GROUPS], const trivet_merge_state *phone,
                   trivet_merge_state *ancestor, store_error *err);

#endif
