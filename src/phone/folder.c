/*
 * folder.c - reading and replacing a phone's two files, and its two locks.
 *
 * phone.json is read by hand up to where the state begins, because a state never passes through a JSON
 * library: the engine checks the rest. pairing.json is the code as it was shown, with one key more,
 * `deviceId`.
 */
#include "phone/folder.h"

#include "phone/refuse.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

enum { MAX_PAIRING = 64 << 10, MAX_STATE = 1 << 30, COPY_BLOCK = 1 << 18 }; /* bytes */

struct phone_folder {
    char *path;
    int fd;               /* of the folder */
    int lock_fd, sync_fd; /* -1 while not held */
    trivet_proto_pairing pairing;
    int gen; /* of pairing.k */
    char name[257];
};

static int out_of_memory(edit_error *err) {
    return phone_refuse(err, EX_OSERR, "out of memory");
}

/* ---- files ---- */

/* *out is malloc'd with a NUL after its end. Gives 1 where there is no such file. */
static int read_file(const phone_folder *f, const char *name, size_t most, char **out, size_t *len,
                     edit_error *err) {
    char *data = NULL;
    int result = -1;
    int fd = openat(f->fd, name, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT)
        return 1;
    struct stat st;
    if (fd < 0 || fstat(fd, &st) != 0) {
        phone_refuse(err, EX_IOERR, "%s/%s: %s", f->path, name, strerror(errno));
        goto out;
    }
    if (!S_ISREG(st.st_mode) || st.st_size < 0 || (uintmax_t)st.st_size > most) {
        phone_refuse(err, EX_DATAERR, "%s/%s is no file of this program's, or damaged", f->path, name);
        goto out;
    }
    size_t size = (size_t)st.st_size, have = 0;
    data = malloc(size + 1);
    if (data == NULL) {
        out_of_memory(err);
        goto out;
    }
    while (have < size) {
        ssize_t n = read(fd, data + have, size - have);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            phone_refuse(err, EX_IOERR, "%s/%s: %s", f->path, name,
                         n < 0 ? strerror(errno) : "ends too early");
            goto out;
        }
        have += (size_t)n;
    }
    data[size] = '\0';
    *out = data;
    *len = size;
    data = NULL;
    result = 0;
out:
    free(data);
    if (fd >= 0)
        close(fd);
    return result;
}

static int write_all(int fd, const char *data, size_t len) {
    while (len > 0) {
        ssize_t n = write(fd, data, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        data += n;
        len -= (size_t)n;
    }
    return 0;
}

/* The file holds `head`, `body` and `tail` afterwards, or what it held before. Under the lock, so that the
 * name of the new file is this process's alone. */
static int replace_file(const phone_folder *f, const char *name, const char *head, const char *body,
                        size_t len, const char *tail, edit_error *err) {
    char fresh[64];
    snprintf(fresh, sizeof fresh, "%s.new", name);
    int fd = openat(f->fd, fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    bool good = fd >= 0 && write_all(fd, head, strlen(head)) == 0 && write_all(fd, body, len) == 0 &&
                write_all(fd, tail, strlen(tail)) == 0 && fsync(fd) == 0;
    int saved = errno;
    if (fd >= 0 && close(fd) != 0 && good) {
        good = false;
        saved = errno;
    }
    if (good && (renameat(f->fd, fresh, f->fd, name) != 0 || fsync(f->fd) != 0)) {
        good = false;
        saved = errno;
    }
    if (good)
        return 0;
    if (fd >= 0)
        unlinkat(f->fd, fresh, 0);
    return phone_refuse(err, EX_IOERR, "cannot write %s/%s: %s; nothing was changed", f->path, name,
                        strerror(saved));
}

/* ---- locks ---- */

static int take_lock(const phone_folder *f, const char *name, int how, int *out, edit_error *err) {
    int fd = openat(f->fd, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return phone_refuse(err, EX_CANTCREAT, "cannot make %s/%s: %s", f->path, name, strerror(errno));
    int got;
    do
        got = flock(fd, how);
    while (got != 0 && errno == EINTR);
    if (got != 0) {
        int saved = errno;
        close(fd);
        errno = saved;
        return saved == EWOULDBLOCK
                   ? 1
                   : phone_refuse(err, EX_OSERR, "cannot lock %s/%s: %s", f->path, name, strerror(saved));
    }
    *out = fd;
    return 0;
}

static void give_up(int *fd) {
    if (*fd >= 0)
        close(*fd); /* and with it the lock */
    *fd = -1;
}

int phone_folder_lock(phone_folder *f, edit_error *err) {
    return f->lock_fd >= 0 ? 0 : take_lock(f, "lock", LOCK_EX, &f->lock_fd, err);
}

void phone_folder_unlock(phone_folder *f) {
    give_up(&f->lock_fd);
}

int phone_folder_lock_sync(phone_folder *f, edit_error *err) {
    int got = f->sync_fd >= 0 ? 0 : take_lock(f, "sync.lock", LOCK_EX | LOCK_NB, &f->sync_fd, err);
    if (got == 1)
        return phone_refuse(err, EX_TEMPFAIL, "another command is syncing %s; wait for it to end", f->path);
    return got;
}

/* ---- the pairing ---- */

static void machine_name(char *out, size_t size) {
    if (gethostname(out, size) != 0 || out[0] == '\0')
        snprintf(out, size, "phone");
    out[size - 1] = '\0';
}

static int write_pairing(const phone_folder *f, edit_error *err) {
    char *code = NULL, *text = NULL;
    json_t *object = NULL;
    int result = -1;
    if (trivet_proto_pairing_encode(&f->pairing, &code) != 0 ||
        (object = json_loads(code, 0, NULL)) == NULL) {
        out_of_memory(err);
        goto out;
    }
    if (f->gen != 0 && json_object_set_new(object, "gen", json_integer(f->gen)) != 0) {
        out_of_memory(err);
        goto out;
    }
    if (json_object_set_new(object, "deviceId", json_string(f->name)) != 0) {
        phone_refuse(err, EX_USAGE, "the name must be UTF-8");
        goto out;
    }
    if ((text = json_dumps(object, JSON_COMPACT)) == NULL) {
        out_of_memory(err);
        goto out;
    }
    result = replace_file(f, "pairing.json", "", text, strlen(text), "\n", err);
out:
    if (code != NULL)
        sodium_memzero(code, strlen(code));
    if (text != NULL)
        sodium_memzero(text, strlen(text));
    json_decref(object);
    free(code);
    free(text);
    return result;
}

static int read_pairing(phone_folder *f, edit_error *err) {
    char *text = NULL;
    size_t len = 0;
    int got = read_file(f, "pairing.json", MAX_PAIRING, &text, &len, err);
    if (got == 1)
        return phone_refuse(
            err, EX_NOINPUT,
            "%s is no phone yet: run `trivet phone --state %s init --pairing FILE` with what `trivet "
            "pair --json` printed",
            f->path, f->path);
    if (got != 0)
        return -1;
    trivet_proto_error bad = {"", ""};
    json_t *object = json_loadb(text, len, 0, NULL);
    const char *name = json_string_value(json_object_get(object, "deviceId"));
    int result = -1;
    if (trivet_proto_pairing_decode(text, len, &f->pairing, &bad) != 0 || name == NULL || name[0] == '\0' ||
        strlen(name) >= sizeof f->name) {
        phone_refuse(err, EX_DATAERR,
                     "%s/pairing.json is damaged; pair anew with `trivet phone --state %s init`", f->path,
                     f->path);
    } else {
        memcpy(f->name, name, strlen(name) + 1);
        f->gen = json_integer_value(json_object_get(object, "gen")) == 1;
        result = 0;
    }
    json_decref(object);
    sodium_memzero(text, len);
    free(text);
    return result;
}

/* Under the lock, which another's hand may hold. */
static int rewrite_pairing(phone_folder *f, edit_error *err) {
    bool held = f->lock_fd >= 0;
    if (phone_folder_lock(f, err) != 0)
        return -1;
    int result = write_pairing(f, err);
    if (!held)
        phone_folder_unlock(f);
    return result;
}

int phone_folder_gen(const phone_folder *f) {
    return f->gen;
}

int phone_folder_keep_key(phone_folder *f, const uint8_t key[static 32], edit_error *err) {
    memcpy(f->pairing.k, key, sizeof f->pairing.k);
    f->pairing.has_k = true;
    f->gen = 1;
    return rewrite_pairing(f, err);
}

int phone_folder_drop_key(phone_folder *f, edit_error *err) {
    sodium_memzero(f->pairing.k, sizeof f->pairing.k);
    f->pairing.has_k = false;
    f->gen = 0;
    return rewrite_pairing(f, err);
}

int phone_folder_move(phone_folder *f, const char *ip, uint16_t port, bool keep, edit_error *err) {
    snprintf(f->pairing.ip, sizeof f->pairing.ip, "%s", ip);
    f->pairing.port = port;
    return keep ? rewrite_pairing(f, err) : 0;
}

/* ---- the state ---- */

static const char *skip_space(const char *at) {
    return at + strspn(at, " \t\r\n");
}

static const char *expect(const char *at, const char *token) {
    at = skip_space(at);
    size_t len = strlen(token);
    return strncmp(at, token, len) == 0 ? at + len : NULL;
}

/* Finds where the state stands in `text` (NUL-terminated): *start, *end. */
static int read_frame(const char *text, size_t len, int64_t *since, const char **start, const char **end) {
    const char *at = expect(text, "{");
    if (at == NULL || (at = expect(at, "\"since\"")) == NULL || (at = expect(at, ":")) == NULL)
        return -1;
    at = skip_space(at);
    if (*at < '0' || *at > '9')
        return -1;
    char *after = NULL;
    errno = 0;
    long long value = strtoll(at, &after, 10);
    if (errno != 0 || value > ((int64_t)1 << 53) - 1)
        return -1;
    if ((at = expect(after, ",")) == NULL || (at = expect(at, "\"state\"")) == NULL ||
        (at = expect(at, ":")) == NULL)
        return -1;
    const char *last = text + len;
    while (last > at && strchr(" \t\r\n", last[-1]) != NULL && last[-1] != '\0')
        last--;
    if (last == at || last[-1] != '}')
        return -1;
    *since = value;
    *start = at;
    *end = last - 1;
    return 0;
}

int phone_folder_read(const phone_folder *f, trivet_merge_state **state, int64_t *since, edit_error *err) {
    char *text = NULL;
    size_t len = 0;
    int got = read_file(f, "phone.json", MAX_STATE, &text, &len, err);
    if (got == 1)
        return phone_refuse(err, EX_NOINPUT,
                            "%s/phone.json is missing; bring it back from a backup, or make a phone anew "
                            "in another folder with `trivet phone --state DIR init`",
                            f->path);
    if (got != 0)
        return -1;
    const char *start, *end;
    if (read_frame(text, len, since, &start, &end) != 0) {
        free(text);
        return phone_refuse(err, EX_DATAERR, "%s/phone.json is damaged; bring it back from a backup",
                            f->path);
    }
    size_t size = (size_t)(end - start);
    memmove(text, start, size);
    text[size] = '\0';
    trivet_merge_error bad = TRIVET_MERGE_ERROR_INIT;
    int code = trivet_merge_state_read_steal(text, size, TRIVET_MERGE_PHONE, state, &bad);
    if (code == TRIVET_MERGE_ENOMEM)
        return out_of_memory(err);
    if (code != 0)
        return phone_refuse(err, EX_DATAERR,
                            "%s/phone.json is damaged: state%s%s: %s; bring it back from a backup", f->path,
                            bad.path[0] == '\0' ? "" : ".", bad.path, bad.reason);
    return 0;
}

int phone_folder_write(const phone_folder *f, const trivet_merge_state *state, int64_t since,
                       edit_error *err) {
    char *json = NULL;
    size_t len = 0;
    if (trivet_merge_state_write(state, &json, &len) != 0)
        return out_of_memory(err);
    char head[64];
    snprintf(head, sizeof head, "{\"since\":%lld,\"state\":", (long long)since);
    int result = replace_file(f, "phone.json", head, json, len, "}\n", err);
    free(json);
    return result;
}

/* ---- jots ---- */

int phone_folder_read_jots(const phone_folder *f, json_t **out, edit_error *err) {
    char *text = NULL;
    size_t len = 0;
    int got = read_file(f, "jots.json", MAX_STATE, &text, &len, err);
    if (got < 0)
        return -1;
    *out = got == 1 ? json_array() : json_loadb(text, len, 0, NULL);
    free(text);
    if (json_is_array(*out))
        return 0;
    json_decref(*out);
    return phone_refuse(err, EX_DATAERR, "%s/jots.json is damaged; bring it back from a backup", f->path);
}

int phone_folder_write_jots(const phone_folder *f, json_t *jots, edit_error *err) {
    char *text = json_dumps(jots, JSON_COMPACT);
    int result =
        text != NULL ? replace_file(f, "jots.json", "", text, strlen(text), "\n", err) : out_of_memory(err);
    free(text);
    return result;
}

/* jot-file-ID, beside the rest; false where the id is none of ours. */
static bool jot_file_name(const char *id, char name[static 64]) {
    size_t len = strlen(id);
    snprintf(name, 64, "jot-file-%s", id);
    return len > 0 && len <= 40 && strspn(id, "0123456789abcdef") == len;
}

int phone_folder_read_jot_file(const phone_folder *f, const char *id, char **out, size_t *len,
                               edit_error *err) {
    char name[64];
    return jot_file_name(id, name) ? read_file(f, name, MAX_STATE, out, len, err) : 1;
}

int phone_folder_open_jot_file(const phone_folder *f, const char *id, int *fd, edit_error *err) {
    char name[64];
    struct stat st;
    *fd = jot_file_name(id, name) ? openat(f->fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK) : -1;
    if (*fd >= 0 && fstat(*fd, &st) == 0 && S_ISREG(st.st_mode))
        return 0;
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
    return phone_refuse(err, EX_IOERR, "%s: that file of a jot is not there", f->path);
}

static int copy_all(int from, int to, uint64_t *len) {
    char *block = malloc(COPY_BLOCK);
    ssize_t got = block != NULL ? 1 : -1;
    *len = 0;
    while (got > 0) {
        got = read(from, block, COPY_BLOCK);
        if (got < 0 && errno == EINTR)
            got = 1;
        else if (got > 0 && write_all(to, block, (size_t)got) != 0)
            got = -1;
        else if (got > 0)
            *len += (uint64_t)got;
    }
    int saved = errno;
    free(block);
    errno = saved;
    return got == 0 ? fsync(to) : -1;
}

int phone_folder_keep_jot_file(const phone_folder *f, const char *id, int from, uint64_t *len,
                               edit_error *err) {
    char name[64];
    if (!jot_file_name(id, name))
        return phone_refuse(err, EX_USAGE, "that is no id of a file");
    int fd = openat(f->fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    bool good = fd >= 0 && copy_all(from, fd, len) == 0;
    int saved = errno;
    if (fd >= 0)
        close(fd);
    if (good)
        return 0;
    if (fd >= 0)
        unlinkat(f->fd, name, 0);
    return phone_refuse(err, EX_IOERR, "cannot write %s/%s: %s; nothing was changed", f->path, name,
                        strerror(saved));
}

void phone_folder_sweep_jot_files(const phone_folder *f, bool (*named)(const void *ctx, const char *id),
                                  const void *ctx) {
    static const char prefix[] = "jot-file-";
    int fd = openat(f->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC); /* with a position of its own */
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    const struct dirent *entry;
    while (dir != NULL && (entry = readdir(dir)) != NULL)
        if (strncmp(entry->d_name, prefix, sizeof prefix - 1) == 0 &&
            !named(ctx, entry->d_name + sizeof prefix - 1))
            unlinkat(f->fd, entry->d_name, 0);
    if (dir != NULL)
        closedir(dir);
    else if (fd >= 0)
        close(fd);
}

/* ---- the folder ---- */

static int open_folder(const char *path, phone_folder **out, edit_error *err) {
    phone_folder *f = calloc(1, sizeof *f);
    if (f == NULL)
        return out_of_memory(err);
    f->fd = f->lock_fd = f->sync_fd = -1;
    f->path = strdup(path);
    if (f->path == NULL) {
        phone_folder_close(f);
        return out_of_memory(err);
    }
    f->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (f->fd < 0) {
        if (errno == ENOENT)
            phone_refuse(
                err, EX_NOINPUT,
                "there is no phone in %s: run `trivet phone --state %s init --pairing FILE` with what "
                "`trivet pair "
                "--json` printed",
                path, path);
        else
            phone_refuse(err, EX_NOINPUT, "cannot open the folder %s: %s", path, strerror(errno));
        phone_folder_close(f);
        return -1;
    }
    *out = f;
    return 0;
}

int phone_folder_open(const char *path, phone_folder **out, edit_error *err) {
    phone_folder *f = NULL;
    if (open_folder(path, &f, err) != 0)
        return -1;
    if (read_pairing(f, err) != 0) {
        phone_folder_close(f);
        return -1;
    }
    *out = f;
    return 0;
}

void phone_folder_close(phone_folder *f) {
    if (f == NULL)
        return;
    give_up(&f->lock_fd);
    give_up(&f->sync_fd);
    give_up(&f->fd);
    sodium_memzero(&f->pairing, sizeof f->pairing);
    free(f->path);
    free(f);
}

/* A phone that is there stays as it is, if it can be read; else six empty slots of each kind (merge §1). */
static int ensure_state(const phone_folder *f, edit_error *err) {
    trivet_merge_state *state = NULL;
    int64_t since = 0;
    int result;
    if (faccessat(f->fd, "phone.json", F_OK, 0) == 0)
        result = phone_folder_read(f, &state, &since, err);
    else if (trivet_merge_state_new(&state) != 0 || trivet_merge_pad(state, NULL, 6) != 0)
        result = out_of_memory(err);
    else
        result = phone_folder_write(f, state, 0, err);
    trivet_merge_state_free(state);
    return result;
}

int phone_folder_init(const char *path, const trivet_proto_pairing *pairing, const char *name,
                      edit_error *err) {
    phone_folder *f = NULL;
    if (name != NULL && (name[0] == '\0' || strlen(name) >= sizeof f->name))
        return phone_refuse(err, EX_USAGE, "the name must have 1 to %zu bytes", sizeof f->name - 1);
    if (mkdir(path, 0700) != 0 && errno != EEXIST)
        return phone_refuse(err, EX_CANTCREAT, "cannot make the folder %s: %s", path, strerror(errno));
    if (open_folder(path, &f, err) != 0)
        return -1;
    int result = -1;
    if (phone_folder_lock(f, err) != 0)
        goto out;
    edit_error none = EDIT_ERROR_INIT;
    if (name != NULL)
        memcpy(f->name, name, strlen(name) + 1);
    else if (read_pairing(f, &none) != 0)
        machine_name(f->name, sizeof f->name);
    f->pairing = *pairing;
    f->gen = 0;
    /* The state first: a folder with a pairing always has one. */
    if (ensure_state(f, err) == 0)
        result = write_pairing(f, err);
out:
    phone_folder_close(f);
    return result;
}

const trivet_proto_pairing *phone_folder_pairing(const phone_folder *f) {
    return &f->pairing;
}

const char *phone_folder_name(const phone_folder *f) {
    return f->name;
}

const char *phone_folder_path(const phone_folder *f) {
    return f->path;
}
