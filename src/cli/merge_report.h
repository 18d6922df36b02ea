/*
 * merge_report.h - what a merge did, for a person.
 */
#ifndef TRIVET_CLI_MERGE_REPORT_H
#define TRIVET_CLI_MERGE_REPORT_H

#include "fixture/run.h"
#include <stdio.h>

/*
 * What the phone gains, what the computer gains, what was combined and what is asked, in this order, each left out
 * where it is empty. Texts of locked lists only with `locked`. `merged` has a result.
 */
void merge_report(FILE *out, const fixture_output *merged, bool locked);

/* Only what one side sees change, without a heading: one item or entry after the other, items with the start of their id. */
void merge_report_side(FILE *out, const fixture_output *merged, trivet_merge_side side, bool locked);

/* "added", "edited", "moved", "deleted", "removed", "restored" */
const char *merge_report_kind(trivet_merge_kind kind);

#endif
