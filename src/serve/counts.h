/*
 * counts.h - what a merge did, in numbers, as JSON (merge §9): for history lines, answers and logs.
 */
#ifndef TRIVET_SERVE_COUNTS_H
#define TRIVET_SERVE_COUNTS_H

#include <jansson.h>
#include <trivet_merge.h>

/* A new reference to an object with all eleven keys; NULL: out of memory. */
json_t *counts_json(const trivet_merge_counts *counts);

/* The same as text, for history_line.counts; "{}" where it cannot be made. */
void counts_text(const trivet_merge_counts *counts, char *out, size_t size);

#endif
