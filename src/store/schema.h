/*
 * schema.h - the tables of a data folder, by version.
 */
#ifndef TRIVET_STORE_SCHEMA_H
#define TRIVET_STORE_SCHEMA_H

#include "sql.h"

/* An empty database becomes version 0 of ours, that is, it gets the application id; then schema_migrate. */
int schema_mark(store *s, store_error *err);

/* Its version; refused where it is a newer program's (STORE_FAILED) or somebody else's (STORE_DAMAGED). */
int schema_version(store *s, int *version, store_error *err);
/* That of this program. */
int schema_newest(void);

/* Brings an open database up to this program's version, a transaction per step. Refused, and left as they
 * are: a newer version's (STORE_FAILED), somebody else's (STORE_DAMAGED). */
int schema_migrate(store *s, store_error *err);

#endif
