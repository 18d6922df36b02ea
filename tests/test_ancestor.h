/*
 * test_ancestor.h - a phone with its records, and the ancestor that is chosen for it (merge §10).
 *
 * States are JSON of the macros below; what a choice gives is compared as words (shown()): `a=milk@5` is a live item
 * of the first list, `-a@9` a dead one with its deletedAt, `L.a=...` one of a locked list, `a=milk@5/2` one in slot 2,
 * `p0=text@5` a scratchpad, `c0=label@5` a category of the lists.
 */
#ifndef TEST_ANCESTOR_H
#define TEST_ANCESTOR_H

#include "test_store.h"

#include "serve/ancestor.h"
#include "store/device.h"
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

/* ---- records ---- */

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

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, end)

#endif
