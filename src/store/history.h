/*
 * history.h - a line for each change of the computer's state, and which past states are still there.
 *
 * A line is kept longer than the states that it names (prune.h): `kept` says whether the state that it led to
 * (HISTORY_AFTER) and the one that it changed (HISTORY_BEFORE) can still be read. A name without its bit is only a
 * name.
 */
#ifndef TRIVET_STORE_HISTORY_H
#define TRIVET_STORE_HISTORY_H

#include "store.h"

enum { HISTORY_AFTER = 1, HISTORY_BEFORE = 2 };

typedef struct {
    int64_t id;   /* grows with time; a number is never used again */
    int64_t time; /* ms since 1970 */
    char cause
        [16]; /* "sync", "policy" (a sync whose question a policy answered), "edit", "import", "restore" */
    char device[65]; /* "" where no device had a part in it */
    char phone[257];
    store_name before, after;
    char counts[512]; /* JSON object of merge §9's counts, or "{}" */
    bool always;      /* not stored: the line is due even where the state stayed as it was */
    unsigned kept;    /* HISTORY_AFTER | HISTORY_BEFORE */
} history_line;

/* Adds a line, whose states must be stored, and fills in its id. */
int history_add(store *s, history_line *line, store_error *err);

/* Newest first, those with an id below `before` (INT64_MAX: all), at most `limit`; *out is the caller's to
 * free(). */
int history_list(store *s, int64_t before, size_t limit, history_line **out, size_t *count, store_error *err);

/* STORE_NONE: there is no such line (any more). */
int history_get(store *s, int64_t id, history_line *out, store_error *err);

/* The newest line up to `time` whose `after` is kept; the oldest line that keeps any state. STORE_NONE: none. */
int history_at(store *s, int64_t time, history_line *out, store_error *err);
int history_first(store *s, history_line *out, store_error *err);

/* The first line after `id` that keeps a state: 1 there is one, 0 not. */
int history_next_kept(store *s, int64_t id, history_line *out, store_error *err);

/*
 * The one kept state whose name starts with `prefix` (hex digits of either case). *matches says how many do: 0, 1,
 * or 2 for several.
 */
int history_named(store *s, const char *prefix, store_name *out, int *matches, store_error *err);

#endif
