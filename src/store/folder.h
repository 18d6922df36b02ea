/*
 * folder.h - the data folder as a folder: making it, locking it, syncing its entries.
 */
#ifndef TRIVET_STORE_FOLDER_H
#define TRIVET_STORE_FOLDER_H

#include "store.h"

/*
 * Root works in another user's folder as that user (a service's, say): what is made there is then theirs, and a link that
 * they have laid leads root nowhere that they may not go themselves. Nothing changes for others, or where the folder is root's
 * or is not there yet. Only for a program of one thread.
 *
 *     folder_user user;
 *     folder_become_owner(folder, &user);
 *     ... open, make, rename ...
 *     folder_become_self(&user);
 */
typedef struct {
    bool changed;
    unsigned gid; /* of before */
} folder_user;

void folder_become_owner(const char *folder, folder_user *user);
void folder_become_self(const folder_user *user);

/* The same until the process ends, with all that the user is; for a server. 0, or STORE_DENIED. */
int folder_stay_owner(const char *folder, store_error *err);

/* Makes the folder where it is missing (mode 0700, parents included), if `create`; else STORE_DENIED. */
int folder_make(const char *folder, bool create, store_error *err);

/*
 * Locks `folder`/lock, which holds the pid of whoever holds it, and waits up to `wait_ms` for it. The lock
 * ends with the descriptor *fd, so with the process at the latest.
 */
int folder_lock(const char *folder, int wait_ms, int *fd, store_error *err);

/*
 * A file that root made in another user's folder becomes that user's: else the service could not use it. `path` is for the
 * message.
 */
int folder_adopt(const char *folder, int fd, const char *path, store_error *err);

/* Makes renames and new entries in the folder durable. */
int folder_sync(const char *folder, store_error *err);

/* `folder`/`name`; the caller's to free(), NULL without memory. */
char *folder_path(const char *folder, const char *name);

#endif
