/*
 * event_log.h - the log as a listener to the server's events (event.h): one line for each, with the event's name and
 * what it tells as fields. What a peer can cause at will is bounded as peer_log.h has it.
 *
 * `device` is a pairing's id, `name` what people call it, `address` a peer's; durations are `..._ms`.
 */
#ifndef TRIVET_SERVE_EVENT_LOG_H
#define TRIVET_SERVE_EVENT_LOG_H

#include "serve/host.h"

void event_log_start(host *h);

#endif
