/*
 * value.h - comparing JSON values that were checked before: numbers as doubles, strings by what they mean,
 * objects whatever the order of their keys (merge §1).
 */
#ifndef TM_VALUE_H
#define TM_VALUE_H

#include "slice.h"

/* A slice without data is null. Never fails; O(n log n), without memory to sort in O(n^2). */
bool tm_value_equal(tm_slice a, tm_slice b);

/* One code point of a string's inside, escaped or not; a lone surrogate is its own. Steps `*p` over it. */
int tm_code_point(const char **p, const char *end);

#endif
