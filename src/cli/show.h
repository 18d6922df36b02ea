/*
 * show.h - lists as a person wants to read them, and as JSON.
 */
#ifndef TRIVET_CLI_SHOW_H
#define TRIVET_CLI_SHOW_H

#include <stdbool.h>
#include <stdio.h>
#include <trivet_merge.h>

/*
 * The slots of LISTS or LOCKED_LISTS: number and label as a heading, and each live item's tick box, shortest
 * unambiguous id and text below. `slot` SIZE_MAX: all that hold an item or have a label. *shown counts slots.
 * 0, or -1: out of memory.
 */
int show_lists(FILE *out, const trivet_merge_state *state, trivet_merge_section section, size_t slot,
               size_t *shown);

/*
 * The same as a JSON array of {"number": from 1, "label": text or "", "locked": bool, "items": [live items as
 * the state holds them, in their order]}. The brackets are the caller's, so that two sections can stand in
 * one array;
 * `*shown` counts on over both.
 */
int show_lists_json(FILE *out, const trivet_merge_state *state, trivet_merge_section section, size_t slot,
                    size_t *shown);

#endif
