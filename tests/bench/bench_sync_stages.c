/*
 * What each stage of a sync costs (protocol §4): 1,000 items, an edit on either side before each sync, both rounds of it.
 *
 *     build/bench/bench_sync_stages [SYNCS]
 *
 * The same code as in the server, called in the same order in one process: both machines of the protocol, the reconciling
 * and a real store, without sockets and event loop. Medians in ms, and each stage's part of the whole.
 */
#include "serve/commit.h"
#include "serve/reconcile.h"
#include "state/edit.h"
#include "store/device.h"
#include "store/snapshot.h"

#include <ftw.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <trivet_proto.h>

enum stage { OWN, SEAL, OPEN, MERGE, COMMIT, STAGES };

static const char *const names[STAGES] = {
    "read and write the computer's state",      "seal what is sent: two states and the confirm",
    "open what comes: the phone's two answers", "ancestor, guard, merge, proposal",
    "compare the second answer and commit",
};

enum { ITEMS = 1000, WARM_UP = 10, MAX_SYNCS = 10000 };

static double samples[STAGES + 1][MAX_SYNCS];
static double spent[STAGES];

static double now_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void must(bool fine, const char *what) {
    if (fine)
        return;
    fprintf(stderr, "bench_sync_stages: %s\n", what);
    exit(1);
}

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values, size_t count) {
    qsort(values, count, sizeof *values, ascending);
    return values[count / 2];
}

/* ---- the two ends, with no network in between ---- */

static trivet_proto_computer *computer;
static trivet_proto_phone *phone;

/* Carries what one end has to say to the other; the computer's part of the work is timed. */
static void carry(void) {
    trivet_proto_output out;
    bool more = true;

    while (more) {
        more = false;
        for (;;) {
            double t = now_ms();
            if (!trivet_proto_computer_output(computer, &out))
                break;
            spent[SEAL] += now_ms() - t;
            must(!out.close, "the computer closed");
            trivet_proto_phone_receive(phone, out.binary, out.data, out.len, 0);
            trivet_proto_output_release(&out);
            more = true;
        }
        while (trivet_proto_phone_output(phone, &out)) {
            double t = now_ms();
            trivet_proto_computer_receive(computer, out.binary, out.data, out.len, 0);
            spent[OPEN] += now_ms() - t;
            trivet_proto_output_release(&out);
            more = true;
        }
    }
}

static trivet_proto_event expect(bool at_phone, trivet_proto_event_kind kind) {
    trivet_proto_event event;
    for (;;) {
        bool any = at_phone ? trivet_proto_phone_event(phone, &event)
                            : trivet_proto_computer_event(computer, &event);
        must(any, "an event did not come");
        if (event.kind == kind)
            return event;
        trivet_proto_event_release(&event);
    }
}

static void connect_both(void) {
    trivet_proto_computer_options c = TRIVET_PROTO_COMPUTER_OPTIONS_INIT;
    trivet_proto_phone_options p = TRIVET_PROTO_PHONE_OPTIONS_INIT;

    p.secret = "2f1c3f9e-0000-4000-8000-000000000000";
    p.device_id = "bench";
    c.rate = c.burst = 1e9; /* time stands still here */
    must((computer = trivet_proto_computer_new(&c, 0)) && (phone = trivet_proto_phone_new(&p, 0)),
         "out of memory");
    carry();
    trivet_proto_event event = expect(false, TRIVET_PROTO_EVENT_HANDSHAKE);
    trivet_proto_event_release(&event);
    trivet_proto_computer_accept(computer, 0);
}

/* ---- the phone's state and the store ---- */

static store *s;
static trivet_merge_state *held; /* what the phone holds */
static int64_t since, clock_now = 1700000000000;

static void fill(trivet_merge_state *state) {
    edit_error err = EDIT_ERROR_INIT;
    trivet_merge_item item;
    char text[160];

    for (int i = 0; i < ITEMS; i++) {
        snprintf(text, sizeof text, "item %d: call the plumber about the kitchen sink, café", i);
        trivet_merge_section section = i % 12 < 6 ? TRIVET_MERGE_LISTS : TRIVET_MERGE_LOCKED_LISTS;
        must(edit_add(state, section, (size_t)(i % 6), text, clock_now + i, &item, &err) == 0, err.message);
    }
    must(trivet_merge_pad(state, NULL, 6) == 0, "pad");
}

static trivet_merge_state *read_state(char *json, size_t len) {
    trivet_merge_error err = TRIVET_MERGE_ERROR_INIT;
    trivet_merge_state *state;
    must(trivet_merge_state_read_steal(json, len, TRIVET_MERGE_PHONE, &state, &err) == 0, err.reason);
    return state;
}

static void edit_computer(int n) {
    store_error err = STORE_ERROR_INIT;
    edit_error edit_err = EDIT_ERROR_INIT;
    history_line line = {.time = clock_now, .cause = "edit", .counts = "{}"};
    trivet_merge_state *before, *after;
    trivet_merge_item item;
    store_name name;
    char text[64];

    must(head_get(s, &name, &err) == 0 && snapshot_read(s, &name, &before, &err) == 0 &&
             snapshot_read(s, &name, &after, &err) == 0,
         err.message);
    snprintf(text, sizeof text, "from the computer %d", n);
    must(edit_add(after, TRIVET_MERGE_LISTS, (size_t)(n % 6), text, clock_now, &item, &edit_err) == 0,
         edit_err.message);
    must(store_begin(s, &err) == 0 && commit_head(s, before, after, &line, &name, &err) == 0 &&
             store_commit(s, &err) == 0,
         err.message);
    trivet_merge_state_free(before);
    trivet_merge_state_free(after);
}

static void edit_phone(int n) {
    edit_error err = EDIT_ERROR_INIT;
    trivet_merge_item item;
    char text[64];

    snprintf(text, sizeof text, "from the phone %d", n);
    must(edit_add(held, TRIVET_MERGE_LISTS, (size_t)(n % 6), text, clock_now, &item, &err) == 0, err.message);
}

/* ---- one sync ---- */

static trivet_proto_event phone_answers(void) {
    trivet_proto_event wanted = expect(true, TRIVET_PROTO_EVENT_STATE_WANTED);
    char *json;
    size_t len;

    trivet_proto_event_release(&wanted);
    must(trivet_merge_state_write(held, &json, &len) == 0, "write");
    trivet_proto_phone_answer(phone, json, len, since);
    free(json);
    carry();
    return expect(false, TRIVET_PROTO_EVENT_STATE);
}

static void one_sync(const char *device_id) {
    reconcile_settings settings = RECONCILE_SETTINGS_INIT;
    store_error err = STORE_ERROR_INIT;
    char *json;
    size_t len;
    double t = now_ms();

    reconcile *r = reconcile_new(s, device_id, "bench", &settings);
    must(r && reconcile_own_state(r, &json, &len, &err) == 0, err.message);
    spent[OWN] += now_ms() - t;
    t = now_ms();
    trivet_proto_computer_start(computer, json, len, 0, 0);
    spent[SEAL] += now_ms() - t;
    free(json);
    carry();

    trivet_proto_event answer = phone_answers();
    t = now_ms();
    reconcile_outcome outcome =
        reconcile_answer(r, answer.message.state, answer.message.state_len, since, clock_now);
    spent[MERGE] += now_ms() - t;
    answer.message.state = NULL;
    trivet_proto_event_release(&answer);
    must(outcome == RECONCILE_PROPOSE, "no second round");
    const char *merged = reconcile_document(r, &len);
    t = now_ms();
    trivet_proto_computer_propose(computer, merged, len, 0, 0);
    spent[SEAL] += now_ms() - t;
    carry();

    answer = phone_answers();
    t = now_ms();
    outcome = reconcile_answer(r, answer.message.state, answer.message.state_len, since, clock_now);
    spent[COMMIT] += now_ms() - t;
    answer.message.state = NULL;
    trivet_proto_event_release(&answer);
    must(outcome == RECONCILE_APPLY, "not committed");
    merged = reconcile_document(r, &len);
    t = now_ms();
    trivet_proto_computer_confirm(computer, TRIVET_PROTO_DESKTOP_WINS, merged, len, clock_now);
    spent[SEAL] += now_ms() - t;
    carry();
    reconcile_free(r);

    trivet_proto_event confirmed = expect(true, TRIVET_PROTO_EVENT_CONFIRMED);
    trivet_merge_state_free(held);
    held = read_state(confirmed.message.state, confirmed.message.state_len);
    confirmed.message.state = NULL;
    trivet_proto_event_release(&confirmed);
    since = ++clock_now;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw) {
    (void)st, (void)kind, (void)ftw;
    return remove(path);
}

int main(int argc, char **argv) {
    size_t syncs = argc > 1 ? strtoul(argv[1], NULL, 10) : 200;
    char folder[] = "/tmp/trivet-bench-XXXXXX", secret[37];
    store_error err = STORE_ERROR_INIT;
    uint8_t k[32];
    device d;

    must(syncs > 0 && syncs <= MAX_SYNCS && sodium_init() >= 0 && mkdtemp(folder), "cannot start");
    must(store_open(folder, STORE_CREATE, &s, &err) == 0 &&
             device_create(s, NULL, NULL, 1, &d, secret, k, &err) == 0,
         err.message);
    store_remember(s); /* as the server does */
    must(trivet_merge_state_new(&held) == 0, "out of memory");
    fill(held);
    connect_both();
    for (size_t i = 0; i < WARM_UP + syncs; i++) {
        double whole = 0;
        edit_computer((int)i);
        edit_phone((int)i);
        memset(spent, 0, sizeof spent);
        one_sync(d.id);
        for (int k2 = 0; i >= WARM_UP && k2 < STAGES; k2++) {
            samples[k2][i - WARM_UP] = spent[k2];
            whole += spent[k2];
        }
        if (i >= WARM_UP)
            samples[STAGES][i - WARM_UP] = whole;
    }
    double whole = median(samples[STAGES], syncs);
    printf("the server's part of a sync of %d items, both rounds, %zu syncs\n", ITEMS, syncs);
    for (int k2 = 0; k2 < STAGES; k2++) {
        double m = median(samples[k2], syncs);
        printf("  %-46s %7.3f ms  %3.0f%%\n", names[k2], m, 100 * m / whole);
    }
    printf("  %-46s %7.3f ms\n", "all", whole);
    trivet_proto_computer_free(computer);
    trivet_proto_phone_free(phone);
    trivet_merge_state_free(held);
    store_close(s);
    nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    return 0;
}
