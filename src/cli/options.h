/*
 * options.h - what every command's arguments have in common, on top of getopt_long.
 *
 * A command declares its own options and where their values go; --data, --json and --help are everyone's:
 *
 *     const char *slot = NULL;
 *     const cli_option options[] = {{"slot", "N|LABEL", "which slot", .string = &slot}, CLI_OPTIONS_END};
 *     const cli_usage usage = {"add", "TEXT...", "Adds an item.", options, CLI_JSON, 1, SIZE_MAX};
 *     cli_common common;
 *     int status = options_parse(&usage, &argc, &argv, &common);
 *     if (status >= 0)
 *         return status;
 *
 * after which argv[0] to argv[argc - 1] are the arguments that are no options.
 */
#ifndef TRIVET_CLI_OPTIONS_H
#define TRIVET_CLI_OPTIONS_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
    const char *name;  /* without the dashes: two, or one before a single letter */
    const char *value; /* what --help calls its value; NULL: it has none */
    const char *help;
    /* One of these says where it goes; a later one wins. */
    bool *flag;
    const char **string;
    int (*each)(void *ctx, const char *value); /* called in order for each; -1 after printing what is wrong */
    void *ctx;
} cli_option;

#define CLI_OPTIONS_END                                                                                      \
    { NULL, NULL, NULL, NULL, NULL, NULL, NULL }

enum { CLI_JSON = 1, CLI_NO_DATA = 2 /* has no use for a data folder */ };

typedef struct {
    const char *command; /* "add", or "devices revoke" */
    const char
        *arguments; /* as --help shows them, "" for none; lines after the first are other ways to call it */
    const char *summary; /* sentences */
    const cli_option *options;
    unsigned flags;
    size_t min_arguments, max_arguments;
} cli_usage;

typedef struct {
    const char *command;
    bool json;
    bool data_named; /* by --data */
    char data
        [PATH_MAX]; /* --data, else $TRIVET_DATA, else for root the service's, else $XDG_DATA_HOME/trivet, else
                            ~/.local/share/trivet */
} cli_common;

/* Where trivet.service keeps its data, and whether it does so on this computer. */
#define OPTIONS_SERVICE_FOLDER "/var/lib/trivet"
bool options_service_folder(void);

/* -1: go on. Else the exit status: 0 after --help, 64 where the arguments make no sense, which is told. */
int options_parse(const cli_usage *usage, int *argc, char ***argv, cli_common *common);

/* Tells what is wrong with the arguments and where to look; returns 64. */
int options_refuse(const char *command, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A decimal number in a range; false after telling which option or argument is wrong. */
bool options_number(const char *command, const char *what, const char *typed, int64_t least, int64_t most,
                    int64_t *out);

/* The arguments joined by spaces; from malloc, NULL: out of memory. */
char *options_join(int argc, char **argv);

/*
 * For a command of several verbs ("devices rename"), which may have its options anywhere: puts the verb, the first word that is
 * neither an option nor the value of one, in front of all others. `valued`: which options take their value from the next word,
 * those of all verbs, by spaces. The verb, or NULL where there is none.
 */
const char *options_verb(int argc, char **argv, const char *valued);

#endif
