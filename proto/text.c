/* text.c - literals into text and back, escape by escape. */
#include "text.h"

#include "trivet_proto.h"

#include <stdlib.h>
#include <string.h>

#define MARK "\xf4\x8f\xbf\xbf" /* U+10FFFF */
enum { MARK_LEN = 4, GUARDED_LEN = MARK_LEN + 3 };
#define NUL_GUARD 0x800u /* follows the 2048 surrogates */

/* ---- units ---- */

static int hex_digit(char c) {
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The unit of a `\uXXXX` that begins at `at`, or -1. */
static int32_t unit_at(const char *text, size_t len, size_t at) {
    if (len - at < 6 || text[at] != '\\' || text[at + 1] != 'u')
        return -1;
    int32_t unit = 0;
    for (size_t i = 2; i < 6; i++) {
        int digit = hex_digit(text[at + i]);
        if (digit < 0)
            return -1;
        unit = unit << 4 | digit;
    }
    return unit;
}

static bool is_high(int32_t unit) {
    return unit >= 0xd800 && unit < 0xdc00;
}

static bool is_low(int32_t unit) {
    return unit >= 0xdc00 && unit < 0xe000;
}

static size_t put_utf8(char *out, uint32_t c) {
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (char)(0xc0 | c >> 6);
        out[1] = (char)(0x80 | (c & 63));
        return 2;
    }
    if (c < 0x10000) {
        out[0] = (char)(0xe0 | c >> 12);
        out[1] = (char)(0x80 | (c >> 6 & 63));
        out[2] = (char)(0x80 | (c & 63));
        return 3;
    }
    out[0] = (char)(0xf0 | c >> 18);
    out[1] = (char)(0x80 | (c >> 12 & 63));
    out[2] = (char)(0x80 | (c >> 6 & 63));
    out[3] = (char)(0x80 | (c & 63));
    return 4;
}

/* ---- guard ---- */

/* The index that follows the mark; the others are surrogates. */
static uint32_t index_of(int32_t unit) {
    return unit == 0 ? NUL_GUARD : (uint32_t)unit - 0xd800;
}

/* Of a walk over text that serves both to measure, without `out`, and to write, so that the two cannot disagree. */
static size_t emit(char *out, size_t at, const char *bytes, size_t len) {
    if (out != NULL)
        memcpy(out + at, bytes, len);
    return at + len;
}

static size_t emit_guarded(char *out, size_t at, uint32_t index) {
    char bytes[GUARDED_LEN] = MARK;
    put_utf8(bytes + MARK_LEN, 0xe000 + index);
    return emit(out, at, bytes, sizeof bytes);
}

/* ---- and back ---- */

/* What a mark is followed by: an index (0 to NUL_GUARD), or -1. */
static int32_t guarded_at(const char *text, size_t len, size_t at) {
    if (len - at < GUARDED_LEN || memcmp(text + at, MARK, MARK_LEN) != 0)
        return -1;
    const uint8_t *c = (const uint8_t *)text + at + MARK_LEN;
    if (c[0] != 0xee || (c[1] & 0xc0) != 0x80 || (c[2] & 0xc0) != 0x80)
        return -1;
    int32_t index = (c[1] & 63) << 6 | (c[2] & 63);
    return index <= (int32_t)NUL_GUARD ? index : -1;
}

static bool doubled_at(const char *text, size_t len, size_t at) {
    return len - at >= 2 * MARK_LEN && memcmp(text + at, MARK MARK, 2 * MARK_LEN) == 0;
}

static size_t unguard_walk(const char *json, size_t len, char *out) {
    static const char hex[] = "0123456789abcdef";
    size_t at = 0;
    for (size_t in = 0; in < len;) {
        int32_t index = json[in] == MARK[0] ? guarded_at(json, len, in) : -1;
        if (index >= 0) {
            unsigned unit = (uint32_t)index == NUL_GUARD ? 0 : 0xd800u + (unsigned)index;
            char escape[6] = {'\\',          'u', hex[unit >> 12], hex[unit >> 8 & 15], hex[unit >> 4 & 15],
                              hex[unit & 15]};
            at = emit(out, at, escape, sizeof escape);
            in += GUARDED_LEN;
        } else if (json[in] == MARK[0] && doubled_at(json, len, in)) {
            at = emit(out, at, MARK, MARK_LEN);
            in += 2 * MARK_LEN;
        } else {
            at = emit(out, at, json + in, 1);
            in++;
        }
    }
    return at;
}

int proto_text_unguard(const char *json, size_t len, char **out, size_t *out_len) {
    *out = NULL;
    if (len == 0 || memmem(json, len, MARK, MARK_LEN) == NULL)
        return 0;
    *out_len = unguard_walk(json, len, NULL);
    *out = malloc(*out_len + 1);
    if (*out == NULL)
        return -1;
    unguard_walk(json, len, *out);
    (*out)[*out_len] = '\0';
    return 0;
}

char *trivet_proto_text_plain(const char *guarded) {
    size_t len = strlen(guarded), at = 0;
    char *out = malloc(len + 1);
    if (out == NULL)
        return NULL;
    for (size_t in = 0; in < len;) {
        if (guarded_at(guarded, len, in) >= 0) {
            at += put_utf8(out + at, 0xfffd);
            in += GUARDED_LEN;
        } else if (doubled_at(guarded, len, in)) {
            at = emit(out, at, MARK, MARK_LEN);
            in += 2 * MARK_LEN;
        } else {
            out[at++] = guarded[in++];
        }
    }
    out[at] = '\0';
    return out;
}

/* ---- literals ---- */

/* What one escape stands for. */
typedef struct {
    uint32_t c; /* where it is a lone surrogate or U+0000, that unit */
    bool is_lone;
    size_t len; /* of its spelling; 0: it is none */
} escape;

static escape read_escape(const char *raw, size_t len, size_t at) {
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    if (len - at < 2)
        return (escape){0, false, 0};
    const char *simple = raw[at + 1] == '\0' ? NULL : strchr(from, raw[at + 1]);
    if (simple != NULL)
        return (escape){(uint8_t)to[simple - from], false, 2};
    int32_t unit = unit_at(raw, len, at);
    if (unit < 0)
        return (escape){0, false, 0};
    int32_t next = is_high(unit) ? unit_at(raw, len, at + 6) : -1;
    if (is_low(next))
        return (escape){0x10000 + ((uint32_t)(unit - 0xd800) << 10) + (uint32_t)(next - 0xdc00), false, 12};
    return (escape){(uint32_t)unit, unit == 0 || is_high(unit) || is_low(unit), 6};
}

/* Writes what an escape stands for. */
static size_t put_escape(char *out, size_t at, const escape *e, bool guard) {
    if (e->is_lone)
        return guard ? emit_guarded(out, at, index_of((int32_t)e->c)) : at + put_utf8(out + at, 0xfffd);
    if (guard && e->c == 0x10ffff)
        return emit(out, at, MARK MARK, 2 * MARK_LEN);
    return at + put_utf8(out + at, e->c);
}

static bool read_literal(const char *raw, size_t len, bool guard, char *out, size_t *out_len) {
    size_t at = 0;
    if (!proto_text_is_utf8(raw, len))
        return false;
    for (size_t in = 0; in < len;) {
        uint8_t c = (uint8_t)raw[in];
        if (c == '\\') {
            escape e = read_escape(raw, len, in);
            if (e.len == 0)
                return false;
            at = put_escape(out, at, &e, guard);
            in += e.len;
        } else if (c < 0x20 || c == '"') {
            return false;
        } else if (guard && raw[in] == MARK[0] && memcmp(raw + in, MARK, MARK_LEN) == 0) {
            at = emit(out, at, MARK MARK, 2 * MARK_LEN);
            in += MARK_LEN;
        } else {
            out[at++] = raw[in++];
        }
    }
    out[at] = '\0';
    *out_len = at;
    return true;
}

bool proto_text_read(const char *raw, size_t len, char *out, size_t *out_len) {
    return read_literal(raw, len, false, out, out_len);
}

bool proto_text_read_guarded(const char *raw, size_t len, char *out, size_t *out_len) {
    return read_literal(raw, len, true, out, out_len);
}

char *proto_text_write(char *out, const char *text) {
    static const char hex[] = "0123456789abcdef";
    *out++ = '"';
    for (; *text != '\0'; text++) {
        uint8_t c = (uint8_t)*text;
        if (c == '"' || c == '\\') {
            *out++ = '\\';
            *out++ = (char)c;
        } else if (c < 0x20) {
            memcpy(out, "\\u00", 4);
            out[4] = hex[c >> 4];
            out[5] = hex[c & 15];
            out += 6;
        } else {
            *out++ = (char)c;
        }
    }
    *out++ = '"';
    return out;
}

/* The length of one well-formed sequence (Unicode 15, table 3-7), or 0. */
static size_t utf8_sequence(const uint8_t *c, size_t len) {
    if (c[0] < 0x80)
        return 1;
    size_t need = c[0] >= 0xc2 && c[0] < 0xe0   ? 2
                  : c[0] >= 0xe0 && c[0] < 0xf0 ? 3
                  : c[0] >= 0xf0 && c[0] < 0xf5 ? 4
                                                : 0;
    if (need == 0 || len < need)
        return 0;
    uint8_t low = c[0] == 0xe0 ? 0xa0 : c[0] == 0xf0 ? 0x90 : 0x80;
    uint8_t high = c[0] == 0xed ? 0x9f : c[0] == 0xf4 ? 0x8f : 0xbf;
    if (c[1] < low || c[1] > high)
        return 0;
    for (size_t i = 2; i < need; i++) {
        if ((c[i] & 0xc0) != 0x80)
            return 0;
    }
    return need;
}

bool proto_text_is_utf8(const char *text, size_t len) {
    for (size_t at = 0; at < len;) {
        size_t used = utf8_sequence((const uint8_t *)text + at, len - at);
        if (used == 0)
            return false;
        at += used;
    }
    return true;
}
