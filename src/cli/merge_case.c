/* Opens what a folder may hold by name rather than listing it: most of a case's time goes into system calls. */
#include "cli/merge_case.h"

#include "cli/input.h"
#include "cli/merge_difference.h"
#include "cli/print.h"
#include "fixture/layout.h"
#include "fixture/run.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct {
    int folder; /* open */
    FILE *out;
    bool accept;
} one_case;

/* ---- files -------------------------------------------------------------------------------------------- */

/* False with errno. *out is from malloc and NUL-terminated. */
static bool read_all(int fd, char **out, size_t *len) {
    struct stat is;
    size_t size, used = 0;
    char *bytes;

    if (fstat(fd, &is) != 0)
        return false;
    if (!S_ISREG(is.st_mode) || is.st_size > INPUT_MAX) {
        errno = S_ISREG(is.st_mode) ? EFBIG : EINVAL;
        return false;
    }
    size = (size_t)is.st_size;
    if (!(bytes = malloc(size + 1)))
        return false;
    while (used < size) {
        ssize_t got = read(fd, bytes + used, size - used);
        if (got < 0 && errno != EINTR) {
            free(bytes);
            return false;
        }
        if (got == 0)
            break; /* it has become shorter */
        used += got > 0 ? (size_t)got : 0;
    }
    bytes[used] = '\0';
    *out = bytes;
    *len = used;
    return true;
}

/* False after telling; an optional file that is not there leaves NULL. */
static bool read_file(const one_case *c, const char *name, bool optional, char **out, size_t *len) {
    int fd = openat(c->folder, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    bool good = fd >= 0 && read_all(fd, out, len);

    if (!good) {
        int why = errno;
        *out = NULL;
        *len = 0;
        good = fd < 0 && optional && why == ENOENT;
        if (!good)
            fprintf(c->out, "# %s: %s\n", name, strerror(why));
    }
    if (fd >= 0)
        close(fd);
    return good;
}

typedef bool reader(fixture_inputs *in, const char *json, size_t len, char *why, size_t why_size);

static bool read_with(const one_case *c, const char *name, reader *read, fixture_inputs *in) {
    char *json, why[256];
    size_t len;
    bool good = read_file(c, name, true, &json, &len);

    if (good && json && !(good = read(in, json, len, why, sizeof why))) {
        fprintf(c->out, "# %s: ", name);
        print_line(c->out, why, strlen(why));
        fputc('\n', c->out);
    }
    free(json);
    return good;
}

static bool read_inputs(const one_case *c, fixture_inputs *in) {
    return read_file(c, "ancestor.json", true, &in->ancestor, &in->ancestor_len) &&
           read_file(c, "guard.json", true, &in->guard, &in->guard_len) &&
           read_file(c, "phone.json", false, &in->phone, &in->phone_len) &&
           read_file(c, "computer.json", false, &in->computer, &in->computer_len) &&
           read_with(c, "options.json", fixture_options_read, in) &&
           read_with(c, "picks.json", fixture_picks_read, in);
}

/* A new file in the old one's place: a rewrite that fails halfway leaves what was there. */
static bool write_expected(const one_case *c, const char *text) {
    static const char name[] = "expected.json", fresh[] = ".expected.json.new";
    int fd = openat(c->folder, fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    FILE *file = fd >= 0 ? fdopen(fd, "w") : NULL;
    bool good = file && fputs(text, file) >= 0;

    good = file && fclose(file) == 0 && good;
    good = good && renameat(c->folder, fresh, c->folder, name) == 0;
    if (good)
        fprintf(c->out, "# rewrote expected.json\n");
    else
        fprintf(c->out, "# %s: %s\n", name, strerror(errno));
    return good;
}

/* ---- running ------------------------------------------------------------------------------------------ */

static bool accept_it(const one_case *c, const char *got, size_t len) {
    char *laid_out = fixture_lay_out(got, len);
    bool good = laid_out && write_expected(c, laid_out);
    free(laid_out);
    return good;
}

static bool compare(const one_case *c, const char *got, size_t len) {
    char *expected;
    size_t expected_len;

    if (!read_file(c, "expected.json", c->accept, &expected, &expected_len))
        return false;
    expected_len = expected ? fixture_squeeze(expected, expected_len) : 0;
    bool good = expected && expected_len == len && memcmp(expected, got, len) == 0;
    if (!good && c->accept)
        good = accept_it(c, got, len);
    else if (!good)
        merge_difference(c->out, expected, expected_len, got, len);
    free(expected);
    return good;
}

static bool run(const one_case *c) {
    fixture_inputs in = FIXTURE_INPUTS_INIT;
    bool good = read_inputs(c, &in);

    if (good) {
        fixture_output out;
        size_t len;
        fixture_run(&in, &out);
        char *got = fixture_outcome(&out, &len);
        good = got && compare(c, got, len);
        if (!got)
            fprintf(c->out, "# out of memory\n");
        free(got);
        fixture_output_release(&out);
    }
    fixture_inputs_release(&in);
    return good;
}

/* "ok 3 - folder: about"; a # would start a directive. */
static void print_name(const one_case *c, const char *folder) {
    char *about;
    size_t len;

    print_line(c->out, folder, strcspn(folder, "#"));
    if (c->folder >= 0 && read_file(c, "about", true, &about, &len) && about) {
        size_t line = strcspn(about, "\n#");
        fputs(line > 0 ? ": " : "", c->out);
        print_line(c->out, about, line);
        free(about);
    }
    fputc('\n', c->out);
}

bool merge_case(const char *folder, size_t number, bool accept, FILE *out) {
    one_case c = {open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC), out, accept};
    bool good = false;

    if (c.folder >= 0)
        good = run(&c);
    else
        fprintf(out, "# cannot be opened: %s\n", strerror(errno));
    fprintf(out, "%s %zu - ", good ? "ok" : "not ok", number);
    print_name(&c, folder);
    if (c.folder >= 0)
        close(c.folder);
    return good;
}
