/*
 * blob.c - content-addressed bytes in one table.
 *
 * They are stored as they come, for a sync must not wait for a compression; pruning packs those that are no longer
 * part of the present state (prune.c). A name is that of the unpacked bytes, and what is unpacked is checked against it.
 */
#include "blob.h"

#include "marks.h"
#include "pack.h"
#include "sql.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

void blob_name(const void *data, size_t len, store_name *out) {
    crypto_generichash(out->bytes, sizeof out->bytes, data, len, NULL, 0);
}

/* 1: there, 0: not. */
static int has(store *s, const store_name *name, store_error *err) {
    sqlite3_stmt *q = sql_get(s, SQL_BLOB_HAS, err);
    sql_name(q, 1, name);
    int rc = sql_row(s, q, err);
    sql_reset(q);
    return rc;
}

int blob_put(store *s, const store_name *name, const void *data, size_t len, store_error *err) {
    int rc = has(s, name, err);
    if (rc != 0)
        return rc > 0 ? 0 : rc;
    sqlite3_stmt *q = sql_get(s, SQL_BLOB_PUT, err);
    sql_name(q, 1, name);
    sql_blob(q, 2, data, len);
    return sql_run(s, q, err);
}

static int fail_blob(store *s, const store_name *name, const char *what, store_error *err) {
    char hex[65], text[128];
    store_name_hex(name, hex);
    snprintf(text, sizeof text, "the part %.16s of a state %s", hex, what);
    return store_fail_damaged(s, err, text);
}

static int out_of_memory_here(store *s) {
    return sqlite3_errcode(s->db) == SQLITE_NOMEM;
}

/* The bytes of a row of (data, coding, base, size) as they are stored; borrowed from the statement. */
static int stored_bytes(store *s, sqlite3_stmt *q, pack_bytes *out, store_error *err) {
    out->data = sqlite3_column_blob(q, 0); /* NULL: empty, or no memory */
    out->len = (size_t)sqlite3_column_bytes(q, 0);
    return out->data == NULL && out_of_memory_here(s) ? store_out_of_memory(err) : 0;
}

/* Unpacks one; *out is from malloc. */
static int unpack_stored(store *s, pack_bytes stored, const pack_bytes *base, int64_t size, uint8_t **out,
                         store_error *err) {
    bool memory;
    *out = size >= 0 ? unpack(stored, base, (size_t)size, &memory) : NULL;
    if (*out != NULL)
        return 0;
    return size >= 0 && memory ? store_out_of_memory(err)
                               : store_fail_damaged(s, err, "a packed part of a state cannot be unpacked");
}

int blob_read_base(store *s, int64_t num, uint8_t **out, size_t *len, store_error *err) {
    sqlite3_stmt *q = sql_get(s, SQL_BLOB_GET_BASE, err);
    pack_bytes stored;
    *out = NULL;
    sql_int(q, 1, num);
    int rc = sql_row(s, q, err);
    if (rc == 0)
        rc = store_fail_damaged(s, err, "what a part of a state differs from is missing");
    if (rc < 0) {
        sql_reset(q);
        return rc;
    }
    rc = stored_bytes(s, q, &stored, err);
    int coding = sqlite3_column_int(q, 1);
    *len = coding == PACK_RAW ? stored.len : (size_t)sqlite3_column_int64(q, 3);
    if (rc == 0 && coding == PACK_ALONE)
        rc = unpack_stored(s, stored, NULL, sqlite3_column_int64(q, 3), out, err);
    else if (rc == 0 && coding != PACK_RAW)
        rc = store_fail_damaged(s, err, "what a part of a state differs from is a difference itself");
    else if (rc == 0 && (*out = malloc(stored.len + 1)) == NULL)
        rc = store_out_of_memory(err);
    else if (rc == 0 && stored.len > 0)
        memcpy(*out, stored.data, stored.len);
    sql_reset(q);
    return rc;
}

/* The packed bytes of the current row, unpacked. */
static int unpack_row(store *s, sqlite3_stmt *q, pack_bytes stored, uint8_t **out, store_error *err) {
    uint8_t *base = NULL;
    pack_bytes base_bytes = {NULL, 0};
    bool difference = sqlite3_column_int(q, 1) == PACK_DIFFERENCE;
    int rc = difference ? blob_read_base(s, sqlite3_column_int64(q, 2), &base, &base_bytes.len, err) : 0;
    base_bytes.data = base;
    if (rc == 0)
        rc = unpack_stored(s, stored, difference ? &base_bytes : NULL, sqlite3_column_int64(q, 3), out, err);
    free(base);
    return rc;
}

int blob_get(store *s, const store_name *name, blob_fn *fn, void *ctx, store_error *err) {
    sqlite3_stmt *q = sql_get(s, SQL_BLOB_GET, err);
    uint8_t *unpacked = NULL;
    pack_bytes data;
    sql_name(q, 1, name);
    int rc = sql_row(s, q, err);
    if (rc == 0)
        rc = fail_blob(s, name, "is missing", err);
    if (rc < 0) {
        sql_reset(q);
        return rc;
    }
    rc = stored_bytes(s, q, &data, err);
    if (rc == 0 && sqlite3_column_int(q, 1) != PACK_RAW) {
        size_t size = (size_t)sqlite3_column_int64(q, 3);
        rc = unpack_row(s, q, data, &unpacked, err);
        data = (pack_bytes){unpacked, size};
    }
    store_name found;
    if (rc == 0) {
        blob_name(data.data, data.len, &found);
        rc = store_name_equal(&found, name) ? fn(ctx, data.data, data.len, err)
                                            : fail_blob(s, name, "was altered", err);
    }
    free(unpacked);
    sql_reset(q);
    return rc;
}

int blob_look(store *s, const store_name *name, blob_info *out, store_error *err) {
    sqlite3_stmt *q = sql_get(s, SQL_BLOB_LOOK, err);
    sql_name(q, 1, name);
    int rc = sql_row(s, q, err);
    if (rc > 0)
        *out = (blob_info){sqlite3_column_int64(q, 0), sqlite3_column_int(q, 1), sqlite3_column_int64(q, 2),
                           (size_t)sqlite3_column_int64(q, 3)};
    sql_reset(q);
    return rc > 0 ? 0 : rc == 0 ? fail_blob(s, name, "is missing", err) : rc;
}

int blob_repack(store *s, const blob_info *info, const void *packed, size_t len, store_error *err) {
    sqlite3_stmt *q = sql_get(s, SQL_BLOB_REPACK, err);
    sql_int(q, 1, info->num);
    sql_blob(q, 2, packed, len);
    sql_int(q, 3, info->coding);
    if (info->base != 0)
        sql_int(q, 4, info->base);
    sql_int(q, 5, (int64_t)info->size);
    return sql_run(s, q, err);
}

int blob_require(store *s, const store_name *const *names, size_t count, store_error *err) {
    for (size_t i = 0; i < count; i++) {
        int rc = names[i] != NULL ? has(s, names[i], err) : 1;
        if (rc == 0)
            return store_fail(err, STORE_FAILED, "%s: a state is named that was never stored", s->path);
        if (rc < 0)
            return rc;
        if (s->marks != NULL && names[i] != NULL)
            marks_note(s->marks, names[i]);
    }
    return 0;
}
