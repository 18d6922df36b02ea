/*
 * jot_fetch.c - files of jots on their way: which is next, and what came of it.
 */
#include "jot.h"

#include "folder.h"
#include "jot_content.h"
#include "sql.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char *copy_column(sqlite3_stmt *q, int column) {
    const char *text = (const char *)sqlite3_column_text(q, column);
    return strdup(text != NULL ? text : "");
}

static int mark(store *s, sql_id id, int64_t num, store_error *err) {
    sqlite3_stmt *q = sql_get(s, id, err);
    sql_int(q, 1, num);
    return sql_run(s, q, err);
}

static int touch(store *s, int64_t jot, int64_t now, store_error *err) {
    sqlite3_stmt *q = sql_get(s, SQL_JOT_TOUCH, err);
    sql_int(q, 1, jot);
    sql_int(q, 2, now);
    return sql_run(s, q, err);
}

int jot_file_next(store *s, const char *device, int64_t after, bool unasked, bool in_pieces, jot_request *out,
                  store_error *err) {
    sqlite3_stmt *q = sql_get(s, SQL_FILE_NEXT, err);
    sql_text(q, 1, device);
    sql_int(q, 2, after);
    sql_int(q, 3, unasked);
    sql_int(q, 4, in_pieces ? INT64_MAX : JOT_CUTS_MAX);
    sql_int(q, 5, in_pieces ? INT64_MAX : JOT_UNASKED_MAX);
    int rc = sql_row(s, q, err);
    if (rc > 0) {
        *out =
            (jot_request){sqlite3_column_int64(q, 0), sqlite3_column_int64(q, 1),
                          (jot_kind)sqlite3_column_int(q, 2), copy_column(q, 3), sqlite3_column_int64(q, 4)};
        rc = out->file_id != NULL ? 0 : store_out_of_memory(err);
    } else if (rc == 0) {
        rc = STORE_NONE;
    }
    sql_reset(q);
    return rc;
}

int jot_file_find(store *s, const char *device, int64_t jot_id, jot_kind kind, const char *file_id,
                  int64_t *num, int64_t *jot, store_error *err) {
    sqlite3_stmt *q = sql_get(s, SQL_FILE_FIND, err);
    sql_text(q, 1, device);
    sql_int(q, 2, jot_id);
    sql_int(q, 3, (int64_t)kind);
    sql_text(q, 4, file_id);
    int rc = sql_row(s, q, err);
    if (rc > 0) {
        *num = sqlite3_column_int64(q, 0);
        *jot = sqlite3_column_int64(q, 1);
    }
    sql_reset(q);
    return rc > 0 ? 0 : rc == 0 ? STORE_NONE : rc;
}

int jot_file_stored(store *s, int64_t num, int64_t jot, const store_name *hash, uint64_t size, int64_t now,
                    store_error *err) {
    bool own;
    int rc = sql_enter(s, &own, err);
    if (rc != 0)
        return rc;
    sqlite3_stmt *q = sql_get(s, SQL_FILE_STORED, err);
    sql_int(q, 1, num);
    sql_name(q, 2, hash);
    sql_int(q, 3, (int64_t)size);
    sql_int(q, 4, now);
    rc = sql_run(s, q, err);
    if (rc == 0)
        rc = touch(s, jot, now, err);
    return sql_leave(s, own, rc, err);
}

int jot_file_cut(store *s, int64_t num, store_error *err) {
    return mark(s, SQL_FILE_CUT, num, err);
}

int jot_file_failed(store *s, int64_t num, const char *reason, store_error *err) {
    sqlite3_stmt *q = sql_get(s, SQL_FILE_FAILED, err);
    sql_int(q, 1, num);
    sql_text(q, 2, reason);
    return sql_run(s, q, err);
}

/* ---- half come ---- */

static int is_awaited(store *s, int64_t num, bool *awaited, store_error *err) {
    sqlite3_stmt *q = sql_get(s, SQL_FILE_AWAITED, err);
    sql_int(q, 1, num);
    int rc = sql_row(s, q, err);
    sql_reset(q);
    *awaited = rc > 0;
    return rc < 0 ? rc : 0;
}

int jot_partial_sweep(store *s, store_error *err) {
    char *path = folder_path(store_folder(s), "jots");
    DIR *dir = path != NULL ? opendir(path) : NULL;
    const struct dirent *entry;
    int rc = path != NULL ? 0 : store_out_of_memory(err);
    while (rc == 0 && dir != NULL && (entry = readdir(dir)) != NULL) {
        int64_t num = jot_content_partial_num(entry->d_name);
        bool awaited = false;
        if (num >= 0 && (rc = is_awaited(s, num, &awaited, err)) == 0 && !awaited)
            unlinkat(dirfd(dir), entry->d_name, 0);
    }
    if (dir != NULL)
        closedir(dir);
    free(path);
    return rc;
}
