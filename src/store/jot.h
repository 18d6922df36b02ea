/*
 * jot.h - what phones have captured: texts, drawings, and what is known of photos, recordings and files (protocol §5).
 * The files' bytes are jot_content.h's.
 *
 * It goes one way, from the phone here, and nothing that was stored goes when the phone changes or clears it: a text or a
 * drawing that changed is another form of its jot, with the date on which it came; a file that the phone has no more, or
 * whose description changed, keeps its row and the date on which it was missed. A jot is known by its number here, which
 * is never used again; the phone uses its own ids (of a device) over and over.
 *
 * All of it is rows in the caller's transaction. What the power or a lost message does: a meta that was not committed is as
 * one that never came, and the manifest of the next connection has it asked for again. A file counts as stored once
 * jot_file_stored is committed, which is after jot_content_finish (jot_content.c says what is left before that); else it
 * is asked for again.
 *
 * Texts are kept as the protocol's library gives them (proto/text.h); whoever shows them takes a plain copy.
 */
#ifndef TRIVET_STORE_JOT_H
#define TRIVET_STORE_JOT_H

#include "store.h"

enum {
    JOT_MAX = 10000,        /* of one device; more are left unseen */
    JOT_FILES_MAX = 1000,   /* of one jot, gone ones apart */
    JOT_FORMS_MAX = 10000,  /* of one jot */
    JOT_TEXT_MAX = 4 << 20, /* bytes */
    JOT_DRAWING_MAX = 16 << 20,
    JOT_CUTS_MAX = 2, /* requests that ended the connection: then the file is too large for the app */
    JOT_UNASKED_MAX = 9 * 1024 * 1024 /* bytes; larger ones are only asked for on the user's word */
};

typedef enum { JOT_IMAGE, JOT_AUDIO, JOT_FILE } jot_kind;
const char *jot_kind_name(jot_kind kind); /* "image" "audio" "file" */

/* What a phone says of a file; pointers are borrowed. */
typedef struct {
    jot_kind kind;
    const char *id, *name, *format; /* `name` of files only; `format` is the MIME type of those */
    int64_t size;                   /* 0: not told, as of photos and recordings */
    int64_t created_at;             /* ms since 1970, by the phone's clock */
} jot_file_told;

/* What it says of a jot. */
typedef struct {
    int64_t id;
    const char *text, *drawing; /* "": none */
    const jot_file_told *files;
    size_t file_count;
} jot_told;

/* What a manifest says of one. */
typedef struct {
    int64_t id;
    bool content; /* it has any */
} jot_seen;

typedef struct {
    int64_t num, id; /* here; on the phone */
    char device[9];
    int64_t first_at, changed_at; /* ms since 1970, by this computer's clock, as are all below */
    int64_t gone_at;              /* since when the phone shows nothing of it; 0: it does */
} jot_row;

typedef struct {
    int64_t num;
    jot_kind kind;
    char *id, *name, *format, *failed; /* `failed`: why the phone did not give it; "" */
    int64_t told_size, created_at;
    bool stored;
    store_name hash; /* where stored, and what follows */
    int64_t size, stored_at;
    int64_t gone_at;
    bool wanted; /* the user asked for it */
    int64_t cuts;
} jot_file_row;

typedef struct {
    int64_t num, stored_at;
    char *text, *drawing;
} jot_form_row;

/*
 * A manifest. *ask gets the ids whose meta is to be asked for (the caller's to free): of every jot that either side has
 * content for. What the phone does not name any more is gone. A device that took another's place takes over its jots.
 */
int jot_manifest(store *s, const char *device, const jot_seen *seen, size_t count, int64_t now, int64_t **ask,
                 size_t *ask_count, store_error *err);

/* A meta. *num is the jot's number (0: nothing is known of it, and nothing was told); *changed: something is new. */
int jot_apply(store *s, const char *device, const jot_told *told, int64_t now, int64_t *num, bool *changed,
              store_error *err);

/*
 * The next file of a device, behind number `after`, that is not stored and to be asked for: those that the user wants,
 * and with `unasked` all others, unless they are too large to come in one message; `in_pieces`: they need not. STORE_NONE: there is
 * none. `file_id` is the caller's to free.
 */
typedef struct {
    int64_t num, jot_id;
    jot_kind kind;
    char *file_id;
    int64_t told_size; /* 0: not told */
} jot_request;
int jot_file_next(store *s, const char *device, int64_t after, bool unasked, bool in_pieces, jot_request *out,
                  store_error *err);

/* The file that an answer is about; STORE_NONE where nothing is known of it, or it is stored: what is stays. */
int jot_file_find(store *s, const char *device, int64_t jot_id, jot_kind kind, const char *file_id,
                  int64_t *num, int64_t *jot, store_error *err);
/* Its content is in jots/ and durable. */
int jot_file_stored(store *s, int64_t num, int64_t jot, const store_name *hash, uint64_t size, int64_t now,
                    store_error *err);
int jot_file_cut(store *s, int64_t num, store_error *err);
int jot_file_failed(store *s, int64_t num, const char *reason, store_error *err);

/* Deletes what is half come of files that nothing waits for any more (jot_content.h). Only under the folder's lock. */
int jot_partial_sweep(store *s, store_error *err);

/* The user wants all files of a jot. *count: how many are missing. */
int jot_want(store *s, int64_t num, size_t *count, store_error *err);
/* The phone has cleared it. */
int jot_cleared(store *s, int64_t num, int64_t now, store_error *err);

/* Whether all that the phone has of a jot is stored. */
int jot_is_whole(store *s, int64_t num, bool *whole, store_error *err);

/* Every one's row, by device; *out is the caller's to free. STORE_READ of an older folder: none. */
int jot_list(store *s, jot_row **out, size_t *count, store_error *err);
int jot_get(store *s, int64_t num, jot_row *out, store_error *err); /* STORE_NONE */
int jot_files(store *s, int64_t num, jot_file_row **out, size_t *count, store_error *err);
void jot_files_free(jot_file_row *files, size_t count);
int jot_forms(store *s, int64_t num, jot_form_row **out, size_t *count, store_error *err); /* oldest first */
void jot_forms_free(jot_form_row *forms, size_t count);

/* Names of all stored contents, each once, with their sizes; *out is the caller's to free. */
typedef struct {
    store_name hash;
    uint64_t size;
} jot_content_name;
int jot_contents(store *s, jot_content_name **out, size_t *count, store_error *err);

/* ---- the plain folder (`jots_dir`): what stands there already ---- */

/* All of it is to be written anew, to another folder. */
int jot_unkeep_all(store *s, store_error *err);
/* The next jot behind `after` that changed since it was written; STORE_NONE. */
int jot_unkept(store *s, int64_t after, int64_t *num, store_error *err);
int jot_keep(store *s, int64_t num, store_error *err);

#endif
