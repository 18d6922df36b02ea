/* Found from this program's own place, so that a build, an installation and a package need no setting. */
#include "net/mdns_program.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

int mdns_program(char *out, size_t size) {
    static const char *const places[] = {"trivet-mdns", "../libexec/trivet/trivet-mdns"};
    char own[PATH_MAX];
    size_t len = sizeof own;

    if (uv_exepath(own, &len) != 0 || !strrchr(own, '/'))
        return -1;
    int folder = (int)(strrchr(own, '/') - own);
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        int n = snprintf(out, size, "%.*s/%s", folder, own, places[i]);
        if (n > 0 && (size_t)n < size && access(out, X_OK) == 0)
            return 0;
    }
    return -1;
}
