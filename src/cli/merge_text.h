/*
 * merge_text.h - results as a person reads them: JSON on several lines, and where two such texts differ.
 */
#ifndef TRIVET_CLI_MERGE_TEXT_H
#define TRIVET_CLI_MERGE_TEXT_H

#include <stddef.h>
#include <stdio.h>

/* Checked JSON without the white space between its tokens, in place; returns the new length. */
size_t merge_text_squeeze(char *json, size_t len);

/* Squeezed JSON, what fits a line on one line and the rest indented. From malloc; NULL: out of memory. */
char *merge_text_lay_out(const char *json, size_t len);

/* Prints the lines that differ as TAP comments, `-` from `expected` and `+` from `actual`, with some around them. */
void merge_text_differ(FILE *out, const char *expected, const char *actual);

#endif
