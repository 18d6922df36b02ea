/*
 * event.h - what happens in the server, told once where it happens to whoever wants to know: metrics, the
 * user's notification command, the log.
 *
 *     event_listen(h, on_event, owner);                          at start, before the first connection
 *     event_emit(h, &(server_event){.kind = EVENT_SYNC_ENDED, .device = id, .word = "synced", .duration = ms});
 *
 * All on the loop's thread: what happens on the worker is told by its job's `done`. A listener returns soon,
 * touches no store, and emits nothing itself; what it wants to keep it copies, for every pointer is borrowed
 * for the call. It never sees NULL strings: what does not apply is "" or 0.
 *
 * An event holds no content, no secret and no key (protocol §9): names of devices and addresses are the
 * most private things in it. `name` comes from a phone: whoever shows it escapes it (log_name()). `word` is
 * from a fixed set where the table says so, and then fit for a label; `reason` is text for people, in fixed
 * words too, but many.
 */
#ifndef TRIVET_SERVE_EVENT_H
#define TRIVET_SERVE_EVENT_H

#include "store/store.h"
#include <trivet_merge.h>

/*
 * What each kind fills in besides `device`, `name` and `address`, which stand wherever they are known.
 * Durations are in ms.
 */
typedef enum {
    EVENT_CONNECTION_OPENED,  /* a WebSocket; nobody knows yet whose */
    EVENT_CONNECTION_CLOSED,  /* number: the close code; duration: how long it was open */
    EVENT_CONNECTION_REFUSED, /* word: "address" "host" "origin" "request" "time-out" "crowded" "failed";
                                 reason */
    EVENT_PHONE_CONNECTED,    /* its secret was right. first: of this pairing, whose code is now used */
    EVENT_PHONE_NEW_NAME,     /* another phone uses this pairing's code; name: what it calls itself */
    EVENT_PHONE_NEW_NETWORK,  /* it was last seen in another one; reason: the address it had there */
    EVENT_WRONG_SECRET,       /* number: protocol; count: in a row; duration: until it is answered */
    EVENT_WRONG_SECRETS,      /* once for each row that reaches THROTTLE_MANY; count */
    EVENT_MESSAGE_REFUSED,    /* word: the message's type, "unknown" included; reason */
    EVENT_MESSAGE_IGNORED,    /* word: the same */
    EVENT_SYNC_STARTED,       /* */
    EVENT_SYNC_ENDED,         /* word: "synced" "unchanged", or why nothing was: "cancelled" "unanswered"
                                 "refused" "restless" "failed" "timeout" "gone"; duration; counts unless nothing was
                                 committed; first: of this device */
    EVENT_QUESTION_OPENED,    /* word: "tie" or "large_change"; number: its id; duration: time to answer it */
    EVENT_QUESTION_ANSWERED,  /* word: how: "person" "policy" "phone" "cancelled" "timeout" "gone"; number */
    EVENT_CODE_MADE,          /* a pairing code was made for `device` */
    EVENT_DEVICE_REVOKED,     /* */
    EVENT_RECEIVED,           /* bytes: of one message as it came; not told to the log or the hook */
    EVENT_SENT,               /* bytes: the same */
    EVENT_COMMIT,             /* the computer's state or its devices may have changed; word: "sync", "edit" */
    EVENT_FILE_STORED, /* a file of a jot is here. number: the jot; bytes; duration: since it was asked for */
    EVENT_FILE_FAILED, /* one did not come. reason; number: the jot, where it is known; duration */
    EVENT_STORE_ERROR, /* word: "locked" "denied" "full" "damaged" "failed"; reason */
    EVENT_KINDS        /* how many */
} event_kind;

typedef struct {
    event_kind kind;
    const char *device;  /* the pairing's id, 8 bytes; "": none, or not known */
    const char *name;    /* what the user called the device, else what the phone calls itself; to 256 bytes */
    const char *address; /* the peer's; to 63 bytes */
    const char *word;    /* to 63 bytes */
    const char *reason;  /* to 511 bytes */
    int64_t number;
    uint64_t count;
    int64_t duration; /* ms */
    uint64_t bytes;
    const trivet_merge_counts *counts; /* may be NULL */
    bool first;
    int64_t time; /* ms since 1970; filled in by event_emit where it is 0 */
} server_event;

typedef void event_fn(void *owner, const server_event *e);

enum { EVENT_LISTENERS = 4 };

/* In `host`; empty when zero. */
typedef struct {
    struct {
        event_fn *fn;
        void *owner;
    } listeners[EVENT_LISTENERS];
    size_t count;
} event_listeners;

struct host;

/* There is room for EVENT_LISTENERS; more are a programmer's mistake. */
void event_listen(struct host *h, event_fn *fn, void *owner);

void event_emit(struct host *h, const server_event *e);

/* An EVENT_STORE_ERROR for it. */
void event_store_error(struct host *h, const store_error *err);

/* "sync_ended", for JSON and logs. */
const char *event_name(event_kind kind);

#endif
