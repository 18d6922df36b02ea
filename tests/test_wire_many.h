/*
 * Many histories, in processes of their own: one that went wrong leaves everything as it was at that moment.
 */
#ifndef TEST_WIRE_MANY_H
#define TEST_WIRE_MANY_H

#include "test_sim_shrink.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

static void make_store(void);

/* Shared with the process that runs them. */
struct outcome {
    unsigned long seed; /* the one that runs, or went wrong */
    unsigned long done;
    bool fine;
    uint64_t hash; /* of all that happened in all of them */
    uint64_t syncs, questions, crashes, bytes, wires;
    unsigned long excused[REASONS];
    char trace[sizeof trace];
};

static void count_up(struct outcome *o) {
    o->done++;
    o->hash += world.hash * 0x9E3779B97F4A7C15u;
    o->syncs += computer.commits;
    o->questions += computer.questions;
    o->crashes += computer.crashes;
    o->bytes += net.bytes;
    for (int r = 0; r < REASONS; r++)
        o->excused[r] += (ledger.excused >> r) & 1;
}

static void run_here(unsigned long first, unsigned long runs, const struct omissions *without,
                     struct outcome *o) {
    bool shown = getenv("TRIVET_WIRE_TRACE") && memcmp(without, &(struct omissions){0}, sizeof *without) == 0;

    make_store();
    for (o->seed = first; o->seed < first + runs; o->seed++) {
        if (!run(o->seed, without)) {
            memcpy(o->trace, trace, sizeof trace);
            drop_folder();
            fflush(NULL);
            _exit(1);
        }
        count_up(o);
        if (shown)
            printf("# seed %lu, hash %016llx\n%s\n", o->seed, (unsigned long long)world.hash, trace);
    }
    drop_folder();
    o->fine = true;
}

/* In a process of its own. */
static void run_apart(unsigned long first, unsigned long runs, const struct omissions *without,
                      struct outcome *o) {
    int status = 0;

    memset(o, 0, sizeof *o);
    o->seed = first;
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        run_here(first, runs, without, o);
        exit(0); /* by way of a sanitizer's last look */
    }
    if (pid < 0 || waitpid(pid, &status, 0) != pid)
        abort();
    if (status != 0 && !o->trace[0])
        snprintf(o->trace, sizeof o->trace, "the process ended with status %d\n", status);
    o->fine = o->fine && status == 0;
}

static struct outcome *new_outcome(void) {
    void *o = mmap(NULL, sizeof(struct outcome), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (o == MAP_FAILED)
        abort();
    return o;
}

/* For shrink(), whose last run is left in the outcome. */
static const char *run_part_apart(uint64_t seed, const struct omissions *without, void *ctx) {
    struct outcome *o = ctx;
    run_apart(seed, 1, without, o);
    return o->fine ? NULL : o->trace;
}

static void add(struct outcome *to, const struct outcome *o) {
    to->done += o->done;
    to->hash += o->hash;
    to->syncs += o->syncs;
    to->questions += o->questions;
    to->crashes += o->crashes;
    to->bytes += o->bytes;
    for (int r = 0; r < REASONS; r++)
        to->excused[r] += o->excused[r];
}

/* A share of them; those that went wrong are told in `out`. Returns how many did. */
static unsigned long some(unsigned long first, unsigned long runs, struct outcome *sum, FILE *out) {
    struct outcome *o = new_outcome();
    unsigned long wrongs = 0, at = first;

    while (at < first + runs) {
        run_apart(at, first + runs - at, &(struct omissions){0}, o);
        add(sum, o);
        if (o->fine)
            break;
        at = o->seed;
        wrongs++;
        if (!getenv("TRIVET_WIRE_WHOLE"))
            shrink(at, o->trace, run_part_apart, o);
        fprintf(out, "# seed %lu\n%s\n", at++, o->trace);
        fflush(out);
    }
    munmap(o, sizeof *o);
    return wrongs;
}

/* The same seeds in another process, and after others: the very same bytes at the very same moments. */
static bool same_again(unsigned long first) {
    struct outcome *once = new_outcome(), *again = new_outcome();
    bool same = true;

    run_apart(first, 4, &(struct omissions){0}, once);
    if (once->fine) { /* else it is told below */
        run_apart(first + 2, 2, &(struct omissions){0}, again);
        uint64_t hash = again->hash;
        run_apart(first, 2, &(struct omissions){0}, again);
        same = again->fine && once->hash == hash + again->hash;
    }
    munmap(once, sizeof *once);
    munmap(again, sizeof *again);
    return same;
}

static int many(unsigned long first, unsigned long runs, unsigned jobs) {
    struct outcome *sums[MAX_JOBS] = {NULL};
    pid_t pids[MAX_JOBS];
    unsigned long begun = 0, wrongs = 0;

    jobs = jobs > 0 ? jobs : 1;
    for (unsigned i = 0; i < jobs; i++) {
        unsigned long count = (runs - begun) / (jobs - i);
        sums[i] = new_outcome();
        fflush(NULL);
        if ((pids[i] = fork()) == 0) {
            sums[i]->seed = some(first + begun, count, sums[i], stdout);
            fflush(NULL);
            _exit(0);
        }
        begun += count;
    }
    for (unsigned i = 0; i < jobs; i++) {
        int status;
        if (pids[i] < 0 || waitpid(pids[i], &status, 0) != pids[i] || status != 0)
            wrongs++;
        wrongs += sums[i]->seed;
        if (i > 0)
            add(sums[0], sums[i]);
    }
    const struct outcome *sum = sums[0];
    if (!sum)
        abort();
    for (int r = 0; r < REASONS; r++)
        if (sum->excused[r])
            printf("# undecidable in %lu: %s\n", sum->excused[r], reasons[r]);
    printf("# %llu commits, %llu questions, %llu crashes, %llu bytes; hash %016llx\n",
           (unsigned long long)sum->syncs, (unsigned long long)sum->questions,
           (unsigned long long)sum->crashes, (unsigned long long)sum->bytes, (unsigned long long)sum->hash);
    printf("%s 1 - %lu of %lu simulated histories went wrong, seeds %lu to %lu\n1..1\n",
           wrongs == 0 ? "ok" : "not ok", wrongs, runs, first, first + runs - 1);
    return wrongs > 0;
}

#endif
