/*
 * The opening handshake and its rules. Fields come out of http.c as strings without control characters.
 */
#include "handshake.h"

#include <nettle/base64.h>
#include <nettle/sha1.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <uv.h>

#include "address.h"

enum { KEY_BYTES = 16, DEFAULT_PORT = 80 };

void handshake_accept(const char *key, char out[static HANDSHAKE_ACCEPT_SIZE]) {
    static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"; /* RFC 6455 §1.3 */
    uint8_t digest[SHA1_DIGEST_SIZE];
    struct sha1_ctx sha1;

    sha1_init(&sha1);
    sha1_update(&sha1, strlen(key), (const uint8_t *)key);
    sha1_update(&sha1, sizeof guid - 1, (const uint8_t *)guid);
    sha1_digest(&sha1, sizeof digest, digest);
    base64_encode_raw(out, sizeof digest, digest);
    out[HANDSHAKE_ACCEPT_SIZE - 1] = '\0';
}

/* Whether a key is the base64 of 16 bytes. */
static bool key_valid(const char *key) {
    struct base64_decode_ctx base64;
    uint8_t bytes[BASE64_DECODE_LENGTH(HANDSHAKE_KEY_SIZE)];
    size_t len = strlen(key), n = sizeof bytes;

    if (len != HANDSHAKE_KEY_SIZE - 1 || strpbrk(key, " \t"))
        return false;
    base64_decode_init(&base64);
    return base64_decode_update(&base64, &n, bytes, len, key) && base64_decode_final(&base64) &&
           n == KEY_BYTES;
}

/* ---- Host and Origin ---- */

typedef struct {
    const char *host; /* without brackets */
    size_t len;
    unsigned port;
    bool literal; /* stood in brackets */
} authority;

/* Reads host[:port]; false where it is none. */
static bool parse_authority(const char *text, size_t len, authority *out) {
    const char *colon, *end = text + len;

    out->port = DEFAULT_PORT;
    out->literal = len > 0 && text[0] == '[';
    if (out->literal) {
        const char *close = memchr(text, ']', len);

        if (!close)
            return false;
        out->host = text + 1;
        out->len = (size_t)(close - out->host);
        colon = close + 1;
    } else {
        colon = memchr(text, ':', len);
        out->host = text;
        if (!colon)
            colon = end;
        out->len = (size_t)(colon - text);
    }
    if (out->len == 0)
        return false;
    if (colon == end || (*colon == ':' && colon + 1 == end)) /* RFC 3986 §3.2.3 lets the digits be left out */
        return true;
    if (*colon != ':' || end - colon > 6)
        return false;
    out->port = 0;
    for (const char *p = colon + 1; p < end; p++) {
        if (*p < '0' || *p > '9')
            return false;
        out->port = out->port * 10 + (unsigned)(*p - '0');
    }
    return out->port <= 65535;
}

static bool same_name(const authority *a, const char *name, size_t len) {
    return a->len == len && strncasecmp(a->host, name, len) == 0;
}

bool handshake_host_allowed(const char *host, const char *name, const char *extra) {
    struct sockaddr_storage ignored;
    char copy[ADDRESS_SIZE];
    authority a;

    if (!parse_authority(host, strlen(host), &a))
        return false;
    if (a.len < sizeof copy) {
        memcpy(copy, a.host, a.len);
        copy[a.len] = '\0';
        if (address_parse(copy, 0, &ignored))
            return a.literal == (strchr(copy, ':') != NULL);
    }
    if (a.literal)
        return false;
    if (a.host[a.len - 1] == '.')
        a.len--; /* the root's dot */
    if (same_name(&a, "localhost", 9) || (name && same_name(&a, name, strlen(name))) ||
        (extra && same_name(&a, extra, strlen(extra))))
        return true;
    if (!name || a.len != strlen(name) + 6 || strncasecmp(a.host + a.len - 6, ".local", 6) != 0)
        return false;
    a.len -= 6;
    return same_name(&a, name, strlen(name));
}

/* Protocol §1: host and port of Origin (default 80) equal Host's. */
static bool origin_matches(const char *origin, const char *host) {
    const char *start = strstr(origin, "://");
    authority theirs, ours;

    return start && parse_authority(start + 3, strlen(start + 3), &theirs) &&
           parse_authority(host, strlen(host), &ours) && theirs.port == ours.port &&
           theirs.literal == ours.literal && same_name(&theirs, ours.host, ours.len);
}

/* ---- the server's end ---- */

bool handshake_wanted(const http_head *head) {
    return http_list_has(head->fields[FIELD_UPGRADE], "websocket");
}

int handshake_check(const http_head *head, const char **reason) {
    const char *const *fields = head->fields;

    *reason = "upgrade";
    if (strcmp(head->method, "GET") != 0 || head->minor < 1 || head->body || head->repeated ||
        !http_list_has(fields[FIELD_CONNECTION], "upgrade"))
        return 400;
    if (!fields[FIELD_VERSION] || strcmp(fields[FIELD_VERSION], "13") != 0) {
        *reason = "WebSocket version";
        return 426;
    }
    if (!fields[FIELD_KEY] || !key_valid(fields[FIELD_KEY])) {
        *reason = "WebSocket key";
        return 400;
    }
    if (fields[FIELD_ORIGIN] && !origin_matches(fields[FIELD_ORIGIN], fields[FIELD_HOST])) {
        *reason = "origin";
        return 403;
    }
    return 0;
}

char *handshake_response(const http_head *head) {
    char accept[HANDSHAKE_ACCEPT_SIZE], *response;

    handshake_accept(head->fields[FIELD_KEY], accept);
    if (asprintf(&response,
                 "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                 "Sec-WebSocket-Accept: %s\r\n\r\n",
                 accept) < 0)
        return NULL;
    return response;
}

/* ---- the client's end ---- */

bool handshake_new_key(char out[static HANDSHAKE_KEY_SIZE]) {
    uint8_t bytes[KEY_BYTES];

    if (uv_random(NULL, NULL, bytes, sizeof bytes, 0, NULL) != 0)
        return false;
    base64_encode_raw(out, sizeof bytes, bytes);
    out[HANDSHAKE_KEY_SIZE - 1] = '\0';
    return true;
}

char *handshake_request(const char *host, uint16_t port, const char *key) {
    bool literal = strchr(host, ':') != NULL;
    int host_len = (int)strcspn(host, "%"); /* a scope is the sender's own affair, RFC 6874 §1 */
    char *request;

    if (asprintf(&request,
                 "GET / HTTP/1.1\r\nHost: %s%.*s%s:%u\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                 "Sec-WebSocket-Key: %s\r\nSec-WebSocket-Version: 13\r\n\r\n",
                 literal ? "[" : "", host_len, host, literal ? "]" : "", port, key) < 0)
        return NULL;
    return request;
}

const char *handshake_check_response(const http_head *head, const char *key) {
    const char *const *fields = head->fields;
    char accept[HANDSHAKE_ACCEPT_SIZE];

    if (!http_list_has(fields[FIELD_UPGRADE], "websocket") ||
        !http_list_has(fields[FIELD_CONNECTION], "upgrade"))
        return "not a WebSocket server";
    handshake_accept(key, accept);
    if (!fields[FIELD_ACCEPT] || head->repeated || strcmp(fields[FIELD_ACCEPT], accept) != 0)
        return "wrong Sec-WebSocket-Accept";
    if (fields[FIELD_EXTENSIONS] || fields[FIELD_PROTOCOL])
        return "an extension or subprotocol that was not asked for";
    return NULL;
}
