/*
 * log.h - the program's log: one line per event on standard error.
 *
 * A line is `LEVEL message`, with the time in front where standard error is no terminal's and no journal's.
 * No text of an item, scratchpad or jot, no secret and no key may be given to it at any level (protocol §9);
 * what a peer sent is given only as a type, a JSON path, a reason or a count. Names (of devices) are escaped
 * by log_name(). May be called from any thread.
 */
#ifndef TRIVET_LOG_H
#define TRIVET_LOG_H

#include <stddef.h>

enum log_level { LOG_ERROR, LOG_WARNING, LOG_INFO, LOG_DEBUG };

/* Lines above `level` are dropped. The default is LOG_INFO. */
void log_set_level(enum log_level level);

void log_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_warning(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* `name` fit for a log line or a terminal: control characters and invalid UTF-8 as \xNN, cut to fit `size`.
 * Returns `out`. */
char *log_name(const char *name, char *out, size_t size);

#endif
