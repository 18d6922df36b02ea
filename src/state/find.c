/*
 * What a person types to name a slot or an item, resolved.
 *
 * Ids and labels are compared as plain UTF-8, for that is what was typed; a state holds them as JSON escapes.
 */
#include "state/edit.h"

#include "state/refuse.h"

#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <wchar.h>
#include <wctype.h>

enum { USUAL_SLOTS = 6 }; /* the phone app's number */
enum { UTF8_MAX = 4 };    /* bytes of a character */

/* ---- slots -------------------------------------------------------------------------------------------- */

static trivet_merge_section categories_of(trivet_merge_section section) {
    switch (section) {
    case TRIVET_MERGE_LISTS:
        return TRIVET_MERGE_LISTS_CATEGORIES;
    case TRIVET_MERGE_LOCKED_LISTS:
        return TRIVET_MERGE_LOCKED_LISTS_CATEGORIES;
    default:
        return TRIVET_MERGE_SCRATCHPAD_CATEGORIES;
    }
}

size_t edit_slot_count(const trivet_merge_state *state, trivet_merge_section section) {
    size_t count = trivet_merge_slot_count(state, section);
    size_t labels = trivet_merge_slot_count(state, categories_of(section));

    if (count < labels)
        count = labels;
    return count > USUAL_SLOTS ? count : USUAL_SLOTS;
}

int edit_label(const trivet_merge_state *state, trivet_merge_section section, size_t slot, char **label) {
    trivet_merge_entry entry;
    size_t len;

    *label = NULL;
    if (!trivet_merge_entry_at(state, categories_of(section), slot, &entry) || entry.text.len == 0)
        return 0;
    return trivet_merge_unquote(entry.text, label, &len) == 0 ? 0 : -1;
}

/* Whether two labels are equal but for case. Invalid UTF-8 equals nothing. */
static bool folds_alike(const char *a, const char *b, locale_t utf8) {
    mbstate_t a_state = {0}, b_state = {0};

    for (;;) {
        wchar_t x, y;
        locale_t before = uselocale(utf8);
        size_t a_len = mbrtowc(&x, a, UTF8_MAX, &a_state);
        size_t b_len = mbrtowc(&y, b, UTF8_MAX, &b_state);
        uselocale(before);
        if (a_len > UTF8_MAX || b_len > UTF8_MAX) /* (size_t)-1 and -2 are errors */
            return false;
        if (towlower_l((wint_t)x, utf8) != towlower_l((wint_t)y, utf8))
            return false;
        if (x == L'\0')
            return true;
        a += a_len;
        b += b_len;
    }
}

/* A whole number from 1, or 0. */
static size_t slot_number(const char *typed) {
    size_t number = 0;

    if (typed[0] == '\0' || strspn(typed, "0123456789") != strlen(typed) || strlen(typed) > 9)
        return 0;
    for (const char *c = typed; *c; c++)
        number = number * 10 + (size_t)(*c - '0');
    return number;
}

/* The slots whose label is `typed`: how many, and the last of them. -1: out of memory. */
static int slots_labelled(const trivet_merge_state *state, trivet_merge_section section, const char *typed,
                          locale_t fold, size_t *slot) {
    size_t count = edit_slot_count(state, section);
    int found = 0;

    for (size_t i = 0; i < count; i++) {
        char *label;
        if (edit_label(state, section, i, &label) != 0)
            return -1;
        if (label && (fold ? folds_alike(label, typed, fold) : strcmp(label, typed) == 0)) {
            found++;
            *slot = i;
        }
        free(label);
    }
    return found;
}

int edit_slot(const trivet_merge_state *state, trivet_merge_section section, const char *typed, size_t *slot,
              edit_error *err) {
    size_t count = edit_slot_count(state, section), number = slot_number(typed);
    locale_t utf8;
    int found;

    if (number >= 1 && number <= count) {
        *slot = number - 1;
        return 0;
    }
    found = slots_labelled(state, section, typed, (locale_t)0, slot);
    if (found == 0 && (utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0)) != (locale_t)0) {
        found = slots_labelled(state, section, typed, utf8, slot);
        freelocale(utf8);
    }
    if (found == 1)
        return 0;
    if (found < 0)
        return edit_refuse(err, EX_OSERR, "out of memory");
    if (found > 1)
        return edit_refuse(err, EX_DATAERR,
                           "%d slots are called \"%.200s\"; name one by its number, 1 to %zu", found, typed,
                           count);
    return edit_refuse(err, EX_NOINPUT,
                       "no slot is called \"%.200s\"; name one by its label, or by its number, 1 to %zu",
                       typed, count);
}

/* ---- items -------------------------------------------------------------------------------------------- */

static const trivet_merge_section ITEM_SECTIONS[] = {TRIVET_MERGE_LISTS, TRIVET_MERGE_LOCKED_LISTS};

/* Whether the id starts with `typed`. Only an id with escapes is turned into plain text first. */
static int starts_with(trivet_merge_slice id, const char *typed, size_t len, bool *yes) {
    char *plain;
    size_t plain_len;

    if (!memchr(id.data, '\\', id.len)) {
        *yes = id.len >= len && memcmp(id.data, typed, len) == 0;
        return 0;
    }
    if (trivet_merge_unquote(id, &plain, &plain_len) != 0)
        return -1;
    *yes = plain_len >= len && memcmp(plain, typed, len) == 0;
    free(plain);
    return 0;
}

/* What was found for an id so far. */
typedef struct {
    trivet_merge_section section;
    size_t slot, count;
    trivet_merge_item item;
} matches;

static void match(matches *m, trivet_merge_section section, size_t slot, const trivet_merge_item *item) {
    if (m->count++ == 0) {
        m->section = section;
        m->slot = slot;
        m->item = *item;
    }
}

static int match_exact(const trivet_merge_state *state, trivet_merge_section section, const char *typed,
                       matches *m, edit_error *err) {
    trivet_merge_slice id;
    trivet_merge_item item;
    char *bytes = NULL;
    size_t slot;
    int code = trivet_merge_quote(typed, strlen(typed), &bytes, &id.len);

    if (code == TRIVET_MERGE_ENOMEM)
        return edit_refuse(err, EX_OSERR, "out of memory");
    if (code != 0)
        return edit_refuse(err, EX_DATAERR, "the id is not UTF-8");
    id.data = bytes;
    if (trivet_merge_item_find(state, section, id, &item, &slot) && !item.deleted)
        match(m, section, slot, &item);
    free(bytes);
    return 0;
}

static int match_prefix(const trivet_merge_state *state, trivet_merge_section section, const char *typed,
                        matches *m, edit_error *err) {
    size_t len = strlen(typed);
    trivet_merge_item item;

    for (size_t slot = 0; slot < trivet_merge_slot_count(state, section); slot++) {
        for (size_t i = 0; trivet_merge_item_at(state, section, slot, i, &item) && !item.deleted; i++) {
            bool yes;
            if (starts_with(item.id, typed, len, &yes) != 0)
                return edit_refuse(err, EX_OSERR, "out of memory");
            if (yes)
                match(m, section, slot, &item);
        }
    }
    return 0;
}

/* An id may say its section, "lockedLists/ID": an id that both sections hold has no other way to be named. */
static const char *without_section(const char *typed, trivet_merge_section section) {
    const char *name = trivet_merge_section_name(section);
    size_t len = strlen(name);

    return strncmp(typed, name, len) == 0 && typed[len] == '/' ? typed + len + 1 : NULL;
}

int edit_find(const trivet_merge_state *state, const char *id, trivet_merge_section *section, size_t *slot,
              trivet_merge_item *item, edit_error *err) {
    matches m = {.count = 0};
    int (*const ways[])(const trivet_merge_state *, trivet_merge_section, const char *, matches *,
                        edit_error *) = {match_exact, match_prefix};

    if (id[0] == '\0')
        return edit_refuse(err, EX_DATAERR, "an id is at least one character; `trivet list` shows them");
    for (size_t way = 0; way < 2 && m.count == 0; way++) {
        for (size_t i = 0; i < 2; i++) {
            const char *rest = without_section(id, ITEM_SECTIONS[i]);
            if (ways[way](state, ITEM_SECTIONS[i], id, &m, err) != 0 ||
                (rest && rest[0] && ways[way](state, ITEM_SECTIONS[i], rest, &m, err) != 0))
                return -1;
        }
        if (m.count > 1 && way == 0)
            return edit_refuse(err, EX_DATAERR,
                               "both sections hold the id; write lists/%.150s or lockedLists/%.150s", id, id);
    }
    if (m.count > 1)
        return edit_refuse(err, EX_DATAERR,
                           "%zu items have an id that starts with \"%.200s\"; type more of it", m.count, id);
    if (m.count == 0)
        return edit_refuse(err, EX_NOINPUT,
                           "no item has an id that starts with \"%.200s\"; `trivet list` shows them", id);
    *section = m.section;
    *slot = m.slot;
    *item = m.item;
    return 0;
}
