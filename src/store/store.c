/*
 * store.c - the data folder: opening it, and its transactions.
 *
 * What is on disk
 *
 *   trivet.db        the database (tables: schema.c), mode 0600
 *   trivet.db-wal    SQLite's log: commits that are not yet copied back into trivet.db. It belongs to the
 *                    database: without it the newest commits are lost
 *   trivet.db-shm    an index of the log, made anew whenever it is missing
 *   trivet.db.new    a database in the making; means nothing, and goes with the next opening
 *   trivet.db.next   a database that is to become trivet.db: a restore or a repair was interrupted (swap.c)
 *   jots/            files that phones captured, by their hash (jot_content.c)
 *   lock             locked while a process has the folder open; holds its pid
 *
 * A database is made under another name, filled (tables, an empty head) and renamed when it is durable. So a
 * trivet.db that is empty, or one that is missing while its log is there, was damaged from outside, and is
 * reported as that: SQLite would take the first for a new database and delete its log.
 *
 * The transaction of a sync
 *
 * All that a sync changes is one transaction: the parts and lists of the states that it names (blob), the
 * head, the ancestor record and what is known of `since` values, graves, the history line, and the device's
 * times. store_commit returns when the log with all of it has been synced to the disk, and only then is the
 * phone sent its confirm. If the power goes
 *
 *   before the commit    nothing of the transaction counts: SQLite finds no commit mark in its log and passes
 *                        over what was written. The state before stands; the phone got no confirm and sends
 *                        the same again
 *   during the commit    either the commit mark and everything before it have reached the disk whole, which
 *                        checksums over the log decide, or nothing counts. So it is the case above or below
 *   after it, before     the computer holds the new state and a record without a `since_after`; the phone holds
 *   the confirm          the old one. That is a lost confirm: the next sync finds from the record which of the
 *                        two states the phone descends from (merge §10, case 1)
 *   while the log is     the log still holds every page that is being copied; the next opening copies them
 *   copied back          again
 *
 * A disk that is full ends the transaction as if it had never begun, and the same store goes on working when
 * there is room again. Nothing here ever deletes what it does not understand.
 */
#include "store.h"

#include "folder.h"
#include "memo.h"
#include "schema.h"
#include "snapshot.h"
#include "sql.h"
#include "swap.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sodium.h>

enum { LOCK_WAIT_MS = 2000, CHECKED_BYTES = 16 << 20 };

static const char empty_state[] =
    "{\"lists\":[],\"listsCategories\":[],\"lockedLists\":[],"
    "\"lockedListsCategories\":[],\"scratchpad\":[],\"scratchpadCategories\":[]}";

/* ---- a new database --------------------------------------------------------------------------------- */

static int put_empty_head(store *s, store_error *err) {
    trivet_merge_error merr = TRIVET_MERGE_ERROR_INIT;
    trivet_merge_state *state = NULL;
    if (trivet_merge_state_read(empty_state, sizeof empty_state - 1, TRIVET_MERGE_COMPUTER, &state, &merr) !=
        0)
        return store_out_of_memory(err); /* the text is right */
    store_name name;
    int rc = store_begin(s, err);
    if (rc == 0)
        rc = snapshot_put(s, state, &name, err);
    if (rc == 0)
        rc = head_set(s, &name, err);
    if (rc == 0)
        rc = store_commit(s, err);
    if (rc != 0)
        store_rollback(s);
    trivet_merge_state_free(state);
    return rc;
}

/* Makes an empty file with mode 0600, whatever the umask; SQLite gives the same mode to its log. */
static int make_file(const char *folder, const char *path, store_error *err) {
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return store_fail_errno(err, errno, "make", path);
    int rc = fchmod(fd, 0600) == 0 ? 0 : store_fail_errno(err, errno, "make", path);
    if (rc == 0)
        rc = folder_adopt(folder, fd, path, err);
    close(fd);
    return rc;
}

/* What an interrupted making left behind: never renamed, so never in use. */
static void sweep_new(const char *path) {
    static const char *const tails[] = {"", "-journal", "-wal", "-shm"};
    for (size_t i = 0; i < sizeof tails / sizeof *tails; i++) {
        char *each = NULL;
        if (asprintf(&each, "%s%s", path, tails[i]) >= 0) {
            unlink(each);
            free(each);
        }
    }
}

/* Makes the database at s->path, by way of `fresh`. */
static int make_database(store *s, char *fresh, store_error *err) {
    char *path = s->path;
    s->path = fresh;
    sweep_new(fresh);
    int rc = make_file(s->folder, fresh, err);
    if (rc == 0)
        rc = sql_open(s, err);
    if (rc == 0) /* before anything is in it; pruning gives pages back */
        rc = sql_exec(s, "PRAGMA auto_vacuum = INCREMENTAL", err);
    if (rc == 0)
        rc = schema_mark(s, err);
    if (rc == 0)
        rc = schema_migrate(s, err);
    if (rc == 0)
        rc = put_empty_head(s, err);
    if (rc == 0) /* last, so that there is no log that a rename would leave behind */
        rc = sql_exec(s, "PRAGMA journal_mode = WAL", err);
    sql_close(s);
    if (rc == 0 && rename(fresh, path) != 0)
        rc = store_fail_errno(err, errno, "rename", fresh);
    if (rc != 0)
        sweep_new(fresh);
    s->path = path;
    return rc == 0 ? folder_sync(s->folder, err) : rc;
}

/* ---- opening ---------------------------------------------------------------------------------------- */

/* Whether there is a database, and whether it can be one. 1: there is, 0: there is none. */
static int look_for_database(store *s, store_error *err) {
    struct stat st;
    if (stat(s->path, &st) == 0) {
        if (!S_ISREG(st.st_mode))
            return store_fail_damaged(s, err, "it is no file");
        if (st.st_size == 0)
            return store_fail_damaged(s, err, "it is empty");
        if (s->lock >= 0 && (st.st_mode & 077) != 0)
            (void)!chmod(s->path, 0600); /* restored from a backup, say */
        return 1;
    }
    if (errno != ENOENT)
        return store_fail_errno(err, errno, "open", s->path);
    char *log = folder_path(s->folder, "trivet.db-wal");
    if (log == NULL)
        return store_out_of_memory(err);
    bool left = stat(log, &st) == 0 && st.st_size > 0;
    free(log);
    return left ? store_fail_damaged(s, err, "it is missing, though its log trivet.db-wal is there") : 0;
}

/*
 * Reads the database's whole structure, though not what the parts of states hold: those are checked against
 * their names whenever they are read. It takes a millisecond per megabyte or so, hence only where there are
 * few.
 */
static int check_once(store *s, char text[static 128], store_error *err) {
    sqlite3_stmt *q = NULL;
    int rc = sqlite3_prepare_v2(s->db, "PRAGMA quick_check(1)", -1, &q, NULL);
    if (rc != SQLITE_OK)
        return sql_fail(s, rc, err);
    *text = '\0';
    rc = sql_row(s, q, err);
    if (rc > 0)
        sql_text_of(q, 0, text, 128);
    sqlite3_finalize(q);
    return rc < 0 ? rc : strcmp(text, "ok") == 0;
}

static int check_structure(store *s, store_error *err) {
    struct stat st;
    char text[128];
    if (stat(s->path, &st) != 0 || st.st_size > CHECKED_BYTES)
        return 0;
    int rc = check_once(s, text, err);
    if (rc == 0) /* a check that lacked memory for a moment takes that for damage */
        rc = check_once(s, text, err);
    return rc < 0 ? rc : rc > 0 ? 0 : store_fail_damaged(s, err, text);
}

/*
 * A database of a version that could not give pages back is written anew, once, where it is small: a transaction of
 * SQLite's own, and no harm if there is no room for it. A large one keeps its free pages for what comes.
 */
static void let_it_shrink(store *s) {
    struct stat st;
    sqlite3_stmt *q = NULL;
    int mode = -1;
    if (stat(s->path, &st) != 0 || st.st_size > CHECKED_BYTES ||
        sqlite3_prepare_v2(s->db, "PRAGMA auto_vacuum", -1, &q, NULL) != SQLITE_OK)
        return;
    if (sqlite3_step(q) == SQLITE_ROW)
        mode = sqlite3_column_int(q, 0);
    sqlite3_finalize(q);
    if (mode == 0)
        sqlite3_exec(s->db, "PRAGMA auto_vacuum = INCREMENTAL; VACUUM", NULL, NULL, NULL);
}

static int open_database(store *s, bool create, store_error *err) {
    int found = swap_finish(s->folder, err);
    if (found == 0)
        found = look_for_database(s, err);
    if (found < 0)
        return found;
    if (found == 0) {
        if (!create)
            return store_fail_errno(err, ENOENT, "open", s->path);
        char *fresh = folder_path(s->folder, "trivet.db.new");
        int rc = fresh != NULL ? make_database(s, fresh, err) : store_out_of_memory(err);
        free(fresh);
        if (rc != 0)
            return rc;
    }
    int rc = sql_open(s, err);
    if (rc == 0)
        rc = schema_migrate(s, err);
    if (rc == 0)
        rc = check_structure(s, err);
    if (rc == 0) /* a backup may have come back without it */
        rc = sql_exec(s, "PRAGMA journal_mode = WAL", err);
    if (rc == 0) {
        sql_keep_log(s, false);
        let_it_shrink(s);
    }
    return rc;
}

/* The same without the lock, for which nothing may be written. */
static int open_to_read(store *s, store_error *err) {
    int version;
    char *next = folder_path(s->folder, SWAP_NEXT);
    if (next == NULL)
        return store_out_of_memory(err);
    bool swapping = access(next, F_OK) == 0;
    free(next);
    if (swapping)
        return store_fail(
            err, STORE_LOCKED,
            "%s: a restore or repair is under way, or was interrupted; `trivet status` then ends it",
            s->folder);
    int rc = look_for_database(s, err);
    if (rc == 0)
        return store_fail_errno(err, ENOENT, "open", s->path);
    if (rc > 0)
        rc = sql_open(s, err);
    if (rc == 0) /* deferred: what is read first is what is seen to the end */
        rc = sql_exec(s, "BEGIN", err);
    s->in_transaction = rc == 0;
    return rc == 0 ? schema_version(s, &version, err) : rc;
}

static int open_store(const char *folder, unsigned flags, store **out, store_error *err) {
    bool create = (flags & STORE_CREATE) != 0;
    *out = NULL;
    if (sodium_init() < 0)
        return store_fail(err, STORE_FAILED, "libsodium cannot be used");
    store *s = calloc(1, sizeof *s);
    if (s == NULL)
        return store_out_of_memory(err);
    s->lock = -1;
    s->folder = strdup(folder);
    s->path = folder_path(folder, "trivet.db");
    int rc = s->folder != NULL && s->path != NULL ? 0 : store_out_of_memory(err);
    if (rc == 0)
        rc = folder_make(folder, create, err);
    if (rc == 0 && (flags & STORE_READ) != 0) {
        rc = open_to_read(s, err);
        if (rc == 0)
            *out = s;
        else
            store_close(s);
        return rc;
    }
    if (rc == 0)
        rc = folder_lock(folder, flags & STORE_TRY ? 0 : LOCK_WAIT_MS, &s->lock, err);
    if (rc == 0)
        rc = open_database(s, create, err);
    if (rc != 0) {
        store_close(s);
        return rc;
    }
    *out = s;
    return 0;
}

int store_open(const char *folder, unsigned flags, store **out, store_error *err) {
    folder_user user;

    folder_become_owner(folder, &user); /* the write-ahead log and its index are made here, too */
    int rc = open_store(folder, flags, out, err);
    folder_become_self(&user);
    return rc;
}

void store_close(store *s) {
    if (s == NULL)
        return;
    store_rollback(s);
    sql_close(s);
    if (s->lock >= 0)
        close(s->lock);
    memo_free(s->memo);
    free(s->folder);
    free(s->path);
    free(s);
}

void store_remember(store *s) {
    if (s->memo == NULL)
        s->memo = memo_new();
}

const char *store_folder(const store *s) {
    return s->folder;
}

/* ---- transactions ----------------------------------------------------------------------------------- */

static int begin(store *s, sql_id how, store_error *err) {
    if (s->in_transaction)
        return store_fail(err, STORE_FAILED, "%s: a transaction is open already", s->path);
    int rc = sql_run(s, sql_get(s, how, err), err);
    s->in_transaction = rc == 0;
    return rc;
}

int store_begin(store *s, store_error *err) {
    return begin(s, SQL_BEGIN, err);
}

int store_begin_look(store *s, store_error *err) {
    return begin(s, SQL_BEGIN_LOOK, err);
}

int store_commit(store *s, store_error *err) {
    if (!s->in_transaction)
        return store_fail(err, STORE_FAILED, "%s: no transaction is open", s->path);
    int rc = sql_run(s, sql_get(s, SQL_COMMIT, err), err);
    if (rc == 0)
        s->in_transaction = false;
    return rc;
}

void store_rollback(store *s) {
    if (!s->in_transaction)
        return;
    /* It may be over already: SQLite ends some by itself. The statement's failure would mean just that. */
    if (!sqlite3_get_autocommit(s->db))
        sql_run(s, sql_get(s, SQL_ROLLBACK, NULL), NULL);
    s->in_transaction = false;
}

void store_shrink(store *s) {
    sqlite3_db_release_memory(s->db);
}

/* ---- names and small values ------------------------------------------------------------------------- */

bool store_name_equal(const store_name *a, const store_name *b) {
    return memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

void store_name_hex(const store_name *name, char out[static 65]) {
    sodium_bin2hex(out, 65, name->bytes, sizeof name->bytes);
}

int64_t store_changes(const store *s) {
    return sqlite3_total_changes64(s->db);
}

int store_meta_get(store *s, const char *key, char *value, size_t size, store_error *err) {
    sqlite3_stmt *q = sql_get(s, SQL_META_GET, err);
    sql_text(q, 1, key);
    int rc = sql_row(s, q, err);
    if (rc > 0 && (size_t)sqlite3_column_bytes(q, 0) >= size)
        rc = store_fail(err, STORE_FAILED, "the value of %s is longer than expected", key);
    else if (rc > 0)
        sql_text_of(q, 0, value, size);
    sql_reset(q);
    return rc > 0 ? 0 : rc == 0 ? STORE_NONE : rc;
}

int store_meta_set(store *s, const char *key, const char *value, store_error *err) {
    sqlite3_stmt *q = sql_get(s, SQL_META_SET, err);
    sql_text(q, 1, key);
    sql_text(q, 2, value);
    return sql_run(s, q, err);
}

void store_random_id(char *out, size_t len) {
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < len; i++)
        out[i] = digits[randombytes_uniform(16)];
    out[len] = '\0';
}
