/*
 * lines.h - a text's lines, and aligning two texts by them (merge §4).
 *
 * Texts are canonical slices: a line ends with the two bytes of the escape `\n`. Everything here counts in lines,
 * from 0. Functions that return an int give 0 or ENOMEM.
 */
#ifndef TM_LINES_H
#define TM_LINES_H

#include "slice.h"

typedef struct {
    tm_slice text; /* with an end to its last line, even where it came without one */
    char *owned;   /* a copy that had to be made for that */
    size_t *start; /* of each line in the text, and the text's length */
    size_t count;
    bool ended; /* its last line had an end */
} tm_lines;

int tm_lines_init(tm_lines *lines, tm_slice text);
void tm_lines_release(tm_lines *lines);

/* Lines from `from` to before `to`, with their ends. */
static inline tm_slice tm_lines_slice(const tm_lines *lines, size_t from, size_t to) {
    return (tm_slice){lines->text.data + lines->start[from], lines->start[to] - lines->start[from]};
}

/*
 * An alignment is made in two steps, so that its price is known before it is paid. Equal lines at the start align first, then
 * those at the end of what is left; between them a longest common subsequence, of several the one that is first in
 * `a`, compared line by line, and of such the one that is first in `b`.
 */
typedef struct {
    const tm_lines *a, *b;
    size_t head, tail; /* lines that are equal at the start, at the end */
    size_t *first,
        *equal_count; /* for each line of `a` between them: where the equal lines of `b` begin in */
    size_t *equal;    /* ... this, ascending, and how many they are */
    uint64_t pairs;   /* of equal lines between head and tail: what finishing takes memory and time for */
} tm_alignment;

int tm_align(tm_alignment *x, const tm_lines *a, const tm_lines *b);
void tm_alignment_release(tm_alignment *x);

#define TM_NO_LINE SIZE_MAX

/* `partner` has a place for each line of `a`: the line of `b` that it stands for, or TM_NO_LINE. */
int tm_alignment_finish(const tm_alignment *x, size_t *partner);

#endif
