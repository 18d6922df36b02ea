/* trivet done and trivet undone: tick an item, or take the tick away. */
#include "cli/commands.h"
#include "cli/item.h"

#include <string.h>

int cli_done(int argc, char **argv) {
    bool done = strcmp(argv[0], "done") == 0, locked = false;
    const cli_option options[] = {
        {"locked", NULL, "show the item even if it is in a locked list", .flag = &locked},
        CLI_OPTIONS_END,
    };
    const cli_usage usage = {
        done ? "done" : "undone",
        "ID",
        done ? "Ticks an item. ID is what `trivet list` shows, or more of the item's id."
             : "Takes an item's tick away. ID is what `trivet list` shows, or more of the item's id.",
        options,
        CLI_JSON,
        1,
        1};
    cli_common common;
    int status = options_parse(&usage, &argc, &argv, &common);

    if (status >= 0)
        return status;
    return item_request(&common, json_pack("{s:s, s:s, s:b}", "do", "done", "id", argv[0], "done", done),
                        NULL, locked, 0, done ? "done" : "undone");
}
