/* What commands ask of a connected phone's jots. */
#include "serve/control_jots.h"

#include "serve/connection.h"
#include "serve/jots.h"
#include "serve/requests.h"

#include <string.h>
#include <sysexits.h>

static void refuse(control_call *call, int status, const char *message) {
    control_answer(call, requests_refusal(status, "%s", message), NULL, 0);
}

static void on_cleared(void *ctx, int status, const char *message) {
    if (status)
        refuse(ctx, status, message);
    else
        control_answer(ctx, json_pack("{s:b}", "ok", 1), NULL, 0);
}

static connection *find(const host *h, const char *device) {
    connection *c = device ? connection_find(h, device) : NULL;
    return c && connection_jots(c) ? c : NULL;
}

static void clear(host *h, control_call *call, const json_t *request) {
    connection *c = find(h, json_string_value(json_object_get(request, "device")));

    if (!c)
        refuse(call, EX_UNAVAILABLE, "its phone is not connected: open the app on it, in the same network");
    else if (!jots_clear(connection_jots(c), json_integer_value(json_object_get(request, "id")),
                         json_integer_value(json_object_get(request, "jot")), on_cleared, call))
        refuse(call, EX_TEMPFAIL, "another jot of that phone is being cleared; try again");
    else
        connection_pump(c);
}

static void refresh(host *h, control_call *call) {
    int asked = 0;

    for (connection *c = h->connections, *next; c; c = next) {
        next = connection_next(c);
        if (!connection_is_open(c) || !connection_jots(c) || !jots_refresh(connection_jots(c)))
            continue;
        asked++;
        connection_pump(c);
    }
    if (asked)
        control_answer(call, json_pack("{s:b, s:i}", "ok", 1, "asked", asked), NULL, 0);
    else
        refuse(call, 1, "no phone could be asked: none is connected, or each is busy with a sync or a file");
}

bool control_jots(host *h, control_call *call, const json_t *request) {
    const char *name = json_string_value(json_object_get(request, "do"));

    if (name && strcmp(name, "jots_clear") == 0)
        clear(h, call, request);
    else if (name && strcmp(name, "jots_refresh") == 0)
        refresh(h, call);
    else
        return false;
    return true;
}

bool control_jots_look(host *h, const char *device) {
    connection *c = find(h, device);

    if (!c)
        return false;
    jots_look(connection_jots(c));
    connection_pump(c);
    return true;
}
