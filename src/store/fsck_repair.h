/*
 * fsck_repair.h - on a copy of the database: dropping what is damaged, saving what is not. For fsck.c only.
 */
#ifndef TRIVET_STORE_FSCK_REPAIR_H
#define TRIVET_STORE_FSCK_REPAIR_H

#include "fsck_content.h"

/* Repairs the open copy that `c` has been run on, in one transaction. */
int fsck_repair_content(fsck_content *c);

/*
 * Fills `fresh`, an empty database of this version, with all rows of `damaged` that can be read. STORE_DAMAGED: not even the
 * list of its tables can.
 */
int fsck_rebuild(store *damaged, store *fresh, store_error *err);

#endif
