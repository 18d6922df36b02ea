/*
 * HTTP heads and the rules of the upgrade. The first byte is the size of the pieces that the rest comes in; pieces
 * must make no difference to what is understood.
 */
#include <stdlib.h>
#include <string.h>

#include "net/handshake.h"

enum { MAX_HEAD = 512, MAX_BODY = 64, MAX_TEXT = 8192 };

typedef struct {
    char text[MAX_TEXT]; /* what was understood, message after message */
    size_t len;
} account;

static void note(account *a, const char *text) {
    size_t len = text ? strlen(text) : 0;

    if (len > sizeof a->text - a->len - 1)
        len = sizeof a->text - a->len - 1;
    if (len > 0)
        memcpy(a->text + a->len, text, len);
    a->len += len;
    if (a->len < sizeof a->text)
        a->text[a->len++] = '\n';
    if (a->len == sizeof a->text)
        a->len--;
}

static void note_message(account *a, const http_head *head) {
    const char *reason = "", *host = head->fields[FIELD_HOST];
    char *response;

    note(a, head->method);
    note(a, head->target);
    for (int i = 0; i < HTTP_FIELDS; i++)
        note(a, head->fields[i]);
    note(a, head->keep_alive ? "keep" : "close");
    note(a, host && handshake_host_allowed(host, "home", "box.example") ? "allowed" : "foreign");
    /* As the listener does: Host was there and nothing stood twice. */
    if (!host || head->repeated || !handshake_wanted(head))
        return;
    if (handshake_check(head, &reason) == 0) {
        response = handshake_response(head);
        note(a, response);
        free(response);
    }
    note(a, reason);
}

static void run(const char *data, size_t len, size_t piece, bool response, account *a) {
    http_parser *p = http_parser_new(response, MAX_HEAD, MAX_BODY);
    enum http_result result = HTTP_MORE;
    size_t used;

    a->len = 0;
    while (p && len > 0 && result != HTTP_REFUSED) {
        result = http_parser_feed(p, data, len < piece ? len : piece, &used);
        if (used > len || (result == HTTP_MORE && used != (len < piece ? len : piece)))
            abort();
        data += used;
        len -= used;
        if (result == HTTP_MESSAGE && response) {
            note(a, handshake_check_response(http_parser_head(p), "dGhlIHNhbXBsZSBub25jZQ=="));
            break;
        }
        if (result == HTTP_MESSAGE) {
            note_message(a, http_parser_head(p));
            http_parser_next(p);
        }
    }
    if (result == HTTP_REFUSED && http_parser_refusal(p) < 400)
        abort();
    note(a, result == HTTP_REFUSED ? "refused" : "");
    http_parser_free(p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static account whole, pieces;

    if (size < 2)
        return 0;
    for (int response = 0; response < 2; response++) {
        run((const char *)data + 1, size - 1, size, response, &whole);
        run((const char *)data + 1, size - 1, (size_t)data[0] % 17 + 1, response, &pieces);
        if (whole.len != pieces.len || memcmp(whole.text, pieces.text, whole.len) != 0)
            abort();
    }
    return 0;
}
