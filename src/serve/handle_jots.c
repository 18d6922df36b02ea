/* The request about jots that the store alone answers. What only reads them needs none: see cli/jots.c. */
#include "serve/handlers.h"

#include "store/jot.h"

#include <sysexits.h>

/* The user wants the files of a jot, however large they are. */
int handle_jots_want(request *r) {
    store_error err = STORE_ERROR_INIT;
    const json_t *id = json_object_get(r->args, "id");
    size_t missing = 0;
    jot_row row;

    if (!json_is_integer(id))
        return request_refuse(r, EX_PROTOCOL, "id: expected a number");
    int rc = jot_get(r->ctx->store, json_integer_value(id), &row, &err);
    if (rc == STORE_NONE)
        return request_refuse(r, EX_NOINPUT, "there is no such jot; `trivet jots` shows them");
    if (rc != 0 || (rc = jot_want(r->ctx->store, row.num, &missing, &err)) != 0)
        return request_refuse_store(r, &err);
    if (request_answer(r, "missing", json_integer((json_int_t)missing)) != 0)
        return -1;
    return request_answer_text(r, "device", row.device);
}
