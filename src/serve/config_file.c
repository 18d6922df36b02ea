/*
 * Where settings come from: trivet.conf, and the environment. The file is read whole, within a bound, and given to inih
 * line by line, so that each error is told with its line, a line that begins with spaces is not taken for the end of
 * the one above (inih's default), and one that is longer than inih's buffer is not taken for two.
 */
#include "serve/config.h"

#include "log.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <ini.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_MAX = 64 * 1024, LONGEST_LINE = INI_MAX_LINE - 3 /* its end, and a NUL */, KEYS_MAX = 128 };

struct reading {
    config *config;
    const char *path;
    unsigned line;
    unsigned lines[KEYS_MAX]; /* where each key was set; 0: not yet */
    config_tell_fn *tell;
    void *ctx;
    bool failed, told; /* at all; for this line */
};

static void complain(struct reading *r, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* What stands in a file may be anything, and is told on a terminal. */
static void complain(struct reading *r, const char *format, ...) {
    char text[1024], message[5200], clean[5200];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (r->line > 0)
        snprintf(message, sizeof message, "%s:%u: %s", r->path, r->line, text);
    else
        snprintf(message, sizeof message, "%s: %s", r->path, text);
    r->tell(r->ctx, log_name(message, clean, sizeof clean));
    r->failed = r->told = true;
}

/* ---- the file ---- */

/* All of the file and a NUL, from malloc; NULL after saying why not. */
static char *read_file(struct reading *r, size_t *len) {
    struct stat st;
    ssize_t n = 0;
    int fd = open(r->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK |
                               O_NOCTTY); /* a pipe without a writer must not hold us up */
    char *text = malloc(FILE_MAX + 2);

    *len = 0;
    if (!text || fd < 0 || fstat(fd, &st) != 0)
        complain(r, "%s", text ? strerror(errno) : "out of memory");
    else if (S_ISDIR(st.st_mode))
        complain(r, "this is a folder; the settings stand in a file, such as trivet.conf in it");
    else if (!S_ISREG(st.st_mode) && !S_ISCHR(st.st_mode))
        complain(r, "this is no file");
    else
        while (*len <= FILE_MAX &&
               ((n = read(fd, text + *len, FILE_MAX + 1 - *len)) > 0 || (n < 0 && errno == EINTR)))
            *len += n > 0 ? (size_t)n : 0;
    if (n < 0)
        complain(r, "%s", strerror(errno));
    if (*len > FILE_MAX)
        complain(r, "larger than %d KiB: these are no settings", FILE_MAX / 1024);
    if (fd >= 0)
        close(fd);
    if (r->failed) {
        free(text);
        return NULL;
    }
    text[*len] = '\0';
    return text;
}

/* inih calls this for a line that holds `key = value`, and takes 0 for an error. */
static int on_value(void *user, const char *section, const char *name, const char *value) {
    struct reading *r = user;
    char why[1024];

    (void)section;
    for (size_t i = 0; i < KEYS_MAX && config_key(i); i++)
        if (strcmp(config_key(i), name) == 0) {
            if (r->lines[i])
                complain(r, "%s: set twice, first in line %u", name, r->lines[i]);
            r->lines[i] = r->line;
        }
    if (config_set(r->config, name, value, why, sizeof why) != 0)
        complain(r, "%s", why);
    return !r->told;
}

static void read_line(struct reading *r, const char *line, size_t len) {
    const char *start = line + strspn(line, " \t");

    r->told = false;
    if (memchr(line, '\0', len))
        complain(r, "holds a NUL byte: this is no text file");
    else if (*start == '#' || *start == ';')
        return;
    else if (len > LONGEST_LINE)
        complain(r, "longer than %d bytes%s", LONGEST_LINE,
                 "; a value that needs more fits the environment: TRIVET_ and its key");
    else if (*start == '[')
        complain(r, "there are no [sections], only key = value");
    else if (ini_parse_string(line, on_value, r) != 0 && !r->told)
        complain(r, "expected key = value");
}

static void load_file(struct reading *r) {
    size_t len;
    char *text = read_file(r, &len), *at = text, *end = text + len;

    if (!text)
        return;
    if (len >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0)
        at += 3;
    else if (len >= 2 && (memcmp(text, "\xFF\xFE", 2) == 0 || memcmp(text, "\xFE\xFF", 2) == 0)) {
        complain(r, "this is UTF-16; save it as UTF-8");
        at = end;
    }
    while (at < end) {
        char *stop = memchr(at, '\n', (size_t)(end - at));
        if (!stop)
            stop = end;
        size_t n = (size_t)(stop - at);
        *stop = '\0';
        r->line++;
        read_line(r, at, n > 0 && at[n - 1] == '\r' ? n - 1 : n);
        at = stop + 1;
    }
    r->line = 0;
    free(text);
}

/* ---- the environment ---- */

static const char PREFIX[] = "TRIVET_";
enum { VARIABLE_MAX = 64 };

/* The variable of a key. */
static void name_variable(const char *key, char out[static VARIABLE_MAX]) {
    size_t at = sizeof PREFIX - 1;

    memcpy(out, PREFIX, at);
    for (; *key && at + 1 < VARIABLE_MAX; key++)
        out[at++] = (char)toupper((unsigned char)*key);
    out[at] = '\0';
}

static void load_environment(struct reading *r) {
    const char *key;

    r->path = "in the environment";
    for (size_t i = 0; (key = config_key(i)); i++) {
        char name[VARIABLE_MAX], why[1024];
        name_variable(key, name);
        const char *value = getenv(name);
        if (value && config_set(r->config, key, value, why, sizeof why) != 0)
            complain(r, "%s: %s", name, why);
    }
}

/* Whether a variable means something: a setting, or the data folder, which is none. */
static bool is_known(const char *name) {
    char known[VARIABLE_MAX];
    const char *key;

    if (strcmp(name, "TRIVET_DATA") == 0)
        return true;
    for (size_t i = 0; (key = config_key(i)); i++) {
        name_variable(key, known);
        if (strcmp(name, known) == 0)
            return true;
    }
    return false;
}

/* `name` is a copy, to be changed. */
static void tell_variable(char *name, config_tell_fn *tell, void *ctx) {
    char message[512], clean[512], variable[VARIABLE_MAX] = "";
    const char *nearest;
    char *rest = name + sizeof PREFIX - 1;

    snprintf(message, sizeof message, "%.100s", name);
    for (char *at = rest; *at; at++)
        *at = (char)tolower((unsigned char)*at);
    if ((nearest = config_nearest(rest)))
        name_variable(nearest, variable);
    snprintf(message + strlen(message), sizeof message - strlen(message),
             " in the environment is no setting and does nothing; %s%s",
             nearest ? "is it " : "trivet.conf(5) lists those that there are", variable);
    strcat(message, nearest ? "?" : "");
    tell(ctx, log_name(message, clean, sizeof clean));
}

void config_unknown_variables(config_tell_fn *tell, void *ctx) {
    for (char **each = environ; *each; each++) {
        char name[128];

        if (strncmp(*each, PREFIX, sizeof PREFIX - 1) != 0)
            continue;
        snprintf(name, sizeof name, "%.*s", (int)strcspn(*each, "="), *each);
        if (!is_known(name))
            tell_variable(name, tell, ctx);
    }
}

/* ---- both ---- */

void config_find(const char *path, char *out, size_t size) {
    const char *xdg = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");

    out[0] = '\0';
    if (path)
        snprintf(out, size, "%s", path);
    else if (xdg && xdg[0] == '/') /* a relative one is to be ignored, the XDG specification says */
        snprintf(out, size, "%s/trivet/trivet.conf", xdg);
    else if (home && home[0] == '/')
        snprintf(out, size, "%s/.config/trivet/trivet.conf", home);
    if (path || (out[0] && access(out, F_OK) == 0))
        return;
    snprintf(out, size, "/etc/trivet/trivet.conf");
    if (access(out, F_OK) != 0)
        out[0] = '\0';
}

int config_load(config *c, const char *path, config_tell_fn *tell, void *ctx) {
    char file[4096];
    struct reading r = {.config = c, .path = file, .tell = tell, .ctx = ctx};

    config_find(path, file, sizeof file);
    if (file[0])
        load_file(&r);
    load_environment(&r);
    return r.failed ? -1 : 0;
}
