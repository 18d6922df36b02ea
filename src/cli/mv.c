/* trivet mv: another list for an item, or another place in its own. */
#include "cli/commands.h"
#include "cli/item.h"

int cli_mv(int argc, char **argv) {
    const char *slot = NULL, *before = NULL, *after = NULL;
    bool top = false, bottom = false, locked = false;
    const cli_option options[] = {
        {"slot", "N|LABEL", "to this list, at its bottom unless told otherwise", .string = &slot},
        {"before", "ID", "to the place above that item", .string = &before},
        {"after", "ID", "to the place below that item", .string = &after},
        {"top", NULL, "to the top", .flag = &top},
        {"bottom", NULL, "to the bottom", .flag = &bottom},
        {"locked", NULL, "show the item even if it is in a locked list", .flag = &locked},
        CLI_OPTIONS_END,
    };
    const cli_usage usage = {"mv",
                             "ID [--slot N|LABEL] [--before ID | --after ID | --top | --bottom]",
                             "Moves an item. ID is what `trivet list` shows, or more of the item's id.",
                             options,
                             CLI_JSON,
                             1,
                             1};
    cli_common common;
    int status = options_parse(&usage, &argc, &argv, &common);
    const char *place, *other = before ? before : after;

    if (status >= 0)
        return status;
    if ((before != NULL) + (after != NULL) + top + bottom > 1)
        return options_refuse("mv", "only one of --before, --after, --top and --bottom makes sense");
    place = before ? "before" : after ? "after" : top ? "top" : bottom ? "bottom" : NULL;
    if (!place && !slot)
        return options_refuse("mv", "where to? Say --slot, --before, --after, --top or --bottom");
    return item_request(&common,
                        json_pack("{s:s, s:s, s:s*, s:s*, s:s*}", "do", "mv", "id", argv[0], "slot", slot,
                                  "place", place, "other", other),
                        NULL, locked, 0, "moved");
}
