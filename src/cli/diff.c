/* trivet diff: what differs between two states. */
#include "cli/commands.h"
#include "cli/differ.h"
#include "cli/print.h"

static int show(const reply *r, bool json, bool locked) {
    fixture_output d;
    int status = differ_reply(r, &d);

    if (status != 0)
        return status;
    if (json) {
        differ_json(stdout, &d, locked);
        putchar('\n');
    } else if (differ_count(&d) == 0) {
        print_note("Nothing differs.");
    } else {
        differ_words(stdout, &d, locked);
    }
    fixture_output_release(&d);
    return print_finish();
}

int cli_diff(int argc, char **argv) {
    bool locked = false;
    const cli_option options[] = {
        {"locked", NULL, "show texts of locked lists, too", .flag = &locked},
        CLI_OPTIONS_END,
    };
    const cli_usage usage = {
        "diff",
        "STATE [STATE] [--locked]",
        "Shows what differs from one state to another, or to the present one.\n"
        "A state is a number that `trivet history` shows (the state after that line; with ^ the\n"
        "one before it), a date (2026-01-31, \"2026-01-31 14:05\"), how long ago (2h, 3d), now, first,\n"
        "or the start of its name.",
        options,
        CLI_JSON,
        1,
        2};
    cli_common common;
    char a[128], b[128];
    reply r;
    int status = options_parse(&usage, &argc, &argv, &common);

    if (status >= 0)
        return status;
    differ_state(argv[0], a, sizeof a);
    differ_state(argc > 1 ? argv[1] : "now", b, sizeof b);
    status =
        client_request(&common, json_pack("{s:s, s:s, s:s}", "do", "diff", "a", a, "b", b), NULL, 0, 0, &r);
    if (status != 0)
        return status;
    status = show(&r, common.json, locked);
    reply_release(&r);
    return status;
}
