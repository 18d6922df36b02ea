/*
 * Which ancestor (merge §10), in three steps: candidates by the phone's `since`, the nearest of them per
 * group, and then the two rules that close what is left: what was already merged is no new edit, and what
 * left the computer is handed to the merge as a tombstone where the phone may still hold it.
 *
 * The guard's state is fixed after the second step: it is measured before those two rules.
 */
#include "serve/ancestor.h"

#include "store/grave.h"
#include "store/snapshot.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * How many records are looked into for one sync: as candidates (a phone that names a time of its own making
 * at each sync leaves one each), and for what was already merged.
 */
enum { MAX_CANDIDATES = 256, MAX_NEWER = 1000 };

struct group_sections {
    trivet_merge_section items; /* TRIVET_MERGE_SECTIONS: none */
    trivet_merge_section entries[2];
    size_t entry_sections;
};

static const struct group_sections groups[RECORD_GROUPS] = {
    [RECORD_LISTS] = {TRIVET_MERGE_LISTS, {TRIVET_MERGE_LISTS_CATEGORIES}, 1},
    [RECORD_LOCKED_LISTS] = {TRIVET_MERGE_LOCKED_LISTS, {TRIVET_MERGE_LOCKED_LISTS_CATEGORIES}, 1},
    [RECORD_SCRATCHPAD] = {TRIVET_MERGE_SECTIONS,
                           {TRIVET_MERGE_SCRATCHPAD, TRIVET_MERGE_SCRATCHPAD_CATEGORIES},
                           2},
};

static bool has_items(record_group g) {
    return groups[g].items != TRIVET_MERGE_SECTIONS;
}

/* ---- states, each read from the store once ---- */

struct loaded {
    store_name name;
    trivet_merge_state *state;
};

struct ancestor_states {
    store *store;
    struct loaded *loaded;
    size_t count, capacity;
    trivet_merge_state *chosen;   /* as the candidates gave it */
    trivet_merge_state *adjusted; /* the same, with what was already merged */
    trivet_merge_state *computer;
    trivet_merge_state *guard; /* borrowed from `loaded`, or NULL */
    record *records;           /* newest first */
    size_t record_count;
};

static int out_of_memory(store_error *err) {
    if (!err->code) {
        err->code = STORE_FAILED;
        err->status = 71; /* EX_OSERR */
        snprintf(err->message, sizeof err->message, "out of memory");
    }
    return STORE_FAILED;
}

static int load(ancestor_states *a, const store_name *name, trivet_merge_state **out, store_error *err) {
    for (size_t i = 0; i < a->count; i++)
        if (store_name_equal(&a->loaded[i].name, name)) {
            *out = a->loaded[i].state;
            return 0;
        }
    if (a->count == a->capacity) {
        size_t capacity = a->capacity ? 2 * a->capacity : 8;
        struct loaded *grown = realloc(a->loaded, capacity * sizeof *grown);
        if (!grown)
            return out_of_memory(err);
        a->loaded = grown;
        a->capacity = capacity;
    }
    struct loaded *l = &a->loaded[a->count];
    int rc = snapshot_read(a->store, name, &l->state, err);
    if (rc != 0)
        return rc;
    l->name = *name;
    a->count++;
    *out = l->state;
    return 0;
}

/* ---- distance ---- */

static bool same_place_and_value(const trivet_merge_item *a, size_t slot_a, const trivet_merge_item *b,
                                 size_t slot_b) {
    return slot_a == slot_b && trivet_merge_item_equal(a, b);
}

static bool same_slice(trivet_merge_slice a, trivet_merge_slice b) {
    return a.len == b.len && memcmp(a.data, b.data, a.len) == 0;
}

/* Sums up to 3 million differences, and below them, to tell equals apart, as many fields. */
#define DIFFERENCE (UINT64_C(1) << 32)
#define ALL_FIELDS 5u /* of an item that is not there at all: more than can differ of one that is */

/* Two items with one id: how many fields differ of those that a person edits. Position and date go with each edit. */
static uint64_t fields_between(const trivet_merge_item *a, size_t slot_a, const trivet_merge_item *b,
                               size_t slot_b) {
    return (uint64_t)!same_slice(a->text, b->text) + (a->done != b->done) + (a->deleted != b->deleted) +
           (slot_a != slot_b);
}

static uint64_t item_distance(const trivet_merge_state *phone, const trivet_merge_state *state,
                              trivet_merge_section section, unsigned earlier) {
    trivet_merge_item p, s;
    size_t slot_s;
    uint64_t distance = 0;

    for (size_t slot = 0; slot < trivet_merge_slot_count(phone, section); slot++)
        for (size_t i = 0; trivet_merge_item_at(phone, section, slot, i, &p); i++) {
            if (!state || !trivet_merge_item_find(state, section, p.id, &s, &slot_s)) {
                distance += DIFFERENCE + ALL_FIELDS;
            } else if (!p.deleted && s.deleted) {
                distance += 3 * DIFFERENCE; /* the app has no way to bring an item back */
            } else if (!same_place_and_value(&p, slot, &s, slot_s)) {
                distance += p.updated_at < s.updated_at ? earlier * DIFFERENCE : DIFFERENCE;
                distance += fields_between(&p, slot, &s, slot_s);
            }
        }
    if (!state)
        return distance;
    for (size_t slot = 0; slot < trivet_merge_slot_count(state, section); slot++)
        for (size_t i = 0; trivet_merge_item_at(state, section, slot, i, &s) && !s.deleted; i++)
            if (!trivet_merge_item_find(phone, section, s.id, NULL, NULL))
                distance += 3 * DIFFERENCE; /* the app deletes by tombstone: a live item does not just go */
    return distance;
}

/* NULL stands for an entry that is not there; a factory default stands for nothing too. */
static bool same_entry(const trivet_merge_entry *a, const trivet_merge_entry *b) {
    if (a && trivet_merge_entry_is_default(a))
        a = NULL;
    if (b && trivet_merge_entry_is_default(b))
        b = NULL;
    return a && b ? trivet_merge_entry_equal(a, b) : a == b;
}

static uint64_t entry_distance(const trivet_merge_state *phone, const trivet_merge_state *state,
                               trivet_merge_section section) {
    size_t count = trivet_merge_slot_count(phone, section);
    uint64_t distance = 0;

    for (size_t i = 0; i < count; i++) {
        trivet_merge_entry p, s;
        bool in_phone = trivet_merge_entry_at(phone, section, i, &p);
        bool in_state = state && trivet_merge_entry_at(state, section, i, &s);
        if (!same_entry(in_phone ? &p : NULL, in_state ? &s : NULL))
            distance += DIFFERENCE;
    }
    return distance;
}

uint64_t ancestor_distance(const trivet_merge_state *phone, const trivet_merge_state *state,
                           record_group group, unsigned earlier) {
    const struct group_sections *g = &groups[group];
    uint64_t distance = 0;

    /* A section that the phone does not send says nothing. */
    if (has_items(group) && trivet_merge_state_has(phone, g->items))
        distance += item_distance(phone, state, g->items, earlier);
    for (size_t i = 0; i < g->entry_sections; i++)
        if (trivet_merge_state_has(phone, g->entries[i]))
            distance += entry_distance(phone, state, g->entries[i]);
    return distance;
}

/* ---- candidates ---- */

enum candidate_kind { NOTHING, SNAPSHOT, SENT, FORMER /* the record's own ancestor */ };

struct candidate {
    enum candidate_kind kind;
    const record *record;
};

struct candidates {
    struct candidate list[2 * MAX_CANDIDATES + 2];
    size_t count;
    unsigned earlier; /* for ancestor_distance() */
};

static void candidate_add(struct candidates *c, enum candidate_kind kind, const record *r) {
    if (kind == FORMER && !r->has_ancestor)
        kind = NOTHING;
    c->list[c->count++] = (struct candidate){kind, r};
}

static const record *record_with_id(const ancestor_states *a, int64_t id) {
    for (size_t i = 0; i < a->record_count; i++)
        if (a->records[i].id == id)
            return &a->records[i];
    return NULL;
}

/* merge §10, cases 1 to 4, for one group. */
static int find_candidates(ancestor_states *a, const char *device, const char *phone_name, record_group group,
                           int64_t since, struct candidates *c, store_error *err) {
    const record *newest = a->record_count ? &a->records[0] : NULL;
    const record *named = NULL;
    int64_t id = 0;

    c->count = 0;
    c->earlier = 1;
    if (!newest)
        return 0;
    int rc = since > 0 ? record_by_since(a->store, device, phone_name, group, since, &id, err) : STORE_NONE;
    if (rc != 0 && rc != STORE_NONE && rc != STORE_GONE)
        return rc;
    if (rc == 0)
        named = record_with_id(a, id);

    if (since == newest->since_before) { /* 1: the newest confirm may be lost */
        c->earlier = 3;
        candidate_add(c, SENT, newest);
        if (named)
            candidate_add(c, SNAPSHOT, named);
        else
            candidate_add(c, since == 0 ? NOTHING : FORMER, newest);
        if (!(newest->applied & 1u << group))
            candidate_add(c, SNAPSHOT, newest);
    } else if (rc !=
               STORE_NONE) { /* 2: a state that it is known to have applied; one no longer kept is none */
        candidate_add(c, named ? SNAPSHOT : NOTHING, named);
    } else if (since > 0) { /* 3: one that it may have applied */
        for (int pass = 0; pass < 2; pass++)
            for (size_t i = 0; i < a->record_count && i < MAX_CANDIDATES; i++)
                if (!(a->records[i].applied & 1u << group))
                    candidate_add(c, pass == 0 ? SNAPSHOT : SENT, &a->records[i]);
        if (c->count == 0)
            candidate_add(c, SNAPSHOT, newest);
    } /* 4: a fresh phone */
    return 0;
}

static int nearest(ancestor_states *a, const trivet_merge_state *phone, record_group group,
                   const struct candidates *c, struct candidate *out, store_error *err) {
    uint64_t least = UINT64_MAX;

    *out = (struct candidate){NOTHING, NULL};
    if (c->count == 1)
        *out = c->list[0];
    for (size_t i = 0; i < c->count && c->count > 1 && least > 0; i++) {
        const struct candidate *k = &c->list[i];
        trivet_merge_state *state = NULL;
        const store_name *name = k->kind == SENT       ? &k->record->sent
                                 : k->kind == SNAPSHOT ? &k->record->snapshot
                                 : k->kind == FORMER   ? &k->record->ancestor
                                                       : NULL;
        int rc = name ? load(a, name, &state, err) : 0;
        if (rc != 0)
            return rc;
        uint64_t distance = ancestor_distance(phone, state, group, c->earlier);
        if (distance < least) {
            least = distance;
            *out = *k;
        }
    }
    return 0;
}

/* ---- the ancestor, from the candidate that was taken ---- */

static int take_group(trivet_merge_state *to, const trivet_merge_state *from, record_group group,
                      store_error *err) {
    const struct group_sections *g = &groups[group];

    if (has_items(group) && trivet_merge_take_section(to, from, g->items) != 0)
        return out_of_memory(err);
    for (size_t i = 0; i < g->entry_sections; i++)
        if (trivet_merge_take_section(to, from, g->entries[i]) != 0)
            return out_of_memory(err);
    return 0;
}

/*
 * `sent` was taken: the computer merged it, but the phone never heard. What the phone still holds from then
 * on stands as it was sent, since the computer took those values; the rest is as it was before.
 */
static int stand_as_sent(trivet_merge_state *to, const trivet_merge_state *phone,
                         const trivet_merge_state *sent, const trivet_merge_state *snapshot,
                         record_group group, store_error *err) {
    const struct group_sections *g = &groups[group];
    trivet_merge_error merge_err = TRIVET_MERGE_ERROR_INIT;
    trivet_merge_item p, s;
    size_t slot_s;

    if (has_items(group))
        for (size_t slot = 0; slot < trivet_merge_slot_count(phone, g->items); slot++)
            for (size_t i = 0; trivet_merge_item_at(phone, g->items, slot, i, &p); i++)
                if (trivet_merge_item_find(sent, g->items, p.id, &s, &slot_s) &&
                    p.updated_at >= s.updated_at &&
                    trivet_merge_item_find(snapshot, g->items, p.id, NULL, NULL) &&
                    trivet_merge_put_item(to, g->items, slot_s, &s, &merge_err) != 0)
                    return out_of_memory(err);
    for (size_t k = 0; k < g->entry_sections; k++)
        for (size_t i = 0; i < trivet_merge_slot_count(phone, g->entries[k]); i++) {
            trivet_merge_entry pe, se, me;
            if (trivet_merge_entry_at(phone, g->entries[k], i, &pe) &&
                trivet_merge_entry_at(sent, g->entries[k], i, &se) && pe.updated_at >= se.updated_at &&
                trivet_merge_entry_at(snapshot, g->entries[k], i, &me) &&
                trivet_merge_put_entry(to, g->entries[k], i, &se, &merge_err) != 0)
                return out_of_memory(err);
        }
    return 0;
}

static int build_group(ancestor_states *a, const trivet_merge_state *phone, record_group group,
                       const struct candidate *k, store_error *err) {
    trivet_merge_state *base = NULL, *sent, *snapshot;
    int rc = 0;

    if (k->kind == NOTHING)
        return 0;
    if (k->kind == SNAPSHOT)
        rc = load(a, &k->record->snapshot, &base, err);
    else if (k->record->has_ancestor)
        rc = load(a, &k->record->ancestor, &base, err);
    if (rc == 0 && base)
        rc = take_group(a->chosen, base, group, err);
    if (rc != 0 || k->kind != SENT)
        return rc;
    if ((rc = load(a, &k->record->sent, &sent, err)) != 0 ||
        (rc = load(a, &k->record->snapshot, &snapshot, err)) != 0)
        return rc;
    return stand_as_sent(a->chosen, phone, sent, snapshot, group, err);
}

/* ---- already merged ---- */

/*
 * What the phone holds that differs from the ancestor, but that a newer merge had in just this form (sent or
 * merged) and kept, is no new edit: it becomes its own ancestor. Such differences are collected first (there
 * are none in ordinary life) and then looked for in one record after the other, newest first, two states in
 * memory at a time.
 */
struct difference {
    trivet_merge_section section;
    size_t slot;
    bool is_item;
    bool unknown; /* an item that the ancestor does not hold */
    trivet_merge_item item;
    trivet_merge_entry entry;
    int64_t newer_than; /* the id of the last record that is not to be looked into */
};

struct differences {
    struct difference *list;
    size_t count, capacity;
};

static int add_difference(struct differences *d, const struct difference *found, store_error *err) {
    if (d->count == d->capacity) {
        size_t capacity = d->capacity ? 2 * d->capacity : 16;
        struct difference *grown = realloc(d->list, capacity * sizeof *grown);
        if (!grown)
            return out_of_memory(err);
        d->list = grown;
        d->capacity = capacity;
    }
    d->list[d->count++] = *found;
    return 0;
}

static int collect_items(const ancestor_states *a, const trivet_merge_state *phone, struct difference *d,
                         struct differences *out, store_error *err) {
    trivet_merge_item base;
    size_t at;
    int rc = 0;

    for (d->slot = 0; d->slot < trivet_merge_slot_count(phone, d->section); d->slot++)
        for (size_t i = 0; rc == 0 && trivet_merge_item_at(phone, d->section, d->slot, i, &d->item); i++) {
            d->unknown = !trivet_merge_item_find(a->adjusted, d->section, d->item.id, &base, &at);
            if (d->unknown || !same_place_and_value(&d->item, d->slot, &base, at))
                rc = add_difference(out, d, err);
        }
    return rc;
}

static int collect_entries(const ancestor_states *a, const trivet_merge_state *phone, struct difference *d,
                           struct differences *out, store_error *err) {
    trivet_merge_entry base;
    int rc = 0;

    for (d->slot = 0; rc == 0 && trivet_merge_entry_at(phone, d->section, d->slot, &d->entry); d->slot++) {
        bool known = trivet_merge_entry_at(a->adjusted, d->section, d->slot, &base);
        if (!same_entry(&d->entry, known ? &base : NULL))
            rc = add_difference(out, d, err);
    }
    return rc;
}

static int collect_differences(const ancestor_states *a, const trivet_merge_state *phone, record_group group,
                               int64_t newer_than, struct differences *out, store_error *err) {
    const struct group_sections *g = &groups[group];
    struct difference d = {.newer_than = newer_than};
    int rc = 0;

    if (a->record_count == 0 || a->records[0].id <= newer_than)
        return 0; /* the usual case: nothing is newer */
    if (has_items(group)) {
        d.section = g->items;
        d.is_item = true;
        rc = collect_items(a, phone, &d, out, err);
    }
    d.is_item = false;
    for (size_t k = 0; rc == 0 && k < g->entry_sections; k++) {
        d.section = g->entries[k];
        rc = collect_entries(a, phone, &d, out, err);
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

static int become_own_ancestor(ancestor_states *a, const struct difference *d, store_error *err) {
    trivet_merge_error merge_err = TRIVET_MERGE_ERROR_INIT;
    int rc = d->is_item ? trivet_merge_put_item(a->adjusted, d->section, d->slot, &d->item, &merge_err)
                        : trivet_merge_put_entry(a->adjusted, d->section, d->slot, &d->entry, &merge_err);
    return rc == 0 ? 0 : out_of_memory(err);
}

/*
 * An item that the ancestor does not hold, but that this phone sent and the computer took in another form: the phone was
 * restored to a time between the ancestor and that sync, and has edited the item since. It is not new, and must not
 * come back if it was deleted; the oldest form that was sent is the nearest to what the phone was restored to.
 */
static int was_sent_before(ancestor_states *a, const struct difference *d, const trivet_merge_state *snapshot,
                           const trivet_merge_state *sent, store_error *err) {
    trivet_merge_error merge_err = TRIVET_MERGE_ERROR_INIT;
    trivet_merge_item item;
    size_t slot;

    if (!d->is_item || !d->unknown || !trivet_merge_item_find(sent, d->section, d->item.id, &item, &slot) ||
        !trivet_merge_item_find(snapshot, d->section, d->item.id, NULL, NULL))
        return 0;
    if (item.deleted || d->item.updated_at < item.updated_at)
        return become_own_ancestor(a, d,
                                   err); /* it was restored to a time before even that: no edit at all */
    return trivet_merge_put_item(a->adjusted, d->section, slot, &item, &merge_err) == 0 ? 0
                                                                                        : out_of_memory(err);
}

/* Settles what this record can settle, and drops it from the list. */
static int look_into(ancestor_states *a, const record *r, struct differences *d, store_error *err) {
    trivet_merge_state *snapshot = NULL, *sent = NULL;
    int rc = snapshot_read(a->store, &r->snapshot, &snapshot, err);

    if (rc == 0)
        rc = snapshot_read(a->store, &r->sent, &sent, err);
    if (rc == 0) {
        size_t kept = 0;
        for (size_t k = 0; rc == 0 && k < d->count; k++) {
            struct difference *difference = &d->list[k];
            bool newer = difference->newer_than < r->id;
            if (newer && merged_in(difference, snapshot, sent)) {
                rc = become_own_ancestor(a, difference, err);
                continue;
            }
            if (newer)
                rc = was_sent_before(a, difference, snapshot, sent, err);
            d->list[kept++] = *difference;
        }
        d->count = kept;
    }
    trivet_merge_state_free(sent);
    trivet_merge_state_free(snapshot);
    return rc;
}

static int already_merged(ancestor_states *a, struct differences *d, store_error *err) {
    int64_t oldest = INT64_MAX;
    int rc = 0;

    for (size_t k = 0; k < d->count; k++)
        if (d->list[k].newer_than < oldest)
            oldest = d->list[k].newer_than;
    for (size_t i = 0;
         rc == 0 && d->count > 0 && i < a->record_count && i < MAX_NEWER && a->records[i].id > oldest; i++)
        rc = look_into(a, &a->records[i], d, err);
    return rc;
}

/* ---- graves ---- */

struct hand_graves {
    ancestor_states *states;
    const trivet_merge_state *ancestor, *guard, *phone, *computer;
};

static bool live_in(const trivet_merge_state *state, trivet_merge_section section, trivet_merge_slice id) {
    trivet_merge_item item;
    return state && trivet_merge_item_find(state, section, id, &item, NULL) && !item.deleted;
}

static int hand_grave(void *ctx, trivet_merge_section section, size_t slot, const trivet_merge_item *grave) {
    struct hand_graves *h = ctx;
    trivet_merge_error merge_err = TRIVET_MERGE_ERROR_INIT;
    trivet_merge_item p;

    if (trivet_merge_item_find(h->computer, section, grave->id, NULL, NULL))
        return 0;
    bool phone_kept = trivet_merge_item_find(h->phone, section, grave->id, &p, NULL) && !p.deleted &&
                      p.updated_at <= grave->deleted_at;
    bool was_agreed =
        live_in(h->ancestor, section, grave->id) || (!h->ancestor && live_in(h->guard, section, grave->id));
    if (!phone_kept && !was_agreed)
        return 0;
    return trivet_merge_put_item(h->states->computer, section, slot, grave, &merge_err) == 0 ? 0
                                                                                             : STORE_FAILED;
}

static int copy_state(trivet_merge_state **out, const trivet_merge_state *from, store_error *err) {
    if (trivet_merge_state_new(out) != 0)
        return out_of_memory(err);
    for (int s = 0; s < TRIVET_MERGE_SECTIONS; s++)
        if (trivet_merge_take_section(*out, from, (trivet_merge_section)s) != 0)
            return out_of_memory(err);
    return 0;
}

/* ---- putting it together ---- */

/* The newest snapshot that the phone is known to have applied: what the guard falls back on (merge §8). */
static int find_guard(ancestor_states *a, store_error *err) {
    for (size_t i = 0; i < a->record_count; i++)
        if (a->records[i].applied & (1u << RECORD_LISTS | 1u << RECORD_LOCKED_LISTS))
            return load(a, &a->records[i].snapshot, &a->guard, err);
    return 0;
}

/* The id of the last record that is not newer than what was taken. */
static int64_t last_not_newer(const struct candidate *k) {
    if (k->kind == NOTHING)
        return 0;
    return k->kind == SNAPSHOT ? k->record->id : k->record->id - 1;
}

static int choose(ancestor_states *a, const char *device, const char *phone_name, int64_t since,
                  const trivet_merge_state *phone, const trivet_merge_state *computer, ancestor_choice *out,
                  store_error *err) {
    struct candidates *candidates = NULL;
    struct candidate taken[RECORD_GROUPS];
    struct differences differences = {0};
    bool any = false;
    int rc = record_list(a->store, device, phone_name, &a->records, &a->record_count, err);

    if (rc == 0 && (!(candidates = malloc(sizeof *candidates)) || trivet_merge_state_new(&a->chosen) != 0))
        rc = out_of_memory(err);
    for (record_group g = 0; rc == 0 && g < RECORD_GROUPS; g++) {
        if ((rc = find_candidates(a, device, phone_name, g, since, candidates, err)) != 0 ||
            (rc = nearest(a, phone, g, candidates, &taken[g], err)) != 0)
            break;
        rc = build_group(a, phone, g, &taken[g], err);
        any |= taken[g].kind != NOTHING;
        out->applied[g] = taken[g].kind == SNAPSHOT && since > 0 ? taken[g].record->id : 0;
    }
    free(candidates);
    if (rc == 0)
        rc = copy_state(&a->adjusted, a->chosen, err);
    for (record_group g = 0; rc == 0 && g < RECORD_GROUPS; g++)
        rc = collect_differences(a, phone, g, last_not_newer(&taken[g]), &differences, err);
    if (rc == 0)
        rc = already_merged(a, &differences, err);
    free(differences.list);
    if (rc == 0 && !any)
        rc = find_guard(a, err);
    if (rc != 0)
        return rc;

    /* What was already merged makes an ancestor even where none was chosen: it knows those items and no
     * others. */
    out->ancestor = any || !trivet_merge_state_equal(a->adjusted, a->chosen) ? a->adjusted : NULL;
    out->guard = any ? a->chosen : a->guard;
    out->found = any;

    if ((rc = copy_state(&a->computer, computer, err)) != 0)
        return rc;
    struct hand_graves h = {a, out->ancestor, out->guard, phone, computer};
    rc = grave_each(a->store, hand_grave, &h, err);
    out->computer = a->computer;
    return rc == 0 || err->code ? rc : out_of_memory(err);
}

int ancestor_choose(store *s, const char *device, const char *phone_name, int64_t since,
                    const trivet_merge_state *phone, const trivet_merge_state *computer, ancestor_choice *out,
                    store_error *err) {
    *out = (ancestor_choice){.states = calloc(1, sizeof(ancestor_states))};
    if (!out->states)
        return out_of_memory(err);
    out->states->store = s;
    int rc = choose(out->states, device, phone_name, since, phone, computer, out, err);
    if (rc != 0)
        ancestor_release(out);
    return rc;
}

void ancestor_release(ancestor_choice *choice) {
    ancestor_states *a = choice->states;

    if (a) {
        /* Those that borrow go before those that they borrow from. */
        trivet_merge_state_free(a->computer);
        trivet_merge_state_free(a->adjusted);
        trivet_merge_state_free(a->chosen);
        for (size_t i = 0; i < a->count; i++)
            trivet_merge_state_free(a->loaded[i].state);
        free(a->loaded);
        free(a->records);
        free(a);
    }
    *choice = (ancestor_choice){0};
}
