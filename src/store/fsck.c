/*
 * fsck.c - folder, structure, content, in that order; and the order of a repair:
 *
 *   1  the folder is locked, a swap that was decided is ended (swap.c), and modes are put right
 *   2  trivet.db.incoming is made: a copy of the database (VACUUM INTO) where its structure is sound, else a new database
 *      filled with all rows that can be read (fsck_rebuild.c)
 *   3  the copy is repaired, in one transaction (fsck_repair.c), and checked like any other
 *   4  only a sound copy takes the place of the database, which is kept as trivet.db.damaged-DATE
 *
 * The process is killed, or the power goes
 *   in 1      nothing is lost: each mode is right or as it was, and swap.c says what is left of a swap. The lock is the
 *             kernel's and goes with the process
 *   in 2, 3   trivet.db and its log were only read. What there is of trivet.db.incoming and its journal means nothing, and is
 *             deleted before the next repair begins: a journal that stayed would be rolled back into the next copy
 *   in 4      the damaged database or the repaired one stands there, whole (swap.c); the damaged one is there under either
 *             name, and a repair that begins anew keeps it under one more
 *   after it  `repaired` was perhaps not said
 * In each case the next fsck --repair makes of it what the first one would have made, and the one after that finds nothing.
 * Files of jots are never touched.
 */
#include "fsck.h"

#include "access.h"
#include "folder.h"
#include "fsck_repair.h"
#include "schema.h"
#include "swap.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define TO_REPAIR "`trivet fsck --repair`, with the server stopped"

typedef struct {
    const char *folder;
    const fsck_options *options;
    fsck_result *result;
    store_error *err;
    bool structure_sound;
} check;

/* ---- the folder ----------------------------------------------------------------------------------------- */

static void tell_access(void *ctx, bool tightened, const char *what) {
    const check *k = ctx;
    fsck_tell(k->options, k->result, !tightened, "folder",
              "it may be read or replaced by others than its owner",
              tightened ? "nothing; it was put right"
                        : "trivet fsck --repair, or the start of the server, puts modes right",
              "%s", what);
}

static int check_access(check *k) {
    store_error why = STORE_ERROR_INIT;
    int rc = access_check(k->folder, k->options->repair, tell_access, k, &why);
    if (rc == STORE_DENIED && strstr(why.message, "belongs to") != NULL)
        fsck_tell(k->options, k->result, true, "folder", "who may read it is not up to you",
                  "chown, as the message says", "%s", why.message);
    else if (rc != 0)
        return store_fail(k->err, rc, "%s", why.message);
    return 0;
}

static bool starts_with(const char *name, const char *start) {
    return strncmp(name, start, strlen(start)) == 0;
}

/* What belongs in the folder, and what a process that was killed left there. */
static void look_at_name(check *k, const char *name) {
    static const char *const ours[] = {".",       "..",   "trivet.db",    "trivet.db-wal", "trivet.db-shm",
                                       SWAP_NEXT, "lock", "control.sock", "server.key",    "jots",
                                       "log",     NULL};
    static const char *const kept[] = {"trivet.db.before-restore-", "trivet.db.damaged-", NULL};
    static const char *const left[] = {"trivet.db.new", SWAP_INCOMING, "trivet.db.copy-", "trivet.db-journal",
                                       NULL};
    for (size_t i = 0; ours[i] != NULL; i++)
        if (strcmp(name, ours[i]) == 0)
            return;
    for (size_t i = 0; kept[i] != NULL; i++)
        if (starts_with(name, kept[i])) {
            fsck_tell(k->options, k->result, false, "file",
                      "an earlier restore or repair kept the old database under that name",
                      "delete it when you no longer want it", "%.200s", name);
            return;
        }
    for (size_t i = 0; left[i] != NULL; i++)
        if (starts_with(name, left[i])) {
            fsck_tell(k->options, k->result, false, "file",
                      "a command that works right now, or that was killed, made it",
                      "nothing: the next such command deletes it", "%.200s", name);
            return;
        }
    fsck_tell(k->options, k->result, false, "file",
              "it is not of this program's making, and takes no part in anything",
              "delete it or move it elsewhere, if you know it", "%.200s", name);
}

static int check_names(check *k) {
    DIR *dir = opendir(k->folder);
    const struct dirent *entry;
    if (dir == NULL)
        return store_fail_errno(k->err, errno, "read the folder", k->folder);
    while ((entry = readdir(dir)) != NULL)
        look_at_name(k, entry->d_name);
    closedir(dir);
    return 0;
}

/* ---- structure ------------------------------------------------------------------------------------------ */

static int tell_structure(void *ctx, sqlite3_stmt *q) {
    check *k = ctx;
    const char *text = (const char *)sqlite3_column_text(q, 0);
    if (text != NULL && strcmp(text, "ok") == 0)
        return 0;
    if (text != NULL && strncmp(text, "***", 3) == 0 && strchr(text, '\n') != NULL)
        text = strchr(text, '\n') + 1; /* past a heading */
    k->structure_sound = false;
    fsck_tell(k->options, k->result, true, "database",
              "pages of the database are damaged: the disk, or something that wrote over it",
              TO_REPAIR ": all rows that can be read go into a new database. A backup may hold more",
              "%.200s", text != NULL ? text : "?");
    return 0;
}

static int tell_orphan(void *ctx, sqlite3_stmt *q) {
    check *k = ctx;
    fsck_tell(k->options, k->result, true, "database", "a row belongs to a device that is not there",
              TO_REPAIR ": it is dropped", "a row of %.60s without its %.60s",
              (const char *)sqlite3_column_text(q, 0), (const char *)sqlite3_column_text(q, 2));
    return 0;
}

static int check_structure(check *k, store *s) {
    store_error why = STORE_ERROR_INIT;
    k->structure_sound = true;
    if (k->options->progress != NULL)
        k->options->progress(k->options->ctx, "pages", 0, 0);
    int rc = fsck_rows(s, "PRAGMA integrity_check(20)", tell_structure, k, &why);
    if (rc == 0 && k->structure_sound)
        rc = fsck_rows(s, "PRAGMA foreign_key_check", tell_orphan, k, &why);
    if (rc != STORE_DAMAGED)
        return rc == 0 ? 0 : store_fail(k->err, rc, "%s", why.message);
    if (k->structure_sound)
        fsck_tell(k->options, k->result, true, "database", "pages of the database are damaged", TO_REPAIR,
                  "it cannot be read to its end");
    k->structure_sound = false;
    return 0;
}

/* Structure and content of an open database. */
static int check_database(check *k, fsck_content *c) {
    int rc = check_structure(k, c->s);
    c->folder = k->folder;
    c->options = k->options;
    c->result = k->result;
    c->err = k->err;
    return rc == 0 && k->structure_sound ? fsck_content_run(c) : rc;
}

/* ---- repair --------------------------------------------------------------------------------------------- */

static void quiet(void *ctx, const fsck_finding *finding) {
    (void)ctx;
    (void)finding;
}

/* The copy, repaired: it must be sound now, or nothing is replaced. */
static int check_copy(check *k, store *copy, bool fix) {
    fsck_options options = {.found = quiet, .now = k->options->now};
    fsck_result result = {0};
    check again = {k->folder, &options, &result, k->err, false};
    fsck_content c = {.s = copy};
    int rc = check_database(&again, &c);
    if (rc == 0 && again.structure_sound && fix)
        rc = fsck_repair_content(&c);
    else if (rc == 0 && result.faults > 0)
        rc = store_fail(k->err, STORE_DAMAGED,
                        "%s: what can be saved is not sound enough to be used; nothing was changed. Restore "
                        "a backup: `trivet "
                        "backup --restore --force FILE`",
                        k->folder);
    fsck_content_release(&c);
    return rc;
}

static int fill_copy(check *k, store *damaged, store *copy) {
    int rc = 0;
    if (k->structure_sound)
        rc = sql_vacuum_into(damaged, copy->path, k->err);
    if (rc == 0)
        rc = sql_open_alone(copy, k->err);
    if (rc == 0 && !k->structure_sound)
        rc = schema_mark(copy, k->err);
    if (rc == 0)
        rc = schema_migrate(copy, k->err);
    if (rc == 0)
        rc = sql_exec(copy, "PRAGMA foreign_keys = OFF", k->err);
    if (rc == 0 && !k->structure_sound)
        rc = fsck_rebuild(damaged, copy, k->err);
    if (rc == 0)
        rc = check_copy(k, copy, true);
    return rc == 0 ? check_copy(k, copy, false) : rc;
}

static int repair(check *k, store *damaged) {
    char *path = folder_path(k->folder, SWAP_INCOMING);
    char none[1] = "";
    if (path == NULL)
        return store_out_of_memory(k->err);
    store copy = {.folder = none, .path = path, .lock = -1};
    int fd;
    int rc = swap_begin(k->folder, path, &fd, k->err);
    if (fd >= 0)
        close(fd);
    if (rc == 0)
        rc = fill_copy(k, damaged, &copy);
    sql_close(&copy);
    store_rollback(damaged);
    sql_close(damaged);
    if (rc == 0)
        rc = swap_in(k->folder, "damaged", k->options->now, k->result->kept, k->err);
    if (rc != 0)
        swap_give_up(k->folder);
    free(path);
    return rc;
}

/* ---- all of it ------------------------------------------------------------------------------------------ */

/* Without its first page, in which it says what it is and where its tables begin, no row can be found. */
static int fail_unreadable(const check *k, const store_error *why) {
    return store_fail(
        k->err, STORE_DAMAGED,
        "%s/trivet.db cannot be read, nor repaired: %s. Restore a backup: `trivet backup --restore "
        "--force FILE`, which keeps this file. Without one: move trivet.db and trivet.db-wal elsewhere, "
        "pair the phones again, and what they hold comes back with their first sync",
        k->folder, why->reason);
}

static int check_store(check *k) {
    store_error why = STORE_ERROR_INIT;
    store *s = NULL;
    int rc = store_open(k->folder, STORE_READ, &s, &why);
    if (rc != 0 && why.reason[0] != '\0')
        return fail_unreadable(k, &why);
    if (rc != 0) {
        *k->err = why;
        return rc;
    }
    size_t before = k->result->faults;
    fsck_content c = {.s = s};
    rc = check_database(k, &c);
    fsck_content_release(&c);
    if (rc == 0 && k->options->repair && k->result->faults > before)
        rc = repair(k, s);
    store_close(s);
    k->result->repaired = rc == 0 && k->options->repair && k->result->faults > 0;
    return rc;
}

static int run(const char *folder, const fsck_options *options, fsck_result *result, store_error *err) {
    check k = {folder, options, result, err, true};
    int lock = -1;
    *result = (fsck_result){0};
    int rc = folder_make(folder, false, err);
    if (rc == 0 && options->repair)
        rc = folder_lock(folder, 0, &lock, err);
    if (rc == 0 && options->repair)
        rc = swap_finish(folder, err);
    if (rc == 0)
        rc = check_access(&k);
    if (rc == 0)
        rc = check_names(&k);
    if (rc == 0)
        rc = check_store(&k);
    if (lock >= 0)
        close(lock);
    return rc;
}

int fsck_run(const char *folder, const fsck_options *options, fsck_result *result, store_error *err) {
    folder_user user;
    folder_become_owner(folder, &user);
    int rc = run(folder, options, result, err);
    folder_become_self(&user);
    return rc;
}
