/* Lines of the log: their three forms, what no value can do to them, and where they go. */
#include "log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

static char said[16384];

/* ---- standard error, caught ---- */

static int caught[2], kept;

static void catch_begin(void) {
    assert_int_equal(pipe(caught), 0);
    kept = dup(STDERR_FILENO);
    dup2(caught[1], STDERR_FILENO);
}

static const char *catch_end(void) {
    fflush(stderr);
    dup2(kept, STDERR_FILENO);
    close(kept);
    close(caught[1]);
    ssize_t n = read(caught[0], said, sizeof said - 1);
    close(caught[0]);
    said[n > 0 ? n : 0] = '\0';
    return said;
}

/* What comes after the time. */
static const char *rest(const char *line) {
    const char *at = strchr(line, ' ');
    return at ? at + 1 : line;
}

/* ---- forms ---- */

static void send_event(void) {
    log_event(LOG_WARNING, "sync", LOG_TEXT("device", "Pixel 8"), LOG_TEXT("outcome", "synced"),
              LOG_TEXT("none", NULL), LOG_NUMBER("duration_ms", 12), LOG_REAL("share", -0.0625),
              LOG_TRUTH("first", true));
}

static void test_forms(void **state) {
    static const struct {
        enum log_format format;
        const char *event, *message;
    } cases[] = {
        {LOG_PLAIN,
         "warning: sync device=\"Pixel 8\" outcome=synced duration_ms=12 share=-0.063 first=true\n",
         "info: it is \"so\"\n"},
        {LOG_LOGFMT,
         "level=warning event=sync device=\"Pixel 8\" outcome=synced duration_ms=12 share=-0.063 "
         "first=true\n",
         "level=info msg=\"it is \\\"so\\\"\"\n"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        log_set_format(cases[i].format);
        catch_begin();
        send_event();
        assert_string_equal(rest(catch_end()), cases[i].event);
        catch_begin();
        log_info("it is \"%s\"", "so");
        assert_string_equal(rest(catch_end()), cases[i].message);
    }
}

static void test_json(void **state) {
    (void)state;
    log_set_format(LOG_JSON);
    catch_begin();
    send_event();
    json_t *line = json_loads(catch_end(), JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(line);
    assert_int_equal(strlen(json_string_value(json_object_get(line, "time"))), 24);
    assert_string_equal(json_string_value(json_object_get(line, "event")), "sync");
    assert_string_equal(json_string_value(json_object_get(line, "device")), "Pixel 8");
    assert_int_equal(json_integer_value(json_object_get(line, "duration_ms")), 12);
    assert_true(json_is_true(json_object_get(line, "first")));
    assert_int_equal(json_object_size(line), 8);
    json_decref(line);
}

/* ---- what a value cannot do ---- */

static const struct {
    const char *value, *shown;
} hostile[] = {
    {"a\nlevel=error event=revoked", "\"a\\nlevel=error event=revoked\""},
    {"a\" outcome=synced x=\"", "\"a\\\" outcome=synced x=\\\"\""},
    {"a\\\" b=c", "\"a\\\\\\\" b=c\""},
    {"a=b", "\"a=b\""},
    {"", "\"\""},
    {"\x1b[31mred\r\x7f", "\"\\u001b[31mred\\u000d\\u007f\""},
    {"\xc2\x9b\xe2\x80\xae\xe2\x80\xa8", "\"\\u009b\\u202e\\u2028\""},
    {"\xff\xc3(\xed\xa0\x80", "\"\\ufffd\\ufffd(\\ufffd\\ufffd\\ufffd\""},
    {"K\xc3\xbc\xf0\x9f\x8d\x9e", "\"K\xc3\xbc\xf0\x9f\x8d\x9e\""},
    {"192.168.1.7:80", "192.168.1.7:80"},
};

static void test_hostile_values(void **state) {
    char expected[256];
    (void)state;
    for (size_t i = 0; i < sizeof hostile / sizeof hostile[0]; i++) {
        log_set_format(LOG_LOGFMT);
        catch_begin();
        log_event(LOG_INFO, "e", LOG_TEXT("v", hostile[i].value), LOG_NUMBER("n", 1));
        snprintf(expected, sizeof expected, "level=info event=e v=%s n=1\n", hostile[i].shown);
        assert_string_equal(rest(catch_end()), expected);

        log_set_format(LOG_JSON);
        catch_begin();
        log_event(LOG_INFO, "e", LOG_TEXT("v", hostile[i].value), LOG_NUMBER("n", 1));
        json_t *line = json_loads(catch_end(), JSON_REJECT_DUPLICATES, NULL);
        assert_non_null(line);
        assert_int_equal(json_object_size(line), 5);
        assert_ptr_equal(strchr(said, '\n'), said + strlen(said) - 1);
        json_decref(line);
    }
    log_set_format(LOG_PLAIN);
    catch_begin();
    log_info("%s", "a\ninfo: b\x1b[2J");
    assert_string_equal(rest(catch_end()), "info: a\\ninfo: b\\u001b[2J\n");
}

/* The longest values: each is cut, the line is whole and says that something is missing. */
static void test_too_long(void **state) {
    static const enum log_format formats[] = {LOG_PLAIN, LOG_LOGFMT, LOG_JSON};
    static const char *const fillers[] = {"x", "\x01", "\xf0\x9f\x8d\x9e"};
    log_field fields[LOG_FIELDS_MAX];
    char *value = calloc(1, 5000), keys[LOG_FIELDS_MAX][8];
    (void)state;
    for (size_t f = 0; f < 3; f++) {
        value[0] = '\0';
        for (size_t i = 0; i < 1000; i++)
            memcpy(value + i * strlen(fillers[f]), fillers[f], strlen(fillers[f]) + 1);
        if (f == 0)
            memset(value, 'x', 4999);
        for (size_t i = 0; i < LOG_FIELDS_MAX; i++) {
            snprintf(keys[i], sizeof keys[i], "k%zu", i);
            fields[i] = LOG_TEXT(keys[i], value);
        }
        for (size_t i = 0; i < 3; i++) {
            log_set_format(formats[i]);
            catch_begin();
            log_fields(LOG_INFO, "long", fields, LOG_FIELDS_MAX);
            size_t len = strlen(catch_end());
            assert_true(len > 5000 && len <= 8192);
            assert_ptr_equal(strchr(said, '\n'), said + len - 1);
            if (formats[i] == LOG_JSON) {
                json_t *line = json_loads(said, 0, NULL);
                assert_true(json_is_true(json_object_get(line, "cut")));
                json_decref(line);
            } else {
                assert_string_equal(said + len - 10, " cut=true\n");
            }
        }
    }
    free(value);
}

/* ---- levels, and the journal ---- */

static void test_levels(void **state) {
    (void)state;
    log_set_format(LOG_LOGFMT);
    log_set_level(LOG_WARNING);
    catch_begin();
    log_info("no");
    log_warning("yes");
    assert_string_equal(rest(catch_end()), "level=warning msg=yes\n");
    log_set_level(LOG_INFO);
}

static void test_journal(void **state) {
    struct stat st;
    char stream[64];
    (void)state;
    catch_begin();
    assert_int_equal(fstat(STDERR_FILENO, &st), 0);
    snprintf(stream, sizeof stream, "%llu:%llu", (unsigned long long)st.st_dev,
             (unsigned long long)st.st_ino);
    setenv("JOURNAL_STREAM", stream, 1);
    log_set_format(LOG_AUTO);
    log_error("a b");
    log_warning("w");
    log_debug("not shown");
    log_greeting("listening on [::]:%d", 1);
    log_set_format(LOG_JSON);
    log_error("e");
    log_set_format(LOG_PLAIN);
    log_info("i");
    assert_string_equal(catch_end(), "<3>level=error msg=\"a b\"\n<4>level=warning msg=w\n"
                                     "<6>level=info msg=\"listening on [::]:1\"\n"
                                     "<3>{\"level\":\"error\",\"msg\":\"e\"}\n<6>info: i\n");
    /* Another stream than systemd's: someone has redirected it. */
    static const char *const others[] = {"1:2", "", "x", "1:2:3"};
    for (size_t i = 0; i < 4; i++) {
        setenv("JOURNAL_STREAM", others[i], 1);
        catch_begin();
        log_set_format(LOG_AUTO);
        log_error("a b");
        log_greeting("listening");
        assert_int_equal(strncmp(catch_end(), "time=", 5), 0);
        assert_string_equal(rest(said), "level=error msg=\"a b\"\nlistening\n");
    }
    unsetenv("JOURNAL_STREAM");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forms),    cmocka_unit_test(test_json),   cmocka_unit_test(test_hostile_values),
        cmocka_unit_test(test_too_long), cmocka_unit_test(test_levels), cmocka_unit_test(test_journal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
