/*
 * restored.c - a row for each restore: the newest record that the backup had, and its head.
 */
#include "restored.h"

#include "snapshot.h"
#include "sql.h"

int restored_note(store *s, int64_t now, store_error *err) {
    store_name head;
    int rc = head_get(s, &head, err);
    if (rc != 0)
        return rc;
    sqlite3_stmt *q = sql_get(s, SQL_RESTORED_PUT, err);
    sql_name(q, 1, &head);
    sql_int(q, 2, now);
    return sql_run(s, q, err);
}

/* 1: a row, 0: none. */
static int read_row(store *s, sqlite3_stmt *q, int64_t *record, store_name *head, store_error *err) {
    int rc = sql_row(s, q, err);
    if (rc > 0) {
        *record = sqlite3_column_int64(q, 0);
        if (!sql_name_of(q, 1, head))
            rc = store_fail_damaged(s, err, "it does not say what was restored");
    }
    sql_reset(q);
    return rc;
}

int restored_next(store *s, int64_t *record, store_name *head, store_error *err) {
    sqlite3_stmt *q = sql_get(s, SQL_RESTORED_NEXT, err);
    sql_int(q, 1, *record + 1);
    int rc = read_row(s, q, record, head, err);
    if (rc == 0)
        *record = 0;
    return rc < 0 ? rc : 0;
}
