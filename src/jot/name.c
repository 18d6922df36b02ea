/*
 * name.c - one pass over the characters, then the rules about the whole.
 */
#include "jot/name.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

enum { ENDING_MAX = 16 };

/* The character at `at`, strictly UTF-8, and its length; 0: none there. */
static unsigned next(const unsigned char *at, size_t *len) {
    static const unsigned least[] = {0, 0, 0x80, 0x800, 0x10000};
    unsigned c = at[0];
    size_t n = c < 0x80                ? 1
               : c >= 0xf0 && c < 0xf5 ? 4
               : c >= 0xe0 && c < 0xf0 ? 3
               : c >= 0xc2 && c < 0xe0 ? 2
                                       : 0;
    *len = 1;
    if (n < 2)
        return n == 1 ? c : 0;
    c &= 0xffu >> (n + 1);
    for (size_t i = 1; i < n; i++) {
        if ((at[i] & 0xc0) != 0x80)
            return 0;
        c = c << 6 | (at[i] & 0x3fu);
    }
    if (c < least[n] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
        return 0;
    *len = n;
    return c;
}

/* Not controls, separators, wild cards; nothing that cannot be seen or turns the direction of what follows. */
static bool is_fit(unsigned c) {
    if (c < 0x20 || c == 0x7f || (c >= 0x80 && c < 0xa0))
        return false;
    if (c < 0x80)
        return strchr("/\\:*?\"<>|", (int)c) == NULL;
    return c != 0xad && c != 0x61c && c != 0x180e && !(c >= 0x200b && c <= 0x200f) &&
           !(c >= 0x2028 && c <= 0x202e) && !(c >= 0x2060 && c <= 0x206f) && !(c >= 0xe000 && c <= 0xf8ff) &&
           c != 0xfeff && !(c >= 0xfff0 && c <= 0xfffb) && c < 0xe0000 && (c & 0xfffe) != 0xfffe;
}

/* Joiners, without which Persian, Hindi and families of emoji are spelled wrong; beside Latin letters they only deceive. */
static bool is_joiner(unsigned c, unsigned before) {
    return (c == 0x200c || c == 0x200d) && before >= 0x300 && is_fit(before);
}

static size_t copy_fit(const char *given, char *out, size_t size) {
    const unsigned char *at = (const unsigned char *)given;
    size_t used = 0, len;
    unsigned c = 0, before;
    for (; *at != '\0' && used + 5 < size; at += len) {
        before = c;
        c = next(at, &len);
        if (c == 0 || (!is_fit(c) && !is_joiner(c, before))) {
            out[used++] = '_';
        } else {
            memcpy(out + used, at, len);
            used += len;
        }
    }
    out[used] = '\0';
    return used;
}

/* Where the ending starts, its point included; at the end where there is none. */
static const char *ending_of(const char *name) {
    const char *dot = strrchr(name, '.');
    const char *end = name + strlen(name);
    return dot != NULL && dot != name && end - dot <= ENDING_MAX ? dot : end;
}

/* Cut between characters, the ending kept. */
static void shorten(char *name) {
    size_t len = strlen(name);
    if (len <= JOT_NAME_MAX)
        return;
    const char *ending = ending_of(name);
    size_t ending_len = strlen(ending), cut = JOT_NAME_MAX - ending_len;
    while (cut > 0 && ((unsigned char)name[cut] & 0xc0) == 0x80)
        cut--;
    memmove(name + cut, ending, ending_len + 1);
}

static bool is_device(const char *name) {
    static const char *const devices[] = {"con", "prn", "aux", "nul", "conin$", "conout$", "clock$"};
    size_t len = strcspn(name, ".");
    while (len > 0 && name[len - 1] == ' ')
        len--;
    for (size_t i = 0; i < sizeof devices / sizeof *devices; i++)
        if (len == strlen(devices[i]) && strncasecmp(name, devices[i], len) == 0)
            return true;
    if (len < 4 || (strncasecmp(name, "com", 3) != 0 && strncasecmp(name, "lpt", 3) != 0))
        return false;
    /* Windows takes the superscripts for digits. */
    return (len == 4 && name[3] >= '0' && name[3] <= '9') ||
           (len == 5 && (memcmp(name + 3, "\xc2\xb9", 2) == 0 || memcmp(name + 3, "\xc2\xb2", 2) == 0 ||
                         memcmp(name + 3, "\xc2\xb3", 2) == 0));
}

void jot_name_safe(const char *given, const char *fallback, char out[static JOT_NAME_MAX + 1]) {
    char name[2048];
    size_t len = copy_fit(given, name + 1, sizeof name - 1), skip;
    char *start = name + 1;

    skip = strspn(start, " ");
    start += skip;
    len -= skip;
    while (len > 0 && (start[len - 1] == ' ' || start[len - 1] == '.'))
        start[--len] = '\0';
    for (size_t i = 0; start[i] == '.'; i++)
        start[i] = '_'; /* hidden ones, too */
    if (is_device(start) || start[0] == '-') {
        *--start = '_'; /* nor an option */
        len++;
    }
    shorten(start);
    len = strlen(start);
    while (len > 0 && (start[len - 1] == ' ' || start[len - 1] == '.'))
        start[--len] = '\0';
    snprintf(out, JOT_NAME_MAX + 1, "%s", start[0] ? start : fallback);
}

/* What follows the point: letters and digits, few of them. */
static void read_format(const char *format, char ending[static 12]) {
    static const char *const known[][2] = {
        {"image/jpeg", "jpg"}, {"image/png", "png"},  {"image/heic", "heic"}, {"image/webp", "webp"},
        {"audio/mp4", "m4a"},  {"audio/mpeg", "mp3"}, {"audio/wav", "wav"},   {"audio/aac", "aac"}};
    size_t len = 0;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcasecmp(format, known[i][0]) == 0)
            format = known[i][1];
    format += *format == '.';
    for (; ((*format | 0x20) >= 'a' && (*format | 0x20) <= 'z') || (*format >= '0' && *format <= '9');
         format++) {
        if (len >= 8)
            break;
        ending[1 + len++] = *format >= 'A' && *format <= 'Z' ? (char)(*format | 0x20) : *format;
    }
    ending[0] = '.';
    ending[len && *format == '\0' ? 1 + len : 0] = '\0';
}

void jot_name_dated(const char *what, int64_t ms, const char *format, char out[static JOT_NAME_MAX + 1]) {
    time_t seconds = (time_t)(ms / 1000);
    struct tm tm;
    char date[32] = "", ending[12];
    if (ms > 0 && ms < INT64_C(253402300800000) && gmtime_r(&seconds, &tm) != NULL)
        strftime(date, sizeof date, "-%Y%m%d-%H%M%S", &tm);
    read_format(format, ending);
    snprintf(out, JOT_NAME_MAX + 1, "%s%s%s", what, date, ending);
}

void jot_name_numbered(const char *name, unsigned number, char out[static JOT_NAME_MAX + 16]) {
    const char *ending = ending_of(name);
    snprintf(out, JOT_NAME_MAX + 16, "%.*s (%u)%s", (int)(ending - name), name, number, ending);
}
