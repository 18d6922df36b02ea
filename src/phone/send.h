/*
 * send.h - a phone's end of a file in pieces (version 2, protocol §7): reads it as it goes and keeps to the window.
 *
 *     phone_send_request      a file_request came
 *     phone_send_step         as long as phone_send_is_ready, which it is again after a file_ack
 *     phone_send_release
 *
 * Memory: one piece here, and a window of them at most on their way. What is sent is what the hash is of; a file that became shorter
 * or changed while it was read is told as an error at its end, and the computer throws away what it got. Where the computer
 * has a beginning already, that is read again for the hash, a little at each step.
 */
#ifndef TRIVET_PHONE_SEND_H
#define TRIVET_PHONE_SEND_H

#include "phone/folder.h"

#include <sodium.h>
#include <sys/stat.h>

typedef struct {
    int fd; /* -1: nothing is being sent */
    json_int_t transfer;
    uint64_t next, from, size;
    struct stat before;
    crypto_generichash_state hash;
} phone_send;

#define PHONE_SEND_INIT                                                                                      \
    { .fd = -1 }

/* Any transfer before it is over. 0, or -1: out of memory. */
int phone_send_request(phone_send *s, phone_folder *f, trivet_proto_phone *machine, const json_t *request);
/* Whether there is something to do now. */
bool phone_send_is_ready(const phone_send *s, const trivet_proto_phone *machine);
void phone_send_step(phone_send *s, trivet_proto_phone *machine);
bool phone_send_is_open(const phone_send *s);
void phone_send_release(phone_send *s);

#endif
