/*
 * merge_check.c - finds the cases first, then runs them on several threads. Each writes to memory, and what it wrote
 * is printed when its turn has come.
 */
#include "cli/merge_check.h"

#include "cli/merge_case.h"
#include "cli/print.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

/* ---- names: strings in a list that owns them ---------------------------------------------------------- */

typedef struct {
    char **list;
    size_t count, room;
} names;

/* Takes `name` (from malloc) over. -1: out of memory, as where it is NULL. */
static int add(names *n, char *name) {
    if (name && n->count == n->room) {
        size_t room = n->room ? n->room * 2 : 64;
        char **list = realloc(n->list, room * sizeof *list);
        if (list) {
            n->list = list;
            n->room = room;
        }
    }
    if (!name || n->count == n->room) {
        free(name);
        return print_failure(-1, "out of memory");
    }
    n->list[n->count++] = name;
    return 0;
}

static void release(names *n) {
    for (size_t i = 0; i < n->count; i++)
        free(n->list[i]);
    free(n->list);
}

static int by_bytes(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* ---- finding ------------------------------------------------------------------------------------------ */

enum { DEEPEST = 64 };

static bool is_folder(DIR *in, const struct dirent *entry) {
    struct stat is;

    if (entry->d_name[0] == '.')
        return false;
    if (entry->d_type != DT_UNKNOWN)
        return entry->d_type == DT_DIR;
    return fstatat(dirfd(in), entry->d_name, &is, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(is.st_mode);
}

/* What is below a folder, and whether it is a case itself: it holds a phone.json. 0, or the exit status. */
static int list_folder(const char *folder, names *below, bool *is_case) {
    DIR *in = opendir(folder);
    int status = 0;

    if (!in)
        return print_failure(EX_NOINPUT, "%s: %s", folder, strerror(errno));
    for (struct dirent *entry; status == 0 && (entry = readdir(in));) {
        char *path = NULL;
        if (strcmp(entry->d_name, "phone.json") == 0)
            *is_case = true;
        else if (is_folder(in, entry) &&
                 add(below, asprintf(&path, "%s/%s", folder, entry->d_name) >= 0 ? path : NULL) != 0)
            status = EX_OSERR;
    }
    closedir(in);
    if (below->count)
        qsort(below->list, below->count, sizeof *below->list, by_bytes);
    return status;
}

/* A folder, then what is below it. What cannot be looked into is told, and the rest found all the same. */
static int find(const char *folder, size_t depth, names *cases) {
    names below = {0};
    bool is_case = false;
    int status = list_folder(folder, &below, &is_case);

    if (is_case && add(cases, strdup(folder)) != 0)
        status = EX_OSERR;
    for (size_t i = 0; i < below.count && depth < DEEPEST && status != EX_OSERR; i++) {
        int rc = find(below.list[i], depth + 1, cases);
        status = rc != 0 ? rc : status;
    }
    release(&below);
    return status;
}

static int find_all(char *const *folders, size_t count, names *cases) {
    int status = 0;

    for (size_t i = 0; i < count && status != EX_OSERR; i++) {
        size_t len = strlen(folders[i]);
        while (len > 1 && folders[i][len - 1] == '/')
            len--;
        char *folder = strndup(folders[i], len);
        int rc = folder ? find(folder, 0, cases) : EX_OSERR;
        status = rc != 0 ? rc : status;
        free(folder);
    }
    return status;
}

/* ---- running ------------------------------------------------------------------------------------------ */

typedef struct {
    char *text; /* from open_memstream; NULL: out of memory */
    size_t len;
    bool done, good;
} outcome;

typedef struct {
    pthread_mutex_t lock; /* of all below but `cases` and `accept`, which stay as they are */
    pthread_cond_t ended;
    const names *cases;
    bool accept;
    outcome *outcomes;
    size_t next;
} checker;

static void run_case(checker *k, size_t i) {
    outcome o = {0};
    FILE *out = open_memstream(&o.text, &o.len);

    o.good = out && merge_case(k->cases->list[i], i + 1, k->accept, out);
    if (out && fclose(out) != 0)
        o.good = false;
    o.done = true;
    pthread_mutex_lock(&k->lock);
    k->outcomes[i] = o;
    pthread_cond_signal(&k->ended);
    pthread_mutex_unlock(&k->lock);
}

static void *run_cases(void *arg) {
    checker *k = arg;

    for (;;) {
        pthread_mutex_lock(&k->lock);
        size_t i = k->next++;
        pthread_mutex_unlock(&k->lock);
        if (i >= k->cases->count)
            return NULL;
        run_case(k, i);
    }
}

/* Returns how many failed. */
static size_t print_outcomes(checker *k) {
    size_t failed = 0;

    printf("1..%zu\n", k->cases->count);
    for (size_t i = 0; i < k->cases->count; i++) {
        outcome *o = &k->outcomes[i];
        pthread_mutex_lock(&k->lock);
        while (!o->done)
            pthread_cond_wait(&k->ended, &k->lock);
        pthread_mutex_unlock(&k->lock);
        if (o->text)
            fwrite(o->text, 1, o->len, stdout);
        else
            printf("not ok %zu - out of memory\n", i + 1);
        failed += !o->good;
        free(o->text);
    }
    return failed;
}

static size_t processors(void) {
    long count = sysconf(_SC_NPROCESSORS_ONLN);
    return count < 1 ? 1 : count > MERGE_CHECK_MAX_JOBS ? MERGE_CHECK_MAX_JOBS : (size_t)count;
}

/* The exit status. */
static int run_all(const names *cases, bool accept, size_t jobs) {
    pthread_t threads[MERGE_CHECK_MAX_JOBS];
    checker k = {.cases = cases, .accept = accept, .outcomes = calloc(cases->count + 1, sizeof(outcome))};
    size_t started = 0, failed;

    if (!k.outcomes)
        return print_failure(EX_OSERR, "out of memory");
    pthread_mutex_init(&k.lock, NULL);
    pthread_cond_init(&k.ended, NULL);
    jobs = jobs ? jobs : processors();
    while (started < jobs && pthread_create(&threads[started], NULL, run_cases, &k) == 0)
        started++;
    if (started == 0)
        run_cases(&k);
    failed = print_outcomes(&k);
    for (size_t i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
    pthread_cond_destroy(&k.ended);
    pthread_mutex_destroy(&k.lock);
    free(k.outcomes);
    return failed > 0;
}

int merge_check(char *const *folders, size_t count, bool accept, size_t jobs) {
    names cases = {0};
    int status = find_all(folders, count, &cases);

    if (cases.count > 0) {
        int ran = run_all(&cases, accept, jobs);
        status = status != 0 ? status : ran;
    } else if (status == 0) {
        printf("1..0\n");
        status = print_failure(EX_NOINPUT,
                               "no case in %s: a case is a folder that holds phone.json and computer.json",
                               folders[0]);
    }
    release(&cases);
    return status;
}
