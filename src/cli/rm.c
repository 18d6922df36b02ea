/* trivet rm: delete an item, here and on the phones. */
#include "cli/commands.h"
#include "cli/item.h"

int cli_rm(int argc, char **argv) {
    bool locked = false;
    const cli_option options[] = {
        {"locked", NULL, "show the item even if it is in a locked list", .flag = &locked},
        CLI_OPTIONS_END,
    };
    const cli_usage usage = {
        "rm",
        "ID",
        "Deletes an item, on the phones too once they have synced. ID is what `trivet list`\n"
        "shows, or more of the item's id.",
        options,
        CLI_JSON,
        1,
        1};
    cli_common common;
    int status = options_parse(&usage, &argc, &argv, &common);

    if (status >= 0)
        return status;
    return item_request(&common, json_pack("{s:s, s:s}", "do", "rm", "id", argv[0]), NULL, locked, 0,
                        "removed");
}
