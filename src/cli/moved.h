/*
 * moved.h - how a phone whose code leads elsewhere (serve/moved.h) is told of, by `status` and `doctor` alike.
 */
#ifndef TRIVET_CLI_MOVED_H
#define TRIVET_CLI_MOVED_H

#include <jansson.h>
#include <stddef.h>

enum { MOVED_TEXT = 640 };

/* `device` is one of the server's "moved". What the phone calls itself is in it: print_line() shows it safely. */
void moved_text(const json_t *device, char out[static MOVED_TEXT]);

/* What to do, for one or several. */
extern const char *const moved_advice;

#endif
