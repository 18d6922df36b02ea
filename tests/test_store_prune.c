/*
 * test_store_prune.c - retention: what is named is there, whatever was dropped between, and what is not is gone.
 *
 *   test_store_prune [RUNS [FIRST_SEED]]    that many random lives; default 12 from seed 1
 */
#include "test_store_life.h"

#include "store/blob.h"
#include "store/lost.h"
#include "store/revival.h"

#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* ---- lives ---------------------------------------------------------------------------------------------- */

static unsigned long runs = 12, first_seed = 1;

/* Edits, restores, syncs, prunings that end, that go on meanwhile, that are given up, and restarts, in any order. */
static void live(fixture *f, uint64_t seed) {
    life l;
    begin_life(&l, f, seed);
    for (int i = 0; i < 250; i++) {
        uint64_t what = roll(&l, 100);
        l.now += (int64_t)roll(&l, 4) * HOUR * (roll(&l, 30) == 0 ? 100 : 1);
        if (what < 45)
            edit(&l);
        else if (what < 52)
            record_something(&l);
        else if (what < 60)
            go_back(&l);
        else if (what < 92) {
            if (step(&l) == 0)
                give_up(&l);
        } else if (what < 94)
            give_up(&l);
        else if (what < 96)
            prune_all(&l);
        else if (what < 97) {
            give_up(&l);
            reopen(f);
            do_not_wait_for_the_disk(f);
            if (roll(&l, 2) == 0)
                ok(restored_note(f->s, l.now, &f->err));
        } else
            all_that_is_named_is_there(&l);
    }
    give_up(&l);
    prune_counts first = prune_all(&l), again = prune_all(&l);
    all_that_is_named_is_there(&l);
    (void)first;
    assert_int_equal(again.blobs + again.thinned + again.packed, 0);
}

static void keeps_what_is_named_and_no_more(void **state) {
    for (uint64_t seed = first_seed; seed < first_seed + runs; seed++) {
        void *each = NULL;
        (void)state;
        assert_int_equal(setup_store(&each), 0);
        print_message("# seed %llu\n", (unsigned long long)seed);
        live(each, seed);
        teardown(&each);
    }
}

/* A state that is there, but named by nothing, is made the head after so many steps of a pruning. */
static void what_is_named_meanwhile_stays(void **state) {
    fixture *f = *state;
    life l;
    bool ended = false;
    begin_life(&l, f, 5);
    for (int i = 0; i < 100; i++)
        edit(&l);
    for (int steps = 1; !ended; steps++) {
        char json[512];
        snprintf(json, sizeof json,
                 "{\"lists\":[[{\"id\":\"a\",\"position\":1,\"text\":\"given up "
                 "%d\"}]],\"scratchpad\":[{\"content\":\"%d\"}]}",
                 steps, steps);
        trivet_merge_state *later = state_of(json);
        store_name name;
        ok(snapshot_put(f->s, later, &name, &f->err));
        for (int i = 0; i < steps && !ended; i++)
            ended = step(&l) == 0;
        commit_state(&l, later);
        trivet_merge_state_free(later);
        while (!ended && step(&l) > 0)
            ;
        give_up(&l);
        all_that_is_named_is_there(&l);
    }
}

/* ---- what is kept, by age ------------------------------------------------------------------------------- */

static size_t kept_between(fixture *f, int64_t from, int64_t to) {
    history_line *lines = NULL;
    size_t count = 0, kept = 0;
    ok(history_list(f->s, INT64_MAX, SIZE_MAX, &lines, &count, &f->err));
    for (size_t i = 0; i < count; i++)
        kept += lines[i].time >= from && lines[i].time < to && (lines[i].kept & HISTORY_AFTER) != 0;
    free(lines);
    return kept;
}

static void thins_out_by_age(void **state) {
    fixture *f = *state;
    life l;
    begin_life(&l, f, 1);
    l.limits.hourly = 3 * PRUNE_DAY_MS;
    l.limits.daily = 21 * PRUNE_DAY_MS;
    l.limits.lines = 40 * PRUNE_DAY_MS;
    l.now = START - START % (7 * PRUNE_DAY_MS);
    int64_t first = l.now, days = 60;
    for (int64_t day = 0; day < days; day++)
        for (int i = 0; i < 4; i++) { /* at 0:00, 0:20, 0:40 and 12:00 */
            l.now = first + day * PRUNE_DAY_MS + (i == 3 ? 12 * HOUR : i * HOUR / 3);
            edit(&l);
            if (i == 3)
                prune_all(&l);
        }
    l.now = first + days * PRUNE_DAY_MS - 1;
    int64_t end = l.now + 1;
    prune_all(&l);
    assert_int_equal(kept_between(f, end - PRUNE_DAY_MS, end), 3 + 1);
    assert_int_equal(kept_between(f, end - 3 * PRUNE_DAY_MS, end - PRUNE_DAY_MS), 2 * 2);
    assert_int_equal(kept_between(f, end - 21 * PRUNE_DAY_MS, end - 3 * PRUNE_DAY_MS), 18);
    /* 39 days: five whole weeks, and a part of one whose last day is younger */
    assert_int_equal(kept_between(f, first, end - 21 * PRUNE_DAY_MS), 5);
    /* and lines without a state go with their age */
    assert_int_equal(ask(f, "SELECT count(*) FROM history WHERE kept = 0 AND time < 0"), 0);
    char text[200];
    snprintf(text, sizeof text, "SELECT count(*) FROM history WHERE kept = 0 AND time < %lld",
             (long long)(l.now - 40 * PRUNE_DAY_MS));
    assert_int_equal(ask(f, text), 0);
    snprintf(text, sizeof text, "SELECT count(*) FROM history WHERE time >= %lld",
             (long long)(l.now - 40 * PRUNE_DAY_MS));
    assert_int_equal(ask(f, text), 40 * 4);
    all_that_is_named_is_there(&l);
}

static void drops_old_traces(void **state) {
    fixture *f = *state;
    life l;
    begin_life(&l, f, 1);
    char fields[] = "[]", form[] = "{}";
    lost_row *rows, row = {.time = START,
                           .side = "phone",
                           .reason = "newer",
                           .fields = fields,
                           .form = form,
                           .stands = form};
    size_t count;
    for (int i = 0; i < 150; i++)
        ok(lost_add(f->s, &row, &f->err));
    row.time = START + 300 * PRUNE_DAY_MS;
    ok(lost_add(f->s, &row, &f->err));
    ok(revival_add(f->s, TRIVET_MERGE_LISTS, (trivet_merge_slice){"a", 1}, START, &f->err));
    record_something(&l);
    ok(restored_note(f->s, START, &f->err));
    assert_int_equal(ask(f, "SELECT count(*) FROM restored"), 1);
    prune_all(&l); /* the clock is seen to go on */
    for (int day = 0; day < 430; day++) {
        l.now = START + day * PRUNE_DAY_MS;
        prune_all(&l);
    }
    ok(lost_list(f->s, INT64_MAX, SIZE_MAX, &rows, &count, &f->err));
    assert_int_equal(count, 1);
    lost_list_free(rows, count);
    assert_int_equal(ask(f, "SELECT count(*) FROM revival"), 0);
    assert_int_equal(ask(f, "SELECT count(*) FROM restored"), 0);
}

/* What a busy server does in between: the records have their bound, all else waits for the whole run. */
static void drops_records_only(void **state) {
    fixture *f = *state;
    life l;
    begin_life(&l, f, 11);
    for (int i = 0; i < 70; i++) {
        edit(&l);
        record_something(&l);
    }
    l.now += 1000 * PRUNE_DAY_MS;
    int64_t blobs = ask(f, "SELECT count(*) FROM blob"), lines = ask(f, "SELECT sum(kept) FROM history");
    l.limits.records_only = true;
    l.limits.rows = 7;
    prune_counts done = prune_all(&l);
    assert_int_equal(ask(f, "SELECT count(*) FROM record"), l.limits.records.least);
    assert_int_equal(done.records, 70 - l.limits.records.least);
    assert_int_equal(done.steps, 70 / 7);
    assert_int_equal(done.thinned + done.lines + done.blobs + done.packed, 0);
    assert_int_equal(ask(f, "SELECT count(*) FROM blob"), blobs);
    assert_int_equal(ask(f, "SELECT sum(kept) FROM history"), lines);
    assert_true(prune_due(f->s, l.now));
    all_that_is_named_is_there(&l);
    l.limits.records_only = false;
    prune_all(&l);
    assert_true(ask(f, "SELECT count(*) FROM blob") < blobs);
    assert_false(prune_due(f->s, l.now));
    all_that_is_named_is_there(&l);
}

/* Nothing else names it: it was the present state for less than an hour, and no phone synced then. */
static void keeps_what_was_restored(void **state) {
    fixture *f = *state;
    life l;
    begin_life(&l, f, 7);
    record_something(&l);
    for (int i = 0; i < 4; i++) {
        edit(&l);
        if (i == 1)
            ok(restored_note(f->s, l.now, &f->err));
    }
    prune_all(&l); /* the clock is seen to go on */
    for (int day = 1; day < 60; day++) {
        l.now = START + day * PRUNE_DAY_MS;
        prune_all(&l);
    }
    assert_int_equal(ask(f, "SELECT count(*) FROM history WHERE kept <> 0"), 1);
    assert_int_equal(ask(f, "SELECT count(*) FROM restored"), 1);
    all_that_is_named_is_there(&l);
}

/* In a child: one run after the other, each step told of, until it is killed. */
static void prune_until_killed(const life *l, int tell) {
    store_error err = STORE_ERROR_INIT;
    store *s = NULL;
    if (store_open(l->f->folder, 0, &s, &err) != 0)
        _exit(1);
    for (;;) {
        prune *run = prune_new(&l->limits);
        int rc = 1;
        while (run != NULL && (rc = prune_step(run, s, l->now, &err)) > 0)
            if (write(tell, "", 1) != 1)
                _exit(1);
        if (rc != 0 || write(tell, "", 1) != 1)
            _exit(1);
        prune_end(run, s);
    }
}

static void a_killed_pruning_drops_nothing_that_is_named(void **state) {
    fixture *f = *state;
    life l;
    begin_life(&l, f, 9);
    for (int round = 0; round < 12; round++) {
        for (int i = 0; i < 25; i++) {
            l.now += (int64_t)roll(&l, 4) * HOUR;
            edit(&l);
            if (i % 5 == 0)
                record_something(&l);
        }
        l.now += (int64_t)roll(&l, 20) * PRUNE_DAY_MS;
        l.limits.rows = 1 + roll(&l, 8);
        int ends[2], status = 0;
        char told;
        assert_int_equal(pipe(ends), 0);
        store_close(f->s);
        f->s = NULL;
        fflush(NULL);
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
            close(ends[0]);
            prune_until_killed(&l, ends[1]);
        }
        close(ends[1]);
        for (uint64_t i = roll(&l, 60); i > 0; i--)
            assert_int_equal(read(ends[0], &told, 1), 1);
        nanosleep(&(struct timespec){.tv_nsec = (long)roll(&l, 1000000)}, NULL);
        kill(pid, SIGKILL);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status));
        close(ends[0]);
        ok(store_open(f->folder, 0, &f->s, &f->err));
        do_not_wait_for_the_disk(f);
        assert_int_equal(ask(f, "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check = 'ok'"),
                         1);
        all_that_is_named_is_there(&l);
    }
    prune_all(&l);
    prune_counts again = prune_all(&l);
    all_that_is_named_is_there(&l);
    assert_int_equal(again.blobs + again.thinned + again.packed, 0);
}

/* ---- space ---------------------------------------------------------------------------------------------- */

static void gives_space_back(void **state) {
    fixture *f = *state;
    life l;
    char *data = malloc(100000);
    assert_non_null(data);
    begin_life(&l, f, 1);
    edit(&l);
    ok(store_begin(f->s, &f->err));
    for (int i = 0; i < 60; i++) { /* what nothing names */
        store_name name;
        memset(data, 'a' + i, 100000);
        blob_name(data, 100000, &name);
        ok(blob_put(f->s, &name, data, 100000, &f->err));
    }
    ok(store_commit(f->s, &f->err));
    free(data);
    int64_t pages = ask(f, "PRAGMA page_count");
    prune_counts n = prune_all(&l);
    assert_int_equal(n.blobs, 60);
    assert_true(ask(f, "PRAGMA page_count") < pages / 4);
    all_that_is_named_is_there(&l);
}

/* A database of before is made so that it can. */
static void lets_an_old_one_shrink(void **state) {
    fixture *f = *state;
    life l;
    begin_life(&l, f, 1);
    edit(&l);
    assert_int_equal(sqlite3_exec(f->s->db, "PRAGMA auto_vacuum = NONE; VACUUM", NULL, NULL, NULL),
                     SQLITE_OK);
    assert_int_equal(ask(f, "PRAGMA auto_vacuum"), 0);
    reopen(f);
    assert_int_equal(ask(f, "PRAGMA auto_vacuum"), 2);
    all_that_is_named_is_there(&l);
}

static void knows_when_it_is_due(void **state) {
    fixture *f = *state;
    life l;
    begin_life(&l, f, 1);
    assert_true(prune_due(f->s, l.now));
    prune_all(&l);
    assert_false(prune_due(f->s, l.now + PRUNE_DAY_MS - 1));
    assert_true(prune_due(f->s, l.now + PRUNE_DAY_MS));
    assert_true(prune_due(f->s, l.now - 1));
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_what_is_named_and_no_more),
        cmocka_unit_test_setup_teardown(what_is_named_meanwhile_stays, setup_store, teardown),
        cmocka_unit_test_setup_teardown(thins_out_by_age, setup_store, teardown),
        cmocka_unit_test_setup_teardown(drops_old_traces, setup_store, teardown),
        cmocka_unit_test_setup_teardown(drops_records_only, setup_store, teardown),
        cmocka_unit_test_setup_teardown(keeps_what_was_restored, setup_store, teardown),
        cmocka_unit_test_setup_teardown(a_killed_pruning_drops_nothing_that_is_named, setup_store, teardown),
        cmocka_unit_test_setup_teardown(gives_space_back, setup_store, teardown),
        cmocka_unit_test_setup_teardown(lets_an_old_one_shrink, setup_store, teardown),
        cmocka_unit_test_setup_teardown(knows_when_it_is_due, setup_store, teardown),
    };
    runs = argc > 1 ? strtoul(argv[1], NULL, 10) : runs;
    first_seed = argc > 2 ? strtoul(argv[2], NULL, 10) : first_seed;
    return cmocka_run_group_tests_name("store: retention", tests, NULL, NULL);
}
