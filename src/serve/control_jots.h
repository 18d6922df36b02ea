/*
 * control_jots.h - requests about jots that need a phone: `jots_clear` and `jots_refresh` of requests.h.
 */
#ifndef TRIVET_SERVE_CONTROL_JOTS_H
#define TRIVET_SERVE_CONTROL_JOTS_H

#include "net/control.h"
#include "serve/host.h"

/* Answers the call, now or later. False: the request is another. */
bool control_jots(host *h, control_call *call, const json_t *request);

/* Files of a device's jots are wanted by the user: asks for them if it is connected. Whether it is. */
bool control_jots_look(host *h, const char *device);

#endif
