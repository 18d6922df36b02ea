/*
 * reconcile_parts.h - what a reconcile is made of, for those that make it up: reconcile.c (rounds, questions, the commit) and
 * reconcile_merge.c (what is merged, and how it is answered). Nobody else includes it.
 */
#ifndef TRIVET_SERVE_RECONCILE_PARTS_H
#define TRIVET_SERVE_RECONCILE_PARTS_H

#include "serve/ancestor.h"
#include "serve/late.h"
#include "serve/reconcile.h"
#include "serve/tie_answers.h"

/*
 * A large change as it was put, for an answer that takes one side's whole state. `phone` is owned where the round
 * has another by now.
 */
struct asked {
    trivet_merge_state *phone, *computer; /* NULL: nothing was asked */
    store_name head;
    ancestor_choice choice;
};

struct reconcile {
    store *store;
    char device[65], phone_name[257];
    reconcile_settings settings;

    /* this round's states; what comes later borrows from what comes earlier */
    trivet_merge_state *phone;
    const char *phone_document; /* `phone` owns it */
    size_t phone_len;
    int64_t since;
    trivet_merge_state *computer;
    store_name head;
    trivet_merge_state *own; /* as the phone was sent it; NULL: taken into a merge, or too large to keep */
    store_name own_head;
    ancestor_choice choice;
    trivet_merge_result *result;
    char *document;
    size_t document_len;

    bool proposed;    /* the last outcome was PROPOSE */
    unsigned renewed; /* merges made anew because a side had changed */
    bool changed;
    int64_t record; /* that the commit made */
    trivet_merge_counts counts;

    char *question; /* JSON text; NULL: none is open */
    const char *question_kind;
    trivet_merge_large large; /* the answer to `asked` */
    struct asked asked;
    late late;
    policy policy; /* ASK: none had a part in this merge */
    const char *policy_kind;
    tie_answers answers;

    trivet_merge_error refusal;
    store_error error;
};

/* ---- reconcile.c ---- */

/* Notes that a policy had a part in this merge, in answering a question of that kind; POLICY_ASK, NULL: none had. */
void reconcile_answered_by(reconcile *r, policy p, const char *kind);
/* Lets go of the large change that was put, and of whatever was answered to it. */
void reconcile_forget_asked(reconcile *r);

/* ---- reconcile_merge.c: what each gives is borrowed ---- */

/* The ancestor with which the record of this merge is kept; NULL: none. */
const trivet_merge_state *reconcile_ancestor(const reconcile *r);
/* The phone's state as it goes into the merge. */
const trivet_merge_state *reconcile_phone(const reconcile *r);
/* An answer that comes after its question: 0, or what trivet_merge gives; `refusal` says why. */
int reconcile_prepare_late(reconcile *r);
/* Makes `result`, with the answers there are. 0, or what trivet_merge gives; `refusal` says why. */
int reconcile_merge(reconcile *r);
/* Keeps the guard as a case where merges are recorded: as a merge that asks, for it comes before an ancestor plays a part. */
void reconcile_record_guard(const reconcile *r);

#endif
