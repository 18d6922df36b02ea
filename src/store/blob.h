/*
 * blob.h - bytes under the name that their BLAKE2b-256 gives them.
 */
#ifndef TRIVET_STORE_BLOB_H
#define TRIVET_STORE_BLOB_H

#include "store.h"

void blob_name(const void *data, size_t len, store_name *out);

/* Stores the bytes unless they are there; `name` is theirs. One lookup where nothing is new. */
int blob_put(store *s, const store_name *name, const void *data, size_t len, store_error *err);

/*
 * Calls `fn` once with the bytes, checked against their name; gives its result back. A missing or altered
 * blob is STORE_DAMAGED. The bytes live for the call, in which no other blob may be read.
 */
typedef int blob_fn(void *ctx, const uint8_t *data, size_t len, store_error *err);
int blob_get(store *s, const store_name *name, blob_fn *fn, void *ctx, store_error *err);

/*
 * 0 if all of the names (NULL is passed over) are stored, else STORE_FAILED: they must not be written
 * down.
 */
int blob_require(store *s, const store_name *const *names, size_t count, store_error *err);

#endif
