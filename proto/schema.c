/*
 * schema.c - a walk over a JSON tree and a table side by side.
 *
 * The path is written into the error itself while the walk goes down and cut back on the way up, so that it
 * stands there when something is refused.
 */
#include "schema.h"

#include "base64.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const double max_count = 9007199254740991.0; /* 2^53 - 1 */
enum { MAX_ID = 256 };

typedef struct {
    bool fill;
    bool left_out; /* an entry of an array */
    trivet_proto_error *err;
} walk;

static int check_fields(walk *w, json_t *object, const proto_field *fields);

/* ---- path and reason ---- */

int proto_refuse(trivet_proto_error *err, const char *path, const char *reason) {
    snprintf(err->path, sizeof err->path, "%s", path);
    snprintf(err->reason, sizeof err->reason, "%s", reason);
    return TRIVET_PROTO_EINPUT;
}

static int refuse(walk *w, const char *reason) {
    snprintf(w->err->reason, sizeof w->err->reason, "%s", reason);
    return TRIVET_PROTO_EINPUT;
}

/* Both return the length to cut back to. */
static size_t path_name(walk *w, const char *name) {
    char *path = w->err->path;
    size_t len = strlen(path);
    snprintf(path + len, sizeof w->err->path - len, "%s%s", len > 0 ? "." : "", name);
    return len;
}

static size_t path_index(walk *w, size_t index) {
    size_t len = strlen(w->err->path);
    snprintf(w->err->path + len, sizeof w->err->path - len, "[%zu]", index);
    return len;
}

/* ---- single values ---- */

static int check_id(walk *w, const json_t *value) {
    size_t len = json_string_length(value);
    if (!json_is_string(value))
        return refuse(w, "expected a string");
    return len >= 1 && len <= MAX_ID ? TRIVET_PROTO_OK : refuse(w, "expected an id of 1 to 256 bytes");
}

static int check_count(walk *w, const json_t *value) {
    double number = json_number_value(value);
    if (!json_is_number(value))
        return refuse(w, "expected a number");
    return number >= 0 && number <= max_count && floor(number) == number
               ? TRIVET_PROTO_OK
               : refuse(w, "expected an integer from 0 to 2^53 - 1");
}

static int check_string(walk *w, const json_t *value, proto_field_kind kind) {
    const char *text = json_string_value(value);
    if (text == NULL)
        return refuse(w, "expected a string");
    if (kind == PROTO_FIELD_BASE64 && !proto_base64_valid(text, json_string_length(value)))
        return refuse(w, "expected base64");
    if (kind == PROTO_FIELD_FILE_TYPE && strcmp(text, "image") != 0 && strcmp(text, "audio") != 0 &&
        strcmp(text, "file") != 0)
        return refuse(w, "expected image, audio or file");
    return TRIVET_PROTO_OK;
}

static int check_single(walk *w, json_t *value, const proto_field *field) {
    switch (field->kind) {
    case PROTO_FIELD_ID:
        return check_id(w, value);
    case PROTO_FIELD_COUNT:
        return check_count(w, value);
    case PROTO_FIELD_NUMBER:
        return json_is_number(value) ? TRIVET_PROTO_OK : refuse(w, "expected a number");
    case PROTO_FIELD_BOOL:
        return json_is_boolean(value) ? TRIVET_PROTO_OK : refuse(w, "expected true or false");
    case PROTO_FIELD_DRAWING:
        return json_is_null(value) ? TRIVET_PROTO_OK : check_string(w, value, field->kind);
    case PROTO_FIELD_OBJECT:
        return json_is_object(value) ? check_fields(w, value, field->of) : refuse(w, "expected an object");
    default:
        return check_string(w, value, field->kind);
    }
}

/* 1.0 as 1, so that the owner may take it for the integer that it is. NULL: nothing to do. */
static json_t *as_integer(const json_t *value, const proto_field *field) {
    return field->kind == PROTO_FIELD_COUNT && json_is_real(value)
               ? json_integer((json_int_t)json_real_value(value))
               : NULL;
}

/* ---- arrays ---- */

/* The kind of an array's entries. */
static proto_field entry_of(const proto_field *field) {
    proto_field entry = {field->name, PROTO_FIELD_STRING, PROTO_REQUIRED, field->of};
    if (field->kind == PROTO_FIELD_OBJECTS)
        entry.kind = PROTO_FIELD_OBJECT;
    else if (field->kind == PROTO_FIELD_IDS)
        entry.kind = PROTO_FIELD_ID;
    else if (field->kind == PROTO_FIELD_COUNTS)
        entry.kind = PROTO_FIELD_COUNT;
    return entry;
}

/* The good entries of an array, in a new one, which takes its place in `parent`. A bad one is left out alone,
 * but where the array is not lenient. */
static int check_entries(walk *w, json_t *parent, json_t *array, const proto_field *field) {
    const proto_field entry = entry_of(field);
    json_t *good = w->fill ? json_array() : NULL;
    if (w->fill && good == NULL)
        return TRIVET_PROTO_ENOMEM;
    for (size_t i = 0; i < json_array_size(array); i++) {
        json_t *value = json_array_get(array, i);
        size_t cut = path_index(w, i);
        int r = check_single(w, value, &entry);
        if (r == TRIVET_PROTO_OK && w->fill) {
            bool is_real = entry.kind == PROTO_FIELD_COUNT && json_is_real(value);
            json_t *kept = is_real ? as_integer(value, &entry) : json_incref(value);
            r = json_array_append_new(good, kept) == 0 ? TRIVET_PROTO_OK : TRIVET_PROTO_ENOMEM;
        }
        if (r == TRIVET_PROTO_ENOMEM ||
            (r != TRIVET_PROTO_OK && (!w->fill || field->presence != PROTO_LENIENT))) {
            json_decref(good);
            return r;
        }
        w->left_out = w->left_out || r != TRIVET_PROTO_OK;
        w->err->path[cut] = '\0';
    }
    if (!w->fill)
        return TRIVET_PROTO_OK;
    return json_object_set_new(parent, field->name, good) == 0 ? TRIVET_PROTO_OK : TRIVET_PROTO_ENOMEM;
}

static bool is_array_kind(proto_field_kind kind) {
    return kind >= PROTO_FIELD_OBJECTS;
}

/* ---- objects ---- */

static json_t *default_of(proto_field_kind kind) {
    if (is_array_kind(kind))
        return json_array();
    if (kind == PROTO_FIELD_NUMBER || kind == PROTO_FIELD_COUNT)
        return json_integer(0);
    if (kind == PROTO_FIELD_BOOL)
        return json_false();
    return kind == PROTO_FIELD_DRAWING ? json_null() : json_string("");
}

static int check_missing(walk *w, json_t *object, const json_t *value, const proto_field *field) {
    if (field->presence == PROTO_REQUIRED || (value == NULL && field->presence == PROTO_NULL_IS_ZERO))
        return refuse(w, value == NULL ? "is missing" : "may not be null");
    if (!w->fill)
        return TRIVET_PROTO_OK;
    if (field->presence == PROTO_OPTIONAL) {
        json_object_del(object, field->name);
        return TRIVET_PROTO_OK;
    }
    return json_object_set_new(object, field->name, default_of(field->kind)) == 0 ? TRIVET_PROTO_OK
                                                                                  : TRIVET_PROTO_ENOMEM;
}

static int check_field(walk *w, json_t *object, const proto_field *field) {
    json_t *value = json_object_get(object, field->name);
    if (value == NULL || (json_is_null(value) && field->kind != PROTO_FIELD_DRAWING))
        return check_missing(w, object, value, field);
    if (is_array_kind(field->kind))
        return json_is_array(value) ? check_entries(w, object, value, field) : refuse(w, "expected an array");
    int r = check_single(w, value, field);
    if (r != TRIVET_PROTO_OK || !w->fill || field->kind != PROTO_FIELD_COUNT || !json_is_real(value))
        return r;
    return json_object_set_new(object, field->name, as_integer(value, field)) == 0 ? TRIVET_PROTO_OK
                                                                                   : TRIVET_PROTO_ENOMEM;
}

static int check_fields(walk *w, json_t *object, const proto_field *fields) {
    for (const proto_field *field = fields; field->name != NULL; field++) {
        size_t cut = path_name(w, field->name);
        int r = check_field(w, object, field);
        if (r != TRIVET_PROTO_OK)
            return r;
        w->err->path[cut] = '\0';
    }
    return TRIVET_PROTO_OK;
}

int proto_schema_check(json_t *object, const proto_field *fields, bool fill, bool *left_out,
                       trivet_proto_error *err) {
    walk w = {fill, false, err};
    err->path[0] = '\0';
    int r = check_fields(&w, object, fields);
    *left_out = w.left_out;
    return r;
}
