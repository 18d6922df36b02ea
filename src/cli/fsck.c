/* trivet fsck: is the data folder sound, and what can be done. */
#include "store/fsck.h"

#include "cli/commands.h"
#include "cli/options.h"
#include "cli/print.h"

#include <jansson.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

typedef struct {
    json_t *findings; /* NULL: they are printed as they come */
    bool terminal, shown;
} output;

static void wipe_progress(output *o) {
    if (o->shown)
        fputs("\r\033[K", stderr);
    o->shown = false;
}

static void on_progress(void *ctx, const char *doing, size_t done, size_t total) {
    output *o = ctx;

    if (!o->terminal)
        return;
    wipe_progress(o);
    if (done < total || total == 0)
        fprintf(stderr, total ? "%s: %zu of %zu" : "%s", doing, done, total);
    o->shown = true;
}

static void on_found(void *ctx, const fsck_finding *f) {
    output *o = ctx;

    wipe_progress(o);
    if (o->findings) {
        json_array_append_new(o->findings,
                              json_pack("{s:b, s:s, s:s, s:s, s:s}", "fault", f->fault, "kind", f->kind,
                                        "what", f->what, "means", f->means, "action", f->action));
        return;
    }
    print_styled(stdout, f->fault ? PRINT_BAD : PRINT_HEADING, "%s", f->fault ? "fault" : "note");
    printf("  %s: ", f->kind);
    print_line(stdout, f->what, strlen(f->what));
    printf("\n       %s.\n       -> %s.\n", f->means, f->action);
}

static void print_summary(const cli_common *common, const fsck_result *r) {
    if (r->faults == 0)
        printf("%s is sound: %zu parts in %zu states\n", common->data, r->parts, r->states);
    else if (r->repaired)
        printf("repaired: %zu fault%s; %s is sound now\n", r->faults, r->faults == 1 ? "" : "s",
               common->data);
    else
        printf("%zu fault%s\n", r->faults, r->faults == 1 ? "" : "s");
    if (r->kept[0])
        printf("the damaged database is kept as %s/%s\n", common->data, r->kept);
}

static void print_json(output *o, const fsck_result *r) {
    json_t *all = json_pack("{s:I, s:I, s:I, s:I, s:b, s:o}", "faults", (json_int_t)r->faults, "notes",
                            (json_int_t)r->notes, "parts", (json_int_t)r->parts, "states",
                            (json_int_t)r->states, "repaired", r->repaired, "findings", o->findings);
    json_object_set_new(all, "kept", r->kept[0] ? json_string(r->kept) : json_null());
    json_dumpf(all, stdout, JSON_COMPACT | JSON_SORT_KEYS);
    putchar('\n');
    json_decref(all);
}

/* What keeps fsck from its work has a status of its own: 74. */
static int refuse(const cli_common *common, const store_error *err) {
    if (err->code == STORE_LOCKED && err->holder)
        return print_failure(EX_TEMPFAIL, "%s is in use by process %ld: a repair wants the server stopped",
                             common->data, err->holder);
    if (err->code == STORE_DAMAGED || (err->code == STORE_DENIED && err->status == EX_NOINPUT))
        return print_failure(EX_IOERR, "%s", err->message);
    return print_failure(err->status ? err->status : EX_SOFTWARE, "%s", err->message);
}

int cli_fsck(int argc, char **argv) {
    bool repair = false;
    const cli_option options[] = {
        {"repair", NULL, "drops what is damaged and saves the rest, on a copy; the server must be stopped",
         .flag = &repair},
        CLI_OPTIONS_END,
    };
    const cli_usage usage = {
        "fsck",
        "[--repair]",
        "Reads everything that the data folder holds and says whether it is sound, whether or not the\n"
        "server runs. Exit status 0: it is; 1: faults were found, or repaired; 74: it cannot be read.",
        options,
        CLI_JSON,
        0,
        0};
    cli_common common;
    store_error err = STORE_ERROR_INIT;
    fsck_result result;
    int status = options_parse(&usage, &argc, &argv, &common);

    if (status >= 0)
        return status;
    output o = {common.json ? json_array() : NULL, isatty(STDERR_FILENO) != 0, false};
    const fsck_options how = {on_found, on_progress, &o, print_now(), repair};
    int rc = fsck_run(common.data, &how, &result, &err);
    wipe_progress(&o);
    if (rc != 0) {
        json_decref(o.findings);
        fflush(stdout);
        return refuse(&common, &err);
    }
    if (common.json)
        print_json(&o, &result);
    else
        print_summary(&common, &result);
    status = print_finish();
    return status ? status : result.faults > 0;
}
