/* Moments. A number of many digits and a letter is no duration: it may be the name of a state. */
#include "cli/when.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MOST_DIGITS = 5 };

static bool duration(const char *typed, int64_t now, int64_t *out) {
    static const struct {
        const char *unit;
        int64_t ms;
    } units[] = {{"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 24 * 3600000LL}, {"w", 7 * 24 * 3600000LL}};
    size_t digits = strspn(typed, "0123456789");

    for (size_t i = 0; digits > 0 && digits <= MOST_DIGITS && i < sizeof units / sizeof *units; i++)
        if (strcmp(typed + digits, units[i].unit) == 0) {
            *out = now - strtoll(typed, NULL, 10) * units[i].ms;
            return true;
        }
    return false;
}

static bool date(const char *typed, int64_t *out) {
    static const char *const formats[] = {"%Y-%m-%d", "%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M",
                                          "%Y-%m-%dT%H:%M:%S"};

    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
        struct tm local = {.tm_isdst = -1};
        const char *end = strptime(typed, formats[i], &local);
        struct tm asked = local;
        time_t seconds;
        /* mktime() makes the 2nd of March of a 30th of February. */
        if (end && *end == '\0' && (seconds = mktime(&local)) != (time_t)-1 &&
            local.tm_mday == asked.tm_mday) {
            *out = (int64_t)seconds * 1000;
            return true;
        }
    }
    return false;
}

bool when_parse(const char *typed, int64_t now, int64_t *out) {
    return duration(strcmp(typed, "yesterday") == 0 ? "1d" : typed, now, out) || date(typed, out);
}
