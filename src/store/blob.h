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
 * A blob as it is stored. One that is stored as a difference needs its base, which is never one of those itself: a blob
 * must not be dropped while it is anyone's base, though no state may name it any more.
 */
typedef struct {
    int64_t num;
    int coding;   /* pack.h */
    int64_t base; /* its num; 0: none */
    size_t size;  /* bytes, unpacked */
} blob_info;

/* STORE_DAMAGED where it is missing. */
int blob_look(store *s, const store_name *name, blob_info *out, store_error *err);

/* The unpacked bytes of a blob that is no difference; *out is the caller's to free(). */
int blob_read_base(store *s, int64_t num, uint8_t **out, size_t *len, store_error *err);

/* Stores the same blob in another form, `info` with its new coding and base. */
int blob_repack(store *s, const blob_info *info, const void *packed, size_t len, store_error *err);

/*
 * 0 if all of the names (NULL is passed over) are stored, else STORE_FAILED: they must not be written
 * down.
 */
int blob_require(store *s, const store_name *const *names, size_t count, store_error *err);

#endif
