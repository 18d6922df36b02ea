/* number.c - strtod() reads the decimal point of the locale, so that is what it is given. */
#include "number.h"

#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_NUMBER = 300 };

bool proto_number_read(const char *text, size_t len, double *out) {
    char copy[MAX_NUMBER + 1], *end;
    if (len > MAX_NUMBER)
        return false;
    memcpy(copy, text, len);
    copy[len] = '\0';
    char *point = strchr(copy, '.');
    if (point != NULL)
        *point = localeconv()->decimal_point[0];
    *out = strtod(copy, &end);
    return *end == '\0' && isfinite(*out);
}
