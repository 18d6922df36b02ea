/*
 * What was already merged (merge §10).
 *
 * Differences between phone and ancestor are collected first (where no record is newer than the ancestor, as in ordinary
 * life, there is nothing to do but for items that are dated before the ancestor's) and then looked for in one record after the other, newest first, two states in memory
 * at a time.
 */
#include "serve/already_merged.h"

#include "serve/distance.h"
#include "store/snapshot.h"

#include <stdlib.h>

/* How many records are looked into for one sync, and how many of those that are not newer than the ancestor. */
enum { MAX_NEWER = 1000, MAX_OLDER = 16 };

struct difference {
    trivet_merge_section section;
    size_t slot;
    bool is_item;
    bool unknown; /* an item that the ancestor does not hold */
    trivet_merge_item item;
    trivet_merge_entry entry;
    int64_t newer_than; /* the id of the last record that is not to be looked into */
};

struct search {
    store *store;
    const record *records; /* newest first */
    size_t record_count;
    trivet_merge_state *ancestor; /* what is found is put here */
    struct difference *list;
    size_t count, capacity;
};

static int add_difference(struct search *d, const struct difference *found, store_error *err) {
    if (d->count == d->capacity) {
        size_t capacity = d->capacity ? 2 * d->capacity : 16;
        struct difference *grown = realloc(d->list, capacity * sizeof *grown);
        if (!grown)
            return store_out_of_memory(err);
        d->list = grown;
        d->capacity = capacity;
    }
    d->list[d->count++] = *found;
    return 0;
}

/* The last record that is not looked into for what is older than the ancestor's, which newer_than is the last of. */
static int64_t before_older(const struct search *s, int64_t newer_than) {
    size_t i = 0;

    while (i < s->record_count && s->records[i].id > newer_than)
        i++;
    return i + MAX_OLDER < s->record_count ? s->records[i + MAX_OLDER].id : 0;
}

/* What is added counts as new to the records that are newer; what is dated before the ancestor's, to older ones too. */
static int add_dated(struct search *s, struct difference *d, bool older, store_error *err) {
    int64_t newer_than = d->newer_than;
    int rc = 0;

    if (older)
        d->newer_than = before_older(s, newer_than);
    if (s->record_count > 0 && s->records[0].id > d->newer_than) /* in ordinary life nothing is newer */
        rc = add_difference(s, d, err);
    d->newer_than = newer_than;
    return rc;
}

static int collect_items(struct search *s, const trivet_merge_state *phone, struct difference *d,
                         store_error *err) {
    trivet_merge_item base;
    size_t at;
    int rc = 0;

    for (d->slot = 0; d->slot < trivet_merge_slot_count(phone, d->section); d->slot++)
        for (size_t i = 0; rc == 0 && trivet_merge_item_at(phone, d->section, d->slot, i, &d->item); i++) {
            d->unknown = !trivet_merge_item_find(s->ancestor, d->section, d->item.id, &base, &at);
            if (d->unknown || !same_place_and_value(&d->item, d->slot, &base, at))
                rc = add_dated(s, d, !d->unknown && d->item.updated_at < base.updated_at, err);
        }
    return rc;
}

static int collect_entries(struct search *s, const trivet_merge_state *phone, struct difference *d,
                           store_error *err) {
    trivet_merge_entry base;
    int rc = 0;

    for (d->slot = 0; rc == 0 && trivet_merge_entry_at(phone, d->section, d->slot, &d->entry); d->slot++) {
        bool known = trivet_merge_entry_at(s->ancestor, d->section, d->slot, &base);
        if (!same_entry(&d->entry, known ? &base : NULL))
            rc = add_dated(s, d, known && d->entry.updated_at < base.updated_at, err);
    }
    return rc;
}

static int collect(struct search *s, const trivet_merge_state *phone, record_group group, int64_t newer_than,
                   store_error *err) {
    const group_sections *g = &record_groups[group];
    struct difference d = {.newer_than = newer_than};
    int rc = 0;

    if (s->record_count == 0)
        return 0;
    if (group_has_items(group)) {
        d.section = g->items;
        d.is_item = true;
        rc = collect_items(s, phone, &d, err);
    }
    d.is_item = false;
    for (size_t k = 0; rc == 0 && k < g->entry_sections; k++) {
        d.section = g->entries[k];
        rc = collect_entries(s, phone, &d, err);
    }
    return rc;
}

/* Whether this merge kept what differs, and the phone or the computer held it in just this form. */
static bool merged_in(const struct difference *d, const trivet_merge_state *snapshot,
                      const trivet_merge_state *sent) {
    trivet_merge_item item;
    trivet_merge_entry entry;
    size_t at;

    if (d->is_item)
        return trivet_merge_item_find(snapshot, d->section, d->item.id, &item, &at) &&
               (same_place_and_value(&d->item, d->slot, &item, at) ||
                (trivet_merge_item_find(sent, d->section, d->item.id, &item, &at) &&
                 same_place_and_value(&d->item, d->slot, &item, at)));
    return trivet_merge_entry_at(snapshot, d->section, d->slot, &entry) &&
           (same_entry(&d->entry, &entry) ||
            (trivet_merge_entry_at(sent, d->section, d->slot, &entry) && same_entry(&d->entry, &entry)));
}

static int become_own_ancestor(struct search *s, const struct difference *d, store_error *err) {
    trivet_merge_error merge_err = TRIVET_MERGE_ERROR_INIT;
    int rc = d->is_item ? trivet_merge_put_item(s->ancestor, d->section, d->slot, &d->item, &merge_err)
                        : trivet_merge_put_entry(s->ancestor, d->section, d->slot, &d->entry, &merge_err);
    return rc == 0 ? 0 : store_out_of_memory(err);
}

/* A clock that is behind dates an edit before what it edited; a deletion is dated after it all the same. */
static int64_t last_dated(const trivet_merge_item *item) {
    return item->deleted && item->deleted_at > item->updated_at ? item->deleted_at : item->updated_at;
}

/*
 * It was sent live, and is dead: whenever it was deleted, no phone can bring an item back, so the deletion is an edit; where
 * the computer brought it back later, that is known (revived.h). The date tells nothing: a clock may be behind.
 */
static int was_deleted_since(struct search *s, const struct difference *d, store_error *err) {
    struct difference alive = *d;

    alive.item.deleted = false;
    alive.item.deleted_at = 0;
    return become_own_ancestor(s, &alive, err);
}

/*
 * An item that the ancestor does not hold, but that this phone sent and the computer took in another form: the phone was
 * restored to a time between the ancestor and that sync, and has edited the item since. It is not new, and must not
 * come back if it was deleted; the oldest form that was sent is the nearest to what the phone was restored to.
 */
static int was_sent_before(struct search *s, const struct difference *d, const trivet_merge_state *snapshot,
                           const trivet_merge_state *sent, store_error *err) {
    trivet_merge_error merge_err = TRIVET_MERGE_ERROR_INIT;
    trivet_merge_item item;
    size_t slot;

    if (!d->is_item || !d->unknown || !trivet_merge_item_find(sent, d->section, d->item.id, &item, &slot) ||
        !trivet_merge_item_find(snapshot, d->section, d->item.id, NULL, NULL))
        return 0;
    if (d->item.deleted && !item.deleted)
        return was_deleted_since(s, d, err);
    if (item.deleted || last_dated(&d->item) < item.updated_at)
        return become_own_ancestor(s, d, err); /* restored to a time before even that: no edit at all */
    return trivet_merge_put_item(s->ancestor, d->section, slot, &item, &merge_err) == 0
               ? 0
               : store_out_of_memory(err);
}

/* Settles what this record can settle, and drops it from the list. */
static int look_into(struct search *s, const record *r, store_error *err) {
    trivet_merge_state *snapshot = NULL, *sent = NULL;
    int rc = snapshot_read(s->store, &r->snapshot, &snapshot, err);

    if (rc == 0)
        rc = snapshot_read(s->store, &r->sent, &sent, err);
    if (rc == 0) {
        size_t kept = 0;
        for (size_t k = 0; rc == 0 && k < s->count; k++) {
            const struct difference *d = &s->list[k];
            bool newer = d->newer_than < r->id;
            if (newer && merged_in(d, snapshot, sent)) {
                rc = become_own_ancestor(s, d, err);
                continue;
            }
            if (newer)
                rc = was_sent_before(s, d, snapshot, sent, err);
            s->list[kept++] = *d;
        }
        s->count = kept;
    }
    trivet_merge_state_free(sent);
    trivet_merge_state_free(snapshot);
    return rc;
}

static int look_into_all(struct search *s, store_error *err) {
    int64_t oldest = INT64_MAX;
    int rc = 0;

    for (size_t k = 0; k < s->count; k++)
        if (s->list[k].newer_than < oldest)
            oldest = s->list[k].newer_than;
    for (size_t i = 0;
         rc == 0 && s->count > 0 && i < s->record_count && i < MAX_NEWER && s->records[i].id > oldest; i++)
        rc = look_into(s, &s->records[i], err);
    return rc;
}

int already_merged(store *s, const record *records, size_t count,
                   const int64_t not_newer[static RECORD_GROUPS], const trivet_merge_state *phone,
                   trivet_merge_state *ancestor, store_error *err) {
    struct search search = {.store = s, .records = records, .record_count = count, .ancestor = ancestor};
    int rc = 0;

    for (record_group g = 0; rc == 0 && g < RECORD_GROUPS; g++)
        rc = collect(&search, phone, g, not_newer[g], err);
    if (rc == 0)
        rc = look_into_all(&search, err);
    free(search.list);
    return rc;
}
