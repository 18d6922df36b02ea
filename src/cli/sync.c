/* trivet sync: asks connected phones for what they have, now. */
#include "cli/client.h"
#include "cli/commands.h"
#include "cli/print.h"

#include <string.h>
#include <sysexits.h>

/* How a sync can end, in words (serve/sync.h). */
static const struct {
    const char *outcome, *words;
    bool good;
} OUTCOMES[] = {
    {"synced", "synced", true},
    {"unchanged", "nothing new on either side", true},
    {"unanswered", "cancelled: nobody answered its question in time; nothing changed", false},
    {"cancelled", "cancelled; nothing changed", false},
    {"refused", "cancelled: the phone sent a state that was refused, see the server's log; nothing changed",
     false},
    {"timeout", "cancelled: the phone did not answer in time; nothing changed", false},
    {"gone", "the phone went away before it had ended; sync again when it is back", false},
    {"restless", "cancelled: one side kept changing; try again", false},
    {"failed", "failed, see the server's log; nothing changed", false},
};

static bool is_good(const char *outcome) {
    for (size_t i = 0; i < sizeof OUTCOMES / sizeof OUTCOMES[0]; i++) {
        if (strcmp(OUTCOMES[i].outcome, outcome) == 0)
            return OUTCOMES[i].good;
    }
    return false;
}

static void print_outcome(const json_t *result) {
    const char *outcome = reply_string(result, "outcome"), *words = NULL;
    const json_t *n = json_object_get(result, "counts");

    for (size_t i = 0; i < sizeof OUTCOMES / sizeof OUTCOMES[0]; i++) {
        if (strcmp(OUTCOMES[i].outcome, outcome) == 0)
            words = OUTCOMES[i].words;
    }
    printf("%s  ", reply_string(result, "device"));
    if (words)
        fputs(words, stdout);
    else
        print_line(stdout, outcome, strlen(outcome)); /* the connection ended; the server says why */
    if (n && strcmp(outcome, "synced") == 0)
        printf(": %lld added from the phone, %lld from the computer, %lld edited, %lld deleted, %lld "
               "restored, %lld moved",
               (long long)reply_number(n, "addedFromPhone"), (long long)reply_number(n, "addedFromComputer"),
               (long long)(reply_number(n, "editedField") + reply_number(n, "editedLWW")),
               (long long)(reply_number(n, "tombstoned") + reply_number(n, "removed")),
               (long long)reply_number(n, "restored"), (long long)reply_number(n, "moved"));
    putchar('\n');
}

/* 1 where a sync that was waited for changed nothing because it was given up. */
static int print_results(const json_t *results, bool json) {
    const json_t *result;
    size_t i;
    int status = 0;

    json_array_foreach(results, i, result) {
        if (!is_good(reply_string(result, "outcome")))
            status = 1;
        if (!json)
            print_outcome(result);
    }
    return status;
}

static bool is_called(const json_t *device, const char *typed) {
    const char *id = reply_string(device, "id");
    const json_t *phone;
    size_t i;

    if (strncmp(id, typed, strlen(typed)) == 0 || strcmp(reply_string(device, "name"), typed) == 0)
        return true;
    json_array_foreach(json_object_get(device, "phones"), i, phone) {
        if (strcmp(reply_string(phone, "name"), typed) == 0)
            return true;
    }
    return false;
}

/* A phone that there is not is another thing than one that is away. */
static int require_device(const cli_common *common, const char *typed) {
    const json_t *device;
    size_t i;
    reply r;
    int status = client_request(common, json_pack("{s:s}", "do", "devices"), NULL, 0, CLIENT_SERVER_ONLY, &r);

    if (status != 0)
        return status;
    status = EX_NOINPUT;
    json_array_foreach(json_object_get(r.response, "devices"), i, device) {
        if (is_called(device, typed))
            status = 0;
    }
    reply_release(&r);
    return status == 0 ? 0 : print_failure(status, "there is no such phone: see `trivet devices`");
}

int cli_sync(int argc, char **argv) {
    bool wait = false;
    const cli_option options[] = {
        {"wait", NULL, "until the syncs have ended, and say how", .flag = &wait},
        CLI_OPTIONS_END,
    };
    const cli_usage usage = {
        "sync",
        "[--wait] [DEVICE]",
        "Starts a sync with every connected phone, or with one. With --wait the exit status is 1\n"
        "where a sync was given up.",
        options,
        CLI_JSON,
        0,
        1};
    cli_common common;
    const json_t *list;
    reply r;
    int status = options_parse(&usage, &argc, &argv, &common);

    if (status >= 0)
        return status;
    if (argc > 0 && (status = require_device(&common, argv[0])) != 0)
        return status;
    status = client_request(
        &common,
        json_pack("{s:s, s:s*, s:b}", "do", "sync", "device", argc > 0 ? argv[0] : NULL, "wait", wait), NULL,
        0, CLIENT_SERVER_ONLY, &r);
    if (status != 0)
        return status;
    list = json_object_get(r.response, wait ? "results" : "started");
    if (common.json) {
        json_dumpf(list, stdout, JSON_INDENT(2));
        putchar('\n');
    }
    if (wait) {
        status = print_results(list, common.json);
    } else if (!common.json) {
        size_t count = json_array_size(list);
        printf("started with %zu phone%s\n", count, count == 1 ? "" : "s");
    }
    reply_release(&r);
    int written = print_finish();
    return written != 0 ? written : status;
}
