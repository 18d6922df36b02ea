/* A connection of its own that only reads: in WAL mode it neither waits for the server nor holds it up. */
#include "look.h"

#include "folder.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { STEPS_BETWEEN_LOOKS = 10000 };

static int64_t monotonic(void) {
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int is_late(void *deadline) {
    return monotonic() > *(const int64_t *)deadline;
}

static look_result judge(sqlite3 *db, sqlite3_stmt *q, int rc, char *what, size_t size) {
    const char *text = rc == SQLITE_ROW ? (const char *)sqlite3_column_text(q, 0) : NULL;

    if (text && strcmp(text, "ok") == 0)
        return LOOK_SOUND;
    if (rc == SQLITE_INTERRUPT)
        return LOOK_UNFINISHED;
    snprintf(what, size, "%s", text ? text : sqlite3_errmsg(db));
    rc &= 0xff;
    return text || rc == SQLITE_CORRUPT || rc == SQLITE_NOTADB ? LOOK_DAMAGED : LOOK_FAILED;
}

look_result look_database(const char *folder, unsigned ms, char *what, size_t size) {
    int64_t deadline = monotonic() + ms;
    sqlite3 *db = NULL;
    sqlite3_stmt *q = NULL;
    char *path = NULL;
    folder_user user;
    look_result result = LOOK_FAILED;
    int rc;

    what[0] = '\0';
    if (asprintf(&path, "%s/trivet.db", folder) < 0) {
        snprintf(what, size, "out of memory");
        return LOOK_FAILED;
    }
    folder_become_owner(folder, &user); /* what SQLite makes there is the owner's */
    rc = sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, NULL);
    if (rc == SQLITE_OK) {
        sqlite3_busy_timeout(db, (int)ms);
        sqlite3_progress_handler(db, STEPS_BETWEEN_LOOKS, is_late, &deadline);
        rc = sqlite3_prepare_v2(db, "PRAGMA quick_check(1)", -1, &q, NULL);
    }
    if (rc == SQLITE_OK)
        rc = sqlite3_step(q);
    result = judge(db, q, rc, what, size);
    sqlite3_finalize(q);
    sqlite3_close(db);
    folder_become_self(&user);
    free(path);
    return result;
}
