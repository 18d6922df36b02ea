/*
 * jots.h - the jots of a phone in a folder, and its answers about them (protocol §5): what the app does, and no more.
 */
#ifndef TRIVET_PHONE_JOTS_H
#define TRIVET_PHONE_JOTS_H

#include "phone/folder.h"

/* The body of a jot_manifest; a new reference, NULL: `err` says why. */
json_t *phone_jots_manifest(const phone_folder *f, edit_error *err);

/*
 * The answer to a message about jots: its type and its body (a new reference; NULL: there is none to give, as for a jot that is
 * not there). `manifest`: one is to follow. -1: `err` says why.
 */
int phone_jots_answer(phone_folder *f, const trivet_proto_message *message, trivet_proto_type *type,
                      json_t **body, bool *manifest, edit_error *err);

/* What the user does, under phone_folder_lock. `text` and `drawing` may be NULL: left as they are. */
int phone_jots_set(phone_folder *f, int64_t id, const char *text, const char *drawing, edit_error *err);
/* Of the file that a file_request names. -1: it is not there. */
int phone_jots_open_file(phone_folder *f, const json_t *asked, int *fd, edit_error *err);

/* `kind` is image, audio or file; its bytes are read from `from`. */
int phone_jots_add_file(phone_folder *f, int64_t id, const char *kind, const char *name, int from,
                        edit_error *err);
int phone_jots_remove(phone_folder *f, int64_t id, edit_error *err); /* status 66: there is none */

#endif
