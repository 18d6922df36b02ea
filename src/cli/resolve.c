/* trivet resolve: answers a question that a sync waits for. */
#include "cli/client.h"
#include "cli/commands.h"
#include "cli/print.h"
#include "cli/resolve_screen.h"
#include "cli/terminal.h"

#include <string.h>
#include <sysexits.h>

static int on_screen(const cli_common *common, const char *id, bool locked) {
    int64_t number = 0;

    if (id && !options_number("resolve", "ID", id, 1, INT64_MAX, &number))
        return EX_USAGE;
    return resolve_on_screen(common, number, locked);
}

/* Collects --tie N. */
static int take_tie(void *ctx, const char *typed) {
    json_t *ties = ctx;
    int64_t number;

    if (!options_number("resolve", "--tie", typed, 1, INT32_MAX, &number))
        return -1;
    return json_array_append_new(ties, json_integer(number));
}

static int check(const char *pick, const char *use, bool cancel, const json_t *ties) {
    if ((pick != NULL) + (use != NULL) + cancel != 1)
        return options_refuse("resolve", "say one of --pick, --use and --cancel");
    if (pick && strcmp(pick, "phone") != 0 && strcmp(pick, "computer") != 0)
        return options_refuse("resolve", "--pick: expected phone or computer, not \"%.50s\"", pick);
    if (use && strcmp(use, "phone") != 0 && strcmp(use, "computer") != 0 && strcmp(use, "both") != 0)
        return options_refuse("resolve", "--use: expected computer, phone or both, not \"%.50s\"", use);
    if (!pick && json_array_size(ties) > 0)
        return options_refuse("resolve", "--tie goes with --pick");
    return 0;
}

static json_t *make_request(const char *id, const char *pick, const char *use, bool cancel, json_t *ties) {
    json_t *request = json_pack("{s:s, s:s*, s:s*}", "do", "resolve", "pick", pick, "use", use);
    int64_t number;

    if (cancel)
        json_object_set_new(request, "cancel", json_true());
    if (json_array_size(ties) > 0)
        json_object_set(request, "ties", ties);
    if (id && options_number("resolve", "ID", id, 1, INT64_MAX, &number))
        json_object_set_new(request, "id", json_integer(number));
    else if (id) {
        json_decref(request);
        return NULL;
    }
    return request;
}

static void print_answer(const json_t *response) {
    const char *outcome = reply_string(response, "outcome");
    long long id = (long long)reply_number(response, "id"), left = (long long)reply_number(response, "left");

    if (strcmp(outcome, "waiting") == 0)
        printf("question %lld: %lld tie%s left to pick\n", id, left, left == 1 ? "" : "s");
    else if (strcmp(outcome, "cancelled") == 0)
        printf("question %lld: the sync is cancelled, nothing changed\n", id);
    else
        printf("question %lld: answered, the sync goes on\n", id);
}

static int resolve(const cli_common *common, json_t *request) {
    reply r;
    int status = client_request(common, request, NULL, 0, CLIENT_SERVER_ONLY, &r);

    if (status != 0)
        return status;
    if (common->json) {
        json_object_del(r.response, "ok");
        json_dumpf(r.response, stdout, JSON_COMPACT);
        putchar('\n');
    } else {
        print_answer(r.response);
    }
    reply_release(&r);
    return print_finish();
}

int cli_resolve(int argc, char **argv) {
    const char *pick = NULL, *use = NULL;
    bool cancel = false, locked = false;
    json_t *ties = json_array(), *request;
    const cli_option options[] = {
        {"pick", "SIDE", "ties: take the value of the phone or of the computer", .string = &pick},
        {"tie", "N", "only for this tie, numbered as in `trivet pending`; repeatable", .each = take_tie,
         .ctx = ties},
        {"use", "WHAT", "a large change: use the computer's state, the phone's, or both", .string = &use},
        {"cancel", NULL, "give the sync up; nothing changes", .flag = &cancel},
        {"locked", NULL, "show the texts of locked lists on the screen", .flag = &locked},
        CLI_OPTIONS_END,
    };
    const cli_usage usage = {
        "resolve",
        "[ID] [--locked]\n[ID] --pick phone|computer [--tie N]...\n[ID] --use computer|phone|both\n[ID] "
        "--cancel",
        "Answers a question that `trivet pending` shows. ID may be left out where only one is open. On a\n"
        "terminal, and without an answer given, it shows the question and is answered with a few keys.\n"
        "A question of several ties stays open until each is picked.",
        options,
        CLI_JSON,
        0,
        1};
    cli_common common;
    int status = options_parse(&usage, &argc, &argv, &common);

    if (status < 0 && !pick && !use && !cancel && json_array_size(ties) == 0 && !common.json &&
        terminal_usable())
        status = on_screen(&common, argc > 0 ? argv[0] : NULL, locked);
    else if (status < 0 && (status = check(pick, use, cancel, ties)) == 0) {
        request = make_request(argc > 0 ? argv[0] : NULL, pick, use, cancel, ties);
        status = request ? resolve(&common, request) : EX_USAGE;
    }
    json_decref(ties);
    return status;
}
