/*
 * test_store.h - what the store's tests share: a folder that goes with the test, errors that show themselves.
 */
#ifndef TRIVET_TEST_STORE_H
#define TRIVET_TEST_STORE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/snapshot.h"
#include "store/sql.h"
#include "store/store.h"
#include <trivet_merge.h>

typedef struct {
    char root[4096];   /* removed with all that is in it */
    char folder[4200]; /* the data folder, not made yet */
    store *s;          /* open, where a test wants it so */
    store_error err;
} fixture;

/* A call that must succeed; `f` is in scope. */
#define ok(call)                                                                                             \
    do {                                                                                                     \
        int rc_ = (call);                                                                                    \
        if (rc_ != 0)                                                                                        \
            fail_msg("%s: %d, %s", #call, rc_, f->err.message);                                              \
    } while (0)

/* One that must give a code, with an error or without; the error is cleared for the next. */
#define gives(code_, call)                                                                                   \
    do {                                                                                                     \
        int rc_ = (call);                                                                                    \
        if (rc_ != (code_))                                                                                  \
            fail_msg("%s: %d and not %d, %s", #call, rc_, (int)(code_), f->err.message);                     \
        f->err = (store_error)STORE_ERROR_INIT;                                                              \
    } while (0)

/* One that must fail with a code and say something that holds `text_`. */
#define says(code_, text_, call)                                                                             \
    do {                                                                                                     \
        int rc_ = (call);                                                                                    \
        if (rc_ != (code_) || f->err.code != (code_) || strstr(f->err.message, text_) == NULL)               \
            fail_msg("%s: %d, %s; not %d, ...%s...", #call, rc_, f->err.message, (int)(code_), text_);       \
        f->err = (store_error)STORE_ERROR_INIT;                                                              \
    } while (0)

static inline int setup_folder(void **state) {
    const char *tmp = getenv("TMPDIR");
    fixture *f = calloc(1, sizeof *f);
    if (f == NULL)
        return -1;
    snprintf(f->root, sizeof f->root, "%s/trivet-store.XXXXXX", tmp != NULL && *tmp != '\0' ? tmp : "/tmp");
    if (mkdtemp(f->root) == NULL) {
        free(f);
        return -1;
    }
    snprintf(f->folder, sizeof f->folder, "%s/data", f->root);
    *state = f;
    return 0;
}

/* The same with an open store in it. */
static inline int setup_store(void **state) {
    if (setup_folder(state) != 0)
        return -1;
    fixture *f = *state;
    if (store_open(f->folder, STORE_CREATE, &f->s, &f->err) == 0)
        return 0;
    print_error("%s\n", f->err.message);
    return -1;
}

static inline int remove_entry(const char *path, const struct stat *st, int kind, struct FTW *ftw) {
    (void)st;
    (void)kind;
    (void)ftw;
    return remove(path);
}

static inline int teardown(void **state) {
    fixture *f = *state;
    store_close(f->s);
    chmod(f->folder, 0700);
    nftw(f->root, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    free(f);
    return 0;
}

static inline void reopen(fixture *f) {
    store_close(f->s);
    f->s = NULL;
    ok(store_open(f->folder, 0, &f->s, &f->err));
}

/* The first column of the first row that a statement gives. */
static inline int64_t ask(fixture *f, const char *text) {
    sqlite3_stmt *q = NULL;
    assert_int_equal(sqlite3_prepare_v2(f->s->db, text, -1, &q, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(q), SQLITE_ROW);
    int64_t answer = sqlite3_column_int64(q, 0);
    sqlite3_finalize(q);
    return answer;
}

static inline char *file_in(const fixture *f, const char *name, char out[static 4300]) {
    snprintf(out, 4300, "%s/%s", f->folder, name);
    return out;
}

static inline trivet_merge_state *state_of(const char *json) {
    trivet_merge_state *state = NULL;
    trivet_merge_error err = TRIVET_MERGE_ERROR_INIT;
    if (trivet_merge_state_read(json, strlen(json), TRIVET_MERGE_COMPUTER, &state, &err) != 0)
        fail_msg("%.100s: %s: %s", json, err.path, err.reason);
    return state;
}

static inline store_name put(fixture *f, const char *json) {
    trivet_merge_state *state = state_of(json);
    store_name name;
    ok(snapshot_put(f->s, state, &name, &f->err));
    trivet_merge_state_free(state);
    return name;
}

#endif
