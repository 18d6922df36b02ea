/*
 * getopt_long does the parsing; the table that it wants, and --help, are made from what the command
 * declares.
 */
#include "cli/options.h"

#include "cli/print.h"

#include <errno.h>
#include <getopt.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

enum { MAX_OPTIONS = 16, OWN = 3 /* --help, --data, --json */ };
enum { JSON = 900, DATA, FIRST = 1000 /* the command's own count on from here; letters are short options */ };

int options_refuse(const char *command, const char *format, ...) {
    char message[512];
    va_list args;

    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    return print_failure(EX_USAGE, "%s; `trivet %s --help` says more", message, command);
}

bool options_number(const char *command, const char *what, const char *typed, int64_t least, int64_t most,
                    int64_t *out) {
    char *end;

    errno = 0;
    long long value = strtoll(typed, &end, 10);
    if (errno == 0 && end != typed && *end == '\0' && value >= least && value <= most) {
        *out = value;
        return true;
    }
    options_refuse(command, "%s: expected a number from %lld to %lld, not \"%.100s\"", what, (long long)least,
                   (long long)most, typed);
    return false;
}

/* ---- help --------------------------------------------------------------------------------------------- */

static void help_line(const char *name, const char *value, const char *help) {
    char left[64];

    snprintf(left, sizeof left, "%s%s%s%s", name[1] ? "--" : "-", name, value ? " " : "", value ? value : "");
    if (strlen(left) > 22)
        printf("    %s\n    %-22s  %s\n", left, "", help);
    else
        printf("    %-22s  %s\n", left, help);
}

static void help(const cli_usage *u) {
    const char *line = u->arguments;

    for (bool first = true; first || *line; first = false) {
        size_t len = strcspn(line, "\n");
        printf("%s trivet %s%s%.*s\n", first ? "usage:" : "      ", u->command, len ? " " : "", (int)len,
               line);
        line += len + (line[len] == '\n');
    }
    printf("\n%s\n\nOptions:\n", u->summary);
    for (const cli_option *o = u->options; o->name; o++)
        help_line(o->name, o->value, o->help);
    if (u->flags & CLI_JSON)
        help_line("json", NULL, "print JSON");
    if (!(u->flags & CLI_NO_DATA))
        help_line("data", "DIR", "the data folder (default: $TRIVET_DATA, else ~/.local/share/trivet)");
    help_line("help", NULL, "print this");
}

/* ---- the data folder ---------------------------------------------------------------------------------- */

static const char *non_empty(const char *variable) {
    const char *value = getenv(variable);

    return value && value[0] ? value : NULL;
}

/* The one that trivet.service keeps: another user's than root. */
bool options_service_folder(void) {
    struct stat st;

    return stat(OPTIONS_SERVICE_FOLDER, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid != 0;
}

/* An XDG folder that is no absolute path is to be ignored, the specification says. */
static int data_folder(const char *typed, cli_common *common) {
    const char *base, *rest = "";
    struct passwd *user;

    if (typed) {
        base = typed;
    } else if ((base = non_empty("TRIVET_DATA"))) {
    } else if (geteuid() == 0 && options_service_folder()) {
        base = OPTIONS_SERVICE_FOLDER;
    } else if ((base = non_empty("XDG_DATA_HOME")) && base[0] == '/') {
        rest = "/trivet";
    } else {
        rest = "/.local/share/trivet";
        if (!(base = non_empty("HOME")) && (user = getpwuid(getuid())))
            base = user->pw_dir;
    }
    if (!base || !base[0])
        return print_failure(EX_USAGE, "where is the data folder? Say --data DIR, or set TRIVET_DATA");
    if ((size_t)snprintf(common->data, sizeof common->data, "%s%s", base, rest) >= sizeof common->data)
        return print_failure(EX_USAGE, "the path of the data folder is too long");
    return -1;
}

/* ---- parsing ------------------------------------------------------------------------------------------ */

/* Fills getopt's table; `val` is the index of the command's option, or counts on from its end. */
static size_t long_options(const cli_usage *u, struct option *table) {
    size_t count = 0, own;

    for (; u->options[count].name; count++)
        table[count] =
            (struct option){u->options[count].name, u->options[count].value ? required_argument : no_argument,
                            NULL, (int)count + FIRST};
    own = count;
    table[own++] = (struct option){"help", no_argument, NULL, 'h'};
    if (u->flags & CLI_JSON)
        table[own++] = (struct option){"json", no_argument, NULL, JSON};
    if (!(u->flags & CLI_NO_DATA))
        table[own++] = (struct option){"data", required_argument, NULL, DATA};
    table[own] = (struct option){0};
    return own;
}

/* getopt's short options, of those with a name of one letter; `letters` has room for all. */
static void short_options(const cli_usage *u, char *letters) {
    size_t used = (size_t)sprintf(letters, ":h");

    for (const cli_option *o = u->options; o->name; o++)
        if (!o->name[1])
            used += (size_t)sprintf(letters + used, "%s%s", o->name, o->value ? ":" : "");
}

static int index_of(const cli_usage *u, int letter) {
    int i = 0;

    while (u->options[i].name[0] != letter || u->options[i].name[1])
        i++;
    return i;
}

static int take(const cli_option *o, const char *value) {
    if (o->flag)
        *o->flag = true;
    if (o->string)
        *o->string = value;
    return o->each ? o->each(o->ctx, value) : 0;
}

static int check_count(const cli_usage *u, int argc, char **argv) {
    size_t count = (size_t)argc;

    if (count < u->min_arguments)
        return options_refuse(u->command, "%s is missing; usage: trivet %s %.*s",
                              u->min_arguments - count > 1 ? "more than one argument" : "an argument",
                              u->command, (int)strcspn(u->arguments, "\n"), u->arguments);
    if (count > u->max_arguments)
        return options_refuse(u->command, "\"%.100s\" is one argument too many", argv[u->max_arguments]);
    return -1;
}

/* Of several letters in one word, getopt has passed the word only with the last of them. */
static const char *refused_word(char **argv) {
    const char *passed = argv[optind - 1], *word = argv[optind];
    size_t len = strlen(passed);
    bool done = passed[0] == '-' && (passed[1] == '-' || optopt == 0 || passed[len - 1] == optopt);

    return done || !word ? passed : word;
}

/* getopt leaves the option's `val` in optopt where it was known but was given a value that it does not take. */
static int refuse_option(const cli_usage *u, const char *typed) {
    if (optopt != 0 && strncmp(typed, "--", 2) == 0)
        return options_refuse(u->command, "%.*s takes no value", (int)strcspn(typed, "="), typed);
    return options_refuse(u->command,
                          "\"%.100s\" is no option here (a text that starts with - goes after --)", typed);
}

int options_parse(const cli_usage *u, int *argc, char ***argv, cli_common *common) {
    struct option table[MAX_OPTIONS + OWN + 1];
    char letters[2 + 2 * MAX_OPTIONS + 1];
    const char *data = NULL;
    int c, status;

    *common = (cli_common){.command = u->command};
    long_options(u, table);
    short_options(u, letters);
    opterr = 0;
    optind = 0; /* forgets an earlier parse, glibc's way */
    while ((c = getopt_long(*argc, *argv, letters, table, NULL)) != -1) {
        if (c == 'h') {
            help(u);
            return 0;
        }
        if (c == JSON)
            common->json = true;
        else if (c == DATA)
            data = optarg;
        else if (c == ':')
            return options_refuse(u->command, "%s wants a value", (*argv)[optind - 1]);
        else if (c == '?')
            return refuse_option(u, refused_word(*argv));
        else if (take(&u->options[c >= FIRST ? c - FIRST : index_of(u, c)], optarg) != 0)
            return EX_USAGE;
    }
    *argc -= optind;
    *argv += optind;
    if ((status = check_count(u, *argc, *argv)) >= 0)
        return status;
    common->data_named = data != NULL;
    return u->flags & CLI_NO_DATA ? -1 : data_folder(data, common);
}

/* Whether the option takes its value from the next word. getopt takes the beginning of a name for the name. */
static bool wants_next(const char *option, const char *valued) {
    size_t len = strlen(option);

    for (const char *at = valued; *at; at += strcspn(at, " "), at += strspn(at, " "))
        if (strncmp(at, option, len) == 0)
            return true;
    return false;
}

const char *options_verb(int argc, char **argv, const char *valued) {
    int at = 1;

    for (; at < argc && argv[at][0] == '-' && argv[at][1]; at++) {
        if (strcmp(argv[at], "--") == 0)
            return NULL;
        at += strncmp(argv[at], "--", 2) == 0 && !strchr(argv[at], '=') && wants_next(argv[at] + 2, valued);
    }
    if (at >= argc)
        return NULL;
    char *verb = argv[at];
    memmove(argv + 2, argv + 1, (size_t)(at - 1) * sizeof *argv);
    argv[1] = verb;
    return verb;
}

char *options_join(int argc, char **argv) {
    size_t len = 1, used = 0;
    char *out;

    for (int i = 0; i < argc; i++)
        len += strlen(argv[i]) + 1;
    if (!(out = malloc(len)))
        return NULL;
    out[0] = '\0';
    for (int i = 0; i < argc; i++)
        used += (size_t)snprintf(out + used, len - used, "%s%s", i ? " " : "", argv[i]);
    return out;
}
