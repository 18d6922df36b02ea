/* trivet restore: a past state, one item of it, or what lost, brought back as an edit. */
#include "cli/commands.h"
#include "cli/differ.h"
#include "cli/print.h"

#include <string.h>
#include <sysexits.h>

static void show_words(const fixture_output *d, int64_t id, bool dry, bool locked) {
    puts(dry ? "Would change:" : "Restored:");
    differ_words(stdout, d, locked);
    if (!dry)
        printf("The next syncs carry it to the phones. To undo it: trivet restore %lld^\n", (long long)id);
}

static void show_json(const fixture_output *d, int64_t id, bool dry, bool locked) {
    fputc('{', stdout);
    if (!dry)
        printf("\"id\":%lld,\"undo\":\"%lld^\",", (long long)id, (long long)id);
    fputs("\"changes\":", stdout);
    differ_json(stdout, d, locked);
    puts("}");
}

static int show(const reply *r, bool dry, bool json, bool locked) {
    int64_t id = reply_number(r->response, "id");
    fixture_output d;
    int status = differ_reply(r, &d);

    if (status != 0)
        return status;
    if (json)
        show_json(&d, id, dry, locked);
    else
        show_words(&d, id, dry, locked);
    fixture_output_release(&d);
    return print_finish();
}

int cli_restore(int argc, char **argv) {
    const char *item = NULL;
    bool dry = false, locked = false;
    const cli_option options[] = {
        {"item", "ITEM", "only this item, by its id or a prefix: as it was then, deleted since or not",
         .string = &item},
        {"dry-run", NULL, "show what would change, and change nothing", .flag = &dry},
        {"locked", NULL, "show texts of locked lists, too", .flag = &locked},
        CLI_OPTIONS_END,
    };
    const cli_usage usage = {
        "restore",
        "STATE [--item ITEM] [--dry-run] [--locked]",
        "Makes a past state the present one. That is an edit like any other: the next syncs carry\n"
        "it to every phone, what a phone has edited meanwhile merges with it, and it can be undone in\n"
        "the same way. `trivet diff --help` says how to name a state; lost-N is what\n"
        "`trivet history --lost` shows.",
        options,
        CLI_JSON,
        1,
        1};
    cli_common common;
    char state[128];
    reply r;
    int status = options_parse(&usage, &argc, &argv, &common);

    if (status >= 0)
        return status;
    if (item && strncmp(argv[0], "lost-", 5) == 0)
        return options_refuse("restore", "%.64s is one item already; leave --item out", argv[0]);
    differ_state(argv[0], state, sizeof state);
    status = client_request(
        &common,
        json_pack("{s:s, s:s, s:s?, s:b}", "do", "restore", "state", state, "item", item, "dry", (int)dry),
        NULL, 0, 0, &r);
    if (status != 0)
        return status;
    status = show(&r, dry, common.json, locked);
    reply_release(&r);
    return status;
}
