/*
 * backup_file.h - the file that a backup is: named entries in one sealed stream. It knows nothing of databases.
 *
 *     backup_writer *w;
 *     backup_writer_new(&w, passphrase, len, write, ctx, &err)
 *     backup_writer_manifest(w, &manifest, &err), backup_writer_add(w, data, len, &err)..., backup_writer_end(w, &err)
 *     backup_writer_free(w)
 *
 *     backup_reader *r;
 *     backup_reader_new(&r, read, ctx, &err); if (backup_reader_is_sealed(r)) backup_reader_unlock(r, ...)
 *     backup_reader_manifest(r, &manifest, &err), backup_reader_entry(r, &manifest, i, sink, sink_ctx, &err) for
 *     each entry in order, backup_reader_end(r, &err)
 *     backup_reader_free(r)
 *
 * Nothing that was read may be relied on before backup_reader_end has returned 0: only the end of the file proves the rest.
 *
 * The file. Numbers are little-endian and unsigned; there is no padding.
 *
 *   offset  bytes
 *   0       8      89 'T' 'R' 'V' 'T' 0d 0a 1a: a transfer as text breaks it
 *   8       2      version: 1
 *   10      1      0 anybody can read it, 1 sealed with a passphrase
 *   11      1      0
 *   12      4      passes of Argon2id   (0 where it is not sealed, as is the rest of the header)
 *   16      8      its memory in bytes
 *   24      16     its salt
 *   40      24     header of the stream: crypto_secretstream_xchacha20poly1305
 *   64             chunks to the end
 *
 *   a chunk
 *   0       4      n: bytes of content, 1 to 65536; 0 is the end mark
 *   4       n      not sealed: the content
 *           n+17   sealed: the content under the key that Argon2id makes of the passphrase, with header and n as additional
 *                  data; the tag is FINAL in the end mark and MESSAGE in all others
 *   Not sealed, the end mark is followed by the BLAKE2b-256 of everything before that hash. Nothing follows the end.
 *
 *   the content, its chunks put together
 *   0       4      m: bytes of the manifest, 1 to 32 MiB
 *   4       m      the manifest, JSON: {"version": of the program, "server": its id, "created": ms since 1970, "entries":
 *                  [{"name", "size", "hash": BLAKE2b-256 in hex}]}
 *   4+m            the entries' bytes, one after the other
 *
 * An entry's name is a path below the data folder, of the characters A-Z a-z 0-9 . _ - and /, no part of it empty or
 * beginning with a dot. Whoever restores must know each of them.
 *
 * What a file may ask of its reader is bounded before it is given: Argon2id's memory and passes (BACKUP_MEMORY_MAX,
 * BACKUP_PASSES_MAX), a chunk, the manifest and the number of its entries. An altered file is STORE_DAMAGED; without the
 * passphrase an alteration of a sealed file and a wrong passphrase are the same thing.
 */
#ifndef TRIVET_STORE_BACKUP_FILE_H
#define TRIVET_STORE_BACKUP_FILE_H

#include "store.h"

enum {
    BACKUP_HEADER_LEN = 64,
    BACKUP_CHUNK_MAX = 65536,
    BACKUP_MANIFEST_MAX = 32 << 20,
    BACKUP_ENTRIES_MAX = 100000,
    BACKUP_NAME_MAX = 255,
    BACKUP_PASSPHRASE_MAX = 1024,
    /* RFC 9106 §4, its second recommendation: a Raspberry Pi has that much memory to spare. */
    BACKUP_PASSES = 3,
    BACKUP_MEMORY = 64 << 20,
    /* Of somebody else's file: a few seconds. */
    BACKUP_PASSES_MAX = 16,
    BACKUP_MEMORY_MAX = 512 << 20
};

typedef struct {
    char name[BACKUP_NAME_MAX + 1];
    uint64_t size;
    store_name hash;
} backup_entry;

typedef struct {
    char version[32]; /* of the program that wrote it */
    char server[65];  /* "" where the folder has no id yet */
    int64_t created;  /* ms since 1970 */
    backup_entry *entries;
    size_t count;
    size_t left_out; /* files of jots that are missing or damaged; of one that is made only */
} backup_manifest;

void backup_manifest_release(backup_manifest *m);

/* ---- writing ---- */

typedef struct backup_writer backup_writer;

/* Takes all of the bytes, or returns non-zero and has filled `err`. */
typedef int backup_write_fn(void *ctx, const uint8_t *data, size_t len, store_error *err);

/* `passphrase` may be NULL: the file is not sealed. It is not kept. */
int backup_writer_new(backup_writer **out, const char *passphrase, size_t len, backup_write_fn *fn, void *ctx,
                      store_error *err);
int backup_writer_manifest(backup_writer *w, const backup_manifest *m, store_error *err);
/* The entries' bytes, in order; that they are what the manifest says is checked by backup_writer_end. */
int backup_writer_add(backup_writer *w, const void *data, size_t len, store_error *err);
int backup_writer_end(backup_writer *w, store_error *err);
void backup_writer_free(backup_writer *w); /* NULL is fine; wipes the key */

/* ---- reading ---- */

typedef struct backup_reader backup_reader;

/* As many bytes as there are, up to `len`: fewer only at the end of the file. Negative: failed, and `err` is filled. */
typedef int64_t backup_read_fn(void *ctx, uint8_t *data, size_t len, store_error *err);

int backup_reader_new(backup_reader **out, backup_read_fn *fn, void *ctx, store_error *err);
bool backup_reader_is_sealed(const backup_reader *r);
/* The work of a passphrase: a second or so. A wrong one shows with the manifest. */
int backup_reader_unlock(backup_reader *r, const char *passphrase, size_t len, store_error *err);
int backup_reader_manifest(backup_reader *r, backup_manifest *out, store_error *err);
/* Gives the bytes of entry `i` to `fn` (NULL: to none) and compares their hash. */
int backup_reader_entry(backup_reader *r, const backup_manifest *m, size_t i, backup_write_fn *fn, void *ctx,
                        store_error *err);
int backup_reader_end(backup_reader *r, store_error *err);
void backup_reader_free(backup_reader *r); /* NULL is fine; wipes the key */

#endif
