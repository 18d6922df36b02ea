/*
 * copy.h - a jot of the store as plain files in a folder: DIR/jot-NUMBER/ with texts as .txt, drawings as .svg, and
 * photos, recordings and files under safe names (name.h).
 *
 * Nothing that is there is ever overwritten: a file that holds the same already is left as it is, another one makes the
 * new one go by a number: "scan (2).pdf". So the same may be written as often as one likes. A file is written under a
 * hidden name, synced and then given its own; a power cut leaves the hidden one at most.
 *
 *     jot_copy_load(store, number, &copy, &err)      needs the store, and nothing but its rows
 *     jot_copy_write(&copy, folder, dir, &result, &err)     needs the disk alone, on any thread
 *     jot_copy_release(&copy)
 */
#ifndef TRIVET_JOT_COPY_H
#define TRIVET_JOT_COPY_H

#include "store/jot.h"

typedef struct {
    jot_row row;
    jot_form_row *forms;
    jot_file_row *files;
    size_t form_count, file_count;
} jot_copy;

int jot_copy_load(store *s, int64_t num, jot_copy *out, store_error *err); /* STORE_NONE */
void jot_copy_release(jot_copy *c);

typedef struct {
    char dir[4096];          /* …/jot-NUMBER */
    size_t written, present; /* files that were made, and that were there already */
    size_t missing;          /* the phone has them, this computer not yet */
    size_t damaged;          /* stored, but not to be read: see `trivet fsck` */
} jot_copied;

/* `folder` is the data folder. `dir` is made where it is missing. */
int jot_copy_write(const jot_copy *c, const char *folder, const char *dir, jot_copied *out, store_error *err);

#endif
