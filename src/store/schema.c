/*
 * schema.c - the tables.
 *
 *   meta            small named values
 *   blob            parts of states, and lists of parts: snapshots (snapshot.c); never changed, only added
 *   head            one row: the computer's present state
 *   device          a pairing; `replaces` is the id of the device whose records it inherits
 *   device_phone    a name that a phone gave itself on a pairing; has_records stays 1 when its records go
 *   device_network  a network that a device came from
 *   record          one committed merge of a phone; ids are never used again, since values outlive them
 *   record_since    what a phone's `since` is known to mean, for each group; outlives its record (merge §10)
 *   grave           last forms of items that left the computer's state
 *   history         a line for each change of the head; `kept` says which of its states are still there (history.h)
 *   lost            what an edit said that another one took the place of (lost.h)
 *   revival         items that were brought back, with the date of that (revival.h)
 *   restored        what a restore from a backup made the present state (restored.h)
 *   question        what waits for an answer
 *   jot, jot_form, jot_file
 *                   what phones have captured (jot.h); their files' bytes are in jots/ (jot_content.h)
 *
 * Names of snapshots are no foreign keys: a snapshot names its parts from the inside, so whoever drops blobs
 * must walk them anyway. What is written is checked instead (blob_require).
 *
 * A later version adds its steps to `steps`; a step that was once released is never changed.
 */
#include "schema.h"

#include <stdio.h>
#include <sysexits.h>

static const int application_id = 0x54727674; /* "Trvt", at offset 68 of the file */

static const char version_1[] =
    "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;"

    "CREATE TABLE blob (num INTEGER PRIMARY KEY, name BLOB NOT NULL UNIQUE CHECK (length(name) = 32),"
    " data BLOB NOT NULL) STRICT;"

    "CREATE TABLE head (one INTEGER PRIMARY KEY CHECK (one = 1),"
    " name BLOB NOT NULL CHECK (length(name) = 32)) STRICT;"

    "CREATE TABLE device (num INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE,"
    " name TEXT NOT NULL, named INTEGER NOT NULL, secret_hash BLOB NOT NULL UNIQUE, k BLOB,"
    " created_at INTEGER NOT NULL, lapses_at INTEGER NOT NULL, last_seen_at INTEGER NOT NULL DEFAULT 0,"
    " last_sync_at INTEGER NOT NULL DEFAULT 0, revoked_at INTEGER NOT NULL DEFAULT 0,"
    " address TEXT NOT NULL DEFAULT '', replaces TEXT NOT NULL) STRICT;"

    "CREATE TABLE device_phone (num INTEGER PRIMARY KEY, device INTEGER NOT NULL"
    " REFERENCES device (num) ON DELETE CASCADE, phone TEXT NOT NULL, first_seen_at INTEGER NOT NULL,"
    " last_seen_at INTEGER NOT NULL DEFAULT 0, last_sync_at INTEGER NOT NULL DEFAULT 0,"
    " has_records INTEGER NOT NULL DEFAULT 0, UNIQUE (device, phone)) STRICT;"

    "CREATE TABLE record (id INTEGER PRIMARY KEY AUTOINCREMENT,"
    " device INTEGER NOT NULL REFERENCES device (num), phone INTEGER NOT NULL REFERENCES device_phone (num),"
    " sent BLOB NOT NULL CHECK (length(sent) = 32), snapshot BLOB NOT NULL CHECK (length(snapshot) = 32),"
    " ancestor BLOB CHECK (length(ancestor) = 32), since_before INTEGER NOT NULL,"
    " applied INTEGER NOT NULL, time INTEGER NOT NULL) STRICT;"
    "CREATE INDEX record_by_phone ON record (phone);"
    "CREATE INDEX record_by_device ON record (device);"

    "CREATE TABLE record_since (device INTEGER NOT NULL REFERENCES device (num), grp INTEGER NOT NULL,"
    " since INTEGER NOT NULL, record INTEGER NOT NULL,"
    " phone INTEGER NOT NULL REFERENCES device_phone (num),"
    " PRIMARY KEY (device, grp, since, record)) STRICT, WITHOUT ROWID;"

    "CREATE TABLE grave (section INTEGER NOT NULL, id BLOB NOT NULL, slot INTEGER NOT NULL,"
    " item BLOB NOT NULL, dug_at INTEGER NOT NULL, PRIMARY KEY (section, id)) STRICT, WITHOUT ROWID;"
    "CREATE INDEX grave_by_time ON grave (dug_at);"

    "CREATE TABLE history (id INTEGER PRIMARY KEY AUTOINCREMENT, time INTEGER NOT NULL,"
    " cause TEXT NOT NULL, device TEXT NOT NULL, phone TEXT NOT NULL,"
    " before BLOB NOT NULL CHECK (length(before) = 32), after BLOB NOT NULL CHECK (length(after) = 32),"
    " counts TEXT NOT NULL) STRICT;"

    "CREATE TABLE question (id INTEGER PRIMARY KEY AUTOINCREMENT, device TEXT NOT NULL, kind TEXT NOT NULL,"
    " deadline INTEGER NOT NULL, body TEXT NOT NULL) STRICT;";

/*
 * Past states: what history still keeps of each line, how a blob is packed (blob.c), what lost, what was brought
 * back. All lines of before keep their states.
 */
static const char version_2[] =
    "ALTER TABLE blob ADD COLUMN coding INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE blob ADD COLUMN base INTEGER;"
    "ALTER TABLE blob ADD COLUMN size INTEGER;"

    "ALTER TABLE history ADD COLUMN kept INTEGER NOT NULL DEFAULT 3;"
    "CREATE INDEX history_kept ON history (id) WHERE kept <> 0;"

    "CREATE TABLE lost (id INTEGER PRIMARY KEY AUTOINCREMENT, time INTEGER NOT NULL, device TEXT NOT NULL,"
    " phone TEXT NOT NULL, side TEXT NOT NULL, reason TEXT NOT NULL, fields TEXT NOT NULL,"
    " form BLOB NOT NULL, stands BLOB NOT NULL) STRICT;"

    "CREATE TABLE revival (section INTEGER NOT NULL, id BLOB NOT NULL, time INTEGER NOT NULL,"
    " PRIMARY KEY (section, id)) STRICT, WITHOUT ROWID;";

/* What lost goes by its age. */
static const char version_3[] = "CREATE INDEX lost_by_time ON lost (time);";

/* Where a pairing's code says that this computer is. */
static const char version_4[] = "ALTER TABLE device ADD COLUMN host TEXT NOT NULL DEFAULT '';"
                                "ALTER TABLE device ADD COLUMN port INTEGER NOT NULL DEFAULT 0;";

/* Where a device was seen (net/address.h); goes without loss. */
static const char version_5[] =
    "CREATE TABLE device_network (device INTEGER NOT NULL REFERENCES device (num) ON DELETE CASCADE,"
    " network TEXT NOT NULL, last_seen_at INTEGER NOT NULL, PRIMARY KEY (device, network)) STRICT, WITHOUT "
    "ROWID;";

/* A restore; `record` is the newest one of then. */
static const char version_6[] =
    "CREATE TABLE restored (record INTEGER PRIMARY KEY, head BLOB NOT NULL CHECK (length(head) = 32),"
    " time INTEGER NOT NULL) STRICT;";

/*
 * Jots. `device` is no foreign key and what belongs to a jot names it by its number alone: what was captured outlives its
 * pairing.
 */
static const char version_7[] =
    "CREATE TABLE jot (num INTEGER PRIMARY KEY AUTOINCREMENT, device TEXT NOT NULL, id INTEGER NOT NULL,"
    " first_at INTEGER NOT NULL, changed_at INTEGER NOT NULL, gone_at INTEGER NOT NULL DEFAULT 0,"
    " kept INTEGER NOT NULL DEFAULT 0, UNIQUE (device, id)) STRICT;"
    "CREATE TABLE jot_form (num INTEGER PRIMARY KEY AUTOINCREMENT, jot INTEGER NOT NULL, text TEXT NOT NULL,"
    " drawing TEXT NOT NULL, stored_at INTEGER NOT NULL) STRICT;"
    "CREATE INDEX jot_form_by_jot ON jot_form (jot);"
    "CREATE TABLE jot_file (num INTEGER PRIMARY KEY AUTOINCREMENT, jot INTEGER NOT NULL, kind INTEGER NOT "
    "NULL,"
    " id TEXT NOT NULL, name TEXT NOT NULL, format TEXT NOT NULL, told_size INTEGER NOT NULL,"
    " created_at INTEGER NOT NULL, hash BLOB CHECK (length(hash) = 32), size INTEGER NOT NULL DEFAULT 0,"
    " stored_at INTEGER NOT NULL DEFAULT 0, gone_at INTEGER NOT NULL DEFAULT 0,"
    " wanted INTEGER NOT NULL DEFAULT 0, cuts INTEGER NOT NULL DEFAULT 0,"
    " failed TEXT NOT NULL DEFAULT '') STRICT;"
    "CREATE INDEX jot_file_by_jot ON jot_file (jot);";

/* Version 2 of the channel (device.h): the device key, and when the pairing first spoke it; 0: not yet. */
static const char version_8[] = "ALTER TABLE device ADD COLUMN k1 BLOB;"
                                "ALTER TABLE device ADD COLUMN version_2_at INTEGER NOT NULL DEFAULT 0;";

/* steps[v] leads from version v to v + 1. */
static const char *const steps[] = {version_1, version_2, version_3, version_4,
                                    version_5, version_6, version_7, version_8};
enum { VERSION = sizeof steps / sizeof *steps, BELIEVABLE = 9999 };

static int pragma_get(store *s, const char *text, int *out, store_error *err) {
    sqlite3_stmt *q = NULL;
    int rc = sqlite3_prepare_v2(s->db, text, -1, &q, NULL);
    if (rc != SQLITE_OK)
        return sql_fail(s, rc, err);
    int found = sql_row(s, q, err);
    if (found > 0)
        *out = sqlite3_column_int(q, 0);
    sqlite3_finalize(q);
    return found > 0 ? 0 : found < 0 ? found : store_fail_damaged(s, err, "it has no header");
}

static int step(store *s, int version, store_error *err) {
    char mark[64];
    snprintf(mark, sizeof mark, "PRAGMA user_version = %d", version + 1);
    int rc = store_begin(s, err);
    if (rc == 0)
        rc = sql_exec(s, steps[version], err);
    if (rc == 0)
        rc = sql_exec(s, mark, err);
    if (rc == 0)
        rc = store_commit(s, err);
    if (rc != 0)
        store_rollback(s);
    return rc;
}

int schema_mark(store *s, store_error *err) {
    char text[64];
    snprintf(text, sizeof text, "PRAGMA application_id = %d", application_id);
    return sql_exec(s, text, err);
}

int schema_newest(void) {
    return VERSION;
}

int schema_version(store *s, int *version, store_error *err) {
    int id = 0;
    int rc = pragma_get(s, "PRAGMA application_id", &id, err);
    if (rc == 0 && id != application_id)
        return store_fail_damaged(s, err, "it is a database, but not this program's");
    if (rc == 0)
        rc = pragma_get(s, "PRAGMA user_version", version, err);
    if (rc == 0 && (*version < 0 || *version > BELIEVABLE))
        return store_fail_damaged(s, err, "the version of its format is none that there will ever be");
    if (rc == 0 && *version > VERSION) {
        store_fail(
            err, STORE_FAILED,
            "%s was written by a newer version of this program (format %d, this one knows %d). Use that "
            "version, or another folder",
            s->folder, *version, (int)VERSION);
        if (err != NULL && err->code == STORE_FAILED)
            err->status = EX_CONFIG;
        return STORE_FAILED;
    }
    return rc;
}

int schema_migrate(store *s, store_error *err) {
    int version = 0;
    int rc = schema_version(s, &version, err);
    for (; rc == 0 && version < VERSION; version++)
        rc = step(s, version, err);
    return rc;
}
