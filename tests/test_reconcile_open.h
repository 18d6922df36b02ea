/*
 * What no rule can decide: the ledger does not hold it against the computer (merge §10, what remains).
 *
 * Each condition below has a proof of the same form: a second history, in which the computer has seen the same bytes and
 * holds the same, but where the other outcome is right. Conditions are tested by what happened, not by what the computer made
 * of it, and set aside one item each, not the history.
 */
#ifndef TEST_RECONCILE_OPEN_H
#define TEST_RECONCILE_OPEN_H

#include "test_reconcile_store.h"

#include "serve/distance.h"
#include "store/device.h"
#include "store/grave.h"
#include "store/record.h"

/* What a phone holds, and what a backup of it does. */
struct held {
    trivet_merge_state *state;
    int64_t since;
    trivet_merge_state *named; /* the state that `since` names; NULL: none */
    bool two
        [MAX_ITEMS]; /* it was killed between its writes: the items that tell the two states apart that it mixes */
};

struct phone {
    char device[DEVICE_ID_LEN + 1], name[32];
    int64_t skew;
    struct held held, backup;
    bool synced;
    bool went_back;           /* restored or wiped, and not synced as a whole since */
    bool restored;            /* from a backup, and no merge was committed since */
    bool reedited[MAX_ITEMS]; /* edited since it was restored */
};

static void release(struct held *h) {
    trivet_merge_state_free(h->state);
    trivet_merge_state_free(h->named);
    *h = (struct held){0};
}

static void copy_held(struct held *to, const struct held *from) {
    release(to);
    *to = *from;
    to->state = clone(from->state);
    to->named = from->named ? clone(from->named) : NULL;
}

/* Whether the phone's tombstone is of a time before the item was brought back, of which the phone does not know. */
static bool outdated(const struct ledger *l, const struct held *h, int number) {
    const struct item *it = &l->items[number];
    trivet_merge_slice id = {it->id, strlen(it->id)};
    trivet_merge_item item, agreed;

    if (!it->brought_back || !trivet_merge_item_find(h->state, it->section, id, &item, NULL))
        return false;
    if (h->named && trivet_merge_item_find(h->named, it->section, id, &agreed, NULL) && agreed.deleted &&
        agreed.deleted_at == item.deleted_at)
        return true; /* it is agreed on already */
    if (item.deleted_at > it->brought_back)
        return false;
    return h->two[number] || !h->named || !trivet_merge_item_find(h->named, it->section, id, &item, NULL) ||
           item.deleted || item.updated_at < it->brought_back;
}

/* What a phone sent with a merge that was committed has reached the computer, whatever that made of it. */
static void count_sent(struct ledger *l, const struct held *h) {
    for (int i = 0; i < l->item_count; i++) {
        bool dead;
        int text = text_in(h->state, &l->items[i], &dead);
        if (text >= 0)
            l->items[i].counted = l->edits[text].counted = true;
        if (dead && !outdated(l, h, i))
            l->items[i].counted = l->items[i].deleted = true;
    }
}

/* ---- what the computer knows of a phone that comes ---- */

struct knowledge {
    bool known, dropped,
        lost_confirm; /* its time: it names a record; that was dropped; the newest merge came with it too */
    bool ambiguous;   /* its time names none, and may name more than one */
    trivet_merge_state *sent; /* of the newest record, with lost_confirm; else NULL */
};

static void look_up(const struct phone *p, struct knowledge know[static RECORD_GROUPS]) {
    store_error err = STORE_ERROR_INIT;
    record *records;
    size_t count;
    int64_t id;

    must(record_list(the_store, p->device, p->name, &records, &count, &err) == 0, err.message);
    for (record_group g = 0; g < RECORD_GROUPS; g++) {
        int rc = record_by_since(the_store, p->device, p->name, g, p->held.since, &id, &err);
        know[g] = (struct knowledge){.known = rc == 0, .dropped = rc == STORE_GONE};
        size_t unnamed = 0;
        for (size_t i = 0; i < count; i++)
            unnamed += !(records[i].applied & 1u << g);
        know[g].ambiguous = rc == STORE_NONE && unnamed > 1;
        know[g].lost_confirm = count > 0 && records[0].since_before == p->held.since;
        if (know[g].lost_confirm)
            must(snapshot_read(the_store, &records[0].sent, &know[g].sent, &err) == 0, err.message);
    }
    free(records);
}

static record_group group_of(const struct item *it) {
    return it->section == TRIVET_MERGE_LOCKED_LISTS ? RECORD_LOCKED_LISTS : RECORD_LISTS;
}

/*
 * Whether a phone's user can have made this state of that one: nothing that lives just goes, nor does a date go back; but
 * what was deleted may be brought back.
 */
static bool can_come_from(const trivet_merge_state *phone, const trivet_merge_state *state,
                          record_group group) {
    trivet_merge_section section = record_groups[group].items;
    trivet_merge_item p, s;

    for (size_t slot = 0; slot < trivet_merge_slot_count(state, section); slot++)
        for (size_t i = 0; trivet_merge_item_at(state, section, slot, i, &s); i++) {
            bool there = trivet_merge_item_find(phone, section, s.id, &p, NULL);
            if (!s.deleted && (!there || p.updated_at < s.updated_at))
                return false;
        }
    return true;
}

/* ---- conditions ---- */

/* Of one item: whether a phone that holds both states in part holds it in two forms. */
static bool differs(const struct item *it, const trivet_merge_state *a, const trivet_merge_state *b) {
    trivet_merge_slice id = {it->id, strlen(it->id)};
    trivet_merge_item in_a, in_b;
    trivet_merge_entry entry_a, entry_b;
    size_t at_a, at_b;

    if (!it->id[0]) {
        bool has_a = trivet_merge_entry_at(a, it->section, it->label, &entry_a);
        bool has_b = trivet_merge_entry_at(b, it->section, it->label, &entry_b);
        return !same_entry(has_a ? &entry_a : NULL, has_b ? &entry_b : NULL);
    }
    bool has_a = trivet_merge_item_find(a, it->section, id, &in_a, &at_a);
    bool has_b = trivet_merge_item_find(b, it->section, id, &in_b, &at_b);
    return has_a != has_b || (has_a && !same_place_and_value(&in_a, at_a, &in_b, at_b));
}

/*
 * What was typed after the answer stands, wherever M left alone what the answer said; and where both changed a text, the later
 * one does.
 */
static void check_merged_over(const struct ledger *l, const trivet_merge_state *answered,
                              const trivet_merge_state *typed, const trivet_merge_state *merged,
                              const trivet_merge_state *stored) {
    for (int i = 0; i < l->item_count; i++) {
        const struct item *it = &l->items[i];
        trivet_merge_slice id = {it->id, strlen(it->id)};
        trivet_merge_item t, m, k;
        size_t to, at;
        bool dead;
        int was = text_in(answered, it, &dead), now = text_in(typed, it, &dead);
        int theirs = text_in(merged, it, &dead), kept = text_in(stored, it, &dead);
        if (it->id[0] && now >= 0 && !differs(it, answered, merged) &&
            trivet_merge_item_find(typed, it->section, id, &t, &to))
            must(trivet_merge_item_find(stored, it->section, id, &k, &at) && at == to &&
                     k.position == t.position,
                 "a move after the answer is gone");
        if (now == was)
            continue;
        if (theirs == was || now == -1)
            must(kept == now, "a text or a deletion after the answer is gone");
        else if (it->id[0] && theirs >= 0 && trivet_merge_item_find(typed, it->section, id, &t, NULL) &&
                 trivet_merge_item_find(merged, it->section, id, &m, NULL))
            must(kept == (t.updated_at >= m.updated_at ? now : theirs), "the wrong text was kept");
    }
}

/*
 * A phone that was killed between its writes edits, before its next sync, an item that tells apart the two states that it
 * mixes. The second history: it was killed a write earlier or later, and the edit was made on the other form.
 */
static void killed_between(const struct ledger *l, struct held *h, const trivet_merge_state *merged) {
    for (int i = 0; i < l->item_count; i++)
        h->two[i] = differs(&l->items[i], h->state, merged);
}

/*
 * A phone that was restored from a backup edits, before its next sync (or had edited before the backup), an item whose text in
 * the backup was no longer the newest; the edit gives the old text a new date. The second history: the user wrote that text
 * after the restore. That is
 * so unless the phone's time names a state in which the item has that very text (then the text is none of its edits), and
 * the phone cannot as well come from what it sent with this time before: that it sends it once more, edited, is just what
 * a lost confirm looks like. Nor must the time be one that may name several states.
 */
static bool text_may_be_new(const struct ledger *l, const struct phone *p, const struct item *it,
                            const struct knowledge *know) {
    bool dead;

    if (know->lost_confirm && can_come_from(p->held.state, know->sent, group_of(it)))
        return true;
    if (know->dropped || know->ambiguous || (l->restored && !know->known && !know->lost_confirm))
        return true;
    return !p->held.named || text_in(p->held.named, it, &dead) != text_in(p->held.state, it, &dead);
}

/* What may become of items in a sync, by no rule's fault. */
struct fates {
    struct knowledge know[RECORD_GROUPS];
    bool may_go[MAX_ITEMS], may_go_unnamed[MAX_ITEMS], may_have_been_deleted[MAX_ITEMS];
    bool edited_before[MAX_ITEMS]; /* of a restored phone: since the state that its time names */
    bool form_known[MAX_ITEMS];    /* of items that the computer holds dead and the phone live */
    int64_t died[MAX_ITEMS];       /* of items that the computer has a grave of; else 0 */
    struct ledger *ledger;
};

static int note_grave(void *ctx, trivet_merge_section section, size_t slot, const trivet_merge_item *grave) {
    struct fates *f = ctx;
    (void)section, (void)slot;
    f->died[item_number(f->ledger, grave->id)] = grave->deleted_at;
    return 0;
}

/* Retention drops revivals that are older than `then`. */
static void note_dropped_revivals(struct ledger *l, int64_t then) {
    for (int i = 0; i < l->item_count; i++)
        l->items[i].revival_dropped |= l->items[i].brought_back > 0 && l->items[i].brought_back < then;
}

/*
 * The computer was restored from a backup, so was a phone (or it was wiped), and the phone's time names a merge that the
 * computer has forgotten. An item that the phone lacks and the computer holds live may go. The second history: the phone
 * is not older than the item, but comes from that forgotten merge, in which the item was deleted and purged.
 */
static bool may_go(const struct ledger *l, const struct phone *p, const struct item *it,
                   const struct knowledge *know, const trivet_merge_state *computer) {
    trivet_merge_slice id = {it->id, strlen(it->id)};
    bool dead;

    return it->id[0] && l->restored && p->went_back && p->held.since > 0 && !know->known &&
           !know->lost_confirm && text_in(computer, it, &dead) >= 0 &&
           !trivet_merge_item_find(p->held.state, it->section, id, NULL, NULL);
}

/* Whether every record that the phone's time may name holds the item live, as it was sent and as it was merged. */
static bool live_in_all_unnamed(const struct phone *p, const struct item *it) {
    store_error err = STORE_ERROR_INIT;
    bool live = true, dead;
    record *records;
    size_t count;

    must(record_list(the_store, p->device, p->name, &records, &count, &err) == 0, err.message);
    for (size_t i = 0; i < 2 * count && live; i++) {
        const record *r = &records[i / 2];
        trivet_merge_state *then;
        if (r->applied & 1u << group_of(it))
            continue;
        must(snapshot_read(the_store, i % 2 ? &r->sent : &r->snapshot, &then, &err) == 0, err.message);
        live = text_in(then, it, &dead) >= 0;
        trivet_merge_state_free(then);
    }
    free(records);
    return live;
}

/*
 * A phone was restored to a time that names a record which retention dropped before anything was known to mean it, so that
 * not even the time is remembered. An item that the phone lacks, and that every record holds live that the time may still
 * name, may go. The second history: it has applied one of these, and the item was deleted there and purged.
 */
static bool may_go_unnamed(const struct ledger *l, const struct phone *p, const struct item *it,
                           const struct knowledge *know, const trivet_merge_state *computer) {
    trivet_merge_slice id = {it->id, strlen(it->id)};
    bool dead;

    return it->id[0] && l->pruned && p->went_back && p->held.since > 0 && !know->known && !know->dropped &&
           !know->lost_confirm && text_in(computer, it, &dead) >= 0 &&
           !trivet_merge_item_find(p->held.state, it->section, id, NULL, NULL) && live_in_all_unnamed(p, it);
}

/*
 * An item that was deleted and brought back, of which a phone holds a tombstone from before; retention has dropped the word
 * that it was brought back. It may go. The second history: the computer never deleted it, but edited it then, and the phone's
 * user deleted it; a deletion wins over an edit, whichever came first (merge §2).
 */
static bool may_have_been_deleted(const struct ledger *l, const struct phone *p, int number,
                                  const trivet_merge_state *computer) {
    const struct item *it = &l->items[number];
    bool dead;

    if (!it->revival_dropped || text_in(computer, it, &dead) < 0)
        return false;
    return text_in(p->held.state, it, &dead) < 0 && dead && outdated(l, &p->held, number);
}

static const trivet_merge_item *live_item(const trivet_merge_state *state, const struct item *it,
                                          trivet_merge_item *out) {
    trivet_merge_slice id = {it->id, strlen(it->id)};
    return it->id[0] && trivet_merge_item_find(state, it->section, id, out, NULL) && !out->deleted ? out
                                                                                                   : NULL;
}

/* Whether the computer still has a record of a phone's merge in which the item was as it is in `state`. */
static bool is_known(const struct phone *p, const struct item *it, const trivet_merge_state *state) {
    store_error err = STORE_ERROR_INIT;
    bool known = false;
    record *records;
    size_t count;

    must(record_list(the_store, p->device, p->name, &records, &count, &err) == 0, err.message);
    for (size_t i = 0; i < 2 * count && !known; i++) {
        trivet_merge_state *then;
        const store_name *name = i % 2 ? &records[i / 2].sent : &records[i / 2].snapshot;
        must(snapshot_read(the_store, name, &then, &err) == 0, err.message);
        known = !differs(it, then, state);
        trivet_merge_state_free(then);
    }
    free(records);
    return known;
}

/*
 * A deleted item comes back from a phone that was restored, or that edited it later than it was deleted. The second
 * history: it was brought back, by the phone's user or on the computer, and the merge that knew of that is forgotten or
 * dropped, or had just not been confirmed.
 */
static bool may_live(const struct ledger *l, const struct phone *p, int number, const struct fates *f) {
    const struct item *it = &l->items[number];
    const struct knowledge *know = &f->know[group_of(it)];
    trivet_merge_item item;

    if (!live_item(p->held.state, it, &item))
        return false;
    if (know->lost_confirm)
        return p->went_back && can_come_from(p->held.state, know->sent, group_of(it));
    if (!know->dropped && !(l->restored && !know->known))
        return false;
    return f->died[number] > 0 ? item.updated_at > f->died[number] : p->went_back && !f->form_known[number];
}

static void forget_fates(struct fates *f) {
    for (record_group g = 0; g < RECORD_GROUPS; g++)
        trivet_merge_state_free(f->know[g].sent);
}

/* Before a phone syncs; to be released with forget_fates(). */
static struct fates foresee(struct ledger *l, const struct phone *p, const trivet_merge_state *computer) {
    struct fates f = {.ledger = l};
    store_error err = STORE_ERROR_INIT;

    look_up(p, f.know);
    must(grave_each(the_store, note_grave, &f, &err) == 0, err.message);
    for (int i = 0; i < l->item_count; i++) {
        const struct item *it = &l->items[i];
        trivet_merge_item item;
        bool dead;
        const struct knowledge *know = &f.know[group_of(it)];
        f.edited_before[i] = p->restored && p->held.named && differs(it, p->held.named, p->held.state);
        f.may_go[i] = may_go(l, p, it, know, computer);
        f.may_go_unnamed[i] = may_go_unnamed(l, p, it, know, computer);
        f.may_have_been_deleted[i] = may_have_been_deleted(l, p, i, computer);
        f.form_known[i] = p->went_back && live_item(p->held.state, it, &item) &&
                          text_in(computer, it, &dead) < 0 && dead && is_known(p, it, p->held.state);
    }
    return f;
}

/* After its merge was committed, which made `computer`. */
static void settle_fates(struct fates *f, struct ledger *l, struct phone *p,
                         const trivet_merge_state *computer) {
    for (int i = 0; i < l->item_count; i++) {
        struct item *it = &l->items[i];
        bool dead, live = it->id[0] && text_in(computer, it, &dead) >= 0;
        if (live ? may_live(l, p, i, f) : f->may_go[i])
            it->open |= 1u << (live ? CAME_BACK : WENT);
        if (!live && f->may_go_unnamed[i])
            it->open |= 1u << NAME_DROPPED;
        if (!live && f->may_have_been_deleted[i])
            it->open |= 1u << REVIVAL_DROPPED;
        if (p->restored && (p->reedited[i] || f->edited_before[i]) &&
            text_may_be_new(l, p, it, &f->know[group_of(it)]))
            it->text_open |= 1u << RESTORED_EDIT;
        if (it->backdated && f->know[group_of(it)].dropped)
            it->text_open |= 1u << DATES;
    }
    p->restored = false;
    memset(p->reedited, 0, sizeof p->reedited);
}

#endif
