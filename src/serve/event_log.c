/* One table says what is told of each kind of event, and how loudly. */
#include "serve/event_log.h"

#include "serve/peer_log.h"

#include <stdio.h>

struct form {
    bool
        told; /* or not: bytes and commits are no news, and some are told where they happen, with more to say */
    enum log_level level;
    const char *message; /* NULL: the name says it all */
    /* What these are called here; NULL: they are left out. */
    const char *word, *reason, *number, *count, *duration;
};

static const struct form forms[EVENT_KINDS] = {
    [EVENT_CONNECTION_OPENED] = {true, LOG_DEBUG, NULL, NULL, NULL, NULL, NULL, NULL},
    [EVENT_CONNECTION_CLOSED] = {true, LOG_INFO, "disconnected", NULL, NULL, "code", NULL, "duration_ms"},
    [EVENT_CONNECTION_REFUSED] = {true, LOG_INFO, "refused: ", "reason", NULL, NULL, NULL, NULL},
    [EVENT_PHONE_CONNECTED] = {true, LOG_INFO, "connected", NULL, NULL, NULL, NULL, NULL},
    [EVENT_PHONE_NEW_NAME] =
        {true, LOG_WARNING, "another phone uses this pairing's code; pair each phone with a code of its own",
         NULL, NULL, NULL, NULL, NULL},
    [EVENT_PHONE_NEW_NETWORK] = {true, LOG_INFO, "seen from another network", NULL, "before", NULL, NULL,
                                 NULL},
    [EVENT_WRONG_SECRET] = {true, LOG_WARNING, "wrong pairing secret", NULL, NULL, "protocol", "in_a_row",
                            "answered_in_ms"},
    [EVENT_WRONG_SECRETS] = {true, LOG_WARNING, "somebody tries secret after secret", NULL, NULL, NULL,
                             "in_a_row", NULL},
    [EVENT_SYNC_STARTED] = {true, LOG_DEBUG, NULL, NULL, NULL, NULL, NULL, NULL},
    [EVENT_SYNC_ENDED] = {true, LOG_INFO, NULL, "outcome", NULL, NULL, NULL, "duration_ms"},
    [EVENT_QUESTION_OPENED] = {true, LOG_INFO, "a question waits for an answer: see trivet pending", "kind",
                               NULL, "question", NULL, "time_ms"},
    [EVENT_QUESTION_ANSWERED] = {true, LOG_INFO, NULL, "by", "kind", "question", NULL, NULL},
    [EVENT_CODE_MADE] = {true, LOG_INFO, NULL, NULL, NULL, NULL, NULL, NULL},
    [EVENT_DEVICE_REVOKED] = {true, LOG_INFO, NULL, NULL, NULL, NULL, NULL, NULL},
};

struct fields {
    log_field list[LOG_FIELDS_MAX];
    size_t count;
};

static void add_text(struct fields *f, const char *key, const char *value) {
    if (key && value[0])
        f->list[f->count++] = LOG_TEXT(key, value);
}

static void add_number(struct fields *f, const char *key, int64_t value, bool always) {
    if (key && (value != 0 || always))
        f->list[f->count++] = LOG_NUMBER(key, value);
}

static void add_counts(struct fields *f, const trivet_merge_counts *n) {
    const struct {
        const char *key;
        size_t value;
    } counts[] = {{"from_phone", n->added_from_phone},
                  {"from_computer", n->added_from_computer},
                  {"edited", n->edited_field},
                  {"most_recent", n->edited_lww},
                  {"deleted", n->tombstoned},
                  {"removed", n->removed},
                  {"restored", n->restored},
                  {"moved", n->moved},
                  {"ties", n->ties}};

    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++)
        add_number(f, counts[i].key, (int64_t)counts[i].value, true);
}

/* A connection that never was a known phone's is told when it is refused, not when it goes. */
static enum log_level level_of(const server_event *e) {
    return e->kind == EVENT_CONNECTION_CLOSED && !e->device[0] ? LOG_DEBUG : forms[e->kind].level;
}

static void on_event(void *owner, const server_event *e) {
    const struct form *form = (unsigned)e->kind < EVENT_KINDS ? &forms[e->kind] : NULL;
    struct fields f = {.count = 0};
    char message[640];

    if (!form || !form->told)
        return;
    if (form->message) {
        bool with_reason = e->kind == EVENT_CONNECTION_REFUSED;
        snprintf(message, sizeof message, "%s%s", form->message, with_reason ? e->reason : "");
        add_text(&f, "msg", message);
    }
    add_text(&f, "device", e->device);
    add_text(&f, "name", e->name);
    add_text(&f, "address", e->address);
    add_text(&f, form->word, e->word);
    add_text(&f, form->reason, e->reason);
    add_number(&f, form->number, e->number, false);
    add_number(&f, form->count, (int64_t)e->count, true);
    add_number(&f, form->duration, e->duration, true);
    if (e->counts)
        add_counts(&f, e->counts);
    if (e->first)
        f.list[f.count++] = LOG_TRUTH("first", true);
    peer_log_fields(owner, level_of(e), event_name(e->kind), e->device[0] ? e->device : NULL,
                    e->name[0] ? e->name : e->address, f.list, f.count);
}

void event_log_start(host *h) {
    event_listen(h, on_event, h);
}
