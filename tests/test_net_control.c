/* The control socket: both of its ends, and ends that behave badly. */
#include "test_net_support.h"

#include "net/control.h"

#include <sys/stat.h>
#include <sys/un.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

/*
 * A server that answers {"ok": true, "echo": <request>} with the raw bytes it got; {"hold": true} waits until
 * release_held(), {"size": N} answers with N raw bytes.
 */
static uv_loop_t loop;
static control_server *control;
static control_call *held;
static json_t *held_request;
static unsigned requests;
static bool closed;
static char folder[512], path[1024];

static json_t *echo_of(json_t *request) {
    return json_pack("{s:b,s:o}", "ok", 1, "echo", request);
}

static void on_request(void *owner, control_call *call, json_t *request, char *raw, size_t raw_len) {
    json_t *size = json_object_get(request, "size");

    (void)owner;
    requests++;
    if (raw)
        assert_int_equal(raw[raw_len], '\0');
    if (size) {
        free(raw);
        raw_len = (size_t)json_integer_value(size);
        raw = malloc(raw_len + 1);
        memset(raw, 'r', raw_len);
    }
    if (json_object_get(request, "hold")) {
        held = call;
        held_request = request;
        free(raw);
        return;
    }
    control_answer(call, echo_of(request), raw, raw_len);
}

static void release_held(void) {
    control_answer(held, echo_of(held_request), NULL, 0);
    held = NULL;
}

static void on_closed(void *owner) {
    (void)owner;
    closed = true;
}

static const control_events events = {on_request, on_closed};

static void turn(void) {
    uv_run(&loop, UV_RUN_NOWAIT);
    poll(NULL, 0, 1);
}

#define UNTIL(condition)                                                                                     \
    do {                                                                                                     \
        int guard_ = GUARD;                                                                                  \
        while (!(condition)) {                                                                               \
            if (guard_-- == 0)                                                                               \
                fail_msg("waited in vain for: %s", #condition);                                              \
            turn();                                                                                          \
        }                                                                                                    \
    } while (0)

static int setup(void **state) {
    (void)state;
    signal(SIGPIPE, SIG_IGN);
    strcpy(folder, "/tmp/trivet-control-XXXXXX");
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/control.sock", folder);
    assert_int_equal(uv_loop_init(&loop), 0);
    assert_int_equal(control_server_new(&loop, path, &events, NULL, &control), 0);
    closed = false;
    requests = 0;
    return 0;
}

static void stop(void) {
    control_server_close(control);
    assert_false(closed);
    UNTIL(closed);
    assert_int_equal(access(path, F_OK), -1);
    control_server_free(control);
    assert_int_equal(uv_loop_close(&loop), 0);
}

static int teardown(void **state) {
    (void)state;
    stop();
    assert_int_equal(rmdir(folder), 0);
    return 0;
}

/* ---- the blocking client, in a thread of its own ---- */

typedef struct {
    json_t *request;
    const char *raw;
    size_t raw_len;
    int calls;
    int result; /* of the last call */
    json_t *response;
    char *out;
    size_t out_len;
    bool connected;
    volatile bool done;
} blocking_calls;

static void run_calls(void *context) {
    blocking_calls *calls = context;
    int fd = control_connect(path);

    calls->connected = fd >= 0;
    for (int i = 0; fd >= 0 && i < calls->calls; i++) {
        json_decref(calls->response);
        free(calls->out);
        calls->result = control_call_blocking(fd, calls->request, calls->raw, calls->raw_len,
                                              &calls->response, &calls->out, &calls->out_len);
        if (calls->result != 0)
            break;
    }
    if (fd >= 0)
        close(fd);
    __atomic_store_n(&calls->done, true, __ATOMIC_RELEASE);
}

static void call(blocking_calls *calls) {
    uv_thread_t thread;

    calls->calls = calls->calls ? calls->calls : 1;
    assert_int_equal(uv_thread_create(&thread, run_calls, calls), 0);
    UNTIL(__atomic_load_n(&calls->done, __ATOMIC_ACQUIRE) || held);
    if (held)
        release_held();
    UNTIL(__atomic_load_n(&calls->done, __ATOMIC_ACQUIRE));
    uv_thread_join(&thread);
    json_decref(calls->request);
}

static void finish(blocking_calls *calls) {
    json_decref(calls->response);
    free(calls->out);
}

static void test_round_trip(void **state) {
    blocking_calls calls = {.request = json_pack("{s:s}", "do", "status")};

    (void)state;
    call(&calls);
    assert_int_equal(calls.result, 0);
    assert_true(json_is_true(json_object_get(calls.response, "ok")));
    assert_string_equal(json_string_value(json_object_get(json_object_get(calls.response, "echo"), "do")),
                        "status");
    assert_null(calls.out);
    finish(&calls);
}

static void test_raw_both_ways(void **state) {
    static const size_t sizes[] = {0, 1, 4095, 4096, 65536, 3000000};
    char *raw = malloc(3000000);

    (void)state;
    for (size_t i = 0; i < 3000000; i++)
        raw[i] = (char)(i * 7); /* NULs and newlines among them */
    for (size_t i = 0; i < COUNT(sizes); i++) {
        blocking_calls calls = {.request = json_object(), .raw = raw, .raw_len = sizes[i], .calls = 3};

        call(&calls);
        assert_int_equal(calls.result, 0);
        assert_non_null(calls.out);
        assert_int_equal(calls.out_len, sizes[i]);
        assert_memory_equal(calls.out, raw, sizes[i]);
        finish(&calls);
    }
    assert_int_equal(requests, 3 * COUNT(sizes));
    free(raw);
}

static void test_large_answer(void **state) {
    blocking_calls calls = {.request = json_pack("{s:i}", "size", 20000000)};

    (void)state;
    call(&calls);
    assert_int_equal(calls.result, 0);
    assert_int_equal(calls.out_len, 20000000);
    assert_int_equal(calls.out[19999999], 'r');
    finish(&calls);
}

static void test_answer_later(void **state) {
    blocking_calls calls = {.request = json_pack("{s:b}", "hold", 1)};

    (void)state;
    call(&calls);
    assert_int_equal(calls.result, 0);
    finish(&calls);
}

static void test_nobody_there(void **state) {
    (void)state;
    strcat(path, ".not");
    assert_int_equal(control_connect(path), -1);
    path[strlen(path) - 4] = '\0';
}

/* ---- a raw client ---- */

static int raw_connect(void) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    strcpy(address.sun_path, path);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

static void raw_write(int fd, const char *data, size_t len) {
    while (len > 0) {
        ssize_t n = send(fd, data, len, MSG_NOSIGNAL);

        if (n < 0 && errno != EAGAIN)
            return;
        data += n > 0 ? n : 0;
        len -= n > 0 ? (size_t)n : 0;
        uv_run(&loop, UV_RUN_NOWAIT);
    }
}

/* Reads until `lines` lines have come, or the end; the text is static. */
static const char *read_lines(int fd, int lines) {
    static char text[65536];
    size_t len = 0;
    int guard = GUARD;

    for (;;) {
        ssize_t n = recv(fd, text + len, sizeof text - 1 - len, 0);
        int have = 0;

        len += n > 0 ? (size_t)n : 0;
        text[len] = '\0';
        for (size_t i = 0; i < len; i++)
            have += text[i] == '\n';
        if (n == 0 || have >= lines)
            return text;
        assert_true(guard-- > 0);
        turn();
    }
}

static void test_mode_and_stale(void **state) {
    struct stat file;
    control_server *second;
    int fd;

    (void)state;
    assert_int_equal(stat(path, &file), 0);
    assert_int_equal(file.st_mode & 0777, 0600);
    /* A living server's socket stays. */
    assert_int_equal(control_server_new(&loop, path, &events, NULL, &second), UV_EADDRINUSE);
    stop();
    /* One that a crash left behind is replaced. */
    {
        struct sockaddr_un address = {.sun_family = AF_UNIX};

        strcpy(address.sun_path, path);
        fd = socket(AF_UNIX, SOCK_STREAM, 0);
        assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
        close(fd);
    }
    assert_int_equal(uv_loop_init(&loop), 0);
    closed = false;
    assert_int_equal(control_server_new(&loop, path, &events, NULL, &control), 0);
    stop();
    /* Anything else is left alone. */
    fd = open(path, O_CREAT | O_WRONLY, 0600);
    close(fd);
    assert_int_equal(uv_loop_init(&loop), 0);
    assert_int_equal(control_server_new(&loop, path, &events, NULL, &second), UV_EEXIST);
    assert_int_equal(unlink(path), 0);
    closed = false;
    assert_int_equal(control_server_new(&loop, path, &events, NULL, &control), 0);
}

static void test_folder_missing(void **state) {
    control_server *second;

    (void)state;
    assert_int_equal(control_server_new(&loop, "/nonexistent/x.sock", &events, NULL, &second), UV_ENOENT);
    assert_null(second);
}

/* A path that no socket address can hold. */
static void test_long_path(void **state) {
    char deep[200], long_folder[800];
    blocking_calls calls = {.request = json_object()};

    (void)state;
    stop();
    memset(deep, 'd', 150);
    deep[150] = '\0';
    snprintf(long_folder, sizeof long_folder, "%s/%s", folder, deep);
    assert_int_equal(mkdir(long_folder, 0700), 0);
    snprintf(path, sizeof path, "%s/control.sock", long_folder);
    assert_int_equal(uv_loop_init(&loop), 0);
    closed = false;
    assert_int_equal(control_server_new(&loop, path, &events, NULL, &control), 0);
    call(&calls);
    assert_int_equal(calls.result, 0);
    finish(&calls);
    stop();
    assert_int_equal(rmdir(long_folder), 0);
    snprintf(path, sizeof path, "%s/control.sock", folder);
    assert_int_equal(uv_loop_init(&loop), 0);
    closed = false;
    assert_int_equal(control_server_new(&loop, path, &events, NULL, &control), 0);
}

/* Requests that come in one go are answered in order, each before the next one is asked. */
static void test_several_at_once(void **state) {
    int fd = raw_connect();
    const char *text;

    (void)state;
    raw_write(fd, "{\"n\":1,\"hold\":1}\n{\"n\":2,\"raw\":4}\n{\"}\n{\"n\":3}\n", 46);
    UNTIL(held);
    assert_int_equal(requests, 1);
    for (int i = 0; i < 5; i++)
        turn();
    assert_int_equal(requests, 1);
    release_held();
    text = read_lines(fd, 4);
    assert_int_equal(requests, 3);
    assert_string_equal(text, "{\"ok\":true,\"echo\":{\"n\":1,\"hold\":1}}\n"
                              "{\"ok\":true,\"echo\":{\"n\":2,\"raw\":4},\"raw\":4}\n{\"}\n"
                              "{\"ok\":true,\"echo\":{\"n\":3}}\n");
    close(fd);
}

static void test_one_byte_at_a_time(void **state) {
    static const char bytes[] = "{\"raw\":3}\na\nc{\"n\":3}\n";
    int fd = raw_connect();

    (void)state;
    for (size_t i = 0; i + 1 < sizeof bytes; i++) {
        raw_write(fd, bytes + i, 1);
        turn();
    }
    assert_string_equal(
        read_lines(fd, 3),
        "{\"ok\":true,\"echo\":{\"raw\":3},\"raw\":3}\na\nc{\"ok\":true,\"echo\":{\"n\":3}}\n");
    close(fd);
}

static void test_refused_lines(void **state) {
    static const char *const lines[] = {
        "\n",
        "[]\n",
        "nonsense\n",
        "{\"a\":1\n",
        "{} {}\n",
        "{\"raw\":-1}\n",
        "{\"raw\":1073741825}\n",
        "{\"raw\":\"3\"}\nabc",
        "{\"raw\":1.5}\n",
        "{\"a\":1,\"a\":2}\n",
        "\xff\n",
    };

    (void)state;
    for (size_t i = 0; i < COUNT(lines); i++) {
        int fd = raw_connect();
        const char *text;

        raw_write(fd, lines[i], strlen(lines[i]));
        text = read_lines(fd, 100); /* up to the end: nothing more is read from such a one */
        if (!strstr(text, "\"ok\":false") || !strstr(text, "\"status\":76"))
            fail_msg("%s: %s", lines[i], text);
        close(fd);
    }
    assert_int_equal(requests, 0);
}

static void test_line_too_long(void **state) {
    char *line = malloc(CONTROL_MAX_LINE + 2);
    int fd = raw_connect();

    (void)state;
    memset(line, ' ', CONTROL_MAX_LINE + 2);
    line[0] = '{';
    line[CONTROL_MAX_LINE - 1] = '}';
    line[CONTROL_MAX_LINE] = '\n';
    raw_write(fd, line, CONTROL_MAX_LINE + 1);
    assert_string_equal(read_lines(fd, 1), "{\"ok\":true,\"echo\":{}}\n");
    line[CONTROL_MAX_LINE] = ' ';
    raw_write(fd, line, CONTROL_MAX_LINE + 2);
    assert_non_null(strstr(read_lines(fd, 100), "too long"));
    close(fd);
    free(line);
}

/* Whoever leaves, at any moment, leaves nothing behind. */
static void test_peer_gone(void **state) {
    static const char *const beginnings[] = {
        "", "{", "{}", "{\"raw\":10}\nabc", "{}\n", "{\"size\":1000000}\n"};
    int fd;

    (void)state;
    for (size_t i = 0; i < COUNT(beginnings); i++) {
        fd = raw_connect();
        raw_write(fd, beginnings[i], strlen(beginnings[i]));
        close(fd);
        turn();
    }
    /* While its call is open: the call is answered all the same. */
    fd = raw_connect();
    raw_write(fd, "{\"hold\":1}\n{\"hold\":1}\n", 22);
    UNTIL(held);
    close(fd);
    for (int i = 0; i < 3; i++)
        turn();
    release_held();
    for (int i = 0; i < 5 && !held; i++)
        turn();
    if (held) /* its second request had come, too */
        release_held();
}

/* The server stops while a call is open: it waits for the answer, and the peer gets it. */
static void test_close_with_an_open_call(void **state) {
    int fd = raw_connect(), idle = raw_connect();

    (void)state;
    raw_write(fd, "{\"hold\":1}\n{\"never\":\"asked\"}\n", 29);
    UNTIL(held);
    control_server_close(control);
    assert_int_equal(access(path, F_OK), -1);
    for (int i = 0; i < 5; i++)
        turn();
    assert_false(closed);
    assert_string_equal(read_lines(idle, 1), "");
    release_held();
    assert_false(closed);
    assert_string_equal(read_lines(fd, 2), "{\"ok\":true,\"echo\":{\"hold\":1}}\n");
    UNTIL(closed);
    assert_int_equal(requests, 1);
    close(fd);
    close(idle);
    control_server_free(control);
    assert_int_equal(control_server_new(&loop, path, &events, NULL, &control), 0);
    closed = false;
}

/* The server stops, and a peer does not read its answer: after a moment it is not waited for. Called again, not
 * at all. */
static void test_close_with_an_unread_answer(void **state) {
    (void)state;
    for (int again = 0; again < 2; again++) {
        int fd = raw_connect();

        requests = 0;
        raw_write(fd, "{\"size\":10000000}\n", 18);
        UNTIL(requests);
        for (int i = 0; i < 5; i++)
            turn();
        control_server_close(control);
        if (again)
            control_server_close(control);
        for (int i = 0; i < 5; i++)
            turn();
        assert_int_equal(closed, again);
        while (!closed)
            uv_run(&loop, UV_RUN_ONCE);
        close(fd);
        control_server_free(control);
        assert_int_equal(control_server_new(&loop, path, &events, NULL, &control), 0);
        closed = false;
    }
}

/* The client's end sees a server that breaks off as an error, wherever that happens. */
static void test_server_breaks_off(void **state) {
    static const char response[] = "{\"ok\":true,\"raw\":3}\nabc"; /* and a NUL too many */
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    (void)state;
    stop();
    strcpy(address.sun_path, path);
    for (size_t len = 0; len <= sizeof response; len++) {
        blocking_calls calls = {.request = json_object(), .calls = 1};
        int listening = socket(AF_UNIX, SOCK_STREAM, 0), fd;
        uv_thread_t thread;
        char request[64];

        assert_int_equal(bind(listening, (struct sockaddr *)&address, sizeof address), 0);
        assert_int_equal(listen(listening, 1), 0);
        assert_int_equal(uv_thread_create(&thread, run_calls, &calls), 0);
        fd = accept(listening, NULL, NULL);
        assert_true(recv(fd, request, sizeof request, 0) > 0);
        assert_int_equal(send(fd, response, len, 0), len);
        close(fd);
        uv_thread_join(&thread);
        close(listening);
        unlink(path);
        assert_int_equal(calls.result, len == sizeof response - 1 ? 0 : -1);
        if (calls.result == 0)
            assert_memory_equal(calls.out, "abc", 3);
        else
            assert_true(!calls.response && !calls.out);
        json_decref(calls.request);
        finish(&calls);
    }
    assert_int_equal(uv_loop_init(&loop), 0);
    closed = false;
    assert_int_equal(control_server_new(&loop, path, &events, NULL, &control), 0);
}

int main(void) {
#define WITH_SERVER(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        WITH_SERVER(test_round_trip),
        WITH_SERVER(test_raw_both_ways),
        WITH_SERVER(test_large_answer),
        WITH_SERVER(test_answer_later),
        WITH_SERVER(test_nobody_there),
        WITH_SERVER(test_mode_and_stale),
        WITH_SERVER(test_folder_missing),
        WITH_SERVER(test_long_path),
        WITH_SERVER(test_several_at_once),
        WITH_SERVER(test_one_byte_at_a_time),
        WITH_SERVER(test_refused_lines),
        WITH_SERVER(test_line_too_long),
        WITH_SERVER(test_peer_gone),
        WITH_SERVER(test_close_with_an_open_call),
        WITH_SERVER(test_close_with_an_unread_answer),
        WITH_SERVER(test_server_breaks_off),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
