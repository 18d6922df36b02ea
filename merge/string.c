/*
 * string.c - strings of a document, as canonical slices.
 *
 * Plain bytes are skipped many at a time (scan.h). An escape keeps its place as long as it stands as JSON.stringify would
 * write it; only a string that holds another one is copied.
 */
#include "json.h"

#include "scan.h"

/* The length of the UTF-8 sequence at `p`, 0 where it is none: overlong, a surrogate, above U+10FFFF, cut. */
static size_t utf8_length(const char *at, const char *end) {
    const unsigned char *p = (const unsigned char *)at;
    size_t left = (size_t)(end - at);
    unsigned char c = p[0];
    if (c < 0xc2 || c > 0xf4)
        return 0;
    if (c < 0xe0)
        return left >= 2 && (p[1] & 0xc0) == 0x80 ? 2 : 0;
    if (left < 3 || (p[1] & 0xc0) != 0x80 || (p[2] & 0xc0) != 0x80)
        return 0;
    if (c < 0xf0) {
        if ((c == 0xe0 && p[1] < 0xa0) || (c == 0xed && p[1] > 0x9f))
            return 0;
        return 3;
    }
    if (left < 4 || (p[3] & 0xc0) != 0x80 || (c == 0xf0 && p[1] < 0x90) || (c == 0xf4 && p[1] > 0x8f))
        return 0;
    return 4;
}

static int hex_value(char c) {
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* The four digits at `p`, or -1. */
static int hex4(const char *p) {
    int value = 0;
    for (int i = 0; i < 4; i++) {
        int digit = hex_value(p[i]);
        if (digit < 0)
            return -1;
        value = value << 4 | digit;
    }
    return value;
}

static bool is_high(int unit) {
    return unit >= 0xd800 && unit < 0xdc00;
}

static bool is_low(int unit) {
    return unit >= 0xdc00 && unit < 0xe000;
}

/* The unit of the \u escape at `p`, or -1 where there is none. */
static int escaped_unit(const char *p, const char *end) {
    return end - p >= 6 && p[0] == '\\' && p[1] == 'u' ? hex4(p + 2) : -1;
}

/* \b and its like for a control character, 0 for the others */
static char short_escape(int unit) {
    switch (unit) {
    case '\b':
        return 'b';
    case '\t':
        return 't';
    case '\n':
        return 'n';
    case '\f':
        return 'f';
    case '\r':
        return 'r';
    default:
        return 0;
    }
}

/* Whether the \u escape at `p`, no half of a pair, is what JSON.stringify writes: a control character or a lone surrogate. */
static bool is_canonical_unit(const char *p, int unit) {
    if (unit >= 0x20 && !is_high(unit) && !is_low(unit))
        return false;
    if (short_escape(unit))
        return false;
    for (int i = 2; i < 6; i++)
        if (p[i] >= 'A' && p[i] <= 'F')
            return false;
    return true;
}

/* The escape at `*p`, stepped over; `canonical` is cleared where it is to be written otherwise. */
static int check_escape(tm_reader *r, const char **p, bool *canonical) {
    const char *s = *p;
    if (r->end - s < 2) {
        r->at = r->end;
        return tm_fail(r, "unexpected end");
    }
    switch (s[1]) {
    case '"':
    case '\\':
    case 'b':
    case 'f':
    case 'n':
    case 'r':
    case 't':
        *p = s + 2;
        return 0;
    case '/':
        *canonical = false;
        *p = s + 2;
        return 0;
    case 'u':
        break;
    default:
        return tm_fail(r, "invalid escape");
    }
    int unit = escaped_unit(s, r->end);
    if (unit < 0)
        return tm_fail(r, "invalid escape");
    if (is_high(unit) && is_low(escaped_unit(s + 6, r->end))) {
        *canonical = false;
        *p = s + 12;
        return 0;
    }
    if (!is_canonical_unit(s, unit))
        *canonical = false;
    *p = s + 6;
    return 0;
}

static char *put_utf8(char *out, int point) {
    if (point < 0x80) {
        *out++ = (char)point;
    } else if (point < 0x800) {
        *out++ = (char)(0xc0 | point >> 6);
        *out++ = (char)(0x80 | (point & 0x3f));
    } else if (point < 0x10000) {
        *out++ = (char)(0xe0 | point >> 12);
        *out++ = (char)(0x80 | (point >> 6 & 0x3f));
        *out++ = (char)(0x80 | (point & 0x3f));
    } else {
        *out++ = (char)(0xf0 | point >> 18);
        *out++ = (char)(0x80 | (point >> 12 & 0x3f));
        *out++ = (char)(0x80 | (point >> 6 & 0x3f));
        *out++ = (char)(0x80 | (point & 0x3f));
    }
    return out;
}

/* One code unit that was escaped, as JSON.stringify writes it; never longer than the escape was. */
static char *put_unit(char *out, int unit) {
    static const char hex[] = "0123456789abcdef";
    if (unit == '"' || unit == '\\' || short_escape(unit)) {
        *out++ = '\\';
        *out++ = short_escape(unit) ? short_escape(unit) : (char)unit;
        return out;
    }
    if (unit >= 0x20 && !is_high(unit) && !is_low(unit))
        return put_utf8(out, unit);
    *out++ = '\\';
    *out++ = 'u';
    for (int shift = 12; shift >= 0; shift -= 4)
        *out++ = hex[unit >> shift & 15];
    return out;
}

/* A checked string's inside, canonically. Never longer than it was. */
static char *canonicalize(char *out, const char *p, const char *end) {
    while (p < end) {
        if (*p != '\\') {
            *out++ = *p++;
        } else if (p[1] == '/') {
            *out++ = '/';
            p += 2;
        } else if (p[1] != 'u') {
            *out++ = *p++;
            *out++ = *p++;
        } else {
            int unit = escaped_unit(p, end), next = is_high(unit) ? escaped_unit(p + 6, end) : -1;
            if (is_low(next)) {
                out = put_utf8(out, 0x10000 + ((unit - 0xd800) << 10) + (next - 0xdc00));
                p += 12;
            } else {
                out = put_unit(out, unit);
                p += 6;
            }
        }
    }
    return out;
}

int tm_string(tm_reader *r, tm_slice *out) {
    if (tm_peek(r) != '"')
        return tm_fail_expected(r, "expected a string");
    const char *start = r->at + 1, *p = start, *end = r->end;
    bool canonical = true;
    for (;;) {
        p = tm_scan_plain(p, end);
        if (p == end) {
            r->at = end;
            return tm_fail(r, "unexpected end");
        }
        unsigned char c = (unsigned char)*p;
        if (c == '"')
            break;
        if (c == '\\') {
            int rc = check_escape(r, &p, &canonical);
            if (rc != 0)
                return rc;
        } else if (c < 0x20) {
            return tm_fail(r, "control character in a string");
        } else {
            do {
                size_t len = utf8_length(p, end);
                if (len == 0)
                    return tm_fail(r, "not UTF-8");
                p += len;
            } while (p < end && (unsigned char)*p >= 0x80);
        }
    }
    r->at = p + 1;
    *out = (tm_slice){start, (size_t)(p - start)};
    if (canonical)
        return 0;
    char *bytes = tm_alloc_bytes(r->arena, out->len);
    if (!bytes)
        return tm_fail_memory(r);
    *out = (tm_slice){bytes, (size_t)(canonicalize(bytes, start, p) - bytes)};
    tm_trim_bytes(r->arena, bytes, out->len);
    return 0;
}
