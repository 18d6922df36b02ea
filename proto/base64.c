/*
 * base64.c - base64 by tables.
 *
 * Writing looks up twelve bits at a time in a table of 4096 pairs of characters. Reading looks up each of
 * four characters in a table of its own, in which the value already stands shifted to its place, so that four
 * loads and three ORs make three bytes; a character outside the alphabet has a bit set above those 24. The
 * tables are written out by the preprocessor, since they must be constant: the library has no place to fill
 * them in.
 */
#include "base64.h"

#include "trivet_proto.h"
#include <stdlib.h>

#include <string.h>

/* ---- tables ---- */

/* clang-format off */
#define CHAR(v) ((char)((v) < 26 ? 'A' + (v) : (v) < 52 ? 'a' + (v) - 26 : (v) < 62 ? '0' + (v) - 52 : \
                        (v) == 62 ? '+' : '/'))
#define PAIR(i) { CHAR(((i) >> 6) & 63), CHAR((i) & 63) }
#define PAIR4(i) PAIR(i), PAIR((i) + 1), PAIR((i) + 2), PAIR((i) + 3)
#define PAIR16(i) PAIR4(i), PAIR4((i) + 4), PAIR4((i) + 8), PAIR4((i) + 12)
#define PAIR64(i) PAIR16(i), PAIR16((i) + 16), PAIR16((i) + 32), PAIR16((i) + 48)
#define PAIR256(i) PAIR64(i), PAIR64((i) + 64), PAIR64((i) + 128), PAIR64((i) + 192)
#define PAIR1024(i) PAIR256(i), PAIR256((i) + 256), PAIR256((i) + 512), PAIR256((i) + 768)

static const char pairs[4096][2] = { PAIR1024(0), PAIR1024(1024), PAIR1024(2048), PAIR1024(3072) };

#define BAD (1u << 24)
#define VALUE(c, shift) ((c) >= 'A' && (c) <= 'Z' ? (uint32_t)((c) - 'A') << (shift) : \
                         (c) >= 'a' && (c) <= 'z' ? (uint32_t)((c) - 'a' + 26) << (shift) : \
                         (c) >= '0' && (c) <= '9' ? (uint32_t)((c) - '0' + 52) << (shift) : \
                         (c) == '+' ? 62u << (shift) : (c) == '/' ? 63u << (shift) : BAD)
#define VALUE4(c, s) VALUE(c, s), VALUE((c) + 1, s), VALUE((c) + 2, s), VALUE((c) + 3, s)
#define VALUE16(c, s) VALUE4(c, s), VALUE4((c) + 4, s), VALUE4((c) + 8, s), VALUE4((c) + 12, s)
#define VALUE64(c, s) VALUE16(c, s), VALUE16((c) + 16, s), VALUE16((c) + 32, s), VALUE16((c) + 48, s)
#define VALUE256(s) { VALUE64(0, s), VALUE64(64, s), VALUE64(128, s), VALUE64(192, s) }

static const uint32_t values[4][256] = { VALUE256(18), VALUE256(12), VALUE256(6), VALUE256(0) };
/* clang-format on */

/* ---- writing ---- */

size_t proto_base64_encoded_size(size_t len) {
    return (len + 2) / 3 * 4;
}

void proto_base64_encode(char *out, const uint8_t *data, size_t len) {
    while (len >= 3) {
        uint32_t group = (uint32_t)data[0] << 16 | (uint32_t)data[1] << 8 | data[2];
        memcpy(out, pairs[group >> 12], 2);
        memcpy(out + 2, pairs[group & 4095], 2);
        data += 3;
        out += 4;
        len -= 3;
    }
    if (len == 0)
        return;
    uint32_t group = (uint32_t)data[0] << 16 | (len == 2 ? (uint32_t)data[1] << 8 : 0);
    memcpy(out, pairs[group >> 12], 2);
    memcpy(out + 2, pairs[group & 4095], 2);
    out[3] = '=';
    if (len == 1)
        out[2] = '=';
}

/* ---- reading ---- */

size_t proto_base64_decoded_size(size_t len) {
    return len / 4 * 3 + 3;
}

static uint32_t group_of(const char *text) {
    return values[0][(uint8_t)text[0]] | values[1][(uint8_t)text[1]] | values[2][(uint8_t)text[2]] |
           values[3][(uint8_t)text[3]];
}

static void put(uint8_t *out, uint32_t group) {
    out[0] = (uint8_t)(group >> 16);
    out[1] = (uint8_t)(group >> 8);
    out[2] = (uint8_t)group;
}

/* The length without its padding; false where the padding is none. */
static bool strip_padding(const char *text, size_t *len) {
    if (*len % 4 == 0 && *len > 0 && text[*len - 1] == '=')
        *len -= text[*len - 2] == '=' ? 2 : 1;
    return *len % 4 != 1;
}

/* The last two or three characters: one or two bytes, and bits that must be zero. */
static bool decode_tail(uint8_t *out, size_t *out_len, const char *text, size_t len) {
    uint32_t group = values[0][(uint8_t)text[0]] | values[1][(uint8_t)text[1]];
    if (len == 3)
        group |= values[2][(uint8_t)text[2]];
    if (group & (BAD | (len == 3 ? 0xffu : 0xffffu)))
        return false;
    uint8_t bytes[3];
    put(bytes, group);
    memcpy(out, bytes, len - 1);
    *out_len += len - 1;
    return true;
}

bool proto_base64_decode(uint8_t *out, size_t *out_len, const char *text, size_t len) {
    if (!strip_padding(text, &len))
        return false;
    uint32_t bad = 0;
    *out_len = len / 4 * 3;
    for (; len >= 4; len -= 4, text += 4, out += 3) {
        uint32_t group = group_of(text);
        bad |= group;
        put(out, group);
    }
    if (bad & BAD)
        return false;
    return len == 0 || decode_tail(out, out_len, text, len);
}

bool proto_base64_valid(const char *text, size_t len) {
    if (!strip_padding(text, &len))
        return false;
    uint32_t bad = 0;
    for (; len >= 4; len -= 4, text += 4)
        bad |= group_of(text);
    uint8_t rest[3];
    size_t rest_len = 0;
    return !(bad & BAD) && (len == 0 || decode_tail(rest, &rest_len, text, len));
}

bool trivet_proto_base64_decode(uint8_t *out, size_t *out_len, const char *text, size_t len) {
    return proto_base64_decode(out, out_len, text, len);
}

char *trivet_proto_base64_encode(const uint8_t *data, size_t len) {
    if (len > SIZE_MAX / 4)
        return NULL;
    size_t size = proto_base64_encoded_size(len);
    char *text = malloc(size + 1);
    if (text != NULL) {
        proto_base64_encode(text, data, len);
        text[size] = '\0';
    }
    return text;
}
