/*
 * now.h - the phone's clock.
 */
#ifndef TRIVET_PHONE_NOW_H
#define TRIVET_PHONE_NOW_H

#include <stdint.h>
#include <time.h>

/* ms since 1970. */
static inline int64_t phone_now(void) {
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

#endif
