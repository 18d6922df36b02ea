/* How the phone's functions say no. */
#include "phone/refuse.h"

#include <stdarg.h>
#include <stdio.h>

int phone_refuse(edit_error *err, int status, const char *format, ...) {
    va_list args;
    va_start(args, format);
    err->status = status;
    vsnprintf(err->message, sizeof err->message, format, args);
    va_end(args);
    return -1;
}
