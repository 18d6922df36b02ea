/*
 * Memory runs out at every allocation of a read, a merge, a write and each edit: once there and never again, and from
 * there on. Each time the answer is ENOMEM and nothing has changed, or all went well without that memory.
 *
 * The Makefile links this program so that the library's malloc() and its like, and its arenas', come here first.
 */
#include "test_merge_support.h"

#include "arena.h"
#include "index.h"

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);

static struct {
    bool armed, for_good;
    size_t left; /* allocations until one fails */
    size_t failed;
} memory;

static bool runs_out(void) {
    if (!memory.armed)
        return false;
    if (memory.left > 0) {
        memory.left--;
        return false;
    }
    if (memory.failed > 0 && !memory.for_good)
        return false;
    memory.failed++;
    return true;
}

void *__wrap_malloc(size_t size) {
    return runs_out() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size) {
    return runs_out() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t size) {
    return runs_out() ? NULL : __real_realloc(old, size);
}

/* From an arena, whether or not it has room. */
void *__real_tm_alloc(tm_arena *arena, size_t size);
void *__wrap_tm_alloc(tm_arena *arena, size_t size);
void *__wrap_tm_alloc(tm_arena *arena, size_t size) {
    return runs_out() ? NULL : __real_tm_alloc(arena, size);
}

void *__real_tm_alloc_array(tm_arena *arena, size_t count, size_t size);
void *__wrap_tm_alloc_array(tm_arena *arena, size_t count, size_t size);
void *__wrap_tm_alloc_array(tm_arena *arena, size_t count, size_t size) {
    return runs_out() ? NULL : __real_tm_alloc_array(arena, count, size);
}

char *__real_tm_alloc_bytes(tm_arena *arena, size_t size);
char *__wrap_tm_alloc_bytes(tm_arena *arena, size_t size);
char *__wrap_tm_alloc_bytes(tm_arena *arena, size_t size) {
    return runs_out() ? NULL : __real_tm_alloc_bytes(arena, size);
}

/* Runs `step` with memory running out at each point in turn, until it no longer does. Returns how many points. */
static size_t exhaust(int (*step)(void *ctx), void (*after)(void *ctx, int rc), void *ctx) {
    size_t points = 0;
    for (int for_good = 0; for_good < 2; for_good++) {
        for (size_t n = 0;; n++) {
            memory.left = n;
            memory.failed = 0;
            memory.for_good = for_good;
            memory.armed = true;
            int rc = step(ctx);
            memory.armed = false;
            after(ctx, rc);
            if (memory.failed == 0) {
                assert_int_equal(rc, 0);
                break;
            }
            points++;
        }
    }
    return points;
}

/* ---- read, merge, write ------------------------------------------------------------------------------- */

/* Escapes, white space, unknown fields, duplicates, unsorted slots, ties, more than one arena chunk. */
static char *document(const char *side, int time, bool backwards) {
    char *json = allocate(65536), *p = json + sprintf(json, "{\"top\":{\"%s\":[ 1 ]},\"lists\":[[", side);
    for (int i = 0; i < 60; i++) {
        int n = backwards ? 60 - i : i;
        p += sprintf(p,
                     "%s{\"id\":\"i\\u003%d-%d\",\"text\":\"%s \\u0041 "
                     "%d\",\"position\":%d.5,\"updatedAt\":%d,\"done\":%s,"
                     "\"u\":{ \"b\":%d,\"a\":[]},\"deleted\":%s}",
                     i ? "," : "", n % 10, n, n % 3 ? "same" : side, n, n, n % 3 ? 1 : time,
                     n % 2 ? "true" : "false", n % 5 ? 0 : time, n % 7 ? "false" : "true");
    }
    p += sprintf(
        p,
        ",{\"id\":\"i\\u0030-0\",\"text\":\"again\",\"position\":1}],[{\"id\":\"%s\",\"text\":\"\","
        "\"position\":1,"
        "\"v\":{\"k1\":1,\"k2\":2,\"k3\":3,\"k4\":4,\"k5\":5,\"k6\":6,\"k7\":7,\"k8\":8,\"k9\":9}}]],",
        side);
    p += sprintf(p, "\"listsCategories\":[{\"label\":\"%s\",\"section\":\"lists\",\"updatedAt\":%d}],", side,
                 time);
    sprintf(p, "\"scratchpad\":[{\"content\":\"%s\\n\",\"updatedAt\":%d}]}", side, time);
    return json;
}

typedef struct {
    char *a, *p, *c;
    const trivet_merge_pick *picks;
    size_t pick_count;
    char *out;
    char *expected;
    trivet_merge_error err;
} whole_merge;

static int read_merge_write(void *ctx) {
    whole_merge *w = ctx;
    trivet_merge_state *a = NULL, *p = NULL, *c = NULL;
    trivet_merge_result *result = NULL;
    trivet_merge_options options = TRIVET_MERGE_OPTIONS_INIT;
    size_t len;
    options.picks = w->picks;
    options.pick_count = w->pick_count;
    w->err = (trivet_merge_error)TRIVET_MERGE_ERROR_INIT;
    w->out = NULL;
    int rc = trivet_merge_state_read(w->a, strlen(w->a), TRIVET_MERGE_ANCESTOR, &a, &w->err);
    if (rc == 0)
        rc = trivet_merge_state_read(w->p, strlen(w->p), TRIVET_MERGE_PHONE, &p, &w->err);
    if (rc == 0)
        rc = trivet_merge_state_read(w->c, strlen(w->c), TRIVET_MERGE_COMPUTER, &c, &w->err);
    if (rc == 0)
        rc = trivet_merge(a, p, c, &options, &result, &w->err);
    if (rc == 0) {
        rc = trivet_merge_result_write(result, &w->out, &len);
        w->err.code = rc;
    }
    trivet_merge_result_free(result);
    trivet_merge_state_free(a);
    trivet_merge_state_free(p);
    trivet_merge_state_free(c);
    return rc;
}

static void expect_enomem_or_the_same(void *ctx, int rc) {
    whole_merge *w = ctx;
    if (rc == 0)
        assert_string_equal(w->out, w->expected);
    else
        assert_int_equal(rc, TRIVET_MERGE_ENOMEM);
    assert_int_equal(w->err.code, rc);
    free(w->out);
}

static void a_whole_merge(void **unused) {
    (void)unused;
    whole_merge w = {
        document("a", 1, false), document("p", 9, false), document("c", 9, true), NULL, 0, NULL, NULL,
        TRIVET_MERGE_ERROR_INIT};
    assert_int_equal(read_merge_write(&w), 0);
    w.expected = w.out;
    assert_non_null(strstr(w.expected, "\"status\":\"conflict\""));
    assert_true(exhaust(read_merge_write, expect_enomem_or_the_same, &w) > 40);
    free(w.expected);
    free(w.a);
    free(w.p);
    free(w.c);
}

static void a_merge_with_picks(void **unused) {
    (void)unused;
    static const trivet_merge_pick pick = {
        TRIVET_MERGE_LISTS, 0, {"x", 1}, {"text", 4}, TRIVET_MERGE_COMPUTER};
    whole_merge w = {"{\"lists\":[[{\"id\":\"x\",\"text\":\"a\",\"position\":1}]]}",
                     "{\"lists\":[[{\"id\":\"x\",\"text\":\"p\",\"position\":1}]]}",
                     "{\"lists\":[[{\"id\":\"x\",\"text\":\"c\",\"position\":1}]]}",
                     &pick,
                     1,
                     NULL,
                     NULL,
                     TRIVET_MERGE_ERROR_INIT};
    assert_int_equal(read_merge_write(&w), 0);
    w.expected = w.out;
    exhaust(read_merge_write, expect_enomem_or_the_same, &w);
    free(w.expected);
}

/* A renumbered slot whose order is built, with more items than fit at first, and lines of a scratchpad. */
static char *numbered(int step, const char *moved, const char *content, int time) {
    char *json = allocate(8192), *p = json + sprintf(json, "{\"lists\":[[");
    for (int i = 0; i < 50; i++)
        p += sprintf(p, "%s{\"id\":\"n%d\",\"text\":\"\",\"position\":%d}", i ? "," : "", i, i * step);
    p += sprintf(p, ",{\"id\":\"x\",\"text\":\"\",\"position\":%s,\"updatedAt\":%d}]],", moved, time);
    sprintf(p, "\"scratchpad\":[{\"content\":\"%s\",\"updatedAt\":%d}]}", content, time);
    return json;
}

static void orders_and_lines(void **unused) {
    (void)unused;
    whole_merge w = {numbered(1, "60", "a\\nb\\nc", 1),
                     numbered(2, "61", "A\\nb\\nc", 8),
                     numbered(1, "2.5", "a\\nb\\nC", 9),
                     NULL,
                     0,
                     NULL,
                     NULL,
                     TRIVET_MERGE_ERROR_INIT};
    assert_int_equal(read_merge_write(&w), 0);
    w.expected = w.out;
    assert_non_null(strstr(w.expected, "\"id\":\"x\",\"position\":5,"));
    assert_non_null(strstr(w.expected, "A\\nb\\nC"));
    assert_true(exhaust(read_merge_write, expect_enomem_or_the_same, &w) > 80);
    free(w.expected);
    free(w.a);
    free(w.p);
    free(w.c);
}

/* ---- edits -------------------------------------------------------------------------------------------- */

typedef struct {
    const char *name;
    int (*edit)(trivet_merge_state *state, trivet_merge_state *other);
} edit;

static int put_new(trivet_merge_state *state, trivet_merge_state *other) {
    trivet_merge_item item;
    trivet_merge_item_at(other, TRIVET_MERGE_LISTS, 1, 0, &item);
    return trivet_merge_put_item(state, TRIVET_MERGE_LISTS, 5, &item, NULL);
}

static int put_again(trivet_merge_state *state, trivet_merge_state *other) {
    trivet_merge_item item;
    trivet_merge_item_at(other, TRIVET_MERGE_LISTS, 0, 3, &item);
    item.text = (trivet_merge_slice){"other", 5};
    return trivet_merge_put_item(state, TRIVET_MERGE_LISTS, 1, &item, NULL);
}

static int put_pad(trivet_merge_state *state, trivet_merge_state *other) {
    trivet_merge_entry entry;
    trivet_merge_entry_at(other, TRIVET_MERGE_LISTS_CATEGORIES, 0, &entry);
    return trivet_merge_put_entry(state, TRIVET_MERGE_LISTS_CATEGORIES, 4, &entry, NULL);
}

static int take(trivet_merge_state *state, trivet_merge_state *other) {
    return trivet_merge_take_section(state, other, TRIVET_MERGE_LISTS);
}

static int fresh(trivet_merge_state *state, trivet_merge_state *other) {
    trivet_merge_state *made = NULL;
    (void)state;
    int rc = trivet_merge_state_new(&made);
    if (rc == 0)
        rc = take(made, other);
    if (rc == 0)
        rc = put_new(made, other);
    trivet_merge_state_free(made);
    return rc;
}

static int take_part(void *ctx, trivet_merge_slice key, size_t index, const char *json, size_t len) {
    (void)key;
    (void)index;
    (void)json;
    *(size_t *)ctx += len;
    return 0;
}

static int parts(trivet_merge_state *state, trivet_merge_state *other) {
    size_t sum = 0;
    (void)other;
    return trivet_merge_state_write_parts(state, take_part, &sum);
}

static int quoting(trivet_merge_state *state, trivet_merge_state *other) {
    char *quoted = NULL, *plain = NULL;
    size_t len;
    (void)state;
    (void)other;
    int rc = trivet_merge_quote("a\n\xc3\xa9", 4, &quoted, &len);
    if (rc == 0)
        rc = trivet_merge_unquote((trivet_merge_slice){quoted, len}, &plain, &len);
    free(quoted);
    free(plain);
    return rc;
}

static int guarding(trivet_merge_state *state, trivet_merge_state *other) {
    trivet_merge_large_change large;
    int rc = trivet_merge_guard(state, state, other, 0.8, &large);
    return rc > 0 ? 0 : rc;
}

static int item_alone(trivet_merge_state *state, trivet_merge_state *other) {
    trivet_merge_item item;
    char *out = NULL;
    size_t len;
    const char json[] = "{\"id\":\"\\u0041\",\"text\":\"\",\"position\":1,\"u\":[ ]}";
    (void)other;
    int rc = trivet_merge_item_read(state, json, strlen(json), &item, NULL);
    if (rc == 0)
        rc = trivet_merge_item_write(&item, &out, &len);
    free(out);
    return rc;
}

typedef struct {
    const edit *edit;
    char *json, *before;
    trivet_merge_state *state, *other;
} edit_run;

static int run_edit(void *ctx) {
    edit_run *e = ctx;
    return e->edit->edit(e->state, e->other);
}

/* Unchanged after an error; then everything from the start, so that nothing is there already. */
static void expect_unchanged(void *ctx, int rc) {
    edit_run *e = ctx;
    if (rc != 0) {
        assert_int_equal(rc, TRIVET_MERGE_ENOMEM);
        assert_state(e->state, e->before);
    }
    trivet_merge_state_free(e->state);
    e->state = read_text(e->json);
}

static void edits(void **unused) {
    (void)unused;
    static const edit all[] = {{"put", put_new},   {"put again", put_again}, {"pad", put_pad},
                               {"take", take},     {"fresh", fresh},         {"parts", parts},
                               {"quote", quoting}, {"guard", guarding},      {"item", item_alone}};
    char *json = document("p", 9, false), *other = document("c", 9, true);
    edit_run e = {.json = json, .other = read_text(other), .state = read_text(json)};
    e.before = write_text(e.state);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        e.edit = &all[i];
        exhaust(run_edit, expect_unchanged, &e);
    }
    trivet_merge_state_free(e.state);
    trivet_merge_state_free(e.other);
    free(e.before);
    free(other);
    free(json);
}

/* ---- where ids collide --------------------------------------------------------------------------------- */

/* Items whose ids all start their probe at one place, and a category that is large. */
static char *colliding_document(size_t count) {
    char *json = allocate(count * 64 + 8192),
         *p = json + sprintf(json, "{\"listsCategories\":[{\"label\":\""), id[24];
    memset(p, 'x', 5000);
    p += 5000;
    p += sprintf(p, "\"}],\"lists\":[[");
    for (unsigned long i = 0; count > 0; i++) {
        sprintf(id, "h%lu", i);
        if ((tm_hash(SLICE(id)) & 0x3ff) != 0)
            continue;
        p += sprintf(p, "{\"id\":\"%s\",\"text\":\"\",\"position\":%lu}%s", id, i, count > 1 ? "," : "");
        count--;
    }
    strcpy(p, "]]}");
    return json;
}

static void colliding_ids(void **unused) {
    (void)unused;
    char *json = colliding_document(180);
    whole_merge w = {json, json, json, NULL, 0, NULL, NULL, TRIVET_MERGE_ERROR_INIT};
    assert_int_equal(read_merge_write(&w), 0);
    w.expected = w.out;
    exhaust(read_merge_write, expect_enomem_or_the_same, &w);
    free(w.expected);
    /* a merged state's index is made at the first question, or that does without */
    trivet_merge_state *state = read_text(json);
    for (size_t n = 0;; n++) {
        trivet_merge_result *result;
        assert_int_equal(trivet_merge(state, state, state, NULL, &result, NULL), 0);
        memory.left = n;
        memory.failed = 0;
        memory.for_good = false;
        memory.armed = true;
        bool found = trivet_merge_item_find(trivet_merge_result_snapshot(result), TRIVET_MERGE_LISTS,
                                            SLICE("none"), NULL, NULL);
        memory.armed = false;
        assert_false(found);
        trivet_merge_result_free(result);
        if (memory.failed == 0)
            break;
    }
    trivet_merge_state_free(state);
    free(json);
}

/* The ninth item does not fit into the table of eight; the text is longer than what is checked without memory. */
static int put_ninth(trivet_merge_state *state, trivet_merge_state *other) {
    char text[700];
    trivet_merge_item item = {
        .id = {"ninth", 5}, .text = {text, sizeof text}, .position = 1, .deleted_at = -1};
    (void)other;
    memset(text, 'x', sizeof text);
    int rc = trivet_merge_put_item(state, TRIVET_MERGE_LISTS, 0, &item, NULL);
    /* a text that cannot be checked is not taken */
    return rc == TRIVET_MERGE_EINPUT && memory.failed > 0 ? TRIVET_MERGE_ENOMEM : rc;
}

static void a_table_that_grows(void **unused) {
    (void)unused;
    static const edit ninth = {"ninth", put_ninth};
    char json[1024], *p = json + sprintf(json, "{\"lists\":[[");
    for (int i = 0; i < 8; i++)
        p += sprintf(p, "%s{\"id\":\"%d\",\"text\":\"\",\"position\":1}", i ? "," : "", i);
    strcpy(p, "]]}");
    edit_run e = {.json = json, .other = NULL, .state = read_text(json), .edit = &ninth};
    e.before = write_text(e.state);
    exhaust(run_edit, expect_unchanged, &e);
    trivet_merge_state_free(e.state);
    free(e.before);
}

/* What was taken from another state has no index; without memory for one, items are still found and removed. */
static void removing_without_memory(void **unused) {
    (void)unused;
    trivet_merge_state *from = read_text("{\"lists\":[[{\"id\":\"a\",\"text\":\"\",\"position\":1}]]}"), *to;
    assert_int_equal(trivet_merge_state_new(&to), 0);
    assert_int_equal(trivet_merge_take_section(to, from, TRIVET_MERGE_LISTS), 0);
    memory.left = 0;
    memory.failed = 0;
    memory.for_good = memory.armed = true;
    int rc = trivet_merge_remove_item(to, TRIVET_MERGE_LISTS, SLICE("a"));
    memory.armed = false;
    assert_int_equal(rc, 0);
    assert_true(memory.failed > 0);
    assert_state(to, "{\"lists\":[[]]}");
    trivet_merge_state_free(to);
    trivet_merge_state_free(from);
}

/* Unknown fields with many members, written in another order on each side; and a state to guard with. */
static int guarded_merge(void *ctx) {
    trivet_merge_state **s = ctx;
    trivet_merge_options options = TRIVET_MERGE_OPTIONS_INIT;
    trivet_merge_result *result = NULL;
    options.guard = s[0];
    int rc = trivet_merge(NULL, s[1], s[2], &options, &result, NULL);
    trivet_merge_result_free(result);
    return rc;
}

static void expect_enomem(void *ctx, int rc) {
    (void)ctx;
    assert_true(rc == 0 || rc == TRIVET_MERGE_ENOMEM);
}

static void a_guarded_merge(void **unused) {
    (void)unused;
    static const char *const json[] = {"{\"lists\":[[{\"id\":\"a\",\"text\":\"\",\"position\":1}]]}",
                                       "{\"lists\":[[{\"id\":\"a\",\"text\":\"\",\"position\":1,\"v\":{\"a\":"
                                       "1,\"b\":2,\"c\":3,\"d\":4,\"e\":5,\"f\":6,\"g\":7,"
                                       "\"h\":8,\"i\":9}}]]}",
                                       "{\"lists\":[[{\"id\":\"a\",\"text\":\"\",\"position\":1,\"v\":{\"i\":"
                                       "9,\"h\":8,\"g\":7,\"f\":6,\"e\":5,\"d\":4,\"c\":3,"
                                       "\"b\":2,\"a\":1}}]]}"};
    trivet_merge_state *s[3];
    for (int i = 0; i < 3; i++)
        s[i] = read_text(json[i]);
    exhaust(guarded_merge, expect_enomem, s);
    for (int i = 0; i < 3; i++)
        trivet_merge_state_free(s[i]);
}

/* One part of a state is by far the largest. */
static int large_parts(void *ctx) {
    return parts(ctx, NULL);
}

static void parts_of_a_large_key(void **unused) {
    (void)unused;
    char *json = colliding_document(1);
    trivet_merge_state *state = read_text(json);
    exhaust(large_parts, expect_enomem, state);
    trivet_merge_state_free(state);
    free(json);
}

/* A merged state has no index yet: it is searched without one where there is no memory. */
static void finding_without_memory(void **unused) {
    (void)unused;
    char *json = document("p", 9, false);
    trivet_merge_state *p = read_text(json);
    trivet_merge_result *result;
    assert_int_equal(trivet_merge(p, p, p, NULL, &result, NULL), 0);
    const trivet_merge_state *m = trivet_merge_result_snapshot(result);
    memory.left = 0;
    memory.failed = 0;
    memory.for_good = true;
    memory.armed = true;
    bool found = trivet_merge_item_find(m, TRIVET_MERGE_LISTS, SLICE("i7-7"), NULL, NULL);
    bool other = trivet_merge_item_find(m, TRIVET_MERGE_LISTS, SLICE("none"), NULL, NULL);
    memory.armed = false;
    assert_true(memory.failed > 0 && found && !other);
    trivet_merge_result_free(result);
    trivet_merge_state_free(p);
    free(json);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_whole_merge),          cmocka_unit_test(a_merge_with_picks),
        cmocka_unit_test(orders_and_lines),       cmocka_unit_test(edits),
        cmocka_unit_test(finding_without_memory), cmocka_unit_test(colliding_ids),
        cmocka_unit_test(a_table_that_grows),     cmocka_unit_test(removing_without_memory),
        cmocka_unit_test(a_guarded_merge),        cmocka_unit_test(parts_of_a_large_key),
    };
    return cmocka_run_group_tests_name("merge: memory", tests, NULL, NULL);
}
