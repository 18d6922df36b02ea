/*
 * log.h - the program's log: one line per event on standard error, from any thread.
 *
 *     log_warning("the database grows: %zu bytes", size);
 *     log_event(LOG_INFO, "sync", LOG_TEXT("device", name), LOG_TEXT("outcome", "synced"), LOG_NUMBER("duration_ms", 12));
 *
 * A message is for a person to read. An event is also for programs that search and count: its name and keys are
 * words of [a-z0-9_] which stay as they are once released. How a line looks:
 *
 *     plain    2026-11-20T19:03:03 info: sync device="Pixel 8" outcome=synced duration_ms=12
 *     logfmt   time=2026-11-20T18:03:03.120Z level=info event=sync device="Pixel 8" outcome=synced duration_ms=12
 *     json     {"time":"2026-11-20T18:03:03.120Z","level":"info","event":"sync","device":"Pixel 8","outcome":...}
 *
 * A message is `msg="..."`, in plain form bare. LOG_AUTO is plain on a terminal, else logfmt. Where standard error is
 * the journal's (JOURNAL_STREAM, systemd.exec(5)) a line begins with `<N>`, its priority as sd-daemon(3) has it, and
 * has no time, since journald keeps one.
 *
 * Whatever a value holds, it cannot end its line or, but in plain form, pose as another key: what is not one plain
 * word is in quotes, with JSON's escapes, and control characters, broken UTF-8 and marks that turn the direction of
 * writing are escaped in every form. A value is cut after LOG_VALUE_MAX bytes; a field that does not fit a line any more
 * is left out, and the line says `cut=true`.
 *
 * No text of an item, scratchpad or jot, no secret and no key may be given to it at any level (protocol §9);
 * what a peer sent is given only as a type, a JSON path, a reason or a count. Names of devices are the exception.
 */
#ifndef TRIVET_LOG_H
#define TRIVET_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum log_level { LOG_ERROR, LOG_WARNING, LOG_INFO, LOG_DEBUG };
enum log_format { LOG_AUTO, LOG_PLAIN, LOG_LOGFMT, LOG_JSON };
enum { LOG_VALUE_MAX = 1024, LOG_FIELDS_MAX = 32 };

/* Lines above `level` are dropped. The default is LOG_INFO. */
void log_set_level(enum log_level level);
bool log_is_wanted(enum log_level level);

/* The default is LOG_AUTO. What standard error is, is looked up at this call, or else at the first line. */
void log_set_format(enum log_format format);

void log_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_warning(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *format, ...) __attribute__((format(printf, 1, 2)));

/*
 * A line for whoever has just started the program, such as "listening on [::]:8080": as it is, where people or their
 * scripts read it (LOG_AUTO outside of the journal, and LOG_PLAIN), else as log_info() would.
 */
void log_greeting(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* ---- events ---- */

typedef struct {
    const char *key;
    enum { LOG_FIELD_TEXT, LOG_FIELD_NUMBER, LOG_FIELD_REAL, LOG_FIELD_TRUTH } kind;
    const char *text; /* NULL: the field is left out */
    int64_t number;   /* 0 or 1 for a truth */
    double real;
} log_field;

#define LOG_TEXT(name, value)                                                                                \
    (log_field) {                                                                                            \
        .key = (name), .kind = LOG_FIELD_TEXT, .text = (value)                                               \
    }
#define LOG_NUMBER(name, value)                                                                              \
    (log_field) {                                                                                            \
        .key = (name), .kind = LOG_FIELD_NUMBER, .number = (int64_t)(value)                                  \
    }
#define LOG_REAL(name, value)                                                                                \
    (log_field) {                                                                                            \
        .key = (name), .kind = LOG_FIELD_REAL, .real = (value)                                               \
    }
#define LOG_TRUTH(name, value)                                                                               \
    (log_field) {                                                                                            \
        .key = (name), .kind = LOG_FIELD_TRUTH, .number = (value) ? 1 : 0                                    \
    }

/* The field `msg` says in words what happened, where the name alone does not. At least one field. */
#define log_event(level, name, ...)                                                                          \
    log_fields(level, name, (const log_field[]){__VA_ARGS__},                                                \
               sizeof((const log_field[]){__VA_ARGS__}) / sizeof(log_field))

/* The same for fields that are counted at run time. `name` NULL: a message, which is one of the fields. */
void log_fields(enum log_level level, const char *name, const log_field *fields, size_t count);

/* `name` fit for a log line or a terminal: control characters and invalid UTF-8 as \xNN, cut to fit `size`.
 * Returns `out`. */
char *log_name(const char *name, char *out, size_t size);

#endif
