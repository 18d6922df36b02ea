/*
 * backup.c - the database as one entry of a backup, and files of jots as more.
 *
 * SQLite lets several processes read while one writes (its log keeps what a reader still needs), so a backup is made by the
 * command itself and asks the server for nothing: VACUUM INTO writes the database as it is at one moment into a file of the
 * data folder, without what was deleted, and that file is read into the backup. The copy stays in the folder because it is
 * not sealed, and goes when the backup is done; one that a killed command left behind goes with the next backup. A command holds a
 * lock on its own copy, by which the two are told apart.
 *
 * Root does all of it as the folder's owner, so that nothing that the owner may have put there leads root elsewhere; the
 * backup itself was opened before that.
 */
#include "backup.h"

#include "folder.h"
#include "jot.h"
#include "jot_content.h"
#include "restored.h"
#include "schema.h"
#include "snapshot.h"
#include "sql.h"
#include "swap.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include <sodium.h>

#define ENTRY "trivet.db"
enum { BLOCK = 65536 };

/* ---- progress ------------------------------------------------------------------------------------------- */

typedef struct {
    backup_progress_fn *fn; /* may be NULL */
    void *ctx;
    uint64_t done, total;
} meter;

static void advance(meter *m, uint64_t bytes) {
    m->done += bytes;
    if (m->fn != NULL)
        m->fn(m->ctx, m->done, m->total);
}

/* ---- a copy of the database ----------------------------------------------------------------------------- */

static const char copy_start[] = "trivet.db.copy-";
enum { COPY_ID = 16, COPY_TRIES = 100 }; /* characters behind it */

/* Deletes the copies that no command holds any more. */
static void sweep_copies(const char *folder) {
    DIR *dir = opendir(folder);
    for (struct dirent *entry; dir != NULL && (entry = readdir(dir)) != NULL;) {
        char copy[64];
        if (strncmp(entry->d_name, copy_start, sizeof copy_start - 1) != 0)
            continue;
        /* SQLite's journal of a copy goes when the copy does: nobody has a lock on the journal itself. */
        snprintf(copy, sizeof copy, "%.*s", (int)(sizeof copy_start - 1 + COPY_ID), entry->d_name);
        int fd = openat(dirfd(dir), copy, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        if (fd < 0 ? errno == ENOENT : flock(fd, LOCK_EX | LOCK_NB) == 0)
            unlinkat(dirfd(dir), entry->d_name, 0);
        if (fd >= 0)
            close(fd);
    }
    if (dir != NULL)
        closedir(dir);
}

/* Whether the file is ours: it is locked, and no other command has swept it away before it was. */
static bool hold(int fd) {
    struct stat st;
    return flock(fd, LOCK_EX | LOCK_NB) == 0 && fstat(fd, &st) == 0 && st.st_nlink > 0;
}

/* An empty file of this command's own, locked. */
static int make_copy_file(const char *folder, char **path, int *fd, store_error *err) {
    for (int tries = 0; tries < COPY_TRIES; tries++) {
        char random[COPY_ID + 1], name[64];
        store_random_id(random, COPY_ID);
        snprintf(name, sizeof name, "%s%s", copy_start, random);
        free(*path);
        *path = folder_path(folder, name);
        if (*path == NULL)
            return store_out_of_memory(err);
        *fd = open(*path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (*fd < 0)
            return store_fail_errno(err, errno, "make", *path);
        if (hold(*fd))
            return 0;
        close(*fd);
        *fd = -1;
    }
    return store_fail(err, STORE_LOCKED, "%s: other backups are being made; try again", folder);
}

/* ---- making --------------------------------------------------------------------------------------------- */

static int read_block(int fd, const char *path, uint8_t *buffer, size_t *len, store_error *err) {
    ssize_t got = read(fd, buffer, BLOCK);
    if (got < 0)
        return store_fail_errno(err, errno, "read", path);
    *len = (size_t)got;
    return 0;
}

typedef struct {
    int fd;
    const char *path;
    uint8_t buffer[BLOCK];
    meter meter;
} source;

static int measure(source *from, backup_entry *entry, store_error *err) {
    crypto_generichash_state hash;
    size_t len = 1;
    int rc = 0;
    crypto_generichash_init(&hash, NULL, 0, sizeof entry->hash.bytes);
    entry->size = 0;
    while (rc == 0 && len > 0) {
        rc = read_block(from->fd, from->path, from->buffer, &len, err);
        if (rc == 0)
            crypto_generichash_update(&hash, from->buffer, len);
        entry->size += rc == 0 ? len : 0;
    }
    crypto_generichash_final(&hash, entry->hash.bytes, sizeof entry->hash.bytes);
    from->meter.total = entry->size;
    return rc == 0 && lseek(from->fd, 0, SEEK_SET) != 0 ? store_fail_errno(err, errno, "read", from->path)
                                                        : rc;
}

/* One file of a jot; `from` lends its buffer. */
static int write_content(const char *folder, const backup_entry *entry, source *from, backup_writer *w,
                         store_error *err) {
    uint64_t size;
    size_t len = 1;
    int fd, rc = jot_content_open(folder, &entry->hash, &fd, &size, err);
    if (rc == STORE_NONE)
        return store_fail(err, STORE_FAILED, "%s/%s went away while it was read", folder, entry->name);
    while (rc == 0 && len > 0) {
        rc = read_block(fd, entry->name, from->buffer, &len, err);
        if (rc == 0)
            rc = backup_writer_add(w, from->buffer, len, err);
        advance(&from->meter, len);
    }
    if (fd >= 0)
        close(fd);
    return rc;
}

static int write_all(const char *folder, source *from, const backup_manifest *m, const char *passphrase,
                     size_t passphrase_len, backup_write_fn *fn, void *ctx, store_error *err) {
    backup_writer *w;
    size_t len = 1;
    int rc = backup_writer_new(&w, passphrase, passphrase_len, fn, ctx, err);
    if (rc == 0)
        rc = backup_writer_manifest(w, m, err);
    for (size_t i = 0; rc == 0 && i + 1 < m->count; i++)
        rc = write_content(folder, &m->entries[i], from, w, err);
    while (rc == 0 && len > 0) {
        rc = read_block(from->fd, from->path, from->buffer, &len, err);
        if (rc == 0)
            rc = backup_writer_add(w, from->buffer, len, err);
        advance(&from->meter, len);
    }
    if (rc == 0)
        rc = backup_writer_end(w, err);
    backup_writer_free(w);
    return rc;
}

static int describe(store *s, int64_t now, backup_manifest *out, store_error *err) {
    *out = (backup_manifest){.created = now};
    snprintf(out->version, sizeof out->version, "%s", TRIVET_VERSION);
    int rc = store_meta_get(s, "server.id", out->server, sizeof out->server, err);
    if (rc != 0 && rc != STORE_NONE)
        return rc;
    out->entries = calloc(1, sizeof *out->entries);
    if (out->entries == NULL)
        return store_out_of_memory(err);
    out->count = 1;
    strcpy(out->entries[0].name, ENTRY);
    return 0;
}

/*
 * Files of jots, in front of the database (entries are in the order of their names), as they are named now, which is a little after the copy was made: none that the copy names is ever
 * deleted, and one that it does not know yet does no harm.
 */
static int add_contents(const char *folder, store *s, backup_manifest *out, store_error *err) {
    jot_content_name *all = NULL;
    size_t count = 0;
    int rc = jot_contents(s, &all, &count, err);
    backup_entry *grown = rc == 0 ? realloc(out->entries, (count + 1) * sizeof *grown) : NULL;
    if (rc == 0 && grown == NULL)
        rc = store_out_of_memory(err);
    if (grown != NULL)
        out->entries = grown;
    out->count = 0;
    for (size_t i = 0; rc == 0 && i < count; i++) {
        store_error why = STORE_ERROR_INIT;
        if (jot_content_check(folder, &all[i].hash, &why) != 0) {
            out->left_out++;
            continue;
        }
        backup_entry *entry = &out->entries[out->count++];
        *entry = (backup_entry){.size = all[i].size, .hash = all[i].hash};
        jot_content_name_of(&all[i].hash, entry->name);
    }
    if (rc == 0) {
        out->entries[out->count] = (backup_entry){.size = 0};
        strcpy(out->entries[out->count++].name, ENTRY);
    }
    free(all);
    return rc;
}

/* The head can be read: a backup that cannot give the lists back would be no comfort. */
static int check_head(store *s, store_error *err) {
    trivet_merge_state *state = NULL;
    store_name name;
    int rc = head_get(s, &name, err);
    if (rc == 0)
        rc = snapshot_read(s, &name, &state, err);
    trivet_merge_state_free(state);
    return rc;
}

static int make(const char *folder, const char *passphrase, size_t len, int64_t now, backup_write_fn *fn,
                void *ctx, backup_progress_fn *progress, void *progress_ctx, backup_manifest *out,
                store_error *err) {
    store *s = NULL;
    char *path = NULL;
    source *from = calloc(1, sizeof *from);
    *out = (backup_manifest){0};
    if (from == NULL)
        return store_out_of_memory(err);
    from->fd = -1;
    from->meter = (meter){progress, progress_ctx, 0, 0};
    int rc = store_open(folder, STORE_READ, &s, err);
    if (rc == 0)
        rc = describe(s, now, out, err);
    if (rc == 0)
        rc = check_head(s, err);
    if (rc == 0) {
        sweep_copies(folder);
        rc = make_copy_file(folder, &path, &from->fd, err);
    }
    from->path = path;
    if (rc == 0)
        rc = sql_vacuum_into(s, path, err);
    if (rc == 0)
        rc = add_contents(folder, s, out, err);
    store_close(s);
    if (rc == 0)
        rc = measure(from, &out->entries[out->count - 1], err);
    for (size_t i = 0; rc == 0 && i + 1 < out->count; i++)
        from->meter.total += out->entries[i].size;
    if (rc == 0)
        rc = write_all(folder, from, out, passphrase, len, fn, ctx, err);
    if (from->fd >= 0) {
        unlink(path);
        close(from->fd);
    }
    free(path);
    sodium_memzero(from->buffer, sizeof from->buffer);
    free(from);
    if (rc != 0)
        backup_manifest_release(out);
    return rc;
}

int backup_make(const char *folder, const char *passphrase, size_t len, int64_t now, backup_write_fn *fn,
                void *ctx, backup_progress_fn *progress, void *progress_ctx, backup_manifest *out,
                store_error *err) {
    folder_user user;
    folder_become_owner(folder, &user);
    int rc = make(folder, passphrase, len, now, fn, ctx, progress, progress_ctx, out, err);
    folder_become_self(&user);
    return rc;
}

/* ---- reading -------------------------------------------------------------------------------------------- */

typedef struct {
    int fd; /* -1: the bytes go nowhere */
    const char *path;
    meter meter;
    const char *folder;   /* where files of jots go */
    jot_content *content; /* the one that is being written; NULL: it is the database's turn */
} sink;

static int take(void *ctx, const uint8_t *data, size_t len, store_error *err) {
    sink *to = ctx;
    advance(&to->meter, len);
    if (to->content != NULL)
        return jot_content_add(to->content, data, len, err);
    while (to->fd >= 0 && len > 0) {
        ssize_t some = write(to->fd, data, len);
        if (some < 0)
            return store_fail_errno(err, errno, "write", to->path);
        data += some;
        len -= (size_t)some;
    }
    return 0;
}

static int refuse_unknown(const backup_manifest *m, store_error *err) {
    return store_fail(
        err, STORE_FAILED,
        "the backup holds more than this version knows to restore; use the version that wrote it, %s",
        m->version);
}

/*
 * A file of a jot, under the name that its bytes have: whatever comes of the rest, what stands there then is what its
 * name says. Those of a backup that proves bad in the end are files that no jot names.
 */
static int restore_content(backup_reader *r, sink *to, const backup_manifest *m, size_t i, store_error *err) {
    store_name hash;
    uint64_t size;
    if (!jot_content_name_read(m->entries[i].name, &hash) || !store_name_equal(&hash, &m->entries[i].hash))
        return refuse_unknown(m, err);
    int rc = jot_content_new(to->folder, m->entries[i].size, &to->content, err);
    if (rc == 0)
        rc = backup_reader_entry(r, m, i, take, to, err);
    if (rc == 0)
        rc = jot_content_finish(to->content, &hash, &size, err);
    jot_content_free(to->content);
    to->content = NULL;
    return rc;
}

/* Only the end proves the file, so it is always read to there. */
static int read_all(backup_reader *r, sink *to, backup_manifest *m, store_error *err) {
    int rc = backup_reader_manifest(r, m, err);
    for (size_t i = 0; rc == 0 && i < m->count; i++)
        to->meter.total += m->entries[i].size;
    if (rc == 0 && to->fd >= 0 && (m->count == 0 || strcmp(m->entries[m->count - 1].name, ENTRY) != 0))
        rc = refuse_unknown(m, err);
    for (size_t i = 0; rc == 0 && i < m->count; i++)
        rc = i + 1 < m->count && to->fd >= 0 ? restore_content(r, to, m, i, err)
                                             : backup_reader_entry(r, m, i, take, to, err);
    if (rc == 0)
        rc = backup_reader_end(r, err);
    if (rc != 0)
        backup_manifest_release(m);
    return rc;
}

int backup_check(backup_reader *r, backup_progress_fn *progress, void *progress_ctx, backup_manifest *out,
                 store_error *err) {
    sink to = {.fd = -1, .meter = {progress, progress_ctx, 0, 0}};
    return read_all(r, &to, out, err);
}

/* ---- restoring: what came must be sound ----------------------------------------------------------------- */

/* A one-value answer of the database, as text. */
static int ask(store *s, const char *question, char *out, size_t size, store_error *err) {
    sqlite3_stmt *q = NULL;
    int rc = sqlite3_prepare_v2(s->db, question, -1, &q, NULL);
    if (rc != SQLITE_OK)
        return sql_fail(s, rc, err);
    rc = sql_row(s, q, err);
    if (rc > 0)
        sql_text_of(q, 0, out, size);
    sqlite3_finalize(q);
    return rc < 0 ? rc : 0;
}

/*
 * The database of a backup that anybody may have made: no code of its own (triggers, views), its structure whole, its head
 * readable. Leaves it at this program's version.
 */
static int check_database(store *s, store_error *err) {
    char text[128] = "";
    int rc = schema_migrate(s, err);
    if (rc == 0)
        rc = ask(s, "SELECT count(*) FROM sqlite_schema WHERE type IN ('trigger', 'view')", text, sizeof text,
                 err);
    if (rc == 0 && strcmp(text, "0") != 0)
        rc = store_fail(err, STORE_DAMAGED, "the backup holds a database that this program did not write");
    if (rc == 0)
        rc = ask(s, "PRAGMA integrity_check(1)", text, sizeof text, err);
    if (rc == 0 && strcmp(text, "ok") != 0)
        rc = store_fail(err, STORE_DAMAGED, "the database in the backup is damaged: %s", text);
    return rc == 0 ? check_head(s, err) : rc;
}

/* ---- restoring: what the old one knows ------------------------------------------------------------------ */

/* A code that was used once. */
static bool is_paired(const device *d) {
    return d->lapses_at == 0 && d->revoked_at == 0;
}

/* A device that was revoked since must not come back: that would give a lost phone its key again. */
static int carry_device(store *fresh, const device *old, backup_restored *out, store_error *err) {
    store_error none = STORE_ERROR_INIT;
    device known;
    int rc = device_find(fresh, old->id, &known, &none);
    bool same = rc == 0 && strcmp(known.id, old->id) == 0;
    if (rc != 0 && rc != STORE_NONE)
        return store_fail(err, rc, "%s", none.message);
    if (same && old->revoked_at != 0 && known.revoked_at == 0) {
        out->revoked++;
        return device_revoke(fresh, old->id, old->revoked_at, err);
    }
    if (same || !is_paired(old))
        return 0;
    device *grown = store_grow(out->strangers, out->stranger_count, sizeof *grown);
    if (grown == NULL)
        return store_out_of_memory(err);
    out->strangers = grown;
    out->strangers[out->stranger_count++] = *old;
    return 0;
}

static int carry_over(const char *folder, store *fresh, backup_restored *out, store_error *err) {
    store_error why = STORE_ERROR_INIT;
    store *old = NULL;
    device *all = NULL;
    size_t count = 0;
    int rc = 0;
    out->unreadable =
        store_open(folder, STORE_READ, &old, &why) != 0 || device_list(old, &all, &count, &why) != 0;
    store_close(old);
    for (size_t i = 0; rc == 0 && i < count; i++)
        rc = carry_device(fresh, &all[i], out, err);
    free(all);
    return rc;
}

/* ---- restoring ------------------------------------------------------------------------------------------ */

void backup_restored_release(backup_restored *r) {
    free(r->strangers);
    *r = (backup_restored){0};
}

static int has_database(const char *folder, bool *out, store_error *err) {
    struct stat st;
    char *path = folder_path(folder, ENTRY), *log = folder_path(folder, ENTRY "-wal");
    int rc = path != NULL && log != NULL ? 0 : store_out_of_memory(err);
    *out = rc == 0 && (lstat(path, &st) == 0 || lstat(log, &st) == 0);
    free(path);
    free(log);
    return rc;
}

static int refuse_existing(const char *folder, store_error *err) {
    store_fail(err, STORE_DENIED,
               "%s holds a database already; with --force the backup takes its place, and it is kept under "
               "another name",
               folder);
    if (err != NULL && err->code == STORE_DENIED)
        err->status = EX_CANTCREAT;
    return STORE_DENIED;
}

/* The backup's database in the file `path`, sound, and aware of what must not be undone. */
static int receive(const char *folder, char *path, bool existing, int64_t now, backup_reader *r, sink *to,
                   backup_manifest *manifest, backup_restored *out, store_error *err) {
    to->path = path;
    int rc = swap_begin(folder, path, &to->fd, err);
    if (rc == 0)
        rc = read_all(r, to, manifest, err);
    if (to->fd >= 0 && close(to->fd) != 0 && rc == 0)
        rc = store_fail_errno(err, errno, "write", path);
    if (rc != 0)
        return rc;
    char folder_copy[1] = "";
    store fresh = {.folder = folder_copy, .path = path, .lock = -1};
    store_error why = STORE_ERROR_INIT;
    if ((rc = sql_open_alone(&fresh, &why)) == 0 && (rc = check_database(&fresh, &why)) == 0)
        rc = existing ? carry_over(folder, &fresh, out, &why) : 0;
    if (rc == 0)
        rc = restored_note(&fresh, now, &why);
    sql_close(&fresh);
    if (rc == STORE_DAMAGED) /* what is said of a database in use does not fit here */
        return store_fail(
            err, rc,
            "the database in the backup cannot be used (%s); was it damaged when the backup was made? "
            "Nothing was changed",
            why.reason[0] != '\0' ? why.reason : why.message);
    return rc != 0 ? store_fail(err, rc, "%s", why.message) : 0;
}

static int restore(const char *folder, backup_reader *r, bool replace, int64_t now,
                   backup_progress_fn *progress, void *progress_ctx, backup_manifest *manifest,
                   backup_restored *out, store_error *err) {
    sink to = {.fd = -1, .meter = {progress, progress_ctx, 0, 0}, .folder = folder};
    char *path = folder_path(folder, SWAP_INCOMING);
    bool existing = false;
    int lock = -1;
    *manifest = (backup_manifest){0};
    *out = (backup_restored){0};
    int rc = path != NULL ? folder_make(folder, true, err) : store_out_of_memory(err);
    if (rc == 0)
        rc = folder_lock(folder, 0, &lock, err);
    if (rc == 0)
        rc = swap_finish(folder, err);
    if (rc == 0)
        rc = has_database(folder, &existing, err);
    if (rc == 0 && existing && !replace)
        rc = refuse_existing(folder, err);
    if (rc == 0) {
        rc = receive(folder, path, existing, now, r, &to, manifest, out, err);
        if (rc == 0)
            rc = swap_in(folder, "before-restore", now, out->kept, err);
        if (rc != 0)
            swap_give_up(folder);
    }
    if (lock >= 0)
        close(lock);
    free(path);
    if (rc != 0) {
        backup_manifest_release(manifest);
        backup_restored_release(out);
    }
    return rc;
}

int backup_restore(const char *folder, backup_reader *r, bool replace, int64_t now,
                   backup_progress_fn *progress, void *progress_ctx, backup_manifest *manifest,
                   backup_restored *out, store_error *err) {
    folder_user user;
    folder_become_owner(folder, &user);
    int rc = restore(folder, r, replace, now, progress, progress_ctx, manifest, out, err);
    folder_become_self(&user);
    return rc;
}
