/* trivet devices: the paired phones, and the end of one. */
#include "cli/client.h"
#include "cli/commands.h"
#include "cli/print.h"

#include <string.h>

static void print_name(const char *name) {
    print_line(stdout, name, strlen(name));
}

/* One line: what the user is to know first. */
static void print_state(const json_t *d, int64_t now) {
    int64_t lapses = reply_number(d, "lapses"), revoked = reply_number(d, "revoked");
    char when[32];

    if (revoked)
        print_styled(stdout, PRINT_BAD, "revoked %s", print_when(revoked, now, when, sizeof when));
    else if (lapses)
        printf("code not used yet, lapses in %lld min", (long long)((lapses - now + 59999) / 60000));
    else if (json_is_true(json_object_get(d, "connected")))
        print_styled(stdout, PRINT_GOOD, "connected");
    else
        printf("last seen %s", print_when(reply_number(d, "last_seen"), now, when, sizeof when));
    if (!lapses)
        printf(", last sync %s", print_when(reply_number(d, "last_sync"), now, when, sizeof when));
}

/* The names that phones on this code gave themselves, where they say more than the device's own. */
static void print_phones(const json_t *d, int64_t now) {
    const json_t *phones = json_object_get(d, "phones"), *phone;
    const char *name = reply_string(d, "name");
    char when[32];
    size_t i;

    if (json_array_size(phones) > 1)
        print_styled(stdout, PRINT_BAD,
                     "          %zu phones use this code; pair each with one of its own:\n",
                     json_array_size(phones));
    json_array_foreach(phones, i, phone) {
        if (json_array_size(phones) == 1 && strcmp(reply_string(phone, "name"), name) == 0)
            return;
        fputs("          as ", stdout);
        print_name(reply_string(phone, "name"));
        printf(", last sync %s\n", print_when(reply_number(phone, "last_sync"), now, when, sizeof when));
    }
}

static void print_devices(const json_t *devices) {
    int64_t now = print_now();
    const json_t *d;
    size_t i;

    json_array_foreach(devices, i, d) {
        const char *name = reply_string(d, "name"), *address = reply_string(d, "address");
        print_styled(stdout, PRINT_ID, "%s", reply_string(d, "id"));
        fputs("  ", stdout);
        if (name[0])
            print_name(name);
        else
            print_styled(stdout, PRINT_FAINT, "(no name yet)");
        fputs("  ", stdout);
        print_state(d, now);
        if (address[0] && !reply_number(d, "revoked"))
            printf(", from %s", address);
        if (reply_number(d, "protocol"))
            printf(", protocol %lld", (long long)reply_number(d, "protocol"));
        if (reply_number(d, "question"))
            printf(", question %lld is open", (long long)reply_number(d, "question"));
        putchar('\n');
        print_phones(d, now);
    }
    if (json_array_size(devices) == 0)
        print_note("No phone is paired yet. `trivet pair` shows a code to scan.");
}

/* What was done to which device. */
static int change(const cli_common *common, json_t *request, const char *done) {
    reply r;
    int status = client_request(common, request, NULL, 0, 0, &r);

    if (status != 0)
        return status;
    if (common->json) {
        json_object_del(r.response, "ok");
        json_dumpf(r.response, stdout, JSON_COMPACT);
        putchar('\n');
    } else {
        printf("%s %s  ", done, reply_string(r.response, "device"));
        print_name(reply_string(r.response, "name"));
        putchar('\n');
    }
    reply_release(&r);
    return print_finish();
}

static int revoke(int argc, char **argv) {
    const cli_option options[] = {CLI_OPTIONS_END};
    const cli_usage usage = {
        "devices revoke",
        "DEVICE",
        "Revokes a device: its connection ends at once and its code is never accepted again.\n"
        "DEVICE is its id, a prefix of it, or its name. What it brought stays.",
        options,
        CLI_JSON,
        1,
        1};
    cli_common common;
    int status = options_parse(&usage, &argc, &argv, &common);

    return status >= 0
               ? status
               : change(&common, json_pack("{s:s, s:s}", "do", "revoke", "device", argv[0]), "revoked");
}

static int rename_device(int argc, char **argv) {
    const cli_option options[] = {CLI_OPTIONS_END};
    const cli_usage usage = {"devices rename",
                             "DEVICE NAME",
                             "Says what a device is called from now on.\n"
                             "DEVICE is its id, a prefix of it, or its name.",
                             options,
                             CLI_JSON,
                             2,
                             2};
    cli_common common;
    int status = options_parse(&usage, &argc, &argv, &common);

    return status >= 0
               ? status
               : change(&common,
                        json_pack("{s:s, s:s, s:s}", "do", "rename", "device", argv[0], "name", argv[1]),
                        "renamed");
}

int cli_devices(int argc, char **argv) {
    const cli_option options[] = {CLI_OPTIONS_END};
    const cli_usage usage = {
        "devices",
        "\nrevoke DEVICE\nrename DEVICE NAME",
        "Shows the paired phones: id, name, whether one is connected, its last sync and address, the\n"
        "protocol it speaks, and a question that waits. `revoke` ends a pairing, `rename` names it.",
        options,
        CLI_JSON,
        0,
        0};
    cli_common common;
    reply r;
    int status;

    const char *verb = options_verb(argc, argv, "data");
    if (verb && strcmp(verb, "revoke") == 0)
        return revoke(argc - 1, argv + 1);
    if (verb && strcmp(verb, "rename") == 0)
        return rename_device(argc - 1, argv + 1);
    if ((status = options_parse(&usage, &argc, &argv, &common)) >= 0)
        return status;
    if ((status = client_request(&common, json_pack("{s:s}", "do", "devices"), NULL, 0, 0, &r)) != 0)
        return status;
    if (common.json) {
        json_dumpf(json_object_get(r.response, "devices"), stdout, JSON_INDENT(2));
        putchar('\n');
    } else {
        print_devices(json_object_get(r.response, "devices"));
    }
    reply_release(&r);
    return print_finish();
}
