/* The table of commands, what runs one, and what `trivet --help` prints. */
#include "cli/commands.h"

#include "cli/options.h"
#include "cli/print.h"

#include <locale.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

static const struct command {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *summary;
    const char *heading; /* of the group that starts here */
} COMMANDS[] = {
    {"serve", cli_serve, "run the server that phones connect to", "Run and pair"},
    {"pair", cli_pair, "show a code with which a phone is paired", NULL},
    {"devices", cli_devices, "list paired phones, or revoke one", NULL},
    {"status", cli_status, "show how things stand", NULL},
    {"doctor", cli_doctor, "check what a sync needs, and say what to do", NULL},
    {"list", cli_list, "show the lists", "Read and edit"},
    {"add", cli_add, "add an item", NULL},
    {"edit", cli_edit, "give an item another text", NULL},
    {"done", cli_done, "tick an item", NULL},
    {"undone", cli_done, "take an item's tick away", NULL},
    {"rm", cli_rm, "delete an item", NULL},
    {"mv", cli_mv, "move an item", NULL},
    {"pad", cli_pad, "read or write a scratchpad", NULL},
    {"sync", cli_sync, "sync with connected phones now", "Sync"},
    {"pending", cli_pending, "show questions that wait for an answer", NULL},
    {"resolve", cli_resolve, "answer one", NULL},
    {"history", cli_history, "show what happened, and what lost", "Past states"},
    {"diff", cli_diff, "show what differs between two states", NULL},
    {"restore", cli_restore, "bring a past state back, or one thing of it", NULL},
    {"jots", cli_jots, "show, fetch or clear what phones captured", "Photos, recordings, notes"},
    {"export", cli_export, "print the whole state", "Move data, and merge files"},
    {"import", cli_import, "merge a state into the computer's", NULL},
    {"backup", cli_backup, "write everything into one file, or restore it", NULL},
    {"fsck", cli_fsck, "say whether all of it is sound, or repair it", NULL},
    {"merge", cli_merge, "merge three files, without a server", NULL},
    {"phone", cli_phone, "be a phone, in a folder", NULL},
};

enum { COMMAND_COUNT = sizeof COMMANDS / sizeof COMMANDS[0], FAR = 3 };

static void help(FILE *out) {
    fputs("usage: trivet COMMAND [ARGUMENTS]\n\nKeeps a phone and a computer in agreement over the local "
          "network.\n",
          out);
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        if (COMMANDS[i].heading)
            fprintf(out, "\n%s:\n", COMMANDS[i].heading);
        fprintf(out, "    %-10s%s\n", COMMANDS[i].name, COMMANDS[i].summary);
    }
    fputs("\n`trivet COMMAND --help` says more about one, as does the manual: trivet(1).\n", out);
}

static const struct command *find(const char *name) {
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        if (strcmp(COMMANDS[i].name, name) == 0)
            return &COMMANDS[i];
    }
    return NULL;
}

/* ---- a guess at what was meant ------------------------------------------------------------------------ */

static size_t least(size_t a, size_t b, size_t c) {
    size_t ab = a < b ? a : b;
    return ab < c ? ab : c;
}

/* How many letters must be put in, left out or changed (Levenshtein). Both shorter than 32 bytes. */
static size_t distance(const char *a, const char *b) {
    size_t row[33], a_len = strlen(a), b_len = strlen(b);

    for (size_t j = 0; j <= b_len; j++)
        row[j] = j;
    for (size_t i = 1; i <= a_len; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b_len; j++) {
            size_t above = row[j];
            row[j] = least(above + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1]));
            diagonal = above;
        }
    }
    return row[b_len];
}

static int refuse_unknown(const char *typed) {
    const char *nearest = NULL;
    size_t best = FAR;

    for (size_t i = 0; i < COMMAND_COUNT && strlen(typed) < 32; i++) {
        size_t d = distance(typed, COMMANDS[i].name);
        if (d < best && d < strlen(COMMANDS[i].name)) {
            best = d;
            nearest = COMMANDS[i].name;
        }
    }
    if (typed[0] == '-')
        return print_failure(
            EX_USAGE, "\"%.50s\": options come after the command, as in `trivet list --data DIR`", typed);
    if (nearest)
        return print_failure(EX_USAGE, "\"%.50s\" is no command; did you mean `trivet %s`?", typed, nearest);
    return print_failure(EX_USAGE, "\"%.50s\" is no command; `trivet --help` lists them", typed);
}

/* ---- main --------------------------------------------------------------------------------------------- */

/* For the width of characters; texts are UTF-8 whatever the locale. Takes 128 kB. */
static void know_widths(void) {
    if (!setlocale(LC_CTYPE, "C.UTF-8"))
        setlocale(LC_CTYPE, "");
}

/* `trivet help [COMMAND]` */
static int help_on(int argc, char **argv) {
    const struct command *c = argc > 2 ? find(argv[2]) : NULL;
    char option[] = "--help";
    char *args[] = {argc > 2 ? argv[2] : NULL, option, NULL};

    if (argc > 2 && !c)
        return refuse_unknown(argv[2]);
    if (c)
        return c->run(2, args);
    help(stdout);
    return print_finish();
}

int commands_main(int argc, char **argv) {
    const struct command *c;

    if (argc < 2) {
        help(stderr);
        return EX_USAGE;
    }
    if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "version") == 0) {
        puts("trivet " TRIVET_VERSION);
        return print_finish();
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0)
        return help_on(argv[1][0] == '-' ? 1 : argc, argv);
    if (strncmp(argv[1], "--data", 6) == 0 || strcmp(argv[1], "--json") == 0)
        options_verb(argc, argv, "data"); /* which every command has: it finds them behind its name */
    if (!(c = find(argv[1])))
        return refuse_unknown(argv[1]);
    if (c->run != cli_serve) /* which stays, and prints no columns */
        know_widths();
    return c->run(argc - 1, argv + 1);
}
