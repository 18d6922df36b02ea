/* trivet pair: a new device, and the code that its phone scans. */
#include "cli/client.h"
#include "cli/commands.h"
#include "cli/print.h"
#include "serve/pairing_code.h"
#include "serve/reachable.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sysexits.h>
#include <unistd.h>

static int print_code_json(json_t *response) {
    char *text;

    json_object_del(response, "ok");
    if (!(text = json_dumps(response, JSON_COMPACT)))
        return print_failure(EX_OSERR, "out of memory");
    puts(text);
    sodium_memzero(text, strlen(text));
    free(text);
    return print_finish();
}

static int print_code(const json_t *response) {
    char *text = json_dumps(response, JSON_COMPACT);
    trivet_proto_pairing pairing;
    trivet_proto_error err;
    int status = 0;

    if (!text)
        return print_failure(EX_OSERR, "out of memory");
    if (trivet_proto_pairing_decode(text, strlen(text), &pairing, &err) != 0)
        status = print_failure(EX_PROTOCOL, "the answer holds no pairing code: %s: %s", err.path, err.reason);
    else if (pairing_show(stdout, &pairing, pairing_colour(stdout)) != 0)
        status = print_failure(EX_IOERR, "the code could not be shown");
    sodium_memzero(&pairing, sizeof pairing);
    sodium_memzero(text, strlen(text));
    free(text);
    return status;
}

/* The note goes to standard error: --json may be read by a script. */
static void note_server(const cli_common *common, const reply *r) {
    if (!r->from_server)
        print_note("No server runs on %s: start `trivet serve` before the phone scans the code.",
                   common->data);
    if (strcmp(reply_string(r->response, "ip"), "127.0.0.1") == 0)
        print_note("This computer seems to be on no network: only programs on it reach 127.0.0.1. --host "
                   "names another "
                   "address.");
}

/* A name that leads nowhere is noticed when the phone does not connect, and then nobody thinks of it. */
static void note_name(const char *host) {
    char own[256] = "";
    size_t len = strlen(host);

    if (len < 7 || strcasecmp(host + len - 6, ".local") != 0)
        return;
    if (!reachable_avahi_runs())
        print_note("avahi-daemon does not run here, so no phone finds %s: install it, or leave --host out.",
                   host);
    if (gethostname(own, sizeof own - 1) == 0 &&
        (strcspn(own, ".") != len - 6 || strncasecmp(own, host, len - 6) != 0))
        print_note("This computer goes by %.*s.local on the network, unless it was told otherwise; %s may be "
                   "another one.",
                   (int)strcspn(own, "."), own, host);
}

int cli_pair(int argc, char **argv) {
    const char *host = NULL, *name = NULL, *replace = NULL;
    bool web = false, v2 = false;
    const cli_option options[] = {
        {"host", "HOST", "the address or name to put into the code", .string = &host},
        {"name", "NAME", "what to call the device", .string = &name},
        {"replace", "DEVICE", "the code is for the successor of this device", .string = &replace},
        {"v2", NULL, "a code without the secret of version 1; the app cannot use it", .flag = &v2},
        {"web", NULL, "a code for the phone's browser (not in this version)", .flag = &web},
        CLI_OPTIONS_END,
    };
    const cli_usage usage = {
        "pair",
        "[--host HOST] [--name NAME] [--replace DEVICE] [--v2]",
        "Makes a new device and shows the code that its phone scans. A code is for one phone and\n"
        "lapses after 10 minutes if it was not used. The successor of a device goes on where that\n"
        "one was; the old one is revoked once the new code is used.",
        options,
        CLI_JSON,
        0,
        0};
    cli_common common;
    reply r;
    int status = options_parse(&usage, &argc, &argv, &common);

    if (status >= 0)
        return status;
    if (web)
        return print_failure(EX_UNAVAILABLE,
                             "this version has no page for a phone's browser; leave --web out and use the "
                             "app");
    status = client_request(&common,
                            json_pack("{s:s, s:s*, s:s*, s:s*, s:b}", "do", "pair", "host", host, "name",
                                      name, "replace", replace, "v2", v2),
                            NULL, 0, CLIENT_NETWORK | CLIENT_AWAIT, &r);
    if (status != 0)
        return status;
    note_server(&common, &r);
    if (host)
        note_name(host);
    status = common.json ? print_code_json(r.response) : print_code(r.response);
    reply_release(&r);
    return status;
}
