/*
 * revived.h - items that a restore brought back, against a phone's deletion of them that is older.
 *
 * The engine lets a deletion win over an item that the ancestor holds live, edited or not (merge §2), for it cannot
 * know which came first. Where the computer brought an item back (store/revival.h), it can be known: a phone that has
 * not seen the restore, and deleted the item before it, is handed its own tombstone as the ancestor. Then the engine
 * reads what happened: deleted, and restored since. A deletion dated after the restore stands.
 */
#ifndef TRIVET_SERVE_REVIVED_H
#define TRIVET_SERVE_REVIVED_H

#include "store/store.h"
#include <trivet_merge.h>

/*
 * What a restore brings back past its grave is dated after that grave: a phone may still hold the tombstone, dated by a
 * clock that is ahead, and must not take it for a later deletion.
 */
int revived_date(store *s, const trivet_merge_state *before, trivet_merge_state *after, store_error *err);

/* Writes down what is dead or absent in `before` and live in `after`. */
int revived_note(store *s, const trivet_merge_state *before, const trivet_merge_state *after,
                 store_error *err);

/*
 * Puts such tombstones into `ancestor`, which may be empty. `computer` is without graves. `agreed` is what the phone
 * last agreed on: there an item has the date of the restore, if the phone has seen it; in `ancestor` it may have that of
 * an edit that the phone sent since, by a clock that is behind.
 */
int revived_apply(store *s, const trivet_merge_state *phone, const trivet_merge_state *computer,
                  const trivet_merge_state *agreed, trivet_merge_state *ancestor, store_error *err);

#endif
