/* trivet phone jot: what a phone in a folder captures. */
#include "cli/phone_verbs.h"

#include "cli/options.h"
#include "cli/print.h"
#include "phone/jots.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

typedef struct {
    struct {
        const char *kind, *path;
        int fd;
    } files[64];
    size_t count;
} attached;

static int attach(void *ctx, const char *path, const char *kind) {
    attached *a = ctx;
    if (a->count == sizeof a->files / sizeof *a->files)
        return print_failure(EX_USAGE, "too many files at once"), -1;
    a->files[a->count].kind = kind;
    a->files[a->count].fd = -1;
    a->files[a->count++].path = path;
    return 0;
}

static int attach_image(void *ctx, const char *path) {
    return attach(ctx, path, "image");
}

static int attach_audio(void *ctx, const char *path) {
    return attach(ctx, path, "audio");
}

static int attach_file(void *ctx, const char *path) {
    return attach(ctx, path, "file");
}

/* All of them, before anything is changed; 0, or the exit status after telling. */
static int open_files(attached *a) {
    struct stat st;
    for (size_t i = 0; i < a->count; i++) {
        const char *path = a->files[i].path;
        a->files[i].fd = strcmp(path, "-") == 0 ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC);
        bool is_open = a->files[i].fd >= 0 && fstat(a->files[i].fd, &st) == 0;
        if (!is_open || S_ISDIR(st.st_mode))
            return print_failure(EX_NOINPUT, "%s: %s", path, strerror(is_open ? EISDIR : errno));
    }
    return 0;
}

static void close_files(attached *a) {
    for (size_t i = 0; i < a->count; i++)
        if (a->files[i].fd >= 0)
            close(a->files[i].fd);
}

static int add_file(phone_folder *f, int64_t id, const char *kind, const char *path, int fd,
                    edit_error *err) {
    const char *slash = strrchr(path, '/'), *name = slash != NULL ? slash + 1 : path;
    int got = phone_jots_add_file(f, id, kind, strcmp(path, "-") == 0 ? "stdin" : name, fd, err);
    return got == 0 ? 0 : print_failure(err->status, "%s", err->message);
}

/* Opens and locks the phone; 0, or the exit status after telling. */
static int open_phone(const char *folder, phone_folder **f) {
    edit_error err = EDIT_ERROR_INIT;
    if (phone_folder_open(folder, f, &err) != 0)
        return print_failure(err.status, "%s", err.message);
    return phone_folder_lock(*f, &err) == 0 ? 0 : print_failure(err.status, "%s", err.message);
}

static int verb_add(const char *folder, int argc, char **argv) {
    const char *text = NULL, *drawing = NULL;
    attached files = {.count = 0};
    const cli_option options[] = {
        {"text", "TEXT", "its text", .string = &text},
        {"drawing", "JSON", "its drawing: an array of SVG paths", .string = &drawing},
        {"image", "FILE", "a photo more", .each = attach_image, .ctx = &files},
        {"audio", "FILE", "a recording more", .each = attach_audio, .ctx = &files},
        {"file", "FILE", "a file more", .each = attach_file, .ctx = &files},
        CLI_OPTIONS_END};
    const cli_usage usage = {"phone jot add",
                             "[--text TEXT] [--drawing JSON] [--image FILE] [--audio FILE] [--file FILE] N",
                             "Makes jot number N, or changes the one that is there.",
                             options,
                             CLI_NO_DATA,
                             1,
                             1};
    cli_common common;
    edit_error err = EDIT_ERROR_INIT;
    phone_folder *f = NULL;
    int64_t id;
    int status = options_parse(&usage, &argc, &argv, &common);
    if (status >= 0)
        return status;
    if (!options_number("phone jot add", "a jot's number", argv[0], 0, (INT64_C(1) << 53) - 1, &id))
        return EX_USAGE;
    status = open_files(&files);
    if (status == 0 && (status = open_phone(folder, &f)) == 0 &&
        phone_jots_set(f, id, text, drawing, &err) != 0)
        status = print_failure(err.status, "%s", err.message);
    for (size_t i = 0; status == 0 && i < files.count; i++)
        status = add_file(f, id, files.files[i].kind, files.files[i].path, files.files[i].fd, &err);
    phone_folder_close(f);
    close_files(&files);
    return status;
}

static int verb_rm(const char *folder, int argc, char **argv) {
    const cli_option options[] = {CLI_OPTIONS_END};
    const cli_usage usage = {
        "phone jot rm", "N", "Deletes a jot from the phone.", options, CLI_NO_DATA, 1, 1};
    cli_common common;
    edit_error err = EDIT_ERROR_INIT;
    phone_folder *f = NULL;
    int64_t id;
    int status = options_parse(&usage, &argc, &argv, &common);
    if (status >= 0)
        return status;
    if (!options_number("phone jot rm", "a jot's number", argv[0], 0, (INT64_C(1) << 53) - 1, &id))
        return EX_USAGE;
    if ((status = open_phone(folder, &f)) == 0 && phone_jots_remove(f, id, &err) != 0)
        status = print_failure(err.status, "%s", err.message);
    phone_folder_close(f);
    return status;
}

static int verb_list(const char *folder, int argc, char **argv) {
    const cli_option options[] = {CLI_OPTIONS_END};
    const cli_usage usage = {
        "phone jot list", "", "Prints the phone's jots as JSON.", options, CLI_JSON | CLI_NO_DATA, 0, 0};
    cli_common common;
    edit_error err = EDIT_ERROR_INIT;
    phone_folder *f = NULL;
    json_t *jots = NULL;
    int status = options_parse(&usage, &argc, &argv, &common);
    if (status >= 0)
        return status;
    if ((status = open_phone(folder, &f)) == 0 && phone_folder_read_jots(f, &jots, &err) != 0)
        status = print_failure(err.status, "%s", err.message);
    if (status == 0) {
        json_dumpf(jots, stdout, JSON_INDENT(2));
        putchar('\n');
        status = print_finish();
    }
    json_decref(jots);
    phone_folder_close(f);
    return status;
}

int phone_jot(const char *folder, int argc, char **argv) {
    static const struct {
        const char *name;
        int (*run)(const char *folder, int argc, char **argv);
    } verbs[] = {{"add", verb_add}, {"rm", verb_rm}, {"list", verb_list}};
    const char *verb = options_verb(argc, argv, "text drawing image audio file");
    for (size_t i = 0; verb != NULL && i < sizeof verbs / sizeof *verbs; i++)
        if (strcmp(verb, verbs[i].name) == 0)
            return verbs[i].run(folder, argc - 1, argv + 1);
    if (argc > 1 && strcmp(argv[1], "--help") == 0) {
        puts("usage: trivet phone jot add [--text TEXT] [--drawing JSON] [--image FILE] [--audio FILE] "
             "[--file FILE] N\n"
             "       trivet phone jot rm N\n       trivet phone jot list\n\nWhat the phone has captured, by "
             "number.");
        return print_finish();
    }
    return options_refuse("phone jot", "say add, rm or list");
}
