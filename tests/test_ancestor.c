/*
 * test_ancestor.c - which ancestor a phone's edits are measured from: merge §10, rule by rule.
 *
 * States are JSON of the macros below; what a choice gives is compared as words (shown()): `a=milk@5` is a live item
 * of the first list, `-a@9` a dead one with its deletedAt, `L.a=...` one of a locked list, `a=milk@5/2` one in slot 2,
 * `p0=text@5` a scratchpad, `c0=label@5` a category of the lists.
 */
#include "test_store.h"

#include "serve/ancestor.h"
#include "serve/commit.h"
#include "serve/reconcile.h"
#include "store/device.h"
#include "store/grave.h"
#include "store/record.h"

#define I(id, text, at) "{\"id\":\"" id "\",\"text\":\"" text "\",\"position\":1,\"updatedAt\":" #at "}"
#define D(id, text, at, died)                                                                                \
    "{\"id\":\"" id "\",\"text\":\"" text "\",\"position\":1,\"updatedAt\":" #at                             \
    ",\"deleted\":true,\"deletedAt\":" #died "}"
#define LISTS(items) "\"lists\":[[" items "]]"
#define LOCKED(items) "\"lockedLists\":[[" items "]]"
#define PAD(text, at) "\"scratchpad\":[{\"content\":\"" text "\",\"updatedAt\":" #at "}]"
#define LABEL(text, at) "\"listsCategories\":[{\"label\":\"" text "\",\"updatedAt\":" #at "}]"
#define S(members) "{" members "}"
#define NONE NULL

enum { NOW = 1000000000, ALL_GROUPS = -1 };

/* One phone, and the choice last made for it. */
typedef struct {
    fixture base;
    device d;
    trivet_merge_state *phone, *computer;
    ancestor_choice choice;
} chosen;

static void pair(chosen *c, const char *replaces) {
    fixture *f = &c->base;
    char secret[37];
    uint8_t k[32];
    ok(device_create(f->s, NULL, replaces, NOW, &c->d, secret, k, &f->err));
}

static int setup(void **state) {
    void *plain;
    chosen *c = calloc(1, sizeof *c);
    if (c == NULL || setup_store(&plain) != 0)
        return -1;
    c->base = *(fixture *)plain;
    free(plain);
    pair(c, NULL);
    *state = c;
    return 0;
}

static void forget(chosen *c) {
    ancestor_release(&c->choice);
    trivet_merge_state_free(c->phone);
    trivet_merge_state_free(c->computer);
    c->phone = c->computer = NULL;
}

static int end(void **state) {
    forget(*state);
    return teardown(state); /* the fixture is the first member */
}

/* ---- records, graves ---- */

/* A merge that was committed. `ancestor` NULL: there was none. */
static int64_t merged(chosen *c, int64_t since_before, const char *sent, const char *snapshot,
                      const char *ancestor) {
    fixture *f = &c->base;
    record r = {.sent = put(f, sent),
                .snapshot = put(f, snapshot),
                .has_ancestor = ancestor != NULL,
                .since_before = since_before,
                .time = NOW};
    if (ancestor != NULL)
        r.ancestor = put(f, ancestor);
    ok(record_add(f->s, c->d.id, "Pixel", &r, &f->err));
    return r.id;
}

static void applied(chosen *c, int64_t id, int group, int64_t since) {
    fixture *f = &c->base;
    for (int g = 0; g < RECORD_GROUPS; g++)
        if (group == ALL_GROUPS || group == g)
            ok(record_applied(f->s, id, (record_group)g, since, &f->err));
}

/* Items of `before` are no longer in the computer's state since `now`. */
static void buried(chosen *c, const char *before, int64_t now) {
    fixture *f = &c->base;
    trivet_merge_state *was = state_of(before), *is = state_of("{}");
    ok(grave_update(f->s, was, is, now, &f->err));
    trivet_merge_state_free(was);
    trivet_merge_state_free(is);
}

/* ---- choosing, and what came of it ---- */

static void choose(chosen *c, int64_t since, const char *phone, const char *computer) {
    fixture *f = &c->base;
    forget(c);
    c->phone = state_of(phone);
    c->computer = state_of(computer);
    ok(ancestor_choose(f->s, c->d.id, "Pixel", since, c->phone, c->computer, &c->choice, &f->err));
}

static void show_items(FILE *out, const trivet_merge_state *state, trivet_merge_section section,
                       const char *mark) {
    trivet_merge_item item;
    for (size_t slot = 0; slot < trivet_merge_slot_count(state, section); slot++)
        for (size_t i = 0; trivet_merge_item_at(state, section, slot, i, &item); i++) {
            if (item.deleted)
                fprintf(out, " %s-%.*s@%lld", mark, (int)item.id.len, item.id.data,
                        (long long)item.deleted_at);
            else
                fprintf(out, " %s%.*s=%.*s@%lld", mark, (int)item.id.len, item.id.data, (int)item.text.len,
                        item.text.data, (long long)item.updated_at);
            if (slot > 0)
                fprintf(out, "/%zu", slot);
        }
}

static void show_entries(FILE *out, const trivet_merge_state *state, trivet_merge_section section,
                         char mark) {
    trivet_merge_entry entry;
    for (size_t i = 0; trivet_merge_entry_at(state, section, i, &entry); i++)
        fprintf(out, " %c%zu=%.*s@%lld", mark, i, (int)entry.text.len, entry.text.data,
                (long long)entry.updated_at);
}

static const char *shown(const trivet_merge_state *state) {
    static char text[1024];
    if (state == NULL)
        return "none";
    memset(text, 0, sizeof text);
    FILE *out = fmemopen(text, sizeof text - 1, "w");
    show_items(out, state, TRIVET_MERGE_LISTS, "");
    show_items(out, state, TRIVET_MERGE_LOCKED_LISTS, "L.");
    show_entries(out, state, TRIVET_MERGE_SCRATCHPAD, 'p');
    show_entries(out, state, TRIVET_MERGE_LISTS_CATEGORIES, 'c');
    fclose(out);
    return text[0] == ' ' ? text + 1 : text;
}

#define ancestor_is(text) assert_string_equal(shown(c->choice.ancestor), text)
#define guard_is(text) assert_string_equal(shown(c->choice.guard), text)
#define computer_is(text) assert_string_equal(shown(c->choice.computer), text)
#define joins(group, id) assert_int_equal(c->choice.applied[group], id)

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

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, end)

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
        TEST(case_3_snapshots_go_before_sent),
        TEST(case_3_a_lost_confirm_goes_last),
        TEST(case_3_not_one_known_by_another_time),
        TEST(case_3_what_came_with_the_same_time),
        TEST(case_3_the_newest_where_there_is_no_other),
        TEST(case_3_what_cannot_have_come_about_counts_three),
        TEST(case_3_absent_equals_dead),
        TEST(how_much_an_item_differs_does_not_count),
        TEST(only_so_many_are_candidates),
        TEST(case_4_no_ancestor),
        TEST(each_group_chooses_for_itself),
        TEST(a_section_that_is_not_sent_says_nothing),
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
