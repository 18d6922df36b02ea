/*
 * The program's log. Each line is written with one write(2), so that lines of several threads do not mix; it is built
 * on the stack, so that it can say that memory has run out.
 */
#include "log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 8192, RESERVE = 32 /* for the cut's mark and the end */, TO_JOURNAL = 8, KNOWN = 16 };

static _Atomic enum log_level log_limit = LOG_INFO;
static _Atomic enum log_format chosen = LOG_AUTO;
static _Atomic int
    shape; /* a log_format that is not LOG_AUTO, with TO_JOURNAL and KNOWN; 0: not looked up yet */

void log_set_level(enum log_level level) {
    log_limit = level;
}

bool log_is_wanted(enum log_level level) {
    return level <= log_limit;
}

/* ---- where it goes ---- */

/* systemd.exec(5): JOURNAL_STREAM is device and inode of the stream that systemd connected, which may not be the one that
 * is there by now. */
static bool is_journal(void) {
    const char *stream = getenv("JOURNAL_STREAM");
    unsigned long long device, inode;
    struct stat st;
    char more;

    return stream && sscanf(stream, "%llu:%llu%c", &device, &inode, &more) == 2 &&
           fstat(STDERR_FILENO, &st) == 0 && st.st_dev == (dev_t)device && st.st_ino == (ino_t)inode;
}

static int look_up(enum log_format format) {
    if (format == LOG_AUTO)
        format = isatty(STDERR_FILENO) ? LOG_PLAIN : LOG_LOGFMT;
    return (int)format | KNOWN | (is_journal() ? TO_JOURNAL : 0);
}

void log_set_format(enum log_format format) {
    chosen = format;
    shape = look_up(format);
}

static int current_shape(void) {
    if (!shape)
        log_set_format(chosen);
    return shape;
}

/* ---- a line ---- */

struct line {
    char text[LINE_MAX_BYTES];
    size_t used;
    enum log_format format;
    bool full, begun; /* something was left out; a field is there */
};

/* All of it or nothing. */
static bool put(struct line *l, const char *text, size_t len) {
    if (l->full || len > sizeof l->text - RESERVE - l->used) {
        l->full = true;
        return false;
    }
    memcpy(l->text + l->used, text, len);
    l->used += len;
    return true;
}

static bool put_string(struct line *l, const char *text) {
    return put(l, text, strlen(text));
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

/* The code point of the control character or mark at `s`, of `n` bytes. */
static unsigned code_point(const unsigned char *s, size_t n) {
    return n == 1   ? s[0]
           : n == 2 ? (s[0] & 0x1Fu) << 6 | (s[1] & 0x3Fu)
                    : (s[0] & 0x0Fu) << 12 | (s[1] & 0x3Fu) << 6 | (s[2] & 0x3Fu);
}

/* The next character of `s` as JSON has it inside of quotes, or, not `quoted`, only with what must not reach a terminal
 * escaped. Returns how many bytes it took. */
static size_t escape(const unsigned char *s, bool quoted, char out[static 8]) {
    size_t n = utf8_length(s);

    if (n == 0)
        snprintf(out, 8, "\\ufffd");
    else if (*s == '\n' || *s == '\t')
        snprintf(out, 8, *s == '\n' ? "\\n" : "\\t");
    else if (is_control(s))
        snprintf(out, 8, "\\u%04x", code_point(s, n));
    else
        snprintf(out, 8, "%s%.*s", quoted && (*s == '"' || *s == '\\') ? "\\" : "", (int)n, (const char *)s);
    return n ? n : 1;
}

static bool put_escaped(struct line *l, const char *text, bool quoted) {
    const unsigned char *s = (const unsigned char *)text, *end = s + strnlen(text, LOG_VALUE_MAX);
    char one[8];

    while (s < end && *s) {
        s += escape(s, quoted, one);
        if (!put_string(l, one))
            return false;
    }
    return !*s || put_string(l, "...");
}

static bool is_word(const char *text) {
    static const char word[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.,:;/+-_@%()[]";
    return text[0] && text[strspn(text, word)] == '\0' && strlen(text) <= LOG_VALUE_MAX;
}

static bool put_text(struct line *l, const char *text) {
    if (l->format != LOG_JSON && is_word(text))
        return put_string(l, text);
    return put_string(l, "\"") && put_escaped(l, text, true) && put_string(l, "\"");
}

static bool put_value(struct line *l, const log_field *f) {
    char number[40];

    switch (f->kind) {
    case LOG_FIELD_TEXT:
        return put_text(l, f->text);
    case LOG_FIELD_TRUTH:
        return put_string(l, f->number ? "true" : "false");
    case LOG_FIELD_NUMBER:
        snprintf(number, sizeof number, "%lld", (long long)f->number);
        return put_string(l, number);
    case LOG_FIELD_REAL:
        /* JSON has no infinity, and every locale its own comma: a real is in thousandths. */
        if (!(f->real > -1e15 && f->real < 1e15))
            return put_string(l, "null");
        long long thousandths = (long long)(f->real * 1000 + (f->real < 0 ? -0.5 : 0.5));
        snprintf(number, sizeof number, "%s%lld.%03lld", thousandths < 0 ? "-" : "",
                 llabs(thousandths) / 1000, llabs(thousandths) % 1000);
        return put_string(l, number);
    }
    return false;
}

static void put_field(struct line *l, const log_field *f) {
    size_t before = l->used;
    bool json = l->format == LOG_JSON, bare = l->format == LOG_PLAIN && strcmp(f->key, "msg") == 0, fits;

    if (f->kind == LOG_FIELD_TEXT && !f->text)
        return;
    fits = !l->begun || put_string(l, json ? "," : " ");
    if (bare)
        fits = fits && put_escaped(l, f->text, false);
    else
        fits = fits && (!json || put_string(l, "\"")) && put_string(l, f->key) &&
               put_string(l, json ? "\":" : "=") && put_value(l, f);
    if (!fits)
        l->used = before;
    l->begun = l->begun || fits;
}

/* The time, the level, and what a line of this form begins with. */
static void begin(struct line *l, enum log_level level, const char *name, bool journal) {
    static const char *const names[] = {"error", "warning", "info", "debug"};
    static const char *const priorities[] = {"<3>", "<4>", "<6>", "<7>"};
    struct timespec now;
    struct tm parts;
    char stamp[40] = "", text[64];

    clock_gettime(CLOCK_REALTIME, &now);
    if (journal)
        put_string(l, priorities[level]);
    if (l->format == LOG_PLAIN) {
        if (!journal && localtime_r(&now.tv_sec, &parts) &&
            strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%S ", &parts))
            put_string(l, stamp);
        snprintf(text, sizeof text, "%s:", names[level]);
        put_string(l, text);
        if (name) {
            put_string(l, " ");
            put_string(l, name);
        }
        l->begun = true;
        return;
    }
    put_string(l, l->format == LOG_JSON ? "{" : "");
    if (!journal && gmtime_r(&now.tv_sec, &parts) &&
        strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%S", &parts)) {
        snprintf(text, sizeof text, "%s.%03ldZ", stamp, now.tv_nsec / 1000000);
        put_field(l, &LOG_TEXT("time", text));
    }
    put_field(l, &LOG_TEXT("level", names[level]));
    put_field(l, &LOG_TEXT("event", name));
}

static void finish(struct line *l) {
    static const char *const marks[] = {
        [LOG_PLAIN] = " cut=true", [LOG_LOGFMT] = " cut=true", [LOG_JSON] = ",\"cut\":true"};
    int n = snprintf(l->text + l->used, RESERVE, "%s%s\n", l->full ? marks[l->format] : "",
                     l->format == LOG_JSON ? "}" : "");

    l->used += (size_t)n;
    if (write(STDERR_FILENO, l->text, l->used) < 0)
        return; /* there is nowhere left to say so */
}

void log_fields(enum log_level level, const char *name, const log_field *fields, size_t count) {
    struct line l = {.used = 0};
    int to = current_shape();

    if (!log_is_wanted(level))
        return;
    l.format = (enum log_format)(to & ~(TO_JOURNAL | KNOWN));
    begin(&l, level, name, to & TO_JOURNAL);
    for (size_t i = 0; i < count && i < LOG_FIELDS_MAX; i++)
        put_field(&l, &fields[i]);
    finish(&l);
}

static void log_message(enum log_level level, const char *format, va_list args) {
    char text[LOG_VALUE_MAX + 8];

    if (!log_is_wanted(level) || vsnprintf(text, sizeof text, format, args) < 0)
        return;
    log_fields(level, NULL, &LOG_TEXT("msg", text), 1);
}

#define LOG_AT(level)                                                                                        \
    va_list args;                                                                                            \
    va_start(args, format);                                                                                  \
    log_message(level, format, args);                                                                        \
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

void log_greeting(const char *format, ...) {
    va_list args;

    va_start(args, format);
    if (chosen == LOG_PLAIN || (chosen == LOG_AUTO && !(current_shape() & TO_JOURNAL))) {
        vfprintf(stderr, format, args);
        fputc('\n', stderr);
    } else {
        log_message(LOG_INFO, format, args);
    }
    va_end(args);
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
