/* A small table; when it is full, the address that has been quiet for longest makes room. */
#include "serve/throttle.h"

#include <stdio.h>
#include <string.h>

enum { FIRST_DELAY_MS = 1000, LAST_DELAY_MS = 8000 };

uint64_t throttle_failed(throttle *t, const char *address, uint64_t now) {
    unsigned slot = 0;

    for (unsigned i = 0; i < THROTTLE_ADDRESSES; i++) {
        if (strcmp(t->entries[i].address, address) == 0) {
            slot = i;
            break;
        }
        if (t->entries[i].last < t->entries[slot].last)
            slot = i;
    }
    if (strcmp(t->entries[slot].address, address) != 0 || now - t->entries[slot].last > THROTTLE_MEMORY_MS) {
        snprintf(t->entries[slot].address, sizeof t->entries[slot].address, "%s", address);
        t->entries[slot].failures = 0;
    }
    t->entries[slot].last = now;
    uint64_t delay = (uint64_t)FIRST_DELAY_MS << t->entries[slot].failures;
    if (delay < LAST_DELAY_MS)
        t->entries[slot].failures++;
    return delay < LAST_DELAY_MS ? delay : LAST_DELAY_MS;
}

void throttle_succeeded(throttle *t, const char *address) {
    for (unsigned i = 0; i < THROTTLE_ADDRESSES; i++)
        if (strcmp(t->entries[i].address, address) == 0)
            memset(&t->entries[i], 0, sizeof t->entries[i]);
}
