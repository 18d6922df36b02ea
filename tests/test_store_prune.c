/*
 * test_store_prune.c - retention: what is named is there, whatever was dropped between, and what is not is gone.
 *
 *   test_store_prune [RUNS [FIRST_SEED]]    that many random lives; default 12 from seed 1
 */
#include "test_store.h"

#include "serve/commit.h"
#include "state/edit.h"
#include "store/blob.h"
#include "store/device.h"
#include "store/fsck.h"
#include "store/history.h"
#include "store/lost.h"
#include "store/pack.h"
#include "store/prune.h"
#include "store/record.h"
#include "store/restored.h"
#include "store/revival.h"

#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define HOUR (3600 * 1000LL)

static const int64_t START = 1700000000000LL;

/* ---- a computer with a history -------------------------------------------------------------------------- */

typedef struct {
    fixture *f;
    uint64_t random;
    int64_t now;
    int64_t counter;
    char device_id[DEVICE_ID_LEN + 1];
    prune *run; /* NULL: none is under way */
    prune_limits limits;
} life;

static uint64_t roll(life *l, uint64_t sides) {
    l->random ^= l->random << 13;
    l->random ^= l->random >> 7;
    l->random ^= l->random << 17;
    return (l->random >> 16) % sides;
}

static trivet_merge_state *head_of(fixture *f, store_name *name) {
    trivet_merge_state *state = NULL;
    ok(head_get(f->s, name, &f->err));
    ok(snapshot_read(f->s, name, &state, &f->err));
    return state;
}

static void commit_state(life *l, const trivet_merge_state *after) {
    fixture *f = l->f;
    store_name was, name;
    trivet_merge_state *before = head_of(f, &was);
    history_line line = {.time = l->now, .cause = "edit"};
    ok(store_begin(f->s, &f->err));
    ok(commit_head(f->s, before, after, &line, &name, &f->err));
    ok(store_commit(f->s, &f->err));
    trivet_merge_state_free(before);
}

/* One ordinary edit; a slot holds some twenty items of some hundred bytes, so that it is worth packing. */
static void edit(life *l) {
    store_name name;
    edit_error why = EDIT_ERROR_INIT;
    trivet_merge_item item;
    trivet_merge_state *state = head_of(l->f, &name);
    size_t slot = roll(l, 2), count = trivet_merge_item_count(state, TRIVET_MERGE_LISTS, slot);
    char text[128], id[257];
    snprintf(text, sizeof text, "%08llx number %lld of many that are much alike",
             (unsigned long long)roll(l, UINT32_MAX), (long long)++l->counter);
    if (count < 20)
        assert_int_equal(edit_add(state, TRIVET_MERGE_LISTS, slot, text, l->now, &item, &why), 0);
    else {
        assert_true(trivet_merge_item_at(state, TRIVET_MERGE_LISTS, slot, roll(l, count), &item));
        snprintf(id, sizeof id, "%.*s", (int)item.id.len, item.id.data);
        edit_text(state, id, text, l->now, &item, &why);
    }
    commit_state(l, state);
    trivet_merge_state_free(state);
}

/* A record of some of the states that are around. */
static void record_something(life *l) {
    fixture *f = l->f;
    record r = {.since_before = l->counter, .time = l->now, .has_ancestor = roll(l, 3) != 0};
    history_line *lines = NULL;
    size_t count = 0;
    ok(head_get(f->s, &r.snapshot, &f->err));
    r.sent = r.ancestor = r.snapshot;
    ok(history_list(f->s, INT64_MAX, 30, &lines, &count, &f->err));
    for (int i = 0; i < 2 && count > 0; i++) {
        const history_line *line = &lines[roll(l, count)];
        if (line->kept & HISTORY_AFTER)
            *(i ? &r.sent : &r.ancestor) = line->after;
    }
    free(lines);
    ok(record_add(f->s, l->device_id, "Pixel", &r, &f->err));
}

/* The present state becomes one of before, part by part as it was stored then. */
static void go_back(life *l) {
    fixture *f = l->f;
    history_line *lines = NULL;
    size_t count = 0;
    ok(history_list(f->s, INT64_MAX, 200, &lines, &count, &f->err));
    if (count > 0) {
        const history_line *line = &lines[roll(l, count)];
        trivet_merge_state *state = NULL;
        if (line->kept & HISTORY_AFTER) {
            ok(snapshot_read(f->s, &line->after, &state, &f->err));
            commit_state(l, state);
            trivet_merge_state_free(state);
        }
    }
    free(lines);
}

/* ---- is everything there? ------------------------------------------------------------------------------- */

/* Reads a state whole: every part is checked against its name, and the state's own name against its parts. */
static void must_read(fixture *f, const store_name *name, const char *what, int64_t id) {
    trivet_merge_state *state = NULL;
    store_name found;
    if (snapshot_read(f->s, name, &state, &f->err) != 0)
        fail_msg("%s of %lld: %s", what, (long long)id, f->err.message);
    ok(snapshot_name(state, &found, &f->err));
    assert_true(store_name_equal(&found, name));
    trivet_merge_state_free(state);
}

static void all_that_is_named_is_there(life *l) {
    fixture *f = l->f;
    store_name head;
    history_line *lines = NULL;
    record *records = NULL;
    size_t count = 0;
    ok(head_get(f->s, &head, &f->err));
    must_read(f, &head, "head", 0);
    ok(history_list(f->s, INT64_MAX, SIZE_MAX, &lines, &count, &f->err));
    for (size_t i = 0; i < count; i++) {
        if (l->now - lines[i].time < l->limits.all)
            assert_int_equal(lines[i].kept, HISTORY_AFTER | HISTORY_BEFORE);
        if (lines[i].kept & HISTORY_AFTER)
            must_read(f, &lines[i].after, "state after line", lines[i].id);
        if (lines[i].kept & HISTORY_BEFORE)
            must_read(f, &lines[i].before, "state before line", lines[i].id);
    }
    free(lines);
    ok(record_list(f->s, l->device_id, "Pixel", &records, &count, &f->err));
    for (size_t i = 0; i < count; i++) {
        must_read(f, &records[i].sent, "sent of record", records[i].id);
        must_read(f, &records[i].snapshot, "snapshot of record", records[i].id);
        if (records[i].has_ancestor)
            must_read(f, &records[i].ancestor, "ancestor of record", records[i].id);
    }
    free(records);
    int64_t restored = 0;
    do {
        ok(restored_next(f->s, &restored, &head, &f->err));
        if (restored != 0)
            must_read(f, &head, "restored after record", restored);
    } while (restored != 0);
}

/* ---- pruning -------------------------------------------------------------------------------------------- */

static int step(life *l) {
    fixture *f = l->f;
    if (l->run == NULL && (l->run = prune_new(&l->limits)) == NULL)
        fail_msg("out of memory");
    int rc = prune_step(l->run, f->s, l->now, &f->err);
    if (rc < 0)
        fail_msg("prune: %s", f->err.message);
    return rc;
}

static void give_up(life *l) {
    prune_end(l->run, l->f->s);
    l->run = NULL;
}

static prune_counts prune_all(life *l) {
    while (step(l) > 0)
        ;
    prune_counts counts = *prune_done(l->run);
    give_up(l);
    return counts;
}

/* What power does to the store is another test's matter. */
static void do_not_wait_for_the_disk(fixture *f) {
    assert_int_equal(sqlite3_exec(f->s->db, "PRAGMA synchronous = OFF", NULL, NULL, NULL), SQLITE_OK);
}

static void begin_life(life *l, fixture *f, uint64_t seed) {
    char secret[37];
    uint8_t k[32];
    device d;
    *l = (life){.f = f, .random = seed * UINT64_C(0x9E3779B97F4A7C15) + 1, .now = START};
    l->limits = (prune_limits)PRUNE_LIMITS_INIT;
    do_not_wait_for_the_disk(f);
    ok(device_create(f->s, "phone", NULL, START, &d, secret, k, &f->err));
    snprintf(l->device_id, sizeof l->device_id, "%s", d.id);
    l->limits.records = (record_limits){2, 20, 10 * PRUNE_DAY_MS};
    l->limits.rows = seed % 3 == 0 ? 1 : PRUNE_ROWS; /* a step of one row ends within a state */
}

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

/* Nothing else names it: it was the present state for less than an hour, and no phone synced then. */
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

/* ---- packing -------------------------------------------------------------------------------------------- */

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
        cmocka_unit_test_setup_teardown(packs_what_is_past, setup_store, teardown),
        cmocka_unit_test_setup_teardown(a_difference_goes_before_what_it_differs_from, setup_store, teardown),
        cmocka_unit_test_setup_teardown(damage_ends_a_pruning, setup_store, teardown),
        cmocka_unit_test(unpacks_no_bomb),
        cmocka_unit_test_setup_teardown(a_damaged_base_takes_what_differs_from_it, setup_store, teardown),
        cmocka_unit_test_setup_teardown(gives_space_back, setup_store, teardown),
        cmocka_unit_test_setup_teardown(lets_an_old_one_shrink, setup_store, teardown),
        cmocka_unit_test_setup_teardown(knows_when_it_is_due, setup_store, teardown),
    };
    runs = argc > 1 ? strtoul(argv[1], NULL, 10) : runs;
    first_seed = argc > 2 ? strtoul(argv[2], NULL, 10) : first_seed;
    return cmocka_run_group_tests_name("store: retention", tests, NULL, NULL);
}
