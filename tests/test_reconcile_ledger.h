/*
 * The ledger of test_reconcile_sim.c: every edit that anybody made, and what must have become of it.
 *
 * Texts are "e<number>", the number being the edit that wrote it, so that a text found anywhere tells where it came
 * from. Labels of the first lists are kept like items that nobody can delete.
 */
#ifndef TEST_RECONCILE_LEDGER_H
#define TEST_RECONCILE_LEDGER_H

#include "state/edit.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_EDITS = 500, MAX_ITEMS = 200, LABELS = 3 };

/* Why a loss may be nobody's fault: test_reconcile_open.h has each as a condition, with its proof. */
enum reason {
    KILLED_EDIT,
    RESTORED_EDIT,
    CAME_BACK,
    WENT,
    NAME_DROPPED,
    REVIVAL_DROPPED,
    FORGOTTEN_TEXT,
    DATES,
    REASONS
};

static const char *const reasons[REASONS] = {
    [KILLED_EDIT] = "a phone killed between its writes, then an edit of what tells its two states apart",
    [RESTORED_EDIT] = "a phone restored, then an edit that gave an old text a new date",
    [CAME_BACK] = "an item that may as well have been brought back",
    [WENT] = "computer and phone restored: an item that may as well have been deleted and purged",
    [NAME_DROPPED] =
        "a phone restored to a record that was dropped unconfirmed: an item that may as well have gone",
    [REVIVAL_DROPPED] = "an item was brought back, and retention dropped the word of that",
    [FORGOTTEN_TEXT] = "computer restored: a text of the time that it forgot, on two phones",
    [DATES] = "only dates are left, of clocks that are off",
};

struct edit {
    int item, previous; /* the edit whose text it replaced; -1: it was the first */
    bool counted;       /* its text was in the computer's state once */
};

struct item {
    char id[64]; /* "" for a label */
    trivet_merge_section section;
    size_t label;
    bool counted, deleted; /* reached the computer; its deletion did */
    /* What no rule can decide about it: see test_reconcile_open.h. */
    unsigned open, text_open; /* bits 1 << reason: for anything; for its text alone */
    bool backdated;
    bool delete_made;     /* somebody deleted it somewhere, whether that arrived or was lost with a phone */
    int64_t delete_dated; /* the greatest date of those */
    int64_t brought_back; /* the date of the last restore that did; 0: none */
    bool revival_dropped; /* by retention: the word that it was brought back */
};

struct ledger {
    struct edit edits[MAX_EDITS];
    struct item items[MAX_ITEMS];
    int edit_count, item_count;
    bool restored;    /* the computer was, from a backup */
    bool pruned;      /* retention has dropped records */
    unsigned excused; /* bits 1 << reason: what went wrong, and was set aside */
};

/* ---- chance: a seed names a run ---- */

static uint64_t random_state;

static unsigned pick(unsigned below) {
    random_state += 0x9E3779B97F4A7C15u; /* splitmix64 */
    uint64_t z = random_state;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return (unsigned)((z ^ (z >> 31)) % below);
}

/* ---- what happened, for whoever reads a failure ---- */

static char trace[1 << 17];
static size_t trace_len;
static jmp_buf failed;

#define TRACE(...)                                                                                           \
    do {                                                                                                     \
        int n_ = snprintf(trace + trace_len, sizeof trace - trace_len, __VA_ARGS__);                         \
        if (n_ > 0 && trace_len + (size_t)n_ < sizeof trace)                                                 \
            trace_len += (size_t)n_;                                                                         \
    } while (0)

/* Ends the run: the last line of the trace is the reason. */
_Noreturn static void die(const char *what) {
    TRACE("%s\n", what);
    longjmp(failed, 1);
}

static void must(bool fine, const char *what) {
    if (!fine)
        die(what);
}

/* ---- looking into a state ---- */

static const trivet_merge_section item_sections[] = {TRIVET_MERGE_LISTS, TRIVET_MERGE_LOCKED_LISTS};

static int edit_number(trivet_merge_slice text) {
    char number[16] = "";

    if (text.len < 2 || text.len > sizeof number || text.data[0] != 'e')
        die("a text that nobody wrote");
    memcpy(number, text.data + 1, text.len - 1);
    return atoi(number);
}

/* The edit whose text an item or label of the ledger holds in a state; -1: it is not there, dead or blank. */
static int text_in(const trivet_merge_state *state, const struct item *it, bool *dead) {
    trivet_merge_slice id = {it->id, strlen(it->id)};
    trivet_merge_item item;
    trivet_merge_entry entry;

    *dead = false;
    if (!it->id[0])
        return trivet_merge_entry_at(state, it->section, it->label, &entry) && entry.text.len > 0
                   ? edit_number(entry.text)
                   : -1;
    if (!trivet_merge_item_find(state, it->section, id, &item, NULL))
        return -1;
    *dead = item.deleted;
    return item.deleted ? -1 : edit_number(item.text);
}

/* Any live item, or false. */
static bool any_item(const trivet_merge_state *state, trivet_merge_item *out) {
    for (int pass = 0, wanted = -1; pass < 2; pass++) {
        int seen = 0;
        for (int k = 0; k < 2; k++)
            for (size_t slot = 0; slot < trivet_merge_slot_count(state, item_sections[k]); slot++)
                for (size_t i = 0;
                     trivet_merge_item_at(state, item_sections[k], slot, i, out) && !out->deleted; i++)
                    if (seen++ == wanted)
                        return true;
        if (seen == 0)
            return false;
        wanted = (int)pick((unsigned)seen);
    }
    return false;
}

static int item_number(const struct ledger *l, trivet_merge_slice id) {
    for (int i = 0; i < l->item_count; i++)
        if (strlen(l->items[i].id) == id.len && memcmp(l->items[i].id, id.data, id.len) == 0)
            return i;
    die("an item that nobody made");
}

/* ---- edits, each with its line in the ledger ---- */

/* Who edits, by which clock. */
struct hand {
    const char *who;
    int64_t now;
    bool plain;   /* dates as the app does: now, be that before what it was */
    bool *edited; /* of each item, whether it was edited; NULL: nobody wants to know */
    const bool *
        two; /* of each item, whether it tells apart two states that the phone may come from; NULL: none does */
};

static void note_edit(struct ledger *l, int item, const struct hand *h, int64_t replaced) {
    if (h->two && h->two[item])
        l->items[item].open |= 1u << KILLED_EDIT;
    l->items[item].backdated |= h->now < replaced;
    if (h->edited)
        h->edited[item] = true;
}

/* Ends the run, unless no rule could have done better: then it is counted. */
static void went_wrong(struct ledger *l, const struct item *it, unsigned open, const char *what) {
    if (it->backdated && l->restored)
        open |= 1u << DATES;
    if (!open) {
        TRACE("item %.8s\n", it->id);
        die(what);
    }
    l->excused |= open & -open; /* the first of them */
}

/* A clock as the app has it: what was edited is dated now, be that before what it was. */
static void date_plainly(trivet_merge_state *state, const trivet_merge_item *edited, int64_t now) {
    trivet_merge_error err = TRIVET_MERGE_ERROR_INIT;
    trivet_merge_item item;
    size_t slot;

    for (int k = 0; k < 2; k++)
        if (trivet_merge_item_find(state, item_sections[k], edited->id, &item, &slot)) {
            item.updated_at = now;
            must(trivet_merge_put_item(state, item_sections[k], slot, &item, &err) == 0, err.reason);
        }
}

static void write_label(struct ledger *l, trivet_merge_state *state, const struct hand *h) {
    trivet_merge_error err = TRIVET_MERGE_ERROR_INIT;
    size_t label = pick(LABELS);
    trivet_merge_entry entry = {{"", 0}, 0, NULL};
    char text[32];

    (void)trivet_merge_entry_at(state, TRIVET_MERGE_LISTS_CATEGORIES, label, &entry);
    int previous = entry.text.len > 0 ? edit_number(entry.text) : -1;
    snprintf(text, sizeof text, "e%d", l->edit_count);
    note_edit(l, (int)label, h, 0);
    entry.text = (trivet_merge_slice){text, strlen(text)};
    entry.updated_at = h->now > entry.updated_at ? h->now : entry.updated_at + 1;
    must(trivet_merge_put_entry(state, TRIVET_MERGE_LISTS_CATEGORIES, label, &entry, &err) == 0, err.reason);
    l->edits[l->edit_count++] = (struct edit){(int)label, previous, false};
    TRACE("%s labels %zu e%d -> %s\n", h->who, label, previous, text);
}

static void add_item(struct ledger *l, trivet_merge_state *state, const struct hand *h) {
    edit_error err = EDIT_ERROR_INIT;
    trivet_merge_item item;
    char text[32];
    struct item *it = &l->items[l->item_count];

    snprintf(text, sizeof text, "e%d", l->edit_count);
    *it = (struct item){.section = item_sections[pick(4) == 0]};
    must(edit_add(state, it->section, pick(3), text, h->now, &item, &err) == 0, err.message);
    snprintf(it->id, sizeof it->id, "%.*s", (int)item.id.len, item.id.data);
    if (h->edited)
        h->edited[l->item_count] = true;
    l->edits[l->edit_count++] = (struct edit){l->item_count++, -1, false};
    TRACE("%s adds %s (%.8s)\n", h->who, text, it->id);
}

static void note_delete(struct item *it, int64_t when) {
    it->delete_made = true;
    if (when > it->delete_dated)
        it->delete_dated = when;
}

static void edit_somehow(struct ledger *l, trivet_merge_state *state, const struct hand *h) {
    edit_error err = EDIT_ERROR_INIT;
    trivet_merge_item item;
    char text[32], id[65];
    unsigned what = pick(11);

    if (l->edit_count == MAX_EDITS || l->item_count == MAX_ITEMS)
        return;
    if (what == 10) {
        write_label(l, state, h);
        return;
    }
    if (what < 3 || !any_item(state, &item)) {
        add_item(l, state, h);
        return;
    }
    snprintf(id, sizeof id, "%.*s", (int)item.id.len, item.id.data);
    note_edit(l, item_number(l, item.id), h, h->plain ? item.updated_at : 0);
    if (what < 7) {
        int previous = edit_number(item.text);
        snprintf(text, sizeof text, "e%d", l->edit_count);
        must(edit_text(state, id, text, h->now, &item, &err) == 0, err.message);
        l->edits[l->edit_count++] = (struct edit){item_number(l, item.id), previous, false};
        TRACE("%s edits %.8s e%d -> %s\n", h->who, id, previous, text);
    } else if (what < 9) {
        must(edit_remove(state, id, h->now, &item, &err) == 0, err.message);
        note_delete(&l->items[item_number(l, item.id)], item.deleted_at);
        TRACE("%s deletes %.8s\n", h->who, id);
    } else {
        must(edit_move(state, id, pick(3), EDIT_TOP, NULL, h->now, &item, &err) <= 1, err.message);
        TRACE("%s moves %.8s\n", h->who, id);
    }
    if (h->plain)
        date_plainly(state, &item, h->now);
}

/* ---- what must hold ---- */

/* What is in the computer's state now has reached it. */
static void count_in(struct ledger *l, const trivet_merge_state *computer) {
    for (int i = 0; i < l->item_count; i++) {
        struct item *it = &l->items[i];
        bool dead;
        int text = text_in(computer, it, &dead);
        if (text >= 0) {
            if (it->deleted)
                went_wrong(l, it, it->open, "an item that was deleted lives again");
            it->counted = true;
            l->edits[text].counted = true;
        } else if (it->id[0] && (it->counted || dead)) {
            if (!it->delete_made)
                went_wrong(l, it, it->open, "an item that nobody deleted is gone");
            it->counted = it->deleted = true;
        }
    }
}

/* No edit that was counted may have replaced the text that is there in the end, at whatever remove. */
static void check_text(struct ledger *l, int item, int final) {
    for (int e = 0; e < l->edit_count; e++) {
        if (!l->edits[e].counted || l->edits[e].item != item)
            continue;
        for (int a = l->edits[e].previous; a >= 0; a = l->edits[a].previous)
            if (a == final) {
                TRACE("%.8s ends with e%d, which e%d had replaced\n", l->items[item].id, final, e);
                went_wrong(l, &l->items[item], l->items[item].open | l->items[item].text_open,
                           "an edit was lost");
            }
    }
}

/* After quiet: one phone against the computer, item by item. */
static void check_phone(const struct ledger *l, const trivet_merge_state *computer,
                        const trivet_merge_state *phone) {
    bool dead;

    for (int i = 0; i < l->item_count; i++)
        if (text_in(computer, &l->items[i], &dead) != text_in(phone, &l->items[i], &dead)) {
            TRACE("item %.8s\n", l->items[i].id);
            die("a phone and the computer do not agree");
        }
}

static void check_computer(struct ledger *l, const trivet_merge_state *computer) {
    for (int i = 0; i < l->item_count; i++) {
        bool dead;
        int text = text_in(computer, &l->items[i], &dead);
        if (l->items[i].counted && !l->items[i].deleted && text < 0)
            went_wrong(l, &l->items[i], l->items[i].open, "an item is gone");
        if (text >= 0)
            check_text(l, i, text);
    }
}

#endif
