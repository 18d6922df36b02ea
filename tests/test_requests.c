/* Every request of the control plane on a real store: its answer, what it changed, and that a refusal changed
 * nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "serve/requests.h"
#include "store/device.h"
#include "store/history.h"
#include "store/question.h"
#include "store/snapshot.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

enum { NOW = 5000000 };

typedef struct {
    char folder[64];
    store *store;
    requests_context ctx;
    json_t *response; /* of the last request */
    char *raw;
    size_t raw_len;
} fixture;

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *where) {
    (void)st;
    (void)kind;
    (void)where;
    return remove(path);
}

static int setup(void **state) {
    fixture *f = calloc(1, sizeof *f);
    store_error err = STORE_ERROR_INIT;

    strcpy(f->folder, "/tmp/trivet-requests-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    if (store_open(f->folder, STORE_CREATE, &f->store, &err) != 0)
        fail_msg("%s", err.message);
    f->ctx = (requests_context){
        .store = f->store, .server_name = "hall", .ip = "192.168.7.9", .port = 8080, .now = NOW};
    *state = f;
    return 0;
}

static int teardown(void **state) {
    fixture *f = *state;

    json_decref(f->response);
    free(f->raw);
    store_close(f->store);
    nftw(f->folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    free(f);
    return 0;
}

/* Runs a request, with `raw` (NULL: none) along; the exit status that it answers with. `request` is taken over. */
static int ask_with(fixture *f, json_t *request, const char *raw) {
    assert_non_null(request);
    json_decref(f->response);
    free(f->raw);
    requests_run(&f->ctx, request, raw, raw ? strlen(raw) : 0, &f->response, &f->raw, &f->raw_len);
    json_decref(request);
    assert_non_null(f->response);
    if (json_is_true(json_object_get(f->response, "ok")))
        return 0;
    assert_true(json_string_length(json_object_get(f->response, "message")) > 0);
    assert_null(f->raw);
    return (int)json_integer_value(json_object_get(f->response, "status"));
}

static int ask(fixture *f, json_t *request) {
    return ask_with(f, request, NULL);
}

static const char *text(const fixture *f, const char *key) {
    const char *value = json_string_value(json_object_get(f->response, key));

    return value ? value : "(none)";
}

static json_int_t number(const fixture *f, const char *key) {
    return json_integer_value(json_object_get(f->response, key));
}

/* The document of the `state` request, until the next request. */
static const char *document(fixture *f) {
    assert_int_equal(ask(f, json_pack("{s:s}", "do", "state")), 0);
    assert_non_null(f->raw);
    return f->raw;
}

/* Newest first; the caller frees. */
static history_line *history(fixture *f, size_t *count) {
    store_error err = STORE_ERROR_INIT;
    history_line *lines;

    assert_int_equal(history_list(f->store, INT64_MAX, 100, &lines, count, &err), 0);
    return lines;
}

static size_t history_count(fixture *f) {
    size_t count;

    free(history(f, &count));
    return count;
}

static int import(fixture *f, const char *raw, bool replace) {
    return ask_with(f, json_pack("{s:s, s:b}", "do", "import", "replace", replace), raw);
}

/* Two items, one label, a locked item and a scratchpad. */
static void plant(fixture *f) {
    assert_int_equal(
        import(
            f,
            "{\"lists\":[[{\"id\":\"a1\",\"text\":\"milk\",\"done\":false,\"position\":1,\"updatedAt\":10},"
            "{\"id\":\"b2\",\"text\":\"bread\",\"done\":true,\"position\":2,\"updatedAt\":10}],[]],"
            "\"lockedLists\":[[{\"id\":\"c3\",\"text\":\"code\",\"done\":false,\"position\":1,\"updatedAt\":"
            "10}]],"
            "\"listsCategories\":[{\"label\":\"Groceries\",\"section\":\"lists\",\"updatedAt\":10}],"
            "\"scratchpad\":[{\"content\":\"note\",\"updatedAt\":10}]}",
            true),
        0);
}

/* ---- state and edits ---------------------------------------------------------------------------------- */

static void test_a_new_store(void **state) {
    fixture *f = *state;
    const char *doc = document(f);

    assert_non_null(strstr(doc, "\"lists\":[]"));
    assert_non_null(strstr(doc, "\"scratchpad\":[]"));
    assert_int_equal(history_count(f), 0);
}

static void test_add(void **state) {
    fixture *f = *state;
    history_line *lines;
    size_t count;

    plant(f);
    assert_int_equal(ask(f, json_pack("{s:s, s:s, s:s}", "do", "add", "slot", "groceries", "text", "eggs")),
                     0);
    assert_non_null(strstr(f->raw, "\"text\":\"eggs\""));
    assert_non_null(strstr(f->raw, "\"updatedAt\":5000000"));
    assert_string_equal(text(f, "section"), "lists");
    assert_string_equal(text(f, "label"), "Groceries");
    assert_int_equal(number(f, "slot"), 0);
    assert_int_equal(strlen(text(f, "short")), 4);
    assert_non_null(strstr(document(f), "\"text\":\"eggs\""));
    lines = history(f, &count);
    assert_int_equal(count, 2);
    assert_string_equal(lines[0].cause, "edit");
    assert_int_equal(lines[0].time, NOW);
    assert_non_null(strstr(lines[0].counts, "\"addedFromComputer\":1"));
    assert_true(store_name_equal(&lines[0].before, &lines[1].after));
    free(lines);
}

static void test_add_locked_and_long(void **state) {
    fixture *f = *state;
    size_t len = 2u << 20;
    char *letters = malloc(len + 1);

    memset(letters, 'x', len);
    letters[len] = '\0';
    assert_int_equal(
        ask_with(f, json_pack("{s:s, s:b, s:s}", "do", "add", "locked", 1, "slot", "3"), letters), 0);
    free(letters);
    assert_string_equal(text(f, "section"), "lockedLists");
    assert_int_equal(number(f, "slot"), 2);
    assert_string_equal(text(f, "label"), "(none)");
    assert_true(f->raw_len > len);
}

static void test_edit_done_rm(void **state) {
    fixture *f = *state;

    plant(f);
    assert_int_equal(ask(f, json_pack("{s:s, s:s, s:s}", "do", "edit", "id", "a", "text", "oat milk")), 0);
    assert_non_null(strstr(f->raw, "\"text\":\"oat milk\""));
    assert_int_equal(ask(f, json_pack("{s:s, s:s, s:b}", "do", "done", "id", "a1", "done", 1)), 0);
    assert_non_null(strstr(f->raw, "\"done\":true"));
    assert_int_equal(ask(f, json_pack("{s:s, s:s}", "do", "rm", "id", "b2")), 0);
    assert_non_null(strstr(f->raw, "\"deleted\":true"));
    assert_int_equal(ask(f, json_pack("{s:s, s:s}", "do", "rm", "id", "b2")), EX_NOINPUT);
    assert_int_equal(history_count(f), 4);
}

static void test_mv(void **state) {
    fixture *f = *state;

    plant(f);
    assert_int_equal(
        ask(f, json_pack("{s:s, s:s, s:s, s:s}", "do", "mv", "id", "b2", "place", "before", "other", "a1")),
        0);
    assert_non_null(strstr(f->raw, "\"position\":0"));
    assert_int_equal(ask(f, json_pack("{s:s, s:s, s:s}", "do", "mv", "id", "b2", "slot", "2")), 0);
    assert_int_equal(number(f, "slot"), 1);
    assert_int_equal(ask(f, json_pack("{s:s, s:s, s:s}", "do", "mv", "id", "b2", "place", "top")), 1);
    assert_int_equal(ask(f, json_pack("{s:s, s:s, s:s}", "do", "mv", "id", "b2", "place", "up")),
                     EX_PROTOCOL);
    assert_int_equal(ask(f, json_pack("{s:s, s:s, s:s}", "do", "mv", "id", "b2", "place", "before")),
                     EX_PROTOCOL);
}

static void test_pad(void **state) {
    fixture *f = *state;

    plant(f);
    assert_int_equal(ask(f, json_pack("{s:s, s:s, s:s}", "do", "pad", "slot", "1", "text", "a \"b\"\n")), 0);
    assert_string_equal(f->raw, "{\"content\":\"a \\\"b\\\"\\n\",\"updatedAt\":5000000}");
    assert_int_equal(ask_with(f, json_pack("{s:s, s:s}", "do", "pad", "slot", "2"), "raw text"), 0);
    assert_int_equal(number(f, "slot"), 1);
    assert_int_equal(ask(f, json_pack("{s:s, s:s, s:s}", "do", "pad", "slot", "2", "text", "")), 0);
    assert_non_null(strstr(document(f), "\"scratchpad\":[{\"content\":\"a \\\"b\\\"\\n\""));
}

/* A refusal is told with a status, and nothing has changed. */
static void test_refusals(void **state) {
    static const struct {
        const char *request;
        int status;
    } cases[] = {
        {"{}", EX_PROTOCOL},
        {"{\"do\":7}", EX_PROTOCOL},
        {"{\"do\":\"nonsense\"}", EX_PROTOCOL},
        {"{\"do\":\"sync\"}", EX_PROTOCOL}, /* the server's own */
        {"{\"do\":\"add\"}", EX_PROTOCOL},
        {"{\"do\":\"add\",\"text\":\"\"}", EX_DATAERR},
        {"{\"do\":\"add\",\"text\":\"x\",\"slot\":\"Nowhere\"}", EX_NOINPUT},
        {"{\"do\":\"add\",\"text\":\"x\",\"slot\":1}", EX_PROTOCOL},
        {"{\"do\":\"add\",\"text\":\"x\",\"locked\":\"yes\"}", EX_PROTOCOL},
        {"{\"do\":\"edit\",\"id\":\"a1\",\"text\":\"milk\"}", 1},
        {"{\"do\":\"edit\",\"id\":\"zz\",\"text\":\"x\"}", EX_NOINPUT},
        {"{\"do\":\"edit\",\"text\":\"x\"}", EX_PROTOCOL},
        {"{\"do\":\"done\",\"id\":\"b2\",\"done\":true}", 1},
        {"{\"do\":\"done\",\"id\":\"b2\",\"done\":1}", EX_PROTOCOL},
        {"{\"do\":\"pad\",\"slot\":\"1\",\"text\":\"note\"}", 1},
        {"{\"do\":\"import\"}", EX_PROTOCOL},
        {"{\"do\":\"revoke\",\"device\":\"nobody\"}", EX_NOINPUT},
        {"{\"do\":\"pair\",\"replace\":\"nobody\"}", EX_NOINPUT},
        {"{\"do\":\"pair\",\"host\":\"a b\"}", EX_USAGE},
        {"{\"do\":\"pair\",\"host\":\"\"}", EX_USAGE},
        {"{\"do\":\"pair\",\"v2\":1}", EX_PROTOCOL},
        {"{\"do\":\"pair\",\"host\":\"192.168.1.5:80\"}", EX_USAGE},
        {"{\"do\":\"pair\",\"port\":70000}", EX_USAGE},
        {"{\"do\":\"pair\",\"name\":\"\"}", EX_USAGE},
    };
    fixture *f = *state;
    char *before;
    size_t lines;

    plant(f);
    before = strdup(document(f));
    lines = history_count(f);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int status = ask(f, json_loads(cases[i].request, 0, NULL));
        if (status != cases[i].status)
            fail_msg("%s: status %d: %s", cases[i].request, status, text(f, "message"));
    }
    assert_string_equal(document(f), before);
    assert_int_equal(history_count(f), lines);
    assert_int_equal(ask(f, json_pack("{s:s}", "do", "devices")), 0);
    assert_int_equal(json_array_size(json_object_get(f->response, "devices")), 0);
    free(before);
}

static void test_known(void **state) {
    (void)state;
    assert_true(requests_known("add"));
    assert_true(requests_known("pending"));
    assert_false(requests_known("sync"));
    assert_false(requests_known(""));
}

/* ---- import ------------------------------------------------------------------------------------------- */

static void test_import(void **state) {
    fixture *f = *state;
    const json_t *counts;

    plant(f);
    /* newer text, an equal time, something new, and a section that is no view */
    assert_int_equal(
        import(f,
               "{\"lists\":[[{\"id\":\"a1\",\"text\":\"new milk\",\"position\":1,\"updatedAt\":11},"
               "{\"id\":\"b2\",\"text\":\"tied\",\"done\":true,\"position\":2,\"updatedAt\":10},"
               "{\"id\":\"d4\",\"text\":\"jam\",\"position\":3,\"updatedAt\":1}]]}",
               false),
        0);
    counts = json_object_get(f->response, "counts");
    assert_int_equal(json_integer_value(json_object_get(counts, "addedFromPhone")), 1);
    assert_int_equal(number(f, "ties"), 1);
    document(f);
    assert_non_null(strstr(f->raw, "\"text\":\"new milk\""));
    assert_non_null(strstr(f->raw, "\"text\":\"bread\""));
    assert_null(strstr(f->raw, "tied"));
    assert_non_null(strstr(f->raw, "\"text\":\"jam\""));
    assert_non_null(strstr(f->raw, "\"text\":\"code\""));
    assert_non_null(strstr(f->raw, "\"content\":\"note\""));
    assert_int_equal(history_count(f), 2);
}

/* Most items are gone in the file: without an ancestor that is no deletion, and no question. */
static void test_import_never_asks(void **state) {
    fixture *f = *state;
    char many[8192] = "{\"lists\":[[";

    for (int i = 0; i < 50; i++)
        snprintf(many + strlen(many), sizeof many - strlen(many),
                 "%s{\"id\":\"m%d\",\"text\":\"t\",\"position\":%d}", i ? "," : "", i, i);
    strcat(many, "]]}");
    assert_int_equal(import(f, many, false), 0);
    assert_int_equal(import(f, "{\"lists\":[[{\"id\":\"m1\",\"text\":\"t\",\"position\":1}]]}", false), 0);
    assert_int_equal(ask(f, json_pack("{s:s}", "do", "status")), 0);
    assert_int_equal(number(f, "items"), 50);
}

static void test_import_replace(void **state) {
    fixture *f = *state;

    plant(f);
    assert_int_equal(
        import(f, "{\"lists\":[[{\"id\":\"z\",\"text\":\"only\",\"position\":1}]],\"scratchpad\":[]}", true),
        0);
    document(f);
    assert_non_null(strstr(f->raw, "\"lists\":[[{"));
    assert_non_null(strstr(f->raw, "\"id\":\"z\""));
    assert_null(strstr(f->raw, "\"id\":\"a1\""));
    assert_non_null(strstr(f->raw, "\"scratchpad\":[]"));
    assert_non_null(strstr(f->raw, "\"text\":\"code\"")); /* no view of the locked lists */
}

static void test_import_what_was_exported(void **state) {
    fixture *f = *state;
    char *exported;

    plant(f);
    exported = strdup(document(f));
    assert_int_equal(import(f, exported, false), 0);
    assert_int_equal(import(f, exported, true), 0);
    assert_string_equal(document(f), exported);
    assert_int_equal(history_count(f), 1);
    free(exported);
}

/* What both sides forget is no change that a person made (merge §6, L5). */
static void test_a_purge_is_no_history(void **state) {
    fixture *f = *state;

    plant(f);
    assert_int_equal(ask(f, json_pack("{s:s, s:s}", "do", "rm", "id", "b2")), 0);
    assert_int_equal(history_count(f), 2);
    assert_int_equal(import(f,
                            "{\"lists\":[[{\"id\":\"a1\",\"text\":\"milk\",\"done\":false,\"position\":1,"
                            "\"updatedAt\":10}],[]]}",
                            true),
                     0);
    assert_null(strstr(document(f), "b2"));
    assert_int_equal(history_count(f), 2);
}

static void test_import_refused(void **state) {
    static const char *const documents[] = {"", "{", "[]", "{\"lists\":[[{\"id\":\"a\"}]]}",
                                            "{\"lists\":[[]]} x"};
    fixture *f = *state;
    char *before;

    plant(f);
    before = strdup(document(f));
    for (size_t i = 0; i < sizeof documents / sizeof documents[0]; i++) {
        assert_int_equal(import(f, documents[i], i % 2), EX_DATAERR);
        assert_string_equal(document(f), before);
    }
    assert_int_equal(import(f, "{\"lists\":[[{\"id\":\"a\",\"text\":3}]]}", false), EX_DATAERR);
    assert_non_null(strstr(text(f, "message"), "lists[0][0].text"));
    free(before);
}

/* ---- devices ------------------------------------------------------------------------------------------ */

static void test_pair(void **state) {
    fixture *f = *state;
    store_error err = STORE_ERROR_INIT;
    device d;

    assert_int_equal(ask(f, json_pack("{s:s, s:s}", "do", "pair", "name", "Ann's")), 0);
    assert_string_equal(text(f, "ip"), "192.168.7.9");
    assert_int_equal(number(f, "port"), 8080);
    assert_int_equal(number(f, "v"), 2);
    assert_string_equal(text(f, "name"), "hall");
    assert_int_equal(strlen(text(f, "secret")), 36);
    assert_int_equal(strlen(text(f, "k")), 43);
    assert_int_equal(device_by_secret(f->store, text(f, "secret"), NOW, &d, &err), 0);
    assert_string_equal(d.id, text(f, "device"));
    assert_string_equal(d.name, "Ann's");
}

static void test_pair_host(void **state) {
    static const char *const cases[][2] = {{"hall.local", "hall.local"},
                                           {"10.0.0.2", "10.0.0.2"},
                                           {"fd00::2", "[fd00::2]"},
                                           {"[fd00::2]", "[fd00::2]"}};
    fixture *f = *state;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(
            ask(f, json_pack("{s:s, s:s, s:i}", "do", "pair", "host", cases[i][0], "port", 9000)), 0);
        assert_string_equal(text(f, "ip"), cases[i][1]);
        assert_int_equal(number(f, "port"), 9000);
    }
    f->ctx.port = 0;
    assert_int_equal(ask(f, json_pack("{s:s}", "do", "pair")), EX_UNAVAILABLE);
}

static void test_devices_and_revoke(void **state) {
    fixture *f = *state;
    store_error err = STORE_ERROR_INIT;
    const json_t *devices, *d;
    bool new_phone;
    char first[16], second[16];

    assert_int_equal(ask(f, json_pack("{s:s, s:s}", "do", "pair", "name", "Ann's")), 0);
    snprintf(first, sizeof first, "%s", text(f, "device"));
    assert_int_equal(ask(f, json_pack("{s:s}", "do", "pair")), 0);
    snprintf(second, sizeof second, "%s", text(f, "device"));
    assert_int_equal(device_seen(f->store, first, "Pixel 8", "192.168.7.30", NOW, &new_phone, &err), 0);
    assert_int_equal(device_synced(f->store, first, "Pixel 8", NOW + 1, &err), 0);
    assert_int_equal(ask(f, json_pack("{s:s}", "do", "devices")), 0);
    devices = json_object_get(f->response, "devices");
    assert_int_equal(json_array_size(devices), 2);
    d = json_array_get(devices, 0);
    assert_string_equal(json_string_value(json_object_get(d, "id")), first);
    assert_string_equal(json_string_value(json_object_get(d, "name")), "Ann's");
    assert_string_equal(json_string_value(json_object_get(d, "address")), "192.168.7.30");
    assert_int_equal(json_integer_value(json_object_get(d, "last_sync")), NOW + 1);
    assert_int_equal(json_integer_value(json_object_get(d, "lapses")), 0);
    d = json_array_get(json_object_get(d, "phones"), 0);
    assert_string_equal(json_string_value(json_object_get(d, "name")), "Pixel 8");
    assert_true(json_integer_value(json_object_get(json_array_get(devices, 1), "lapses")) > NOW);

    assert_int_equal(ask(f, json_pack("{s:s, s:s}", "do", "revoke", "device", "Ann's")), 0);
    assert_string_equal(text(f, "device"), first);
    assert_int_equal(ask(f, json_pack("{s:s, s:s}", "do", "revoke", "device", first)), 1);
    f->ctx.now = NOW + DEVICE_CODE_LIFE_MS + 1; /* the second code was never used */
    assert_int_equal(ask(f, json_pack("{s:s}", "do", "devices")), 0);
    assert_int_equal(json_array_size(json_object_get(f->response, "devices")), 1);
}

static void test_status(void **state) {
    fixture *f = *state;

    plant(f);
    assert_int_equal(ask(f, json_pack("{s:s, s:s}", "do", "rm", "id", "b2")), 0);
    assert_int_equal(ask(f, json_pack("{s:s}", "do", "pair")), 0);
    assert_int_equal(ask(f, json_pack("{s:s}", "do", "status")), 0);
    assert_string_equal(text(f, "folder"), f->folder);
    assert_string_equal(text(f, "name"), "hall");
    assert_int_equal(number(f, "items"), 1);
    assert_int_equal(number(f, "locked_items"), 1);
    assert_int_equal(number(f, "devices"), 0); /* a code is no device before it was used */
    assert_int_equal(number(f, "last_sync"), 0);
}

static void test_pending(void **state) {
    fixture *f = *state;
    store_error err = STORE_ERROR_INIT;
    question_row tie = {.device = "abc", .kind = "tie", .deadline = 99, .body = "[{\"field\":\"text\"}]"};
    question_row large = {
        .device = "def", .kind = "large_change", .deadline = 100, .body = "{\"large_change\":{\"known\":9}}"};
    char expected[256];

    assert_int_equal(ask(f, json_pack("{s:s}", "do", "pending")), 0);
    assert_string_equal(f->raw, "[]");
    assert_int_equal(store_begin(f->store, &err), 0);
    assert_int_equal(question_add(f->store, &tie, &err), 0);
    assert_int_equal(question_add(f->store, &large, &err), 0);
    assert_int_equal(store_commit(f->store, &err), 0);
    assert_int_equal(ask(f, json_pack("{s:s}", "do", "pending")), 0);
    snprintf(
        expected, sizeof expected,
        "[{\"id\":%lld,\"device\":\"abc\",\"kind\":\"tie\",\"deadline\":99,\"ties\":[{\"field\":\"text\"}]},"
        "{\"id\":%lld,\"device\":\"def\",\"kind\":\"large_change\",\"deadline\":100,\"large_change\":{"
        "\"known\":9}}]",
        (long long)tie.id, (long long)large.id);
    assert_string_equal(f->raw, expected);
    f->ctx.alone = true; /* the server that asked was killed */
    assert_int_equal(ask(f, json_pack("{s:s}", "do", "pending")), 0);
    assert_string_equal(f->raw, "[]");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_new_store, setup, teardown),
        cmocka_unit_test_setup_teardown(test_add, setup, teardown),
        cmocka_unit_test_setup_teardown(test_add_locked_and_long, setup, teardown),
        cmocka_unit_test_setup_teardown(test_edit_done_rm, setup, teardown),
        cmocka_unit_test_setup_teardown(test_mv, setup, teardown),
        cmocka_unit_test_setup_teardown(test_pad, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refusals, setup, teardown),
        cmocka_unit_test_setup_teardown(test_import, setup, teardown),
        cmocka_unit_test_setup_teardown(test_import_never_asks, setup, teardown),
        cmocka_unit_test_setup_teardown(test_import_replace, setup, teardown),
        cmocka_unit_test_setup_teardown(test_import_what_was_exported, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_purge_is_no_history, setup, teardown),
        cmocka_unit_test_setup_teardown(test_import_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_pair, setup, teardown),
        cmocka_unit_test_setup_teardown(test_pair_host, setup, teardown),
        cmocka_unit_test_setup_teardown(test_devices_and_revoke, setup, teardown),
        cmocka_unit_test_setup_teardown(test_status, setup, teardown),
        cmocka_unit_test_setup_teardown(test_pending, setup, teardown),
        cmocka_unit_test(test_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
