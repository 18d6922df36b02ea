/*
 * late.h - what either side edits after a large change was put to someone, and before the answer is carried
 * out.
 *
 * `computer` and `phone` answer a large change with one side's whole state (merge §8). Such an answer is about
 * the two states that the question was about, P1 and C1. What came later is no part of it and is merged onto
 * what the answer made of them, M1, each side measured from what it held then:
 *
 *     X = merge(ancestor P1, phone P2, computer M1)     where the phone holds P2 by now
 *     M = merge(ancestor C1, phone X,  computer C2)     where the computer holds C2 by now
 *
 * Where one side stands still its step falls away: merge(X, X, M) is M (merge §6, L2). Only the last step asks
 * about ties; in the first of two the phone's later value stands.
 *
 * An answer holds only for what was asked about. Where a side has meanwhile lost so much that this would be a
 * large change of its own, the question is put anew.
 */
#ifndef TRIVET_SERVE_LATE_H
#define TRIVET_SERVE_LATE_H

#include <trivet_merge.h>

typedef struct {
    const trivet_merge_state *phone, *computer;
} late_pair;

typedef struct {
    /* The last step's; borrowed from what was given and from the results below. */
    const trivet_merge_state *ancestor, *phone, *computer;
    trivet_merge_result *chosen, *carried;
} late;

/* Whether an answer about `asked` still holds: 1, 0, or ENOMEM. */
int late_holds(const late_pair *asked, const late_pair *now, double threshold);

/*
 * Prepares the last step. `choice` holds the answer (options.large) as it is given to the engine with
 * `ancestor` and `asked`. At least one side has moved; `asked`, `now` and `ancestor` must outlive it. 0 or an
 * error of trivet_merge().
 */
int late_prepare(late *l, const trivet_merge_state *ancestor, const late_pair *asked, const late_pair *now,
                 const trivet_merge_options *choice, trivet_merge_error *err);
void late_release(late *l); /* also of a zeroed one */

#endif
