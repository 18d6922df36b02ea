/*
 * blob.c - content-addressed bytes in one table.
 */
#include "blob.h"

#include "sql.h"
#include <stdio.h>

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

int blob_get(store *s, const store_name *name, blob_fn *fn, void *ctx, store_error *err) {
    sqlite3_stmt *q = sql_get(s, SQL_BLOB_GET, err);
    sql_name(q, 1, name);
    int rc = sql_row(s, q, err);
    if (rc == 0)
        rc = fail_blob(s, name, "is missing", err);
    if (rc < 0) {
        sql_reset(q);
        return rc;
    }
    const uint8_t *data = sqlite3_column_blob(q, 0); /* NULL: empty, or no memory */
    size_t len = (size_t)sqlite3_column_bytes(q, 0);
    if (data == NULL && sqlite3_errcode(s->db) == SQLITE_NOMEM) {
        sql_reset(q);
        return store_out_of_memory(err);
    }
    store_name found;
    blob_name(data, len, &found);
    if (store_name_equal(&found, name))
        rc = fn(ctx, data, len, err);
    else
        rc = fail_blob(s, name, "was altered", err);
    sql_reset(q);
    return rc;
}

int blob_require(store *s, const store_name *const *names, size_t count, store_error *err) {
    for (size_t i = 0; i < count; i++) {
        int rc = names[i] != NULL ? has(s, names[i], err) : 1;
        if (rc == 0)
            return store_fail(err, STORE_FAILED, "%s: a state is named that was never stored", s->path);
        if (rc < 0)
            return rc;
    }
    return 0;
}
