/*
 * fsck.h - whether a data folder is sound, and what can be done where it is not.
 *
 * Checking reads one moment of the database beside a server that may be running, and changes nothing. Repairing wants the
 * folder for itself, works on a copy, and puts that in the place of the database when the copy has been found sound (swap.h);
 * the damaged file is kept. What is dropped is chosen so that no edit is lost that is still there to be read: see
 * fsck_repair.c.
 */
#ifndef TRIVET_STORE_FSCK_H
#define TRIVET_STORE_FSCK_H

#include "store.h"

typedef struct {
    bool fault; /* false: worth knowing, and nothing is wrong */
    const char *
        kind; /* "folder" "file" "database" "part" "head" "record" "history" "grave" "revival" "device" "question" "clock" */
    char what[256];     /* what was found; no content */
    const char *means;  /* for the user */
    const char *action; /* what to do about it, or what a repair does */
} fsck_finding;

typedef struct {
    void (*found)(void *ctx, const fsck_finding *finding);
    void (*progress)(void *ctx, const char *doing, size_t done, size_t total); /* NULL: none */
    void *ctx;
    int64_t now;
    bool repair;
} fsck_options;

typedef struct {
    size_t faults, notes;
    size_t parts, states; /* how many were read */
    bool repaired;        /* the folder is sound now */
    char kept[80];        /* the damaged database's new name, "" where nothing was replaced */
} fsck_result;

/*
 * 0 when the folder was checked, whatever was found. Else it could not be: there is no database, it is another program's or a
 * newer version's, none of it can be read, or with `repair` a server runs on it; `err` says which and what to do.
 */
int fsck_run(const char *folder, const fsck_options *options, fsck_result *result, store_error *err);

#endif
