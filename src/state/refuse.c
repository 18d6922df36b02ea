/* How the functions of edit.h say no. */
#include "state/refuse.h"

#include <stdarg.h>
#include <stdio.h>
#include <sysexits.h>

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

int edit_refuse_merge(edit_error *err, int code, const trivet_merge_error *why) {
    if (code == TRIVET_MERGE_ENOMEM)
        return edit_refuse(err, EX_OSERR, "out of memory");
    return edit_refuse(err, EX_DATAERR, "%s%s%s", why->path, why->path[0] ? ": " : "",
                       why->reason[0] ? why->reason : "refused");
}
