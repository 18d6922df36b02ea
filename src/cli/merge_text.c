/* merge_text.c - works on the text alone: a JSON library would lose what a fixture is about, escapes and all. */
#include "cli/merge_text.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { WIDTH = 160, AROUND = 2, SHOWN = 60 };

/* Behind the string that starts at `p`. */
static const char *string_end(const char *p, const char *end) {
    for (p++; p < end && *p != '"'; p++)
        p += *p == '\\' && p + 1 < end;
    return p < end ? p + 1 : end;
}

size_t merge_text_squeeze(char *json, size_t len) {
    const char *p = json, *end = json + len;
    char *out = json;
    while (p < end) {
        const char *next = *p == '"' ? string_end(p, end) : p + 1;
        if (*p != ' ' && *p != '\n' && *p != '\r' && *p != '\t') {
            memmove(out, p, (size_t)(next - p));
            out += next - p;
        }
        p = next;
    }
    *out = '\0';
    return (size_t)(out - json);
}

/* ---- layout ------------------------------------------------------------------------------------------- */

/* How long the value at `p` is, up to one more than `most`. */
static size_t value_length(const char *p, const char *end, size_t most) {
    const char *start = p;
    size_t depth = 0;
    while (p < end && (size_t)(p - start) <= most) {
        if (*p == '"') {
            p = string_end(p, end);
            continue;
        }
        if (*p == '{' || *p == '[')
            depth++;
        else if (*p == '}' || *p == ']') {
            if (--depth == 0)
                return (size_t)(p + 1 - start);
        }
        p++;
    }
    return most + 1;
}

static void new_line(FILE *out, size_t depth) {
    fprintf(out, "\n%*s", (int)depth * 2, "");
}

char *merge_text_lay_out(const char *json, size_t len) {
    const char *p = json, *end = json + len;
    char *text = NULL;
    size_t size, depth = 0;
    FILE *out = open_memstream(&text, &size);
    if (!out)
        return NULL;
    while (p < end) {
        const char *next = *p == '"' ? string_end(p, end) : p + 1;
        if (*p == '{' || *p == '[') {
            size_t whole = value_length(p, end, WIDTH);
            if (whole + depth * 2 <= WIDTH) {
                next = p + whole;
                fwrite(p, 1, whole, out);
            } else {
                fputc(*p, out);
                new_line(out, ++depth);
            }
        } else if (*p == '}' || *p == ']') {
            new_line(out, depth > 0 ? --depth : 0);
            fputc(*p, out);
        } else {
            fwrite(p, 1, (size_t)(next - p), out);
            if (*p == ',')
                new_line(out, depth);
            else if (*p == ':')
                fputc(' ', out);
        }
        p = next;
    }
    fputc('\n', out);
    return fclose(out) == 0 ? text : NULL;
}

/* ---- difference --------------------------------------------------------------------------------------- */

typedef struct {
    const char **line;
    size_t *len;
    size_t count;
} lines;

static bool split(const char *text, lines *out) {
    size_t count = 1;
    for (const char *p = text; *p; p++)
        count += *p == '\n';
    *out = (lines){malloc(count * sizeof *out->line), malloc(count * sizeof *out->len), 0};
    if (!out->line || !out->len)
        return false;
    while (*text) {
        size_t len = strcspn(text, "\n");
        out->line[out->count] = text;
        out->len[out->count++] = len;
        text += len + (text[len] == '\n');
    }
    return true;
}

static bool same_line(const lines *a, size_t i, const lines *b, size_t j) {
    return a->len[i] == b->len[j] && memcmp(a->line[i], b->line[j], a->len[i]) == 0;
}

static void print_lines(FILE *out, char mark, const lines *l, size_t from, size_t to) {
    for (size_t i = from; i < to && i - from < SHOWN; i++)
        fprintf(out, "#   %c %.*s\n", mark, (int)l->len[i], l->line[i]);
    if (to > from + SHOWN)
        fprintf(out, "#   %c ... %zu lines more\n", mark, to - from - SHOWN);
}

/* What is alike at both ends is left out, but for a few lines. */
static void print_difference(FILE *out, const lines *a, const lines *b) {
    size_t start = 0, end = 0;
    while (start < a->count && start < b->count && same_line(a, start, b, start))
        start++;
    while (end < a->count - start && end < b->count - start &&
           same_line(a, a->count - 1 - end, b, b->count - 1 - end))
        end++;
    size_t after = end < AROUND ? end : AROUND;
    print_lines(out, ' ', a, start < AROUND ? 0 : start - AROUND, start);
    print_lines(out, '-', a, start, a->count - end);
    print_lines(out, '+', b, start, b->count - end);
    print_lines(out, ' ', a, a->count - end, a->count - end + after);
}

void merge_text_differ(FILE *out, const char *expected, const char *actual) {
    lines a = {0}, b = {0};
    if (split(expected, &a) && split(actual, &b))
        print_difference(out, &a, &b);
    free(a.line);
    free(a.len);
    free(b.line);
    free(b.len);
}
