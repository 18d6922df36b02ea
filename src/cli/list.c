/* trivet list: what is on the lists. */
#include "cli/client.h"
#include "cli/commands.h"
#include "cli/print.h"
#include "cli/show.h"
#include "state/edit.h"

#include <sysexits.h>

static int show(const trivet_merge_state *state, trivet_merge_section section, size_t slot, bool json) {
    size_t shown = 0;
    int code;

    if (json) {
        putchar('[');
        code = show_lists_json(stdout, state, section, slot, &shown);
        puts("]");
    } else {
        code = show_lists(stdout, state, section, slot, &shown);
        if (code == 0 && shown == 0)
            print_note(section == TRIVET_MERGE_LOCKED_LISTS
                           ? "Nothing is on the locked lists. `trivet add --locked TEXT` adds something."
                           : "Nothing is on the lists. `trivet add TEXT` adds something.");
    }
    return code == 0 ? print_finish() : print_failure(EX_OSERR, "out of memory");
}

int cli_list(int argc, char **argv) {
    const char *typed = NULL;
    bool locked = false;
    const cli_option options[] = {
        {"slot", "N|LABEL", "this list only", .string = &typed},
        {"locked", NULL, "the locked lists instead", .flag = &locked},
        CLI_OPTIONS_END,
    };
    const cli_usage usage = {
        "list",
        "[--locked] [--slot N|LABEL]",
        "Shows the lists: each item's tick box, enough of its id to name it, and its text.",
        options,
        CLI_JSON,
        0,
        0};
    edit_error err = EDIT_ERROR_INIT;
    trivet_merge_section section;
    trivet_merge_state *state;
    cli_common common;
    size_t slot = SIZE_MAX;
    reply r;
    int status = options_parse(&usage, &argc, &argv, &common);

    if (status >= 0 || (status = client_state(&common, &r, &state)) != 0)
        return status;
    section = locked ? TRIVET_MERGE_LOCKED_LISTS : TRIVET_MERGE_LISTS;
    if (typed && edit_slot(state, section, typed, &slot, &err) != 0)
        status = print_failure(err.status, "%s", err.message);
    else
        status = show(state, section, slot, common.json);
    trivet_merge_state_free(state);
    reply_release(&r);
    return status;
}
