/* Reads until the end rather than up to a size that fstat gave: it may be a pipe. */
#include "cli/input.h"

#include "cli/print.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>

static int read_stream(FILE *in, const char *name, char **out, size_t *len) {
    size_t size = 0, used = 0;
    char *bytes = NULL;

    for (;;) {
        if (used + 1 >= size) {
            size_t larger = size ? size * 2 : 64 * 1024;
            char *grown = used < INPUT_MAX ? realloc(bytes, larger) : NULL;
            if (!grown) {
                free(bytes);
                return used < INPUT_MAX ? print_failure(EX_OSERR, "out of memory")
                                        : print_failure(EX_DATAERR, "%s is larger than 1 GiB", name);
            }
            bytes = grown;
            size = larger;
        }
        size_t got = fread(bytes + used, 1, size - used - 1, in);
        used += got;
        if (got == 0)
            break;
    }
    if (ferror(in)) {
        int why = errno;
        free(bytes);
        return print_failure(EX_IOERR, "%s: %s", name, strerror(why));
    }
    bytes[used] = '\0';
    *out = bytes;
    *len = used;
    return 0;
}

int input_read(const char *path, char **out, size_t *len) {
    struct stat st;
    FILE *in;
    int status;

    *out = NULL;
    *len = 0;
    if (strcmp(path, "-") == 0)
        return read_stream(stdin, "standard input", out, len);
    if (!(in = fopen(path, "rbe")))
        return print_failure(EX_NOINPUT, "%s: %s", path, strerror(errno));
    if (fstat(fileno(in), &st) == 0 && S_ISREG(st.st_mode) && st.st_size > INPUT_MAX) {
        fclose(in); /* before a gigabyte of memory is filled to find out */
        return print_failure(EX_DATAERR, "%s is larger than 1 GiB", path);
    }
    status = read_stream(in, path, out, len);
    fclose(in);
    return status;
}
