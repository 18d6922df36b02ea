/* A jot_meta_response as it comes, up to what the store is given; and its names up to a file's. */
#include "jot/meta.h"
#include "jot/name.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <trivet_proto.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_name(const char *given) {
    char name[JOT_NAME_MAX + 1];
    jot_name_safe(given, "file", name);
    if (name[0] == '\0' || name[0] == '.' || name[0] == '-' || strlen(name) > JOT_NAME_MAX ||
        strpbrk(name, "/\\:*?\"<>|\n\r\x1b") != NULL)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    trivet_proto_message message;
    trivet_proto_error err;
    jot_meta meta;
    jot_seen *seen;
    size_t count;
    if (trivet_proto_message_decode(data, size, TRIVET_PROTO_FROM_PHONE, &message, &err) != 0)
        return 0;
    if (message.body != NULL && jot_meta_read(json_object_get(message.body, "jot"), &meta) == 0) {
        if (meta.told.file_count > JOT_FILES_MAX || meta.told.id < 0)
            abort();
        for (size_t i = 0; i < meta.told.file_count; i++) {
            char name[JOT_NAME_MAX + 1];
            if (meta.files[i].id[0] == '\0' || meta.files[i].size < 0 || meta.files[i].created_at < 0)
                abort();
            check_name(meta.files[i].name);
            jot_name_dated("photo", meta.files[i].created_at, meta.files[i].format, name);
            if (strchr(name, '/') != NULL)
                abort();
        }
        jot_meta_release(&meta);
    }
    if (message.body != NULL && jot_meta_manifest(json_object_get(message.body, "jots"), &seen, &count) == 0)
        free(seen);
    trivet_proto_message_release(&message);
    return 0;
}
