/* test_ancestor.c - which ancestor a phone's edits are measured from: merge §10, rule by rule. */
#include "test_ancestor.h"

#include "store/restored.h"

/* ---- 1: the newest confirm may be lost ---- */

static void case_1_sent(void **state) {
    chosen *c = *state;
    merged(c, 0, S(LISTS(I("a", "milk", 5))), S(LISTS(I("a", "milk", 5) "," I("b", "bread", 6))), NONE);
    choose(c, 0, S(LISTS(I("a", "milk", 5) "," I("n", "new", 9))), "{}");
    ancestor_is("a=milk@5"); /* not b, which it never had */
    assert_true(c->choice.found);
    joins(RECORD_LISTS, 0);
}

static void case_1_the_state_that_since_names(void **state) {
    chosen *c = *state;
    int64_t older = merged(c, 0, "{}", S(LISTS(I("a", "milk", 5))), NONE);
    applied(c, older, ALL_GROUPS, 100);
    merged(c, 100, S(LISTS(I("a", "oat milk", 8) "," I("b", "bread", 8))),
           S(LISTS(I("a", "oat milk", 8) "," I("b", "bread", 8))), S(LISTS(I("a", "milk", 5))));
    choose(c, 100, S(LISTS(I("a", "milk", 5))), "{}"); /* restored from a backup of before its edits */
    ancestor_is("a=milk@5");
    joins(RECORD_LISTS, older);
}

static void case_1_nothing_for_0(void **state) {
    chosen *c = *state;
    const char *full = S(LISTS(I("a", "milk", 5)) "," LOCKED(I("k", "key", 5)) "," PAD("pad", 5));
    merged(c, 0, full, full, S(LISTS("")));
    choose(c, 0, S(LISTS("") "," LOCKED("") "," PAD("", 0)), "{}"); /* wiped */
    ancestor_is("none");
    assert_false(c->choice.found);
}

static void case_1_its_ancestor(void **state) {
    chosen *c = *state;
    merged(c, 7, S(LISTS(I("a", "oat milk", 8))), S(LISTS(I("a", "oat milk", 8) "," I("b", "bread", 6))),
           S(LISTS(I("a", "milk", 5))));
    choose(c, 7, S(LISTS(I("a", "milk", 5))), "{}"); /* nothing is known to be named by 7 */
    ancestor_is("a=milk@5");
    joins(RECORD_LISTS, 0);
}

static void case_1_its_snapshot(void **state) {
    chosen *c = *state;
    int64_t id = merged(c, 7, S(LISTS(I("a", "milk", 5))), S(LISTS(I("a", "milk", 5) "," I("b", "bread", 6))),
                        S(LISTS("")));
    /* its lists were stored, and the time was not */
    choose(c, 7, S(LISTS(I("a", "milk", 5) "," I("b", "bread", 6))), "{}");
    ancestor_is("a=milk@5 b=bread@6");
    joins(RECORD_LISTS, id);
}

static void case_1_not_a_snapshot_known_by_another_time(void **state) {
    chosen *c = *state;
    int64_t id = merged(c, 7, S(LISTS(I("a", "milk", 5))), S(LISTS(I("a", "milk", 5) "," I("b", "bread", 6))),
                        S(LISTS("")));
    applied(c, id, RECORD_LISTS, 8);
    choose(c, 7, S(LISTS(I("a", "milk", 5) "," I("b", "bread", 7))), "{}");
    ancestor_is("a=milk@5"); /* it was `sent` */
    joins(RECORD_LISTS, 0);
}

/* The phone's own clock does not run back: what is dated before `sent` was not made from it. */
static void case_1_an_earlier_date_counts_three(void **state) {
    chosen *c = *state;
    merged(c, 7, S(LISTS(I("a", "oat milk", 8) "," I("x", "x", 3))),
           S(LISTS(I("a", "oat milk", 8) "," I("x", "x", 3))), S(LISTS(I("a", "milk", 5))));
    /* one item differs from `sent`, two from its ancestor: but a is older than the one that was sent */
    choose(c, 7, S(LISTS(I("a", "milk!", 6) "," I("x", "x", 3))), "{}");
    guard_is("a=milk@5");
    choose(c, 7, S(LISTS(I("a", "milk!", 9) "," I("x", "x", 3))), "{}");
    guard_is("a=oat milk@8 x=x@3");
}

/*
 * Restored to what it had sent, it edits an item that the merge had deleted, and its clock is behind: three for the early
 * date, three for the life after death, and the first named is taken.
 */
static void case_1_an_edit_by_a_late_clock_is_no_restore(void **state) {
    chosen *c = *state;
    merged(c, 7, S(LISTS(I("a", "milk", 8))), S(LISTS(D("a", "milk", 9, 9))), S(LISTS(I("a", "milk", 8))));
    choose(c, 7, S(LISTS(I("a", "oat", 3))), "{}");
    guard_is("a=milk@8");
}

/* ---- 1, `sent` taken: it stands as sent ---- */

static void sent_stands_on_its_ancestor(void **state) {
    chosen *c = *state;
    merged(c, 7, S(LISTS(I("a", "oat milk", 8) "," I("b", "bread", 5))),
           S(LISTS(I("a", "oat milk", 8) "," I("b", "rye", 9))),
           S(LISTS(I("a", "milk", 5) "," I("b", "bread", 5) "," I("gone", "gone", 5))));
    choose(c, 7, S(LISTS(I("a", "soy milk", 12) "," I("b", "bread", 5))), "{}");
    /* a as it was sent, so that only soy is an edit; what it did not send stays as it was */
    ancestor_is("a=oat milk@8 b=bread@5 gone=gone@5");
}

static void sent_stands_only_if_not_older(void **state) {
    chosen *c = *state;
    const char *others = I("b", "b", 5) "," I("d", "d", 5) "," I("e", "e", 5) "," I("f", "f", 5);
    char sent[1024], phone[1024];
    snprintf(sent, sizeof sent, "{\"lists\":[[" I("a", "oat milk", 8) ",%s]]}", others);
    snprintf(phone, sizeof phone, "{\"lists\":[[" I("a", "milk!", 6) ",%s]]}", others);
    merged(c, 7, sent, sent, S(LISTS(I("a", "milk", 5))));
    choose(c, 7, phone, "{}");
    guard_is("a=milk@5 b=b@5 d=d@5 e=e@5 f=f@5");
}

static void sent_stands_only_if_it_was_kept(void **state) {
    chosen *c = *state;
    merged(c, 7, S(LISTS(I("a", "milk", 5) "," I("b", "bread", 6))), S(LISTS(I("a", "milk", 5))),
           S(LISTS(I("b", "old bread", 4))));
    choose(c, 7, S(LISTS(I("a", "milk", 5) "," I("b", "bread", 6))), "{}");
    ancestor_is("a=milk@5 b=old bread@4"); /* the merge deleted b: it is as it was before */
}

static void sent_stands_for_entries(void **state) {
    chosen *c = *state;
    merged(c, 7, S(PAD("two", 8) "," LABEL("food", 8) "," LISTS("")),
           S(PAD("two", 8) "," LABEL("food", 8) "," LISTS("")),
           S(PAD("one", 5) "," LABEL("", 0) "," LISTS("")));
    choose(c, 7, S(PAD("three", 9) "," LABEL("food", 8) "," LISTS("")), "{}");
    ancestor_is("p0=two@8 c0=food@8");
    choose(c, 7, S(PAD("older", 7) "," LABEL("food", 8) "," LISTS("")), "{}");
    ancestor_is("p0=one@5 c0=food@8");
}

/* ---- 2: a time that is known ---- */

static void case_2_its_snapshot_however_far(void **state) {
    chosen *c = *state;
    int64_t first = merged(c, 0, "{}", S(LISTS(I("a", "milk", 5))), NONE);
    applied(c, first, ALL_GROUPS, 100);
    int64_t second = merged(c, 100, S(LISTS(I("a", "milk", 5))), S(LISTS(I("b", "bread", 6))), NONE);
    applied(c, second, ALL_GROUPS, 200);
    choose(c, 200, S(LISTS(I("a", "milk", 5))), "{}");
    ancestor_is("b=bread@6");
    joins(RECORD_LISTS, second);
    assert_true(c->choice.found);
}

static void case_2_an_older_one(void **state) {
    chosen *c = *state;
    int64_t first = merged(c, 0, "{}", S(LISTS(I("a", "milk", 5))), NONE);
    applied(c, first, ALL_GROUPS, 100);
    int64_t second = merged(c, 100, S(LISTS(I("a", "milk", 5))), S(LISTS(I("a", "oat", 6))), NONE);
    applied(c, second, ALL_GROUPS, 200);
    merged(c, 200, "{}", "{}", NONE);
    choose(c, 100, S(LISTS(I("a", "milk", 5))), "{}");
    ancestor_is("a=milk@5");
    joins(RECORD_LISTS, first);
}

static void case_2_a_dropped_record_is_none(void **state) {
    chosen *c = *state;
    fixture *f = &c->base;
    int64_t first = merged(c, 0, "{}", S(LISTS(I("a", "milk", 5))), NONE);
    applied(c, first, ALL_GROUPS, 100);
    applied(c, merged(c, 3, "{}", S(LISTS(I("b", "bread", 6))), NONE), ALL_GROUPS, 200);
    char sql[64];
    snprintf(sql, sizeof sql, "DELETE FROM record WHERE id = %lld", (long long)first);
    ok(sql_exec(f->s, sql, &f->err));
    choose(c, 100, S(LISTS(I("a", "milk", 5))), "{}");
    ancestor_is("none"); /* and not case 3 */
    assert_false(c->choice.found);
    guard_is("b=bread@6");
    joins(RECORD_LISTS, 0);
}

/* ---- 3: a time that is not ---- */

static void case_3_the_nearest_snapshot(void **state) {
    chosen *c = *state;
    int64_t first = merged(c, 0, "{}", S(LISTS(I("a", "milk", 5) "," I("b", "bread", 5))), NONE);
    int64_t second = merged(c, 0, "{}", S(LISTS(I("a", "milk", 5) "," I("b", "rye", 6))), NONE);
    choose(c, 100, S(LISTS(I("a", "milk", 5) "," I("b", "bread", 5))), "{}");
    ancestor_is("a=milk@5 b=bread@5");
    joins(RECORD_LISTS, first);
    choose(c, 100, S(LISTS(I("a", "oat", 7) "," I("b", "rye", 6))), "{}");
    ancestor_is("a=milk@5 b=rye@6");
    joins(RECORD_LISTS, second);
}

static void case_3_the_newest_of_equals(void **state) {
    chosen *c = *state;
    merged(c, 0, "{}", S(LISTS(I("a", "milk", 5))), NONE);
    int64_t second = merged(c, 0, "{}", S(LISTS(I("a", "milk", 5))), NONE);
    choose(c, 100, S(LISTS(I("a", "milk", 5))), "{}");
    joins(RECORD_LISTS, second);
}

static void case_3_sent(void **state) {
    chosen *c = *state;
    merged(c, 0, S(LISTS(I("a", "milk", 5))), S(LISTS(I("a", "milk", 5) "," I("b", "bread", 5))), NONE);
    merged(c, 0, S(LISTS("")), S(LISTS(I("b", "bread", 5))), NONE);
    /* killed after it had stored the time, before the lists */
    choose(c, 100, S(LISTS(I("a", "milk", 5))), "{}");
    ancestor_is("a=milk@5");
    joins(RECORD_LISTS, 0);
}

static void case_3_snapshots_go_before_sent(void **state) {
    chosen *c = *state;
    int64_t id = merged(c, 0, S(LISTS(I("a", "milk", 5))), S(LISTS(I("a", "milk", 5))), NONE);
    merged(c, 1, S(LISTS(I("a", "milk", 5))), S(LISTS(I("a", "oat", 6) "," I("b", "b", 6))), NONE);
    choose(c, 100, S(LISTS(I("a", "milk", 5))), "{}");
    joins(RECORD_LISTS, id); /* the older one's snapshot, not the newer one's `sent` */
}

/* A record with the time of which the phone came once more was hardly applied: its snapshot is the last of equals. */
static void case_3_a_lost_confirm_goes_last(void **state) {
    chosen *c = *state;
    merged(c, 50, "{}", S(LISTS("")), NONE);
    merged(c, 50, S(LISTS(I("a", "milk", 5))), S(LISTS(I("a", "milk", 5) "," I("b", "bread", 5))),
           S(LISTS(I("a", "milk", 5))));
    choose(c, 100, S(LISTS(I("a", "oat", 3))), "{}"); /* by a clock that is behind */
    ancestor_is("a=milk@5");
    joins(RECORD_LISTS, 0);
}

static void case_3_not_one_known_by_another_time(void **state) {
    chosen *c = *state;
    int64_t known = merged(c, 0, S(LISTS("")), S(LISTS(I("a", "milk", 5))), NONE);
    applied(c, known, RECORD_LISTS, 50);
    int64_t other = merged(c, 50, S(LISTS("")), S(LISTS(I("b", "bread", 5))), NONE);
    choose(c, 100, S(LISTS(I("a", "milk", 5))), "{}");
    assert_int_not_equal(c->choice.applied[RECORD_LISTS], known);
    joins(RECORD_SCRATCHPAD, other); /* known for the lists alone */
}

/* A phone that was restored to what it held when it sent something with this time. */
static void case_3_what_came_with_the_same_time(void **state) {
    chosen *c = *state;
    merged(c, 100, S(LISTS(I("a", "milk", 5))), S(LISTS(I("a", "oat", 6))), S(LISTS(I("a", "tea", 4))));
    applied(c, merged(c, 200, "{}", S(LISTS(I("a", "oat", 6) "," I("b", "bread", 6))), NONE), ALL_GROUPS,
            300);
    merged(c, 300, "{}", S(LISTS(I("a", "oat", 8) "," I("b", "bread", 6))), NONE);
    choose(c, 100, S(LISTS(I("a", "milk", 5))), "{}");
    ancestor_is("a=milk@5"); /* as it was sent */
    joins(RECORD_LISTS, 0);
    choose(c, 100, S(LISTS(I("a", "tea", 4))), "{}");
    ancestor_is("a=tea@4"); /* as it was before */
    choose(c, 100, S(LISTS(I("a", "oat", 8) "," I("b", "bread", 6))), "{}");
    ancestor_is("a=oat@8 b=bread@6"); /* not that: its confirm has just come */
}

static void case_3_the_newest_where_there_is_no_other(void **state) {
    chosen *c = *state;
    applied(c, merged(c, 0, "{}", S(LISTS(I("a", "milk", 5))), NONE), ALL_GROUPS, 100);
    int64_t newest = merged(c, 100, "{}", S(LISTS(I("b", "bread", 6))), NONE);
    applied(c, newest, ALL_GROUPS, 200);
    choose(c, 300, S(LISTS(I("c", "more", 7))), "{}"); /* the computer was restored from a backup */
    ancestor_is("b=bread@6");
    joins(RECORD_LISTS, newest);
}

/* ---- the computer was restored from a backup: its head of then is what both descend from ---- */

static void restored_to(chosen *c, const char *head) {
    fixture *f = &c->base;
    store_name name = put(f, head);
    ok(head_set(f->s, &name, &f->err));
    ok(restored_note(f->s, NOW, &f->err));
}

static void case_3_what_the_computer_was_restored_to(void **state) {
    chosen *c = *state;
    int64_t newest = merged(c, 0, "{}", S(LISTS(I("a", "milk", 5))), NONE);
    applied(c, newest, ALL_GROUPS, 100);
    restored_to(c, S(LISTS(I("a", "oat", 8))));
    choose(c, 300, S(LISTS(I("a", "soy", 9))), "{}");
    ancestor_is("a=oat@8"); /* and not what the phone had heard of before */
    joins(RECORD_LISTS, 0); /* the time means no record */
    choose(c, 300, S(LISTS(I("a", "milk", 5))), "{}");
    ancestor_is("a=milk@5"); /* it was killed after it stored the time */
    choose(c, 100, S(LISTS(I("a", "soy", 9))), "{}");
    ancestor_is("a=milk@5"); /* case 2 */
}

/* Items that the computer has had since are none that such a phone has deleted. */
static void case_3_the_first_of_two_restores(void **state) {
    chosen *c = *state;
    applied(c, merged(c, 0, "{}", S(LISTS(I("a", "milk", 5))), NONE), ALL_GROUPS, 100);
    restored_to(c, S(LISTS(I("a", "oat", 8))));
    restored_to(c, S(LISTS(I("a", "oat", 8) "," I("b", "bread", 9))));
    choose(c, 300, S(LISTS(I("a", "soy", 9))), "{}");
    ancestor_is("a=oat@8");
}

static void retention(chosen *c) {
    fixture *f = &c->base;
    record_limits newest_only = {1, 1, 0};
    int64_t cursor = 0;
    size_t dropped = 0;
    ok(record_prune(f->s, NOW, &newest_only, 10, &cursor, &dropped, &f->err));
    assert_true(dropped > 0);
}

/* The time cannot join a record that is gone; the record of this very merge knows it as the one that it came with. */
static void a_record_dropped_while_the_sync_runs(void **state) {
    chosen *c = *state;
    fixture *f = &c->base;
    const char *milk = S(LISTS(I("a", "milk", 5)));
    int64_t taken = merged(c, 0, "{}", milk, NONE);
    merged(c, 100, "{}", S(LISTS(I("b", "bread", 6))), NONE);
    choose(c, 300, milk, "{}");
    joins(RECORD_LISTS, taken);
    retention(c);
    assert_int_equal(record_applied(f->s, taken, RECORD_LISTS, 300, &f->err), STORE_NONE);
    merged(c, 300, milk, milk, milk);
    choose(c, 300, S(LISTS(I("a", "oat", 9))), "{}"); /* its confirm was lost */
    ancestor_is("a=milk@5");
    applied(c, merged(c, 400, "{}", S(LISTS(I("a", "tea", 8))), NONE), ALL_GROUPS, 500);
    choose(c, 300, S(LISTS(I("a", "oat", 9))), "{}"); /* restored */
    ancestor_is("a=milk@5");
    retention(c);
    choose(c, 300, S(LISTS(I("a", "oat", 9))), "{}");
    ancestor_is("none"); /* and not case 3 */
}

/* What a phone's user can cause by no edit weighs more than two edits. */
static void case_3_what_cannot_have_come_about_counts_three(void **state) {
    static const char *const unlikely[] = {
        S(LISTS(
            I("a", "milk", 5) "," I("b", "bread", 5) "," I("d", "d", 5) "," I("z", "z", 1))), /* z has gone */
        S(LISTS(I("a", "milk", 5) "," I("b", "bread", 5) "," D("d", "d", 5, 6))), /* d came back */
    };
    chosen *c = *state;
    for (int i = 0; i < 2; i++) {
        int64_t likely =
            merged(c, 2 * i, "{}", S(LISTS(I("a", "tea", 1) "," I("b", "rye", 1) "," I("d", "d", 5))), NONE);
        int64_t other = merged(c, 2 * i + 1, "{}", unlikely[i], NONE);
        choose(c, 100, S(LISTS(I("a", "milk", 5) "," I("b", "bread", 5) "," I("d", "d", 5))), "{}");
        joins(RECORD_LISTS, likely);
        applied(c, likely, ALL_GROUPS, 1000 + 2 * i);
        applied(c, other, ALL_GROUPS, 1001 + 2 * i);
    }
}

static void case_3_absent_equals_dead(void **state) {
    chosen *c = *state;
    int64_t id = merged(c, 0, "{}", S(LISTS(I("a", "milk", 5) "," D("z", "z", 1, 2))), NONE);
    merged(c, 1, "{}", S(LISTS(I("a", "tea", 1))), NONE);
    choose(c, 100, S(LISTS(I("a", "milk", 5))), "{}");
    joins(RECORD_LISTS, id);
}

#define TICKED(done, at)                                                                                     \
    "{\"id\":\"a\",\"text\":\"milk\",\"position\":1,\"done\":" #done ",\"updatedAt\":" #at "}"

/* Ticked again, after the other side took the tick away: nearer to what it had sent, but for the date. */
static void how_much_an_item_differs_does_not_count(void **state) {
    chosen *c = *state;
    int64_t id = merged(c, 0, S(LISTS(TICKED(true, 5))), S(LISTS(TICKED(false, 7))), NONE);
    choose(c, 100, S(LISTS(TICKED(true, 9))), "{}");
    joins(RECORD_LISTS, id);
}

static void only_so_many_are_candidates(void **state) {
    chosen *c = *state;
    fixture *f = &c->base;
    ok(store_begin(f->s, &f->err));
    int64_t oldest = merged(c, 0, "{}", S(LISTS(I("a", "milk", 5))), NONE);
    for (int i = 0; i < 100; i++) /* known by another time: these take no one's place */
        applied(c, merged(c, 1, "{}", S(LISTS(I("b", "bread", 5))), NONE), ALL_GROUPS, 1000 + i);
    for (int i = 0; i < 62; i++)
        merged(c, 2, "{}", S(LISTS(I("b", "bread", 5))), NONE);
    int64_t newest = merged(c, 3, "{}", S(LISTS(I("b", "bread", 5))), NONE);
    choose(c, 100, S(LISTS(I("a", "milk", 5))), "{}");
    joins(RECORD_LISTS, oldest); /* the 64th */
    newest = merged(c, 4, "{}", S(LISTS(I("b", "bread", 5))), NONE);
    choose(c, 100, S(LISTS(I("b", "bread", 5))), "{}");
    joins(RECORD_LISTS, newest);
    choose(c, 100, S(LISTS(I("a", "milk", 5))), "{}");
    assert_int_not_equal(c->choice.applied[RECORD_LISTS], oldest);
    ok(store_commit(f->s, &f->err));
}

/* ---- 4: a fresh phone ---- */

static void case_4_no_ancestor(void **state) {
    chosen *c = *state;
    choose(c, 0, S(LISTS(I("a", "milk", 5))), "{}");
    ancestor_is("none");
    guard_is("none");
    choose(c, 12, S(LISTS(I("a", "milk", 5))), "{}"); /* no record: another computer's time */
    ancestor_is("none");
    applied(c, merged(c, 0, "{}", S(LISTS(I("b", "bread", 5))), NONE), ALL_GROUPS, 100);
    merged(c, 100, "{}", S(LISTS(I("b", "rye", 6))), NONE);
    choose(c, 0, S(LISTS(I("n", "new", 9))), "{}");
    ancestor_is("none");
    joins(RECORD_LISTS, 0);
}

/* ---- the three groups are apart ---- */

static void each_group_chooses_for_itself(void **state) {
    chosen *c = *state;
    int64_t id = merged(
        c, 7,
        S(LISTS(I("a", "milk", 5)) "," LOCKED(I("k", "key", 5)) "," PAD("sent", 5) "," LABEL("food", 5)),
        S(LISTS(I("a", "milk", 5) "," I("b", "bread", 6)) "," LOCKED(
            I("k", "key", 5) "," I("j", "jar", 6)) "," PAD("merged", 6) "," LABEL("Food", 6)),
        S(LISTS("") "," LOCKED("") "," PAD("", 0)));
    /* killed when the lists were stored, and neither of the others */
    choose(c, 100,
           S(LISTS(I("a", "milk", 5) "," I("b", "bread", 6)) "," LOCKED(I("k", "key", 5)) "," PAD(
               "sent", 5) "," LABEL("Food", 6)),
           "{}");
    ancestor_is("a=milk@5 b=bread@6 L.k=key@5 p0=sent@5 c0=Food@6");
    joins(RECORD_LISTS, id);
    joins(RECORD_LOCKED_LISTS, 0);
    joins(RECORD_SCRATCHPAD, 0);
}

static void a_section_that_is_not_sent_says_nothing(void **state) {
    chosen *c = *state;
    merged(c, 0, "{}", S(LISTS(I("a", "milk", 5)) "," LOCKED(I("k", "key", 5))), NONE);
    int64_t newer = merged(c, 1, "{}", S(LISTS(I("a", "oat", 6)) "," LOCKED(I("k", "lock", 6))), NONE);
    choose(c, 100, S(LISTS(I("a", "milk", 5))), "{}");
    joins(RECORD_LOCKED_LISTS, newer); /* all equally near: the first */
    assert_int_not_equal(c->choice.applied[RECORD_LISTS], newer);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(case_1_sent),
        TEST(case_1_the_state_that_since_names),
        TEST(case_1_nothing_for_0),
        TEST(case_1_its_ancestor),
        TEST(case_1_its_snapshot),
        TEST(case_1_not_a_snapshot_known_by_another_time),
        TEST(case_1_an_earlier_date_counts_three),
        TEST(case_1_an_edit_by_a_late_clock_is_no_restore),
        TEST(sent_stands_on_its_ancestor),
        TEST(sent_stands_only_if_not_older),
        TEST(sent_stands_only_if_it_was_kept),
        TEST(sent_stands_for_entries),
        TEST(case_2_its_snapshot_however_far),
        TEST(case_2_an_older_one),
        TEST(case_2_a_dropped_record_is_none),
        TEST(case_3_the_nearest_snapshot),
        TEST(case_3_the_newest_of_equals),
        TEST(case_3_sent),
        TEST(case_3_snapshots_go_before_sent),
        TEST(case_3_a_lost_confirm_goes_last),
        TEST(case_3_not_one_known_by_another_time),
        TEST(case_3_what_came_with_the_same_time),
        TEST(case_3_the_newest_where_there_is_no_other),
        TEST(case_3_what_the_computer_was_restored_to),
        TEST(case_3_the_first_of_two_restores),
        TEST(a_record_dropped_while_the_sync_runs),
        TEST(case_3_what_cannot_have_come_about_counts_three),
        TEST(case_3_absent_equals_dead),
        TEST(how_much_an_item_differs_does_not_count),
        TEST(only_so_many_are_candidates),
        TEST(case_4_no_ancestor),
        TEST(each_group_chooses_for_itself),
        TEST(a_section_that_is_not_sent_says_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
