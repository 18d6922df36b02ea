/* Reading and editing the lists of a phone in a folder. The folder is locked from reading to writing. */
#include "cli/phone_verbs.h"

#include "cli/input.h"
#include "cli/item.h"
#include "cli/options.h"
#include "cli/print.h"
#include "cli/show.h"
#include "phone/folder.h"
#include "state/prefix.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

/* An open phone, locked, with its state read. */
typedef struct {
    phone_folder *folder;
    trivet_merge_state *state;
    int64_t since;
    edit_error err;
    trivet_merge_item item; /* what an edit gave */
} phone;

static int phone_open(phone *p, const char *path) {
    *p = (phone){.err = EDIT_ERROR_INIT};
    if (phone_folder_open(path, &p->folder, &p->err) != 0 || phone_folder_lock(p->folder, &p->err) != 0 ||
        phone_folder_read(p->folder, &p->state, &p->since, &p->err) != 0)
        return -1;
    return 0;
}

static int phone_close(phone *p) {
    trivet_merge_state_free(p->state);
    phone_folder_close(p->folder);
    return p->err.status == 0 ? print_finish() : print_failure(p->err.status, "%s", p->err.message);
}

static const char SHOW_LOCKED[] = "show the item even if it is in a locked list";

/* `added [ ] 3f2a  milk  (1 Groceries)`, as the computer's commands say it. */
static int print_change(const phone *p, const char *verb, bool locked, bool json) {
    trivet_merge_section section = TRIVET_MERGE_LISTS;
    size_t slot = 0;
    trivet_merge_item found;
    if (!trivet_merge_item_find(p->state, section, p->item.id, &found, &slot) ||
        !trivet_merge_item_equal(&found, &p->item)) {
        section = TRIVET_MERGE_LOCKED_LISTS;
        trivet_merge_item_find(p->state, section, p->item.id, &found, &slot);
    }
    prefixes *ids = NULL;
    char *id = NULL, *label = NULL;
    int status = EX_OSERR;
    if (prefixes_new(p->state, &ids) == 0 && (id = prefixes_of(ids, p->item.id)) != NULL &&
        edit_label(p->state, section, slot, &label) == 0) {
        item_place at = {section == TRIVET_MERGE_LOCKED_LISTS, slot, label, id};
        status = item_print(&p->item, &at, verb, locked, json);
    }
    free(id);
    free(label);
    prefixes_free(ids);
    return status;
}

/* Stores what an edit made of the state, and says so. `edited` is the edit's own result. */
static int finish_edit(phone *p, int edited, const char *verb, bool locked, bool json) {
    if (edited == 0 && phone_folder_write(p->folder, p->state, p->since, &p->err) == 0 &&
        print_change(p, verb, locked, json) != 0)
        p->err = (edit_error){EX_OSERR, "out of memory; the change itself is stored"};
    return phone_close(p);
}

int phone_add(const char *folder, int argc, char **argv) {
    bool locked = false;
    const char *typed = NULL;
    const cli_option options[] = {{"locked", NULL, "to a locked list", .flag = &locked},
                                  {"slot", "N|LABEL", "which list (default: the first)", .string = &typed},
                                  CLI_OPTIONS_END};
    const cli_usage usage = {"phone add",
                             "[--locked] [--slot N|LABEL] TEXT...",
                             "Adds an item at the bottom of a list.",
                             options,
                             CLI_JSON | CLI_NO_DATA,
                             1,
                             SIZE_MAX};
    cli_common common;
    int status = options_parse(&usage, &argc, &argv, &common);
    if (status >= 0)
        return status;
    char *text = options_join(argc, argv);
    if (text == NULL)
        return print_failure(EX_OSERR, "out of memory");
    trivet_merge_section section = locked ? TRIVET_MERGE_LOCKED_LISTS : TRIVET_MERGE_LISTS;
    size_t slot = 0;
    phone p;
    int edited = phone_open(&p, folder);
    if (edited == 0 && typed != NULL)
        edited = edit_slot(p.state, section, typed, &slot, &p.err);
    if (edited == 0)
        edited = edit_add(p.state, section, slot, text, print_now(), &p.item, &p.err);
    free(text);
    return finish_edit(&p, edited, "added", locked, common.json);
}

int phone_edit(const char *folder, int argc, char **argv) {
    bool locked = false;
    const cli_option options[] = {{"locked", NULL, SHOW_LOCKED, .flag = &locked}, CLI_OPTIONS_END};
    const cli_usage usage = {"phone edit", "ID TEXT...",           "Gives an item another text.",
                             options,      CLI_JSON | CLI_NO_DATA, 2,
                             SIZE_MAX};
    cli_common common;
    int status = options_parse(&usage, &argc, &argv, &common);
    if (status >= 0)
        return status;
    char *text = options_join(argc - 1, argv + 1);
    if (text == NULL)
        return print_failure(EX_OSERR, "out of memory");
    phone p;
    int edited = phone_open(&p, folder);
    if (edited == 0)
        edited = edit_text(p.state, argv[0], text, print_now(), &p.item, &p.err);
    free(text);
    return finish_edit(&p, edited, "edited", locked, common.json);
}

/* done, undone */
int phone_done(const char *folder, int argc, char **argv) {
    bool done = strcmp(argv[0], "done") == 0;
    bool locked = false;
    const cli_option options[] = {{"locked", NULL, SHOW_LOCKED, .flag = &locked}, CLI_OPTIONS_END};
    const cli_usage usage = {done ? "phone done" : "phone undone",
                             "ID",
                             done ? "Ticks an item off." : "Takes an item's tick away.",
                             options,
                             CLI_JSON | CLI_NO_DATA,
                             1,
                             1};
    cli_common common;
    int status = options_parse(&usage, &argc, &argv, &common);
    if (status >= 0)
        return status;
    phone p;
    int edited = phone_open(&p, folder);
    if (edited == 0)
        edited = edit_done(p.state, argv[0], done, print_now(), &p.item, &p.err);
    return finish_edit(&p, edited, done ? "done" : "undone", locked, common.json);
}

int phone_rm(const char *folder, int argc, char **argv) {
    bool locked = false;
    const cli_option options[] = {{"locked", NULL, SHOW_LOCKED, .flag = &locked}, CLI_OPTIONS_END};
    const cli_usage usage = {"phone rm", "ID", "Deletes an item.", options, CLI_JSON | CLI_NO_DATA, 1, 1};
    cli_common common;
    int status = options_parse(&usage, &argc, &argv, &common);
    if (status >= 0)
        return status;
    phone p;
    int edited = phone_open(&p, folder);
    if (edited == 0)
        edited = edit_remove(p.state, argv[0], print_now(), &p.item, &p.err);
    return finish_edit(&p, edited, "removed", locked, common.json);
}

typedef struct {
    const char *slot, *before, *after;
    bool top, bottom;
} destination;

static int move(phone *p, const char *id, const destination *to) {
    trivet_merge_section section;
    trivet_merge_item item;
    size_t slot = SIZE_MAX, from = 0;
    if (edit_find(p->state, id, &section, &from, &item, &p->err) != 0 ||
        (to->slot != NULL && edit_slot(p->state, section, to->slot, &slot, &p->err) != 0))
        return -1;
    edit_place place = to->before != NULL  ? EDIT_BEFORE
                       : to->after != NULL ? EDIT_AFTER
                       : to->top           ? EDIT_TOP
                       : to->bottom        ? EDIT_BOTTOM
                                           : EDIT_SAME_PLACE;
    return edit_move(p->state, id, slot, place, to->before != NULL ? to->before : to->after, print_now(),
                     &p->item, &p->err);
}

int phone_mv(const char *folder, int argc, char **argv) {
    destination to = {0};
    bool locked = false;
    const cli_option options[] = {{"slot", "N|LABEL", "to this list", .string = &to.slot},
                                  {"before", "ID", "in front of this item", .string = &to.before},
                                  {"after", "ID", "behind this item", .string = &to.after},
                                  {"top", NULL, "to the top", .flag = &to.top},
                                  {"bottom", NULL, "to the bottom", .flag = &to.bottom},
                                  {"locked", NULL, SHOW_LOCKED, .flag = &locked},
                                  CLI_OPTIONS_END};
    const cli_usage usage = {"phone mv",
                             "ID [--slot N|LABEL] [--before ID | --after ID | --top | --bottom]",
                             "Moves an item to another place or list.",
                             options,
                             CLI_JSON | CLI_NO_DATA,
                             1,
                             1};
    cli_common common;
    int status = options_parse(&usage, &argc, &argv, &common);
    if (status >= 0)
        return status;
    int places = (to.before != NULL) + (to.after != NULL) + to.top + to.bottom;
    if (places > 1 || (places == 0 && to.slot == NULL))
        return options_refuse("phone mv", places > 1
                                              ? "one of --before, --after, --top and --bottom, not several"
                                              : "where to? Say --slot, --before, --after, --top or --bottom");
    phone p;
    int edited = phone_open(&p, folder);
    if (edited == 0)
        edited = move(&p, argv[0], &to);
    return finish_edit(&p, edited, "moved", locked, common.json);
}

static int print_pad(const phone *p, size_t slot) {
    trivet_merge_entry entry;
    char *text = NULL;
    size_t len = 0;
    if (!trivet_merge_entry_at(p->state, TRIVET_MERGE_SCRATCHPAD, slot, &entry))
        return 0;
    if (trivet_merge_unquote(entry.text, &text, &len) != 0)
        return -1;
    print_block(stdout, text, len);
    if (len > 0 && text[len - 1] != '\n')
        putchar('\n');
    free(text);
    return 0;
}

static int pad_with(const char *folder, const char *typed, const char *text) {
    size_t slot = 0;
    phone p;
    int result = phone_open(&p, folder);
    if (result == 0)
        result = edit_slot(p.state, TRIVET_MERGE_SCRATCHPAD, typed, &slot, &p.err);
    if (result == 0 && text == NULL && print_pad(&p, slot) != 0)
        p.err = (edit_error){EX_OSERR, "out of memory"};
    if (result == 0 && text != NULL && edit_pad(p.state, slot, text, print_now(), &p.err) == 0 &&
        phone_folder_write(p.folder, p.state, p.since, &p.err) == 0)
        printf("wrote %zu bytes to scratchpad %zu\n", strlen(text), slot + 1);
    return phone_close(&p);
}

int phone_pad(const char *folder, int argc, char **argv) {
    const char *set = NULL;
    const cli_option options[] = {
        {"set", "TEXT|-", "its new content; -: from standard input", .string = &set}, CLI_OPTIONS_END};
    const cli_usage usage = {"phone pad",
                             "N|LABEL [--set TEXT|-]",
                             "Prints a scratchpad, or writes it.",
                             options,
                             CLI_NO_DATA,
                             1,
                             1};
    cli_common common;
    int status = options_parse(&usage, &argc, &argv, &common);
    if (status >= 0)
        return status;
    if (set == NULL || strcmp(set, "-") != 0)
        return pad_with(folder, argv[0], set);
    char *text = NULL;
    size_t len = 0;
    if ((status = input_read("-", &text, &len)) != 0)
        return status;
    status = strlen(text) != len ? print_failure(EX_DATAERR, "standard input holds a NUL byte; is it a text?")
                                 : pad_with(folder, argv[0], text);
    free(text);
    return status;
}

static int show_section(const trivet_merge_state *state, trivet_merge_section section, size_t slot,
                        bool json) {
    size_t shown = 0;
    if (json) {
        putchar('[');
        int code = show_lists_json(stdout, state, section, slot, &shown);
        puts("]");
        return code;
    }
    int code = show_lists(stdout, state, section, slot, &shown);
    if (code == 0 && shown == 0)
        print_note("Nothing is on the %slists.", section == TRIVET_MERGE_LOCKED_LISTS ? "locked " : "");
    return code;
}

int phone_list(const char *folder, int argc, char **argv) {
    const char *typed = NULL;
    bool locked = false;
    const cli_option options[] = {{"slot", "N|LABEL", "this list only", .string = &typed},
                                  {"locked", NULL, "the locked lists instead", .flag = &locked},
                                  CLI_OPTIONS_END};
    const cli_usage usage = {"phone list",
                             "[--locked] [--slot N|LABEL]",
                             "Shows the lists.",
                             options,
                             CLI_JSON | CLI_NO_DATA,
                             0,
                             0};
    cli_common common;
    int status = options_parse(&usage, &argc, &argv, &common);
    if (status >= 0)
        return status;
    phone p;
    size_t slot = SIZE_MAX;
    trivet_merge_section section = locked ? TRIVET_MERGE_LOCKED_LISTS : TRIVET_MERGE_LISTS;
    if (phone_open(&p, folder) == 0 &&
        (typed == NULL || edit_slot(p.state, section, typed, &slot, &p.err) == 0) &&
        show_section(p.state, section, slot, common.json) != 0)
        p.err = (edit_error){EX_OSERR, "out of memory"};
    return phone_close(&p);
}

int phone_export(const char *folder, int argc, char **argv) {
    const cli_option options[] = {CLI_OPTIONS_END};
    const cli_usage usage = {"phone export",
                             "",
                             "Prints the whole state as JSON, locked lists included.",
                             options,
                             CLI_NO_DATA,
                             0,
                             0};
    cli_common common;
    int status = options_parse(&usage, &argc, &argv, &common);
    if (status >= 0)
        return status;
    phone p;
    char *json = NULL;
    size_t len = 0;
    if (phone_open(&p, folder) == 0) {
        if (trivet_merge_state_write(p.state, &json, &len) != 0)
            p.err = (edit_error){EX_OSERR, "out of memory"};
        else
            printf("%.*s\n", (int)len, json);
    }
    free(json);
    return phone_close(&p);
}
