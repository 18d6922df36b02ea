/*
 * fsck_rebuild.c - rows out of a database whose pages are damaged, into one that is whole.
 *
 * A table is a tree of pages by its key. It is read from its first key up to the first damaged page, then from its last
 * key down to the last one, and between the two, where the keys are numbers, each number is asked for by itself, since
 * whole pages may lie between damaged ones. Indexes are not used, and are made anew by writing. What could be read is
 * not yet right: parts are compared with their names and rows with what they name afterwards (fsck_content.c).
 */
#include "fsck_repair.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ASKED_MAX = 4000000 };

typedef struct {
    store *damaged, *fresh;
    store_error *err;
    char table[64];
    char columns[1024]; /* that both know, by commas */
    char key[256];      /* the one number that the table is a tree by, or "" */
    char order[256];    /* the columns that it is a tree by, else */
    size_t width;
    sqlite3_stmt *put;
} copier;

static sqlite3_stmt *prepare(sqlite3 *db, char *text) {
    sqlite3_stmt *q = NULL;
    if (text == NULL || sqlite3_prepare_v2(db, text, -1, &q, NULL) != SQLITE_OK)
        q = NULL;
    sqlite3_free(text);
    return q;
}

/* A row into the new table; one that breaks a rule of it is left out. */
static int put_row(copier *c, sqlite3_stmt *row) {
    for (size_t i = 0; i < c->width; i++)
        sqlite3_bind_value(c->put, (int)i + 1, sqlite3_column_value(row, (int)i));
    int rc = sqlite3_step(c->put);
    sqlite3_reset(c->put);
    if (rc == SQLITE_DONE || (rc & 0xff) == SQLITE_CONSTRAINT || (rc & 0xff) == SQLITE_MISMATCH)
        return 0;
    return sql_fail(c->fresh, rc, c->err);
}

/* Copies rows until there are no more (1), or one cannot be read (0). *last is the key of the last one. */
static int copy_rows(copier *c, sqlite3_stmt *q, int64_t *last) {
    int rc = SQLITE_CORRUPT;
    while (q != NULL && (rc = sqlite3_step(q)) == SQLITE_ROW) {
        int failed = put_row(c, q);
        if (failed != 0)
            return failed;
        if (last != NULL)
            *last = sqlite3_column_int64(q, (int)c->width);
    }
    return rc == SQLITE_DONE;
}

static int copy_direction(copier *c, const char *direction, int64_t *last) {
    char *text = c->key[0] ? sqlite3_mprintf("SELECT %s, %s FROM %s NOT INDEXED ORDER BY %s %s", c->columns,
                                             c->key, c->table, c->key, direction)
                           : sqlite3_mprintf("SELECT %s FROM %s ORDER BY %s", c->columns, c->table, c->order);
    sqlite3_stmt *q = prepare(c->damaged->db, text);
    int rc = copy_rows(c, q, c->key[0] ? last : NULL);
    sqlite3_finalize(q);
    return rc;
}

static int copy_between(copier *c, int64_t low, int64_t high) {
    sqlite3_stmt *q =
        prepare(c->damaged->db, sqlite3_mprintf("SELECT %s, %s FROM %s NOT INDEXED WHERE %s = ?1", c->columns,
                                                c->key, c->table, c->key));
    int rc = 0;
    if (high - low > ASKED_MAX)
        high = low + ASKED_MAX;
    for (int64_t id = low + 1; q != NULL && rc >= 0 && id < high; id++) {
        sqlite3_reset(q);
        sqlite3_bind_int64(q, 1, id);
        rc = copy_rows(c, q, NULL);
    }
    sqlite3_finalize(q);
    return rc < 0 ? rc : 0;
}

/* Two directions of a key of several columns: "a DESC, b DESC". */
static void turn_round(copier *c) {
    char turned[sizeof c->order] = "";
    size_t used = 0;
    for (const char *at = c->order; *at != '\0';) {
        size_t len = strcspn(at, ",");
        used += (size_t)snprintf(turned + used, sizeof turned - used, "%s%.*s DESC", used > 0 ? "," : "",
                                 (int)len, at);
        if (used >= sizeof turned)
            return;
        at += len + (at[len] == ',');
    }
    memcpy(c->order, turned, sizeof turned);
}

static int copy_table(copier *c) {
    int64_t low = 0, high = INT64_MAX;
    char marks[256] = "";
    for (size_t i = 0; i < c->width && i < 40; i++)
        strcat(marks, i > 0 ? ", ?" : "?");
    c->put = prepare(c->fresh->db, sqlite3_mprintf("INSERT OR IGNORE INTO %s (%s) VALUES (%s)", c->table,
                                                   c->columns, marks));
    if (c->put == NULL)
        return store_out_of_memory(c->err);
    int rc = copy_direction(c, "ASC", &low);
    if (rc == 0) {
        turn_round(c);
        rc = copy_direction(c, "DESC", &high);
        if (rc == 0 && c->key[0] != '\0')
            rc = copy_between(c, low, high < INT64_MAX ? high : low + ASKED_MAX / 4);
    }
    sqlite3_finalize(c->put);
    return rc < 0 ? rc : 0;
}

/* ---- which columns -------------------------------------------------------------------------------------- */

static bool has_column(store *s, const char *table, const char *column) {
    sqlite3_stmt *q =
        prepare(s->db, sqlite3_mprintf("SELECT 1 FROM pragma_table_info(%Q) WHERE name = %Q", table, column));
    bool there = q != NULL && sqlite3_step(q) == SQLITE_ROW;
    sqlite3_finalize(q);
    return there;
}

static void add_name(char *list, size_t size, const char *name) {
    size_t used = strlen(list);
    snprintf(list + used, size - used, "%s%s", used > 0 ? "," : "", name);
}

/* Fills columns, key and order in; false where the damaged database does not have the table. */
static bool describe(copier *c) {
    sqlite3_stmt *q =
        prepare(c->fresh->db, sqlite3_mprintf("SELECT name, pk, type FROM pragma_table_info(%Q)", c->table));
    bool number = false;
    size_t keys = 0;
    c->columns[0] = c->key[0] = c->order[0] = '\0';
    c->width = 0;
    while (q != NULL && sqlite3_step(q) == SQLITE_ROW) {
        const char *name = (const char *)sqlite3_column_text(q, 0);
        if (name == NULL || !has_column(c->damaged, c->table, name))
            continue;
        add_name(c->columns, sizeof c->columns, name);
        c->width++;
        if (sqlite3_column_int(q, 1) == 0)
            continue;
        add_name(c->order, sizeof c->order, name);
        keys++;
        number = strcmp((const char *)sqlite3_column_text(q, 2), "INTEGER") == 0;
    }
    sqlite3_finalize(q);
    if (keys == 1 && number)
        memcpy(c->key, c->order, sizeof c->key);
    return c->width > 0 && keys > 0;
}

/* ---- all of it ------------------------------------------------------------------------------------------ */

static int raise_sequence(store *fresh, const char *table, int64_t least, store_error *err) {
    char *text = sqlite3_mprintf("INSERT INTO sqlite_sequence (name, seq) SELECT %Q, 0"
                                 " WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = %Q);"
                                 "UPDATE sqlite_sequence SET seq = %lld WHERE name = %Q AND seq < %lld",
                                 table, table, least, table, least);
    int rc = text != NULL ? sql_exec(fresh, text, err) : store_out_of_memory(err);
    sqlite3_free(text);
    return rc;
}

static bool is_ours(store *fresh, const char *table) {
    return has_column(fresh, table, "id") || has_column(fresh, table, "num");
}

/* Numbers that were given out once are not given out again: a record's outlives it. */
static int copy_sequences(store *damaged, store *fresh, store_error *err) {
    sqlite3_stmt *q = prepare(damaged->db, sqlite3_mprintf("SELECT name, seq FROM sqlite_sequence"));
    int rc = 0;
    while (rc == 0 && q != NULL && sqlite3_step(q) == SQLITE_ROW) {
        const char *table = (const char *)sqlite3_column_text(q, 0);
        if (table != NULL && is_ours(fresh, table))
            rc = raise_sequence(fresh, table, sqlite3_column_int64(q, 1), err);
    }
    sqlite3_finalize(q);
    q = prepare(fresh->db, sqlite3_mprintf("SELECT max(record) FROM record_since"));
    if (rc == 0 && q != NULL && sqlite3_step(q) == SQLITE_ROW)
        rc = raise_sequence(fresh, "record", sqlite3_column_int64(q, 0), err);
    sqlite3_finalize(q);
    return rc;
}

typedef struct {
    char names[64][64];
    size_t count;
} table_list;

static int list_table(void *ctx, sqlite3_stmt *q) {
    table_list *list = ctx;
    if (list->count < 64)
        sql_text_of(q, 0, list->names[list->count++], sizeof list->names[0]);
    return 0;
}

int fsck_rebuild(store *damaged, store *fresh, store_error *err) {
    static const char tables[] =
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'";
    store_error why = STORE_ERROR_INIT;
    copier c = {.damaged = damaged, .fresh = fresh, .err = err};
    table_list there = {0}, ours = {0};
    if (fsck_rows(damaged, tables, list_table, &there, &why) != 0 || there.count == 0)
        return store_fail_damaged(damaged, err, "not even the list of its tables can be read");
    int rc = fsck_rows(fresh, tables, list_table, &ours, err);
    if (rc == 0)
        rc = store_begin(fresh, err);
    for (size_t i = 0; rc == 0 && i < ours.count; i++) {
        snprintf(c.table, sizeof c.table, "%s", ours.names[i]);
        if (describe(&c))
            rc = copy_table(&c);
    }
    if (rc == 0)
        rc = copy_sequences(damaged, fresh, err);
    if (rc == 0)
        rc = store_commit(fresh, err);
    if (rc != 0)
        store_rollback(fresh);
    return rc;
}
