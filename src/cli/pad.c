/* trivet pad: reads and writes scratchpads. */
#include "cli/client.h"
#include "cli/commands.h"
#include "cli/input.h"
#include "cli/print.h"
#include "state/edit.h"

#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

static void print_entry_json(const trivet_merge_entry *entry) {
    printf("{\"content\":\"%.*s\",\"updatedAt\":%lld}\n", (int)entry->text.len, entry->text.data,
           (long long)entry->updated_at);
}

static int print_entry(const trivet_merge_state *state, size_t slot, bool json) {
    trivet_merge_entry entry = {.text = {"", 0}};
    char *text;
    size_t len;

    trivet_merge_entry_at(state, TRIVET_MERGE_SCRATCHPAD, slot, &entry);
    if (json) {
        print_entry_json(&entry);
        return print_finish();
    }
    if (trivet_merge_unquote(entry.text, &text, &len) != 0)
        return print_failure(EX_OSERR, "out of memory");
    print_block(stdout, text, len);
    if (len > 0 && text[len - 1] != '\n' && isatty(STDOUT_FILENO)) /* a pipe gets what the pad holds */
        putchar('\n');
    free(text);
    return print_finish();
}

static int read_pad(const cli_common *common, const char *typed) {
    edit_error err = EDIT_ERROR_INIT;
    trivet_merge_state *state;
    size_t slot;
    reply r;
    int status = client_state(common, &r, &state);

    if (status != 0)
        return status;
    if (edit_slot(state, TRIVET_MERGE_SCRATCHPAD, typed, &slot, &err) != 0)
        status = print_failure(err.status, "%s", err.message);
    else
        status = print_entry(state, slot, common->json);
    trivet_merge_state_free(state);
    reply_release(&r);
    return status;
}

static int send_pad(const cli_common *common, const char *typed, const char *text) {
    json_t *request = json_pack("{s:s, s:s}", "do", "pad", "slot", typed);
    const char *raw = NULL;
    size_t raw_len = 0;
    reply r;
    int status;

    if (request)
        client_set_text(request, text, &raw, &raw_len);
    if ((status = client_request(common, request, raw, raw_len, 0, &r)) != 0)
        return status;
    if (common->json) {
        printf("%.*s\n", (int)r.raw_len, r.raw ? r.raw : "");
    } else {
        printf("wrote %zu bytes to scratchpad %lld", strlen(text),
               (long long)reply_number(r.response, "slot") + 1);
        const char *label = reply_string(r.response, "label");
        if (label[0]) {
            putchar(' ');
            print_line(stdout, label, strlen(label));
        }
        putchar('\n');
    }
    reply_release(&r);
    return print_finish();
}

/* What --set gives: a text, or all of standard input. */
static int write_pad(const cli_common *common, const char *typed, const char *set) {
    char *text = NULL;
    size_t len;
    int status;

    if (strcmp(set, "-") != 0)
        return send_pad(common, typed, set);
    if ((status = input_read("-", &text, &len)) != 0)
        return status;
    if (strlen(text) != len)
        status = print_failure(EX_DATAERR, "standard input holds a NUL byte; is it a text?");
    else
        status = send_pad(common, typed, text);
    free(text);
    return status;
}

int cli_pad(int argc, char **argv) {
    const char *set = NULL;
    const cli_option options[] = {
        {"set", "TEXT|-", "write this, or standard input, in place of what it holds", .string = &set},
        CLI_OPTIONS_END,
    };
    const cli_usage usage = {
        "pad", "N|LABEL [--set TEXT|-]", "Prints a scratchpad, or writes one.", options, CLI_JSON, 1, 1};
    cli_common common;
    int status = options_parse(&usage, &argc, &argv, &common);

    if (status >= 0)
        return status;
    return set ? write_pad(&common, argv[0], set) : read_pad(&common, argv[0]);
}
