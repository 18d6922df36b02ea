/*
 * `trivet phone`: a phone in a folder, for tests and for other computers. The first argument after --state is
 * a command of its own; those that read and edit are in phone_verbs.c.
 */
#include "cli/commands.h"

#include "cli/input.h"
#include "cli/options.h"
#include "cli/phone_verbs.h"
#include "cli/print.h"
#include "phone/discover.h"
#include "phone/folder.h"
#include "phone/session.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

/* ---- init ---- */

/* `from`: a file's name, - for standard input, or the JSON itself. 0, or the exit status after telling. */
static int read_code(const char *from, char **text, size_t *len) {
    if (from[0] != '{')
        return input_read(from, text, len);
    *len = strlen(from);
    *text = strdup(from);
    return *text != NULL ? 0 : print_failure(EX_OSERR, "out of memory");
}

/* "fe80::1%eth0" is written in brackets, as a code has it; the encoder knows what may stand there. */
static bool set_host(trivet_proto_pairing *pairing, const char *host) {
    char *unused = NULL;
    bool bare = strchr(host, ':') != NULL && host[0] != '[';
    int n = snprintf(pairing->ip, sizeof pairing->ip, bare ? "[%s]" : "%s", host);
    bool fits = n > 0 && (size_t)n < sizeof pairing->ip &&
                trivet_proto_pairing_encode(pairing, &unused) == TRIVET_PROTO_OK;
    if (unused != NULL)
        sodium_memzero(unused, strlen(unused));
    free(unused);
    return fits;
}

static int init_with(const char *folder, const char *from, const char *name, const char *at) {
    trivet_proto_pairing pairing;
    trivet_proto_error bad = {"", ""};
    edit_error err = EDIT_ERROR_INIT;
    size_t len = 0;
    char *text = NULL;
    int status = read_code(from, &text, &len);
    if (status != 0)
        return status;
    int code = trivet_proto_pairing_decode(text, len, &pairing, &bad);
    sodium_memzero(text, len);
    free(text);
    if (code == 0 && at != NULL && !set_host(&pairing, at))
        status =
            print_failure(EX_USAGE, "\"%.100s\" is no address: give an IPv4 or IPv6 address, or a name", at);
    else if (code != 0)
        status = print_failure(
            EX_DATAERR, "that is no pairing code (%s%s%s); `trivet pair --json` on the computer makes one",
            bad.path, bad.path[0] == '\0' ? "" : ": ", bad.reason);
    else if (pairing.secret[0] == '\0' && pairing.device[0] == '\0')
        status = print_failure(
            EX_DATAERR, "this code has neither a secret nor a device; make one with `trivet pair --json`");
    else if (phone_folder_init(folder, &pairing, name, &err) != 0)
        status = print_failure(err.status, "%s", err.message);
    else {
        printf("%s is paired with %s:%u; sync with: trivet phone --state %s sync\n", folder, pairing.ip,
               (unsigned)pairing.port, folder);
        status = print_finish();
    }
    sodium_memzero(&pairing, sizeof pairing);
    return status;
}

static int verb_init(const char *folder, int argc, char **argv) {
    const char *from = NULL, *name = NULL, *at = NULL;
    const cli_option options[] = {
        {"host", "HOST", "look for the computer there, not where the code says", .string = &at},
        {"pairing", "FILE|JSON|-", "what `trivet pair --json` printed", .string = &from},
        {"name", "NAME", "what the computer calls this phone (default: the machine's name)", .string = &name},
        CLI_OPTIONS_END};
    const cli_usage usage = {"phone init",
                             "--pairing FILE|JSON|- [--name NAME] [--host HOST]",
                             "Makes a phone, or pairs the one that is there anew: it keeps its lists.",
                             options,
                             CLI_NO_DATA,
                             0,
                             0};
    cli_common common;
    int status = options_parse(&usage, &argc, &argv, &common);
    if (status >= 0)
        return status;
    if (from == NULL)
        return options_refuse("phone init", "--pairing is missing");
    return init_with(folder, from, name, at);
}

/* ---- sync ---- */

static void print_count(size_t count, const char *what, const char **before) {
    if (count == 0)
        return;
    printf("%s%zu %s", *before, count, what);
    *before = ", ";
}

static void print_synced(const phone_session_result *r) {
    const trivet_merge_counts *n = &r->counts;
    const char *before = "synced; changed here: ";
    print_count(n->added_from_computer, "added", &before);
    print_count(n->edited_field + n->edited_lww, "edited", &before);
    print_count(n->moved, "moved", &before);
    print_count(n->tombstoned + n->removed, "deleted", &before);
    print_count(n->restored, "restored", &before);
    puts(before[0] == ',' ? "" : "synced; nothing changed here");
    if (r->remerged)
        print_note("what was edited here meanwhile goes to the computer with the next sync");
}

static void print_synced_json(const phone_session_result *r) {
    const trivet_merge_counts *n = &r->counts;
    printf("{\"since\":%lld,\"added\":%zu,\"edited\":%zu,\"moved\":%zu,\"deleted\":%zu,\"restored\":%zu,"
           "\"remerged\":%s}\n",
           (long long)r->since, n->added_from_computer, n->edited_field + n->edited_lww, n->moved,
           n->tombstoned + n->removed, n->restored, r->remerged ? "true" : "false");
}

static int verb_sync(const char *folder, int argc, char **argv) {
    const char *typed = NULL, *stay = NULL, *pick = NULL, *use = NULL;
    bool look = false, moved = false, version_1 = false;
    const cli_option options[] = {
        {"stay", "SECONDS", "stay connected so long after the computer's last question about jots",
         .string = &stay},
        {"timeout", "SECONDS", "how long all of it may take (default: 300)", .string = &typed},
        {"discover", NULL, "look for the computer on the network if it is not where it was", .flag = &look},
        {"pick", "SIDE", "answer ties: phone or computer", .string = &pick},
        {"use", "SIDE", "answer a large change: phone, computer or both", .string = &use},
        {"v1", NULL, "speak version 1 of the protocol, in which an eavesdropper can pose as either",
         .flag = &version_1},
        CLI_OPTIONS_END};
    const cli_usage usage = {
        "phone sync",
        "[--timeout SECONDS] [--stay SECONDS] [--discover] [--pick SIDE] [--use SIDE] [--v1]",
        "Syncs with the computer that the phone is paired with. The exit status is 0 after a sync, 1 where "
        "the\ncomputer gave it up, 69 where it cannot be reached, 76 where it breaks the protocol, 77 where "
        "it does\nnot accept the pairing.",
        options,
        CLI_JSON | CLI_NO_DATA,
        0,
        0};
    cli_common common;
    int status = options_parse(&usage, &argc, &argv, &common);
    if (status >= 0)
        return status;
    int64_t seconds = 300, stay_seconds = 0;
    if (typed != NULL && !options_number("phone sync", "--timeout", typed, 1, 86400, &seconds))
        return EX_USAGE;
    if (stay != NULL && !options_number("phone sync", "--stay", stay, 0, 86400, &stay_seconds))
        return EX_USAGE;
    if ((pick != NULL && strcmp(pick, "phone") != 0 && strcmp(pick, "computer") != 0) ||
        (use != NULL && strcmp(use, "phone") != 0 && strcmp(use, "computer") != 0 &&
         strcmp(use, "both") != 0))
        return options_refuse("phone sync", "--pick is phone or computer, --use phone, computer or both");
    phone_session_options session = PHONE_SESSION_OPTIONS_INIT;
    session.version_1 = version_1;
    session.pick = pick;
    session.use = use;
    session.timeout = (uint64_t)seconds * 1000;
    if (stay != NULL) {
        session.stay = (uint64_t)stay_seconds * 1000;
        session.always = true;
    }
    phone_folder *f = NULL;
    phone_session_result result;
    edit_error err = EDIT_ERROR_INIT;
    if (phone_folder_open(folder, &f, &err) != 0 || (look && discover_computer(f, &moved, &err) != 0) ||
        phone_session_run(f, &session, &result, &err) != 0)
        status = print_failure(err.status, "%s", err.message);
    else {
        if (moved)
            print_note("the computer was found at %s:%u and will be looked for there from now on",
                       phone_folder_pairing(f)->ip, (unsigned)phone_folder_pairing(f)->port);
        if (common.json)
            print_synced_json(&result);
        else
            print_synced(&result);
        status = print_finish();
    }
    phone_folder_close(f);
    return status;
}

/* ---- discover ---- */

/* In columns; what strangers call themselves is shown as print_line shows what is foreign. */
static void print_found(const discovered *d, bool ours) {
    char where[80];
    snprintf(where, sizeof where, strchr(d->address, ':') != NULL ? "[%s]:%u" : "%s:%u", d->address, d->port);
    printf("%-28s ", where);
    print_line(stdout, d->name, strlen(d->name));
    puts(ours ? "  (this phone's computer)" : "");
}

static int print_all_found(const discovered *list, size_t count, const bool *ours, bool json) {
    json_t *array = json_array();
    for (size_t i = 0; i < count; i++) {
        if (!json)
            print_found(&list[i], ours[i]);
        json_array_append_new(array, json_pack("{s:s, s:s, s:s, s:i, s:s, s:b}", "name", list[i].name, "host",
                                               list[i].host, "address", list[i].address, "port",
                                               (int)list[i].port, "id", list[i].id, "ours", (int)ours[i]));
    }
    if (json && json_dumpf(array, stdout, JSON_INDENT(2)) == 0)
        putchar('\n');
    json_decref(array);
    return print_finish();
}

static int verb_discover(const char *folder, int argc, char **argv) {
    const cli_option options[] = {CLI_OPTIONS_END};
    const cli_usage usage = {
        "phone discover",
        "",
        "Lists the servers that are announced on the network (mDNS). With --state DIR it "
        "also asks each\nfor a proof that it is the computer that the phone is paired "
        "with. The exit status is 1 where there\nis none.",
        options,
        CLI_JSON | CLI_NO_DATA,
        0,
        0};
    cli_common common;
    int status = options_parse(&usage, &argc, &argv, &common);
    if (status >= 0)
        return status;
    phone_folder *f = NULL;
    discovered *list = NULL;
    size_t count = 0;
    bool ours[DISCOVER_MAX] = {false};
    edit_error err = EDIT_ERROR_INIT;
    if ((folder != NULL && phone_folder_open(folder, &f, &err) != 0) ||
        discover_all(&list, &count, &err) != 0)
        status = print_failure(err.status, "%s", err.message);
    else {
        if (f != NULL)
            discover_ours(phone_folder_pairing(f), list, count, ours);
        status = print_all_found(list, count, ours, common.json);
        if (status == 0 && count == 0)
            status = print_failure(1, "no server is announced on this network");
    }
    free(list);
    phone_folder_close(f);
    return status;
}

/* ---- which of them ---- */

static const struct {
    const char *name;
    int (*run)(const char *folder, int argc, char **argv);
    const char *help;
} VERBS[] = {
    {"init", verb_init, "makes a phone from a pairing code, or pairs it anew"},
    {"add", phone_add, "adds an item"},
    {"edit", phone_edit, "gives an item another text"},
    {"done", phone_done, "ticks an item off"},
    {"undone", phone_done, "takes the tick away"},
    {"rm", phone_rm, "deletes an item"},
    {"mv", phone_mv, "moves an item"},
    {"pad", phone_pad, "prints or writes a scratchpad"},
    {"list", phone_list, "prints the lists"},
    {"jot", phone_jot, "captures text, drawings and files, or shows or deletes them"},
    {"sync", verb_sync, "syncs with the computer"},
    {"discover", verb_discover, "lists the servers on the network"},
    {"export", phone_export, "prints the whole state as JSON"},
};

enum { VERB_COUNT = sizeof VERBS / sizeof *VERBS };

/* Options of all of them that take a value. */
#define VALUED "host pairing name stay timeout pick use text drawing image audio file slot before after set"

static int help(void) {
    puts("usage: trivet phone --state DIR COMMAND ...\n\nA phone in a folder: its own lists, the same "
         "protocol as the "
         "app.\n");
    for (size_t i = 0; i < VERB_COUNT; i++)
        printf("    %-8s %s\n", VERBS[i].name, VERBS[i].help);
    puts("\n`trivet phone COMMAND --help` says more about one of them.");
    return print_finish();
}

/* Takes --state out of the words, wherever it stands before a "--". 0, or the status after saying what is wrong. */
static int take_state(int *argc, char **argv, const char **folder) {
    int kept = 1, at = 1;
    for (; at < *argc && strcmp(argv[at], "--") != 0; at++) {
        if (strncmp(argv[at], "--state=", 8) == 0)
            *folder = argv[at] + 8;
        else if (strcmp(argv[at], "--state") != 0)
            argv[kept++] = argv[at];
        else if (at + 1 < *argc)
            *folder = argv[++at];
        else
            return options_refuse("phone", "\"--state\" wants a folder");
    }
    while (at < *argc)
        argv[kept++] = argv[at++];
    argv[kept] = NULL;
    *argc = kept;
    return 0;
}

int cli_phone(int argc, char **argv) {
    const char *folder = NULL;
    int status = take_state(&argc, argv, &folder);
    if (status != 0)
        return status;
    const char *verb = options_verb(argc, argv, VALUED);
    if (verb == NULL && argc > 1 && strcmp(argv[1], "--help") == 0)
        return help();
    if (verb == NULL && argc > 1 && strcmp(argv[1], "--") != 0)
        return options_refuse("phone", "\"%.100s\" is no option here", argv[1]);
    if (verb == NULL)
        return options_refuse("phone", "which command? Say: trivet phone --state DIR COMMAND");
    for (size_t i = 0; i < VERB_COUNT; i++) {
        if (strcmp(verb, VERBS[i].name) != 0)
            continue;
        bool asks = argc > 2 && strcmp(argv[2], "--help") == 0;
        if (!asks && VERBS[i].run != verb_discover && (folder == NULL || folder[0] == '\0'))
            return options_refuse("phone", "whose? Say the phone's folder: trivet phone --state DIR %s",
                                  verb);
        return VERBS[i].run(folder, argc - 1, argv + 1);
    }
    return options_refuse("phone", "\"%.100s\" is no command of a phone", verb);
}
