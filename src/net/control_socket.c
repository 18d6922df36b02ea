/*
 * Unix sockets by path. An address holds 107 bytes of path at most, and data folders may lie deeper: then the
 * folder is opened and the socket named through /proc/self/fd, which the kernel resolves to the same file.
 */
#include "control_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "control.h"

/* Fills `address`; *folder is then -1, or a descriptor that must stay open until the address was used. */
static int make_address(const char *path, struct sockaddr_un *address, int *folder) {
    const char *slash = strrchr(path, '/');
    char *parent;
    int len;

    *folder = -1;
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (strlen(path) < sizeof address->sun_path) {
        strcpy(address->sun_path, path);
        return 0;
    }
    parent = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
    if (!parent)
        return -ENOMEM;
    *folder = open(parent, O_PATH | O_DIRECTORY | O_CLOEXEC);
    free(parent);
    if (*folder < 0)
        return -errno;
    len = snprintf(address->sun_path, sizeof address->sun_path, "/proc/self/fd/%d/%s", *folder,
                   slash ? slash + 1 : path);
    return len < (int)sizeof address->sun_path ? 0 : -ENAMETOOLONG;
}

static int open_socket(const char *path, int (*use)(int, const struct sockaddr *, socklen_t)) {
    struct sockaddr_un address;
    int folder, error = make_address(path, &address, &folder);
    int fd = error == 0 ? socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0) : -1;

    if (error == 0 && fd < 0)
        error = -errno;
    if (error == 0 && use(fd, (struct sockaddr *)&address, sizeof address) != 0)
        error = -errno;
    if (folder >= 0)
        close(folder);
    if (error == 0)
        return fd;
    if (fd >= 0)
        close(fd);
    return error;
}

int control_socket_bind(const char *path) {
    int fd = open_socket(path, bind), error;

    /* Nobody can connect before listen(2), so nobody gets in between. */
    if (fd >= 0 && chmod(path, 0600) != 0) {
        error = -errno;
        close(fd);
        unlink(path);
        return error;
    }
    return fd;
}

static int connect_patiently(int fd, const struct sockaddr *address, socklen_t len) {
    int result;

    do
        result = connect(fd, address, len);
    while (result != 0 && errno == EINTR);
    return result;
}

int control_socket_connect(const char *path) {
    return open_socket(path, connect_patiently);
}

char *control_line(json_t *message, const char *raw, size_t raw_len, size_t *len) {
    size_t size;
    char *line;

    if (raw ? json_object_set_new(message, "raw", json_integer((json_int_t)raw_len)) != 0
            : json_object_del(message, "raw") != 0 && json_object_get(message, "raw"))
        return NULL;
    size = json_dumpb(message, NULL, 0, JSON_COMPACT);
    line = size > 0 ? malloc(size + 1) : NULL;
    if (!line)
        return NULL;
    json_dumpb(message, line, size, JSON_COMPACT);
    line[size] = '\n';
    *len = size + 1;
    return line;
}

json_t *control_parse(const char *line, size_t len, bool *has_raw, size_t *raw_len) {
    json_t *message = json_loadb(line, len, JSON_REJECT_DUPLICATES, NULL), *raw;

    *raw_len = 0;
    raw = json_object_get(message, "raw");
    *has_raw = raw != NULL;
    if (!json_is_object(message) || (raw && (!json_is_integer(raw) || json_integer_value(raw) < 0 ||
                                             json_integer_value(raw) > CONTROL_MAX_RAW))) {
        json_decref(message);
        return NULL;
    }
    *raw_len = (size_t)json_integer_value(raw);
    return message;
}
