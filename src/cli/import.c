/* trivet import: another state into the computer's. */
#include "cli/app_stores.h"
#include "cli/client.h"
#include "cli/commands.h"
#include "cli/input.h"
#include "cli/print.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>

static int read_document(const char *path, char **out, size_t *len) {
    struct stat st;

    if (strcmp(path, "-") != 0 && stat(path, &st) == 0 && S_ISDIR(st.st_mode))
        return app_stores_read(path, out, len);
    return input_read(path, out, len);
}

static void print_result(const json_t *response, bool replace) {
    const json_t *n = json_object_get(response, "counts");
    long long ties = (long long)reply_number(response, "ties");

    printf("%s: %lld added, %lld edited, %lld deleted, %lld restored\n", replace ? "replaced" : "imported",
           (long long)reply_number(n, "addedFromPhone"), (long long)reply_number(n, "editedField"),
           (long long)(reply_number(n, "tombstoned") + reply_number(n, "removed")),
           (long long)reply_number(n, "restored"));
    if (ties > 0)
        print_note(
            "%lld value%s differed with equal times, so that neither is newer: the computer's own %s kept.",
            ties, ties == 1 ? "" : "s", ties == 1 ? "was" : "were");
}

static int send_document(const cli_common *common, const char *name, const char *document, size_t len,
                         bool replace) {
    reply r;
    int status =
        client_request(common, json_pack("{s:s, s:b, s:s}", "do", "import", "replace", replace, "name", name),
                       document, len, 0, &r);

    if (status != 0)
        return status;
    if (common->json) {
        json_object_del(r.response, "ok");
        json_dumpf(r.response, stdout, JSON_COMPACT | JSON_SORT_KEYS);
        putchar('\n');
    } else {
        print_result(r.response, replace);
    }
    reply_release(&r);
    return print_finish();
}

int cli_import(int argc, char **argv) {
    bool replace = false;
    const cli_option options[] = {
        {"replace", NULL, "in place of the computer's state, instead of merging", .flag = &replace},
        CLI_OPTIONS_END,
    };
    const cli_usage usage = {
        "import",
        "[--replace] FILE|DIR|-",
        "Merges a state into the computer's: one that `trivet export` printed, or a folder with\n"
        "the app's own stores (jotbunker-lists.json, jotbunker-lockedLists.json,\n"
        "jotbunker-scratchpad.json). What only one side has is kept, the newer value wins, and at\n"
        "equal times the computer's.",
        options,
        CLI_JSON,
        1,
        1};
    cli_common common;
    const char *name;
    char *document = NULL;
    size_t len = 0;
    int status = options_parse(&usage, &argc, &argv, &common);

    if (status >= 0)
        return status;
    if ((status = read_document(argv[0], &document, &len)) != 0)
        return status;
    name = strcmp(argv[0], "-") == 0 ? "standard input" : argv[0];
    if (len == 0)
        status = print_failure(EX_DATAERR, "%s is empty; expected a JSON document", name);
    else
        status = send_document(&common, name, document, len, replace);
    free(document);
    return status;
}
