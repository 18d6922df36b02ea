/*
 * bench_merge.c - a merge, text to text, beside what jansson needs only to read the same three texts.
 *
 *     build/bench/bench_merge [FOLDER]               FOLDER holds what tests/bench/workload.mjs makes; else it is made
 *     build/bench/bench_merge --turns FOLDER ITEMS   for tests/bench/peers.mjs: merges at each line `ours` on standard
 *                                                    input, parses at `jansson`, runs git on the files
 *                                                    FOLDER/ITEMS.SIDE.lines at `git`, and prints the ms that it took
 *
 * Both are measured in turn, in one process and in processor time, and only their ratio means anything on another machine.
 * Peak memory is that of a process that reads the three files and merges them, over that of one that merges empty states,
 * as a multiple of the files' size. It is counted page by page where most is in use (smaps_rollup), for the kernel's own high-water
 * mark may be off by a few hundred kB, which is half of the smallest files. The greatest workload has 960,000 items, for each side adds
 * 2% and no state may hold more than 1,000,000, M included (merge §1); it is for the engine alone.
 */
#include <fcntl.h>
#include <jansson.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <trivet_merge.h>
#include <unistd.h>

enum { SIZES = 4, ROUNDS_MAX = 101 };

/* `rounds` of the engine, `beside` of jansson. */
static const struct {
    int items, rounds, beside;
} sizes[SIZES] = {{1000, 101, 101}, {10000, 31, 31}, {100000, 7, 7}, {960000, 3, 0}};

typedef struct {
    char *json;
    size_t len;
} text;

static void die(const char *what) {
    perror(what);
    exit(1);
}

/* Processor time: what other programs take meanwhile is not this one's. */
static double now_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static text read_file(const char *folder, int items, const char *name) {
    char path[512];
    struct stat st;
    text t;
    snprintf(path, sizeof path, "%s/%d.%s.json", folder, items, name);
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0 || fstat(file, &st) != 0)
        die(path);
    t.len = (size_t)st.st_size;
    t.json = malloc(t.len);
    if (!t.json || read(file, t.json, t.len) != (ssize_t)t.len)
        die(path);
    close(file);
    return t;
}

static void read_files(const char *folder, int items, text texts[3]) {
    static const char *const names[] = {"ancestor", "phone", "computer"};
    for (int i = 0; i < 3; i++)
        texts[i] = read_file(folder, items, names[i]);
}

/* ms of each stage */
typedef struct {
    double read, merge, write, all;
} stages;

/* Calls `look`, where it is not NULL, when the most memory is in use: before and after the writing. */
static stages merge_and_look(const text texts[3], void (*look)(void)) {
    trivet_merge_error err = TRIVET_MERGE_ERROR_INIT;
    trivet_merge_state *s[3];
    trivet_merge_result *result;
    char *out;
    size_t len;
    double start = now_ms();
    for (int i = 0; i < 3; i++)
        if (trivet_merge_state_read(texts[i].json, texts[i].len, (trivet_merge_side)i, &s[i], &err) != 0)
            die(err.reason);
    double read = now_ms();
    if (trivet_merge(s[0], s[1], s[2], NULL, &result, &err) != 0)
        die(err.reason);
    double merged = now_ms();
    if (look)
        look();
    if (trivet_merge_state_write(trivet_merge_result_snapshot(result), &out, &len) != 0)
        die("write");
    double written = now_ms();
    if (look)
        look();
    free(out);
    trivet_merge_result_free(result);
    for (int i = 0; i < 3; i++)
        trivet_merge_state_free(s[i]);
    return (stages){read - start, merged - read, written - merged, now_ms() - start};
}

static stages merge_texts(const text texts[3]) {
    return merge_and_look(texts, NULL);
}

static double parse_with_jansson(const text texts[3]) {
    json_t *parsed[3];
    double start = now_ms();
    for (int i = 0; i < 3; i++)
        if (!(parsed[i] = json_loadb(texts[i].json, texts[i].len, JSON_REJECT_DUPLICATES, NULL)))
            die("jansson");
    for (int i = 0; i < 3; i++)
        json_decref(parsed[i]);
    return now_ms() - start;
}

static double most; /* bytes */

static void look_at_memory(void) {
    char line[128];
    double kb = 0;
    FILE *file = fopen("/proc/self/smaps_rollup", "re");
    while (file && fgets(line, sizeof line, file) && sscanf(line, "Rss: %lf", &kb) != 1)
        continue;
    if (!file || kb == 0)
        die("/proc/self/smaps_rollup");
    fclose(file);
    most = kb * 1024 > most ? kb * 1024 : most;
}

/* Peak memory of a process of its own, in bytes. */
static double peak(const char *folder, int items) {
    int ends[2], status;
    double bytes;
    if (pipe2(ends, O_CLOEXEC) != 0)
        die("pipe");
    pid_t child = fork();
    if (child == 0) {
        text texts[3];
        if (items > 0)
            read_files(folder, items, texts);
        else
            texts[0] = texts[1] = texts[2] = (text){"{}", 2};
        merge_and_look(texts, look_at_memory);
        _exit(write(ends[1], &most, sizeof most) != sizeof most);
    }
    close(ends[1]);
    if (child < 0 || read(ends[0], &bytes, sizeof bytes) != sizeof bytes ||
        waitpid(child, &status, 0) != child || status != 0)
        die("a child process");
    close(ends[0]);
    return bytes;
}

static int compare(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values, int count) {
    qsort(values, (size_t)count, sizeof *values, compare);
    return values[count / 2];
}

/* Hands freed memory back, so that neither pays for tidying up behind the other. */
static void tidy(void) {
    malloc_trim(0);
}

/* Processor time of a merge of each item, text to text; ns. */
static double measure(const char *folder, int items, int rounds, int beside) {
    double all[ROUNDS_MAX], read[ROUNDS_MAX], merge[ROUNDS_MAX], write[ROUNDS_MAX], jansson[ROUNDS_MAX];
    double memory = peak(folder, items) - peak(folder, 0), input;
    text texts[3];
    read_files(folder, items, texts);
    input = (double)(texts[0].len + texts[1].len + texts[2].len);
    merge_texts(texts); /* warm up */
    for (int i = 0; i < rounds; i++) {
        tidy();
        stages s = merge_texts(texts);
        all[i] = s.all;
        read[i] = s.read;
        merge[i] = s.merge;
        write[i] = s.write;
        tidy();
        if (i < beside)
            jansson[i] = parse_with_jansson(texts);
    }
    double ours = median(all, rounds), merged = median(merge, rounds);
    printf(
        "%7d items  %8.3f ms (read %.3f, merge %.3f, write %.3f), %.0f ns an item; merge alone %.1f million "
        "items/s; memory %.2f x input",
        items, ours, median(read, rounds), merged, median(write, rounds), ours * 1e6 / items,
        items / merged / 1e3, memory / input);
    if (beside > 0) {
        double theirs = median(jansson, beside);
        printf("; jansson's three parses %.3f ms, ratio %.3f", theirs, ours / theirs);
    }
    printf("\n");
    for (int i = 0; i < 3; i++)
        free(texts[i].json);
    return ours * 1e6 / items;
}

/* ---- a slot that was renumbered ------------------------------------------------------------------------ */

/* One slot; item i has the position that `place` gives it, and is dated in the order of the items. */
static text slot_of(int items, double (*place)(int i, int items)) {
    text t = {malloc((size_t)items * 96 + 32), 0};
    if (!t.json)
        die("a slot");
    t.len = (size_t)sprintf(t.json, "{\"lists\":[[");
    for (int i = 0; i < items; i++)
        t.len += (size_t)sprintf(t.json + t.len,
                                 "%s{\"id\":\"i%07d\",\"position\":%.17g,\"text\":\"t\",\"updatedAt\":%d}",
                                 i ? "," : "", i, place(i, items), 1000 + i);
    t.len += (size_t)sprintf(t.json + t.len, "]]}");
    return t;
}

static double as_it_was(int i, int items) {
    (void)items;
    return i;
}

static double reversed(int i, int items) {
    return items - i + 0.5;
}

static double renumbered(int i, int items) {
    (void)items;
    return 10.0 * i + 5;
}

/* A permutation, the same each time: 7919 is a prime and divides no size here. */
static double shuffled(int i, int items) {
    return (double)((long long)i * 7919 % items) + 0.25;
}

static void measure_slot(const char *what, int items, double (*phone)(int, int),
                         double (*computer)(int, int)) {
    double merge[5];
    text texts[3] = {slot_of(items, as_it_was), slot_of(items, phone), slot_of(items, computer)};
    for (int i = 0; i < 5; i++) {
        tidy();
        merge[i] = merge_texts(texts).merge;
    }
    printf("%7d items of one slot, %s: merge alone %.1f ms\n", items, what, median(merge, 5));
    for (int i = 0; i < 3; i++)
        free(texts[i].json);
}

static void measure_slots(void) {
    measure_slot("reversed and renumbered by the phone", 100000, reversed, as_it_was);
    measure_slot("reversed by the phone, renumbered by the computer", 100000, reversed, renumbered);
    measure_slot("reversed by both", 100000, reversed, reversed);
    measure_slot("shuffled by the phone, renumbered by the computer", 100000, shuffled, renumbered);
    measure_slot("shuffled by the phone, reversed by the computer", 100000, shuffled, reversed);
}

/* ---- in turn with others ------------------------------------------------------------------------------- */

static double merge_with_git(const char *folder, int items) {
    char p[512], a[512], c[512];
    struct rusage usage;
    int status;
    snprintf(p, sizeof p, "%s/%d.phone.lines", folder, items);
    snprintf(a, sizeof a, "%s/%d.ancestor.lines", folder, items);
    snprintf(c, sizeof c, "%s/%d.computer.lines", folder, items);
    pid_t child = fork();
    if (child == 0) {
        int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
        dup2(nowhere, STDOUT_FILENO);
        execlp("git", "git", "merge-file", "-p", "-q", p, a, c, (char *)NULL);
        _exit(255);
    }
    /* its status is the number of conflicts, 127 at most */
    if (child < 0 || wait4(child, &status, 0, &usage) != child || !WIFEXITED(status) ||
        WEXITSTATUS(status) > 127)
        die("git merge-file");
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e3 +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e3;
}

static int turns(const char *folder, int items) {
    char line[32];
    text texts[3];
    read_files(folder, items, texts);
    while (fgets(line, sizeof line, stdin)) {
        tidy();
        printf("%.6f\n", strcmp(line, "ours\n") == 0      ? merge_texts(texts).all
                         : strcmp(line, "jansson\n") == 0 ? parse_with_jansson(texts)
                                                          : merge_with_git(folder, items));
        fflush(stdout);
    }
    for (int i = 0; i < 3; i++)
        free(texts[i].json);
    return 0;
}

static void make_inputs(const char *folder) {
    pid_t child = fork();
    int status;
    if (child == 0) {
        char items[SIZES][16], *arguments[SIZES + 5] = {"node", "--max-old-space-size=6000",
                                                        "tests/bench/workload.mjs", (char *)folder};
        for (int s = 0; s < SIZES; s++) {
            snprintf(items[s], sizeof items[s], "%d", sizes[s].items);
            arguments[4 + s] = items[s];
        }
        execvp("node", arguments);
        _exit(127);
    }
    if (child < 0 || waitpid(child, &status, 0) != child || status != 0)
        die("node tests/bench/workload.mjs");
}

static void remove_inputs(const char *folder) {
    static const char *const names[] = {"ancestor", "phone", "computer"};
    char path[512];
    for (int s = 0; s < SIZES; s++) {
        for (int i = 0; i < 3; i++) {
            snprintf(path, sizeof path, "%s/%d.%s.json", folder, sizes[s].items, names[i]);
            unlink(path);
        }
    }
    rmdir(folder);
}

int main(int argc, char **argv) {
    char made[] = "/tmp/trivet-bench.XXXXXX";
    double each[SIZES];
    if (argc == 4 && strcmp(argv[1], "--turns") == 0)
        return turns(argv[2], atoi(argv[3]));
    const char *folder = argc > 1 ? argv[1] : mkdtemp(made);
    if (!folder)
        die("a temporary folder");
    if (argc < 2)
        make_inputs(folder);
    for (int s = 0; s < SIZES; s++)
        each[s] = measure(folder, sizes[s].items, sizes[s].rounds, sizes[s].beside);
    printf("an item costs %.2f times at %d what it costs at %d (each side adds 2%%, and no state may hold "
           "more than %d)\n",
           each[3] / each[1], sizes[3].items, sizes[1].items, TRIVET_MERGE_MAX_ITEMS);
    measure_slots();
    if (argc < 2)
        remove_inputs(folder);
    return 0;
}
