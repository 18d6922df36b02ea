/*
 * lost.h - what an edit said that another one took the place of: a value that was not the most recent (merge §3), an
 * edit of an item that the other side deleted, what the answer to a question left aside.
 *
 * It is written down by the merge that decides so, in that merge's transaction, because the states from which it could
 * be found out later are thinned out (prune.h) long before anyone misses a sentence.
 */
#ifndef TRIVET_STORE_LOST_H
#define TRIVET_STORE_LOST_H

#include "store.h"

typedef struct {
    int64_t id; /* grows with time; a number is never used again */
    int64_t time;
    char device[65], phone[257]; /* of the sync; "" in an import */
    char side[16];               /* whose edit lost: "phone" or "computer" */
    char reason[16];             /* to what: "newer", "deleted", "tie" or "large_change" */
    char *fields; /* JSON array of names: "text", "done", "slot", "label", "content", unknown ones; []
                                    where the whole item is gone */
    char *form;   /* a state document that holds just this item or entry, as the side had it */
    char *stands; /* the same as the merge made it; {} where it is gone */
} lost_row;

int lost_add(store *s, lost_row *row, store_error *err); /* fills in the id; copies */

/* Newest first, those with an id below `before`, at most `limit`. */
int lost_list(store *s, int64_t before, size_t limit, lost_row **out, size_t *count, store_error *err);
int lost_get(store *s, int64_t id, lost_row *out, store_error *err); /* STORE_NONE: there is none */

void lost_release(lost_row *row);
void lost_list_free(lost_row *rows, size_t count);

#endif
