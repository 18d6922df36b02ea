/*
 * Own addresses. The kernel is asked which source address it would use towards the internet by connecting a
 * UDP socket, which sends nothing, to an address that is reserved for documentation (RFC 5737).
 */
#include "serve/reachable.h"

#include "net/address.h"

#include <arpa/inet.h>
#include <fnmatch.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* Interfaces behind which there is no phone. */
static const char *const VIRTUAL[] = {"docker*", "br-*", "veth*",  "virbr*",
                                      "vnet*",   "lxc*", "lxdbr*", "cni*"};

static bool is_virtual(const char *name) {
    for (size_t i = 0; i < sizeof VIRTUAL / sizeof VIRTUAL[0]; i++) {
        if (fnmatch(VIRTUAL[i], name, 0) == 0)
            return true;
    }
    return false;
}

/* An address of `ifa` that a phone could reach, in text; false: it is none. */
static bool usable(const struct ifaddrs *ifa, reachable_address *out) {
    char text[INET6_ADDRSTRLEN];

    if (!ifa->ifa_addr || !(ifa->ifa_flags & IFF_UP) || (ifa->ifa_flags & IFF_LOOPBACK) ||
        is_virtual(ifa->ifa_name))
        return false;
    if (ifa->ifa_addr->sa_family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, ifa->ifa_addr, sizeof in);
        inet_ntop(AF_INET, &in.sin_addr, text, sizeof text);
        snprintf(out->text, sizeof out->text, "%s", text);
        return true;
    }
    if (ifa->ifa_addr->sa_family == AF_INET6) {
        struct sockaddr_in6 in6;
        memcpy(&in6, ifa->ifa_addr, sizeof in6);
        if (IN6_IS_ADDR_LINKLOCAL(&in6.sin6_addr)) /* useless without a zone, which a phone does not know */
            return false;
        inet_ntop(AF_INET6, &in6.sin6_addr, text, sizeof text);
        snprintf(out->text, sizeof out->text, "[%s]", text);
        return true;
    }
    return false;
}

/* The IPv4 address with which the default route is used. */
static bool on_default_route(reachable_address *out) {
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(9)}, own;
    socklen_t len = sizeof own;
    bool found = false;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return false;
    inet_pton(AF_INET, "192.0.2.1", &to.sin_addr);
    if (connect(fd, (struct sockaddr *)&to, sizeof to) == 0 &&
        getsockname(fd, (struct sockaddr *)&own, &len) == 0 && own.sin_addr.s_addr != htonl(INADDR_ANY) &&
        (ntohl(own.sin_addr.s_addr) >> 24) != IN_LOOPBACKNET)
        found = inet_ntop(AF_INET, &own.sin_addr, out->text, sizeof out->text) != NULL;
    close(fd);
    return found;
}

static bool holds(const reachable_address *list, size_t count, const reachable_address *one) {
    for (size_t i = 0; i < count; i++) {
        if (strcmp(list[i].text, one->text) == 0)
            return true;
    }
    return false;
}

/* Appends the addresses of one family. */
static size_t append(reachable_address *list, size_t count, const struct ifaddrs *all, int family) {
    for (const struct ifaddrs *ifa = all; ifa && count < REACHABLE_MAX; ifa = ifa->ifa_next) {
        reachable_address one;
        if (ifa->ifa_addr && ifa->ifa_addr->sa_family == family && usable(ifa, &one) &&
            !holds(list, count, &one))
            list[count++] = one;
    }
    return count;
}

size_t reachable_all(reachable_address out[static REACHABLE_MAX]) {
    struct ifaddrs *all = NULL;
    size_t count = on_default_route(&out[0]);

    if (getifaddrs(&all) == 0) {
        count = append(out, count, all, AF_INET);
        count = append(out, count, all, AF_INET6);
        freeifaddrs(all);
    }
    if (count == 0)
        snprintf(out[count++].text, sizeof out[0].text, "127.0.0.1");
    return count;
}

void reachable_best(reachable_address *out) {
    reachable_address all[REACHABLE_MAX];

    reachable_all(all);
    *out = all[0];
    if (out->text[0] == '[') /* IPv6 alone: not every phone app takes it */
        snprintf(out->text, sizeof out->text, "127.0.0.1");
}

/* ---- is it ours? ---- */

/* Whether an interface has this address; through which one a link-local one is reached is not asked. */
static bool has(const struct ifaddrs *all, const struct sockaddr_storage *address) {
    size_t len, own_len;
    const uint8_t *bytes = address_bytes((const struct sockaddr *)address, &len), *own;

    for (const struct ifaddrs *ifa = all; ifa; ifa = ifa->ifa_next) {
        own = ifa->ifa_addr ? address_bytes(ifa->ifa_addr, &own_len) : NULL;
        if (own && own_len == len && memcmp(own, bytes, len) == 0)
            return true;
    }
    return false;
}

bool reachable_is_own(const char *address) {
    struct sockaddr_storage wanted;
    struct ifaddrs *all = NULL;

    if (address_is_loopback(address))
        return true;
    if (!address_parse(address, 0, &wanted) || getifaddrs(&all) != 0)
        return false;
    bool found = has(all, &wanted);
    freeifaddrs(all);
    return found;
}

struct reachable_own {
    struct ifaddrs *all;
    bool connected; /* there is an address besides loopback's and link-local ones */
};

reachable_own *reachable_own_new(void) {
    reachable_own *own = calloc(1, sizeof *own);
    reachable_address unused;

    if (!own || getifaddrs(&own->all) != 0) {
        free(own);
        return NULL;
    }
    for (const struct ifaddrs *ifa = own->all; ifa; ifa = ifa->ifa_next)
        own->connected = own->connected || usable(ifa, &unused);
    return own;
}

bool reachable_own_has(const reachable_own *own, const char *place) {
    char text[REACHABLE_TEXT];
    struct sockaddr_storage wanted;
    size_t len = strlen(place);

    if (!own || !own->connected)
        return true;
    if (place[0] == '[' && place[len - 1] == ']') {
        place++;
        len -= 2;
    }
    if (len >= sizeof text)
        return true;
    snprintf(text, sizeof text, "%.*s", (int)strcspn(place, "%]"), place);
    return !address_parse(text, 0, &wanted) || address_is_loopback(text) || has(own->all, &wanted);
}

void reachable_own_free(reachable_own *own) {
    if (!own)
        return;
    freeifaddrs(own->all);
    free(own);
}

/* ---- mDNS ---- */

bool reachable_avahi_runs(void) {
    const struct sockaddr_un to = {.sun_family = AF_UNIX, .sun_path = "/run/avahi-daemon/socket"};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool answers = fd >= 0 && connect(fd, (const struct sockaddr *)&to, sizeof to) == 0;

    if (fd >= 0)
        close(fd);
    return answers;
}
