/*
 * The report is made from the result's changes (merge §9), which come sorted by section, slot and id, a side's after the
 * other's: all that happened to one item or entry stands together. Values before and after are looked up in the states.
 */
#include "cli/merge_report.h"

#include "cli/print.h"
#include "state/prefix.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { WIDEST = 120 /* bytes of a text or value */, LINES = 8 /* of a scratchpad, gone and new */ };

typedef struct {
    FILE *out;
    const fixture_output *merged;
    const trivet_merge_state *result; /* M; NULL in a large change */
    bool locked;
    prefixes *before, *after; /* of the ancestor and M; NULL: ids are not shown */
} report;

/* Changes `from` to `to`, of one item or entry, those of the phone first, from `computer` on the computer's. */
typedef struct {
    size_t from, computer, to;
} group;

static trivet_merge_change change_at(const report *r, size_t index) {
    trivet_merge_change change;
    trivet_merge_result_change(r->merged->result, index, &change);
    return change;
}

static bool same_slice(trivet_merge_slice a, trivet_merge_slice b) {
    return !a.data == !b.data && a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

static bool next_group(const report *r, group *g) {
    size_t count = trivet_merge_result_change_count(r->merged->result);

    g->from = g->computer = g->to;
    if (g->from == count)
        return false;
    trivet_merge_change first = change_at(r, g->from);
    for (; g->to < count; g->to++) {
        trivet_merge_change c = change_at(r, g->to);
        if (c.section != first.section || c.slot != first.slot || !same_slice(c.id, first.id))
            break;
        if (c.side == TRIVET_MERGE_PHONE)
            g->computer = g->to + 1;
    }
    return true;
}

/* ---- places and texts --------------------------------------------------------------------------------- */

static bool is_locked(trivet_merge_section section) {
    return section == TRIVET_MERGE_LOCKED_LISTS || section == TRIVET_MERGE_LOCKED_LISTS_CATEGORIES;
}

static bool is_items(trivet_merge_section section) {
    return section == TRIVET_MERGE_LISTS || section == TRIVET_MERGE_LOCKED_LISTS;
}

/* Where a section's labels are. */
static trivet_merge_section labels_of(trivet_merge_section section) {
    return section == TRIVET_MERGE_LISTS          ? TRIVET_MERGE_LISTS_CATEGORIES
           : section == TRIVET_MERGE_LOCKED_LISTS ? TRIVET_MERGE_LOCKED_LISTS_CATEGORIES
                                                  : TRIVET_MERGE_SCRATCHPAD_CATEGORIES;
}

static const char *section_words(trivet_merge_section section) {
    static const char *const words[] = {"list",
                                        "locked list",
                                        "the label of list",
                                        "the label of locked list",
                                        "scratchpad",
                                        "the label of scratchpad"};
    return words[section];
}

/* A slice on one line, cut where it is long; never within a character or an escape. */
static void print_short(FILE *out, trivet_merge_slice slice) {
    size_t len = slice.len;

    if (len > WIDEST) {
        len = 0;
        for (size_t i = 0; i <= WIDEST;) {
            len = i;
            i += slice.data[i] != '\\' ? 1 : slice.data[i + 1] == 'u' ? 6 : 2;
            while (i < slice.len && ((unsigned char)slice.data[i] & 0xC0) == 0x80)
                i++;
        }
    }
    print_slice(out, (trivet_merge_slice){slice.data, len});
    if (len < slice.len)
        fputs("...", out);
}

/* A text that may be shown, or what stands for it. */
static void print_text(const report *r, trivet_merge_section section, trivet_merge_slice text) {
    if (is_locked(section) && !r->locked)
        print_styled(r->out, PRINT_FAINT, "(locked)");
    else if (!text.data || text.len == 0)
        print_styled(r->out, PRINT_FAINT, "(empty)");
    else
        print_short(r->out, text);
}

/* "list 2 Groceries" */
static void print_place(const report *r, trivet_merge_section section, size_t slot) {
    trivet_merge_section labels = labels_of(section);
    trivet_merge_entry label;

    fprintf(r->out, "%s %zu", section_words(section), slot + 1);
    if ((is_items(section) || section == TRIVET_MERGE_SCRATCHPAD) && r->result &&
        (r->locked || !is_locked(section)) && trivet_merge_entry_at(r->result, labels, slot, &label) &&
        label.text.len > 0) {
        fputc(' ', r->out);
        print_short(r->out, label.text);
    }
}

/* The item as the first of these states has it that does. */
static bool find_item(const report *r, const trivet_merge_change *c, trivet_merge_item *item) {
    const trivet_merge_state *const states[] = {r->result, r->merged->phone, r->merged->computer};

    for (int i = 0; i < 3; i++)
        if (states[i] && trivet_merge_item_find(states[i], c->section, c->id, item, NULL))
            return true;
    return false;
}

/* As much of the id as `trivet restore --item` wants: of what is gone, among the items before. */
static void print_id(const report *r, const trivet_merge_change *c) {
    trivet_merge_item item;
    bool was = trivet_merge_item_find(r->merged->ancestor, c->section, c->id, &item, NULL) && !item.deleted;
    char *id = prefixes_of(was ? r->before : r->after, c->id);

    if (id) {
        print_styled(r->out, PRINT_ID, "%s", id);
        fputs("  ", r->out);
    }
    free(id);
}

static void print_subject(const report *r, const trivet_merge_change *c) {
    trivet_merge_item item;

    if (!c->id.data) {
        print_place(r, c->section, c->slot);
        return;
    }
    if (r->before && r->after)
        print_id(r, c);
    if (find_item(r, c, &item))
        print_text(r, c->section, item.text);
    fputs("  (", r->out);
    print_place(r, c->section, c->slot);
    fputc(')', r->out);
}

/* ---- one field, before and after ---------------------------------------------------------------------- */

typedef struct {
    bool there; /* the item or entry is */
    trivet_merge_item item;
    trivet_merge_slice text; /* an item's or entry's */
    size_t slot;
} form;

static form form_in(const trivet_merge_state *state, const trivet_merge_change *c) {
    form f = {.slot = c->slot};
    trivet_merge_entry entry;

    if (!state)
        return f;
    if (c->id.data) {
        f.there = trivet_merge_item_find(state, c->section, c->id, &f.item, &f.slot);
        f.text = f.item.text;
    } else if ((f.there = trivet_merge_entry_at(state, c->section, c->slot, &entry))) {
        f.text = entry.text;
    }
    return f;
}

static bool field_is(const trivet_merge_change *c, const char *name) {
    return c->field.data && c->field.len == strlen(name) && memcmp(c->field.data, name, c->field.len) == 0;
}

static bool is_text(const trivet_merge_change *c) {
    return field_is(c, "text") || field_is(c, "label") || field_is(c, "content");
}

static bool same_value(const trivet_merge_change *c, const form *a, const form *b) {
    if (field_is(c, "done"))
        return a->item.done == b->item.done;
    return same_slice(a->text, b->text);
}

/* Whether the side had edited the field itself: what it did gave way. */
static bool gave_way(const report *r, const trivet_merge_change *c, const form *held) {
    if (!is_text(c) && !(field_is(c, "done") && c->id.data))
        return false;
    form before = form_in(r->merged->ancestor, c);
    return held->there && !(before.there && same_value(c, &before, held));
}

/* ---- scratchpads, by lines ---------------------------------------------------------------------------- */

/* Takes the next line off a slice; its \n is an escape there. */
static bool next_line(trivet_merge_slice *rest, trivet_merge_slice *line) {
    size_t i = 0;

    if (rest->len == 0)
        return false;
    while (i < rest->len && !(rest->data[i] == '\\' && rest->data[i + 1] == 'n'))
        i += rest->data[i] == '\\' ? 2 : 1;
    *line = (trivet_merge_slice){rest->data, i};
    i = i < rest->len ? i + 2 : i;
    *rest = (trivet_merge_slice){rest->data + i, rest->len - i};
    return true;
}

/* Lines that both texts start with, taken off both. */
static void skip_common(trivet_merge_slice *a, trivet_merge_slice *b) {
    trivet_merge_slice rest_a = *a, rest_b = *b, line_a, line_b;

    while (next_line(&rest_a, &line_a) && next_line(&rest_b, &line_b) && same_slice(line_a, line_b)) {
        *a = rest_a;
        *b = rest_b;
    }
}

static size_t count_lines(trivet_merge_slice text) {
    trivet_merge_slice line;
    size_t count = 0;

    while (next_line(&text, &line))
        count++;
    return count;
}

/* `count` lines of a text, of many the first. */
static void print_lines(const report *r, print_style style, char sign, trivet_merge_slice text,
                        size_t count) {
    trivet_merge_slice line;

    for (size_t i = 0; i < count && i < LINES && next_line(&text, &line); i++) {
        fputs("      ", r->out);
        print_styled(r->out, style, "%c ", sign);
        print_short(r->out, line);
        fputc('\n', r->out);
    }
    if (count > LINES)
        fprintf(r->out, "      %c ... %zu lines more\n", sign, count - LINES);
}

/* How many of the last lines are alike; each line is looked at once, from a list of where they start. */
static size_t common_end(trivet_merge_slice a, trivet_merge_slice b, size_t a_count, size_t b_count) {
    trivet_merge_slice line_a, line_b;
    size_t alike = 0, least = a_count < b_count ? a_count : b_count;

    for (size_t i = 0; i < a_count - least; i++)
        next_line(&a, &line_a);
    for (size_t i = 0; i < b_count - least; i++)
        next_line(&b, &line_b);
    while (next_line(&a, &line_a) && next_line(&b, &line_b))
        alike = same_slice(line_a, line_b) ? alike + 1 : 0;
    return alike;
}

static void print_line_changes(const report *r, trivet_merge_slice before, trivet_merge_slice after) {
    skip_common(&before, &after);
    size_t gone = count_lines(before), fresh = count_lines(after);
    size_t alike = common_end(before, after, gone, fresh);
    print_lines(r, PRINT_BAD, '-', before, gone - alike);
    print_lines(r, PRINT_GOOD, '+', after, fresh - alike);
}

/* ---- one change --------------------------------------------------------------------------------------- */

static void print_move(const report *r, const form *held, const form *now) {
    if (held->there && now->there && held->slot != now->slot)
        fprintf(r->out, "from list %zu to list %zu", held->slot + 1, now->slot + 1);
    else
        fputs("to another place in the list", r->out);
}

/* "      text: milk -> oat milk" */
static void print_change(const report *r, const trivet_merge_change *c) {
    const trivet_merge_state *side = c->side == TRIVET_MERGE_PHONE ? r->merged->phone : r->merged->computer;
    form held = form_in(side, c), now = form_in(r->result, c);

    if (c->kind != TRIVET_MERGE_EDITED && c->kind != TRIVET_MERGE_MOVED)
        return; /* the heading says it all */
    fputs("      ", r->out);
    if (c->kind == TRIVET_MERGE_MOVED) {
        print_move(r, &held, &now);
    } else {
        print_short(r->out, c->field);
        if (field_is(c, "done") && c->id.data) {
            fprintf(r->out, ": %s -> %s", held.item.done ? "yes" : "no", now.item.done ? "yes" : "no");
        } else if (is_text(c) && !field_is(c, "content")) {
            fputs(": ", r->out);
            print_text(r, c->section, held.text);
            fputs(" -> ", r->out);
            print_text(r, c->section, now.text);
        }
    }
    if (c->kind == TRIVET_MERGE_EDITED && gave_way(r, c, &held))
        print_styled(r->out, PRINT_FAINT, "  (edited on both sides)");
    fputc('\n', r->out);
    if (field_is(c, "content"))
        print_line_changes(r, held.text, now.text);
}

const char *merge_report_kind(trivet_merge_kind kind) {
    static const char *const words[] = {"added", "edited", "moved", "deleted", "removed", "restored"};
    return words[kind];
}

static print_style kind_style(trivet_merge_kind kind) {
    return kind == TRIVET_MERGE_ADDED || kind == TRIVET_MERGE_RESTORED       ? PRINT_GOOD
           : kind == TRIVET_MERGE_TOMBSTONED || kind == TRIVET_MERGE_REMOVED ? PRINT_BAD
                                                                             : PRINT_ID;
}

/* What one item or entry is to one side: changes `from` to `to`, which may be none. */
static void print_item(const report *r, size_t from, size_t to) {
    if (from == to)
        return;
    trivet_merge_change first = change_at(r, from);
    print_styled(r->out, kind_style(first.kind), "  %-8s", merge_report_kind(first.kind));
    fputs("  ", r->out);
    print_subject(r, &first);
    fputc('\n', r->out);
    for (size_t i = from; i < to; i++) {
        trivet_merge_change c = change_at(r, i);
        print_change(r, &c);
    }
}

/* ---- the parts ---------------------------------------------------------------------------------------- */

/* How many items and entries change on a side, and on both. */
static void count_groups(const report *r, size_t *phone, size_t *computer, size_t *both) {
    *phone = *computer = *both = 0;
    for (group g = {0}; next_group(r, &g);) {
        *phone += g.from < g.computer;
        *computer += g.computer < g.to;
        *both += g.from < g.computer && g.computer < g.to;
    }
}

static void heading(const report *r, const char *what, size_t count, const char *of) {
    print_styled(r->out, PRINT_HEADING, "%s", what);
    fprintf(r->out, ": %zu %s%s\n", count, of, count == 1 ? "" : "s");
}

static void print_side(const report *r, trivet_merge_side side) {
    for (group g = {0}; next_group(r, &g);) {
        bool phone = side == TRIVET_MERGE_PHONE;
        print_item(r, phone ? g.from : g.computer, phone ? g.computer : g.to);
    }
}

static void report_side(const report *r, trivet_merge_side side, size_t count) {
    if (count == 0)
        return;
    heading(r, side == TRIVET_MERGE_PHONE ? "The phone gains" : "The computer gains", count, "change");
    print_side(r, side);
}

/* ", text" for the fields that one side gained, and so the other had changed. */
static void print_origin(const report *r, size_t from, size_t to, const char *where) {
    fprintf(r->out, "      from the %s:", where);
    for (size_t i = from; i < to; i++) {
        trivet_merge_change c = change_at(r, i);
        fputs(i > from ? ", " : " ", r->out);
        if (c.kind == TRIVET_MERGE_EDITED)
            print_short(r->out, c.field);
        else
            fputs(c.kind == TRIVET_MERGE_MOVED ? "the place" : merge_report_kind(c.kind), r->out);
    }
    fputc('\n', r->out);
}

static void report_combined(const report *r, size_t count) {
    if (count == 0)
        return;
    heading(r, "Combined", count, "edit of both sides");
    for (group g = {0}; next_group(r, &g);) {
        if (g.from == g.computer || g.computer == g.to)
            continue;
        trivet_merge_change first = change_at(r, g.from);
        fputs("  ", r->out);
        print_subject(r, &first);
        fputc('\n', r->out);
        print_origin(r, g.computer, g.to, "phone");
        print_origin(r, g.from, g.computer, "computer");
    }
}

static void print_answer(const report *r, const trivet_merge_tie *tie, const char *side,
                         trivet_merge_slice value) {
    fprintf(r->out, "      %-9s ", side);
    if (is_locked(tie->section) && !r->locked)
        print_styled(r->out, PRINT_FAINT, "(locked)");
    else
        print_line(r->out, value.data, value.len < WIDEST ? value.len : WIDEST);
    fputs(value.len > WIDEST ? "...\n" : "\n", r->out);
}

static void report_ties(const report *r) {
    size_t count = trivet_merge_result_tie_count(r->merged->result);

    if (count == 0)
        return;
    heading(r, "Asked", count, "tie");
    for (size_t i = 0; i < count; i++) {
        trivet_merge_tie tie;
        trivet_merge_result_tie(r->merged->result, i, &tie);
        const trivet_merge_change as = {.section = tie.section, .slot = tie.slot, .id = tie.item_id};
        fprintf(r->out, "  %zu. ", i + 1);
        print_subject(r, &as);
        fputs(": ", r->out);
        print_short(r->out, tie.field);
        fputc('\n', r->out);
        print_answer(r, &tie, "phone", tie.phone_value);
        print_answer(r, &tie, "computer", tie.computer_value);
    }
}

static void report_large(const report *r) {
    trivet_merge_large_change large;

    trivet_merge_result_large_change(r->merged->result, &large);
    print_styled(r->out, PRINT_HEADING, "Asked");
    fprintf(r->out, ": a large change\n  of %zu item%s that both had, the phone lacks ", large.known,
            large.known == 1 ? "" : "s");
    print_styled(r->out, large.phone_missing ? PRINT_BAD : PRINT_PLAIN, "%zu", large.phone_missing);
    fputs(" and the computer ", r->out);
    print_styled(r->out, large.computer_missing ? PRINT_BAD : PRINT_PLAIN, "%zu", large.computer_missing);
    fputc('\n', r->out);
}

/* What stands in no change: how texts came together, and what a side held twice. */
static void report_remarks(const report *r) {
    trivet_merge_counts n;

    trivet_merge_result_counts(r->merged->result, &n);
    if (n.scratchpad_line_merged)
        fprintf(r->out, "%zu scratchpad%s merged line by line\n", n.scratchpad_line_merged,
                n.scratchpad_line_merged == 1 ? " was" : "s were");
    if (n.edited_lww)
        fprintf(r->out, "%zu edited on both sides: the more recent edit stands\n", n.edited_lww);
    if (n.duplicates)
        fprintf(r->out, "%zu held twice by one side: the more recent copy stands\n", n.duplicates);
}

void merge_report_side(FILE *out, const fixture_output *merged, trivet_merge_side side, bool locked) {
    report r = {.out = out,
                .merged = merged,
                .result = trivet_merge_result_snapshot(merged->result),
                .locked = locked};

    if (merged->ancestor && prefixes_new(merged->ancestor, &r.before) == 0)
        prefixes_new(r.result, &r.after);
    print_side(&r, side);
    prefixes_free(r.before);
    prefixes_free(r.after);
}

void merge_report(FILE *out, const fixture_output *merged, bool locked) {
    report r = {.out = out,
                .merged = merged,
                .result = trivet_merge_result_snapshot(merged->result),
                .locked = locked};
    size_t phone, computer, both;

    if (trivet_merge_result_status(merged->result) == TRIVET_MERGE_LARGE_CHANGE) {
        report_large(&r);
        return;
    }
    count_groups(&r, &phone, &computer, &both);
    report_side(&r, TRIVET_MERGE_PHONE, phone);
    report_side(&r, TRIVET_MERGE_COMPUTER, computer);
    report_combined(&r, both);
    report_remarks(&r);
    report_ties(&r);
    if (phone + computer + trivet_merge_result_tie_count(merged->result) == 0)
        fputs("Nothing changes on either side.\n", out);
}
