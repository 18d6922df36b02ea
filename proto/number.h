/*
 * number.h - the value of a JSON number that has been seen to be one (proto_scan_number), whatever the locale.
 */
#ifndef TRIVET_PROTO_NUMBER_H
#define TRIVET_PROTO_NUMBER_H

#include <stdbool.h>
#include <stddef.h>

/* False: it has more than 300 characters, or is beyond what a double holds. */
bool proto_number_read(const char *text, size_t len, double *out);

#endif
