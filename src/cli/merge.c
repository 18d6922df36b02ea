/* trivet merge: merges three files, runs and records fixtures; needs no server. */
#include "cli/commands.h"
#include "cli/input.h"
#include "cli/merge_check.h"
#include "cli/merge_report.h"
#include "cli/options.h"
#include "cli/print.h"
#include "fixture/keep.h"
#include "fixture/run.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

typedef struct {
    const char *ancestor, *phone, *computer, *picks, *record;
    const char *large, *text, *threshold, *offset, *jobs;
    bool report, locked, check, accept;
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
    if (typed->large && !fixture_large_named(typed->large, &options->large))
        return options_refuse("merge", "--large: expected computer, phone or both, not \"%.100s\"",
                              typed->large);
    if (typed->text && !fixture_text_named(typed->text, &options->text))
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

static int read_inputs(const arguments *typed, fixture_inputs *in) {
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
        if (!fixture_picks_read(in, picks, len, why, sizeof why))
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
static int tell_result(const trivet_merge_result *result) {
    size_t ties = trivet_merge_result_tie_count(result);
    trivet_merge_large_change large;

    switch (trivet_merge_result_status(result)) {
    case TRIVET_MERGE_CONFLICT:
        print_note("%zu tie%s left, the phone's value stands: answer each with --picks FILE, an array of "
                   "{\"section\", \"slot\", \"itemId\", \"field\", \"pick\": \"phone\" or \"computer\"}",
                   ties, ties == 1 ? " is" : "s are");
        return 1;
    case TRIVET_MERGE_LARGE_CHANGE:
        trivet_merge_result_large_change(result, &large);
        print_note(
            "large change: of %zu item%s the phone lacks %zu and the computer %zu; say --large computer or "
            "--large phone for that side's state, or --large both to delete nothing that is only absent",
            large.known, large.known == 1 ? "" : "s", large.phone_missing, large.computer_missing);
        return 2;
    default:
        return 0;
    }
}

/* The result on standard output: as a report, or the document of merge §9. */
static int print_result(const arguments *typed, const fixture_output *out) {
    char *document;
    size_t len;

    if (typed->report) {
        merge_report(stdout, out, typed->locked);
        return print_finish();
    }
    if (!(document = fixture_outcome(out, &len)))
        return print_failure(EX_OSERR, "out of memory");
    fwrite(document, 1, len, stdout);
    putchar('\n');
    free(document);
    return print_finish();
}

/* Where the case went, and what to know before it is sent. */
static int record_merge(const arguments *typed, const fixture_inputs *in, const fixture_output *out) {
    fixture_kept kept;

    if (!typed->record)
        return 0;
    if (fixture_keep(typed->record, in, out->result, &kept) != 0)
        return print_failure(EX_CANTCREAT, "the merge was not recorded: %s", kept.error);
    print_note("recorded as %s/%s; texts, ids and unknown keys are replaced, numbers are not", typed->record,
               kept.name);
    if (!kept.alike)
        print_note("its result is not that of the real merge: the case may not show what went wrong");
    return 0;
}

static int merge_inputs(const arguments *typed, const fixture_inputs *in) {
    fixture_output out;
    int status;

    fixture_run(in, &out);
    if (!out.result)
        status = tell_error(typed, &out.error);
    else if ((status = print_result(typed, &out)) == 0 && (status = record_merge(typed, in, &out)) == 0)
        status = tell_result(out.result);
    fixture_output_release(&out);
    return status;
}

static int merge_files(const arguments *typed) {
    fixture_inputs in = FIXTURE_INPUTS_INIT;
    int status = parse_values(typed, &in.options);

    if (status < 0)
        status = check_files(typed);
    if (status >= 0)
        return status;
    if ((status = read_inputs(typed, &in)) == 0)
        status = merge_inputs(typed, &in);
    fixture_inputs_release(&in);
    return status;
}

static int check_cases(const arguments *typed, size_t count, char **folders) {
    int64_t jobs = 0;

    if (count == 0)
        return options_refuse("merge", "--check: which folders?");
    if (typed->jobs && !options_number("merge", "-j", typed->jobs, 1, MERGE_CHECK_MAX_JOBS, &jobs))
        return EX_USAGE;
    int status = merge_check(folders, count, typed->accept, (size_t)jobs);
    int written = print_finish();
    return written != 0 ? written : status;
}

/* What belongs to the other way to call it is a mistake, not something to pass over. -1: go on. */
static int check_mode(const arguments *typed, const cli_common *common) {
    bool check = typed->check || typed->accept;
    bool merge = typed->ancestor || typed->phone || typed->computer || typed->picks || typed->large ||
                 typed->text || typed->threshold || typed->offset || typed->report || typed->record;

    if (check && merge)
        return options_refuse("merge",
                              "--check and --accept run cases and take no states or options besides -j");
    if (!check && typed->jobs)
        return options_refuse("merge", "-j is for --check and --accept");
    if (typed->locked && !typed->report)
        return options_refuse("merge", "--locked is for --report; the JSON holds everything");
    if (typed->report && common->json)
        return options_refuse("merge", "--report and --json exclude each other");
    return -1;
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
        {"report", NULL, "say what was merged, in words", .flag = &typed.report},
        {"locked", NULL, "show what locked lists hold in the report", .flag = &typed.locked},
        {"record", "DIR", "keep the merge in this folder as a case, texts replaced", .string = &typed.record},
        {"check", NULL, "run the cases in these folders and print TAP", .flag = &typed.check},
        {"accept", NULL, "like --check, but rewrite what is expected where it differs",
         .flag = &typed.accept},
        {"j", "N", "run N cases at a time (default: one for each processor)", .string = &typed.jobs},
        CLI_OPTIONS_END};
    const cli_usage usage = {
        "merge",
        "[--ancestor FILE] --phone FILE --computer FILE [--report]\n--check [-j N] FOLDER...",
        "Merges a phone's and a computer's state against the last one that both agreed on, and\n"
        "prints the result as JSON. One of the files may be -, standard input.\n"
        "Exit status: 0 merged, 1 ties are open, 2 large change.",
        options,
        CLI_JSON | CLI_NO_DATA,
        0,
        SIZE_MAX};
    cli_common common;
    int status = options_parse(&usage, &argc, &argv, &common);

    if (status >= 0)
        return status;
    if ((status = check_mode(&typed, &common)) >= 0)
        return status;
    if (typed.check || typed.accept)
        return check_cases(&typed, (size_t)argc, argv);
    if (argc > 0)
        return options_refuse(
            "merge", "\"%.100s\" is no option; states are named with --phone and --computer", argv[0]);
    return merge_files(&typed);
}
