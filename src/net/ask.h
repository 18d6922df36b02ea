/*
 * ask.h - one question by plain HTTP, and its answer in JSON; blocking, for commands, which have nothing else to do
 * meanwhile. Who answers may be anybody: bytes and time are bounded.
 */
#ifndef TRIVET_NET_ASK_H
#define TRIVET_NET_ASK_H

#include <jansson.h>
#include <stdint.h>

/* From a clock that is never set; ms. */
int64_t ask_clock(void);

/*
 * GET `path` at a numeric address; all of it takes `patience` ms at most. 0, or -1: nobody is there. *out, NULL where
 * what came is no JSON with status 200, is the caller's.
 */
int ask_json(const char *address, uint16_t port, const char *path, int64_t patience, json_t **out);

#endif
