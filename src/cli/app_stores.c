/*
 * Finds where in a file the values stand that are wanted, and copies them. For that no more of JSON need be
 * understood than where a value ends; whether it is well-formed the merge engine tells.
 */
#include "cli/app_stores.h"

#include "cli/input.h"
#include "cli/print.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <sysexits.h>

typedef struct {
    const char *data;
    size_t len;
} span;

static const struct store_file {
    const char *name;
    const char *section, *categories; /* keys of merge §1 */
    const char *keys[6];              /* what the section may be called, best first */
} FILES[] = {
    {"jotbunker-lists.json", "lists", "listsCategories", {"lists", "items", "slots"}},
    {"jotbunker-lockedLists.json",
     "lockedLists",
     "lockedListsCategories",
     {"lockedLists", "lists", "items", "slots"}},
    {"jotbunker-scratchpad.json",
     "scratchpad",
     "scratchpadCategories",
     {"scratchpad", "scratchpads", "contents", "pads", "slots"}},
};

/* ---- a little JSON ------------------------------------------------------------------------------------ */

static size_t skip_space(span s, size_t at) {
    while (at < s.len && strchr(" \t\r\n", s.data[at]) && s.data[at])
        at++;
    return at;
}

/* Past the string that starts at `at`; SIZE_MAX where it does not end. */
static size_t skip_string(span s, size_t at) {
    for (at++; at < s.len; at++) {
        if (s.data[at] == '\\')
            at++;
        else if (s.data[at] == '"')
            return at + 1;
    }
    return SIZE_MAX;
}

/* Past the value that starts at `at`; SIZE_MAX where it does not end. Brackets are counted, not matched. */
static size_t skip_value(span s, size_t at) {
    size_t depth = 0;

    while (at < s.len) {
        char c = s.data[at];
        if (c == '"') {
            if ((at = skip_string(s, at)) == SIZE_MAX)
                return SIZE_MAX;
            if (depth == 0)
                return at;
            continue;
        }
        if (c == '{' || c == '[')
            depth++;
        else if (c == '}' || c == ']') {
            if (depth == 0)
                return at; /* the end of a bare value */
            if (--depth == 0)
                return at + 1;
        } else if (depth == 0 && (c == ',' || strchr(" \t\r\n", c)))
            return at;
        at++;
    }
    return depth == 0 ? at : SIZE_MAX;
}

/* The next member of the object; `*at` starts as 0. false at its end, or where it is none. */
static bool next_member(span object, size_t *at, span *key, span *value) {
    size_t i = skip_space(object, *at), end;

    if (i >= object.len || (*at == 0 ? object.data[i] != '{' : object.data[i] != ','))
        return false;
    i = skip_space(object, i + 1);
    if (i >= object.len || object.data[i] != '"' || (end = skip_string(object, i)) == SIZE_MAX)
        return false;
    *key = (span){object.data + i + 1, end - i - 2};
    i = skip_space(object, end);
    if (i >= object.len || object.data[i] != ':')
        return false;
    i = skip_space(object, i + 1);
    if (i >= object.len || (end = skip_value(object, i)) == SIZE_MAX || end == i)
        return false;
    *value = (span){object.data + i, end - i};
    *at = end;
    return true;
}

static bool is_named(span key, const char *name) {
    return key.len == strlen(name) && memcmp(key.data, name, key.len) == 0;
}

static bool find_member(span object, const char *name, span *value) {
    span key;

    for (size_t at = 0; next_member(object, &at, &key, value);) {
        if (is_named(key, name))
            return true;
    }
    return false;
}

/* ---- one file ----------------------------------------------------------------------------------------- */

static bool is_array(span value) {
    return value.len > 0 && value.data[0] == '[';
}

static bool find_section(span state, const struct store_file *file, span *value) {
    for (size_t i = 0; i < 6 && file->keys[i]; i++) {
        if (find_member(state, file->keys[i], value) && is_array(*value))
            return true;
    }
    return false;
}

static bool find_categories(span state, span *value) {
    static const char END[] = "categories";
    const size_t n = sizeof END - 1;
    span key;

    for (size_t at = 0; next_member(state, &at, &key, value);) {
        if (key.len >= n && strncasecmp(key.data + key.len - n, END, n) == 0 && is_array(*value))
            return true;
    }
    return false;
}

static void copy(FILE *out, const char *key, span value, bool *any) {
    fprintf(out, "%s\"%s\":", *any ? "," : "", key);
    fwrite(value.data, 1, value.len, out);
    *any = true;
}

static int read_file(const char *path, const struct store_file *file, FILE *out, bool *any) {
    char *text;
    size_t len;
    span state, value;
    int status = input_read(path, &text, &len);

    if (status != 0)
        return status;
    if (!find_member((span){text, len}, "state", &state))
        status = print_failure(EX_DATAERR, "%s: expected {\"state\":{...}}, as the app stores it", path);
    else if (!find_section(state, file, &value))
        status =
            print_failure(EX_DATAERR, "%s: its state holds no array \"%s\"; is it of another app version?",
                          path, file->section);
    if (status == 0) {
        copy(out, file->section, value, any);
        if (find_categories(state, &value))
            copy(out, file->categories, value, any);
    }
    free(text);
    return status;
}

/* ---- the folder --------------------------------------------------------------------------------------- */

int app_stores_read(const char *folder, char **out, size_t *len) {
    struct stat st;
    FILE *document;
    bool any = false;
    int status = 0;

    *out = NULL;
    if (!(document = open_memstream(out, len)))
        return print_failure(EX_OSERR, "out of memory");
    fputc('{', document);
    for (size_t i = 0; i < sizeof FILES / sizeof FILES[0] && status == 0; i++) {
        char path[PATH_MAX];
        snprintf(path, sizeof path, "%s/%s", folder, FILES[i].name);
        if (stat(path, &st) != 0)
            continue;
        if (S_ISREG(st.st_mode))
            status = read_file(path, &FILES[i], document, &any);
        else /* a pipe would be waited for */
            status = print_failure(EX_DATAERR, "%s is no file", path);
    }
    fputc('}', document);
    if (fclose(document) != 0 && status == 0)
        status = print_failure(EX_OSERR, "out of memory");
    if (status == 0 && !any)
        status = print_failure(EX_NOINPUT, "%s: the folder holds none of the app's stores, %s, %s and %s",
                               folder, FILES[0].name, FILES[1].name, FILES[2].name);
    if (status != 0) {
        free(*out);
        *out = NULL;
    }
    return status;
}
