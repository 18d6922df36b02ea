/*
 * question_body.h - a question as JSON text, for its row and for `trivet pending`.
 *
 *     ties           [{section, slot, itemId?, field, phoneValue, computerValue, itemContext, updatedAt}, ...]
 *     large change   {"large_change": {known, phoneMissing, computerMissing},
 *                     "examples": [{missing: "phone"|"computer", section, slot, text}, ...]}
 *
 * (merge §7, §8.) `updatedAt` is when both values were written, which is what makes it a tie. Examples are the
 * first few items that are gone from either side, with the beginning of their texts. Texts are JSON as the
 * engine has it. NULL: out of memory; else from malloc.
 */
#ifndef TRIVET_SERVE_QUESTION_BODY_H
#define TRIVET_SERVE_QUESTION_BODY_H

#include <trivet_merge.h>

enum { QUESTION_EXAMPLES = 5 /* of each side */, QUESTION_TEXT = 200 /* bytes of each */ };

/* `result` is a merge of these two that ended in a conflict. */
char *question_ties(const trivet_merge_result *result, const trivet_merge_state *phone);

/* `guard` is what the two were measured against. */
char *question_large(const trivet_merge_large_change *large, const trivet_merge_state *guard,
                     const trivet_merge_state *phone, const trivet_merge_state *computer);

#endif
