/*
 * Addresses: to text, from text, near or far. A table holds the ranges that are always near; the prefixes of
 * the computer's own interfaces are asked of the system each time, since they change when it moves.
 */
#include "address.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "listener.h"

static const uint8_t mapped_prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

void address_format(const struct sockaddr *address, char out[static ADDRESS_SIZE]) {
    const struct sockaddr_in *v4 = (const void *)address;
    const struct sockaddr_in6 *v6 = (const void *)address;
    char name[IF_NAMESIZE];
    size_t len;

    out[0] = '\0';
    if (address->sa_family == AF_INET) {
        inet_ntop(AF_INET, &v4->sin_addr, out, ADDRESS_SIZE);
    } else if (address->sa_family == AF_INET6 && memcmp(&v6->sin6_addr, mapped_prefix, 12) == 0) {
        inet_ntop(AF_INET, v6->sin6_addr.s6_addr + 12, out, ADDRESS_SIZE);
    } else if (address->sa_family == AF_INET6) {
        inet_ntop(AF_INET6, &v6->sin6_addr, out, ADDRESS_SIZE);
        len = strlen(out);
        if (v6->sin6_scope_id != 0 && if_indextoname(v6->sin6_scope_id, name))
            snprintf(out + len, ADDRESS_SIZE - len, "%%%s", name);
    }
}

bool address_parse(const char *text, uint16_t port, struct sockaddr_storage *out) {
    struct sockaddr_in *v4 = (void *)out;
    struct sockaddr_in6 *v6 = (void *)out;
    struct sockaddr_in6 parsed;

    memset(out, 0, sizeof *out);
    if (uv_ip4_addr(text, port, v4) == 0)
        return true;
    if (strlen(text) >= ADDRESS_SIZE || uv_ip6_addr(text, port, &parsed) != 0)
        return false;
    memset(out, 0, sizeof *out);
    if (memcmp(&parsed.sin6_addr, mapped_prefix, 12) == 0) {
        v4->sin_family = AF_INET;
        v4->sin_port = parsed.sin6_port;
        memcpy(&v4->sin_addr, parsed.sin6_addr.s6_addr + 12, 4);
    } else {
        *v6 = parsed;
    }
    return true;
}

const uint8_t *address_bytes(const struct sockaddr *address, size_t *len) {
    *len = address->sa_family == AF_INET ? 4 : 16;
    if (address->sa_family == AF_INET)
        return (const uint8_t *)&((const struct sockaddr_in *)(const void *)address)->sin_addr;
    if (address->sa_family == AF_INET6)
        return ((const struct sockaddr_in6 *)(const void *)address)->sin6_addr.s6_addr;
    return NULL;
}

/* Of what address_parse made. */
static const uint8_t *bytes_of(const struct sockaddr_storage *address, size_t *len) {
    return address_bytes((const struct sockaddr *)address, len);
}

bool address_is_loopback(const char *address) {
    struct sockaddr_storage parsed;
    const uint8_t *bytes;
    size_t len;

    if (!address_parse(address, 0, &parsed))
        return false;
    bytes = bytes_of(&parsed, &len);
    return len == 4 ? bytes[0] == 127 : memcmp(bytes, &in6addr_loopback, 16) == 0;
}

static bool same_prefix(const uint8_t *a, const uint8_t *b, unsigned bits) {
    unsigned whole = bits / 8, rest = bits % 8;

    return memcmp(a, b, whole) == 0 && (rest == 0 || (a[whole] ^ b[whole]) >> (8 - rest) == 0);
}

static bool in_near_range(const uint8_t *bytes, size_t len) {
    static const struct {
        uint8_t len, bits, prefix[16];
    } near[] = {
        {4, 8, {127}},          /* loopback */
        {4, 8, {10}},           /* RFC 1918 */
        {4, 12, {172, 16}},     /* RFC 1918 */
        {4, 16, {192, 168}},    /* RFC 1918 */
        {4, 16, {169, 254}},    /* link-local, RFC 3927 */
        {4, 10, {100, 64}},     /* shared, RFC 6598 */
        {16, 128, {[15] = 1}},  /* loopback */
        {16, 10, {0xfe, 0x80}}, /* link-local, RFC 4291 */
        {16, 7, {0xfc}},        /* unique local, RFC 4193 */
    };

    for (size_t i = 0; i < sizeof near / sizeof *near; i++)
        if (near[i].len == len && same_prefix(bytes, near[i].prefix, near[i].bits))
            return true;
    return false;
}

/* A mask of no bits at all would make the whole world near: such an interface does not count. */
static bool in_subnet(const uint8_t *address, const uint8_t *own, const uint8_t *mask, size_t len) {
    uint8_t any = 0;

    for (size_t i = 0; i < len; i++) {
        if ((address[i] ^ own[i]) & mask[i])
            return false;
        any |= mask[i];
    }
    return any != 0;
}

static bool in_own_subnet(const struct sockaddr_storage *address) {
    uv_interface_address_t *interfaces;
    size_t len;
    const uint8_t *bytes = bytes_of(address, &len);
    bool found = false;
    int count;

    if (uv_interface_addresses(&interfaces, &count) != 0)
        return false;
    for (int i = 0; i < count && !found; i++) {
        const uv_interface_address_t *own = &interfaces[i];

        if (own->address.address4.sin_family != address->ss_family)
            continue;
        found = len == 4 ? in_subnet(bytes, (const uint8_t *)&own->address.address4.sin_addr,
                                     (const uint8_t *)&own->netmask.netmask4.sin_addr, 4)
                         : in_subnet(bytes, own->address.address6.sin6_addr.s6_addr,
                                     own->netmask.netmask6.sin6_addr.s6_addr, 16);
    }
    uv_free_interface_addresses(interfaces, count);
    return found;
}

bool listener_address_is_local(const char *address) {
    struct sockaddr_storage parsed;
    const uint8_t *bytes;
    size_t len;

    if (!address_parse(address, 0, &parsed))
        return false;
    bytes = bytes_of(&parsed, &len);
    return in_near_range(bytes, len) || in_own_subnet(&parsed);
}

/* A prefix of whole bytes, in text. */
static void write_prefix(const struct sockaddr_storage *address, size_t bytes,
                         char out[static ADDRESS_SIZE]) {
    struct sockaddr_storage copy = *address;
    size_t len, end;
    uint8_t *start = (uint8_t *)(uintptr_t)bytes_of(&copy, &len);

    memset(start + bytes, 0, len - bytes);
    if (len == 16)
        ((struct sockaddr_in6 *)(void *)&copy)->sin6_scope_id = 0;
    address_format((const struct sockaddr *)&copy, out);
    end = strlen(out);
    snprintf(out + end, ADDRESS_SIZE - end, "/%zu", bytes * 8);
}

static bool is_link_local(const uint8_t *bytes, size_t len) {
    return len == 16 && bytes[0] == 0xfe && (bytes[1] & 0xc0) == 0x80;
}

static void copy_text(const char *text, char out[static ADDRESS_SIZE]) {
    size_t len = strnlen(text, ADDRESS_SIZE - 1);

    memmove(out, text, len);
    out[len] = '\0';
}

void address_source(const char *address, char out[static ADDRESS_SIZE]) {
    struct sockaddr_storage parsed;
    const uint8_t *bytes;
    size_t len;

    if (!address_parse(address, 0, &parsed)) {
        copy_text(address, out);
        return;
    }
    bytes = bytes_of(&parsed, &len);
    if (len == 4 || is_link_local(bytes, len))
        copy_text(address, out);
    else
        write_prefix(&parsed, 8, out);
}

void address_network(const char *address, char out[static ADDRESS_SIZE]) {
    struct sockaddr_storage parsed;
    const uint8_t *bytes;
    size_t len;
    const char *scope = strchr(address, '%');

    if (!address_parse(address, 0, &parsed)) {
        copy_text(address, out);
        return;
    }
    bytes = bytes_of(&parsed, &len);
    if (is_link_local(bytes, len))
        copy_text(scope ? scope : "%", out);
    else
        write_prefix(&parsed, len == 4 ? 3 : 8, out);
}

void address_of_peer(const uv_tcp_t *tcp, char out[static ADDRESS_SIZE]) {
    struct sockaddr_storage address;
    int len = sizeof address;

    out[0] = '\0';
    if (uv_tcp_getpeername(tcp, (struct sockaddr *)&address, &len) == 0)
        address_format((struct sockaddr *)&address, out);
}

uint16_t address_of_own_end(const uv_tcp_t *tcp, char out[static ADDRESS_SIZE]) {
    struct sockaddr_storage address;
    int len = sizeof address;

    out[0] = '\0';
    if (uv_tcp_getsockname(tcp, (struct sockaddr *)&address, &len) != 0)
        return 0;
    address_format((struct sockaddr *)&address, out);
    return ntohs(
        ((struct sockaddr_in6 *)(void *)&address)->sin6_port); /* at the same place in both families */
}
