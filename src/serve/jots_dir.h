/*
 * jots_dir.h - `jots_dir`: a plain folder in which all jots are kept as files too, for a photo program or a backup to
 * pick up (jot/copy.h says what stands there).
 *
 * The store knows which jots changed since they were written there; one that was written counts as such only
 * afterwards, so that a crash means that it is looked at once more. Where the folder cannot be written to, that is logged
 * and tried again with the next change, or the next start.
 */
#ifndef TRIVET_SERVE_JOTS_DIR_H
#define TRIVET_SERVE_JOTS_DIR_H

#include "serve/host.h"

typedef struct jots_dir jots_dir;

/* NULL: the settings name none (or out of memory). Begins to write what is missing. */
jots_dir *jots_dir_new(host *h);
/* A jot changed. NULL is fine. */
void jots_dir_poke(jots_dir *d);
void jots_dir_free(jots_dir *d); /* after the loop has ended; NULL is fine */

#endif
