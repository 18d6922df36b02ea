/*
 * trivet history: what happened to the state, newest first, and with --lost what an edit said that another one took
 * the place of. It is asked for in pages, so that a long history takes no more memory than a short one.
 */
#include "cli/commands.h"
#include "cli/differ.h"
#include "cli/print.h"
#include "cli/when.h"

#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

enum { USUAL = 50, PAGE = 200, LOST_PAGE = 100 };

typedef struct {
    const cli_common *common;
    bool full, locked;
    int64_t limit, since, now;
    int64_t shown;
} view;

/* ---- one line ----------------------------------------------------------------------------------------- */

/*
 * "2 added, 1 edited": what is not 0. Of a sync the counts tell what both sides saw change; of an import what the
 * document lacks is no change.
 */
static void print_counts(const json_t *counts, const char *cause) {
    bool import = strcmp(cause, "import") == 0;
    bool sync = strcmp(cause, "sync") == 0 || strcmp(cause, "policy") == 0;
    const struct {
        const char *keys[2], *words;
    } WORDS[] = {{{"addedFromPhone", sync || import ? NULL : "addedFromComputer"}, "added"},
                 {{sync ? "addedFromComputer" : NULL, NULL}, "added on the phone"},
                 {{"editedField", NULL}, "edited"},
                 {{"editedLWW", NULL}, "edited on both sides"},
                 {{"tombstoned", "removed"}, "deleted"},
                 {{"restored", NULL}, "brought back"},
                 {{"ties", NULL}, "tied"},
                 {{"moved", NULL}, "moved"},
                 {{"scratchpadLineMerged", NULL}, "merged by lines"}};
    int printed = 0;

    for (size_t i = 0; i < sizeof WORDS / sizeof *WORDS; i++) {
        int64_t n = 0;
        for (int k = 0; k < 2 && WORDS[i].keys[k]; k++)
            n += reply_number(counts, WORDS[i].keys[k]);
        if (n > 0)
            printf("%s%lld %s", printed++ ? ", " : "", (long long)n, WORDS[i].words);
    }
    if (printed == 0)
        fputs("nothing counted", stdout);
}

static void print_who(const json_t *line) {
    const char *phone = reply_string(line, "phone");

    if (phone[0])
        print_line(stdout, phone, strlen(phone));
    else
        fputs(reply_string(line, "device"), stdout);
}

static void line_words(const json_t *line, const view *v) {
    char when[64];

    printf("%5lld  %-16s  %-7s  ", (long long)reply_number(line, "id"),
           print_when(reply_number(line, "time"), v->now, when, sizeof when), reply_string(line, "cause"));
    print_counts(json_object_get(line, "counts"), reply_string(line, "cause"));
    if (reply_string(line, "device")[0]) {
        fputs("  (", stdout);
        print_who(line);
        fputc(')', stdout);
    }
    putchar('\n');
}

/* The object, without its closing bracket. */
static int line_json(json_t *line) {
    json_object_del(line, "before");
    char *text = json_dumps(line, JSON_COMPACT);

    if (!text)
        return print_failure(EX_OSERR, "out of memory");
    printf("%.*s", (int)strlen(text) - 1, text);
    free(text);
    return 0;
}

/* What the line changed, where both of its states are kept. */
static int line_changes(const json_t *line, const view *v) {
    char a[32], b[32];
    fixture_output d;
    reply r;

    if (!json_object_get(line, "state") || !json_is_true(json_object_get(line, "before"))) {
        fputs(v->common->json ? ",\"changes\":null" : "         its states are no longer kept\n", stdout);
        return 0;
    }
    snprintf(a, sizeof a, "%lld^", (long long)reply_number(line, "id"));
    snprintf(b, sizeof b, "%lld", (long long)reply_number(line, "id"));
    int status =
        client_request(v->common, json_pack("{s:s, s:s, s:s}", "do", "diff", "a", a, "b", b), NULL, 0, 0, &r);
    if (status != 0)
        return status;
    if ((status = differ_reply(&r, &d)) == 0) {
        if (v->common->json) {
            fputs(",\"changes\":", stdout);
            differ_json(stdout, &d, v->locked);
        } else {
            differ_words(stdout, &d, v->locked);
        }
        fixture_output_release(&d);
    }
    reply_release(&r);
    return status;
}

static int show_line(json_t *line, view *v) {
    bool json = v->common->json;
    int status = 0;

    if (json) {
        json_t *whole = v->full ? json_deep_copy(line) : NULL;
        fputs(v->shown ? ",\n " : "\n ", stdout);
        status = line_json(line);
        if (status == 0 && whole)
            status = line_changes(whole, v);
        json_decref(whole);
        putchar('}');
    } else {
        line_words(line, v);
        if (v->full)
            status = line_changes(line, v);
    }
    v->shown++;
    return status;
}

/* ---- what lost ---------------------------------------------------------------------------------------- */

static void print_lost_to(const char *reason) {
    fputs(strcmp(reason, "deleted") == 0        ? "lost to a deletion"
          : strcmp(reason, "tie") == 0          ? "lost in a tie"
          : strcmp(reason, "large_change") == 0 ? "left aside in a large change"
                                                : "lost to a more recent edit",
          stdout);
}

/* One argument of a command line, for a shell. */
static void print_quoted(const char *text) {
    putchar('\'');
    for (const char *c = text; *c; c++)
        if (*c == '\'')
            fputs("'\\''", stdout);
        else
            putchar(*c);
    putchar('\'');
}

static void print_command(const view *v, int64_t id) {
    printf("trivet restore lost-%lld", (long long)id);
    if (v->common->data_named) {
        fputs(" --data ", stdout);
        print_quoted(v->common->data);
    }
}

static void lost_words(const json_t *row, const view *v, const fixture_output *d) {
    char when[64];

    printf("lost-%lld  %s: ", (long long)reply_number(row, "id"),
           print_when(reply_number(row, "time"), v->now, when, sizeof when));
    if (strcmp(reply_string(row, "side"), "phone") == 0) {
        fputs("an edit by ", stdout);
        print_who(row);
    } else {
        fputs("an edit of the computer's state", stdout);
    }
    fputc(' ', stdout);
    print_lost_to(reply_string(row, "reason"));
    putchar('\n');
    differ_words(stdout, d, v->locked);
    fputs("      bring it back: ", stdout);
    print_command(v, reply_number(row, "id"));
    putchar('\n');
}

static void lost_json(json_t *row, const view *v, const char *fields, int fields_len,
                      const fixture_output *d) {
    json_object_del(row, "lengths");
    printf("%s", v->shown ? ",\n " : "\n ");
    line_json(row);
    printf(",\"fields\":%.*s,\"changes\":", fields_len, fields);
    differ_json(stdout, d, v->locked);
    printf(",\"restore\":\"lost-%lld\"}", (long long)reply_number(row, "id"));
}

/* `raw` is where this row's documents begin; *used how long they are. */
static int show_lost(json_t *row, view *v, const char *raw, size_t left, size_t *used) {
    const json_t *lengths = json_object_get(row, "lengths");
    size_t n[3], sum = 0;
    fixture_output d;

    for (size_t i = 0; i < 3; i++) {
        n[i] = (size_t)json_integer_value(json_array_get(lengths, i));
        if (n[i] > left - sum)
            return print_failure(EX_PROTOCOL, "the answer is shorter than it says");
        sum += n[i];
    }
    *used = sum;
    int status = differ_documents(raw + n[0], n[1], raw + n[0] + n[1], n[2], &d);
    if (status != 0)
        return status;
    if (v->common->json)
        lost_json(row, v, raw, (int)n[0], &d);
    else
        lost_words(row, v, &d);
    fixture_output_release(&d);
    v->shown++;
    return 0;
}

/* ---- pages -------------------------------------------------------------------------------------------- */

static int show_page(const reply *r, view *v, bool lost, int64_t *before) {
    json_t *list = json_object_get(r->response, lost ? "lost" : "lines"), *row;
    size_t i, at = 0, used = 0;
    int status = 0;

    json_array_foreach(list, i, row) {
        *before = reply_number(row, "id");
        if (lost && reply_number(row, "time") < v->since) {
            v->limit = v->shown;
            break;
        }
        status =
            lost ? show_lost(row, v, (r->raw ? r->raw : "") + at, r->raw_len - at, &used) : show_line(row, v);
        at += used;
        if (status != 0)
            break;
    }
    return status;
}

static int show_all(view *v, bool lost) {
    int64_t before = INT64_MAX;
    bool more = true;
    int status = 0;

    while (status == 0 && more && v->shown < v->limit) {
        int64_t left = v->limit - v->shown, page = lost ? LOST_PAGE : PAGE;
        reply r;
        status = client_request(
            v->common,
            json_pack("{s:s, s:I, s:I, s:I}", "do", lost ? "lost" : "history", "before", (json_int_t)before,
                      "limit", (json_int_t)(left < page ? left : page), "since", (json_int_t)v->since),
            NULL, 0, 0, &r);
        if (status != 0)
            return status;
        more = json_is_true(json_object_get(r.response, "more"));
        status = show_page(&r, v, lost, &before);
        reply_release(&r);
    }
    if (more && status == 0 && !v->common->json && v->shown == USUAL)
        print_note("These are the %d newest; --limit shows more.", USUAL);
    return status;
}

static int show(view *v, bool lost) {
    if (v->common->json)
        putchar('[');
    int status = show_all(v, lost);
    if (v->common->json)
        puts(v->shown ? "\n]" : "]");
    else if (v->shown == 0 && status == 0)
        print_note(lost ? "Nothing lost." : "Nothing happened.");
    return status == 0 ? print_finish() : status;
}

int cli_history(int argc, char **argv) {
    const char *limit = NULL, *since = NULL;
    bool full = false, lost = false, locked = false;
    const cli_option options[] = {
        {"full", NULL, "say in words what changed", .flag = &full},
        {"lost", NULL, "show what an edit said that another one took the place of", .flag = &lost},
        {"limit", "N", "the N newest (default: 50; with --json all)", .string = &limit},
        {"since", "WHEN", "those since a date, or since how long ago (2h, 3d)", .string = &since},
        {"locked", NULL, "show texts of locked lists, too", .flag = &locked},
        CLI_OPTIONS_END,
    };
    const cli_usage usage = {
        "history",
        "[--full | --lost] [--limit N] [--since WHEN] [--locked]",
        "Shows what happened to the computer's state, newest first: number, when, what, and who.",
        options,
        CLI_JSON,
        0,
        0};
    cli_common common;
    int status = options_parse(&usage, &argc, &argv, &common);
    view v = {.common = &common, .now = print_now()};

    if (status >= 0)
        return status;
    v.limit = common.json ? INT64_MAX : USUAL;
    v.since = INT64_MIN;
    v.full = full;
    v.locked = locked;
    if (limit && !options_number("history", "--limit", limit, 1, INT64_MAX, &v.limit))
        return EX_USAGE;
    if (since && !when_parse(since, v.now, &v.since))
        return options_refuse(
            "history", "--since: give a date, 2026-01-31 or \"2026-01-31 14:05\", or how long ago, 2h or 3d");
    if (full && lost)
        return options_refuse("history", "--full and --lost are two different views; take one");
    return show(&v, lost);
}
