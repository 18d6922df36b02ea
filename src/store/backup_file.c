/*
 * backup_file.c - a backup's bytes, both ways.
 *
 * Both ends are three layers, outermost last: the content (manifest and entries), its chunks, and the file with its hash or
 * its seals. A reader pulls: it asks for so many bytes of the content, which opens the next chunk where it has none.
 */
#include "backup_file.h"

#include "sql.h"
#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>
#include <sodium.h>

enum {
    AT_VERSION = 8,
    AT_SEALED = 10,
    AT_ZERO = 11,
    AT_PASSES = 12,
    AT_MEMORY = 16,
    AT_SALT = 24,
    AT_STREAM = 40,
    VERSION = 1,
    SEAL = crypto_secretstream_xchacha20poly1305_ABYTES,
    HASH = 32
};
static const uint8_t magic[8] = {0x89, 'T', 'R', 'V', 'T', 0x0d, 0x0a, 0x1a};

static_assert(AT_STREAM + crypto_secretstream_xchacha20poly1305_HEADERBYTES == BACKUP_HEADER_LEN, "layout");
static_assert(AT_SALT + crypto_pwhash_SALTBYTES == AT_STREAM, "layout");

/* What writer and reader share. */
typedef struct {
    uint8_t header[BACKUP_HEADER_LEN];
    bool sealed;
    crypto_generichash_state hash; /* over the file so far; not sealed only */
    crypto_secretstream_xchacha20poly1305_state stream;
} file_state;

static void put_number(uint8_t *at, size_t bytes, uint64_t value) {
    for (size_t i = 0; i < bytes; i++)
        at[i] = (uint8_t)(value >> (8 * i));
}

static uint64_t get_number(const uint8_t *at, size_t bytes) {
    uint64_t value = 0;
    for (size_t i = 0; i < bytes; i++)
        value |= (uint64_t)at[i] << (8 * i);
    return value;
}

/* The additional data of a chunk: what stands before its seal decides what is under it. */
enum { BOUND_LEN = BACKUP_HEADER_LEN + 4 };
static void bind_chunk(const file_state *f, const uint8_t length[static 4], uint8_t out[static BOUND_LEN]) {
    memcpy(out, f->header, BACKUP_HEADER_LEN);
    memcpy(out + BACKUP_HEADER_LEN, length, 4);
}

static int derive(const file_state *f, const char *passphrase, size_t len,
                  uint8_t key[static crypto_secretstream_xchacha20poly1305_KEYBYTES], store_error *err) {
    if (crypto_pwhash(key, crypto_secretstream_xchacha20poly1305_KEYBYTES, passphrase, len,
                      f->header + AT_SALT, get_number(f->header + AT_PASSES, 4),
                      (size_t)get_number(f->header + AT_MEMORY, 8), crypto_pwhash_ALG_ARGON2ID13) != 0)
        return store_out_of_memory(err);
    return 0;
}

void backup_manifest_release(backup_manifest *m) {
    free(m->entries);
    *m = (backup_manifest){0};
}

/* ---- writing: the file ---------------------------------------------------------------------------------- */

struct backup_writer {
    file_state file;
    backup_write_fn *fn;
    void *ctx;
    const backup_manifest *manifest; /* borrowed until the end; NULL before it was written */
    size_t entry;                    /* the one that is being added */
    uint64_t left;                   /* bytes of it to come */
    crypto_generichash_state entry_hash;
    size_t used; /* of `chunk` */
    uint8_t chunk[BACKUP_CHUNK_MAX];
    uint8_t seal[BACKUP_CHUNK_MAX + SEAL];
};

static int put_bytes(backup_writer *w, const uint8_t *data, size_t len, store_error *err) {
    if (!w->file.sealed)
        crypto_generichash_update(&w->file.hash, data, len);
    return w->fn(w->ctx, data, len, err);
}

/* What is in w->chunk, which is the end mark if that is nothing. */
static int put_chunk(backup_writer *w, store_error *err) {
    uint8_t length[4], bound[BOUND_LEN],
        tag = w->used > 0 ? crypto_secretstream_xchacha20poly1305_TAG_MESSAGE
                          : crypto_secretstream_xchacha20poly1305_TAG_FINAL;
    put_number(length, sizeof length, w->used);
    int rc = put_bytes(w, length, sizeof length, err);
    if (rc == 0 && w->file.sealed) {
        bind_chunk(&w->file, length, bound);
        crypto_secretstream_xchacha20poly1305_push(&w->file.stream, w->seal, NULL, w->chunk, w->used, bound,
                                                   sizeof bound, tag);
        rc = put_bytes(w, w->seal, w->used + SEAL, err);
    } else if (rc == 0 && w->used > 0) {
        rc = put_bytes(w, w->chunk, w->used, err);
    }
    w->used = 0;
    return rc;
}

static int seal_with(backup_writer *w, const char *passphrase, size_t len, store_error *err) {
    uint8_t *header = w->file.header;
    uint8_t key[crypto_secretstream_xchacha20poly1305_KEYBYTES];
    put_number(header + AT_PASSES, 4, BACKUP_PASSES);
    put_number(header + AT_MEMORY, 8, BACKUP_MEMORY);
    randombytes_buf(header + AT_SALT, crypto_pwhash_SALTBYTES);
    int rc = derive(&w->file, passphrase, len, key, err);
    if (rc == 0)
        crypto_secretstream_xchacha20poly1305_init_push(&w->file.stream, header + AT_STREAM, key);
    sodium_memzero(key, sizeof key);
    return rc;
}

int backup_writer_new(backup_writer **out, const char *passphrase, size_t len, backup_write_fn *fn, void *ctx,
                      store_error *err) {
    *out = NULL;
    if (sodium_init() < 0)
        return store_fail(err, STORE_FAILED, "libsodium cannot be used");
    backup_writer *w = calloc(1, sizeof *w);
    if (w == NULL)
        return store_out_of_memory(err);
    w->fn = fn;
    w->ctx = ctx;
    w->file.sealed = passphrase != NULL;
    memcpy(w->file.header, magic, sizeof magic);
    put_number(w->file.header + AT_VERSION, 2, VERSION);
    w->file.header[AT_SEALED] = w->file.sealed;
    crypto_generichash_init(&w->file.hash, NULL, 0, HASH);
    int rc = w->file.sealed ? seal_with(w, passphrase, len, err) : 0;
    if (rc == 0)
        rc = put_bytes(w, w->file.header, BACKUP_HEADER_LEN, err);
    if (rc != 0) {
        backup_writer_free(w);
        return rc;
    }
    *out = w;
    return 0;
}

static int put_content(backup_writer *w, const uint8_t *data, size_t len, store_error *err) {
    while (len > 0) {
        size_t some = sizeof w->chunk - w->used < len ? sizeof w->chunk - w->used : len;
        memcpy(w->chunk + w->used, data, some);
        w->used += some;
        data += some;
        len -= some;
        int rc = w->used == sizeof w->chunk ? put_chunk(w, err) : 0;
        if (rc != 0)
            return rc;
    }
    return 0;
}

void backup_writer_free(backup_writer *w) {
    if (w == NULL)
        return;
    sodium_memzero(w, sizeof *w);
    free(w);
}

/* ---- writing: the content ------------------------------------------------------------------------------- */

static char *manifest_text(const backup_manifest *m) {
    json_t *entries = json_array();
    for (size_t i = 0; entries != NULL && i < m->count; i++) {
        char hex[65];
        store_name_hex(&m->entries[i].hash, hex);
        json_array_append_new(entries, json_pack("{s:s, s:I, s:s}", "name", m->entries[i].name, "size",
                                                 (json_int_t)m->entries[i].size, "hash", hex));
    }
    bool whole = entries != NULL && json_array_size(entries) == m->count;
    json_t *all = json_pack("{s:s, s:s, s:I, s:o}", "version", m->version, "server", m->server, "created",
                            (json_int_t)m->created, "entries", entries);
    char *text = whole && all != NULL ? json_dumps(all, JSON_COMPACT) : NULL;
    json_decref(all);
    return text;
}

static void next_entry(backup_writer *w, size_t i) {
    w->entry = i;
    w->left = i < w->manifest->count ? w->manifest->entries[i].size : 0;
    crypto_generichash_init(&w->entry_hash, NULL, 0, HASH);
}

int backup_writer_manifest(backup_writer *w, const backup_manifest *m, store_error *err) {
    char *text = manifest_text(m);
    if (text == NULL)
        return store_out_of_memory(err);
    uint8_t length[4];
    size_t len = strlen(text);
    int rc = len <= BACKUP_MANIFEST_MAX && m->count <= BACKUP_ENTRIES_MAX
                 ? 0
                 : store_fail(err, STORE_FAILED, "too many files for one backup");
    put_number(length, sizeof length, len);
    if (rc == 0)
        rc = put_content(w, length, sizeof length, err);
    if (rc == 0)
        rc = put_content(w, (const uint8_t *)text, len, err);
    free(text);
    w->manifest = m;
    next_entry(w, 0);
    return rc;
}

static int fail_changed(const backup_writer *w, store_error *err) {
    const char *name = w->entry < w->manifest->count ? w->manifest->entries[w->entry].name : "the folder";
    return store_fail(err, STORE_FAILED, "%s changed while it was read; try again", name);
}

/* Passes over entries that are complete, empty ones among them. */
static int finish_entries(backup_writer *w, store_error *err) {
    while (w->entry < w->manifest->count && w->left == 0) {
        store_name hash;
        crypto_generichash_final(&w->entry_hash, hash.bytes, sizeof hash.bytes);
        if (!store_name_equal(&hash, &w->manifest->entries[w->entry].hash))
            return fail_changed(w, err);
        next_entry(w, w->entry + 1);
    }
    return 0;
}

int backup_writer_add(backup_writer *w, const void *data, size_t len, store_error *err) {
    const uint8_t *at = data;
    int rc = 0;
    while (len > 0 && (rc = finish_entries(w, err)) == 0) {
        if (w->left == 0)
            return fail_changed(w, err);
        size_t some = w->left < len ? (size_t)w->left : len;
        crypto_generichash_update(&w->entry_hash, at, some);
        if ((rc = put_content(w, at, some, err)) != 0)
            break;
        at += some;
        len -= some;
        w->left -= some;
    }
    return rc;
}

int backup_writer_end(backup_writer *w, store_error *err) {
    uint8_t hash[HASH];
    int rc = finish_entries(w, err);
    if (rc == 0 && w->entry < w->manifest->count)
        rc = fail_changed(w, err);
    if (rc == 0 && w->used > 0)
        rc = put_chunk(w, err);
    if (rc == 0)
        rc = put_chunk(w, err); /* the end mark */
    if (rc != 0 || w->file.sealed)
        return rc;
    crypto_generichash_final(&w->file.hash, hash, sizeof hash);
    return w->fn(w->ctx, hash, sizeof hash, err);
}

/* ---- reading: the file ---------------------------------------------------------------------------------- */

struct backup_reader {
    file_state file;
    backup_read_fn *fn;
    void *ctx;
    bool unlocked, ended; /* `ended`: the end mark was read */
    size_t at, used;      /* of `chunk` */
    uint8_t chunk[BACKUP_CHUNK_MAX];
    uint8_t seal[BACKUP_CHUNK_MAX + SEAL];
};

static int fail_cut(store_error *err) {
    return store_fail(err, STORE_DAMAGED, "the backup ends too soon: it was not copied whole");
}

static int fail_altered(const backup_reader *r, store_error *err) {
    return store_fail(err, STORE_DAMAGED,
                      r->file.sealed ? "the passphrase is wrong, or the backup was altered"
                                     : "the backup was altered: it is not what was written");
}

static int get_bytes(backup_reader *r, uint8_t *data, size_t len, store_error *err) {
    int64_t got = r->fn(r->ctx, data, len, err);
    if (got < 0)
        return err != NULL && err->code != 0 ? err->code : STORE_FAILED;
    if ((size_t)got != len)
        return fail_cut(err);
    if (!r->file.sealed)
        crypto_generichash_update(&r->file.hash, data, len);
    return 0;
}

/* 1: another chunk is in r->chunk; 0: it was the end mark. */
static int get_chunk(backup_reader *r, store_error *err) {
    uint8_t length[4], bound[BOUND_LEN], tag = 0;
    if (r->ended)
        return 0;
    int rc = get_bytes(r, length, sizeof length, err);
    uint64_t n = get_number(length, sizeof length);
    if (rc == 0 && n > BACKUP_CHUNK_MAX)
        rc = fail_altered(r, err);
    if (rc == 0 && r->file.sealed) {
        rc = get_bytes(r, r->seal, (size_t)n + SEAL, err);
        bind_chunk(&r->file, length, bound);
        if (rc == 0 &&
            (crypto_secretstream_xchacha20poly1305_pull(&r->file.stream, r->chunk, NULL, &tag, r->seal,
                                                        n + SEAL, bound, sizeof bound) != 0 ||
             (tag == crypto_secretstream_xchacha20poly1305_TAG_FINAL) != (n == 0)))
            rc = fail_altered(r, err);
    } else if (rc == 0 && n > 0) {
        rc = get_bytes(r, r->chunk, (size_t)n, err);
    }
    if (rc != 0)
        return rc;
    r->at = 0;
    r->used = (size_t)n;
    r->ended = n == 0;
    return n > 0;
}

static int check_header(backup_reader *r, store_error *err) {
    const uint8_t *h = r->file.header;
    if (memcmp(h, magic, sizeof magic) != 0)
        return store_fail(err, STORE_DAMAGED, "this is no backup of trivet");
    if (get_number(h + AT_VERSION, 2) != VERSION)
        return store_fail(err, STORE_DAMAGED, "the backup was written by a newer version of this program");
    if (h[AT_SEALED] > 1 || h[AT_ZERO] != 0)
        return fail_altered(r, err);
    r->file.sealed = h[AT_SEALED] == 1;
    uint64_t passes = get_number(h + AT_PASSES, 4), memory = get_number(h + AT_MEMORY, 8);
    if (!r->file.sealed)
        return passes == 0 && memory == 0 && sodium_is_zero(h + AT_SALT, BACKUP_HEADER_LEN - AT_SALT)
                   ? 0
                   : fail_altered(r, err);
    if (passes < crypto_pwhash_OPSLIMIT_MIN || passes > BACKUP_PASSES_MAX ||
        memory < crypto_pwhash_MEMLIMIT_MIN || memory > BACKUP_MEMORY_MAX)
        return store_fail(err, STORE_DAMAGED,
                          "the backup was altered: it asks for %" PRIu64 " bytes of memory and %" PRIu64
                          " passes to check a passphrase",
                          memory, passes);
    return 0;
}

int backup_reader_new(backup_reader **out, backup_read_fn *fn, void *ctx, store_error *err) {
    *out = NULL;
    if (sodium_init() < 0)
        return store_fail(err, STORE_FAILED, "libsodium cannot be used");
    backup_reader *r = calloc(1, sizeof *r);
    if (r == NULL)
        return store_out_of_memory(err);
    r->fn = fn;
    r->ctx = ctx;
    crypto_generichash_init(&r->file.hash, NULL, 0, HASH);
    int rc = get_bytes(r, r->file.header, BACKUP_HEADER_LEN, err);
    if (rc == 0)
        rc = check_header(r, err);
    if (rc != 0) {
        backup_reader_free(r);
        return rc;
    }
    *out = r;
    return 0;
}

bool backup_reader_is_sealed(const backup_reader *r) {
    return r->file.sealed;
}

int backup_reader_unlock(backup_reader *r, const char *passphrase, size_t len, store_error *err) {
    uint8_t key[crypto_secretstream_xchacha20poly1305_KEYBYTES];
    int rc = derive(&r->file, passphrase, len, key, err);
    if (rc == 0 && crypto_secretstream_xchacha20poly1305_init_pull(&r->file.stream,
                                                                   r->file.header + AT_STREAM, key) != 0)
        rc = fail_altered(r, err);
    r->unlocked = rc == 0;
    sodium_memzero(key, sizeof key);
    return rc;
}

void backup_reader_free(backup_reader *r) {
    if (r == NULL)
        return;
    sodium_memzero(r, sizeof *r);
    free(r);
}

/* ---- reading: the content ------------------------------------------------------------------------------- */

static int get_content(backup_reader *r, uint8_t *data, size_t len, store_error *err) {
    while (len > 0) {
        int rc = r->at < r->used ? 1 : get_chunk(r, err);
        if (rc <= 0)
            return rc < 0 ? rc : fail_altered(r, err); /* less content than its manifest says */
        size_t some = r->used - r->at < len ? r->used - r->at : len;
        memcpy(data, r->chunk + r->at, some);
        r->at += some;
        data += some;
        len -= some;
    }
    return 0;
}

static bool is_good_name(const char *name) {
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-/";
    size_t len = strlen(name);
    if (len == 0 || len > BACKUP_NAME_MAX || strspn(name, allowed) != len || name[len - 1] == '/')
        return false;
    for (const char *part = name; part != NULL; part = strchr(part, '/')) {
        part += *part == '/';
        if (*part == '.' || *part == '/')
            return false;
    }
    return true;
}

/* A string of the manifest that fits and holds nothing that a terminal would obey. */
static bool copy_text(const json_t *object, const char *key, char *out, size_t size) {
    const char *text = json_string_value(json_object_get(object, key));
    size_t len = text != NULL ? strlen(text) : size;
    if (len >= size || len != json_string_length(json_object_get(object, key)))
        return false;
    for (size_t i = 0; i < len; i++)
        if (text[i] < 0x20 || text[i] > 0x7e)
            return false;
    memcpy(out, text, len + 1);
    return true;
}

static bool read_entry(const json_t *object, backup_entry *out) {
    char hex[65];
    size_t len = 0;
    json_int_t size = json_integer_value(json_object_get(object, "size"));
    if (!copy_text(object, "name", out->name, sizeof out->name) || !is_good_name(out->name) ||
        !json_is_integer(json_object_get(object, "size")) || size < 0 ||
        !copy_text(object, "hash", hex, sizeof hex) ||
        sodium_hex2bin(out->hash.bytes, sizeof out->hash.bytes, hex, strlen(hex), NULL, &len, NULL) != 0 ||
        len != sizeof out->hash.bytes)
        return false;
    out->size = (uint64_t)size;
    return true;
}

/* 1: read, 0: it is no manifest, < 0: out of memory. */
static int read_manifest(const char *text, size_t len, backup_manifest *out, store_error *err) {
    json_error_t why;
    json_t *all = json_loadb(text, len, JSON_REJECT_DUPLICATES, &why);
    const json_t *entries = json_object_get(all, "entries"), *created = json_object_get(all, "created");
    size_t count = json_array_size(entries);
    int rc = 0;
    if (json_is_array(entries) && count <= BACKUP_ENTRIES_MAX && json_is_integer(created) &&
        copy_text(all, "version", out->version, sizeof out->version) &&
        copy_text(all, "server", out->server, sizeof out->server)) {
        out->created = json_integer_value(created);
        out->entries = calloc(count > 0 ? count : 1, sizeof *out->entries);
        rc = out->entries != NULL ? 1 : store_out_of_memory(err);
        for (size_t i = 0; rc > 0 && i < count; i++, out->count = i)
            rc = read_entry(json_array_get(entries, i), &out->entries[i]);
        for (size_t i = 1; rc > 0 && i < count; i++)
            rc = strcmp(out->entries[i - 1].name, out->entries[i].name) < 0;
    }
    json_decref(all);
    if (rc <= 0)
        backup_manifest_release(out);
    return rc;
}

int backup_reader_manifest(backup_reader *r, backup_manifest *out, store_error *err) {
    uint8_t length[4];
    *out = (backup_manifest){0};
    if (r->file.sealed && !r->unlocked)
        return store_fail(err, STORE_DENIED, "the backup is sealed with a passphrase");
    int rc = get_content(r, length, sizeof length, err);
    if (rc != 0)
        return rc;
    uint64_t len = get_number(length, sizeof length);
    if (len == 0 || len > BACKUP_MANIFEST_MAX)
        return fail_altered(r, err);
    uint8_t *text = malloc((size_t)len);
    if (text == NULL)
        return store_out_of_memory(err);
    rc = get_content(r, text, (size_t)len, err);
    if (rc == 0 && (rc = read_manifest((const char *)text, (size_t)len, out, err)) == 0)
        rc = fail_altered(r, err);
    free(text);
    return rc > 0 ? 0 : rc;
}

int backup_reader_entry(backup_reader *r, const backup_manifest *m, size_t i, backup_write_fn *fn, void *ctx,
                        store_error *err) {
    crypto_generichash_state state;
    uint8_t buffer[4096];
    store_name hash;
    int rc = 0;
    crypto_generichash_init(&state, NULL, 0, HASH);
    for (uint64_t left = m->entries[i].size; rc == 0 && left > 0;) {
        size_t some = left < sizeof buffer ? (size_t)left : sizeof buffer;
        rc = get_content(r, buffer, some, err);
        if (rc == 0 && fn != NULL)
            rc = fn(ctx, buffer, some, err);
        crypto_generichash_update(&state, buffer, some);
        left -= some;
    }
    crypto_generichash_final(&state, hash.bytes, sizeof hash.bytes);
    return rc != 0 ? rc : store_name_equal(&hash, &m->entries[i].hash) ? 0 : fail_altered(r, err);
}

int backup_reader_end(backup_reader *r, store_error *err) {
    uint8_t expected[HASH], found[HASH], more;
    int rc = r->at < r->used ? fail_altered(r, err) : get_chunk(r, err);
    if (rc != 0)
        return rc > 0 ? fail_altered(r, err) : rc;
    if (!r->file.sealed) {
        crypto_generichash_final(&r->file.hash, expected, sizeof expected);
        int64_t got = r->fn(r->ctx, found, sizeof found, err);
        if (got < 0)
            return err != NULL && err->code != 0 ? err->code : STORE_FAILED;
        if (got != HASH)
            return fail_cut(err);
        if (memcmp(expected, found, sizeof expected) != 0)
            return fail_altered(r, err);
    }
    int64_t got = r->fn(r->ctx, &more, 1, err);
    if (got < 0)
        return err != NULL && err->code != 0 ? err->code : STORE_FAILED;
    return got == 0 ? 0 : store_fail(err, STORE_DAMAGED, "something was appended to the backup");
}
