/* Which ancestor where a phone or the computer was restored besides another fault (merge §10). */
#include "test_ancestor.h"

#include "store/restored.h"

static void restored_to(chosen *c, const char *head) {
    fixture *f = &c->base;
    store_name name = put(f, head);
    ok(head_set(f->s, &name, &f->err));
    ok(restored_note(f->s, NOW, &f->err));
}

/*
 * A confirm was lost, the phone synced again, and was restored to before `c` was added, with the same time. Its clock is behind,
 * so that its edit of the computer's item is dated before it; but it had sent that very edit, and so is no farther from the
 * state that it made it of.
 */
static void an_edit_that_it_sent_is_not_dated_back(void **state) {
    chosen *c = *state;
    const char *sent = S(LISTS(I("a", "oat", 50) "," I("b", "bread", 51) "," I("c", "corn", 52)));
    applied(c, merged(c, 0, "{}", S(LISTS(I("a", "milk", 100))), NONE), ALL_GROUPS, 7);
    merged(c, 7, sent, S(LISTS(I("a", "oat", 100) "," I("b", "bread", 51) "," I("c", "corn", 52))), sent);
    choose(c, 7, S(LISTS(I("a", "oat", 50) "," I("b", "bread", 51))), "{}");
    ancestor_is("a=oat@50 b=bread@51"); /* both are merged already; c is none that it deleted */
}

/* As near as what it sent, and lacking nothing that lives there. */
static void of_equals_what_deletes_least(void **state) {
    chosen *c = *state;
    const char *sent = S(LISTS(I("a", "a", 2) "," I("b", "b", 2) "," I("c", "c", 2) "," I("d", "d", 2)));
    applied(c, merged(c, 0, "{}", S(LISTS("")), NONE), ALL_GROUPS, 7);
    merged(c, 7, sent, sent, sent);
    choose(c, 7, S(LISTS(I("a", "a", 2) "," I("b", "b", 2) "," I("c", "c", 2))), "{}");
    ancestor_is("a=a@2 b=b@2 c=c@2");
}

/* Nearer by nothing but that it knows the phone's items, and one that only the other side can have made is among them. */
static void of_equals_what_knows_most(void **state) {
    chosen *c = *state;
    merged(c, 0, "{}", S(LISTS("")), NONE);
    restored_to(c, S(LISTS(I("a", "oat", 8))));
    choose(c, 300, S(LISTS(I("a", "soy", 9))), "{}");
    ancestor_is("a=oat@8");
    joins(RECORD_LISTS, 0);
}

/* What came later came with a time that the phone did not have yet. */
static void not_what_came_with_a_later_time(void **state) {
    chosen *c = *state;
    const char *later = S(LISTS(I("a", "oat", 8)));
    merged(c, 0, "{}", S(LISTS(I("k", "key", 1))), NONE);
    merged(c, 10, later, S(LISTS(I("k", "key", 1) "," I("a", "oat", 8))), NONE);
    merged(c, 20, later, S(LISTS(I("k", "key", 1) "," I("a", "oat", 8))), later);
    choose(c, 10, S(LISTS(I("a", "milk", 6))), "{}");
    ancestor_is("a=milk@6"); /* older than what it sent with this time: no edit */
}

/* A phone that has synced since the computer was restored is itself restored, to what a forgotten merge had given it. */
static void an_older_restore_for_a_restored_phone(void **state) {
    chosen *c = *state;
    applied(c, merged(c, 0, "{}", S(LISTS(I("a", "milk", 5))), NONE), ALL_GROUPS, 100);
    restored_to(c, S(LISTS(I("a", "oat", 8) "," I("b", "bread", 8))));
    int64_t since = merged(c, 300, "{}", S(LISTS(I("a", "tea", 9) "," D("b", "bread", 9, 9))), NONE);
    choose(c, 400, S(LISTS(I("a", "oat", 8) "," I("b", "bread", 8))), "{}");
    ancestor_is("a=oat@8 b=bread@8");
    joins(RECORD_LISTS, 0);
    choose(c, 400, S(LISTS(I("a", "soy", 10) "," D("b", "bread", 9, 9))), "{}"); /* in ordinary life */
    ancestor_is("a=tea@9 -b@9");
    joins(RECORD_LISTS, since);
}

static void only_so_many_restores(void **state) {
    chosen *c = *state;
    fixture *f = &c->base;
    char head[128];
    ok(store_begin(f->s, &f->err));
    for (int i = 0; i < 20; i++) {
        merged(c, i, "{}", S(LISTS(I("z", "z", 1))), NONE);
        snprintf(head, sizeof head, S(LISTS("{\"id\":\"a\",\"text\":\"%d\",\"position\":1,\"updatedAt\":5}")),
                 i);
        restored_to(c, head);
    }
    int64_t newest = merged(c, 50, "{}", S(LISTS("")), NONE);
    choose(c, 400, S(LISTS(I("a", "4", 5))), "{}");
    ancestor_is("a=4@5"); /* the 16th */
    choose(c, 400, S(LISTS(I("a", "3", 5))), "{}");
    ancestor_is("a=19@5"); /* of equals the newest */
    joins(RECORD_LISTS, 0);
    assert_true(newest > 0);
    ok(store_commit(f->s, &f->err));
}

/*
 * The record that the phone was restored to is dropped. By a clock that is behind it deletes an item that it had edited
 * later, before it was restored.
 */
static void a_deletion_dated_back_is_one(void **state) {
    chosen *c = *state;
    fixture *f = &c->base;
    record_limits two = {2, 2, 0};
    int64_t cursor = 0;
    size_t dropped = 0;
    const char *old = S(LISTS(I("a", "milk", 1))), *later = S(LISTS(I("a", "oat", 6)));
    applied(c, merged(c, 0, "{}", old, NONE), ALL_GROUPS, 10);
    applied(c, merged(c, 10, later, later, old), ALL_GROUPS, 20);
    applied(c, merged(c, 20, later, later, later), ALL_GROUPS, 30);
    ok(record_prune(f->s, NOW, &two, 10, &cursor, &dropped, &f->err));
    assert_int_equal(dropped, 1);
    choose(c, 10, S(LISTS(D("a", "milk", 2, 2))), later);
    ancestor_is("a=milk@2");
    choose(c, 10, S(LISTS(I("a", "milk", 1))), later);
    ancestor_is("a=milk@1"); /* not deleted: no edit at all */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(an_edit_that_it_sent_is_not_dated_back),
        TEST(of_equals_what_deletes_least),
        TEST(of_equals_what_knows_most),
        TEST(not_what_came_with_a_later_time),
        TEST(an_older_restore_for_a_restored_phone),
        TEST(only_so_many_restores),
        TEST(a_deletion_dated_back_is_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
