/*
 * history.h - a line for each change of the computer's state, and questions that wait for an answer.
 */
#ifndef TRIVET_STORE_HISTORY_H
#define TRIVET_STORE_HISTORY_H

#include "store.h"

typedef struct {
    int64_t id;
    int64_t time;    /* ms since 1970 */
    char cause[16];  /* "sync", "policy" (a sync whose question a policy answered), "edit", "import" */
    char device[65]; /* "" where no device had a part in it */
    char phone[257];
    store_name before, after;
    char counts[512]; /* JSON object of merge §9's counts, or "{}" */
    bool always;      /* not stored: the line is due even where the state stayed as it was */
} history_line;

int history_add(store *s, const history_line *line, store_error *err);

/* Newest first, at most `limit`; *out is the caller's to free(). */
int history_list(store *s, size_t limit, history_line **out, size_t *count, store_error *err);

#endif
