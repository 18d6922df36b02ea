/*
 * control.h - requests between `trivet` commands and the running server, over a Unix socket.
 *
 * A message is one line of JSON (an object) ended by '\n'. If the object holds "raw": N, exactly N bytes of
 * anything follow the line: a state document, which never passes through a JSON library. Each request gets
 * one response, in order. The server's end is asynchronous on the loop, the client's end blocks.
 */
#ifndef TRIVET_NET_CONTROL_H
#define TRIVET_NET_CONTROL_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

enum { CONTROL_MAX_LINE = 1 << 20, CONTROL_MAX_RAW = 1 << 30 };

/* ---- the server's end ---- */

typedef struct control_server control_server;
typedef struct control_call control_call; /* one request that waits for its response */

typedef struct {
    /* `request` and `raw` (NULL: none; from malloc) are the owner's from here on. */
    void (*on_request)(void *owner, control_call *call, json_t *request, char *raw, size_t raw_len);
    void (*on_closed)(void *owner); /* control_server_close has finished */
} control_events;

/* Binds `path` with mode 0600, in place of a stale socket there. 0, or a negative libuv error. */
int control_server_new(uv_loop_t *loop, const char *path, const control_events *events, void *owner,
                       control_server **out);

/*
 * Answers, and frees the call. `response` (a reference is taken over) and `raw` (from malloc, may be NULL)
 * are the server's. Safe after the peer has gone. Every call must be answered.
 */
void control_answer(control_call *call, json_t *response, char *raw, size_t raw_len);

/* Stops accepting, lets answers under way go out, removes the socket; on_closed follows when all calls are
 * answered and gone. An answer that nobody reads is given up after a second; called again, at once. */
void control_server_close(control_server *server);
void control_server_free(control_server *server);

/* ---- the client's end ---- */

/* Connects. Returns a file descriptor, or -1 where nobody listens there. A path too long for a Unix socket is
 * reached too. */
int control_connect(const char *path);

/*
 * Sends one request and waits for its response, however long it takes. `raw` may be NULL. *response is a new
 * reference, *out (may be NULL on return) from malloc. 0, or -1 where the connection broke.
 */
int control_call_blocking(int fd, json_t *request, const char *raw, size_t raw_len, json_t **response,
                          char **out, size_t *out_len);

#endif
