/*
 * test_store_life.h - a computer with a history, for the tests of retention: edits, syncs, restores and prunings, drawn from a seed, and
 * whether all that is named is there.
 */
#ifndef TRIVET_TEST_STORE_LIFE_H
#define TRIVET_TEST_STORE_LIFE_H

#include "test_store.h"

#include "serve/commit.h"
#include "state/edit.h"
#include "store/device.h"
#include "store/history.h"
#include "store/prune.h"
#include "store/record.h"
#include "store/restored.h"

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

static inline uint64_t roll(life *l, uint64_t sides) {
    l->random ^= l->random << 13;
    l->random ^= l->random >> 7;
    l->random ^= l->random << 17;
    return (l->random >> 16) % sides;
}

static inline trivet_merge_state *head_of(fixture *f, store_name *name) {
    trivet_merge_state *state = NULL;
    ok(head_get(f->s, name, &f->err));
    ok(snapshot_read(f->s, name, &state, &f->err));
    return state;
}

static inline void commit_state(life *l, const trivet_merge_state *after) {
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
static inline void edit(life *l) {
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
static inline void record_something(life *l) {
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
static inline void go_back(life *l) {
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
static inline void must_read(fixture *f, const store_name *name, const char *what, int64_t id) {
    trivet_merge_state *state = NULL;
    store_name found;
    if (snapshot_read(f->s, name, &state, &f->err) != 0)
        fail_msg("%s of %lld: %s", what, (long long)id, f->err.message);
    ok(snapshot_name(state, &found, &f->err));
    assert_true(store_name_equal(&found, name));
    trivet_merge_state_free(state);
}

static inline void all_that_is_named_is_there(life *l) {
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

static inline int step(life *l) {
    fixture *f = l->f;
    if (l->run == NULL && (l->run = prune_new(&l->limits)) == NULL)
        fail_msg("out of memory");
    int rc = prune_step(l->run, f->s, l->now, &f->err);
    if (rc < 0)
        fail_msg("prune: %s", f->err.message);
    return rc;
}

static inline void give_up(life *l) {
    prune_end(l->run, l->f->s);
    l->run = NULL;
}

static inline prune_counts prune_all(life *l) {
    while (step(l) > 0)
        ;
    prune_counts counts = *prune_done(l->run);
    give_up(l);
    return counts;
}

/* What power does to the store is another test's matter. */
static inline void do_not_wait_for_the_disk(fixture *f) {
    assert_int_equal(sqlite3_exec(f->s->db, "PRAGMA synchronous = OFF", NULL, NULL, NULL), SQLITE_OK);
}

static inline void begin_life(life *l, fixture *f, uint64_t seed) {
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

#endif
