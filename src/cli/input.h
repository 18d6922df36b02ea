/*
 * input.h - files that a person names, read whole.
 */
#ifndef TRIVET_CLI_INPUT_H
#define TRIVET_CLI_INPUT_H

#include <stddef.h>

enum { INPUT_MAX = 1 << 30 }; /* bytes; as much as travels along with a request */

/*
 * Reads a file, or standard input for "-". *out is from malloc and NUL-terminated, `len` leaves the NUL out.
 * 0, or the exit status after telling what is wrong.
 */
int input_read(const char *path, char **out, size_t *len);

#endif
