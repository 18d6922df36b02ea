/* A short list, called in the order in which it was made. */
#include "serve/event.h"

#include "serve/host.h"

#include <assert.h>

void event_listen(struct host *h, event_fn *fn, void *owner) {
    event_listeners *list = &h->events;

    assert(list->count < EVENT_LISTENERS);
    list->listeners[list->count].fn = fn;
    list->listeners[list->count++].owner = owner;
}

static void fill(const char **text) {
    if (!*text)
        *text = "";
}

void event_emit(struct host *h, const server_event *e) {
    const event_listeners *list = &h->events;
    server_event whole = *e;

    fill(&whole.device);
    fill(&whole.name);
    fill(&whole.address);
    fill(&whole.word);
    fill(&whole.reason);
    if (whole.time == 0)
        whole.time = wall_clock();
    for (size_t i = 0; i < list->count; i++)
        list->listeners[i].fn(list->listeners[i].owner, &whole);
}

void event_store_error(struct host *h, const store_error *err) {
    const char *word = err->code == STORE_LOCKED    ? "locked"
                       : err->code == STORE_DENIED  ? "denied"
                       : err->code == STORE_FULL    ? "full"
                       : err->code == STORE_DAMAGED ? "damaged"
                                                    : "failed";

    event_emit(h, &(server_event){.kind = EVENT_STORE_ERROR, .word = word, .reason = err->message});
}

const char *event_name(event_kind kind) {
    static const char *const names[EVENT_KINDS] = {
        [EVENT_CONNECTION_OPENED] = "connection_opened",
        [EVENT_CONNECTION_CLOSED] = "connection_closed",
        [EVENT_CONNECTION_REFUSED] = "connection_refused",
        [EVENT_PHONE_CONNECTED] = "phone_connected",
        [EVENT_PHONE_NEW_NAME] = "phone_new_name",
        [EVENT_PHONE_NEW_NETWORK] = "phone_new_network",
        [EVENT_WRONG_SECRET] = "wrong_secret",
        [EVENT_WRONG_SECRETS] = "wrong_secrets",
        [EVENT_MESSAGE_REFUSED] = "message_refused",
        [EVENT_MESSAGE_IGNORED] = "message_ignored",
        [EVENT_SYNC_STARTED] = "sync_started",
        [EVENT_SYNC_ENDED] = "sync_ended",
        [EVENT_QUESTION_OPENED] = "question_opened",
        [EVENT_QUESTION_ANSWERED] = "question_answered",
        [EVENT_CODE_MADE] = "code_made",
        [EVENT_DEVICE_REVOKED] = "device_revoked",
        [EVENT_RECEIVED] = "received",
        [EVENT_SENT] = "sent",
        [EVENT_COMMIT] = "commit",
        [EVENT_FILE_STORED] = "file_stored",
        [EVENT_FILE_FAILED] = "file_failed",
        [EVENT_STORE_ERROR] = "store_error",
    };

    return (unsigned)kind < EVENT_KINDS ? names[kind] : "unknown";
}
