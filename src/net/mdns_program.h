/*
 * mdns_program.h - where the program is that talks to avahi-daemon (src/mdns): beside this one where both were
 * built, else where `make install` puts it.
 */
#ifndef TRIVET_NET_MDNS_PROGRAM_H
#define TRIVET_NET_MDNS_PROGRAM_H

#include <stddef.h>

/* 0, or -1: there is none. */
int mdns_program(char *out, size_t size);

#endif
