/*
 * One phone and the computer agree (protocol §4, merge §10).
 *
 * What is lost if something goes at each step, and why nothing is:
 *
 *   1. Before the commit (power, process, connection): the store is as it was; the phone was told nothing but
 *      states, which it does not apply. The next sync begins anew from the same ancestor.
 *   2. In the commit: SQLite's one transaction holds the new head, its history line and graves, the ancestor
 *      record and the device's last sync. After a crash either all of it is there or none.
 *   3. After the commit, before the confirm was sent or while it was under way: the computer holds M, the
 *      phone what it sent. It comes again with the `since` of before, which is the new record's
 *      `since_before`: case 1 of ancestor.c, where `sent` is the nearest candidate, so its edits are not taken
 *      twice.
 *   4. The phone applied M, but was killed before it had stored all of it: it comes with the new `since` or
 *      the old one and a mixture of `sent` and M, and case 3 or 1 decides for each group.
 *   5. The confirm arrived, and the phone's next `since` is new: the record's snapshot is the candidate that
 *      fits, and with the commit that follows the value joins the record.
 *
 * A lost or late state_sync or sync_cancel changes nothing anywhere.
 *
 * A policy's answer goes the same way as a person's and changes none of this. The value that it overrode is in
 * `sent` of the new record where it was the phone's, and in the history line's `before` where it was the
 * computer's; both are written in step 2 with the merge that overrode it.
 */
#include "serve/reconcile_parts.h"

#include "serve/commit.h"
#include "serve/counts.h"
#include "serve/question_body.h"
#include "serve/lost_edits.h"
#include "store/device.h"
#include "store/record.h"
#include "store/snapshot.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A phone reads six of everything without looking (protocol §3). */
enum { PHONE_SLOTS = 6 };

/* Bytes of the computer's state up to which it is not read again after the phone's answer, for which it waits. */
enum { OWN_KEPT = 4 << 20 };

reconcile *reconcile_new(store *s, const char *device_id, const char *phone_name,
                         const reconcile_settings *settings) {
    reconcile *r = calloc(1, sizeof *r);
    if (!r)
        return NULL;
    r->store = s;
    r->settings = *settings;
    snprintf(r->device, sizeof r->device, "%s", device_id);
    snprintf(r->phone_name, sizeof r->phone_name, "%s", phone_name);
    return r;
}

static void drop_merge(reconcile *r) {
    trivet_merge_result_free(r->result);
    late_release(&r->late);
    ancestor_release(&r->choice);
    trivet_merge_state_free(r->computer);
    free(r->document);
    free(r->question);
    r->result = NULL;
    r->computer = NULL;
    r->document = r->question = NULL;
}

void reconcile_answered_by(reconcile *r, policy p, const char *kind) {
    r->policy = p;
    r->policy_kind = kind;
}

/* And whatever was answered. */
void reconcile_forget_asked(reconcile *r) {
    ancestor_release(&r->asked.choice);
    trivet_merge_state_free(r->asked.computer);
    if (r->asked.phone != r->phone)
        trivet_merge_state_free(r->asked.phone);
    r->asked = (struct asked){0};
    if (r->large != TRIVET_MERGE_LARGE_ASK)
        reconcile_answered_by(r, POLICY_ASK, NULL);
    r->large = TRIVET_MERGE_LARGE_ASK;
}

void reconcile_free(reconcile *r) {
    if (!r)
        return;
    drop_merge(r);
    reconcile_forget_asked(r);
    trivet_merge_state_free(r->phone);
    trivet_merge_state_free(r->own);
    tie_answers_release(&r->answers);
    free(r);
}

static reconcile_outcome failed(reconcile *r) {
    store_out_of_memory(&r->error); /* where nothing else was said */
    return RECONCILE_FAILED;
}

/* `state` as a phone may be sent it: all keys, padded. */
static int write_padded(const trivet_merge_state *state, const trivet_merge_state *like, char **out,
                        size_t *len) {
    trivet_merge_state *padded = NULL;
    int rc = trivet_merge_state_new(&padded);

    for (int s = 0; rc == 0 && s < TRIVET_MERGE_SECTIONS; s++)
        rc = trivet_merge_take_section(padded, state, (trivet_merge_section)s);
    if (rc == 0)
        rc = trivet_merge_pad(padded, like, PHONE_SLOTS);
    if (rc == 0)
        rc = trivet_merge_state_write(padded, out, len);
    trivet_merge_state_free(padded);
    return rc;
}

static int read_head(store *s, store_name *head, trivet_merge_state **state, store_error *err) {
    int rc = head_get(s, head, err);
    return rc == 0 ? snapshot_read(s, head, state, err) : rc;
}

int reconcile_own_state(reconcile *r, char **out, size_t *len, store_error *err) {
    int rc = store_begin_look(r->store, err);

    if (rc == 0)
        rc = read_head(r->store, &r->own_head, &r->own, err);
    store_rollback(r->store);
    if (rc == 0 && write_padded(r->own, NULL, out, len) != 0)
        rc = store_out_of_memory(err);
    if (rc != 0 || *len > OWN_KEPT) {
        trivet_merge_state_free(r->own);
        r->own = NULL;
    }
    return rc;
}

/* ---- questions and their answers ---- */

static reconcile_outcome ask(reconcile *r, const char *kind, char *body) {
    if (!body)
        return failed(r);
    r->question = body;
    r->question_kind = kind;
    return RECONCILE_ASK;
}

/* An answer will be about what this merge was to be made of. */
static void keep_asked(reconcile *r) {
    reconcile_forget_asked(r);
    r->asked = (struct asked){r->phone, r->computer, r->head, r->choice};
    r->computer = NULL;
    r->choice = (ancestor_choice){0};
}

const char *reconcile_question(const reconcile *r, const char **kind) {
    *kind = r->question_kind;
    return r->question;
}

int reconcile_pick(reconcile *r, trivet_merge_side side, const size_t *ties, size_t count) {
    size_t have = r->result ? trivet_merge_result_tie_count(r->result) : 0;
    trivet_merge_tie tie;

    if (!r->question || have == 0)
        return -1;
    for (size_t i = 0; i < count; i++)
        if (ties[i] < 1 || ties[i] > have)
            return -1;
    for (size_t i = 0; i < (count ? count : have); i++) {
        trivet_merge_result_tie(r->result, count ? ties[i] - 1 : i, &tie);
        if (tie_answers_give(&r->answers, &tie, side) != 0)
            return -1;
    }
    return (int)tie_answers_open(&r->answers, r->result);
}

int reconcile_choose(reconcile *r, trivet_merge_large choice) {
    if (!r->question || strcmp(r->question_kind, "large_change") != 0)
        return -1;
    r->large = choice;
    return 0;
}

/* ---- committing ---- */

static int commit_in_transaction(reconcile *r, int64_t now) {
    const trivet_merge_state *merged = trivet_merge_result_snapshot(r->result);
    const trivet_merge_state *ancestor = reconcile_ancestor(r);
    record rec = {.since_before = r->since, .has_ancestor = ancestor != NULL, .time = now};
    history_line line = {.time = now, .always = r->policy != POLICY_ASK};
    lost_edits lost = {.device = r->device,
                       .phone_name = r->phone_name,
                       .ancestor = ancestor,
                       .phone = r->phone,
                       .computer = r->computer,
                       .merged = merged,
                       .result = r->large == TRIVET_MERGE_LARGE_ASK ? r->result : NULL,
                       .now = now};
    store_error *err = &r->error;
    int rc;

    snprintf(line.cause, sizeof line.cause, "%s", r->policy == POLICY_ASK ? "sync" : "policy");
    snprintf(line.device, sizeof line.device, "%s", r->device);
    snprintf(line.phone, sizeof line.phone, "%s", r->phone_name);
    counts_text(&r->counts, line.counts, sizeof line.counts);
    if ((rc = snapshot_put(r->store, r->phone, &rec.sent, err)) != 0 ||
        (rc = commit_head(r->store, r->computer, merged, &line, &rec.snapshot, err)) != 0 ||
        (rec.has_ancestor && (rc = snapshot_put(r->store, ancestor, &rec.ancestor, err)) != 0) ||
        (rc = record_add(r->store, r->device, r->phone_name, &rec, err)) != 0 ||
        (rc = lost_edits_note(r->store, &lost, err)) != 0)
        return rc;
    /* Retention may have dropped that record since it was chosen; the choice stands, and this record has its time. */
    for (record_group g = 0; g < RECORD_GROUPS; g++)
        if (r->choice.applied[g] &&
            (rc = record_applied(r->store, r->choice.applied[g], g, r->since, err)) != 0 && rc != STORE_NONE)
            return rc;
    r->record = rec.id;
    r->changed = !store_name_equal(&rec.snapshot, &r->head);
    return device_synced(r->store, r->device, r->phone_name, now, err);
}

/* Everything in one durable transaction; only after it may a confirm be sent. */
static int commit(reconcile *r, int64_t now) {
    int rc = store_begin(r->store, &r->error);

    if (rc == 0)
        rc = commit_in_transaction(r, now);
    if (rc == 0)
        rc = store_commit(r->store, &r->error);
    if (rc != 0)
        store_rollback(r->store);
    return rc;
}

/* ---- rounds ---- */

static reconcile_outcome merge(reconcile *r, int64_t now);

/* A policy answers on the spot, as a person would have. */
static reconcile_outcome on_large_change(reconcile *r, const trivet_merge_large_change *large, int64_t now) {
    policy p = r->settings.on_large_change;

    reconcile_record_guard(r);
    char *body = p == POLICY_ASK ? question_large(large, r->choice.guard, r->phone, r->computer) : NULL;
    keep_asked(r);
    if (p == POLICY_ASK)
        return ask(r, "large_change", body);
    reconcile_answered_by(r, p, "large_change");
    if (p == POLICY_CANCEL)
        return RECONCILE_DECLINED;
    r->large = policy_choice(p);
    return merge(r, now);
}

static reconcile_outcome on_ties(reconcile *r) {
    if (r->settings.on_tie != POLICY_CANCEL)
        return ask(r, "tie", question_ties(r->result, reconcile_phone(r)));
    reconcile_answered_by(r, POLICY_CANCEL, "tie");
    return RECONCILE_DECLINED;
}

static int read_computer(reconcile *r) {
    int rc = head_get(r->store, &r->head, &r->error);

    if (rc == 0 && r->own && store_name_equal(&r->head, &r->own_head)) {
        r->computer = r->own;
        r->own = NULL;
        return 0;
    }
    return rc == 0 ? snapshot_read(r->store, &r->head, &r->computer, &r->error) : rc;
}

/* The other two of the three states, as one moment has them. */
static int read_states(reconcile *r) {
    int rc = store_begin_look(r->store, &r->error);

    if (rc == 0)
        rc = read_computer(r);
    if (rc == 0)
        rc = ancestor_choose(r->store, r->device, r->phone_name, r->since, r->phone, r->computer, &r->choice,
                             &r->error);
    store_rollback(r->store);
    return rc;
}

/* Merges this round's phone state with the computer's present one. */
static reconcile_outcome merge(reconcile *r, int64_t now) {
    trivet_merge_large_change large;

    drop_merge(r);
    if (read_states(r) != 0)
        return failed(r);
    int rc = reconcile_prepare_late(r);
    if (rc == 0 && r->large == TRIVET_MERGE_LARGE_ASK && r->choice.guard)
        rc = trivet_merge_guard(r->choice.guard, r->phone, r->computer, r->settings.large_threshold, &large);
    if (rc == 1)
        return on_large_change(r, &large, now);
    if (rc == 0)
        rc = reconcile_merge(r);
    if (rc == TRIVET_MERGE_EINPUT)
        return RECONCILE_REFUSED; /* two sound states can make one that is over a limit */
    if (rc != 0)
        return failed(r);
    trivet_merge_result_counts(r->result, &r->counts);
    if (trivet_merge_result_status(r->result) == TRIVET_MERGE_CONFLICT)
        return on_ties(r);

    if (trivet_merge_state_agrees(trivet_merge_result_snapshot(r->result), r->phone))
        return commit(r, now) == 0 ? RECONCILE_KEEP : failed(r);
    if (write_padded(trivet_merge_result_snapshot(r->result), r->phone, &r->document, &r->document_len) != 0)
        return failed(r);
    if (!r->settings.one_round)
        return RECONCILE_PROPOSE;
    if (r->document_len > r->settings.one_round)
        return RECONCILE_TOO_LARGE;
    return commit(r, now) == 0 ? RECONCILE_APPLY : failed(r);
}

/* The same, as a round of its own: of what a policy said in an earlier one, only its word on `asked` counts. */
static reconcile_outcome merge_anew(reconcile *r, int64_t now) {
    if (r->policy != POLICY_ASK && strcmp(r->policy_kind, "tie") == 0)
        reconcile_answered_by(r, POLICY_ASK, NULL);
    return merge(r, now);
}

static reconcile_outcome begin_round(reconcile *r, reconcile_outcome outcome) {
    r->proposed = outcome == RECONCILE_PROPOSE;
    return outcome;
}

/* Whether the state that the proposal was merged from is still the computer's, and `since` still the phone's. */
static bool stands(reconcile *r, int64_t since) {
    store_name head;
    return r->proposed && since == r->since && head_get(r->store, &head, &r->error) == 0 &&
           store_name_equal(&head, &r->head);
}

static reconcile_outcome apply(reconcile *r, int64_t now) {
    r->proposed = false;
    return commit(r, now) == 0 ? RECONCILE_APPLY : failed(r);
}

reconcile_outcome reconcile_answer(reconcile *r, char *document, size_t len, int64_t since, int64_t now) {
    trivet_merge_state *state = NULL;
    bool standing = stands(r, since);

    if (standing && len == r->phone_len && memcmp(document, r->phone_document, len) == 0) {
        free(document); /* the usual second answer: nothing new to read */
        return apply(r, now);
    }
    int rc = trivet_merge_state_read_steal(document, len, TRIVET_MERGE_PHONE, &state, &r->refusal);
    if (rc == TRIVET_MERGE_EINPUT)
        return RECONCILE_REFUSED;
    if (rc != 0 || r->error.code) {
        trivet_merge_state_free(state);
        return failed(r);
    }
    if (standing && trivet_merge_state_equal(state, r->phone)) {
        trivet_merge_state_free(state);
        return apply(r, now);
    }
    if (r->proposed && r->renewed++ == r->settings.max_rounds) {
        trivet_merge_state_free(state);
        return RECONCILE_RESTLESS;
    }
    drop_merge(r);
    if (since != r->since)
        reconcile_forget_asked(r); /* it descends from another state by now */
    if (r->phone != r->asked.phone)
        trivet_merge_state_free(r->phone);
    r->phone = state;
    r->phone_document = document;
    r->phone_len = len;
    r->since = since;
    return begin_round(r, merge_anew(r, now));
}

reconcile_outcome reconcile_decide(reconcile *r, int64_t now) {
    return begin_round(r, merge_anew(r, now));
}

/* ---- looking ---- */

const char *reconcile_document(const reconcile *r, size_t *len) {
    *len = r->document_len;
    return r->document;
}

bool reconcile_was_stale(const reconcile *r) {
    return r->renewed > 0;
}

const trivet_merge_error *reconcile_refusal(const reconcile *r) {
    return &r->refusal;
}

const store_error *reconcile_error(const reconcile *r) {
    return &r->error;
}

void reconcile_counts(const reconcile *r, trivet_merge_counts *counts) {
    *counts = r->counts;
}

bool reconcile_changed(const reconcile *r) {
    return r->changed;
}

int64_t reconcile_record(const reconcile *r) {
    return r->record;
}

int reconcile_acked(store *s, int64_t id, int64_t since, store_error *err) {
    int rc = store_begin(s, err);

    for (record_group g = 0; rc == 0 && g < RECORD_GROUPS; g++)
        rc = record_applied(s, id, g, since, err);
    if (rc == 0)
        rc = store_commit(s, err);
    if (rc != 0)
        store_rollback(s);
    return rc;
}

bool reconcile_policy(const reconcile *r, const char **kind, policy *p) {
    *kind = r->policy_kind;
    *p = r->policy;
    return r->policy != POLICY_ASK;
}
