/*
 * A backup's bytes: what was written comes back, and nothing else does. Each truncation, each altered byte and whatever is
 * appended is refused, in both forms; what a hostile header asks for is refused before it is given.
 */
#include "store/backup_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

static const char PASS[] = "correct horse";

/* ---- files in memory ------------------------------------------------------------------------------------ */

typedef struct {
    uint8_t *data;
    size_t len, at;
    size_t step; /* bytes of one read at most; 0: no limit */
} file;

static int write_file(void *ctx, const uint8_t *data, size_t len, store_error *err) {
    file *f = ctx;
    (void)err;
    f->data = realloc(f->data, f->len + len + 1);
    assert_non_null(f->data);
    memcpy(f->data + f->len, data, len);
    f->len += len;
    return 0;
}

static int64_t read_file(void *ctx, uint8_t *data, size_t len, store_error *err) {
    file *f = ctx;
    size_t some = f->len - f->at < len ? f->len - f->at : len;
    (void)err;
    memcpy(data, f->data + f->at, some);
    f->at += some;
    return (int64_t)some;
}

/* ---- backups -------------------------------------------------------------------------------------------- */

typedef struct {
    backup_manifest manifest;
    backup_entry entries[3];
    uint8_t *content[3];
} sample;

/* Three entries: a small one, an empty one, and one of more than a chunk. */
static void make_sample(sample *s, size_t large) {
    static const char *const names[] = {"jots/a-1.jpg", "jots/b", "trivet.db"};
    const size_t sizes[] = {5, 0, large};
    memset(s, 0, sizeof *s);
    for (size_t i = 0; i < 3; i++) {
        s->content[i] = malloc(sizes[i] + 1);
        for (size_t j = 0; j < sizes[i]; j++)
            s->content[i][j] = (uint8_t)(j * 7 + j / 251);
        strcpy(s->entries[i].name, names[i]);
        s->entries[i].size = sizes[i];
        crypto_generichash(s->entries[i].hash.bytes, 32, s->content[i], sizes[i], NULL, 0);
    }
    s->manifest =
        (backup_manifest){.version = "1.2.3", .server = "abc", .created = 1700000000000, .count = 3};
    s->manifest.entries = s->entries;
}

static void free_sample(sample *s) {
    for (size_t i = 0; i < 3; i++)
        free(s->content[i]);
}

static int write_sample(const sample *s, const char *pass, file *f) {
    store_error err = STORE_ERROR_INIT;
    backup_writer *w;
    assert_int_equal(0, backup_writer_new(&w, pass, pass ? strlen(pass) : 0, write_file, f, &err));
    int rc = backup_writer_manifest(w, &s->manifest, &err);
    for (size_t i = 0; rc == 0 && i < 3; i++)
        rc = backup_writer_add(w, s->content[i], (size_t)s->entries[i].size, &err);
    if (rc == 0)
        rc = backup_writer_end(w, &err);
    backup_writer_free(w);
    return rc;
}

/* Reads it all; `got` (may be NULL) takes the entries' bytes. */
static int read_backup(const file *from, const char *pass, backup_manifest *m, file *got, store_error *err) {
    file f = *from;
    backup_reader *r;
    *m = (backup_manifest){0};
    f.at = 0;
    int rc = backup_reader_new(&r, read_file, &f, err);
    if (rc == 0 && backup_reader_is_sealed(r) && pass != NULL)
        rc = backup_reader_unlock(r, pass, strlen(pass), err);
    if (rc == 0)
        rc = backup_reader_manifest(r, m, err);
    for (size_t i = 0; rc == 0 && i < m->count; i++)
        rc = backup_reader_entry(r, m, i, got != NULL ? write_file : NULL, got, err);
    if (rc == 0)
        rc = backup_reader_end(r, err);
    backup_reader_free(r);
    if (rc != 0)
        backup_manifest_release(m);
    return rc;
}

/* Argon2id as cheap as it gets, so that every byte can be tried: the parameters are the file's. */
static void make_cheap(file *f, const sample *s) {
    /* Sealed by hand: the header, then the same chunks under the same key. */
    uint8_t key[32], bound[68], seal[65536 + 17];
    crypto_secretstream_xchacha20poly1305_state stream;
    file plain = {0};
    assert_int_equal(0, write_sample(s, NULL, &plain));
    uint8_t header[64];
    memcpy(header, plain.data, 64);
    header[10] = 1;
    header[12] = 1;
    header[17] = 0x20; /* 8 KiB */
    randombytes_buf(header + 24, 16);
    assert_int_equal(
        0, crypto_pwhash(key, 32, PASS, strlen(PASS), header + 24, 1, 8192, crypto_pwhash_ALG_ARGON2ID13));
    crypto_secretstream_xchacha20poly1305_init_push(&stream, header + 40, key);
    write_file(f, header, 64, NULL);
    for (size_t at = 64;;) {
        size_t n = plain.data[at] | (size_t)plain.data[at + 1] << 8 | (size_t)plain.data[at + 2] << 16;
        memcpy(bound, header, 64);
        memcpy(bound + 64, plain.data + at, 4);
        crypto_secretstream_xchacha20poly1305_push(&stream, seal, NULL, plain.data + at + 4, n, bound,
                                                   sizeof bound,
                                                   n ? 0 : crypto_secretstream_xchacha20poly1305_TAG_FINAL);
        write_file(f, plain.data + at, 4, NULL);
        write_file(f, seal, n + 17, NULL);
        if (n == 0)
            break;
        at += 4 + n;
    }
    free(plain.data);
}

/* ---- what comes back ------------------------------------------------------------------------------------ */

static void check_same(const sample *s, const file *f, const char *pass) {
    store_error err = STORE_ERROR_INIT;
    backup_manifest m;
    file got = {0};
    size_t at = 0;
    assert_int_equal(0, read_backup(f, pass, &m, &got, &err));
    assert_string_equal("1.2.3", m.version);
    assert_string_equal("abc", m.server);
    assert_true(m.created == 1700000000000 && m.count == 3);
    for (size_t i = 0; i < 3; i++) {
        assert_string_equal(s->entries[i].name, m.entries[i].name);
        assert_memory_equal(s->content[i], got.data + at, (size_t)m.entries[i].size);
        at += (size_t)m.entries[i].size;
    }
    assert_int_equal(at, got.len);
    free(got.data);
    backup_manifest_release(&m);
}

static void test_comes_back(void **state) {
    static const size_t sizes[] = {0, 1, 65000, 65536, 200000};
    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        sample s;
        file plain = {0}, cheap = {0};
        make_sample(&s, sizes[i]);
        assert_int_equal(0, write_sample(&s, NULL, &plain));
        check_same(&s, &plain, NULL);
        make_cheap(&cheap, &s);
        check_same(&s, &cheap, PASS);
        free(plain.data);
        free(cheap.data);
        free_sample(&s);
    }
}

static void test_sealed_as_it_is_written(void **state) {
    (void)state;
    sample s;
    file f = {0};
    store_error err = STORE_ERROR_INIT;
    backup_manifest m;
    make_sample(&s, 100000);
    assert_int_equal(0, write_sample(&s, PASS, &f));
    check_same(&s, &f, PASS);
    for (size_t i = 0; i + 9 <= f.len; i++)
        assert_memory_not_equal(f.data + i, "trivet.db", 9);
    assert_int_equal(STORE_DAMAGED, read_backup(&f, "wrong", &m, NULL, &err));
    assert_non_null(strstr(err.message, "passphrase"));
    err = (store_error)STORE_ERROR_INIT;
    assert_int_equal(STORE_DENIED, read_backup(&f, NULL, &m, NULL, &err));
    free(f.data);
    free_sample(&s);
}

/* ---- what does not -------------------------------------------------------------------------------------- */

static void refuse_all(const file *f, const char *pass) {
    backup_manifest m;
    file copy = {malloc(f->len + 1), f->len, 0, 0};
    memcpy(copy.data, f->data, f->len);
    for (size_t len = 0; len < f->len; len++) {
        store_error err = STORE_ERROR_INIT;
        copy.len = len;
        assert_int_equal(STORE_DAMAGED, read_backup(&copy, pass, &m, NULL, &err));
        assert_true(err.message[0] != '\0');
    }
    copy.len = f->len;
    for (size_t i = 0; i < f->len; i++)
        for (unsigned bit = 0; bit < 8; bit += 7) {
            store_error err = STORE_ERROR_INIT;
            /* Memory that a header asks for costs the time to give it. */
            if (i >= 12 && i < 24 && f->data[10] == 1)
                continue;
            copy.data[i] ^= (uint8_t)(1u << bit);
            assert_int_not_equal(0, read_backup(&copy, pass, &m, NULL, &err));
            copy.data[i] ^= (uint8_t)(1u << bit);
        }
    store_error err = STORE_ERROR_INIT;
    copy.data[copy.len++] = 0;
    assert_int_equal(STORE_DAMAGED, read_backup(&copy, pass, &m, NULL, &err));
    assert_non_null(strstr(err.message, "appended"));
    free(copy.data);
}

static void test_altered(void **state) {
    (void)state;
    sample s;
    file plain = {0}, cheap = {0};
    make_sample(&s, 300);
    assert_int_equal(0, write_sample(&s, NULL, &plain));
    make_cheap(&cheap, &s);
    refuse_all(&plain, NULL);
    refuse_all(&cheap, PASS);
    free(plain.data);
    free(cheap.data);
    free_sample(&s);
}

/* A header's number, where it stands and how long it is. */
static void test_hostile_header(void **state) {
    (void)state;
    static const struct {
        size_t at, bytes;
        uint64_t value;
    } cases[] = {
        {12, 4, 0},
        {12, 4, BACKUP_PASSES_MAX + 1},
        {12, 4, UINT32_MAX},
        {16, 8, 0},
        {16, 8, (uint64_t)64 << 30},
        {16, 8, UINT64_MAX},
        {16, 8, 1},
        {16, 8, (uint64_t)BACKUP_MEMORY_MAX + 1},
        {8, 2, 2},
        {10, 1, 2},
        {11, 1, 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        sample s;
        file f = {0};
        store_error err = STORE_ERROR_INIT;
        backup_manifest m;
        make_sample(&s, 10);
        make_cheap(&f, &s);
        for (size_t j = 0; j < cases[i].bytes; j++)
            f.data[cases[i].at + j] = (uint8_t)(cases[i].value >> (8 * j));
        assert_int_equal(STORE_DAMAGED, read_backup(&f, PASS, &m, NULL, &err));
        free(f.data);
        free_sample(&s);
    }
}

/* A file whose every seal is right, and whose manifest is not. */
static void test_hostile_manifest(void **state) {
    (void)state;
    static const char *const manifests[] = {
        "",
        "{",
        "[]",
        "{}",
        "{\"version\":\"1\",\"server\":\"\",\"created\":0,\"entries\":{}}",
        "{\"version\":\"1\",\"server\":\"\",\"created\":0.5,\"entries\":[]}",
        "{\"version\":\"1\\u001b[2J\",\"server\":\"\",\"created\":0,\"entries\":[]}",
        "{\"version\":\"1\",\"server\":\"\",\"created\":0,\"created\":1,\"entries\":[]}",
        "{\"version\":\"1\",\"server\":\"\",\"created\":0,\"entries\":[7]}",
#define ENTRY(name, size, hash)                                                                              \
    "{\"version\":\"1\",\"server\":\"\",\"created\":0,\"entries\":[{\"name\":\"" name "\",\"size\":" size    \
    ",\"hash\":\"" hash "\"}]}"
#define ZERO "0000000000000000000000000000000000000000000000000000000000000000"
        ENTRY("../trivet.db", "0", ZERO),
        ENTRY("/etc/passwd", "0", ZERO),
        ENTRY("a//b", "0", ZERO),
        ENTRY("a/../b", "0", ZERO),
        ENTRY("a/", "0", ZERO),
        ENTRY(".hidden", "0", ZERO),
        ENTRY("", "0", ZERO),
        ENTRY("a b", "0", ZERO),
        ENTRY("a", "-1", ZERO),
        ENTRY("a", "9223372036854775807", ZERO),
        ENTRY("a", "1e3", ZERO),
        ENTRY("a", "0", "00"),
        ENTRY("a", "0", ZERO "00"),
        ENTRY("a", "0", ZERO),
    };
    for (size_t i = 0; i < sizeof manifests / sizeof *manifests; i++) {
        size_t len = strlen(manifests[i]);
        uint8_t header[64] = {0x89, 'T', 'R', 'V', 'T', 0x0d, 0x0a, 0x1a, 1}, hash[32];
        uint8_t numbers[8] = {(uint8_t)(len + 4), (uint8_t)((len + 4) >> 8), 0, 0,
                              (uint8_t)len,       (uint8_t)(len >> 8)};
        file f = {0};
        store_error err = STORE_ERROR_INIT;
        backup_manifest m;
        write_file(&f, header, sizeof header, NULL);
        write_file(&f, numbers, sizeof numbers, NULL);
        write_file(&f, (const uint8_t *)manifests[i], len, NULL);
        write_file(&f, (const uint8_t[4]){0}, 4, NULL);
        crypto_generichash(hash, 32, f.data, f.len, NULL, 0);
        write_file(&f, hash, 32, NULL);
        assert_int_equal(STORE_DAMAGED, read_backup(&f, NULL, &m, NULL, &err));
        free(f.data);
    }
}

/* An entry that is not what its manifest said is not written to its end. */
static void test_writer_checks(void **state) {
    (void)state;
    for (int how = 0; how < 3; how++) {
        sample s;
        file f = {0};
        make_sample(&s, 1000);
        if (how == 0)
            s.content[2][500] ^= 1;
        else
            s.entries[2].size += how == 1 ? 1 : (uint64_t)-1;
        if (how == 1) {
            s.content[2] = realloc(s.content[2], 1001);
            assert_non_null(s.content[2]);
            s.content[2][1000] = 0;
        }
        assert_int_equal(STORE_FAILED, write_sample(&s, NULL, &f));
        free(f.data);
        free_sample(&s);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_comes_back),       cmocka_unit_test(test_sealed_as_it_is_written),
        cmocka_unit_test(test_altered),          cmocka_unit_test(test_hostile_header),
        cmocka_unit_test(test_hostile_manifest), cmocka_unit_test(test_writer_checks),
    };
    if (sodium_init() < 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
