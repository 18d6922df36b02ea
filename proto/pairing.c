/*
 * pairing.c - what a pairing code holds (protocol §6).
 *
 *     {"ip":"192.168.1.20","port":8080,"secret":"<UUID v4>","v":2,"device":"<id>","name":"…",
 *      "k":"<base64url>"}
 *
 * The phone app reads the first three. Read and written without jansson, for its secrets.
 */
#include "base64.h"
#include "member.h"
#include "schema.h"
#include "text.h"

#include <arpa/inet.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { K_TEXT = 43 }; /* 32 bytes in base64url without padding */

/* ---- what the fields may be ---- */

/* A link-local one may name the interface behind a %, as whoever keeps the code wrote it there: codes that a
 * computer shows have none, since it means nothing on another machine. */
static bool is_bracketed_ipv6(const char *text, size_t len) {
    static const char zone_chars[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._";
    enum { ZONE_MAX = 15 };
    char inside[INET6_ADDRSTRLEN + 1 + ZONE_MAX];
    struct in6_addr address;
    if (len < 4 || len - 2 >= sizeof inside || text[0] != '[' || text[len - 1] != ']')
        return false;
    memcpy(inside, text + 1, len - 2);
    inside[len - 2] = '\0';
    char *percent = strchr(inside, '%');
    if (percent != NULL) {
        size_t zone = strlen(percent + 1);
        if (zone == 0 || zone > ZONE_MAX || strspn(percent + 1, zone_chars) != zone)
            return false;
        *percent = '\0';
    }
    return inet_pton(AF_INET6, inside, &address) == 1 && (percent == NULL || IN6_IS_ADDR_LINKLOCAL(&address));
}

/* An IPv4 address is spelled as a name is. */
static bool is_host(const char *text) {
    size_t len = strlen(text);
    if (len > 0 && text[0] == '[')
        return is_bracketed_ipv6(text, len);
    return len > 0 && len <= 253 &&
           strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._") == len;
}

/* RFC 4122 §4.4 */
static bool is_uuid4(const char *text) {
    static const char shape[] = "xxxxxxxx-xxxx-4xxx-yxxx-xxxxxxxxxxxx";
    for (size_t i = 0; i < sizeof shape - 1; i++) {
        const char *allowed = shape[i] == 'x'   ? "0123456789abcdefABCDEF"
                              : shape[i] == 'y' ? "89abAB"
                              : shape[i] == '4' ? "4"
                                                : "-";
        if (text[i] == '\0' || strchr(allowed, text[i]) == NULL)
            return false;
    }
    return text[sizeof shape - 1] == '\0';
}

static bool decode_k(const char *text, uint8_t k[static 32]) {
    char standard[K_TEXT + 1];
    uint8_t bytes[K_TEXT];
    size_t len = 0;
    if (strlen(text) != K_TEXT || strpbrk(text, "+/") != NULL)
        return false;
    memcpy(standard, text, sizeof standard);
    for (char *c = standard; *c != '\0'; c++)
        *c = *c == '-' ? '+' : *c == '_' ? '/' : *c;
    bool good = proto_base64_decode(bytes, &len, standard, K_TEXT) && len == 32;
    if (good)
        memcpy(k, bytes, 32);
    sodium_memzero(standard, sizeof standard);
    sodium_memzero(bytes, sizeof bytes);
    return good;
}

static void encode_k(char *out, const uint8_t k[static 32]) {
    char padded[K_TEXT + 1];
    proto_base64_encode(padded, k, 32);
    padded[K_TEXT] = '\0';
    for (size_t i = 0; i <= K_TEXT; i++)
        out[i] = (char)(padded[i] == '+' ? '-' : padded[i] == '/' ? '_' : padded[i]);
    sodium_memzero(padded, sizeof padded);
}

/* ---- writing ---- */

static char *put_string(char *to, const char *name, const char *value) {
    to += sprintf(to, ",\"%s\":", name);
    return proto_text_write(to, value);
}

int trivet_proto_pairing_encode(const trivet_proto_pairing *pairing, char **out) {
    *out = NULL;
    if (!is_host(pairing->ip) || pairing->port == 0 ||
        (pairing->secret[0] == '\0' ? !pairing->has_k || pairing->device[0] == '\0'
                                    : !is_uuid4(pairing->secret)))
        return TRIVET_PROTO_EINPUT;
    char k[K_TEXT + 1];
    char *text = malloc(256 + 6 * sizeof *pairing);
    if (text == NULL)
        return TRIVET_PROTO_ENOMEM;
    char *to = stpcpy(text, "{\"ip\":");
    to = proto_text_write(to, pairing->ip);
    to += sprintf(to, ",\"port\":%u", (unsigned)pairing->port);
    if (pairing->secret[0] != '\0')
        to = put_string(to, "secret", pairing->secret);
    to = stpcpy(to, ",\"v\":2");
    if (pairing->device[0] != '\0')
        to = put_string(to, "device", pairing->device);
    if (pairing->name[0] != '\0')
        to = put_string(to, "name", pairing->name);
    if (pairing->has_k) {
        encode_k(k, pairing->k);
        to = put_string(to, "k", k);
        sodium_memzero(k, sizeof k);
    }
    strcpy(to, "}");
    *out = text;
    return TRIVET_PROTO_OK;
}

/* ---- reading ---- */

/* Into a field of `room` bytes; left empty where it is missing or null. */
static int read_string(const proto_member *member, const char *name, char *out, size_t room,
                       trivet_proto_error *err) {
    char *text = NULL;
    out[0] = '\0';
    if (member->begin == NULL || member->kind == 'n')
        return TRIVET_PROTO_OK;
    int r = proto_member_string(member, name, 0, room - 1, &text, err);
    if (r != TRIVET_PROTO_OK)
        return r;
    memcpy(out, text, strlen(text) + 1);
    sodium_memzero(text, strlen(text));
    free(text);
    return TRIVET_PROTO_OK;
}

static int read_port(const proto_member *member, uint16_t *out, trivet_proto_error *err) {
    int64_t port = 0;
    int r = proto_member_time(member, "port", &port, err);
    if (r != TRIVET_PROTO_OK)
        return r;
    if (port < 1 || port > 65535)
        return proto_refuse(err, "port", "expected 1 to 65535");
    *out = (uint16_t)port;
    return TRIVET_PROTO_OK;
}

/* What the fields must be once they are there. */
static int check(const trivet_proto_pairing *pairing, trivet_proto_error *err) {
    if (!is_host(pairing->ip))
        return proto_refuse(err, "ip", "expected an IPv4 address, a name or a bracketed IPv6 address");
    if (pairing->secret[0] != '\0' && !is_uuid4(pairing->secret))
        return proto_refuse(err, "secret", "expected a UUID of version 4");
    if (pairing->secret[0] == '\0' && !pairing->has_k)
        return proto_refuse(err, "secret", "neither secret nor k is there");
    if (pairing->secret[0] == '\0' && pairing->device[0] == '\0')
        return proto_refuse(err, "device", "is missing, and k is the key of one");
    return TRIVET_PROTO_OK;
}

static int decode(const char *json, size_t len, trivet_proto_pairing *out, trivet_proto_error *err) {
    enum { IP, PORT, SECRET, DEVICE, NAME, KEY, COUNT };
    static const char *const names[COUNT] = {"ip", "port", "secret", "device", "name", "k"};
    proto_member found[COUNT];
    char k[K_TEXT + 1];
    int r = proto_members_find(json, len, names, COUNT, found, err);
    if (r == TRIVET_PROTO_OK)
        r = read_string(&found[IP], "ip", out->ip, sizeof out->ip, err);
    if (r == TRIVET_PROTO_OK)
        r = read_port(&found[PORT], &out->port, err);
    if (r == TRIVET_PROTO_OK)
        r = read_string(&found[SECRET], "secret", out->secret, sizeof out->secret, err);
    if (r == TRIVET_PROTO_OK)
        r = read_string(&found[DEVICE], "device", out->device, sizeof out->device, err);
    if (r == TRIVET_PROTO_OK)
        r = read_string(&found[NAME], "name", out->name, sizeof out->name, err);
    if (r == TRIVET_PROTO_OK)
        r = read_string(&found[KEY], "k", k, sizeof k, err);
    if (r != TRIVET_PROTO_OK)
        return r;
    if (k[0] != '\0' && !decode_k(k, out->k))
        return proto_refuse(err, "k", "expected 32 bytes in base64url without padding");
    out->has_k = k[0] != '\0';
    sodium_memzero(k, sizeof k);
    return check(out, err);
}

int trivet_proto_pairing_decode(const char *json, size_t len, trivet_proto_pairing *out,
                                trivet_proto_error *err) {
    trivet_proto_error unused;
    memset(out, 0, sizeof *out);
    int r = decode(json, len, out, err != NULL ? err : &unused);
    if (r != TRIVET_PROTO_OK)
        sodium_memzero(out, sizeof *out);
    return r;
}
