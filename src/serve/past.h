/*
 * past.h - what names a past state, and which state that is.
 *
 *   now           the present state
 *   12            as it was after line 12 of history
 *   12^           as it was before line 12
 *   @1700000000000  as it was at that time (ms since 1970); commands turn dates into this
 *   first         the oldest state that is kept
 *   3fa9c81       the state with that name: at least seven hex digits that no other kept state's name starts with
 */
#ifndef TRIVET_SERVE_PAST_H
#define TRIVET_SERVE_PAST_H

#include "store/history.h"

/* Status and message as in edit.h: what to tell who asked. */
typedef struct {
    int status;
    char message[512];
} past_error;

/*
 * 0, or -1 after filling `why` in. *line is the id of the history line that led to the state, 0 where none is known
 * to.
 */
int past_find(store *s, const char *typed, store_name *out, int64_t *line, past_error *why);

/* Whether `typed` is a time from before the oldest state that is kept: past_find() gives that state for it. */
bool past_is_before_all(store *s, const char *typed);

#endif
