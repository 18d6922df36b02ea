/*
 * merge_case.h - one merge case: a folder's files read, merged, and compared with what is expected.
 */
#ifndef TRIVET_CLI_MERGE_CASE_H
#define TRIVET_CLI_MERGE_CASE_H

#include <stdbool.h>
#include <stdio.h>

/*
 * Runs the case in `folder` (merge_check.h) and writes its lines of TAP to `out`: comments on what is wrong, then "ok"
 * or "not ok", numbered. With `accept`, an expected.json that differs is rewritten. True if all is well. May run on
 * several threads at a time.
 */
bool merge_case(const char *folder, size_t number, bool accept, FILE *out);

#endif
