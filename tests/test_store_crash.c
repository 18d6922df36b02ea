/*
 * test_store_crash.c - a process that is killed, and a disk that is full.
 */
#include "test_store.h"

#include "store/device.h"
#include "store/history.h"
#include "store/record.h"
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <time.h>

enum { ROUNDS = 30, SLOTS = 12, SLOT_BYTES = 2000 };

/* In a child cmocka's asserts would run the parent's tests on. */
#define must(condition)                                                                                      \
    do {                                                                                                     \
        if (!(condition)) {                                                                                  \
            fprintf(stderr, "%s:%d: %s: %s\n", __FILE__, __LINE__, #condition, f->err.message);              \
            _exit(1);                                                                                        \
        }                                                                                                    \
    } while (0)

/* A generator that gives the same moments each time (xorshift32). */
static uint32_t next_random(uint32_t *seed) {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 17;
    *seed ^= *seed << 5;
    return *seed;
}

/* A state of some size of which each number changes one slot: {"lists":[[...],...]}. */
static trivet_merge_state *state_number(int64_t number) {
    static char json[SLOTS * (SLOT_BYTES + 200)];
    size_t at = (size_t)sprintf(json, "{\"lists\":[");
    for (int slot = 0; slot < SLOTS; slot++) {
        int64_t edits = (number + SLOTS - 1 - slot) / SLOTS;
        at += (size_t)sprintf(json + at, "%s[{\"id\":\"%d\",\"position\":1,\"text\":\"%lld ",
                              slot > 0 ? "," : "", slot, (long long)edits);
        memset(json + at, 'a' + slot, SLOT_BYTES);
        at += SLOT_BYTES;
        at += (size_t)sprintf(json + at, "\"}]");
    }
    sprintf(json + at, "]}");
    trivet_merge_state *state = NULL;
    trivet_merge_error err = TRIVET_MERGE_ERROR_INIT;
    return trivet_merge_state_read(json, strlen(json), TRIVET_MERGE_COMPUTER, &state, &err) == 0 ? state
                                                                                                 : NULL;
}

/* What a sync writes, as one transaction: state `number`, a record, a history line, and the number itself. */
static int sync_once(store *s, const char *device_id, int64_t number, store_error *err) {
    trivet_merge_state *state = state_number(number);
    char text[32];
    bool new_phone;
    record r = {.since_before = number, .time = number};
    history_line line = {.time = number, .cause = "sync", .counts = "{}"};
    snprintf(text, sizeof text, "%lld", (long long)number);
    int rc = state != NULL ? store_begin(s, err) : STORE_FAILED;
    if (rc == 0 && (rc = head_get(s, &line.before, err)) == 0 &&
        (rc = snapshot_put(s, state, &line.after, err)) == 0 && (rc = head_set(s, &line.after, err)) == 0) {
        r.sent = r.snapshot = line.after;
        if ((rc = record_add(s, device_id, "Pixel 8", &r, err)) == 0 &&
            (rc = record_applied(s, r.id, RECORD_LISTS, number, err)) == 0 &&
            (rc = history_add(s, &line, err)) == 0 &&
            (rc = device_seen(s, device_id, "Pixel 8", "", number, &new_phone, err)) == 0 &&
            (rc = store_meta_set(s, "number", text, err)) == 0)
            rc = store_commit(s, err);
    }
    if (rc != 0)
        store_rollback(s);
    trivet_merge_state_free(state);
    return rc;
}

static int64_t number_in(fixture *f) {
    char text[32];
    int rc = store_meta_get(f->s, "number", text, sizeof text, &f->err);
    return rc == STORE_NONE ? 0 : rc == 0 ? strtoll(text, NULL, 10) : -1;
}

/* The store holds exactly what `number` commits leave: no more, no less, and all of it sound. */
static void check_holds(fixture *f, int64_t number) {
    store_name head, expected;
    trivet_merge_state *kept = NULL, *wanted = state_number(number);
    assert_non_null(wanted);
    ok(head_get(f->s, &head, &f->err));
    ok(snapshot_name(wanted, &expected, &f->err));
    ok(snapshot_read(f->s, &head, &kept, &f->err));
    assert_true(store_name_equal(&head, &expected));
    assert_true(trivet_merge_state_equal(kept, wanted));
    trivet_merge_state_free(kept);
    trivet_merge_state_free(wanted);
    assert_int_equal(ask(f, "SELECT count(*) FROM record"), number);
    assert_int_equal(ask(f, "SELECT count(*) FROM record_since"), number);
    assert_int_equal(ask(f, "SELECT count(*) FROM history"), number);
    assert_int_equal(ask(f, "SELECT last_seen_at FROM device"), number);
    assert_int_equal(ask(f, "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check = 'ok'"), 1);
    assert_int_equal(ask(f, "SELECT count(*) FROM pragma_foreign_key_check"), 0);
}

static device pair(fixture *f) {
    device d = {0};
    char secret[37];
    uint8_t k[32];
    ok(device_create(f->s, NULL, NULL, 1, &d, secret, k, &f->err));
    return d;
}

/* ---- killed ----------------------------------------------------------------------------------------- */

/* Commits one after the other and tells of each, until it is killed. */
static void commit_until_killed(fixture *f, const char *device_id, int acknowledge) {
    must(store_open(f->folder, 0, &f->s, &f->err) == 0);
    for (int64_t number = number_in(f) + 1;; number++) {
        must(sync_once(f->s, device_id, number, &f->err) == 0);
        must(write(acknowledge, &number, sizeof number) == (ssize_t)sizeof number);
    }
}

/* Kills a child after a number of commits and a while; gives the last one that it told of. */
static int64_t kill_one(fixture *f, const char *device_id, uint32_t *seed) {
    int ends[2];
    int64_t told = 0;
    assert_int_equal(pipe(ends), 0);
    fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        close(ends[0]);
        commit_until_killed(f, device_id, ends[1]);
    }
    close(ends[1]);
    for (uint32_t i = 1 + next_random(seed) % 8; i > 0; i--)
        assert_int_equal(read(ends[0], &told, sizeof told), sizeof told);
    nanosleep(&(struct timespec){.tv_nsec = (long)(next_random(seed) % 1500) * 1000}, NULL);
    kill(pid, SIGKILL);
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
    while (read(ends[0], &told, sizeof told) == (ssize_t)sizeof told)
        ; /* what it told before it died */
    close(ends[0]);
    return told;
}

static void a_killed_process_loses_no_commit(void **state) {
    fixture *f = *state;
    uint32_t seed = 20240229;
    device d = pair(f);
    for (int round = 0; round < ROUNDS; round++) {
        store_close(f->s);
        f->s = NULL;
        int64_t told = kill_one(f, d.id, &seed);
        ok(store_open(f->folder, 0, &f->s, &f->err));
        int64_t kept = number_in(f);
        if (kept != told && kept != told + 1)
            fail_msg("round %d: told of %lld, kept %lld", round, (long long)told, (long long)kept);
        check_holds(f, kept);
    }
}

/* ---- full ------------------------------------------------------------------------------------------- */

static void limit_files(fixture *f, rlim_t bytes) {
    struct rlimit limit;
    must(getrlimit(RLIMIT_FSIZE, &limit) == 0);
    limit.rlim_cur = bytes;
    must(setrlimit(RLIMIT_FSIZE, &limit) == 0);
}

static rlim_t size_of(const fixture *f, const char *name) {
    char path[4300];
    struct stat st;
    return stat(file_in(f, name, path), &st) == 0 ? (rlim_t)st.st_size : 0;
}

/* Syncs until files may grow no more, then with room again: one handle all the while. */
static void fill_up(fixture *f, const char *device_id) {
    must(store_open(f->folder, 0, &f->s, &f->err) == 0);
    int64_t number = 0;
    while (number < 20)
        must(sync_once(f->s, device_id, ++number, &f->err) == 0);
    for (int times = 0; times < 3; times++) {
        rlim_t log = size_of(f, "trivet.db-wal"), db = size_of(f, "trivet.db");
        limit_files(f, (log > db ? log : db) + 20000 + (rlim_t)times * 1111);
        int rc;
        while ((rc = sync_once(f->s, device_id, number + 1, &f->err)) == 0)
            must(++number < 4000);
        must(rc == STORE_FULL && f->err.code == STORE_FULL && f->err.status == EX_IOERR);
        must(strstr(f->err.message, "space") != NULL);
        f->err = (store_error)STORE_ERROR_INIT;
        must(number_in(f) == number);
        must(sync_once(f->s, device_id, number + 1, &f->err) == STORE_FULL);
        f->err = (store_error)STORE_ERROR_INIT;
        limit_files(f, RLIM_INFINITY);
        must(sync_once(f->s, device_id, ++number, &f->err) == 0);
        must(number_in(f) == number);
    }
    store_close(f->s);
}

static void run(fixture *f, void (*body)(fixture *, const char *), const char *device_id) {
    fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        signal(SIGXFSZ, SIG_IGN);
        body(f, device_id);
        _exit(0);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void a_full_disk_changes_nothing(void **state) {
    fixture *f = *state;
    device d = pair(f);
    store_close(f->s);
    f->s = NULL;
    run(f, fill_up, d.id);
    ok(store_open(f->folder, 0, &f->s, &f->err));
    assert_true(number_in(f) >= 23);
    check_holds(f, number_in(f));
}

static void make_without_room(fixture *f, const char *device_id) {
    (void)device_id;
    store *s = NULL;
    for (rlim_t bytes = 0; bytes <= 16384; bytes += 4096) {
        limit_files(f, bytes);
        must(store_open(f->folder, STORE_CREATE, &s, &f->err) == STORE_FULL);
        must(f->err.code == STORE_FULL && s == NULL);
        f->err = (store_error)STORE_ERROR_INIT;
    }
}

static void a_full_disk_makes_no_half_a_store(void **state) {
    fixture *f = *state;
    char path[4300];
    run(f, make_without_room, NULL);
    assert_int_equal(access(file_in(f, "trivet.db", path), F_OK), -1);
    assert_int_equal(access(file_in(f, "trivet.db.new", path), F_OK), -1);
    ok(store_open(f->folder, STORE_CREATE, &f->s, &f->err));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_killed_process_loses_no_commit, setup_store, teardown),
        cmocka_unit_test_setup_teardown(a_full_disk_changes_nothing, setup_store, teardown),
        cmocka_unit_test_setup_teardown(a_full_disk_makes_no_half_a_store, setup_folder, teardown),
    };
    return cmocka_run_group_tests_name("store: crashes", tests, NULL, NULL);
}
