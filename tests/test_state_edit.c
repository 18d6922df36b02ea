/* Edits on a state (src/state): what a person may type, where an item comes to stand, and what is left alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "state/edit.h"
#include "state/place.h"
#include "state/prefix.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

enum { NOW = 5000 };

/*
 * Slot 1, "Groceries": aaa1 milk, aaa2 bread; "abc" is dead. Slot 2, "groceries" (small): nothing. Slot 3,
 * "Stra\u00dfe": two items at one position. Slot 7 exists through its label. Locked slot 1 "Vault": aaa9, and
 * "both", an id that slot 4 of the lists holds too.
 */
static const char STATE[] =
    "{\"lists\":[[{\"id\":\"aaa1\",\"text\":\"milk\",\"done\":false,\"position\":1,\"createdAt\":1,"
    "\"updatedAt\":9000},"
    "{\"id\":\"aaa2\",\"text\":\"bread\",\"done\":true,\"position\":2,\"createdAt\":1,\"updatedAt\":2,"
    "\"colour\":\"red\"},"
    "{\"id\":\"abc\",\"text\":\"gone\",\"done\":true,\"position\":3,\"createdAt\":1,\"updatedAt\":2,"
    "\"deleted\":true,"
    "\"deletedAt\":2}],[],"
    "[{\"id\":\"e1\",\"text\":\"x\",\"position\":4},{\"id\":\"e3\",\"text\":\"y\",\"position\":4}],"
    "[{\"id\":\"both\",\"text\":\"open\",\"position\":1},"
    "{\"id\":\"k\\u0000\\ud800z\",\"text\":\"odd "
    "id\",\"position\":2},{\"id\":\"q\\\"x\",\"text\":\"quote\",\"position\":3}]],"
    "\"listsCategories\":[{\"label\":\"Groceries\",\"section\":\"a\",\"updatedAt\":1},"
    "{\"label\":\"groceries\",\"section\":\"a\",\"updatedAt\":1},"
    "{\"label\":\"Stra\\u00dfe \\u00c4\",\"section\":\"a\",\"updatedAt\":1},"
    "{\"label\":\"Twice\",\"section\":\"a\",\"updatedAt\":1},{\"label\":\"Twice\",\"section\":\"a\","
    "\"updatedAt\":1},"
    "{\"label\":\"\",\"section\":\"a\",\"updatedAt\":1},{\"label\":\"2024\",\"section\":\"a\",\"updatedAt\":"
    "1}],"
    "\"lockedLists\":[[{\"id\":\"aaa9\",\"text\":\"code\",\"position\":1},{\"id\":\"both\",\"text\":"
    "\"locked\","
    "\"position\":2}]],"
    "\"lockedListsCategories\":[{\"label\":\"Vault\",\"section\":\"b\",\"updatedAt\":1}],"
    "\"scratchpad\":[{\"content\":\"old\",\"updatedAt\":7000}]}";

static trivet_merge_state *read_state(const char *json) {
    trivet_merge_error err = TRIVET_MERGE_ERROR_INIT;
    trivet_merge_state *state = NULL;

    if (trivet_merge_state_read(json, strlen(json), TRIVET_MERGE_COMPUTER, &state, &err) != 0)
        fail_msg("%s: %s", err.path, err.reason);
    return state;
}

/* Live texts of a slot in their order, joined by spaces. */
static const char *order(const trivet_merge_state *state, trivet_merge_section section, size_t slot) {
    static char out[512];
    trivet_merge_item item;

    out[0] = '\0';
    for (size_t i = 0; trivet_merge_item_at(state, section, slot, i, &item) && !item.deleted; i++)
        snprintf(out + strlen(out), sizeof out - strlen(out), "%s%.*s", i ? " " : "", (int)item.text.len,
                 item.text.data);
    return out;
}

/* ---- slots -------------------------------------------------------------------------------------------- */

static void test_slot(void **unused) {
    static const struct {
        trivet_merge_section section;
        const char *typed;
        int status;
        size_t slot;
    } cases[] = {
        {TRIVET_MERGE_LISTS, "1", 0, 0},
        {TRIVET_MERGE_LISTS, "7", 0, 6},
        {TRIVET_MERGE_LISTS, "0", EX_NOINPUT, 0},
        {TRIVET_MERGE_LISTS, "8", EX_NOINPUT, 0},
        {TRIVET_MERGE_LISTS, "-1", EX_NOINPUT, 0},
        {TRIVET_MERGE_LISTS, "99999999999999999999999", EX_NOINPUT, 0},
        {TRIVET_MERGE_LISTS, "Groceries", 0, 0},
        {TRIVET_MERGE_LISTS, "groceries", 0, 1},
        {TRIVET_MERGE_LISTS, "GROCERIES", EX_DATAERR, 0},
        {TRIVET_MERGE_LISTS,
         "stra\xc3\x9f"
         "e \xc3\xa4",
         0, 2},
        {TRIVET_MERGE_LISTS, "stra\xc3", EX_NOINPUT, 0},
        {TRIVET_MERGE_LISTS, "Twice", EX_DATAERR, 0},
        {TRIVET_MERGE_LISTS, "2024", 0, 6},
        {TRIVET_MERGE_LISTS, "", EX_NOINPUT, 0},
        {TRIVET_MERGE_LISTS, "Vault", EX_NOINPUT, 0},
        {TRIVET_MERGE_LOCKED_LISTS, "vault", 0, 0},
        {TRIVET_MERGE_LOCKED_LISTS, "6", 0, 5},
        {TRIVET_MERGE_LOCKED_LISTS, "7", EX_NOINPUT, 0},
        {TRIVET_MERGE_SCRATCHPAD, "6", 0, 5},
        {TRIVET_MERGE_SCRATCHPAD, "Groceries", EX_NOINPUT, 0},
    };
    trivet_merge_state *state = read_state(STATE);

    (void)unused;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        edit_error err = EDIT_ERROR_INIT;
        size_t slot = 99;
        int code = edit_slot(state, cases[i].section, cases[i].typed, &slot, &err);
        if ((code == 0) != (cases[i].status == 0) || err.status != cases[i].status ||
            (code == 0 && slot != cases[i].slot) || (code != 0 && err.message[0] == '\0'))
            fail_msg("\"%s\": code %d, status %d, slot %zu: %s", cases[i].typed, code, err.status, slot,
                     err.message);
    }
    trivet_merge_state_free(state);
}

/* ---- items -------------------------------------------------------------------------------------------- */

static void test_find(void **unused) {
    static const struct {
        const char *typed;
        int status;
        trivet_merge_section section;
        const char *text;
    } cases[] = {
        {"aaa1", 0, TRIVET_MERGE_LISTS, "milk"},
        {"aaa9", 0, TRIVET_MERGE_LOCKED_LISTS, "code"},
        {"aaa", EX_DATAERR, 0, NULL}, /* three, over both sections */
        {"e", EX_DATAERR, 0, NULL},
        {"ab", EX_NOINPUT, 0, NULL}, /* dead */
        {"abc", EX_NOINPUT, 0, NULL},
        {"aaa11", EX_NOINPUT, 0, NULL},
        {"", EX_DATAERR, 0, NULL},
        {"both", EX_DATAERR, 0, NULL},
        {"lists/both", 0, TRIVET_MERGE_LISTS, "open"},
        {"lockedLists/b", 0, TRIVET_MERGE_LOCKED_LISTS, "locked"},
        {"lockedLists/", EX_NOINPUT, 0, NULL},
        {"q\"", 0, TRIVET_MERGE_LISTS, "quote"},
        {"q\"x", 0, TRIVET_MERGE_LISTS, "quote"},
        {"q\\", EX_NOINPUT, 0, NULL},
        {"k", 0, TRIVET_MERGE_LISTS, "odd id"},
        {"\xff", EX_DATAERR, 0, NULL},
    };
    trivet_merge_state *state = read_state(STATE);

    (void)unused;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        edit_error err = EDIT_ERROR_INIT;
        trivet_merge_section section = TRIVET_MERGE_SECTIONS;
        trivet_merge_item item;
        size_t slot;
        int code = edit_find(state, cases[i].typed, &section, &slot, &item, &err);
        if ((code == 0) != (cases[i].status == 0) || err.status != cases[i].status ||
            (code == 0 && (section != cases[i].section || item.text.len != strlen(cases[i].text) ||
                           memcmp(item.text.data, cases[i].text, item.text.len) != 0)))
            fail_msg("\"%s\": code %d, status %d, section %d: %s", cases[i].typed, code, err.status,
                     (int)section, err.message);
    }
    trivet_merge_state_free(state);
}

/* An id in both sections has a way to be named, and the refusal says which. */
static void test_id_in_both(void **unused) {
    trivet_merge_state *state = read_state(STATE);
    edit_error err = EDIT_ERROR_INIT;
    trivet_merge_section section;
    trivet_merge_item item;
    size_t slot;

    (void)unused;
    assert_int_equal(edit_find(state, "both", &section, &slot, &item, &err), -1);
    assert_non_null(strstr(err.message, "lockedLists/both"));
    trivet_merge_state_free(state);
}

static void test_exact_id_wins(void **unused) {
    trivet_merge_state *state = read_state("{\"lists\":[[{\"id\":\"a\",\"text\":\"short\",\"position\":1},"
                                           "{\"id\":\"ab\",\"text\":\"long\",\"position\":2}]]}");
    edit_error err = EDIT_ERROR_INIT;
    trivet_merge_section section;
    trivet_merge_item item;
    size_t slot;

    (void)unused;
    assert_int_equal(edit_find(state, "a", &section, &slot, &item, &err), 0);
    assert_int_equal(item.id.len, 1);
    trivet_merge_state_free(state);
}

static void test_prefixes(void **unused) {
    static const struct {
        const char *id, *shown;
    } cases[] = {
        {"abcdefgh", "abcdefg"},
        {"abcdefxx", "abcdefx"},
        {"abcd", "abcd"},
        {"zz", "zz"},
        {"zy\\u0000a1", "zy"},
        {"m\xc3\xa4"
         "0123",
         "m\xc3\xa4"
         "0"},
        {"01234567", "0123"},
        {"abc\xc3\xa4q", "abc\xc3\xa4"},
    };
    char json[1024] = "{\"lists\":[[";
    trivet_merge_state *state;
    prefixes *p;

    (void)unused;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        snprintf(json + strlen(json), sizeof json - strlen(json),
                 "%s{\"id\":\"%s\",\"text\":\"t\",\"position\":1}", i ? "," : "", cases[i].id);
    strcat(json, "]]}");
    state = read_state(json);
    assert_int_equal(prefixes_new(state, &p), 0);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        trivet_merge_slice id = {cases[i].id, strlen(cases[i].id)};
        char *shown = prefixes_of(p, id);
        edit_error err = EDIT_ERROR_INIT;
        trivet_merge_section section;
        trivet_merge_item item;
        size_t slot;
        assert_string_equal(shown, cases[i].shown);
        /* and it names the item that it is shown for */
        assert_int_equal(edit_find(state, shown, &section, &slot, &item, &err), 0);
        assert_int_equal(item.id.len, id.len);
        assert_memory_equal(item.id.data, id.data, id.len);
        free(shown);
    }
    prefixes_free(p);
    trivet_merge_state_free(state);
}

/* ---- dates -------------------------------------------------------------------------------------------- */

static void test_dates(void **unused) {
    trivet_merge_state *state = read_state(STATE);
    edit_error err = EDIT_ERROR_INIT;
    trivet_merge_item item;
    trivet_merge_entry entry;

    (void)unused;
    assert_int_equal(edit_text(state, "aaa1", "oat milk", NOW, &item, &err), 0);
    assert_int_equal(item.updated_at, 9001); /* the old date is in the future: one more */
    assert_int_equal(edit_text(state, "aaa2", "rye", NOW, &item, &err), 0);
    assert_int_equal(item.updated_at, NOW);
    assert_int_equal(item.created_at, 1);
    assert_int_equal(edit_done(state, "aaa2", false, NOW, &item, &err), 0);
    assert_int_equal(item.updated_at, NOW + 1);
    assert_int_equal(edit_remove(state, "aaa2", NOW, &item, &err), 0);
    assert_true(item.deleted);
    assert_int_equal(item.updated_at, NOW + 2);
    assert_true(item.deleted_at >= NOW);
    assert_int_equal(edit_pad(state, 0, "new", NOW, &err), 0);
    trivet_merge_entry_at(state, TRIVET_MERGE_SCRATCHPAD, 0, &entry);
    assert_int_equal(entry.updated_at, 7001);
    trivet_merge_state_free(state);
}

/* Unknown fields survive, and no other item changes. */
static void test_only_what_is_meant(void **unused) {
    trivet_merge_state *state = read_state(STATE), *before = read_state(STATE);
    edit_error err = EDIT_ERROR_INIT;
    trivet_merge_item item, now, old;
    char *json;
    size_t len;

    (void)unused;
    assert_int_equal(edit_text(state, "aaa2", "rye", NOW, &item, &err), 0);
    assert_int_equal(trivet_merge_item_write(&item, &json, &len), 0);
    assert_non_null(strstr(json, "\"colour\":\"red\""));
    free(json);
    trivet_merge_item_find(state, TRIVET_MERGE_LISTS, (trivet_merge_slice){"aaa1", 4}, &now, NULL);
    trivet_merge_item_find(before, TRIVET_MERGE_LISTS, (trivet_merge_slice){"aaa1", 4}, &old, NULL);
    assert_true(trivet_merge_item_equal(&now, &old));
    trivet_merge_state_free(before);
    trivet_merge_state_free(state);
}

/* A deletion must be later than the one that was undone before (merge §2). */
static void test_deleted_once_more(void **unused) {
    trivet_merge_state *state =
        read_state("{\"lists\":[[{\"id\":\"a\",\"text\":\"t\",\"position\":1,\"updatedAt\":10,"
                   "\"deleted\":false,\"deletedAt\":8000}]]}");
    edit_error err = EDIT_ERROR_INIT;
    trivet_merge_item item;

    (void)unused;
    assert_int_equal(edit_remove(state, "a", NOW, &item, &err), 0);
    assert_int_equal(item.updated_at, NOW);
    assert_int_equal(item.deleted_at, 8001);
    trivet_merge_state_free(state);
}

/* ---- add, and what is refused ------------------------------------------------------------------------- */

static void test_add(void **unused) {
    trivet_merge_state *state = read_state(STATE);
    edit_error err = EDIT_ERROR_INIT;
    trivet_merge_item item;

    (void)unused;
    assert_int_equal(edit_add(state, TRIVET_MERGE_LISTS, 0, "say \"hi\"\n", NOW, &item, &err), 0);
    assert_string_equal(order(state, TRIVET_MERGE_LISTS, 0), "milk bread say \\\"hi\\\"\\n");
    assert_int_equal(item.id.len, 36);
    assert_int_equal(item.id.data[14], '4');
    assert_non_null(strchr("89ab", item.id.data[19]));
    assert_true(item.created_at == NOW && item.updated_at == NOW && item.deleted_at == -1 && !item.done);
    assert_int_equal(edit_add(state, TRIVET_MERGE_LOCKED_LISTS, 5, "far", NOW, &item, &err), 0);
    assert_string_equal(order(state, TRIVET_MERGE_LOCKED_LISTS, 5), "far");
    trivet_merge_state_free(state);
}

static void test_add_to_nothing(void **unused) {
    trivet_merge_state *state;
    edit_error err = EDIT_ERROR_INIT;
    trivet_merge_item item;

    (void)unused;
    assert_int_equal(trivet_merge_state_new(&state), 0);
    assert_int_equal(edit_add(state, TRIVET_MERGE_LISTS, 2, "first", NOW, &item, &err), 0);
    assert_int_equal(edit_pad(state, 3, "first", NOW, &err), 0);
    assert_int_equal(trivet_merge_slot_count(state, TRIVET_MERGE_LISTS), 3);
    assert_int_equal(trivet_merge_slot_count(state, TRIVET_MERGE_SCRATCHPAD), 4);
    trivet_merge_state_free(state);
}

static void test_refused(void **unused) {
    trivet_merge_state *state = read_state(STATE), *before = read_state(STATE);
    trivet_merge_item item;

    (void)unused;
#define REFUSED(expected, call)                                                                              \
    do {                                                                                                     \
        edit_error err = EDIT_ERROR_INIT;                                                                    \
        assert_int_equal(call, -1);                                                                          \
        assert_int_equal(err.status, expected);                                                              \
        assert_true(err.message[0] != '\0');                                                                 \
        assert_true(trivet_merge_state_equal(state, before));                                                \
    } while (0)
    REFUSED(EX_DATAERR, edit_add(state, TRIVET_MERGE_LISTS, 0, "", NOW, &item, &err));
    REFUSED(EX_DATAERR, edit_add(state, TRIVET_MERGE_LISTS, 0, " \t\n", NOW, &item, &err));
    REFUSED(EX_DATAERR, edit_add(state, TRIVET_MERGE_LISTS, 0, "bad \xc3", NOW, &item, &err));
    REFUSED(EX_DATAERR, edit_text(state, "aaa1", "\xed\xa0\x80", NOW, &item, &err));
    REFUSED(1, edit_text(state, "aaa1", "milk", NOW, &item, &err));
    REFUSED(1, edit_done(state, "aaa2", true, NOW, &item, &err));
    REFUSED(1, edit_pad(state, 0, "old", NOW, &err));
    REFUSED(1, edit_pad(state, 1, "", NOW, &err));
    REFUSED(EX_DATAERR, edit_pad(state, 0, "\xff", NOW, &err));
    REFUSED(EX_NOINPUT, edit_remove(state, "abc", NOW, &item, &err));
    REFUSED(1, edit_move(state, "aaa1", SIZE_MAX, EDIT_TOP, NULL, NOW, &item, &err));
    REFUSED(1, edit_move(state, "aaa2", SIZE_MAX, EDIT_BOTTOM, NULL, NOW, &item, &err));
    REFUSED(1, edit_move(state, "aaa1", SIZE_MAX, EDIT_BEFORE, "aaa2", NOW, &item, &err));
    REFUSED(1, edit_move(state, "aaa2", 0, EDIT_SAME_PLACE, NULL, NOW, &item, &err));
    REFUSED(EX_DATAERR, edit_move(state, "aaa1", SIZE_MAX, EDIT_AFTER, "aaa1", NOW, &item, &err));
    REFUSED(EX_DATAERR, edit_move(state, "aaa1", SIZE_MAX, EDIT_AFTER, "aaa9", NOW, &item, &err));
    REFUSED(EX_DATAERR, edit_move(state, "aaa1", 1, EDIT_AFTER, "aaa2", NOW, &item, &err));
    REFUSED(EX_NOINPUT, edit_move(state, "aaa1", SIZE_MAX, EDIT_AFTER, "nobody", NOW, &item, &err));
#undef REFUSED
    trivet_merge_state_free(before);
    trivet_merge_state_free(state);
}

/* ---- moves -------------------------------------------------------------------------------------------- */

/* Slot 1: a b c d (positions given), slot 2: p q. Ids are the letters; e0 < e1 and so on where they are needed. */
static const char PLAIN[] = "1,2,3,4", EQUAL[] = "5,5,5,5", HUGE_VALUES[] = "-1.7e308,1e300,1.6e308,1.7e308",
                  TIGHT[] = "1,1.0000000000000002,1.0000000000000004,2";

static trivet_merge_state *state_of(const char *positions) {
    static char json[1024];
    double p[4];

    assert_int_equal(sscanf(positions, "%lf,%lf,%lf,%lf", &p[0], &p[1], &p[2], &p[3]), 4);
    strcpy(json, "{\"lists\":[[");
    for (int i = 0; i < 4; i++)
        snprintf(json + strlen(json), sizeof json - strlen(json),
                 "%s{\"id\":\"%c\",\"text\":\"%c\",\"position\":%.17g,\"updatedAt\":3}", i ? "," : "",
                 'a' + i, 'a' + i, p[i]);
    strcat(json,
           "],[{\"id\":\"p\",\"text\":\"p\",\"position\":1},{\"id\":\"q\",\"text\":\"q\",\"position\":2}]]}");
    return read_state(json);
}

static void test_move(void **unused) {
    static const struct {
        const char *positions, *id;
        size_t slot;
        edit_place place;
        const char *other;
        const char *first, *second; /* what the two slots then show */
        bool renumbered;
    } cases[] = {
        {PLAIN, "c", SIZE_MAX, EDIT_TOP, NULL, "c a b d", "p q", false},
        {PLAIN, "b", SIZE_MAX, EDIT_BOTTOM, NULL, "a c d b", "p q", false},
        {PLAIN, "d", SIZE_MAX, EDIT_BEFORE, "b", "a d b c", "p q", false},
        {PLAIN, "d", SIZE_MAX, EDIT_AFTER, "a", "a d b c", "p q", false},
        {PLAIN, "a", SIZE_MAX, EDIT_AFTER, "c", "b c a d", "p q", false},
        {PLAIN, "a", SIZE_MAX, EDIT_AFTER, "d", "b c d a", "p q", false},
        {PLAIN, "a", SIZE_MAX, EDIT_BEFORE, "d", "b c a d", "p q", false},
        {PLAIN, "a", 1, EDIT_SAME_PLACE, NULL, "b c d", "p q a", false},
        {PLAIN, "a", 1, EDIT_TOP, NULL, "b c d", "a p q", false},
        {PLAIN, "a", SIZE_MAX, EDIT_BEFORE, "q", "b c d", "p a q", false},
        {PLAIN, "a", 1, EDIT_AFTER, "q", "b c d", "p q a", false},
        {PLAIN, "p", 5, EDIT_SAME_PLACE, NULL, "a b c d", "q", false},
        {EQUAL, "d", SIZE_MAX, EDIT_TOP, NULL, "d a b c", "p q", false},
        {EQUAL, "a", SIZE_MAX, EDIT_BOTTOM, NULL, "b c d a", "p q", false},
        {EQUAL, "a", SIZE_MAX, EDIT_AFTER, "b", "b a c d", "p q", true},
        {EQUAL, "d", SIZE_MAX, EDIT_BEFORE, "c", "a b d c", "p q", true},
        {HUGE_VALUES, "d", SIZE_MAX, EDIT_AFTER, "a", "a d b c", "p q", false},
        {HUGE_VALUES, "a", SIZE_MAX, EDIT_BOTTOM, NULL, "b c d a", "p q", false},
        {HUGE_VALUES, "d", SIZE_MAX, EDIT_TOP, NULL, "d a b c", "p q", false},
        {TIGHT, "d", SIZE_MAX, EDIT_AFTER, "a", "a d b c", "p q", false}, /* at a's own position: a < d */
        {TIGHT, "a", SIZE_MAX, EDIT_AFTER, "b", "b a c d", "p q", false}, /* at c's own position: a < c */
        /* halving the difference would overflow, and b fits neither neighbour's own position */
        {"1.7e308,1.75e308,-1.7e308,1.79e308", "b", SIZE_MAX, EDIT_BEFORE, "a", "c b a d", "p q", false},
        /* the middle rounds to the neighbour whose position does not do, the other's does */
        {"5,1,1.0000000000000002,9", "a", SIZE_MAX, EDIT_AFTER, "b", "b a c d", "p q", false},
        {"1.0000000000000002,1.0000000000000004,5,9", "d", SIZE_MAX, EDIT_AFTER, "a", "a d b c", "p q",
         false},
        {"1,1,1,1.7976931348623157e308", "a", SIZE_MAX, EDIT_BOTTOM, NULL, "b c d a", "p q", true},
        {"-1.7976931348623157e308,1,2,3", "d", SIZE_MAX, EDIT_TOP, NULL, "d a b c", "p q", true},
    };

    (void)unused;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        trivet_merge_state *state = state_of(cases[i].positions), *before = state_of(cases[i].positions);
        edit_error err = EDIT_ERROR_INIT;
        trivet_merge_item item, now, old;
        bool renumbered = false;
        if (edit_move(state, cases[i].id, cases[i].slot, cases[i].place, cases[i].other, NOW, &item, &err) !=
            0)
            fail_msg("case %zu: %s", i, err.message);
        if (strcmp(order(state, TRIVET_MERGE_LISTS, 0), cases[i].first) != 0)
            fail_msg("case %zu: %s, expected %s", i, order(state, TRIVET_MERGE_LISTS, 0), cases[i].first);
        if (strcmp(order(state, TRIVET_MERGE_LISTS, 1), cases[i].second) != 0)
            fail_msg("case %zu: %s, expected %s", i, order(state, TRIVET_MERGE_LISTS, 1), cases[i].second);
        assert_int_equal(item.updated_at, NOW);
        for (const char *id = "abcdpq"; *id; id++) {
            if (*id == cases[i].id[0])
                continue;
            trivet_merge_item_find(state, TRIVET_MERGE_LISTS, (trivet_merge_slice){id, 1}, &now, NULL);
            trivet_merge_item_find(before, TRIVET_MERGE_LISTS, (trivet_merge_slice){id, 1}, &old, NULL);
            assert_int_equal(now.updated_at, old.updated_at);
            renumbered = renumbered || !trivet_merge_item_equal(&now, &old);
        }
        if (renumbered != cases[i].renumbered)
            fail_msg("case %zu: neighbours were %schanged", i, renumbered ? "" : "not ");
        trivet_merge_state_free(before);
        trivet_merge_state_free(state);
    }
}

/* Moved into the same gap again and again, doubles run out after about 50 halvings; the order stays right. */
static void test_exhausted(void **unused) {
    trivet_merge_state *state = state_of(PLAIN);
    trivet_merge_item item;

    (void)unused;
    for (int i = 0; i < 200; i++) {
        edit_error err = EDIT_ERROR_INIT;
        const char *moved = i % 2 ? "d" : "c", *expected = i % 2 ? "a d c b" : "a c d b";
        if (edit_move(state, moved, SIZE_MAX, EDIT_AFTER, "a", NOW, &item, &err) != 0 && i > 0)
            fail_msg("move %d: %s", i, err.message);
        if (i > 0)
            assert_string_equal(order(state, TRIVET_MERGE_LISTS, 0), expected);
    }
    trivet_merge_state_free(state);
}

static void test_locked(void **unused) {
    trivet_merge_state *state = read_state(STATE);
    edit_error err = EDIT_ERROR_INIT;
    trivet_merge_item item;

    (void)unused;
    assert_int_equal(edit_text(state, "aaa9", "number", NOW, &item, &err), 0);
    assert_int_equal(edit_move(state, "aaa9", 2, EDIT_SAME_PLACE, NULL, NOW, &item, &err), 0);
    assert_string_equal(order(state, TRIVET_MERGE_LOCKED_LISTS, 2), "number");
    assert_string_equal(order(state, TRIVET_MERGE_LOCKED_LISTS, 0), "locked");
    assert_string_equal(order(state, TRIVET_MERGE_LISTS, 0), "milk bread");
    trivet_merge_state_free(state);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_slot),
        cmocka_unit_test(test_find),
        cmocka_unit_test(test_id_in_both),
        cmocka_unit_test(test_exact_id_wins),
        cmocka_unit_test(test_prefixes),
        cmocka_unit_test(test_dates),
        cmocka_unit_test(test_only_what_is_meant),
        cmocka_unit_test(test_deleted_once_more),
        cmocka_unit_test(test_add),
        cmocka_unit_test(test_add_to_nothing),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_move),
        cmocka_unit_test(test_exhausted),
        cmocka_unit_test(test_locked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
