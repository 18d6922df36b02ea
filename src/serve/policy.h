/*
 * policy.h - how questions are answered where nobody is there to ask: the settings on_tie and
 * on_large_change.
 *
 * A policy answers within the sync that would have asked: no row waits in the store, and nobody is told to
 * hurry. What it overrode stays: the computer's value in the state before the sync, the phone's in what it
 * sent (store/record.h).
 *
 * `newest`, for a tie. A tie has equal `updatedAt` by definition (merge §3), and the history of the computer
 * knows nothing more: it says when the computer's value came, but of the phone's only that it came since the
 * phone's last sync. So what decides must lie in the two values themselves, and then every device comes to the
 * same end, in whatever order they sync (merge §6, L7). The rule:
 *
 *   1. the item that was created later;
 *   2. else the greater value: of two numbers the greater, else the later in order of bytes. Absent is least,
 *      and done is greater than not done.
 *
 * It is asked of an item's first tied field, by name, and answers for all of that item's: the text of one side
 * is never paired with the check mark of the other.
 */
#ifndef TRIVET_SERVE_POLICY_H
#define TRIVET_SERVE_POLICY_H

#include <stdbool.h>
#include <trivet_merge.h>

typedef enum {
    POLICY_ASK, /* no policy */
    POLICY_NEWEST,
    POLICY_PHONE,
    POLICY_COMPUTER,
    POLICY_BOTH,
    POLICY_CANCEL
} policy;

/* "ask", "newest", ... */
const char *policy_name(policy p);

/*
 * The sides that `p` (newest, phone or computer) takes in the ties of `result`, a merge of these two: out[i] for
 * tie i.
 */
void policy_pick(policy p, const trivet_merge_result *result, const trivet_merge_state *phone,
                 const trivet_merge_state *computer, trivet_merge_side *out);

/* The answer of `p` (computer, phone or both) to a large change. */
trivet_merge_large policy_choice(policy p);

#endif
