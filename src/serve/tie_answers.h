/*
 * tie_answers.h - what was answered to the ties of one sync.
 *
 * An answer holds for as long as the same two values stand against each other: a merge that is made anew, because a side has
 * changed meanwhile, asks nothing twice (merge §7).
 */
#ifndef TRIVET_SERVE_TIE_ANSWERS_H
#define TRIVET_SERVE_TIE_ANSWERS_H

#include <stdbool.h>
#include <trivet_merge.h>

typedef struct {
    struct tie_answer *answers;
    size_t count, capacity;
    size_t *
        index; /* by hash: the number of an answer plus 1, or 0; a power of two of them, NULL before the first */
    size_t slots;
    unsigned char key[16]; /* of the hash: whoever makes up ties does not choose where they come to lie */
} tie_answers;             /* all zero: none */

void tie_answers_release(tie_answers *a);

/* Replaces an earlier answer to the same tie. 0, or -1: out of memory. */
int tie_answers_give(tie_answers *a, const trivet_merge_tie *tie, trivet_merge_side side);

/* false: there is none. */
bool tie_answers_find(const tie_answers *a, const trivet_merge_tie *tie, trivet_merge_side *side);

/* How many ties of a merge have none. */
size_t tie_answers_open(const tie_answers *a, const trivet_merge_result *result);

#endif
