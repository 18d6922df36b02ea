/* trivet pending: questions that wait for an answer. */
#include "cli/client.h"
#include "cli/commands.h"
#include "cli/print.h"
#include "cli/question.h"

#include <string.h>

static void print_tie(size_t number, const json_t *tie, int64_t now) {
    char when[40];

    printf("  %2zu.  ", number);
    question_title(stdout, tie);
    printf(", both written %s\n       phone     ",
           question_written(reply_number(tie, "updatedAt"), now, when, sizeof when));
    question_value(stdout, tie, "phoneValue");
    fputs("\n       computer  ", stdout);
    question_value(stdout, tie, "computerValue");
    putchar('\n');
}

static void print_missing(const json_t *q, const char *side, int64_t count) {
    const json_t *example;
    size_t i;

    if (count == 0)
        return;
    printf("  Gone from the %s:\n", side);
    json_array_foreach(json_object_get(q, "examples"), i, example) {
        if (strcmp(reply_string(example, "missing"), side) != 0)
            continue;
        fputs("       ", stdout);
        question_example(stdout, example);
        putchar('\n');
        count--;
    }
    if (count > 0)
        printf("       and %lld more\n", (long long)count);
}

static void print_large(const json_t *q, long long id) {
    const json_t *large = json_object_get(q, "large_change");
    int64_t known = reply_number(large, "known");
    int64_t phone = reply_number(large, "phoneMissing"), computer = reply_number(large, "computerMissing");

    printf("  Of %lld item%s that both had, %lld are gone from the phone and %lld from the computer.\n",
           (long long)known, known == 1 ? "" : "s", (long long)phone, (long long)computer);
    print_missing(q, "phone", phone);
    print_missing(q, "computer", computer);
    printf("  trivet resolve %lld --use phone       the phone's state stands\n", id);
    printf("  trivet resolve %lld --use computer    the computer's state stands\n", id);
    printf("  trivet resolve %lld --use both        nothing is deleted, edits combine\n", id);
}

static void print_question(const json_t *q, int64_t now) {
    long long id = (long long)reply_number(q, "id"),
              left = (long long)(reply_number(q, "deadline") - now) / 1000;
    const json_t *ties = json_object_get(q, "ties"), *tie;
    size_t i;

    print_styled(stdout, PRINT_HEADING, "question %lld", id);
    printf(", device %s, %lld s left\n", reply_string(q, "device"), left > 0 ? left : 0);
    if (!ties) {
        print_large(q, id);
        return;
    }
    puts("  Both sides changed these at the same time:");
    json_array_foreach(ties, i, tie) print_tie(i + 1, tie, now);
    printf("  trivet resolve %lld --pick phone|computer [--tie N]...\n", id);
}

static int print_questions(const json_t *questions, bool json) {
    const json_t *question;
    size_t i;

    if (json) {
        json_dumpf(questions, stdout, JSON_INDENT(2));
        putchar('\n');
        return print_finish();
    }
    json_array_foreach(questions, i, question) {
        if (i > 0)
            putchar('\n');
        print_question(question, print_now());
    }
    if (json_array_size(questions) == 0)
        print_note("No question is open.");
    return print_finish();
}

int cli_pending(int argc, char **argv) {
    bool locked = false;
    const cli_option options[] = {
        {"locked", NULL, "show the texts of locked lists too", .flag = &locked},
        CLI_OPTIONS_END,
    };
    const cli_usage usage = {
        "pending",
        "[--locked]",
        "Shows the questions that syncs wait for, and until when: ties (both sides changed one thing\n"
        "at the same time) and large changes (most items are gone on one side).",
        options,
        CLI_JSON,
        0,
        0};
    cli_common common;
    json_t *questions;
    int status = options_parse(&usage, &argc, &argv, &common);

    if (status >= 0)
        return status;
    if ((status = question_fetch(&common, locked, 0, &questions)) != 0)
        return status;
    status = print_questions(questions, common.json);
    json_decref(questions);
    return status;
}
