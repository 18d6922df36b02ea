/*
 * A phone's folder: what init makes, what damage is told, and that no kill or full disk leaves half a
 * file.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "phone/folder.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

static char root[64], folder[96];

static int make_root(void **unused) {
    (void)unused;
    snprintf(root, sizeof root, "/tmp/trivet-phone.XXXXXX");
    if (mkdtemp(root) == NULL)
        return -1;
    snprintf(folder, sizeof folder, "%s/p", root);
    return 0;
}

static int drop_root(void **unused) {
    (void)unused;
    const char *names[] = {"phone.json",       "phone.json.new", "pairing.json",
                           "pairing.json.new", "lock",           "sync.lock"};
    char path[160];
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        unlink(path);
    }
    rmdir(folder);
    return rmdir(root);
}

static trivet_proto_pairing pairing(const char *secret) {
    trivet_proto_pairing p = {.ip = "127.0.0.1", .port = 8080, .device = "d", .name = "n"};
    snprintf(p.secret, sizeof p.secret, "%s", secret);
    return p;
}

static const char FIRST[] = "11111111-1111-4111-8111-111111111111";
static const char SECOND[] = "22222222-2222-4222-8222-222222222222";

static void init_phone(const char *secret, const char *name) {
    trivet_proto_pairing p = pairing(secret);
    edit_error err = EDIT_ERROR_INIT;
    if (phone_folder_init(folder, &p, name, &err) != 0)
        fail_msg("%s", err.message);
}

static phone_folder *open_phone(void) {
    phone_folder *f = NULL;
    edit_error err = EDIT_ERROR_INIT;
    if (phone_folder_open(folder, &f, &err) != 0)
        fail_msg("%s", err.message);
    return f;
}

static void put_file(const char *name, const char *data, size_t len) {
    char path[160];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, len, file), len);
    assert_int_equal(fclose(file), 0);
}

static char *get_file(const char *name, size_t *len) {
    char path[160];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    char *data = calloc(1, 1 << 16);
    assert_non_null(data);
    *len = fread(data, 1, (1 << 16) - 1, file);
    fclose(file);
    return data;
}

static unsigned mode_of(const char *name) {
    char path[160];
    struct stat st;
    snprintf(path, sizeof path, "%s%s%s", folder, name[0] == '\0' ? "" : "/", name);
    assert_int_equal(stat(path, &st), 0);
    return st.st_mode & 0777u;
}

/* The live items of the first list, or -1 with what it said in `err`. */
static int items(int64_t *since, edit_error *err) {
    phone_folder *f = open_phone();
    trivet_merge_state *state = NULL;
    assert_int_equal(phone_folder_lock(f, err), 0);
    int count = -1;
    if (phone_folder_read(f, &state, since, err) == 0)
        count = (int)trivet_merge_item_count(state, TRIVET_MERGE_LISTS, 0);
    trivet_merge_state_free(state);
    phone_folder_close(f);
    return count;
}

static void add_item(const char *text, int64_t since) {
    phone_folder *f = open_phone();
    trivet_merge_state *state = NULL;
    trivet_merge_item item;
    int64_t before = 0;
    edit_error err = EDIT_ERROR_INIT;
    assert_int_equal(phone_folder_lock(f, &err), 0);
    assert_int_equal(phone_folder_read(f, &state, &before, &err), 0);
    assert_int_equal(edit_add(state, TRIVET_MERGE_LISTS, 0, text, 1000, &item, &err), 0);
    assert_int_equal(phone_folder_write(f, state, since, &err), 0);
    trivet_merge_state_free(state);
    phone_folder_close(f);
}

/* ---- init ---- */

static void fresh_phone_is_as_the_app(void **unused) {
    (void)unused;
    init_phone(FIRST, "Pixel");
    assert_int_equal(mode_of(""), 0700);
    assert_int_equal(mode_of("pairing.json"), 0600);
    assert_int_equal(mode_of("phone.json"), 0600);
    size_t len = 0;
    char *text = get_file("phone.json", &len);
    assert_string_equal(text, "{\"since\":0,\"state\":{\"lists\":[[],[],[],[],[],[]],\"listsCategories\":["
                              "{\"label\":\"\",\"section\":\"lists\",\"updatedAt\":0},{\"label\":\"\","
                              "\"section\":\"lists\",\"updatedAt\":0},"
                              "{\"label\":\"\",\"section\":\"lists\",\"updatedAt\":0},{\"label\":\"\","
                              "\"section\":\"lists\",\"updatedAt\":0},"
                              "{\"label\":\"\",\"section\":\"lists\",\"updatedAt\":0},{\"label\":\"\","
                              "\"section\":\"lists\",\"updatedAt\":0}"
                              "],\"lockedLists\":[[],[],[],[],[],[]],\"lockedListsCategories\":["
                              "{\"label\":\"\",\"section\":\"lockedLists\",\"updatedAt\":0},"
                              "{\"label\":\"\",\"section\":\"lockedLists\",\"updatedAt\":0},"
                              "{\"label\":\"\",\"section\":\"lockedLists\",\"updatedAt\":0},"
                              "{\"label\":\"\",\"section\":\"lockedLists\",\"updatedAt\":0},"
                              "{\"label\":\"\",\"section\":\"lockedLists\",\"updatedAt\":0},"
                              "{\"label\":\"\",\"section\":\"lockedLists\",\"updatedAt\":0}],\"scratchpad\":["
                              "{\"content\":\"\",\"updatedAt\":0},{\"content\":\"\",\"updatedAt\":0},{"
                              "\"content\":\"\",\"updatedAt\":0},"
                              "{\"content\":\"\",\"updatedAt\":0},{\"content\":\"\",\"updatedAt\":0},{"
                              "\"content\":\"\",\"updatedAt\":0}"
                              "],\"scratchpadCategories\":["
                              "{\"label\":\"\",\"section\":\"scratchpad\",\"updatedAt\":0},"
                              "{\"label\":\"\",\"section\":\"scratchpad\",\"updatedAt\":0},"
                              "{\"label\":\"\",\"section\":\"scratchpad\",\"updatedAt\":0},"
                              "{\"label\":\"\",\"section\":\"scratchpad\",\"updatedAt\":0},"
                              "{\"label\":\"\",\"section\":\"scratchpad\",\"updatedAt\":0},"
                              "{\"label\":\"\",\"section\":\"scratchpad\",\"updatedAt\":0}]}}\n");
    free(text);
    phone_folder *f = open_phone();
    assert_string_equal(phone_folder_name(f), "Pixel");
    assert_string_equal(phone_folder_pairing(f)->secret, FIRST);
    assert_int_equal(phone_folder_pairing(f)->port, 8080);
    phone_folder_close(f);
}

static void pairing_anew_keeps_the_lists(void **unused) {
    (void)unused;
    init_phone(FIRST, "Pixel");
    add_item("milk", 77);
    init_phone(SECOND, NULL);
    phone_folder *f = open_phone();
    assert_string_equal(phone_folder_name(f), "Pixel");
    assert_string_equal(phone_folder_pairing(f)->secret, SECOND);
    phone_folder_close(f);
    int64_t since = 0;
    edit_error err = EDIT_ERROR_INIT;
    assert_int_equal(items(&since, &err), 1);
    assert_int_equal(since, 77);
}

static void a_name_that_needs_escapes(void **unused) {
    (void)unused;
    init_phone(FIRST, "Anna's \"old\" phone \\ \xc3\xbc");
    phone_folder *f = open_phone();
    assert_string_equal(phone_folder_name(f), "Anna's \"old\" phone \\ \xc3\xbc");
    phone_folder_close(f);
    trivet_proto_pairing p = pairing(SECOND);
    edit_error err = EDIT_ERROR_INIT;
    assert_int_equal(phone_folder_init(folder, &p, "no \xff UTF-8", &err), -1);
    assert_int_equal(err.status, EX_USAGE);
    assert_int_equal(phone_folder_init(folder, &p, "", &err), -1);
    assert_int_equal(err.status, EX_USAGE);
}

static void an_unnamed_phone_takes_the_machines(void **unused) {
    (void)unused;
    char host[257];
    assert_int_equal(gethostname(host, sizeof host), 0);
    init_phone(FIRST, NULL);
    phone_folder *f = open_phone();
    assert_string_equal(phone_folder_name(f), host);
    phone_folder_close(f);
}

/* ---- what is missing or damaged ---- */

static int open_status(char *message, size_t size) {
    phone_folder *f = NULL;
    edit_error err = EDIT_ERROR_INIT;
    int result = phone_folder_open(folder, &f, &err);
    phone_folder_close(f);
    snprintf(message, size, "%s", err.message);
    return result == 0 ? 0 : err.status;
}

static void a_missing_phone_says_what_to_run(void **unused) {
    (void)unused;
    char message[512];
    assert_int_equal(open_status(message, sizeof message), EX_NOINPUT);
    assert_non_null(strstr(message, "init --pairing"));
    assert_int_equal(mkdir(folder, 0700), 0);
    assert_int_equal(open_status(message, sizeof message), EX_NOINPUT);
    assert_non_null(strstr(message, "init --pairing"));
}

static void a_damaged_pairing_is_told(void **unused) {
    (void)unused;
    init_phone(FIRST, "Pixel");
    size_t len = 0;
    char message[512], *text = get_file("pairing.json", &len);
    for (size_t cut = 0; cut + 1 < len; cut++) { /* without its line's end it is whole */
        put_file("pairing.json", text, cut);
        assert_int_equal(open_status(message, sizeof message), EX_DATAERR);
    }
    assert_null(strstr(message, FIRST));
    free(text);
}

static void a_damaged_state_is_told(void **unused) {
    (void)unused;
    static const char *const BAD[] = {
        "",
        "{}",
        "{\"since\":1}",
        "{\"since\":1,\"state\":}",
        "{\"since\":1,\"state\":{}",
        "{\"since\":1,\"state\":{}}}",
        "{\"since\":1,\"state\":{}]",
        "{\"since\":-1,\"state\":{}}",
        "{\"since\":9007199254740992,\"state\":{}}",
        "{\"since\":99999999999999999999999,\"state\":{}}",
        "{\"since\":null,\"state\":{}}",
        "{\"since\":1.5,\"state\":{}}",
        "{\"state\":{},\"since\":1}",
        "{\"since\":1,\"state\":{\"lists\":[[{\"id\":1}]]}}",
        "{\"since\":1,\"state\":[]}",
    };
    init_phone(FIRST, "Pixel");
    int64_t since = 0;
    edit_error err = EDIT_ERROR_INIT;
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        put_file("phone.json", BAD[i], strlen(BAD[i]));
        err.status = 0;
        if (items(&since, &err) != -1)
            fail_msg("accepted: %s", BAD[i]);
        assert_int_equal(err.status, EX_DATAERR);
    }
    static const char SPACED[] =
        " {\n \"since\" : 12 ,\r\n\t\"state\": { } }\n \n"; /* an editor's, or jq's */
    put_file("phone.json", SPACED, sizeof SPACED - 1);
    assert_int_equal(items(&since, &err), 0);
    assert_int_equal(since, 12);
    put_file("phone.json", "{\"since\":1,\"state\":{\0}}", 23);
    assert_int_equal(items(&since, &err), -1);
}

static void every_truncation_of_a_state_is_told(void **unused) {
    (void)unused;
    init_phone(FIRST, "Pixel");
    add_item("milk", 5);
    size_t len = 0;
    char *text = get_file("phone.json", &len);
    int64_t since = 0;
    edit_error err = EDIT_ERROR_INIT;
    for (size_t cut = 0; cut + 1 < len; cut++) {
        put_file("phone.json", text, cut);
        assert_int_equal(items(&since, &err), -1);
        assert_int_equal(err.status, EX_DATAERR);
    }
    put_file("phone.json", text, len);
    assert_int_equal(items(&since, &err), 1);
    free(text);
}

static void a_lost_state_is_not_made_up(void **unused) {
    (void)unused;
    init_phone(FIRST, "Pixel");
    char path[160];
    snprintf(path, sizeof path, "%s/phone.json", folder);
    assert_int_equal(unlink(path), 0);
    int64_t since = 0;
    edit_error err = EDIT_ERROR_INIT;
    assert_int_equal(items(&since, &err), -1);
    assert_int_equal(err.status, EX_NOINPUT);
}

static void init_does_not_hide_a_damaged_state(void **unused) {
    (void)unused;
    init_phone(FIRST, "Pixel");
    put_file("phone.json", "{", 1);
    trivet_proto_pairing p = pairing(SECOND);
    edit_error err = EDIT_ERROR_INIT;
    assert_int_equal(phone_folder_init(folder, &p, NULL, &err), -1);
    assert_int_equal(err.status, EX_DATAERR);
    phone_folder *f = open_phone();
    assert_string_equal(phone_folder_pairing(f)->secret, FIRST);
    phone_folder_close(f);
}

/* ---- writes ---- */

static void a_full_disk_changes_nothing(void **unused) {
    (void)unused;
    init_phone(FIRST, "Pixel");
    add_item("milk", 5);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) { /* its limit is its own */
        signal(SIGXFSZ, SIG_IGN);
        struct rlimit little = {100, 100};
        phone_folder *f = NULL;
        trivet_merge_state *state = NULL;
        int64_t since = 0;
        edit_error err = EDIT_ERROR_INIT;
        int code = 1;
        if (setrlimit(RLIMIT_FSIZE, &little) == 0 && phone_folder_open(folder, &f, &err) == 0 &&
            phone_folder_lock(f, &err) == 0 && phone_folder_read(f, &state, &since, &err) == 0 &&
            phone_folder_write(f, state, 6, &err) != 0)
            code = err.status;
        trivet_merge_state_free(state);
        phone_folder_close(f);
        _exit(code);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), EX_IOERR);
    int64_t since = 0;
    edit_error err = EDIT_ERROR_INIT;
    assert_int_equal(items(&since, &err), 1);
    assert_int_equal(since, 5);
    char path[160];
    snprintf(path, sizeof path, "%s/phone.json.new", folder);
    assert_int_equal(access(path, F_OK), -1);
}

/* Each write of the child holds as many items as its `since` says: a reader must never see another pair. */
static void a_kill_leaves_a_pair(void **unused) {
    (void)unused;
    enum { ROUNDS = 20 };
    init_phone(FIRST, "Pixel");
    int64_t since = 0;
    edit_error err = EDIT_ERROR_INIT;
    for (int round = 0; round < ROUNDS; round++) {
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0)
            for (;;) {
                int64_t mine = 0;
                edit_error ignored = EDIT_ERROR_INIT;
                int count = items(&mine, &ignored);
                add_item("milk", count + 1);
            }
        usleep((useconds_t)(500 + round * 700));
        assert_int_equal(kill(child, SIGKILL), 0);
        assert_int_equal(waitpid(child, NULL, 0), child);
        int count = items(&since, &err);
        assert_true(count >= 0);
        assert_int_equal(count, since);
    }
}

static void one_sync_at_a_time(void **unused) {
    (void)unused;
    init_phone(FIRST, "Pixel");
    phone_folder *one = open_phone(), *two = open_phone();
    edit_error err = EDIT_ERROR_INIT;
    assert_int_equal(phone_folder_lock_sync(one, &err), 0);
    assert_int_equal(phone_folder_lock_sync(two, &err), -1);
    assert_int_equal(err.status, EX_TEMPFAIL);
    assert_int_equal(phone_folder_lock(two, &err), 0); /* edits go on */
    phone_folder_close(one);
    assert_int_equal(phone_folder_lock_sync(two, &err), 0);
    phone_folder_close(two);
}

/* Two processes that add at once: without the lock one would overwrite what the other wrote. */
static void edits_at_once_are_all_kept(void **unused) {
    (void)unused;
    enum { WRITERS = 3, EACH = 8 };
    init_phone(FIRST, "Pixel");
    pid_t child[WRITERS];
    for (int i = 0; i < WRITERS; i++) {
        child[i] = fork();
        assert_true(child[i] >= 0);
        if (child[i] == 0) {
            for (int n = 0; n < EACH; n++)
                add_item("milk", 1);
            _exit(0);
        }
    }
    for (int i = 0; i < WRITERS; i++)
        assert_int_equal(waitpid(child[i], NULL, 0), child[i]);
    int64_t since = 0;
    edit_error err = EDIT_ERROR_INIT;
    assert_int_equal(items(&since, &err), WRITERS * EACH);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, make_root, drop_root)

int main(void) {
    const struct CMUnitTest tests[] = {
        CASE(fresh_phone_is_as_the_app),
        CASE(pairing_anew_keeps_the_lists),
        CASE(a_name_that_needs_escapes),
        CASE(an_unnamed_phone_takes_the_machines),
        CASE(a_missing_phone_says_what_to_run),
        CASE(a_damaged_pairing_is_told),
        CASE(a_damaged_state_is_told),
        CASE(every_truncation_of_a_state_is_told),
        CASE(a_lost_state_is_not_made_up),
        CASE(init_does_not_hide_a_damaged_state),
        CASE(a_full_disk_changes_nothing),
        CASE(a_kill_leaves_a_pair),
        CASE(one_sync_at_a_time),
        CASE(edits_at_once_are_all_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
