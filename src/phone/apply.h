/*
 * apply.h - what a sync's confirm makes of the phone (protocol §4): the confirmed state, or that with the edits that came in
 * since the last answer merged over it, is stored under a new `since`.
 */
#ifndef TRIVET_PHONE_APPLY_H
#define TRIVET_PHONE_APPLY_H

#include "phone/session.h"

/* The phone's last answer in this sync, and who got it; borrowed. */
typedef struct {
    const char *state; /* canonical JSON text; NULL: there was none */
    size_t len;
    const char *peer; /* for messages */
} phone_answered;

/*
 * Locks the folder for it. 0 once the folder holds it for good, and `result` tells what changed; or -1 and in `err` what to tell
 * the user: status 71 (out of memory), 75 (sync again), 76 (the computer broke the protocol), or what the folder's functions give.
 */
int phone_apply(phone_folder *folder, const trivet_proto_message *confirm, const phone_answered *last,
                phone_session_result *result, edit_error *err);

#endif
