/*
 * The parts of the merge library where its own interface cannot reach: sizes beyond all memory, ids with one hash, an index that
 * loses its last node, and orders that begin alike.
 */
#include "test_merge_support.h"

#include "sort.h"

#include "buffer.h"
#include "state.h"

static void sizes_beyond_memory(void **unused) {
    (void)unused;
    tm_arena arena;
    tm_buffer buffer;
    tm_arena_init(&arena, 0);
    assert_null(tm_alloc(&arena, SIZE_MAX - 64));
    assert_null(tm_alloc_array(&arena, SIZE_MAX / 4, 8));
    assert_null(tm_alloc_bytes(&arena, SIZE_MAX - 64));
    assert_non_null(tm_alloc(&arena, 8));
    tm_arena_release(&arena);
    tm_buffer_init(&buffer, 16);
    assert_false(tm_buffer_grow(&buffer, SIZE_MAX / 2));
    assert_true(buffer.failed);
    tm_buffer_release(&buffer);
    buffer = (tm_buffer){.room = SIZE_MAX / 2, .len = SIZE_MAX / 2}; /* of nothing */
    assert_false(tm_buffer_grow(&buffer, 16));
}

/* What is left of a chunk may be less than what aligns the next piece. */
static void a_chunk_that_ends_unaligned(void **unused) {
    (void)unused;
    for (size_t odd = 1; odd < 8; odd++) {
        tm_arena arena;
        tm_arena_init(&arena, 0);
        assert_non_null(tm_alloc_bytes(&arena, 1));
        size_t left = (size_t)(arena.end - arena.at);
        assert_non_null(tm_alloc_bytes(&arena, left - odd % left));
        *(char *)tm_alloc(&arena, 1) = 1;
        assert_int_equal((uintptr_t)tm_alloc(&arena, 8) % 8, 0);
        tm_arena_release(&arena);
        tm_arena_init(&arena, 1027); /* ends beside the alignment itself */
        assert_non_null(tm_alloc_bytes(&arena, 1026));
        assert_int_equal((uintptr_t)tm_alloc(&arena, 8) % 8, 0);
        tm_arena_release(&arena);
    }
}

/* A tree that loses all its nodes is still one, and empty. */
static void an_index_that_empties(void **unused) {
    (void)unused;
    enum { COUNT = 200 };
    char ids[COUNT][16];
    size_t found = 0;
    trivet_merge_state *state = NULL;
    assert_int_equal(trivet_merge_state_new(&state), 0);
    for (unsigned long i = 0; found < COUNT; i++) {
        sprintf(ids[found], "h%lu", i);
        found += (tm_hash(SLICE(ids[found])) & 0x3ff) == 0;
    }
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < COUNT; i++) {
            trivet_merge_item item = {.id = SLICE(ids[i]), .text = {"", 0}, .position = 1, .deleted_at = -1};
            assert_int_equal(trivet_merge_put_item(state, TRIVET_MERGE_LISTS, 0, &item, NULL), 0);
        }
        assert_true(state->items[0].index.is_tree);
        for (size_t i = 0; i < COUNT; i++)
            assert_int_equal(
                trivet_merge_remove_item(state, TRIVET_MERGE_LISTS, SLICE(ids[round ? i : COUNT - 1 - i])),
                0);
        assert_int_equal(trivet_merge_item_count(state, TRIVET_MERGE_LISTS, 0), 0);
        assert_int_equal(state->items[0].index.count, 0);
        assert_null(tm_index_find(&state->items[0].index, SLICE(ids[0]), tm_hash(SLICE(ids[0]))));
        assert_int_equal(trivet_merge_remove_item(state, TRIVET_MERGE_LISTS, SLICE(ids[0])),
                         TRIVET_MERGE_ENOTHERE);
    }
    trivet_merge_state_free(state);
}

typedef struct {
    uint32_t hash;
    int number;
} numbered;

static int compare_numbered(const void *a, const void *b) {
    const numbered *x = a, *y = b;
    return (x->hash > y->hash) - (x->hash < y->hash);
}

/* Two ids with one hash, of all 32 bits; side by side they are still two items. */
static void ids_with_one_hash(void **unused) {
    (void)unused;
    enum { COUNT = 300000 };
    numbered *all = allocate(COUNT * sizeof *all);
    char id[2][16], json[2][128];
    int at = 1;
    for (int i = 0; i < COUNT; i++) {
        sprintf(id[0], "%d", i);
        all[i] = (numbered){tm_hash(SLICE(id[0])), i};
    }
    qsort(all, COUNT, sizeof *all, compare_numbered);
    while (at < COUNT && all[at].hash != all[at - 1].hash)
        at++;
    assert_true(at < COUNT);
    for (int i = 0; i < 2; i++) {
        sprintf(id[i], "%d", all[at - i].number);
        sprintf(json[i], "{\"lists\":[[{\"id\":\"%s\",\"position\":%d,\"text\":\"\"}]]}", id[i], i);
    }
    free(all);
    trivet_merge_state *p = read_text(json[0]), *c = read_text(json[1]);
    trivet_merge_result *result;
    assert_int_equal(trivet_merge(NULL, p, c, NULL, &result, NULL), 0);
    const trivet_merge_state *m = trivet_merge_result_snapshot(result);
    assert_int_equal(trivet_merge_item_count(m, TRIVET_MERGE_LISTS, 0), 2);
    assert_true(trivet_merge_item_find(m, TRIVET_MERGE_LISTS, SLICE(id[0]), NULL, NULL));
    assert_true(trivet_merge_item_find(m, TRIVET_MERGE_LISTS, SLICE(id[1]), NULL, NULL));
    trivet_merge_result_free(result);
    trivet_merge_state_free(p);
    trivet_merge_state_free(c);
}

/* Changes and ties are in order where ids, and dates of nothing else, part late. */
static void ids_that_begin_alike(void **unused) {
    (void)unused;
    static const char *const ids[] = {"aaaaaaaa9", "aaaaaaaa", "aaaaaaaa10",
                                      "aaaaaab",   "aaaaaa",   "aaaaaa\xc3\xa9"};
    enum { COUNT = sizeof ids / sizeof *ids };
    char json[2][2048];
    for (int side = 0; side < 2; side++) {
        char *p = json[side] + sprintf(json[side], "{\"lists\":[[");
        for (int i = 0; i < COUNT; i++)
            p += sprintf(p, "%s{\"id\":\"%s\",\"position\":1,\"text\":\"%d\",\"u\":%d}", i ? "," : "", ids[i],
                         side, side);
        strcpy(p, "]]}");
    }
    trivet_merge_state *p = read_text(json[0]), *c = read_text(json[1]);
    trivet_merge_result *result;
    assert_int_equal(trivet_merge(NULL, p, c, NULL, &result, NULL), 0);
    assert_int_equal(trivet_merge_result_tie_count(result), 2 * COUNT);
    for (size_t i = 1; i < 2 * COUNT; i++) {
        trivet_merge_tie before, tie;
        trivet_merge_result_tie(result, i - 1, &before);
        trivet_merge_result_tie(result, i, &tie);
        int order = tm_slice_compare(before.item_id, tie.item_id);
        assert_true(order < 0 || (order == 0 && tm_slice_compare(before.field, tie.field) < 0));
    }
    assert_int_equal(trivet_merge_result_change_count(result), 2 * COUNT);
    for (size_t i = 1; i < 2 * COUNT; i++) {
        trivet_merge_change before, change;
        trivet_merge_result_change(result, i - 1, &before);
        trivet_merge_result_change(result, i, &change);
        int order = tm_slice_compare(before.id, change.id);
        assert_true(order < 0 || (order == 0 && tm_slice_compare(before.field, change.field) < 0));
    }
    trivet_merge_result_free(result);
    trivet_merge_state_free(p);
    trivet_merge_state_free(c);
}

/* A state is full: what it holds may be replaced, nothing added. */
static void a_full_state(void **unused) {
    (void)unused;
    trivet_merge_error err = TRIVET_MERGE_ERROR_INIT;
    trivet_merge_state *state = read_text("{\"lists\":[[{\"id\":\"a\",\"position\":1,\"text\":\"\"}]]}");
    trivet_merge_item item = {.id = {"b", 1}, .text = {"", 0}, .deleted_at = -1};
    state->items[1].total = TRIVET_MERGE_MAX_ITEMS - 1; /* as if the other section held the rest */
    assert_int_equal(trivet_merge_put_item(state, TRIVET_MERGE_LISTS, 0, &item, &err), TRIVET_MERGE_EINPUT);
    assert_string_equal(err.reason, "more than 1000000 items");
    item.id.data = "a";
    assert_int_equal(trivet_merge_put_item(state, TRIVET_MERGE_LISTS, 0, &item, &err), 0);
    state->items[1].total = 0;
    trivet_merge_state_free(state);
}

/* A path as long as there is room for, to the byte, and longer. */
static void paths_of_every_length(void **unused) {
    (void)unused;
    for (int len = 200; len < 300; len++) {
        char json[600];
        trivet_merge_error err = TRIVET_MERGE_ERROR_INIT;
        trivet_merge_state *state = NULL;
        char *p = json + sprintf(json, "{\"");
        memset(p, 'k', (size_t)len);
        sprintf(p + len, "\":{\"deeper\":{\"\xc3\xa9\xc3\xa9\":}}}");
        assert_int_equal(trivet_merge_state_read(json, strlen(json), TRIVET_MERGE_PHONE, &state, &err),
                         TRIVET_MERGE_EINPUT);
        assert_memory_equal(err.path, json + 2, 200);
        assert_true(strlen(err.path) < sizeof err.path);
        assert_int_equal(((unsigned char)err.path[strlen(err.path) - 1] & 0xc0) == 0xc0,
                         0); /* no half a character */
    }
}

static int compare_numbers(const void *a, const void *b) {
    int x = *(const int *)a, y = *(const int *)b;
    return (x > y) - (x < y);
}

/* Few and many, with keys that differ in any of their bytes and with equal ones: in the order of keys, then of what they stand for. */
static void sorted_by_keys(void **unused) {
    (void)unused;
    enum { MOST = 3000 };
    static int numbers[MOST];
    static tm_keyed items[MOST], spare[MOST];
    uint64_t seed = 1;
    for (size_t count = 0; count <= MOST; count = count * 3 / 2 + 1) {
        for (unsigned shift = 0; shift < 64; shift += 4) {
            uint64_t all = 0, sum = 0;
            for (size_t i = 0; i < count; i++) {
                numbers[i] = (int)random_below(&seed, MOST);
                uint64_t key = (uint64_t)random_below(&seed, 1 + count / 4) << shift;
                items[i] = (tm_keyed){key, &numbers[i]};
                all += key ^ (uintptr_t)&numbers[i];
            }
            tm_sort_keyed(items, count, compare_numbers, spare);
            for (size_t i = 0; i < count; i++) {
                sum += items[i].key ^ (uintptr_t)items[i].item;
                if (i > 0)
                    assert_true(items[i - 1].key < items[i].key ||
                                (items[i - 1].key == items[i].key &&
                                 compare_numbers(items[i - 1].item, items[i].item) <= 0));
            }
            assert_int_equal(sum, all);
        }
    }
}

/* Keys sort as doubles do, and as the first bytes of ids. */
static void keys_of_values(void **unused) {
    (void)unused;
    static const double ascending[] = {-1e308, -2.5, -2, -5e-324, 0, 5e-324, 1e-300, 1, 1.5, 1e308};
    static const char *const ids[] = {"", "a", "aa", "ab", "b", "b\xc3\xa9", "\xc3\xa9"};
    for (size_t i = 1; i < sizeof ascending / sizeof *ascending; i++)
        assert_true(tm_key_of_double(ascending[i - 1]) < tm_key_of_double(ascending[i]));
    assert_int_equal(tm_key_of_double(-0.0), tm_key_of_double(0.0));
    for (size_t i = 1; i < sizeof ids / sizeof *ids; i++)
        assert_true(tm_key_of_bytes(ids[i - 1], strlen(ids[i - 1])) <
                    tm_key_of_bytes(ids[i], strlen(ids[i])));
    assert_int_equal(tm_key_of_bytes("12345678a", 9), tm_key_of_bytes("12345678b", 9));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_beyond_memory),   cmocka_unit_test(a_chunk_that_ends_unaligned),
        cmocka_unit_test(an_index_that_empties), cmocka_unit_test(ids_with_one_hash),
        cmocka_unit_test(ids_that_begin_alike),  cmocka_unit_test(a_full_state),
        cmocka_unit_test(paths_of_every_length), cmocka_unit_test(sorted_by_keys),
        cmocka_unit_test(keys_of_values),
    };
    return cmocka_run_group_tests_name("merge: inside", tests, NULL, NULL);
}
