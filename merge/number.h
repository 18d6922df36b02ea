/*
 * number.h - numbers as text: JSON's grammar in, correctly rounded; the shortest text that reads back equal
 * out, in the form that JavaScript's JSON.stringify gives it. No locale, no stdio, no errno.
 */
#ifndef TM_NUMBER_H
#define TM_NUMBER_H

#include <stddef.h>
#include <stdint.h>

enum { TM_NUMBER_MAX = 32 }; /* bytes that tm_number_write() needs at most */

/* 2^53 - 1, the greatest time (merge §1) */
#define TM_TIME_MAX INT64_C(9007199254740991)

/* The end of the JSON number that starts at `p`, or NULL where none does. */
const char *tm_number_scan(const char *p, const char *end);

/* The value of such a token; infinite where a double cannot hold it. */
double tm_number_read(const char *p, const char *end);

/* Both return the end of what they wrote; no NUL. `value` is finite. */
char *tm_number_write(char *out, double value);
char *tm_integer_write(char *out, uint64_t value);

#endif
