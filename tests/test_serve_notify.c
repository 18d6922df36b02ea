/*
 * What systemd is told: one datagram to a path or an abstract address, and nothing where there is none; the whole
 * server's life as its service manager sees it; and the watchdog.
 */
#include "log.h"
#include "serve/notify.h"
#include "serve/serve.h"
#include "serve/watchdog.h"

#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
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

/* ---- a service manager ---- */

/* A socket at an abstract address that is in NOTIFY_SOCKET from then on. */
static int manager_open(void) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char name[64];
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    int len = snprintf(name, sizeof name, "@trivet-manager-%ld", (long)getpid());
    memcpy(address.sun_path, name, (size_t)len + 1);
    address.sun_path[0] = '\0';
    len += (int)offsetof(struct sockaddr_un, sun_path);
    assert_int_equal(bind(fd, (const struct sockaddr *)&address, (socklen_t)len), 0);
    setenv("NOTIFY_SOCKET", name, 1);
    return fd;
}

/* The next datagram; "" where none came for a long time. */
static const char *manager_hears(int fd) {
    static char got[256];
    struct pollfd p = {.fd = fd, .events = POLLIN};

    got[0] = '\0';
    if (poll(&p, 1, 20000) == 1) {
        ssize_t n = recv(fd, got, sizeof got - 1, 0);
        got[n > 0 ? n : 0] = '\0';
    }
    return got;
}

static const char *hears_but_pings(int fd) {
    const char *got;
    while (strcmp(got = manager_hears(fd), "WATCHDOG=1") == 0)
        ;
    return got;
}

/* ---- the server's life ---- */

static int load_settings(void *ctx, config *fresh, config_tell_fn *tell, void *tell_ctx) {
    (void)ctx;
    config_init(fresh);
    fresh->port = 0;
    snprintf(fresh->host, sizeof fresh->host, "127.0.0.1");
    if (getenv("TEST_BROKEN")) {
        tell(tell_ctx, "broken");
        return -1;
    }
    return 0;
}

static pid_t start_server(const char *folder, int out) {
    pid_t pid = fork();

    if (pid == 0) {
        const reload_source source = {load_settings, NULL};
        config c;
        char own[32];
        dup2(out, STDERR_FILENO);
        snprintf(own, sizeof own, "%ld", (long)getpid());
        setenv("WATCHDOG_PID", own, 1);
        load_settings(NULL, &c, NULL, NULL);
        _exit(serve_run(folder, &c, &source));
    }
    return pid;
}

static void test_life(void **state) {
    char folder[] = "/tmp/trivet-notify-XXXXXX", command[64];
    int status, nowhere = open("/dev/null", O_WRONLY), fd = manager_open();
    unsigned long long usec;
    struct timespec now;

    (void)state;
    assert_non_null(mkdtemp(folder));
    setenv("WATCHDOG_USEC", "100000", 1);
    pid_t pid = start_server(folder, nowhere);
    assert_string_equal(hears_but_pings(fd), "READY=1");
    for (int i = 0; i < 3; i++)
        assert_string_equal(manager_hears(fd), "WATCHDOG=1");

    kill(pid, SIGHUP);
    const char *got = hears_but_pings(fd);
    clock_gettime(CLOCK_MONOTONIC, &now);
    assert_int_equal(sscanf(got, "RELOADING=1\nMONOTONIC_USEC=%llu", &usec), 1);
    assert_true(usec <= (unsigned long long)now.tv_sec * 1000000 + (unsigned long long)now.tv_nsec / 1000);
    assert_true(usec + 60000000 > (unsigned long long)now.tv_sec * 1000000);
    assert_string_equal(hears_but_pings(fd), "READY=1");

    kill(pid, SIGTERM);
    assert_string_equal(hears_but_pings(fd), "STOPPING=1");
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    close(fd);
    close(nowhere);
    unsetenv("WATCHDOG_USEC");
    snprintf(command, sizeof command, "rm -r %s", folder);
    assert_int_equal(system(command), 0);
}

/* ---- the watchdog ---- */

static void test_not_asked(void **state) {
    static const struct {
        const char *usec, *pid;
    } cases[] = {{NULL, NULL}, {"", NULL}, {"0", NULL},     {"x", NULL},    {"-5", NULL},
                 {"1s", NULL}, {"1", "1"}, {"1000000", ""}, {"1000", "-1"}, {"99999999999999999999", NULL}};
    uv_loop_t loop;
    worker idle;
    watchdog w;

    (void)state;
    uv_loop_init(&loop);
    worker_init(&idle, &loop);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        unsetenv("WATCHDOG_USEC");
        unsetenv("WATCHDOG_PID");
        if (cases[i].usec)
            setenv("WATCHDOG_USEC", cases[i].usec, 1);
        if (cases[i].pid)
            setenv("WATCHDOG_PID", cases[i].pid, 1);
        watchdog_start(&w, &loop, &idle, 1000);
        assert_false(w.running);
        watchdog_stop(&w);
    }
    unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
    assert_int_equal(uv_loop_close(&loop), 0); /* no handle was made */
}

struct stuck {
    worker_job job;
    int gate[2];
    watchdog *watchdog;
    uv_timer_t timer;
    int fd;
};

static void run_stuck(worker_job *job) {
    char byte;
    assert_int_equal(read(((struct stuck *)job)->gate[0], &byte, 1), 1);
}

static void done_stuck(worker_job *job) {
    (void)job;
}

/* Ends the job once the watchdog has fallen silent. */
static void on_look(uv_timer_t *timer) {
    struct stuck *s = timer->data;
    char got[64];

    if (!s->watchdog->silent)
        return;
    uv_timer_stop(timer);
    uv_close((uv_handle_t *)timer, NULL);
    while (recv(s->fd, got, sizeof got, MSG_DONTWAIT) > 0)
        ; /* from before */
    assert_int_equal(write(s->gate[1], "x", 1), 1);
}

static void test_stuck_worker(void **state) {
    struct stuck s = {.job = {run_stuck, done_stuck, NULL}, .fd = manager_open()};
    uv_loop_t loop;
    worker busy;
    watchdog w;

    (void)state;
    setenv("WATCHDOG_USEC", "10000", 1);
    log_set_level(LOG_ERROR);
    uv_loop_init(&loop);
    worker_init(&busy, &loop);
    watchdog_start(&w, &loop, &busy, 30);
    assert_true(w.running);
    s.watchdog = &w;
    assert_int_equal(pipe(s.gate), 0);
    worker_submit(&busy, &s.job);
    uv_timer_init(&loop, &s.timer);
    s.timer.data = &s;
    uv_timer_start(&s.timer, on_look, 1, 1);
    uv_run(&loop, UV_RUN_DEFAULT); /* until the job has ended */

    /* Silent while it was stuck; speaks again now. */
    char got[64];
    assert_true(w.silent);
    assert_int_equal(recv(s.fd, got, sizeof got, MSG_DONTWAIT), -1);
    uv_ref((uv_handle_t *)&w.timer);
    while (w.silent)
        uv_run(&loop, UV_RUN_ONCE);
    assert_string_equal(manager_hears(s.fd), "WATCHDOG=1");
    watchdog_stop(&w);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
    unsetenv("WATCHDOG_USEC");
    close(s.fd);
    close(s.gate[0]);
    close(s.gate[1]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_path), cmocka_unit_test(test_abstract),  cmocka_unit_test(test_nobody_there),
        cmocka_unit_test(test_life), cmocka_unit_test(test_not_asked), cmocka_unit_test(test_stuck_worker),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
