/*
 * copy.c - each thing of a jot is first a name and a source of bytes (memory, or a stored content); put() then finds
 * the name under which it stands already, or one that is free.
 */
#include "jot/copy.h"

#include "jot/name.h"
#include "jot/svg.h"
#include "store/folder.h"
#include "store/jot_content.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <trivet_proto.h>
#include <unistd.h>

enum { BLOCK = 65536, NUMBERS_MAX = 10000 };

int jot_copy_load(store *s, int64_t num, jot_copy *out, store_error *err) {
    *out = (jot_copy){0};
    int rc = jot_get(s, num, &out->row, err);
    if (rc == 0)
        rc = jot_forms(s, num, &out->forms, &out->form_count, err);
    if (rc == 0)
        rc = jot_files(s, num, &out->files, &out->file_count, err);
    if (rc != 0)
        jot_copy_release(out);
    return rc;
}

void jot_copy_release(jot_copy *c) {
    jot_forms_free(c->forms, c->form_count);
    jot_files_free(c->files, c->file_count);
    *c = (jot_copy){0};
}

/* ---- bytes ---- */

typedef struct {
    const char *data; /* NULL: from `fd` */
    int fd;
    uint64_t size;
} source;

typedef struct {
    int dir;
    const char *path; /* for messages */
    jot_copied *out;
    store_error *err;
} target;

static int fail(const target *t, int number, const char *doing) {
    int code = number == ENOSPC || number == EDQUOT || number == EFBIG ? STORE_FULL : STORE_FAILED;
    if (t->err->code == 0) {
        t->err->code = code;
        t->err->status = 73; /* EX_CANTCREAT */
        snprintf(t->err->message, sizeof t->err->message, "cannot %s %.300s: %s", doing, t->path,
                 strerror(number));
    }
    return code;
}

static ssize_t read_some(int fd, char *buffer, size_t len) {
    size_t got = 0;
    while (got < len) {
        ssize_t n = read(fd, buffer + got, len - got);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        if (n == 0)
            break;
        got += (size_t)n;
    }
    return (ssize_t)got;
}

static int write_some(int fd, const char *data, size_t len) {
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

/* Whether the open file `fd`, of the same size, holds the same. */
static bool holds(int fd, const source *from, char *buffers) {
    for (uint64_t done = 0; done < from->size;) {
        size_t len = from->size - done < BLOCK ? (size_t)(from->size - done) : BLOCK;
        const char *expected = from->data != NULL ? from->data + done : buffers + BLOCK;
        if (read_some(fd, buffers, len) != (ssize_t)len ||
            (from->data == NULL && read_some(from->fd, buffers + BLOCK, len) != (ssize_t)len) ||
            memcmp(buffers, expected, len) != 0)
            return false;
        done += len;
    }
    return true;
}

/* 1: it stands there under that name; 0: something else does; -1: nothing. */
static int look(const target *t, const char *name, const source *from) {
    struct stat st;
    if (fstatat(t->dir, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
        return errno == ENOENT ? -1 : 0;
    if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size != from->size)
        return 0;
    int fd = openat(t->dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    char *buffers = malloc(2 * BLOCK);
    bool same = fd >= 0 && buffers != NULL && holds(fd, from, buffers);
    free(buffers);
    if (fd >= 0)
        close(fd);
    if (from->data == NULL)
        lseek(from->fd, 0, SEEK_SET);
    return same;
}

static int fill(const target *t, int fd, const source *from) {
    char *buffer = from->data == NULL ? malloc(BLOCK) : NULL;
    int rc = 0;
    if (from->data != NULL)
        rc = write_some(fd, from->data, (size_t)from->size) == 0 ? 0 : fail(t, errno, "write into");
    for (ssize_t got = 1; from->data == NULL && rc == 0 && got > 0;) {
        got = buffer != NULL ? read_some(from->fd, buffer, BLOCK) : -1;
        if (got < 0 || write_some(fd, buffer, (size_t)got) != 0)
            rc = fail(t, buffer != NULL ? errno : ENOMEM, "write into");
    }
    free(buffer);
    return rc == 0 && fsync(fd) != 0 ? fail(t, errno, "write into") : rc;
}

/* Gives the finished file its name, where that is free: 1 where it is not. A file system without links cannot say so. */
static int settle(const target *t, const char *hidden, const char *name) {
    struct stat st;
    if (linkat(t->dir, hidden, t->dir, name, 0) == 0) {
        unlinkat(t->dir, hidden, 0);
        return 0;
    }
    if (errno == EEXIST)
        return 1;
    if (fstatat(t->dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
        return 1;
    return renameat(t->dir, hidden, t->dir, name) == 0 ? 0 : fail(t, errno, "write into");
}

static int put(target *t, const char *name, const source *from) {
    char hidden[32], numbered[JOT_NAME_MAX + 16], random[9];
    snprintf(numbered, sizeof numbered, "%s", name);
    unsigned number = 1;
    int there;
    while ((there = look(t, numbered, from)) == 0 && number < NUMBERS_MAX)
        jot_name_numbered(name, ++number, numbered);
    if (there > 0) {
        t->out->present++;
        return 0;
    }
    store_random_id(random, sizeof random - 1);
    snprintf(hidden, sizeof hidden, ".trivet-%s", random);
    int fd = openat(t->dir, hidden, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0666);
    if (fd < 0)
        return fail(t, errno, "write into");
    int rc = fill(t, fd, from);
    if (close(fd) != 0 && rc == 0)
        rc = fail(t, errno, "write into");
    while (rc == 0 && (there = settle(t, hidden, numbered)) == 1 && number < NUMBERS_MAX)
        jot_name_numbered(name, ++number, numbered);
    if (rc == 0 && there != 0)
        rc = there > 0 ? fail(t, EEXIST, "write into") : there;
    if (rc != 0)
        unlinkat(t->dir, hidden, 0);
    else
        t->out->written++;
    return rc;
}

/* ---- the parts of a jot ---- */

static int put_text(target *t, const jot_form_row *form) {
    char name[JOT_NAME_MAX + 1];
    char *plain = trivet_proto_text_plain(form->text);
    if (plain == NULL)
        return fail(t, ENOMEM, "write into");
    jot_name_dated("text", form->stored_at, "txt", name);
    int rc = put(t, name, &(source){plain, -1, strlen(plain)});
    free(plain);
    return rc;
}

/* What is no drawing that could be drawn is given as it came. */
static int put_drawing(target *t, const jot_form_row *form) {
    char name[JOT_NAME_MAX + 1];
    char *svg = NULL;
    size_t len = 0;
    int made = jot_svg(form->drawing, &svg, &len);
    if (made < 0)
        return fail(t, ENOMEM, "write into");
    jot_name_dated("drawing", form->stored_at, made == 0 ? "svg" : "json", name);
    int rc = made == 0 ? put(t, name, &(source){svg, -1, len})
                       : put(t, name, &(source){form->drawing, -1, strlen(form->drawing)});
    free(svg);
    return rc;
}

/* Each text and each drawing once, with the date on which it came. */
static int put_forms(target *t, const jot_copy *c) {
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < c->form_count; i++) {
        const jot_form_row *form = &c->forms[i], *before = i > 0 ? &c->forms[i - 1] : NULL;
        if (form->text[0] && (before == NULL || strcmp(before->text, form->text) != 0))
            rc = put_text(t, form);
        if (rc == 0 && form->drawing[0] && (before == NULL || strcmp(before->drawing, form->drawing) != 0))
            rc = put_drawing(t, form);
    }
    return rc;
}

static void name_file(const jot_file_row *f, char name[static JOT_NAME_MAX + 1]) {
    char *plain = f->kind == JOT_FILE ? trivet_proto_text_plain(f->name) : NULL;
    if (plain != NULL)
        jot_name_safe(plain, "file", name);
    else
        jot_name_dated(f->kind == JOT_IMAGE   ? "photo"
                       : f->kind == JOT_AUDIO ? "recording"
                                              : "file",
                       f->created_at, f->format, name);
    free(plain);
}

static int put_file(target *t, const char *folder, const jot_file_row *f) {
    char name[JOT_NAME_MAX + 1];
    source from = {NULL, -1, 0};
    if (!f->stored) {
        t->out->missing += f->gone_at == 0;
        return 0;
    }
    int rc = jot_content_open(folder, &f->hash, &from.fd, &from.size, t->err);
    if (rc == STORE_NONE) {
        t->out->damaged++;
        return 0;
    }
    if (rc != 0)
        return rc;
    name_file(f, name);
    rc = put(t, name, &from);
    close(from.fd);
    return rc;
}

int jot_copy_write(const jot_copy *c, const char *folder, const char *dir, jot_copied *out,
                   store_error *err) {
    *out = (jot_copied){.written = 0};
    if ((size_t)snprintf(out->dir, sizeof out->dir, "%s/jot-%lld", dir, (long long)c->row.num) >=
        sizeof out->dir)
        snprintf(out->dir, sizeof out->dir, "/dev/null/%s", "too long");
    target t = {-1, out->dir, out, err};
    if (folder_make(out->dir, true, err) != 0)
        return err->code;
    t.dir = open(out->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int rc = t.dir >= 0 ? put_forms(&t, c) : fail(&t, errno, "open");
    for (size_t i = 0; rc == 0 && i < c->file_count; i++)
        rc = put_file(&t, folder, &c->files[i]);
    if (rc == 0 && out->written > 0 && fsync(t.dir) != 0)
        rc = fail(&t, errno, "write into");
    if (t.dir >= 0)
        close(t.dir);
    return rc;
}
