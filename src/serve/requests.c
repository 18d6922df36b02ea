/*
 * The table of requests, and what is common to them: one transaction each, and a refusal in place of half an
 * answer.
 */
#include "serve/requests.h"

#include "serve/handlers.h"
#include "store/snapshot.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

static const struct {
    const char *name;
    int (*handle)(request *r);
    bool reads; /* changes nothing */
} REQUESTS[] = {
    {"state", handle_state, true},
    {"add", handle_add, false},
    {"edit", handle_edit, false},
    {"done", handle_done, false},
    {"rm", handle_rm, false},
    {"mv", handle_mv, false},
    {"pad", handle_pad, false},
    {"import", handle_import, false},
    {"pair", handle_pair, false},
    {"devices", handle_devices, true},
    {"revoke", handle_revoke, false},
    {"rename", handle_rename, false},
    {"status", handle_status, true},
    {"pending", handle_pending, true},
    {"history", handle_history, true},
    {"diff", handle_diff, true},
    {"restore", handle_restore, false},
    {"lost", handle_lost, true},
    {"jots_want", handle_jots_want, false},
};

enum { REQUEST_COUNT = sizeof REQUESTS / sizeof REQUESTS[0] };

/* ---- refusals ----------------------------------------------------------------------------------------- */

int request_refuse(request *r, int status, const char *format, ...) {
    va_list args;

    if (r->status != 0)
        return -1;
    r->status = status;
    va_start(args, format);
    vsnprintf(r->message, sizeof r->message, format, args);
    va_end(args);
    return -1;
}

int request_refuse_store(request *r, const store_error *err) {
    if (r->ctx->failure && err->code != STORE_NONE && err->code != STORE_GONE)
        *r->ctx->failure = *err;
    return request_refuse(r, err->status ? err->status : EX_SOFTWARE, "%s",
                          err->message[0] ? err->message : "the store refused");
}

int request_refuse_memory(request *r) {
    return request_refuse(r, EX_OSERR, "out of memory");
}

/* A text that jansson takes: it wants UTF-8, and a message may be cut in the middle of a character. */
static json_t *tolerant_string(const char *text) {
    json_t *string = json_string(text);

    if (!string) {
        size_t len = strlen(text);
        char *copy = malloc(len + 1);
        for (size_t i = 0; copy && i <= len; i++)
            copy[i] = (unsigned char)text[i] < 0x80 ? text[i] : '?';
        string = copy ? json_string(copy) : NULL;
        free(copy);
    }
    return string;
}

static json_t *refusal(int status, const char *message) {
    json_t *response = json_object();

    if (!response || json_object_set_new(response, "ok", json_false()) != 0 ||
        json_object_set_new(response, "status", json_integer(status)) != 0 ||
        json_object_set_new(response, "message", tolerant_string(message)) != 0) {
        json_decref(response);
        return NULL;
    }
    return response;
}

json_t *requests_refusal(int status, const char *format, ...) {
    char message[512];
    va_list args;

    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    return refusal(status, message);
}

/* ---- what a request holds, and what is answered ------------------------------------------------------- */

int request_string(request *r, const char *key, const char **out) {
    json_t *value = json_object_get(r->args, key);

    *out = NULL;
    if (!value || json_is_null(value))
        return 0;
    if (!json_is_string(value) || strlen(json_string_value(value)) != json_string_length(value))
        return request_refuse(r, EX_PROTOCOL, "%s: expected a string", key);
    *out = json_string_value(value);
    return 0;
}

int request_needs_string(request *r, const char *key, const char **out) {
    if (request_string(r, key, out) != 0)
        return -1;
    return *out ? 0 : request_refuse(r, EX_PROTOCOL, "%s: missing", key);
}

int request_flag(request *r, const char *key, bool *out) {
    json_t *value = json_object_get(r->args, key);

    if (value && !json_is_boolean(value))
        return request_refuse(r, EX_PROTOCOL, "%s: expected true or false", key);
    *out = json_is_true(value);
    return 0;
}

int request_answer(request *r, const char *key, json_t *value) {
    return json_object_set_new(r->response, key, value) == 0 ? 0 : request_refuse_memory(r);
}

int request_answer_text(request *r, const char *key, const char *text) {
    return request_answer(r, key, tolerant_string(text));
}

int request_head(request *r, trivet_merge_state **state, char **doc, size_t *len) {
    store_error err = STORE_ERROR_INIT;
    trivet_merge_error why = TRIVET_MERGE_ERROR_INIT;
    store_name name;

    *state = NULL;
    *doc = NULL;
    if (head_get(r->ctx->store, &name, &err) != 0 || snapshot_get(r->ctx->store, &name, doc, len, &err) != 0)
        return request_refuse_store(r, &err);
    if (trivet_merge_state_read(*doc, *len, TRIVET_MERGE_COMPUTER, state, &why) != 0) {
        free(*doc);
        *doc = NULL;
        return why.code == TRIVET_MERGE_ENOMEM
                   ? request_refuse_memory(r)
                   : request_refuse(r, EX_DATAERR, "the stored state is damaged: %s: %s", why.path,
                                    why.reason);
    }
    return 0;
}

/* ---- running one -------------------------------------------------------------------------------------- */

static size_t find(const char *name) {
    size_t i = 0;

    while (i < REQUEST_COUNT && strcmp(REQUESTS[i].name, name) != 0)
        i++;
    return i;
}

bool requests_reads(const char *name) {
    for (size_t i = 0; i < REQUEST_COUNT; i++)
        if (strcmp(REQUESTS[i].name, name) == 0)
            return REQUESTS[i].reads;
    return false;
}

bool requests_known(const char *name) {
    return find(name) < REQUEST_COUNT;
}

/* Runs the handler in a transaction of its own. */
static void in_transaction(request *r, int (*handle)(request *)) {
    store_error err = STORE_ERROR_INIT;

    if (store_begin(r->ctx->store, &err) != 0) {
        request_refuse_store(r, &err);
        return;
    }
    if (handle(r) != 0) {
        request_refuse(r, EX_SOFTWARE, "refused without a reason");
        store_rollback(r->ctx->store);
        return;
    }
    if (store_commit(r->ctx->store, &err) != 0) {
        request_refuse_store(r, &err);
        store_rollback(r->ctx->store);
    }
}

void requests_run(const requests_context *ctx, json_t *args, const char *raw, size_t raw_len,
                  json_t **response, char **raw_out, size_t *raw_out_len) {
    request r = {.ctx = ctx, .args = args, .raw = raw, .raw_len = raw_len, .response = json_object()};
    const char *name;

    *response = NULL;
    *raw_out = NULL;
    *raw_out_len = 0;
    if (!r.response || request_answer(&r, "ok", json_true()) != 0) {
        request_refuse_memory(&r);
    } else if (request_needs_string(&r, "do", &name) == 0) {
        size_t i = find(name);
        if (i < REQUEST_COUNT)
            in_transaction(&r, REQUESTS[i].handle);
        else
            request_refuse(&r, EX_PROTOCOL, "no such request: %.64s", name);
    }
    if (r.status != 0) {
        *response = refusal(r.status, r.message);
        json_decref(r.response);
        free(r.raw_out);
        return;
    }
    *response = r.response;
    *raw_out = r.raw_out;
    *raw_out_len = r.raw_out_len;
}
