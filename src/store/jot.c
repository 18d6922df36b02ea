/*
 * jot.c - rows of jots, their forms and their files.
 */
#include "jot.h"

#include "jot_content.h"
#include "sql.h"
#include <stdlib.h>
#include <string.h>

const char *jot_kind_name(jot_kind kind) {
    static const char *const names[] = {"image", "audio", "file"};
    return names[(unsigned)kind <= JOT_FILE ? kind : JOT_FILE];
}

static char *copy_column(sqlite3_stmt *q, int column) {
    const char *text = (const char *)sqlite3_column_text(q, column);
    return strdup(text != NULL ? text : "");
}

static void read_jot(sqlite3_stmt *q, jot_row *out) {
    *out = (jot_row){.num = sqlite3_column_int64(q, 0),
                     .id = sqlite3_column_int64(q, 2),
                     .first_at = sqlite3_column_int64(q, 3),
                     .changed_at = sqlite3_column_int64(q, 4),
                     .gone_at = sqlite3_column_int64(q, 5)};
    sql_text_of(q, 1, out->device, sizeof out->device);
}

/* One row, or STORE_NONE. */
static int one_jot(store *s, sqlite3_stmt *q, jot_row *out, store_error *err) {
    int rc = sql_row(s, q, err);
    if (rc > 0)
        read_jot(q, out);
    sql_reset(q);
    return rc > 0 ? 0 : rc == 0 ? STORE_NONE : rc;
}

static int find_jot(store *s, const char *device, int64_t id, jot_row *out, store_error *err) {
    sqlite3_stmt *q = sql_get(s, SQL_JOT_FIND, err);
    sql_text(q, 1, device);
    sql_int(q, 2, id);
    return one_jot(s, q, out, err);
}

int jot_get(store *s, int64_t num, jot_row *out, store_error *err) {
    sqlite3_stmt *q = sql_get(s, SQL_JOT_GET, err);
    sql_int(q, 1, num);
    return one_jot(s, q, out, err);
}

static int all_jots(store *s, sqlite3_stmt *q, jot_row **out, size_t *count, store_error *err) {
    jot_row *all = NULL;
    size_t n = 0;
    int rc;
    while ((rc = sql_row(s, q, err)) > 0) {
        jot_row *grown = store_grow(all, n, sizeof *all);
        if (grown == NULL) {
            rc = store_out_of_memory(err);
            break;
        }
        all = grown;
        read_jot(q, &all[n++]);
    }
    sql_reset(q);
    if (rc != 0) {
        free(all);
        all = NULL;
        n = 0;
    }
    *out = all;
    *count = n;
    return rc;
}

/* A folder of an older version that is only read has no jots: 0. */
static int are_known(store *s, store_error *err) {
    sqlite3_stmt *q = sql_get(s, SQL_JOT_KNOWN, err);
    int rc = sql_row(s, q, err);
    if (q != NULL)
        sql_reset(q);
    return rc;
}

int jot_list(store *s, jot_row **out, size_t *count, store_error *err) {
    *out = NULL;
    *count = 0;
    int rc = are_known(s, err);
    if (rc <= 0)
        return rc;
    return all_jots(s, sql_get(s, SQL_JOT_LIST, err), out, count, err);
}

/* ---- a change of one number in one row ---- */

static int set(store *s, sql_id id, int64_t num, int64_t value, store_error *err) {
    sqlite3_stmt *q = sql_get(s, id, err);
    sql_int(q, 1, num);
    sql_int(q, 2, value);
    return sql_run(s, q, err);
}

static int mark(store *s, sql_id id, int64_t num, store_error *err) {
    sqlite3_stmt *q = sql_get(s, id, err);
    sql_int(q, 1, num);
    return sql_run(s, q, err);
}

/* ---- manifests ---- */

static int compare_seen(const void *a, const void *b) {
    int64_t x = ((const jot_seen *)a)->id, y = ((const jot_seen *)b)->id;
    return (x > y) - (x < y);
}

static int compare_row(const void *key, const void *row) {
    int64_t x = *(const int64_t *)key, y = ((const jot_seen *)row)->id;
    return (x > y) - (x < y);
}

/* What the phone names no more is gone, with its files. */
static int miss(store *s, const jot_row *row, int64_t now, store_error *err) {
    jot_told nothing = {.id = row->id, .text = "", .drawing = ""};
    int64_t num;
    bool changed;
    return row->gone_at != 0 ? 0 : jot_apply(s, row->device, &nothing, now, &num, &changed, err);
}

static int compare_known(const void *key, const void *row) {
    int64_t x = *(const int64_t *)key, y = ((const jot_row *)row)->id;
    return (x > y) - (x < y);
}

/* `known` is sorted by the phone's ids. */
static bool is_shown(const jot_row *known, size_t count, int64_t id) {
    const jot_row *row = count > 0 ? bsearch(&id, known, count, sizeof *known, compare_known) : NULL;
    return row != NULL && row->gone_at == 0;
}

static int judge(store *s, const char *device, jot_seen *seen, size_t count, int64_t now, int64_t *ask,
                 size_t *ask_count, store_error *err) {
    jot_row *known = NULL;
    size_t known_count = 0;
    sqlite3_stmt *q = sql_get(s, SQL_JOT_OF_DEVICE, err);
    sql_text(q, 1, device);
    int rc = all_jots(s, q, &known, &known_count, err);
    for (size_t i = 0; rc == 0 && i < known_count; i++)
        if (count == 0 || bsearch(&known[i].id, seen, count, sizeof *seen, compare_row) == NULL)
            rc = miss(s, &known[i], now, err);
    for (size_t i = 0; rc == 0 && i < count && *ask_count < JOT_MAX; i++)
        if ((i == 0 || seen[i - 1].id != seen[i].id) &&
            (seen[i].content || is_shown(known, known_count, seen[i].id)))
            ask[(*ask_count)++] = seen[i].id;
    free(known);
    return rc;
}

int jot_manifest(store *s, const char *device, const jot_seen *seen, size_t count, int64_t now, int64_t **ask,
                 size_t *ask_count, store_error *err) {
    bool own;
    jot_seen *sorted = calloc(count + 1, sizeof *sorted);
    *ask = calloc(count + 1, sizeof **ask);
    *ask_count = 0;
    int rc = sorted != NULL && *ask != NULL ? sql_enter(s, &own, err) : store_out_of_memory(err);
    if (rc == 0) {
        if (count > 0)
            memcpy(sorted, seen, count * sizeof *seen);
        qsort(sorted, count, sizeof *sorted, compare_seen);
        sqlite3_stmt *q = sql_get(s, SQL_JOT_ADOPT, err);
        sql_text(q, 1, device);
        rc = sql_run(s, q, err);
        if (rc == 0)
            rc = judge(s, device, sorted, count, now, *ask, ask_count, err);
        rc = sql_leave(s, own, rc, err);
    }
    free(sorted);
    if (rc != 0) {
        free(*ask);
        *ask = NULL;
        *ask_count = 0;
    }
    return rc;
}

/* ---- forms ---- */

static bool says(sqlite3_stmt *q, int column, const char *text) {
    const char *there = (const char *)sqlite3_column_text(q, column);
    return there != NULL && strcmp(there, text) == 0;
}

/* Whether the newest form says the same; a jot without any says nothing. */
static int last_form_says(store *s, int64_t num, const jot_told *told, bool *same, store_error *err) {
    sqlite3_stmt *q = sql_get(s, SQL_FORM_LAST, err);
    sql_int(q, 1, num);
    int rc = sql_row(s, q, err);
    *same =
        rc > 0 ? says(q, 0, told->text) && says(q, 1, told->drawing) : !told->text[0] && !told->drawing[0];
    sql_reset(q);
    return rc < 0 ? rc : 0;
}

static int count_forms(store *s, int64_t num, int64_t *count, store_error *err) {
    sqlite3_stmt *q = sql_get(s, SQL_FORM_COUNT, err);
    sql_int(q, 1, num);
    int rc = sql_row(s, q, err);
    *count = rc > 0 ? sqlite3_column_int64(q, 0) : 0;
    sql_reset(q);
    return rc < 0 ? rc : 0;
}

/* One that says nothing is none: what was there stays the last one. */
static int apply_form(store *s, int64_t num, const jot_told *told, int64_t now, bool *changed,
                      store_error *err) {
    bool same = true;
    int64_t count = 0;
    if (!told->text[0] && !told->drawing[0])
        return 0;
    int rc = last_form_says(s, num, told, &same, err);
    if (rc == 0 && !same)
        rc = count_forms(s, num, &count, err);
    if (rc != 0 || same)
        return rc;
    if (count >= JOT_FORMS_MAX)
        return store_fail(err, STORE_FAILED, "a jot was changed more than %d times: later ones are not kept",
                          JOT_FORMS_MAX);
    sqlite3_stmt *q = sql_get(s, SQL_FORM_PUT, err);
    sql_int(q, 1, num);
    sql_text(q, 2, told->text);
    sql_text(q, 3, told->drawing);
    sql_int(q, 4, now);
    *changed = true;
    return sql_run(s, q, err);
}

static int read_form(sqlite3_stmt *q, jot_form_row *out, store_error *err) {
    *out = (jot_form_row){.num = sqlite3_column_int64(q, 0), .stored_at = sqlite3_column_int64(q, 1)};
    out->text = copy_column(q, 2);
    out->drawing = copy_column(q, 3);
    return out->text != NULL && out->drawing != NULL ? 0 : store_out_of_memory(err);
}

int jot_forms(store *s, int64_t num, jot_form_row **out, size_t *count, store_error *err) {
    jot_form_row *all = NULL;
    size_t n = 0;
    int rc;
    sqlite3_stmt *q = sql_get(s, SQL_FORM_LIST, err);
    sql_int(q, 1, num);
    while ((rc = sql_row(s, q, err)) > 0) {
        jot_form_row *grown = store_grow(all, n, sizeof *all);
        if (grown == NULL) {
            rc = store_out_of_memory(err);
            break;
        }
        all = grown;
        if ((rc = read_form(q, &all[n++], err)) != 0)
            break;
    }
    sql_reset(q);
    if (rc != 0) {
        jot_forms_free(all, n);
        return rc;
    }
    *out = all;
    *count = n;
    return 0;
}

void jot_forms_free(jot_form_row *forms, size_t count) {
    for (size_t i = 0; i < count; i++) {
        free(forms[i].text);
        free(forms[i].drawing);
    }
    free(forms);
}

/* ---- files ---- */

static void release_file(jot_file_row *f) {
    free(f->id);
    free(f->name);
    free(f->format);
    free(f->failed);
}

void jot_files_free(jot_file_row *files, size_t count) {
    for (size_t i = 0; i < count; i++)
        release_file(&files[i]);
    free(files);
}

static int read_file(sqlite3_stmt *q, jot_file_row *out, store_error *err) {
    *out = (jot_file_row){.num = sqlite3_column_int64(q, 0),
                          .kind = (jot_kind)sqlite3_column_int(q, 1),
                          .told_size = sqlite3_column_int64(q, 5),
                          .created_at = sqlite3_column_int64(q, 6),
                          .size = sqlite3_column_int64(q, 8),
                          .stored_at = sqlite3_column_int64(q, 9),
                          .gone_at = sqlite3_column_int64(q, 10),
                          .wanted = sqlite3_column_int(q, 11) != 0,
                          .cuts = sqlite3_column_int64(q, 12)};
    out->stored = sql_name_of(q, 7, &out->hash);
    out->id = copy_column(q, 2);
    out->name = copy_column(q, 3);
    out->format = copy_column(q, 4);
    out->failed = copy_column(q, 13);
    return out->id != NULL && out->name != NULL && out->format != NULL && out->failed != NULL
               ? 0
               : store_out_of_memory(err);
}

int jot_files(store *s, int64_t num, jot_file_row **out, size_t *count, store_error *err) {
    jot_file_row *all = NULL;
    size_t n = 0;
    int rc;
    sqlite3_stmt *q = sql_get(s, SQL_FILE_LIST, err);
    sql_int(q, 1, num);
    while ((rc = sql_row(s, q, err)) > 0) {
        jot_file_row *grown = store_grow(all, n, sizeof *all);
        if (grown == NULL) {
            rc = store_out_of_memory(err);
            break;
        }
        all = grown;
        if ((rc = read_file(q, &all[n++], err)) != 0)
            break;
    }
    sql_reset(q);
    if (rc != 0) {
        jot_files_free(all, n);
        return rc;
    }
    *out = all;
    *count = n;
    return 0;
}

static bool is_same_file(const jot_file_row *row, const jot_file_told *told) {
    return row->kind == told->kind && strcmp(row->id, told->id) == 0 && row->created_at == told->created_at &&
           row->told_size == told->size;
}

static int put_file(store *s, int64_t jot, const jot_file_told *f, store_error *err) {
    sqlite3_stmt *q = sql_get(s, SQL_FILE_PUT, err);
    sql_int(q, 1, jot);
    sql_int(q, 2, (int64_t)f->kind);
    sql_text(q, 3, f->id);
    sql_text(q, 4, f->name);
    sql_text(q, 5, f->format);
    sql_int(q, 6, f->size);
    sql_int(q, 7, f->created_at);
    return sql_run(s, q, err);
}

static int retell_file(store *s, const jot_file_row *row, const jot_file_told *f, bool *changed,
                       store_error *err) {
    if (strcmp(row->name, f->name) != 0 || strcmp(row->format, f->format) != 0) {
        sqlite3_stmt *q = sql_get(s, SQL_FILE_TOLD, err);
        sql_int(q, 1, row->num);
        sql_text(q, 2, f->name);
        sql_text(q, 3, f->format);
        *changed = true;
        int rc = sql_run(s, q, err);
        if (rc != 0)
            return rc;
    }
    return row->gone_at == 0 ? 0 : mark(s, SQL_FILE_BACK, row->num, err);
}

/* `seen[i]` is set for each row that the phone still has. */
static int apply_file(store *s, int64_t jot, const jot_file_told *f, const jot_file_row *rows, size_t count,
                      bool *seen, bool *changed, store_error *err) {
    for (size_t i = 0; i < count; i++)
        if (is_same_file(&rows[i], f)) {
            seen[i] = true;
            return retell_file(s, &rows[i], f, changed, err);
        }
    *changed = true;
    return put_file(s, jot, f, err);
}

/* The same file named twice counts once. */
static bool is_repeated(const jot_told *told, size_t at) {
    for (size_t i = 0; i < at; i++)
        if (told->files[i].kind == told->files[at].kind && strcmp(told->files[i].id, told->files[at].id) == 0)
            return true;
    return false;
}

/* It never came whole, and never will. Should this be rolled back, no more is lost than what had come of it. */
static int forget_file(store *s, int64_t num, store_error *err) {
    jot_content_forget(store_folder(s), num);
    return mark(s, SQL_FILE_FORGET, num, err);
}

static int apply_files(store *s, int64_t jot, const jot_told *told, int64_t now, bool *changed,
                       store_error *err) {
    jot_file_row *rows = NULL;
    size_t count = 0;
    int rc = jot_files(s, jot, &rows, &count, err);
    bool *seen = calloc(count + 1, sizeof *seen);
    if (rc == 0 && seen == NULL)
        rc = store_out_of_memory(err);
    for (size_t i = 0; rc == 0 && i < told->file_count && i < JOT_FILES_MAX; i++)
        if (!is_repeated(told, i))
            rc = apply_file(s, jot, &told->files[i], rows, count, seen, changed, err);
    for (size_t i = 0; rc == 0 && i < count; i++) {
        if (seen[i] || (rows[i].gone_at != 0 && rows[i].stored))
            continue;
        rc = rows[i].stored ? set(s, SQL_FILE_GONE, rows[i].num, now, err) : forget_file(s, rows[i].num, err);
    }
    free(seen);
    jot_files_free(rows, count);
    return rc;
}

/* ---- a meta ---- */

static bool has_content(const jot_told *told) {
    return told->text[0] || told->drawing[0] || told->file_count > 0;
}

static int ensure_jot(store *s, const char *device, const jot_told *told, int64_t now, jot_row *row,
                      store_error *err) {
    int rc = find_jot(s, device, told->id, row, err);
    if (rc != STORE_NONE || !has_content(told))
        return rc;
    sqlite3_stmt *q = sql_get(s, SQL_JOT_PUT, err);
    sql_text(q, 1, device);
    sql_int(q, 2, told->id);
    sql_int(q, 3, now);
    rc = sql_run(s, q, err);
    return rc == 0 ? find_jot(s, device, told->id, row, err) : rc;
}

static int apply(store *s, const char *device, const jot_told *told, int64_t now, int64_t *num, bool *changed,
                 store_error *err) {
    jot_row row;
    int rc = ensure_jot(s, device, told, now, &row, err);
    if (rc == STORE_NONE)
        return 0;
    if (rc != 0)
        return rc;
    *num = row.num;
    rc = apply_form(s, row.num, told, now, changed, err);
    if (rc == 0)
        rc = apply_files(s, row.num, told, now, changed, err);
    if (rc == 0 && *changed)
        rc = set(s, SQL_JOT_TOUCH, row.num, now, err);
    bool shown = has_content(told);
    if (rc == 0 && shown != (row.gone_at == 0))
        rc = set(s, SQL_JOT_GONE, row.num, shown ? 0 : now, err);
    return rc;
}

int jot_apply(store *s, const char *device, const jot_told *told, int64_t now, int64_t *num, bool *changed,
              store_error *err) {
    bool own;
    *num = 0;
    *changed = false;
    if (strlen(told->text) > JOT_TEXT_MAX || strlen(told->drawing) > JOT_DRAWING_MAX)
        return store_fail(err, STORE_FAILED, "a jot's text or drawing is too large to be kept");
    int rc = sql_enter(s, &own, err);
    return rc == 0 ? sql_leave(s, own, apply(s, device, told, now, num, changed, err), err) : rc;
}

static int count_missing(store *s, int64_t num, size_t *missing, store_error *err) {
    jot_file_row *files = NULL;
    size_t count = 0;
    int rc = jot_files(s, num, &files, &count, err);
    *missing = 0;
    for (size_t i = 0; rc == 0 && i < count; i++)
        *missing += !files[i].stored && files[i].gone_at == 0;
    if (rc == 0)
        jot_files_free(files, count);
    return rc;
}

int jot_want(store *s, int64_t num, size_t *count, store_error *err) {
    int rc = mark(s, SQL_FILE_WANT, num, err);
    return rc == 0 ? count_missing(s, num, count, err) : rc;
}

int jot_is_whole(store *s, int64_t num, bool *whole, store_error *err) {
    size_t missing = 0;
    int rc = count_missing(s, num, &missing, err);
    *whole = rc == 0 && missing == 0;
    return rc;
}

int jot_cleared(store *s, int64_t num, int64_t now, store_error *err) {
    jot_row row;
    jot_told nothing = {.text = "", .drawing = ""};
    bool changed;
    int rc = jot_get(s, num, &row, err);
    nothing.id = row.id;
    return rc == 0 ? jot_apply(s, row.device, &nothing, now, &num, &changed, err) : rc;
}

int jot_contents(store *s, jot_content_name **out, size_t *count, store_error *err) {
    jot_content_name *all = NULL;
    size_t n = 0;
    *out = NULL;
    *count = 0;
    int rc = are_known(s, err);
    if (rc <= 0)
        return rc;
    sqlite3_stmt *q = sql_get(s, SQL_FILE_HASHES, err);
    while ((rc = sql_row(s, q, err)) > 0) {
        jot_content_name *grown = store_grow(all, n, sizeof *all);
        if (grown == NULL) {
            rc = store_out_of_memory(err);
            break;
        }
        all = grown;
        if (sql_name_of(q, 0, &all[n].hash))
            all[n++].size = (uint64_t)sqlite3_column_int64(q, 1);
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

/* ---- the plain folder ---- */

int jot_unkeep_all(store *s, store_error *err) {
    return sql_run(s, sql_get(s, SQL_JOT_UNKEPT_ALL, err), err);
}

int jot_unkept(store *s, int64_t after, int64_t *num, store_error *err) {
    sqlite3_stmt *q = sql_get(s, SQL_JOT_UNKEPT, err);
    sql_int(q, 1, after);
    int rc = sql_row(s, q, err);
    if (rc > 0)
        *num = sqlite3_column_int64(q, 0);
    sql_reset(q);
    return rc > 0 ? 0 : rc == 0 ? STORE_NONE : rc;
}

int jot_keep(store *s, int64_t num, store_error *err) {
    return mark(s, SQL_JOT_KEPT, num, err);
}
