/*
 * sql.c - the statements, and what SQLite's results mean here.
 *
 * The connection's settings are chosen for a daemon that idles in a few megabytes and must not lose a commit:
 * see `settings`. Damage, a full disk and missing permission are told apart by SQLite's code first and by the
 * errno behind it second, because a quota or a file size limit reaches SQLite as a plain write error.
 */
#include "sql.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#if SQLITE_VERSION_NUMBER < 3037000
#error "SQLite 3.37 or later is needed, for STRICT tables"
#endif

/* How long to wait for somebody who looks into the database with a tool of their own. */
enum { BUSY_MS = 2000 };

static const char settings[] =
    "PRAGMA foreign_keys = ON;"
    "PRAGMA synchronous = FULL;" /* in WAL: a commit is on the disk when it returns */
    "PRAGMA trusted_schema = OFF;"
    "PRAGMA cell_size_check = ON;" /* finds a damaged page sooner */
    "PRAGMA secure_delete = FAST;" /* an erased key is overwritten, where that costs no further page */
    "PRAGMA temp_store = MEMORY;"
    "PRAGMA mmap_size = 0;"
    "PRAGMA cache_size = -1024;"            /* KiB */
    "PRAGMA wal_autocheckpoint = 500;"      /* pages: the log is copied back after about 2 MB */
    "PRAGMA journal_size_limit = 2097152;"; /* bytes: and a longer one is cut when it starts anew */

#define DEVICE_COLUMNS                                                                                       \
    "id, name, named, created_at, lapses_at, last_seen_at, last_sync_at, revoked_at, address, replaces,"     \
    " host, port, version_2_at"
#define HISTORY_COLUMNS "id, time, cause, device, phone, before, after, counts, kept"
#define LOST_COLUMNS "id, time, device, phone, side, reason, fields, form, stands"
#define JOT_COLUMNS "num, device, id, first_at, changed_at, gone_at FROM jot"
#define JOT_FILE_COLUMNS                                                                                     \
    "num, kind, id, name, format, told_size, created_at, hash, size, stored_at, gone_at, wanted, cuts, "     \
    "failed"
#define RECORD_COLUMNS "id, sent, snapshot, ancestor, since_before, applied, time"

static const char *const texts[SQL_COUNT] = {
    [SQL_BEGIN] = "BEGIN IMMEDIATE",
    [SQL_BEGIN_LOOK] = "BEGIN",
    [SQL_COMMIT] = "COMMIT",
    [SQL_ROLLBACK] = "ROLLBACK",
    [SQL_META_GET] = "SELECT value FROM meta WHERE key = ?1",
    [SQL_META_SET] = "INSERT INTO meta (key, value) VALUES (?1, ?2)"
                     " ON CONFLICT (key) DO UPDATE SET value = excluded.value",

    [SQL_BLOB_GET] = "SELECT data, coding, base, size FROM blob WHERE name = ?1",
    [SQL_BLOB_GET_BASE] = "SELECT data, coding, base, size FROM blob WHERE num = ?1",
    [SQL_BLOB_LOOK] = "SELECT num, coding, base, coalesce(size, length(data)) FROM blob WHERE name = ?1",
    [SQL_BLOB_REPACK] = "UPDATE blob SET data = ?2, coding = ?3, base = ?4, size = ?5 WHERE num = ?1",
    [SQL_BLOB_TOP] = "SELECT coalesce(max(num), 0) FROM blob",
    [SQL_BLOB_NEXT] = "SELECT num FROM blob WHERE num > ?1 AND num <= ?2 ORDER BY num LIMIT 1",
    [SQL_BLOB_CODING] = "SELECT coding FROM blob WHERE num = ?1",
    [SQL_BLOB_DROP] = "DELETE FROM blob WHERE num = ?1",
    [SQL_BLOB_HAS] = "SELECT 1 FROM blob WHERE name = ?1",
    [SQL_BLOB_PUT] = "INSERT INTO blob (name, data) VALUES (?1, ?2)",
    [SQL_HEAD_GET] = "SELECT name FROM head",
    [SQL_HEAD_SET] = "INSERT INTO head (one, name) VALUES (1, ?1)"
                     " ON CONFLICT (one) DO UPDATE SET name = excluded.name",

    [SQL_DEVICE_PUT] = "INSERT INTO device (id, name, named, secret_hash, k, created_at, lapses_at, replaces)"
                       " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    [SQL_DEVICE_GET] = "SELECT " DEVICE_COLUMNS ", num FROM device WHERE id = ?1",
    [SQL_DEVICE_LIST] = "SELECT " DEVICE_COLUMNS " FROM device ORDER BY num",
    [SQL_DEVICE_PLACE] = "UPDATE device SET host = ?2, port = ?3 WHERE id = ?1",
    [SQL_DEVICE_HASH] = "SELECT secret_hash FROM device WHERE id = ?1",
    [SQL_DEVICE_SECRETS] = "SELECT id, secret_hash FROM device ORDER BY num",
    [SQL_DEVICE_SEEN] = "UPDATE device SET lapses_at = 0, k = NULL, last_seen_at = ?2, address = ?3,"
                        " name = CASE WHEN name = '' THEN ?4 ELSE name END WHERE id = ?1",
    [SQL_DEVICE_KEYS] = "SELECT id, k, k1, lapses_at, revoked_at FROM device ORDER BY num",
    [SQL_DEVICE_KEEP] =
        "UPDATE device SET k = ?2, k1 = ?3,"
        " version_2_at = CASE WHEN version_2_at = 0 THEN ?4 ELSE version_2_at END WHERE id = ?1",
    [SQL_DEVICE_SYNCED] = "UPDATE device SET last_sync_at = ?2 WHERE id = ?1",
    [SQL_DEVICE_REVOKE] =
        "UPDATE device SET revoked_at = ?2, k = NULL, k1 = NULL WHERE id = ?1 AND revoked_at = 0",
    /* Who was to replace a lapsed code replaces what that one was to replace. */
    [SQL_DEVICE_BYPASS] = "UPDATE device SET replaces = (SELECT old.replaces FROM device old"
                          " WHERE old.id = device.replaces) WHERE replaces IN"
                          " (SELECT id FROM device WHERE lapses_at > 0 AND lapses_at <= ?1)",
    [SQL_DEVICE_DROP_LAPSED] = "DELETE FROM device WHERE lapses_at > 0 AND lapses_at <= ?1",

    [SQL_PHONE_PUT] = "INSERT INTO device_phone (device, phone, first_seen_at) VALUES (?1, ?2, ?3)"
                      " ON CONFLICT (device, phone) DO NOTHING",
    [SQL_PHONE_GET] = "SELECT num, has_records FROM device_phone WHERE device = ?1 AND phone = ?2",
    [SQL_PHONE_SEEN] = "UPDATE device_phone SET last_seen_at = ?3 WHERE device = ?1 AND phone = ?2",
    [SQL_PHONE_SYNCED] = "UPDATE device_phone SET last_sync_at = ?3 WHERE device = ?1 AND phone = ?2",
    [SQL_PHONE_LIST] = "SELECT phone, first_seen_at, last_seen_at, last_sync_at FROM device_phone"
                       " WHERE device = ?1 ORDER BY num",
    [SQL_PHONE_OTHERS] = "SELECT max(phone = ?2), count(*) FROM device_phone WHERE device = ?1",
    [SQL_NETWORK_OTHERS] = "SELECT max(network = ?2), count(*) FROM device_network WHERE device = ?1"
                           " AND (network LIKE '%:%') = (?2 LIKE '%:%')",
    [SQL_NETWORK_SEEN] = "INSERT INTO device_network (device, network, last_seen_at) VALUES (?1, ?2, ?3)"
                         " ON CONFLICT DO UPDATE SET last_seen_at = excluded.last_seen_at",
    [SQL_NETWORK_BOUND] = "DELETE FROM device_network WHERE device = ?1 AND network NOT IN (SELECT network"
                          " FROM device_network WHERE device = ?1 ORDER BY last_seen_at DESC LIMIT ?2)",
    [SQL_DEVICE_RENAME] = "UPDATE device SET name = ?2, named = 1 WHERE id = ?1",

    [SQL_RECORD_PUT] = "INSERT INTO record (device, phone, sent, snapshot, ancestor, since_before, applied,"
                       " time) VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0, ?7)",
    [SQL_RECORD_PHONE_HAS] = "UPDATE device_phone SET has_records = 1 WHERE num = ?1 AND has_records = 0",
    [SQL_RECORD_OWNER] = "SELECT device, phone, applied FROM record WHERE id = ?1",
    [SQL_RECORD_APPLIED] = "UPDATE record SET applied = ?2 WHERE id = ?1",
    [SQL_RECORD_HAS] = "SELECT 1 FROM device_phone WHERE device = ?1 AND has_records = 1 LIMIT 1",
    [SQL_RECORD_OF_PHONE] = "SELECT " RECORD_COLUMNS " FROM record WHERE phone = ?1 ORDER BY id DESC",
    [SQL_RECORD_OF_DEVICE] = "SELECT " RECORD_COLUMNS " FROM record WHERE device = ?1 ORDER BY id DESC",
    [SQL_RECORD_PHONES] =
        "SELECT num FROM device_phone WHERE num >= ?1 AND has_records = 1 ORDER BY num LIMIT 1",
    [SQL_RECORD_NTH] = "SELECT id FROM record WHERE phone = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2",
    [SQL_RECORD_OLDEST] = "SELECT id, time FROM record WHERE phone = ?1 ORDER BY id LIMIT ?2",
    [SQL_RECORD_LEAVE] = "INSERT INTO record_since (device, grp, since, record, phone)"
                         " SELECT r.device, g.n, r.since_before, r.id, r.phone FROM record r,"
                         " (SELECT 0 AS n UNION ALL SELECT 1 UNION ALL SELECT 2) g"
                         " WHERE r.phone = ?1 AND r.id <= ?2 AND r.since_before > 0 AND NOT EXISTS"
                         " (SELECT 1 FROM record_since s WHERE s.device = r.device AND s.grp = g.n"
                         " AND s.since = r.since_before AND s.phone = r.phone) ON CONFLICT DO NOTHING",
    [SQL_RECORD_PRUNE] = "DELETE FROM record WHERE phone = ?1 AND id <= ?2",
    [SQL_RECORD_NAMES] = "SELECT id, sent, snapshot, ancestor FROM record WHERE id > ?1 ORDER BY id LIMIT 1",
    [SQL_SINCE_PUT] = "INSERT INTO record_since (device, grp, since, record, phone)"
                      " VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO NOTHING",
    [SQL_SINCE_OF_PHONE] = "SELECT s.record, r.id IS NULL FROM record_since s"
                           " LEFT JOIN record r ON r.id = s.record"
                           " WHERE s.device = ?1 AND s.grp = ?2 AND s.since = ?3 AND s.phone = ?4"
                           " ORDER BY s.record DESC LIMIT 1",
    [SQL_SINCE_OF_DEVICE] = "SELECT s.record, r.id IS NULL FROM record_since s"
                            " LEFT JOIN record r ON r.id = s.record"
                            " WHERE s.device = ?1 AND s.grp = ?2 AND s.since = ?3"
                            " ORDER BY s.record DESC LIMIT 1",

    [SQL_GRAVE_PUT] = "INSERT INTO grave (section, id, slot, item, dug_at) VALUES (?1, ?2, ?3, ?4, ?5)"
                      " ON CONFLICT (section, id) DO UPDATE SET slot = excluded.slot, item = excluded.item,"
                      " dug_at = excluded.dug_at",
    [SQL_GRAVE_DROP] = "DELETE FROM grave WHERE section = ?1 AND id = ?2",
    [SQL_GRAVE_EACH] = "SELECT section, slot, item FROM grave",
    [SQL_GRAVE_PRUNE] = "DELETE FROM grave WHERE (section, id) IN"
                        " (SELECT section, id FROM grave WHERE dug_at < ?1 ORDER BY dug_at LIMIT ?2)",

    [SQL_HISTORY_PUT] = "INSERT INTO history (time, cause, device, phone, before, after, counts)"
                        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    [SQL_HISTORY_LIST] = "SELECT " HISTORY_COLUMNS " FROM history WHERE id < ?1 ORDER BY id DESC LIMIT ?2",
    [SQL_HISTORY_GET] = "SELECT " HISTORY_COLUMNS " FROM history WHERE id = ?1",
    [SQL_HISTORY_AT] = "SELECT " HISTORY_COLUMNS " FROM history WHERE time <= ?1 AND kept & 1 <> 0"
                       " ORDER BY id DESC LIMIT 1",
    [SQL_HISTORY_FIRST] = "SELECT " HISTORY_COLUMNS " FROM history WHERE kept <> 0 ORDER BY id LIMIT 1",
    [SQL_HISTORY_NAMED] = "SELECT " HISTORY_COLUMNS " FROM history WHERE kept <> 0"
                          " AND ((kept & 1 <> 0 AND substr(hex(after), 1, length(?1)) = ?1)"
                          " OR (kept & 2 <> 0 AND substr(hex(before), 1, length(?1)) = ?1)) ORDER BY id DESC",

    [SQL_HISTORY_KEPT] =
        "SELECT " HISTORY_COLUMNS " FROM history WHERE kept <> 0 AND id > ?1 ORDER BY id LIMIT 1",
    [SQL_HISTORY_KEEP] = "UPDATE history SET kept = ?2 WHERE id = ?1",
    [SQL_HISTORY_OLDEST] = "SELECT id, time, kept FROM history WHERE id > ?1 ORDER BY id LIMIT 1",
    [SQL_HISTORY_DROP] = "DELETE FROM history WHERE id = ?1",
    [SQL_LOST_PRUNE] =
        "DELETE FROM lost WHERE id IN (SELECT id FROM lost WHERE time < ?1 ORDER BY time LIMIT ?2)",
    [SQL_LOST_PUT] = "INSERT INTO lost (time, device, phone, side, reason, fields, form, stands)"
                     " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    [SQL_LOST_LIST] = "SELECT " LOST_COLUMNS " FROM lost WHERE id < ?1 ORDER BY id DESC LIMIT ?2",
    [SQL_LOST_GET] = "SELECT " LOST_COLUMNS " FROM lost WHERE id = ?1",

    [SQL_RESTORED_PUT] = "INSERT INTO restored (record, head, time) SELECT max(id), ?1, ?2 FROM record"
                         " HAVING max(id) > 0 ON CONFLICT DO NOTHING",
    [SQL_RESTORED_NEXT] = "SELECT record, head FROM restored WHERE record >= ?1 ORDER BY record LIMIT 1",
    [SQL_RESTORED_PRUNE] = "DELETE FROM restored WHERE record IN"
                           " (SELECT record FROM restored WHERE time < ?1 LIMIT ?2)",
    [SQL_REVIVAL_PUT] = "INSERT INTO revival (section, id, time) VALUES (?1, ?2, ?3)"
                        " ON CONFLICT (section, id) DO UPDATE SET time = excluded.time",
    [SQL_REVIVAL_PRUNE] = "DELETE FROM revival WHERE (section, id) IN"
                          " (SELECT section, id FROM revival WHERE time < ?1 LIMIT ?2)",
    [SQL_REVIVAL_EACH] = "SELECT section, id, time FROM revival",

    [SQL_QUESTION_PUT] = "INSERT INTO question (device, kind, deadline, body) VALUES (?1, ?2, ?3, ?4)",
    [SQL_QUESTION_DROP] = "DELETE FROM question WHERE id = ?1",
    [SQL_QUESTION_DROP_ALL] = "DELETE FROM question",
    [SQL_QUESTION_LIST] = "SELECT id, device, kind, deadline, body FROM question ORDER BY id",

    [SQL_JOT_KNOWN] = "SELECT 1 FROM sqlite_schema WHERE name = 'jot_file'",
    [SQL_JOT_ADOPT] = "UPDATE jot SET device = ?1 WHERE device = (SELECT replaces FROM device WHERE id = ?1)"
                      " AND device <> '' AND NOT EXISTS (SELECT 1 FROM jot WHERE device = ?1)",
    [SQL_JOT_PUT] = "INSERT INTO jot (device, id, first_at, changed_at) VALUES (?1, ?2, ?3, ?3)",
    [SQL_JOT_FIND] = "SELECT " JOT_COLUMNS " WHERE device = ?1 AND id = ?2",
    [SQL_JOT_GET] = "SELECT " JOT_COLUMNS " WHERE num = ?1",
    [SQL_JOT_LIST] = "SELECT " JOT_COLUMNS " ORDER BY device, num",
    [SQL_JOT_OF_DEVICE] = "SELECT " JOT_COLUMNS " WHERE device = ?1 ORDER BY id",
    [SQL_JOT_TOUCH] = "UPDATE jot SET changed_at = CASE changed_at WHEN ?2 THEN ?2 + 1 ELSE ?2 END, kept = 0 "
                      "WHERE num = ?1",
    [SQL_JOT_GONE] = "UPDATE jot SET gone_at = ?2 WHERE num = ?1",
    [SQL_JOT_KEPT] = "UPDATE jot SET kept = 1 WHERE num = ?1",
    [SQL_JOT_UNKEPT] = "SELECT num FROM jot WHERE kept = 0 AND num > ?1 ORDER BY num LIMIT 1",
    [SQL_JOT_UNKEPT_ALL] = "UPDATE jot SET kept = 0",
    [SQL_FORM_LAST] = "SELECT text, drawing FROM jot_form WHERE jot = ?1 ORDER BY num DESC LIMIT 1",
    [SQL_FORM_COUNT] = "SELECT count(*) FROM jot_form WHERE jot = ?1",
    [SQL_FORM_PUT] = "INSERT INTO jot_form (jot, text, drawing, stored_at) VALUES (?1, ?2, ?3, ?4)",
    [SQL_FORM_LIST] = "SELECT num, stored_at, text, drawing FROM jot_form WHERE jot = ?1 ORDER BY num",
    [SQL_FILE_LIST] = "SELECT " JOT_FILE_COLUMNS " FROM jot_file WHERE jot = ?1 ORDER BY num",
    [SQL_FILE_PUT] = "INSERT INTO jot_file (jot, kind, id, name, format, told_size, created_at)"
                     " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    [SQL_FILE_TOLD] =
        "UPDATE jot_file SET name = ?2, format = ?3 WHERE num = ?1 AND (name <> ?2 OR format <> ?3)",
    [SQL_FILE_BACK] = "UPDATE jot_file SET gone_at = 0 WHERE num = ?1",
    [SQL_FILE_GONE] = "UPDATE jot_file SET gone_at = ?2 WHERE num = ?1",
    [SQL_FILE_FORGET] = "DELETE FROM jot_file WHERE num = ?1",
    [SQL_FILE_NEXT] =
        "SELECT f.num, j.id, f.kind, f.id, f.told_size FROM jot_file f JOIN jot j ON j.num = f.jot"
        " WHERE j.device = ?1 AND f.num > ?2 AND f.hash IS NULL AND f.gone_at = 0 AND (f.wanted = 1 OR (?3 "
        "<> 0 AND f.cuts < ?4"
        " AND f.told_size <= ?5)) ORDER BY f.num LIMIT 1",
    [SQL_FILE_FIND] = "SELECT f.num, f.jot FROM jot_file f JOIN jot j ON j.num = f.jot WHERE j.device = ?1"
                      " AND j.id = ?2 AND f.kind = ?3 AND f.id = ?4 AND f.gone_at = 0 AND f.hash IS NULL",
    [SQL_FILE_STORED] = "UPDATE jot_file SET hash = ?2, size = ?3, stored_at = ?4, wanted = 0, cuts = 0,"
                        " failed = '' WHERE num = ?1 AND hash IS NULL",
    [SQL_FILE_CUT] = "UPDATE jot_file SET cuts = cuts + 1, wanted = 0 WHERE num = ?1 AND hash IS NULL",
    [SQL_FILE_FAILED] = "UPDATE jot_file SET failed = ?2 WHERE num = ?1 AND hash IS NULL",
    [SQL_FILE_WANT] = "UPDATE jot_file SET wanted = 1, cuts = 0, failed = '' WHERE jot = ?1 AND hash IS NULL"
                      " AND gone_at = 0",
    [SQL_FILE_AWAITED] = "SELECT 1 FROM jot_file WHERE num = ?1 AND hash IS NULL AND gone_at = 0",
    [SQL_FILE_HASHES] =
        "SELECT hash, max(size) FROM jot_file WHERE hash IS NOT NULL GROUP BY hash ORDER BY hash",
};

int sql_open(store *s, store_error *err) {
    /* One thread at a time uses a store, so SQLite need not lock its own structures. */
    int rc = sqlite3_open_v2(s->path, &s->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
    if (rc != SQLITE_OK) {
        if (s->db == NULL)
            return store_out_of_memory(err);
        return sql_fail(s, sqlite3_extended_errcode(s->db), err);
    }
    if (sqlite3_db_readonly(s->db, "main") == 1) /* SQLite's way out where it may only read */
        return store_fail_errno(err, EACCES, "write", s->path);
    sqlite3_extended_result_codes(s->db, 1);
    sqlite3_busy_timeout(s->db, BUSY_MS);
    sqlite3_db_config(s->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sql_keep_log(s, true);
    rc = sql_exec(s, settings, err);
    /* Rolling back must not need memory that has just run out. */
    if (rc == 0 && sql_get(s, SQL_ROLLBACK, err) == NULL)
        rc = STORE_FAILED;
    return rc;
}

int sql_open_alone(store *s, store_error *err) {
    int rc = sql_open(s, err);
    return rc == 0 ? sql_exec(s, "PRAGMA journal_mode = DELETE", err) : rc;
}

int sql_vacuum_into(store *s, const char *path, store_error *err) {
    sqlite3_stmt *q = NULL;
    store_rollback(s); /* the statement takes its own moment */
    int rc = sqlite3_prepare_v2(s->db, "VACUUM INTO ?1", -1, &q, NULL);
    if (rc == SQLITE_OK) {
        sqlite3_bind_text(q, 1, path, -1, SQLITE_STATIC);
        rc = sqlite3_step(q);
    }
    sqlite3_finalize(q);
    return rc == SQLITE_DONE ? 0 : sql_fail(s, rc, err);
}

void sql_keep_log(store *s, bool keep) {
    if (s->db != NULL)
        sqlite3_db_config(s->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, (int)keep, NULL);
}

void sql_close(store *s) {
    for (size_t i = 0; i < SQL_COUNT; i++) {
        sqlite3_finalize(s->statements[i]);
        s->statements[i] = NULL;
    }
    sqlite3_close(s->db);
    s->db = NULL;
}

/* ---- statements ---------------------------------------------------------------------------------------- */

/*
 * Whether SQLite and the store agree on a transaction being open. After an error SQLite may have ended it: what
 * follows must not commit alone. And a rollback may have lacked the memory for itself: what follows must not be
 * taken into what was given up.
 */
static bool in_step(store *s, store_error *err) {
    bool open = !sqlite3_get_autocommit(s->db);
    if (open && !s->in_transaction) {
        sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
        open = !sqlite3_get_autocommit(s->db);
    }
    if (open == s->in_transaction)
        return true;
    if (open)
        store_out_of_memory(err);
    else
        store_fail(err, STORE_FAILED, "%s: the transaction was rolled back after an error", s->path);
    return false;
}

sqlite3_stmt *sql_get(store *s, sql_id id, store_error *err) {
    if (id != SQL_ROLLBACK && !in_step(s, err))
        return NULL;
    if (s->statements[id] == NULL) {
        int rc =
            sqlite3_prepare_v3(s->db, texts[id], -1, SQLITE_PREPARE_PERSISTENT, &s->statements[id], NULL);
        if (rc == SQLITE_ERROR) {
            store_fail_damaged(s, err, sqlite3_errmsg(s->db)); /* the texts are right: the schema is not */
            return NULL;
        }
        if (rc != SQLITE_OK) {
            sql_fail(s, rc, err);
            return NULL;
        }
    }
    sqlite3_clear_bindings(s->statements[id]);
    return s->statements[id];
}

/* A value that could not be bound is NULL, which the columns refuse: sql_run then reports it. */
void sql_int(sqlite3_stmt *q, int column, int64_t value) {
    if (q != NULL)
        sqlite3_bind_int64(q, column, value);
}

void sql_text(sqlite3_stmt *q, int column, const char *value) {
    if (q != NULL)
        sqlite3_bind_text64(q, column, value, strlen(value), SQLITE_STATIC, SQLITE_UTF8);
}

void sql_blob(sqlite3_stmt *q, int column, const void *data, size_t len) {
    if (q == NULL)
        return;
    if (len == 0)
        sqlite3_bind_zeroblob(q, column, 0); /* a NULL pointer would bind NULL */
    else
        sqlite3_bind_blob64(q, column, data, len, SQLITE_STATIC);
}

void sql_name(sqlite3_stmt *q, int column, const store_name *name) {
    if (name != NULL)
        sql_blob(q, column, name->bytes, sizeof name->bytes);
}

int sql_row(store *s, sqlite3_stmt *q, store_error *err) {
    if (q == NULL)
        return err != NULL && err->code != 0 ? err->code : STORE_FAILED;
    int rc = sqlite3_step(q);
    if (rc == SQLITE_ROW)
        return 1;
    if (rc == SQLITE_DONE)
        return 0;
    int code = sql_fail(s, rc, err);
    sqlite3_reset(q);
    return code;
}

int sql_run(store *s, sqlite3_stmt *q, store_error *err) {
    int rc;
    while ((rc = sql_row(s, q, err)) > 0)
        ;
    sql_reset(q);
    return rc;
}

void sql_reset(sqlite3_stmt *q) {
    sqlite3_reset(q);
}

int sql_exec(store *s, const char *text, store_error *err) {
    int rc = sqlite3_exec(s->db, text, NULL, NULL, NULL);
    return rc == SQLITE_OK ? 0 : sql_fail(s, rc, err);
}

void sql_text_of(sqlite3_stmt *q, int column, char *out, size_t size) {
    const unsigned char *text = sqlite3_column_text(q, column);
    snprintf(out, size, "%s", text != NULL ? (const char *)text : "");
}

bool sql_name_of(sqlite3_stmt *q, int column, store_name *out) {
    const void *data = sqlite3_column_blob(q, column);
    if (data == NULL || sqlite3_column_bytes(q, column) != (int)sizeof out->bytes)
        return false;
    memcpy(out->bytes, data, sizeof out->bytes);
    return true;
}

int sql_enter(store *s, bool *own, store_error *err) {
    *own = !s->in_transaction;
    return *own ? store_begin(s, err) : 0;
}

int sql_leave(store *s, bool own, int rc, store_error *err) {
    if (!own)
        return rc;
    if (rc == 0)
        rc = store_commit(s, err);
    if (rc != 0)
        store_rollback(s);
    return rc;
}

/* ---- errors -------------------------------------------------------------------------------------------- */

static int status_of(int code) {
    switch (code) {
    case STORE_NONE:
    case STORE_GONE:
        return EX_NOINPUT;
    case STORE_LOCKED:
        return EX_TEMPFAIL;
    case STORE_DENIED:
        return EX_NOPERM;
    case STORE_FULL:
        return EX_IOERR;
    case STORE_DAMAGED:
        return EX_DATAERR;
    default:
        return EX_SOFTWARE;
    }
}

int store_fail(store_error *err, int code, const char *format, ...) {
    if (err == NULL || err->code != 0)
        return code;
    err->code = code;
    err->status = status_of(code);
    va_list args;
    va_start(args, format);
    vsnprintf(err->message, sizeof err->message, format, args);
    va_end(args);
    return code;
}

static bool is_full(int number) {
    return number == ENOSPC || number == EDQUOT || number == EFBIG;
}

static bool is_denied(int number) {
    return number == EACCES || number == EPERM || number == EROFS;
}

static int fail_full(store_error *err, const char *path) {
    return store_fail(
        err, STORE_FULL,
        "%s: no space left (disk, quota or file size limit); nothing was changed. Free some space "
        "and try again",
        path);
}

int store_fail_errno(store_error *err, int number, const char *doing, const char *path) {
    if (is_full(number))
        return fail_full(err, path);
    int code = is_denied(number) || number == ENOENT || number == ENOTDIR || number == ELOOP ? STORE_DENIED
                                                                                             : STORE_FAILED;
    store_fail(err, code, "cannot %s %s: %s", doing, path, strerror(number));
    if (err != NULL && err->code == code && code == STORE_FAILED)
        err->status = EX_OSERR;
    if (err != NULL && err->code == code && (number == ENOENT || number == ENOTDIR))
        err->status = EX_NOINPUT;
    return code;
}

int store_fail_damaged(store *s, store_error *err, const char *what) {
    char line[160];
    snprintf(line, sizeof line, "%s", what);
    line[strcspn(line, "\n")] = '\0'; /* SQLite's findings come with a heading */
    if (strncmp(line, "***", 3) == 0 && strlen(what) > strlen(line))
        snprintf(line, sizeof line, "%s", what + strlen(line) + 1);
    sql_keep_log(s, true);
    if (err != NULL && err->code == 0)
        memcpy(err->reason, line, sizeof line);
    return store_fail(err, STORE_DAMAGED,
                      "%s is damaged: %s. Nothing was changed. `trivet fsck` says what can be repaired; "
                      "`trivet backup --restore --force "
                      "FILE` brings a backup back and keeps this file",
                      s->path, line);
}

int store_out_of_memory(store_error *err) {
    store_fail(err, STORE_FAILED, "out of memory");
    if (err != NULL && err->code == STORE_FAILED)
        err->status = EX_OSERR;
    return STORE_FAILED;
}

/*
 * The errno behind an I/O error that has meaning to a user, or 0. SQLite's own answer may be an errno of its
 * cleaning up after the failure, so the log's and the database's file are asked as well: each remembers its
 * last failure.
 */
static int telling_errno(store *s) {
    int numbers[3] = {sqlite3_system_errno(s->db), 0, 0};
    sqlite3_file *log = NULL;
    sqlite3_file_control(s->db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &log);
    if (log != NULL && log->pMethods != NULL)
        log->pMethods->xFileControl(log, SQLITE_FCNTL_LAST_ERRNO, &numbers[1]);
    sqlite3_file_control(s->db, "main", SQLITE_FCNTL_LAST_ERRNO, &numbers[2]);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (is_full(numbers[i]) || is_denied(numbers[i]))
            return numbers[i];
    return 0;
}

static int fail_io(store *s, store_error *err) {
    store_fail(err, STORE_FAILED, "%s: %s; the disk may be failing, see the kernel's log (dmesg)", s->path,
               sqlite3_errstr(SQLITE_IOERR));
    if (err != NULL && err->code == STORE_FAILED)
        err->status = EX_IOERR;
    return STORE_FAILED;
}

int sql_fail(store *s, int rc, store_error *err) {
    bool io = (rc & 0xff) == SQLITE_IOERR || (rc & 0xff) == SQLITE_CANTOPEN;
    int number = io ? telling_errno(s) : 0;
    if ((rc & 0xff) == SQLITE_FULL || is_full(number))
        return fail_full(err, s->path);
    if (is_denied(number))
        return store_fail_errno(err, number, "use", s->path);
    switch (rc & 0xff) {
    case SQLITE_NOMEM:
        return store_out_of_memory(err);
    case SQLITE_IOERR:
        return rc == SQLITE_IOERR_NOMEM ? store_out_of_memory(err) : fail_io(s, err);
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return store_fail_damaged(s, err, sqlite3_errstr(rc));
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_CANTOPEN:
        return store_fail(err, STORE_DENIED, "cannot write %s: %s. See who owns it and the folder", s->path,
                          sqlite3_errstr(rc));
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return store_fail(err, STORE_LOCKED, "%s is in use by another program", s->path);
    default:
        return store_fail(err, STORE_FAILED, "%s: %s", s->path, sqlite3_errmsg(s->db));
    }
}

void *store_grow(void *array, size_t count, size_t element) {
    /* Doubles at 0, 8, 16, 32, ...: the capacity follows from the count. */
    if (count != 0 && (count < 8 || (count & (count - 1)) != 0))
        return array;
    size_t capacity = count == 0 ? 8 : count * 2;
    if (count > SIZE_MAX / 2 || capacity > SIZE_MAX / element)
        return NULL;
    return realloc(array, capacity * element);
}
