/*
 * reconcile_merge.c - what of a round's states is merged, with which answers to which questions (merge §10).
 */
#include "serve/reconcile_parts.h"

#include "serve/recording.h"

#include <stdlib.h>

/*
 * A large change was answered with no ancestor chosen: then what was already merged makes none either, for `both`
 * without an ancestor is a merge without one (merge §10).
 */
static const trivet_merge_state *usable(const reconcile *r, const ancestor_choice *choice) {
    return r->large == TRIVET_MERGE_LARGE_ASK || choice->found ? choice->ancestor : NULL;
}

const trivet_merge_state *reconcile_ancestor(const reconcile *r) {
    return usable(r, &r->choice);
}

static trivet_merge_options answer_to_guard(const reconcile *r, const ancestor_choice *choice) {
    trivet_merge_options options = TRIVET_MERGE_OPTIONS_INIT;

    options.large = r->large;
    options.large_threshold = 0.0;
    options.guard = choice->guard;
    options.phone_clock_offset = r->settings.phone_clock_offset;
    return options;
}

/*
 * The guard has been measured already, before graves and what was already merged (merge §10), and does not ask
 * again. An answer to it is carried out without graves: nothing that is absent is to be deleted by one.
 */
static recording_merge what_to_merge(const reconcile *r, const trivet_merge_pick *picks, size_t pick_count) {
    recording_merge m = {.ancestor = reconcile_ancestor(r), .computer = r->choice.computer};

    m.options = (trivet_merge_options)TRIVET_MERGE_OPTIONS_INIT;
    m.options.large_threshold = 2.0;
    m.options.phone_clock_offset = r->settings.phone_clock_offset;
    if (r->late.chosen) {
        m.ancestor = r->late.ancestor;
        m.computer = r->late.computer;
    } else if (r->large != TRIVET_MERGE_LARGE_ASK) {
        m.options = answer_to_guard(r, &r->choice);
        m.computer = r->computer;
    }
    m.options.picks = picks;
    m.options.pick_count = pick_count;
    return m;
}

const trivet_merge_state *reconcile_phone(const reconcile *r) {
    return r->late.chosen ? r->late.phone : r->phone;
}

static int merge_once(reconcile *r, const trivet_merge_pick *picks, size_t pick_count) {
    recording_merge m = what_to_merge(r, picks, pick_count);

    trivet_merge_result_free(r->result);
    r->result = NULL;
    return trivet_merge(m.ancestor, reconcile_phone(r), m.computer, &m.options, &r->result, &r->refusal);
}

static void record_merge(const reconcile *r, recording_merge m) {
    char *document = NULL;

    if (!r->settings.record)
        return;
    m.phone = r->phone_document;
    m.phone_len = r->phone_len;
    if (reconcile_phone(r) != r->phone) {
        if (trivet_merge_state_write(reconcile_phone(r), &document, &m.phone_len) != 0)
            return;
        m.phone = document;
    }
    m.result = r->result;
    recording_keep(r->settings.record, &m);
    free(document);
}

/* The guard alone, as a merge that asks: it comes before an ancestor plays a part. */
void reconcile_record_guard(const reconcile *r) {
    recording_merge m = {.computer = r->computer};

    m.options = (trivet_merge_options)TRIVET_MERGE_OPTIONS_INIT;
    m.options.large_threshold = r->settings.large_threshold;
    m.options.guard = r->choice.guard;
    record_merge(r, m);
}

/*
 * Picks for all ties, from the answers given so far and the policy for the others; *out NULL where one is
 * missing. -1: out of memory.
 */
static int make_picks(reconcile *r, trivet_merge_pick **out) {
    size_t count = trivet_merge_result_tie_count(r->result), open = tie_answers_open(&r->answers, r->result);
    bool standing = open > 0 && r->settings.on_tie != POLICY_ASK && r->settings.on_tie != POLICY_CANCEL;
    trivet_merge_side *sides;

    *out = NULL;
    if (open > 0 && !standing)
        return 0;
    trivet_merge_pick *picks = calloc(count, sizeof *picks);
    if (!picks || !(sides = calloc(count, sizeof *sides))) {
        free(picks);
        return -1;
    }
    if (standing) {
        policy_pick(r->settings.on_tie, r->result, reconcile_phone(r), what_to_merge(r, NULL, 0).computer,
                    sides);
        if (r->policy == POLICY_ASK)
            reconcile_answered_by(r, r->settings.on_tie, "tie");
    }
    for (size_t i = 0; i < count; i++) {
        trivet_merge_tie tie;
        trivet_merge_result_tie(r->result, i, &tie);
        trivet_merge_side side = sides[i];
        tie_answers_find(&r->answers, &tie, &side);
        picks[i] = (trivet_merge_pick){.section = tie.section,
                                       .slot = tie.slot,
                                       .item_id = tie.item_id,
                                       .field = tie.field,
                                       .pick = side};
    }
    free(sides);
    *out = picks;
    return 0;
}

int reconcile_merge(reconcile *r) {
    trivet_merge_result *tied = NULL; /* the picks borrow from it */
    trivet_merge_pick *picks = NULL;
    int rc = merge_once(r, NULL, 0);

    if (rc != 0)
        return rc;
    bool conflict = trivet_merge_result_status(r->result) == TRIVET_MERGE_CONFLICT;
    size_t count = conflict ? trivet_merge_result_tie_count(r->result) : 0;
    if (conflict && make_picks(r, &picks) != 0)
        return TRIVET_MERGE_ENOMEM;
    if (picks) {
        tied = r->result;
        r->result = NULL;
        rc = merge_once(r, picks, count);
    }
    if (rc == 0)
        record_merge(r, what_to_merge(r, picks, picks ? count : 0));
    free(picks);
    trivet_merge_result_free(tied);
    return rc;
}

/* Where a side has edited something since the large change was put that is answered now. */
int reconcile_prepare_late(reconcile *r) {
    const late_pair asked = {r->asked.phone, r->asked.computer};
    bool same_head = store_name_equal(&r->head, &r->asked.head);
    const late_pair now = {r->phone, same_head ? r->asked.computer : r->computer};

    if (r->large == TRIVET_MERGE_LARGE_ASK || r->large == TRIVET_MERGE_LARGE_BOTH ||
        (now.phone == asked.phone && same_head))
        return 0;
    int rc = late_holds(&asked, &now, r->settings.large_threshold);
    if (rc <= 0) {
        reconcile_forget_asked(r); /* late_prepare is for answers that hold */
        return rc;
    }
    trivet_merge_options options = answer_to_guard(r, &r->asked.choice);
    return late_prepare(&r->late, usable(r, &r->asked.choice), &asked, &now, &options, &r->refusal);
}
