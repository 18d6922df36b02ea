/*
 * folder.h - the data folder as a folder: making it, locking it, syncing its entries.
 */
#ifndef TRIVET_STORE_FOLDER_H
#define TRIVET_STORE_FOLDER_H

#include "store.h"

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
