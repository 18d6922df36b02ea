/* trivet status: how things stand, in a few lines. */
#include "cli/client.h"
#include "cli/commands.h"
#include "cli/moved.h"
#include "cli/print.h"

#include <string.h>

/* Names from the network are shown as print_line shows what is foreign. */
static void print_network(const json_t *s) {
    const json_t *mdns = json_object_get(s, "mdns");
    const char *state = reply_string(mdns, "state");

    fputs("mDNS      ", stdout);
    if (strcmp(state, "announced") == 0) {
        const char *name = reply_string(mdns, "name");
        fputs("announced as ", stdout);
        print_line(stdout, name, strlen(name));
    } else {
        fputs(strcmp(state, "waiting") == 0 ? "not announced: " : "off", stdout);
        fputs(reply_string(mdns, "reason"), stdout);
    }
    putchar('\n');
    if (strcmp(reply_string(s, "allow"), "any") == 0) {
        fputs("allow     ", stdout);
        print_styled(stdout, PRINT_BAD, "any address");
        puts(" may connect: use this behind a firewall only");
    }
}

static void print_server(const json_t *s) {
    const json_t *addresses = json_object_get(s, "addresses"), *address;
    int64_t minutes = reply_number(s, "uptime") / 60;
    size_t i;

    fputs("server    ", stdout);
    if (!json_is_true(json_object_get(s, "running"))) {
        print_styled(stdout, PRINT_BAD, "not running");
        fputs(": `trivet serve` starts it\n", stdout);
        return;
    }
    print_styled(stdout, PRINT_GOOD, "running");
    printf(" for %lld h %lld min, process %lld\n", (long long)(minutes / 60), (long long)(minutes % 60),
           (long long)reply_number(s, "pid"));
    json_array_foreach(addresses, i, address)
        printf("%-10s%s port %lld\n", i ? "" : "address", json_string_value(address),
               (long long)reply_number(s, "port"));
    print_network(s);
}

/* Codes that lead elsewhere, and what to do: the first few by name. */
static void print_moved(const json_t *s) {
    const json_t *moved = json_object_get(s, "moved"), *d;
    char text[MOVED_TEXT];
    size_t i;

    json_array_foreach(moved, i, d) {
        if (i == 5)
            break;
        moved_text(d, text);
        print_styled(stdout, PRINT_BAD, "moved     ");
        print_line(stdout, text, strlen(text));
        putchar('\n');
    }
    if (i > 0)
        printf("%10s%s\n", "", moved_advice);
}

static void print_status(const json_t *s) {
    const char *folder = reply_string(s, "folder");
    int64_t pending = reply_number(s, "pending");
    char when[32];

    print_server(s);
    fputs("data      ", stdout);
    print_line(stdout, folder, strlen(folder));
    printf("\nitems     %lld, and %lld locked\n", (long long)reply_number(s, "items"),
           (long long)reply_number(s, "locked_items"));
    printf("phones    %lld paired", (long long)reply_number(s, "devices"));
    if (json_object_get(s, "connections"))
        printf(", %lld connected", (long long)reply_number(s, "connections"));
    if (reply_number(s, "shared"))
        print_styled(stdout, PRINT_BAD,
                     "\n          %lld of them shared by several phones: see `trivet devices`",
                     (long long)reply_number(s, "shared"));
    printf("\nlast sync %s\n", print_when(reply_number(s, "last_sync"), print_now(), when, sizeof when));
    print_moved(s);
    if (pending > 0)
        printf("questions %lld open: `trivet pending` shows %s\n", (long long)pending,
               pending == 1 ? "it" : "them");
}

int cli_status(int argc, char **argv) {
    const cli_option options[] = {CLI_OPTIONS_END};
    const cli_usage usage = {
        "status",
        "",
        "Shows how things stand: the server, where it listens, items, phones, the last sync, and\n"
        "questions that wait for an answer.",
        options,
        CLI_JSON,
        0,
        0};
    cli_common common;
    reply r;
    int status = options_parse(&usage, &argc, &argv, &common);

    if (status >= 0)
        return status;
    if ((status = client_request(&common, json_pack("{s:s}", "do", "status"), NULL, 0, CLIENT_NETWORK, &r)) !=
        0)
        return status;
    if (common.json) {
        json_object_del(r.response, "ok");
        if (!json_object_get(r.response, "running"))
            json_object_set_new(r.response, "running", json_false());
        json_dumpf(r.response, stdout, JSON_INDENT(2));
        putchar('\n');
    } else {
        print_status(r.response);
    }
    reply_release(&r);
    return print_finish();
}
