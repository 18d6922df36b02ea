/*
 * Naming past states. A line whose states were thinned out says so, and names the nearest that is kept, for that is
 * what is asked for next.
 */
#include "serve/past.h"

#include "store/snapshot.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

enum { LEAST_DIGITS = 7 };

__attribute__((format(printf, 3, 4))) static int refuse(past_error *why, int status, const char *format,
                                                        ...) {
    va_list args;

    va_start(args, format);
    vsnprintf(why->message, sizeof why->message, format, args);
    va_end(args);
    why->status = status;
    return -1;
}

static int refuse_store(past_error *why, const store_error *err) {
    return refuse(why, err->status ? err->status : EX_SOFTWARE, "%s", err->message);
}

/* A whole number of at most 18 digits; NULL where there is none, else what follows it. */
static const char *number(const char *typed, int64_t *out) {
    size_t digits = strspn(typed, "0123456789");

    if (digits == 0 || digits > 18)
        return NULL;
    *out = strtoll(typed, NULL, 10);
    return typed + digits;
}

/* The state of a line that was thinned out is gone: which one is still there? */
static int refuse_thinned(store *s, const history_line *line, past_error *why) {
    store_error err = STORE_ERROR_INIT;
    history_line near;
    int rc = history_at(s, line->time, &near, &err);

    if (rc == STORE_NONE)
        rc = history_first(s, &near, &err);
    if (rc == 0)
        return refuse(
            why, EX_NOINPUT,
            "that state is no longer kept; the nearest that is: %lld (see keep_all in trivet.conf(5))",
            (long long)near.id);
    return rc == STORE_NONE ? refuse(why, EX_NOINPUT, "that state is no longer kept, and no older one is")
                            : refuse_store(why, &err);
}

/* The state before a line is mostly the one after the line before it, which is kept for longer. */
static bool is_after_of_older(store *s, const history_line *line) {
    store_error err = STORE_ERROR_INIT;
    history_line *older = NULL;
    size_t count = 0;
    bool same = history_list(s, line->id, 1, &older, &count, &err) == 0 && count == 1 &&
                (older->kept & HISTORY_AFTER) != 0 && store_name_equal(&older->after, &line->before);

    free(older);
    return same;
}

static int of_line(store *s, int64_t id, bool before, store_name *out, int64_t *line, past_error *why) {
    store_error err = STORE_ERROR_INIT;
    history_line found;
    int rc = history_get(s, id, &found, &err);

    if (rc == STORE_NONE)
        return refuse(why, EX_NOINPUT, "history has no line %lld; `trivet history` shows them",
                      (long long)id);
    if (rc != 0)
        return refuse_store(why, &err);
    if (before && !(found.kept & HISTORY_BEFORE) && is_after_of_older(s, &found)) {
        *out = found.before;
        return 0;
    }
    if ((found.kept & (before ? HISTORY_BEFORE : HISTORY_AFTER)) == 0)
        return refuse_thinned(s, &found, why);
    *out = before ? found.before : found.after;
    *line = before ? 0 : found.id;
    return 0;
}

static int of_first(store *s, store_name *out, int64_t *line, past_error *why) {
    store_error err = STORE_ERROR_INIT;
    history_line found;
    int rc = history_first(s, &found, &err);

    *line = 0;
    if (rc == STORE_NONE) /* nothing ever happened */
        return head_get(s, out, &err) == 0 ? 0 : refuse_store(why, &err);
    if (rc != 0)
        return refuse_store(why, &err);
    *out = found.kept & HISTORY_BEFORE ? found.before : found.after;
    *line = found.kept & HISTORY_BEFORE ? 0 : found.id;
    return 0;
}

static int of_time(store *s, int64_t time, store_name *out, int64_t *line, past_error *why) {
    store_error err = STORE_ERROR_INIT;
    history_line found;
    int rc = history_at(s, time, &found, &err);

    if (rc == STORE_NONE)
        return of_first(s, out, line, why);
    if (rc != 0)
        return refuse_store(why, &err);
    *out = found.after;
    *line = found.id;
    return 0;
}

static int of_name(store *s, const char *typed, store_name *out, past_error *why) {
    store_error err = STORE_ERROR_INIT;
    int matches;

    if (history_named(s, typed, out, &matches, &err) != 0)
        return refuse_store(why, &err);
    if (matches > 1)
        return refuse(why, EX_DATAERR,
                      "several states have a name that starts with \"%.64s\"; type more of it", typed);
    return matches == 1 ? 0
                        : refuse(why, EX_NOINPUT,
                                 "no state that is kept has a name that starts with \"%.64s\"", typed);
}

static bool is_name(const char *typed) {
    size_t len = strspn(typed, "0123456789abcdefABCDEF");
    return typed[len] == '\0' && len >= LEAST_DIGITS && len <= 64;
}

int past_find(store *s, const char *typed, store_name *out, int64_t *line, past_error *why) {
    store_error err = STORE_ERROR_INIT;
    history_line found;
    const char *rest;
    int64_t n;

    *line = 0;
    if (strcmp(typed, "now") == 0)
        return head_get(s, out, &err) == 0 ? 0 : refuse_store(why, &err);
    if (strcmp(typed, "first") == 0)
        return of_first(s, out, line, why);
    if (typed[0] == '@' && (rest = number(typed + 1, &n)) && *rest == '\0')
        return of_time(s, n, out, line, why);
    rest = number(typed, &n);
    /* A name may consist of digits alone: then a line of that number comes first. */
    if (rest && *rest == '\0' && is_name(typed) && history_get(s, n, &found, &err) == STORE_NONE)
        return of_name(s, typed, out, why);
    if (rest && (*rest == '\0' || strcmp(rest, "^") == 0))
        return of_line(s, n, *rest == '^', out, line, why);
    if (is_name(typed))
        return of_name(s, typed, out, why);
    return refuse(why, EX_USAGE,
                  "\"%.64s\" names no state: give a number that `trivet history` shows, such a number and ^ "
                  "for the state "
                  "before it, a date, how long ago (2h, 3d), now or first",
                  typed);
}

bool past_is_before_all(store *s, const char *typed) {
    store_error err = STORE_ERROR_INIT;
    history_line found;
    const char *rest;
    int64_t time;

    return typed[0] == '@' && (rest = number(typed + 1, &time)) && *rest == '\0' &&
           history_at(s, time, &found, &err) == STORE_NONE;
}
