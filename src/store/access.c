/*
 * access.c - owners and modes.
 *
 * Root may look after any user's folder, so for root the folder's owner takes the place of the own user: that is who all of it
 * must belong to. (What root itself made there does no harm, but the owner may be unable to use it: that is said.)
 *
 * A parent folder that anybody may write to, without the sticky bit, is told of and no more: whoever can rename the folder
 * can put another in its place, but cannot read this one.
 */
#include "access.h"

#include "folder.h"
#include "sql.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

typedef struct {
    const char *folder;
    bool tighten;
    access_fn *found;
    void *ctx;
    uid_t owner; /* whose it all must be */
    int dir;
    store_error *err;
} look;

static void tell(const look *l, bool tightened, const char *path, mode_t mode, const char *what) {
    char text[PATH_MAX + 128];
    snprintf(text, sizeof text, "%s %s (mode %04o)%s", path, what, (unsigned)(mode & 07777),
             tightened ? "; now they may not" : "");
    l->found(l->ctx, tightened, text);
}

static int refuse_owner(const look *l, const char *name, uid_t uid) {
    return store_fail(l->err, STORE_DENIED,
                      "%s%s%s belongs to user %lu, not to user %lu: run this as the user that it belongs to, "
                      "or give it over "
                      "(chown)",
                      l->folder, *name ? "/" : "", name, (unsigned long)uid, (unsigned long)l->owner);
}

/* ---- the files ------------------------------------------------------------------------------------------ */

/* Through a descriptor, so that what is narrowed is what was looked at. */
static int narrow(int fd, mode_t mode) {
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    return chmod(path, mode & 0700);
}

static int look_at_open_file(const look *l, const char *name, int fd) {
    struct stat st;
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", l->folder, name);
    if (fstat(fd, &st) != 0)
        return store_fail_errno(l->err, errno, "look at", path);
    if (st.st_uid != l->owner && st.st_uid != 0)
        return refuse_owner(l, name, st.st_uid);
    if (st.st_uid == 0 && l->owner != 0)
        tell(l, false, path, st.st_mode,
             "belongs to root, so that the folder's owner may be unable to use it");
    if (S_ISLNK(st.st_mode) || (st.st_mode & 077) == 0)
        return 0;
    bool done = l->tighten && narrow(fd, st.st_mode) == 0;
    if (l->tighten && !done && st.st_uid == geteuid())
        return store_fail_errno(l->err, errno, "take rights of others away from", path);
    tell(l, done, path, st.st_mode, "can be used by other users");
    return 0;
}

static int look_at_file(const look *l, const char *name) {
    int fd = openat(l->dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return 0; /* gone meanwhile */
    int rc = look_at_open_file(l, name, fd);
    close(fd);
    return rc;
}

static int look_at_files(const look *l) {
    int copy = openat(l->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = copy >= 0 ? fdopendir(copy) : NULL;
    const struct dirent *entry;
    int rc = dir != NULL ? 0 : store_fail_errno(l->err, errno, "read the folder", l->folder);
    if (dir == NULL && copy >= 0)
        close(copy);
    while (rc == 0 && (entry = readdir(dir)) != NULL)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            rc = look_at_file(l, entry->d_name);
    if (dir != NULL)
        closedir(dir);
    return rc;
}

/* ---- the folder ----------------------------------------------------------------------------------------- */

/* `folder` itself may be a link, of the owner's or root's making. */
static int look_at_link(const look *l) {
    struct stat st;
    if (lstat(l->folder, &st) != 0)
        return store_fail_errno(l->err, errno, "look at", l->folder);
    if (S_ISLNK(st.st_mode) && st.st_uid != l->owner && st.st_uid != 0)
        return store_fail(l->err, STORE_DENIED,
                          "%s is a link that user %lu made: name the folder that it leads to", l->folder,
                          (unsigned long)st.st_uid);
    return 0;
}

static void look_at_parent(const look *l) {
    struct stat st;
    if (fstatat(l->dir, "..", &st, 0) == 0 && (st.st_mode & S_IWOTH) != 0 && (st.st_mode & S_ISVTX) == 0)
        tell(l, false, l->folder, st.st_mode,
             "lies in a folder that anybody may write to, who can put another in its place");
}

static int look_at_folder(look *l) {
    struct stat st;
    if (fstat(l->dir, &st) != 0)
        return store_fail_errno(l->err, errno, "look at", l->folder);
    uid_t me = geteuid();
    l->owner = me == 0 ? st.st_uid : me;
    if (st.st_uid != l->owner)
        return refuse_owner(l, "", st.st_uid);
    int rc = look_at_link(l);
    if (rc != 0 || (st.st_mode & 077) == 0)
        return rc;
    bool done = l->tighten && fchmod(l->dir, 0700) == 0;
    if (l->tighten && !done)
        return store_fail_errno(l->err, errno, "take rights of others away from", l->folder);
    tell(l, done, l->folder, st.st_mode, "can be looked into by other users");
    return 0;
}

int access_check(const char *folder, bool tighten, access_fn *found, void *ctx, store_error *err) {
    look l = {folder, tighten, found, ctx, 0, -1, err};
    l.dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (l.dir < 0)
        return store_fail_errno(err, errno, "open the folder", folder);
    int rc = look_at_folder(&l);
    if (rc == 0)
        rc = look_at_files(&l);
    if (rc == 0)
        look_at_parent(&l);
    close(l.dir);
    return rc;
}
