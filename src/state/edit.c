/*
 * Edits on a state, each in three steps: find what is meant, change a copy of the item, put it back. Nothing
 * is put before everything was checked, so that a refused edit leaves the state as it was.
 */
#include "state/edit.h"

#include "state/place.h"
#include "state/refuse.h"
#include "uuid.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

static const int64_t LATEST = (INT64_C(1) << 53) - 1; /* the greatest time that a state may hold (merge §1) */

int64_t edit_date(int64_t now, int64_t old) {
    int64_t then = now > old ? now : old + 1;
    return then < LATEST ? then : LATEST;
}

/* What was typed, as a slice; the bytes are the caller's to free. */
static int quote(const char *typed, const char *what, trivet_merge_slice *out, char **bytes,
                 edit_error *err) {
    int code = trivet_merge_quote(typed, strlen(typed), bytes, &out->len);

    out->data = *bytes;
    if (code == TRIVET_MERGE_ENOMEM)
        return edit_refuse(err, EX_OSERR, "out of memory");
    if (code != 0)
        return edit_refuse(err, EX_DATAERR, "the %s is not UTF-8; is the terminal's character set another?",
                           what);
    return 0;
}

/* The text of an item. `advice` is for one that is empty. */
static int quote_text(const char *typed, const char *advice, trivet_merge_slice *out, char **bytes,
                      edit_error *err) {
    if (typed[strspn(typed, " \t\r\n")] == '\0')
        return edit_refuse(err, EX_DATAERR, "the text is empty%s", advice);
    return quote(typed, "text", out, bytes, err);
}

static bool same(trivet_merge_slice a, trivet_merge_slice b) {
    return a.len == b.len && memcmp(a.data, b.data, a.len) == 0;
}

/* Puts the item and gives it back as the state holds it. */
static int put(trivet_merge_state *state, trivet_merge_section section, size_t slot,
               const trivet_merge_item *item, trivet_merge_item *out, edit_error *err) {
    trivet_merge_error why = TRIVET_MERGE_ERROR_INIT;
    int code = trivet_merge_put_item(state, section, slot, item, &why);

    if (code != 0)
        return edit_refuse_merge(err, code, &why);
    if (!trivet_merge_item_find(state, section, item->id, out, NULL))
        return edit_refuse(err, EX_SOFTWARE, "the item is gone as soon as it was stored");
    return 0;
}

/* How many items of a slot are live: they come first. */
static size_t live_count(const trivet_merge_state *state, trivet_merge_section section, size_t slot) {
    size_t low = 0, high = trivet_merge_item_count(state, section, slot);

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        trivet_merge_item item;
        if (trivet_merge_item_at(state, section, slot, middle, &item) && !item.deleted)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* ---- add, edit, tick, delete -------------------------------------------------------------------------- */

/* Gives the live items of a slot the positions 1, 2, 3, ... Their dates stay: no one edited them. */
static int renumber(trivet_merge_state *state, trivet_merge_section section, size_t slot, edit_error *err) {
    trivet_merge_error why = TRIVET_MERGE_ERROR_INIT;
    size_t live = live_count(state, section, slot);
    trivet_merge_item *items = calloc(live ? live : 1, sizeof *items);
    int code = 0;

    if (!items)
        return edit_refuse(err, EX_OSERR, "out of memory");
    for (size_t i = 0; i < live; i++)
        trivet_merge_item_at(state, section, slot, i, &items[i]);
    for (size_t i = 0; i < live && code == 0; i++) {
        items[i].position = (double)(i + 1);
        code = trivet_merge_put_item(state, section, slot, &items[i], &why);
    }
    free(items);
    return code == 0 ? 0 : edit_refuse_merge(err, code, &why);
}

int edit_add(trivet_merge_state *state, trivet_merge_section section, size_t slot, const char *text,
             int64_t now, trivet_merge_item *out, edit_error *err) {
    trivet_merge_item item = {.created_at = now, .updated_at = now, .deleted_at = -1}, last;
    char id[UUID_SIZE], *bytes = NULL;
    size_t live = live_count(state, section, slot);
    int result = -1;

    item.has = TRIVET_MERGE_HAS_DONE | TRIVET_MERGE_HAS_CREATED_AT | TRIVET_MERGE_HAS_UPDATED_AT;
    if (quote_text(text, "; say what to add", &item.text, &bytes, err) != 0)
        goto out;
    uuid_v4(id);
    item.id = (trivet_merge_slice){id, strlen(id)};
    if (live > 0)
        trivet_merge_item_at(state, section, slot, live - 1, &last);
    if (!place_between(live > 0 ? &last : NULL, NULL, item.id, &item.position)) {
        if (renumber(state, section, slot, err) != 0)
            goto out;
        item.position = (double)(live + 1);
    }
    result = put(state, section, slot, &item, out, err);
out:
    free(bytes);
    return result;
}

int edit_text(trivet_merge_state *state, const char *id, const char *text, int64_t now,
              trivet_merge_item *out, edit_error *err) {
    trivet_merge_section section;
    trivet_merge_item item;
    trivet_merge_slice typed;
    char *bytes = NULL;
    size_t slot;
    int result = -1;

    if (edit_find(state, id, &section, &slot, &item, err) != 0 ||
        quote_text(text, "; `trivet rm` deletes an item", &typed, &bytes, err) != 0)
        goto out;
    if (same(item.text, typed)) {
        edit_refuse(err, 1, "that is its text already");
        goto out;
    }
    item.text = typed;
    item.updated_at = edit_date(now, item.updated_at);
    item.has |= TRIVET_MERGE_HAS_UPDATED_AT;
    result = put(state, section, slot, &item, out, err);
out:
    free(bytes);
    return result;
}

int edit_done(trivet_merge_state *state, const char *id, bool done, int64_t now, trivet_merge_item *out,
              edit_error *err) {
    trivet_merge_section section;
    trivet_merge_item item;
    size_t slot;

    if (edit_find(state, id, &section, &slot, &item, err) != 0)
        return -1;
    if (item.done == done)
        return edit_refuse(err, 1, done ? "it is done already" : "it is not done");
    item.done = done;
    item.updated_at = edit_date(now, item.updated_at);
    item.has |= TRIVET_MERGE_HAS_DONE | TRIVET_MERGE_HAS_UPDATED_AT;
    return put(state, section, slot, &item, out, err);
}

int edit_remove(trivet_merge_state *state, const char *id, int64_t now, trivet_merge_item *out,
                edit_error *err) {
    trivet_merge_section section;
    trivet_merge_item item;
    size_t slot;

    if (edit_find(state, id, &section, &slot, &item, err) != 0)
        return -1;
    item.deleted = true;
    item.updated_at = edit_date(now, item.updated_at);
    /* An item that was deleted and restored before must be seen to be deleted once more (merge §2). */
    item.deleted_at = edit_date(item.updated_at, item.deleted_at);
    item.has |= TRIVET_MERGE_HAS_UPDATED_AT;
    return put(state, section, slot, &item, out, err);
}

/* ---- move --------------------------------------------------------------------------------------------- */

/* Where an item is to go: at index `index` among the live items of the slot, the item itself left aside. */
typedef struct {
    size_t slot, index;
} target;

/* The index of the live item `id` in its slot. */
static size_t index_of(const trivet_merge_state *state, trivet_merge_section section, size_t slot,
                       const trivet_merge_item *item) {
    size_t low = 0, high = live_count(state, section, slot);

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        trivet_merge_item there;
        trivet_merge_item_at(state, section, slot, middle, &there);
        if (place_before(there.position, there.id, item))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Resolves `other` for BEFORE and AFTER; the item goes to that one's slot. */
static int beside(const trivet_merge_state *state, trivet_merge_section section,
                  const trivet_merge_item *item, size_t from, size_t slot, edit_place place,
                  const char *other_id, target *to, edit_error *err) {
    trivet_merge_section other_section;
    trivet_merge_item other;

    if (edit_find(state, other_id, &other_section, &to->slot, &other, err) != 0)
        return -1;
    if (other_section != section)
        return edit_refuse(err, EX_DATAERR,
                           "one of the two is in the locked lists and the other is not; "
                           "an item stays on its side of the lock");
    if (same(other.id, item->id))
        return edit_refuse(err, EX_DATAERR, "an item cannot be moved next to itself");
    if (slot != SIZE_MAX && slot != to->slot)
        return edit_refuse(err, EX_DATAERR,
                           "the item to move next to is in slot %zu, not in slot %zu; leave the slot out",
                           to->slot + 1, slot + 1);
    to->index = index_of(state, section, to->slot, &other) + (place == EDIT_AFTER);
    if (to->slot == from && place_before(item->position, item->id, &other))
        to->index--; /* the item itself stands above and does not count */
    return 0;
}

/* The live item at `index`, with the one at `skip` left aside. */
static bool neighbour(const trivet_merge_state *state, trivet_merge_section section, size_t slot,
                      size_t index, size_t skip, trivet_merge_item *out) {
    size_t at = index >= skip ? index + 1 : index;
    return at < live_count(state, section, slot) && trivet_merge_item_at(state, section, slot, at, out);
}

/* The position for `to`; numbers the slot afresh where there is none. `skip` is the item's own index there,
 * or SIZE_MAX. */
static int position_at(trivet_merge_state *state, trivet_merge_section section, target to, size_t skip,
                       trivet_merge_slice id, double *position, edit_error *err) {
    trivet_merge_item low, high;

    for (int renumbered = 0; renumbered < 2; renumbered++) {
        bool has_low = to.index > 0 && neighbour(state, section, to.slot, to.index - 1, skip, &low);
        bool has_high = neighbour(state, section, to.slot, to.index, skip, &high);
        if (place_between(has_low ? &low : NULL, has_high ? &high : NULL, id, position))
            return 0;
        if (renumbered == 0 && renumber(state, section, to.slot, err) != 0)
            return -1;
    }
    return edit_refuse(err, EX_SOFTWARE, "there is no position to move to");
}

int edit_move(trivet_merge_state *state, const char *id, size_t slot, edit_place place, const char *other,
              int64_t now, trivet_merge_item *out, edit_error *err) {
    trivet_merge_section section;
    trivet_merge_item item;
    size_t from, own;
    target to;

    if (edit_find(state, id, &section, &from, &item, err) != 0)
        return -1;
    own = index_of(state, section, from, &item);
    if (place == EDIT_BEFORE || place == EDIT_AFTER) {
        if (beside(state, section, &item, from, slot, place, other, &to, err) != 0)
            return -1;
    } else {
        to.slot = slot == SIZE_MAX ? from : slot;
        to.index = place == EDIT_TOP ? 0 : live_count(state, section, to.slot);
        if (to.slot == from && place == EDIT_SAME_PLACE)
            to.index = own;
        else if (to.slot == from && place == EDIT_BOTTOM)
            to.index--;
    }
    if (to.slot == from && to.index == own)
        return edit_refuse(err, 1, "it is there already");
    if (position_at(state, section, to, to.slot == from ? own : SIZE_MAX, item.id, &item.position, err) != 0)
        return -1;
    item.updated_at = edit_date(now, item.updated_at);
    item.has |= TRIVET_MERGE_HAS_UPDATED_AT;
    return put(state, section, to.slot, &item, out, err);
}

/* ---- scratchpads -------------------------------------------------------------------------------------- */

int edit_pad(trivet_merge_state *state, size_t slot, const char *text, int64_t now, edit_error *err) {
    trivet_merge_error why = TRIVET_MERGE_ERROR_INIT;
    trivet_merge_entry entry = {.text = {"", 0}};
    trivet_merge_slice typed;
    char *bytes = NULL;
    int result = -1;

    if (quote(text, "text", &typed, &bytes, err) != 0)
        goto out;
    trivet_merge_entry_at(state, TRIVET_MERGE_SCRATCHPAD, slot, &entry);
    if (same(entry.text, typed)) {
        edit_refuse(err, 1, "the scratchpad says that already");
        goto out;
    }
    entry.text = typed;
    entry.updated_at = edit_date(now, entry.updated_at);
    int code = trivet_merge_put_entry(state, TRIVET_MERGE_SCRATCHPAD, slot, &entry, &why);
    result = code == 0 ? 0 : edit_refuse_merge(err, code, &why);
out:
    free(bytes);
    return result;
}
