/*
 * meta.h - a jot as the protocol gives it (a JSON object in the shape of protocol §3), as the store takes it.
 */
#ifndef TRIVET_JOT_META_H
#define TRIVET_JOT_META_H

#include "store/jot.h"

#include <jansson.h>

typedef struct {
    jot_told told; /* its strings are the JSON's */
    jot_file_told *files;
    bool
        partly; /* there is more than can be kept: files beyond JOT_FILES_MAX, or a text or drawing too large, which then says "" */
} jot_meta;

/* -1: out of memory. At most JOT_FILES_MAX files are taken. */
int jot_meta_read(const json_t *jot, jot_meta *out);
void jot_meta_release(jot_meta *m);

/* A manifest's `jots`; *out is the caller's to free. -1: out of memory. */
int jot_meta_manifest(const json_t *jots, jot_seen **out, size_t *count);

/* "image", "audio" or "file"; false: none of them. */
bool jot_meta_kind(const char *name, jot_kind *out);

#endif
