/*
 * marks.h - which blobs are named by something, while a pruning looks for those that are not (prune.h).
 *
 * It lasts for many small transactions, between which states are stored and named as ever. Blobs that came since it
 * began have higher numbers than it looks at. A blob that was there already can be named anew: whatever writes a
 * state's name down (blob_require) therefore notes it here, and the pruning walks what was noted before it drops
 * anything more.
 *
 * In memory only: a pruning that the power ends is begun anew.
 */
#ifndef TRIVET_STORE_MARKS_H
#define TRIVET_STORE_MARKS_H

#include "store.h"

typedef struct blob_marks blob_marks;

/* For blobs numbered 1 to `top`. NULL: out of memory, or a number beyond all reason. */
blob_marks *marks_new(int64_t top);
void marks_free(blob_marks *m);

/* Whether it was marked before. Numbers beyond the top count as marked. */
bool marks_has(const blob_marks *m, int64_t num);
bool marks_set(blob_marks *m, int64_t num);
void marks_clear(blob_marks *m, int64_t num);
int64_t marks_top(const blob_marks *m);

/* A state's name was written down. What there is no memory for ends the pruning: marks_take gives STORE_FAILED. */
void marks_note(blob_marks *m, const store_name *name);

/* Takes one of the names that were noted: 0, STORE_NONE or STORE_FAILED. */
int marks_take(blob_marks *m, store_name *out);

#endif
