/*
 * throttle.h - how long an address that shows wrong secrets waits for its answer: 1 s, doubling to 8 s
 * (protocol §2).
 *
 * Nothing else waits for it, and nobody is locked out. A bounded number of addresses is remembered; all of an IPv6
 * /64 are one (address_source).
 */
#ifndef TRIVET_SERVE_THROTTLE_H
#define TRIVET_SERVE_THROTTLE_H

#include <stdint.h>

enum { THROTTLE_ADDRESSES = 128, THROTTLE_MEMORY_MS = 10 * 60 * 1000, THROTTLE_MANY = 5 };

typedef struct {
    struct {
        char address[64];
        unsigned failures;
        uint64_t last; /* ms, of the loop's clock */
    } entries[THROTTLE_ADDRESSES];
} throttle;

/* Counts one wrong secret and returns the delay in ms. *failures (NULL: not asked): how many there are in this
 * row, 1 for the first. THROTTLE_MANY of them are worth telling somebody. */
uint64_t throttle_failed(throttle *t, const char *address, uint64_t now, unsigned *failures);

/* The address has shown a right one. */
void throttle_succeeded(throttle *t, const char *address);

#endif
