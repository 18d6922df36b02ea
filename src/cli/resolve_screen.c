/*
 * A question on the screen.
 *
 * Nothing is sent before the person confirms, and nothing is chosen before they choose: to confirm a tie's screen with
 * nothing picked, or a large change's as it stands, gives the sync up. Each second the server is asked whether
 * the question is still open, so that one that timed out, or was answered elsewhere, is not answered for nothing.
 */
#include "cli/resolve_screen.h"

#include "cli/print.h"
#include "cli/question.h"
#include "cli/terminal.h"

#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

enum { NONE, PHONE, COMPUTER };
enum { ENTER = '\n', RETURN = '\r', ESCAPE = 27, DELETE = 127, BACKSPACE = 8 };
enum { LINES_EACH = 4, LINES_AROUND = 8 };

/* What u takes back: one tie's pick, or with `all` what every tie had. */
struct step {
    size_t tie;
    char was;
    char *all; /* NULL: one tie */
};

struct screen {
    const cli_common *common;
    bool locked;
    json_t *question; /* borrowed from `all` */
    json_t *all;
    int64_t id, deadline;
    char device[300], computer[300];
    size_t ties, at;
    char *picks; /* NONE, PHONE or COMPUTER for each */
    struct step *steps;
    size_t step_count;
    const char *choice; /* of a large change */
    const char *remark;
};

/* ---- what the server knows ---- */

/* 0; 1: the question is not open any more; else an exit status after telling. */
static int fetch(struct screen *s) {
    json_t *questions, *q;
    size_t i;
    int status = question_fetch(s->common, s->locked, CLIENT_SERVER_ONLY, &questions);

    if (status != 0)
        return status;
    json_decref(s->all);
    s->all = questions;
    s->question = NULL;
    json_array_foreach(questions, i, q) {
        if (s->id == 0 || reply_number(q, "id") == s->id) {
            s->question = q;
            break;
        }
    }
    return s->question ? 0 : 1;
}

static void name_both(struct screen *s) {
    const char *id = reply_string(s->question, "device");
    json_t *device;
    size_t i;
    reply r;

    snprintf(s->device, sizeof s->device, "%s", id);
    s->computer[0] = '\0';
    if (client_request(s->common, json_pack("{s:s}", "do", "devices"), NULL, 0, 0, &r) == 0) {
        json_array_foreach(json_object_get(r.response, "devices"), i, device) {
            if (strcmp(reply_string(device, "id"), id) == 0 && reply_string(device, "name")[0])
                snprintf(s->device, sizeof s->device, "%s", reply_string(device, "name"));
        }
        reply_release(&r);
    }
    if (client_request(s->common, json_pack("{s:s}", "do", "status"), NULL, 0, 0, &r) == 0) {
        snprintf(s->computer, sizeof s->computer, "%s", reply_string(r.response, "name"));
        reply_release(&r);
    }
}

/* ---- drawing ---- */

static void draw_name(FILE *out, const char *side, const char *name) {
    fputs(side, out);
    if (name[0]) {
        fputs(" (", out);
        print_line(out, name, strlen(name));
        fputc(')', out);
    }
}

/* Styles by hand: the frame is no terminal itself. */
static void styled(FILE *out, const char *code, const char *text) {
    bool colour = !getenv("NO_COLOR") || !getenv("NO_COLOR")[0];
    fprintf(out, "%s%s%s", colour ? code : "", text, colour ? "\033[0m" : "");
}

static void draw_head(FILE *out, const struct screen *s) {
    int64_t left = (s->deadline - print_now()) / 1000;
    char text[64];

    snprintf(text, sizeof text, "Question %lld", (long long)s->id);
    styled(out, "\033[1m", text);
    fprintf(out, ", %lld s left: ", (long long)(left > 0 ? left : 0));
}

static void draw_tie(FILE *out, const struct screen *s, size_t i) {
    const json_t *tie = json_array_get(json_object_get(s->question, "ties"), i);
    char when[40];

    fprintf(out, "%s %zu. ", i == s->at ? ">" : " ", i + 1);
    question_title(out, tie);
    fprintf(out, ", both written %s\n",
            question_written(reply_number(tie, "updatedAt"), print_now(), when, sizeof when));
    for (char side = PHONE; side <= COMPUTER; side++) {
        fprintf(out, "    %s %s ", s->picks[i] == side ? "[x]" : "[ ]",
                side == PHONE ? "phone:   " : "computer:");
        question_value(out, tie, side == PHONE ? "phoneValue" : "computerValue");
        fputc('\n', out);
    }
    fputc('\n', out);
}

static size_t unpicked(const struct screen *s) {
    size_t n = 0;
    for (size_t i = 0; i < s->ties; i++)
        n += s->picks[i] == NONE;
    return n;
}

static void draw_ties(FILE *out, const struct screen *s, size_t rows) {
    size_t room = rows > LINES_AROUND + LINES_EACH ? (rows - LINES_AROUND) / LINES_EACH : 1;
    size_t first = s->at >= room ? s->at - room + 1 : 0;

    fprintf(out, "%zu tie%s\n", s->ties, s->ties == 1 ? "" : "s");
    draw_name(out, "Phone", s->device);
    draw_name(out, " and computer", s->computer);
    fputs(" changed the same at the same time.\n\n", out);
    for (size_t i = first; i < s->ties && i < first + room; i++)
        draw_tie(out, s, i);
    if (first + room < s->ties)
        fprintf(out, "  ... %zu more below\n", s->ties - first - room);
}

static void draw_gone(FILE *out, const struct screen *s, const char *side, size_t rows) {
    const json_t *example;
    size_t i, shown = 0, room = rows > 20 ? 5 : rows > 14 ? 2 : 0;
    int64_t count = reply_number(json_object_get(s->question, "large_change"),
                                 strcmp(side, "phone") == 0 ? "phoneMissing" : "computerMissing");

    if (count == 0)
        return;
    fprintf(out, "Gone from the %s: %lld\n", side, (long long)count);
    json_array_foreach(json_object_get(s->question, "examples"), i, example) {
        if (strcmp(reply_string(example, "missing"), side) != 0 || shown++ >= room)
            continue;
        fputs("    ", out);
        question_example(out, example);
        fputc('\n', out);
    }
}

static const struct {
    char key;
    const char *use, *words;
} CHOICES[] = {{'c', "computer", "c  the computer's state stands, as a whole"},
               {'p', "phone", "p  the phone's state stands, as a whole"},
               {'b', "both", "b  both: nothing is deleted, edits combine"},
               {'x', "cancel", "x  cancel: nothing changes anywhere"}};

enum { CHOICE_COUNT = sizeof CHOICES / sizeof CHOICES[0] };

static void draw_large(FILE *out, const struct screen *s, size_t rows) {
    fputs("a large change\nOf ", out);
    fprintf(out, "%lld items that ",
            (long long)reply_number(json_object_get(s->question, "large_change"), "known"));
    draw_name(out, "phone", s->device);
    draw_name(out, " and computer", s->computer);
    fputs(" both had, most are gone from one side.\n\n", out);
    draw_gone(out, s, "phone", rows);
    draw_gone(out, s, "computer", rows);
    fputc('\n', out);
    for (size_t i = 0; i < CHOICE_COUNT; i++)
        fprintf(out, "%s %s\n", strcmp(s->choice, CHOICES[i].use) == 0 ? "[x]" : "[ ]", CHOICES[i].words);
}

/* As many to a line as there is room for. */
static void draw_keys(FILE *out, const struct screen *s, size_t columns) {
    static const char *const tie_keys[] = {"p phone", "c computer",    "P, C all",
                                           "u undo",  "Enter confirm", "q give the sync up"};
    static const char *const large_keys[] = {"c p b x choose", "Enter confirm", "q give the sync up"};
    const char *const *keys = s->ties ? tie_keys : large_keys;
    size_t count = s->ties ? sizeof tie_keys / sizeof *tie_keys : sizeof large_keys / sizeof *large_keys;

    for (size_t i = 0, used = 0; i < count; i++) {
        size_t width = strlen(keys[i]);
        if (used > 0 && used + 2 + width > columns) {
            fputc('\n', out);
            used = 0;
        }
        fprintf(out, "%s%s", used ? "  " : "", keys[i]);
        used += (used ? 2 : 0) + width;
    }
    fputc('\n', out);
}

static void draw(const struct screen *s) {
    size_t columns, rows;
    FILE *out = terminal_begin();

    if (!out)
        return;
    terminal_size(&columns, &rows);
    draw_head(out, s);
    if (s->ties)
        draw_ties(out, s, rows);
    else
        draw_large(out, s, rows);
    styled(out, "\033[1m", s->remark ? s->remark : "");
    fputs("\n", out);
    draw_keys(out, s, columns);
    terminal_end();
}

/* ---- picking ---- */

static bool remember(struct screen *s, char *all) {
    struct step *grown = realloc(s->steps, (s->step_count + 1) * sizeof *grown);

    if (!grown) {
        free(all);
        return false;
    }
    s->steps = grown;
    s->steps[s->step_count++] = (struct step){s->at, s->picks[s->at], all};
    return true;
}

static void pick_one(struct screen *s, char side) {
    if (!remember(s, NULL))
        return;
    s->picks[s->at] = side;
    if (s->at + 1 < s->ties)
        s->at++;
}

static void pick_all(struct screen *s, char side) {
    char *all = malloc(s->ties);

    if (!all)
        return;
    memcpy(all, s->picks, s->ties);
    if (remember(s, all))
        memset(s->picks, side, s->ties);
}

static void undo(struct screen *s) {
    if (s->step_count == 0) {
        s->remark = "There is nothing to undo.";
        return;
    }
    struct step *step = &s->steps[--s->step_count];
    if (step->all)
        memcpy(s->picks, step->all, s->ties);
    else
        s->picks[step->tie] = step->was;
    s->at = step->tie;
    free(step->all);
}

/* What a key says: 0 nothing final, 1 confirmed, -1 give the sync up. */
static int on_tie_key(struct screen *s, int key) {
    size_t left = unpicked(s);

    switch (key) {
    case TERMINAL_UP:
    case 'k':
        s->at -= s->at > 0;
        return 0;
    case TERMINAL_DOWN:
    case 'j':
        s->at += s->at + 1 < s->ties;
        return 0;
    case 'p':
    case 'c':
        pick_one(s, key == 'p' ? PHONE : COMPUTER);
        return 0;
    case 'P':
    case 'C':
        pick_all(s, key == 'P' ? PHONE : COMPUTER);
        return 0;
    case 'u':
    case DELETE:
    case BACKSPACE:
        undo(s);
        return 0;
    case ENTER:
    case RETURN:
        if (left > 0 && left < s->ties)
            s->remark = "Some are not picked yet: p or c for each; q gives the sync up.";
        return left == 0 ? 1 : left == s->ties ? -1 : 0;
    default:
        return 0;
    }
}

static int on_large_key(struct screen *s, int key) {
    for (size_t i = 0; i < CHOICE_COUNT; i++) {
        bool chosen = strcmp(s->choice, CHOICES[i].use) == 0;
        if (key == CHOICES[i].key) {
            s->choice = CHOICES[i].use;
            return 0;
        }
        if (chosen && ((key == TERMINAL_UP && i > 0) || (key == TERMINAL_DOWN && i + 1 < CHOICE_COUNT))) {
            s->choice = CHOICES[key == TERMINAL_UP ? i - 1 : i + 1].use;
            return 0;
        }
    }
    if (key == ENTER || key == RETURN)
        return strcmp(s->choice, "cancel") == 0 ? -1 : 1;
    return 0;
}

/* ---- the answer ---- */

static int send(const struct screen *s, json_t *request) {
    reply r;

    if (request)
        json_object_set_new(request, "id", json_integer(s->id));
    int status = client_request(s->common, request, NULL, 0, CLIENT_SERVER_ONLY, &r);
    if (status == 0)
        reply_release(&r);
    return status;
}

static int send_picks(const struct screen *s, char side) {
    json_t *ties = json_array();

    for (size_t i = 0; i < s->ties; i++)
        if (s->picks[i] == side)
            json_array_append_new(ties, json_integer((json_int_t)i + 1));
    if (json_array_size(ties) == 0) {
        json_decref(ties);
        return 0;
    }
    return send(s, json_pack("{s:s, s:s, s:o}", "do", "resolve", "pick", side == PHONE ? "phone" : "computer",
                             "ties", ties));
}

static int answer(const struct screen *s) {
    if (!s->ties)
        return send(s, json_pack("{s:s, s:s}", "do", "resolve", "use", s->choice));
    int status = send_picks(s, PHONE);
    return status == 0 ? send_picks(s, COMPUTER) : status;
}

static int give_up(const struct screen *s) {
    int status = send(s, json_pack("{s:s, s:b}", "do", "resolve", "cancel", 1));

    if (status == 0)
        printf("question %lld: the sync is cancelled, nothing changed\n", (long long)s->id);
    return status == 0 ? 1 : status;
}

/* ---- all of it ---- */

/* Until it is decided. 1, -1 as of a key; 0: stopped; -2: the question is gone; -3: the server is. */
static int converse(struct screen *s) {
    int64_t next = print_now() + 1000;

    for (;;) {
        draw(s);
        int64_t wait = next - print_now();
        int key = terminal_key(wait > 0 ? (int)wait : 0);
        if (key == TERMINAL_STOPPED)
            return 0;
        if (print_now() >= next) {
            int status = fetch(s);
            if (status != 0)
                return status == 1 ? -2 : -3;
            next = print_now() + 1000;
        }
        if (key == TERMINAL_NOTHING)
            continue;
        s->remark = NULL;
        int said = key == 'q' || key == ESCAPE ? -1 : s->ties ? on_tie_key(s, key) : on_large_key(s, key);
        if (said != 0)
            return said;
    }
}

static void release(struct screen *s) {
    for (size_t i = 0; i < s->step_count; i++)
        free(s->steps[i].all);
    free(s->steps);
    free(s->picks);
    json_decref(s->all);
}

static int begin(struct screen *s) {
    int status = fetch(s);

    if (status == 1)
        return print_failure(1, s->id ? "there is no open question with that number: see `trivet pending`"
                                      : "no question is open");
    if (status != 0)
        return status;
    if (s->id == 0 && json_array_size(s->all) > 1)
        return print_failure(EX_USAGE,
                             "several questions are open: give the number of one, see `trivet pending`");
    s->id = reply_number(s->question, "id");
    s->deadline = reply_number(s->question, "deadline");
    s->ties = json_array_size(json_object_get(s->question, "ties"));
    s->choice = "cancel";
    s->picks = calloc(s->ties + 1, 1);
    name_both(s);
    return s->picks ? 0 : print_failure(EX_OSERR, "out of memory");
}

int resolve_on_screen(const cli_common *common, int64_t id, bool locked) {
    struct screen s = {.common = common, .id = id, .locked = locked};
    int status = begin(&s);

    if (status != 0 || terminal_open() != 0) {
        release(&s);
        return status ? status : print_failure(EX_IOERR, "the terminal cannot be drawn on");
    }
    int said = converse(&s);
    terminal_close();
    if (said == 1 && (status = answer(&s)) == 0)
        printf("question %lld: answered, the sync goes on\n", (long long)s.id);
    else if (said == -1)
        status = give_up(&s);
    else if (said == -2)
        status = print_failure(
            1, "question %lld is not open any more: it was answered elsewhere, or its time is over",
            (long long)s.id);
    else if (said == -3)
        status = print_failure(EX_UNAVAILABLE, "the server does not answer any more");
    else if (said == 0)
        status = print_failure(1, "question %lld stays open until its time is over", (long long)s.id);
    release(&s);
    terminal_die();
    return status == 0 ? print_finish() : status;
}
