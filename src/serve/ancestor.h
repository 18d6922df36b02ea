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
    const trivet_merge_state *ancestor; /* to merge with: what was already merged counted in; NULL: none */
    bool found;                      /* a state was chosen; else `ancestor` is only what was already merged */
    const trivet_merge_state *guard; /* what the guard is measured against; NULL: nothing */
    const trivet_merge_state *computer; /* C with the graves that concern this phone */
    int64_t
        applied[RECORD_GROUPS]; /* the record whose snapshot a group of the phone descends from; 0: none */
    ancestor_states *states;    /* owns all of the above and what they borrow from */
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
