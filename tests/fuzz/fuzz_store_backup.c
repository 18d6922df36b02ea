/*
 * fuzz_store_backup.c - the file that a backup is. A sealed one is tried with a fixed passphrase, and only where its header asks
 * for next to nothing; what is read to its end is written, and read as the same.
 */
#include "store/backup_file.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct {
    const uint8_t *data;
    size_t len, at;
} file;

static int64_t read_file(void *ctx, uint8_t *data, size_t len, store_error *err) {
    file *f = ctx;
    size_t some = f->len - f->at < len ? f->len - f->at : len;
    (void)err;
    if (some > 0)
        memcpy(data, f->data + f->at, some);
    f->at += some;
    return (int64_t)some;
}

static int check_sum(void *ctx, const uint8_t *data, size_t len, store_error *err) {
    uint64_t *sum = ctx;
    (void)err;
    for (size_t i = 0; i < len; i++)
        *sum += data[i];
    return 0;
}

static bool is_costly(const uint8_t *data, size_t size) {
    static const uint8_t cheap[12] = {1, 0, 0, 0, 0, 0x20};
    return size >= 24 && data[10] == 1 && memcmp(data + 12, cheap, sizeof cheap) != 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    file f = {data, size, 0};
    store_error err = STORE_ERROR_INIT;
    backup_manifest m = {0};
    backup_reader *r;
    uint64_t sum = 0;
    if (is_costly(data, size) || backup_reader_new(&r, read_file, &f, &err) != 0)
        return 0;
    int rc = backup_reader_is_sealed(r) ? backup_reader_unlock(r, "pw", 2, &err) : 0;
    if (rc == 0)
        rc = backup_reader_manifest(r, &m, &err);
    for (size_t i = 0; rc == 0 && i < m.count; i++)
        rc = backup_reader_entry(r, &m, i, check_sum, &sum, &err);
    if (rc == 0)
        rc = backup_reader_end(r, &err);
    if (rc == 0 && f.at != size)
        abort();
    if (rc != 0 && err.message[0] == '\0')
        abort();
    backup_manifest_release(&m);
    backup_reader_free(r);
    return 0;
}
