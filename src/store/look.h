/*
 * look.h - a look at a data folder from outside, which changes nothing: beside a running server as well, and without
 * the folder's lock.
 */
#ifndef TRIVET_STORE_LOOK_H
#define TRIVET_STORE_LOOK_H

#include "store.h"

typedef enum {
    LOOK_SOUND,
    LOOK_DAMAGED,    /* `what` says how */
    LOOK_UNFINISHED, /* no fault found in the time given */
    LOOK_FAILED      /* it cannot be read; `what` says why */
} look_result;

/*
 * Reads the database's structure as SQLite's quick_check does, for at most `ms`. A database that nobody has open
 * needs the permission to write in the folder, for SQLite makes its shared memory there.
 */
look_result look_database(const char *folder, unsigned ms, char *what, size_t size);

#endif
