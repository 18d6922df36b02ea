/* Printing. Everything is UTF-8; a character is looked at by its bytes, whatever the locale says. */
#include "cli/print.h"

#include "serve/pairing_code.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>
#include <wchar.h>

/* The length of the well-formed character (RFC 3629 §4) at the start of `s`, 0: there is none. */
static size_t character(const char *s, size_t len, wchar_t *out) {
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    const unsigned char *b = (const unsigned char *)s;
    size_t n = b[0] < 0x80 ? 1 : b[0] >> 5 == 0x6 ? 2 : b[0] >> 4 == 0xE ? 3 : b[0] >> 3 == 0x1E ? 4 : 0;
    uint32_t c = n == 1 ? b[0] : b[0] & (0x7Fu >> n);

    if (n == 0 || n > len)
        return 0;
    for (size_t i = 1; i < n; i++) {
        if ((b[i] & 0xC0) != 0x80)
            return 0;
        c = c << 6 | (b[i] & 0x3F);
    }
    if (c < least[n] || c > 0x10FFFF || (c >= 0xD800 && c <= 0xDFFF))
        return 0;
    *out = (wchar_t)c;
    return n;
}

/* What a terminal obeys instead of showing: C0, DEL, C1, and the marks that turn the direction of writing. */
static bool is_control(wchar_t c) {
    return c < 0x20 || (c >= 0x7F && c < 0xA0) || (c >= 0x202A && c <= 0x202E) ||
           (c >= 0x2066 && c <= 0x2069);
}

static void escaped(FILE *out, const char *text, size_t len, bool keep_lines) {
    for (size_t i = 0; i < len;) {
        wchar_t c;
        size_t n = character(text + i, len - i, &c);
        if (n > 0 && (!is_control(c) || (keep_lines && (c == L'\n' || c == L'\t')))) {
            fwrite(text + i, 1, n, out);
            i += n;
        } else if (n == 1 && (c == L'\n' || c == L'\t' || c == L'\r')) {
            fputs(c == L'\n' ? "\\n" : c == L'\t' ? "\\t" : "\\r", out);
            i++;
        } else if (n > 1) {
            fprintf(out, "\\u%04x", (unsigned)c);
            i += n;
        } else {
            fprintf(out, "\\x%02x", (unsigned char)text[i++]);
        }
    }
}

void print_line(FILE *out, const char *text, size_t len) {
    escaped(out, text, len, false);
}

void print_block(FILE *out, const char *text, size_t len) {
    if (isatty(fileno(out)))
        escaped(out, text, len, true);
    else
        fwrite(text, 1, len, out);
}

void print_slice(FILE *out, trivet_merge_slice slice) {
    char *text;
    size_t len;

    if (trivet_merge_unquote(slice, &text, &len) != 0)
        return; /* out of memory, and what is left out is only shown */
    print_line(out, text, len);
    free(text);
}

void print_json_text(FILE *out, const char *text) {
    char *slice;
    size_t len;

    if (trivet_merge_quote(text, strlen(text), &slice, &len) != 0) {
        fputs("null", out);
        return;
    }
    fprintf(out, "\"%.*s\"", (int)len, slice);
    free(slice);
}

/* ---- messages ----------------------------------------------------------------------------------------- */

static void message(const char *before, const char *format, va_list args) {
    char text[1024];

    vsnprintf(text, sizeof text, format, args);
    fflush(stdout); /* so that the two come in order on a terminal */
    fputs(before, stderr);
    print_line(stderr, text, strlen(text));
    fputc('\n', stderr);
}

int print_failure(int status, const char *format, ...) {
    va_list args;

    va_start(args, format);
    message("trivet: ", format, args);
    va_end(args);
    return status;
}

void print_note(const char *format, ...) {
    va_list args;

    va_start(args, format);
    message("", format, args);
    va_end(args);
}

void print_styled(FILE *out, print_style style, const char *format, ...) {
    static const char *const codes[] = {
        [PRINT_PLAIN] = "",      [PRINT_HEADING] = "\033[1m", [PRINT_FAINT] = "\033[2m",
        [PRINT_ID] = "\033[33m", [PRINT_GOOD] = "\033[32m",   [PRINT_BAD] = "\033[31m",
    };
    bool colour = style != PRINT_PLAIN && pairing_colour(out);
    va_list args;

    if (colour)
        fputs(codes[style], out);
    va_start(args, format);
    vfprintf(out, format, args);
    va_end(args);
    if (colour)
        fputs("\033[0m", out);
}

/* ---- time and space ----------------------------------------------------------------------------------- */

int64_t print_now(void) {
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

char *print_when(int64_t when, int64_t now, char *out, size_t size) {
    int64_t minutes = (now - when) / 60000;
    time_t seconds = (time_t)(when / 1000);
    struct tm local;

    if (when <= 0)
        snprintf(out, size, "never");
    else if (now >= when && minutes < 1)
        snprintf(out, size, "just now");
    else if (now >= when && minutes < 60)
        snprintf(out, size, "%lld minute%s ago", (long long)minutes, minutes == 1 ? "" : "s");
    else if (now >= when && minutes < 24 * 60)
        snprintf(out, size, "%lld hour%s ago", (long long)(minutes / 60), minutes < 120 ? "" : "s");
    else if (!localtime_r(&seconds, &local) || strftime(out, size, "%Y-%m-%d %H:%M", &local) == 0)
        snprintf(out, size, "%lld", (long long)when);
    return out;
}

size_t print_width(const char *text) {
    size_t len = strlen(text), width = 0;

    for (size_t i = 0; i < len;) {
        wchar_t c = L'?';
        size_t n = character(text + i, len - i, &c);
        int columns = wcwidth(c);
        width += columns > 0 ? (size_t)columns : 0;
        i += n ? n : 1;
    }
    return width;
}

int print_finish(void) {
    if (fflush(stdout) == 0 && !ferror(stdout))
        return 0;
    if (errno == EPIPE) /* the reader has seen enough */
        return 0;
    return print_failure(EX_IOERR, "standard output: %s", strerror(errno));
}
