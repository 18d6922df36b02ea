/* A connection per question, which the server closes behind its answer. */
#include "net/ask.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "net/address.h"

enum { MAX_ANSWER = 4096 };

int64_t ask_clock(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static bool wait_for(int fd, short events, int64_t end) {
    struct pollfd wait = {.fd = fd, .events = events};
    int64_t left = end - ask_clock();
    return left > 0 && poll(&wait, 1, (int)left) > 0;
}

static int connect_to(const char *address, uint16_t port, int64_t end) {
    struct sockaddr_storage to;
    int failed = 1;
    socklen_t len = sizeof failed;
    if (!address_parse(address, port, &to))
        return -1;
    int fd = socket(to.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    len = to.ss_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
    if (fd >= 0 && connect(fd, (const struct sockaddr *)&to, len) != 0) {
        len = sizeof failed;
        if (errno != EINPROGRESS || !wait_for(fd, POLLOUT, end) ||
            getsockopt(fd, SOL_SOCKET, SO_ERROR, &failed, &len) != 0 || failed != 0) {
            close(fd);
            return -1;
        }
    }
    return fd;
}

/* A path from a code that somebody made up must not bring header fields of its own. */
static bool is_path(const char *path) {
    for (const char *p = path; *p != '\0'; p++)
        if ((unsigned char)*p <= ' ' || *p == 0x7f)
            return false;
    return true;
}

static bool send_request(int fd, const char *address, uint16_t port, const char *path) {
    char request[512];
    int host_len = (int)strcspn(address, "%");
    bool literal = strchr(address, ':') != NULL;
    int n =
        snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: %s%.*s%s:%u\r\nConnection: close\r\n\r\n",
                 path, literal ? "[" : "", host_len, address, literal ? "]" : "", port);
    return n > 0 && (size_t)n < sizeof request && send(fd, request, (size_t)n, MSG_NOSIGNAL) == n;
}

static json_t *read_answer(const char *answer, size_t len) {
    const char *body = memmem(answer, len, "\r\n\r\n", 4);
    if (len < 13 || memcmp(answer, "HTTP/1.1 200 ", 13) != 0 || body == NULL)
        return NULL;
    body += 4;
    return json_loadb(body, len - (size_t)(body - answer), 0, NULL);
}

int ask_json(const char *address, uint16_t port, const char *path, int64_t patience, json_t **out) {
    char answer[MAX_ANSWER];
    int64_t end = ask_clock() + patience;
    size_t len = 0;
    int fd = connect_to(address, port, end);
    *out = NULL;
    if (fd < 0)
        return -1;
    if (is_path(path) && send_request(fd, address, port, path))
        while (len < sizeof answer && wait_for(fd, POLLIN, end)) {
            ssize_t got = recv(fd, answer + len, sizeof answer - len, 0);
            if (got <= 0)
                break;
            len += (size_t)got;
        }
    close(fd);
    *out = read_answer(answer, len);
    return 0;
}
