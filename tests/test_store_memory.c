/*
 * test_store_memory.c - an allocation that fails, each in its turn: SQLite's, the merge library's, the store's.
 *
 * malloc and its like are defined here and so taken by every library of the process. A sanitizer and valgrind have
 * their own, and there is nothing to test then.
 */
#include "test_store.h"

#include "store/device.h"
#include "store/grave.h"
#include "store/history.h"
#include "store/question.h"
#include "store/record.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define OWN_MALLOC 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define OWN_MALLOC 0
#endif
#endif
#ifndef OWN_MALLOC
#define OWN_MALLOC 1
#endif

static volatile size_t countdown; /* the allocation that fails; 0: none */

#if OWN_MALLOC
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *old, size_t size);

static int fails(void) {
    return countdown > 0 && --countdown == 0;
}

void *malloc(size_t size) {
    return fails() ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size) {
    return fails() ? NULL : __libc_calloc(count, size);
}

void *realloc(void *old, size_t size) {
    return fails() ? NULL : __libc_realloc(old, size);
}
#endif

/* Whether it is ours that a library calls. */
static bool malloc_can_fail(void) {
    countdown = OWN_MALLOC;
    void *some = sqlite3_malloc(1);
    countdown = 0;
    sqlite3_free(some);
    return some == NULL;
}

#define ITEM(id) "{\"id\":\"" id "\",\"text\":\"x\",\"position\":1}"
static const char before[] = "{\"lists\":[[" ITEM("a") "," ITEM("b") "]],\"lockedLists\":[]}";
static const char after[] = "{\"lists\":[[" ITEM("c") "," ITEM("b") "]],\"lockedLists\":[],\"x\":1}";

typedef struct {
    fixture *f;
    const char *folder;
    trivet_merge_state *before, *after;
    char device_id[DEVICE_ID_LEN + 1];
} scene;

static int pass(void *ctx, trivet_merge_section section, size_t slot, const trivet_merge_item *item) {
    (void)ctx;
    (void)section;
    (void)slot;
    (void)item;
    return 0;
}

static int write_all(scene *c, store *s, store_error *err) {
    record r = {.time = 1};
    history_line line = {.cause = "sync", .counts = "{}"};
    question_row row = {.kind = "tie", .body = "[]"};
    device d;
    char secret[37];
    uint8_t k[32];
    bool new_phone;
    int rc;
    if ((rc = head_get(s, &line.before, err)) != 0 ||
        (rc = snapshot_put(s, c->after, &line.after, err)) != 0 || (rc = head_set(s, &line.after, err)) != 0)
        return rc;
    r.sent = r.snapshot = line.after;
    if ((rc = record_add(s, c->device_id, "Pixel 8", &r, err)) != 0 ||
        (rc = record_applied(s, r.id, RECORD_LISTS, 5, err)) != 0 ||
        (rc = grave_update(s, c->before, c->after, 7, err)) != 0 || (rc = history_add(s, &line, err)) != 0 ||
        (rc = question_add(s, &row, err)) != 0 ||
        (rc = device_create(s, "new", c->device_id, 1, &d, secret, k, err)) != 0 ||
        (rc = device_seen(s, d.id, "Pixel 9", "", 2, &new_phone, err)) != 0)
        return rc;
    return store_meta_set(s, "key", "value", err);
}

/* A whole sync's worth of writing, and rolled back, so that it can be done again. */
static int scene_write(scene *c, store_error *err) {
    store *s = c->f->s;
    int rc = store_begin(s, err);
    if (rc == 0)
        rc = write_all(c, s, err);
    store_rollback(s);
    return rc;
}

static int read_lists(scene *c, store *s, store_error *err) {
    record *records = NULL;
    device *devices = NULL;
    device_phone *phones = NULL;
    history_line *lines = NULL;
    question_row *rows = NULL;
    size_t n = 0, questions = 0;
    int64_t id;
    device d;
    int rc = record_list(s, c->device_id, "Pixel 8", &records, &n, err);
    if (rc == 0)
        rc = record_by_since(s, c->device_id, "Pixel 8", RECORD_LISTS, 5, &id, err);
    if (rc == 0)
        rc = device_list(s, &devices, &n, err);
    if (rc == 0)
        rc = device_phones(s, c->device_id, &phones, &n, err);
    if (rc == 0)
        rc = device_find(s, "first", &d, err);
    if (rc == 0)
        rc = history_list(s, INT64_MAX, 10, &lines, &n, err);
    if (rc == 0)
        rc = question_list(s, &rows, &questions, err);
    if (rc == 0)
        rc = grave_each(s, pass, NULL, err);
    free(records);
    free(devices);
    free(phones);
    free(lines);
    question_list_free(rows, questions);
    return rc;
}

static int scene_read(scene *c, store_error *err) {
    store *s = c->f->s;
    store_name head;
    trivet_merge_state *state = NULL;
    int rc = head_get(s, &head, err);
    if (rc == 0)
        rc = snapshot_read(s, &head, &state, err);
    trivet_merge_state_free(state);
    return rc == 0 ? read_lists(c, s, err) : rc;
}

static int scene_open(scene *c, store_error *err) {
    store *s = NULL;
    int rc = store_open(c->folder, 0, &s, err);
    store_close(s);
    return rc;
}

static int scene_make(scene *c, store_error *err) {
    char path[4400];
    store *s = NULL;
    int rc = store_open(c->folder, STORE_CREATE, &s, err);
    store_close(s);
    snprintf(path, sizeof path, "%s/trivet.db", c->folder);
    unlink(path);
    return rc;
}

/* Runs a scene with its first allocation failing, then with the one `stride` after it, and so on, until it needs
 * no more than that. */
static void exhaust(scene *c, int (*run)(scene *, store_error *), bool fresh_statements, size_t stride) {
    fixture *f = c->f;
    size_t failed = 0;
    for (size_t at = 1;; at += stride) {
        if (at > 100000)
            fail_msg("no end of allocations");
        if (fresh_statements) /* or they would be prepared once and never again */
            reopen(f);
        countdown = at;
        int rc = run(c, &f->err);
        bool over = countdown > 0;
        countdown = 0;
        if (rc != 0 &&
            (rc != STORE_FAILED || f->err.code != STORE_FAILED || strstr(f->err.message, "memory") == NULL))
            fail_msg("allocation %zu: %d, %s", at, rc, f->err.message);
        failed += rc != 0;
        f->err = (store_error)STORE_ERROR_INIT;
        ok(run(c, &f->err)); /* and the next time it does */
        if (over)
            break;
    }
    assert_true(failed > 10);
}

static void every_allocation_may_fail(void **state) {
    fixture *f = *state;
    char other[4200];
    if (!malloc_can_fail())
        skip();
    scene c = {.f = f, .folder = other, .before = state_of(before), .after = state_of(after)};
    device d;
    char secret[37];
    uint8_t k[32];
    ok(device_create(f->s, "first", NULL, 1, &d, secret, k, &f->err));
    memcpy(c.device_id, d.id, sizeof d.id);
    exhaust(&c, scene_write, false, 1);
    exhaust(&c, scene_write, true, 1);
    ok(store_begin(f->s, &f->err));
    ok(write_all(&c, f->s, &f->err));
    ok(store_commit(f->s, &f->err));
    exhaust(&c, scene_read, false, 1);
    exhaust(&c, scene_read, true, 5);
    assert_int_equal(ask(f, "SELECT count(*) FROM history"), 1);
    assert_int_equal(ask(f, "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check = 'ok'"), 1);
    snprintf(other, sizeof other, "%s/other", f->root);
    exhaust(&c, scene_make, false, 97);
    store *s = NULL;
    ok(store_open(other, STORE_CREATE, &s, &f->err));
    store_close(s);
    exhaust(&c, scene_open, false, 7);
    trivet_merge_state_free(c.before);
    trivet_merge_state_free(c.after);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_allocation_may_fail, setup_store, teardown),
    };
    /* Thousands of openings and closings, none of which has to be durable. */
    if (access("/dev/shm", W_OK) == 0)
        setenv("TMPDIR", "/dev/shm", 0);
    return cmocka_run_group_tests_name("store: memory", tests, NULL, NULL);
}
