/* merge_check.c - finds the cases, runs each, compares. */
#include "cli/merge_check.h"

#include "cli/input.h"
#include "cli/merge_run.h"
#include "cli/merge_text.h"
#include "cli/print.h"

#include <errno.h>
#include <fts.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

typedef struct {
    bool accept;
    size_t run, failed;
} checker;

/* ---- a case's files ----------------------------------------------------------------------------------- */

static bool path_in(char path[PATH_MAX], const char *folder, const char *name) {
    return snprintf(path, PATH_MAX, "%s/%s", folder, name) < PATH_MAX;
}

/* False after telling; an optional file that is not there leaves NULL. */
static bool read_file(const char *folder, const char *name, bool optional, char **out, size_t *len) {
    char path[PATH_MAX];
    *out = NULL;
    *len = 0;
    if (!path_in(path, folder, name))
        return false;
    if (optional && access(path, F_OK) != 0)
        return true;
    return input_read(path, out, len) == 0;
}

/* NULL, or what is wrong. */
static const char *set_option(merge_inputs *in, const char *key, const json_t *value) {
    const char *word = json_string_value(value);
    if (strcmp(key, "large") == 0)
        return word && merge_large_named(word, &in->options.large) ? NULL : "large: computer, phone or both";
    if (strcmp(key, "text") == 0)
        return word && merge_text_named(word, &in->options.text) ? NULL : "text: lines or whole";
    if (strcmp(key, "threshold") == 0) {
        in->options.large_threshold = json_number_value(value);
        return json_is_number(value) ? NULL : "threshold: a number";
    }
    if (strcmp(key, "clockOffset") == 0) {
        in->options.phone_clock_offset = json_integer_value(value);
        return json_is_integer(value) ? NULL : "clockOffset: an integer";
    }
    return "the options are large, text, threshold and clockOffset";
}

static const char *read_options(merge_inputs *in, const char *json, size_t len) {
    json_error_t error;
    json_t *options = json_loadb(json, len, JSON_REJECT_DUPLICATES, &error), *value;
    const char *key, *wrong = json_is_object(options) ? NULL : "expected an object";
    json_object_foreach(options, key, value) {
        if (!wrong)
            wrong = set_option(in, key, value);
    }
    json_decref(options);
    return wrong;
}

static bool read_case(const char *folder, merge_inputs *in) {
    char *options, *picks, why[256];
    size_t options_len, picks_len;
    bool good = read_file(folder, "ancestor.json", true, &in->ancestor, &in->ancestor_len) &&
                read_file(folder, "guard.json", true, &in->guard, &in->guard_len) &&
                read_file(folder, "phone.json", false, &in->phone, &in->phone_len) &&
                read_file(folder, "computer.json", false, &in->computer, &in->computer_len);
    if (good && (good = read_file(folder, "options.json", true, &options, &options_len)) && options) {
        const char *wrong = read_options(in, options, options_len);
        if (wrong)
            printf("# options.json: %s\n", wrong);
        good = !wrong;
        free(options);
    }
    if (good && (good = read_file(folder, "picks.json", true, &picks, &picks_len)) && picks) {
        good = merge_picks_read(in, picks, picks_len, why, sizeof why);
        if (!good)
            printf("# picks.json: %s\n", why);
        free(picks);
    }
    return good;
}

/* ---- running ------------------------------------------------------------------------------------------ */

/* What came out, as expected.json would have it. From malloc; NULL: out of memory. */
static char *outcome(merge_output *out) {
    char *text = NULL;
    size_t size;
    if (out->error.code == 0) {
        text = out->document;
        out->document = NULL;
        return text;
    }
    FILE *stream = open_memstream(&text, &size);
    if (!stream)
        return NULL;
    fputs("{\"error\":{\"path\":", stream);
    print_json_text(stream, out->error.path);
    fputs(",\"reason\":", stream);
    print_json_text(stream, out->error.reason);
    fputs(",\"side\":", stream);
    print_json_text(stream, trivet_merge_side_name(out->error.side));
    fputs("}}", stream);
    return fclose(stream) == 0 ? text : NULL;
}

static bool write_expected(const char *folder, const char *text) {
    char path[PATH_MAX];
    if (!path_in(path, folder, "expected.json"))
        return false;
    FILE *file = fopen(path, "we");
    bool good = file && fputs(text, file) >= 0;
    good = file && fclose(file) == 0 && good;
    if (!good)
        print_failure(EX_CANTCREAT, "%s: %s", path, strerror(errno));
    return good;
}

/* Prints comments and accepts; true if all is well. */
static bool compare(checker *k, const char *folder, const char *actual) {
    char *expected, *laid_out = merge_text_lay_out(actual, strlen(actual));
    size_t len;
    bool good = false;
    if (laid_out && read_file(folder, "expected.json", k->accept, &expected, &len)) {
        size_t squeezed = expected ? merge_text_squeeze(expected, len) : 0;
        good = expected && squeezed == strlen(actual) && memcmp(expected, actual, squeezed) == 0;
        if (!good && k->accept) {
            good = write_expected(folder, laid_out);
            printf("# rewrote %s/expected.json\n", folder);
        } else if (!good) {
            char *wanted = merge_text_lay_out(expected, squeezed);
            merge_text_differ(stdout, wanted ? wanted : "", laid_out);
            free(wanted);
        }
        free(expected);
    }
    free(laid_out);
    return good;
}

static bool run_case(checker *k, const char *folder) {
    merge_inputs in = MERGE_INPUTS_INIT;
    bool good = read_case(folder, &in);
    if (good) {
        merge_output out;
        merge_run(&in, &out);
        char *actual = outcome(&out);
        good = actual && compare(k, folder, actual);
        free(actual);
        merge_output_release(&out);
    }
    merge_inputs_release(&in);
    return good;
}

static void check_case(checker *k, const char *folder) {
    char *about;
    size_t len;
    bool good = run_case(k, folder);
    if (!read_file(folder, "about", true, &about, &len))
        about = NULL;
    size_t line = about ? strcspn(about, "\n#") : 0;
    k->run++;
    k->failed += !good;
    printf("%s %zu - %s%s%.*s\n", good ? "ok" : "not ok", k->run, folder, line > 0 ? ": " : "", (int)line,
           about ? about : "");
    free(about);
}

/* ---- finding ------------------------------------------------------------------------------------------ */

static int by_name(const FTSENT **a, const FTSENT **b) {
    return strcmp((*a)->fts_name, (*b)->fts_name);
}

/* A folder with a phone.json in it is a case. */
static bool is_case(const char *folder) {
    char path[PATH_MAX];
    return path_in(path, folder, "phone.json") && access(path, F_OK) == 0;
}

int merge_check(char *const *folders, size_t count, bool accept) {
    checker k = {.accept = accept};
    int status = 0;
    FTS *tree = count > 0 ? fts_open(folders, FTS_LOGICAL | FTS_NOCHDIR, by_name) : NULL;
    if (!tree)
        return print_failure(EX_NOINPUT, "cannot look for cases: %s", strerror(errno));
    for (FTSENT *entry; (entry = fts_read(tree));) {
        if (entry->fts_info == FTS_NS || entry->fts_info == FTS_DNR || entry->fts_info == FTS_ERR)
            status = print_failure(EX_NOINPUT, "%s: %s", entry->fts_path, strerror(entry->fts_errno));
        else if (entry->fts_info == FTS_D && is_case(entry->fts_path))
            check_case(&k, entry->fts_path);
    }
    fts_close(tree);
    printf("1..%zu\n", k.run);
    if (status == 0 && k.run == 0)
        return print_failure(EX_NOINPUT,
                             "no case in %s: a case is a folder that holds phone.json and computer.json",
                             folders[0]);
    return status != 0 ? status : k.failed > 0;
}
