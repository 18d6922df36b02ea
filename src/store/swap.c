/*
 * swap.c - one database for another.
 *
 * A database is a file and its log, and no system call renames two files at once. A new database beside an old log would
 * be worse than either, because SQLite would copy the log into it. So the change is decided by one rename, and all that
 * follows can be done again:
 *
 *   0  what an earlier attempt left of trivet.db.incoming is deleted, its journal above all: SQLite would roll that back
 *      into the new one. The folder is synced, and the new one written by whoever makes it (swap_begin)
 *   1  trivet.db.incoming is synced
 *   2  trivet.db and trivet.db-wal get a second name, trivet.db.WHY-DATE and …-wal: a link, or a copy where the file
 *      system has no links; the folder is synced. So does trivet.db-journal, which is there for the moment only in which a
 *      database that was swapped in is first opened
 *   3  trivet.db.incoming becomes trivet.db.next; the folder is synced         <- decided
 *   4  trivet.db-wal, -shm and -journal are deleted; the folder is synced
 *   5  trivet.db.next becomes trivet.db; the folder is synced
 *
 * The power goes
 *   in 0         the old database and its log are as they were; half an incoming file may be left, which means nothing
 *   in 1 or 2    the old database and its log are as they were; left over are an incoming file, which means nothing, and
 *                perhaps a second name of the old ones, or half a copy of them
 *   in 3         it is one of the two cases around it
 *   in 4 or 5    trivet.db.next is there: whoever opens the folder next does 4 and 5 (swap_finish) before it looks at
 *                anything else
 *   after 5      the new database, and the old one under its other name
 */
#include "swap.h"

#include "folder.h"
#include "sql.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static int sync_file(const char *path, store_error *err) {
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return store_fail_errno(err, errno, "open", path);
    int rc = fsync(fd) == 0 ? 0 : store_fail_errno(err, errno, "sync", path);
    close(fd);
    return rc;
}

/* ---- a second name -------------------------------------------------------------------------------------- */

static int copy_all(int from, int to) {
    char buffer[32768];
    ssize_t got;
    while ((got = read(from, buffer, sizeof buffer)) > 0)
        for (ssize_t done = 0, some; done < got; done += some)
            if ((some = write(to, buffer + done, (size_t)(got - done))) < 0)
                return -1;
    return got < 0 || fsync(to) != 0 ? -1 : 0;
}

static int copy_file(const char *from, const char *to, store_error *err) {
    int in = open(from, O_RDONLY | O_CLOEXEC);
    if (in < 0)
        return store_fail_errno(err, errno, "open", from);
    int out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    int rc = 0;
    if (out < 0) {
        rc = store_fail_errno(err, errno, "make", to);
    } else if (copy_all(in, out) != 0) {
        rc = store_fail_errno(err, errno, "write", to);
        unlink(to);
    }
    close(in);
    if (out >= 0)
        close(out);
    return rc;
}

static int second_name(const char *from, const char *to, store_error *err) {
    if (link(from, to) == 0)
        return 0;
    if (errno == ENOENT || errno == EEXIST || errno == ENOSPC || errno == EIO)
        return store_fail_errno(err, errno, "keep aside", from);
    return copy_file(from, to, err); /* a file system without links */
}

/* ---- keeping the old one -------------------------------------------------------------------------------- */

/* What a database is made of, but for its index into the log, which is made anew. */
static const char *const tails[] = {"", "-wal", "-journal"};
enum { TAILS = sizeof tails / sizeof *tails };

/* How long the file is, -1 where there is none. */
static int64_t size_of(const char *folder, const char *name) {
    char *path = folder_path(folder, name);
    struct stat st;
    int64_t size = path != NULL && lstat(path, &st) == 0 ? (int64_t)st.st_size : -1;
    free(path);
    return size;
}

static bool is_there(const char *folder, const char *name) {
    return size_of(folder, name) >= 0;
}

static int keep_one(const char *folder, const char *name, const char *kept, const char *tail,
                    store_error *err) {
    char to_name[96];
    snprintf(to_name, sizeof to_name, "%s%s", kept, tail);
    char *from = folder_path(folder, name), *to = folder_path(folder, to_name);
    int rc = from != NULL && to != NULL ? second_name(from, to, err) : store_out_of_memory(err);
    free(from);
    free(to);
    return rc;
}

/* A name that is free, for the database and its log alike. */
static void name_kept(const char *folder, const char *why, int64_t now, char kept[static 80]) {
    time_t seconds = (time_t)(now / 1000);
    struct tm tm;
    char date[32] = "0";
    if (gmtime_r(&seconds, &tm) != NULL)
        strftime(date, sizeof date, "%Y%m%dT%H%M%SZ", &tm);
    for (unsigned n = 1; n < 1000; n++) {
        bool taken = false;
        snprintf(kept, 80, n == 1 ? "trivet.db.%s-%s" : "trivet.db.%s-%s-%u", why, date, n);
        for (size_t i = 0; i < TAILS; i++) {
            char name[96];
            snprintf(name, sizeof name, "%s%s", kept, tails[i]);
            taken = taken || is_there(folder, name);
        }
        if (!taken)
            return;
    }
}

static int keep_old(const char *folder, const char *why, int64_t now, char kept[static 80],
                    store_error *err) {
    char free_name[80];
    int rc = 0;
    name_kept(folder, why, now, free_name);
    kept[0] = '\0';
    for (size_t i = 0; rc == 0 && i < TAILS; i++) {
        char name[96];
        snprintf(name, sizeof name, "trivet.db%s", tails[i]);
        if (size_of(folder, name) < (i > 0)) /* an empty log holds nothing */
            continue;
        rc = keep_one(folder, name, free_name, tails[i], err);
        memcpy(kept, free_name, sizeof free_name);
    }
    return rc == 0 && kept[0] != '\0' ? folder_sync(folder, err) : rc;
}

/* ---- the change ----------------------------------------------------------------------------------------- */

static int rename_within(const char *folder, const char *from_name, const char *to_name, store_error *err) {
    char *from = folder_path(folder, from_name), *to = folder_path(folder, to_name);
    int rc = from != NULL && to != NULL ? 0 : store_out_of_memory(err);
    if (rc == 0 && rename(from, to) != 0)
        rc = store_fail_errno(err, errno, "rename", from);
    free(from);
    free(to);
    return rc == 0 ? folder_sync(folder, err) : rc;
}

static int delete_within(const char *folder, const char *name, store_error *err) {
    char *path = folder_path(folder, name);
    int rc = path != NULL ? 0 : store_out_of_memory(err);
    if (rc == 0 && unlink(path) != 0 && errno != ENOENT)
        rc = store_fail_errno(err, errno, "delete", path);
    free(path);
    return rc;
}

/* SQLite's files beside a database that is about to be another one. */
static int delete_beside(const char *folder, const char *database, store_error *err) {
    static const char *const beside[] = {"-wal", "-shm", "-journal"};
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < sizeof beside / sizeof *beside; i++) {
        char name[96];
        snprintf(name, sizeof name, "%s%s", database, beside[i]);
        rc = delete_within(folder, name, err);
    }
    return rc == 0 ? folder_sync(folder, err) : rc;
}

int swap_begin(const char *folder, const char *path, int *fd, store_error *err) {
    *fd = -1;
    int rc = delete_within(folder, SWAP_INCOMING, err);
    if (rc == 0)
        rc = delete_beside(folder, SWAP_INCOMING, err);
    if (rc != 0)
        return rc;
    *fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    return *fd < 0 ? store_fail_errno(err, errno, "make", path) : folder_adopt(folder, *fd, path, err);
}

void swap_give_up(const char *folder) {
    store_error why = STORE_ERROR_INIT;
    delete_within(folder, SWAP_INCOMING, &why);
    delete_beside(folder, SWAP_INCOMING, &why);
}

int swap_finish(const char *folder, store_error *err) {
    if (!is_there(folder, SWAP_NEXT))
        return 0;
    int rc = delete_beside(folder, "trivet.db", err);
    return rc == 0 ? rename_within(folder, SWAP_NEXT, "trivet.db", err) : rc;
}

int swap_in(const char *folder, const char *why, int64_t now, char kept[static 80], store_error *err) {
    char *incoming = folder_path(folder, SWAP_INCOMING);
    int rc = incoming != NULL ? sync_file(incoming, err) : store_out_of_memory(err);
    free(incoming);
    if (rc == 0)
        rc = keep_old(folder, why, now, kept, err);
    if (rc == 0)
        rc = rename_within(folder, SWAP_INCOMING, SWAP_NEXT, err);
    return rc == 0 ? swap_finish(folder, err) : rc;
}
