/* trivet add: a new item at the bottom of a list. */
#include "cli/commands.h"
#include "cli/item.h"
#include "cli/print.h"

#include <stdlib.h>
#include <sysexits.h>

int cli_add(int argc, char **argv) {
    const char *slot = NULL;
    bool locked = false;
    const cli_option options[] = {
        {"slot", "N|LABEL", "the list, by number or label (default: the first)", .string = &slot},
        {"locked", NULL, "to the locked lists", .flag = &locked},
        CLI_OPTIONS_END,
    };
    const cli_usage usage = {"add",
                             "[--locked] [--slot N|LABEL] TEXT...",
                             "Adds an item at the bottom of a list.",
                             options,
                             CLI_JSON,
                             1,
                             SIZE_MAX};
    cli_common common;
    int status = options_parse(&usage, &argc, &argv, &common);
    char *text;

    if (status >= 0)
        return status;
    if (!(text = options_join(argc, argv)))
        return print_failure(EX_OSERR, "out of memory");
    status = item_request(&common, json_pack("{s:s, s:b, s:s*}", "do", "add", "locked", locked, "slot", slot),
                          text, locked, 0, "added");
    free(text);
    return status;
}
