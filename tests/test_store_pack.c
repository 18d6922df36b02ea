/*
 * test_store_pack.c - what is past is packed: it takes less room, it reads as before, and damage to what others differ from is found.
 */
#include "test_store_life.h"

#include "store/fsck.h"
#include "store/pack.h"

static void packs_what_is_past(void **state) {
    fixture *f = *state;
    life l;
    begin_life(&l, f, 3);
    for (int i = 0; i < 120; i++)
        edit(&l);
    int64_t before = ask(f, "SELECT sum(length(data)) FROM blob");
    prune_counts n = prune_all(&l);
    assert_true(n.packed > 60);
    assert_int_equal(n.blobs + n.thinned, 0);
    assert_true(ask(f, "SELECT sum(length(data)) FROM blob") < before / 4);
    assert_true(ask(f, "SELECT count(*) FROM blob WHERE coding = 2") > 50);
    all_that_is_named_is_there(&l);
    reopen(f);
    all_that_is_named_is_there(&l);
}

/*
 * Of parts that nothing names, too, and after each step: a sync may name them again before the next one, and a kill may make
 * it the last, while what has a row is not stored again.
 */
static void all_bases_are_there(fixture *f) {
    assert_int_equal(0, ask(f, "SELECT count(*) FROM blob WHERE base IS NOT NULL AND base NOT IN "
                               "(SELECT num FROM blob WHERE coding <> 2)"));
}

static void a_difference_goes_before_what_it_differs_from(void **state) {
    fixture *f = *state;
    life l;
    trivet_merge_state *old;
    store_name name;
    begin_life(&l, f, 3);
    l.limits.rows = 1;
    for (int i = 0; i < 120; i++)
        edit(&l);
    old = head_of(f, &name); /* it will be a difference */
    for (int i = 0; i < 20; i++)
        edit(&l);
    prune_all(&l);
    assert_true(ask(f, "SELECT count(*) FROM blob WHERE coding = 2") > 50);
    l.now += 1000 * PRUNE_DAY_MS;
    edit(&l);
    l.limits.all = l.limits.hourly = l.limits.daily = 0;
    do {
        assert_true(step(&l) > 0);
        all_bases_are_there(f);
    } while (prune_done(l.run)->blobs < 30);
    commit_state(&l, old);
    while (step(&l) > 0)
        all_bases_are_there(f);
    all_bases_are_there(f);
    all_that_is_named_is_there(&l);
    give_up(&l);
    trivet_merge_state_free(old);
}

/* A packed part that was altered is seen, and a base that is gone; nothing is dropped then. */
static void damage_ends_a_pruning(void **state) {
    static const char *const DAMAGE[] = {
        "UPDATE blob SET data = CAST(substr(data, 1, length(data) - 1) || x'00' AS BLOB) WHERE coding = 2",
        "UPDATE blob SET size = size + 1 WHERE coding = 2",
        "UPDATE blob SET base = num WHERE coding = 2",
        "DELETE FROM blob WHERE coding = 1",
        "UPDATE blob SET data = zeroblob(9) WHERE coding = 1",
    };
    fixture *f = *state;
    life l;
    begin_life(&l, f, 4);
    for (int i = 0; i < 80; i++)
        edit(&l);
    prune_all(&l);
    for (size_t i = 0; i < sizeof DAMAGE / sizeof *DAMAGE; i++) {
        history_line *lines = NULL;
        size_t count, bad = 0;
        ok(history_list(f->s, INT64_MAX, SIZE_MAX, &lines, &count, &f->err));
        ok(store_begin(f->s, &f->err));
        assert_int_equal(sqlite3_exec(f->s->db, DAMAGE[i], NULL, NULL, NULL), SQLITE_OK);
        for (size_t k = 0; k < count; k++) {
            trivet_merge_state *got = NULL;
            int rc = snapshot_read(f->s, &lines[k].after, &got, &f->err);
            bad += rc == STORE_DAMAGED;
            assert_true(rc == 0 || rc == STORE_DAMAGED);
            f->err = (store_error)STORE_ERROR_INIT;
            trivet_merge_state_free(got);
        }
        assert_true(bad > 0);
        store_rollback(f->s);
        free(lines);
    }
    /* A part that is named and missing: no sweep. */
    assert_int_equal(sqlite3_exec(f->s->db,
                                  "DELETE FROM blob WHERE num = (SELECT max(num) FROM blob WHERE coding = 2)",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    sqlite3_exec(f->s->db, "INSERT INTO blob (name, data) VALUES (zeroblob(32), x'00')", NULL, NULL, NULL);
    int64_t blobs = ask(f, "SELECT count(*) FROM blob");
    prune *run = prune_new(&l.limits);
    int rc;
    while ((rc = prune_step(run, f->s, l.now, &f->err)) > 0)
        ;
    assert_int_equal(rc, STORE_DAMAGED);
    f->err = (store_error)STORE_ERROR_INIT;
    assert_int_equal(prune_step(run, f->s, l.now, &f->err), 0);
    prune_end(run, f->s);
    assert_int_equal(ask(f, "SELECT count(*) FROM blob"), blobs);
    assert_null(f->s->marks);
}

/* A few bytes that say they are many more than were ever packed, as a hostile backup may hold. */
static void unpacks_no_bomb(void **state) {
    (void)state;
    size_t size = PACK_MOST + 1, len;
    bool memory = true;
    uint8_t *zeros = calloc(1, size);
    assert_non_null(zeros);
    uint8_t *packed = pack((pack_bytes){zeros, size}, NULL, &len);
    assert_non_null(packed);
    assert_true(len < 1000);
    assert_null(unpack((pack_bytes){packed, len}, NULL, size, &memory));
    assert_false(memory);
    free(packed);
    packed = pack((pack_bytes){zeros, size - 1}, NULL, &len);
    uint8_t *back = unpack((pack_bytes){packed, len}, NULL, size - 1, &memory);
    assert_non_null(back);
    free(back);
    free(packed);
    free(zeros);
}

static void count_finding(void *ctx, const fsck_finding *finding) {
    size_t *parts = ctx;
    *parts += finding->fault && strcmp(finding->kind, "part") == 0;
}

static fsck_result check_folder(fixture *f, bool repair, size_t *parts) {
    fsck_options options = {
        .found = count_finding, .ctx = parts, .now = START + PRUNE_DAY_MS, .repair = repair};
    fsck_result result;
    *parts = 0;
    store_close(f->s);
    f->s = NULL;
    ok(fsck_run(f->folder, &options, &result, &f->err));
    ok(store_open(f->folder, 0, &f->s, &f->err));
    do_not_wait_for_the_disk(f);
    return result;
}

/* With what others differ from they are gone, too: fsck finds each, a repair drops all that they were part of, and no more. */
static void a_damaged_base_takes_what_differs_from_it(void **state) {
#define ONE_BASE "(SELECT base FROM blob WHERE coding = 2 GROUP BY base ORDER BY count(*) DESC LIMIT 1)"
    static const char *const DAMAGE[] = {
        "UPDATE blob SET data = zeroblob(9) WHERE num = " ONE_BASE,
        "UPDATE blob SET size = 1000000000 WHERE num = " ONE_BASE,
        "UPDATE blob SET coding = 2, base = num WHERE num = " ONE_BASE,
        "DELETE FROM blob WHERE num = " ONE_BASE,
    };
    fixture *f = *state;
    life l;
    begin_life(&l, f, 6);
    for (int i = 0; i < 60; i++)
        edit(&l);
    for (size_t i = 0; i < sizeof DAMAGE / sizeof *DAMAGE; i++) {
        store_name head, head_then;
        size_t parts;
        for (int k = 0; k < 60; k++)
            edit(&l);
        prune_all(&l);
        ok(head_get(f->s, &head, &f->err));
        int64_t lines = ask(f, "SELECT count(*) FROM history WHERE kept <> 0"),
                blobs = ask(f, "SELECT count(*) FROM blob");
        int64_t with_it = 1 + ask(f, "SELECT count(*) FROM blob WHERE base = " ONE_BASE);
        assert_true(with_it > 20);
        assert_int_equal(sqlite3_exec(f->s->db, DAMAGE[i], NULL, NULL, NULL), SQLITE_OK);
        fsck_result found = check_folder(f, false, &parts);
        assert_int_equal(parts, 6); /* five told, and the rest counted */
        found = check_folder(f, true, &parts);
        assert_true(found.repaired);
        found = check_folder(f, false, &parts);
        assert_int_equal(found.faults, 0);
        assert_int_equal(ask(f, "SELECT count(*) FROM blob"), blobs - with_it);
        assert_true(ask(f, "SELECT count(*) FROM history WHERE kept <> 0") < lines);
        ok(head_get(f->s, &head_then, &f->err));
        assert_true(store_name_equal(&head, &head_then));
        all_that_is_named_is_there(&l);
        prune_all(&l);
        all_that_is_named_is_there(&l);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(packs_what_is_past, setup_store, teardown),
        cmocka_unit_test_setup_teardown(a_difference_goes_before_what_it_differs_from, setup_store, teardown),
        cmocka_unit_test_setup_teardown(damage_ends_a_pruning, setup_store, teardown),
        cmocka_unit_test(unpacks_no_bomb),
        cmocka_unit_test_setup_teardown(a_damaged_base_takes_what_differs_from_it, setup_store, teardown),
    };
    return cmocka_run_group_tests_name("store: packing", tests, NULL, NULL);
}
