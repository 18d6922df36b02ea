/*
 * handlers.h - one function per request of requests.h, and what they have in common.
 *
 * A handler reads `args` and `raw`, works inside the transaction that requests_run has begun, and fills
 * `response` and `raw_out`. It returns 0, or -1 after it has refused; then everything it changed is rolled
 * back.
 */
#ifndef TRIVET_SERVE_HANDLERS_H
#define TRIVET_SERVE_HANDLERS_H

#include "serve/requests.h"
#include <trivet_merge.h>

typedef struct {
    const requests_context *ctx;
    json_t *args;    /* borrowed, as is `raw` */
    const char *raw; /* NULL: none came along */
    size_t raw_len;
    json_t *response;
    char *raw_out; /* from malloc */
    size_t raw_out_len;
    int status; /* of the refusal; 0: none. The first stands. */
    char message[512];
} request;

/* Each returns -1. */
int request_refuse(request *r, int status, const char *format, ...) __attribute__((format(printf, 3, 4)));
int request_refuse_store(request *r, const store_error *err);
int request_refuse_memory(request *r);

/* A string of the request: *out is borrowed, NULL where there is none. Refuses one that is no string, or
 * holds a NUL. */
int request_string(request *r, const char *key, const char **out);
int request_needs_string(request *r, const char *key, const char **out);
int request_flag(request *r, const char *key, bool *out); /* false where there is none */

/* Puts a value (its reference is taken over) into the response. */
int request_answer(request *r, const char *key, json_t *value);
/* The same with text from the store, which need not be what jansson takes. */
int request_answer_text(request *r, const char *key, const char *text);

/* The computer's state. *doc (from malloc) is what `state` borrows; both are the caller's. */
int request_head(request *r, trivet_merge_state **state, char **doc, size_t *len);

/* handle_state.c */
int handle_state(request *r);
int handle_add(request *r);
int handle_edit(request *r);
int handle_done(request *r);
int handle_rm(request *r);
int handle_mv(request *r);
int handle_pad(request *r);
int handle_import(request *r);

/* handle_history.c */
int handle_history(request *r);
int handle_diff(request *r);
int handle_restore(request *r);
int handle_lost(request *r);

/* handle_jots.c */
int handle_jots_want(request *r);

/* handle_devices.c */
int handle_pair(request *r);
int handle_devices(request *r);
int handle_revoke(request *r);
int handle_rename(request *r);
int handle_status(request *r);
int handle_pending(request *r);

#endif
