/* Safe names, drawings as SVG, and jots as plain files. */
#include "test_store.h"

#include "jot/copy.h"
#include "jot/meta.h"
#include "jot/name.h"
#include "jot/svg.h"
#include "store/jot_content.h"
#include <dirent.h>
#include <fcntl.h>

static void names(void **state) {
    static const struct {
        const char *given, *safe;
    } cases[] = {
        {"Scan 12.pdf", "Scan 12.pdf"},
        {"../../etc/passwd", "___.._etc_passwd"},
        {"..", "file"},
        {".", "file"},
        {"", "file"},
        {"   ", "file"},
        {".bashrc", "_bashrc"},
        {"a/b\\c", "a_b_c"},
        {"a\nb\x1b[2Jc\x7f", "a_b_[2Jc_"},
        {"CON", "_CON"},
        {"con.tar.gz", "_con.tar.gz"},
        {"aux .txt", "_aux .txt"},
        {"COM7", "_COM7"},
        {"lpt\xc2\xb9.x", "_lpt\xc2\xb9.x"},
        {"company", "company"},
        {"name. . .", "name"},
        {"-rf", "_-rf"},
        {"a:b*c?d\"e<f>g|h", "a_b_c_d_e_f_g_h"},
        {"exe.\xe2\x80\xaegpj.exe", "exe._gpj.exe"}, /* turns the direction */
        {"\xef\xbf\xbe\xc0\xafz", "___z"},
        {"\xf0\x9f\x8d\x9e.jpg", "\xf0\x9f\x8d\x9e.jpg"},
        {"gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f"},
        /* Joiners: in Persian and between emoji, but neither in Latin, nor at the start, nor twice. */
        {"\xd9\x85\xdb\x8c\xe2\x80\x8c\xd8\xae.pdf", "\xd9\x85\xdb\x8c\xe2\x80\x8c\xd8\xae.pdf"},
        {"\xf0\x9f\x91\xa8\xe2\x80\x8d\xf0\x9f\x91\xa9", "\xf0\x9f\x91\xa8\xe2\x80\x8d\xf0\x9f\x91\xa9"},
        {"a\xe2\x80\x8c.exe", "a_.exe"},
        {"\xe2\x80\x8d", "_"},
        {"\xd9\x85\xe2\x80\x8c\xe2\x80\x8c", "\xd9\x85\xe2\x80\x8c_"},
    };
    char out[JOT_NAME_MAX + 1];
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        jot_name_safe(cases[i].given, "file", out);
        if (strcmp(out, cases[i].safe) != 0)
            fail_msg("%zu: %s, not %s", i, out, cases[i].safe);
    }
    char longest[5000];
    memset(longest, 'x', sizeof longest);
    memcpy(longest + sizeof longest - 5, ".pdf", 5);
    jot_name_safe(longest, "file", out);
    assert_true(strlen(out) <= JOT_NAME_MAX);
    for (size_t i = 0; i + 1 < sizeof longest; i += 2)
        memcpy(longest + i, "\xc3\xbc", 2);
    longest[400] = '\0';
    strcpy(longest + 400, ".pdf");
    jot_name_safe(longest, "file", out);
    assert_true(strlen(out) <= JOT_NAME_MAX);
    assert_string_equal(out + strlen(out) - 4, ".pdf");
}

static void dated_names(void **state) {
    char out[JOT_NAME_MAX + 1], numbered[JOT_NAME_MAX + 16];
    (void)state;
    jot_name_dated("photo", INT64_C(1767225600000), "JPG", out);
    assert_string_equal(out, "photo-20260101-000000.jpg");
    jot_name_dated("photo", 0, "image/jpeg", out);
    assert_string_equal(out, "photo.jpg");
    jot_name_dated("photo", INT64_MAX, "../x", out);
    assert_string_equal(out, "photo");
    jot_name_numbered("a.tar", 2, numbered);
    assert_string_equal(numbered, "a (2).tar");
}

static void drawings(void **state) {
    static const struct {
        const char *drawing, *box, *holds;
    } cases[] = {
        {"[\"M10 20 L30 40\"]", "8.5 18.5 23 23", "d=\"M10 20L30 40\""},
        {"[\"m10,20 5-5 .5.5\"]", "8.5 13.5 8.5 8", "d=\"m10 20l5 -5l0.5 0.5\""},
        {"{\"paths\":[{\"path\":\"M0 0h10v10z\",\"color\":\"#ff0000\",\"strokeWidth\":2}]}", "-1 -1 12 12",
         "stroke=\"#ff0000\" stroke-width=\"2\""},
        {"[{\"d\":\"M0 0L1 1\",\"stroke\":\"url(javascript:alert(1))\"}]", "-1.5 -1.5 4 4",
         "stroke=\"black\""},
        {"M1 1L2 2", "-0.5 -0.5 4 4", "d=\"M1 1L2 2\""},
        {"\"M1 1L2 2\"", "-0.5 -0.5 4 4", "d=\"M1 1L2 2\""},
        {"[\"M1 1L2 2\\\"/><script>alert(1)</script>\"]", "-0.5 -0.5 4 4", "d=\"M1 1L2 2\""},
        {"[\"M1e400 1L-1e400 nan\"]", "999998.5 -0.5 3 3", "d=\"M1000000 1\""},
        {"[\"M0e999 0L0E400 10\"]", "-1.5 -1.5 3 13", "d=\"M0 0L0 10\""},
        {"[\"M0 0A5 5 0 11 10 0\"]", "-11.5 -11.5 33 23", "d=\"M0 0A5 5 0 1 1 10 0\""},
    };
    char *svg;
    size_t len;
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char box[100];
        assert_int_equal(jot_svg(cases[i].drawing, &svg, &len), 0);
        snprintf(box, sizeof box, "viewBox=\"%s\"", cases[i].box);
        if (strstr(svg, box) == NULL || strstr(svg, cases[i].holds) == NULL || strstr(svg, "script") != NULL)
            fail_msg("%zu: %s", i, svg);
        assert_int_equal(strlen(svg), len);
        free(svg);
    }
    static const char *const nothing[] = {
        "", "[]", "{}", "null", "[\"\"]", "[[[[[[\"M0 0\"]]]]]]", "[\"L1 1\"]", "<svg/>"};
    for (size_t i = 0; i < sizeof nothing / sizeof *nothing; i++)
        assert_int_equal(jot_svg(nothing[i], &svg, &len), 1);
}

static void metas(void **state) {
    json_t *jot =
        json_loads("{\"id\":4,\"text\":\"t\",\"drawing\":null,\"images\":[{\"id\":\"i\",\"format\":\"jpg\","
                   "\"createdAt\":1e300},{}],\"recordings\":null,\"files\":[{\"id\":\"f\",\"fileName\":\"n\","
                   "\"mimeType\":\"m/t\",\"size\":-5}]}",
                   0, NULL);
    jot_meta meta;
    (void)state;
    assert_int_equal(jot_meta_read(jot, &meta), 0);
    assert_int_equal(meta.told.id, 4);
    assert_string_equal(meta.told.drawing, "");
    assert_int_equal(meta.told.file_count, 2);
    assert_int_equal(meta.files[0].created_at, INT64_C(9007199254740991));
    assert_int_equal(meta.files[1].size, 0);
    assert_string_equal(meta.files[1].format, "m/t");
    jot_meta_release(&meta);
    json_decref(jot);
}

/* ---- files ---- */

static void expect_file(const char *dir, const char *name, const char *holds) {
    char path[8400], text[4096];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *in = fopen(path, "r");
    if (in == NULL)
        fail_msg("%s is not there", path);
    text[fread(text, 1, sizeof text - 1, in)] = '\0';
    fclose(in);
    if (strstr(text, holds) == NULL)
        fail_msg("%s holds %s", path, text);
}

static size_t entries(const char *path) {
    DIR *dir = opendir(path);
    size_t count = 0;
    while (dir != NULL && readdir(dir) != NULL)
        count++;
    if (dir != NULL)
        closedir(dir);
    return count < 2 ? 0 : count - 2;
}

static int64_t jot_with_files(fixture *f) {
    const jot_file_told told[] = {{JOT_FILE, "a", "../scan.pdf", "", 3, 1},
                                  {JOT_FILE, "b", "../scan.pdf", "", 3, 1},
                                  {JOT_IMAGE, "c", "", "jpg", 0, INT64_C(1767225600000)}};
    const jot_told jot = {1, "hello", "[\"M0 0L9 9\"]", told, 3};
    const jot_told later = {1, "hello again", "[\"M0 0L9 9\"]", told, 3};
    int64_t num, file, of;
    bool changed;
    ok(jot_apply(f->s, "0123abcd", &jot, INT64_C(1767225600000), &num, &changed, &f->err));
    ok(jot_apply(f->s, "0123abcd", &later, INT64_C(1767225601000), &num, &changed, &f->err));
    for (int i = 0; i < 2; i++) {
        jot_content *c;
        store_name hash;
        uint64_t size;
        ok(jot_content_new(f->folder, 3, &c, &f->err));
        ok(jot_content_add(c, i ? "two" : "one", 3, &f->err));
        ok(jot_content_finish(c, &hash, &size, &f->err));
        jot_content_free(c);
        ok(jot_file_find(f->s, "0123abcd", 1, JOT_FILE, i ? "b" : "a", &file, &of, &f->err));
        ok(jot_file_stored(f->s, file, of, &hash, size, 5, &f->err));
    }
    return num;
}

static void plain_files(void **state) {
    fixture *f = *state;
    static jot_copied done;
    char dir[4300];
    jot_copy copy;
    int64_t num = jot_with_files(f);
    file_in(f, "../out", dir);
    ok(jot_copy_load(f->s, num, &copy, &f->err));
    ok(jot_copy_write(&copy, f->folder, dir, &done, &f->err));
    assert_int_equal(done.written, 5);
    assert_int_equal(done.missing, 1);
    expect_file(done.dir, "text-20260101-000000.txt", "hello");
    expect_file(done.dir, "text-20260101-000001.txt", "hello again");
    expect_file(done.dir, "drawing-20260101-000000.svg", "<svg xmlns");
    expect_file(done.dir, "___scan.pdf", "one");
    expect_file(done.dir, "___scan (2).pdf", "two");
    ok(jot_copy_write(&copy, f->folder, dir, &done, &f->err)); /* once more: nothing is new */
    assert_int_equal(done.written, 0);
    assert_int_equal(done.present, 5);
    char path[8500];
    snprintf(path, sizeof path, "%s/___scan.pdf", done.dir);
    FILE *out = fopen(path, "w");
    fputs("the user's own", out);
    fclose(out);
    ok(jot_copy_write(&copy, f->folder, dir, &done, &f->err));
    assert_int_equal(done.written, 1);
    expect_file(done.dir, "___scan.pdf", "the user's own");
    expect_file(done.dir, "___scan (3).pdf", "one");
    assert_int_equal(entries(done.dir), 6);
    jot_copy_release(&copy);
}

static void links_are_not_followed(void **state) {
    fixture *f = *state;
    static jot_copied done;
    char dir[4300], path[4400], victim[4300];
    jot_copy copy;
    int64_t num = jot_with_files(f);
    file_in(f, "../out", dir);
    file_in(f, "../victim", victim);
    FILE *out = fopen(victim, "w");
    fputs("precious", out);
    fclose(out);
    mkdir(dir, 0700);
    snprintf(path, sizeof path, "%s/jot-%lld", dir, (long long)num);
    mkdir(path, 0700);
    strcat(path, "/___scan.pdf");
    assert_int_equal(symlink(victim, path), 0);
    ok(jot_copy_load(f->s, num, &copy, &f->err));
    ok(jot_copy_write(&copy, f->folder, dir, &done, &f->err));
    jot_copy_release(&copy);
    expect_file(f->root, "victim", "precious");
    expect_file(done.dir, "___scan (2).pdf", "one");
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup_store, teardown)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names),    cmocka_unit_test(dated_names),
        cmocka_unit_test(drawings), cmocka_unit_test(metas),
        TEST(plain_files),          TEST(links_are_not_followed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
