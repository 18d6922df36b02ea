/*
 * trivet jots: what phones have captured. Rows and contents are read from the store beside whatever server runs on it; only
 * what a phone must do goes through the server.
 */
#include "cli/client.h"
#include "cli/commands.h"
#include "cli/print.h"
#include "jot/copy.h"
#include "store/device.h"
#include "store/folder.h"
#include "store/jot_content.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <trivet_proto.h>
#include <unistd.h>

enum { PREVIEW_COLUMNS = 60, POLL_MS = 200 };

static int refuse_store(const store_error *err) {
    return print_failure(err->status ? err->status : EX_SOFTWARE, "%s", err->message);
}

/* Root reads another user's folder as that user, lest it makes files there that the other cannot use. */
static int open_read(const cli_common *common, store **out, store_error *err) {
    folder_user user;

    folder_become_owner(common->data, &user);
    int rc = store_open(common->data, STORE_READ, out, err);
    folder_become_self(&user);
    return rc;
}

/* ---- what there is ---- */

typedef struct {
    jot_copy *jots;
    size_t count;
    device *devices;
    size_t device_count;
    const char *folder;
} all_jots;

static void release(all_jots *a) {
    for (size_t i = 0; i < a->count; i++)
        jot_copy_release(&a->jots[i]);
    free(a->jots);
    free(a->devices);
}

/* 0, or the exit status after telling. */
static int load(const cli_common *common, all_jots *a) {
    store_error err = STORE_ERROR_INIT;
    store *s = NULL;
    jot_row *rows = NULL;
    size_t count = 0;

    *a = (all_jots){.folder = common->data};
    int rc = open_read(common, &s, &err);
    if (rc == 0)
        rc = device_list(s, &a->devices, &a->device_count, &err);
    if (rc == 0)
        rc = jot_list(s, &rows, &count, &err);
    if (rc == 0 && !(a->jots = calloc(count + 1, sizeof *a->jots)))
        rc = store_out_of_memory(&err);
    for (size_t i = 0; rc == 0 && i < count; i++)
        if ((rc = jot_copy_load(s, rows[i].num, &a->jots[i], &err)) == 0)
            a->count++;
    free(rows);
    store_close(s);
    if (rc == 0)
        return 0;
    release(a);
    return refuse_store(&err);
}

static const char *device_name(const all_jots *a, const char *id) {
    for (size_t i = 0; i < a->device_count; i++)
        if (strcmp(a->devices[i].id, id) == 0)
            return a->devices[i].name;
    return "";
}

typedef struct {
    size_t stored, waiting, large, refused;
    uint64_t bytes;
    /* of those that wait, the ones of which a part is here */
    size_t begun;
    uint64_t came, told;
} transfer;

/* Version 2 of the protocol sends files in pieces, of any size. */
static bool comes_in_pieces(const all_jots *a, const jot_copy *c) {
    for (size_t i = 0; i < a->device_count; i++)
        if (strcmp(a->devices[i].id, c->row.device) == 0)
            return a->devices[i].version_2_at != 0;
    return false;
}

static bool is_large(const jot_file_row *f) {
    return !f->wanted && (f->cuts >= JOT_CUTS_MAX || f->told_size > JOT_UNASKED_MAX);
}

static const char *state_of(const jot_file_row *f, bool in_pieces) {
    return f->stored                   ? "stored"
           : f->gone_at                ? "gone"
           : !in_pieces && is_large(f) ? "large"
           : f->failed[0]              ? "refused"
                                       : "waiting";
}

/* How much of it is here. */
static uint64_t received(const all_jots *a, const jot_file_row *f) {
    return f->stored ? (uint64_t)f->size : jot_content_partial(a->folder, f->num);
}

static transfer count_files(const all_jots *a, const jot_copy *c) {
    transfer t = {0};
    bool in_pieces = comes_in_pieces(a, c);

    for (size_t i = 0; i < c->file_count; i++) {
        const char *state = state_of(&c->files[i], in_pieces);
        uint64_t came = *state == 'w' && in_pieces ? received(a, &c->files[i]) : 0;
        t.begun += came > 0;
        t.came += came;
        t.told += came > 0 && c->files[i].told_size > 0 ? (uint64_t)c->files[i].told_size : came;
        t.stored += *state == 's';
        t.waiting += *state == 'w';
        t.large += *state == 'l';
        t.refused += *state == 'r';
        t.bytes += c->files[i].stored ? (uint64_t)c->files[i].size : 0;
    }
    return t;
}

static const jot_form_row *newest_form(const jot_copy *c) {
    return c->form_count ? &c->forms[c->form_count - 1] : NULL;
}

/* ---- the list ---- */

static char *print_bytes(uint64_t bytes, char *out, size_t size) {
    if (bytes < 1024)
        snprintf(out, size, "%llu B", (unsigned long long)bytes);
    else if (bytes < 1 << 20)
        snprintf(out, size, "%.1f KiB", (double)bytes / 1024);
    else if (bytes < 1 << 30)
        snprintf(out, size, "%.1f MiB", (double)bytes / (1 << 20));
    else
        snprintf(out, size, "%.1f GiB", (double)bytes / (1 << 30));
    return out;
}

/* The first line of a text, cut to a few columns. */
static void print_preview(const char *guarded) {
    char *text = trivet_proto_text_plain(guarded);

    if (!text)
        return;
    text[strcspn(text, "\r\n")] = '\0';
    size_t len = strlen(text);
    while (len > 0 && print_width(text) > PREVIEW_COLUMNS) {
        while (len > 0 && ((unsigned char)text[--len] & 0xc0) == 0x80)
            ;
        text[len] = '\0';
    }
    fputs("  \"", stdout);
    print_line(stdout, text, strlen(text));
    putchar('"');
    free(text);
}

/* "3.0 MiB of 4.0 MiB" */
static void print_progress(const transfer *t) {
    char came[32], told[32];

    printf(" (%s", print_bytes(t->came, came, sizeof came));
    if (t->told > t->came)
        printf(" of %s", print_bytes(t->told, told, sizeof told));
    fputs(" here)", stdout);
}

static void print_files(const all_jots *a, const jot_copy *c) {
    transfer t = count_files(a, c);
    char size[32];

    if (t.stored)
        printf(", %zu file%s (%s)", t.stored, t.stored == 1 ? "" : "s",
               print_bytes(t.bytes, size, sizeof size));
    if (t.waiting)
        printf(", %zu on the phone", t.waiting);
    if (t.begun)
        print_progress(&t);
    if (t.refused)
        printf(", %zu that the phone did not give", t.refused);
    if (t.large)
        printf(", %zu too large to be asked for unasked", t.large);
}

static void print_jot(const all_jots *a, const jot_copy *c, int64_t now) {
    const jot_form_row *form = newest_form(c);
    char when[32];

    print_styled(stdout, PRINT_ID, "%6lld", (long long)c->row.num);
    printf("  %s", print_when(c->row.changed_at, now, when, sizeof when));
    if (c->form_count > 1)
        printf(", %zu forms", c->form_count);
    if (form && form->drawing[0])
        fputs(", a drawing", stdout);
    print_files(a, c);
    if (c->row.gone_at)
        printf(", gone from the phone %s", print_when(c->row.gone_at, now, when, sizeof when));
    if (form && form->text[0])
        print_preview(form->text);
    putchar('\n');
}

static void print_list(const all_jots *a) {
    int64_t now = print_now();

    for (size_t i = 0; i < a->count; i++) {
        const char *id = a->jots[i].row.device;
        if (i == 0 || strcmp(a->jots[i - 1].row.device, id) != 0) {
            const char *name = device_name(a, id);
            print_styled(stdout, PRINT_HEADING, "%s", id);
            fputs("  ", stdout);
            print_line(stdout, name, strlen(name));
            putchar('\n');
        }
        print_jot(a, &a->jots[i], now);
    }
    if (a->count == 0)
        print_note("No phone has shown a jot yet.");
}

static json_t *plain(const char *guarded) {
    char *text = trivet_proto_text_plain(guarded);
    json_t *string = text ? json_string(text) : NULL;

    free(text);
    return string ? string : json_string("");
}

static json_t *file_json(const all_jots *a, const jot_file_row *f, bool in_pieces) {
    return json_pack("{s:s, s:o, s:o, s:o, s:I, s:I, s:I, s:I, s:I, s:s}", "kind", jot_kind_name(f->kind),
                     "id", plain(f->id), "name", plain(f->name), "format", plain(f->format), "created",
                     (json_int_t)f->created_at, "size", (json_int_t)(f->stored ? f->size : f->told_size),
                     "received", (json_int_t)received(a, f), "stored", (json_int_t)f->stored_at, "gone",
                     (json_int_t)f->gone_at, "state", state_of(f, in_pieces));
}

static json_t *jot_json(const all_jots *a, const jot_copy *c) {
    json_t *forms = json_array(), *files = json_array();

    for (size_t i = 0; i < c->form_count; i++)
        json_array_append_new(forms, json_pack("{s:I, s:o, s:o}", "stored", (json_int_t)c->forms[i].stored_at,
                                               "text", plain(c->forms[i].text), "drawing",
                                               plain(c->forms[i].drawing)));
    for (size_t i = 0; i < c->file_count; i++)
        json_array_append_new(files, file_json(a, &c->files[i], comes_in_pieces(a, c)));
    return json_pack("{s:I, s:s, s:o, s:I, s:I, s:I, s:I, s:o, s:o}", "id", (json_int_t)c->row.num, "device",
                     c->row.device, "name", plain(device_name(a, c->row.device)), "jot",
                     (json_int_t)c->row.id, "first", (json_int_t)c->row.first_at, "changed",
                     (json_int_t)c->row.changed_at, "gone", (json_int_t)c->row.gone_at, "forms", forms,
                     "files", files);
}

static void print_list_json(const all_jots *a) {
    json_t *list = json_array();

    for (size_t i = 0; i < a->count; i++)
        json_array_append_new(list, jot_json(a, &a->jots[i]));
    json_dumpf(list, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(list);
}

/* ---- which ones ---- */

static const jot_copy *find(const all_jots *a, int64_t num) {
    for (size_t i = 0; i < a->count; i++)
        if (a->jots[i].row.num == num)
            return &a->jots[i];
    return NULL;
}

/* The numbers that were typed, or all. 0, or the exit status after telling. */
static int choose(const char *command, const all_jots *a, bool all, int argc, char **argv, int64_t **out,
                  size_t *count) {
    *count = 0;
    *out = calloc((all ? a->count : (size_t)argc) + 1, sizeof **out);
    if (!*out)
        return print_failure(EX_OSERR, "out of memory");
    for (size_t i = 0; all && i < a->count; i++)
        (*out)[(*count)++] = a->jots[i].row.num;
    for (int i = 0; !all && i < argc; i++) {
        int64_t num;
        if (!options_number(command, "a jot's number", argv[i], 1, INT64_MAX, &num))
            return EX_USAGE;
        if (!find(a, num))
            return print_failure(EX_NOINPUT, "there is no jot %lld; `trivet jots` shows them",
                                 (long long)num);
        (*out)[(*count)++] = num;
    }
    return 0;
}

/* ---- get ---- */

/* How many files are still to come; *came: how much of those is here. */
static size_t count_asked(const cli_common *common, const int64_t *nums, size_t count, uint64_t *came) {
    all_jots a;
    size_t left = 0;

    *came = 0;
    if (load(common, &a) != 0)
        return 0;
    for (size_t i = 0; i < count; i++) {
        const jot_copy *c = find(&a, nums[i]);
        transfer t = c ? count_files(&a, c) : (transfer){0};
        left += t.waiting;
        *came += t.came;
    }
    release(&a);
    return left;
}

/* Has the phones asked for what is missing, and waits for it. What does not come is told at the end. */
static int fetch(const cli_common *common, const all_jots *a, const int64_t *nums, size_t count,
                 int64_t seconds) {
    bool connected = false;

    for (size_t i = 0; i < count; i++) {
        const jot_copy *c = find(a, nums[i]);
        transfer t = count_files(a, c);
        reply r;
        if (t.waiting + t.large + t.refused == 0)
            continue;
        int status = client_request(
            common, json_pack("{s:s, s:I}", "do", "jots_want", "id", (json_int_t)nums[i]), NULL, 0, 0, &r);
        if (status != 0)
            return status;
        connected = connected || json_is_true(json_object_get(r.response, "connected"));
        reply_release(&r);
    }
    const struct timespec pause = {0, POLL_MS * 1000000L};
    int64_t until = print_now() + seconds * 1000;
    size_t left, before = SIZE_MAX;
    uint64_t came, last = 0;
    while (connected && (left = count_asked(common, nums, count, &came)) > 0 && print_now() < until) {
        if (came > last || left < before) /* it is coming */
            until = print_now() + seconds * 1000;
        last = came;
        before = left;
        if (isatty(STDERR_FILENO))
            fprintf(stderr, "\r%zu file%s on the way \033[K", left, left == 1 ? "" : "s");
        nanosleep(&pause, NULL);
    }
    if (connected && isatty(STDERR_FILENO))
        fputs("\r\033[K", stderr);
    return 0;
}

static void tell_copied(const jot_copied *done) {
    print_line(stdout, done->dir, strlen(done->dir));
    printf(": %zu new", done->written);
    if (done->present)
        printf(", %zu there already", done->present);
    if (done->missing)
        printf(", %zu still on the phone", done->missing);
    if (done->damaged)
        printf(", %zu missing here (see trivet fsck)", done->damaged);
    putchar('\n');
}

static int write_all(const cli_common *common, const all_jots *a, const int64_t *nums, size_t count,
                     const char *to) {
    store_error err = STORE_ERROR_INIT;
    static jot_copied done;
    json_t *list = json_array();
    bool missing = false;
    int status = 0;

    for (size_t i = 0; i < count && status == 0; i++) {
        if (jot_copy_write(find(a, nums[i]), common->data, to, &done, &err) != 0) {
            status = refuse_store(&err);
            break;
        }
        missing = missing || done.missing || done.damaged;
        if (!common->json)
            tell_copied(&done);
        json_array_append_new(list,
                              json_pack("{s:I, s:s, s:i, s:i, s:i, s:i}", "id", (json_int_t)nums[i], "dir",
                                        done.dir, "written", (int)done.written, "present", (int)done.present,
                                        "missing", (int)done.missing, "damaged", (int)done.damaged));
    }
    if (common->json && status == 0) {
        json_dumpf(list, stdout, JSON_COMPACT);
        putchar('\n');
    }
    json_decref(list);
    if (status != 0)
        return status;
    status = print_finish();
    return status ? status : missing;
}

static int get(int argc, char **argv) {
    const char *to = NULL, *typed = NULL;
    bool all = false;
    const cli_option options[] = {
        {"to", "DIR", "the folder in which each jot gets a folder", .string = &to},
        {"all", NULL, "every jot", .flag = &all},
        {"wait", "SECONDS",
         "how long to wait, after the last sign of it, for what a phone still has (default: 60)",
         .string = &typed},
        CLI_OPTIONS_END};
    const cli_usage usage = {
        "jots get",
        "(JOT... | --all) --to DIR",
        "Writes jots as plain files: DIR/jot-JOT with texts as .txt, drawings as .svg, photos, recordings\n"
        "and files. Files that a connected phone still has are asked for first, large ones too. What is\n"
        "there already is never overwritten. The exit status is 1 where something is still missing.",
        options,
        CLI_JSON,
        0,
        SIZE_MAX};
    cli_common common;
    all_jots a;
    int64_t *nums = NULL, seconds = 60;
    size_t count = 0;
    int status = options_parse(&usage, &argc, &argv, &common);

    if (status >= 0)
        return status;
    if (!to || !to[0] || all == (argc > 0))
        return options_refuse("jots get", "say which (their numbers, or --all) and where to (--to DIR)");
    if (typed && !options_number("jots get", "--wait", typed, 0, 86400, &seconds))
        return EX_USAGE;
    if ((status = load(&common, &a)) != 0)
        return status;
    status = choose("jots get", &a, all, argc, argv, &nums, &count);
    if (status == 0)
        status = fetch(&common, &a, nums, count, seconds);
    release(&a);
    if (status == 0 && (status = load(&common, &a)) == 0) {
        status = write_all(&common, &a, nums, count, to);
        release(&a);
    }
    free(nums);
    return status;
}

/* ---- clear ---- */

/* The word of whoever is asked; without a terminal only --yes will do. */
static bool is_meant(const jot_copy *c, const char *name) {
    char answer[16] = "";

    if (!isatty(STDIN_FILENO)) {
        print_note("nobody is there to be asked; --yes says that it is meant");
        return false;
    }
    fprintf(stderr, "Delete jot %lld from ", (long long)c->row.num);
    print_line(stderr, name, strlen(name));
    fputs("? It stays on this computer. [y/N] ", stderr);
    return fgets(answer, sizeof answer, stdin) && (answer[0] == 'y' || answer[0] == 'Y');
}

static int clear_one(const cli_common *common, const all_jots *a, int64_t num, bool yes) {
    const jot_copy *c = find(a, num);
    reply r;

    if (c->row.gone_at)
        return print_failure(1, "jot %lld is not on its phone any more", (long long)num);
    if (!yes && !is_meant(c, device_name(a, c->row.device)))
        return 1;
    int status = client_request(common,
                                json_pack("{s:s, s:s, s:I, s:I}", "do", "jots_clear", "device", c->row.device,
                                          "id", (json_int_t)num, "jot", (json_int_t)c->row.id),
                                NULL, 0, CLIENT_SERVER_ONLY, &r);
    if (status != 0)
        return status;
    reply_release(&r);
    printf("cleared jot %lld from the phone; it stays here\n", (long long)num);
    return 0;
}

static int clear(int argc, char **argv) {
    bool yes = false;
    const cli_option options[] = {{"yes", NULL, "does not ask first", .flag = &yes}, CLI_OPTIONS_END};
    const cli_usage usage = {
        "jots clear",
        "ID...",
        "Deletes jots from their phone, one at a time, after the phone was asked once more what\n"
        "they hold and all of it is stored here. They stay on this computer.",
        options,
        0,
        1,
        SIZE_MAX};
    cli_common common;
    all_jots a;
    int64_t *nums = NULL;
    size_t count = 0;
    int status = options_parse(&usage, &argc, &argv, &common);

    if (status >= 0)
        return status;
    if ((status = load(&common, &a)) != 0)
        return status;
    status = choose("jots clear", &a, false, argc, argv, &nums, &count);
    for (size_t i = 0; status == 0 && i < count; i++)
        status = clear_one(&common, &a, nums[i], yes);
    release(&a);
    free(nums);
    int finished = print_finish();
    return status ? status : finished;
}

/* ---- the command ---- */

static int ask_phones(const cli_common *common) {
    reply r;
    int status =
        client_request(common, json_pack("{s:s}", "do", "jots_refresh"), NULL, 0, CLIENT_SERVER_ONLY, &r);

    if (status == 0)
        reply_release(&r);
    return status;
}

int cli_jots(int argc, char **argv) {
    bool refresh = false;
    const cli_option options[] = {
        {"refresh", NULL, "asks connected phones to tell all anew, and prints nothing", .flag = &refresh},
        CLI_OPTIONS_END};
    const cli_usage usage = {
        "jots",
        "[--refresh]\nget (JOT... | --all) --to DIR\nclear [--yes] JOT...",
        "Shows what phones have captured: texts, drawings, photos, recordings and files, by phone, with\n"
        "what is stored and what is still to come. `get` writes them as files, `clear` deletes them from\n"
        "the phone.",
        options,
        CLI_JSON,
        0,
        0};
    cli_common common;
    all_jots a;
    int status;

    const char *verb = options_verb(argc, argv, "data to wait");
    if (verb && strcmp(verb, "get") == 0)
        return get(argc - 1, argv + 1);
    if (verb && strcmp(verb, "clear") == 0)
        return clear(argc - 1, argv + 1);
    if ((status = options_parse(&usage, &argc, &argv, &common)) >= 0)
        return status;
    if (refresh)
        return ask_phones(&common);
    if ((status = load(&common, &a)) != 0)
        return status;
    if (common.json)
        print_list_json(&a);
    else
        print_list(&a);
    release(&a);
    return print_finish();
}
