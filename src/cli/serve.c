/* trivet serve: the settings, and then the server runs (src/serve). */
#include "cli/commands.h"
#include "cli/options.h"
#include "cli/print.h"
#include "serve/serve.h"

#include <sysexits.h>

int cli_serve(int argc, char **argv) {
    const char *port = NULL, *host = NULL, *file = NULL, *record = NULL;
    bool no_mdns = false;
    const cli_option options[] = {
        {"port", "N", "the TCP port (default: 8080; 0 picks one)", .string = &port},
        {"host", "ADDR", "listen on this address only", .string = &host},
        {"no-mdns", NULL, "do not announce the server on the network", .flag = &no_mdns},
        {"record", "DIR", "keep each merge in this folder as a case, texts replaced", .string = &record},
        {"config", "FILE", "settings (default: trivet.conf, see trivet-serve(8))", .string = &file},
        CLI_OPTIONS_END,
    };
    const cli_usage usage = {
        "serve",
        "[--port N] [--host ADDR] [--no-mdns] [--record DIR] [--config FILE]",
        "Runs the computer's side: the server that phones connect to. It stays in the foreground and\n"
        "logs to standard error; SIGTERM or Ctrl-C end it.",
        options,
        0,
        0,
        0};
    char message[512];
    cli_common common;
    config settings;
    int status = options_parse(&usage, &argc, &argv, &common);

    if (status >= 0)
        return status;
    config_init(&settings);
    if (config_load(&settings, file, message, sizeof message) != 0)
        return print_failure(EX_CONFIG, "%s", message);
    if ((port && config_set(&settings, "port", port, message, sizeof message) != 0) ||
        (host && config_set(&settings, "host", host, message, sizeof message) != 0) ||
        (record && config_set(&settings, "record", record, message, sizeof message) != 0) ||
        (no_mdns && config_set(&settings, "mdns", "off", message, sizeof message) != 0))
        return options_refuse("serve", "%s", message);
    return serve_run(common.data, &settings);
}
