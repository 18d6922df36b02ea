/*
 * device.c - pairings, and the names that phones give themselves on them.
 *
 * A pairing is found by its secret's hash, never by anything that a peer could guess its way along: all rows
 * are read and compared each time, which is nothing for the handful there are.
 */
#include "device.h"

#include "sql.h"
#include "uuid.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include <sodium.h>

enum { HASH_LEN = 32, K_LEN = 32 };

static void hash_secret(const char *secret, uint8_t out[static HASH_LEN]) {
    crypto_generichash(out, HASH_LEN, (const uint8_t *)secret, strlen(secret), NULL, 0);
}

static void read_device(sqlite3_stmt *q, device *out) {
    *out = (device){0};
    sql_text_of(q, 0, out->id, sizeof out->id);
    sql_text_of(q, 1, out->name, sizeof out->name);
    out->named = sqlite3_column_int(q, 2) != 0;
    out->created_at = sqlite3_column_int64(q, 3);
    out->lapses_at = sqlite3_column_int64(q, 4);
    out->last_seen_at = sqlite3_column_int64(q, 5);
    out->last_sync_at = sqlite3_column_int64(q, 6);
    out->revoked_at = sqlite3_column_int64(q, 7);
    sql_text_of(q, 8, out->address, sizeof out->address);
    sql_text_of(q, 9, out->replaces, sizeof out->replaces);
    sql_text_of(q, 10, out->host, sizeof out->host);
    out->port = (uint16_t)sqlite3_column_int(q, 11);
    out->version_2_at = sqlite3_column_int64(q, 12);
}

/* 1: there, 0: not. `num` may be NULL. */
static int get_device(store *s, const char *id, device *out, int64_t *num, store_error *err) {
    sqlite3_stmt *q = sql_get(s, SQL_DEVICE_GET, err);
    sql_text(q, 1, id);
    int rc = sql_row(s, q, err);
    if (rc > 0) {
        read_device(q, out);
        if (num != NULL)
            *num = sqlite3_column_int64(q, sqlite3_column_count(q) - 1);
    }
    sql_reset(q);
    return rc;
}

static int fail_unknown(const char *id, store_error *err) {
    return store_fail(err, STORE_NONE, "there is no device %.64s", id);
}

/* ---- making ----------------------------------------------------------------------------------------- */

static int fresh_id(store *s, char id[static DEVICE_ID_LEN + 1], store_error *err) {
    int found;
    do {
        device taken;
        store_random_id(id, DEVICE_ID_LEN);
        found = get_device(s, id, &taken, NULL, err);
    } while (found > 0);
    return found;
}

static int insert_device(store *s, const device *d, const char *secret, const uint8_t *k, store_error *err) {
    uint8_t hash[HASH_LEN];
    hash_secret(secret, hash);
    sqlite3_stmt *q = sql_get(s, SQL_DEVICE_PUT, err);
    sql_text(q, 1, d->id);
    sql_text(q, 2, d->name);
    sql_int(q, 3, d->named);
    sql_blob(q, 4, hash, sizeof hash);
    sql_blob(q, 5, k, K_LEN);
    sql_int(q, 6, d->created_at);
    sql_int(q, 7, d->lapses_at);
    sql_text(q, 8, d->replaces);
    return sql_run(s, q, err);
}

static int create(store *s, device *d, const char *replaces, char *secret, uint8_t *k, store_error *err) {
    if (replaces != NULL) {
        device old;
        int found = get_device(s, replaces, &old, NULL, err);
        if (found <= 0)
            return found < 0 ? found : fail_unknown(replaces, err);
        memcpy(d->replaces, old.id, sizeof old.id);
    }
    int rc = fresh_id(s, d->id, err);
    if (rc != 0)
        return rc;
    uuid_v4(secret);
    randombytes_buf(k, K_LEN);
    return insert_device(s, d, secret, k, err);
}

int device_create(store *s, const char *name, const char *replaces, int64_t now, device *out,
                  char secret[static 37], uint8_t k[static 32], store_error *err) {
    if (name != NULL && strlen(name) > DEVICE_NAME_MAX) {
        store_fail(err, STORE_FAILED, "a device's name is at most %d bytes", (int)DEVICE_NAME_MAX);
        if (err != NULL && err->code == STORE_FAILED)
            err->status = EX_USAGE;
        return STORE_FAILED;
    }
    device d = {.created_at = now, .lapses_at = now + DEVICE_CODE_LIFE_MS};
    if (name != NULL && *name != '\0') {
        snprintf(d.name, sizeof d.name, "%s", name);
        d.named = true;
    }
    bool own;
    int rc = sql_enter(s, &own, err);
    if (rc == 0)
        rc = sql_leave(s, own, create(s, &d, replaces, secret, k, err), err);
    if (rc == 0)
        *out = d;
    return rc;
}

int device_set_place(store *s, const char *id, const char *host, uint16_t port, store_error *err) {
    sqlite3_stmt *q = sql_get(s, SQL_DEVICE_PLACE, err);
    sql_text(q, 1, id);
    sql_text(q, 2, host);
    sql_int(q, 3, port);
    return sql_run(s, q, err);
}

/* ---- finding ---------------------------------------------------------------------------------------- */

int device_by_secret(store *s, const char *secret, int64_t now, device *out, store_error *err) {
    uint8_t hash[HASH_LEN];
    char id[DEVICE_ID_LEN + 1] = "";
    hash_secret(secret, hash);
    sqlite3_stmt *q = sql_get(s, SQL_DEVICE_SECRETS, err);
    int rc;
    while ((rc = sql_row(s, q, err)) > 0) {
        const void *kept = sqlite3_column_blob(q, 1);
        if (kept == NULL || sqlite3_column_bytes(q, 1) != HASH_LEN)
            rc = store_fail_damaged(s, err, "a device's secret is not what it should be");
        else if (sodium_memcmp(kept, hash, HASH_LEN) == 0)
            sql_text_of(q, 0, id, sizeof id); /* and on to the end: the time tells nothing */
        if (rc < 0)
            break;
    }
    sql_reset(q);
    if (rc != 0)
        return rc;
    rc = get_device(s, id, out, NULL, err);
    if (rc <= 0)
        return rc < 0 ? rc : STORE_NONE;
    bool lapsed = out->lapses_at != 0 && out->lapses_at <= now;
    return lapsed || out->revoked_at != 0 ? STORE_NONE : 0;
}

static int read_key(store *s, sqlite3_stmt *q, int column, device_keys *out, int gen, store_error *err) {
    const void *kept = sqlite3_column_blob(q, column);
    out->has[gen] = kept != NULL;
    if (kept != NULL && sqlite3_column_bytes(q, column) != K_LEN)
        return store_fail_damaged(s, err, "a device's key is not what it should be");
    if (kept != NULL)
        memcpy(out->key[gen], kept, K_LEN);
    return 0;
}

/* *out becomes *row where `mine` is 1, and stays where it is 0, without a branch on which. */
static void take_keys(unsigned mine, const device_keys *row, device_keys *out) {
    uint8_t mask = (uint8_t)(0 - mine), *to = (uint8_t *)out;
    const uint8_t *from = (const uint8_t *)row;
    for (size_t i = 0; i < sizeof *row; i++)
        to[i] = (uint8_t)(to[i] ^ ((to[i] ^ from[i]) & mask));
}

/* One path, whichever device is asked for and whatever became of it: tests/test_opening_work.c counts the steps. */
int device_keys_get(store *s, const char *id, int64_t now, device_keys *out, store_error *err) {
    sqlite3_stmt *q = sql_get(s, SQL_DEVICE_KEYS, err);
    char wanted[DEVICE_ID_LEN + 1] = "";
    unsigned found = 0;
    int rc;
    memset(out, 0, sizeof *out);
    if (strlen(id) == DEVICE_ID_LEN)
        memcpy(wanted, id, sizeof wanted);
    while ((rc = sql_row(s, q, err)) > 0) {
        device_keys row = {{false, false}, {{0}, {0}}};
        char row_id[DEVICE_ID_LEN + 1] = "";
        sql_text_of(q, 0, row_id, sizeof row_id);
        int64_t lapses_at = sqlite3_column_int64(q, 3);
        bool usable = (lapses_at == 0 || lapses_at > now) && sqlite3_column_int64(q, 4) == 0;
        if ((rc = read_key(s, q, 1, &row, 0, err)) < 0 || (rc = read_key(s, q, 2, &row, 1, err)) < 0)
            break;
        unsigned mine = usable & (sodium_memcmp(row_id, wanted, sizeof wanted) == 0);
        take_keys(mine, &row, out);
        found |= mine;
        sodium_memzero(&row, sizeof row);
    }
    sql_reset(q);
    return rc < 0 ? rc : STORE_NONE * (int)(1 - found);
}

int device_secret_hash(store *s, const char *id, uint8_t hash[static 32], store_error *err) {
    sqlite3_stmt *q = sql_get(s, SQL_DEVICE_HASH, err);
    sql_text(q, 1, id);
    int rc = sql_row(s, q, err);
    if (rc > 0 && sqlite3_column_bytes(q, 0) == HASH_LEN)
        memcpy(hash, sqlite3_column_blob(q, 0), HASH_LEN);
    else if (rc > 0)
        rc = store_fail_damaged(s, err, "a device's secret is not what it should be");
    sql_reset(q);
    return rc > 0 ? 0 : rc == 0 ? STORE_NONE : rc;
}

static bool is_candidate(const device *d, const char *id) {
    return strncmp(d->id, id, strlen(id)) == 0 || strcmp(d->name, id) == 0;
}

/* Revoked devices only count where no other answers to the same name. */
static int choose(const device *all, size_t count, const char *id, device *out, store_error *err) {
    for (int revoked = 0; revoked <= 1; revoked++) {
        size_t found = 0;
        for (size_t i = 0; i < count; i++) {
            if ((all[i].revoked_at != 0) != (revoked != 0) || !is_candidate(&all[i], id))
                continue;
            *out = all[i];
            found++;
        }
        if (found == 1)
            return 0;
        if (found > 1)
            return store_fail(err, STORE_NONE, "more than one device is %.64s: give more of its id", id);
    }
    return fail_unknown(id, err);
}

int device_find(store *s, const char *id, device *out, store_error *err) {
    if (*id == '\0')
        return store_fail(err, STORE_NONE, "an empty name is no device's");
    int found = get_device(s, id, out, NULL, err);
    if (found != 0)
        return found > 0 ? 0 : found;
    device *all = NULL;
    size_t count = 0;
    int rc = device_list(s, &all, &count, err);
    if (rc == 0)
        rc = choose(all, count, id, out, err);
    free(all);
    return rc;
}

int device_list(store *s, device **out, size_t *count, store_error *err) {
    device *all = NULL;
    size_t n = 0;
    int rc;
    sqlite3_stmt *q = sql_get(s, SQL_DEVICE_LIST, err);
    while ((rc = sql_row(s, q, err)) > 0) {
        device *grown = store_grow(all, n, sizeof *all);
        if (grown == NULL) {
            rc = store_out_of_memory(err);
            break;
        }
        all = grown;
        read_device(q, &all[n++]);
    }
    sql_reset(q);
    if (rc != 0) {
        free(all);
        all = NULL;
        n = 0;
    }
    *out = all;
    *count = n;
    return rc;
}

static void read_phone(sqlite3_stmt *q, device_phone *out) {
    sql_text_of(q, 0, out->phone, sizeof out->phone);
    out->first_seen_at = sqlite3_column_int64(q, 1);
    out->last_seen_at = sqlite3_column_int64(q, 2);
    out->last_sync_at = sqlite3_column_int64(q, 3);
}

int device_phones(store *s, const char *id, device_phone **out, size_t *count, store_error *err) {
    *out = NULL;
    *count = 0;
    device d;
    int64_t num = 0;
    int rc = get_device(s, id, &d, &num, err);
    if (rc <= 0)
        return rc < 0 ? rc : STORE_NONE;
    device_phone *all = NULL;
    size_t n = 0;
    sqlite3_stmt *q = sql_get(s, SQL_PHONE_LIST, err);
    sql_int(q, 1, num);
    while ((rc = sql_row(s, q, err)) > 0) {
        device_phone *grown = store_grow(all, n, sizeof *all);
        if (grown == NULL) {
            rc = store_out_of_memory(err);
            break;
        }
        all = grown;
        read_phone(q, &all[n++]);
    }
    sql_reset(q);
    if (rc != 0) {
        free(all);
        return rc;
    }
    *out = all;
    *count = n;
    return 0;
}

/* ---- what happens to one ---------------------------------------------------------------------------- */

/* The new code is in use: the device that it replaces is done with, and so is one that was to be replaced by
 * that without it ever having come. A device only ever replaces an older one, so this ends. */
static int revoke_replaced(store *s, const device *d, int64_t now, store_error *err) {
    device old;
    char id[DEVICE_ID_LEN + 1];
    memcpy(id, d->replaces, sizeof id);
    while (*id != '\0') {
        int rc = get_device(s, id, &old, NULL, err);
        if (rc <= 0)
            return rc;
        sqlite3_stmt *q = sql_get(s, SQL_DEVICE_REVOKE, err);
        sql_text(q, 1, id);
        sql_int(q, 2, now);
        if ((rc = sql_run(s, q, err)) != 0)
            return rc;
        memcpy(id, old.replaces, sizeof id);
    }
    return 0;
}

/* Bound to a statement about one phone of a device: ?1 num, ?2 phone, ?3 time. */
static int run_phone(store *s, sql_id statement, int64_t num, const char *phone, int64_t now,
                     store_error *err) {
    sqlite3_stmt *q = sql_get(s, statement, err);
    sql_int(q, 1, num);
    sql_text(q, 2, phone);
    sql_int(q, 3, now);
    return sql_run(s, q, err);
}

/* Whether other names are known on this pairing and this one is not. */
static int is_new_phone(store *s, int64_t num, const char *phone, bool *out, store_error *err) {
    sqlite3_stmt *q = sql_get(s, SQL_PHONE_OTHERS, err);
    sql_int(q, 1, num);
    sql_text(q, 2, phone);
    int rc = sql_row(s, q, err);
    if (rc > 0)
        *out = sqlite3_column_int(q, 1) > 0 && sqlite3_column_int(q, 0) == 0;
    sql_reset(q);
    return rc < 0 ? rc : 0;
}

static int seen(store *s, const char *id, const char *phone, const char *address, int64_t now,
                bool *new_phone, store_error *err) {
    device d;
    int64_t num = 0;
    int rc = get_device(s, id, &d, &num, err);
    if (rc <= 0)
        return rc < 0 ? rc : fail_unknown(id, err);
    if ((rc = is_new_phone(s, num, phone, new_phone, err)) != 0)
        return rc;
    sqlite3_stmt *q = sql_get(s, SQL_DEVICE_SEEN, err);
    sql_text(q, 1, id);
    sql_int(q, 2, now);
    sql_text(q, 3, address);
    sql_text(q, 4, phone);
    if ((rc = sql_run(s, q, err)) != 0)
        return rc;
    if ((rc = run_phone(s, SQL_PHONE_PUT, num, phone, now, err)) != 0 ||
        (rc = run_phone(s, SQL_PHONE_SEEN, num, phone, now, err)) != 0)
        return rc;
    return d.lapses_at != 0 ? revoke_replaced(s, &d, now, err) : 0;
}

int device_seen(store *s, const char *id, const char *phone, const char *address, int64_t now,
                bool *new_phone, store_error *err) {
    *new_phone = false;
    bool own;
    int rc = sql_enter(s, &own, err);
    return rc == 0 ? sql_leave(s, own, seen(s, id, phone, address, now, new_phone, err), err) : rc;
}

static bool same_keys(const device_keys *a, const device_keys *b) {
    bool same = a->has[0] == b->has[0] && a->has[1] == b->has[1];
    return sodium_memcmp(a->key, b->key, sizeof a->key) == 0 && same;
}

static int keep_keys(store *s, const char *id, int gen, const device_keys *asked, const uint8_t *k1,
                     int64_t now, store_error *err) {
    sqlite3_stmt *q = sql_get(s, SQL_DEVICE_KEEP, err);
    sql_text(q, 1, id);
    if (gen == 0)
        sql_blob(q, 2, asked->key[0], K_LEN); /* and else NULL: erased */
    sql_blob(q, 3, gen == 0 ? k1 : asked->key[1], K_LEN);
    sql_int(q, 4, now);
    return sql_run(s, q, err);
}

int device_seen_version_2(store *s, const char *id, int gen, const device_keys *asked,
                          const uint8_t k1[static 32], const char *phone, const char *address, int64_t now,
                          device *out, bool *new_phone, store_error *err) {
    device_keys keys;
    bool own;
    *new_phone = false;
    int rc = sql_enter(s, &own, err);
    if (rc != 0)
        return rc;
    rc = device_keys_get(s, id, now, &keys, err);
    if (rc == 0 && (!keys.has[gen] || !same_keys(&keys, asked)))
        rc = STORE_NONE;
    sodium_memzero(&keys, sizeof keys);
    /* As it was before: whether this is its first time is told by that. */
    if (rc == 0 && (rc = get_device(s, id, out, NULL, err)) > 0)
        rc = 0;
    if (rc == 0)
        rc = seen(s, id, phone, address, now, new_phone, err);
    if (rc == 0)
        rc = keep_keys(s, id, gen, asked, k1, now, err);
    return sql_leave(s, own, rc, err);
}

static int synced(store *s, const char *id, const char *phone, int64_t now, store_error *err) {
    device d;
    int64_t num = 0;
    int rc = get_device(s, id, &d, &num, err);
    if (rc <= 0)
        return rc < 0 ? rc : fail_unknown(id, err);
    sqlite3_stmt *q = sql_get(s, SQL_DEVICE_SYNCED, err);
    sql_text(q, 1, id);
    sql_int(q, 2, now);
    if ((rc = sql_run(s, q, err)) != 0)
        return rc;
    rc = run_phone(s, SQL_PHONE_PUT, num, phone, now, err);
    return rc == 0 ? run_phone(s, SQL_PHONE_SYNCED, num, phone, now, err) : rc;
}

int device_synced(store *s, const char *id, const char *phone, int64_t now, store_error *err) {
    bool own;
    int rc = sql_enter(s, &own, err);
    return rc == 0 ? sql_leave(s, own, synced(s, id, phone, now, err), err) : rc;
}

static int network_seen(store *s, const char *id, const char *network, int64_t now, bool *new_network,
                        store_error *err) {
    device d;
    int64_t num = 0;
    int rc = get_device(s, id, &d, &num, err);
    if (rc <= 0)
        return rc < 0 ? rc : fail_unknown(id, err);
    sqlite3_stmt *q = sql_get(s, SQL_NETWORK_OTHERS, err);
    sql_int(q, 1, num);
    sql_text(q, 2, network);
    if ((rc = sql_row(s, q, err)) > 0)
        *new_network = sqlite3_column_int(q, 1) > 0 && sqlite3_column_int(q, 0) == 0;
    sql_reset(q);
    if (rc < 0 || (rc = run_phone(s, SQL_NETWORK_SEEN, num, network, now, err)) != 0)
        return rc;
    q = sql_get(s, SQL_NETWORK_BOUND, err);
    sql_int(q, 1, num);
    sql_int(q, 2, DEVICE_NETWORKS);
    return sql_run(s, q, err);
}

int device_network_seen(store *s, const char *id, const char *network, int64_t now, bool *new_network,
                        store_error *err) {
    *new_network = false;
    bool own;
    int rc = sql_enter(s, &own, err);
    return rc == 0 ? sql_leave(s, own, network_seen(s, id, network, now, new_network, err), err) : rc;
}

int device_rename(store *s, const char *id, const char *name, store_error *err) {
    device d;
    int rc = get_device(s, id, &d, NULL, err);
    if (rc <= 0)
        return rc < 0 ? rc : fail_unknown(id, err);
    sqlite3_stmt *q = sql_get(s, SQL_DEVICE_RENAME, err);
    sql_text(q, 1, id);
    sql_text(q, 2, name);
    return sql_run(s, q, err);
}

int device_revoke(store *s, const char *id, int64_t now, store_error *err) {
    device d;
    int rc = get_device(s, id, &d, NULL, err);
    if (rc <= 0)
        return rc < 0 ? rc : fail_unknown(id, err);
    sqlite3_stmt *q = sql_get(s, SQL_DEVICE_REVOKE, err); /* the first time of two stands */
    sql_text(q, 1, id);
    sql_int(q, 2, now);
    return sql_run(s, q, err);
}

static int drop_lapsed(store *s, int64_t now, store_error *err) {
    int rc = 0;
    /* A chain of lapsed codes shortens by a step each time at least. */
    do {
        sqlite3_stmt *q = sql_get(s, SQL_DEVICE_BYPASS, err);
        sql_int(q, 1, now);
        rc = sql_run(s, q, err);
    } while (rc == 0 && sqlite3_changes(s->db) > 0);
    if (rc != 0)
        return rc;
    sqlite3_stmt *q = sql_get(s, SQL_DEVICE_DROP_LAPSED, err);
    sql_int(q, 1, now);
    return sql_run(s, q, err);
}

int device_drop_lapsed(store *s, int64_t now, store_error *err) {
    bool own;
    int rc = sql_enter(s, &own, err);
    return rc == 0 ? sql_leave(s, own, drop_lapsed(s, now, err), err) : rc;
}
