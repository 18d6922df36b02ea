/*
 * history.c - a line for each change of the head.
 */
#include "history.h"

#include "blob.h"
#include "sql.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

int history_add(store *s, history_line *line, store_error *err) {
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
    if ((rc = sql_run(s, q, err)) == 0) {
        line->id = sqlite3_last_insert_rowid(s->db);
        line->kept = HISTORY_AFTER | HISTORY_BEFORE;
    }
    return rc;
}

static bool read_line(sqlite3_stmt *q, history_line *out) {
    out->id = sqlite3_column_int64(q, 0);
    out->time = sqlite3_column_int64(q, 1);
    sql_text_of(q, 2, out->cause, sizeof out->cause);
    sql_text_of(q, 3, out->device, sizeof out->device);
    sql_text_of(q, 4, out->phone, sizeof out->phone);
    sql_text_of(q, 7, out->counts, sizeof out->counts);
    out->kept = (unsigned)sqlite3_column_int(q, 8);
    return sql_name_of(q, 5, &out->before) && sql_name_of(q, 6, &out->after);
}

static int damaged_line(store *s, store_error *err) {
    return store_fail_damaged(s, err, "a line of its history is not what it should be");
}

int history_list(store *s, int64_t before, size_t limit, history_line **out, size_t *count,
                 store_error *err) {
    *out = NULL;
    *count = 0;
    history_line *all = NULL;
    size_t n = 0;
    int rc;
    sqlite3_stmt *q = sql_get(s, SQL_HISTORY_LIST, err);
    sql_int(q, 1, before);
    sql_int(q, 2, limit > INT64_MAX ? INT64_MAX : (int64_t)limit);
    while ((rc = sql_row(s, q, err)) > 0) {
        history_line *grown = store_grow(all, n, sizeof *all);
        if (grown == NULL)
            rc = store_out_of_memory(err);
        else if (all = grown, !read_line(q, &all[n++]))
            rc = damaged_line(s, err);
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

/* The one row of a statement, or STORE_NONE. */
static int one_line(store *s, sqlite3_stmt *q, history_line *out, store_error *err) {
    int rc = sql_row(s, q, err);
    if (rc > 0 && !read_line(q, out))
        rc = damaged_line(s, err);
    sql_reset(q);
    return rc > 0 ? 0 : rc == 0 ? STORE_NONE : rc;
}

int history_get(store *s, int64_t id, history_line *out, store_error *err) {
    sqlite3_stmt *q = sql_get(s, SQL_HISTORY_GET, err);
    sql_int(q, 1, id);
    return one_line(s, q, out, err);
}

int history_at(store *s, int64_t time, history_line *out, store_error *err) {
    sqlite3_stmt *q = sql_get(s, SQL_HISTORY_AT, err);
    sql_int(q, 1, time);
    return one_line(s, q, out, err);
}

int history_first(store *s, history_line *out, store_error *err) {
    return one_line(s, sql_get(s, SQL_HISTORY_FIRST, err), out, err);
}

int history_next_kept(store *s, int64_t id, history_line *out, store_error *err) {
    sqlite3_stmt *q = sql_get(s, SQL_HISTORY_KEPT, err);
    sql_int(q, 1, id);
    int rc = one_line(s, q, out, err);
    return rc == 0 ? 1 : rc == STORE_NONE ? 0 : rc;
}

static bool starts_with(const store_name *name, const char *prefix) {
    char hex[65];
    store_name_hex(name, hex);
    return strncasecmp(hex, prefix, strlen(prefix)) == 0;
}

int history_named(store *s, const char *prefix, store_name *out, int *matches, store_error *err) {
    char upper[65];
    size_t len = strlen(prefix);
    *matches = 0;
    if (len >= sizeof upper)
        return 0;
    for (size_t i = 0; i <= len; i++)
        upper[i] = (char)toupper((unsigned char)prefix[i]);
    sqlite3_stmt *q = sql_get(s, SQL_HISTORY_NAMED, err);
    sql_text(q, 1, upper);
    int rc = 0;
    history_line line;
    while (*matches < 2 && (rc = sql_row(s, q, err)) > 0) {
        if (!read_line(q, &line)) {
            rc = damaged_line(s, err);
            break;
        }
        const store_name *const names[] = {&line.after, &line.before};
        for (unsigned i = 0; i < 2; i++)
            if ((line.kept & 1u << i) != 0 && starts_with(names[i], prefix) &&
                (*matches == 0 || !store_name_equal(out, names[i]))) {
                *out = *names[i];
                ++*matches;
            }
    }
    sql_reset(q);
    return rc > 0 ? 0 : rc;
}
