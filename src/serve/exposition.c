/* Numbers are written as Go reads them: whole ones without a point, others with all their digits. */
#include "serve/exposition.h"

#include <dirent.h>
#include <inttypes.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* In seconds: a sync on the same network takes milliseconds, one with a question up to minutes. */
static const double bounds[HISTOGRAM_BOUNDS] = {0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5,
                                                1,     2.5,  5,     10,   30,  60,   300};

static void write_number(FILE *out, double number) {
    if (number == (double)(int64_t)number)
        fprintf(out, "%" PRId64, (int64_t)number);
    else
        fprintf(out, "%.15g", number);
}

static void write_label(FILE *out, const char *label, const char *value) {
    fprintf(out, "{%s=\"", label);
    for (; *value; value++) {
        if (*value == '\\' || *value == '"')
            fputc('\\', out);
        fputs(*value == '\n' ? "\\n" : (const char[]){*value, '\0'}, out);
    }
    fputs("\"}", out);
}

void exposition_family(FILE *out, const char *name, const char *type, const char *help) {
    fprintf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

void exposition_sample(FILE *out, const char *name, const char *label, const char *value, double number) {
    fputs(name, out);
    if (label)
        write_label(out, label, value);
    fputc(' ', out);
    write_number(out, number);
    fputc('\n', out);
}

void exposition_single(FILE *out, const char *name, const char *type, const char *help, double number) {
    exposition_family(out, name, type, help);
    exposition_sample(out, name, NULL, NULL, number);
}

/* ---- histograms ---- */

void exposition_observe(exposition_histogram *h, double seconds) {
    size_t i = 0;

    while (i < HISTOGRAM_BOUNDS && seconds > bounds[i])
        i++;
    h->counts[i]++;
    h->sum += seconds;
}

void exposition_duration(FILE *out, const char *name, const char *help, const exposition_histogram *h) {
    uint64_t count = 0;

    exposition_family(out, name, "histogram", help);
    for (size_t i = 0; i < HISTOGRAM_BOUNDS; i++) {
        count += h->counts[i];
        fprintf(out, "%s_bucket{le=\"%g\"} %" PRIu64 "\n", name, bounds[i], count);
    }
    count += h->counts[HISTOGRAM_BOUNDS];
    fprintf(out, "%s_bucket{le=\"+Inf\"} %" PRIu64 "\n%s_sum ", name, count, name);
    write_number(out, h->sum);
    fprintf(out, "\n%s_count %" PRIu64 "\n", name, count);
}

/* ---- the process ---- */

static void write_memory(FILE *out) {
    unsigned long long total = 0, resident = 0;
    long page = sysconf(_SC_PAGESIZE);
    FILE *f = fopen("/proc/self/statm", "re");

    if (f && page > 0 && fscanf(f, "%llu %llu", &total, &resident) == 2) {
        exposition_single(out, "process_resident_memory_bytes", "gauge", "Resident memory size in bytes.",
                          (double)resident * (double)page);
        exposition_single(out, "process_virtual_memory_bytes", "gauge", "Virtual memory size in bytes.",
                          (double)total * (double)page);
    }
    if (f)
        fclose(f);
}

static void write_descriptors(FILE *out) {
    DIR *folder = opendir("/proc/self/fd");
    const struct dirent *entry;
    struct rlimit limit;
    size_t count = 0;

    if (folder) {
        while ((entry = readdir(folder)))
            count += entry->d_name[0] != '.';
        closedir(folder);
        exposition_single(out, "process_open_fds", "gauge", "Number of open file descriptors.",
                          (double)(count - 1)); /* without the folder itself */
    }
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY)
        exposition_single(out, "process_max_fds", "gauge", "Maximum number of open file descriptors.",
                          (double)limit.rlim_cur);
}

static double seconds_of(const struct timeval *t) {
    return (double)t->tv_sec + (double)t->tv_usec / 1e6;
}

void exposition_process(FILE *out, int64_t started) {
    struct rusage usage;

    if (getrusage(RUSAGE_SELF, &usage) == 0)
        exposition_single(out, "process_cpu_seconds_total", "counter",
                          "Total user and system CPU time spent in seconds.",
                          seconds_of(&usage.ru_utime) + seconds_of(&usage.ru_stime));
    write_memory(out);
    write_descriptors(out);
    exposition_single(out, "process_start_time_seconds", "gauge",
                      "Start time of the process since unix epoch in seconds.", (double)started / 1e3);
}
