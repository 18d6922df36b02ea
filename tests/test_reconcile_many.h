/*
 * Many histories: their seeds shared between processes, and those that went wrong made as small as they will get.
 */
#ifndef TEST_RECONCILE_MANY_H
#define TEST_RECONCILE_MANY_H

#include "test_reconcile_store.h"

#include <sys/wait.h>

enum { STEPS = 40, MAX_JOBS = 64 };

/*
 * What of a history is left out. Each step draws its own chances, so that it does much the same when those before it are
 * left out; so a history that went wrong is made smaller until nothing can be left out of it.
 */
struct omissions {
    bool steps[STEPS];
};

/* One history; false: it went wrong, and the trace tells how. */
static bool run(uint64_t seed, const struct omissions *without);

/* Of the last one: bits 1 << reason. */
static unsigned history_excused(void);

/* The last line of the trace: why it failed. */
static const char *reason(void) {
    const char *end = trace + trace_len - (trace_len > 0), *line = end;
    while (line > trace && line[-1] != '\n')
        line--;
    return line;
}

/* Runs a history that went wrong with less and less in it, and leaves the trace of the smallest that goes wrong alike. */
static void shrink(uint64_t seed) {
    struct omissions without = {0};
    char why[200] = "";
    bool smaller = true;

    snprintf(why, sizeof why, "%.150s", reason());
    while (smaller) {
        smaller = false;
        for (unsigned i = 0; i < STEPS; i++) {
            if (without.steps[i])
                continue;
            without.steps[i] = true;
            if (!run(seed, &without) && strncmp(reason(), why, 150) == 0)
                smaller = true;
            else
                without.steps[i] = false;
        }
    }
    run(seed, &without);
}

/* ---- many of them ---- */

/* Histories in which something went wrong that was set aside. */
static unsigned long excused[REASONS];

static unsigned long some_runs(unsigned long first, unsigned long runs, FILE *out) {
    unsigned long failures = 0;

    for (unsigned long seed = first; seed < first + runs; seed++)
        if (!run(seed, &(struct omissions){0})) {
            failures++;
            fprintf(out, "# seed %lu: %s", seed,
                    reason()); /* should it not happen again: a disk may be full */
            shrink(seed);
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

static unsigned long number(const char *text, unsigned long otherwise) {
    return text ? strtoul(text, NULL, 10) : otherwise;
}

#endif
