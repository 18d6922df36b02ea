/*
 * fsck_content.h - what the database says, on a structure that is sound: parts, states, and the rows that name them.
 * For fsck.c and fsck_repair.c only.
 */
#ifndef TRIVET_STORE_FSCK_CONTENT_H
#define TRIVET_STORE_FSCK_CONTENT_H

#include "fsck.h"
#include "sql.h"

/* What is known of a blob. */
typedef enum {
    PART_UNREAD,
    PART_DAMAGED, /* missing bytes, or others than its name says */
    PART_PLAIN,   /* a part of a state */
    PART_LIST,    /* a state: a list of parts, all of them sound */
    PART_BROKEN   /* a list that is not what it should be, or names a part that is not sound */
} part_status;

typedef struct {
    store_name name;
    uint8_t status; /* part_status */
    uint8_t as;     /* known to be readable as: bit of its key */
} part_row;

typedef struct {
    store *s;
    const char *folder; /* whose files of jots are looked at */
    const fsck_options *options;
    fsck_result *result;
    part_row *parts; /* by name */
    size_t count;
    char **drops; /* what a repair does about the rows that were found: SQL, from sqlite3_mprintf */
    size_t drop_count;
    bool head_sound;
    store_error *err;
} fsck_content;

/* Says that something was found. */
void fsck_tell(const fsck_options *options, fsck_result *result, bool fault, const char *kind,
               const char *means, const char *action, const char *format, ...)
    __attribute__((format(printf, 7, 8)));

/* Reads all of it. 0, or a store code where it could not be read to its end. */
int fsck_content_run(fsck_content *c);
void fsck_content_release(fsck_content *c);

part_status fsck_content_status(const fsck_content *c, const store_name *name); /* PART_DAMAGED: not there */
/* Whether a sound part can stand under that key of a state (merge §1). */
bool fsck_content_fits(fsck_content *c, const store_name *name, const char *key, size_t key_len, bool array);

/* Runs a question and calls `fn` for each row; non-zero from it ends that and is returned. STORE_NONE: the folder's version
 * has no such table or column. */
typedef int fsck_row_fn(void *ctx, sqlite3_stmt *q);
int fsck_rows(store *s, const char *question, fsck_row_fn *fn, void *ctx, store_error *err);

#endif
