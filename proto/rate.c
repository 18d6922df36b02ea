#include "rate.h"

void proto_bucket_init(proto_bucket *bucket, double rate, double burst, int64_t now) {
    *bucket = (proto_bucket){.rate = rate, .burst = burst, .tokens = burst, .last = now};
}

bool proto_bucket_take(proto_bucket *bucket, int64_t now) {
    if (now > bucket->last) {
        bucket->tokens += (double)(now - bucket->last) * bucket->rate / 1000.0;
        bucket->last = now;
    }
    if (bucket->tokens > bucket->burst)
        bucket->tokens = bucket->burst;
    if (bucket->tokens < 1.0)
        return false;
    bucket->tokens -= 1.0;
    return true;
}

void proto_window_init(proto_window *window, size_t limit) {
    *window = (proto_window){.limit = limit < 1 ? 1 : limit > PROTO_WINDOW_MAX ? PROTO_WINDOW_MAX : limit};
}

bool proto_window_add(proto_window *window, int64_t now, int64_t span) {
    window->times[window->next] = now;
    window->next = (window->next + 1) % window->limit;
    if (window->count < window->limit)
        window->count++;
    return window->count < window->limit || now - window->times[window->next] >= span;
}
