/*
 * store.h - the data folder: one SQLite database, one lock, one transaction at a time.
 *
 * What is kept and why it survives a power cut stands in store.c. A store is used by one thread at a time;
 * nothing in src/store knows the network, the event loop or the protocol.
 *
 * Calling sequence:
 *
 *     store_error err = STORE_ERROR_INIT;
 *     if (store_open(folder, STORE_CREATE, &store, &err) != 0) { tell err.message; exit err.status; }
 *     if (store_begin(store, &err) != 0 || ...all that belongs together... || store_commit(store, &err) != 0)
 *         store_rollback(store);
 *     store_close(store);
 *
 * Every function returns 0 or one of the codes below and fills the caller's error: the first error stands.
 * STORE_NONE and STORE_GONE are answers and leave it as it is, except where a header says otherwise. What a
 * function writes belongs to the open transaction; without one it is a transaction of its own.
 */
#ifndef TRIVET_STORE_H
#define TRIVET_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    STORE_OK = 0,
    STORE_NONE = -1,    /* there is no such row; no error to show */
    STORE_LOCKED = -2,  /* another process holds the folder; err.holder is its pid, 0 if unknown */
    STORE_DENIED = -3,  /* missing, not a folder, or no permission */
    STORE_FULL = -4,    /* no space, or a quota */
    STORE_DAMAGED = -5, /* the database, or something that it names, is not what it should be */
    STORE_FAILED = -6,  /* anything else: I/O, memory, a newer version's folder */
    STORE_GONE = -7     /* there was such a row, and retention dropped it; no error to show */
};

typedef struct {
    int code;
    int status;        /* sysexits, to exit with */
    long holder;       /* pid, with STORE_LOCKED */
    char message[512]; /* what was wrong, with the path, and what to do; no content */
    char reason[160];  /* of a damaged database: what is wrong with it, and nothing more; else "" */
} store_error;

#define STORE_ERROR_INIT                                                                                     \
    { 0, 0, 0, "", "" }

typedef struct store store;

/* A BLAKE2b-256, the name of a snapshot or a blob. */
typedef struct {
    uint8_t bytes[32];
} store_name;

bool store_name_equal(const store_name *a, const store_name *b);
void store_name_hex(const store_name *name, char out[static 65]);

enum {
    STORE_CREATE = 1, /* make the folder and the database where they are missing */
    STORE_TRY = 2,    /* do not wait for the lock */
    STORE_READ =
        4 /* only to read one state of it, beside a server that may be running: no lock, nothing is made, brought
                         up to date or copied back, and one read transaction from here to store_close */
};

/* Opens and locks. `folder` is made with mode 0700 (with STORE_CREATE, parents included). Waits up to 2 s for
 * a lock. */
int store_open(const char *folder, unsigned flags, store **out, store_error *err);
void store_close(store *s); /* NULL is fine */

/*
 * From now on keeps parts of states that were read or written lately, up to a megabyte, so that the next sync need
 * not read and hash them again. Damage that comes to the database of such a part while it is open is seen when it is
 * opened next. For the server; where there is no memory for it, nothing is kept.
 */
void store_remember(store *s);

const char *store_folder(const store *s);

/* One transaction, durable when store_commit has returned 0 (WAL, synchronous=FULL). They do not nest. */
int store_begin(store *s, store_error *err);
int store_commit(store *s, store_error *err);
void store_rollback(store *s); /* without a transaction: nothing */

/*
 * A transaction to read in, ended by store_rollback: many reads see one state, and cost a lock together instead of one
 * each.
 */
int store_begin_look(store *s, store_error *err);

/* Gives back what is only kept to be quicker, a megabyte at most. Not within a transaction. */
void store_shrink(store *s);

/* How many rows were changed since it was opened: equal before and after where nothing was. */
int64_t store_changes(const store *s);

/* Small named values: "server.id", "server.name". `value` is copied out, NUL-terminated. */
int store_meta_get(store *s, const char *key, char *value, size_t size, store_error *err);
int store_meta_set(store *s, const char *key, const char *value, store_error *err);

/* Says so, where nothing else was said, and returns STORE_FAILED: for callers that allocate between calls. */
int store_out_of_memory(store_error *err);

/* A fresh random id: `len` characters of lower-case hex, and a NUL behind them. */
void store_random_id(char *out, size_t len);

#endif
