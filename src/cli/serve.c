/* trivet serve: the settings, and then the server runs (src/serve). */
#include "cli/commands.h"
#include "cli/options.h"
#include "cli/print.h"
#include "serve/serve.h"
#include "store/folder.h"

#include <string.h>
#include <sysexits.h>

/* What was typed; it goes before the file and the environment, on a reload too. */
struct typed {
    const char *port, *host, *file, *record;
    bool no_mdns, check, print;
};

static void tell(void *ctx, const char *message) {
    (void)ctx;
    print_failure(EX_CONFIG, "%s", message);
}

/* Flags, over what file and environment say. 0, or -1 after telling each that is wrong. */
static int apply_flags(const struct typed *t, config *settings, config_tell_fn *say, void *ctx) {
    const struct {
        const char *key, *value;
    } flags[] = {
        {"port", t->port}, {"host", t->host}, {"record", t->record}, {"mdns", t->no_mdns ? "off" : NULL}};
    char message[1024];
    int rc = 0;

    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++)
        if (flags[i].value &&
            config_set(settings, flags[i].key, flags[i].value, message, sizeof message) != 0) {
            say(ctx, message);
            rc = -1;
        }
    return rc;
}

/* A reload_source. */
static int load(void *source, config *settings, config_tell_fn *say, void *ctx) {
    const struct typed *t = source;
    int rc;

    config_init(settings);
    rc = config_load(settings, t->file, say, ctx);
    return apply_flags(t, settings, say, ctx) == 0 ? rc : -1;
}

/* `serve -n`: what file, environment and flags come to. */
static int check(const struct typed *t, const config *settings) {
    char file[4096];

    if (t->print) {
        config_print(settings, stdout);
        return print_finish();
    }
    config_find(t->file, file, sizeof file);
    if (file[0])
        printf("%s is fine\n", file);
    else
        puts("there is no settings file; environment and options are fine");
    return print_finish();
}

static void tell_note(void *ctx, const char *message) {
    (void)ctx;
    print_note("%s", message);
}

static void tell_usage(void *ctx, const char *message) {
    (void)ctx;
    options_refuse("serve", "%s", message);
}

int cli_serve(int argc, char **argv) {
    struct typed t = {0};
    const cli_option options[] = {
        {"port", "N", "the TCP port (default: 8080; 0 picks one)", .string = &t.port},
        {"host", "ADDR", "listen on this address only", .string = &t.host},
        {"no-mdns", NULL, "do not announce the server on the network", .flag = &t.no_mdns},
        {"record", "DIR", "keep each merge in this folder as a case, texts replaced", .string = &t.record},
        {"config", "FILE", "settings (default: trivet.conf, see trivet.conf(5))", .string = &t.file},
        {"n", NULL, "only check the settings", .flag = &t.check},
        {"check-config", NULL, "the same", .flag = &t.check},
        {"print-config", NULL, "only print the settings, as a file that says the same", .flag = &t.print},
        CLI_OPTIONS_END,
    };
    const cli_usage usage = {
        "serve",
        "[--port N] [--host ADDR] [--no-mdns] [--record DIR] [--config FILE]\n"
        "-n | --print-config [OPTION...]",
        "Runs the computer's side: the server that phones connect to. It stays in the foreground and\n"
        "logs to standard error. SIGHUP reads the settings again; SIGTERM or Ctrl-C end it.",
        options,
        0,
        0,
        0};
    cli_common common;
    config settings;
    int status = options_parse(&usage, &argc, &argv, &common);

    if (status >= 0)
        return status;
    config_init(&settings);
    int rc = config_load(&settings, t.file, tell, NULL);
    int flags = apply_flags(&t, &settings, t.check || t.print ? tell : tell_usage, NULL);
    if (rc != 0 || (flags != 0 && (t.check || t.print)))
        return EX_CONFIG;
    if (flags != 0)
        return EX_USAGE;
    config_unknown_variables(tell_note, NULL);
    if (t.check || t.print)
        return check(&t, &settings);
    store_error err = STORE_ERROR_INIT;
    if (folder_stay_owner(common.data, &err) != 0)
        return print_failure(err.status, "%s", err.message);
    const reload_source source = {load, &t};
    return serve_run(common.data, &settings, &source);
}
