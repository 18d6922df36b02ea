/*
 * Which ancestor (merge §10), in three steps: candidates by the phone's `since`, the nearest of them per
 * group, and then the two rules that close what is left: what was already merged is no new edit, and what
 * left the computer is handed to the merge as a tombstone where the phone may still hold it.
 *
 * The guard's state is fixed after the second step: it is measured before those two rules.
 */
#include "serve/ancestor.h"

#include "serve/already_merged.h"
#include "serve/distance.h"
#include "serve/revived.h"
#include "store/grave.h"
#include "store/restored.h"
#include "store/snapshot.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * How many records are candidates, of those that no time is known to name: a phone that names a time of its own making
 * at each sync leaves one each. A record that was applied in the ordinary way takes no one's place.
 */
enum { MAX_CANDIDATES = 64 };

/* And how many restores of the computer, the newest. */
enum { MAX_RESTORED = 16 };

/* ---- states, each read from the store once ---- */

struct loaded {
    store_name name;
    trivet_merge_state *state;
};

struct ancestor_states {
    store *store;
    struct loaded *loaded;
    size_t count, capacity;
    trivet_merge_state *chosen; /* as the candidates gave it */
    trivet_merge_state *agreed; /* the same, but for what a phone sent since: each item as it was agreed on */
    trivet_merge_state *adjusted; /* the same, with what was already merged */
    trivet_merge_state *computer;
    trivet_merge_state *guard; /* borrowed from `loaded`, or NULL */
    record *records;           /* newest first */
    size_t record_count;
};

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
            return store_out_of_memory(err);
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

/* ---- candidates ---- */

enum candidate_kind { NOTHING, SNAPSHOT, SENT, FORMER /* the record's own ancestor */, RESTORED };

struct candidate {
    enum candidate_kind kind;
    const record *record;
    store_name restored; /* of a RESTORED one: the head of then */
    int64_t base; /* the id of the last record that is not newer than what this gives; 0: all are newer */
};

struct candidates {
    struct candidate list[4 * MAX_CANDIDATES + MAX_RESTORED + 1];
    size_t count;
    size_t earlier; /* for state_distance() */
    const record
        *last; /* whose `sent` was made of the state that the phone's time names; NULL: none is known to */
};

static void candidate_add(struct candidates *c, enum candidate_kind kind, const record *r, int64_t base) {
    if (kind == FORMER && !r->has_ancestor)
        kind = NOTHING;
    if (kind == NOTHING || (kind == SENT && !r->has_ancestor))
        base = 0;
    c->list[c->count++] = (struct candidate){.kind = kind, .record = r, .base = base};
}

static const record *record_with_id(const ancestor_states *a, int64_t id) {
    for (size_t i = 0; i < a->record_count; i++)
        if (a->records[i].id == id)
            return &a->records[i];
    return NULL;
}

/* Whether a newer record came with the time that this one came with: then its confirm was lost, or very late. */
static bool came_again(const ancestor_states *a, size_t i) {
    return i > 0 && a->records[i - 1].since_before == a->records[i].since_before;
}

/*
 * What the computer was restored to: a merge that it has forgotten since descends from it. Of those that the phone has not
 * synced since the first is enough, for the others descend from it; older ones are for a phone that was restored itself,
 * to what a forgotten merge had given it.
 */
static int add_restored(ancestor_states *a, struct candidates *c, store_error *err) {
    struct candidate found[MAX_RESTORED];
    size_t count = 0;
    int64_t newest = 0;
    store_name head;
    int rc;

    while ((rc = restored_next(a->store, &newest, &head, err)) == 0 && newest != 0) {
        found[count % MAX_RESTORED] = (struct candidate){RESTORED, NULL, head, newest};
        count++;
        if (newest >= a->records[0].id)
            break;
    }
    for (size_t k = 0; rc == 0 && k < count && k < MAX_RESTORED; k++)
        c->list[c->count++] = found[(count - 1 - k) % MAX_RESTORED];
    return rc;
}

/* Whether the phone can hold what a record that has no name gave it, or what it sent with it. */
static bool may_hold(const ancestor_states *a, size_t i, record_group group, int64_t since,
                     size_t came_with) {
    return !(a->records[i].applied & 1u << group) && a->records[i].since_before != since && i >= came_with;
}

/*
 * Case 3, a time that is not known to mean anything. Where a record's `sent` came with it, the phone was restored, for the
 * newest record came with another; and what came after that record came with later times, so it is none that the phone can
 * hold. Or it names a merge that the computer forgot when it was restored.
 */
static int find_unnamed(ancestor_states *a, record_group group, int64_t since, struct candidates *c,
                        store_error *err) {
    size_t came_with = 0; /* the newest record whose `sent` did; 0: none */

    for (size_t i = 1; i < a->record_count && came_with == 0; i++)
        if (a->records[i].since_before == since)
            came_with = i;
    for (int pass = 0; pass < 3;
         pass++) /* snapshots, sent, and last the snapshots that were hardly applied */
        for (size_t i = 0, found = 0; i < a->record_count && found < MAX_CANDIDATES; i++) {
            const record *r = &a->records[i];
            if (!may_hold(a, i, group, since, came_with))
                continue;
            found++;
            if (pass == 1)
                candidate_add(c, SENT, r, r->id - 1);
            else if (came_again(a, i) == (pass == 2))
                candidate_add(c, SNAPSHOT, r, r->id);
        }
    for (size_t i = 0, found = 0; i < a->record_count && found < MAX_CANDIDATES; i++)
        if (a->records[i].since_before == since) {
            candidate_add(c, SENT, &a->records[i], a->records[i].id - 1);
            candidate_add(c, FORMER, &a->records[i], a->records[i].id - 1);
            found++;
        }
    bool none = c->count == 0;
    int rc = add_restored(a, c, err);
    if (none)
        candidate_add(c, SNAPSHOT, &a->records[0], a->records[0].id);
    return rc;
}

/* merge §10, cases 1 to 4, for one group. */
static int find_candidates(ancestor_states *a, const char *device, const char *phone_name, record_group group,
                           int64_t since, struct candidates *c, store_error *err) {
    const record *newest = a->record_count ? &a->records[0] : NULL;
    const record *named = NULL;
    int64_t id = 0;

    c->count = 0;
    c->earlier = 1;
    c->last = NULL;
    if (!newest)
        return 0;
    int rc = since > 0 ? record_by_since(a->store, device, phone_name, group, since, &id, err) : STORE_NONE;
    if (rc != 0 && rc != STORE_NONE && rc != STORE_GONE)
        return rc;
    if (rc == 0)
        named = record_with_id(a, id);

    if (since == newest->since_before) { /* 1: the newest confirm may be lost */
        /* Whatever was sent since the state that `since` names, and be it with many lost confirms, is newer than it. */
        int64_t base = named ? named->id : since == 0 ? 0 : newest->id - 1;
        c->earlier = 3;
        c->last = newest;
        candidate_add(c, SENT, newest, base);
        if (named)
            candidate_add(c, SNAPSHOT, named, base);
        else
            candidate_add(c, since == 0 ? NOTHING : FORMER, newest, base);
        if (!(newest->applied & 1u << group))
            candidate_add(c, SNAPSHOT, newest, newest->id);
    } else if (rc != STORE_NONE) { /* 2: a state that it is known to have applied */
        candidate_add(c, named ? SNAPSHOT : NOTHING, named,
                      named ? named->id : 0); /* one no longer kept is none */
    } else if (since > 0) {                   /* 3: one that it may have applied */
        return find_unnamed(a, group, since, c, err);
    } /* 4: a fresh phone */
    return 0;
}

static int nearest(ancestor_states *a, const trivet_merge_state *phone, record_group group,
                   const struct candidates *c, struct candidate *out, store_error *err) {
    distance least = {.sum = SIZE_MAX};

    *out = (struct candidate){.kind = NOTHING};
    if (c->count == 1)
        *out = c->list[0];
    for (size_t i = 0; i < c->count && c->count > 1 && least.sum > 0; i++) {
        const struct candidate *k = &c->list[i];
        trivet_merge_state *state = NULL, *made = NULL;
        const store_name *name = k->kind == SENT       ? &k->record->sent
                                 : k->kind == SNAPSHOT ? &k->record->snapshot
                                 : k->kind == FORMER   ? &k->record->ancestor
                                 : k->kind == RESTORED ? &k->restored
                                                       : NULL;
        int rc = name ? load(a, name, &state, err) : 0;
        if (rc != 0)
            return rc;
        bool before = c->last && (k->record != c->last || k->kind == FORMER);
        if (before && (rc = load(a, &c->last->sent, &made, err)) != 0)
            return rc;
        distance d = state_distance(phone, state, before ? made : NULL, group, c->earlier);
        if (distance_less(&d, &least)) {
            least = d;
            *out = *k;
        }
    }
    return 0;
}

/* ---- the ancestor, from the candidate that was taken ---- */

static int take_group(trivet_merge_state *to, const trivet_merge_state *from, record_group group,
                      store_error *err) {
    const group_sections *g = &record_groups[group];

    if (group_has_items(group) && trivet_merge_take_section(to, from, g->items) != 0)
        return store_out_of_memory(err);
    for (size_t i = 0; i < g->entry_sections; i++)
        if (trivet_merge_take_section(to, from, g->entries[i]) != 0)
            return store_out_of_memory(err);
    return 0;
}

/*
 * `sent` was taken: the computer merged it, but the phone never heard. What the phone still holds from then
 * on stands as it was sent, since the computer took those values; the rest is as it was before.
 */
static int stand_as_sent(trivet_merge_state *to, const trivet_merge_state *phone,
                         const trivet_merge_state *sent, const trivet_merge_state *snapshot,
                         record_group group, store_error *err) {
    const group_sections *g = &record_groups[group];
    trivet_merge_error merge_err = TRIVET_MERGE_ERROR_INIT;
    trivet_merge_item p, s;
    size_t slot_s;

    if (group_has_items(group))
        for (size_t slot = 0; slot < trivet_merge_slot_count(phone, g->items); slot++)
            for (size_t i = 0; trivet_merge_item_at(phone, g->items, slot, i, &p); i++)
                if (trivet_merge_item_find(sent, g->items, p.id, &s, &slot_s) &&
                    p.updated_at >= s.updated_at &&
                    trivet_merge_item_find(snapshot, g->items, p.id, NULL, NULL) &&
                    trivet_merge_put_item(to, g->items, slot_s, &s, &merge_err) != 0)
                    return store_out_of_memory(err);
    for (size_t k = 0; k < g->entry_sections; k++)
        for (size_t i = 0; i < trivet_merge_slot_count(phone, g->entries[k]); i++) {
            trivet_merge_entry pe, se, me;
            if (trivet_merge_entry_at(phone, g->entries[k], i, &pe) &&
                trivet_merge_entry_at(sent, g->entries[k], i, &se) && pe.updated_at >= se.updated_at &&
                trivet_merge_entry_at(snapshot, g->entries[k], i, &me) &&
                trivet_merge_put_entry(to, g->entries[k], i, &se, &merge_err) != 0)
                return store_out_of_memory(err);
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
    else if (k->kind == RESTORED)
        rc = load(a, &k->restored, &base, err);
    else if (k->record->has_ancestor)
        rc = load(a, &k->record->ancestor, &base, err);
    if (rc == 0 && base)
        rc = take_group(a->chosen, base, group, err);
    if (rc == 0 && base)
        rc = take_group(a->agreed, base, group, err);
    if (rc != 0 || k->kind != SENT)
        return rc;
    if ((rc = load(a, &k->record->sent, &sent, err)) != 0 ||
        (rc = load(a, &k->record->snapshot, &snapshot, err)) != 0)
        return rc;
    return stand_as_sent(a->chosen, phone, sent, snapshot, group, err);
}

/* ---- graves ---- */

struct hand_graves {
    ancestor_states *states;
    const trivet_merge_state *ancestor, *phone, *computer;
    const trivet_merge_state *guard; /* what was agreed once, where no ancestor was chosen; else NULL */
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
    bool was_agreed = live_in(h->ancestor, section, grave->id) || live_in(h->guard, section, grave->id);
    if (!phone_kept && !was_agreed)
        return 0;
    return trivet_merge_put_item(h->states->computer, section, slot, grave, &merge_err) == 0 ? 0
                                                                                             : STORE_FAILED;
}

static int copy_state(trivet_merge_state **out, const trivet_merge_state *from, store_error *err) {
    if (trivet_merge_state_new(out) != 0)
        return store_out_of_memory(err);
    for (int s = 0; s < TRIVET_MERGE_SECTIONS; s++)
        if (trivet_merge_take_section(*out, from, (trivet_merge_section)s) != 0)
            return store_out_of_memory(err);
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

static int choose(ancestor_states *a, const char *device, const char *phone_name, int64_t since,
                  const trivet_merge_state *phone, const trivet_merge_state *computer, ancestor_choice *out,
                  store_error *err) {
    struct candidates *candidates = NULL;
    struct candidate taken[RECORD_GROUPS];
    int64_t not_newer[RECORD_GROUPS];
    bool any = false;
    int rc = record_list(a->store, device, phone_name, &a->records, &a->record_count, err);

    if (rc == 0 && (!(candidates = malloc(sizeof *candidates)) || trivet_merge_state_new(&a->chosen) != 0 ||
                    trivet_merge_state_new(&a->agreed) != 0))
        rc = store_out_of_memory(err);
    for (record_group g = 0; rc == 0 && g < RECORD_GROUPS; g++) {
        if ((rc = find_candidates(a, device, phone_name, g, since, candidates, err)) != 0 ||
            (rc = nearest(a, phone, g, candidates, &taken[g], err)) != 0)
            break;
        rc = build_group(a, phone, g, &taken[g], err);
        not_newer[g] = taken[g].base;
        any |= taken[g].kind != NOTHING;
        out->applied[g] = taken[g].kind == SNAPSHOT && since > 0 ? taken[g].record->id : 0;
    }
    free(candidates);
    if (rc == 0)
        rc = copy_state(&a->adjusted, a->chosen, err);
    if (rc == 0)
        rc = already_merged(a->store, a->records, a->record_count, not_newer, phone, a->adjusted, err);
    if (rc == 0)
        rc = revived_apply(a->store, phone, computer, a->agreed, a->adjusted, err);
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
    struct hand_graves h = {a, out->ancestor, phone, computer, any ? NULL : out->guard};
    rc = grave_each(a->store, hand_grave, &h, err);
    out->computer = a->computer;
    return rc == 0 || err->code ? rc : store_out_of_memory(err);
}

int ancestor_choose(store *s, const char *device, const char *phone_name, int64_t since,
                    const trivet_merge_state *phone, const trivet_merge_state *computer, ancestor_choice *out,
                    store_error *err) {
    *out = (ancestor_choice){.states = calloc(1, sizeof(ancestor_states))};
    if (!out->states)
        return store_out_of_memory(err);
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
        trivet_merge_state_free(a->agreed);
        for (size_t i = 0; i < a->count; i++)
            trivet_merge_state_free(a->loaded[i].state);
        free(a->loaded);
        free(a->records);
        free(a);
    }
    *choice = (ancestor_choice){0};
}
