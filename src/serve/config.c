/*
 * The server's settings. One table says it all: what a key is called, where it is kept, what may stand there.
 * The file, the environment (config_file.c) and flags all end in config_set().
 */
#include "serve/config.h"

#include "net/utf8.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum kind { PORT, TEXT, PROGRAM, DURATION, BYTES, COUNT, SHARE, CHOICE };

struct key {
    const char *name;
    enum kind kind;
    size_t offset, size;
    const char *initial; /* its default, as in a file */
    double min, max;     /* in the stored unit: ms, bytes, a count, a share */
    const char *words;   /* CHOICE: with a space between them; the index of one is what is stored */
    bool live;           /* a running server takes a new value over */
};

#define FIELD(field) offsetof(config, field), sizeof(((config *)NULL)->field)
#define SECONDS 1e3
#define HOURS 3600e3
#define AGES (100000 * 24 * HOURS)
#define GIB (1 << 30)

static const struct key keys[] = {
    {"port", PORT, FIELD(port), "8080", .min = 0, .max = 65535},
    {"host", TEXT, FIELD(host), "", .live = false},
    {"name", TEXT, FIELD(name), "", .live = true},
    {"mdns", CHOICE, FIELD(mdns), "on", .words = "off on"},
    {"allow", CHOICE, FIELD(allow_any), "local", .words = "local any", .live = true},
    {"v1", CHOICE, FIELD(v1), "allow", .words = "deny allow", .live = true},
    {"ask_timeout", DURATION, FIELD(ask_timeout), "60s", .min = 100, .max = 24 * HOURS, .live = true},
    {"answer_timeout", DURATION, FIELD(answer_timeout), "30s", .min = 100, .max = HOURS, .live = true},
    {"handshake_timeout", DURATION, FIELD(handshake_timeout), "10s", .min = 100, .max = HOURS, .live = true},
    {"max_message", BYTES, FIELD(max_message), "50MiB", .min = 65536, .max = GIB, .live = true},
    {"max_queued", BYTES, FIELD(max_queued), "64MiB", .min = 65536, .max = GIB, .live = true},
    {"peers_per_address", COUNT, FIELD(unauthenticated_per_address), "8", .min = 1, .max = 10000,
     .live = true},
    {"unauthenticated_max", COUNT, FIELD(unauthenticated_max), "64", .min = 1, .max = 100000, .live = true},
    {"large_change", SHARE, FIELD(large_threshold), "0.8", .min = 0.01, .max = 1, .live = true},
    /* enum policy's words; "-" is one that makes no sense there */
    {"on_tie", CHOICE, FIELD(on_tie), "ask", .words = "ask newest phone computer - cancel", .live = true},
    {"on_large_change", CHOICE, FIELD(on_large_change), "ask", .words = "ask - phone computer both cancel",
     .live = true},
    {"metrics", CHOICE, FIELD(metrics), "local", .words = "off local on", .live = true},
    {"hook", PROGRAM, FIELD(hook), "", .live = true},
    {"hook_timeout", DURATION, FIELD(hook_timeout), "30s", .min = 100, .max = HOURS, .live = true},
    {"keep_all", DURATION, FIELD(keep_all), "1d", .min = 1000, .max = AGES, .live = true},
    {"keep_hourly", DURATION, FIELD(keep_hourly), "30d", .min = 0, .max = AGES, .live = true},
    {"keep_daily", DURATION, FIELD(keep_daily), "400d", .min = 0, .max = AGES, .live = true},
    {"keep_history", DURATION, FIELD(keep_history), "800d", .min = 0, .max = AGES, .live = true},
    {"keep_lost", DURATION, FIELD(keep_lost), "400d", .min = 0, .max = AGES, .live = true},
    {"keep_deleted", DURATION, FIELD(keep_deleted), "400d", .min = 24 * HOURS, .max = AGES, .live = true},
    {"jots", CHOICE, FIELD(jots_auto), "auto", .words = "manual auto", .live = true},
    {"jots_dir", TEXT, FIELD(jots_dir), "", .live = false},
    {"jot_meta_timeout", DURATION, FIELD(jot_meta_timeout), "15s", .min = 100, .max = HOURS, .live = true},
    {"jot_file_timeout", DURATION, FIELD(jot_file_timeout), "120s", .min = 100, .max = HOURS, .live = true},
    {"jot_file_max", BYTES, FIELD(jot_file_max), "64GiB", .min = 1 << 20, .max = 1048576.0 * GIB,
     .live = true},
    {"record", TEXT, FIELD(record), "", .live = false},
    {"log_level", CHOICE, FIELD(log_level), "info", .words = "error warning info debug", .live = true},
    {"log_format", CHOICE, FIELD(log_format), "auto", .words = "auto plain logfmt json", .live = true},
};

enum { KEYS = sizeof keys / sizeof keys[0] };

const char *config_key(size_t i) {
    return i < KEYS ? keys[i].name : NULL;
}

/* ---- units ---- */

struct unit {
    const char *name;
    double factor;
};

/* Smallest first. */
static const struct unit durations[] = {{"ms", 1},     {"s", 1e3},     {"m", 60e3},
                                        {"h", 3600e3}, {"d", 86400e3}, {NULL, 0}};
static const struct unit sizes[] = {{"", 1}, {"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {NULL, 0}};
static const struct unit plain[] = {{"", 1}, {NULL, 0}};

static const struct unit *units_of(const struct key *k) {
    return k->kind == DURATION ? durations : k->kind == BYTES ? sizes : plain;
}

/* Digits, a point and digits, a unit. */
static bool parse_number(const char *value, const struct unit *units, double *out) {
    size_t whole = strspn(value, "0123456789"), len = whole;
    char digits[32], *end;

    if (whole && value[len] == '.')
        len += 1 + strspn(value + len + 1, "0123456789");
    if (whole == 0 || len >= sizeof digits || value[len - 1] == '.')
        return false;
    memcpy(digits, value, len);
    digits[len] = '\0';
    double number = strtod(digits, &end);
    if (*end)
        return false; /* a locale with another point: nothing here sets one */
    value += len + strspn(value + len, " ");
    for (; units->name; units++)
        if (strcasecmp(value, units->name) == 0) {
            *out = number * units->factor;
            return true;
        }
    return false;
}

/* In the largest unit of which it is a whole number. */
static void format_number(const struct key *k, double number, char *out, size_t size) {
    const struct unit *units = units_of(k), *best = units;

    for (; units->name; units++)
        if (number >= units->factor && number / units->factor == (double)(int64_t)(number / units->factor))
            best = units;
    if (k->kind == SHARE)
        snprintf(out, size, "%g", number);
    else
        snprintf(out, size, "%.0f%s", number / best->factor, best->name);
}

/* ---- what may stand there ---- */

/* The word that starts at `at`, and in *len its length. */
static const char *next_word(const char *at, size_t *len) {
    at += strspn(at, " ");
    *len = strcspn(at, " ");
    return at;
}

/* "a, b or c" */
static void describe_words(const char *words, char *out, size_t size) {
    size_t len, used = 0;

    out[0] = '\0';
    for (const char *at = next_word(words, &len); len && used < size; at = next_word(at + len, &len)) {
        bool last = at[len] == '\0';
        if (*at == '-')
            continue;
        used += (size_t)snprintf(out + used, size - used, "%s%.*s",
                                 used == 0 ? ""
                                 : last    ? " or "
                                           : ", ",
                                 (int)len, at);
    }
}

static void describe(const struct key *k, char *out, size_t size) {
    static const char *const forms[] = {
        [PORT] = "a port from %s to %s (0 picks one)",
        [DURATION] = "a duration from %s to %s (a number and ms, s, m, h or d)",
        [BYTES] = "a size from %s to %s (bytes, or a number and KiB, MiB or GiB)",
        [COUNT] = "a whole number from %s to %s",
        [SHARE] = "a share from %s to %s",
    };
    char least[32], most[32];

    if (k->kind == CHOICE) {
        describe_words(k->words, out, size);
    } else if (k->kind == PROGRAM) {
        snprintf(out, size, "the absolute path of a program, or nothing (without arguments)");
    } else if (k->kind == TEXT) {
        snprintf(
            out, size,
            "a text of at most %zu bytes (UTF-8, no control characters, no semicolon that begins a word)",
            k->size - 1);
    } else {
        format_number(k, k->min, least, sizeof least);
        format_number(k, k->max, most, sizeof most);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        snprintf(out, size, forms[k->kind], least, most);
#pragma GCC diagnostic pop
    }
}

/* ---- values, in and out ---- */

static double get_number(const struct key *k, const char *field) {
    switch (k->kind) {
    case PORT:
        return *(const uint16_t *)(const void *)field;
    case DURATION:
        return (double)*(const int64_t *)(const void *)field;
    case BYTES:
        return (double)*(const size_t *)(const void *)field;
    case COUNT:
        return *(const unsigned *)(const void *)field;
    default:
        return *(const double *)(const void *)field;
    }
}

static bool set_number(const struct key *k, char *field, const char *value) {
    double number;

    if (!parse_number(value, units_of(k), &number) || number < k->min || number > k->max)
        return false;
    if (k->kind != SHARE && number != (double)(int64_t)number)
        return false;
    switch (k->kind) {
    case PORT:
        *(uint16_t *)(void *)field = (uint16_t)number;
        return true;
    case DURATION:
        *(int64_t *)(void *)field = (int64_t)number;
        return true;
    case BYTES:
        *(size_t *)(void *)field = (size_t)number;
        return true;
    case COUNT:
        *(unsigned *)(void *)field = (unsigned)number;
        return true;
    default:
        *(double *)(void *)field = number;
        return true;
    }
}

/* Kept as a bool, where there are two, or as an unsigned or enum. */
static unsigned get_choice(const struct key *k, const char *field) {
    return k->size == sizeof(bool) ? *(const bool *)(const void *)field
                                   : *(const unsigned *)(const void *)field;
}

static bool set_choice(const struct key *k, char *field, const char *value) {
    unsigned index = 0;
    size_t len;

    for (const char *at = next_word(k->words, &len); len; at = next_word(at + len, &len), index++)
        if (*at != '-' && strlen(value) == len && memcmp(at, value, len) == 0) {
            if (k->size == sizeof(bool))
                *(bool *)(void *)field = index != 0;
            else
                *(unsigned *)(void *)field = index;
            return true;
        }
    return false;
}

/* A name goes into JSON and onto terminals; and what config_print writes must be read as the same, wherever it came from: a file
 * has a comment begin with a semicolon behind a space, and spaces around a value do not count there. */
static bool is_plain_text(const char *value) {
    utf8_check_state utf8 = UTF8_CHECK_INIT;

    for (const char *p = value; *p; p++)
        if ((unsigned char)*p < ' ' || *p == 0x7f || (*p == ';' && (p == value || p[-1] == ' ')) ||
            (*p == ' ' && (p == value || p[1] == '\0')))
            return false;
    return utf8_check(&utf8, (const uint8_t *)value, strlen(value)) && utf8_check_complete(&utf8);
}

static bool set_value(config *c, const struct key *k, const char *value) {
    char *field = (char *)c + k->offset;

    if (k->kind == CHOICE)
        return set_choice(k, field, value);
    if (k->kind != TEXT && k->kind != PROGRAM)
        return set_number(k, field, value);
    if (k->kind == PROGRAM && value[0] && value[0] != '/')
        return false;
    if (strlen(value) >= k->size || !is_plain_text(value))
        return false;
    memset(field, 0, k->size); /* two that are equal have equal bytes */
    memcpy(field, value, strlen(value));
    return true;
}

void config_init(config *c) {
    memset(c, 0, sizeof *c);
    for (size_t i = 0; i < KEYS; i++) {
        bool fits = set_value(c, &keys[i], keys[i].initial);
        assert(fits);
        (void)fits;
    }
}

void config_print(const config *c, FILE *out) {
    char allowed[256], value[32];

    for (size_t i = 0; i < KEYS; i++) {
        const struct key *k = &keys[i];
        const char *field = (const char *)c + k->offset;
        size_t len = 0;

        describe(k, allowed, sizeof allowed);
        fprintf(out, "# %s; default: %s%s\n", allowed, k->initial[0] ? k->initial : "empty",
                k->live ? "" : "; changes with a restart");
        if (k->kind == TEXT || k->kind == PROGRAM) {
            fprintf(out, "%s =%s%s\n", k->name, field[0] ? " " : "", field);
        } else if (k->kind == CHOICE) {
            const char *at = next_word(k->words, &len);
            for (unsigned skip = get_choice(k, field); skip > 0; skip--)
                at = next_word(at + len, &len);
            fprintf(out, "%s = %.*s\n", k->name, (int)len, at);
        } else {
            format_number(k, get_number(k, field), value, sizeof value);
            fprintf(out, "%s = %s\n", k->name, value);
        }
    }
}

void config_merge_running(const config *running, config *fresh,
                          void (*tell)(void *ctx, const char *key, bool taken_over), void *ctx) {
    for (size_t i = 0; i < KEYS; i++) {
        const char *old = (const char *)running + keys[i].offset;
        char *new = (char *)fresh + keys[i].offset;

        if (memcmp(old, new, keys[i].size) == 0)
            continue;
        tell(ctx, keys[i].name, keys[i].live);
        if (!keys[i].live)
            memcpy(new, old, keys[i].size);
    }
}

/* ---- by name ---- */

static size_t least_of(size_t a, size_t b) {
    return a < b ? a : b;
}

/* How many letters must be put in, taken out or changed to make one of the other (Levenshtein). */
static size_t difference(const char *a, const char *b) {
    size_t row[64], n = strlen(b);

    if (n >= 64)
        return SIZE_MAX;
    for (size_t j = 0; j <= n; j++)
        row[j] = j;
    for (size_t i = 1; a[i - 1]; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= n; j++) {
            size_t changed = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            row[j] = least_of(changed, least_of(row[j], row[j - 1]) + 1);
        }
    }
    return row[n];
}

const char *config_nearest(const char *name) {
    size_t best = SIZE_MAX, nearest = 0;

    for (size_t i = 0; i < KEYS && strlen(name) < 64; i++) {
        size_t d = difference(name, keys[i].name);
        if (d < best) {
            best = d;
            nearest = i;
        }
    }
    return best <= 2 || best * 3 <= strlen(name) ? keys[nearest].name : NULL;
}

static void say_unknown(const char *name, char *message, size_t size) {
    const char *nearest = config_nearest(name);

    if (nearest) {
        snprintf(message, size, "unknown key \"%s\"; is it %s?", name, nearest);
        return;
    }
    int n = snprintf(message, size, "unknown key \"%.64s\"; there are", name);
    for (size_t i = 0; i < KEYS && n > 0 && (size_t)n < size; i++)
        n += snprintf(message + n, size - (size_t)n, "%s %s", i ? "," : "", keys[i].name);
}

int config_set(config *c, const char *name, const char *value, char *message, size_t size) {
    char allowed[256];

    for (size_t i = 0; i < KEYS; i++)
        if (strcmp(keys[i].name, name) == 0) {
            if (set_value(c, &keys[i], value))
                return 0;
            describe(&keys[i], allowed, sizeof allowed);
            snprintf(message, size, "%s: expected %s, not \"%.100s\"", name, allowed, value);
            return -1;
        }
    say_unknown(name, message, size);
    return -1;
}
