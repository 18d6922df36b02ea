/*
 * jots.c - an array of jots in the shape in which they cross the wire; each answer reads it anew.
 */
#include "phone/jots.h"

#include "phone/now.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

static int fail(edit_error *err, int status, const char *message) {
    err->status = status;
    snprintf(err->message, sizeof err->message, "%s", message);
    return -1;
}

static json_t *find(const json_t *jots, json_int_t id, size_t *at) {
    for (size_t i = 0; i < json_array_size(jots); i++) {
        json_t *jot = json_array_get(jots, i);
        if (json_integer_value(json_object_get(jot, "id")) != id)
            continue;
        if (at != NULL)
            *at = i;
        return jot;
    }
    return NULL;
}

static json_t *ids_of(const json_t *files) {
    json_t *ids = json_array();
    for (size_t i = 0; i < json_array_size(files); i++)
        json_array_append(ids, json_object_get(json_array_get(files, i), "id"));
    return ids;
}

static bool has_string(const json_t *jot, const char *key) {
    return json_string_length(json_object_get(jot, key)) > 0;
}

json_t *phone_jots_manifest(const phone_folder *f, edit_error *err) {
    json_t *jots, *list = json_array();
    if (phone_folder_read_jots(f, &jots, err) != 0) {
        json_decref(list);
        return NULL;
    }
    for (size_t i = 0; i < json_array_size(jots); i++) {
        const json_t *jot = json_array_get(jots, i);
        json_array_append_new(list, json_pack("{s:O, s:b, s:b, s:o, s:o, s:o}", "id",
                                              json_object_get(jot, "id"), "hasText", has_string(jot, "text"),
                                              "hasDrawing", has_string(jot, "drawing"), "imageIds",
                                              ids_of(json_object_get(jot, "images")), "audioIds",
                                              ids_of(json_object_get(jot, "recordings")), "fileIds",
                                              ids_of(json_object_get(jot, "files"))));
    }
    json_decref(jots);
    json_t *body = json_pack("{s:o}", "jots", list);
    if (body == NULL)
        fail(err, EX_OSERR, "out of memory");
    return body;
}

/* Whether any jot has that file; `ctx` is all of them. */
static bool is_named(const void *ctx, const char *id) {
    static const char *const lists[] = {"images", "recordings", "files"};
    for (size_t i = 0; i < json_array_size(ctx); i++)
        for (size_t l = 0; l < 3; l++) {
            const json_t *files = json_object_get(json_array_get(ctx, i), lists[l]);
            for (size_t k = 0; k < json_array_size(files); k++) {
                const char *there = json_string_value(json_object_get(json_array_get(files, k), "id"));
                if (there != NULL && strcmp(there, id) == 0)
                    return true;
            }
        }
    return false;
}

/*
 * Jots went. Their bytes go once they are written without them: the power goes in between, and bytes that nothing names are left until
 * another goes. One that is being sent meanwhile is open, and comes whole.
 */
static int write_fewer(const phone_folder *f, json_t *jots, edit_error *err) {
    int got = phone_folder_write_jots(f, jots, err);
    if (got == 0)
        phone_folder_sweep_jot_files(f, is_named, jots);
    return got;
}

/* ---- answers ---- */

static const char *list_of(const char *kind) {
    return strcmp(kind, "image") == 0 ? "images" : strcmp(kind, "audio") == 0 ? "recordings" : "files";
}

/* NULL: it is not there. */
static json_t *read_data(const phone_folder *f, const char *id, edit_error *err) {
    char *bytes = NULL, *text = NULL;
    size_t len = 0;
    if (phone_folder_read_jot_file(f, id, &bytes, &len, err) == 0)
        text = trivet_proto_base64_encode((const uint8_t *)bytes, len);
    json_t *data = text != NULL ? json_string_nocheck(text) : NULL;
    free(text);
    free(bytes);
    return data;
}

/* The description of the file that a file_request names; borrowed, NULL: there is none. */
static const json_t *find_file(const json_t *jots, const json_t *asked) {
    const json_t *jot = find(jots, json_integer_value(json_object_get(asked, "jotId")), NULL);
    const char *id = json_string_value(json_object_get(asked, "fileId"));
    const json_t *files =
        json_object_get(jot, list_of(json_string_value(json_object_get(asked, "fileType"))));
    for (size_t i = 0; i < json_array_size(files); i++) {
        const json_t *file = json_array_get(files, i);
        if (strcmp(json_string_value(json_object_get(file, "id")), id) == 0)
            return file;
    }
    return NULL;
}

int phone_jots_open_file(phone_folder *f, const json_t *asked, int *fd, edit_error *err) {
    json_t *jots = NULL;
    *fd = -1;
    if (phone_folder_read_jots(f, &jots, err) != 0)
        return -1;
    int got =
        find_file(jots, asked) != NULL
            ? phone_folder_open_jot_file(f, json_string_value(json_object_get(asked, "fileId")), fd, err)
            : fail(err, EX_NOINPUT, "the phone has no such file");
    json_decref(jots);
    return got;
}

static json_t *file_answer(const phone_folder *f, const json_t *jots, const json_t *asked, edit_error *err) {
    const json_t *file = find_file(jots, asked);
    json_t *data = file != NULL ? read_data(f, json_string_value(json_object_get(file, "id")), err) : NULL;
    json_t *format = data != NULL ? json_object_get(file, "format") : NULL;
    json_t *body = json_pack("{s:O, s:O, s:O, s:o, s:O?}", "jotId", json_object_get(asked, "jotId"), "fileId",
                             json_object_get(asked, "fileId"), "fileType", json_object_get(asked, "fileType"),
                             "data", data != NULL ? data : json_string(""), "format", format);
    if (data == NULL)
        json_object_set_new(body, "error", json_string("file not found"));
    return body;
}

/* A jot with its files' bytes. */
static json_t *whole(const phone_folder *f, const json_t *jot, edit_error *err) {
    static const char *const lists[] = {"images", "recordings", "files"};
    json_t *copy = json_deep_copy(jot);
    for (size_t l = 0; l < 3; l++) {
        json_t *files = json_object_get(copy, lists[l]);
        for (size_t i = 0; i < json_array_size(files); i++) {
            json_t *file = json_array_get(files, i);
            json_t *data = read_data(f, json_string_value(json_object_get(file, "id")), err);
            json_object_set_new(file, "data", data != NULL ? data : json_string(""));
        }
    }
    return copy;
}

static json_t *download_answer(const phone_folder *f, const json_t *jots, const json_t *asked,
                               edit_error *err) {
    const json_t *ids = json_object_get(asked, "jotIds");
    json_t *list = json_array();
    for (size_t i = 0; i < json_array_size(ids); i++) {
        const json_t *jot = find(jots, json_integer_value(json_array_get(ids, i)), NULL);
        if (jot != NULL)
            json_array_append_new(list, whole(f, jot, err));
    }
    return json_pack("{s:o}", "jots", list);
}

static json_t *clear_answer(phone_folder *f, json_t *jots, const json_t *asked, edit_error *err) {
    const json_t *ids = json_object_get(asked, "jotIds");
    json_t *cleared = json_array();
    size_t at;
    for (size_t i = 0; i < json_array_size(ids); i++)
        if (find(jots, json_integer_value(json_array_get(ids, i)), &at) != NULL) {
            json_array_remove(jots, at);
            json_array_append(cleared, json_array_get(ids, i));
        }
    if (write_fewer(f, jots, err) == 0)
        return json_pack("{s:o}", "cleared", cleared);
    json_decref(cleared);
    return NULL;
}

static json_t *answer(phone_folder *f, json_t *jots, const trivet_proto_message *m, trivet_proto_type *type,
                      edit_error *err) {
    const json_t *jot;
    switch (m->type) {
    case TRIVET_PROTO_JOT_META_REQUEST:
        *type = TRIVET_PROTO_JOT_META_RESPONSE;
        jot = find(jots, json_integer_value(json_object_get(m->body, "jotId")), NULL);
        return jot != NULL ? json_pack("{s:O}", "jot", jot) : NULL;
    case TRIVET_PROTO_JOT_REFRESH_REQUEST:
        *type = TRIVET_PROTO_JOT_REFRESH_RESPONSE;
        return json_pack("{s:O}", "jots", jots);
    case TRIVET_PROTO_JOT_DOWNLOAD_REQUEST:
        *type = TRIVET_PROTO_JOT_DOWNLOAD_RESPONSE;
        return download_answer(f, jots, m->body, err);
    case TRIVET_PROTO_JOT_CLEAR_REQUEST:
        *type = TRIVET_PROTO_JOT_CLEAR_ACK;
        return clear_answer(f, jots, m->body, err);
    case TRIVET_PROTO_FILE_REQUEST:
        *type = TRIVET_PROTO_FILE_RESPONSE;
        return file_answer(f, jots, m->body, err);
    default:
        return NULL;
    }
}

int phone_jots_answer(phone_folder *f, const trivet_proto_message *message, trivet_proto_type *type,
                      json_t **body, bool *manifest, edit_error *err) {
    json_t *jots = NULL;
    *body = NULL;
    *manifest =
        message->type == TRIVET_PROTO_JOT_CLEAR_REQUEST || message->type == TRIVET_PROTO_JOT_REFRESH_REQUEST;
    if (phone_folder_lock(f, err) != 0)
        return -1;
    int got = phone_folder_read_jots(f, &jots, err);
    if (got == 0)
        *body = answer(f, jots, message, type, err);
    phone_folder_unlock(f);
    json_decref(jots);
    return got;
}

/* ---- what the user does ---- */

static json_t *ensure(json_t *jots, json_int_t id) {
    json_t *jot = find(jots, id, NULL);
    if (jot != NULL)
        return jot;
    jot = json_pack("{s:I, s:s, s:n, s:[], s:[], s:[], s:I, s:I}", "id", id, "text", "", "drawing", "images",
                    "recordings", "files", "textUpdatedAt", (json_int_t)0, "drawingUpdatedAt", (json_int_t)0);
    return json_array_append_new(jots, jot) == 0 ? jot : NULL;
}

static int set_text(json_t *jot, const char *key, const char *date, const char *text) {
    return text == NULL || (json_object_set_new(jot, key, json_string(text)) == 0 &&
                            json_object_set_new(jot, date, json_integer(phone_now())) == 0)
               ? 0
               : -1;
}

int phone_jots_set(phone_folder *f, int64_t id, const char *text, const char *drawing, edit_error *err) {
    json_t *jots = NULL, *jot;
    if (phone_folder_read_jots(f, &jots, err) != 0)
        return -1;
    int got;
    if ((jot = ensure(jots, id)) == NULL || set_text(jot, "text", "textUpdatedAt", text) != 0 ||
        set_text(jot, "drawing", "drawingUpdatedAt", drawing) != 0)
        got = fail(err, EX_DATAERR, "a text or drawing must be UTF-8");
    else
        got = phone_folder_write_jots(f, jots, err);
    json_decref(jots);
    return got;
}

int phone_jots_add_file(phone_folder *f, int64_t id, const char *kind, const char *name, int from,
                        edit_error *err) {
    uint64_t len = 0;
    uint8_t random[16];
    char file_id[33];
    json_t *jots = NULL, *jot, *meta;
    const char *dot = strrchr(name, '.');
    if (sodium_init() < 0 || phone_folder_read_jots(f, &jots, err) != 0)
        return -1;
    randombytes_buf(random, sizeof random);
    sodium_bin2hex(file_id, sizeof file_id, random, sizeof random);
    if (phone_folder_keep_jot_file(f, file_id, from, &len, err) != 0) {
        json_decref(jots);
        return -1;
    }
    meta = strcmp(kind, "file") == 0
               ? json_pack("{s:s, s:s, s:s, s:I, s:I}", "id", file_id, "fileName", name, "mimeType",
                           "application/octet-stream", "size", (json_int_t)len, "createdAt",
                           (json_int_t)phone_now())
               : json_pack("{s:s, s:i, s:s, s:I}", "id", file_id, "duration", 0, "format",
                           dot != NULL ? dot + 1 : "bin", "createdAt", (json_int_t)phone_now());
    int got;
    if ((jot = ensure(jots, id)) == NULL || meta == NULL ||
        json_array_append_new(json_object_get(jot, list_of(kind)), meta) != 0)
        got = fail(err, EX_DATAERR, "the file's name must be UTF-8");
    else
        got = phone_folder_write_jots(f, jots, err); /* last: a jot never names what is not there */
    json_decref(jots);
    return got;
}

int phone_jots_remove(phone_folder *f, int64_t id, edit_error *err) {
    json_t *jots = NULL;
    size_t at;
    if (phone_folder_read_jots(f, &jots, err) != 0)
        return -1;
    int got;
    if (find(jots, id, &at) == NULL)
        got = fail(err, EX_NOINPUT, "the phone has no such jot");
    else if (json_array_remove(jots, at) == 0)
        got = write_fewer(f, jots, err);
    else
        got = fail(err, EX_OSERR, "out of memory");
    json_decref(jots);
    return got;
}
