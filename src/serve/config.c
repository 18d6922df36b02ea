/*
 * The server's settings. One table says it all: what a key is called, where it is kept, what may stand there.
 * The file, the environment and flags all end in config_set().
 */
#include "serve/config.h"

#include "net/utf8.h"

#include <ctype.h>
#include <errno.h>
#include <ini.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

enum kind { PORT, TEXT, SWITCH, DURATION, BYTES, COUNT, SHARE, ALLOW, TIE_POLICY, LARGE_POLICY, METRICS };

struct key {
    const char *name;
    enum kind kind;
    size_t offset, size;
    double min, max; /* in the stored unit: ms, bytes, a count, a share */
};

#define KEY(name, kind, field, min, max)                                                                     \
    { name, kind, offsetof(config, field), sizeof(((config *)NULL)->field), min, max }

static const struct key keys[] = {
    KEY("port", PORT, port, 0, 65535),
    KEY("host", TEXT, host, 0, 0),
    KEY("name", TEXT, name, 0, 0),
    KEY("mdns", SWITCH, mdns, 0, 0),
    KEY("allow", ALLOW, allow_any, 0, 0),
    KEY("ask_timeout", DURATION, ask_timeout, 100, 24 * 3600e3),
    KEY("answer_timeout", DURATION, answer_timeout, 100, 3600e3),
    KEY("handshake_timeout", DURATION, handshake_timeout, 100, 3600e3),
    KEY("max_message", BYTES, max_message, 65536, 1 << 30),
    KEY("max_queued", BYTES, max_queued, 65536, 1 << 30),
    KEY("peers_per_address", COUNT, unauthenticated_per_address, 1, 10000),
    KEY("unauthenticated_max", COUNT, unauthenticated_max, 1, 100000),
    KEY("large_change", SHARE, large_threshold, 0.01, 1),
    KEY("on_tie", TIE_POLICY, on_tie, 0, 0),
    KEY("on_large_change", LARGE_POLICY, on_large_change, 0, 0),
    KEY("metrics", METRICS, metrics, 0, 0),
    KEY("record", TEXT, record, 0, 0),
};

enum { KEYS = sizeof keys / sizeof keys[0] };

void config_init(config *c) {
    *c = (config){
        .port = 8080,
        .mdns = true,
        .ask_timeout = 60000,
        .answer_timeout = 30000,
        .handshake_timeout = 10000,
        .max_message = 50u << 20,
        .max_queued = 64u << 20,
        .unauthenticated_per_address = 8,
        .unauthenticated_max = 64,
        .large_threshold = 0.8,
        .metrics = METRICS_LOCAL,
    };
}

/* ---- values ---- */

struct unit {
    const char *name;
    double factor;
};

static const struct unit durations[] = {{"ms", 1}, {"s", 1e3}, {"m", 60e3}, {"h", 3600e3}, {NULL, 0}};
static const struct unit sizes[] = {{"", 1}, {"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {NULL, 0}};
static const struct unit plain[] = {{"", 1}, {NULL, 0}};

static const char *const allowed[] = {
    [PORT] = "a port, 0 to 65535 (0 picks one)",
    [TEXT] = "a text of fewer bytes, in UTF-8 and without control characters",
    [SWITCH] = "on or off",
    [DURATION] = "a duration such as 500ms, 30s, 2m or 1h",
    [BYTES] = "a size such as 65536, 512KiB or 50MiB",
    [COUNT] = "a whole number",
    [SHARE] = "a share, 0.01 to 1",
    [ALLOW] = "local or any",
    [TIE_POLICY] = "ask, newest, phone, computer or cancel",
    [LARGE_POLICY] = "ask, computer, phone, both or cancel",
    [METRICS] = "off, local or on",
};

static bool parse_number(const char *value, const struct unit *units, double *out) {
    char *end;

    if (!isdigit((unsigned char)value[0]))
        return false;
    errno = 0;
    double number = strtod(value, &end);
    if (errno != 0)
        return false;
    while (*end == ' ')
        end++;
    for (; units->name; units++)
        if (strcasecmp(end, units->name) == 0) {
            *out = number * units->factor;
            return true;
        }
    return false;
}

static bool set_number(const struct key *k, char *field, const char *value) {
    const struct unit *units = k->kind == DURATION ? durations : k->kind == BYTES ? sizes : plain;
    double number;

    if (!parse_number(value, units, &number) || number < k->min || number > k->max)
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

static bool set_choice(bool *field, const char *value, const char *yes, const char *no) {
    *field = strcmp(value, yes) == 0;
    return *field || strcmp(value, no) == 0;
}

static bool set_metrics(unsigned *field, const char *value) {
    bool on;

    *field = strcmp(value, "on") == 0 ? METRICS_ON : METRICS_LOCAL;
    if (strcmp(value, "off") == 0)
        *field = METRICS_OFF;
    return *field == METRICS_OFF || set_choice(&on, value, "on", "local");
}

/* A name goes into JSON and onto terminals. */
static bool is_plain_text(const char *value) {
    utf8_check_state utf8 = UTF8_CHECK_INIT;

    for (const char *p = value; *p; p++)
        if ((unsigned char)*p < ' ' || *p == 0x7f)
            return false;
    return utf8_check(&utf8, (const uint8_t *)value, strlen(value)) && utf8_check_complete(&utf8);
}

static bool set_value(config *c, const struct key *k, const char *value) {
    char *field = (char *)c + k->offset;

    switch (k->kind) {
    case TEXT:
        if (strlen(value) >= k->size || !is_plain_text(value))
            return false;
        memcpy(field, value, strlen(value) + 1);
        return true;
    case SWITCH:
        return set_choice((bool *)field, value, "on", "off");
    case METRICS:
        return set_metrics((unsigned *)(void *)field, value);
    case ALLOW:
        return set_choice((bool *)field, value, "any", "local");
    case TIE_POLICY:
        return policy_for_ties(value, (policy *)(void *)field);
    case LARGE_POLICY:
        return policy_for_large(value, (policy *)(void *)field);
    default:
        return set_number(k, field, value);
    }
}

int config_set(config *c, const char *name, const char *value, char *message, size_t size) {
    for (size_t i = 0; i < KEYS; i++)
        if (strcmp(keys[i].name, name) == 0) {
            if (set_value(c, &keys[i], value))
                return 0;
            snprintf(message, size, "%s: expected %s, not \"%.100s\"", name, allowed[keys[i].kind], value);
            if (keys[i].kind == DURATION || keys[i].kind == BYTES || keys[i].kind == COUNT)
                snprintf(message + strlen(message), size - strlen(message), " (%.0f to %.0f%s)", keys[i].min,
                         keys[i].max, keys[i].kind == DURATION ? " ms" : "");
            return -1;
        }
    int n = snprintf(message, size, "unknown key \"%.100s\"; there are", name);
    for (size_t i = 0; i < KEYS && n > 0 && (size_t)n < size; i++)
        n += snprintf(message + n, size - (size_t)n, "%s %s", i ? "," : "", keys[i].name);
    return -1;
}

/* ---- the file, the environment ---- */

struct reading {
    config *config;
    char why[400]; /* of the first line that was refused */
};

/* inih calls this for each line, and returns the number of the first that was refused. */
static int on_line(void *user, const char *section, const char *name, const char *value) {
    struct reading *r = user;

    if (r->why[0])
        return 1;
    if (section[0] == '\0')
        return config_set(r->config, name, value, r->why, sizeof r->why) == 0;
    snprintf(r->why, sizeof r->why, "there are no [sections]");
    return 0;
}

static int load_file(config *c, const char *path, char *message, size_t size) {
    struct reading r = {c, ""};
    FILE *f = fopen(path, "re");

    if (!f) {
        snprintf(message, size, "%s: %s", path, strerror(errno));
        return -1;
    }
    int line = ini_parse_file(f, on_line, &r);
    fclose(f);
    if (line == 0)
        return 0;
    snprintf(message, size, "%s:%d: %s", path, line, r.why[0] ? r.why : "expected \"key = value\"");
    return -1;
}

static int load_environment(config *c, char *message, size_t size) {
    for (size_t i = 0; i < KEYS; i++) {
        char name[64] = "TRIVET_", why[400];
        for (size_t k = 0; keys[i].name[k]; k++)
            name[7 + k] = (char)toupper((unsigned char)keys[i].name[k]);
        const char *value = getenv(name);
        if (value && config_set(c, keys[i].name, value, why, sizeof why) != 0) {
            snprintf(message, size, "in the environment, %s: %s", name, why);
            return -1;
        }
    }
    return 0;
}

static bool usual_place(char *path, size_t size) {
    const char *xdg = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");

    if (xdg && xdg[0] == '/')
        snprintf(path, size, "%s/trivet/trivet.conf", xdg);
    else if (home && home[0] == '/')
        snprintf(path, size, "%s/.config/trivet/trivet.conf", home);
    else
        path[0] = '\0';
    if (path[0] && access(path, F_OK) == 0)
        return true;
    snprintf(path, size, "/etc/trivet/trivet.conf");
    return access(path, F_OK) == 0;
}

int config_load(config *c, const char *path, char *message, size_t size) {
    char usual[4096];

    if (!path && usual_place(usual, sizeof usual))
        path = usual;
    if (path && load_file(c, path, message, size) != 0)
        return -1;
    return load_environment(c, message, size);
}
