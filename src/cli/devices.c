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
        putchar('\n');
        print_phones(d, now);
    }
    if (json_array_size(devices) == 0)
        print_note("No phone is paired yet. `trivet pair` shows a code to scan.");
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
    reply r;
    int status = options_parse(&usage, &argc, &argv, &common);

    if (status >= 0)
        return status;
    status =
        client_request(&common, json_pack("{s:s, s:s}", "do", "revoke", "device", argv[0]), NULL, 0, 0, &r);
    if (status != 0)
        return status;
    if (common.json) {
        json_object_del(r.response, "ok");
        json_dumpf(r.response, stdout, JSON_COMPACT);
        putchar('\n');
    } else {
        printf("revoked %s  ", reply_string(r.response, "device"));
        print_name(reply_string(r.response, "name"));
        putchar('\n');
    }
    reply_release(&r);
    return print_finish();
}

int cli_devices(int argc, char **argv) {
    const cli_option options[] = {CLI_OPTIONS_END};
    const cli_usage usage = {
        "devices",
        "\nrevoke DEVICE",
        "Shows the paired phones: id, name, whether one is connected, its last sync. `revoke` ends\n"
        "a pairing.",
        options,
        CLI_JSON,
        0,
        0};
    cli_common common;
    reply r;
    int status;

    if (argc > 1 && strcmp(argv[1], "revoke") == 0)
        return revoke(argc - 1, argv + 1);
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
