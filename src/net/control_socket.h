/*
 * control_socket.h - Unix socket addresses of any length, and the wire format that both ends of control.h
 * share. For this room only.
 */
#ifndef TRIVET_NET_CONTROL_SOCKET_H
#define TRIVET_NET_CONTROL_SOCKET_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/* bind(2) and connect(2) on a new stream socket, close-on-exec and not yet listening. A file descriptor, or a negative errno. */
int control_socket_bind(const char *path); /* mode 0600; -EADDRINUSE where the path exists */
int control_socket_connect(const char *path);

/* `message` as a line, with "raw" set where `raw` is not NULL and taken out where it is; from malloc, NULL when out
 * of memory. *len is its length with the '\n'. */
char *control_line(json_t *message, const char *raw, size_t raw_len, size_t *len);

/*
 * Reads a line (without its '\n') into a new reference and the length of what follows it. NULL where it is no
 * object or "raw" is no number from 0 to CONTROL_MAX_RAW; *has_raw tells whether there was one.
 */
json_t *control_parse(const char *line, size_t len, bool *has_raw, size_t *raw_len);

#endif
