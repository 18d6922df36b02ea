/*
 * merge_check.h - merge cases as data: a folder each.
 *
 *     about          one line: what the case shows
 *     phone.json     \
 *     computer.json   > states (merge §1); the phone's and the computer's must be there
 *     ancestor.json  /
 *     guard.json     what a large change is measured against where there is no ancestor (merge §8)
 *     picks.json     answers (merge §7)
 *     options.json   {"large": "computer", "text": "whole", "threshold": 0.8, "clockOffset": 0}, each optional
 *     expected.json  the result (merge §9) or {"error":{"path":...,"reason":...,"side":...}}
 *
 * What is expected may hold white space between its tokens; otherwise it is compared to the byte.
 */
#ifndef TRIVET_CLI_MERGE_CHECK_H
#define TRIVET_CLI_MERGE_CHECK_H

#include <stdbool.h>
#include <stddef.h>

enum { MERGE_CHECK_MAX_JOBS = 64 };

/*
 * Runs all cases in and below these folders, and prints TAP in the order of their paths whatever runs first. Folders
 * with a leading dot and links to folders are passed over. With `accept`, an expected.json that differs is rewritten
 * instead. `jobs` threads run cases; 0: one for each processor. Returns the exit status: 1 where one failed.
 */
int merge_check(char *const *folders, size_t count, bool accept, size_t jobs);

#endif
