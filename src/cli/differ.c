/*
 * A difference is a merge: from A, where the second side has made B of it and the first has done nothing. What the
 * first then sees change is what differs. So there is one opinion of what a change is, and one way to say it.
 */
#include "cli/differ.h"

#include "cli/merge_report.h"
#include "cli/print.h"
#include "cli/when.h"
#include "state/level.h"

#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

int differ_documents(const char *a, size_t a_len, const char *b, size_t b_len, fixture_output *out) {
    trivet_merge_options options = TRIVET_MERGE_OPTIONS_INIT;
    int code;

    *out = (fixture_output){.error = TRIVET_MERGE_ERROR_INIT};
    options.large = TRIVET_MERGE_LARGE_COMPUTER; /* B as it is, whatever it lacks */
    if ((code = trivet_merge_state_read(a, a_len, TRIVET_MERGE_ANCESTOR, &out->ancestor, &out->error)) == 0 &&
        (code = trivet_merge_state_read(a, a_len, TRIVET_MERGE_PHONE, &out->phone, &out->error)) == 0 &&
        (code = trivet_merge_state_read(b, b_len, TRIVET_MERGE_COMPUTER, &out->computer, &out->error)) == 0 &&
        (code = state_level(out->ancestor, out->computer)) == 0 &&
        (code = state_level(out->phone, out->computer)) == 0)
        code = trivet_merge(out->ancestor, out->phone, out->computer, &options, &out->result, &out->error);
    if (code == 0)
        return 0;
    print_failure(code == TRIVET_MERGE_ENOMEM ? EX_OSERR : EX_DATAERR,
                  "the states cannot be compared: %s: %s", out->error.path,
                  code == TRIVET_MERGE_ENOMEM ? "out of memory" : out->error.reason);
    fixture_output_release(out);
    return code == TRIVET_MERGE_ENOMEM ? EX_OSERR : EX_DATAERR;
}

int differ_reply(const reply *r, fixture_output *out) {
    int64_t split = reply_number(r->response, "split");

    if (!r->raw || split < 0 || (size_t)split > r->raw_len)
        return print_failure(EX_PROTOCOL, "the answer holds no two states");
    return differ_documents(r->raw, (size_t)split, r->raw + split, r->raw_len - (size_t)split, out);
}

size_t differ_count(const fixture_output *d) {
    return trivet_merge_result_change_count(d->result);
}

void differ_words(FILE *out, const fixture_output *d, bool locked) {
    merge_report_side(out, d, TRIVET_MERGE_PHONE, locked);
}

/* ---- JSON --------------------------------------------------------------------------------------------- */

static trivet_merge_change change_at(const fixture_output *d, size_t index) {
    trivet_merge_change change;
    trivet_merge_result_change(d->result, index, &change);
    return change;
}

static bool same_thing(const trivet_merge_change *a, const trivet_merge_change *b) {
    return a->section == b->section && !a->id.data == !b->id.data &&
           (a->id.data ? a->id.len == b->id.len && memcmp(a->id.data, b->id.data, a->id.len) == 0
                       : a->slot == b->slot);
}

static bool is_locked(trivet_merge_section section) {
    return section == TRIVET_MERGE_LOCKED_LISTS || section == TRIVET_MERGE_LOCKED_LISTS_CATEGORIES;
}

static void item_json(FILE *out, const trivet_merge_state *state, const trivet_merge_change *c) {
    trivet_merge_item item;
    char *json;
    size_t len;

    if (!trivet_merge_item_find(state, c->section, c->id, &item, NULL) || item.deleted ||
        trivet_merge_item_write(&item, &json, &len) != 0) {
        fputs("null", out);
        return;
    }
    fwrite(json, 1, len, out);
    free(json);
}

static void entry_json(FILE *out, const trivet_merge_state *state, const trivet_merge_change *c) {
    trivet_merge_entry e;

    if (!trivet_merge_entry_at(state, c->section, c->slot, &e))
        fputs("null", out);
    else
        fprintf(out, "{\"%s\":\"%.*s\",\"updatedAt\":%lld}",
                c->section == TRIVET_MERGE_SCRATCHPAD ? "content" : "label", (int)e.text.len,
                e.text.data ? e.text.data : "", (long long)e.updated_at);
}

static void side_json(FILE *out, const char *key, const trivet_merge_state *state,
                      const trivet_merge_change *c) {
    fprintf(out, ",\"%s\":", key);
    if (c->id.data)
        item_json(out, state, c);
    else
        entry_json(out, state, c);
}

static void names_json(FILE *out, const fixture_output *d, size_t from, size_t to, bool kinds) {
    size_t count = 0;

    for (size_t i = from; i < to; i++) {
        trivet_merge_change c = change_at(d, i);
        bool again = kinds && i > from && change_at(d, i - 1).kind == c.kind;
        if (kinds && !again)
            fprintf(out, "%s\"%s\"", count++ ? "," : "", merge_report_kind(c.kind));
        else if (!kinds && c.field.data)
            fprintf(out, "%s\"%.*s\"", count++ ? "," : "", (int)c.field.len, c.field.data);
    }
}

static void thing_json(FILE *out, const fixture_output *d, size_t from, size_t to, bool locked) {
    trivet_merge_change c = change_at(d, from);
    size_t slot = c.slot, before;

    fputs("{\"kinds\":[", out);
    names_json(out, d, from, to, true);
    fprintf(out, "],\"section\":\"%s\",\"slot\":%zu", trivet_merge_section_name(c.section), slot);
    if (c.id.data)
        fprintf(out, ",\"id\":\"%.*s\"", (int)c.id.len, c.id.data);
    if (c.id.data && trivet_merge_item_find(d->ancestor, c.section, c.id, NULL, &before) && before != slot)
        fprintf(out, ",\"fromSlot\":%zu", before);
    fputs(",\"fields\":[", out);
    names_json(out, d, from, to, false);
    fputc(']', out);
    if (locked || !is_locked(c.section)) {
        side_json(out, "before", d->ancestor, &c);
        side_json(out, "after", d->computer, &c);
    }
    fputc('}', out);
}

void differ_json(FILE *out, const fixture_output *d, bool locked) {
    size_t count = differ_count(d), from = 0;

    fputc('[', out);
    while (from < count) {
        trivet_merge_change first = change_at(d, from), next;
        size_t to = from + 1;
        while (to < count && (next = change_at(d, to), same_thing(&first, &next)))
            to++;
        fputs(from ? ",\n  " : "\n  ", out);
        thing_json(out, d, from, to, locked);
        from = to;
    }
    fputs(count ? "\n]" : "]", out);
}

void differ_state(const char *typed, char *out, size_t size) {
    int64_t when;

    if (when_parse(typed, print_now(), &when))
        snprintf(out, size, "@%lld", (long long)(when > 0 ? when : 0));
    else
        snprintf(out, size, "%s", typed);
}
