/* The command's end of the control socket: blocking, one call at a time. */
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "control.h"
#include "control_socket.h"

/* Bytes that have come and were not used yet. */
typedef struct {
    char *data;
    size_t len, size;
} input;

int control_connect(const char *path) {
    int fd = control_socket_connect(path);

    return fd < 0 ? -1 : fd;
}

/* Waits until the descriptor can be read from or written to; false where it failed. */
static bool wait_for(int fd, short events) {
    struct pollfd poll_fd = {.fd = fd, .events = events};
    int n;

    do
        n = poll(&poll_fd, 1, -1);
    while (n < 0 && errno == EINTR);
    return n > 0;
}

static bool send_all(int fd, const char *data, size_t len) {
    while (len > 0) {
        ssize_t n = wait_for(fd, POLLOUT) ? send(fd, data, len, MSG_NOSIGNAL) : -1;

        if (n < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (n < 0)
            return false;
        data += n;
        len -= (size_t)n;
    }
    return true;
}

/* Reads some bytes more; `most` bounds what is kept. */
static bool read_more(int fd, input *in, size_t most) {
    ssize_t n;

    if (in->len == in->size) {
        size_t size = in->size ? in->size * 2 : 4096;
        char *grown;

        if (size > most)
            size = most;
        grown = size > in->size ? realloc(in->data, size) : NULL;
        if (!grown)
            return false;
        in->data = grown;
        in->size = size;
    }
    do
        n = wait_for(fd, POLLIN) ? recv(fd, in->data + in->len, in->size - in->len, 0) : -1;
    while (n < 0 && (errno == EINTR || errno == EAGAIN));
    if (n <= 0)
        return false;
    in->len += (size_t)n;
    return true;
}

/* Reads one response; what is in `in` afterwards is of no use. */
static int read_response(int fd, input *in, json_t **response, char **out, size_t *out_len) {
    char *end = NULL;
    size_t line_len, raw_len, seen = 0;
    bool has_raw;

    while (!(end = in->len > seen ? memchr(in->data + seen, '\n', in->len - seen) : NULL)) {
        seen = in->len;
        if (!read_more(fd, in, CONTROL_MAX_LINE))
            return -1;
    }
    line_len = (size_t)(end - in->data);
    *response = control_parse(in->data, line_len, &has_raw, &raw_len);
    if (!*response)
        return -1;
    line_len++;
    memmove(in->data, in->data + line_len, in->len - line_len);
    in->len -= line_len;
    while (in->len < raw_len)
        if (!read_more(fd, in, raw_len > in->size ? raw_len + 1 : in->size))
            return -1;
    if (in->len > raw_len || (has_raw && !in->data)) /* nobody asked for more */
        return -1;
    if (has_raw) {
        *out = in->data;
        *out_len = raw_len;
        in->data = NULL;
    }
    return 0;
}

int control_call_blocking(int fd, json_t *request, const char *raw, size_t raw_len, json_t **response,
                          char **out, size_t *out_len) {
    input in = {NULL, 0, 0};
    size_t len;
    char *line = control_line(request, raw, raw_len, &len);
    int result = -1;

    *response = NULL;
    *out = NULL;
    *out_len = 0;
    if (line) {
        /* A server that refuses the request may answer and close before it has read all of it. */
        if (send_all(fd, line, len) && raw_len > 0)
            send_all(fd, raw, raw_len);
        result = read_response(fd, &in, response, out, out_len);
    }
    if (result != 0) {
        json_decref(*response);
        *response = NULL;
    }
    free(line);
    free(in.data);
    return result;
}
