/*
 * tree.c - one function for each kind of value, and a cursor that all of them move.
 *
 * Each returns a new value, or NULL when the cursor's `error` has been set.
 */
#include "tree.h"

#include "number.h"
#include "scan.h"
#include "schema.h"
#include "text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    const char *text;
    size_t len, at;
    unsigned depth;
    size_t values;
    int error; /* TRIVET_PROTO_OK while all is well */
    const char *reason;
} cursor;

static json_t *read_value(cursor *c);

/* ---- errors ---- */

static void *refuse(cursor *c, const char *reason) {
    if (c->error == TRIVET_PROTO_OK) {
        c->error = TRIVET_PROTO_EINPUT;
        c->reason = reason;
    }
    return NULL;
}

static void *no_memory(cursor *c) {
    c->error = TRIVET_PROTO_ENOMEM;
    return NULL;
}

/* A new value of jansson's, or its want of memory. */
static json_t *made(cursor *c, json_t *value) {
    return value != NULL ? value : no_memory(c);
}

/* ---- tokens ---- */

/* The next byte that is no white space, or 0 at the end. */
static char peek(cursor *c) {
    while (c->at < c->len && memchr(" \t\r\n", c->text[c->at], 4) != NULL)
        c->at++;
    return c->at < c->len ? c->text[c->at] : '\0';
}

static bool take(cursor *c, char byte) {
    if (peek(c) != byte)
        return false;
    c->at++;
    return true;
}

/* A string as UTF-8, guarded, malloc'd. The cursor stands on its quotation mark. */
static char *read_text(cursor *c, size_t *len) {
    size_t from = c->at + 1;
    if (!proto_scan_string(c->text, c->len, &c->at))
        return refuse(c, "no JSON");
    size_t raw_len = c->at - 1 - from;
    char *out = malloc(2 * raw_len + 1);
    if (out == NULL)
        return no_memory(c);
    if (proto_text_read_guarded(c->text + from, raw_len, out, len))
        return out;
    free(out);
    return refuse(c, "no JSON string of UTF-8");
}

/* ---- values ---- */

static json_t *read_string(cursor *c) {
    size_t len = 0;
    char *text = read_text(c, &len);
    if (text == NULL)
        return NULL;
    json_t *value = json_stringn_nocheck(text, len);
    free(text);
    return made(c, value);
}

/* Integers that fit are integers; 1.0 is a real, as is what no int64 holds. */
static json_t *read_number(cursor *c) {
    const char *from = c->text + c->at;
    double number;
    if (!proto_scan_number(c->text, c->len, &c->at))
        return refuse(c, "no JSON");
    size_t len = (size_t)(c->text + c->at - from);
    if (len <= 18 && memchr(from, '.', len) == NULL && memchr(from, 'e', len) == NULL &&
        memchr(from, 'E', len) == NULL) {
        json_int_t integer = 0;
        for (size_t i = *from == '-'; i < len; i++)
            integer = integer * 10 + (from[i] - '0');
        return made(c, json_integer(*from == '-' ? -integer : integer));
    }
    if (!proto_number_read(from, len, &number))
        return refuse(c, "a number too large");
    return made(c, json_real(number));
}

static json_t *read_word(cursor *c) {
    static const struct {
        const char *word;
        size_t len;
    } words[] = {{"true", 4}, {"false", 5}, {"null", 4}};
    for (size_t i = 0; i < 3; i++) {
        if (c->len - c->at < words[i].len || memcmp(c->text + c->at, words[i].word, words[i].len) != 0)
            continue;
        c->at += words[i].len;
        return i == 0 ? json_true() : i == 1 ? json_false() : json_null();
    }
    return refuse(c, "no JSON");
}

/* True: added. The value is taken over, and may be NULL where reading it failed. */
static bool add_entry(cursor *c, json_t *array) {
    json_t *value = read_value(c);
    if (value == NULL)
        return false;
    return json_array_append_new(array, value) == 0 || no_memory(c) != NULL;
}

static bool add_member(cursor *c, json_t *object) {
    size_t key_len = 0;
    if (peek(c) != '"')
        return refuse(c, "no JSON") != NULL;
    char *key = read_text(c, &key_len);
    if (key == NULL)
        return false;
    json_t *value = NULL;
    if (json_object_get(object, key) != NULL)
        refuse(c, "a repeated key");
    else if (!take(c, ':'))
        refuse(c, "no JSON");
    else
        value = read_value(c);
    if (value != NULL && json_object_set_new_nocheck(object, key, value) != 0)
        no_memory(c);
    free(key);
    return c->error == TRIVET_PROTO_OK;
}

/* What stands between brackets; the cursor is after the first. */
static json_t *read_nested(cursor *c, json_t *nested, char close, bool (*add)(cursor *, json_t *)) {
    if (nested == NULL)
        return no_memory(c);
    bool good = take(c, close);
    while (!good && add(c, nested)) {
        good = take(c, close);
        if (!good && !take(c, ','))
            refuse(c, "no JSON");
        if (c->error != TRIVET_PROTO_OK)
            break;
    }
    if (good)
        return nested;
    json_decref(nested);
    return NULL;
}

static json_t *read_value(cursor *c) {
    char first = peek(c);
    json_t *value;
    if (++c->values > PROTO_TREE_MAX_VALUES)
        return refuse(c, "too many values");
    switch (first) {
    case '{':
    case '[':
        if (++c->depth > PROTO_TREE_MAX_DEPTH)
            return refuse(c, "nested too deeply");
        c->at++;
        value = first == '{' ? read_nested(c, json_object(), '}', add_member)
                             : read_nested(c, json_array(), ']', add_entry);
        c->depth--;
        return value;
    case '"':
        return read_string(c);
    case '-':
    case '0':
    case '1':
    case '2':
    case '3':
    case '4':
    case '5':
    case '6':
    case '7':
    case '8':
    case '9':
        return read_number(c);
    default:
        return read_word(c);
    }
}

int proto_tree_read(const char *text, size_t len, json_t **out, trivet_proto_error *err) {
    cursor c = {.text = text, .len = len};
    *out = read_value(&c);
    if (*out != NULL && (peek(&c) != '\0' || c.at != len)) {
        json_decref(*out);
        *out = refuse(&c, "no JSON");
    }
    if (c.error == TRIVET_PROTO_EINPUT) {
        proto_refuse(err, "", "");
        snprintf(err->reason, sizeof err->reason, "%s (byte %zu)", c.reason, c.at);
    }
    return c.error;
}
