/*
 * The store of test_reconcile_sim.c: one that all histories of a process share, and chance that comes from the seed.
 */
#ifndef TEST_RECONCILE_STORE_H
#define TEST_RECONCILE_STORE_H

#include "test_reconcile_ledger.h"

#include "store/snapshot.h"
#include "store/sql.h"

#include <fcntl.h>
#include <ftw.h>
#include <sodium.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

/* One for all runs of a process, emptied for each: making one takes as long as half a history. */
static store *the_store;
static char the_folder[64];

/* Ids and secrets come from the seed too, so that a run can be had again. */
static const char *seeded_name(void) {
    return "seeded";
}

static uint32_t seeded_random(void) {
    return pick(UINT32_MAX);
}

static void seeded_buf(void *out, size_t size) {
    for (size_t i = 0; i < size; i++)
        ((uint8_t *)out)[i] = (uint8_t)pick(256);
}

static struct randombytes_implementation seeded = {
    .implementation_name = seeded_name, .random = seeded_random, .buf = seeded_buf};

/* Nobody else opens the database, and half of the time would go into locking and unlocking it. */
static int take_lock_once(sqlite3 *db, const char **message, const struct sqlite3_api_routines *api) {
    (void)message, (void)api;
    return sqlite3_exec(db, "PRAGMA locking_mode = EXCLUSIVE", NULL, NULL, NULL);
}

/* Once, before anything else. */
static bool seed_everything(void) {
    randombytes_set_implementation(&seeded);
    return sqlite3_config(SQLITE_CONFIG_SINGLETHREAD) == SQLITE_OK &&
           sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0) == SQLITE_OK && sodium_init() >= 0 &&
           sqlite3_auto_extension((void (*)(void))take_lock_once) == SQLITE_OK;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw) {
    (void)st, (void)kind, (void)ftw;
    return remove(path);
}

static void drop_store(void) {
    store_close(the_store);
    the_store = NULL;
    if (the_folder[0])
        nftw(the_folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    the_folder[0] = '\0';
}

static void new_store(void) {
    store_error err = STORE_ERROR_INIT;
    const char *base = getenv("TMPDIR");
    if (!base && access("/dev/shm", W_OK) == 0)
        base = "/dev/shm"; /* power cuts are tested elsewhere: no need to wait for a disk */

    snprintf(the_folder, sizeof the_folder, "%s/trivet-sim-XXXXXX",
             base && strlen(base) < 40 ? base : "/tmp");
    must(mkdtemp(the_folder) != NULL, "no folder");
    must(store_open(the_folder, STORE_CREATE, &the_store, &err) == 0, err.message);
}

/* What takes out all that a history can have put into any table; the parts that the first state is made of stay. */
static const char *emptying(void) {
    static char text[2048];
    sqlite3_stmt *q = NULL;

    if (*text)
        return text;
    must(sqlite3_prepare_v2(
             the_store->db,
             "SELECT 'BEGIN; PRAGMA defer_foreign_keys = ON; ' || (SELECT group_concat('DELETE FROM '"
             " || name, '; ') FROM sqlite_schema WHERE type = 'table' AND name NOT IN"
             " ('meta', 'head', 'blob')) || '; DELETE FROM blob WHERE num > ' || max(num) ||"
             " '; COMMIT' FROM blob",
             -1, &q, NULL) == SQLITE_OK &&
             sqlite3_step(q) == SQLITE_ROW,
         "no tables");
    snprintf(text, sizeof text, "%s", sqlite3_column_text(q, 0));
    sqlite3_finalize(q);
    return text;
}

static void empty_store(void) {
    static store_name beginning;
    store_error err = STORE_ERROR_INIT;

    if (!the_store) {
        new_store();
        must(head_get(the_store, &beginning, &err) == 0, err.message);
    }
    must(sql_exec(the_store, emptying(), &err) == 0, err.message);
    must(head_set(the_store, &beginning, &err) == 0, err.message);
}

static void copy_file(const char *from, const char *to) {
    struct stat st;
    int in = open(from, O_RDONLY | O_CLOEXEC), out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    must(in >= 0 && out >= 0 && fstat(in, &st) == 0 &&
             sendfile(out, in, NULL, (size_t)st.st_size) == st.st_size,
         "copying the database failed");
    close(in);
    close(out);
}

/* The folder's database, closed, is all of it. */
static void copy_store(bool restore) {
    store_error err = STORE_ERROR_INIT;
    char live[128], kept[128];

    snprintf(live, sizeof live, "%s/trivet.db", the_folder);
    snprintf(kept, sizeof kept, "%s/kept.db", the_folder);
    store_close(the_store);
    the_store = NULL;
    copy_file(restore ? kept : live, restore ? live : kept);
    must(store_open(the_folder, 0, &the_store, &err) == 0, err.message);
}

/* ---- states in it ---- */

static trivet_merge_state *read_copy(const char *json, size_t len) {
    trivet_merge_error err = TRIVET_MERGE_ERROR_INIT;
    trivet_merge_state *state = NULL;
    char *copy = malloc(len + 1);

    must(copy != NULL, "out of memory");
    memcpy(copy, json, len);
    must(trivet_merge_state_read_steal(copy, len, TRIVET_MERGE_PHONE, &state, &err) == 0, err.reason);
    return state;
}

static trivet_merge_state *clone(const trivet_merge_state *from) {
    char *json;
    size_t len;

    must(trivet_merge_state_write(from, &json, &len) == 0, "write");
    trivet_merge_state *copy = read_copy(json, len);
    free(json);
    return copy;
}

static trivet_merge_state *computer_state(void) {
    store_error err = STORE_ERROR_INIT;
    store_name head;
    trivet_merge_state *state;

    must(head_get(the_store, &head, &err) == 0, err.message);
    must(snapshot_read(the_store, &head, &state, &err) == 0, err.message);
    return state;
}

#endif
