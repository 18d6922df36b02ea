/*
 * access.h - who may read and write the data folder. It holds everything in the clear, so it is its owner's alone: folder
 * 0700, files 0600.
 */
#ifndef TRIVET_STORE_ACCESS_H
#define TRIVET_STORE_ACCESS_H

#include "store.h"

/* Called for what is, or was, too open; `what` says what was found and, where it was put right, that it was. */
typedef void access_fn(void *ctx, bool tightened, const char *what);

/*
 * Looks at a folder that exists. With `tighten` rights of others are taken away from what is ours. STORE_DENIED (and `err` says
 * what to do) where that is not enough: the folder or a file in it belongs to another user, or is a link of another's
 * making. A folder that others could write to may hold files of theirs, and those are refused as well.
 */
int access_check(const char *folder, bool tighten, access_fn *found, void *ctx, store_error *err);

#endif
