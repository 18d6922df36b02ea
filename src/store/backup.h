/*
 * backup.h - the data folder into a backup (backup_file.h), and back. What a restore does when the power goes stands in swap.c.
 */
#ifndef TRIVET_STORE_BACKUP_H
#define TRIVET_STORE_BACKUP_H

#include "backup_file.h"
#include "device.h"

/* Called now and then, with how many bytes of how many were dealt with. */
typedef void backup_progress_fn(void *ctx, uint64_t done, uint64_t total);

/*
 * Entries are each stored file of a jot under its name jots/HASH (jot_content.h), and trivet.db, last. A file that is missing
 * or damaged is left out and counted: it must not keep the rest from being saved.
 *
 * Writes a backup of `folder` as it is at one moment, whether or not a server runs on it; `passphrase` may be NULL. The server
 * goes on meanwhile: all that it shares with this is the disk. *out (the caller's to release) says what was written.
 */
int backup_make(const char *folder, const char *passphrase, size_t len, int64_t now, backup_write_fn *fn,
                void *ctx, backup_progress_fn *progress, void *progress_ctx, backup_manifest *out,
                store_error *err);

/* Reads a backup to its end, and so proves it whole. The reader is unlocked. */
int backup_check(backup_reader *r, backup_progress_fn *progress, void *progress_ctx, backup_manifest *out,
                 store_error *err);

typedef struct {
    char kept[80];     /* the name that the old database has now, "" where there was none */
    bool unreadable;   /* the old one could not be asked for the two below */
    size_t revoked;    /* devices that were revoked since the backup, and stay so */
    device *strangers; /* devices that were paired since: the backup does not know them */
    size_t stranger_count;
} backup_restored;

void backup_restored_release(backup_restored *r);

/*
 * Puts a backup in the place of what `folder` holds, which is kept; nothing is replaced before the backup has proved whole
 * and sound. The folder is made where it is missing. STORE_LOCKED where a server runs on it, STORE_DENIED (status
 * EX_CANTCREAT) where it holds a database and `replace` is false.
 */
int backup_restore(const char *folder, backup_reader *r, bool replace, int64_t now,
                   backup_progress_fn *progress, void *progress_ctx, backup_manifest *manifest,
                   backup_restored *out, store_error *err);

#endif
