/* A small table; when it is full, the address that has been quiet for longest makes room. */
#include "serve/throttle.h"

#include "net/address.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

enum { FIRST_DELAY_MS = 1000, MOST_DOUBLINGS = 3 };

uint64_t throttle_failed(throttle *t, const char *peer, uint64_t now, unsigned *failures) {
    char address[ADDRESS_SIZE];
    unsigned slot = 0;

    address_source(peer, address);
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
    if (t->entries[slot].failures < UINT_MAX)
        t->entries[slot].failures++;
    unsigned row = t->entries[slot].failures, doublings = row - 1 < MOST_DOUBLINGS ? row - 1 : MOST_DOUBLINGS;
    if (failures)
        *failures = row;
    return (uint64_t)FIRST_DELAY_MS << doublings;
}

void throttle_succeeded(throttle *t, const char *peer) {
    char address[ADDRESS_SIZE];

    address_source(peer, address);
    for (unsigned i = 0; i < THROTTLE_ADDRESSES; i++)
        if (strcmp(t->entries[i].address, address) == 0)
            memset(&t->entries[i], 0, sizeof t->entries[i]);
}
