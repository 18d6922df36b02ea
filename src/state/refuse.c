/* How the functions of edit.h say no. */
#include "state/refuse.h"

#include <stdarg.h>
#include <stdio.h>

int edit_refuse(edit_error *err, int status, const char *format, ...) {
    va_list args;

    if (err->status != 0)
        return -1;
    err->status = status;
    va_start(args, format);
    vsnprintf(err->message, sizeof err->message, format, args);
    va_end(args);
    return -1;
}
