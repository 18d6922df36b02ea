/*
 * scan.h - finds where a JSON string stops being plain, many bytes at a time.
 *
 * Plain is every byte but `"`, `\`, control characters and what is not ASCII. The one place with
 * instructions of a particular processor; without them eight bytes go at a time.
 */
#ifndef TM_SCAN_H
#define TM_SCAN_H

#include <stdint.h>
#include <string.h>

static inline int tm_is_plain(unsigned char c) {
    return c >= 0x20 && c < 0x80 && c != '"' && c != '\\';
}

#if defined(__SSE2__)

/* The compilers' own vectors: no header of the processor's is needed. */
typedef signed char tm_bytes16 __attribute__((vector_size(16)));
typedef char tm_mask16 __attribute__((vector_size(16)));

static inline const char *tm_scan_plain(const char *p, const char *end) {
    while (end - p >= 16) {
        tm_bytes16 v;
        memcpy(&v, p, 16);
        /* signed: control characters and everything from 0x80 up are below a space */
        tm_mask16 hit = (tm_mask16)((v == '"') | (v == '\\') | (v < 0x20));
        unsigned mask = (unsigned)__builtin_ia32_pmovmskb128(hit);
        if (mask != 0)
            return p + __builtin_ctz(mask);
        p += 16;
    }
    while (p < end && tm_is_plain((unsigned char)*p))
        p++;
    return p;
}

#else

static inline const char *tm_scan_plain(const char *p, const char *end) {
    const uint64_t ones = 0x0101010101010101u, high = 0x8080808080808080u;
    while (end - p >= 8) {
        uint64_t v;
        memcpy(&v, p, 8);
        uint64_t quote = v ^ (ones * '"'), backslash = v ^ (ones * '\\');
        /* a byte of x - ones has its high bit newly set if it was 0; of v - ones * 0x20, if it was below 0x20
         */
        uint64_t hit =
            ((quote - ones) & ~quote) | ((backslash - ones) & ~backslash) | ((v - ones * 0x20) & ~v) | v;
        if ((hit & high) != 0)
            break;
        p += 8;
    }
    while (p < end && tm_is_plain((unsigned char)*p))
        p++;
    return p;
}

#endif
#endif
