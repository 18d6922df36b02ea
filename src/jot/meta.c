/*
 * meta.c - see meta.h. What is missing reads as empty: the protocol's library has filled that in, but nothing here relies
 * on it.
 */
#include "jot/meta.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *text_of(const json_t *object, const char *key) {
    const char *value = json_string_value(json_object_get(object, key));
    return value != NULL ? value : "";
}

/* Whatever number it is, as a whole one from 0 to 2^53 - 1. */
static int64_t number_of(const json_t *object, const char *key) {
    double value = json_number_value(json_object_get(object, key));
    return !(value > 0) ? 0 : value < 9007199254740991.0 ? (int64_t)value : INT64_C(9007199254740991);
}

bool jot_meta_kind(const char *name, jot_kind *out) {
    for (unsigned kind = JOT_IMAGE; kind <= JOT_FILE; kind++)
        if (name != NULL && strcmp(name, jot_kind_name((jot_kind)kind)) == 0) {
            *out = (jot_kind)kind;
            return true;
        }
    return false;
}

static void read_files(const json_t *array, jot_kind kind, jot_meta *out) {
    for (size_t i = 0; i < json_array_size(array) && out->told.file_count < JOT_FILES_MAX; i++) {
        const json_t *file = json_array_get(array, i);
        const char *id = text_of(file, "id");
        if (id[0] == '\0')
            continue;
        out->files[out->told.file_count++] =
            (jot_file_told){.kind = kind,
                            .id = id,
                            .name = text_of(file, "fileName"),
                            .format = text_of(file, kind == JOT_FILE ? "mimeType" : "format"),
                            .size = number_of(file, "size"),
                            .created_at = number_of(file, "createdAt")};
    }
}

int jot_meta_read(const json_t *jot, jot_meta *out) {
    const json_t *images = json_object_get(jot, "images"), *recordings = json_object_get(jot, "recordings"),
                 *files = json_object_get(jot, "files");
    size_t count = json_array_size(images) + json_array_size(recordings) + json_array_size(files);
    *out =
        (jot_meta){.files = calloc((count < JOT_FILES_MAX ? count : JOT_FILES_MAX) + 1, sizeof *out->files)};
    if (out->files == NULL)
        return -1;
    out->told.id = number_of(jot, "id");
    out->told.text = text_of(jot, "text");
    out->told.drawing = text_of(jot, "drawing");
    out->partly = count > JOT_FILES_MAX;
    if (strlen(out->told.text) > JOT_TEXT_MAX || strlen(out->told.drawing) > JOT_DRAWING_MAX) {
        out->partly = true;
        out->told.text = out->told.drawing = ""; /* what was kept before stays the last one */
    }
    read_files(images, JOT_IMAGE, out);
    read_files(recordings, JOT_AUDIO, out);
    read_files(files, JOT_FILE, out);
    out->told.files = out->files;
    return 0;
}

void jot_meta_release(jot_meta *m) {
    free(m->files);
    m->files = NULL;
}

int jot_meta_manifest(const json_t *jots, jot_seen **out, size_t *count) {
    size_t n = json_array_size(jots);
    *out = calloc(n + 1, sizeof **out);
    *count = 0;
    if (*out == NULL)
        return -1;
    for (size_t i = 0; i < n; i++) {
        const json_t *jot = json_array_get(jots, i);
        bool content = json_is_true(json_object_get(jot, "hasText")) ||
                       json_is_true(json_object_get(jot, "hasDrawing")) ||
                       json_array_size(json_object_get(jot, "imageIds")) > 0 ||
                       json_array_size(json_object_get(jot, "audioIds")) > 0 ||
                       json_array_size(json_object_get(jot, "fileIds")) > 0;
        (*out)[(*count)++] = (jot_seen){number_of(jot, "id"), content};
    }
    return 0;
}
