/*
 * Restoring. Values are compared without their dates: what a person would call unchanged stays untouched, date and
 * all, and so gives way to whatever a phone has newer.
 */
#include "state/restore.h"

#include "state/refuse.h"

#include <string.h>
#include <sysexits.h>

static const trivet_merge_section ITEMS[] = {TRIVET_MERGE_LISTS, TRIVET_MERGE_LOCKED_LISTS};

static const trivet_merge_section ENTRIES[] = {TRIVET_MERGE_LISTS_CATEGORIES,
                                               TRIVET_MERGE_LOCKED_LISTS_CATEGORIES, TRIVET_MERGE_SCRATCHPAD,
                                               TRIVET_MERGE_SCRATCHPAD_CATEGORIES};

enum { ITEM_SECTIONS = 2, ENTRY_SECTIONS = 4 };

static int64_t later(int64_t a, int64_t b) {
    return a > b ? a : b;
}

static int put_item(trivet_merge_state *out, trivet_merge_section section, size_t slot,
                    const trivet_merge_item *item, edit_error *err) {
    trivet_merge_error why = TRIVET_MERGE_ERROR_INIT;
    int code = trivet_merge_put_item(out, section, slot, item, &why);
    return code == 0 ? 0 : edit_refuse_merge(err, code, &why);
}

static int put_entry(trivet_merge_state *out, trivet_merge_section section, size_t slot,
                     const trivet_merge_entry *entry, edit_error *err) {
    trivet_merge_error why = TRIVET_MERGE_ERROR_INIT;
    int code = trivet_merge_put_entry(out, section, slot, entry, &why);
    return code == 0 ? 0 : edit_refuse_merge(err, code, &why);
}

/* ---- items -------------------------------------------------------------------------------------------- */

/* Whether two live items say the same, dates aside. */
static bool same_item(const trivet_merge_item *a, trivet_merge_item b) {
    b.updated_at = a->updated_at;
    b.has = (b.has & ~TRIVET_MERGE_HAS_UPDATED_AT) | (a->has & TRIVET_MERGE_HAS_UPDATED_AT);
    return trivet_merge_item_equal(a, &b);
}

/* `was` as an edit of `is`, which is the head's item, dead or alive, or NULL. */
static trivet_merge_item brought_back(const trivet_merge_item *was, const trivet_merge_item *is,
                                      int64_t now) {
    trivet_merge_item item = *was;
    int64_t old = was->updated_at;

    if (is)
        old = later(old, is->deleted ? later(is->updated_at, is->deleted_at) : is->updated_at);
    item.updated_at = edit_date(now, old);
    item.has |= TRIVET_MERGE_HAS_UPDATED_AT;
    return item;
}

/* A tombstone as edit_remove() makes it. */
static trivet_merge_item taken_away(const trivet_merge_item *is, int64_t now) {
    trivet_merge_item item = *is;

    item.deleted = true;
    item.updated_at = edit_date(now, is->updated_at);
    item.deleted_at = edit_date(item.updated_at, is->deleted_at);
    item.has |= TRIVET_MERGE_HAS_UPDATED_AT;
    return item;
}

/* One item that the head holds. `out` holds it as `then` does, if at all. */
static int settle(trivet_merge_state *out, const trivet_merge_state *then, trivet_merge_section section,
                  size_t slot, const trivet_merge_item *is, int64_t now, edit_error *err) {
    trivet_merge_item was, item = *is;
    size_t slot_then;
    bool was_live = trivet_merge_item_find(then, section, is->id, &was, &slot_then) && !was.deleted;

    if (is->deleted && was_live)
        item = brought_back(&was, is, now);
    else if (!is->deleted && !was_live)
        item = taken_away(is, now);
    else if (!is->deleted && (slot_then != slot || !same_item(is, was)))
        item = brought_back(&was, is, now);
    return put_item(out, section, was_live ? slot_then : slot, &item, err);
}

/* What `then` holds and the head does not: what was purged since comes back, a purged tombstone does not. */
static int settle_purged(trivet_merge_state *out, const trivet_merge_state *then,
                         trivet_merge_section section, size_t slot, const trivet_merge_item *was, int64_t now,
                         edit_error *err) {
    trivet_merge_item item = brought_back(was, NULL, now);

    (void)then;
    if (!was->deleted)
        return put_item(out, section, slot, &item, err);
    return trivet_merge_remove_item(out, section, was->id) == TRIVET_MERGE_ENOMEM
               ? edit_refuse(err, EX_OSERR, "out of memory")
               : 0;
}

static int settle_items(trivet_merge_state *out, const trivet_merge_state *head,
                        const trivet_merge_state *then, trivet_merge_section section, int64_t now,
                        edit_error *err) {
    trivet_merge_item item;
    int rc = 0;

    for (size_t slot = 0; slot < trivet_merge_slot_count(then, section); slot++)
        for (size_t i = 0; rc == 0 && trivet_merge_item_at(then, section, slot, i, &item); i++)
            if (!trivet_merge_item_find(head, section, item.id, NULL, NULL))
                rc = settle_purged(out, then, section, slot, &item, now, err);
    for (size_t slot = 0; slot < trivet_merge_slot_count(head, section); slot++)
        for (size_t i = 0; rc == 0 && trivet_merge_item_at(head, section, slot, i, &item); i++)
            rc = settle(out, then, section, slot, &item, now, err);
    return rc;
}

/* ---- labels and scratchpads --------------------------------------------------------------------------- */

static bool same_entry(const trivet_merge_entry *a, trivet_merge_entry b) {
    b.updated_at = a->updated_at;
    return trivet_merge_entry_equal(a, &b);
}

static int settle_entry(trivet_merge_state *out, const trivet_merge_state *head,
                        const trivet_merge_state *then, trivet_merge_section section, size_t slot,
                        int64_t now, edit_error *err) {
    trivet_merge_entry is, was;
    bool has_is = trivet_merge_entry_at(head, section, slot, &is);
    bool has_was = trivet_merge_entry_at(then, section, slot, &was);

    if (!has_is && (!has_was || trivet_merge_entry_is_default(&was)))
        return 0;
    if (has_is && (has_was ? same_entry(&is, was) : trivet_merge_entry_is_default(&is) || is.text.len == 0))
        return put_entry(out, section, slot, &is, err);
    if (!has_was) { /* it was written since, and had been blank */
        was = is;
        was.text = (trivet_merge_slice){"", 0};
    }
    was.updated_at = edit_date(now, has_is ? later(is.updated_at, was.updated_at) : was.updated_at);
    return put_entry(out, section, slot, &was, err);
}

static int settle_entries(trivet_merge_state *out, const trivet_merge_state *head,
                          const trivet_merge_state *then, trivet_merge_section section, int64_t now,
                          edit_error *err) {
    size_t count = trivet_merge_slot_count(head, section);
    size_t count_then = trivet_merge_slot_count(then, section);
    int rc = 0;

    for (size_t slot = 0; rc == 0 && slot < (count > count_then ? count : count_then); slot++)
        rc = settle_entry(out, head, then, section, slot, now, err);
    return rc;
}

/* ---- all of a state ----------------------------------------------------------------------------------- */

static int take(trivet_merge_state *out, const trivet_merge_state *from, trivet_merge_section section,
                edit_error *err) {
    return trivet_merge_take_section(out, from, section) == 0 ? 0
                                                              : edit_refuse(err, EX_OSERR, "out of memory");
}

/* A section of which `then` has no view stays as it is. */
static int settle_all(trivet_merge_state *out, const trivet_merge_state *head, const trivet_merge_state *then,
                      int64_t now, edit_error *err) {
    int rc = 0;

    for (int i = 0; rc == 0 && i < TRIVET_MERGE_SECTIONS; i++) {
        trivet_merge_section section = (trivet_merge_section)i;
        rc = take(out, trivet_merge_state_has(then, section) ? then : head, section, err);
    }
    for (size_t i = 0; rc == 0 && i < ITEM_SECTIONS; i++)
        if (trivet_merge_state_has(then, ITEMS[i]))
            rc = settle_items(out, head, then, ITEMS[i], now, err);
    for (size_t i = 0; rc == 0 && i < ENTRY_SECTIONS; i++)
        if (trivet_merge_state_has(then, ENTRIES[i]))
            rc = settle_entries(out, head, then, ENTRIES[i], now, err);
    return rc;
}

static int begin(trivet_merge_state **out, edit_error *err) {
    return trivet_merge_state_new(out) == 0 ? 0 : edit_refuse(err, EX_OSERR, "out of memory");
}

/* Frees a refused result; refuses one that changes nothing. */
static int finish(int rc, const trivet_merge_state *head, trivet_merge_state **out, edit_error *err) {
    if (rc == 0 && trivet_merge_state_agrees(*out, head))
        rc = edit_refuse(err, 1, "nothing is to be restored: it is so already");
    if (rc != 0) {
        trivet_merge_state_free(*out);
        *out = NULL;
    }
    return rc;
}

int restore_all(const trivet_merge_state *head, const trivet_merge_state *then, int64_t now,
                trivet_merge_state **out, edit_error *err) {
    int rc = begin(out, err);

    if (rc == 0)
        rc = settle_all(*out, head, then, now, err);
    return finish(rc, head, out, err);
}

/* ---- one thing ---------------------------------------------------------------------------------------- */

static int copy_head(const trivet_merge_state *head, trivet_merge_state **out, edit_error *err) {
    int rc = begin(out, err);

    for (int i = 0; rc == 0 && i < TRIVET_MERGE_SECTIONS; i++)
        rc = take(*out, head, (trivet_merge_section)i, err);
    return rc;
}

int restore_item(const trivet_merge_state *head, const trivet_merge_state *then, const char *id, int64_t now,
                 trivet_merge_state **out, edit_error *err) {
    trivet_merge_section section;
    trivet_merge_item was, is, item;
    size_t slot, slot_now;

    *out = NULL;
    if (edit_find(then, id, &section, &slot, &was, err) != 0) {
        if (err->status == EX_NOINPUT) {
            *err = (edit_error)EDIT_ERROR_INIT;
            edit_refuse(err, EX_NOINPUT,
                        "that state has no item whose id starts with \"%.200s\"; `trivet diff` and `trivet "
                        "history --full` show ids",
                        id);
        }
        return -1;
    }
    bool there = trivet_merge_item_find(head, section, was.id, &is, &slot_now);
    if (there && !is.deleted && slot == slot_now && same_item(&is, was))
        return edit_refuse(err, 1, "the item is so already");
    int rc = copy_head(head, out, err);
    item = brought_back(&was, there ? &is : NULL, now);
    if (rc == 0)
        rc = put_item(*out, section, slot, &item, err);
    return finish(rc, head, out, err);
}

static bool is_field(const char *name, const char *field) {
    return strcmp(name, field) == 0;
}

/* The fields of `was` in `is`; *slot as well. Unknown fields come together. */
static trivet_merge_item with_fields(trivet_merge_item is, const trivet_merge_item *was, size_t was_slot,
                                     size_t *slot, const char *const *fields, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (is_field(fields[i], "text"))
            is.text = was->text;
        else if (is_field(fields[i], "done"))
            is.done = was->done;
        else if (is_field(fields[i], "slot")) {
            *slot = was_slot;
            is.position = was->position;
        } else
            is.rest = was->rest;
    }
    is.has |= was->has & TRIVET_MERGE_HAS_DONE;
    return is;
}

static int restore_one_item(const trivet_merge_state *head, trivet_merge_section section, size_t was_slot,
                            const trivet_merge_item *was, const char *const *fields, size_t count,
                            int64_t now, trivet_merge_state *out, edit_error *err) {
    trivet_merge_item is, item = *was;
    size_t slot = was_slot;
    bool there = trivet_merge_item_find(head, section, was->id, &is, &slot);

    if (there && !is.deleted && count > 0)
        item = with_fields(is, was, was_slot, &slot, fields, count);
    else
        slot = was_slot; /* gone meanwhile, or gone because of it: all of it comes back */
    if (there && !is.deleted && trivet_merge_item_equal(&item, &is))
        return 0;
    item = brought_back(&item, there ? &is : NULL, now);
    return put_item(out, section, slot, &item, err);
}

static int restore_one_entry(const trivet_merge_state *head, trivet_merge_section section, size_t slot,
                             const trivet_merge_entry *was, int64_t now, trivet_merge_state *out,
                             edit_error *err) {
    trivet_merge_entry is, entry = *was;
    bool there = trivet_merge_entry_at(head, section, slot, &is);

    if (there && same_entry(&is, *was))
        return 0;
    entry.updated_at = edit_date(now, there ? later(is.updated_at, was->updated_at) : was->updated_at);
    return put_entry(out, section, slot, &entry, err);
}

/* The first and only thing that `form` holds. */
static int restore_form(const trivet_merge_state *head, const trivet_merge_state *form,
                        const char *const *fields, size_t count, int64_t now, trivet_merge_state *out,
                        edit_error *err) {
    trivet_merge_item item;
    trivet_merge_entry entry;

    for (size_t i = 0; i < ITEM_SECTIONS; i++)
        for (size_t slot = 0; slot < trivet_merge_slot_count(form, ITEMS[i]); slot++)
            if (trivet_merge_item_at(form, ITEMS[i], slot, 0, &item))
                return restore_one_item(head, ITEMS[i], slot, &item, fields, count, now, out, err);
    for (size_t i = 0; i < ENTRY_SECTIONS; i++) {
        size_t slots = trivet_merge_slot_count(form, ENTRIES[i]);
        if (slots > 0 && trivet_merge_entry_at(form, ENTRIES[i], slots - 1, &entry))
            return restore_one_entry(head, ENTRIES[i], slots - 1, &entry, now, out, err);
    }
    return edit_refuse(err, EX_DATAERR, "there is nothing to restore in it");
}

int restore_fields(const trivet_merge_state *head, const trivet_merge_state *form, const char *const *fields,
                   size_t count, int64_t now, trivet_merge_state **out, edit_error *err) {
    int rc = copy_head(head, out, err);

    if (rc == 0)
        rc = restore_form(head, form, fields, count, now, *out, err);
    return finish(rc, head, out, err);
}
