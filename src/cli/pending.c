/*
 * trivet pending: questions that wait for an answer.
 *
 * A tie holds texts as a phone sent them, which may be cut in the middle of a UTF-16 pair; jansson refuses that, so
 * such escapes are turned into U+FFFD first. The text of a locked list is shown by no command that was not asked to.
 */
#include "cli/client.h"
#include "cli/commands.h"
#include "cli/print.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

/* The value of the \uXXXX escape at `s`, or -1. */
static long escape_at(const char *s, size_t len) {
    char digits[5] = "";

    if (len < 6 || s[0] != '\\' || s[1] != 'u')
        return -1;
    memcpy(digits, s + 2, 4);
    for (int i = 0; i < 4; i++) {
        if (!isxdigit((unsigned char)digits[i]))
            return -1;
    }
    return strtol(digits, NULL, 16);
}

/* Lone surrogates and NULs become U+FFFD, in place. */
static void tame(char *json, size_t len) {
    for (size_t i = 0; i < len; i++) {
        long unit = escape_at(json + i, len - i);
        if (json[i] == '\\' && unit < 0) {
            i++; /* another escape: \\, \", \n */
        } else if (unit >= 0xD800 && unit <= 0xDBFF && escape_at(json + i + 6, len - i - 6) >= 0xDC00 &&
                   escape_at(json + i + 6, len - i - 6) <= 0xDFFF) {
            i += 11;
        } else if (unit >= 0) {
            if (unit == 0 || (unit >= 0xD800 && unit <= 0xDFFF))
                memcpy(json + i, "\\ufffd", 6);
            i += 5;
        }
    }
}

static bool is_locked(const json_t *tie) {
    return strncmp(reply_string(tie, "section"), "lockedLists", strlen("lockedLists")) == 0;
}

static void withhold(json_t *questions) {
    json_t *question, *tie;
    size_t i, j;

    json_array_foreach(questions, i, question) {
        json_array_foreach(json_object_get(question, "ties"), j, tie) {
            if (!is_locked(tie))
                continue;
            json_object_del(tie, "phoneValue");
            json_object_del(tie, "computerValue");
            json_object_del(tie, "itemContext");
            json_object_set_new(tie, "locked", json_true());
        }
    }
}

/* ---- for a person ------------------------------------------------------------------------------------- */

static void print_value(const char *side, const json_t *value) {
    char *text = value ? json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT) : NULL;

    printf("       %-10s", side);
    if (text)
        print_line(stdout, text, strlen(text));
    else
        fputs("(locked: --locked shows it)", stdout);
    putchar('\n');
    free(text);
}

static void print_tie(size_t number, const json_t *tie) {
    const char *field = reply_string(tie, "field"), *context = reply_string(tie, "itemContext");

    printf("  %2zu.  ", number);
    print_line(stdout, field, strlen(field));
    printf(" of %s %lld", reply_string(tie, "section"), (long long)reply_number(tie, "slot") + 1);
    if (json_object_get(tie, "itemId") && context[0]) {
        fputs(", ", stdout);
        print_line(stdout, context, strlen(context));
    }
    putchar('\n');
    print_value("phone", json_object_get(tie, "phoneValue"));
    print_value("computer", json_object_get(tie, "computerValue"));
}

static void print_large(const json_t *large, long long id) {
    printf("  Of %lld items that both had, %lld are gone from the phone and %lld from the computer.\n",
           (long long)reply_number(large, "known"), (long long)reply_number(large, "phoneMissing"),
           (long long)reply_number(large, "computerMissing"));
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
        print_large(json_object_get(q, "large_change"), id);
        return;
    }
    puts("  Both sides changed these at the same time:");
    json_array_foreach(ties, i, tie) print_tie(i + 1, tie);
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
    reply r;
    int status = options_parse(&usage, &argc, &argv, &common);

    if (status >= 0)
        return status;
    if ((status = client_request(&common, json_pack("{s:s}", "do", "pending"), NULL, 0, 0, &r)) != 0)
        return status;
    if (r.raw)
        tame(r.raw, r.raw_len);
    questions = r.raw ? json_loadb(r.raw, r.raw_len, 0, NULL) : NULL;
    if (questions && !locked)
        withhold(questions);
    status = questions
                 ? print_questions(questions, common.json)
                 : print_failure(EX_DATAERR,
                                 "a question holds a value that cannot be shown; `trivet resolve` still "
                                 "answers it");
    json_decref(questions);
    reply_release(&r);
    return status;
}
