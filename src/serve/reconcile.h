/*
 * reconcile.h - one phone and the computer agree: the part of a sync that reads, merges and commits (protocol
 * §4, merge §10).
 *
 * No network and no loop: it runs on the worker, one call at a time, and is what simulations drive. The order
 * that keeps data safe is: everything that a merge changes is committed in one durable transaction, and only
 * then may the caller send the confirm. What follows from a loss at each step stands in reconcile.c.
 *
 * Calling sequence:
 *
 *     r = reconcile_new(store, device_id, phone_name, &settings);
 *     reconcile_own_state(r, &doc, &len, &err)      -> send it
 *     reconcile_answer(r, doc, len, since, now)     -> RECONCILE_...
 *     ... as the outcome says, until it is final ...
 *     reconcile_free(r);
 */
#ifndef TRIVET_SERVE_RECONCILE_H
#define TRIVET_SERVE_RECONCILE_H

#include "serve/policy.h"
#include "store/store.h"
#include <jansson.h>
#include <trivet_merge.h>

typedef struct reconcile reconcile;

typedef struct {
    double large_threshold;
    unsigned max_rounds; /* how often a merge is made anew before the sync is given up (protocol §4.6): 3 */
    const char *record;  /* the folder where each merge is kept as a case (recording.h); NULL: nowhere */
    policy on_tie, on_large_change;
    int64_t
        phone_clock_offset; /* ms: the computer's clock less the phone's, where that is known and counts */
    /*
     * The phone merges what was edited there since its answer over M itself and says so (version 2): M is committed without a second
     * round, and PROPOSE never comes. 0: it does not; else what a document may measure, in bytes, lest one be
     * committed that cannot be sent.
     */
    size_t one_round;
} reconcile_settings;

#define RECONCILE_SETTINGS_INIT                                                                              \
    { 0.8, 3, NULL, POLICY_ASK, POLICY_ASK, 0, 0 }

typedef enum {
    RECONCILE_KEEP,      /* committed: the phone holds M already; confirm phone-wins without a snapshot */
    RECONCILE_APPLY,     /* committed: confirm desktop-wins with `document` */
    RECONCILE_PROPOSE,   /* send `document` as a second state_sync, and give its answer to reconcile_answer */
    RECONCILE_ASK,       /* a question is open: reconcile_question, then reconcile_decide */
    RECONCILE_REFUSED,   /* the phone's state is not valid: `refusal`; cancel */
    RECONCILE_RESTLESS,  /* either side kept changing; cancel */
    RECONCILE_TOO_LARGE, /* M could not be sent; cancel. Nothing was changed */
    RECONCILE_DECLINED,  /* a policy says so: reconcile_policy; cancel */
    RECONCILE_FAILED     /* the store failed: `error`; cancel. Nothing was changed */
} reconcile_outcome;

/* Strings are copied but for `record`, which must outlive it. NULL: out of memory. */
reconcile *reconcile_new(store *s, const char *device_id, const char *phone_name,
                         const reconcile_settings *settings);
void reconcile_free(reconcile *r);

/* The computer's state as a phone is sent it: all keys, padded. *out is the caller's to free(). */
int reconcile_own_state(reconcile *r, char **out, size_t *len, store_error *err);

/* The phone's state of this round. `document` is from malloc and taken over. `now` in ms since 1970. */
reconcile_outcome reconcile_answer(reconcile *r, char *document, size_t len, int64_t since, int64_t now);

/* After PROPOSE and APPLY; borrowed until the next call. */
const char *reconcile_document(const reconcile *r, size_t *len);

/* Whether a merge was made anew, because a side had changed since the one before. */
bool reconcile_was_stale(const reconcile *r);

const trivet_merge_error *reconcile_refusal(const reconcile *r);
const store_error *reconcile_error(const reconcile *r);

/* What the last merge did; of a committed one, what both sides saw change. */
void reconcile_counts(const reconcile *r, trivet_merge_counts *counts);
bool reconcile_changed(const reconcile *r); /* whether the computer's state changed with the commit */

/*
 * After KEEP or APPLY: the record that the commit made, for the phone's word that it has applied it: reconcile_acked, on the
 * worker, any time later. `since` then names what the phone holds (merge §10). STORE_NONE: that record is gone.
 */
int64_t reconcile_record(const reconcile *r);
int reconcile_acked(store *s, int64_t id, int64_t since, store_error *err);

/* ---- questions ---- */

/* After ASK: "tie" or "large_change", and its body as JSON text (question_body.h). */
const char *reconcile_question(const reconcile *r, const char **kind);

/*
 * An answer to the open question: for ties a side for those numbered (1-based, as in the question's array;
 * count 0: all), for a large change a choice. Returns how many ties are still unanswered (0: call
 * reconcile_decide), or -1 where the answer does not fit the question.
 */
int reconcile_pick(reconcile *r, trivet_merge_side side, const size_t *ties, size_t count);
int reconcile_choose(reconcile *r, trivet_merge_large choice);

/* Merges on with the answers given. */
reconcile_outcome reconcile_decide(reconcile *r, int64_t now);

/*
 * Where a policy answered in the last merge: true, the question's kind and which policy it was. After a large
 * change and ties both were answered so, the large change is told.
 */
bool reconcile_policy(const reconcile *r, const char **kind, policy *p);

#endif
