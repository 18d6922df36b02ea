/* The doctor's checks of the network: the server, its port, addresses, the packet filter, avahi. */
#include "cli/doctor.h"

#include "cli/client.h"
#include "cli/moved.h"
#include "cli/print.h"
#include "net/address.h"
#include "net/ask.h"
#include "serve/reachable.h"

#include <ctype.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    PATIENCE_MS = 3000,
    SOON_S = 3 * 60, /* a server that has run for less says nothing about who does not come */
    MAX_RULES = 1 << 20
};

/* ---- the server ---- */

void doctor_server(doctor *d) {
    char since[32];
    int64_t now = print_now();
    const char *version = d->status ? reply_string(d->status, "version") : "";

    if (!d->status) {
        doctor_find(d, DOCTOR_PROBLEM, "server",
                    "Start it: `trivet serve`, or as a service `sudo systemctl start trivet`.",
                    "none runs on this folder: no phone can sync");
        return;
    }
    print_when(now - reply_number(d->status, "uptime") * 1000, now, since, sizeof since);
    if (version[0] && strcmp(version, TRIVET_VERSION) != 0)
        doctor_find(d, DOCTOR_NOTE, "server", "Start it again to have the new version run.",
                    "version %s runs, this is %s", version, TRIVET_VERSION);
    else
        doctor_find(d, DOCTOR_OK, "server", NULL, "version %s, process %lld, started %s", TRIVET_VERSION,
                    (long long)reply_number(d->status, "pid"), since);
}

/* ---- the port ---- */

typedef enum { NOBODY, ANOTHER, OURS } listener_kind;

/* Who answers GET /ping there (protocol §1). */
static listener_kind who_answers(const char *address, uint16_t port, const char *name) {
    json_t *answer;

    if (ask_json(address, port, "/ping", PATIENCE_MS, &answer) != 0)
        return NOBODY;
    const char *told = json_string_value(json_object_get(answer, "deviceId"));
    bool ours = told && strcmp(told, name) == 0;
    json_decref(answer);
    return ours ? OURS : ANOTHER;
}

/* Without a server: whether its port is free. */
static void check_free(doctor *d) {
    uint16_t port = d->settings.port;

    if (port != 0 && who_answers("127.0.0.1", port, "") != NOBODY)
        doctor_find(d, DOCTOR_PROBLEM, "port",
                    "Stop it (`ss -ltnp` shows what it is), or set another port for Trivet.",
                    "%u is used by another program", port);
}

/* An address as text without its brackets. */
static void bare(const char *address, char out[static REACHABLE_TEXT]) {
    size_t len = strlen(address);
    bool brackets = len > 2 && address[0] == '[' && address[len - 1] == ']';

    snprintf(out, REACHABLE_TEXT, "%.*s", (int)(brackets ? len - 2 : len), address + (brackets ? 1 : 0));
}

void doctor_port(doctor *d) {
    const json_t *addresses = json_object_get(d->status, "addresses"), *address;
    uint16_t port = (uint16_t)reply_number(d->status, "port");
    const char *name = reply_string(d->status, "name");
    char text[REACHABLE_TEXT], silent[REACHABLE_TEXT] = "";
    size_t i, answering = 0;

    if (!d->status) {
        check_free(d);
        return;
    }
    listener_kind here = who_answers("127.0.0.1", port, name);
    json_array_foreach(addresses, i, address) {
        bare(json_string_value(address), text);
        listener_kind there = who_answers(text, port, name);
        answering += there == OURS && !address_is_loopback(text);
        if (there != OURS && !silent[0])
            memcpy(silent, text, sizeof silent);
    }
    if (here == ANOTHER)
        doctor_find(d, DOCTOR_PROBLEM, "port",
                    "Stop it (`ss -ltnp` shows what it is), and start Trivet again.",
                    "another program answers on port %u", port);
    else if (answering == 0)
        doctor_find(
            d, DOCTOR_PROBLEM, "port",
            "Leave `host` out of the settings and --host out of the command, so that it listens on all "
            "addresses.",
            "%u answers %s", port, here == OURS ? "on this computer alone" : "nowhere");
    else if (silent[0])
        doctor_find(d, DOCTOR_NOTE, "port", "As it should be where the server was told to listen on another.",
                    "%u does not answer at %s", port, silent);
    else
        doctor_find(d, DOCTOR_OK, "port", NULL, "%u answers, and it is this server", port);
}

/* ---- addresses ---- */

void doctor_addresses(doctor *d) {
    reachable_address all[REACHABLE_MAX];
    size_t count = reachable_all(all), used = 0;
    char list[REACHABLE_MAX * (REACHABLE_TEXT + 2)] = "", text[REACHABLE_TEXT];

    for (size_t i = 0; i < count; i++) {
        bare(all[i].text, text);
        if (address_is_loopback(text))
            continue;
        size_t len = strlen(list);
        snprintf(list + len, sizeof list - len, "%s%s", used++ ? ", " : "", all[i].text);
    }
    if (used == 0)
        doctor_find(d, DOCTOR_PROBLEM, "addresses",
                    "Connect it to the network that the phone is in, by Wi-Fi or cable; see `ip addr`.",
                    "this computer has none that a phone could reach");
    else
        doctor_find(d, DOCTOR_OK, "addresses", NULL, "%s", list);
}

/* Phones that look for this computer where it is not any more. */
void doctor_moved(doctor *d) {
    size_t count = json_array_size(d->moved);
    char text[MOVED_TEXT];

    if (!d->moved || json_array_size(d->devices) == 0)
        return;
    if (count == 0) {
        doctor_find(d, DOCTOR_OK, "codes", NULL,
                    "the phones were paired with an address that is this computer's");
        return;
    }
    moved_text(json_array_get(d->moved, 0), text);
    doctor_find(d, DOCTOR_PROBLEM, "codes", moved_advice, "%s (phones like it: %zu)", text, count);
}

/* ---- the packet filter ---- */

/* Whether a rule's line lets the port in: "tcp dport 8080 accept", "dport { 22, 8000-9000 } counter accept". */
static bool allows(const char *line, size_t len, unsigned port) {
    char copy[512];
    const char *p;

    snprintf(copy, sizeof copy, "%.*s", (int)(len < sizeof copy ? len : sizeof copy - 1), line);
    if (!strstr(copy, "accept") || !(p = strstr(copy, "dport ")) || strstr(copy, "udp dport"))
        return false;
    for (p += strlen("dport "); *p && strchr(" {},-0123456789", *p);) {
        char *end;
        if (!isdigit((unsigned char)*p)) {
            p++;
            continue;
        }
        unsigned long low = strtoul(p, &end, 10), high = low;
        if (*end == '-')
            high = strtoul(end + 1, &end, 10);
        if (port >= low && port <= high)
            return true;
        p = end;
    }
    return false;
}

doctor_rules doctor_read_rules(const char *ruleset, unsigned port) {
    bool closed = false, allowed = false;

    for (const char *line = ruleset; *line;) {
        size_t len = strcspn(line, "\n");
        const char *hook = memmem(line, len, "hook input", 10);
        if (hook && memmem(hook, len - (size_t)(hook - line), "policy drop", 11))
            closed = true;
        allowed = allowed || allows(line, len, port);
        line += len + (line[len] == '\n');
    }
    return !closed ? RULES_OPEN : allowed ? RULES_ALLOWED : RULES_CLOSED;
}

/* What `nft list ruleset` prints, from malloc; NULL where it cannot be asked. */
static char *ask_nft(void) {
    char *const argv[] = {(char[]){"nft"}, (char[]){"list"}, (char[]){"ruleset"}, NULL};
    char *const environment[] = {(char[]){"LC_ALL=C"}, NULL};
    posix_spawn_file_actions_t actions;
    char *text = NULL;
    size_t len = 0;
    ssize_t n;
    int ends[2], status = -1;
    pid_t child;

    if (access("/usr/sbin/nft", X_OK) != 0 || pipe2(ends, O_CLOEXEC) != 0)
        return NULL;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    int rc = posix_spawn(&child, "/usr/sbin/nft", &actions, NULL, argv, environment);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    if (rc == 0 && (text = malloc(MAX_RULES + 1)))
        while (len < MAX_RULES && (n = read(ends[0], text + len, MAX_RULES - len)) > 0)
            len += (size_t)n;
    close(ends[0]);
    if (rc != 0 || waitpid(child, &status, 0) != child || status != 0) {
        free(text);
        return NULL;
    }
    if (text)
        text[len] = '\0';
    return text;
}

static bool ufw_is_on(void) {
    char line[256];
    bool on = false;
    FILE *f = fopen("/etc/ufw/ufw.conf", "re");

    while (f && fgets(line, sizeof line, f))
        on = on || strncmp(line, "ENABLED=yes", 11) == 0;
    if (f)
        fclose(f);
    return on;
}

static bool filter_is_loaded(void) {
    return access("/sys/module/nf_tables", F_OK) == 0 || access("/sys/module/ip_tables", F_OK) == 0;
}

void doctor_firewall(doctor *d) {
    unsigned port = d->status ? (unsigned)reply_number(d->status, "port") : d->settings.port;
    char *rules = ask_nft(), advice[200];
    doctor_rules read = rules ? doctor_read_rules(rules, port) : RULES_OPEN;
    bool ufw = ufw_is_on();

    snprintf(advice, sizeof advice,
             ufw ? "Let phones in: sudo ufw allow %u/tcp"
                 : "Let TCP port %u in from your network; how depends on what set the firewall up.",
             port);
    if (rules && read == RULES_CLOSED)
        doctor_find(d, DOCTOR_NOTE, "firewall", advice,
                    "it drops what it does not know, and seems not to know port %u", port);
    else if (rules)
        doctor_find(d, DOCTOR_OK, "firewall", NULL,
                    read == RULES_ALLOWED ? "it lets port %u in, as far as can be seen"
                                          : "nothing is dropped by default, as far as can be seen (port %u)",
                    port);
    else if (ufw)
        doctor_find(d, DOCTOR_NOTE, "firewall", advice,
                    "ufw is on; whether it lets port %u in is not to be read by this user", port);
    else if (filter_is_loaded())
        doctor_find(d, DOCTOR_OK, "firewall", NULL, "cannot be read by this user; `sudo trivet doctor` may");
    else
        doctor_find(d, DOCTOR_OK, "firewall", NULL, "there is none");
    free(rules);
}

/* ---- mDNS ---- */

void doctor_mdns(doctor *d) {
    const json_t *mdns = json_object_get(d->status, "mdns");
    const char *state = reply_string(mdns, "state"), *name = reply_string(mdns, "name");
    bool runs = reachable_avahi_runs();

    if (mdns ? strcmp(state, "off") == 0 : !d->settings.mdns)
        doctor_find(d, DOCTOR_OK, "mdns", NULL, "off, as the settings say");
    else if (strcmp(state, "announced") == 0)
        doctor_find(d, DOCTOR_OK, "mdns", NULL, "announced as %s", name);
    else if (!runs)
        doctor_find(d, DOCTOR_NOTE, "mdns",
                    "To be found by name, install it: sudo apt-get install avahi-daemon. Or set mdns = off.",
                    "avahi-daemon does not run; phones still sync by address");
    else if (mdns)
        doctor_find(d, DOCTOR_NOTE, "mdns", "See the server's log.", "not announced%s%s",
                    reply_string(mdns, "reason")[0] ? ": " : "", reply_string(mdns, "reason"));
    else
        doctor_find(d, DOCTOR_OK, "mdns", NULL, "avahi-daemon runs");
}

/* ---- who ever came ---- */

/* Whether a device was ever seen from elsewhere, and whether there is one at all or a code for one. */
static bool seen_from_elsewhere(const json_t *devices, bool *expected) {
    const json_t *device;
    bool seen = false;
    size_t i;

    json_array_foreach(devices, i, device) {
        const char *address = reply_string(device, "address");
        if (reply_number(device, "revoked") == 0)
            *expected = true;
        if (reply_number(device, "last_seen") != 0 && address[0] && !address_is_loopback(address))
            seen = true;
    }
    return seen;
}

void doctor_arrivals(doctor *d) {
    bool expected = false, seen = seen_from_elsewhere(d->devices, &expected);
    char advice[400], where[REACHABLE_TEXT];
    const json_t *first = json_array_get(json_object_get(d->status, "addresses"), 0);

    if (!d->status)
        return;
    expected = expected || json_is_true(json_object_get(d->status, "code_made"));
    snprintf(where, sizeof where, "%s", json_is_string(first) ? json_string_value(first) : "ADDRESS");
    if (json_is_true(json_object_get(d->status, "arrived"))) {
        doctor_find(d, DOCTOR_OK, "arrivals", NULL, "other computers or phones have connected");
    } else if (seen) {
        doctor_find(d, DOCTOR_OK, "arrivals", NULL,
                    "phones have connected, though none since the server started");
    } else if (!expected || reply_number(d->status, "uptime") < SOON_S) {
        doctor_find(d, DOCTOR_OK, "arrivals", NULL, "no phone has come yet");
    } else {
        snprintf(advice, sizeof advice,
                 "Open http://%s:%lld/ping in the phone's browser. If nothing comes: is the phone in this "
                 "network, not "
                 "in a guest network; is the router's client isolation (AP isolation) off; is a VPN on?",
                 where, (long long)reply_number(d->status, "port"));
        doctor_find(d, DOCTOR_NOTE, "arrivals", advice, "no connection from another device has ever arrived");
    }
}
