/*
 * jot_content.c - files by the hash of what they hold.
 *
 *   1  jots/incoming-RANDOM is made, written and synced
 *   2  it is renamed to jots/HASH
 *   3  jots/ is synced
 *   4  the caller records HASH in the database, in a durable transaction
 *
 * The power goes
 *   in 1        a half-written incoming file is left: it means nothing, and goes with the next start (sweep)
 *   in 2 or 3   the file has one name or the other; if the old one, as in 1; if the new one, it is whole, and nothing
 *               names it yet
 *   before 4    the same: a whole file that nothing names. It is left where it is, because what names it may be a database
 *               that was put aside (trivet backup --restore); the phone is asked for the file again, which then takes
 *               this one's place. `trivet fsck` tells of such files.
 *   after 4     the file counts as stored
 * A file that is there already is replaced by the same bytes, which also mends one that was damaged.
 *
 * One that comes in pieces differs in 1 alone: it is jots/partial-NUM from its first piece on. What it holds is a beginning of
 * the file, and nothing but its length says how much. The program ends, killed or not: every byte that was written is there. The
 * power goes: the file may have become shorter, which is as if less had come, or, on some file systems, hold
 * zeros for what was not written yet; then the whole has not the hash that the phone tells at the end, all of it is discarded
 * and comes once more from its beginning. That is why a resumed file is hashed again from its first byte, and why a file with the wrong
 * hash never gets its name. The power goes after 3 and before 4: the partial file is gone, the whole one is there, unnamed, and the
 * phone is asked from offset 0.
 * One that could not be synced is discarded: memory may hold what the disk has lost, and another sync would say nothing of it.
 * A partial file goes when its row goes (the phone has the file no more), when the disk is full, and at the start of the server where no
 * row waits for it. A backup leaves it out: the phone has it still.
 */
#include "jot_content.h"

#include "folder.h"
#include "sql.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum {
    BLOCK = 65536,
    REREAD_BLOCK = 1 << 18,
    WRITE_BACK = 8 << 20 /* bytes that may wait in memory to be written */
};

struct jot_content {
    char *dir;  /* …/jots */
    char *path; /* of the incoming file; "" once it is renamed */
    int fd;
    uint64_t size;
    uint64_t reread; /* of these, how many the hash has seen */
    uint64_t behind; /* of these, how many are on their way to the disk */
    bool kept;       /* stays when it is freed half come */
    crypto_generichash_state hash;
};

void jot_content_name_of(const store_name *hash, char out[static JOT_CONTENT_NAME_LEN + 1]) {
    memcpy(out, "jots/", 5);
    store_name_hex(hash, out + 5);
}

bool jot_content_name_read(const char *name, store_name *hash) {
    size_t len;
    return strlen(name) == JOT_CONTENT_NAME_LEN && strncmp(name, "jots/", 5) == 0 &&
           strspn(name + 5, "0123456789abcdef") == 64 &&
           sodium_hex2bin(hash->bytes, sizeof hash->bytes, name + 5, 64, NULL, &len, NULL) == 0 && len == 32;
}

/* ---- writing -------------------------------------------------------------------------------------------- */

static int make_dir(const char *folder, const char *dir, store_error *err) {
    struct stat st;
    if (lstat(dir, &st) == 0)
        return S_ISDIR(st.st_mode) ? 0 : store_fail_errno(err, ENOTDIR, "use the folder", dir);
    if (mkdir(dir, 0700) != 0 && errno != EEXIST)
        return store_fail_errno(err, errno, "make the folder", dir);
    int rc = folder_sync(folder, err);
    if (rc != 0)
        (void)rmdir(dir); /* so that it is made, and synced, once more */
    return rc;
}

static int check_room(const char *dir, uint64_t expected, store_error *err) {
    struct statvfs fs;
    if (statvfs(dir, &fs) != 0 || (uint64_t)fs.f_bavail * fs.f_frsize >= expected + JOT_SPARE_DISK)
        return 0;
    return store_fail(err, STORE_FULL, "%s: too little space is left on the disk for a file of %llu bytes",
                      dir, (unsigned long long)expected);
}

static int new_named(const char *folder, const char *name, uint64_t expected, int flags, jot_content **out,
                     store_error *err) {
    jot_content *c = calloc(1, sizeof *c);
    if (c == NULL)
        return store_out_of_memory(err);
    c->fd = -1;
    c->dir = folder_path(folder, "jots");
    c->path = c->dir != NULL ? folder_path(c->dir, name) : NULL;
    int rc = c->path != NULL ? make_dir(folder, c->dir, err) : store_out_of_memory(err);
    if (rc == 0)
        rc = check_room(c->dir, expected, err);
    if (rc == 0 && (c->fd = open(c->path, flags | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600)) < 0)
        rc = store_fail_errno(err, errno, "make", c->path);
    if (rc != 0) {
        jot_content_free(c);
        return rc;
    }
    crypto_generichash_init(&c->hash, NULL, 0, sizeof((store_name *)NULL)->bytes);
    *out = c;
    return 0;
}

int jot_content_new(const char *folder, uint64_t expected, jot_content **out, store_error *err) {
    char random[17], name[64];
    store_random_id(random, sizeof random - 1);
    snprintf(name, sizeof name, JOT_CONTENT_INCOMING "%s", random);
    return new_named(folder, name, expected, O_WRONLY | O_EXCL, out, err);
}

/* So that little is left to be written when all has come, and the rest of the program does not wait for it. */
static void write_behind(jot_content *c) {
    if (c->size - c->behind < WRITE_BACK)
        return;
    (void)sync_file_range(c->fd, (off64_t)c->behind, (off64_t)(c->size - c->behind), SYNC_FILE_RANGE_WRITE);
    c->behind = c->size;
}

int jot_content_add(jot_content *c, const void *data, size_t len, store_error *err) {
    const uint8_t *at = data;
    crypto_generichash_update(&c->hash, at, len);
    c->size += len;
    while (len > 0) {
        ssize_t some = write(c->fd, at, len);
        if (some < 0 && errno == EINTR)
            continue;
        if (some < 0)
            return store_fail_errno(err, errno, "write", c->path);
        at += some;
        len -= (size_t)some;
    }
    write_behind(c);
    return 0;
}

int jot_content_finish(jot_content *c, store_name *hash, uint64_t *size, store_error *err) {
    char hex[65];
    crypto_generichash_final(&c->hash, hash->bytes, sizeof hash->bytes);
    store_name_hex(hash, hex);
    *size = c->size;
    char *path = folder_path(c->dir, hex);
    int rc = path != NULL ? 0 : store_out_of_memory(err);
    if (rc == 0 && fsync(c->fd) != 0)
        rc = store_fail_errno(err, errno, "sync", c->path);
    if (rc == 0 && rename(c->path, path) != 0)
        rc = store_fail_errno(err, errno, "rename", c->path);
    if (rc == 0) {
        c->path[0] = '\0';
        rc = folder_sync(c->dir, err);
    }
    free(path);
    return rc;
}

void jot_content_free(jot_content *c) {
    if (c == NULL)
        return;
    if (c->fd >= 0) {
        close(c->fd);
        if (c->path[0] != '\0' && !c->kept)
            unlink(c->path);
    }
    free(c->dir);
    free(c->path);
    free(c);
}

/* ---- in pieces ------------------------------------------------------------------------------------------ */

static void partial_name(int64_t num, char name[static 64]) {
    snprintf(name, 64, JOT_CONTENT_PARTIAL "%lld", (long long)num);
}

int64_t jot_content_partial_num(const char *name) {
    size_t prefix = strlen(JOT_CONTENT_PARTIAL);
    if (strncmp(name, JOT_CONTENT_PARTIAL, prefix) != 0 || strlen(name) > prefix + 18 ||
        name[prefix] == '\0' || strspn(name + prefix, "0123456789") != strlen(name + prefix))
        return -1;
    return strtoll(name + prefix, NULL, 10);
}

int jot_content_resume(const char *folder, int64_t num, jot_content **out, store_error *err) {
    char name[64];
    struct stat st;
    partial_name(num, name);
    int rc = new_named(folder, name, 0, O_RDWR, out, err);
    if (rc != 0)
        return rc;
    jot_content *c = *out;
    c->kept = true;
    if (fstat(c->fd, &st) != 0 || !S_ISREG(st.st_mode) || lseek(c->fd, 0, SEEK_END) < 0) {
        rc = store_fail_errno(err, errno != 0 ? errno : EINVAL, "read", c->path);
        jot_content_free(c);
        *out = NULL;
        return rc;
    }
    c->size = c->behind = (uint64_t)st.st_size;
    return 0;
}

int jot_content_reread(jot_content *c, uint64_t most, uint64_t *left, store_error *err) {
    uint8_t *buffer = c->reread < c->size ? malloc(REREAD_BLOCK) : NULL;
    int rc = c->reread < c->size && buffer == NULL ? store_out_of_memory(err) : 0;
    while (rc == 0 && c->reread < c->size && most > 0) {
        uint64_t part = c->size - c->reread < most ? c->size - c->reread : most;
        ssize_t got =
            pread(c->fd, buffer, part < REREAD_BLOCK ? (size_t)part : REREAD_BLOCK, (off_t)c->reread);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0) {
            rc = store_fail_errno(err, got < 0 ? errno : EIO, "read", c->path);
            break;
        }
        crypto_generichash_update(&c->hash, buffer, (size_t)got);
        c->reread += (uint64_t)got;
        most -= (uint64_t)got;
    }
    free(buffer);
    *left = c->size - c->reread;
    return rc;
}

uint64_t jot_content_size(const jot_content *c) {
    return c->size;
}

int jot_content_room(const jot_content *c, uint64_t more, store_error *err) {
    return check_room(c->dir, more, err);
}

bool jot_content_is_forgotten(const jot_content *c) {
    struct stat st;
    return fstat(c->fd, &st) == 0 && st.st_nlink == 0;
}

bool jot_content_is(const jot_content *c, const store_name *hash) {
    crypto_generichash_state state = c->hash;
    store_name found;
    crypto_generichash_final(&state, found.bytes, sizeof found.bytes);
    return store_name_equal(&found, hash);
}

void jot_content_discard(jot_content *c) {
    c->kept = false;
}

static int partial_path(const char *folder, int64_t num, char **out) {
    char name[64], *dir = folder_path(folder, "jots");
    partial_name(num, name);
    *out = dir != NULL ? folder_path(dir, name) : NULL;
    free(dir);
    return *out != NULL ? 0 : -1;
}

uint64_t jot_content_partial(const char *folder, int64_t num) {
    struct stat st;
    char *path;
    uint64_t size = 0;
    if (partial_path(folder, num, &path) == 0 && lstat(path, &st) == 0 && S_ISREG(st.st_mode))
        size = (uint64_t)st.st_size;
    free(path);
    return size;
}

void jot_content_forget(const char *folder, int64_t num) {
    char *path;
    if (partial_path(folder, num, &path) == 0)
        (void)unlink(path);
    free(path);
}

/* ---- reading -------------------------------------------------------------------------------------------- */

int jot_content_open(const char *folder, const store_name *hash, int *fd, uint64_t *size, store_error *err) {
    char name[JOT_CONTENT_NAME_LEN + 1];
    struct stat st;
    jot_content_name_of(hash, name);
    char *path = folder_path(folder, name);
    if (path == NULL)
        return store_out_of_memory(err);
    int rc = 0;
    *fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (*fd < 0)
        rc = errno == ENOENT || errno == ELOOP ? STORE_NONE : store_fail_errno(err, errno, "open", path);
    else if (fstat(*fd, &st) != 0 || !S_ISREG(st.st_mode))
        rc = STORE_NONE;
    else
        *size = (uint64_t)st.st_size;
    if (rc != 0 && *fd >= 0)
        close(*fd);
    free(path);
    return rc;
}

int jot_content_check(const char *folder, const store_name *hash, store_error *err) {
    crypto_generichash_state state;
    store_name found;
    uint64_t size;
    ssize_t got;
    int fd;
    int rc = jot_content_open(folder, hash, &fd, &size, err);
    if (rc != 0)
        return rc;
    uint8_t *buffer = malloc(BLOCK);
    crypto_generichash_init(&state, NULL, 0, sizeof found.bytes);
    while (buffer != NULL && (got = read(fd, buffer, BLOCK)) != 0) {
        if (got > 0)
            crypto_generichash_update(&state, buffer, (size_t)got);
        else if (errno != EINTR)
            break; /* a disk that cannot read it has not kept it */
    }
    crypto_generichash_final(&state, found.bytes, sizeof found.bytes);
    if (buffer == NULL)
        rc = store_out_of_memory(err);
    else if (!store_name_equal(&found, hash))
        rc = STORE_DAMAGED;
    free(buffer);
    close(fd);
    return rc;
}

void jot_content_sweep(const char *folder) {
    char *path = folder_path(folder, "jots");
    DIR *dir = path != NULL ? opendir(path) : NULL;
    const struct dirent *entry;
    store_error unused = STORE_ERROR_INIT;
    if (dir != NULL) /* whoever made it may have been killed before its name was durable */
        (void)folder_sync(folder, &unused);
    while (dir != NULL && (entry = readdir(dir)) != NULL)
        if (strncmp(entry->d_name, JOT_CONTENT_INCOMING, strlen(JOT_CONTENT_INCOMING)) == 0)
            unlinkat(dirfd(dir), entry->d_name, 0);
    if (dir != NULL)
        closedir(dir);
    free(path);
}
