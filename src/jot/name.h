/*
 * name.h - names of files that are made of what a phone said (protocol §5). What a phone says is data: no separator, no
 * control character, no "..", nothing that a system takes for a device, bounded, and never empty.
 */
#ifndef TRIVET_JOT_NAME_H
#define TRIVET_JOT_NAME_H

#include <stddef.h>
#include <stdint.h>

enum {
    JOT_NAME_MAX = 150 /* bytes, without the NUL; with " (999)" and the like it still fits any file system */
};

/*
 * A safe form of `given`: UTF-8, each character that is not fit for a name (of any system) a `_`; its ending, if it is
 * short, survives a cut. `fallback` stands for what leaves nothing.
 */
void jot_name_safe(const char *given, const char *fallback, char out[static JOT_NAME_MAX + 1]);

/* "photo-20260131-140500.jpg"; `format` is "jpg" or a MIME type, and left out where it is neither. Times in UTC. */
void jot_name_dated(const char *what, int64_t ms, const char *format, char out[static JOT_NAME_MAX + 1]);

/* "NAME (2).jpg" */
void jot_name_numbered(const char *name, unsigned number, char out[static JOT_NAME_MAX + 16]);

#endif
