/*
 * Bytes are read one at a time and unbuffered, so that no copy stays in a buffer that nobody wipes. Whatever ends the
 * program while it asks, the terminal echoes again.
 */
#include "cli/passphrase.h"

#include "cli/print.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <termios.h>
#include <unistd.h>

void passphrase_release(passphrase *p) {
    sodium_memzero(p, sizeof *p);
}

/* Up to a line end or the end of what there is. 0, or an errno; E2BIG: too long. */
static int read_line(int fd, passphrase *p) {
    for (p->len = 0;;) {
        char c;
        ssize_t got = read(fd, &c, 1);
        if (got < 0)
            return errno;
        if (got == 0 || c == '\n')
            break;
        if (p->len == sizeof p->text - 1)
            return E2BIG;
        p->text[p->len++] = c;
    }
    if (p->len > 0 && p->text[p->len - 1] == '\r')
        p->len--;
    p->text[p->len] = '\0';
    return 0;
}

static int judge(const passphrase *p, const char *where, int number) {
    if (number == E2BIG)
        return print_failure(EX_DATAERR, "%s: a passphrase has at most %d bytes", where,
                             BACKUP_PASSPHRASE_MAX);
    if (number != 0)
        return print_failure(EX_IOERR, "%s: %s", where, strerror(number));
    return p->len > 0 ? 0 : print_failure(EX_DATAERR, "%s: an empty passphrase protects nothing", where);
}

static int from_file(passphrase *p, const char *file) {
    struct stat st;
    int fd = open(file, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return print_failure(EX_NOINPUT, "%s: %s", file, strerror(errno));
    int number = read_line(fd, p);
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && (st.st_mode & 077) != 0)
        print_note("%s can be read by other users of this computer: chmod 600 it", file);
    close(fd);
    return judge(p, file, number);
}

/* ---- a terminal ----------------------------------------------------------------------------------------- */

static const int SIGNALS[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP};
enum { SIGNAL_COUNT = sizeof SIGNALS / sizeof SIGNALS[0] };
static int terminal_fd = -1;
static struct termios terminal_before;

static void on_signal(int number) {
    tcsetattr(terminal_fd, TCSAFLUSH, &terminal_before);
    signal(number, SIG_DFL);
    raise(number);
}

static int ask(int fd, const char *prompt, passphrase *p) {
    struct sigaction before[SIGNAL_COUNT], action = {.sa_handler = on_signal};
    struct termios silent;
    int number;

    if (tcgetattr(fd, &terminal_before) != 0)
        return errno;
    terminal_fd = fd;
    for (size_t i = 0; i < SIGNAL_COUNT; i++)
        sigaction(SIGNALS[i], &action, &before[i]);
    silent = terminal_before;
    silent.c_lflag &= ~(tcflag_t)ECHO;
    tcsetattr(fd, TCSAFLUSH, &silent);
    dprintf(fd, "%s", prompt);
    number = read_line(fd, p);
    tcsetattr(fd, TCSAFLUSH, &terminal_before);
    dprintf(fd, "\n");
    for (size_t i = 0; i < SIGNAL_COUNT; i++)
        sigaction(SIGNALS[i], &before[i], NULL);
    return number;
}

static int from_terminal(passphrase *p, bool twice) {
    passphrase again = {0};
    int status, fd = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);

    if (fd < 0)
        return print_failure(
            EX_NOPERM, "a passphrase is needed, and there is no terminal to ask at: give --passphrase-file");
    status = judge(p, "the terminal", ask(fd, "Passphrase: ", p));
    if (status == 0 && twice) {
        status = judge(&again, "the terminal", ask(fd, "The same again: ", &again));
        if (status == 0 && (again.len != p->len || sodium_memcmp(again.text, p->text, p->len) != 0))
            status = print_failure(EX_DATAERR, "the two differ; nothing was done");
    }
    passphrase_release(&again);
    close(fd);
    return status;
}

int passphrase_get(passphrase *p, const char *file, bool twice) {
    int status = file ? from_file(p, file) : from_terminal(p, twice);

    if (status != 0)
        passphrase_release(p);
    return status;
}
