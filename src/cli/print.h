/*
 * print.h - what all commands print alike: messages, texts that may hold anything, styles and times.
 */
#ifndef TRIVET_CLI_PRINT_H
#define TRIVET_CLI_PRINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <trivet_merge.h>

/* "trivet: ..." on standard error, control characters escaped; returns `status`. (cmocka has the name print_error.) */
int print_failure(int status, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A remark on standard error that is no failure. */
void print_note(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* What a style looks like is decided once, by whether `out` takes colours (never with NO_COLOR). */
typedef enum { PRINT_PLAIN, PRINT_HEADING, PRINT_FAINT, PRINT_ID, PRINT_GOOD, PRINT_BAD } print_style;

void print_styled(FILE *out, print_style style, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/*
 * A text on one line: line ends as \n, other control characters and what is no UTF-8 as \xNN. Without this a
 * text could move the cursor, or look like two items.
 */
void print_line(FILE *out, const char *text, size_t len);

/*
 * A text of several lines: to a terminal control characters but line end and tab are escaped, else as it
 * is.
 */
void print_block(FILE *out, const char *text, size_t len);

/* A slice of a state on one line. */
void print_slice(FILE *out, trivet_merge_slice slice);

/* The text as a JSON string, with its quotation marks; `text` is UTF-8. */
void print_json_text(FILE *out, const char *text);

/* "just now", "5 minutes ago", "2026-01-31 14:05"; "never" for 0. Returns `out`. */
char *print_when(int64_t when, int64_t now, char *out, size_t size);

/* ms since 1970 */
int64_t print_now(void);

/* How many columns a text takes, 0 for what does not show. */
size_t print_width(const char *text);

/*
 * Whether all that was written to standard output arrived; 0 or EX_IOERR after telling. A command's last
 * act.
 */
int print_finish(void);

#endif
