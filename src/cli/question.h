/*
 * question.h - open questions: fetched, and in words.
 */
#ifndef TRIVET_CLI_QUESTION_H
#define TRIVET_CLI_QUESTION_H

#include "cli/client.h"

#include <stdio.h>

/*
 * The array of `trivet pending --json`. Unless `locked`, what would show a locked list's text is taken out, and
 * `"locked": true` stands there. 0, or the exit status after telling. `flags` as of client_request().
 */
int question_fetch(const cli_common *common, bool locked, unsigned flags, json_t **out);

/* "today 14:03", "yesterday 9:00", "on 2026-01-31 14:05". Returns `out`. */
char *question_written(int64_t when, int64_t now, char *out, size_t size);

/* Each on one line, control characters escaped (print_line). */
void question_title(FILE *out, const json_t *tie);
void question_value(FILE *out, const json_t *tie, const char *key); /* "phoneValue", "computerValue" */
void question_example(FILE *out, const json_t *example);

#endif
