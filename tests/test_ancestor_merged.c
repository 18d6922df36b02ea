/*
 * test_ancestor_merged.c - what is no new edit beside the ancestor that was chosen: what was merged or sent before, and graves; the
 * guard, a pairing in place of another, and the choice through a whole merge (merge §10).
 */
#include "test_ancestor.h"

#include "serve/commit.h"
#include "serve/reconcile.h"
#include "store/grave.h"

/* Items of `before` are no longer in the computer's state since `now`. */
static void buried(chosen *c, const char *before, int64_t now) {
    fixture *f = &c->base;
    trivet_merge_state *was = state_of(before), *is = state_of("{}");
    ok(grave_update(f->s, was, is, now, &f->err));
    trivet_merge_state_free(was);
    trivet_merge_state_free(is);
}

/* ---- already merged ---- */

/* A phone restored to 100, whose later state was merged meanwhile. */
static void restored(chosen *c, const char *base, const char *sent, const char *snapshot) {
    applied(c, merged(c, 0, "{}", base, NONE), ALL_GROUPS, 100);
    merged(c, 100, sent, snapshot, NONE);
    applied(c, merged(c, 200, "{}", snapshot, NONE), ALL_GROUPS, 300);
}

static void already_merged_as_sent(void **state) {
    chosen *c = *state;
    restored(c, S(LISTS("")), S(LISTS(I("a", "milk", 5))), S(LISTS(I("a", "oat", 9))));
    choose(c, 100, S(LISTS(I("a", "milk", 5))), "{}");
    ancestor_is("a=milk@5");
    guard_is(""); /* measured before */
}

static void already_merged_as_merged(void **state) {
    chosen *c = *state;
    restored(c, S(LISTS(I("a", "tea", 1))), S(LISTS(I("a", "milk", 5))), S(LISTS(I("a", "oat", 9))));
    choose(c, 100, S(LISTS(I("a", "oat", 9))), "{}");
    ancestor_is("a=oat@9");
    guard_is("a=tea@1");
}

static void already_merged_only_if_kept(void **state) {
    chosen *c = *state;
    restored(c, S(LISTS("")), S(LISTS(I("a", "milk", 5))), S(LISTS("")));
    choose(c, 100, S(LISTS(I("a", "milk", 5))), "{}");
    ancestor_is("");
}

static void already_merged_only_if_equal(void **state) {
    chosen *c = *state;
    restored(c, S(LISTS(I("a", "tea", 1))), S(LISTS(I("a", "milk", 5))), S(LISTS(I("a", "milk", 5))));
    static const char *const others[] = {
        S(LISTS(I("a", "milk", 6))),                 /* a later edit */
        S("\"lists\":[[],[" I("a", "milk", 5) "]]"), /* elsewhere */
        S(LISTS("{\"id\":\"a\",\"text\":\"milk\",\"position\":2,\"updatedAt\":5}")),
        S(LISTS(D("a", "milk", 5, 5))),
    };
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        choose(c, 100, others[i], "{}");
        ancestor_is("a=tea@1");
    }
}

static void already_merged_only_in_newer_records(void **state) {
    chosen *c = *state;
    merged(c, 0, S(LISTS(I("a", "milk", 5))), S(LISTS(I("a", "milk", 5))), NONE);
    applied(c, merged(c, 0, "{}", S(LISTS(I("a", "oat", 6))), NONE), ALL_GROUPS, 100);
    choose(c, 100, S(LISTS(I("a", "milk", 7))), "{}");
    ancestor_is("a=oat@6");
}

/* Whatever edits an item dates it anew: one that is dated before the ancestor's, in a form known from before, is no edit. */
static void already_merged_in_an_older_form(void **state) {
    chosen *c = *state;
    merged(c, 0, S(LISTS(I("a", "milk", 5)) "," PAD("one", 1)), S(LISTS(I("a", "milk", 5)) "," PAD("one", 1)),
           NONE);
    applied(c, merged(c, 0, "{}", S(LISTS(D("a", "oat", 6, 6)) "," PAD("two", 2)), NONE), ALL_GROUPS, 100);
    choose(c, 100, S(LISTS(I("a", "milk", 5)) "," PAD("one", 1)), "{}");
    ancestor_is("a=milk@5 p0=one@1");
    choose(c, 100, S(LISTS(I("a", "oat", 7)) "," PAD("one", 3)), "{}"); /* brought back, typed again */
    ancestor_is("-a@6 p0=two@2");
    choose(c, 100, S(LISTS(I("a", "oat", 5)) "," PAD("new", 1)), "{}"); /* by a clock that is behind */
    ancestor_is("-a@6 p0=two@2");
    for (int i = 0; i < 15; i++)
        merged(c, 200 + i, "{}", S(LISTS(D("a", "oat", 6, 6)) "," PAD("two", 2)), NONE);
    choose(c, 100, S(LISTS(I("a", "milk", 5)) "," PAD("one", 1)), "{}");
    ancestor_is("a=milk@5 p0=one@1");
}

static void already_merged_newer_for_each_group(void **state) {
    chosen *c = *state;
    const char *both = S(LISTS(I("a", "oat", 6)) "," LOCKED(I("k", "key", 5)));
    applied(c, merged(c, 0, "{}", S(LISTS("") "," LOCKED("")), NONE), RECORD_LOCKED_LISTS, 100);
    applied(c, merged(c, 1, S(LISTS(I("a", "milk", 7)) "," LOCKED(I("k", "key", 5))), both, NONE),
            RECORD_LISTS, 100);
    merged(c, 2, "{}", S(LISTS("") "," LOCKED("")), NONE);
    choose(c, 100, S(LISTS(I("a", "milk", 7)) "," LOCKED(I("k", "key", 5))), "{}");
    ancestor_is("a=oat@6 L.k=key@5"); /* the second record is newer for the locked lists only */
}

static void already_merged_entries(void **state) {
    chosen *c = *state;
    restored(c, S(PAD("one", 1) "," LISTS("")), S(PAD("two", 2) "," LABEL("food", 2) "," LISTS("")),
             S(PAD("two", 2) "," LABEL("food", 2) "," LISTS("")));
    choose(c, 100, S(PAD("two", 2) "," LABEL("food", 2) "," LISTS("")), "{}");
    ancestor_is("p0=two@2 c0=food@2");
    choose(c, 100, S(PAD("two", 3) "," LABEL("", 0) "," LISTS("")), "{}");
    ancestor_is("p0=one@1");
}

static void already_merged_without_an_ancestor(void **state) {
    chosen *c = *state;
    merged(c, 0, S(LISTS(I("a", "milk", 5))), S(LISTS(I("a", "milk", 5))), NONE);
    applied(c, merged(c, 50, "{}", S(LISTS(I("a", "milk", 5))), NONE), ALL_GROUPS, 100);
    choose(c, 0, S(LISTS(I("a", "milk", 5) "," I("n", "new", 9))),
           "{}"); /* a backup from before the pairing */
    ancestor_is("a=milk@5");
    assert_false(c->choice.found);
    guard_is("a=milk@5");
}

/* ---- sent before, and edited since: restored to a time between the ancestor and that sync ---- */

static void sent_before_is_not_new(void **state) {
    chosen *c = *state;
    restored(c, S(LISTS("")), S(LISTS(I("a", "milk", 5))), S(LISTS(I("a", "milk", 5))));
    choose(c, 100, S(LISTS(I("a", "soy", 9))), "{}");
    ancestor_is("a=milk@5"); /* as it was sent: soy is an edit of it */
}

static void sent_before_in_its_oldest_form(void **state) {
    chosen *c = *state;
    applied(c, merged(c, 0, "{}", S(LISTS("")), NONE), ALL_GROUPS, 100);
    merged(c, 100, S(LISTS(I("a", "milk", 5))), S(LISTS(I("a", "milk", 5))), NONE);
    merged(c, 150, S(LISTS(I("a", "oat", 6))), S(LISTS(I("a", "oat", 6))), NONE);
    merged(c, 200, "{}", "{}", NONE);
    choose(c, 100, S(LISTS(I("a", "soy", 9))), "{}");
    ancestor_is("a=milk@5");
}

static void sent_before_in_a_later_form_is_no_edit(void **state) {
    chosen *c = *state;
    restored(c, S(LISTS("")), S(LISTS(I("a", "oat", 5))), S(LISTS(I("a", "oat", 5))));
    choose(c, 100, S(LISTS(I("a", "milk", 3))), "{}");
    ancestor_is("a=milk@3");
    forget(c);
}

static void sent_before_but_dropped_is_new(void **state) {
    chosen *c = *state;
    restored(c, S(LISTS("")), S(LISTS(I("a", "milk", 5))), S(LISTS("")));
    choose(c, 100, S(LISTS(I("a", "soy", 9))), "{}");
    ancestor_is("");
}

/* ---- graves ---- */

static void graves_of_what_the_ancestor_holds(void **state) {
    chosen *c = *state;
    applied(c, merged(c, 0, "{}", S(LISTS(I("a", "milk", 5) "," D("b", "bread", 5, 6))), NONE), ALL_GROUPS,
            100);
    buried(c, S(LISTS(I("a", "milk", 5) "," D("b", "bread", 5, 6) "," I("x", "x", 1))), 50);
    choose(c, 100, S(LISTS(I("a", "oat", 99))), S(LISTS(I("n", "n", 1))));
    computer_is(
        "n=n@1 -a@50"); /* however late the phone's edit. Neither b, agreed dead, nor x, never agreed */
}

static void graves_of_what_the_guard_holds(void **state) {
    chosen *c = *state;
    applied(c, merged(c, 3, "{}", S(LISTS(I("a", "milk", 5))), NONE), ALL_GROUPS, 100);
    buried(c, S(LISTS(I("a", "milk", 5))), 50);
    choose(c, 0, S(LISTS(I("a", "oat", 99))), S(LISTS("")));
    ancestor_is("none");
    computer_is("-a@50");
    /* nor does what was already merged hide it */
    merged(c, 4, S(LISTS(I("b", "bread", 5))), S(LISTS(I("b", "bread", 5))), NONE);
    choose(c, 0, S(LISTS(I("a", "oat", 99) "," I("b", "bread", 5))), S(LISTS("")));
    ancestor_is("b=bread@5");
    computer_is("-a@50");
}

static void graves_of_what_the_phone_kept(void **state) {
    chosen *c = *state;
    buried(c, S(LISTS(I("a", "milk", 5) "," I("b", "b", 5) "," I("d", "d", 5) "," I("e", "e", 5))), 50);
    choose(c, 0,
           S(LISTS(I("a", "milk", 50) "," I("b", "newer", 51) "," D("d", "d", 5, 7) "," I("e", "e", 5))),
           S(LISTS(I("e", "again", 60))));
    computer_is("e=again@60 -a@50"); /* not b, later; not d, dead there; not e, which the computer has */
}

/* The computer's state changes at a time. */
static void changed(chosen *c, const char *before, const char *after, int64_t now) {
    fixture *f = &c->base;
    history_line line = {.time = now, .cause = "edit"};
    trivet_merge_state *was = state_of(before), *is = state_of(after);
    store_name name;
    ok(store_begin(f->s, &f->err));
    ok(commit_head(f->s, was, is, &line, &name, &f->err));
    ok(store_commit(f->s, &f->err));
    trivet_merge_state_free(was);
    trivet_merge_state_free(is);
}

static void graves_go_with_retention(void **state) {
    chosen *c = *state;
    fixture *f = &c->base;
    size_t dropped = 0;
    changed(c, S(LISTS(I("a", "milk", 5))), S(LISTS("")), NOW);
    ok(grave_prune(f->s, NOW, 9, &dropped, &f->err));
    choose(c, 0, S(LISTS(I("a", "milk", 5))), "{}");
    computer_is("-a@1000000000");
    ok(grave_prune(f->s, NOW + 1, 9, &dropped, &f->err));
    choose(c, 0, S(LISTS(I("a", "milk", 5))), "{}");
    computer_is("");
}

/* ---- the guard ---- */

static void guard_is_the_newest_known_applied(void **state) {
    chosen *c = *state;
    applied(c, merged(c, 3, "{}", S(LISTS(I("a", "1", 5))), NONE), RECORD_LISTS, 100);
    applied(c, merged(c, 4, "{}", S(LISTS(I("b", "2", 5))), NONE), RECORD_LOCKED_LISTS, 200);
    applied(c, merged(c, 5, "{}", S(LISTS(I("d", "3", 5))), NONE), RECORD_SCRATCHPAD, 300);
    merged(c, 6, "{}", S(LISTS(I("e", "4", 5))), NONE);
    choose(c, 0, S(LISTS("")), "{}");
    guard_is("b=2@5");
}

/* ---- a pairing in place of another ---- */

static void a_replacement_inherits(void **state) {
    chosen *c = *state;
    device old = c->d;
    int64_t id = merged(c, 0, "{}", S(LISTS(I("a", "milk", 5))), NONE);
    applied(c, id, ALL_GROUPS, 100);
    pair(c, old.id);
    choose(c, 100, S(LISTS(I("a", "oat", 9))), "{}");
    ancestor_is("a=milk@5");
    joins(RECORD_LISTS, id);
    pair(c, NULL);
    choose(c, 100, S(LISTS(I("a", "oat", 9))), "{}");
    ancestor_is("none");
}

/* ---- through a whole merge ---- */

static reconcile_outcome answer(reconcile *r, const char *phone, int64_t since) {
    return reconcile_answer(r, strdup(phone), strlen(phone), since, NOW);
}

static void set_head(chosen *c, const char *json) {
    fixture *f = &c->base;
    store_name name = put(f, json);
    ok(head_set(f->s, &name, &f->err));
}

/* With the commit, `since` joins the record of each group whose snapshot was taken, and no other. */
static void since_joins_with_the_commit(void **state) {
    chosen *c = *state;
    fixture *f = &c->base;
    reconcile_settings settings = RECONCILE_SETTINGS_INIT;
    int64_t id =
        merged(c, 7, S(LISTS(I("a", "milk", 5)) "," LOCKED(I("k", "key", 5))),
               S(LISTS(I("a", "oat", 6)) "," LOCKED(I("k", "lock", 6))), S(LISTS("") "," LOCKED("")));
    set_head(c, S(LISTS(I("a", "oat", 6)) "," LOCKED(I("k", "lock", 6))));
    int64_t found = 0;
    const char *phone = S(LISTS(I("a", "oat", 6)) "," LOCKED(I("k", "key", 5)));
    reconcile *r = reconcile_new(f->s, c->d.id, "Pixel", &settings);
    reconcile_outcome outcome = answer(r, phone, 100);
    if (outcome == RECONCILE_PROPOSE) {
        gives(STORE_NONE,
              record_by_since(f->s, c->d.id, "Pixel", RECORD_LISTS, 100, &found, &f->err)); /* not yet */
        outcome = answer(r, phone, 100);
    }
    assert_true(outcome == RECONCILE_APPLY || outcome == RECONCILE_KEEP);
    reconcile_free(r);
    ok(record_by_since(f->s, c->d.id, "Pixel", RECORD_LISTS, 100, &found, &f->err));
    assert_int_equal(found, id);
    gives(STORE_NONE, record_by_since(f->s, c->d.id, "Pixel", RECORD_LOCKED_LISTS, 100, &found, &f->err));
}

/* `both` with no ancestor chosen is a merge without one, and is recorded as that. */
static void both_without_an_ancestor(void **state) {
    chosen *c = *state;
    fixture *f = &c->base;
    reconcile_settings settings = RECONCILE_SETTINGS_INIT;
    const char *kind, *agreed = S(LISTS(I("a", "milk", 5) "," I("b", "b", 5) "," I("d", "d", 5)));
    const char *phone = S(LISTS(I("n", "new", 9) "," I("s", "sent", 2)));
    record *all;
    size_t count;
    merged(c, 50, S(LISTS(I("s", "sent", 2))), S(LISTS(I("s", "sent", 2))), NONE);
    applied(c, merged(c, 60, "{}", agreed, NONE), ALL_GROUPS, 100);
    trivet_merge_state *head;
    store_name name;
    set_head(c, agreed);

    reconcile *r = reconcile_new(f->s, c->d.id, "Pixel", &settings);
    assert_int_equal(answer(r, phone, 0), RECONCILE_ASK);
    reconcile_question(r, &kind);
    assert_string_equal(kind, "large_change");
    assert_int_equal(reconcile_choose(r, TRIVET_MERGE_LARGE_BOTH), 0);
    assert_int_equal(reconcile_decide(r, NOW), RECONCILE_PROPOSE);
    assert_int_equal(answer(r, phone, 0), RECONCILE_APPLY);
    reconcile_free(r);
    ok(head_get(f->s, &name, &f->err));
    ok(snapshot_read(f->s, &name, &head, &f->err));
    assert_string_equal(shown(head), "a=milk@5 b=b@5 d=d@5 n=new@9 s=sent@2");
    trivet_merge_state_free(head);
    ok(record_list(f->s, c->d.id, "Pixel", &all, &count, &f->err));
    assert_int_equal(count, 3);
    assert_false(all[0].has_ancestor);
    free(all);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(already_merged_as_sent),
        TEST(already_merged_as_merged),
        TEST(already_merged_only_if_kept),
        TEST(already_merged_only_if_equal),
        TEST(already_merged_only_in_newer_records),
        TEST(already_merged_in_an_older_form),
        TEST(already_merged_newer_for_each_group),
        TEST(already_merged_entries),
        TEST(already_merged_without_an_ancestor),
        TEST(sent_before_is_not_new),
        TEST(sent_before_in_its_oldest_form),
        TEST(sent_before_in_a_later_form_is_no_edit),
        TEST(sent_before_but_dropped_is_new),
        TEST(graves_of_what_the_ancestor_holds),
        TEST(graves_of_what_the_guard_holds),
        TEST(graves_of_what_the_phone_kept),
        TEST(graves_go_with_retention),
        TEST(guard_is_the_newest_known_applied),
        TEST(a_replacement_inherits),
        TEST(since_joins_with_the_commit),
        TEST(both_without_an_ancestor),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
