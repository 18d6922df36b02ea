/*
 * chatter.h - how many log lines a peer may cause, so that nobody can fill the disk with them.
 *
 * Each source (an address, or a device that has shown its secret) has so many lines in five minutes; all
 * addresses together have a number of their own, since one who attacks may have many. Who has used them up is
 * said to fall silent, once, and with its first line afterwards comes how many were left out.
 *
 *     chatter_note note = chatter_take(&chatter, address, CHATTER_STRANGER, now);
 *     if (note.left_out > 0)   say so;
 *     if (note.say)            log the line;
 *     if (note.falls_silent)   say that the next ones are left out;
 */
#ifndef TRIVET_SERVE_CHATTER_H
#define TRIVET_SERVE_CHATTER_H

#include <stdbool.h>
#include <stdint.h>

enum {
    CHATTER_SOURCES = 64, /* remembered at a time */
    CHATTER_WINDOW_MS = 5 * 60 * 1000,
    CHATTER_STRANGER_LINES = 30, /* of one address in a window */
    CHATTER_ALL_STRANGERS_LINES = 200,
    CHATTER_DEVICE_LINES = 300
};

typedef enum { CHATTER_STRANGER, CHATTER_DEVICE } chatter_kind;

typedef struct {
    char name[65];
    uint64_t since; /* ms, of the loop's clock: when its window began */
    unsigned lines; /* wanted in this window */
} chatter_source;

typedef struct {
    chatter_source sources[CHATTER_SOURCES], strangers;
} chatter;

typedef struct {
    bool say;
    bool falls_silent; /* this was the last line for a while */
    bool all;          /* `falls_silent` and `left_out` are about all addresses together */
    unsigned left_out; /* lines, in the window before */
} chatter_note;

/* `source` is cut to 64 bytes. */
chatter_note chatter_take(chatter *c, const char *source, chatter_kind kind, uint64_t now);

#endif
