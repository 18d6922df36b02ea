/*
 * session.h - one sync of a phone's folder with its computer: connect, agree on keys, answer, store, close.
 *
 * The folder is locked only while it is read or written, never while the computer thinks, so that another
 * `trivet phone add` need not wait for a question to be answered. Nothing typed meanwhile is lost: each
 * answer holds the state as it is at that moment (the computer merges anew where it changed, protocol §4.6),
 * and what came in between the last answer and the confirm is merged over the confirmed state, with the
 * answered one as ancestor, before that is stored.
 *
 * Version 2 of the protocol is spoken where the pairing has a key for it, and never left for version 1 because of anything
 * that came over the network.
 */
#ifndef TRIVET_PHONE_SESSION_H
#define TRIVET_PHONE_SESSION_H

#include "phone/folder.h"

typedef struct {
    uint64_t connect_timeout; /* ms, until the WebSocket is open */
    uint64_t timeout;         /* ms, for all of it: a question may wait 60 s in each of three rounds */
    uint64_t stay; /* ms to stay connected after the sync, for the computer to ask for jots, from its last
                                 question on; without jots it goes at once, unless `always` */
    bool always;
    bool version_1; /* of the protocol, though the pairing could do version 2 */
    /* How this phone's user answers a question, where the protocol's version lets them: "phone" or "computer" to ties,
     * those or "both" to a large change. NULL: not at all. */
    const char *pick, *use;
} phone_session_options;

#define PHONE_SESSION_OPTIONS_INIT                                                                           \
    { 10000, 300000, 1500, false, false, NULL, NULL }

/* What the sync changed on the phone. */
typedef struct {
    int64_t since;              /* ms since 1970: when it was applied */
    trivet_merge_counts counts; /* added_from_computer: what is new on the phone, and so on (merge §9) */
    bool remerged;              /* an edit came in between answer and confirm */
} phone_session_result;

/*
 * Blocks until the sync ended. 0, or -1 and in `err` what to tell the user, with status 1 (the computer gave
 * up: nothing changed), 69 (unreachable, or the connection broke), 75 (another sync runs, or try again), 76
 * (the computer broke the protocol), 77 (the pairing is not accepted), or what the folder's functions give.
 */
int phone_session_run(phone_folder *folder, const phone_session_options *options,
                      phone_session_result *result, edit_error *err);

#endif
