/*
 * client.h - how a command gets its request answered: by the running server, through its control socket, or
 * where none runs by opening the store and answering it itself.
 *
 *     reply r;
 *     int status = client_request(&common, json_pack("{s:s}", "do", "devices"), NULL, 0, 0, &r);
 *     if (status != 0)
 *         return status;      // it was told why
 *     ...
 *     reply_release(&r);
 */
#ifndef TRIVET_CLI_CLIENT_H
#define TRIVET_CLI_CLIENT_H

#include "cli/options.h"
#include <jansson.h>
#include <trivet_merge.h>

typedef struct {
    json_t *response;
    char *raw; /* NULL: none came along */
    size_t raw_len;
    bool from_server; /* else the store was opened here */
} reply;

enum {
    CLIENT_SERVER_ONLY = 1, /* makes no sense without a server */
    CLIENT_NETWORK = 2,     /* the answer holds this computer's address, port and name */
    CLIENT_AWAIT = 4        /* a server is likely to be starting: give it a moment to appear */
};

/*
 * `request` is taken over (NULL: its strings were not UTF-8, which is told), `raw` borrowed. 0, or the exit
 * status after a message on standard error. A "no" (status 1) is told like an error.
 */
int client_request(const cli_common *common, json_t *request, const char *raw, size_t raw_len, unsigned flags,
                   reply *out);
void reply_release(reply *r);

/* Puts a text into a request, or gives it back as the raw bytes to send along: a long one does not fit a
 * line, and one that is not UTF-8 is for the other end to refuse. */
void client_set_text(json_t *request, const char *text, const char **raw, size_t *raw_len);

/* The computer's state. *state borrows from the reply; both are the caller's. */
int client_state(const cli_common *common, reply *r, trivet_merge_state **state);

/* What an answer holds; 0 or "" where it does not. */
const char *reply_string(const json_t *object, const char *key);
int64_t reply_number(const json_t *object, const char *key);

#endif
