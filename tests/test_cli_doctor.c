/* What the doctor judges by (src/cli/doctor.h): rules of packet filters, dates, who ever came. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "cli/doctor.h"

/* ---- packet filters ---- */

#define CHAIN(policy, rules)                                                                                 \
    "table inet filter {\n\tchain input {\n\t\ttype filter hook input priority filter; policy " policy       \
    ";\n" rules "\t}\n}\n"

static void test_rules(void **state) {
    static const struct {
        const char *rules;
        doctor_rules read;
    } cases[] = {
        {"", RULES_OPEN},
        {CHAIN("accept", ""), RULES_OPEN},
        {CHAIN("accept", "\t\ttcp dport 22 accept\n"), RULES_OPEN},
        {CHAIN("drop", ""), RULES_CLOSED},
        {CHAIN("drop", "\t\ttcp dport 22 accept\n"), RULES_CLOSED},
        {CHAIN("drop", "\t\ttcp dport 8080 accept\n"), RULES_ALLOWED},
        {CHAIN("drop", "\t\ttcp dport 8080 drop\n"), RULES_CLOSED},
        {CHAIN("drop", "\t\tudp dport 8080 accept\n"), RULES_CLOSED},
        {CHAIN("drop", "\t\ttcp dport 80 accept\n\t\ttcp dport 80800 accept\n"), RULES_CLOSED},
        {CHAIN("drop", "\t\ttcp dport { 22, 80, 8080 } accept\n"), RULES_ALLOWED},
        {CHAIN("drop", "\t\ttcp dport { 22, 8000-8100 } counter packets 0 bytes 0 accept\n"), RULES_ALLOWED},
        {CHAIN("drop", "\t\ttcp dport 8081-9000 accept\n"), RULES_CLOSED},
        {"table ip filter {\n\tchain INPUT {\n\t\ttype filter hook input priority filter; policy drop;\n"
         "\t\tcounter jump ufw-user-input\n\t}\n\tchain ufw-user-input {\n"
         "\t\tmeta l4proto tcp tcp dport 8080 counter packets 0 bytes 0 accept\n\t}\n}\n",
         RULES_ALLOWED},
        {"table ip filter {\n\tchain FORWARD {\n\t\ttype filter hook forward priority filter; policy "
         "drop;\n\t}\n}",
         RULES_OPEN}, /* as docker makes it */
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (doctor_read_rules(cases[i].rules, 8080) != cases[i].read)
            fail_msg("case %zu: %d\n%s", i, doctor_read_rules(cases[i].rules, 8080), cases[i].rules);
}

/* ---- dates ---- */

static void test_dates(void **state) {
    static const struct {
        const char *document;
        int64_t latest;
    } cases[] = {
        {"{}", 0},
        {"{\"lists\":[[{\"id\":\"a\",\"text\":\"\",\"position\":1,\"updatedAt\":5,\"createdAt\":7}]]}", 7},
        {"{\"lockedLists\":[[],[{\"id\":\"a\",\"text\":\"\",\"position\":1,\"deleted\":true,\"deletedAt\":9}]"
         "]}",
         9},
        {"{\"scratchpad\":[{\"content\":\"\",\"updatedAt\":11}]}", 11},
        {"{\"listsCategories\":[{\"label\":\"\",\"updatedAt\":12}]}", 12},
    };
    trivet_merge_error err = TRIVET_MERGE_ERROR_INIT;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        trivet_merge_state *s;
        assert_int_equal(trivet_merge_state_read(cases[i].document, strlen(cases[i].document),
                                                 TRIVET_MERGE_COMPUTER, &s, &err),
                         0);
        assert_int_equal(doctor_latest_date(s), cases[i].latest);
        trivet_merge_state_free(s);
    }
}

/* ---- findings from what a server says ---- */

static void test_findings(void **state) {
    static const struct {
        void (*check)(doctor *d);
        const char *status, *devices, *level, *text;
    } cases[] = {
        {doctor_moved, "{\"moved\":[]}", "[{\"id\":\"a\"}]", "ok", "is this computer's"},
        {doctor_moved, "{\"moved\":[{\"id\":\"a\",\"name\":\"x\",\"host\":\"192.168.1.9\",\"port\":8080}]}",
         "[{\"id\":\"a\"}]", "problem",
         "x was paired with 192.168.1.9 port 8080, which is not this computer's now"},
        {doctor_server, NULL, NULL, "problem", "none runs"},
        {doctor_server, "{\"version\":\"" TRIVET_VERSION "\",\"pid\":7}", NULL, "ok", "process 7"},
        {doctor_server, "{\"version\":\"0.0.9\"}", NULL, "note", "0.0.9 runs"},
        {doctor_arrivals, "{\"uptime\":1000,\"arrived\":true}", "[]", "ok", "have connected"},
        {doctor_arrivals, "{\"uptime\":1000,\"code_made\":false}", "[]", "ok", "no phone"},
        {doctor_arrivals, "{\"uptime\":1000,\"code_made\":true}", "[]", "note", "ever arrived"},
        {doctor_arrivals, "{\"uptime\":100,\"code_made\":true}", "[]", "ok", "no phone"},
        {doctor_arrivals, "{\"uptime\":1000}", "[{\"address\":\"\",\"last_seen\":0,\"revoked\":0}]", "note",
         "ever arrived"},
        {doctor_arrivals, "{\"uptime\":1000}", "[{\"address\":\"127.0.0.1\",\"last_seen\":5,\"revoked\":0}]",
         "note", "ever arrived"},
        {doctor_arrivals, "{\"uptime\":1000}",
         "[{\"address\":\"192.168.1.9\",\"last_seen\":5,\"revoked\":0}]", "ok", "none since"},
        {doctor_mdns, "{\"mdns\":{\"state\":\"off\"}}", NULL, "ok", "off"},
        {doctor_mdns, "{\"mdns\":{\"state\":\"announced\",\"name\":\"anna\"}}", NULL, "ok", "anna"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        doctor d = {.folder = "/nowhere", .findings = json_array()};
        d.status = cases[i].status ? json_loads(cases[i].status, 0, NULL) : NULL;
        d.devices = cases[i].devices ? json_loads(cases[i].devices, 0, NULL) : NULL;
        d.moved = json_object_get(d.status, "moved");
        cases[i].check(&d);
        assert_int_equal(json_array_size(d.findings), 1);
        const json_t *finding = json_array_get(d.findings, 0);
        const char *level = json_string_value(json_object_get(finding, "level"));
        const char *text = json_string_value(json_object_get(finding, "finding"));
        if (strcmp(level, cases[i].level) != 0 || !strstr(text, cases[i].text))
            fail_msg("case %zu: %s: %s", i, level, text);
        assert_int_equal(d.problems, strcmp(level, "problem") == 0);
        assert_int_equal(d.notes, strcmp(level, "note") == 0);
        assert_int_equal(json_object_get(finding, "advice") == NULL, strcmp(level, "ok") == 0);
        json_decref(d.findings);
        json_decref(d.status);
        json_decref(d.devices);
    }
}

/* A message that is cut within a character, or holds a path of any bytes, is still told. */
static void test_any_bytes(void **state) {
    doctor d = {.findings = json_array()};

    (void)state;
    doctor_find(&d, DOCTOR_OK, "folder", NULL, "%s", "/home/\xff\xc3/x");
    assert_string_equal(json_string_value(json_object_get(json_array_get(d.findings, 0), "finding")),
                        "/home/\?\?/x");
    json_decref(d.findings);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rules),
        cmocka_unit_test(test_dates),
        cmocka_unit_test(test_findings),
        cmocka_unit_test(test_any_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
