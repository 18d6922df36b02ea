/* Events reach each listener once, in order, with nothing left NULL; each kind has a name of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "serve/host.h"

struct seen {
    unsigned calls;
    event_kind kind;
    bool whole;
    int64_t time;
    char word[64];
};

static unsigned order;

static void on_event(void *owner, const server_event *e) {
    struct seen *seen = owner;

    seen->calls = ++order;
    seen->kind = e->kind;
    seen->whole = e->device && e->name && e->address && e->word && e->reason;
    seen->time = e->time;
    strcpy(seen->word, e->word);
}

static void test_listeners(void **state) {
    static host h;
    struct seen first = {0}, second = {0};

    (void)state;
    event_emit(&h, &(server_event){.kind = EVENT_COMMIT}); /* nobody listens */
    event_listen(&h, on_event, &first);
    event_listen(&h, on_event, &second);
    event_emit(&h, &(server_event){.kind = EVENT_SYNC_ENDED, .word = "synced"});
    assert_int_equal(first.calls, 1);
    assert_int_equal(second.calls, 2);
    assert_int_equal(first.kind, EVENT_SYNC_ENDED);
    assert_true(first.whole && second.whole);
    assert_string_equal(second.word, "synced");
    assert_true(first.time > 1600000000000);
    event_emit(&h, &(server_event){.kind = EVENT_COMMIT, .time = 7});
    assert_int_equal(first.time, 7);
}

static void test_store_errors(void **state) {
    static const struct {
        int code;
        const char *word;
    } cases[] = {{STORE_FULL, "full"},     {STORE_DAMAGED, "damaged"}, {STORE_LOCKED, "locked"},
                 {STORE_DENIED, "denied"}, {STORE_FAILED, "failed"},   {STORE_NONE, "failed"}};
    static host h;
    struct seen seen = {0};

    (void)state;
    event_listen(&h, on_event, &seen);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        event_store_error(&h, &(store_error){.code = cases[i].code});
        assert_int_equal(seen.kind, EVENT_STORE_ERROR);
        assert_string_equal(seen.word, cases[i].word);
    }
}

static void test_names(void **state) {
    (void)state;
    for (unsigned i = 0; i < EVENT_KINDS; i++) {
        assert_non_null(event_name((event_kind)i));
        for (unsigned k = 0; k < i; k++)
            assert_string_not_equal(event_name((event_kind)i), event_name((event_kind)k));
    }
    assert_string_equal(event_name(EVENT_KINDS), "unknown");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_listeners),
        cmocka_unit_test(test_store_errors),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
