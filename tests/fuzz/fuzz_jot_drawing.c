/* A drawing as a phone may have stored it: what comes out holds lines and nothing else. */
#include "jot/svg.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Each tag is one of ours, and between them there is nothing but white space. */
static void check(const char *svg, size_t len) {
    static const char *const tags[] = {"<?xml version=", "<svg xmlns=", "<path d=\"", "</svg>"};
    if (strlen(svg) != len)
        abort();
    for (const char *at = svg; *at != '\0';) {
        size_t i = 0;
        while (i < 4 && strncmp(at, tags[i], strlen(tags[i])) != 0)
            i++;
        const char *end = strchr(at, '>');
        if (i == 4 || end == NULL || memchr(at + 1, '<', (size_t)(end - at - 1)) != NULL ||
            memchr(at, '&', (size_t)(end - at)) != NULL)
            abort();
        at = end + 1 + strspn(end + 1, "\n");
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char *drawing = malloc(size + 1), *svg;
    size_t len;
    if (drawing == NULL)
        return 0;
    if (size > 0)
        memcpy(drawing, data, size);
    drawing[size] = '\0';
    if (jot_svg(drawing, &svg, &len) == 0) {
        check(svg, len);
        free(svg);
    }
    free(drawing);
    return 0;
}
