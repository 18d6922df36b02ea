/*
 * exposition.h - writes Prometheus' text format, version 0.0.4.
 *
 *     exposition_family(out, "trivet_syncs_total", "counter", "Syncs that ended.");
 *     exposition_sample(out, "trivet_syncs_total", "outcome", "synced", 3);
 *
 * Each family once, all its samples right behind it. What is written to a FILE that fails is found at fclose().
 */
#ifndef TRIVET_SERVE_EXPOSITION_H
#define TRIVET_SERVE_EXPOSITION_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define EXPOSITION_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* `type` is "counter", "gauge" or "histogram"; `help` one line without backslashes. */
void exposition_family(FILE *out, const char *name, const char *type, const char *help);

/* `label` NULL: without one. Its value may be anything; it is escaped. */
void exposition_sample(FILE *out, const char *name, const char *label, const char *value, double number);

/* A family with a single sample that has no label. */
void exposition_single(FILE *out, const char *name, const char *type, const char *help, double number);

/* How often something took at most so long, and how long all of it together. */
enum { HISTOGRAM_BOUNDS = 14 };

typedef struct {
    uint64_t counts[HISTOGRAM_BOUNDS + 1]; /* by the smallest bound that holds it; the last: none does */
    double sum;                            /* seconds */
} exposition_histogram;

void exposition_observe(exposition_histogram *h, double seconds);
void exposition_duration(FILE *out, const char *name, const char *help, const exposition_histogram *h);

/* What Prometheus' own client libraries tell of a process: memory, processor time, file descriptors, start.
 * `started` in ms since 1970. What the system does not tell is left out. */
void exposition_process(FILE *out, int64_t started);

#endif
