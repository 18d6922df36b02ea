/*
 * trivet backup: the data folder into one file, and back.
 *
 * The file is written under a name of its own beside the one that was asked for, synced and then renamed: under its name
 * there is a whole backup or none.
 */
#include "store/backup.h"

#include "cli/commands.h"
#include "cli/options.h"
#include "cli/passphrase.h"
#include "cli/print.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

typedef struct {
    const char *file; /* as it was typed; "-": a standard stream */
    const char *passphrase_file;
    bool encrypt, force, check, restore;
} wanted;

/* ---- progress ------------------------------------------------------------------------------------------- */

enum { SHOWN_BYTES = 32 << 20 };

static void show_progress(void *ctx, uint64_t done, uint64_t total) {
    unsigned *shown = ctx, percent = total ? (unsigned)(done * 100 / total) : 100;

    if (total < SHOWN_BYTES || percent == *shown)
        return;
    *shown = percent;
    fprintf(stderr, percent < 100 ? "\r%3u%%" : "\r    \r", percent);
}

static backup_progress_fn *progress(void) {
    return isatty(STDERR_FILENO) ? show_progress : NULL;
}

/* ---- writing -------------------------------------------------------------------------------------------- */

/* What is being written, for on_signal. */
static char unfinished[PATH_MAX];

static void on_signal(int number) {
    unlink(unfinished);
    signal(number, SIG_DFL);
    raise(number);
}

typedef struct {
    int fd;
    const char *name;
    uint64_t bytes;
} output;

static int write_out(void *ctx, const uint8_t *data, size_t len, store_error *err) {
    output *out = ctx;

    while (len > 0) {
        ssize_t some = write(out->fd, data, len);
        if (some < 0 && errno == EINTR)
            continue;
        if (some < 0) {
            err->code = errno == ENOSPC || errno == EDQUOT || errno == EFBIG ? STORE_FULL : STORE_FAILED;
            err->status = EX_IOERR;
            snprintf(err->message, sizeof err->message, "%.300s: %s", out->name, strerror(errno));
            return err->code;
        }
        data += some;
        len -= (size_t)some;
        out->bytes += (uint64_t)some;
    }
    return 0;
}

static int open_beside(const wanted *w, output *out) {
    struct stat st;

    if (lstat(w->file, &st) == 0) {
        if (!S_ISREG(st.st_mode))
            return print_failure(EX_CANTCREAT, "%s is no file; - stands for standard output", w->file);
        if (!w->force)
            return print_failure(EX_CANTCREAT, "%s is there already; --force replaces it", w->file);
    }
    if (snprintf(unfinished, sizeof unfinished, "%s.XXXXXX", w->file) >= (int)sizeof unfinished)
        return print_failure(EX_CANTCREAT, "%.60s...: %s", w->file, strerror(ENAMETOOLONG));
    if ((out->fd = mkostemp(unfinished, O_CLOEXEC)) < 0) /* mode 0600 */
        return print_failure(EX_CANTCREAT, "%s: %s", w->file, strerror(errno));
    for (size_t i = 0; i < 3; i++)
        signal((const int[]){SIGINT, SIGTERM, SIGHUP}[i], on_signal);
    return 0;
}

static int rename_whole(const char *from, const char *to, bool force) {
    struct stat st;

    if (force)
        return rename(from, to);
    if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0)
        return 0;
    if (errno != EINVAL && errno != ENOSYS)
        return -1;
    if (lstat(to, &st) == 0) {
        errno = EEXIST;
        return -1;
    }
    return rename(from, to);
}

static void sync_folder_of(const char *file) {
    char path[PATH_MAX];
    const char *slash = strrchr(file, '/');
    int len = slash ? (int)(slash - file) : 0, fd;

    snprintf(path, sizeof path, "%.*s", slash && len == 0 ? 1 : len ? len : 1, slash ? file : ".");
    if ((fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) >= 0) {
        fsync(fd);
        close(fd);
    }
}

static int close_whole(const wanted *w, const output *out) {
    if (fsync(out->fd) != 0 || close(out->fd) != 0)
        return print_failure(EX_IOERR, "%s: %s", w->file, strerror(errno));
    if (rename_whole(unfinished, w->file, w->force) != 0)
        return print_failure(EX_CANTCREAT, "%s: %s", w->file, strerror(errno));
    sync_folder_of(w->file);
    return 0;
}

/* ---- what is said --------------------------------------------------------------------------------------- */

static char *print_size(uint64_t bytes, char *out, size_t size) {
    static const char *const UNITS[] = {"bytes", "kB", "MB", "GB", "TB"};
    double value = (double)bytes;
    size_t i = 0;

    for (; value >= 999.5 && i < 4; i++)
        value /= 1000;
    snprintf(out, size, value < 9.95 && i > 0 ? "%.1f %s" : "%.0f %s", value, UNITS[i]);
    return out;
}

static json_t *manifest_json(const backup_manifest *m, const char *file, bool sealed) {
    json_t *entries = json_array();

    for (size_t i = 0; i < m->count; i++)
        json_array_append_new(entries, json_pack("{s:s, s:I}", "name", m->entries[i].name, "size",
                                                 (json_int_t)m->entries[i].size));
    return json_pack("{s:s*, s:b, s:I, s:s, s:s, s:o}", "file", file, "encrypted", sealed, "created",
                     (json_int_t)m->created, "version", m->version, "server", m->server, "entries", entries);
}

static int print_json(FILE *out, json_t *value) {
    if (!value || json_dumpf(value, out, JSON_COMPACT | JSON_SORT_KEYS) != 0)
        return print_failure(EX_OSERR, "out of memory");
    fputc('\n', out);
    json_decref(value);
    return 0;
}

static int refuse(const store_error *err, const char *file) {
    bool its_own = file && err->code == STORE_DAMAGED;

    return print_failure(err->status ? err->status : EX_SOFTWARE, "%s%s%s", its_own ? file : "",
                         its_own ? ": " : "", err->message);
}

/* ---- backup --------------------------------------------------------------------------------------------- */

static int told(const cli_common *common, const wanted *w, const backup_manifest *m, const output *out) {
    char size[32];
    bool to_stdout = strcmp(w->file, "-") == 0;
    FILE *stream = to_stdout ? stderr : stdout;

    if (m->left_out)
        print_note("%zu file%s of jots %s missing or damaged and not in the backup; `trivet fsck` says more",
                   m->left_out, m->left_out == 1 ? "" : "s", m->left_out == 1 ? "is" : "are");
    if (common->json) {
        json_t *all = manifest_json(m, to_stdout ? NULL : w->file, w->encrypt);
        json_object_set_new(all, "bytes", json_integer((json_int_t)out->bytes));
        return print_json(stream, all);
    }
    fputs("wrote ", stream);
    print_line(stream, to_stdout ? "the backup" : w->file, to_stdout ? 10 : strlen(w->file));
    fprintf(stream, ": %s, %s\n", print_size(out->bytes, size, sizeof size),
            w->encrypt ? "encrypted" : "not encrypted: whoever has it can read it");
    return 0;
}

static int make(const cli_common *common, const wanted *w) {
    store_error err = STORE_ERROR_INIT;
    backup_manifest m = {0};
    passphrase p = {0};
    unsigned shown = 0;
    bool to_stdout = strcmp(w->file, "-") == 0;
    output out = {STDOUT_FILENO, to_stdout ? "standard output" : w->file, 0};
    int status = w->encrypt ? passphrase_get(&p, w->passphrase_file, true) : 0;

    if (status == 0 && to_stdout && isatty(STDOUT_FILENO))
        status = print_failure(EX_USAGE,
                               "a backup is not for a terminal; give a file, or redirect standard output");
    if (status == 0 && !to_stdout)
        status = open_beside(w, &out);
    if (status == 0 && backup_make(common->data, w->encrypt ? p.text : NULL, p.len, print_now(), write_out,
                                   &out, progress(), &shown, &m, &err) != 0)
        status = refuse(&err, NULL);
    passphrase_release(&p);
    if (status == 0 && !to_stdout)
        status = close_whole(w, &out);
    if (status != 0 && unfinished[0] != '\0')
        unlink(unfinished);
    if (status == 0)
        status = told(common, w, &m, &out);
    backup_manifest_release(&m);
    return status ? status : print_finish();
}

/* ---- reading one ---------------------------------------------------------------------------------------- */

static int64_t read_in(void *ctx, uint8_t *data, size_t len, store_error *err) {
    FILE *in = ctx;
    size_t got = fread(data, 1, len, in);

    if (got < len && ferror(in)) {
        err->code = STORE_FAILED;
        err->status = EX_IOERR;
        snprintf(err->message, sizeof err->message, "the backup cannot be read: %s", strerror(errno));
        return -1;
    }
    return (int64_t)got;
}

static int unlock(const wanted *w, backup_reader *r) {
    store_error err = STORE_ERROR_INIT;
    passphrase p = {0};
    int status;

    if (!backup_reader_is_sealed(r))
        return 0;
    if ((status = passphrase_get(&p, w->passphrase_file, false)) != 0)
        return status;
    if (backup_reader_unlock(r, p.text, p.len, &err) != 0)
        status = refuse(&err, w->file);
    passphrase_release(&p);
    return status;
}

static int open_backup(const wanted *w, FILE **in, backup_reader **r) {
    store_error err = STORE_ERROR_INIT;
    bool from_stdin = strcmp(w->file, "-") == 0;

    *r = NULL;
    if (!(*in = from_stdin ? stdin : fopen(w->file, "rbe")))
        return print_failure(EX_NOINPUT, "%s: %s", w->file, strerror(errno));
    if (backup_reader_new(r, read_in, *in, &err) != 0)
        return refuse(&err, w->file);
    return unlock(w, *r);
}

static void close_backup(FILE *in, backup_reader *r) {
    backup_reader_free(r);
    if (in && in != stdin)
        fclose(in);
}

static void print_manifest(const backup_manifest *m, bool sealed) {
    char when[32], size[32];
    uint64_t bytes = 0;

    for (size_t i = 0; i < m->count; i++)
        bytes += m->entries[i].size;
    printf("made %s by trivet %s, %s%s\n", print_when(m->created, print_now(), when, sizeof when), m->version,
           print_size(bytes, size, sizeof size), sealed ? ", encrypted" : "");
}

static int check(const cli_common *common, const wanted *w) {
    store_error err = STORE_ERROR_INIT;
    backup_manifest m = {0};
    backup_reader *r;
    unsigned shown = 0;
    FILE *in;
    int status = open_backup(w, &in, &r);

    if (status == 0 && backup_check(r, progress(), &shown, &m, &err) != 0)
        status = refuse(&err, w->file);
    if (status == 0 && common->json) {
        status = print_json(stdout, manifest_json(&m, w->file, backup_reader_is_sealed(r)));
    } else if (status == 0) {
        printf("the backup is whole: ");
        print_manifest(&m, backup_reader_is_sealed(r));
    }
    backup_manifest_release(&m);
    close_backup(in, r);
    return status ? status : print_finish();
}

/* ---- restore -------------------------------------------------------------------------------------------- */

static void print_restored(const cli_common *common, const backup_manifest *m, const backup_restored *done,
                           bool sealed) {
    char when[32];

    printf("restored %s: ", common->data);
    print_manifest(m, sealed);
    if (done->kept[0])
        printf("what was there is kept as %s/%s\n", common->data, done->kept);
    if (done->revoked)
        printf("%zu device%s revoked since, and stay%s so\n", done->revoked,
               done->revoked == 1 ? " was" : "s were", done->revoked == 1 ? "s" : "");
    for (size_t i = 0; i < done->stranger_count; i++) {
        const device *d = &done->strangers[i];
        printf("paired since, must pair again: %s ", d->id);
        print_line(stdout, d->name, strlen(d->name));
        printf(" (%s)\n", print_when(d->created_at, print_now(), when, sizeof when));
    }
    if (done->unreadable)
        printf("the old database could not be read: see `trivet devices` whether one is there that you had "
               "revoked\n");
}

static json_t *restored_json(const backup_manifest *m, const wanted *w, const backup_restored *done,
                             bool sealed) {
    json_t *all = manifest_json(m, w->file, sealed), *strangers = json_array();

    for (size_t i = 0; i < done->stranger_count; i++)
        json_array_append_new(strangers, json_string(done->strangers[i].id));
    json_object_set_new(all, "kept", done->kept[0] ? json_string(done->kept) : json_null());
    json_object_set_new(all, "revoked", json_integer((json_int_t)done->revoked));
    json_object_set_new(all, "unknown_devices", strangers);
    json_object_set_new(all, "old_unreadable", json_boolean(done->unreadable));
    return all;
}

static int restore(const cli_common *common, const wanted *w) {
    store_error err = STORE_ERROR_INIT;
    backup_manifest m = {0};
    backup_restored done = {0};
    backup_reader *r;
    unsigned shown = 0;
    FILE *in;
    int status = open_backup(w, &in, &r);

    if (status == 0 &&
        backup_restore(common->data, r, w->force, print_now(), progress(), &shown, &m, &done, &err) != 0) {
        if (err.code == STORE_LOCKED && err.holder)
            status =
                print_failure(EX_TEMPFAIL, "%s is in use by process %ld: stop the server first, then restore",
                              common->data, err.holder);
        else
            status = refuse(&err, w->file);
    }
    if (status == 0 && common->json)
        status = print_json(stdout, restored_json(&m, w, &done, backup_reader_is_sealed(r)));
    else if (status == 0)
        print_restored(common, &m, &done, backup_reader_is_sealed(r));
    backup_manifest_release(&m);
    backup_restored_release(&done);
    close_backup(in, r);
    return status ? status : print_finish();
}

/* ---- the command ---------------------------------------------------------------------------------------- */

int cli_backup(int argc, char **argv) {
    wanted w = {0};
    const cli_option options[] = {
        {"encrypt", NULL, "asks for a passphrase, without which nobody reads the backup", .flag = &w.encrypt},
        {"passphrase-file", "F", "the passphrase is the first line of this file",
         .string = &w.passphrase_file},
        {"force", NULL, "replaces a file or database that is there", .flag = &w.force},
        {"check", NULL, "reads a backup to its end and says whether it is whole", .flag = &w.check},
        {"restore", NULL, "puts a backup in the place of the data folder's database", .flag = &w.restore},
        CLI_OPTIONS_END,
    };
    const cli_usage usage = {
        "backup",
        "[--encrypt | --passphrase-file F] [--force] FILE|-\n"
        "--check [--passphrase-file F] FILE|-\n"
        "--restore [--passphrase-file F] [--force] FILE|-",
        "Writes everything that the data folder holds into one file, whether or not the server runs.\n"
        "--restore wants it stopped, keeps the old database under another name, and loses nothing that\n"
        "phones hold: what was made since the backup comes back with their next syncs.",
        options,
        CLI_JSON,
        1,
        1};
    cli_common common;
    int status = options_parse(&usage, &argc, &argv, &common);

    if (status >= 0)
        return status;
    w.file = argv[0];
    if (w.check && (w.restore || w.force || w.encrypt))
        return options_refuse("backup", "--check goes with no other option but --passphrase-file");
    if (w.restore && w.encrypt)
        return options_refuse("backup", "a backup says itself whether it is encrypted: leave --encrypt out");
    if (w.check)
        return check(&common, &w);
    if (w.restore)
        return restore(&common, &w);
    w.encrypt = w.encrypt || w.passphrase_file;
    return make(&common, &w);
}
