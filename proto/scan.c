/*
 * scan.c - skips through JSON.
 *
 * Nearly all of the time goes into skip_nested(), which looks at 64 bytes at once, as simdjson does: one bit
 * mask says where the quotation marks stand that no backslash escapes, its running exclusive-or which bytes
 * are inside strings, and of the brackets outside only the number matters until they could bring the depth to
 * zero.
 */
#include "scan.h"

#include <string.h>
#include <strings.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

/* ---- masks of 64 bytes ---- */

typedef struct {
    uint64_t quote, backslash, open, close;
} block_masks;

#ifdef __SSE2__

static block_masks masks_of(const char *block) {
    block_masks m = {0, 0, 0, 0};
    for (unsigned i = 0; i < 4; i++) {
        __m128i v = _mm_loadu_si128((const __m128i *)(const void *)(block + 16 * i));
        /* `[` and `{` differ in bit 5 only, and so do `]` and `}`. */
        __m128i folded = _mm_or_si128(v, _mm_set1_epi8(0x20));
        unsigned shift = 16 * i;
#define MASK(of, c) (uint64_t)(unsigned) _mm_movemask_epi8(_mm_cmpeq_epi8(of, _mm_set1_epi8(c))) << shift
        m.quote |= MASK(v, '"');
        m.backslash |= MASK(v, '\\');
        m.open |= MASK(folded, '{');
        m.close |= MASK(folded, '}');
#undef MASK
    }
    return m;
}

#else

static block_masks masks_of(const char *block) {
    block_masks m = {0, 0, 0, 0};
    for (unsigned i = 0; i < 64; i++) {
        uint8_t c = (uint8_t)block[i], folded = c | 0x20;
        m.quote |= (uint64_t)(c == '"') << i;
        m.backslash |= (uint64_t)(c == '\\') << i;
        m.open |= (uint64_t)(folded == '{') << i;
        m.close |= (uint64_t)(folded == '}') << i;
    }
    return m;
}

#endif

/* The bytes that a backslash escapes; `carry`: the first one is. Backslashes are few, so one by one. */
static uint64_t escaped_of(uint64_t backslash, bool *carry) {
    uint64_t escaped = *carry ? 1 : 0;
    *carry = false;
    backslash &= ~escaped;
    while (backslash != 0) {
        unsigned at = (unsigned)__builtin_ctzll(backslash);
        backslash &= backslash - 1;
        if (at == 63) {
            *carry = true;
            break;
        }
        escaped |= (uint64_t)2 << at;
        backslash &= ~((uint64_t)2 << at);
    }
    return escaped;
}

/* Bit n: the exclusive-or of bits 0 to n. */
static uint64_t running_xor(uint64_t m) {
    m ^= m << 1;
    m ^= m << 2;
    m ^= m << 4;
    m ^= m << 8;
    m ^= m << 16;
    m ^= m << 32;
    return m;
}

/* How many bits are set. Without an instruction that every processor has, the compiler's own would be a call. */
static size_t bits_of(uint64_t m) {
    m -= m >> 1 & 0x5555555555555555u;
    m = (m & 0x3333333333333333u) + (m >> 2 & 0x3333333333333333u);
    m = (m + (m >> 4)) & 0x0f0f0f0f0f0f0f0fu;
    return (size_t)(m * 0x0101010101010101u >> 56);
}

/* ---- values ---- */

/* Where depth reaches zero within a block: the offset after that bracket, or 64. */
static unsigned end_in_block(uint64_t open, uint64_t close, size_t *depth) {
    uint64_t both = open | close;
    while (both != 0) {
        unsigned at = (unsigned)__builtin_ctzll(both);
        both &= both - 1;
        if (open >> at & 1)
            ++*depth;
        else if (--*depth == 0)
            return at + 1;
    }
    return 64;
}

/* What is carried from one block to the next. */
typedef struct {
    bool escape;        /* the next byte is escaped */
    uint64_t in_string; /* the next byte is inside a string: all ones, else none */
} block_carry;

/* The masks of the block at `base`, of which those of brackets are cleared inside strings. */
static block_masks outside_strings(const char *text, size_t len, size_t base, block_carry *carry) {
    char tail[64];
    const char *block = text + base;
    if (len - base < sizeof tail) {
        memset(tail, ' ', sizeof tail);
        memcpy(tail, block, len - base);
        block = tail;
    }
    block_masks m = masks_of(block);
    if (m.backslash != 0 || carry->escape)
        m.quote &= ~escaped_of(m.backslash, &carry->escape);
    uint64_t strings = running_xor(m.quote) ^ carry->in_string;
    carry->in_string = (uint64_t)((int64_t)strings >> 63);
    m.open &= ~strings;
    m.close &= ~strings;
    return m;
}

/* `at` is a bracket. True: it is now after the one that closes it. */
static bool skip_nested(const char *text, size_t len, size_t *at) {
    size_t depth = 0;
    block_carry carry = {false, 0};
    for (size_t base = *at; base < len; base += 64) {
        block_masks m = outside_strings(text, len, base, &carry);
        if ((m.open | m.close) == 0)
            continue;
        size_t closes = bits_of(m.close);
        if (closes < depth) {
            depth = depth + bits_of(m.open) - closes;
            continue;
        }
        unsigned end = end_in_block(m.open, m.close, &depth);
        if (depth == 0) {
            *at = base + end;
            return true;
        }
    }
    return false;
}

/* `at` is a quotation mark. True: it is now after the one that ends the string. */
bool proto_scan_string(const char *text, size_t len, size_t *at) {
    for (size_t from = *at + 1; from < len;) {
        const char *quote = memchr(text + from, '"', len - from);
        if (quote == NULL)
            return false;
        size_t end = (size_t)(quote - text), slashes = 0;
        while (end - slashes > from && text[end - slashes - 1] == '\\')
            slashes++;
        from = end + 1;
        if (slashes % 2 == 0) {
            *at = from;
            return true;
        }
    }
    return false;
}

static size_t digits(const char *text, size_t len, size_t at) {
    size_t from = at;
    while (at < len && text[at] >= '0' && text[at] <= '9')
        at++;
    return at - from;
}

/* RFC 8259 §6, to the letter: what follows is no number's business. */
bool proto_scan_number(const char *text, size_t len, size_t *at) {
    size_t i = *at, n;
    if (text[i] == '-')
        i++;
    n = digits(text, len, i);
    if (n == 0 || (n > 1 && text[i] == '0'))
        return false;
    i += n;
    if (i < len && text[i] == '.') {
        n = digits(text, len, ++i);
        if (n == 0)
            return false;
        i += n;
    }
    if (i < len && (text[i] | 0x20) == 'e') {
        i++;
        if (i < len && (text[i] == '+' || text[i] == '-'))
            i++;
        n = digits(text, len, i);
        if (n == 0)
            return false;
        i += n;
    }
    *at = i;
    return true;
}

static bool skip_word(const char *text, size_t len, size_t *at, const char *word) {
    size_t n = strlen(word);
    if (len - *at < n || memcmp(text + *at, word, n) != 0)
        return false;
    *at += n;
    return true;
}

static bool skip_value(const char *text, size_t len, size_t *at, char *kind) {
    *kind = text[*at];
    switch (*kind) {
    case '{':
    case '[':
        return skip_nested(text, len, at);
    case '"':
        return proto_scan_string(text, len, at);
    case 't':
        return skip_word(text, len, at, "true");
    case 'f':
        return skip_word(text, len, at, "false");
    case 'n':
        return skip_word(text, len, at, "null");
    default:
        *kind = '0';
        return proto_scan_number(text, len, at);
    }
}

/* ---- members ---- */

/* The next byte that is no white space, or 0 at the end. */
static char peek(proto_scan *scan) {
    while (scan->at < scan->len) {
        char c = scan->text[scan->at];
        if (c != ' ' && c != '\t' && c != '\n' && c != '\r')
            return c;
        scan->at++;
    }
    return '\0';
}

static bool take(proto_scan *scan, char c) {
    if (peek(scan) != c)
        return false;
    scan->at++;
    return true;
}

void proto_scan_begin(proto_scan *scan, const void *text, size_t len) {
    *scan = (proto_scan){.text = text, .len = len};
}

void proto_scan_begin_known(proto_scan *scan, const proto_outline *known, const void *text, size_t len) {
    proto_scan_begin(scan, text, len);
    scan->known = known->whole ? known : NULL;
}

void proto_outline_make(proto_outline *out, const void *text, size_t len) {
    proto_scan scan;
    proto_member member;
    int r;
    out->count = 0;
    proto_scan_begin(&scan, text, len);
    while ((r = proto_scan_next(&scan, &member)) > 0 && out->count < PROTO_OUTLINE)
        out->members[out->count++] = member;
    out->whole = r == 0;
}

/* After the closing brace: nothing but white space may follow. */
static int at_end(proto_scan *scan) {
    return peek(scan) == '\0' && scan->at == scan->len ? 0 : -1;
}

int proto_scan_next(proto_scan *scan, proto_member *member) {
    if (scan->known != NULL) {
        if (scan->next == scan->known->count)
            return 0;
        *member = scan->known->members[scan->next++];
        return 1;
    }
    if (!scan->inside) {
        if (!take(scan, '{'))
            return -1;
        scan->inside = true;
        if (take(scan, '}'))
            return at_end(scan);
    } else {
        if (take(scan, '}'))
            return at_end(scan);
        if (!take(scan, ','))
            return -1;
    }
    if (peek(scan) != '"')
        return -1;
    member->begin = scan->text + scan->at;
    member->key = member->begin + 1;
    if (!proto_scan_string(scan->text, scan->len, &scan->at))
        return -1;
    member->key_len = (size_t)(scan->text + scan->at - member->key) - 1;
    if (!take(scan, ':') || peek(scan) == '\0')
        return -1;
    member->value = scan->text + scan->at;
    if (!skip_value(scan->text, scan->len, &scan->at, &member->kind))
        return -1;
    member->value_len = (size_t)(scan->text + scan->at - member->value);
    return 1;
}

/* ASCII letters are all that our keys are made of, so an escape of one is `\u00xx`. */
static bool escaped_key_is(const proto_member *member, const char *name) {
    size_t at = 0;
    for (; *name != '\0'; name++) {
        char spelled[7] = "\\u00", c = *name;
        static const char hex[] = "0123456789abcdef";
        spelled[4] = hex[(uint8_t)c >> 4];
        spelled[5] = hex[(uint8_t)c & 15];
        size_t left = member->key_len - at;
        if (left >= 1 && member->key[at] == c)
            at += 1;
        else if (left >= 6 && strncasecmp(member->key + at, spelled, 6) == 0 && member->key[at + 1] == 'u')
            at += 6;
        else
            return false;
    }
    return at == member->key_len;
}

bool proto_scan_key_is(const proto_member *member, const char *name) {
    size_t len = strlen(name);
    if (member->key_len == len)
        return memcmp(member->key, name, len) == 0;
    return member->key_len > len && memchr(member->key, '\\', member->key_len) != NULL &&
           escaped_key_is(member, name);
}
