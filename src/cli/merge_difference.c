/*
 * Walks both texts side by side, member by member and element by element, instead of comparing lines: a person looks
 * for the field that is wrong, not for the line that it stands in. Values are slices of the texts, as they were written.
 */
#include "cli/merge_difference.h"

#include "cli/print.h"
#include "fixture/layout.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { SHOWN = 20 /* places */, WIDEST = 240 /* bytes of a value */, DEEPEST = 100 };

typedef struct {
    const char *at;
    size_t len;
} span;

typedef struct {
    FILE *out;
    char path[512];
    size_t path_len, depth, told;
} walk;

static bool same(span a, span b) {
    return a.len == b.len && memcmp(a.at, b.at, a.len) == 0;
}

/* ---- telling ------------------------------------------------------------------------------------------ */

static void print_value(FILE *out, const char *what, const span *value) {
    size_t len = !value ? 0 : value->len < WIDEST ? value->len : WIDEST;

    fprintf(out, "#     %s ", what);
    if (!value) {
        fputs("nothing", out);
    } else {
        while (len < value->len && ((unsigned char)value->at[len] & 0xC0) == 0x80)
            len--; /* no character is cut in two */
        print_line(out, value->at, len);
        if (len < value->len)
            fprintf(out, "... (%zu bytes)", value->len);
    }
    fputc('\n', out);
}

/* NULL: nothing is there. */
static void tell(walk *w, const span *expected, const span *got) {
    if (w->told++ >= SHOWN)
        return;
    fputs("#   ", w->out);
    if (w->path_len)
        print_line(w->out, w->path, w->path_len);
    else
        fputs("the whole", w->out);
    fputc('\n', w->out);
    print_value(w->out, "expected", expected);
    print_value(w->out, "got     ", got);
}

/* ---- paths -------------------------------------------------------------------------------------------- */

/* Returns what leave() needs to go back. A path too long for its room is cut. */
static size_t enter(walk *w, const char *before, span name, const char *after) {
    size_t was = w->path_len;
    int n = snprintf(w->path + was, sizeof w->path - was, "%s%.*s%s",
                     was ? before : before + (*before == '.'), (int)name.len, name.at, after);
    w->path_len = n < 0 || (size_t)n >= sizeof w->path - was ? sizeof w->path - 1 : was + (size_t)n;
    w->depth++;
    return was;
}

static void leave(walk *w, size_t was) {
    w->path[was] = '\0';
    w->path_len = was;
    w->depth--;
}

static bool is_word(span name) {
    for (size_t i = 0; i < name.len; i++)
        if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_", name.at[i]))
            return false;
    return name.len > 0;
}

/* `key` with its quotation marks */
static size_t enter_member(walk *w, span key) {
    span name = {key.at + 1, key.len >= 2 ? key.len - 2 : 0};
    return is_word(name) ? enter(w, ".", name, "") : enter(w, "[", key, "]");
}

static size_t enter_element(walk *w, size_t index) {
    char number[24];
    int n = snprintf(number, sizeof number, "%zu", index);
    return enter(w, "[", (span){number, (size_t)n}, "]");
}

/* ---- walking ------------------------------------------------------------------------------------------ */

static void differ(walk *w, span expected, span got);

/* Takes the next value off `rest`, and the comma or colon behind it. */
static bool next(span *rest, span *value) {
    const char *end = rest->at + rest->len, *after;

    if (rest->len == 0)
        return false;
    after = rest->at[0] == '"' ? fixture_string_end(rest->at, end) : fixture_value_end(rest->at, end);
    if (after == rest->at)
        after++; /* no JSON; go on all the same */
    *value = (span){rest->at, (size_t)(after - rest->at)};
    after += after < end;
    *rest = (span){after, (size_t)(end - after)};
    return true;
}

static bool next_member(span *rest, span *key, span *value) {
    return next(rest, key) && next(rest, value);
}

static bool member(span object, span key, span *value) {
    span name;
    while (next_member(&object, &name, value))
        if (same(name, key))
            return true;
    return false;
}

static void differ_objects(walk *w, span expected, span got) {
    span key, value, other;

    for (span rest = expected; next_member(&rest, &key, &value);) {
        size_t was = enter_member(w, key);
        if (!member(got, key, &other))
            tell(w, &value, NULL);
        else
            differ(w, value, other);
        leave(w, was);
    }
    for (span rest = got; next_member(&rest, &key, &value);) {
        size_t was = enter_member(w, key);
        if (!member(expected, key, &other))
            tell(w, NULL, &value);
        leave(w, was);
    }
}

/* From malloc; NULL: out of memory. */
static span *elements(span array, size_t *count) {
    size_t room = 1;
    span *list, value;

    *count = 0;
    for (span rest = array; next(&rest, &value);)
        room++;
    if (!(list = malloc(room * sizeof *list)))
        return NULL;
    while (next(&array, &value))
        list[(*count)++] = value;
    return list;
}

/* What is alike at the start and, where the lengths differ, at the end is paired up; indices are those of `got`. */
static void differ_lists(walk *w, const span *a, size_t a_count, const span *b, size_t b_count) {
    size_t start = 0, end = 0;

    while (start < a_count && start < b_count && same(a[start], b[start]))
        start++;
    while (a_count != b_count && end < a_count - start && end < b_count - start &&
           same(a[a_count - 1 - end], b[b_count - 1 - end]))
        end++;
    for (size_t i = start; i + end < a_count || i + end < b_count; i++) {
        size_t was = enter_element(w, i);
        if (i + end >= a_count)
            tell(w, NULL, &b[i]);
        else if (i + end >= b_count)
            tell(w, &a[i], NULL);
        else
            differ(w, a[i], b[i]);
        leave(w, was);
    }
}

static void differ_arrays(walk *w, span expected, span got) {
    size_t a_count, b_count;
    span *a = elements(expected, &a_count), *b = elements(got, &b_count);

    if (a && b)
        differ_lists(w, a, a_count, b, b_count);
    else
        tell(w, &expected, &got);
    free(a);
    free(b);
}

static bool is(span value, const char *brackets) {
    return value.len >= 2 && value.at[0] == brackets[0] && value.at[value.len - 1] == brackets[1];
}

static span inside(span value) {
    return (span){value.at + 1, value.len - 2};
}

static void differ(walk *w, span expected, span got) {
    size_t told = w->told;

    if (same(expected, got))
        return;
    if (w->depth < DEEPEST && is(expected, "{}") && is(got, "{}"))
        differ_objects(w, inside(expected), inside(got));
    else if (w->depth < DEEPEST && is(expected, "[]") && is(got, "[]"))
        differ_arrays(w, inside(expected), inside(got));
    if (w->told == told)
        tell(w, &expected, &got); /* also where only the order of keys differs */
}

void merge_difference(FILE *out, const char *expected, size_t expected_len, const char *got, size_t got_len) {
    walk w = {.out = out};

    differ(&w, (span){expected, expected_len}, (span){got, got_len});
    if (w.told > SHOWN)
        fprintf(out, "#   ... and %zu places more\n", w.told - SHOWN);
}
