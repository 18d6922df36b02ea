/* trivet edit: another text for an item. */
#include "cli/commands.h"
#include "cli/item.h"
#include "cli/print.h"

#include <stdlib.h>
#include <sysexits.h>

int cli_edit(int argc, char **argv) {
    bool locked = false;
    const cli_option options[] = {
        {"locked", NULL, "show the item even if it is in a locked list", .flag = &locked},
        CLI_OPTIONS_END,
    };
    const cli_usage usage = {
        "edit",
        "ID TEXT...",
        "Gives an item another text. ID is what `trivet list` shows, or more of the item's id.",
        options,
        CLI_JSON,
        2,
        SIZE_MAX};
    cli_common common;
    int status = options_parse(&usage, &argc, &argv, &common);
    char *text;

    if (status >= 0)
        return status;
    if (!(text = options_join(argc - 1, argv + 1)))
        return print_failure(EX_OSERR, "out of memory");
    status = item_request(&common, json_pack("{s:s, s:s}", "do", "edit", "id", argv[0]), text, locked, 0,
                          "edited");
    free(text);
    return status;
}
