/*
 * folder.c - the data folder.
 *
 * The lock is flock's: it belongs to the open file, so a second store_open of one process meets it too, no
 * other close() in the process drops it, and the kernel ends it with a process that was killed. The pid in
 * the file is only there to be shown; a folder on a full disk can be locked without it.
 */
#include "folder.h"

#include "sql.h"
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { POLL_MS = 20 };

char *folder_path(const char *folder, const char *name) {
    size_t size = strlen(folder) + strlen(name) + 2;
    char *path = malloc(size);
    if (path != NULL)
        snprintf(path, size, "%s/%s", folder, name);
    return path;
}

/* ---- whose it is ---- */

/* Whether root is to work there as somebody else. */
static bool is_anothers(const char *folder, struct stat *st) {
    return geteuid() == 0 && stat(folder, st) == 0 && S_ISDIR(st->st_mode) && st->st_uid != 0;
}

void folder_become_owner(const char *folder, folder_user *user) {
    struct stat st;

    *user = (folder_user){.gid = getegid()};
    if (!is_anothers(folder, &st))
        return;
    if (setegid(st.st_gid) != 0)
        return; /* a root that may not: what follows is refused where it matters */
    if (seteuid(st.st_uid) == 0)
        user->changed = true;
    else
        (void)!setegid((gid_t)user->gid);
}

void folder_become_self(const folder_user *user) {
    if (user->changed && (seteuid(0) != 0 || setegid((gid_t)user->gid) != 0))
        abort(); /* the kernel keeps root as the saved user: this cannot be */
}

int folder_stay_owner(const char *folder, store_error *err) {
    struct stat st;

    if (!is_anothers(folder, &st))
        return 0;
    if (setgroups(0, NULL) != 0 || setgid(st.st_gid) != 0 || setuid(st.st_uid) != 0)
        return store_fail_errno(err, errno, "become the owner of", folder);
    return 0;
}

/* ---- making and locking it ---- */

/* Makes the entry of a new folder durable. A parent that may not be read cannot be synced, and need not be to be used. */
static void sync_parent(const char *path) {
    const char *slash = strrchr(path, '/');
    size_t len = slash == NULL ? 0 : (size_t)(slash - path);
    char *parent = slash == NULL ? strdup(".") : strndup(path, len > 0 ? len : 1);
    if (parent != NULL)
        folder_sync(parent, NULL);
    free(parent);
}

/* mkdir -p; `path` is a copy that this may cut at its slashes. */
static int make_parents(char *path, store_error *err) {
    for (char *at = path;;) {
        at += strspn(at, "/");
        at += strcspn(at, "/");
        char kept = *at;
        *at = '\0';
        int rc = mkdir(path, 0700);
        int number = errno;
        struct stat st;
        if (rc != 0 && (number != EEXIST || stat(path, &st) != 0 || !S_ISDIR(st.st_mode)))
            return store_fail_errno(err, number == EEXIST ? ENOTDIR : number, "make the folder", path);
        if (rc == 0)
            sync_parent(path);
        *at = kept;
        if (kept == '\0')
            return 0;
    }
}

int folder_make(const char *folder, bool create, store_error *err) {
    struct stat st;
    if (stat(folder, &st) == 0) {
        if (!S_ISDIR(st.st_mode))
            return store_fail_errno(err, ENOTDIR, "use the folder", folder);
        return 0;
    }
    if (errno != ENOENT || !create)
        return store_fail_errno(err, errno, "open the folder", folder);
    char *copy = strdup(folder);
    if (copy == NULL)
        return store_out_of_memory(err);
    int rc = make_parents(copy, err);
    free(copy);
    return rc;
}

int folder_adopt(const char *folder, int fd, const char *path, store_error *err) {
    struct stat of_folder, of_file;
    if (geteuid() != 0)
        return 0;
    if (stat(folder, &of_folder) != 0 || fstat(fd, &of_file) != 0)
        return store_fail_errno(err, errno, "look at", folder);
    if (of_folder.st_uid == of_file.st_uid || fchown(fd, of_folder.st_uid, of_folder.st_gid) == 0)
        return 0;
    return store_fail_errno(err, errno, "give to the folder's owner", path);
}

static long read_holder(int fd) {
    char text[32];
    ssize_t len = pread(fd, text, sizeof text - 1, 0);
    if (len <= 0)
        return 0;
    text[len] = '\0';
    long pid = strtol(text, NULL, 10);
    return pid > 0 ? pid : 0;
}

static void write_holder(int fd) {
    char text[32];
    int len = snprintf(text, sizeof text, "%ld\n", (long)getpid());
    if (ftruncate(fd, 0) == 0 && pwrite(fd, text, (size_t)len, 0) != len)
        (void)!ftruncate(fd, 0); /* half a pid would be another's */
}

static int fail_locked(const char *folder, int fd, store_error *err) {
    long holder = read_holder(fd);
    if (holder != 0)
        store_fail(err, STORE_LOCKED, "%s is in use by process %ld", folder, holder);
    else
        store_fail(err, STORE_LOCKED, "%s is in use by another process", folder);
    if (err != NULL && err->code == STORE_LOCKED)
        err->holder = holder;
    return STORE_LOCKED;
}

static int wait_for_lock(const char *folder, int fd, int wait_ms, store_error *err) {
    for (int waited = 0;; waited += POLL_MS) {
        if (flock(fd, LOCK_EX | LOCK_NB) == 0)
            return 0;
        if (errno != EWOULDBLOCK && errno != EINTR)
            return store_fail_errno(err, errno, "lock", folder);
        if (waited >= wait_ms)
            return fail_locked(folder, fd, err);
        nanosleep(&(struct timespec){.tv_nsec = POLL_MS * 1000000L}, NULL);
    }
}

int folder_lock(const char *folder, int wait_ms, int *fd, store_error *err) {
    char *path = folder_path(folder, "lock");
    if (path == NULL)
        return store_out_of_memory(err);
    int rc = 0;
    int lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (lock < 0)
        rc = store_fail_errno(err, errno, "open", path);
    else if ((rc = folder_adopt(folder, lock, path, err)) == 0)
        rc = wait_for_lock(folder, lock, wait_ms, err);
    free(path);
    if (rc != 0) {
        if (lock >= 0)
            close(lock);
        return rc;
    }
    write_holder(lock);
    *fd = lock;
    return 0;
}

int folder_sync(const char *folder, store_error *err) {
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return store_fail_errno(err, errno, "open", folder);
    int rc = fsync(fd) == 0 ? 0 : store_fail_errno(err, errno, "sync", folder);
    close(fd);
    return rc;
}
