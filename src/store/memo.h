/*
 * memo.h - what the store has hashed lately: parts of states with their names.
 *
 * One sync reads and writes almost the same parts several times over, and the next one does so again; to hash them costs
 * more than all else that is done with them. A name and its bytes belong together for ever, whatever becomes of the
 * database, so nothing here is ever out of date: it says nothing of whether the database holds a part.
 *
 * Bounded by MEMO_BYTES; the part that was used least lately goes first. For src/store alone; one thread at a time.
 */
#ifndef TRIVET_STORE_MEMO_H
#define TRIVET_STORE_MEMO_H

#include "store.h"

enum { MEMO_BYTES = 1 << 20, MEMO_PARTS = 128 };

typedef struct memo memo;

/* NULL: out of memory, which all of these take for one that never knows anything. */
memo *memo_new(void);
void memo_free(memo *m);

/* The bytes of that name, borrowed until the next memo_keep, or NULL. */
const void *memo_find(memo *m, const store_name *name, size_t *len);

/* The name of those bytes, whether it was known or is hashed now; kept for the next time. */
void memo_name(memo *m, const void *data, size_t len, store_name *out);

/* Takes a copy of what is known to have that name. */
void memo_keep(memo *m, const store_name *name, const void *data, size_t len);

#endif
