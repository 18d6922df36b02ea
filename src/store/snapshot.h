/*
 * snapshot.h - whole states, content-addressed.
 *
 * A part of a state (a slot, a scratchpad, a section of categories: trivet_merge_state_write_parts) is a blob
 * named by the BLAKE2b-256 of its canonical JSON; a snapshot is the list of its parts' names and is a blob
 * itself. Equal states have equal names, an edit stores one part, and nothing is ever changed in place.
 */
#ifndef TRIVET_STORE_SNAPSHOT_H
#define TRIVET_STORE_SNAPSHOT_H

#include "store.h"
#include <trivet_merge.h>

/* Stores what is not there yet, inside the caller's transaction, and gives the name. */
int snapshot_put(store *s, const trivet_merge_state *state, store_name *out, store_error *err);

/* Only the name that snapshot_put would give. */
int snapshot_name(const trivet_merge_state *state, store_name *out, store_error *err);

/* The canonical document; *out is the caller's to free(). Every blob is checked against its name. */
int snapshot_get(store *s, const store_name *name, char **out, size_t *len, store_error *err);

/* The same, read: the state owns its bytes. */
int snapshot_read(store *s, const store_name *name, trivet_merge_state **out, store_error *err);

/*
 * The parts of a list, as blob_get gives it: called for each in order; `array` says that it is element `index` of an array,
 * else it is the whole value. An empty array gives one call with name NULL. Non-zero from `fn` ends it and is returned;
 * STORE_DAMAGED: it is no list of parts, which may show after some of them were given. (Nothing is filled into an error.)
 */
typedef int snapshot_part_fn(void *ctx, const char *key, size_t key_len, bool array, size_t index,
                             const store_name *name);
bool snapshot_is_list(const uint8_t *data, size_t len);
int snapshot_parts(const uint8_t *data, size_t len, snapshot_part_fn *fn, void *ctx);

/* The computer's present state. A new store's head is the empty state: all six sections, no slots. */
int head_get(store *s, store_name *out, store_error *err);
int head_set(store *s, const store_name *name, store_error *err);

#endif
