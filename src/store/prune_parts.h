/*
 * prune_parts.h - what the two halves of a run share: its phases (prune.c), and marking with packing (prune_mark.c). For these
 * alone.
 */
#ifndef TRIVET_STORE_PRUNE_PARTS_H
#define TRIVET_STORE_PRUNE_PARTS_H

#include "history.h"
#include "marks.h"
#include "prune.h"

#include <time.h>

enum { PLACES = 1024 };

typedef enum { THIN, RECORDS, GRAVES, LINES, MARK, SWEEP_DIFFERENCES, SWEEP, VACUUM, DONE } phase;

/* A place in a state, slot 2 of lists say, and the newest blob there that others are stored as a difference from. */
typedef struct {
    uint64_t key; /* of the section's name */
    size_t index;
    int64_t base;
} place;

struct prune {
    prune_limits limits;
    prune_counts done;
    size_t rows; /* of the next step; its time goes with it */
    size_t rows_left, packed_before;
    struct timespec began;
    phase at;
    int64_t now; /* by age.h */
    int64_t cursor, record_cursor;
    history_line pending; /* THIN: kept, and not decided on yet; id 0: none */
    store *marking;       /* whose `marks` are ours */
    blob_marks *present;  /* parts of the head: left as they are */
    enum { BY_LINES, BY_RECORDS, BY_RESTORED, ROOTS_DONE } roots; /* MARK: what is walked */
    place places[PLACES];
    size_t place_count;
    int64_t base; /* the base that is in memory, 0: none */
    uint8_t *base_data;
    size_t base_len;
    int vacuum_left;
};

/* Whether this step may begin something more: a row, or part of one. */
bool prune_budget_left(prune *p);
bool prune_time_left(const prune *p);

/* A step of MARK, and what must be walked before a step of SWEEP since it was named meanwhile: 1: more to do, 0, or < 0. */
int prune_mark(prune *p, store *s, store_error *err);
int prune_mark_noted(prune *p, store *s, store_error *err);
void prune_drop_marks(prune *p);

#endif
