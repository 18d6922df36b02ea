/*
 * folder.h - a phone in a folder: what `trivet phone` keeps between two commands.
 *
 *     pairing.json   the code that `trivet pair` gave, and the name that the phone goes by; once the device key is there,
 *                    that stands in the place of the code's `k`, and "gen":1 beside it
 *     phone.json     {"since":N,"state":{...}}: the lists, and when the last sync was applied
 *     lock           held while phone.json is read or changed, never for longer
 *     sync.lock      held by the one sync that may run
 *
 * A phone app stores its lists and its `since` one after the other and can be killed in between (merge §10).
 * Here they are one file, replaced in one step: written beside it, fsync, rename, fsync of the folder. A kill
 * at any instant leaves the pair from before or the pair from after. All files have mode 0600, the folder
 * 0700.
 *
 * Calling sequence:
 *
 *     phone_folder_open
 *         { phone_folder_lock -> read, edit, write -> phone_folder_unlock } as often as wanted
 *     phone_folder_close
 *
 * Every function returns 0, or -1 with an exit status and what to tell the user in `err`.
 */
#ifndef TRIVET_PHONE_FOLDER_H
#define TRIVET_PHONE_FOLDER_H

#include "state/edit.h"
#include <trivet_merge.h>
#include <jansson.h>
#include <trivet_proto.h>

typedef struct phone_folder phone_folder;

/*
 * Makes the folder where there is none. A new phone is as the app is after its installation: six empty slots
 * in each section, never synced. A phone that is there already keeps its lists and is paired anew. `name` is
 * what the computer shows; NULL keeps the one it has, or takes the machine's.
 */
int phone_folder_init(const char *path, const trivet_proto_pairing *pairing, const char *name,
                      edit_error *err);

int phone_folder_open(const char *path, phone_folder **out, edit_error *err);
void phone_folder_close(phone_folder *f); /* NULL is fine; gives up both locks */

/* Borrowed from the folder. */
const trivet_proto_pairing *phone_folder_pairing(const phone_folder *f);
const char *phone_folder_name(const phone_folder *f);
const char *phone_folder_path(const phone_folder *f);

/* Of the protocol's version 2: the generation of the pairing's `k` (protocol §7). */
int phone_folder_gen(const phone_folder *f);

/* The first session's device key, which the computer keeps already, takes the place of the code's `k`, in one step. */
int phone_folder_keep_key(phone_folder *f, const uint8_t key[static 32], edit_error *err);

/* The pairing was used with version 1, with which the computer has erased `k`. */
int phone_folder_drop_key(phone_folder *f, edit_error *err);

/* From now on the computer is looked for there, as a pairing writes it; `keep`: by later commands, too. */
int phone_folder_move(phone_folder *f, const char *ip, uint16_t port, bool keep, edit_error *err);

/* Waits for other commands on the same folder, which hold it for milliseconds. */
int phone_folder_lock(phone_folder *f, edit_error *err);
void phone_folder_unlock(phone_folder *f);

/* Status 75 where another process is syncing this folder. Given up by phone_folder_close. */
int phone_folder_lock_sync(phone_folder *f, edit_error *err);

/* Both only under phone_folder_lock. *state is the caller's to free; `since` in ms since 1970, 0 = never
 * synced. */
int phone_folder_read(const phone_folder *f, trivet_merge_state **state, int64_t *since, edit_error *err);
int phone_folder_write(const phone_folder *f, const trivet_merge_state *state, int64_t since,
                       edit_error *err);

/*
 * Its jots (phone/jots.h): jots.json, an array, and each file as jot-file-ID. Of a phone that has none yet the array
 * is empty. *out is a new reference. Writing only under phone_folder_lock.
 */
int phone_folder_read_jots(const phone_folder *f, json_t **out, edit_error *err);
int phone_folder_write_jots(const phone_folder *f, json_t *jots, edit_error *err);

/* A file's bytes, by an id of this program's making. Reading gives 1 where there is none. */
int phone_folder_read_jot_file(const phone_folder *f, const char *id, char **out, size_t *len,
                               edit_error *err);
/* The same for one that may be larger than memory. *fd is the caller's to close. */
int phone_folder_open_jot_file(const phone_folder *f, const char *id, int *fd, edit_error *err);
/* Copies all that can be read from `from`; *len is how much that was. */
int phone_folder_keep_jot_file(const phone_folder *f, const char *id, int from, uint64_t *len,
                               edit_error *err);
/* Deletes those that `named` says no to. Only under the lock, since one is kept before a jot names it. */
void phone_folder_sweep_jot_files(const phone_folder *f, bool (*named)(const void *ctx, const char *id),
                                  const void *ctx);

#endif
