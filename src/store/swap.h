/*
 * swap.h - puts another database in the place of trivet.db, whole or not at all, and keeps the old one aside. What happens
 * when the power goes stands in swap.c. The caller holds the folder's lock.
 */
#ifndef TRIVET_STORE_SWAP_H
#define TRIVET_STORE_SWAP_H

#include "store.h"

/* Where whoever makes the new database writes it, and what goes with the next attempt if it was left there. */
#define SWAP_INCOMING "trivet.db.incoming"
/* A database that is to become trivet.db, whatever happens. */
#define SWAP_NEXT "trivet.db.next"

/*
 * An empty SWAP_INCOMING, which is `path`, with nothing beside it; *fd is the caller's to close, set or not (-1). It is to be
 * opened by sql_open_alone(). What came of it that is not to be swapped in goes with swap_give_up().
 */
int swap_begin(const char *folder, const char *path, int *fd, store_error *err);
void swap_give_up(const char *folder);

/*
 * `folder`/SWAP_INCOMING, complete and without a journal, becomes trivet.db. What was there is kept as
 * trivet.db.`why`-DATE, with its log; `kept` is that name, "" where there was nothing.
 */
int swap_in(const char *folder, const char *why, int64_t now, char kept[static 80], store_error *err);

/* Ends a swap that was interrupted after it was decided; mostly there is none. */
int swap_finish(const char *folder, store_error *err);

#endif
