/*
 * handshake.h - what makes a WebSocket of an HTTP connection (RFC 6455 §4), either end, and whom the server
 * lets do so (protocol §1). No sockets here.
 */
#ifndef TRIVET_NET_HANDSHAKE_H
#define TRIVET_NET_HANDSHAKE_H

#include "http.h"

enum { HANDSHAKE_KEY_SIZE = 25, HANDSHAKE_ACCEPT_SIZE = 29 }; /* base64 of 16 and of 20 bytes, and a NUL */

/* Sec-WebSocket-Accept for a key. */
void handshake_accept(const char *key, char out[static HANDSHAKE_ACCEPT_SIZE]);

/* Whether a request asks for a WebSocket at all; whether it does so rightly is handshake_check's. */
bool handshake_wanted(const http_head *head);

/* 0, or the status to refuse with: 400, 403 (Origin), 426; *reason is then what was wrong. */
int handshake_check(const http_head *head, const char **reason);

/* The answer to a request that passed, from malloc; NULL when out of memory. */
char *handshake_response(const http_head *head);

/* The client's side: a fresh key (false: no random bytes), the request (from malloc), and what is wrong with
 * the answer (NULL: nothing). */
bool handshake_new_key(char out[static HANDSHAKE_KEY_SIZE]);
char *handshake_request(const char *host, uint16_t port, const char *key);
const char *handshake_check_response(const http_head *head, const char *key);

/* Who may be named by `Host` in a plain request: an IP literal, localhost, `name`, `name`.local or `extra`
 * (NULL: none); port and case do not matter. */
bool handshake_host_allowed(const char *host, const char *name, const char *extra);

#endif
