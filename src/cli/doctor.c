/*
 * trivet doctor: looks at everything that keeps a phone from syncing, and says what to do about it. It gathers what
 * the server or the store has to say, calls the checks one after the other, and prints what they found.
 */
#include "cli/doctor.h"

#include "cli/client.h"
#include "cli/commands.h"
#include "cli/print.h"
#include "net/control.h"
#include "serve/requests.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

enum { ANSWER_SECONDS = 10, CHECK_MS = 5000 };

/* A message may hold a path that is no UTF-8, or be cut in the middle of a character. */
static json_t *one_text(char *text) {
    json_t *string = json_string(text);

    for (char *p = text; !string && *p; p++)
        if ((unsigned char)*p >= 0x80)
            *p = '?';
    return string ? string : json_string(text);
}

void doctor_find(doctor *d, doctor_level level, const char *subject, const char *advice, const char *format,
                 ...) {
    static const char *const names[] = {"ok", "note", "problem"};
    char text[1024];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    for (char *p = text; *p; p++)
        if ((unsigned char)*p < ' ')
            *p = ' '; /* SQLite's words on damage are several lines */
    json_t *finding =
        json_pack("{s:s, s:s, s:o}", "subject", subject, "level", names[level], "finding", one_text(text));
    if (advice)
        json_object_set_new(finding, "advice", json_string(advice));
    json_array_append_new(d->findings, finding);
    d->notes += level == DOCTOR_NOTE;
    d->problems += level == DOCTOR_PROBLEM;
}

/* ---- gathering -------------------------------------------------------------------------------------------- */

/* One answer of the running server; NULL: none came. */
static json_t *ask_server(const doctor *d, const char *what, char **raw, size_t *raw_len) {
    const struct timeval patience = {ANSWER_SECONDS, 0};
    char path[PATH_MAX + 16];
    json_t *request = json_pack("{s:s}", "do", what), *response = NULL;
    int fd;

    *raw = NULL;
    snprintf(path, sizeof path, "%s/control.sock", d->folder);
    if ((fd = control_connect(path)) >= 0) {
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
        if (control_call_blocking(fd, request, NULL, 0, &response, raw, raw_len) != 0)
            response = NULL;
        close(fd);
    }
    json_decref(request);
    return response;
}

static json_t *ask_store(store *s, const char *what, char **raw, size_t *raw_len) {
    requests_context ctx = {.store = s, .now = print_now(), .alone = true};
    json_t *request = json_pack("{s:s}", "do", what), *response = NULL;

    requests_run(&ctx, request, NULL, 0, &response, raw, raw_len);
    json_decref(request);
    return response;
}

static void keep(doctor *d, json_t *devices, char *state, size_t len) {
    d->devices = json_incref(json_object_get(devices, "devices"));
    json_decref(devices);
    d->state = state;
    d->state_len = len;
}

static void look(doctor *d) {
    d->look = look_database(d->folder, CHECK_MS, d->look_text, sizeof d->look_text);
}

/* The store's own answers, where no server runs. What keeps it closed is a finding. */
static void gather_here(doctor *d) {
    store_error err = STORE_ERROR_INIT;
    char *raw, *state;
    size_t len, unused;
    store *s;

    if (store_open(d->folder, STORE_TRY, &s, &err) != 0) {
        doctor_find(d, DOCTOR_PROBLEM, "store",
                    err.code == STORE_LOCKED ? "Wait for that process, or end it; then look again."
                                             : "`trivet fsck` says what is damaged and what can be saved.",
                    "%s", err.message);
        look(d);
        return;
    }
    look(d); /* now: who closes a database last tidies its log away, which one that only reads may not */
    json_t *devices = ask_store(s, "devices", &raw, &unused);
    free(raw);
    json_t *status = ask_store(s, "status", &raw, &unused);
    free(raw);
    d->moved = json_incref(json_object_get(status, "moved"));
    json_decref(status);
    json_decref(ask_store(s, "state", &state, &len));
    store_close(s);
    keep(d, devices, state, len);
}

static void gather(doctor *d) {
    char path[PATH_MAX + 16], *raw, *state;
    size_t len, unused;

    snprintf(path, sizeof path, "%s/trivet.db", d->folder);
    d->has_database = access(path, F_OK) == 0;
    d->status = ask_server(d, "status", &raw, &unused);
    free(raw);
    if (!d->status) {
        if (d->has_database)
            gather_here(d);
        return;
    }
    look(d);
    d->moved = json_incref(json_object_get(d->status, "moved"));
    json_t *devices = ask_server(d, "devices", &raw, &unused);
    free(raw);
    json_decref(ask_server(d, "state", &state, &len));
    keep(d, devices, state, len);
}

/* One thing that is wrong in the settings. */
static void tell_setting(void *ctx, const char *message) {
    doctor_find(ctx, DOCTOR_PROBLEM, "settings",
                "Mend that line, or leave it out for the default: trivet.conf(5).", "%s", message);
}

static void read_settings(doctor *d, const char *file) {
    char path[PATH_MAX];

    config_init(&d->settings);
    if (config_load(&d->settings, file, tell_setting, d) != 0) {
        config_init(&d->settings);
        return;
    }
    config_find(file, path, sizeof path);
    doctor_find(d, DOCTOR_OK, "settings", NULL, "%s",
                path[0] ? path : "the defaults; there is no trivet.conf");
}

/* ---- showing ---------------------------------------------------------------------------------------------- */

static void print_finding(const json_t *finding) {
    const char *level = reply_string(finding, "level"), *text = reply_string(finding, "finding");
    const char *advice = reply_string(finding, "advice");
    print_style style = strcmp(level, "ok") == 0        ? PRINT_GOOD
                        : strcmp(level, "problem") == 0 ? PRINT_BAD
                                                        : PRINT_HEADING;

    print_styled(stdout, style, "%-9s", level);
    printf("%-11s", reply_string(finding, "subject"));
    print_line(stdout, text, strlen(text));
    putchar('\n');
    if (advice[0])
        printf("%20s%s\n", "", advice);
}

static void print_findings(const doctor *d) {
    const json_t *finding;
    size_t i;

    json_array_foreach(d->findings, i, finding) print_finding(finding);
    if (d->problems == 0)
        printf("\nno problems found\n");
    else
        printf("\n%zu problem%s found\n", d->problems, d->problems == 1 ? "" : "s");
}

static void print_json(const doctor *d) {
    json_t *all = json_pack("{s:s, s:b, s:I, s:I, s:O}", "version", TRIVET_VERSION, "healthy",
                            d->problems == 0, "problems", (json_int_t)d->problems, "notes",
                            (json_int_t)d->notes, "findings", d->findings);

    json_dumpf(all, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(all);
}

int cli_doctor(int argc, char **argv) {
    static void (*const checks[])(doctor *) = {
        doctor_folder, doctor_disk,     doctor_database, doctor_server,   doctor_port,  doctor_addresses,
        doctor_moved,  doctor_firewall, doctor_mdns,     doctor_arrivals, doctor_clock, doctor_dates};
    const char *file = NULL;
    const cli_option options[] = {
        {"config", "FILE", "settings, as the server has them (default: trivet.conf)", .string = &file},
        CLI_OPTIONS_END,
    };
    const cli_usage usage = {
        "doctor",
        "",
        "Checks what a sync needs: the server, its port and addresses, the network, clocks, the\n"
        "data folder; and says what to do. Exit status 1: there are problems.",
        options,
        CLI_JSON,
        0,
        0};
    cli_common common;
    doctor d = {0};
    int status = options_parse(&usage, &argc, &argv, &common);

    if (status >= 0)
        return status;
    d.folder = common.data;
    if (!(d.findings = json_array()))
        return print_failure(EX_OSERR, "out of memory");
    read_settings(&d, file);
    gather(&d);
    for (size_t i = 0; i < sizeof checks / sizeof checks[0]; i++)
        checks[i](&d);
    if (common.json)
        print_json(&d);
    else
        print_findings(&d);
    status = print_finish();
    if (status == 0 && d.problems > 0)
        status = 1;
    json_decref(d.findings);
    json_decref(d.status);
    json_decref(d.devices);
    json_decref(d.moved);
    free(d.state);
    return status;
}
