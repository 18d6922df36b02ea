/* What systemd is told: one datagram to a path or an abstract address, and nothing where there is none. */
#include "serve/notify.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

/* Binds `name` ('@' first: abstract), sends, and gives what arrived. */
static void expect_datagram(const char *name) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char got[64] = "";
    int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

    assert_true(fd >= 0 && strlen(name) < sizeof address.sun_path);
    memcpy(address.sun_path, name, strlen(name) + 1);
    if (name[0] == '@')
        address.sun_path[0] = '\0';
    socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name));
    assert_int_equal(bind(fd, (const struct sockaddr *)&address, len), 0);
    setenv("NOTIFY_SOCKET", name, 1);
    notify("READY=1");
    assert_int_equal(recv(fd, got, sizeof got - 1, MSG_DONTWAIT), 7);
    assert_string_equal(got, "READY=1");
    close(fd);
}

static void test_path(void **state) {
    char name[64];
    (void)state;
    snprintf(name, sizeof name, "/tmp/trivet-notify-%ld", (long)getpid());
    expect_datagram(name);
    unlink(name);
}

static void test_abstract(void **state) {
    char name[64];
    (void)state;
    snprintf(name, sizeof name, "@trivet-notify-%ld", (long)getpid());
    expect_datagram(name);
}

static void test_nobody_there(void **state) {
    static const char *const names[] = {"", "relative", "/nonexistent/socket"};
    char huge[200];
    (void)state;
    unsetenv("NOTIFY_SOCKET");
    notify("READY=1");
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        setenv("NOTIFY_SOCKET", names[i], 1);
        notify("READY=1");
    }
    memset(huge, 'x', sizeof huge - 1);
    huge[0] = '/';
    huge[sizeof huge - 1] = '\0';
    setenv("NOTIFY_SOCKET", huge, 1);
    notify("READY=1");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_path),
        cmocka_unit_test(test_abstract),
        cmocka_unit_test(test_nobody_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
