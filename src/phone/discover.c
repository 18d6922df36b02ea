/*
 * Discovery, blocking: a command has nothing else to do meanwhile. Strangers may announce whatever they like and answer
 * as slowly as they like: lines, candidates, bytes and time are bounded.
 */
#include "phone/discover.h"

#include "net/address.h"
#include "net/ask.h"
#include "net/mdns_program.h"
#include "net/proof.h"
#include "phone/refuse.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <sodium.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

enum { BROWSE_MS = 3000, ASK_MS = 2000, ALL_MS = 30000, LINE = 4096 };

/* ---- who is announced ---- */

static void copy(char *out, size_t size, const json_t *object, const char *key) {
    const char *text = json_string_value(json_object_get(object, key));
    snprintf(out, size, "%s", text != NULL && strlen(text) < size ? text : "");
}

static bool read_found(const char *line, size_t len, discovered *out) {
    json_t *object = json_loadb(line, len, 0, NULL);
    json_int_t port = json_integer_value(json_object_get(object, "port"));
    struct sockaddr_storage unused;
    copy(out->name, sizeof out->name, object, "name");
    copy(out->host, sizeof out->host, object, "host");
    copy(out->address, sizeof out->address, object, "address");
    copy(out->id, sizeof out->id, object, "id");
    out->port = (uint16_t)port;
    json_decref(object);
    return port >= 1 && port <= 65535 && address_parse(out->address, 0, &unused);
}

/* 0: IPv4, 1: IPv6, 2: IPv6 of this link alone. */
static int rank(const discovered *d) {
    return strchr(d->address, ':') == NULL ? 0 : strchr(d->address, '%') == NULL ? 1 : 2;
}

static int by_rank(const void *a, const void *b) {
    const discovered *one = a, *other = b;
    int order = rank(one) - rank(other);
    return order != 0 ? order : strcmp(one->address, other->address);
}

/* `trivet-mdns browse`, its output to *fd. */
static int start_browsing(int *fd, pid_t *pid, edit_error *err) {
    char program[PATH_MAX], limit[16];
    char *args[] = {program, (char *)(uintptr_t) "browse", limit, NULL};
    extern char **environ;
    int ends[2];
    if (mdns_program(program, sizeof program) != 0)
        return phone_refuse(err, EX_UNAVAILABLE, "trivet-mdns is not installed, so nobody can be looked for");
    snprintf(limit, sizeof limit, "%d", BROWSE_MS);
    if (pipe2(ends, O_CLOEXEC) != 0)
        return phone_refuse(err, EX_OSERR, "no pipe: %s", strerror(errno));
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
    int failed = posix_spawn(pid, program, &actions, NULL, args, environ);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    *fd = ends[0];
    if (failed == 0)
        return 0;
    close(ends[0]);
    return phone_refuse(err, EX_OSERR, "%s: %s", program, strerror(failed));
}

/* Reads until the end, or until it has taken far too long (D-Bus may hang). */
static size_t read_lines(int fd, discovered *out) {
    char line[LINE];
    size_t len = 0, count = 0;
    int64_t end = ask_clock() + 2 * BROWSE_MS;
    for (;;) {
        struct pollfd wait = {.fd = fd, .events = POLLIN};
        int64_t left = end - ask_clock();
        if (left <= 0 || poll(&wait, 1, (int)left) <= 0)
            return count;
        ssize_t n = read(fd, line + len, sizeof line - len);
        if (n <= 0)
            return count;
        len += (size_t)n;
        for (char *stop; (stop = memchr(line, '\n', len)) != NULL;) {
            if (count < DISCOVER_MAX && read_found(line, (size_t)(stop - line), &out[count]))
                count++;
            len -= (size_t)(stop + 1 - line);
            memmove(line, stop + 1, len);
        }
        if (len == sizeof line) /* no line of ours */
            return count;
    }
}

int discover_all(discovered **out, size_t *count, edit_error *err) {
    int fd, status = 0;
    pid_t pid;
    *count = 0;
    *out = calloc(DISCOVER_MAX, sizeof **out);
    if (*out == NULL)
        return phone_refuse(err, EX_OSERR, "out of memory");
    if (start_browsing(&fd, &pid, err) != 0) {
        free(*out);
        *out = NULL;
        return -1;
    }
    *count = read_lines(fd, *out);
    close(fd);
    kill(pid, SIGKILL); /* unless it has ended, as it should have */
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (*count == 0 && WIFEXITED(status) && WEXITSTATUS(status) != 0) {
        free(*out);
        *out = NULL;
        return phone_refuse(err, EX_UNAVAILABLE,
                            "nobody can be looked for; is avahi-daemon installed, and running?");
    }
    qsort(*out, *count, sizeof **out, by_rank);
    return 0;
}

/* ---- who is it? ---- */

/* The proof in an answer; false: none. */
static bool read_proof(const json_t *answer, uint8_t proof[static PROOF_LEN]) {
    const char *hex = json_string_value(json_object_get(answer, "proof"));
    size_t got = 0;
    return hex != NULL && sodium_hex2bin(proof, PROOF_LEN, hex, strlen(hex), NULL, &got, NULL) == 0 &&
           got == PROOF_LEN;
}

bool discover_proven(const trivet_proto_pairing *pairing, const char *address, uint16_t port) {
    uint8_t key[PROOF_KEY_LEN], nonce[PROOF_NONCE_LEN], wanted[PROOF_LEN], proof[PROOF_LEN];
    char hex[2 * PROOF_NONCE_LEN + 1], path[256];
    json_t *answer;
    randombytes_buf(nonce, sizeof nonce);
    sodium_bin2hex(hex, sizeof hex, nonce, sizeof nonce);
    snprintf(path, sizeof path, "/prove/%s/%s", pairing->device, hex);
    bool answered = ask_json(address, port, path, ASK_MS, &answer) == 0 && read_proof(answer, proof);
    json_decref(answer);
    if (!answered)
        return false;
    proof_key(pairing->secret, key);
    bool proven =
        proof_make(key, nonce, proof, address, port, wanted) && sodium_memcmp(wanted, proof, PROOF_LEN) == 0;
    sodium_memzero(key, sizeof key);
    sodium_memzero(wanted, sizeof wanted);
    return proven;
}

void discover_ours(const trivet_proto_pairing *pairing, const discovered *list, size_t count, bool *ours) {
    int64_t end = ask_clock() + ALL_MS;
    for (size_t i = 0; i < count; i++)
        ours[i] = pairing->device[0] != '\0' && ask_clock() < end &&
                  discover_proven(pairing, list[i].address, list[i].port);
}

/* ---- the one that the phone is paired with ---- */

/* As a pairing writes it. */
static int take(phone_folder *f, const char *address, uint16_t port, bool keep, edit_error *err) {
    char ip[80];
    snprintf(ip, sizeof ip, strchr(address, ':') != NULL ? "[%s]" : "%s", address);
    return phone_folder_move(f, ip, port, keep, err);
}

/* 1: it is where the pairing says, 0: it is not. A name may have several addresses: the one that proves it is used. */
static int at_known_address(phone_folder *f, edit_error *err) {
    const trivet_proto_pairing *pairing = phone_folder_pairing(f);
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list = NULL;
    char bare[sizeof pairing->ip], text[ADDRESS_SIZE];
    size_t len = strlen(pairing->ip);
    bool brackets = len > 2 && pairing->ip[0] == '[';
    int found = 0;
    int64_t end = ask_clock() + ALL_MS;
    snprintf(bare, sizeof bare, "%.*s", (int)(brackets ? len - 2 : len), pairing->ip + (brackets ? 1 : 0));
    if (getaddrinfo(bare, NULL, &hints, &list) != 0)
        return 0;
    for (const struct addrinfo *ai = list; ai != NULL && found == 0 && ask_clock() < end; ai = ai->ai_next) {
        address_format(ai->ai_addr, text);
        if (text[0] != '\0' && discover_proven(pairing, text, pairing->port))
            found = take(f, text, pairing->port, false, err) == 0 ? 1 : -1;
    }
    freeaddrinfo(list);
    return found;
}

int discover_computer(phone_folder *f, bool *moved, edit_error *err) {
    const trivet_proto_pairing *pairing = phone_folder_pairing(f);
    discovered *list = NULL;
    size_t count = 0;
    *moved = false;
    if (pairing->device[0] == '\0')
        return phone_refuse(
            err, EX_NOPERM,
            "this pairing does not say which device it is, so no computer can prove that it is the "
            "right one; pair anew with what `trivet pair --json` prints");
    if (pairing->secret[0] == '\0')
        return phone_refuse(
            err, EX_NOPERM,
            "this pairing is for version 2 alone and has no secret, by which a computer could "
            "prove beforehand "
            "that it is the right one; leave --discover out");
    int known = at_known_address(f, err);
    if (known != 0)
        return known > 0 ? 0 : -1;
    const char *name = pairing->name[0] != '\0' ? pairing->name : "the computer";
    if (discover_all(&list, &count, err) != 0) {
        char why[sizeof err->message];
        memcpy(why, err->message, sizeof why);
        return phone_refuse(err, err->status, "%s does not show itself at %s, and %s", name, pairing->ip,
                            why);
    }
    int64_t end = ask_clock() + ALL_MS;
    for (size_t i = 0; i < count && !*moved && ask_clock() < end; i++)
        if (discover_proven(pairing, list[i].address, list[i].port)) {
            if (take(f, list[i].address, list[i].port, true, err) != 0) {
                free(list);
                return -1;
            }
            *moved = true;
        }
    free(list);
    if (*moved)
        return 0;
    return phone_refuse(
        err, EX_UNAVAILABLE,
        "%s does not show itself at %s, and none of the addresses announced on this network (%zu) "
        "proves to be it; "
        "nothing was sent. Is `trivet serve` running there, and are both on one network?",
        name, pairing->ip, count);
}
