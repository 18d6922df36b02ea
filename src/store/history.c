/*
 * history.c - a line for each change of the head.
 */
#include "history.h"

#include "blob.h"
#include "sql.h"
#include <stdlib.h>

int history_add(store *s, const history_line *line, store_error *err) {
    const store_name *names[] = {&line->before, &line->after};
    int rc = blob_require(s, names, 2, err);
    if (rc != 0)
        return rc;
    sqlite3_stmt *q = sql_get(s, SQL_HISTORY_PUT, err);
    sql_int(q, 1, line->time);
    sql_text(q, 2, line->cause);
    sql_text(q, 3, line->device);
    sql_text(q, 4, line->phone);
    sql_name(q, 5, &line->before);
    sql_name(q, 6, &line->after);
    sql_text(q, 7, line->counts);
    return sql_run(s, q, err);
}

static bool read_line(sqlite3_stmt *q, history_line *out) {
    out->id = sqlite3_column_int64(q, 0);
    out->time = sqlite3_column_int64(q, 1);
    sql_text_of(q, 2, out->cause, sizeof out->cause);
    sql_text_of(q, 3, out->device, sizeof out->device);
    sql_text_of(q, 4, out->phone, sizeof out->phone);
    sql_text_of(q, 7, out->counts, sizeof out->counts);
    return sql_name_of(q, 5, &out->before) && sql_name_of(q, 6, &out->after);
}

int history_list(store *s, size_t limit, history_line **out, size_t *count, store_error *err) {
    *out = NULL;
    *count = 0;
    history_line *all = NULL;
    size_t n = 0;
    int rc;
    sqlite3_stmt *q = sql_get(s, SQL_HISTORY_LIST, err);
    sql_int(q, 1, limit > INT64_MAX ? INT64_MAX : (int64_t)limit);
    while ((rc = sql_row(s, q, err)) > 0) {
        history_line *grown = store_grow(all, n, sizeof *all);
        if (grown == NULL)
            rc = store_out_of_memory(err);
        else if (all = grown, !read_line(q, &all[n++]))
            rc = store_fail_damaged(s, err, "a line of its history is not what it should be");
        if (rc < 0)
            break;
    }
    sql_reset(q);
    if (rc != 0) {
        free(all);
        return rc;
    }
    *out = all;
    *count = n;
    return 0;
}
