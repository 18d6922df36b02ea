/*
 * terminal.h - a terminal that is drawn on, and given back as it was.
 *
 *     if (terminal_open() != 0) ...
 *     while (...) { out = terminal_begin(); ...lines... terminal_end(); key = terminal_key(ms); }
 *     terminal_close();
 *
 * Whatever ends the program, the terminal is restored: exit() by atexit, SIGINT, SIGTERM, SIGHUP and SIGQUIT by
 * a flag that terminal_key() turns into TERMINAL_STOPPED. Drawing is on the alternate screen, so that what
 * stood there before comes back. One at a time, on standard input and output.
 */
#ifndef TRIVET_CLI_TERMINAL_H
#define TRIVET_CLI_TERMINAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum {
    TERMINAL_NOTHING = 0, /* the time passed, or the window has another size: draw again */
    TERMINAL_UP = 256,
    TERMINAL_DOWN,
    TERMINAL_STOPPED, /* a signal, or the end of the input */
};

/* Whether both ends are a terminal that can be drawn on. */
bool terminal_usable(void);

int terminal_open(void); /* 0, or -1 */
void terminal_close(void);

/* Ends the program as the signal that came would have; returns where none came. After terminal_close(). */
void terminal_die(void);

void terminal_size(size_t *columns, size_t *rows);

/* A byte, or one of the above. Waits at most `ms`. */
int terminal_key(int ms);

/* One frame: what is written to the stream is shown at once, its lines cut to the window's width and height. */
FILE *terminal_begin(void); /* NULL: out of memory */
void terminal_end(void);

/* How many bytes of `text` (one line, no escape sequences) fit into `columns`; characters are not torn. */
size_t terminal_fit(const char *text, size_t columns);

#endif
