/*
 * Questions as the server has them.
 *
 * A tie holds texts as a phone sent them, which may be cut in the middle of a UTF-16 pair; jansson refuses that, so
 * such escapes are turned into U+FFFD first. The text of a locked list is shown by no command that was not asked to.
 */
#include "cli/question.h"

#include "cli/print.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

/* The value of the \uXXXX escape at `s`, or -1. */
static long escape_at(const char *s, size_t len) {
    char digits[5] = "";

    if (len < 6 || s[0] != '\\' || s[1] != 'u')
        return -1;
    memcpy(digits, s + 2, 4);
    for (int i = 0; i < 4; i++) {
        if (!isxdigit((unsigned char)digits[i]))
            return -1;
    }
    return strtol(digits, NULL, 16);
}

/* Lone surrogates and NULs become U+FFFD, in place. */
static void tame(char *json, size_t len) {
    for (size_t i = 0; i < len; i++) {
        long unit = escape_at(json + i, len - i);
        if (json[i] == '\\' && unit < 0) {
            i++; /* another escape: \\, \", \n */
        } else if (unit >= 0xD800 && unit <= 0xDBFF && escape_at(json + i + 6, len - i - 6) >= 0xDC00 &&
                   escape_at(json + i + 6, len - i - 6) <= 0xDFFF) {
            i += 11;
        } else if (unit >= 0) {
            if (unit == 0 || (unit >= 0xD800 && unit <= 0xDFFF))
                memcpy(json + i, "\\ufffd", 6);
            i += 5;
        }
    }
}

static bool is_locked(const json_t *tie) {
    return strncmp(reply_string(tie, "section"), "lockedLists", strlen("lockedLists")) == 0;
}

static void withhold(json_t *questions) {
    json_t *question, *tie;
    size_t i, j;

    json_array_foreach(questions, i, question) {
        json_array_foreach(json_object_get(question, "examples"), j, tie) {
            if (!is_locked(tie))
                continue;
            json_object_del(tie, "text");
            json_object_set_new(tie, "locked", json_true());
        }
        json_array_foreach(json_object_get(question, "ties"), j, tie) {
            if (!is_locked(tie))
                continue;
            json_object_del(tie, "phoneValue");
            json_object_del(tie, "computerValue");
            json_object_del(tie, "itemContext");
            json_object_set_new(tie, "locked", json_true());
        }
    }
}

int question_fetch(const cli_common *common, bool locked, unsigned flags, json_t **out) {
    reply r;
    int status = client_request(common, json_pack("{s:s}", "do", "pending"), NULL, 0, flags, &r);

    *out = NULL;
    if (status != 0)
        return status;
    if (r.raw)
        tame(r.raw, r.raw_len);
    *out = r.raw ? json_loadb(r.raw, r.raw_len, 0, NULL) : NULL;
    if (*out && !locked)
        withhold(*out);
    reply_release(&r);
    return *out ? 0
                : print_failure(
                      EX_DATAERR,
                      "a question holds a value that cannot be shown; `trivet resolve` with --pick or "
                      "--use still answers it");
}

/* ---- in words ---- */

char *question_written(int64_t when, int64_t now, char *out, size_t size) {
    time_t then = (time_t)(when / 1000), today = (time_t)(now / 1000), yesterday = today - 24 * 3600;
    struct tm t, n, y;

    if (when <= 0 || !localtime_r(&then, &t) || !localtime_r(&today, &n) || !localtime_r(&yesterday, &y))
        snprintf(out, size, "at an unknown time");
    else if (t.tm_year == n.tm_year && t.tm_yday == n.tm_yday)
        strftime(out, size, "today %H:%M", &t);
    else if (t.tm_year == y.tm_year && t.tm_yday == y.tm_yday)
        strftime(out, size, "yesterday %H:%M", &t);
    else
        strftime(out, size, "on %Y-%m-%d %H:%M", &t);
    return out;
}

static const char *place_of(const char *section) {
    static const struct {
        const char *section, *place;
    } places[] = {{"lists", "list"},
                  {"lockedLists", "locked list"},
                  {"listsCategories", "list"},
                  {"lockedListsCategories", "locked list"},
                  {"scratchpad", "scratchpad"},
                  {"scratchpadCategories", "scratchpad"}};

    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++)
        if (strcmp(places[i].section, section) == 0)
            return places[i].place;
    return section;
}

/* What is in question, as a person would call it. */
static const char *thing_of(const char *field) {
    return strcmp(field, "done") == 0      ? "done or not"
           : strcmp(field, "slot") == 0    ? "which list"
           : strcmp(field, "label") == 0   ? "the name"
           : strcmp(field, "text") == 0    ? "the text"
           : strcmp(field, "content") == 0 ? "the text"
                                           : field;
}

void question_title(FILE *out, const json_t *tie) {
    const char *thing = thing_of(reply_string(tie, "field")), *context = reply_string(tie, "itemContext");

    print_line(out, thing, strlen(thing));
    fprintf(out, " of %s %lld", place_of(reply_string(tie, "section")),
            (long long)reply_number(tie, "slot") + 1);
    if (json_object_get(tie, "itemId") && context[0] && strcmp(reply_string(tie, "field"), "text") != 0) {
        fputs(", ", out);
        print_line(out, context, strlen(context));
    }
}

void question_value(FILE *out, const json_t *tie, const char *key) {
    const json_t *value = json_object_get(tie, key);
    const char *field = reply_string(tie, "field");

    if (!value) {
        fputs("(locked: --locked shows it)", out);
    } else if (strcmp(field, "done") == 0) {
        fputs(json_is_true(value) ? "done" : "not done", out);
    } else if (strcmp(field, "slot") == 0 && json_is_integer(value)) {
        fprintf(out, "list %lld", (long long)json_integer_value(value) + 1);
    } else if (json_is_string(value)) {
        if (json_string_length(value) == 0)
            fputs("(empty)", out);
        print_line(out, json_string_value(value), json_string_length(value));
    } else if (json_is_null(value)) {
        fputs("(none)", out);
    } else {
        char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
        print_line(out, text ? text : "?", text ? strlen(text) : 1);
        free(text);
    }
}

void question_example(FILE *out, const json_t *example) {
    const json_t *text = json_object_get(example, "text");

    fprintf(out, "%s %lld: ", place_of(reply_string(example, "section")),
            (long long)reply_number(example, "slot") + 1);
    if (text)
        print_line(out, json_string_value(text), json_string_length(text));
    else
        fputs("(locked)", out);
}
