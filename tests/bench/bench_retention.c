/*
 * bench_retention.c - what a year costs: edits and syncs by the store's own functions, a clock that is told the time, and
 * the pruning that the server would do each hour.
 *
 *   bench_retention [DAYS [ITEMS [SLOTS [EDITS_A_DAY [SYNCS_A_DAY]]]]]      default 365 1000 1 50 10
 *
 * Prints the database's size after each tenth of the time, the longest single step of pruning and, for comparison, the
 * longest commit, which waits for the same disk. Exit status 1 where it is 100 MB or more, or a step worked for 50 ms.
 */
#include "serve/commit.h"
#include "state/edit.h"
#include "store/device.h"
#include "store/prune.h"
#include "store/record.h"
#include "store/sql.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static const int64_t START = 1700000000000LL;
enum { MOST_MB = 100, MOST_STEP_MS = 50 };

static store *s;
static store_error err = STORE_ERROR_INIT;
static char folder[4096], device_id[DEVICE_ID_LEN + 1];
static uint64_t seed = 88172645463325252ULL;
static double longest_step, longest_commit; /* ms */
static double longest_work; /* the same of the processor's time, without waiting for disk and others */
static size_t steps;

static void must(int rc, const char *what) {
    if (rc == 0)
        return;
    fprintf(stderr, "%s: %d %s\n", what, rc, err.message);
    exit(2);
}

static uint64_t roll(uint64_t sides) {
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (seed >> 16) % sides;
}

static double ms_now(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static char *some_text(char out[static 200]) {
    static const char *const words[] = {"milk",  "bread",        "butter",      "call",       "the plumber",
                                        "about", "kitchen sink", "tickets",     "for Friday", "write to",
                                        "Anna",  "dentist",      "appointment", "new shoes"};
    out[0] = '\0';
    for (uint64_t i = 0, n = 1 + roll(6); i < n; i++)
        sprintf(out + strlen(out), "%s%s", i ? " " : "", words[roll(sizeof words / sizeof *words)]);
    sprintf(out + strlen(out), " %llu", (unsigned long long)roll(1000));
    return out;
}

static trivet_merge_state *head(void) {
    trivet_merge_state *state;
    store_name name;
    must(head_get(s, &name, &err), "head_get");
    must(snapshot_read(s, &name, &state, &err), "snapshot_read");
    return state;
}

/* `sync`: the edit came from a phone, and a record is kept of that. */
static void commit(const trivet_merge_state *before, const trivet_merge_state *after, int64_t now,
                   bool sync) {
    history_line line = {.time = now, .cause = "edit"};
    record r = {.since_before = now, .time = now, .has_ancestor = true};
    double began = ms_now(CLOCK_MONOTONIC);
    must(store_begin(s, &err), "begin");
    must(commit_head(s, before, after, &line, &r.snapshot, &err), "commit_head");
    r.sent = r.snapshot;
    r.ancestor = line.before;
    if (sync)
        must(record_add(s, device_id, "Pixel", &r, &err), "record_add");
    must(store_commit(s, &err), "commit");
    double took = ms_now(CLOCK_MONOTONIC) - began;
    longest_commit = took > longest_commit ? took : longest_commit;
}

static void fill(size_t items, size_t slots) {
    trivet_merge_state *before = head(), *after = head();
    trivet_merge_item item;
    edit_error why = EDIT_ERROR_INIT;
    char text[200];
    for (size_t i = 0; i < items; i++)
        must(edit_add(after, TRIVET_MERGE_LISTS, i % slots, some_text(text), START - (int64_t)roll(1u << 30),
                      &item, &why),
             "edit_add");
    commit(before, after, START, false);
    trivet_merge_state_free(before);
    trivet_merge_state_free(after);
}

static void edit(int64_t now, bool sync) {
    trivet_merge_state *before = head(), *after = head();
    size_t slot = roll(trivet_merge_slot_count(after, TRIVET_MERGE_LISTS)),
           count = trivet_merge_item_count(after, TRIVET_MERGE_LISTS, slot);
    edit_error why = EDIT_ERROR_INIT;
    trivet_merge_item item;
    char text[200], id[257];
    trivet_merge_item_at(after, TRIVET_MERGE_LISTS, slot, roll(count), &item);
    snprintf(id, sizeof id, "%.*s", (int)item.id.len, item.id.data);
    if (roll(10) < 7)
        edit_text(after, id, some_text(text), now, &item, &why);
    else
        edit_done(after, id, !item.done, now, &item, &why);
    commit(before, after, now, sync);
    trivet_merge_state_free(before);
    trivet_merge_state_free(after);
}

static void keep_up(int64_t now) {
    prune_limits limits = PRUNE_LIMITS_INIT;
    prune *p = prune_new(&limits);
    int rc = 1;
    while (rc > 0) {
        double began = ms_now(CLOCK_MONOTONIC), work_began = ms_now(CLOCK_THREAD_CPUTIME_ID);
        rc = prune_step(p, s, now, &err);
        double took = ms_now(CLOCK_MONOTONIC) - began, work = ms_now(CLOCK_THREAD_CPUTIME_ID) - work_began;
        longest_work = work > longest_work ? work : longest_work;
        longest_step = took > longest_step ? took : longest_step;
        steps++;
    }
    prune_end(p, s);
    must(rc, "prune");
}

static double megabytes(void) {
    static const char *const files[] = {"trivet.db", "trivet.db-wal"};
    double sum = 0;
    struct stat st;
    char path[4200];
    for (int i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, files[i]);
        sum += stat(path, &st) == 0 ? (double)st.st_size : 0;
    }
    return sum / 1e6;
}

static int remove_entry(const char *path, const struct stat *st, int kind, struct FTW *ftw) {
    (void)st, (void)kind, (void)ftw;
    return remove(path);
}

static size_t argument(int argc, char **argv, int i, size_t usual) {
    return argc > i ? strtoul(argv[i], NULL, 10) : usual;
}

int main(int argc, char **argv) {
    size_t days = argument(argc, argv, 1, 365), items = argument(argc, argv, 2, 1000),
           slots = argument(argc, argv, 3, 1), edits = argument(argc, argv, 4, 50),
           syncs = argument(argc, argv, 5, 10);
    const char *tmp = getenv("TMPDIR");
    double most = 0;
    char secret[37];
    uint8_t k[32];
    device d;

    snprintf(folder, sizeof folder, "%s/trivet-year.XXXXXX", tmp && *tmp ? tmp : "/tmp");
    if (!mkdtemp(folder))
        return 2;
    must(store_open(folder, STORE_CREATE, &s, &err), "open");
    must(device_create(s, "phone", NULL, START, &d, secret, k, &err), "device");
    snprintf(device_id, sizeof device_id, "%s", d.id);
    fill(items, slots);
    printf("%zu days of %zu edits and %zu syncs, %zu items in %zu lists\n", days, edits, syncs, items, slots);
    for (size_t day = 0; day < days; day++) {
        int64_t morning = START + (int64_t)day * PRUNE_DAY_MS + 7 * 3600000LL, hour = 0;
        for (size_t i = 0; i < edits + syncs; i++) {
            int64_t now = morning + (int64_t)(i * (16 * 3600000LL / (edits + syncs)));
            edit(now, i % (edits + syncs) < syncs);
            if (now / 3600000 != hour)
                keep_up(now);
            hour = now / 3600000;
            most = megabytes() > most ? megabytes() : most;
        }
        if (days < 10 || (day + 1) % (days / 10) == 0)
            printf("day %3zu: %6.1f MB, at most %6.1f MB so far\n", day + 1, megabytes(), most);
        fflush(stdout);
    }
    printf("longest step of pruning, of %zu: %.1f ms, %.1f of the processor's; longest commit %.1f ms\n",
           steps, longest_step, longest_work, longest_commit);
    store_close(s);
    nftw(folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    return most < MOST_MB && longest_work < MOST_STEP_MS ? 0 : 1;
}
