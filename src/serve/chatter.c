/* A small table of counters; when it is full, the source whose window is oldest makes room. */
#include "serve/chatter.h"

#include <stdio.h>
#include <string.h>

static chatter_source *find(chatter *c, const char *name, uint64_t now) {
    chatter_source *oldest = &c->sources[0];
    char cut[sizeof oldest->name];

    snprintf(cut, sizeof cut, "%s", name);
    for (chatter_source *s = c->sources; s < c->sources + CHATTER_SOURCES; s++) {
        if (s->lines > 0 && strcmp(s->name, cut) == 0)
            return s;
        if (s->since < oldest->since || s->lines == 0)
            oldest = s;
    }
    memcpy(oldest->name, cut, sizeof cut);
    oldest->since = now;
    oldest->lines = 0;
    return oldest;
}

/* Counts one line; returns how many were left out in a window that is over. */
static unsigned count(chatter_source *s, unsigned most, uint64_t now) {
    unsigned left_out = 0;

    if (now - s->since >= CHATTER_WINDOW_MS) {
        left_out = s->lines > most ? s->lines - most : 0;
        s->since = now;
        s->lines = 0;
    }
    if (s->lines < UINT32_MAX)
        s->lines++;
    return left_out;
}

chatter_note chatter_take(chatter *c, const char *source, chatter_kind kind, uint64_t now) {
    unsigned most = kind == CHATTER_DEVICE ? CHATTER_DEVICE_LINES : CHATTER_STRANGER_LINES;
    chatter_source *own = find(c, source, now);
    chatter_note note = {.left_out = count(own, most, now)};

    note.say = own->lines <= most;
    note.falls_silent = own->lines == most;
    if (!note.say || kind == CHATTER_DEVICE)
        return note;
    unsigned left_out = count(&c->strangers, CHATTER_ALL_STRANGERS_LINES, now);
    if (left_out > 0 || c->strangers.lines >= CHATTER_ALL_STRANGERS_LINES)
        note = (chatter_note){.say = c->strangers.lines <= CHATTER_ALL_STRANGERS_LINES,
                              .falls_silent = c->strangers.lines == CHATTER_ALL_STRANGERS_LINES,
                              .all = true,
                              .left_out = left_out};
    return note;
}
