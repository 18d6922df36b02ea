/*
 * number.c - doubles to text and back.
 *
 * Nearly every number here is a small integer or a time, so integers go straight. Reading: a mantissa below
 * 2^53 and a power of ten up to 22 are both exact, and one operation rounds once (Clinger). The rest is
 * estimated in doubles and put right against the exact value in big integers. Writing: a few decimals are
 * tried by dividing, then Steele and White's digit generation with big integers, which gives the shortest
 * digits of all.
 */
#include "number.h"

#include <stdbool.h>
#include <string.h>

#include "bignum.h"

enum {
    DIGITS_MAX = 800, /* a midpoint of two doubles has at most 767; what comes after only matters if not 0 */
    POWER_EXACT = 22, /* 10^22 is the greatest power of ten that a double holds exactly */
    EXPONENT_MAX = 100000 /* beyond, a number is 0 or infinite, whatever its digits */
};

#define EXPONENT_GIVEN_MAX INT64_C(100000000000000000) /* no text is long enough to undo it */

static const double powers10[POWER_EXACT + 1] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                                 1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                                 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

static uint64_t bits_of(double value) {
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static double from_bits(uint64_t bits) {
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

/* ---- reading ------------------------------------------------------------------------------------------- */

static const char *scan_digits(const char *p, const char *end) {
    const char *start = p;
    while (p < end && is_digit(*p))
        p++;
    return p > start ? p : NULL;
}

const char *tm_number_scan(const char *p, const char *end) {
    if (p < end && *p == '-')
        p++;
    if (p < end && *p == '0')
        p++;
    else if (!(p = scan_digits(p, end)))
        return NULL;
    if (p < end && *p == '.' && !(p = scan_digits(p + 1, end)))
        return NULL;
    if (p < end && (*p == 'e' || *p == 'E')) {
        p++;
        if (p < end && (*p == '+' || *p == '-'))
            p++;
        p = scan_digits(p, end);
    }
    return p;
}

/* A token taken apart: its significant digits, without leading zeros, times 10^exponent. */
typedef struct {
    bool negative;
    int exponent;
    unsigned count;
    char digits[DIGITS_MAX + 1];
} decimal;

/* Returns what the digit does to the exponent. */
static int take_digit(decimal *d, char c, bool fraction, bool *beyond) {
    if (d->count == DIGITS_MAX) {
        *beyond |= c != '0';
        return fraction ? 0 : 1;
    }
    if (d->count > 0 || c != '0')
        d->digits[d->count++] = c;
    return fraction ? -1 : 0;
}

static void take_apart(decimal *d, const char *p, const char *end) {
    bool beyond = false, fraction = false;
    d->count = 0;
    d->negative = *p == '-';
    p += d->negative;
    int64_t exponent = 0;
    for (; p < end && *p != 'e' && *p != 'E'; p++) {
        if (*p == '.')
            fraction = true;
        else
            exponent += take_digit(d, *p, fraction, &beyond);
    }
    if (beyond) {
        d->digits[d->count++] = '1';
        exponent--;
    }
    if (p < end) {
        int64_t given = 0;
        bool negative = *++p == '-';
        p += negative || *p == '+';
        for (; p < end && given < EXPONENT_GIVEN_MAX; p++)
            given = given * 10 + (*p - '0');
        exponent += negative ? -given : given;
    }
    d->exponent = exponent > EXPONENT_MAX    ? EXPONENT_MAX
                  : exponent < -EXPONENT_MAX ? -EXPONENT_MAX
                                             : (int)exponent;
}

/* The first 19 digits, scaled in doubles: wrong by a few units in the last place at most. */
static double estimate(const decimal *d) {
    uint64_t lead = 0;
    unsigned used = d->count < 19 ? d->count : 19;
    for (unsigned i = 0; i < used; i++)
        lead = lead * 10 + (uint64_t)(d->digits[i] - '0');
    int exponent = d->exponent + (int)(d->count - used);
    double value = (double)lead;
    for (; exponent > POWER_EXACT; exponent -= POWER_EXACT)
        value *= powers10[POWER_EXACT];
    for (; exponent < -POWER_EXACT; exponent += POWER_EXACT)
        value /= powers10[POWER_EXACT];
    return exponent < 0 ? value / powers10[-exponent] : value * powers10[exponent];
}

/* Compares the decimal with the midpoint of the positive double with these bits and the next greater one. */
static int compare_midpoint(const decimal *d, uint64_t bits) {
    uint64_t mantissa = bits & ((UINT64_C(1) << 52) - 1);
    int exponent = (int)(bits >> 52);
    if (exponent > 0)
        mantissa |= UINT64_C(1) << 52;
    else
        exponent = 1;
    exponent -= 1076; /* the midpoint is (2 * mantissa + 1) * 2^(exponent), and 1075 + 1 */
    tm_bignum left, right;
    tm_bignum_set(&left, 0);
    for (unsigned i = 0; i < d->count; i++) {
        if (left.count == 0)
            tm_bignum_set(&left, (uint64_t)(d->digits[i] - '0'));
        else
            tm_bignum_multiply(&left, 10, (uint32_t)(d->digits[i] - '0'));
    }
    tm_bignum_set(&right, 2 * mantissa + 1);
    if (d->exponent >= 0)
        tm_bignum_multiply_power10(&left, (unsigned)d->exponent);
    else
        tm_bignum_multiply_power10(&right, (unsigned)-d->exponent);
    if (exponent >= 0)
        tm_bignum_shift(&right, (unsigned)exponent);
    else
        tm_bignum_shift(&left, (unsigned)-exponent);
    return tm_bignum_compare(&left, &right);
}

static double read_exact(const decimal *d) {
    const uint64_t infinite = UINT64_C(0x7ff) << 52;
    int magnitude =
        d->exponent + (int)d->count; /* the value is below 10^magnitude, and at least a tenth of it */
    if (d->count == 0 || magnitude < -330)
        return 0.0;
    if (magnitude > 310)
        return from_bits(infinite);
    uint64_t bits = bits_of(estimate(d));
    if (bits >= infinite)
        bits = infinite - 1;
    /* up while above the midpoint with the next, down while below that with the last; halves go to even */
    for (;;) {
        int order = compare_midpoint(d, bits);
        if (order < 0 || (order == 0 && (bits & 1) == 0))
            break;
        if (++bits == infinite)
            return from_bits(bits);
    }
    while (bits > 0) {
        int order = compare_midpoint(d, bits - 1);
        if (order > 0 || (order == 0 && (bits & 1) == 0))
            break;
        bits--;
    }
    return from_bits(bits);
}

double tm_number_read(const char *p, const char *end) {
    bool negative = *p == '-';
    const char *q = p + negative;
    if (end - q <= 15) {
        uint64_t value = 0;
        while (q < end && is_digit(*q))
            value = value * 10 + (uint64_t)(*q++ - '0');
        if (q == end)
            return negative ? -(double)value : (double)value;
    }
    decimal d;
    take_apart(&d, p, end);
    double value;
    if (d.count <= 15 && d.exponent >= -POWER_EXACT && d.exponent <= POWER_EXACT)
        value = estimate(&d);
    else
        value = read_exact(&d);
    return d.negative ? -value : value;
}

/* ---- writing ------------------------------------------------------------------------------------------- */

char *tm_integer_write(char *out, uint64_t value) {
    static const char pairs[] =
        "00010203040506070809101112131415161718192021222324252627282930313233343536373839"
        "40414243444546474849505152535455565758596061626364656667686970717273747576777879"
        "8081828384858687888990919293949596979899";
    char digits[20];
    char *p = digits + sizeof digits;
    while (value >= 100) {
        p -= 2;
        memcpy(p, pairs + value % 100 * 2, 2);
        value /= 100;
    }
    if (value >= 10) {
        p -= 2;
        memcpy(p, pairs + value * 2, 2);
    } else {
        *--p = (char)('0' + value);
    }
    size_t len = (size_t)(digits + sizeof digits - p);
    memcpy(out, p, len);
    return out + len;
}

/*
 * Steele and White, "How to print floating-point numbers accurately": value = r / s * 10^point, and
 * everything between value - low / s and value + high / s reads back as value, the ends included where it is
 * even.
 */
typedef struct {
    tm_bignum r, s, high, low;
    bool even;
    int point;
} generator;

static void generator_init(generator *g, double value) {
    uint64_t bits = bits_of(value), mantissa = bits & ((UINT64_C(1) << 52) - 1);
    int exponent = (int)(bits >> 52);
    bool narrow = mantissa == 0 && exponent > 1; /* a power of two: the next lower double is half as far */
    if (exponent > 0)
        mantissa |= UINT64_C(1) << 52;
    else
        exponent = 1;
    exponent -= 1075;
    g->even = (mantissa & 1) == 0;
    tm_bignum_set(&g->r, mantissa);
    tm_bignum_set(&g->s, 1);
    tm_bignum_set(&g->high, 1);
    tm_bignum_set(&g->low, 1);
    unsigned up = exponent > 0 ? (unsigned)exponent : 0, down = exponent < 0 ? (unsigned)-exponent : 0;
    tm_bignum_shift(&g->r, up + 1 + narrow);
    tm_bignum_shift(&g->s, down + 1 + narrow);
    tm_bignum_shift(&g->high, up + narrow);
    tm_bignum_shift(&g->low, up);
}

static bool reaches_one(const generator *g) {
    tm_bignum sum = g->r;
    tm_bignum_add(&sum, &g->high);
    int order = tm_bignum_compare(&sum, &g->s);
    return g->even ? order >= 0 : order > 0;
}

static void scale_up(generator *g, unsigned exponent) {
    tm_bignum_multiply_power10(&g->r, exponent);
    tm_bignum_multiply_power10(&g->high, exponent);
    tm_bignum_multiply_power10(&g->low, exponent);
}

/* Makes r / s the value divided by the power of ten just above it. */
static void generator_scale(generator *g, double value) {
    int binary = (int)(bits_of(value) >> 52) - 1023;
    int point = (int)(binary * 0.30103) - 1; /* low by at most a few: the loop below ends it */
    if (point > 0)
        tm_bignum_multiply_power10(&g->s, (unsigned)point);
    else
        scale_up(g, (unsigned)-point);
    while (reaches_one(g)) {
        tm_bignum_multiply(&g->s, 10, 0);
        point++;
    }
    for (;;) { /* subnormal numbers are lower than their exponent says */
        generator next = *g;
        scale_up(&next, 1);
        if (reaches_one(&next))
            break;
        *g = next;
        point--;
    }
    g->point = point;
}

static unsigned generate(generator *g, char *digits) {
    unsigned count = 0;
    for (;;) {
        scale_up(g, 1);
        char digit = '0';
        for (; tm_bignum_compare(&g->r, &g->s) >= 0; digit++)
            tm_bignum_subtract(&g->r, &g->s);
        int low_order = tm_bignum_compare(&g->r, &g->low);
        bool low = g->even ? low_order <= 0 : low_order < 0, high = reaches_one(g);
        digits[count++] = digit;
        if (!low && !high)
            continue;
        tm_bignum_shift(&g->r, 1);
        int half = tm_bignum_compare(&g->r, &g->s);
        if (high && (!low || half > 0 || (half == 0 && (digit & 1) != 0)))
            digits[count - 1]++; /* never past '9': then a shorter text would have done */
        return count;
    }
}

/* Few decimals: the least k for which round(value * 10^k) / 10^k is the value. Both are exact below 2^53. */
static unsigned few_decimals(double value, char *digits, int *point) {
    if (value >= 1e9 || value < 1e-5)
        return 0;
    for (int k = 0; k <= 6; k++) {
        uint64_t scaled = (uint64_t)(value * powers10[k] + 0.5);
        if ((double)scaled / powers10[k] != value)
            continue;
        unsigned count = (unsigned)(tm_integer_write(digits, scaled) - digits);
        *point = (int)count - k;
        return count;
    }
    return 0;
}

/* Digits to text as ECMAScript's Number::toString lays them out. */
static char *lay_out(char *out, const char *digits, unsigned count, int point) {
    int n = (int)count;
    if (point > 21 || point < -5) {
        *out++ = digits[0];
        if (n > 1) {
            *out++ = '.';
            memcpy(out, digits + 1, count - 1);
            out += n - 1;
        }
        *out++ = 'e';
        *out++ = point > 0 ? '+' : '-';
        return tm_integer_write(out, (uint64_t)(point > 0 ? point - 1 : 1 - point));
    }
    if (point <= 0) {
        *out++ = '0';
        *out++ = '.';
        for (; point < 0; point++)
            *out++ = '0';
        memcpy(out, digits, count);
        return out + n;
    }
    for (int i = 0; i < n || i < point; i++) {
        if (i == point)
            *out++ = '.';
        *out++ = i < n ? digits[i] : '0';
    }
    return out;
}

char *tm_number_write(char *out, double value) {
    if (value < 0) {
        *out++ = '-';
        value = -value;
    }
    if (value < 9007199254740992.0) {
        uint64_t whole = (uint64_t)value;
        if ((double)whole == value)
            return tm_integer_write(out, whole);
    }
    char digits[24];
    int point = 0;
    unsigned count = few_decimals(value, digits, &point);
    if (count == 0) {
        generator g;
        generator_init(&g, value);
        generator_scale(&g, value);
        count = generate(&g, digits);
        point = g.point;
    }
    return lay_out(out, digits, count, point);
}
