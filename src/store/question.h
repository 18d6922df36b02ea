/*
 * question.h - ties and large changes that wait for an answer, as rows with a deadline.
 *
 * A row lives as long as its question is open; a restart drops them all, as the deadline would have (protocol
 * §4).
 */
#ifndef TRIVET_STORE_QUESTION_H
#define TRIVET_STORE_QUESTION_H

#include "store.h"

typedef struct {
    int64_t id;
    char device[65];
    char kind[16];    /* "tie" or "large_change" */
    int64_t deadline; /* ms since 1970 */
    char *body;       /* JSON (serve/question_body.h); the list's owner's */
} question_row;

int question_add(store *s, question_row *row, store_error *err); /* fills the id in; copies `body` */
int question_drop(store *s, int64_t id, store_error *err);
int question_drop_all(store *s, store_error *err);

/* Oldest first. */
int question_list(store *s, question_row **out, size_t *count, store_error *err);
void question_list_free(question_row *rows, size_t count);

#endif
