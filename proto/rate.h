/*
 * rate.h - how fast, and how often: a token bucket and a sliding window (protocol §2, §3). Times in ms.
 */
#ifndef TRIVET_PROTO_RATE_H
#define TRIVET_PROTO_RATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* `burst` at once, refilled with `rate` a second. */
typedef struct {
    double rate, burst, tokens;
    int64_t last;
} proto_bucket;

void proto_bucket_init(proto_bucket *bucket, double rate, double burst, int64_t now);
bool proto_bucket_take(proto_bucket *bucket, int64_t now); /* false: too fast */

/* The times of the last few events; `limit` of them within `span` are too many. */
enum { PROTO_WINDOW_MAX = 64 };
typedef struct {
    int64_t times[PROTO_WINDOW_MAX]; /* a ring; `next` is the oldest once `count` is `limit` */
    size_t limit, count, next;
} proto_window;

void proto_window_init(proto_window *window, size_t limit); /* 1 to PROTO_WINDOW_MAX, else the nearer */
bool proto_window_add(proto_window *window, int64_t now, int64_t span); /* false: too many */

#endif
