/*
 * merge_difference.h - where a merge's result is not what a case expects, in words that a person can act on.
 */
#ifndef TRIVET_CLI_MERGE_DIFFERENCE_H
#define TRIVET_CLI_MERGE_DIFFERENCE_H

#include <stddef.h>
#include <stdio.h>

/*
 * Both are JSON without white space, `got` sound, `expected` whatever was found. Prints TAP comments, for each place
 * that differs
 *
 *     #   snapshot.lists[0][2].text
 *     #     expected "milk"
 *     #     got      "oat milk"
 *
 * with "nothing" for what one of them does not hold; the first of many, and long values cut.
 */
void merge_difference(FILE *out, const char *expected, size_t expected_len, const char *got, size_t got_len);

#endif
