/*
 * fuzz_serve_config.c - trivet.conf. What is wrong is told in lines fit for a terminal; what is accepted, printed as a file, reads as
 * the same settings.
 */
#include "serve/config.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void tell(void *ctx, const char *message) {
    size_t *told = ctx;

    ++*told;
    for (const char *at = message; *at; at++)
        if ((unsigned char)*at < ' ' || *at == 0x7f)
            abort();
}

static bool load(config *c, const void *data, size_t size) {
    char path[64];
    size_t told = 0;
    int fd = memfd_create("trivet.conf", MFD_CLOEXEC), result;

    if (fd < 0 || (size > 0 && write(fd, data, size) != (ssize_t)size))
        abort();
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    config_init(c);
    result = config_load(c, path, tell, &told);
    close(fd);
    if ((result != 0) != (told > 0))
        abort();
    return result == 0;
}

static char *print(const config *c, size_t *len) {
    char *text = NULL;
    FILE *out = open_memstream(&text, len);

    if (!out)
        abort();
    config_print(c, out);
    fclose(out);
    return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static config first, again;
    size_t len, len_again;

    if (!load(&first, data, size))
        return 0;
    char *text = print(&first, &len);
    if (!load(&again, text, len))
        abort();
    char *text_again = print(&again, &len_again);
    if (len != len_again || memcmp(text, text_again, len) != 0)
        abort();
    free(text);
    free(text_again);
    return 0;
}
