/*
 * Counters by event, and a copy of what the store said last.
 *
 * The copy's life:   commit --> stale --(1 s, and asked for lately, or asked for now)--> being read --> fresh
 */
#include "serve/metrics.h"

#include "serve/connection.h"
#include "serve/exposition.h"
#include "serve/sync.h"
#include "store/device.h"
#include "store/snapshot.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

enum {
    REFRESH_PAUSE_MS = 1000,         /* at least, between two looks into the store */
    ASKED_LATELY_MS = 5 * 60 * 1000, /* somebody reads the metrics regularly */
    REFRESH_AGE_MS = 60 * 1000,      /* the disk fills without an event of ours */
    MAX_WORDS = 12,
    MAX_DEVICES = 1000
};

/* ---- counters by word ---- */

enum family {
    SYNCS,
    REFUSED,
    CLOSED,
    MESSAGES_REFUSED,
    MESSAGES_IGNORED,
    QUESTIONS,
    ANSWERS,
    COMMITS,
    FILES,
    STORE_ERRORS
};
enum { FAMILIES = STORE_ERRORS + 1 };

/* What is in none of a family's words is counted as "other". */
static const struct {
    const char *name, *label, *help;
    const char *words[MAX_WORDS];
} families[FAMILIES] = {
    [SYNCS] = {"trivet_syncs_total",
               "outcome",
               "Syncs that ended, by how.",
               {"synced", "unchanged", "cancelled", "unanswered", "refused", "restless", "failed", "timeout",
                "gone"}},
    [REFUSED] = {"trivet_connections_refused_total",
                 "reason",
                 "Connections and requests that were refused.",
                 {"address", "host", "origin", "request", "time-out", "crowded", "failed"}},
    [CLOSED] = {"trivet_connections_closed_total",
                "code",
                "WebSocket connections that ended, by close code.",
                {"1000", "1001", "1006", "1009", "4001", "4002", "4003", "4004", "4005", "4009", "4010"}},
    [MESSAGES_REFUSED] =
        {"trivet_messages_refused_total",
         "reason",
         "Messages of phones that were refused: no JSON, not of the right form, or out of turn.",
         {"json", "form", "turn"}},
    [MESSAGES_IGNORED] = {"trivet_messages_ignored_total",
                          "type",
                          "Messages of phones that were ignored: of unknown type, or answers to no question.",
                          {"unknown", "state_sync", "sync_cancel"}},
    [QUESTIONS] = {"trivet_questions_total", "kind", "Questions that were asked.", {"tie", "large_change"}},
    [ANSWERS] = {"trivet_questions_answered_total",
                 "how",
                 "Questions that are settled, by how; those by policy were never open.",
                 {"person", "policy", "phone", "cancelled", "timeout", "gone"}},
    [COMMITS] = {"trivet_commits_total",
                 "cause",
                 "Changes written to the store, by what made them.",
                 {"sync", "edit"}},
    [FILES] = {"trivet_jot_files_total",
               "outcome",
               "Files of jots that came, or did not.",
               {"stored", "failed"}},
    [STORE_ERRORS] = {"trivet_store_errors_total",
                      "kind",
                      "Errors of the database.",
                      {"locked", "denied", "full", "damaged", "failed"}},
};

/* ---- what the store said ---- */

struct device_time {
    char id[DEVICE_ID_LEN + 1];
    int64_t last_sync; /* ms since 1970; 0: never */
};

struct stored {
    bool known;
    size_t lists, locked_lists, devices;
    uint64_t database, available; /* bytes */
    struct device_time *times;    /* of those in use, oldest pairing first */
    size_t time_count;
};

struct refresh {
    worker_job job;
    metrics *metrics;
    store *store;
    struct stored stored;
    bool failed;
};

struct metrics {
    host *host;
    int64_t started; /* ms since 1970 */
    uint64_t counts[FAMILIES][MAX_WORDS + 1];
    uint64_t opened, accepted, wrong_secrets, wrong_secret_rows, received, sent, stored_bytes;
    size_t connections;
    exposition_histogram durations;
    struct stored stored;
    uv_timer_t timer;
    uint64_t asked, refreshed; /* uv_now() of the last time; 0: never */
    bool stale, reading, closed;
};

/* ---- reading the store, on the worker ---- */

static size_t live_items(const trivet_merge_state *state, trivet_merge_section section) {
    size_t count = 0;
    trivet_merge_item item;

    for (size_t slot = 0; slot < trivet_merge_slot_count(state, section); slot++)
        for (size_t i = 0; trivet_merge_item_at(state, section, slot, i, &item) && !item.deleted; i++)
            count++;
    return count;
}

static int read_items(store *s, struct stored *out, store_error *err) {
    trivet_merge_error why = TRIVET_MERGE_ERROR_INIT;
    trivet_merge_state *state = NULL;
    char *document = NULL;
    store_name head;
    size_t len;
    int rc = head_get(s, &head, err);

    if (rc == 0)
        rc = snapshot_get(s, &head, &document, &len, err);
    if (rc == 0 && trivet_merge_state_read(document, len, TRIVET_MERGE_COMPUTER, &state, &why) != 0)
        rc = STORE_DAMAGED;
    if (rc == 0) {
        out->lists = live_items(state, TRIVET_MERGE_LISTS);
        out->locked_lists = live_items(state, TRIVET_MERGE_LOCKED_LISTS);
    }
    trivet_merge_state_free(state);
    free(document);
    return rc;
}

static int read_devices(store *s, struct stored *out, store_error *err) {
    device *list = NULL;
    size_t count = 0;
    int rc = device_list(s, &list, &count, err);

    out->times = rc == 0 && count > 0 ? calloc(count, sizeof *out->times) : NULL;
    for (size_t i = 0; i < count; i++) {
        if (list[i].revoked_at != 0 || list[i].lapses_at != 0)
            continue;
        out->devices++;
        if (!out->times || out->time_count == MAX_DEVICES)
            continue;
        struct device_time *t = &out->times[out->time_count++];
        memcpy(t->id, list[i].id, sizeof t->id);
        t->last_sync = list[i].last_sync_at;
    }
    free(list);
    return rc;
}

static uint64_t file_size(const char *folder, const char *name) {
    char path[4096];
    struct stat status;
    int len = snprintf(path, sizeof path, "%s/%s", folder, name);

    return len > 0 && (size_t)len < sizeof path && stat(path, &status) == 0 ? (uint64_t)status.st_size : 0;
}

static void run_refresh(worker_job *job) {
    struct refresh *r = (struct refresh *)job;
    const char *folder = store_folder(r->store);
    store_error err = STORE_ERROR_INIT;
    struct statvfs disk;

    r->failed = read_items(r->store, &r->stored, &err) != 0 || read_devices(r->store, &r->stored, &err) != 0;
    r->stored.database = file_size(folder, "trivet.db") + file_size(folder, "trivet.db-wal") +
                         file_size(folder, "trivet.db-shm");
    if (statvfs(folder, &disk) == 0)
        r->stored.available = (uint64_t)disk.f_bavail * disk.f_frsize;
    r->stored.known = true;
#ifdef __GLIBC__
    malloc_trim(0); /* the state that was counted may be large */
#endif
}

/* ---- when, on the loop ---- */

static void on_timer(uv_timer_t *timer);

static void refresh_soon(metrics *m) {
    uint64_t now = uv_now(m->host->loop);

    if (m->closed || m->reading || !m->stale || m->asked == 0 || now - m->asked > ASKED_LATELY_MS ||
        uv_is_active((uv_handle_t *)&m->timer))
        return;
    uint64_t next = m->refreshed + REFRESH_PAUSE_MS;
    uv_timer_start(&m->timer, on_timer, next > now ? next - now : 0, 0);
}

static void done_refresh(worker_job *job) {
    struct refresh *r = (struct refresh *)job;
    metrics *m = r->metrics;

    m->reading = false;
    m->refreshed = uv_now(m->host->loop);
    if (r->failed) {
        free(r->stored.times);
    } else {
        free(m->stored.times);
        m->stored = r->stored;
    }
    free(r);
    refresh_soon(m);
}

static void on_timer(uv_timer_t *timer) {
    metrics *m = timer->data;
    struct refresh *r = m->reading ? NULL : calloc(1, sizeof *r);

    if (!r) /* the next event tries again */
        return;
    *r = (struct refresh){.job = {run_refresh, done_refresh, NULL}, .metrics = m, .store = m->host->store};
    m->reading = true;
    m->stale = false;
    worker_submit(m->host->worker, &r->job);
}

static void changed(metrics *m) {
    m->stale = true;
    refresh_soon(m);
}

/* ---- events ---- */

static void count(metrics *m, enum family family, const char *word) {
    size_t i = 0;

    while (i < MAX_WORDS && families[family].words[i] && strcmp(families[family].words[i], word) != 0)
        i++;
    m->counts[family][i < MAX_WORDS && families[family].words[i] ? i : MAX_WORDS]++;
}

static void count_code(metrics *m, int64_t code) {
    char word[24];

    snprintf(word, sizeof word, "%lld", (long long)code);
    count(m, CLOSED, word);
}

/* The parsers' reasons (proto/) by kind. */
static const char *refusal_kind(const char *reason) {
    static const struct {
        const char *start, *kind;
    } kinds[] = {
        {"no JSON", "json"},         {"a repeated key", "json"},     {"nested too deeply", "json"},
        {"too many values", "json"}, {"a number too large", "json"}, {"goes only the other way", "turn"},
        {"comes once", "turn"},      {"is another", "turn"}};

    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strncmp(reason, kinds[i].start, strlen(kinds[i].start)) == 0)
            return kinds[i].kind;
    return "form";
}

static void sync_ended(metrics *m, const server_event *e) {
    count(m, SYNCS, e->word);
    if (!e->counts)
        return;
    exposition_observe(&m->durations, (double)e->duration / 1e3);
    for (size_t i = 0; i < m->stored.time_count; i++)
        if (strcmp(m->stored.times[i].id, e->device) == 0)
            m->stored.times[i].last_sync = e->time;
    changed(m);
}

static void on_event(void *owner, const server_event *e) {
    metrics *m = owner;

    switch (e->kind) {
    case EVENT_CONNECTION_OPENED:
        m->opened++;
        m->connections++;
        break;
    case EVENT_CONNECTION_CLOSED:
        m->connections--;
        count_code(m, e->number);
        break;
    case EVENT_CONNECTION_REFUSED:
        count(m, REFUSED, e->word);
        break;
    case EVENT_PHONE_CONNECTED:
        m->accepted++;
        if (e->first)
            changed(m);
        break;
    case EVENT_WRONG_SECRET:
        m->wrong_secrets++;
        break;
    case EVENT_WRONG_SECRETS:
        m->wrong_secret_rows++;
        break;
    case EVENT_MESSAGE_REFUSED:
        count(m, MESSAGES_REFUSED, refusal_kind(e->reason));
        break;
    case EVENT_MESSAGE_IGNORED:
        count(m, MESSAGES_IGNORED, e->word);
        break;
    case EVENT_SYNC_ENDED:
        sync_ended(m, e);
        break;
    case EVENT_QUESTION_OPENED:
        count(m, QUESTIONS, e->word);
        break;
    case EVENT_QUESTION_ANSWERED:
        count(m, ANSWERS, e->word);
        break;
    case EVENT_RECEIVED:
        m->received += e->bytes;
        break;
    case EVENT_SENT:
        m->sent += e->bytes;
        break;
    case EVENT_COMMIT:
        count(m, COMMITS, e->word);
        changed(m);
        break;
    case EVENT_FILE_STORED:
        count(m, FILES, "stored");
        m->stored_bytes += e->bytes;
        break;
    case EVENT_FILE_FAILED:
        count(m, FILES, "failed");
        break;
    case EVENT_STORE_ERROR:
        count(m, STORE_ERRORS, e->word);
        break;
    default:
        break;
    }
}

/* ---- the text ---- */

static void write_family(FILE *out, const metrics *m, enum family family) {
    const char *name = families[family].name, *label = families[family].label;

    exposition_family(out, name, "counter", families[family].help);
    for (size_t i = 0; i < MAX_WORDS && families[family].words[i]; i++)
        exposition_sample(out, name, label, families[family].words[i], (double)m->counts[family][i]);
    if (m->counts[family][MAX_WORDS] > 0)
        exposition_sample(out, name, label, "other", (double)m->counts[family][MAX_WORDS]);
}

static void write_connections(FILE *out, const metrics *m) {
    size_t connected = 0, questions = 0, syncs = 0;
    const char *kind;

    for (const connection *c = m->host->connections; c; c = connection_next(c)) {
        connected += connection_device(c) != NULL;
        syncs += connection_sync(c) != NULL;
        questions += connection_sync(c) && sync_question(connection_sync(c), &kind) != 0;
    }
    exposition_single(out, "trivet_connections", "gauge", "Open WebSocket connections.",
                      (double)m->connections);
    exposition_single(out, "trivet_devices_connected", "gauge",
                      "Phones that are connected and have shown their secret.", (double)connected);
    exposition_single(out, "trivet_syncs_running", "gauge", "Syncs under way.", (double)syncs);
    exposition_single(out, "trivet_questions_open", "gauge", "Questions that wait for an answer.",
                      (double)questions);
    exposition_single(out, "trivet_connections_opened_total", "counter",
                      "WebSocket connections that were opened.", (double)m->opened);
    exposition_single(out, "trivet_connections_accepted_total", "counter",
                      "Connections that showed a right secret.", (double)m->accepted);
    exposition_single(out, "trivet_wrong_secrets_total", "counter",
                      "Wrong pairing secrets, in version 2 keys.", (double)m->wrong_secrets);
    exposition_single(out, "trivet_wrong_secret_rows_total", "counter",
                      "How often one address showed several wrong secrets in a row.",
                      (double)m->wrong_secret_rows);
    exposition_single(out, "trivet_jot_bytes_total", "counter", "Bytes of files of jots that came.",
                      (double)m->stored_bytes);
    exposition_single(out, "trivet_received_bytes_total", "counter", "Bytes of messages from phones.",
                      (double)m->received);
    exposition_single(out, "trivet_sent_bytes_total", "counter", "Bytes of messages to phones.",
                      (double)m->sent);
}

static void write_stored(FILE *out, const struct stored *s) {
    if (!s->known)
        return;
    exposition_family(out, "trivet_items", "gauge", "Items in the computer's lists.");
    exposition_sample(out, "trivet_items", "section", "lists", (double)s->lists);
    exposition_sample(out, "trivet_items", "section", "lockedLists", (double)s->locked_lists);
    exposition_single(out, "trivet_devices", "gauge", "Paired devices.", (double)s->devices);
    exposition_single(out, "trivet_database_size_bytes", "gauge", "Size of the database's files.",
                      (double)s->database);
    exposition_single(out, "trivet_disk_available_bytes", "gauge", "Space left for the data folder.",
                      (double)s->available);
    exposition_family(out, "trivet_device_last_sync_timestamp_seconds", "gauge",
                      "When a device last synced, since unix epoch in seconds; 0: never.");
    for (size_t i = 0; i < s->time_count; i++)
        exposition_sample(out, "trivet_device_last_sync_timestamp_seconds", "device", s->times[i].id,
                          (double)s->times[i].last_sync / 1e3);
}

char *metrics_text(metrics *m, size_t *len) {
    uint64_t now = uv_now(m->host->loop);
    char *text = NULL;
    FILE *out = open_memstream(&text, len);

    m->asked = now;
    if (now - m->refreshed >= REFRESH_AGE_MS)
        m->stale = true;
    refresh_soon(m);
    if (!out)
        return NULL;
    exposition_family(out, "trivet_build_info", "gauge", "The program's version.");
    exposition_sample(out, "trivet_build_info", "version", TRIVET_VERSION, 1);
    for (int i = 0; i < FAMILIES; i++)
        write_family(out, m, (enum family)i);
    exposition_duration(out, "trivet_sync_duration_seconds",
                        "How long syncs took that were committed, answering questions included.",
                        &m->durations);
    write_connections(out, m);
    write_stored(out, &m->stored);
    exposition_process(out, m->started);
    bool failed = ferror(out);
    if (fclose(out) == 0 && !failed)
        return text;
    free(text);
    return NULL;
}

/* ---- life ---- */

metrics *metrics_new(host *h, int64_t started) {
    metrics *m = calloc(1, sizeof *m);

    if (!m)
        return NULL;
    m->host = h;
    m->started = started;
    m->stale = true;
    uv_timer_init(h->loop, &m->timer);
    m->timer.data = m;
    event_listen(h, on_event, m);
    return m;
}

void metrics_close(metrics *m) {
    if (m->closed)
        return;
    m->closed = true;
    uv_close((uv_handle_t *)&m->timer, NULL);
}

void metrics_free(metrics *m) {
    if (!m)
        return;
    free(m->stored.times);
    free(m);
}
