/* bignum.c - schoolbook arithmetic on 32-bit limbs, least significant first. */
#include "bignum.h"

/* A slip in number.c's bounds must end here; assert() would need a C library that prints. */
static inline void check(int holds) {
    if (!holds)           /* not covered: number.c bounds its numbers */
        __builtin_trap(); /* not covered: likewise */
}

static void push(tm_bignum *n, uint64_t limb) {
    if (limb == 0)
        return;
    check(n->count < TM_BIGNUM_LIMBS);
    n->limb[n->count++] = (uint32_t)limb;
}

void tm_bignum_set(tm_bignum *n, uint64_t value) {
    n->count = 0;
    if (value == 0)
        return;
    n->limb[n->count++] = (uint32_t)value;
    push(n, value >> 32);
}

void tm_bignum_multiply(tm_bignum *n, uint32_t factor, uint32_t add) {
    uint64_t carry = add;
    for (size_t i = 0; i < n->count; i++) {
        carry += (uint64_t)n->limb[i] * factor;
        n->limb[i] = (uint32_t)carry;
        carry >>= 32;
    }
    push(n, carry);
}

void tm_bignum_multiply_power10(tm_bignum *n, unsigned exponent) {
    /* 10^k = 5^k * 2^k, and 5^13 is the greatest power of five in a limb */
    unsigned fives = exponent;
    for (; fives >= 13; fives -= 13)
        tm_bignum_multiply(n, 1220703125u, 0);
    for (; fives > 0; fives--)
        tm_bignum_multiply(n, 5, 0);
    tm_bignum_shift(n, exponent);
}

void tm_bignum_shift(tm_bignum *n, unsigned bits) {
    size_t limbs = bits / 32;
    bits %= 32;
    if (n->count == 0)
        return;
    if (bits > 0) {
        uint64_t carry = 0;
        for (size_t i = 0; i < n->count; i++) {
            carry |= (uint64_t)n->limb[i] << bits;
            n->limb[i] = (uint32_t)carry;
            carry >>= 32;
        }
        push(n, carry);
    }
    if (limbs > 0) {
        check(n->count + limbs <= TM_BIGNUM_LIMBS);
        for (size_t i = n->count; i-- > 0;)
            n->limb[i + limbs] = n->limb[i];
        for (size_t i = 0; i < limbs; i++)
            n->limb[i] = 0;
        n->count += limbs;
    }
}

void tm_bignum_add(tm_bignum *a, const tm_bignum *b) {
    uint64_t carry = 0;
    while (a->count < b->count)
        a->limb[a->count++] = 0;
    for (size_t i = 0; i < a->count; i++) {
        carry += (uint64_t)a->limb[i] + (i < b->count ? b->limb[i] : 0);
        a->limb[i] = (uint32_t)carry;
        carry >>= 32;
    }
    push(a, carry);
}

void tm_bignum_subtract(tm_bignum *a, const tm_bignum *b) {
    uint64_t borrow = 0;
    for (size_t i = 0; i < a->count; i++) {
        uint64_t take = (i < b->count ? b->limb[i] : 0) + borrow;
        borrow = a->limb[i] < take;
        a->limb[i] = (uint32_t)(a->limb[i] - take);
    }
    while (a->count > 0 && a->limb[a->count - 1] == 0)
        a->count--;
}

int tm_bignum_compare(const tm_bignum *a, const tm_bignum *b) {
    if (a->count != b->count)
        return a->count < b->count ? -1 : 1;
    for (size_t i = a->count; i-- > 0;)
        if (a->limb[i] != b->limb[i])
            return a->limb[i] < b->limb[i] ? -1 : 1;
    return 0;
}
