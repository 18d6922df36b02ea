/*
 * level.h - two states made comparable.
 *
 * A label or scratchpad beyond a side's end is "no view" to a merge (merge §1), and a factory default no edit (merge
 * §3): right between two devices, but between two states of one computer's past both mean an empty text.
 */
#ifndef TRIVET_STATE_LEVEL_H
#define TRIVET_STATE_LEVEL_H

#include <trivet_merge.h>

/* Makes both as long, and an entry of `after` that says nothing, where `before` says something, an edit. 0 or ENOMEM. */
int state_level(trivet_merge_state *before, trivet_merge_state *after);

#endif
