/*
 * http.h - HTTP/1.1 request heads (llhttp) and responses, without a socket: bytes in, requests out.
 *
 * Calling sequence: http_parser_new; http_parser_feed with what has arrived; on HTTP_REQUEST read `request`,
 * then http_parser_next and feed the bytes that were not used; http_parser_free.
 *
 * Only the fields that somebody asks for are kept, together at most `max_head` bytes. Bodies are counted and
 * dropped: no request here has one that matters, so none is waited for (`Expect` gets 417).
 *
 * Where one request ends and the next begins must not be a matter of taste, or what one reader takes for a body another
 * takes for a request. llhttp refuses most of what is unclear; the rest is refused here: white space in front
 * of a colon, a field without a name, lines that go on in the next (RFC 9112 §5.2) or end with half a CRLF (§2.2), any
 * transfer coding but `chunked` alone (§6.1).
 */
#ifndef TRIVET_NET_HTTP_H
#define TRIVET_NET_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum http_field {
    FIELD_HOST,
    FIELD_ORIGIN,
    FIELD_UPGRADE,    /* several lines are joined by a comma, as a list may be */
    FIELD_CONNECTION, /* the same */
    FIELD_KEY,        /* Sec-WebSocket-Key */
    FIELD_VERSION,    /* Sec-WebSocket-Version */
    FIELD_ACCEPT,     /* Sec-WebSocket-Accept, in a response */
    FIELD_EXTENSIONS, /* Sec-WebSocket-Extensions, in a response */
    FIELD_PROTOCOL,   /* Sec-WebSocket-Protocol, in a response */
    FIELD_TRANSFER,   /* Transfer-Encoding */
    FIELD_EXPECT,
    HTTP_FIELDS
};

/* One message's head; all pointers are borrowed until http_parser_next. */
typedef struct {
    const char *method;              /* of a request */
    const char *target;              /* of a request, as it came */
    int status;                      /* of a response */
    const char *fields[HTTP_FIELDS]; /* NULL where absent */
    bool repeated;                   /* a field that may stand once stands twice, with Host among them */
    uint8_t minor;                   /* HTTP/1.x */
    bool body;                       /* there was one, even an empty one in chunks */
    bool keep_alive;                 /* the connection may be used again */
} http_head;

enum http_result { HTTP_MORE, HTTP_MESSAGE, HTTP_REFUSED };

typedef struct http_parser http_parser;

/* NULL: out of memory. `response`: the client's end. */
http_parser *http_parser_new(bool response, size_t max_head, size_t max_body);
void http_parser_free(http_parser *p);

/*
 * Reads on. *used is how many bytes were taken: all of them with HTTP_MORE, up to the message's end with
 * HTTP_MESSAGE (what follows an upgrade's head is not HTTP's any more).
 */
enum http_result http_parser_feed(http_parser *p, const char *data, size_t len, size_t *used);

const http_head *http_parser_head(const http_parser *p); /* after HTTP_MESSAGE */
int http_parser_refusal(const http_parser *p); /* after HTTP_REFUSED: 400, 413, 417, 431, 500, 501, 505 */
bool http_parser_idle(const http_parser *p);   /* no byte of a message has come */
void http_parser_next(http_parser *p);         /* ready for the next message */

/* Whether a field's comma-separated list holds `token`, in any case. */
bool http_list_has(const char *list, const char *token);

const char *http_status_name(int status);

/*
 * A response's head, from malloc, NULL when out of memory. `extra` holds whole lines ("Allow: GET\r\n") or is
 * NULL; a NULL `content_type` writes none.
 */
char *http_response_head(int status, const char *content_type, const char *extra, size_t content_length,
                         bool keep_alive);

#endif
