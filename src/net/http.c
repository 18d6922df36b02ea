/*
 * Heads of HTTP messages, by llhttp. The parser stops at each message's end, so that the next one starts with
 * a fresh llhttp and the bytes after an upgrade are left alone.
 *
 * The text kept is one buffer of NUL-terminated strings; while it grows they are known by offset, and only a
 * finished message is given pointers.
 */
#include "http.h"

#include <llhttp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

enum { MAX_FIELD_NAME = 24 };

struct http_parser {
    llhttp_t llhttp;
    size_t max_head, max_body;
    size_t head_bytes, body_bytes;
    size_t bytes;    /* of the whole message, with what chunks and trailers add to a body */
    size_t lines;    /* of the head, whole ones, that were looked through */
    size_t line_len; /* of the head's line that is looked through, up to here, without its end */
    char *text;
    size_t len, size;
    size_t target;              /* offset into text; 0: none, since offset 0 is an empty string */
    size_t fields[HTTP_FIELDS]; /* the same */
    char name[MAX_FIELD_NAME];  /* of the field being read, as far as it fits */
    size_t name_len;
    int field; /* the field being read; -1: one that nobody asks for */
    int status;
    bool begun, head_done, message_done;
    bool head_looked; /* through, to its end */
    char last;        /* byte that was looked at */
    http_head head;
};

static const struct {
    const char *name;
    bool list;
} known_fields[HTTP_FIELDS] = {
    [FIELD_HOST] = {"Host", false},
    [FIELD_ORIGIN] = {"Origin", false},
    [FIELD_UPGRADE] = {"Upgrade", true},
    [FIELD_CONNECTION] = {"Connection", true},
    [FIELD_KEY] = {"Sec-WebSocket-Key", false},
    [FIELD_VERSION] = {"Sec-WebSocket-Version", false},
    [FIELD_ACCEPT] = {"Sec-WebSocket-Accept", false},
    [FIELD_EXTENSIONS] = {"Sec-WebSocket-Extensions", true},
    [FIELD_PROTOCOL] = {"Sec-WebSocket-Protocol", true},
    [FIELD_TRANSFER] = {"Transfer-Encoding", true},
    [FIELD_EXPECT] = {"Expect", true},
};

static int refuse(http_parser *p, int status) {
    if (p->status == 0)
        p->status = status;
    return HPE_USER;
}

/* max_head bounds the whole: feed() counts the bytes before llhttp sees them. */
static int append(http_parser *p, const char *data, size_t len) {
    if (p->len + len + 1 > p->size) {
        size_t size = p->size * 2 > p->len + len + 1 ? p->size * 2 : p->len + len + 1;
        char *grown = realloc(p->text, size);

        if (!grown)
            return refuse(p, 500);
        p->text = grown;
        p->size = size;
    }
    memcpy(p->text + p->len, data, len);
    p->len += len;
    return 0;
}

/* ---- llhttp's callbacks ---- */

static int on_message_begin(llhttp_t *llhttp) {
    ((http_parser *)llhttp->data)->begun = true;
    return 0;
}

static int on_url(llhttp_t *llhttp, const char *at, size_t len) {
    http_parser *p = llhttp->data;

    for (size_t i = 0; i < len; i++)
        if ((unsigned char)at[i] <= ' ' || at[i] == 0x7f)
            return refuse(p, 400);
    if (p->target == 0)
        p->target = p->len;
    return append(p, at, len);
}

static int on_url_complete(llhttp_t *llhttp) {
    return append(llhttp->data, "", 1);
}

static int on_field_name(llhttp_t *llhttp, const char *at, size_t len) {
    http_parser *p = llhttp->data;

    for (size_t i = 0; i < len; i++, p->name_len++) {
        if (at[i] == ' ')
            return refuse(p, 400); /* RFC 9112 §5.1; llhttp lets it pass */
        if (p->name_len < MAX_FIELD_NAME)
            p->name[p->name_len] = at[i];
    }
    return 0;
}

static int on_field_name_complete(llhttp_t *llhttp) {
    http_parser *p = llhttp->data;

    if (p->name_len == 0)
        return refuse(p, 400); /* RFC 9110 §5.1 */
    p->field = -1;
    for (int i = 0; i < HTTP_FIELDS; i++)
        if (!p->head_done && strlen(known_fields[i].name) == p->name_len &&
            strncasecmp(known_fields[i].name, p->name, p->name_len) == 0)
            p->field = i;
    p->name_len = 0;
    if (p->field < 0)
        return 0;
    if (p->fields[p->field] != 0 && known_fields[p->field].list) {
        /* Join: the earlier lines are copied, the new one goes on behind a comma. */
        size_t before = p->fields[p->field], len = strlen(p->text + before);
        char *copy = strndup(p->text + before, len);
        int error = copy ? 0 : refuse(p, 500);

        p->fields[p->field] = p->len;
        if (error == 0)
            error = append(p, copy, len);
        free(copy);
        return error != 0 ? error : append(p, ",", 1);
    }
    if (p->fields[p->field] != 0)
        p->head.repeated = true;
    p->fields[p->field] = p->len;
    return 0;
}

static int on_field_value(llhttp_t *llhttp, const char *at, size_t len) {
    http_parser *p = llhttp->data;

    return p->field < 0 ? 0 : append(p, at, len);
}

static int on_field_value_complete(llhttp_t *llhttp) {
    http_parser *p = llhttp->data;

    if (p->field < 0)
        return 0;
    while (p->len > p->fields[p->field] && strchr(" \t", p->text[p->len - 1]))
        p->len--; /* llhttp strips white space in front only */
    return append(p, "", 1);
}

static int on_head_complete(llhttp_t *llhttp) {
    http_parser *p = llhttp->data;

    p->head_done = true;
    if (llhttp->http_major != 1)
        return refuse(p, 505);
    p->head.body = (llhttp->flags & (F_CHUNKED | F_TRANSFER_ENCODING)) != 0 || llhttp->content_length > 0;
    if (llhttp->type == HTTP_RESPONSE)
        return 2; /* an answer to an upgrade: a body, if any, is of no interest */
    if (p->fields[FIELD_TRANSFER] != 0 && strcasecmp(p->text + p->fields[FIELD_TRANSFER], "chunked") != 0)
        return refuse(p, 501);
    if (p->fields[FIELD_TRANSFER] != 0 && llhttp->http_minor < 1)
        return refuse(p, 400); /* RFC 9112 §6.1: faulty framing */
    if (p->fields[FIELD_EXPECT] != 0)
        return refuse(p, 417);
    return (llhttp->flags & F_CONTENT_LENGTH) && llhttp->content_length > p->max_body ? refuse(p, 413) : 0;
}

static int on_chunk_header(llhttp_t *llhttp) {
    http_parser *p = llhttp->data;

    return llhttp->content_length > p->max_body - p->body_bytes ? refuse(p, 413) : 0;
}

static int on_body(llhttp_t *llhttp, const char *at, size_t len) {
    http_parser *p = llhttp->data;

    (void)at;
    p->body_bytes += len;
    return p->body_bytes > p->max_body ? refuse(p, 413) : 0;
}

static int on_message_complete(llhttp_t *llhttp) {
    http_parser *p = llhttp->data;

    p->message_done = true;
    p->head.keep_alive = llhttp_should_keep_alive(llhttp) != 0;
    return HPE_PAUSED;
}

static const llhttp_settings_t settings = {
    .on_message_begin = on_message_begin,
    .on_url = on_url,
    .on_url_complete = on_url_complete,
    .on_header_field = on_field_name,
    .on_header_field_complete = on_field_name_complete,
    .on_header_value = on_field_value,
    .on_header_value_complete = on_field_value_complete,
    .on_headers_complete = on_head_complete,
    .on_chunk_header = on_chunk_header,
    .on_body = on_body,
    .on_message_complete = on_message_complete,
};

/* ---- the parser ---- */

http_parser *http_parser_new(bool response, size_t max_head, size_t max_body) {
    http_parser *p = calloc(1, sizeof *p);

    if (!p)
        return NULL;
    llhttp_init(&p->llhttp, response ? HTTP_RESPONSE : HTTP_REQUEST, &settings);
    p->max_head = max_head;
    p->max_body = max_body;
    http_parser_next(p);
    return p;
}

void http_parser_free(http_parser *p) {
    if (!p)
        return;
    free(p->text);
    free(p);
}

void http_parser_next(http_parser *p) {
    llhttp_init(&p->llhttp, p->llhttp.type, &settings);
    p->llhttp.data = p;
    p->head_bytes = p->body_bytes = p->bytes = p->lines = p->line_len = p->name_len = 0;
    p->target = 0;
    memset(p->fields, 0, sizeof p->fields);
    p->field = -1;
    p->status = 0;
    p->begun = p->head_done = p->message_done = p->head_looked = false;
    p->last = '\0';
    p->head = (http_head){0};
    p->len = 0;
    append(p, "", 1); /* offset 0 is taken; a failure shows again with the first field */
}

static void finish_head(http_parser *p) {
    p->head.method = llhttp_method_name(p->llhttp.method);
    p->head.status = p->llhttp.status_code;
    p->head.minor = p->llhttp.http_minor;
    p->head.target = p->target ? p->text + p->target : "";
    for (int i = 0; i < HTTP_FIELDS; i++)
        p->head.fields[i] = p->fields[i] ? p->text + p->fields[i] : NULL;
}

static int status_of(llhttp_errno_t error) {
    switch (error) {
    case HPE_INVALID_VERSION:
        return 505;
    default:
        return 400;
    }
}

/*
 * What llhttp lets pass in a head's lines: one that goes on in the next (obs-fold), which it joins, CR without LF and
 * LF without CR, each of which it takes for an end at some places. Looks through what is fed, up to the empty line
 * that ends the head; empty lines in front of a request do not count (RFC 9112 §2.2).
 */
static bool lines_unclear(http_parser *p, const char *data, size_t len) {
    for (size_t i = 0; i < len && !p->head_looked; i++) {
        bool first = p->line_len == 0 && p->lines > 0, after_cr = p->last == '\r';

        p->last = data[i];
        if ((data[i] == '\n') != after_cr || (first && (data[i] == ' ' || data[i] == '\t')))
            return true;
        if (data[i] == '\n') {
            p->head_looked = first;
            p->lines += p->line_len > 0;
            p->line_len = 0;
        } else if (data[i] != '\r') {
            p->line_len++;
        }
    }
    return false;
}

enum http_result http_parser_feed(http_parser *p, const char *data, size_t len, size_t *used) {
    *used = 0;
    while (*used < len) {
        size_t piece = len - *used, done;
        llhttp_errno_t error;

        /* As long as the head lasts llhttp sees no more of it than is allowed. */
        if (!p->head_done && piece > p->max_head - p->head_bytes)
            piece = p->max_head - p->head_bytes;
        if (piece == 0) {
            refuse(p, 431);
            return HTTP_REFUSED;
        }
        if (p->llhttp.type == HTTP_REQUEST && lines_unclear(p, data + *used, piece)) {
            refuse(p, 400);
            return HTTP_REFUSED;
        }
        error = llhttp_execute(&p->llhttp, data + *used, piece);
        done = error == HPE_OK ? piece : (size_t)(llhttp_get_error_pos(&p->llhttp) - (data + *used));
        *used += done;
        if (!p->head_done)
            p->head_bytes += done;
        p->bytes += done;
        if (p->bytes > 2 * (p->max_head + p->max_body)) { /* extensions of chunks, trailers */
            refuse(p, 413);
            return HTTP_REFUSED;
        }
        if (p->message_done) {
            finish_head(p);
            return HTTP_MESSAGE;
        }
        if (error != HPE_OK) {
            refuse(p, status_of(error));
            return HTTP_REFUSED;
        }
    }
    return HTTP_MORE;
}

const http_head *http_parser_head(const http_parser *p) {
    return &p->head;
}

int http_parser_refusal(const http_parser *p) {
    return p->status;
}

bool http_parser_idle(const http_parser *p) {
    return !p->begun;
}

/* ---- fields and responses ---- */

bool http_list_has(const char *list, const char *token) {
    size_t len = strlen(token);

    while (list && *list) {
        size_t item;

        list += strspn(list, ", \t");
        item = strcspn(list, ",");
        while (item > 0 && (list[item - 1] == ' ' || list[item - 1] == '\t'))
            item--;
        if (item == len && strncasecmp(list, token, len) == 0)
            return true;
        list += strcspn(list, ",");
    }
    return false;
}

const char *http_status_name(int status) {
    static const struct {
        int status;
        const char *name;
    } names[] = {
        {101, "Switching Protocols"},
        {200, "OK"},
        {204, "No Content"},
        {301, "Moved Permanently"},
        {302, "Found"},
        {304, "Not Modified"},
        {400, "Bad Request"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {408, "Request Timeout"},
        {413, "Content Too Large"},
        {417, "Expectation Failed"},
        {426, "Upgrade Required"},
        {431, "Request Header Fields Too Large"},
        {500, "Internal Server Error"},
        {501, "Not Implemented"},
        {503, "Service Unavailable"},
        {505, "HTTP Version Not Supported"},
    };

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (names[i].status == status)
            return names[i].name;
    return "Unknown";
}

char *http_response_head(int status, const char *content_type, const char *extra, size_t content_length,
                         bool keep_alive) {
    char date[64] = "", *head = NULL;
    time_t now = time(NULL);
    struct tm utc;

    if (gmtime_r(&now, &utc)) /* RFC 9110 §6.6.1; the C locale's names are the ones asked for */
        strftime(date, sizeof date, "Date: %a, %d %b %Y %H:%M:%S GMT\r\n", &utc);
    if (asprintf(&head,
                 "HTTP/1.1 %d %s\r\n%s%s%s%sX-Content-Type-Options: nosniff\r\n"
                 "Content-Length: %zu\r\n%s%s\r\n",
                 status, http_status_name(status), date, content_type ? "Content-Type: " : "",
                 content_type ? content_type : "", content_type ? "\r\n" : "", content_length,
                 keep_alive ? "" : "Connection: close\r\n", extra ? extra : "") < 0)
        return NULL;
    return head;
}
