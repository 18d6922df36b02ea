/*
 * lost.c - rows of what lost.
 */
#include "lost.h"

#include "sql.h"
#include <stdlib.h>
#include <string.h>

int lost_add(store *s, lost_row *row, store_error *err) {
    sqlite3_stmt *q = sql_get(s, SQL_LOST_PUT, err);
    sql_int(q, 1, row->time);
    sql_text(q, 2, row->device);
    sql_text(q, 3, row->phone);
    sql_text(q, 4, row->side);
    sql_text(q, 5, row->reason);
    sql_text(q, 6, row->fields);
    sql_blob(q, 7, row->form, strlen(row->form));
    sql_blob(q, 8, row->stands, strlen(row->stands));
    int rc = sql_run(s, q, err);
    if (rc == 0)
        row->id = sqlite3_last_insert_rowid(s->db);
    return rc;
}

void lost_release(lost_row *row) {
    free(row->fields);
    free(row->form);
    free(row->stands);
}

void lost_list_free(lost_row *rows, size_t count) {
    for (size_t i = 0; i < count; i++)
        lost_release(&rows[i]);
    free(rows);
}

static char *copy_column(sqlite3_stmt *q, int column) {
    const void *data = sqlite3_column_blob(q, column);
    return strndup(data != NULL ? data : "", (size_t)sqlite3_column_bytes(q, column));
}

static int read_row(sqlite3_stmt *q, lost_row *out, store_error *err) {
    *out = (lost_row){.id = sqlite3_column_int64(q, 0), .time = sqlite3_column_int64(q, 1)};
    sql_text_of(q, 2, out->device, sizeof out->device);
    sql_text_of(q, 3, out->phone, sizeof out->phone);
    sql_text_of(q, 4, out->side, sizeof out->side);
    sql_text_of(q, 5, out->reason, sizeof out->reason);
    out->fields = copy_column(q, 6);
    out->form = copy_column(q, 7);
    out->stands = copy_column(q, 8);
    if (out->fields != NULL && out->form != NULL && out->stands != NULL)
        return 0;
    lost_release(out);
    return store_out_of_memory(err);
}

int lost_list(store *s, int64_t before, size_t limit, lost_row **out, size_t *count, store_error *err) {
    *out = NULL;
    *count = 0;
    lost_row *all = NULL;
    size_t n = 0;
    int rc;
    sqlite3_stmt *q = sql_get(s, SQL_LOST_LIST, err);
    sql_int(q, 1, before);
    sql_int(q, 2, limit > INT64_MAX ? INT64_MAX : (int64_t)limit);
    while ((rc = sql_row(s, q, err)) > 0) {
        lost_row *grown = store_grow(all, n, sizeof *all);
        rc = grown == NULL ? store_out_of_memory(err) : read_row(q, &grown[n], err);
        if (grown != NULL)
            all = grown;
        if (rc < 0)
            break;
        n++;
    }
    sql_reset(q);
    if (rc != 0) {
        lost_list_free(all, n);
        return rc;
    }
    *out = all;
    *count = n;
    return 0;
}

int lost_get(store *s, int64_t id, lost_row *out, store_error *err) {
    sqlite3_stmt *q = sql_get(s, SQL_LOST_GET, err);
    sql_int(q, 1, id);
    int rc = sql_row(s, q, err);
    if (rc > 0)
        rc = read_row(q, out, err);
    else if (rc == 0)
        rc = STORE_NONE;
    sql_reset(q);
    return rc;
}
