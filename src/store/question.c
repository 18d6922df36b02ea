/*
 * question.c - what waits for an answer.
 */
#include "question.h"

#include "sql.h"
#include <stdlib.h>
#include <string.h>

int question_add(store *s, question_row *row, store_error *err) {
    sqlite3_stmt *q = sql_get(s, SQL_QUESTION_PUT, err);
    sql_text(q, 1, row->device);
    sql_text(q, 2, row->kind);
    sql_int(q, 3, row->deadline);
    sql_text(q, 4, row->body);
    int rc = sql_run(s, q, err);
    if (rc == 0)
        row->id = sqlite3_last_insert_rowid(s->db);
    return rc;
}

int question_drop(store *s, int64_t id, store_error *err) {
    sqlite3_stmt *q = sql_get(s, SQL_QUESTION_DROP, err);
    sql_int(q, 1, id);
    int rc = sql_run(s, q, err);
    return rc == 0 && sqlite3_changes(s->db) == 0 ? STORE_NONE : rc;
}

int question_drop_all(store *s, store_error *err) {
    return sql_run(s, sql_get(s, SQL_QUESTION_DROP_ALL, err), err);
}

static int read_row(sqlite3_stmt *q, question_row *out, store_error *err) {
    char *body = strdup((const char *)sqlite3_column_text(q, 4));
    if (body == NULL)
        return store_out_of_memory(err);
    *out = (question_row){
        .id = sqlite3_column_int64(q, 0), .deadline = sqlite3_column_int64(q, 3), .body = body};
    sql_text_of(q, 1, out->device, sizeof out->device);
    sql_text_of(q, 2, out->kind, sizeof out->kind);
    return 0;
}

int question_list(store *s, question_row **out, size_t *count, store_error *err) {
    *out = NULL;
    *count = 0;
    question_row *all = NULL;
    size_t n = 0;
    int rc;
    sqlite3_stmt *q = sql_get(s, SQL_QUESTION_LIST, err);
    while ((rc = sql_row(s, q, err)) > 0) {
        question_row *grown = store_grow(all, n, sizeof *all);
        if (grown != NULL) {
            all = grown;
            rc = read_row(q, &all[n], err);
        } else {
            rc = store_out_of_memory(err);
        }
        if (rc < 0)
            break;
        n++;
    }
    sql_reset(q);
    if (rc != 0) {
        question_list_free(all, n);
        return rc;
    }
    *out = all;
    *count = n;
    return 0;
}

void question_list_free(question_row *rows, size_t count) {
    for (size_t i = 0; i < count; i++)
        free(rows[i].body);
    free(rows);
}
