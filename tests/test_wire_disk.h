/*
 * The computer's disk, as SQLite sees it: files in memory, of which only that is safe which was synced.
 *
 * Each write is a moment at which the computer may crash. From then on the disk takes nothing any more. disk_recover() makes of
 * each file what is found afterwards: all that was written where only the process went; where the power went, what was synced and,
 * of every later write, all, nothing or its first sectors, in any choice.
 */
#ifndef TEST_WIRE_DISK_H
#define TEST_WIRE_DISK_H

#include "test_wire_chance.h"

#include <sqlite3.h>

enum { MAIN, LOG, JOURNAL, OTHER, IMAGES, SECTOR = 512, MAX_UNSAFE = 4096 };

struct image {
    uint8_t *data;
    size_t len, size;
    bool there;
};

/* A write (data) or a truncation (NULL) that was not synced. */
struct unsafe {
    int image;
    size_t at, len;
    uint8_t *data;
};

static struct {
    struct image now[IMAGES], safe[IMAGES], pristine;
    struct unsafe unsafe[MAX_UNSAFE];
    unsigned unsafe_count;
    unsigned crash_in; /* the so many-th write from now on is the last; 0: none is planned */
    bool dead;
    uint64_t writes;
} disk;

static void image_write(struct image *i, size_t at, const uint8_t *data, size_t len) {
    if (at + len > i->size) {
        i->size = 2 * (at + len);
        if (!(i->data = realloc(i->data, i->size)))
            abort();
    }
    if (at > i->len)
        memset(i->data + i->len, 0, at - i->len);
    if (data)
        memcpy(i->data + at, data, len);
    if (at + len > i->len)
        i->len = at + len;
}

static void image_truncate(struct image *i, size_t len) {
    if (len < i->len)
        i->len = len;
}

static void image_copy(struct image *to, const struct image *from) {
    to->len = 0;
    if (from->len > 0)
        image_write(to, 0, from->data, from->len);
    to->there = from->there;
}

static void do_unsafe(struct image *i, const struct unsafe *u, size_t most) {
    if (u->data)
        image_write(i, u->at, u->data, u->len < most ? u->len : most);
    else
        image_truncate(i, u->at);
}

/* Those of one image, to where they are safe. */
static void make_safe(int image) {
    unsigned kept = 0;

    for (unsigned i = 0; i < disk.unsafe_count; i++) {
        struct unsafe *u = &disk.unsafe[i];
        if (u->image != image) {
            disk.unsafe[kept++] = *u;
            continue;
        }
        do_unsafe(&disk.safe[image], u, SIZE_MAX);
        free(u->data);
    }
    disk.unsafe_count = kept;
}

static void note_unsafe(int image, size_t at, const void *data, size_t len) {
    if (disk.unsafe_count == MAX_UNSAFE)
        make_safe(image); /* nobody keeps so much for so long */
    if (disk.unsafe_count == MAX_UNSAFE)
        abort();
    struct unsafe *u = &disk.unsafe[disk.unsafe_count++];
    *u = (struct unsafe){image, at, len, NULL};
    if (data) {
        if (!(u->data = malloc(len)))
            abort();
        memcpy(u->data, data, len);
    }
}

/* Whether the disk takes it still: what is written at the moment of the crash may be found, or part of it. */
static bool one_more(void) {
    disk.writes++;
    if (!disk.dead && disk.crash_in > 0 && --disk.crash_in == 0) {
        disk.dead = true;
        return true;
    }
    return !disk.dead;
}

static void disk_recover(bool power) {
    for (int i = 0; i < IMAGES; i++) {
        disk.safe[i].there = disk.now[i].there;
        for (unsigned k = 0; k < disk.unsafe_count; k++) {
            struct unsafe *u = &disk.unsafe[k];
            unsigned fate = power ? draw(NETWORK, 4) : 0;
            if (u->image != i || fate == 1)
                continue;
            do_unsafe(&disk.safe[i], u,
                      fate == 2 ? draw(NETWORK, (unsigned)(u->len / SECTOR + 1)) * SECTOR : SIZE_MAX);
        }
        image_copy(&disk.now[i], &disk.safe[i]);
    }
    for (unsigned k = 0; k < disk.unsafe_count; k++)
        free(disk.unsafe[k].data);
    disk.unsafe_count = 0;
    disk.dead = false;
    disk.crash_in = 0;
}

/* As the first store of this process was when it was made. */
static void disk_begin(void) {
    disk.dead = false;
    disk_recover(false);
    for (int i = 0; i < IMAGES; i++) {
        disk.now[i].len = 0;
        disk.now[i].there = false;
    }
    image_copy(&disk.now[MAIN], &disk.pristine);
    for (int i = 0; i < IMAGES; i++)
        image_copy(&disk.safe[i], &disk.now[i]);
}

/* ---- for SQLite ---- */

struct disk_file {
    sqlite3_file base; /* first */
    int image;
};

static int number_of(const char *name) {
    size_t len = name ? strlen(name) : 0;

    return len == 0                                             ? OTHER
           : strcmp(name + len - 4, "-wal") == 0                ? LOG
           : len > 8 && strcmp(name + len - 8, "-journal") == 0 ? JOURNAL
                                                                : MAIN;
}

static int file_close(sqlite3_file *f) {
    (void)f;
    return SQLITE_OK;
}

static int file_read(sqlite3_file *f, void *out, int n, sqlite3_int64 at) {
    const struct image *i = &disk.now[((struct disk_file *)f)->image];
    size_t have = (size_t)at < i->len ? i->len - (size_t)at : 0;

    if (have > (size_t)n)
        have = (size_t)n;
    if (have > 0)
        memcpy(out, i->data + at, have);
    memset((char *)out + have, 0, (size_t)n - have);
    return have == (size_t)n ? SQLITE_OK : SQLITE_IOERR_SHORT_READ;
}

static int file_write(sqlite3_file *f, const void *data, int n, sqlite3_int64 at) {
    int image = ((struct disk_file *)f)->image;

    if (!one_more())
        return SQLITE_IOERR_WRITE;
    image_write(&disk.now[image], (size_t)at, data, (size_t)n);
    note_unsafe(image, (size_t)at, data, (size_t)n);
    return disk.dead ? SQLITE_IOERR_WRITE : SQLITE_OK;
}

static int file_truncate(sqlite3_file *f, sqlite3_int64 len) {
    int image = ((struct disk_file *)f)->image;

    if (!one_more())
        return SQLITE_IOERR_TRUNCATE;
    image_truncate(&disk.now[image], (size_t)len);
    note_unsafe(image, (size_t)len, NULL, 0);
    return disk.dead ? SQLITE_IOERR_TRUNCATE : SQLITE_OK;
}

static int file_sync(sqlite3_file *f, int flags) {
    (void)flags;
    if (!one_more() || disk.dead)
        return SQLITE_IOERR_FSYNC;
    make_safe(((struct disk_file *)f)->image);
    return SQLITE_OK;
}

static int file_size(sqlite3_file *f, sqlite3_int64 *out) {
    *out = (sqlite3_int64)disk.now[((struct disk_file *)f)->image].len;
    return SQLITE_OK;
}

static int file_lock(sqlite3_file *f, int how) {
    (void)f, (void)how;
    return SQLITE_OK; /* nobody else opens it: the folder's lock is real */
}

static int file_check(sqlite3_file *f, int *out) {
    (void)f;
    *out = 0;
    return SQLITE_OK;
}

static int file_control(sqlite3_file *f, int op, void *arg) {
    (void)f, (void)op, (void)arg;
    return SQLITE_NOTFOUND;
}

static int file_sector(sqlite3_file *f) {
    (void)f;
    return SECTOR;
}

static int file_traits(sqlite3_file *f) {
    (void)f;
    return 0;
}

static const sqlite3_io_methods disk_methods = {
    .iVersion = 1,
    .xClose = file_close,
    .xRead = file_read,
    .xWrite = file_write,
    .xTruncate = file_truncate,
    .xSync = file_sync,
    .xFileSize = file_size,
    .xLock = file_lock,
    .xUnlock = file_lock,
    .xCheckReservedLock = file_check,
    .xFileControl = file_control,
    .xSectorSize = file_sector,
    .xDeviceCharacteristics = file_traits,
};

static int disk_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *f, int flags, int *out_flags) {
    struct disk_file *file = (struct disk_file *)f;

    (void)vfs;
    file->image = number_of(name);
    if (file->image == OTHER)
        image_truncate(&disk.now[OTHER], 0);
    disk.now[file->image].there = true;
    file->base.pMethods = &disk_methods;
    if (out_flags)
        *out_flags = flags;
    return SQLITE_OK;
}

static int disk_delete(sqlite3_vfs *vfs, const char *name, int sync) {
    int image = number_of(name);

    (void)vfs, (void)sync;
    if (!one_more() || disk.dead)
        return SQLITE_IOERR_DELETE;
    make_safe(image);
    disk.now[image].there = disk.safe[image].there = false;
    disk.now[image].len = disk.safe[image].len = 0;
    return SQLITE_OK;
}

static int disk_access(sqlite3_vfs *vfs, const char *name, int flags, int *out) {
    const struct image *i = &disk.now[number_of(name)];

    (void)vfs;
    *out = flags == SQLITE_ACCESS_EXISTS ? i->there && i->len > 0 : 1;
    return SQLITE_OK;
}

static int disk_full_name(sqlite3_vfs *vfs, const char *name, int size, char *out) {
    (void)vfs;
    sqlite3_snprintf(size, out, "%s", name);
    return SQLITE_OK;
}

static int disk_randomness(sqlite3_vfs *vfs, int n, char *out) {
    (void)vfs;
    drawn_buf(out, (size_t)n);
    return n;
}

static int disk_sleep(sqlite3_vfs *vfs, int us) {
    (void)vfs;
    return us;
}

static int disk_time(sqlite3_vfs *vfs, double *out) {
    (void)vfs;
    *out = 2460000.5; /* asked for by no statement of the program's */
    return SQLITE_OK;
}

static int disk_error(sqlite3_vfs *vfs, int n, char *out) {
    (void)vfs, (void)n, (void)out;
    return 0;
}

static sqlite3_vfs disk_vfs = {
    .iVersion = 1,
    .szOsFile = sizeof(struct disk_file),
    .mxPathname = 512,
    .zName = "simulated",
    .xOpen = disk_open,
    .xDelete = disk_delete,
    .xAccess = disk_access,
    .xFullPathname = disk_full_name,
    .xRandomness = disk_randomness,
    .xSleep = disk_sleep,
    .xCurrentTime = disk_time,
    .xGetLastError = disk_error,
};

/* Nobody else opens the database, and the index of its log need be no file. */
static int lock_for_good(sqlite3 *db, const char **message, const struct sqlite3_api_routines *api) {
    (void)message, (void)api;
    return sqlite3_exec(db, "PRAGMA locking_mode = EXCLUSIVE", NULL, NULL, NULL);
}

/* Once, before any database is opened. */
static bool disk_start(void) {
    return sqlite3_config(SQLITE_CONFIG_SINGLETHREAD) == SQLITE_OK &&
           sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0) == SQLITE_OK &&
           sqlite3_vfs_register(&disk_vfs, 1) == SQLITE_OK &&
           sqlite3_auto_extension((void (*)(void))lock_for_good) == SQLITE_OK;
}

#endif
