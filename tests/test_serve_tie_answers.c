/*
 * test_serve_tie_answers.c - answers to ties are found again, and only for the same two values.
 */
#include "serve/tie_answers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

static trivet_merge_slice text(const char *s) {
    return (trivet_merge_slice){s, s ? strlen(s) : 0};
}

static trivet_merge_tie tie(const char *id, size_t slot, const char *field, const char *phone) {
    return (trivet_merge_tie){.section = TRIVET_MERGE_LISTS,
                              .slot = slot,
                              .item_id = text(id),
                              .field = text(field),
                              .phone_value = text(phone),
                              .computer_value = text("\"c\"")};
}

static void test_only_the_same_two_values(void **state) {
    static const struct {
        const char *what;
        trivet_merge_tie tie;
        bool found;
    } rows[] = {
        {"the same", {TRIVET_MERGE_LISTS, 1, {"a", 1}, {"text", 4}, {"\"p\"", 3}, {"\"c\"", 3}, {0}}, true},
        {"moved", {TRIVET_MERGE_LISTS, 4, {"a", 1}, {"text", 4}, {"\"p\"", 3}, {"\"c\"", 3}, {0}}, true},
        {"section",
         {TRIVET_MERGE_LOCKED_LISTS, 1, {"a", 1}, {"text", 4}, {"\"p\"", 3}, {"\"c\"", 3}, {0}},
         false},
        {"item", {TRIVET_MERGE_LISTS, 1, {"b", 1}, {"text", 4}, {"\"p\"", 3}, {"\"c\"", 3}, {0}}, false},
        {"entry", {TRIVET_MERGE_LISTS, 1, {NULL, 0}, {"text", 4}, {"\"p\"", 3}, {"\"c\"", 3}, {0}}, false},
        {"field", {TRIVET_MERGE_LISTS, 1, {"a", 1}, {"done", 4}, {"\"p\"", 3}, {"\"c\"", 3}, {0}}, false},
        {"phone", {TRIVET_MERGE_LISTS, 1, {"a", 1}, {"text", 4}, {"\"q\"", 3}, {"\"c\"", 3}, {0}}, false},
        {"computer", {TRIVET_MERGE_LISTS, 1, {"a", 1}, {"text", 4}, {"\"p\"", 3}, {"\"d\"", 3}, {0}}, false},
        {"shorter", {TRIVET_MERGE_LISTS, 1, {"a", 1}, {"text", 4}, {"\"p\"", 2}, {"\"c\"", 3}, {0}}, false},
    };
    tie_answers answers = {0};
    trivet_merge_side side;
    trivet_merge_tie first = tie("a", 1, "text", "\"p\"");

    (void)state;
    assert_false(tie_answers_find(&answers, &first, &side));
    assert_int_equal(tie_answers_give(&answers, &first, TRIVET_MERGE_PHONE), 0);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        bool found = tie_answers_find(&answers, &rows[i].tie, &side);
        if (found != rows[i].found)
            fail_msg("%s: %s", rows[i].what, found ? "found" : "not found");
    }
    tie_answers_release(&answers);
}

static void test_entries_by_slot(void **state) {
    tie_answers answers = {0};
    trivet_merge_side side;
    trivet_merge_tie here = tie(NULL, 1, "label", "\"p\""), there = tie(NULL, 2, "label", "\"p\"");

    (void)state;
    assert_int_equal(tie_answers_give(&answers, &here, TRIVET_MERGE_PHONE), 0);
    assert_true(tie_answers_find(&answers, &here, &side));
    assert_false(tie_answers_find(&answers, &there, &side));
    tie_answers_release(&answers);
}

static void test_many_and_replaced(void **state) {
    enum { MANY = 20000 };
    tie_answers answers = {0};
    trivet_merge_side side;
    char id[16];

    (void)state;
    for (int round = 0; round < 2; round++)
        for (int i = 0; i < MANY; i++) {
            snprintf(id, sizeof id, "%d", i);
            trivet_merge_tie t = tie(id, 0, "text", "\"p\"");
            assert_int_equal(
                tie_answers_give(&answers, &t, (i + round) % 2 ? TRIVET_MERGE_PHONE : TRIVET_MERGE_COMPUTER),
                0);
        }
    assert_int_equal(answers.count, MANY);
    for (int i = 0; i < MANY; i++) {
        snprintf(id, sizeof id, "%d", i);
        trivet_merge_tie t = tie(id, 3, "text", "\"p\"");
        assert_true(tie_answers_find(&answers, &t, &side));
        assert_int_equal(side, (i + 1) % 2 ? TRIVET_MERGE_PHONE : TRIVET_MERGE_COMPUTER);
    }
    tie_answers_release(&answers);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_only_the_same_two_values),
        cmocka_unit_test(test_entries_by_slot),
        cmocka_unit_test(test_many_and_replaced),
    };
    if (sodium_init() < 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
