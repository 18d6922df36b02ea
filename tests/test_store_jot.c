/* Jots in the store: manifests, metas, what stays of what changed; contents by their hash. */
#include "test_store.h"

#include "store/device.h"
#include "store/jot.h"
#include "store/jot_content.h"
#include <dirent.h>
#include <fcntl.h>
#include <sodium.h>

#define DEVICE "0123abcd"

static int64_t apply(fixture *f, int64_t id, const char *text, const char *drawing,
                     const jot_file_told *files, size_t count, int64_t now, bool *changed) {
    jot_told told = {id, text, drawing, files, count};
    int64_t num;
    ok(jot_apply(f->s, DEVICE, &told, now, &num, changed, &f->err));
    return num;
}

static void forms_stay(void **state) {
    fixture *f = *state;
    jot_form_row *forms;
    size_t count;
    bool changed;
    int64_t num = apply(f, 3, "one", "", NULL, 0, 1000, &changed);
    assert_true(changed);
    assert_int_equal(apply(f, 3, "one", "", NULL, 0, 2000, &changed), num);
    assert_false(changed);
    apply(f, 3, "two", "[\"M0 0\"]", NULL, 0, 3000, &changed);
    assert_true(changed);
    apply(f, 3, "", "", NULL, 0, 4000, &changed); /* cleared */
    assert_false(changed);
    jot_row row;
    ok(jot_get(f->s, num, &row, &f->err));
    assert_int_equal(row.gone_at, 4000);
    assert_int_equal(row.changed_at, 3000);
    ok(jot_forms(f->s, num, &forms, &count, &f->err));
    assert_int_equal(count, 2);
    assert_string_equal(forms[0].text, "one");
    assert_int_equal(forms[0].stored_at, 1000);
    assert_string_equal(forms[1].drawing, "[\"M0 0\"]");
    jot_forms_free(forms, count);
    apply(f, 3, "three", "", NULL, 0, 5000, &changed); /* the phone uses the id anew */
    ok(jot_get(f->s, num, &row, &f->err));
    assert_int_equal(row.gone_at, 0);
    assert_int_equal(apply(f, 9, "", "", NULL, 0, 5000, &changed), 0); /* of which nothing is known */
    assert_int_equal(ask(f, "SELECT count(*) FROM jot"), 1);
}

static void files_stay(void **state) {
    fixture *f = *state;
    const jot_file_told both[] = {{JOT_IMAGE, "i1", "", "jpg", 0, 5}, {JOT_FILE, "f1", "a.pdf", "x/y", 7, 6}};
    const jot_file_told other = {JOT_IMAGE, "i1", "", "jpg", 0, 99};
    jot_file_row *files;
    size_t count;
    bool changed, whole;
    int64_t num = apply(f, 1, "", "", both, 2, 1000, &changed), file, jot;
    store_name hash = {{1, 2, 3}};
    ok(jot_file_find(f->s, DEVICE, 1, JOT_IMAGE, "i1", &file, &jot, &f->err));
    assert_int_equal(jot, num);
    ok(jot_file_stored(f->s, file, jot, &hash, 44, 1500, &f->err));
    gives(STORE_NONE, jot_file_find(f->s, DEVICE, 1, JOT_IMAGE, "i1", &file, &jot, &f->err)); /* it stays */
    const store_name another = {{9}};
    jot_row before, after;
    ok(jot_get(f->s, num, &before, &f->err));
    ok(jot_file_stored(f->s, file, jot, &another, 5, 1500, &f->err));
    ok(jot_get(f->s, num, &after, &f->err));
    assert_true(after.changed_at != before.changed_at); /* also within one ms: jots_dir tells changes by it */
    ok(jot_files(f->s, num, &files, &count, &f->err));
    assert_true(store_name_equal(&files[0].hash, &hash));
    jot_files_free(files, count);
    ok(jot_is_whole(f->s, num, &whole, &f->err));
    assert_false(whole);
    apply(f, 1, "", "", &other, 1, 2000, &changed); /* the same id, another photo; the file is gone unseen */
    assert_true(changed);
    ok(jot_files(f->s, num, &files, &count, &f->err));
    assert_int_equal(count, 2);
    assert_true(files[0].stored);
    assert_int_equal(files[0].gone_at, 2000);
    assert_false(files[1].stored);
    assert_int_equal(files[1].created_at, 99);
    jot_files_free(files, count);
    apply(f, 1, "", "", both, 1, 3000, &changed); /* a phone that was restored */
    ok(jot_is_whole(f->s, num, &whole, &f->err));
    assert_true(whole);
    ok(jot_files(f->s, num, &files, &count, &f->err));
    assert_int_equal(count, 1);
    assert_int_equal(files[0].gone_at, 0);
    jot_files_free(files, count);
    gives(STORE_NONE, jot_file_find(f->s, "ffffffff", 1, JOT_IMAGE, "i1", &file, &jot, &f->err));
}

static void a_manifest_says_what_to_ask(void **state) {
    fixture *f = *state;
    const jot_seen seen[] = {{5, true}, {2, false}, {5, true}, {1, false}, {4, true}};
    int64_t *ask_for;
    size_t count;
    bool changed;
    int64_t gone = apply(f, 7, "old", "", NULL, 0, 1000, &changed);
    apply(f, 2, "here", "", NULL, 0, 1000, &changed);
    ok(jot_manifest(f->s, DEVICE, seen, 5, 2000, &ask_for, &count, &f->err));
    assert_int_equal(count, 3); /* 1 has nothing on either side, 7 is gone */
    assert_int_equal(ask_for[0], 2);
    assert_int_equal(ask_for[1], 4);
    assert_int_equal(ask_for[2], 5);
    free(ask_for);
    jot_row row;
    ok(jot_get(f->s, gone, &row, &f->err));
    assert_int_equal(row.gone_at, 2000);
    ok(jot_manifest(f->s, "ffffffff", NULL, 0, 2000, &ask_for, &count,
                    &f->err)); /* of another: nothing of ours */
    assert_int_equal(count, 0);
    free(ask_for);
    assert_int_equal(ask(f, "SELECT count(*) FROM jot WHERE gone_at = 0"), 1);
}

static void what_is_asked_for(void **state) {
    fixture *f = *state;
    const jot_file_told told[] = {{JOT_FILE, "big", "b", "", JOT_UNASKED_MAX + 1, 1},
                                  {JOT_FILE, "a", "a", "", JOT_UNASKED_MAX, 1},
                                  {JOT_AUDIO, "c", "", "m4a", 0, 1}};
    jot_request r;
    size_t missing;
    bool changed;
    int64_t num = apply(f, 1, "", "", told, 3, 1000, &changed);
    gives(STORE_NONE, jot_file_next(f->s, DEVICE, 0, false, false, &r, &f->err));
    ok(jot_file_next(f->s, DEVICE, 0, true, false, &r, &f->err));
    assert_string_equal(r.file_id, "a");
    free(r.file_id);
    ok(jot_file_cut(f->s, r.num, &f->err));
    ok(jot_file_next(f->s, DEVICE, 0, true, false, &r, &f->err));
    assert_string_equal(r.file_id, "a");
    free(r.file_id);
    ok(jot_file_cut(f->s, r.num, &f->err)); /* twice: too large for the app */
    ok(jot_file_next(f->s, DEVICE, 0, true, false, &r, &f->err));
    assert_string_equal(r.file_id, "c");
    free(r.file_id);
    gives(STORE_NONE, jot_file_next(f->s, DEVICE, r.num, true, false, &r, &f->err));
    ok(jot_want(f->s, num, &missing, &f->err));
    assert_int_equal(missing, 3);
    ok(jot_file_next(f->s, DEVICE, 0, false, false, &r, &f->err));
    assert_string_equal(r.file_id, "big");
    free(r.file_id);
}

static void a_new_pairing_takes_over(void **state) {
    fixture *f = *state;
    device old, fresh;
    char secret[37];
    uint8_t k[32];
    int64_t *ask_for;
    size_t count;
    int64_t num;
    bool changed;
    ok(device_create(f->s, NULL, NULL, 1, &old, secret, k, &f->err));
    ok(device_create(f->s, NULL, old.id, 1, &fresh, secret, k, &f->err));
    ok(jot_apply(f->s, old.id, &(jot_told){1, "t", "", NULL, 0}, 5, &num, &changed, &f->err));
    ok(jot_manifest(f->s, fresh.id, &(jot_seen){1, true}, 1, 6, &ask_for, &count, &f->err));
    free(ask_for);
    jot_row row;
    ok(jot_get(f->s, num, &row, &f->err));
    assert_string_equal(row.device, fresh.id);
}

/* ---- contents ---- */

static size_t entries(const char *path) {
    DIR *dir = opendir(path);
    size_t count = 0;
    while (dir != NULL && readdir(dir) != NULL)
        count++;
    if (dir != NULL)
        closedir(dir);
    return count < 2 ? 0 : count - 2;
}

static store_name store_content(fixture *f, const char *bytes) {
    jot_content *c;
    store_name hash;
    uint64_t size;
    ok(jot_content_new(f->folder, strlen(bytes), &c, &f->err));
    ok(jot_content_add(c, bytes, strlen(bytes) / 2, &f->err));
    ok(jot_content_add(c, bytes + strlen(bytes) / 2, strlen(bytes) - strlen(bytes) / 2, &f->err));
    ok(jot_content_finish(c, &hash, &size, &f->err));
    jot_content_free(c);
    assert_int_equal(size, strlen(bytes));
    return hash;
}

static void contents(void **state) {
    fixture *f = *state;
    char path[4300], name[JOT_CONTENT_NAME_LEN + 1];
    store_name hash = store_content(f, "some bytes"), expected, read;
    crypto_generichash(expected.bytes, 32, (const uint8_t *)"some bytes", 10, NULL, 0);
    assert_true(store_name_equal(&hash, &expected));
    store_content(f, "some bytes");
    assert_int_equal(entries(file_in(f, "jots", path)), 1);
    ok(jot_content_check(f->folder, &hash, &f->err));
    jot_content_name_of(&hash, name);
    assert_true(jot_content_name_read(name, &read) && store_name_equal(&read, &hash));
    assert_false(jot_content_name_read(
        "jots/../../../../../../../../../../../../../../../../../../../../../etc/p", &read));
    FILE *out = fopen(file_in(f, name, path), "w");
    fputs("others", out);
    fclose(out);
    gives(STORE_DAMAGED, jot_content_check(f->folder, &hash, &f->err));
    store_content(f, "some bytes"); /* the phone gives it once more */
    ok(jot_content_check(f->folder, &hash, &f->err));
    unlink(path);
    gives(STORE_NONE, jot_content_check(f->folder, &hash, &f->err));
    assert_int_equal(symlink("/etc/hostname", path), 0);
    gives(STORE_NONE, jot_content_check(f->folder, &hash, &f->err));
}

static void what_was_not_finished_goes(void **state) {
    fixture *f = *state;
    char path[4300];
    jot_content *c;
    ok(jot_content_new(f->folder, 3, &c, &f->err));
    ok(jot_content_add(c, "abc", 3, &f->err));
    assert_int_equal(entries(file_in(f, "jots", path)), 1);
    jot_content_free(c);
    assert_int_equal(entries(path), 0);
    store_name hash = store_content(f, "whole");
    int fd = open(file_in(f, "jots/" JOT_CONTENT_INCOMING "1234", path), O_CREAT | O_WRONLY, 0600);
    close(fd);
    jot_content_sweep(f->folder);
    assert_int_equal(entries(file_in(f, "jots", path)), 1);
    ok(jot_content_check(f->folder, &hash, &f->err));
}

static void no_room(void **state) {
    fixture *f = *state;
    char path[4300];
    jot_content *c;
    says(STORE_FULL, "too little space", jot_content_new(f->folder, (uint64_t)1 << 60, &c, &f->err));
    assert_int_equal(entries(file_in(f, "jots", path)), 0);
    store_content(f, "works again");
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup_store, teardown)
    const struct CMUnitTest tests[] = {
        TEST(forms_stay),
        TEST(files_stay),
        TEST(a_manifest_says_what_to_ask),
        TEST(what_is_asked_for),
        TEST(a_new_pairing_takes_over),
        TEST(contents),
        TEST(what_was_not_finished_goes),
        TEST(no_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
