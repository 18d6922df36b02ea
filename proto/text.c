/* text.c - one walk over the text serves both to measure and to write, so that the two cannot disagree. */
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

/* One escape at `*in`, which holds a backslash: copied, or guarded. */
static size_t guard_escape(const char *json, size_t len, size_t *in, char *out, size_t at) {
    int32_t unit = unit_at(json, len, *in);
    int32_t next = is_high(unit) ? unit_at(json, len, *in + 6) : -1;
    size_t from = *in;
    if (is_low(next)) {
        *in += 12;
        return unit == 0xdbff && next == 0xdfff ? emit(out, at, MARK MARK, 2 * MARK_LEN)
                                                : emit(out, at, json + from, 12);
    }
    if (unit == 0 || is_high(unit) || is_low(unit)) {
        *in += 6;
        return emit_guarded(out, at, unit == 0 ? NUL_GUARD : (uint32_t)unit - 0xd800);
    }
    *in += len - from < 2 ? 1 : 2;
    return emit(out, at, json + from, *in - from);
}

static size_t guard_walk(const char *json, size_t len, char *out) {
    size_t at = 0;
    for (size_t in = 0; in < len;) {
        if (json[in] == '\\') {
            at = guard_escape(json, len, &in, out, at);
        } else if (json[in] == MARK[0] && len - in >= MARK_LEN && memcmp(json + in, MARK, MARK_LEN) == 0) {
            at = emit(out, at, MARK MARK, 2 * MARK_LEN);
            in += MARK_LEN;
        } else {
            at = emit(out, at, json + in, 1);
            in++;
        }
    }
    return at;
}

static int rewritten(size_t (*walk)(const char *, size_t, char *), const char *json, size_t len, char **out,
                     size_t *out_len) {
    *out_len = walk(json, len, NULL);
    *out = malloc(*out_len + 1);
    if (*out == NULL)
        return -1;
    walk(json, len, *out);
    (*out)[*out_len] = '\0';
    return 0;
}

int proto_text_guard(const char *json, size_t len, char **out, size_t *out_len) {
    *out = NULL;
    if (json == NULL || len == 0 ||
        (memmem(json, len, "\\u", 2) == NULL && memmem(json, len, MARK, MARK_LEN) == NULL))
        return 0;
    return rewritten(guard_walk, json, len, out, out_len);
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
    return rewritten(unguard_walk, json, len, out, out_len);
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

/* One escape; the character goes to *c, how long it was is returned, 0 where it is none. */
static size_t read_escape(const char *raw, size_t len, size_t at, uint32_t *c) {
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    if (len - at < 2)
        return 0;
    const char *simple = raw[at + 1] == '\0' ? NULL : strchr(from, raw[at + 1]);
    if (simple != NULL) {
        *c = (uint8_t)to[simple - from];
        return 2;
    }
    int32_t unit = unit_at(raw, len, at);
    if (unit < 0)
        return 0;
    int32_t next = is_high(unit) ? unit_at(raw, len, at + 6) : -1;
    if (is_low(next)) {
        *c = 0x10000 + ((uint32_t)(unit - 0xd800) << 10) + (uint32_t)(next - 0xdc00);
        return 12;
    }
    *c = unit == 0 || is_high(unit) || is_low(unit) ? 0xfffd : (uint32_t)unit;
    return 6;
}

bool proto_text_read(const char *raw, size_t len, char *out, size_t *out_len) {
    size_t at = 0;
    for (size_t in = 0; in < len;) {
        if (raw[in] == '\\') {
            uint32_t c = 0;
            size_t used = read_escape(raw, len, in, &c);
            if (used == 0)
                return false;
            at += put_utf8(out + at, c);
            in += used;
        } else if ((uint8_t)raw[in] < 0x20 || raw[in] == '"') {
            return false;
        } else {
            out[at++] = raw[in++];
        }
    }
    out[at] = '\0';
    *out_len = at;
    return proto_text_is_utf8(out, at);
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
