/*
 * listener.h - the TCP port: accepts, speaks HTTP/1.1 (llhttp), and turns upgrades into WebSocket
 * connections.
 *
 * Protocol §1 is enforced here: which peers may connect, Host and Origin, sizes of heads and bodies,
 * time-outs, and the places for connections that have not shown a secret yet. Answers to plain requests come
 * from the owner.
 */
#ifndef TRIVET_NET_LISTENER_H
#define TRIVET_NET_LISTENER_H

#include "websocket.h"

typedef struct listener listener;

enum { LISTENER_ADDRESSES = 8 }; /* of one name that are listened on */

typedef struct {
    const char *method; /* "GET"; borrowed for the call, like all here */
    const char *path;   /* without the query */
    const char *address;
    const char *local; /* the address of ours that was asked, and its port */
    uint16_t local_port;
    bool loopback;
} http_request;

typedef struct {
    int status; /* 200, 404, ... */
    const char *content_type;
    const char *allow; /* NULL, or the methods for a 405 */
    char *body;        /* from malloc; the listener's */
    size_t len;
} http_response;

typedef struct {
    /* Fills `response`; a zero status becomes 404. HEAD is asked as GET and answered without the body. */
    void (*on_request)(void *owner, const http_request *request, http_response *response);
    /* An upgrade was accepted. The owner calls websocket_set_owner before it returns. */
    void (*on_websocket)(void *owner, websocket *ws);
    /* A connection was refused: `reason` for the log and metrics ("address", "host", "origin", "head too
     * large", "time-out", ...). */
    void (*on_refused)(void *owner, const char *address, const char *reason);
    void (*on_closed)(void *owner); /* listener_close has finished: every handle is closed */
} listener_events;

typedef struct {
    const char *host;                 /* an address, or a name: all that it has; NULL: all there are */
    uint16_t port;                    /* 0 picks one */
    bool allow_any;                   /* protocol §1: `allow = any` */
    const char *server_name;          /* <name> and <name>.local pass as Host */
    const char *extra_host;           /* a configured name, or NULL */
    const char *const *known_hosts;   /* more of them, up to a NULL; borrowed, may be NULL */
    uint64_t unauthenticated_timeout; /* ms from accept until listener_authenticated; 10000 */
    unsigned unauthenticated_per_address, unauthenticated_max; /* 8, 64 */
    size_t max_head, max_body;                                 /* bytes; 16 KiB, 64 KiB */
    websocket_options websocket;
} listener_options;

#define LISTENER_OPTIONS_INIT                                                                                \
    { NULL, 8080, false, "trivet", NULL, NULL, 10000, 8, 64, 16384, 65536, WEBSOCKET_OPTIONS_INIT }

/*
 * Binds and listens; 0, or a negative libuv error (UV_EADDRINUSE, UV_EACCES, ...). Strings are copied; `events`
 * must outlive the listener. After an error the loop needs one more turn before uv_loop_close().
 */
int listener_new(uv_loop_t *loop, const listener_options *options, const listener_events *events, void *owner,
                 listener **out);

/* Takes over what may change while it runs, for connections from now on: all but host and port. 0, or UV_ENOMEM and
 * nothing has changed. */
int listener_update(listener *l, const listener_options *options);

uint16_t listener_port(const listener *l);

/* The addresses listened on, "::" or "0.0.0.0" for all; *out is borrowed. */
size_t listener_bound(const listener *l, const struct sockaddr_storage **out);

/* Other names in place of options.known_hosts; borrowed until the next call, or the listener's end. */
void listener_set_known_hosts(listener *l, const char *const *names);

/* The peer has shown its secret: it leaves the unauthenticated places and their time-out. */
void listener_authenticated(listener *l, websocket *ws);

/*
 * The peer has shown a wrong secret, and its owner will say so and close, after a delay (protocol §2). The time-out,
 * which is for the handshake, does not come in between; the place stays taken, and who is put out of it hears
 * `code` and `reason`, a constant, as it would from the owner.
 */
void listener_judged(listener *l, websocket *ws, int code, const char *reason);

size_t listener_connections(const listener *l); /* open ones, plain HTTP included */

/*
 * Stops accepting and ends every connection (WebSockets with 1001 and `reason`); on_closed follows when all
 * are gone, within the close time-out. Called again it waits for no peer any more. listener_free after that.
 */
void listener_close(listener *l);
void listener_free(listener *l);

/* Whether a numeric address is loopback, private, link-local, shared (100.64/10), unique local or of an own
 * prefix. */
bool listener_address_is_local(const char *address);

#endif
