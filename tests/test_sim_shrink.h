/*
 * What the simulations of whole histories share: a history that went wrong is run again with less and less in it, for as long as
 * it goes wrong in the same way.
 */
#ifndef TEST_SIM_SHRINK_H
#define TEST_SIM_SHRINK_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STEPS = 40, MAX_JOBS = 64 };

/*
 * What of a history is left out. Each step draws its own chances, so that it does much the same when those before it are
 * left out.
 */
struct omissions {
    bool steps[STEPS];
};

/* One history; false: it went wrong, and the trace tells how. */
static bool run(uint64_t seed, const struct omissions *without);

/* The last line of a trace: why it failed. */
static const char *reason_in(const char *text) {
    const char *line = text + strlen(text);
    if (line > text)
        line--;
    while (line > text && line[-1] != '\n')
        line--;
    return line;
}

/* Runs a part of a history; the trace if it went wrong, else NULL. */
typedef const char *(*run_part)(uint64_t seed, const struct omissions *without, void *ctx);

/* Runs the smallest part that goes wrong as `text` tells, last. */
static void shrink(uint64_t seed, const char *text, run_part run_one, void *ctx) {
    struct omissions without = {0};
    char why[160];
    bool smaller = true;

    snprintf(why, sizeof why, "%.150s", reason_in(text));
    while (smaller) {
        smaller = false;
        for (unsigned i = 0; i < STEPS; i++) {
            if (without.steps[i])
                continue;
            without.steps[i] = true;
            const char *other = run_one(seed, &without, ctx);
            if (other && strncmp(reason_in(other), why, strlen(why)) == 0)
                smaller = true;
            else
                without.steps[i] = false;
        }
    }
    run_one(seed, &without, ctx);
}

/* Of the command line or the environment. */
static unsigned long number(const char *text, unsigned long otherwise) {
    return text ? strtoul(text, NULL, 10) : otherwise;
}

#endif
