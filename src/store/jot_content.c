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

enum { BLOCK = 65536 };

struct jot_content {
    char *dir;  /* …/jots */
    char *path; /* of the incoming file; "" once it is renamed */
    int fd;
    uint64_t size;
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
    return folder_sync(folder, err);
}

static int check_room(const char *dir, uint64_t expected, store_error *err) {
    struct statvfs fs;
    if (statvfs(dir, &fs) != 0 || (uint64_t)fs.f_bavail * fs.f_frsize >= expected + JOT_SPARE_DISK)
        return 0;
    return store_fail(err, STORE_FULL, "%s: too little space is left on the disk for a file of %llu bytes",
                      dir, (unsigned long long)expected);
}

int jot_content_new(const char *folder, uint64_t expected, jot_content **out, store_error *err) {
    char random[17], name[64];
    jot_content *c = calloc(1, sizeof *c);
    if (c == NULL)
        return store_out_of_memory(err);
    store_random_id(random, sizeof random - 1);
    snprintf(name, sizeof name, JOT_CONTENT_INCOMING "%s", random);
    c->fd = -1;
    c->dir = folder_path(folder, "jots");
    c->path = c->dir != NULL ? folder_path(c->dir, name) : NULL;
    int rc = c->path != NULL ? make_dir(folder, c->dir, err) : store_out_of_memory(err);
    if (rc == 0)
        rc = check_room(c->dir, expected, err);
    if (rc == 0 && (c->fd = open(c->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600)) < 0)
        rc = store_fail_errno(err, errno, "make", c->path);
    if (rc != 0) {
        jot_content_free(c);
        return rc;
    }
    crypto_generichash_init(&c->hash, NULL, 0, sizeof((store_name *)NULL)->bytes);
    *out = c;
    return 0;
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
        if (c->path[0] != '\0')
            unlink(c->path);
    }
    free(c->dir);
    free(c->path);
    free(c);
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
    while (dir != NULL && (entry = readdir(dir)) != NULL)
        if (strncmp(entry->d_name, JOT_CONTENT_INCOMING, strlen(JOT_CONTENT_INCOMING)) == 0)
            unlinkat(dirfd(dir), entry->d_name, 0);
    if (dir != NULL)
        closedir(dir);
    free(path);
}
