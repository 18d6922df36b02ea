/*
 * test_store_history.c - lines of history, and open questions.
 */
#include "test_store.h"

#include "store/history.h"
#include "store/question.h"

static void add_line(fixture *f, int64_t time, const char *cause, const char *device) {
    history_line line = {.time = time, .counts = "{\"addedFromPhone\":1}"};
    ok(head_get(f->s, &line.before, &f->err));
    line.after = line.before;
    snprintf(line.cause, sizeof line.cause, "%s", cause);
    snprintf(line.device, sizeof line.device, "%s", device);
    snprintf(line.phone, sizeof line.phone, "%s", *device != '\0' ? "Pixel \xc3\xa9" : "");
    ok(history_add(f->s, &line, &f->err));
}

static void lists_newest_first(void **state) {
    fixture *f = *state;
    history_line *lines;
    size_t count;
    ok(history_list(f->s, INT64_MAX, 10, &lines, &count, &f->err));
    assert_int_equal(count, 0);
    free(lines);
    add_line(f, 1, "edit", "");
    add_line(f, 2, "sync", "abcd0123");
    add_line(f, 2, "import", "");
    reopen(f);
    ok(history_list(f->s, INT64_MAX, SIZE_MAX, &lines, &count, &f->err));
    assert_int_equal(count, 3);
    assert_string_equal(lines[0].cause, "import");
    assert_string_equal(lines[1].cause, "sync");
    assert_string_equal(lines[1].device, "abcd0123");
    assert_string_equal(lines[1].phone, "Pixel \xc3\xa9");
    assert_string_equal(lines[1].counts, "{\"addedFromPhone\":1}");
    assert_int_equal(lines[1].time, 2);
    assert_true(lines[0].id > lines[1].id && lines[1].id > lines[2].id);
    store_name head;
    ok(head_get(f->s, &head, &f->err));
    assert_true(store_name_equal(&lines[2].before, &head) && store_name_equal(&lines[2].after, &head));
    free(lines);
    ok(history_list(f->s, INT64_MAX, 2, &lines, &count, &f->err));
    assert_int_equal(count, 2);
    assert_string_equal(lines[1].cause, "sync");
    free(lines);
    ok(history_list(f->s, INT64_MAX, 0, &lines, &count, &f->err));
    assert_int_equal(count, 0);
    free(lines);
}

static void names_only_what_is_stored(void **state) {
    fixture *f = *state;
    history_line line = {.counts = "{}"};
    ok(head_get(f->s, &line.before, &f->err));
    line.after = line.before;
    line.after.bytes[0] ^= 1;
    says(STORE_FAILED, "never stored", history_add(f->s, &line, &f->err));
}

static void keeps_questions_until_dropped(void **state) {
    fixture *f = *state;
    char body[] = "[{\"field\":\"text\"}]";
    question_row a = {.device = "abcd0123", .kind = "tie", .deadline = 60000, .body = body};
    question_row b = {.device = "abcd0124", .kind = "large_change", .deadline = 50000, .body = body};
    ok(question_add(f->s, &a, &f->err));
    ok(question_add(f->s, &b, &f->err));
    memset(body, 'x', sizeof body - 1);
    reopen(f);
    question_row *rows;
    size_t count;
    ok(question_list(f->s, &rows, &count, &f->err));
    assert_int_equal(count, 2);
    assert_int_equal(rows[0].id, a.id);
    assert_string_equal(rows[0].device, "abcd0123");
    assert_string_equal(rows[0].kind, "tie");
    assert_int_equal(rows[0].deadline, 60000);
    assert_string_equal(rows[0].body, "[{\"field\":\"text\"}]");
    assert_string_equal(rows[1].kind, "large_change");
    question_list_free(rows, count);
    ok(question_drop(f->s, a.id, &f->err));
    gives(STORE_NONE, question_drop(f->s, a.id, &f->err));
    ok(question_drop(f->s, b.id, &f->err));
    ok(question_list(f->s, &rows, &count, &f->err));
    assert_int_equal(count, 0);
    question_list_free(rows, count);
    /* an id of a question that is over never means another one */
    int64_t last = b.id;
    ok(question_add(f->s, &b, &f->err));
    assert_true(b.id > last);
    ok(question_drop_all(f->s, &f->err));
    ok(question_drop_all(f->s, &f->err));
    ok(question_list(f->s, &rows, &count, &f->err));
    assert_int_equal(count, 0);
    question_list_free(rows, count);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(lists_newest_first, setup_store, teardown),
        cmocka_unit_test_setup_teardown(names_only_what_is_stored, setup_store, teardown),
        cmocka_unit_test_setup_teardown(keeps_questions_until_dropped, setup_store, teardown),
    };
    return cmocka_run_group_tests_name("store: history and questions", tests, NULL, NULL);
}
