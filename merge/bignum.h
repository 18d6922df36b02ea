/*
 * bignum.h - natural numbers of bounded size, for the rare doubles that 64 bits cannot read or write exactly.
 *
 * The bound holds every number that number.c makes: 800 decimal digits times a power of ten, and the like.
 * Nothing here allocates.
 */
#ifndef TM_BIGNUM_H
#define TM_BIGNUM_H

#include <stddef.h>
#include <stdint.h>

enum { TM_BIGNUM_LIMBS = 224 }; /* 7168 bits */

typedef struct {
    size_t count; /* limbs in use, the last one not 0; 0 is zero */
    uint32_t limb[TM_BIGNUM_LIMBS];
} tm_bignum;

void tm_bignum_set(tm_bignum *n, uint64_t value);
/* n = n * factor + add */
void tm_bignum_multiply(tm_bignum *n, uint32_t factor, uint32_t add);
void tm_bignum_multiply_power10(tm_bignum *n, unsigned exponent);
void tm_bignum_shift(tm_bignum *n, unsigned bits);
void tm_bignum_add(tm_bignum *a, const tm_bignum *b);
/* a -= b, where a >= b */
void tm_bignum_subtract(tm_bignum *a, const tm_bignum *b);
int tm_bignum_compare(const tm_bignum *a, const tm_bignum *b);

#endif
