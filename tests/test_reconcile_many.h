/*
 * Many histories: their seeds shared between processes, and those that went wrong made as small as they will get.
 */
#ifndef TEST_RECONCILE_MANY_H
#define TEST_RECONCILE_MANY_H

#include "test_reconcile_store.h"
#include "test_sim_shrink.h"

#include <sys/wait.h>

/* Of the last one: bits 1 << reason. */
static unsigned history_excused(void);

/* For shrink(). */
static const char *run_part_here(uint64_t seed, const struct omissions *without, void *ctx) {
    (void)ctx;
    return run(seed, without) ? NULL : trace;
}

/* Histories in which something went wrong that was set aside. */
static unsigned long excused[REASONS];

static unsigned long some_runs(unsigned long first, unsigned long runs, FILE *out) {
    unsigned long failures = 0;

    for (unsigned long seed = first; seed < first + runs; seed++)
        if (!run(seed, &(struct omissions){0})) {
            failures++;
            fprintf(out, "# seed %lu: %s", seed,
                    reason_in(trace)); /* should it not happen again: a disk may be full */
            shrink(seed, trace, run_part_here, NULL);
            fprintf(out, "%s\n", trace);
            fflush(out);
        } else
            for (int r = 0; r < REASONS; r++)
                excused[r] += (history_excused() >> r) & 1;
    drop_store();
    return failures;
}

/* A process for each share of the seeds; each tells its failures in a file of its own, shown in their order. */
static unsigned long shared_runs(unsigned long first, unsigned long runs, unsigned jobs) {
    struct {
        pid_t pid;
        FILE *out;
    } share[MAX_JOBS];
    unsigned long failures = 0, begun = 0;

    fflush(stdout);
    for (unsigned i = 0; i < jobs; i++) {
        unsigned long count = (runs - begun) / (jobs - i);
        share[i].out = tmpfile();
        share[i].pid = share[i].out ? fork() : -1;
        if (share[i].pid < 0)
            return runs;
        if (share[i].pid == 0) {
            unsigned long wrong = some_runs(first + begun, count, share[i].out);
            fprintf(share[i].out, "#= %d %lu\n", REASONS, wrong);
            for (int r = 0; r < REASONS; r++)
                fprintf(share[i].out, "#= %d %lu\n", r, excused[r]);
            fclose(share[i].out);
            _exit(0);
        }
        begun += count;
    }
    for (unsigned i = 0; i < jobs; i++) {
        char line[1024];
        bool told = false;
        int status, what;
        unsigned long count;
        waitpid(share[i].pid, &status, 0);
        rewind(share[i].out);
        while (fgets(line, sizeof line, share[i].out))
            if (sscanf(line, "#= %d %lu", &what, &count) == 2) {
                told |= what == REASONS;
                *(what == REASONS ? &failures : &excused[what]) += count;
            } else
                fputs(line, stdout);
        fclose(share[i].out);
        if (!told || status != 0) {
            printf("# a process ended with status %d\n", status);
            failures = runs;
        }
    }
    return failures;
}

#endif
