/*
 * record.c - ancestor records, and what `since` values mean.
 *
 * Whose records count for a phone is decided in one place (find_scope): its own name's; else, while it has
 * none yet, all of its device's; else those of the device that it replaced, and so on. "Has none" means that
 * none was ever added: records that retention dropped still count, because the `since` values that they left
 * behind do.
 */
#include "record.h"

#include "blob.h"
#include "device.h"
#include "sql.h"
#include <stdlib.h>
#include <string.h>

typedef struct {
    int64_t device; /* number of the device whose records count */
    int64_t phone;  /* number of the one phone of it, or 0 for all */
} scope;

/* 1: there, 0: not. */
static int device_number(store *s, const char *id, int64_t *num, char replaces[static DEVICE_ID_LEN + 1],
                         store_error *err) {
    sqlite3_stmt *q = sql_get(s, SQL_DEVICE_GET, err);
    sql_text(q, 1, id);
    int rc = sql_row(s, q, err);
    if (rc > 0) {
        sql_text_of(q, 9, replaces, DEVICE_ID_LEN + 1);
        *num = sqlite3_column_int64(q, sqlite3_column_count(q) - 1);
    }
    sql_reset(q);
    return rc;
}

/* 1: there, 0: not. */
static int phone_number(store *s, int64_t device_num, const char *phone, int64_t *num, bool *has_records,
                        store_error *err) {
    sqlite3_stmt *q = sql_get(s, SQL_PHONE_GET, err);
    sql_int(q, 1, device_num);
    sql_text(q, 2, phone);
    int rc = sql_row(s, q, err);
    if (rc > 0) {
        *num = sqlite3_column_int64(q, 0);
        *has_records = sqlite3_column_int(q, 1) != 0;
    }
    sql_reset(q);
    return rc;
}

/* 1: some phone of the device has records, 0: none. */
static int device_has_records(store *s, int64_t device_num, store_error *err) {
    sqlite3_stmt *q = sql_get(s, SQL_RECORD_HAS, err);
    sql_int(q, 1, device_num);
    int rc = sql_row(s, q, err);
    sql_reset(q);
    return rc;
}

/* 1: found, 0: no records count. */
static int find_scope(store *s, const char *device_id, const char *phone, scope *out, store_error *err) {
    char id[DEVICE_ID_LEN + 1];
    int64_t num = 0, phone_num = 0;
    bool has = false;
    int rc = device_number(s, device_id, &num, id, err);
    if (rc <= 0)
        return rc;
    if ((rc = phone_number(s, num, phone, &phone_num, &has, err)) < 0)
        return rc;
    *out = (scope){num, has ? phone_num : 0};
    while ((rc = device_has_records(s, out->device, err)) == 0 && *id != '\0') {
        char older[DEVICE_ID_LEN + 1];
        if ((rc = device_number(s, id, &out->device, older, err)) <= 0)
            return rc;
        memcpy(id, older, sizeof id);
    }
    return rc;
}

/* ---- adding ----------------------------------------------------------------------------------------- */

static int insert_record(store *s, scope owner, const record *r, store_error *err) {
    sqlite3_stmt *q = sql_get(s, SQL_RECORD_PUT, err);
    sql_int(q, 1, owner.device);
    sql_int(q, 2, owner.phone);
    sql_name(q, 3, &r->sent);
    sql_name(q, 4, &r->snapshot);
    sql_name(q, 5, r->has_ancestor ? &r->ancestor : NULL);
    sql_int(q, 6, r->since_before);
    sql_int(q, 7, r->time);
    return sql_run(s, q, err);
}

static int mark_phone(store *s, int64_t phone, store_error *err) {
    sqlite3_stmt *q = sql_get(s, SQL_RECORD_PHONE_HAS, err);
    sql_int(q, 1, phone);
    return sql_run(s, q, err);
}

/* The phone's number; a name that was never seen on the device becomes one that was, at `now`. */
static int need_phone(store *s, int64_t device_num, const char *phone, int64_t now, int64_t *num,
                      store_error *err) {
    sqlite3_stmt *q = sql_get(s, SQL_PHONE_PUT, err);
    sql_int(q, 1, device_num);
    sql_text(q, 2, phone);
    sql_int(q, 3, now);
    int rc = sql_run(s, q, err);
    bool has;
    if (rc == 0)
        rc = phone_number(s, device_num, phone, num, &has, err);
    return rc < 0 ? rc : 0;
}

static int since_put(store *s, scope owner, int64_t id, record_group group, int64_t since, store_error *err) {
    sqlite3_stmt *q = sql_get(s, SQL_SINCE_PUT, err);
    sql_int(q, 1, owner.device);
    sql_int(q, 2, group);
    sql_int(q, 3, since);
    sql_int(q, 4, id);
    sql_int(q, 5, owner.phone);
    return sql_run(s, q, err);
}

static int add(store *s, const char *device_id, const char *phone, record *r, store_error *err) {
    const store_name *names[] = {&r->sent, &r->snapshot, r->has_ancestor ? &r->ancestor : NULL};
    char replaces[DEVICE_ID_LEN + 1];
    scope owner = {0, 0};
    int rc = blob_require(s, names, sizeof names / sizeof *names, err);
    if (rc != 0)
        return rc;
    if ((rc = device_number(s, device_id, &owner.device, replaces, err)) <= 0)
        return rc < 0 ? rc : store_fail(err, STORE_NONE, "there is no device %.64s", device_id);
    if ((rc = need_phone(s, owner.device, phone, r->time, &owner.phone, err)) != 0 ||
        (rc = insert_record(s, owner, r, err)) != 0)
        return rc;
    r->id = sqlite3_last_insert_rowid(s->db);
    r->applied = 0;
    return mark_phone(s, owner.phone, err);
}

int record_add(store *s, const char *device_id, const char *phone, record *r, store_error *err) {
    bool own;
    int rc = sql_enter(s, &own, err);
    return rc == 0 ? sql_leave(s, own, add(s, device_id, phone, r, err), err) : rc;
}

static int applied(store *s, int64_t id, record_group group, int64_t since, store_error *err) {
    sqlite3_stmt *q = sql_get(s, SQL_RECORD_OWNER, err);
    sql_int(q, 1, id);
    int rc = sql_row(s, q, err);
    scope owner = {0, 0};
    int64_t groups = 0;
    if (rc > 0) {
        owner = (scope){sqlite3_column_int64(q, 0), sqlite3_column_int64(q, 1)};
        groups = sqlite3_column_int64(q, 2);
    }
    sql_reset(q);
    if (rc <= 0)
        return rc < 0 ? rc : STORE_NONE;
    rc = since_put(s, owner, id, group, since, err);
    if (rc != 0 || (groups & 1 << group) != 0)
        return rc;
    q = sql_get(s, SQL_RECORD_APPLIED, err);
    sql_int(q, 1, id);
    sql_int(q, 2, groups | 1 << group);
    return sql_run(s, q, err);
}

int record_applied(store *s, int64_t id, record_group group, int64_t since, store_error *err) {
    bool own;
    int rc = sql_enter(s, &own, err);
    return rc == 0 ? sql_leave(s, own, applied(s, id, group, since, err), err) : rc;
}

/* ---- asking ----------------------------------------------------------------------------------------- */

static bool read_record(sqlite3_stmt *q, record *out) {
    *out = (record){.id = sqlite3_column_int64(q, 0),
                    .since_before = sqlite3_column_int64(q, 4),
                    .applied = (unsigned)sqlite3_column_int(q, 5),
                    .time = sqlite3_column_int64(q, 6)};
    out->has_ancestor = sqlite3_column_type(q, 3) != SQLITE_NULL;
    return sql_name_of(q, 1, &out->sent) && sql_name_of(q, 2, &out->snapshot) &&
           (!out->has_ancestor || sql_name_of(q, 3, &out->ancestor));
}

int record_list(store *s, const char *device_id, const char *phone, record **out, size_t *count,
                store_error *err) {
    *out = NULL;
    *count = 0;
    scope whose;
    int rc = find_scope(s, device_id, phone, &whose, err);
    if (rc <= 0)
        return rc;
    record *all = NULL;
    size_t n = 0;
    sqlite3_stmt *q = sql_get(s, whose.phone != 0 ? SQL_RECORD_OF_PHONE : SQL_RECORD_OF_DEVICE, err);
    sql_int(q, 1, whose.phone != 0 ? whose.phone : whose.device);
    while ((rc = sql_row(s, q, err)) > 0) {
        record *grown = store_grow(all, n, sizeof *all);
        if (grown == NULL)
            rc = store_out_of_memory(err);
        else if (all = grown, !read_record(q, &all[n++]))
            rc = store_fail_damaged(s, err, "a record is not what it should be");
        if (rc < 0)
            break;
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

int record_by_since(store *s, const char *device_id, const char *phone, record_group group, int64_t since,
                    int64_t *id, store_error *err) {
    scope whose;
    int rc = find_scope(s, device_id, phone, &whose, err);
    if (rc <= 0)
        return rc < 0 ? rc : STORE_NONE;
    sqlite3_stmt *q = sql_get(s, whose.phone != 0 ? SQL_SINCE_OF_PHONE : SQL_SINCE_OF_DEVICE, err);
    sql_int(q, 1, whose.device);
    sql_int(q, 2, group);
    sql_int(q, 3, since);
    if (whose.phone != 0)
        sql_int(q, 4, whose.phone);
    rc = sql_row(s, q, err);
    bool gone = false;
    if (rc > 0) {
        *id = sqlite3_column_int64(q, 0);
        gone = sqlite3_column_int(q, 1) != 0;
    }
    sql_reset(q);
    return rc < 0 ? rc : rc == 0 ? STORE_NONE : gone ? STORE_GONE : 0;
}

/* ---- retention -------------------------------------------------------------------------------------- */

/* The id of a phone's record that has `newer` newer ones; 0: it has not as many. */
static int nth_newest(store *s, int64_t phone, size_t newer, int64_t *id, store_error *err) {
    sqlite3_stmt *q = sql_get(s, SQL_RECORD_NTH, err);
    sql_int(q, 1, phone);
    sql_int(q, 2, newer > INT64_MAX ? INT64_MAX : (int64_t)newer);
    int rc = sql_row(s, q, err);
    *id = rc > 0 ? sqlite3_column_int64(q, 0) : 0;
    sql_reset(q);
    return rc < 0 ? rc : 0;
}

/* The newest record, of the `max_rows` oldest, that goes with all before it; 0: none does. */
static int last_to_go(store *s, int64_t phone, int64_t now, const record_limits *limits, size_t max_rows,
                      int64_t *last, store_error *err) {
    int64_t may = 0, must = 0;
    *last = 0;
    int rc = nth_newest(s, phone, limits->least, &may, err);
    if (rc != 0 || may == 0)
        return rc;
    if ((rc = nth_newest(s, phone, limits->most, &must, err)) != 0)
        return rc;
    sqlite3_stmt *q = sql_get(s, SQL_RECORD_OLDEST, err);
    sql_int(q, 1, phone);
    sql_int(q, 2, max_rows > INT64_MAX ? INT64_MAX : (int64_t)max_rows);
    while ((rc = sql_row(s, q, err)) > 0) {
        int64_t id = sqlite3_column_int64(q, 0), time = sqlite3_column_int64(q, 1);
        if (id > may || (id > must && time >= now - limits->age_ms))
            break;
        *last = id;
    }
    sql_reset(q);
    return rc < 0 ? rc : 0;
}

static int prune_phone(store *s, int64_t phone, int64_t now, const record_limits *limits, size_t max_rows,
                       size_t *dropped, store_error *err) {
    int64_t last;
    int rc = last_to_go(s, phone, now, limits, max_rows, &last, err);
    if (rc != 0 || last == 0)
        return rc;
    /* A time that one of them came with, but that none is known to have led to, is not to look like a new one. */
    sqlite3_stmt *q = sql_get(s, SQL_RECORD_LEAVE, err);
    sql_int(q, 1, phone);
    sql_int(q, 2, last);
    if ((rc = sql_run(s, q, err)) != 0)
        return rc;
    q = sql_get(s, SQL_RECORD_PRUNE, err);
    sql_int(q, 1, phone);
    sql_int(q, 2, last);
    if ((rc = sql_run(s, q, err)) == 0)
        *dropped += (size_t)sqlite3_changes(s->db);
    return rc;
}

/* The first phone from that number on; 0: there is none. */
static int next_phone(store *s, int64_t *phone, store_error *err) {
    sqlite3_stmt *q = sql_get(s, SQL_RECORD_PHONES, err);
    sql_int(q, 1, *phone);
    int rc = sql_row(s, q, err);
    *phone = rc > 0 ? sqlite3_column_int64(q, 0) : 0;
    sql_reset(q);
    return rc < 0 ? rc : 0;
}

static int prune(store *s, int64_t now, const record_limits *limits, size_t max_rows, int64_t *cursor,
                 size_t *dropped, store_error *err) {
    size_t gone = 0;

    for (size_t visited = 0; visited < max_rows; visited++) {
        int64_t phone = *cursor;
        int rc = next_phone(s, &phone, err);
        if (rc == 0 && phone != 0)
            rc = prune_phone(s, phone, now, limits, max_rows - gone, &gone, err);
        if (rc != 0)
            return rc;
        *cursor = phone;
        if (phone == 0 || gone == max_rows)
            break; /* it may have more to go, and is visited once more */
        ++*cursor;
    }
    *dropped += gone;
    return 0;
}

int record_prune(store *s, int64_t now, const record_limits *limits, size_t max_rows, int64_t *cursor,
                 size_t *dropped, store_error *err) {
    bool own;
    int rc = sql_enter(s, &own, err);
    return rc == 0 ? sql_leave(s, own, prune(s, now, limits, max_rows, cursor, dropped, err), err) : rc;
}
