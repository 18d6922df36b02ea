/* trivet merge: merges three files, runs and records fixtures; needs no server. */
#include "cli/commands.h"
#include "cli/input.h"
#include "cli/merge_check.h"
#include "cli/merge_run.h"
#include "cli/options.h"
#include "cli/print.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

typedef struct {
    const char *ancestor, *phone, *computer, *picks;
    const char *large, *text, *threshold, *offset;
    bool check, accept;
} arguments;

/* "" for a file that was not named */
static const char *file_of(const arguments *typed, trivet_merge_side side) {
    return side == TRIVET_MERGE_ANCESTOR ? typed->ancestor
           : side == TRIVET_MERGE_PHONE  ? typed->phone
                                         : typed->computer;
}

/* -1: go on. */
static int parse_values(const arguments *typed, trivet_merge_options *options) {
    char *end;
    if (typed->large && !merge_large_named(typed->large, &options->large))
        return options_refuse("merge", "--large: expected computer, phone or both, not \"%.100s\"",
                              typed->large);
    if (typed->text && !merge_text_named(typed->text, &options->text))
        return options_refuse("merge", "--text: expected lines or whole, not \"%.100s\"", typed->text);
    if (typed->threshold) {
        options->large_threshold = strtod(typed->threshold, &end);
        if (end == typed->threshold || *end ||
            !(options->large_threshold >= 0 && options->large_threshold <= 1))
            return options_refuse("merge", "--threshold: expected a number from 0 to 1, not \"%.100s\"",
                                  typed->threshold);
    }
    if (typed->offset && !options_number("merge", "--clock-offset", typed->offset, -(INT64_C(1) << 53),
                                         INT64_C(1) << 53, &options->phone_clock_offset))
        return EX_USAGE;
    return -1;
}

static int check_files(const arguments *typed) {
    const char *const files[] = {typed->ancestor, typed->phone, typed->computer, typed->picks};
    int from_stdin = 0;
    if (!typed->phone || !typed->computer)
        return options_refuse("merge", "--phone and --computer name the two states to merge; %s is missing",
                              typed->phone ? "--computer" : "--phone");
    for (int i = 0; i < 4; i++)
        from_stdin += files[i] && strcmp(files[i], "-") == 0;
    if (from_stdin > 1)
        return options_refuse("merge", "only one file can be read from standard input");
    return -1;
}

static int read_inputs(const arguments *typed, merge_inputs *in) {
    int status = 0;
    if (typed->ancestor)
        status = input_read(typed->ancestor, &in->ancestor, &in->ancestor_len);
    if (status == 0)
        status = input_read(typed->phone, &in->phone, &in->phone_len);
    if (status == 0)
        status = input_read(typed->computer, &in->computer, &in->computer_len);
    if (status == 0 && typed->picks) {
        char *picks, why[256];
        size_t len;
        if ((status = input_read(typed->picks, &picks, &len)) != 0)
            return status;
        if (!merge_picks_read(in, picks, len, why, sizeof why))
            status = print_failure(EX_DATAERR, "%s: %s; nothing was merged", typed->picks, why);
        free(picks);
    }
    return status;
}

static int tell_error(const arguments *typed, const trivet_merge_error *error) {
    const char *colon = error->path[0] ? ": " : "";
    if (error->code == TRIVET_MERGE_ENOMEM)
        return print_failure(EX_OSERR, "out of memory");
    if (error->code == TRIVET_MERGE_EPICK)
        return print_failure(EX_DATAERR, "%s: %s%s%s; run it without --picks to see which ties there are",
                             typed->picks, error->path, colon, error->reason);
    return print_failure(EX_DATAERR, "%s: %s%s%s; nothing was merged, correct %s first",
                         trivet_merge_side_name(error->side), error->path, colon, error->reason,
                         file_of(typed, error->side));
}

/* What the result asks for, and the exit status that says so. */
static int tell_result(const merge_output *out) {
    switch (out->status) {
    case TRIVET_MERGE_CONFLICT:
        print_note("%zu tie%s left, the phone's value stands: answer each with --picks FILE, an array of "
                   "{\"section\", \"slot\", \"itemId\", \"field\", \"pick\": \"phone\" or \"computer\"}",
                   out->ties, out->ties == 1 ? " is" : "s are");
        return 1;
    case TRIVET_MERGE_LARGE_CHANGE:
        print_note(
            "large change: of %zu items the phone lacks %zu and the computer %zu; say --large computer or "
            "--large phone for that side's state, or --large both to delete nothing that is only absent",
            out->large.known, out->large.phone_missing, out->large.computer_missing);
        return 2;
    default:
        return 0;
    }
}

static int merge_files(const arguments *typed) {
    merge_inputs in = MERGE_INPUTS_INIT;
    merge_output out;
    int status = parse_values(typed, &in.options);
    if (status < 0)
        status = check_files(typed);
    if (status >= 0)
        return status;
    if ((status = read_inputs(typed, &in)) == 0) {
        merge_run(&in, &out);
        if (out.error.code != 0) {
            status = tell_error(typed, &out.error);
        } else {
            fwrite(out.document, 1, out.len, stdout);
            putchar('\n');
            status = print_finish();
            status = status != 0 ? status : tell_result(&out);
        }
        merge_output_release(&out);
    }
    merge_inputs_release(&in);
    return status;
}

int cli_merge(int argc, char **argv) {
    arguments typed = {0};
    const cli_option options[] = {
        {"ancestor", "FILE", "the last state that both agreed on", .string = &typed.ancestor},
        {"phone", "FILE", "the phone's state; - is standard input", .string = &typed.phone},
        {"computer", "FILE", "the computer's state", .string = &typed.computer},
        {"picks", "FILE", "an answer to each tie", .string = &typed.picks},
        {"large", "computer|phone|both", "the answer to a large change", .string = &typed.large},
        {"text", "lines|whole", "how scratchpads merge (default: lines)", .string = &typed.text},
        {"threshold", "0..1", "what part must be missing for a large change (default: 0.8)",
         .string = &typed.threshold},
        {"clock-offset", "MS", "added to what the phone dated since the ancestor", .string = &typed.offset},
        {"check", NULL, "run the cases in these folders and print TAP", .flag = &typed.check},
        {"accept", NULL, "like --check, but rewrite what is expected where it differs",
         .flag = &typed.accept},
        CLI_OPTIONS_END};
    const cli_usage usage = {
        "merge",
        "[--ancestor FILE] --phone FILE --computer FILE\n--check FOLDER...",
        "Merges a phone's and a computer's state against the last one that both agreed on, and\n"
        "prints the result as JSON. Exit status: 0 merged, 1 ties are open, 2 large change.",
        options,
        CLI_JSON | CLI_NO_DATA,
        0,
        SIZE_MAX};
    cli_common common;
    int status = options_parse(&usage, &argc, &argv, &common);

    if (status >= 0)
        return status;
    if (typed.check || typed.accept) {
        if (argc == 0)
            return options_refuse("merge", "--check: which folders?");
        status = merge_check(argv, (size_t)argc, typed.accept);
        int written = print_finish();
        return written != 0 ? written : status;
    }
    if (argc > 0)
        return options_refuse(
            "merge", "\"%.100s\" is no option; states are named with --phone and --computer", argv[0]);
    return merge_files(&typed);
}
