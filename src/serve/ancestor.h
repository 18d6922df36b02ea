/*
 * ancestor.h - which state a phone's edits are measured from (merge §10).
 *
 * The phone names the state that it holds by the time (`since`) at which it applied it, and is not quite to
 * be trusted: it stores time, lists, locked lists and scratchpads one after the other. So the name only picks
 * a few candidates, and the phone's own state decides between them, for the three groups of sections apart.
 */
#ifndef TRIVET_SERVE_ANCESTOR_H
#define TRIVET_SERVE_ANCESTOR_H

#include "store/record.h"
#include "store/store.h"
#include <trivet_merge.h>

typedef struct ancestor_states ancestor_states;

typedef struct {
    /* To merge with: what was already merged counted in. NULL: none. */
    const trivet_merge_state *ancestor;
    /* A state was chosen; else `ancestor` is only what was already merged. */
    bool found;
    /* What the guard is measured against; NULL: nothing. */
    const trivet_merge_state *guard;
    /* C with the graves that concern this phone. */
    const trivet_merge_state *computer;
    /* The record whose snapshot a group of the phone descends from; 0: none. */
    int64_t applied[RECORD_GROUPS];
    /* Owns all of the above and what they borrow from. */
    ancestor_states *states;
} ancestor_choice;

/*
 * `phone` and `computer` (C, without graves) must outlive the choice. On a store's error nothing is chosen; a
 * phone without any record gets no ancestor, which is no error.
 */
int ancestor_choose(store *s, const char *device, const char *phone_name, int64_t since,
                    const trivet_merge_state *phone, const trivet_merge_state *computer, ancestor_choice *out,
                    store_error *err);
void ancestor_release(ancestor_choice *choice); /* also of a zeroed one */

#endif
