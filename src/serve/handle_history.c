/*
 * Requests about past states: what happened, what differs, what lost, and bringing it back.
 *
 * A restore is an edit like any other: it reads the head, makes another state of it and commits that (commit.h), in
 * the one transaction of its request. Power that fails before the end of it leaves the state as it was; after it the
 * restored state is there with its line of history, and the state before it can be restored in turn.
 */
#include "serve/handlers.h"

#include "serve/commit.h"
#include "serve/past.h"
#include "serve/revived.h"
#include "state/restore.h"
#include "store/lost.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

enum { PAGE = 500, LOST_PAGE = 100 };

/* ---- what a request says ------------------------------------------------------------------------------ */

static int request_integer(request *r, const char *key, int64_t missing, int64_t *out) {
    json_t *value = json_object_get(r->args, key);

    if (value && !json_is_integer(value))
        return request_refuse(r, EX_PROTOCOL, "%s: expected an integer", key);
    *out = value ? json_integer_value(value) : missing;
    return 0;
}

/* {before?, limit?}: which page. */
static int request_page(request *r, int64_t most, int64_t *before, size_t *limit) {
    int64_t wanted = most;

    if (request_integer(r, "before", INT64_MAX, before) != 0 ||
        request_integer(r, "limit", most, &wanted) != 0)
        return -1;
    *limit = (size_t)(wanted < 1 ? 1 : wanted > most ? most : wanted);
    return 0;
}

/* ---- history ------------------------------------------------------------------------------------------ */

/* A text from the store, which need not be what jansson takes. */
static json_t *text_or_mark(const char *text) {
    json_t *value = json_string(text);
    return value ? value : json_string("?");
}

static int set_text(json_t *object, const char *key, const char *text) {
    return text[0] ? json_object_set_new(object, key, text_or_mark(text)) : 0;
}

static json_t *line_json(const history_line *line) {
    json_t *counts = json_loads(line->counts, 0, NULL);
    json_t *object = json_pack("{s:I, s:I, s:s, s:o?}", "id", (json_int_t)line->id, "time",
                               (json_int_t)line->time, "cause", line->cause, "counts", counts);
    char name[65];

    store_name_hex(&line->after, name);
    if (!object || set_text(object, "device", line->device) != 0 ||
        set_text(object, "phone", line->phone) != 0 ||
        (line->kept & HISTORY_AFTER && set_text(object, "state", name) != 0) ||
        json_object_set_new(object, "before", json_boolean(line->kept & HISTORY_BEFORE)) != 0) {
        json_decref(object);
        return NULL;
    }
    return object;
}

int handle_history(request *r) {
    store_error err = STORE_ERROR_INIT;
    json_t *list = json_array();
    history_line *lines = NULL;
    int64_t before, since = INT64_MIN;
    size_t limit, count = 0;
    int rc = list ? 0 : request_refuse_memory(r);

    if (rc == 0 && (rc = request_page(r, PAGE, &before, &limit)) == 0)
        rc = request_integer(r, "since", INT64_MIN, &since);
    if (rc == 0 && history_list(r->ctx->store, before, limit, &lines, &count, &err) != 0)
        rc = request_refuse_store(r, &err);
    bool more = rc == 0 && count == limit;
    for (size_t i = 0; rc == 0 && i < count; i++)
        if (lines[i].time < since)
            more = false; /* older lines are older still */
        else if (json_array_append_new(list, line_json(&lines[i])) != 0)
            rc = request_refuse_memory(r);
    if (rc == 0)
        rc = request_answer(r, "more", json_boolean(more));
    if (rc == 0)
        rc = request_answer(r, "lines", json_incref(list));
    free(lines);
    json_decref(list);
    return rc;
}

/* ---- two states side by side -------------------------------------------------------------------------- */

/* A state that was asked for, or that one is. */
typedef struct {
    char *doc;
    size_t len;
    trivet_merge_state *state;
} past_state;

static void past_release(past_state *p) {
    trivet_merge_state_free(p->state);
    free(p->doc);
    *p = (past_state){0};
}

static int read_past(request *r, const char *typed, past_state *out, int64_t *line) {
    store_error err = STORE_ERROR_INIT;
    trivet_merge_error why_not = TRIVET_MERGE_ERROR_INIT;
    past_error why = {0};
    store_name name;

    if (past_find(r->ctx->store, typed, &name, line, &why) != 0)
        return request_refuse(r, why.status, "%s", why.message);
    if (snapshot_get(r->ctx->store, &name, &out->doc, &out->len, &err) != 0)
        return request_refuse_store(r, &err);
    int code = trivet_merge_state_read(out->doc, out->len, TRIVET_MERGE_COMPUTER, &out->state, &why_not);
    if (code == TRIVET_MERGE_ENOMEM)
        return request_refuse_memory(r);
    return code == 0 ? 0
                     : request_refuse(r, EX_DATAERR, "the stored state is damaged: %s: %s", why_not.path,
                                      why_not.reason);
}

/* Two documents as the raw bytes of the answer; `split` is where the second begins. */
static int answer_two(request *r, const char *a, size_t a_len, const char *b, size_t b_len) {
    if (!(r->raw_out = malloc(a_len + b_len + 1)))
        return request_refuse_memory(r);
    memcpy(r->raw_out, a, a_len);
    memcpy(r->raw_out + a_len, b, b_len);
    r->raw_out_len = a_len + b_len;
    r->raw_out[r->raw_out_len] = '\0';
    return request_answer(r, "split", json_integer((json_int_t)a_len));
}

int handle_diff(request *r) {
    past_state a = {0}, b = {0};
    const char *typed_a, *typed_b;
    int64_t line_a, line_b;
    int rc = request_needs_string(r, "a", &typed_a);

    if (rc == 0)
        rc = request_needs_string(r, "b", &typed_b);
    if (rc == 0 && (rc = read_past(r, typed_a, &a, &line_a)) == 0 &&
        (rc = read_past(r, typed_b, &b, &line_b)) == 0)
        rc = answer_two(r, a.doc, a.len, b.doc, b.len);
    past_release(&a);
    past_release(&b);
    return rc;
}

/* ---- restore ------------------------------------------------------------------------------------------ */

/* Commits `after` and answers with the line of history that this is. */
static int commit_restored(request *r, const trivet_merge_state *before, const trivet_merge_state *after) {
    store_error err = STORE_ERROR_INIT;
    history_line line = {.time = r->ctx->now, .cause = "restore", .always = true}; /* its number undoes it */
    store_name name;

    if (revived_note(r->ctx->store, before, after, &err) != 0 ||
        commit_head(r->ctx->store, before, after, &line, &name, &err) != 0)
        return request_refuse_store(r, &err);
    return request_answer(r, "id", json_integer((json_int_t)line.id));
}

static int answer_restored(request *r, const past_state *head, const trivet_merge_state *after) {
    char *doc = NULL;
    size_t len;
    int rc = trivet_merge_state_write(after, &doc, &len) == 0 ? 0 : request_refuse_memory(r);

    if (rc == 0)
        rc = answer_two(r, head->doc, head->len, doc, len);
    free(doc);
    return rc;
}

/* "lost-7": what `trivet history --lost` shows. false: it is no such thing. */
static bool is_lost(const char *typed, int64_t *id) {
    char *end;

    if (strncmp(typed, "lost-", 5) != 0 || typed[5] < '0' || typed[5] > '9' || strlen(typed) > 23)
        return false;
    *id = strtoll(typed + 5, &end, 10);
    return *end == '\0';
}

/* The names in a JSON array of strings, as written by this program: none of those that matter has an escape. */
static size_t field_names(char *json, const char *names[static 16]) {
    size_t count = 0;
    char *at = json;

    while (count < 16 && (at = strchr(at, '"')) != NULL) {
        char *end = strchr(at + 1, '"');
        if (!end)
            break;
        *end = '\0';
        names[count++] = at + 1;
        at = end + 1;
    }
    return count;
}

static int restore_lost(request *r, int64_t id, const past_state *head, past_state *form,
                        trivet_merge_state **out) {
    store_error err = STORE_ERROR_INIT;
    edit_error refusal = EDIT_ERROR_INIT;
    trivet_merge_error why = TRIVET_MERGE_ERROR_INIT;
    const char *names[16];
    lost_row row = {0};
    int rc = lost_get(r->ctx->store, id, &row, &err);

    if (rc == STORE_NONE)
        return request_refuse(r, EX_NOINPUT,
                              "nothing that lost has the number %lld; `trivet history --lost` shows it",
                              (long long)id);
    if (rc != 0)
        return request_refuse_store(r, &err);
    size_t count = field_names(row.fields, names);
    form->doc = strdup(row.form);
    form->len = strlen(row.form);
    if (!form->doc ||
        trivet_merge_state_read(form->doc, form->len, TRIVET_MERGE_COMPUTER, &form->state, &why) != 0)
        rc = request_refuse(r, EX_DATAERR, "what lost cannot be read");
    else if (restore_fields(head->state, form->state, names, count, r->ctx->now, out, &refusal) != 0)
        rc = request_refuse(r, refusal.status, "%s", refusal.message);
    lost_release(&row);
    return rc;
}

static int restore_past(request *r, const char *typed, const char *item, const past_state *head,
                        past_state *then, trivet_merge_state **out) {
    edit_error refusal = EDIT_ERROR_INIT;
    int64_t line;

    /* To see what has changed since then is one thing, to throw all of it away by a mistyped time another. */
    if (!item && past_is_before_all(r->ctx->store, typed))
        return request_refuse(
            r, EX_NOINPUT,
            "no state of that time is kept; the oldest one is called first: `trivet restore first`");
    if (read_past(r, typed, then, &line) != 0)
        return -1;
    int rc = item ? restore_item(head->state, then->state, item, r->ctx->now, out, &refusal)
                  : restore_all(head->state, then->state, r->ctx->now, out, &refusal);
    return rc == 0 ? 0 : request_refuse(r, refusal.status, "%s", refusal.message);
}

int handle_restore(request *r) {
    store_error err = STORE_ERROR_INIT;
    past_state head = {0}, then = {0};
    trivet_merge_state *out = NULL;
    const char *typed, *item;
    int64_t lost;
    bool dry;
    int rc = request_needs_string(r, "state", &typed);

    if (rc == 0 && (rc = request_string(r, "item", &item)) == 0 && (rc = request_flag(r, "dry", &dry)) == 0 &&
        (rc = request_head(r, &head.state, &head.doc, &head.len)) == 0)
        rc = is_lost(typed, &lost) ? restore_lost(r, lost, &head, &then, &out)
                                   : restore_past(r, typed, item, &head, &then, &out);
    if (rc == 0 && revived_date(r->ctx->store, head.state, out, &err) != 0)
        rc = request_refuse_store(r, &err);
    if (rc == 0)
        rc = answer_restored(r, &head, out);
    if (rc == 0 && !dry)
        rc = commit_restored(r, head.state, out);
    trivet_merge_state_free(out); /* borrows from the others */
    past_release(&then);
    past_release(&head);
    return rc;
}

/* ---- what lost ---------------------------------------------------------------------------------------- */

static json_t *lost_json(const lost_row *row) {
    json_t *object = json_pack("{s:I, s:I, s:s, s:s, s:[I, I, I]}", "id", (json_int_t)row->id, "time",
                               (json_int_t)row->time, "side", row->side, "reason", row->reason, "lengths",
                               (json_int_t)strlen(row->fields), (json_int_t)strlen(row->form),
                               (json_int_t)strlen(row->stands));

    if (object &&
        (set_text(object, "device", row->device) != 0 || set_text(object, "phone", row->phone) != 0)) {
        json_decref(object);
        return NULL;
    }
    return object;
}

int handle_lost(request *r) {
    store_error err = STORE_ERROR_INIT;
    json_t *list = json_array();
    lost_row *rows = NULL;
    int64_t before;
    size_t limit, count = 0;
    FILE *raw = open_memstream(&r->raw_out, &r->raw_out_len);
    int rc = list && raw ? request_page(r, LOST_PAGE, &before, &limit) : request_refuse_memory(r);

    if (rc == 0 && lost_list(r->ctx->store, before, limit, &rows, &count, &err) != 0)
        rc = request_refuse_store(r, &err);
    for (size_t i = 0; rc == 0 && i < count; i++) {
        fprintf(raw, "%s%s%s", rows[i].fields, rows[i].form, rows[i].stands);
        if (json_array_append_new(list, lost_json(&rows[i])) != 0)
            rc = request_refuse_memory(r);
    }
    if (raw && fclose(raw) != 0 && rc == 0)
        rc = request_refuse_memory(r);
    if (rc == 0)
        rc = request_answer(r, "more", json_boolean(count == limit));
    if (rc == 0)
        rc = request_answer(r, "lost", json_incref(list));
    lost_list_free(rows, count);
    json_decref(list);
    return rc;
}
