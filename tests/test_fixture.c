/*
 * Recorded merges (src/fixture): nothing of what was said survives, and the case behaves as the merge did. Shown on
 * random states whose every text, id, label, key and string of an unknown field carries a mark.
 */
#include "cli/merge_case.h"
#include "fixture/anonymise.h"
#include "fixture/keep.h"
#include "fixture/layout.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- random states ------------------------------------------------------------------------------------ */

static uint64_t seed;

static unsigned below(unsigned limit) {
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (unsigned)(seed >> 33) % limit;
}

static bool one_in(unsigned n) {
    return below(n) == 0;
}

/* What no stand-in can hold: its letters are others. */
static const char MARK[] = "QZ";

static const char *const spice[] = {"",        " ",       "\\\"",     "\\\\",   "\\u0041",        "\\u000a",
                                    "ü",       "\\u00fc", "\\/",      "\\t",    "\\ud83d\\ude00", "😀",
                                    "\\udc00", "\\u0000", "\\u005cn", "Qzebra", "\\u0051Z"};

/* The inside of a literal with a mark in it, often one that was used before. */
static void put_word(FILE *out) {
    static const char *const fillers[] = {"", "a", "milk and more of it",
                                          "0123456789012345678901234567890123456789"};
    fprintf(out, "%s%s%c%u%s%s", one_in(2) ? spice[below(sizeof spice / sizeof *spice)] : "", MARK,
            "aAzZ"[below(4)], below(30), fillers[below(4)], spice[below(sizeof spice / sizeof *spice)]);
}

static void put_text(FILE *out) {
    unsigned lines = one_in(4) ? below(6) : 1;
    fputc('"', out);
    for (unsigned i = 0; i < lines; i++) {
        if (!one_in(6))
            put_word(out);
        fputs(i + 1 < lines || one_in(8) ? (one_in(4) ? "\\u000a" : "\\n") : "", out);
    }
    fputc('"', out);
}

/* Lines that all states start from, some gone and others between them, so that the sides merge by lines. */
static void put_pad(FILE *out) {
    fputc('"', out);
    for (unsigned i = 0; i < 8; i++) {
        if (!one_in(25))
            fprintf(out, "%c%s %u\\n", "aA"[i % 2], MARK, i);
        if (one_in(i == 4 ? 2 : 25)) { /* often at one place */
            put_word(out);
            fputs("\\n", out);
        }
    }
    fputc('"', out);
}

static void put_unknown_value(FILE *out, unsigned depth) {
    static const char *const plain[] = {"1",    "1.0",  "-0.50", "1e400", "123456789012345678901",
                                        "true", "null", "[]",    "{}"};
    unsigned kind = below(depth < 3 ? 4 : 2);
    if (kind == 0) {
        fputs(plain[below(sizeof plain / sizeof *plain)], out);
    } else if (kind == 1) {
        put_text(out);
    } else if (kind == 2) {
        fputs("[ ", out);
        put_unknown_value(out, depth + 1);
        fputs(" ,", out);
        put_unknown_value(out, depth + 1);
        fputs("\n]", out);
    } else {
        fprintf(out, "{\"%s%u\" : ", MARK, below(5));
        put_unknown_value(out, depth + 1);
        fputs(",\"id\":", out);
        put_unknown_value(out, depth + 1);
        fputs("}", out);
    }
}

static void put_unknown(FILE *out) {
    /* before, between and behind the known keys; one of them spelled with an escape */
    static const char *const starts[] = {"A",  "deleted", "deletedAt!",    "listsC",
                                         "zz", "",        "\\u0064eleted", "ä"};
    if (one_in(3)) {
        fprintf(out, ",\"%s%s\":", starts[below(8)], MARK);
        put_unknown_value(out, 0);
    }
}

static const char *time_text(void) {
    static char text[32];
    if (one_in(10))
        return one_in(2) ? "0" : "17e11";
    snprintf(text, sizeof text, "%llu", 1700000000000ull + below(8));
    return text;
}

static void put_item(FILE *out, unsigned id) {
    static const char *const ids[] = {"%s%u", "%s\\u0041%u", "ü%s%u",
                                      "%s%u-0123456789012345678901234567890123456789"};
    fputs("{\"id\":\"", out);
    char name[128];
    snprintf(name, sizeof name, ids[id % 4], MARK, id);
    fprintf(out, "%s\", \"text\":", name);
    put_text(out);
    fprintf(out, ",\"position\":%u.5,\"updatedAt\":%s", below(9), time_text());
    if (one_in(2))
        fprintf(out, ",\"createdAt\":%s,\"done\":%s", time_text(), one_in(2) ? "true" : "false");
    if (one_in(6))
        fprintf(out, ",\"deleted\":true,\"\\u0064eletedAt\":%s", one_in(3) ? "null" : time_text());
    put_unknown(out);
    fputc('}', out);
}

static void put_entries(FILE *out, const char *key, const char *field) {
    fprintf(out, "\"%s\":[", key);
    for (unsigned i = 0, count = 1 + below(4); i < count; i++) {
        fprintf(out, "%s{\"%s\":", i ? "," : "", field);
        if (field[0] == 'c' && !one_in(4))
            put_pad(out);
        else
            put_text(out);
        fprintf(out, ",\"updatedAt\":%s", time_text());
        put_unknown(out);
        fputc('}', out);
    }
    fputc(']', out);
}

/* Ids are few, so that the three states share them; each stands once, or rarely twice, in a state. */
static void put_lists(FILE *out, const char *key) {
    fprintf(out, "\"%s\":[[", key);
    const char *comma = "";
    for (unsigned id = 0; id < 12; id++) {
        for (unsigned copies = one_in(3) ? 0 : one_in(15) ? 2 : 1; copies > 0; copies--) {
            fputs(comma, out);
            put_item(out, id);
            comma = ",";
        }
        if (one_in(8)) {
            fputs("],[", out);
            comma = "";
        }
    }
    fputs("]]", out);
}

static char *random_state(size_t *len) {
    char *text = NULL;
    FILE *out = open_memstream(&text, len);
    assert_non_null(out);
    fputs(" {", out);
    put_lists(out, "lists");
    fputs(" ,\n", out);
    put_lists(out, "lockedLists");
    fputc(',', out);
    put_entries(out, "listsCategories", "label");
    fputc(',', out);
    put_entries(out, "scratchpad", "content");
    put_unknown(out);
    fputs("} ", out);
    assert_int_equal(fclose(out), 0);
    return text;
}

/* Every tie answered as it came, so that picks are recorded, too. */
static void answer_ties(fixture_inputs *in, const trivet_merge_result *result) {
    size_t count = trivet_merge_result_tie_count(result);
    in->picks = calloc(count + 1, sizeof *in->picks);
    assert_non_null(in->picks);
    for (; in->pick_count < count; in->pick_count++) {
        trivet_merge_pick *pick = &in->picks[in->pick_count];
        trivet_merge_tie tie;
        trivet_merge_result_tie(result, in->pick_count, &tie);
        *pick = (trivet_merge_pick){.section = tie.section, .slot = tie.slot};
        pick->pick = one_in(2) ? TRIVET_MERGE_PHONE : TRIVET_MERGE_COMPUTER;
        pick->field = (trivet_merge_slice){strndup(tie.field.data, tie.field.len), tie.field.len};
        if (tie.item_id.data)
            pick->item_id = (trivet_merge_slice){strndup(tie.item_id.data, tie.item_id.len), tie.item_id.len};
    }
}

static fixture_inputs random_inputs(void) {
    fixture_inputs in = FIXTURE_INPUTS_INIT;
    fixture_output out;
    if (!one_in(4))
        in.ancestor = random_state(&in.ancestor_len);
    else if (one_in(2))
        in.guard = random_state(&in.guard_len);
    in.phone = random_state(&in.phone_len);
    in.computer = random_state(&in.computer_len);
    in.options.phone_clock_offset = one_in(4) ? 2 : 0;
    in.options.text = one_in(4) ? TRIVET_MERGE_TEXT_WHOLE : TRIVET_MERGE_TEXT_LINES;
    in.options.large = one_in(5) ? TRIVET_MERGE_LARGE_BOTH : TRIVET_MERGE_LARGE_ASK;
    in.options.large_threshold = one_in(5) ? 0.3 : 0.8;
    if (one_in(3)) {
        fixture_run(&in, &out);
        assert_non_null(out.result);
        if (trivet_merge_result_status(out.result) == TRIVET_MERGE_CONFLICT)
            answer_ties(&in, out.result);
        fixture_output_release(&out);
    }
    return in;
}

/* ---- folders ------------------------------------------------------------------------------------------ */

static char folder[64];

static int make_folder(void **state) {
    (void)state;
    strcpy(folder, "/tmp/trivet-fixture-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state) {
    char command[128];
    (void)state;
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command);
}

static char *read_whole(const char *path) {
    static char text[1 << 20];
    FILE *in = fopen(path, "re");
    assert_non_null(in);
    size_t len = fread(text, 1, sizeof text - 1, in);
    text[len] = '\0';
    fclose(in);
    return text;
}

/* No file holds the mark, in any spelling, and all are for their owner alone. Returns how many there are. */
static size_t look_for_mark(const char *path) {
    DIR *dir = opendir(path);
    size_t count = 0;
    struct stat is;
    assert_non_null(dir);
    assert_int_equal(stat(path, &is), 0);
    assert_int_equal(is.st_mode & 0777, 0700);
    for (struct dirent *entry; (entry = readdir(dir));) {
        char file[512];
        if (entry->d_name[0] == '.')
            continue;
        snprintf(file, sizeof file, "%s/%s", path, entry->d_name);
        assert_int_equal(stat(file, &is), 0);
        assert_int_equal(is.st_mode & 0777, 0600);
        const char *text = read_whole(file);
        for (size_t i = 0; i < strlen(MARK); i++)
            assert_null(strchr(text, MARK[i]));
        assert_null(strstr(text, "zebra"));
        assert_null(strstr(text, "milk"));
        assert_null(strstr(text, "ü"));
        assert_null(strstr(text, "\\u"));
        count++;
    }
    closedir(dir);
    return count;
}

/* ---- tests -------------------------------------------------------------------------------------------- */

static void nothing_survives_and_all_behaves(void **state) {
    enum { RUNS = 400 };
    unsigned conflicts = 0, larges = 0, picked = 0, by_lines = 0;
    (void)state;
    for (unsigned i = 0; i < RUNS; i++) {
        seed = i;
        fixture_inputs in = random_inputs();
        fixture_output real;
        fixture_kept kept;
        fixture_run(&in, &real);
        if (!real.result)
            fail_msg("run %u: %s: %s", i, real.error.path, real.error.reason);
        conflicts += trivet_merge_result_status(real.result) == TRIVET_MERGE_CONFLICT;
        larges += trivet_merge_result_status(real.result) == TRIVET_MERGE_LARGE_CHANGE;
        picked += in.pick_count > 0;
        trivet_merge_counts counts;
        trivet_merge_result_counts(real.result, &counts);
        by_lines += counts.scratchpad_line_merged > 0;
        if (fixture_keep(folder, &in, one_in(2) ? real.result : NULL, &kept) != 0)
            fail_msg("run %u: %s", i, kept.error);
        if (!kept.alike)
            fail_msg("run %u: the case has another result", i);
        char path[128], expected_name[32], *told = NULL;
        size_t size;
        snprintf(expected_name, sizeof expected_name, "merge-%06u", i + 1);
        assert_string_equal(kept.name, expected_name);
        snprintf(path, sizeof path, "%s/%s", folder, kept.name);
        assert_true(look_for_mark(path) >= 4);
        FILE *out = open_memstream(&told, &size);
        bool good = merge_case(path, 1, false, out);
        fclose(out);
        if (!good)
            fail_msg("run %u: %s", i, told);
        free(told);
        fixture_output_release(&real);
        fixture_inputs_release(&in);
    }
    /* the runs are of all kinds */
    assert_true(conflicts > 20 && larges > 10 && picked > 20 && by_lines > 30);
}

static fixture_inputs inputs_of(const char *phone, const char *computer) {
    fixture_inputs in = FIXTURE_INPUTS_INIT;
    in.phone = strdup(phone);
    in.phone_len = strlen(phone);
    in.computer = strdup(computer);
    in.computer_len = strlen(computer);
    return in;
}

static void stand_ins_are_as_promised(void **state) {
    static const struct {
        const char *what, *in, *out;
    } cases[] = {
        {"an id keeps its order and class, a text its lines",
         "{\"lists\":[[{\"id\":\"b\",\"text\":\"two\\nlines\",\"position\":1.50},{\"id\":\"a\",\"text\":"
         "\"two\",\"position\":2}]]}",
         "{\"lists\":[[{\"id\":\"i1\",\"text\":\"l1\\nl0\",\"position\":1.50},{\"id\":\"i0\",\"text\":\"l1\","
         "\"position\":2}]]}"},
        {"empty stays empty, and empty lines and line ends stay",
         "{\"scratchpad\":[{\"content\":\"\"},{\"content\":\"\\n\\nx\\n\"}]}",
         "{\"scratchpad\":[{\"content\":\"\"},{\"content\":\"\\n\\nl0\\n\"}]}"},
        {"length as a class",
         "{\"scratchpad\":[{\"content\":\"abcdefg\"},{\"content\":\"abcdefgh\"},{\"content\":"
         "\"abcdefghijklmno\"},"
         "{\"content\":\"abcdefghijklmnop\"}]}",
         "{\"scratchpad\":[{\"content\":\"l0\"},{\"content\":\"l1......\"},{\"content\":\"l2......\"},{"
         "\"content\":"
         "\"l3..............\"}]}"},
        {"a line that others start with stands where its \\n puts it",
         "{\"scratchpad\":[{\"content\":\"a\"},{\"content\":\"aB\"},{\"content\":\"ab\"},{\"content\":\"B\"}]"
         "}",
         "{\"scratchpad\":[{\"content\":\"l2\"},{\"content\":\"l1\"},{\"content\":\"l3\"},{\"content\":"
         "\"L0\"}]}"},
        {"one string however it is spelled",
         "{\"scratchpad\":[{\"content\":\"\\u0041/\"},{\"content\":\"A\\/"
         "\"},{\"content\":\"\\\\n\"},{\"content\":\"\\u000A\"}]}",
         "{\"scratchpad\":[{\"content\":\"L0\"},{\"content\":\"L0\"},{\"content\":\"L1\"},{\"content\":"
         "\"\\n\"}]}"},
        {"times shift together, and 0 is none",
         "{\"scratchpad\":[{\"updatedAt\":1700000000005},{\"updatedAt\":17e11},{\"updatedAt\":0},{"
         "\"updatedAt\":1.0e12}]}",
         "{\"scratchpad\":[{\"updatedAt\":2277836800005},{\"updatedAt\":2277836800000},{\"updatedAt\":0},{"
         "\"updatedAt\":"
         "1577836800000}]}"},
        {"a time at the end of all times does not pass it",
         "{\"scratchpad\":[{\"updatedAt\":5},{\"updatedAt\":9007199254740991}]}",
         "{\"scratchpad\":[{\"updatedAt\":5},{\"updatedAt\":9007199254740991}]}"},
        {"times that are no item's are numbers",
         "{\"due\":{\"updatedAt\":1700000000005,\"text\":\"x\"},\"lists\":[[]]}",
         "{\"done!0\":{\"updatedAt\":1700000000005,\"text\":\"l0\"},\"lists\":[[]]}"},
        {"unknown keys keep their place among the known",
         "{\"lists\":[[{\"id\":\"x\",\"text\":\"\",\"position\":0,\"zoo\":[1e5,\"x\",{\"ZOO\":null}],"
         "\"deletedBy\":true,\"\":1}]]}",
         "{\"lists\":[[{\"id\":\"i0\",\"text\":\"\",\"position\":0,\"updatedAt!3\":[1e5,\"l0\",{\"!1\":null}]"
         ",\"deletedAt!2\":true,\"!0\":"
         "1}]]}"},
        {"what is null stays null",
         "{\"lists\":null,\"scratchpad\":[{\"content\":\"x\"}],\"lockedLists\":[[{\"id\":\"x\",\"text\":"
         "\"x\",\"position\":0,"
         "\"deletedAt\":null}]]}",
         "{\"lists\":null,\"scratchpad\":[{\"content\":\"l0\"}],\"lockedLists\":[[{\"id\":\"i0\",\"text\":"
         "\"l0\",\"position\":0,"
         "\"deletedAt\":null}]]}"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fixture_inputs in = inputs_of(cases[i].in, "{ }"), out = FIXTURE_INPUTS_INIT;
        anonymiser *a = anonymiser_new(&in);
        assert_non_null(a);
        assert_int_equal(anonymiser_inputs(a, &in, &out), 0);
        if (strcmp(out.phone, cases[i].out) != 0)
            fail_msg("%s:\n%s\nis not\n%s", cases[i].what, out.phone, cases[i].out);
        assert_string_equal(out.computer, "{}");
        anonymiser_free(a);
        fixture_inputs_release(&in);
        fixture_inputs_release(&out);
    }
}

/* The longest id there can be is one still, and 100 ids need more digits than one. */
static void many_and_long_ids(void **state) {
    char *text = NULL;
    size_t len;
    FILE *out = open_memstream(&text, &len);
    (void)state;
    fputs("{\"lists\":[[", out);
    for (int i = 0; i < 100; i++)
        fprintf(out, "%s{\"id\":\"%0*d\",\"text\":\"\",\"position\":0}", i ? "," : "", i < 50 ? 256 : 2, i);
    fputs("]]}", out);
    fclose(out);
    fixture_inputs in = inputs_of(text, text), hidden = FIXTURE_INPUTS_INIT;
    anonymiser *a = anonymiser_new(&in);
    fixture_output merged;
    assert_non_null(a);
    assert_int_equal(anonymiser_inputs(a, &in, &hidden), 0);
    fixture_run(&hidden, &merged);
    assert_non_null(merged.result);
    const trivet_merge_state *snapshot = trivet_merge_result_snapshot(merged.result);
    assert_int_equal(trivet_merge_item_count(snapshot, TRIVET_MERGE_LISTS, 0), 100);
    trivet_merge_item item;
    assert_true(trivet_merge_item_at(snapshot, TRIVET_MERGE_LISTS, 0, 0, &item));
    assert_int_equal(item.id.len, 256);
    assert_memory_equal(item.id.data, "i00.", 4);
    assert_true(trivet_merge_item_at(snapshot, TRIVET_MERGE_LISTS, 0, 99, &item));
    assert_int_equal(item.id.len, 3);
    assert_memory_equal(item.id.data, "i33", 3); /* 99 */
    fixture_output_release(&merged);
    anonymiser_free(a);
    fixture_inputs_release(&in);
    fixture_inputs_release(&hidden);
    free(text);
}

/* A result that is not that of the inputs stands for an engine that treats stand-ins otherwise. */
static void an_unlike_case_says_so(void **state) {
    static const char one[] = "{\"lists\":[[{\"id\":\"x\",\"text\":\"milk\",\"position\":1}]]}";
    static const struct {
        const char *what, *phone, *computer;
    } cases[] = {
        {"counts", "{\"lists\":[[]]}", "{}"},
        {"who gains", "{\"lists\":[[]]}", one},
        {"a text", "{\"lists\":[[{\"id\":\"x\",\"text\":\"bread\",\"position\":1}]]}", "{}"},
        {"a position", "{\"lists\":[[{\"id\":\"x\",\"text\":\"milk\",\"position\":2}]]}", "{}"},
        {"another section", "{\"lockedLists\":[[{\"id\":\"x\",\"text\":\"milk\",\"position\":1}]]}", "{}"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fixture_inputs in = inputs_of(one, "{\"lists\":[[]]}"),
                       other = inputs_of(cases[i].phone, cases[i].computer);
        fixture_output out;
        fixture_kept kept;
        char path[128];
        fixture_run(&other, &out);
        assert_int_equal(fixture_keep(folder, &in, out.result, &kept), 0);
        if (kept.alike)
            fail_msg("%s: alike", cases[i].what);
        snprintf(path, sizeof path, "%s/%s/about", folder, kept.name);
        assert_non_null(strstr(read_whole(path), "; the real merge had another result"));
        fixture_output_release(&out);
        fixture_inputs_release(&in);
        fixture_inputs_release(&other);
    }
}

static size_t entries(const char *path) {
    DIR *dir = opendir(path);
    size_t count = 0;
    assert_non_null(dir);
    while (readdir(dir))
        count++;
    closedir(dir);
    return count - 2;
}

static void options_and_picks_are_kept(void **state) {
    static const char tied[] = "{\"lists\":[[{\"id\":\"x\",\"text\":\"%s\",\"position\":1,\"colour\":%d}]]}";
    char phone[128], computer[128], path[128];
    fixture_kept kept;
    (void)state;
    snprintf(phone, sizeof phone, tied, "milk", 1);
    snprintf(computer, sizeof computer, tied, "bread", 2);
    fixture_inputs in = inputs_of(phone, computer);
    const char *why =
        "[{\"section\":\"lists\",\"slot\":0,\"itemId\":\"x\",\"field\":\"text\",\"pick\":\"phone\"},"
        "{\"section\":\"lists\",\"slot\":0,\"itemId\":\"x\",\"field\":\"colour\",\"pick\":\"computer\"}]";
    char message[256];
    assert_true(fixture_picks_read(&in, why, strlen(why), message, sizeof message));
    in.options.large = TRIVET_MERGE_LARGE_PHONE;
    in.options.large_threshold = 0.25;
    in.options.text = TRIVET_MERGE_TEXT_WHOLE;
    in.options.phone_clock_offset = -7;
    assert_int_equal(fixture_keep(folder, &in, NULL, &kept), 0);
    snprintf(path, sizeof path, "%s/%s/options.json", folder, kept.name);
    assert_string_equal(read_whole(path),
                        "{\"large\":\"phone\",\"text\":\"whole\",\"threshold\":0.25,\"clockOffset\":-7}\n");
    snprintf(path, sizeof path, "%s/%s/picks.json", folder, kept.name);
    assert_string_equal(
        read_whole(path),
        "[{\"section\":\"lists\",\"slot\":0,\"itemId\":\"i0\",\"field\":\"text\",\"pick\":\"phone\"},"
        "{\"section\":\"lists\",\"slot\":0,\"itemId\":\"i0\",\"field\":\"!0\",\"pick\":\"computer\"}]\n");
    snprintf(path, sizeof path, "%s/%s/about", folder, kept.name);
    assert_string_equal(read_whole(path), "recorded, with stand-ins for all texts: merged, 1 tied\n");
    fixture_inputs_release(&in);
}

static void names_go_on_from_the_greatest(void **state) {
    fixture_inputs in = inputs_of("{}", "{}");
    fixture_kept kept;
    char path[128];
    (void)state;
    snprintf(path, sizeof path, "%s/merge-000041", folder);
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(path, sizeof path, "%s/merge-000042", folder); /* a file in the way */
    fclose(fopen(path, "we"));
    snprintf(path, sizeof path, "%s/merge-notes", folder);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(fixture_keep(folder, &in, NULL, &kept), 0);
    assert_string_equal(kept.name, "merge-000043");
    fixture_inputs_release(&in);
}

static void what_fails_leaves_nothing(void **state) {
    fixture_inputs in = inputs_of("{}", "{}"), wrong = inputs_of("{\"lists\":7}", "{}");
    fixture_kept kept;
    char path[128];
    (void)state;
    assert_int_equal(fixture_keep(folder, &wrong, NULL, &kept), -1);
    assert_string_equal(kept.error, "it cannot be merged: lists: expected an array of slots");
    snprintf(path, sizeof path, "%s/none/below", folder);
    assert_int_equal(fixture_keep(path, &in, NULL, &kept), -1);
    assert_non_null(strstr(kept.error, "No such file or directory"));
    snprintf(path, sizeof path, "%s/file", folder);
    fclose(fopen(path, "we"));
    assert_int_equal(fixture_keep(path, &in, NULL, &kept), -1);
    assert_non_null(strstr(kept.error, "Not a directory"));
    assert_int_equal(entries(folder), 1);
    /* a disk that fills up on the way */
    struct rlimit usual, tight = {40, 40};
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &usual), 0);
    tight.rlim_max = usual.rlim_max;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &tight), 0);
    int rc = fixture_keep(folder, &in, NULL, &kept);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &usual), 0);
    assert_int_equal(rc, -1);
    assert_non_null(strstr(kept.error, "File too large"));
    assert_int_equal(entries(folder), 1);
    /* a folder that it makes is for its owner alone */
    struct stat is;
    snprintf(path, sizeof path, "%s/new", folder);
    assert_int_equal(fixture_keep(path, &in, NULL, &kept), 0);
    assert_int_equal(stat(path, &is), 0);
    assert_int_equal(is.st_mode & 0777, 0700);
    assert_int_equal(entries(path), 1);
    fixture_inputs_release(&in);
    fixture_inputs_release(&wrong);
}

static void values_end_where_they_end(void **state) {
    static const struct {
        const char *text;
        size_t len;
    } cases[] = {{"1,2", 1},         {"\"a,\\\"]\",2", 7}, {"[1,[2],\"]\"],3", 11},
                 {"{\"}\":{}}]", 8}, {"true}", 4},         {"\"open", 5},
                 {"[1", 2},          {"\"\\", 2},          {"", 0}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *text = cases[i].text;
        assert_int_equal(fixture_value_end(text, text + strlen(text)) - text, cases[i].len);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nothing_survives_and_all_behaves, make_folder, remove_folder),
        cmocka_unit_test(stand_ins_are_as_promised),
        cmocka_unit_test(many_and_long_ids),
        cmocka_unit_test_setup_teardown(an_unlike_case_says_so, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(options_and_picks_are_kept, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(names_go_on_from_the_greatest, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(what_fails_leaves_nothing, make_folder, remove_folder),
        cmocka_unit_test(values_end_where_they_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
