/*
 * Revivals and a phone's older deletions.
 *
 * Power: a revival is written in the transaction of the restore that it belongs to, so there is never one without the
 * other. Messages: nothing here is sent; a sync that is lost leaves the revival as it is, and the next one meets it
 * again. A revival that is out of date does nothing: an item that the computer no longer holds live is passed over,
 * and so is one whose ancestor is of a time after the restore.
 */
#include "serve/revived.h"

#include "state/edit.h"
#include "store/grave.h"
#include "store/revival.h"

struct dating {
    const trivet_merge_state *before;
    trivet_merge_state *after;
    store_error *err;
};

static int date_past_grave(void *ctx, trivet_merge_section section, size_t grave_slot,
                           const trivet_merge_item *grave) {
    struct dating *d = ctx;
    trivet_merge_error why = TRIVET_MERGE_ERROR_INIT;
    int64_t died = grave->updated_at > grave->deleted_at ? grave->updated_at : grave->deleted_at;
    trivet_merge_item item;
    size_t slot;
    (void)grave_slot;

    if (trivet_merge_item_find(d->before, section, grave->id, NULL, NULL) ||
        !trivet_merge_item_find(d->after, section, grave->id, &item, &slot) || item.deleted ||
        item.updated_at > died)
        return 0;
    item.updated_at = edit_date(0, died);
    return trivet_merge_put_item(d->after, section, slot, &item, &why) == 0 ? 0 : store_out_of_memory(d->err);
}

int revived_date(store *s, const trivet_merge_state *before, trivet_merge_state *after, store_error *err) {
    struct dating d = {before, after, err};
    return grave_each(s, date_past_grave, &d, err);
}

int revived_note(store *s, const trivet_merge_state *before, const trivet_merge_state *after,
                 store_error *err) {
    static const trivet_merge_section sections[] = {TRIVET_MERGE_LISTS, TRIVET_MERGE_LOCKED_LISTS};
    trivet_merge_item is, was;
    int rc = 0;

    for (size_t k = 0; k < 2; k++)
        for (size_t slot = 0; slot < trivet_merge_slot_count(after, sections[k]); slot++)
            for (size_t i = 0;
                 rc == 0 && trivet_merge_item_at(after, sections[k], slot, i, &is) && !is.deleted; i++)
                if (!trivet_merge_item_find(before, sections[k], is.id, &was, NULL) || was.deleted)
                    rc = revival_add(s, sections[k], is.id, is.updated_at, err);
    return rc;
}

struct revive {
    const trivet_merge_state *phone, *computer, *agreed;
    trivet_merge_state *ancestor;
    store_error *err;
};

static bool has_seen(const trivet_merge_state *state, trivet_merge_section section, trivet_merge_slice id,
                     int64_t time) {
    trivet_merge_item item;
    return trivet_merge_item_find(state, section, id, &item, NULL) && !item.deleted &&
           item.updated_at >= time;
}

/*
 * A phone that lacks the item altogether, though the ancestor has it live, deleted and purged it; such a purge comes
 * long after the deletion, which is thus taken to be the older.
 */
static int revive(void *ctx, trivet_merge_section section, trivet_merge_slice id, int64_t time) {
    struct revive *r = ctx;
    trivet_merge_error why = TRIVET_MERGE_ERROR_INIT;
    trivet_merge_item is, held, known;
    size_t slot;

    if (!trivet_merge_item_find(r->computer, section, id, &is, &slot) || is.deleted)
        return 0;
    bool has_known = trivet_merge_item_find(r->ancestor, section, id, &known, NULL);
    if (has_seen(r->ancestor, section, id, time) || has_seen(r->agreed, section, id, time))
        return 0;
    if (trivet_merge_item_find(r->phone, section, id, &held, &slot)) {
        if (!held.deleted || held.deleted_at > time)
            return 0;
        known = held;
    } else if (has_known && !known.deleted) {
        known.deleted = true;
        known.deleted_at = time;
    } else {
        return 0;
    }
    return trivet_merge_put_item(r->ancestor, section, slot, &known, &why) == 0 ? 0
                                                                                : store_out_of_memory(r->err);
}

int revived_apply(store *s, const trivet_merge_state *phone, const trivet_merge_state *computer,
                  const trivet_merge_state *agreed, trivet_merge_state *ancestor, store_error *err) {
    struct revive r = {phone, computer, agreed, ancestor, err};
    return revival_each(s, revive, &r, err);
}
