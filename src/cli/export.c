/* trivet export: the computer's whole state, locked lists included, as the document that import and merge
 * read. */
#include "cli/client.h"
#include "cli/commands.h"
#include "cli/differ.h"
#include "cli/print.h"

int cli_export(int argc, char **argv) {
    const char *past = NULL;
    const cli_option options[] = {
        {"state", "STATE", "a past state, named as for `trivet diff`", .string = &past},
        CLI_OPTIONS_END,
    };
    const cli_usage usage = {
        "export",
        "[--state STATE]",
        "Prints the computer's whole state as one line of JSON, locked lists and tombstones\n"
        "included. `trivet import` reads it.",
        options,
        CLI_JSON,
        0,
        0};
    cli_common common;
    char state[128] = "now";
    reply r;
    int status = options_parse(&usage, &argc, &argv, &common);

    if (status >= 0)
        return status;
    if (past)
        differ_state(past, state, sizeof state);
    if ((status =
             client_request(&common, json_pack("{s:s, s:s*}", "do", "state", "state", past ? state : NULL),
                            NULL, 0, 0, &r)) != 0)
        return status;
    fwrite(r.raw ? r.raw : "", 1, r.raw_len, stdout);
    putchar('\n');
    reply_release(&r);
    return print_finish();
}
