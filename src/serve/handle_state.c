/*
 * Requests that read and change the computer's state. An edit reads the head twice, as it is and as it will
 * be: commit_head compares the two.
 */
#include "serve/handlers.h"

#include "serve/commit.h"
#include "serve/counts.h"
#include "serve/lost_edits.h"
#include "serve/past.h"
#include "state/edit.h"
#include "state/prefix.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

/* The head before and after, both reading `doc`. */
typedef struct {
    char *doc;
    size_t len;
    trivet_merge_state *before, *after;
} change;

static int refuse_edit(request *r, const edit_error *err) {
    return request_refuse(r, err->status, "%s", err->message);
}

static int refuse_merge(request *r, int code, const trivet_merge_error *why) {
    if (code == TRIVET_MERGE_ENOMEM)
        return request_refuse_memory(r);
    return request_refuse(r, EX_DATAERR, "%s%s%s", why->path, why->path[0] ? ": " : "", why->reason);
}

static int change_begin(request *r, change *c) {
    trivet_merge_error why = TRIVET_MERGE_ERROR_INIT;
    int code;

    memset(c, 0, sizeof *c);
    if (request_head(r, &c->before, &c->doc, &c->len) != 0)
        return -1;
    code = trivet_merge_state_read(c->doc, c->len, TRIVET_MERGE_COMPUTER, &c->after, &why);
    return code == 0 ? 0 : refuse_merge(r, code, &why);
}

/* `state` becomes the head. */
static int change_commit(request *r, const change *c, const trivet_merge_state *state, const char *cause,
                         const trivet_merge_counts *counts) {
    store_error err = STORE_ERROR_INIT;
    history_line line = {.time = r->ctx->now};
    store_name name;

    snprintf(line.cause, sizeof line.cause, "%s", cause);
    if (counts)
        counts_text(counts, line.counts, sizeof line.counts);
    if (commit_head(r->ctx->store, c->before, state, &line, &name, &err) != 0)
        return request_refuse_store(r, &err);
    return 0;
}

static void change_release(change *c) {
    trivet_merge_state_free(c->after);
    trivet_merge_state_free(c->before);
    free(c->doc);
}

/* ---- what is answered --------------------------------------------------------------------------------- */

static int answer_label(request *r, const trivet_merge_state *state, trivet_merge_section section,
                        size_t slot) {
    char *label;
    int result = 0;

    if (edit_label(state, section, slot, &label) != 0)
        return request_refuse_memory(r);
    if (label)
        result = request_answer_text(r, "label", label);
    free(label);
    return result;
}

/* The item, and where it is now. */
static int answer_item(request *r, const trivet_merge_state *state, trivet_merge_section section,
                       const trivet_merge_item *item) {
    prefixes *p = NULL;
    char *shown = NULL;
    trivet_merge_item there;
    size_t slot;
    int result = -1;

    if (!trivet_merge_item_find(state, section, item->id, &there, &slot) || prefixes_new(state, &p) != 0 ||
        !(shown = prefixes_of(p, item->id)) ||
        trivet_merge_item_write(item, &r->raw_out, &r->raw_out_len) != 0)
        request_refuse_memory(r);
    else if (request_answer(r, "section", json_string(trivet_merge_section_name(section))) == 0 &&
             request_answer(r, "slot", json_integer((json_int_t)slot)) == 0 &&
             request_answer_text(r, "short", shown) == 0)
        result = answer_label(r, state, section, slot);
    free(shown);
    prefixes_free(p);
    return result;
}

/* ---- the requests ------------------------------------------------------------------------------------- */

int handle_state(request *r) {
    store_error err = STORE_ERROR_INIT;
    past_error why = {0};
    const char *typed;
    store_name name;
    int64_t line;

    if (request_string(r, "state", &typed) != 0)
        return -1;
    if (typed && past_find(r->ctx->store, typed, &name, &line, &why) != 0)
        return request_refuse(r, why.status, "%s", why.message);
    if ((!typed && head_get(r->ctx->store, &name, &err) != 0) ||
        snapshot_get(r->ctx->store, &name, &r->raw_out, &r->raw_out_len, &err) != 0)
        return request_refuse_store(r, &err);
    return 0;
}

/* The text that came as `text` or, where it was long, as raw bytes; *out is the caller's to free. */
static int typed_text(request *r, char **out) {
    const char *text;

    *out = NULL;
    if (request_string(r, "text", &text) != 0)
        return -1;
    if (!text && !r->raw)
        return request_refuse(r, EX_PROTOCOL, "text: missing");
    if (!text && memchr(r->raw, '\0', r->raw_len))
        return request_refuse(r, EX_DATAERR, "the text holds a NUL byte; is it a text?");
    *out = text ? strdup(text) : strndup(r->raw, r->raw_len);
    return *out ? 0 : request_refuse_memory(r);
}

/* Finds the item's section first: an edit gives back the item alone. */
static int section_of(request *r, const trivet_merge_state *state, const char *id,
                      trivet_merge_section *section) {
    edit_error err = EDIT_ERROR_INIT;
    trivet_merge_item item;
    size_t slot;

    return edit_find(state, id, section, &slot, &item, &err) == 0 ? 0 : refuse_edit(r, &err);
}

int handle_add(request *r) {
    edit_error err = EDIT_ERROR_INIT;
    trivet_merge_section section;
    trivet_merge_item item;
    const char *typed;
    size_t slot = 0;
    change c = {0};
    char *text = NULL;
    bool locked;
    int result = -1;

    if (request_flag(r, "locked", &locked) != 0 || request_string(r, "slot", &typed) != 0 ||
        typed_text(r, &text) != 0 || change_begin(r, &c) != 0)
        goto out;
    section = locked ? TRIVET_MERGE_LOCKED_LISTS : TRIVET_MERGE_LISTS;
    if ((typed && edit_slot(c.after, section, typed, &slot, &err) != 0) ||
        edit_add(c.after, section, slot, text, r->ctx->now, &item, &err) != 0) {
        refuse_edit(r, &err);
        goto out;
    }
    if (answer_item(r, c.after, section, &item) == 0)
        result = change_commit(r, &c, c.after, "edit", NULL);
out:
    free(text);
    change_release(&c);
    return result;
}

/* What edit, done, rm and mv do to `id` in the state; -1 after `err` was filled. */
typedef int edit_fn(request *r, trivet_merge_state *state, trivet_merge_section section, const char *id,
                    trivet_merge_item *item, edit_error *err);

static int edit_one(request *r, edit_fn *edit) {
    edit_error err = EDIT_ERROR_INIT;
    trivet_merge_section section;
    trivet_merge_item item;
    const char *id;
    change c = {0};
    int result = -1;

    if (request_needs_string(r, "id", &id) != 0 || change_begin(r, &c) != 0 ||
        section_of(r, c.after, id, &section) != 0)
        goto out;
    if (edit(r, c.after, section, id, &item, &err) != 0) {
        if (r->status == 0)
            refuse_edit(r, &err);
        goto out;
    }
    if (answer_item(r, c.after, section, &item) == 0)
        result = change_commit(r, &c, c.after, "edit", NULL);
out:
    change_release(&c);
    return result;
}

static int change_text(request *r, trivet_merge_state *state, trivet_merge_section section, const char *id,
                       trivet_merge_item *item, edit_error *err) {
    char *text;
    int result;

    (void)section;
    if (typed_text(r, &text) != 0)
        return -1;
    result = edit_text(state, id, text, r->ctx->now, item, err);
    free(text);
    return result;
}

static int change_done(request *r, trivet_merge_state *state, trivet_merge_section section, const char *id,
                       trivet_merge_item *item, edit_error *err) {
    bool done;

    (void)section;
    if (request_flag(r, "done", &done) != 0)
        return -1;
    return edit_done(state, id, done, r->ctx->now, item, err);
}

static int change_remove(request *r, trivet_merge_state *state, trivet_merge_section section, const char *id,
                         trivet_merge_item *item, edit_error *err) {
    (void)section;
    return edit_remove(state, id, r->ctx->now, item, err);
}

static int place_from(request *r, const char *name, edit_place *place) {
    static const struct {
        const char *name;
        edit_place place;
    } PLACES[] = {{"top", EDIT_TOP}, {"bottom", EDIT_BOTTOM}, {"before", EDIT_BEFORE}, {"after", EDIT_AFTER}};

    *place = EDIT_SAME_PLACE;
    if (!name)
        return 0;
    for (size_t i = 0; i < sizeof PLACES / sizeof PLACES[0]; i++) {
        if (strcmp(PLACES[i].name, name) == 0) {
            *place = PLACES[i].place;
            return 0;
        }
    }
    return request_refuse(r, EX_PROTOCOL, "place: expected top, bottom, before or after");
}

static int change_place(request *r, trivet_merge_state *state, trivet_merge_section section, const char *id,
                        trivet_merge_item *item, edit_error *err) {
    const char *typed, *place_name, *other;
    edit_place place;
    size_t slot = SIZE_MAX;

    if (request_string(r, "slot", &typed) != 0 || request_string(r, "place", &place_name) != 0 ||
        request_string(r, "other", &other) != 0 || place_from(r, place_name, &place) != 0)
        return -1;
    if ((place == EDIT_BEFORE || place == EDIT_AFTER) && !other)
        return request_refuse(r, EX_PROTOCOL, "other: missing");
    if (typed && edit_slot(state, section, typed, &slot, err) != 0)
        return -1;
    return edit_move(state, id, slot, place, other, r->ctx->now, item, err);
}

int handle_edit(request *r) {
    return edit_one(r, change_text);
}

int handle_done(request *r) {
    return edit_one(r, change_done);
}

int handle_rm(request *r) {
    return edit_one(r, change_remove);
}

int handle_mv(request *r) {
    return edit_one(r, change_place);
}

/* The entry as the state holds it: `{content, updatedAt}` and whatever else it has. */
static int answer_pad(request *r, const trivet_merge_state *state, size_t slot) {
    trivet_merge_entry entry;

    if (!trivet_merge_entry_at(state, TRIVET_MERGE_SCRATCHPAD, slot, &entry))
        return request_refuse(r, EX_SOFTWARE, "the scratchpad is gone as soon as it was stored");
    int n = asprintf(&r->raw_out, "{\"content\":\"%.*s\",\"updatedAt\":%lld}", (int)entry.text.len,
                     entry.text.data, (long long)entry.updated_at);
    if (n < 0) {
        r->raw_out = NULL;
        return request_refuse_memory(r);
    }
    r->raw_out_len = (size_t)n;
    if (request_answer(r, "slot", json_integer((json_int_t)slot)) != 0)
        return -1;
    return answer_label(r, state, TRIVET_MERGE_SCRATCHPAD, slot);
}

int handle_pad(request *r) {
    edit_error err = EDIT_ERROR_INIT;
    const char *typed;
    char *text = NULL;
    change c = {0};
    size_t slot;
    int result = -1;

    if (request_needs_string(r, "slot", &typed) != 0 || typed_text(r, &text) != 0 || change_begin(r, &c) != 0)
        goto out;
    if (edit_slot(c.after, TRIVET_MERGE_SCRATCHPAD, typed, &slot, &err) != 0 ||
        edit_pad(c.after, slot, text, r->ctx->now, &err) != 0) {
        refuse_edit(r, &err);
        goto out;
    }
    if (answer_pad(r, c.after, slot) == 0)
        result = change_commit(r, &c, c.after, "edit", NULL);
out:
    free(text);
    change_release(&c);
    return result;
}

/* ---- import ------------------------------------------------------------------------------------------- */

/*
 * Merges `in` into the head with no ancestor; *out borrows from both. There is no one to ask: a large change
 * cannot be, without an ancestor to measure it against (merge §8), and where two values have equal times,
 * neither is newer and the computer's own stays.
 */
static int merge_in(request *r, const trivet_merge_state *in, const trivet_merge_state *head,
                    trivet_merge_result **out, size_t *ties) {
    trivet_merge_options options = TRIVET_MERGE_OPTIONS_INIT;
    trivet_merge_error why = TRIVET_MERGE_ERROR_INIT;
    trivet_merge_result *asked = NULL;
    trivet_merge_pick *picks = NULL;
    int code = trivet_merge(NULL, in, head, NULL, &asked, &why);

    *ties = code == 0 ? trivet_merge_result_tie_count(asked) : 0;
    if (code != 0 || *ties == 0) {
        *out = asked;
        return code == 0 ? 0 : refuse_merge(r, code, &why);
    }
    if (!(picks = calloc(*ties, sizeof *picks))) {
        trivet_merge_result_free(asked);
        return request_refuse_memory(r);
    }
    for (size_t i = 0; i < *ties; i++) {
        trivet_merge_tie tie;
        trivet_merge_result_tie(asked, i, &tie);
        picks[i] = (trivet_merge_pick){tie.section, tie.slot, tie.item_id, tie.field, TRIVET_MERGE_COMPUTER};
    }
    options.picks = picks;
    options.pick_count = *ties;
    code = trivet_merge(NULL, in, head, &options, out, &why);
    trivet_merge_result_free(asked); /* the picks borrow from it */
    free(picks);
    return code == 0 ? 0 : refuse_merge(r, code, &why);
}

/* The head with every section replaced that `in` holds: one that is missing is no view of it (merge §1). */
static int put_in_place(request *r, const trivet_merge_state *in, const trivet_merge_state *head,
                        trivet_merge_state **out) {
    bool ok = trivet_merge_state_new(out) == 0;

    for (int i = 0; ok && i < TRIVET_MERGE_SECTIONS; i++) {
        trivet_merge_section section = (trivet_merge_section)i;
        ok = trivet_merge_take_section(*out, trivet_merge_state_has(in, section) ? in : head, section) == 0;
    }
    return ok ? 0 : request_refuse_memory(r);
}

static int refuse_document(request *r, int code, const trivet_merge_error *why, const char *name) {
    if (code == TRIVET_MERGE_ENOMEM)
        return request_refuse_memory(r);
    return request_refuse(r, EX_DATAERR, "%s: %s%s%s; nothing was imported", name ? name : "the document",
                          why->path, why->path[0] ? ": " : "", why->reason);
}

/* What of the computer's own gives way to the document. */
static int note_lost(request *r, const trivet_merge_state *in, const trivet_merge_state *head,
                     const trivet_merge_result *merged) {
    store_error err = STORE_ERROR_INIT;
    const lost_edits lost = {.device = "",
                             .phone_name = "",
                             .phone = in,
                             .computer = head,
                             .merged = trivet_merge_result_snapshot(merged),
                             .result = merged,
                             .import = true,
                             .now = r->ctx->now};

    return lost_edits_note(r->ctx->store, &lost, &err) == 0 ? 0 : request_refuse_store(r, &err);
}

int handle_import(request *r) {
    trivet_merge_error why = TRIVET_MERGE_ERROR_INIT;
    trivet_merge_counts counts;
    trivet_merge_state *in = NULL, *replaced = NULL;
    trivet_merge_result *merged = NULL;
    const trivet_merge_state *after;
    json_t *numbers;
    size_t ties = 0;
    change c = {0};
    const char *name;
    bool replace, changed;
    int code, result = -1;

    if (request_flag(r, "replace", &replace) != 0 || request_string(r, "name", &name) != 0)
        return -1;
    if (!r->raw)
        return request_refuse(r, EX_PROTOCOL, "the document to import is missing");
    if (change_begin(r, &c) != 0)
        goto out;
    if ((code = trivet_merge_state_read(r->raw, r->raw_len, TRIVET_MERGE_PHONE, &in, &why)) != 0) {
        refuse_document(r, code, &why, name);
        goto out;
    }
    if (replace ? put_in_place(r, in, c.before, &replaced) != 0
                : merge_in(r, in, c.before, &merged, &ties) != 0)
        goto out;
    if (replace)
        after = replaced;
    else
        after = trivet_merge_result_snapshot(merged);
    /* What comes of it here, as if a phone had done it: the merge's own counts tell of both sides, and of no label or
     * scratchpad that is a factory default on either. */
    if (commit_compare(c.before, after, TRIVET_MERGE_PHONE, &counts, &changed) != 0) {
        request_refuse_memory(r);
        goto out;
    }
    if (!(numbers = counts_json(&counts))) {
        request_refuse_memory(r);
        goto out;
    }
    if (request_answer(r, "counts", numbers) == 0 &&
        request_answer(r, "ties", json_integer((json_int_t)ties)) == 0 &&
        (replace || note_lost(r, in, c.before, merged) == 0))
        result = change_commit(r, &c, after, "import", &counts);
out:
    trivet_merge_result_free(merged);
    trivet_merge_state_free(replaced);
    trivet_merge_state_free(in);
    change_release(&c);
    return result;
}
