/*
 * test_store.c - the data folder: making, locking, refusing and keeping it.
 */
#include "test_store.h"

#include "store/folder.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <sysexits.h>

static int mode_of(const char *path) {
    struct stat st;
    return stat(path, &st) == 0 ? (int)(st.st_mode & 0777) : -1;
}

static void write_file(const char *path, const void *data, size_t len) {
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, data, len), (ssize_t)len);
    close(fd);
}

static void overwrite(const char *path, off_t at, const void *data, size_t len) {
    int fd = open(path, O_WRONLY);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, data, len, at), (ssize_t)len);
    close(fd);
}

/* Runs `body` in a process of its own; its assertions count by its exit status. */
static void in_child(void (*body)(fixture *), fixture *f) {
    fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        body(f);
        _exit(0);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

/* In a child cmocka's asserts would run the parent's tests on. */
#define must(condition)                                                                                      \
    do {                                                                                                     \
        if (!(condition)) {                                                                                  \
            fprintf(stderr, "%s:%d: %s: %s\n", __FILE__, __LINE__, #condition, f->err.message);              \
            _exit(1);                                                                                        \
        }                                                                                                    \
    } while (0)

/* ---- making and opening ----------------------------------------------------------------------------- */

static void makes_a_private_folder(void **state) {
    fixture *f = *state;
    char path[4300];
    mode_t old = umask(0);
    snprintf(f->folder, sizeof f->folder, "%s/a/b/data/", f->root);
    ok(store_open(f->folder, STORE_CREATE, &f->s, &f->err));
    ok(store_meta_set(f->s, "server.name", "attic", &f->err));
    umask(old);
    assert_string_equal(store_folder(f->s), f->folder);
    assert_int_equal(mode_of(f->folder), 0700);
    snprintf(path, sizeof path, "%s/a", f->root);
    assert_int_equal(mode_of(path), 0700);
    static const char *const names[] = {"trivet.db", "trivet.db-wal", "trivet.db-shm", "lock"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        assert_int_equal(mode_of(file_in(f, names[i], path)), 0600);
    assert_int_equal(access(file_in(f, "trivet.db.new", path), F_OK), -1);
}

static void has_the_settings(void **state) {
    fixture *f = *state;
    assert_int_equal(ask(f, "PRAGMA synchronous"), 2);
    assert_int_equal(ask(f, "PRAGMA foreign_keys"), 1);
    assert_true(ask(f, "PRAGMA user_version") > 0);
    assert_int_equal(ask(f, "PRAGMA application_id"), 0x54727674);
    assert_int_equal(ask(f, "SELECT count(*) FROM pragma_journal_mode WHERE journal_mode = 'wal'"), 1);
    assert_int_equal(ask(f, "SELECT count(*) FROM pragma_table_list WHERE schema = 'main' AND strict = 0"
                            " AND name NOT LIKE 'sqlite_%'"),
                     0);
}

static void starts_with_the_empty_state(void **state) {
    fixture *f = *state;
    store_name head;
    char *json = NULL;
    size_t len = 0;
    ok(head_get(f->s, &head, &f->err));
    ok(snapshot_get(f->s, &head, &json, &len, &f->err));
    assert_string_equal(json, "{\"lists\":[],\"listsCategories\":[],\"lockedLists\":[],"
                              "\"lockedListsCategories\":[],\"scratchpad\":[],\"scratchpadCategories\":[]}");
    assert_int_equal(len, strlen(json));
    free(json);
}

static void does_not_make_unasked(void **state) {
    fixture *f = *state;
    says(STORE_DENIED, f->folder, store_open(f->folder, 0, &f->s, &f->err));
    assert_int_equal(access(f->folder, F_OK), -1);
    assert_int_equal(mkdir(f->folder, 0700), 0);
    says(STORE_DENIED, "trivet.db", store_open(f->folder, 0, &f->s, &f->err));
    assert_null(f->s);
}

static void refuses_what_is_no_folder(void **state) {
    fixture *f = *state;
    write_file(f->folder, "x", 1);
    says(STORE_DENIED, f->folder, store_open(f->folder, STORE_CREATE, &f->s, &f->err));
    char below[4300];
    snprintf(below, sizeof below, "%s/below", f->folder);
    says(STORE_DENIED, f->folder, store_open(below, STORE_CREATE, &f->s, &f->err));
    says(STORE_DENIED, "", store_open("", STORE_CREATE, &f->s, &f->err));
}

static void keeps_values(void **state) {
    fixture *f = *state;
    char value[8];
    gives(STORE_NONE, store_meta_get(f->s, "server.id", value, sizeof value, &f->err));
    ok(store_meta_set(f->s, "server.id", "one", &f->err));
    ok(store_meta_set(f->s, "server.id", "seven77", &f->err));
    reopen(f);
    ok(store_meta_get(f->s, "server.id", value, sizeof value, &f->err));
    assert_string_equal(value, "seven77");
    says(STORE_FAILED, "server.id", store_meta_get(f->s, "server.id", value, 7, &f->err));
}

static void makes_random_ids(void **state) {
    (void)state;
    char a[33], b[33];
    store_random_id(a, 32);
    store_random_id(b, 32);
    assert_int_equal(strspn(a, "0123456789abcdef"), 32);
    assert_int_equal(strlen(a), 32);
    assert_string_not_equal(a, b);
}

static void finishes_a_making_that_was_cut_short(void **state) {
    fixture *f = *state;
    char path[4300];
    assert_int_equal(mkdir(f->folder, 0700), 0);
    write_file(file_in(f, "trivet.db.new", path), "half", 4);
    write_file(file_in(f, "trivet.db.new-journal", path), "half", 4);
    ok(store_open(f->folder, STORE_CREATE, &f->s, &f->err));
    assert_int_equal(access(path, F_OK), -1);
}

/* ---- transactions ----------------------------------------------------------------------------------- */

static void rolls_back(void **state) {
    fixture *f = *state;
    char value[8];
    ok(store_meta_set(f->s, "a", "old", &f->err));
    ok(store_begin(f->s, &f->err));
    ok(store_meta_set(f->s, "a", "new", &f->err));
    store_name fresh = put(f, "{\"lists\":[[]]}");
    ok(head_set(f->s, &fresh, &f->err));
    store_rollback(f->s);
    store_rollback(f->s);
    ok(store_meta_get(f->s, "a", value, sizeof value, &f->err));
    assert_string_equal(value, "old");
    says(STORE_FAILED, "never stored", head_set(f->s, &fresh, &f->err));
}

static void commits_or_not(void **state) {
    fixture *f = *state;
    char value[8];
    says(STORE_FAILED, "no transaction", store_commit(f->s, &f->err));
    ok(store_begin(f->s, &f->err));
    says(STORE_FAILED, "open already", store_begin(f->s, &f->err));
    ok(store_meta_set(f->s, "a", "kept", &f->err));
    ok(store_commit(f->s, &f->err));
    ok(store_begin(f->s, &f->err));
    ok(store_meta_set(f->s, "a", "lost", &f->err));
    reopen(f);
    ok(store_meta_get(f->s, "a", value, sizeof value, &f->err));
    assert_string_equal(value, "kept");
}

static void first_error_stands(void **state) {
    fixture *f = *state;
    char value[2];
    assert_int_equal(store_commit(f->s, &f->err), STORE_FAILED);
    assert_int_equal(store_meta_get(f->s, "none", value, sizeof value, &f->err), STORE_NONE);
    assert_int_equal(head_set(f->s, &(store_name){{1}}, &f->err), STORE_FAILED);
    says(STORE_FAILED, "no transaction", f->err.code);
    assert_int_equal(store_commit(f->s, NULL), STORE_FAILED);
}

/* A transaction that SQLite ended by itself must not go on as single commits. */
static void a_lost_transaction_takes_nothing_more(void **state) {
    fixture *f = *state;
    char value[8];
    ok(store_begin(f->s, &f->err));
    ok(store_meta_set(f->s, "a", "1", &f->err));
    assert_int_equal(sqlite3_exec(f->s->db, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
    says(STORE_FAILED, "rolled back", store_meta_set(f->s, "b", "2", &f->err));
    says(STORE_FAILED, "rolled back", store_commit(f->s, &f->err));
    store_rollback(f->s);
    gives(STORE_NONE, store_meta_get(f->s, "b", value, sizeof value, &f->err));
}

/* ---- the lock --------------------------------------------------------------------------------------- */

static void locks_out_a_second(void **state) {
    fixture *f = *state;
    store *second = NULL;
    assert_int_equal(store_open(f->folder, 0, &second, &f->err), STORE_LOCKED);
    assert_int_equal(f->err.holder, getpid());
    assert_int_equal(f->err.status, EX_TEMPFAIL);
    assert_non_null(strstr(f->err.message, f->folder));
    assert_null(second);
    f->err = (store_error)STORE_ERROR_INIT;
}

static void other_process(fixture *f) {
    int fd = -1; /* what store_open does, without the wait */
    must(folder_lock(f->folder, 0, &fd, &f->err) == STORE_LOCKED);
    must(f->err.holder == getppid());
}

static void locks_out_another_process(void **state) {
    in_child(other_process, *state);
}

/* A child holds the folder and lets go of it only after this process has begun to wait, or so it tries: the
 * test fails on no timing, since waiting for 2 s is more than the child takes. */
static void waits_for_a_lock(void **state) {
    fixture *f = *state;
    int ready[2];
    assert_int_equal(pipe(ready), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        store *s = NULL;
        must(store_open(f->folder, STORE_CREATE, &s, &f->err) == 0);
        must(write(ready[1], "x", 1) == 1);
        usleep(100 * 1000);
        _exit(0); /* not even closed */
    }
    char byte;
    assert_int_equal(read(ready[0], &byte, 1), 1);
    ok(store_open(f->folder, 0, &f->s, &f->err));
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    close(ready[0]);
    close(ready[1]);
}

/* ---- permission ------------------------------------------------------------------------------------- */

/* Root may do everything, so become nobody. */
static void drop_root(void) {
    if (getuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0))
        _exit(2);
}

static void open_as_nobody(fixture *f) {
    drop_root();
    store *s = NULL;
    must(store_open(f->folder, STORE_CREATE, &s, &f->err) == STORE_DENIED);
    must(f->err.code == STORE_DENIED);
    must(strstr(f->err.message, f->root) != NULL);
    must(f->err.status == EX_NOPERM);
    must(s == NULL);
}

static void says_what_it_may_not(void **state) {
    fixture *f = *state;
    assert_int_equal(chmod(f->root, 0555), 0);
    in_child(open_as_nobody, f); /* cannot make the folder */
    assert_int_equal(chmod(f->root, 0755), 0);
    ok(store_open(f->folder, STORE_CREATE, &f->s, &f->err));
    store_close(f->s);
    f->s = NULL;
    char path[4300];
    assert_int_equal(unlink(file_in(f, "lock", path)), 0);
    assert_int_equal(chmod(f->folder, 0500), 0);
    in_child(open_as_nobody, f); /* cannot lock it */
    assert_int_equal(chmod(f->folder, 0777), 0);
    if (getuid() != 0)
        return;
    assert_int_equal(chmod(file_in(f, "trivet.db", path), 0644), 0);
    in_child(open_as_nobody, f); /* may read the database only */
}

/* ---- damage ----------------------------------------------------------------------------------------- */

static void fill(fixture *f) {
    ok(store_open(f->folder, STORE_CREATE, &f->s, &f->err));
    ok(store_begin(f->s, &f->err));
    char key[32];
    for (int i = 0; i < 500; i++) {
        snprintf(key, sizeof key, "key %d", i);
        ok(store_meta_set(f->s, key, "a value, one of many, that takes some room", &f->err));
    }
    ok(store_commit(f->s, &f->err));
    store_close(f->s);
    f->s = NULL;
}

static void header_overwritten(fixture *f, const char *path) {
    (void)f;
    overwrite(path, 0, "not SQLite at all", 17);
}

static void page_overwritten(fixture *f, const char *path) {
    (void)f;
    char junk[4096];
    memset(junk, 0xa5, sizeof junk);
    for (off_t page = 1; page < 6; page++)
        overwrite(path, page * 4096, junk, sizeof junk);
}

static void cut_short(fixture *f, const char *path) {
    (void)f;
    assert_int_equal(truncate(path, 3 * 4096), 0);
}

static void emptied(fixture *f, const char *path) {
    char log[4300];
    assert_int_equal(truncate(path, 0), 0);
    write_file(file_in(f, "trivet.db-wal", log), "some of a log", 13);
}

static void emptied_alone(fixture *f, const char *path) {
    (void)f;
    assert_int_equal(truncate(path, 0), 0);
}

static void missing(fixture *f, const char *path) {
    char log[4300];
    assert_int_equal(unlink(path), 0);
    write_file(file_in(f, "trivet.db-wal", log), "some of a log", 13);
}

static void foreign(fixture *f, const char *path) {
    (void)f;
    sqlite3 *db = NULL;
    assert_int_equal(unlink(path), 0);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "CREATE TABLE head (x)", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

static void table_dropped(fixture *f, const char *path) {
    (void)f;
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "DROP TABLE head", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

static off_t size_of(const char *path) {
    struct stat st;
    return stat(path, &st) == 0 ? st.st_size : -1;
}

static void reports_damage_and_leaves_it(void **state) {
    static const struct {
        const char *name;
        void (*damage)(fixture *, const char *);
    } cases[] = {
        {"header", header_overwritten}, {"pages", page_overwritten}, {"cut", cut_short},
        {"empty, with a log", emptied}, {"empty", emptied_alone},    {"missing, with a log", missing},
        {"another program's", foreign}, {"no table", table_dropped}};
    fixture *f = *state;
    char path[4300], log[4300];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        snprintf(f->folder, sizeof f->folder, "%s/%zu", f->root, i);
        file_in(f, "trivet.db", path);
        file_in(f, "trivet.db-wal", log);
        fill(f);
        cases[i].damage(f, path);
        off_t size = size_of(path), log_size = size_of(log);
        int rc = store_open(f->folder, STORE_CREATE, &f->s, &f->err);
        store_name head;
        if (rc == 0)
            rc = head_get(f->s, &head, &f->err);
        if (rc != STORE_DAMAGED || f->err.status != EX_DATAERR || strstr(f->err.message, "backup") == NULL ||
            strstr(f->err.message, path) == NULL)
            fail_msg("%s: %d, %s", cases[i].name, rc, f->err.message);
        f->err = (store_error)STORE_ERROR_INIT;
        store_close(f->s);
        f->s = NULL;
        assert_int_equal(size_of(path), size);
        if (log_size > 0)
            assert_int_equal(size_of(log), log_size);
    }
}

/* The log of a killed process holds commits; a database damaged meanwhile must not swallow it. */
static void leave_a_log(fixture *f) {
    must(store_open(f->folder, STORE_CREATE, &f->s, &f->err) == 0);
    must(store_meta_set(f->s, "a", "only in the log", &f->err) == 0);
}

static void keeps_the_log_of_a_damaged_database(void **state) {
    fixture *f = *state;
    char path[4300], log[4300];
    in_child(leave_a_log, f);
    off_t size = size_of(file_in(f, "trivet.db-wal", log));
    assert_true(size > 0);
    page_overwritten(f, file_in(f, "trivet.db", path));
    int rc = store_open(f->folder, 0, &f->s, &f->err);
    assert_int_equal(rc, STORE_DAMAGED);
    assert_int_equal(size_of(log), size);
}

static void leave_a_newer_log(fixture *f) {
    must(store_open(f->folder, STORE_CREATE, &f->s, &f->err) == 0);
    must(sqlite3_exec(f->s->db, "PRAGMA user_version = 1000", NULL, NULL, NULL) == SQLITE_OK);
}

/* ... and leaves all of it as it is, the log included. */
static void refuses_a_newer_version(void **state) {
    fixture *f = *state;
    char log[4300];
    in_child(leave_a_newer_log, f);
    off_t size = size_of(file_in(f, "trivet.db-wal", log));
    assert_true(size > 0);
    int rc = store_open(f->folder, STORE_CREATE, &f->s, &f->err);
    assert_int_equal(f->err.status, EX_CONFIG);
    says(STORE_FAILED, "newer version", rc);
    assert_int_equal(size_of(log), size);
}

/* `VACUUM INTO` and the like give a database without a log. */
static void takes_a_restored_backup(void **state) {
    fixture *f = *state;
    char path[4300], value[64];
    fill(f);
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(file_in(f, "trivet.db", path), &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "PRAGMA journal_mode = DELETE", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    assert_int_equal(chmod(path, 0644), 0);
    ok(store_open(f->folder, 0, &f->s, &f->err));
    ok(store_meta_get(f->s, "key 7", value, sizeof value, &f->err));
    assert_int_equal(ask(f, "SELECT count(*) FROM pragma_journal_mode WHERE journal_mode = 'wal'"), 1);
    assert_int_equal(mode_of(path), 0600);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(makes_a_private_folder, setup_folder, teardown),
        cmocka_unit_test_setup_teardown(has_the_settings, setup_store, teardown),
        cmocka_unit_test_setup_teardown(starts_with_the_empty_state, setup_store, teardown),
        cmocka_unit_test_setup_teardown(does_not_make_unasked, setup_folder, teardown),
        cmocka_unit_test_setup_teardown(refuses_what_is_no_folder, setup_folder, teardown),
        cmocka_unit_test_setup_teardown(keeps_values, setup_store, teardown),
        cmocka_unit_test(makes_random_ids),
        cmocka_unit_test_setup_teardown(finishes_a_making_that_was_cut_short, setup_folder, teardown),
        cmocka_unit_test_setup_teardown(rolls_back, setup_store, teardown),
        cmocka_unit_test_setup_teardown(commits_or_not, setup_store, teardown),
        cmocka_unit_test_setup_teardown(first_error_stands, setup_store, teardown),
        cmocka_unit_test_setup_teardown(a_lost_transaction_takes_nothing_more, setup_store, teardown),
        cmocka_unit_test_setup_teardown(locks_out_a_second, setup_store, teardown),
        cmocka_unit_test_setup_teardown(locks_out_another_process, setup_store, teardown),
        cmocka_unit_test_setup_teardown(waits_for_a_lock, setup_folder, teardown),
        cmocka_unit_test_setup_teardown(says_what_it_may_not, setup_folder, teardown),
        cmocka_unit_test_setup_teardown(reports_damage_and_leaves_it, setup_folder, teardown),
        cmocka_unit_test_setup_teardown(keeps_the_log_of_a_damaged_database, setup_folder, teardown),
        cmocka_unit_test_setup_teardown(refuses_a_newer_version, setup_folder, teardown),
        cmocka_unit_test_setup_teardown(takes_a_restored_backup, setup_folder, teardown),
    };
    return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
