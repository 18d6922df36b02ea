/*
 * apply.c - a confirm, applied to the lists in a phone's folder.
 */
#include "phone/apply.h"

#include "phone/now.h"
#include "phone/refuse.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

/* All freed together, results before the states that they borrow from. */
typedef struct {
    phone_folder *folder;
    const phone_answered *last;
    phone_session_result *result;
    edit_error *err;
    trivet_merge_state *current, *answered, *confirmed;
    trivet_merge_result *merged, *summary;
    const trivet_merge_state *next; /* one of the above */
} application;

static void application_release(application *a) {
    trivet_merge_result_free(a->summary);
    trivet_merge_result_free(a->merged);
    trivet_merge_state_free(a->confirmed);
    trivet_merge_state_free(a->answered);
    trivet_merge_state_free(a->current);
}

/* Keys that the snapshot leaves out stay as they are (merge §1: no view). */
static int keep_missing(application *a) {
    for (int section = 0; section < TRIVET_MERGE_SECTIONS; section++)
        if (!trivet_merge_state_has(a->confirmed, (trivet_merge_section)section) &&
            trivet_merge_take_section(a->confirmed, a->current, (trivet_merge_section)section) != 0)
            return -1;
    return 0;
}

/*
 * The state was edited after the last answer: what the computer confirmed is merged with those edits. Where
 * they tie, the phone's stand, and the computer sees them next time. A merge that would have to ask is not
 * made.
 */
static int merge_over(application *a) {
    trivet_merge_error bad = TRIVET_MERGE_ERROR_INIT;
    if (trivet_merge_state_read(a->last->state, a->last->len, TRIVET_MERGE_ANCESTOR, &a->answered, &bad) !=
            0 ||
        trivet_merge(a->answered, a->current, a->confirmed, NULL, &a->merged, &bad) != 0)
        return -1;
    a->next = trivet_merge_result_snapshot(a->merged);
    a->result->remerged = true;
    return 0;
}

static bool unchanged_since_answer(const application *a) {
    char *json = NULL;
    size_t len = 0;
    bool same = trivet_merge_state_write(a->current, &json, &len) == 0 && len == a->last->len &&
                memcmp(json, a->last->state, len) == 0;
    free(json);
    return same;
}

/* For the summary alone: what changes on the phone. */
static void count_changes(application *a) {
    trivet_merge_error bad = TRIVET_MERGE_ERROR_INIT;
    trivet_merge_options all = TRIVET_MERGE_OPTIONS_INIT;
    all.large = TRIVET_MERGE_LARGE_COMPUTER;
    if (trivet_merge(a->current, a->current, a->next, &all, &a->summary, &bad) == 0)
        trivet_merge_result_counts(a->summary, &a->result->counts);
}

/* What the phone is to hold after a confirm that brought a state. */
static int choose_next(application *a, const trivet_proto_message *confirm) {
    trivet_merge_error bad = TRIVET_MERGE_ERROR_INIT;
    int code = trivet_merge_state_read(confirm->state, confirm->state_len, TRIVET_MERGE_COMPUTER,
                                       &a->confirmed, &bad);
    if (code == TRIVET_MERGE_EINPUT)
        return phone_refuse(a->err, EX_PROTOCOL,
                            "%s confirmed a state that is none: snapshot%s%s: %s; nothing was changed",
                            a->last->peer, bad.path[0] == '\0' ? "" : ".", bad.path, bad.reason);
    if (code != 0 || keep_missing(a) != 0)
        return phone_refuse(a->err, EX_OSERR, "out of memory; nothing was changed");
    a->next = a->confirmed;
    if (!unchanged_since_answer(a) && merge_over(a) != 0)
        a->next = NULL;
    if (a->next == NULL)
        return phone_refuse(
            a->err, EX_TEMPFAIL,
            "the lists changed in the middle of the sync; nothing was changed here, sync again");
    count_changes(a);
    return 0;
}

/* Under the folder's lock. */
static int apply(application *a, const trivet_proto_message *confirm) {
    int64_t since = 0;
    if (phone_folder_read(a->folder, &a->current, &since, a->err) != 0)
        return -1;
    a->next = a->current;
    if (confirm->mode == TRIVET_PROTO_DESKTOP_WINS && choose_next(a, confirm) != 0)
        return -1;
    /* It names the state that the phone now holds, so no two may be alike (merge §10). */
    int64_t now = phone_now();
    since = now > since ? now : since + 1;
    if (phone_folder_write(a->folder, a->next, since, a->err) != 0)
        return -1;
    a->result->since = since;
    return 0;
}

int phone_apply(phone_folder *folder, const trivet_proto_message *confirm, const phone_answered *last,
                phone_session_result *result, edit_error *err) {
    if (last->state == NULL || (confirm->mode == TRIVET_PROTO_DESKTOP_WINS && confirm->state == NULL))
        return phone_refuse(err, EX_PROTOCOL,
                            "%s confirmed a state that it did not send; nothing was changed", last->peer);
    if (phone_folder_lock(folder, err) != 0)
        return -1;
    application a = {.folder = folder, .last = last, .result = result, .err = err};
    int rc = apply(&a, confirm);
    phone_folder_unlock(folder);
    application_release(&a);
    return rc;
}
