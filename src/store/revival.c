/*
 * revival.c - rows of what was brought back.
 */
#include "revival.h"

#include "sql.h"

int revival_add(store *s, trivet_merge_section section, trivet_merge_slice id, int64_t time,
                store_error *err) {
    sqlite3_stmt *q = sql_get(s, SQL_REVIVAL_PUT, err);
    sql_int(q, 1, section);
    sql_blob(q, 2, id.data, id.len);
    sql_int(q, 3, time);
    return sql_run(s, q, err);
}

int revival_each(store *s, revival_fn *fn, void *ctx, store_error *err) {
    sqlite3_stmt *q = sql_get(s, SQL_REVIVAL_EACH, err);
    int rc;
    while ((rc = sql_row(s, q, err)) > 0) {
        int64_t section = sqlite3_column_int64(q, 0);
        trivet_merge_slice id = {sqlite3_column_blob(q, 1), (size_t)sqlite3_column_bytes(q, 1)};
        if (section < 0 || section >= TRIVET_MERGE_SECTIONS || id.data == NULL)
            rc = store_fail_damaged(s, err, "a revival is not what it should be");
        else
            rc = fn(ctx, (trivet_merge_section)section, id, sqlite3_column_int64(q, 2));
        if (rc != 0)
            break;
    }
    sql_reset(q);
    return rc;
}
