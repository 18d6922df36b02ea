/*
 * jot_content.h - the bytes of jots' files: jots/HASH in the data folder, HASH being their BLAKE2b-256 in hex.
 *
 *     jot_content_new(folder, expected, &c, &err)
 *     jot_content_add(c, data, len, &err)...
 *     jot_content_finish(c, &hash, &size, &err)       durable; then it is recorded in the database
 *     jot_content_free(c)
 *
 * One that comes in pieces, perhaps over several connections and starts of the program, is kept meanwhile as jots/partial-NUM, NUM
 * being the number of its row (jot.h), which no other file ever has:
 *
 *     jot_content_resume(folder, num, &c, &err)       what was written before is there still
 *     jot_content_reread(c, most, &left, &err)...     until nothing is left: it is hashed again
 *     jot_content_add(c, data, len, &err)...
 *     jot_content_is(c, &hash) ? jot_content_finish(…) : jot_content_discard(c)
 *     jot_content_free(c)                             one that was neither stays, to be resumed
 *
 * It touches no database, and may be used on any thread, each content by one at a time.
 */
#ifndef TRIVET_STORE_JOT_CONTENT_H
#define TRIVET_STORE_JOT_CONTENT_H

#include "store.h"

typedef struct jot_content jot_content;

/* What must be left on the disk for everything else. */
enum { JOT_SPARE_DISK = 32 << 20 };

/* `expected`: how many bytes will come, as far as is known; STORE_FULL where the disk has not that much to spare. */
int jot_content_new(const char *folder, uint64_t expected, jot_content **out, store_error *err);
int jot_content_add(jot_content *c, const void *data, size_t len, store_error *err);
int jot_content_finish(jot_content *c, store_name *hash, uint64_t *size, store_error *err);
void jot_content_free(
    jot_content *c); /* NULL is fine; what was not finished is deleted, unless it came from resume */

int jot_content_resume(const char *folder, int64_t num, jot_content **out, store_error *err);
int jot_content_reread(jot_content *c, uint64_t most, uint64_t *left, store_error *err);
uint64_t jot_content_size(const jot_content *c); /* bytes that are there */
/* STORE_FULL where the disk has not `more` bytes to spare. */
int jot_content_room(const jot_content *c, uint64_t more, store_error *err);
/* Whether jot_content_forget has taken it away meanwhile: it can only be freed. */
bool jot_content_is_forgotten(const jot_content *c);
bool jot_content_is(const jot_content *c, const store_name *hash);
void jot_content_discard(jot_content *c);

/* How much of file `num` is there, half come; 0: none. */
uint64_t jot_content_partial(const char *folder, int64_t num);
/* It will not be resumed. */
void jot_content_forget(const char *folder, int64_t num);

/* Opens one for reading; STORE_NONE where it is not there, or is no plain file. */
int jot_content_open(const char *folder, const store_name *hash, int *fd, uint64_t *size, store_error *err);

/* Whether its bytes are what its name says. STORE_NONE: it is not there; STORE_DAMAGED (no error told): they are not. */
int jot_content_check(const char *folder, const store_name *hash, store_error *err);

/* Deletes what a killed process left half written. Only under the folder's lock. */
void jot_content_sweep(const char *folder);

/* "jots/HASH" */
enum { JOT_CONTENT_NAME_LEN = 5 + 64 };
void jot_content_name_of(const store_name *hash, char out[static JOT_CONTENT_NAME_LEN + 1]);
bool jot_content_name_read(const char *name, store_name *hash);

/* How one begins that is half written. */
#define JOT_CONTENT_INCOMING "incoming-"
#define JOT_CONTENT_PARTIAL "partial-"
/* The number in the name of a partial one; -1: it is none. */
int64_t jot_content_partial_num(const char *name);

#endif
