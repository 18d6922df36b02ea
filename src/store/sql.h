/*
 * sql.h - SQLite as the rest of src/store uses it; no other room includes this.
 *
 * Every statement that ever runs has a number here and its text in sql.c. It is prepared on its first use and
 * kept until the store is closed, so one statement must not be used while it is being stepped through.
 *
 *     sqlite3_stmt *q = sql_get(s, SQL_META_GET, err);
 *     sql_text(q, 1, key);
 *     int rc = sql_row(s, q, err);      // 1 a row, 0 none, < 0 a store code, with err filled
 *     if (rc > 0) ...sqlite3_column_*()...
 *     sql_reset(q);
 *
 * All of these may be given the NULL that a failed sql_get returned; sql_row and sql_run then return its
 * code. Bound pointers are borrowed until the statement is reset.
 */
#ifndef TRIVET_STORE_SQL_H
#define TRIVET_STORE_SQL_H

#include "store.h"
#include <sqlite3.h>

typedef enum {
    SQL_BEGIN,
    SQL_BEGIN_LOOK,
    SQL_COMMIT,
    SQL_ROLLBACK,
    SQL_META_GET,
    SQL_META_SET,
    SQL_BLOB_GET,
    SQL_BLOB_GET_BASE,
    SQL_BLOB_LOOK,
    SQL_BLOB_REPACK,
    SQL_BLOB_TOP,
    SQL_BLOB_NEXT,
    SQL_BLOB_CODING,
    SQL_BLOB_DROP,
    SQL_BLOB_HAS,
    SQL_BLOB_PUT,
    SQL_HEAD_GET,
    SQL_HEAD_SET,
    SQL_DEVICE_PUT,
    SQL_DEVICE_GET,
    SQL_DEVICE_LIST,
    SQL_DEVICE_PLACE,
    SQL_DEVICE_HASH,
    SQL_DEVICE_SECRETS,
    SQL_DEVICE_SEEN,
    SQL_DEVICE_KEYS,
    SQL_DEVICE_KEEP,
    SQL_DEVICE_SYNCED,
    SQL_DEVICE_REVOKE,
    SQL_DEVICE_BYPASS,
    SQL_DEVICE_DROP_LAPSED,
    SQL_PHONE_PUT,
    SQL_PHONE_GET,
    SQL_PHONE_SEEN,
    SQL_PHONE_SYNCED,
    SQL_PHONE_LIST,
    SQL_PHONE_OTHERS,
    SQL_NETWORK_OTHERS,
    SQL_NETWORK_SEEN,
    SQL_NETWORK_BOUND,
    SQL_DEVICE_RENAME,
    SQL_RECORD_PUT,
    SQL_RECORD_PHONE_HAS,
    SQL_RECORD_OWNER,
    SQL_RECORD_APPLIED,
    SQL_RECORD_HAS,
    SQL_RECORD_OF_PHONE,
    SQL_RECORD_OF_DEVICE,
    SQL_RECORD_PHONES,
    SQL_RECORD_NTH,
    SQL_RECORD_OLDEST,
    SQL_RECORD_LEAVE,
    SQL_RECORD_PRUNE,
    SQL_RECORD_NAMES,
    SQL_SINCE_PUT,
    SQL_SINCE_OF_PHONE,
    SQL_SINCE_OF_DEVICE,
    SQL_GRAVE_PUT,
    SQL_GRAVE_DROP,
    SQL_GRAVE_EACH,
    SQL_GRAVE_PRUNE,
    SQL_HISTORY_PUT,
    SQL_HISTORY_LIST,
    SQL_HISTORY_GET,
    SQL_HISTORY_AT,
    SQL_HISTORY_FIRST,
    SQL_HISTORY_NAMED,
    SQL_HISTORY_KEPT,
    SQL_HISTORY_KEEP,
    SQL_HISTORY_OLDEST,
    SQL_HISTORY_DROP,
    SQL_LOST_PUT,
    SQL_LOST_PRUNE,
    SQL_LOST_LIST,
    SQL_LOST_GET,
    SQL_RESTORED_PUT,
    SQL_RESTORED_NEXT,
    SQL_RESTORED_PRUNE,
    SQL_REVIVAL_PUT,
    SQL_REVIVAL_EACH,
    SQL_REVIVAL_PRUNE,
    SQL_QUESTION_PUT,
    SQL_QUESTION_DROP,
    SQL_QUESTION_DROP_ALL,
    SQL_QUESTION_LIST,
    SQL_JOT_KNOWN,
    SQL_JOT_ADOPT,
    SQL_JOT_PUT,
    SQL_JOT_FIND,
    SQL_JOT_GET,
    SQL_JOT_LIST,
    SQL_JOT_OF_DEVICE,
    SQL_JOT_TOUCH,
    SQL_JOT_GONE,
    SQL_JOT_KEPT,
    SQL_JOT_UNKEPT,
    SQL_JOT_UNKEPT_ALL,
    SQL_FORM_LAST,
    SQL_FORM_COUNT,
    SQL_FORM_PUT,
    SQL_FORM_LIST,
    SQL_FILE_LIST,
    SQL_FILE_PUT,
    SQL_FILE_TOLD,
    SQL_FILE_BACK,
    SQL_FILE_GONE,
    SQL_FILE_FORGET,
    SQL_FILE_NEXT,
    SQL_FILE_FIND,
    SQL_FILE_STORED,
    SQL_FILE_CUT,
    SQL_FILE_FAILED,
    SQL_FILE_WANT,
    SQL_FILE_AWAITED,
    SQL_FILE_HASHES,
    SQL_COUNT /* how many */
} sql_id;

struct store {
    sqlite3 *db;
    sqlite3_stmt *statements[SQL_COUNT]; /* NULL until first used */
    char *folder;                        /* as the caller gave it */
    char *path;                          /* of the database */
    int lock;                            /* file descriptor that holds the folder's lock */
    struct blob_marks *marks;            /* of the pruning that is under way, or NULL (marks.h) */
    bool in_transaction;                 /* between store_begin and its end */
    struct memo *memo;                   /* of parts of states (memo.h); NULL: none is kept */
};

/* Opens the database at s->path, which must exist, with all that this program wants of a connection. */
int sql_open(store *s, store_error *err);
/* The same for one that nobody else has open: it is in one file whenever it is closed, whatever its header says of logs. */
int sql_open_alone(store *s, store_error *err);
/* A copy of it as it is at one moment, without what was deleted, in `path`: an empty file, or none. Ends a transaction. */
int sql_vacuum_into(store *s, const char *path, store_error *err);
void sql_close(store *s); /* statements too; a store without a database is fine */

/*
 * Whether closing leaves SQLite's log as it is, which is so from sql_open until this says otherwise, and
 * again once damage was seen: else the log would be copied into a damaged or unknown database and deleted.
 */
void sql_keep_log(store *s, bool keep);

sqlite3_stmt *sql_get(store *s, sql_id id, store_error *err);
void sql_int(sqlite3_stmt *q, int column, int64_t value);
void sql_text(sqlite3_stmt *q, int column, const char *value);
void sql_blob(sqlite3_stmt *q, int column, const void *data, size_t len);
void sql_name(sqlite3_stmt *q, int column, const store_name *name); /* NULL is NULL */
int sql_row(store *s, sqlite3_stmt *q, store_error *err);
int sql_run(store *s, sqlite3_stmt *q, store_error *err); /* to its end, then reset */
void sql_reset(sqlite3_stmt *q);

/* SQL text that is not worth keeping prepared: schema, pragmas. */
int sql_exec(store *s, const char *text, store_error *err);

void sql_text_of(sqlite3_stmt *q, int column, char *out, size_t size); /* cut to fit */
bool sql_name_of(sqlite3_stmt *q, int column, store_name *out);        /* false: not 32 bytes */

/*
 * Around a function that writes more than once: a transaction of its own where the caller has none.
 * `return sql_leave(s, own, rc, err)` commits or rolls back what sql_enter began, and gives the final code.
 */
int sql_enter(store *s, bool *own, store_error *err);
int sql_leave(store *s, bool own, int rc, store_error *err);

/* What SQLite's result `rc` means to a caller. */
int sql_fail(store *s, int rc, store_error *err);

/* ---- errors that are not SQLite's ---------------------------------------------------------------------- */

/* Fills `err` unless something stands there already; gives `code` back. */
int store_fail(store_error *err, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));
int store_fail_errno(store_error *err, int number, const char *doing, const char *path);
int store_fail_damaged(store *s, store_error *err, const char *what); /* and sql_keep_log */

/*
 * Room for one more in a growing array of `count` elements; NULL without memory, and the array is as it
 * was.
 */
void *store_grow(void *array, size_t count, size_t element);

#endif
