/*
 * lost_edits.h - what a merge is about to overwrite, found before it is committed (store/lost.h).
 */
#ifndef TRIVET_SERVE_LOST_EDITS_H
#define TRIVET_SERVE_LOST_EDITS_H

#include "store/store.h"
#include <trivet_merge.h>

typedef struct {
    const char *device, *phone_name;
    const trivet_merge_state *ancestor; /* NULL: there was none */
    const trivet_merge_state *phone, *computer;
    const trivet_merge_state *merged;
    /* The merge that made it of them; NULL: several did, after a large change was answered. */
    const trivet_merge_result *result;
    bool import; /* the phone's side is a file, which is still there: what it gives up is not written down */
    int64_t now;
} lost_edits;

/* Writes down each edit of a side whose value M does not have, inside the caller's transaction. Costs nothing where
 * neither side gave way. */
int lost_edits_note(store *s, const lost_edits *merge, store_error *err);

#endif
