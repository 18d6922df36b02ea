/* Raw mode, the alternate screen, keys. No curses: a dozen sequences that every terminal since the VT100 knows. */
#include "cli/terminal.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>
#include <wchar.h>

static const int deadly[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
enum { DEADLY = sizeof deadly / sizeof deadly[0] };

static struct termios before;
static struct sigaction old_actions[DEADLY], old_winch;
static bool is_open;
static volatile sig_atomic_t stopped_by;
static char *frame;
static size_t frame_size;
static FILE *frame_stream;

bool terminal_usable(void) {
    const char *term = getenv("TERM");
    return isatty(STDIN_FILENO) && isatty(STDOUT_FILENO) && term && term[0] && strcmp(term, "dumb") != 0;
}

static void put(const char *text, size_t len) {
    while (len > 0) {
        ssize_t n = write(STDOUT_FILENO, text, len);
        if (n < 0 && errno != EINTR)
            return; /* the terminal is gone */
        if (n > 0) {
            text += n;
            len -= (size_t)n;
        }
    }
}

static void put_text(const char *text) {
    put(text, strlen(text));
}

static void on_deadly(int number) {
    stopped_by = number;
}

static void on_resize(int number) {
    (void)number; /* that poll() was interrupted is all that is wanted */
}

int terminal_open(void) {
    static bool registered;
    struct termios raw;

    if (tcgetattr(STDIN_FILENO, &before) != 0)
        return -1;
    if (!registered && atexit(terminal_close) != 0)
        return -1;
    registered = true;
    raw = before;
    raw.c_lflag &= (tcflag_t) ~(ICANON | ECHO | IEXTEN); /* ISIG stays: ^C is a signal */
    raw.c_cc[VMIN] = 1;
    raw.c_cc[VTIME] = 0;
    raw.c_cc[VSUSP] = _POSIX_VDISABLE; /* a stopped program would leave the shell this screen */
    for (size_t i = 0; i < DEADLY; i++)
        sigaction(deadly[i], &(struct sigaction){.sa_handler = on_deadly}, &old_actions[i]);
    sigaction(SIGWINCH, &(struct sigaction){.sa_handler = on_resize}, &old_winch);
    is_open = true;
    if (tcsetattr(STDIN_FILENO, TCSAFLUSH, &raw) != 0) { /* what was typed ahead is no answer */
        terminal_close();
        return -1;
    }
    fflush(stdout);
    put_text("\033[?1049h\033[?25l"); /* the alternate screen, and no cursor */
    return 0;
}

void terminal_close(void) {
    if (!is_open)
        return;
    is_open = false;
    put_text("\033[0m\033[?25h\033[?1049l");
    tcsetattr(STDIN_FILENO, TCSADRAIN, &before);
    for (size_t i = 0; i < DEADLY; i++)
        sigaction(deadly[i], &old_actions[i], NULL);
    sigaction(SIGWINCH, &old_winch, NULL);
}

void terminal_die(void) {
    if (stopped_by)
        raise((int)stopped_by);
}

void terminal_size(size_t *columns, size_t *rows) {
    struct winsize size = {0};

    ioctl(STDOUT_FILENO, TIOCGWINSZ, &size);
    *columns = size.ws_col ? size.ws_col : 80;
    *rows = size.ws_row ? size.ws_row : 24;
}

/* ---- keys ---- */

/* A byte within `ms`; -1: none came, -2: none will. */
static int next_byte(int ms) {
    struct pollfd fd = {.fd = STDIN_FILENO, .events = POLLIN};
    unsigned char byte;

    if (poll(&fd, 1, ms) <= 0)
        return -1;
    ssize_t n = read(STDIN_FILENO, &byte, 1);
    return n == 1 ? byte : n < 0 && (errno == EINTR || errno == EAGAIN) ? -1 : -2;
}

int terminal_key(int ms) {
    enum { ESCAPE = 27, SEQUENCE_MS = 50 };
    int key = stopped_by ? -2 : next_byte(ms);

    if (stopped_by || key == -2)
        return TERMINAL_STOPPED;
    if (key < 0)
        return TERMINAL_NOTHING;
    if (key != ESCAPE || (key = next_byte(SEQUENCE_MS)) < 0)
        return key < 0 ? ESCAPE : key;
    if (key != '[' && key != 'O')
        return TERMINAL_NOTHING;
    while ((key = next_byte(SEQUENCE_MS)) >= 0 && (key < 0x40 || key > 0x7E))
        ; /* parameters */
    return key == 'A' ? TERMINAL_UP : key == 'B' ? TERMINAL_DOWN : TERMINAL_NOTHING;
}

/* ---- frames ---- */

FILE *terminal_begin(void) {
    frame = NULL;
    frame_stream = open_memstream(&frame, &frame_size);
    return frame_stream;
}

size_t terminal_fit(const char *text, size_t columns) {
    size_t len = strlen(text), at = 0, width = 0;
    mbstate_t state = {0};

    while (at < len) {
        wchar_t c;
        size_t n = mbrtowc(&c, text + at, len - at, &state);
        int w = 1;
        if (n == 0 || n > len - at) { /* no character of this locale: a byte */
            memset(&state, 0, sizeof state);
            n = 1;
        } else if ((w = wcwidth(c)) < 0) {
            w = 1;
        }
        if (width + (size_t)w > columns)
            break;
        width += (size_t)w;
        at += n;
    }
    return at;
}

/* The visible part of one line: styles (ESC [ ... m) take no room, and none is left on. */
static void put_line(FILE *out, const char *line, size_t columns) {
    size_t room = columns;

    for (size_t len = strlen(line); len > 0;) {
        size_t plain = strcspn(line, "\033");
        char *part = strndup(line, plain);
        size_t fit = part ? terminal_fit(part, room) : 0, cut = fit;
        if (part && fit < plain && room > 0)
            cut = terminal_fit(part, room - 1);
        fwrite(line, 1, cut, out);
        if (cut < plain) {
            fputs(room > 0 ? "…" : "", out);
            free(part);
            break;
        }
        size_t used = 0;
        while (part && used < room && terminal_fit(part, used) < plain)
            used++;
        room -= used;
        line += plain;
        free(part);
        size_t style = line[0] ? strcspn(line, "m") + 1 : 0;
        if (style > strlen(line))
            style = strlen(line);
        fwrite(line, 1, style, out);
        line += style;
        len = strlen(line);
    }
    fputs("\033[0m\033[K", out);
}

void terminal_end(void) {
    char *whole = NULL, *rest;
    size_t size = 0, columns, rows, row = 0;
    FILE *out;

    if (fclose(frame_stream) != 0 || !(out = open_memstream(&whole, &size))) {
        free(frame);
        return;
    }
    terminal_size(&columns, &rows);
    fputs("\033[H", out);
    rest = frame;
    for (char *line = strsep(&rest, "\n"); line && rest && row < rows; line = strsep(&rest, "\n"), row++) {
        if (row > 0)
            fputs("\r\n", out);
        put_line(out, line, columns);
    }
    fputs("\033[J", out);
    if (fclose(out) == 0)
        put(whole, size);
    free(whole);
    free(frame);
}
