/*
 * snapshot.c - a state as a list of parts.
 *
 * The list, version 1. Numbers are little-endian and unsigned; there is no padding.
 *
 *   offset  bytes
 *   0       4      00 't' 'v' 's': no JSON text begins so, hence no part is ever taken for a list
 *   4       1      version: 1
 *   5              groups to the end, one for each top-level key, in the order of the canonical document
 *
 *   a group
 *   0       1      kind: 'v' the key's whole value is one part; 's' an array, each element a part of its own
 *   1       4      k: length of the key
 *   5       k      the key: the inside of its JSON string
 *   5+k     4      n: how many parts; 1 for 'v', 0 for an array that is there and empty
 *   9+k     32·n   the parts' names: BLAKE2b-256 of their JSON
 *
 * It is canonical: one state has one list, and the document is its parts with nothing but keys and brackets
 * around them. So the list's own hash names the state, and equal names mean equal documents.
 */
#include "snapshot.h"

#include "blob.h"
#include "memo.h"
#include "sql.h"
#include <stdlib.h>
#include <string.h>

enum { MAGIC_LEN = 5, NAME_LEN = sizeof(store_name) };
static const char magic[MAGIC_LEN] = {'\0', 't', 'v', 's', 1};

/* ---- bytes that grow -------------------------------------------------------------------------------- */

typedef struct {
    char *data;
    size_t len, capacity;
} buffer;

static bool append(buffer *b, const void *data, size_t len) {
    if (len > b->capacity - b->len) {
        size_t capacity = b->capacity < 1024 ? 1024 : b->capacity;
        while (capacity - b->len < len) {
            if (capacity > SIZE_MAX / 2)
                return false;
            capacity *= 2;
        }
        char *grown = realloc(b->data, capacity);
        if (grown == NULL)
            return false;
        b->data = grown;
        b->capacity = capacity;
    }
    if (len != 0)
        memcpy(b->data + b->len, data, len);
    b->len += len;
    return true;
}

static void put_u32(char *at, size_t value) {
    for (size_t i = 0; i < 4; i++)
        at[i] = (char)(value >> (8 * i) & 0xff);
}

static size_t get_u32(const uint8_t *at) {
    return (size_t)at[0] | (size_t)at[1] << 8 | (size_t)at[2] << 16 | (size_t)at[3] << 24;
}

/* ---- a state to its list ---------------------------------------------------------------------------- */

typedef struct {
    store *s; /* NULL: only the name is wanted */
    store_error *err;
    buffer list;
    size_t key, key_len; /* where the open group's key stands in the list; key 0: there is none */
    size_t count;        /* its parts so far */
} encoder;

static bool same_key(const encoder *e, trivet_merge_slice key) {
    return e->key != 0 && e->key_len == key.len && memcmp(e->list.data + e->key, key.data, key.len) == 0;
}

static bool open_group(encoder *e, trivet_merge_slice key, char kind) {
    char head[5] = {kind}, none[4] = {0};
    if (key.len > UINT32_MAX)
        return false;
    put_u32(head + 1, key.len);
    size_t start = e->list.len;
    e->key = start + sizeof head;
    e->key_len = key.len;
    e->count = 0;
    return append(&e->list, head, sizeof head) && append(&e->list, key.data, key.len) &&
           append(&e->list, none, sizeof none);
}

/* trivet_merge_part_fn: parts of one key come one after the other. */
static int encode_part(void *ctx, trivet_merge_slice key, size_t index, const char *json, size_t len) {
    encoder *e = ctx;
    bool whole = index == SIZE_MAX;
    if ((whole || !same_key(e, key)) && !open_group(e, key, whole ? 'v' : 's'))
        return store_out_of_memory(e->err);
    if (len == 0) /* an empty section */
        return 0;
    store_name name;
    memo_name(e->s != NULL ? e->s->memo : NULL, json, len, &name);
    if (!append(&e->list, name.bytes, sizeof name.bytes))
        return store_out_of_memory(e->err);
    put_u32(e->list.data + e->key + e->key_len, ++e->count);
    return e->s != NULL ? blob_put(e->s, &name, json, len, e->err) : 0;
}

static int encode(store *s, const trivet_merge_state *state, store_name *out, store_error *err) {
    encoder e = {.s = s, .err = err};
    int rc = append(&e.list, magic, MAGIC_LEN) ? 0 : store_out_of_memory(err);
    if (rc == 0) {
        rc = trivet_merge_state_write_parts(state, encode_part, &e);
        if (rc == TRIVET_MERGE_ENOMEM && (err == NULL || err->code == 0))
            rc = store_out_of_memory(err);
    }
    if (rc == 0) {
        blob_name(e.list.data, e.list.len, out);
        if (s != NULL)
            rc = blob_put(s, out, e.list.data, e.list.len, err);
    }
    free(e.list.data);
    return rc;
}

int snapshot_put(store *s, const trivet_merge_state *state, store_name *out, store_error *err) {
    bool own;
    int rc = sql_enter(s, &own, err);
    if (rc == 0)
        rc = sql_leave(s, own, encode(s, state, out, err), err);
    return rc;
}

int snapshot_name(const trivet_merge_state *state, store_name *out, store_error *err) {
    return encode(NULL, state, out, err);
}

/* ---- a list to its document ------------------------------------------------------------------------- */

static int copy_bytes(void *ctx, const uint8_t *data, size_t len, store_error *err) {
    return append(ctx, data, len) ? 0 : store_out_of_memory(err);
}

/*
 * A document that is being put together. A list may name a part any number of times, so a few bytes of a hostile backup could
 * become any number of them: beyond what needs no asking, a document is at most as large as packing makes likely.
 */
enum { UNASKED = 64 << 20, PACKED_TIMES = 16 };

typedef struct {
    store *s;
    buffer text;
    size_t most; /* 0: not asked for yet */
} document;

/* 0, or < 0 where the database is of no use. */
static int measure_database(document *d, store_error *err) {
    sqlite3_stmt *q = NULL;
    const char *question = "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size";
    int rc = sqlite3_prepare_v2(d->s->db, question, -1, &q, NULL);
    if (rc != SQLITE_OK)
        return sql_fail(d->s, rc, err);
    rc = sql_row(d->s, q, err);
    int64_t size = rc > 0 ? sqlite3_column_int64(q, 0) : 0;
    sqlite3_finalize(q);
    d->most = UNASKED + PACKED_TIMES * (size_t)(size > 0 ? size : 0);
    return rc < 0 ? rc : 0;
}

static int append_bytes(document *d, const void *data, size_t len, store_error *err) {
    size_t after = d->text.len + len;
    int rc = after > UNASKED && d->most == 0 ? measure_database(d, err) : 0;
    if (rc == 0 && after > UNASKED && after > d->most)
        rc = store_fail_damaged(d->s, err,
                                "a state in it names the same part again and again: it would be "
                                "larger than all of the database could make it");
    return rc == 0 && !append(&d->text, data, len) ? store_out_of_memory(err) : rc;
}

typedef struct {
    document *d;
    const store_name *name;
} reader;

static int copy_part(void *ctx, const uint8_t *data, size_t len, store_error *err) {
    reader *r = ctx;
    memo_keep(r->d->s->memo, r->name, data, len);
    return append_bytes(r->d, data, len, err);
}

static int append_part(document *d, const store_name *name, store_error *err) {
    size_t len = 0;
    const void *known = memo_find(d->s->memo, name, &len);
    reader r = {d, name};
    return known == NULL ? blob_get(d->s, name, copy_part, &r, err) : append_bytes(d, known, len, err);
}

/* The next `len` bytes of a list, or NULL if it ends before. */
static const uint8_t *take(const buffer *list, size_t *at, size_t len) {
    if (len > list->len - *at)
        return NULL;
    const uint8_t *taken = (const uint8_t *)list->data + *at;
    *at += len;
    return taken;
}

static int append_group(document *d, const buffer *list, size_t *at, store_error *err) {
    buffer *out = &d->text;
    const uint8_t *head = take(list, at, 5);
    size_t key_len = head != NULL ? get_u32(head + 1) : 0;
    const uint8_t *key = head != NULL ? take(list, at, key_len) : NULL;
    const uint8_t *number = key != NULL ? take(list, at, 4) : NULL;
    size_t count = number != NULL ? get_u32(number) : 0;
    bool array = head != NULL && head[0] == 's';
    if (number == NULL || (!array && (head[0] != 'v' || count != 1)) || count > (list->len - *at) / NAME_LEN)
        return store_fail_damaged(d->s, err, "a list of parts is not what it should be");
    bool ok = append(out, out->len > 1 ? ",\"" : "\"", out->len > 1 ? 2 : 1) && append(out, key, key_len) &&
              append(out, "\":[", array ? 3 : 2);
    int rc = ok ? 0 : store_out_of_memory(err);
    for (size_t i = 0; rc == 0 && i < count; i++) {
        store_name name;
        memcpy(name.bytes, take(list, at, NAME_LEN), NAME_LEN);
        if (i > 0 && !append(out, ",", 1))
            rc = store_out_of_memory(err);
        else
            rc = append_part(d, &name, err);
    }
    if (rc == 0 && array && !append(out, "]", 1))
        rc = store_out_of_memory(err);
    return rc;
}

bool snapshot_is_list(const uint8_t *data, size_t len) {
    return len >= MAGIC_LEN && memcmp(data, magic, MAGIC_LEN - 1) == 0;
}

int snapshot_parts(const uint8_t *data, size_t len, snapshot_part_fn *fn, void *ctx) {
    size_t at = MAGIC_LEN;
    if (len < MAGIC_LEN || memcmp(data, magic, MAGIC_LEN) != 0)
        return STORE_DAMAGED;
    while (at < len) {
        if (len - at < 9)
            return STORE_DAMAGED;
        bool array = data[at] == 's';
        size_t key_len = get_u32(data + at + 1);
        if ((!array && data[at] != 'v') || key_len > len - at - 9)
            return STORE_DAMAGED;
        const char *key = (const char *)data + at + 5;
        size_t count = get_u32(data + at + 5 + key_len);
        at += 9 + key_len;
        if (count > (len - at) / NAME_LEN || (!array && count != 1))
            return STORE_DAMAGED;
        int rc = count == 0 ? fn(ctx, key, key_len, array, 0, NULL) : 0;
        for (size_t i = 0; rc == 0 && i < count; i++, at += NAME_LEN) {
            store_name name;
            memcpy(name.bytes, data + at, NAME_LEN);
            rc = fn(ctx, key, key_len, array, i, &name);
        }
        if (rc != 0)
            return rc;
    }
    return 0;
}

int snapshot_get(store *s, const store_name *name, char **out, size_t *len, store_error *err) {
    buffer list = {0};
    document made = {.s = s};
    *out = NULL;
    int rc = blob_get(s, name, copy_bytes, &list, err);
    size_t at = 0;
    if (rc == 0) {
        const uint8_t *start = take(&list, &at, MAGIC_LEN);
        if (start == NULL || memcmp(start, magic, MAGIC_LEN) != 0)
            rc = store_fail_damaged(s, err, "a part of a state stands where a state should");
        else
            rc = append(&made.text, "{", 1) ? 0 : store_out_of_memory(err);
    }
    while (rc == 0 && at < list.len)
        rc = append_group(&made, &list, &at, err);
    if (rc == 0)
        rc = append(&made.text, "}", 2) ? 0 : store_out_of_memory(err); /* with a NUL */
    free(list.data);
    if (rc != 0) {
        free(made.text.data);
        return rc;
    }
    *len = made.text.len - 1;
    *out = made.text.data;
    return 0;
}

int snapshot_read(store *s, const store_name *name, trivet_merge_state **out, store_error *err) {
    char *json = NULL;
    size_t len = 0;
    *out = NULL;
    int rc = snapshot_get(s, name, &json, &len, err);
    if (rc != 0)
        return rc;
    trivet_merge_error merr = TRIVET_MERGE_ERROR_INIT;
    rc = trivet_merge_state_read_steal(json, len, TRIVET_MERGE_COMPUTER, out, &merr);
    if (rc == 0)
        return 0;
    if (rc == TRIVET_MERGE_ENOMEM)
        return store_out_of_memory(err);
    return store_fail_damaged(s, err, "a state in it cannot be read");
}

/* ---- the head --------------------------------------------------------------------------------------- */

int head_get(store *s, store_name *out, store_error *err) {
    sqlite3_stmt *q = sql_get(s, SQL_HEAD_GET, err);
    int rc = sql_row(s, q, err);
    if (rc == 0 || (rc > 0 && !sql_name_of(q, 0, out)))
        rc = store_fail_damaged(s, err, "it does not say what the present state is");
    sql_reset(q);
    return rc > 0 ? 0 : rc;
}

int head_set(store *s, const store_name *name, store_error *err) {
    int rc = blob_require(s, &name, 1, err);
    if (rc != 0)
        return rc;
    sqlite3_stmt *q = sql_get(s, SQL_HEAD_SET, err);
    sql_name(q, 1, name);
    return sql_run(s, q, err);
}
