/* The program's log. Each line is written with one write(2), so that lines of several threads do not mix. */
#include "log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static _Atomic enum log_level log_limit = LOG_INFO;

void log_set_level(enum log_level level) {
    log_limit = level;
}

static void log_line(enum log_level level, const char *format, va_list args) {
    static const char *const names[] = {"error", "warning", "info", "debug"};
    char line[2048];
    struct timespec now;
    struct tm local;
    size_t len = 0;

    if (level > log_limit)
        return;
    clock_gettime(CLOCK_REALTIME, &now);
    if (localtime_r(&now.tv_sec, &local))
        len = strftime(line, sizeof line, "%Y-%m-%dT%H:%M:%S ", &local);
    len += (size_t)snprintf(line + len, sizeof line - len, "%s: ", names[level]);
    int n = vsnprintf(line + len, sizeof line - len - 1, format, args);
    if (n < 0)
        return;
    len += (size_t)n;
    if (len > sizeof line - 2)
        len = sizeof line - 2;
    line[len++] = '\n';
    if (write(STDERR_FILENO, line, len) < 0)
        return; /* there is nowhere left to say so */
}

#define LOG_AT(level)                                                                                        \
    va_list args;                                                                                            \
    va_start(args, format);                                                                                  \
    log_line(level, format, args);                                                                           \
    va_end(args)

void log_error(const char *format, ...) {
    LOG_AT(LOG_ERROR);
}

void log_warning(const char *format, ...) {
    LOG_AT(LOG_WARNING);
}

void log_info(const char *format, ...) {
    LOG_AT(LOG_INFO);
}

void log_debug(const char *format, ...) {
    LOG_AT(LOG_DEBUG);
}

/* How many bytes of well-formed UTF-8 (RFC 3629 §4) start at `s`; 0: none. A NUL ends every sequence. */
static size_t utf8_length(const unsigned char *s) {
    if (s[0] < 0x80)
        return 1;
    if (s[0] >= 0xC2 && s[0] <= 0xDF)
        return (s[1] & 0xC0) == 0x80 ? 2 : 0;
    if ((s[0] & 0xF0) == 0xE0) {
        unsigned char low = s[0] == 0xE0 ? 0xA0 : 0x80, high = s[0] == 0xED ? 0x9F : 0xBF;
        return s[1] >= low && s[1] <= high && (s[2] & 0xC0) == 0x80 ? 3 : 0;
    }
    if (s[0] >= 0xF0 && s[0] <= 0xF4) {
        unsigned char low = s[0] == 0xF0 ? 0x90 : 0x80, high = s[0] == 0xF4 ? 0x8F : 0xBF;
        return s[1] >= low && s[1] <= high && (s[2] & 0xC0) == 0x80 && (s[3] & 0xC0) == 0x80 ? 4 : 0;
    }
    return 0;
}

/* C0, DEL, and C1 (which a terminal obeys too, coded as C2 80 to C2 9F); U+200E, U+200F, U+2028 to U+202E and
 * U+2066 to U+2069, which end a line or turn it round. */
static bool is_control(const unsigned char *s) {
    if (s[0] == 0xE2 && s[1] == 0x80)
        return s[2] == 0x8E || s[2] == 0x8F || (s[2] >= 0xA8 && s[2] <= 0xAE);
    if (s[0] == 0xE2 && s[1] == 0x81)
        return s[2] >= 0xA6 && s[2] <= 0xA9;
    return s[0] < 0x20 || s[0] == 0x7F || (s[0] == 0xC2 && s[1] < 0xA0);
}

char *log_name(const char *name, char *out, size_t size) {
    const unsigned char *s = (const unsigned char *)name;
    size_t used = 0;

    while (*s) {
        size_t n = utf8_length(s);
        if (n > 0 && !is_control(s)) {
            if (used + n >= size)
                break;
            memcpy(out + used, s, n);
            used += n;
            s += n;
        } else {
            if (used + 4 >= size)
                break;
            used += (size_t)snprintf(out + used, size - used, "\\x%02x", *s);
            s++;
        }
    }
    out[used] = '\0';
    return out;
}
