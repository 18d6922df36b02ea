/*
 * bench_transfer_limits.c - what this machine can do with pieces of 64 KiB: the stages that a file goes through on either side, one by
 * one, on one core. With --json for transfer.mjs, which sets the transfers beside them.
 */
#include <sodium.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { PIECE = 65536, ROUNDS = 5, PIECES = 2048 /* 128 MiB */ };

static uint8_t plain[16 + 1 + PIECE], box[16 + 1 + PIECE], key[32], nonce[24];
static crypto_generichash_state hash;

static void seal(void) {
    crypto_secretbox_detached(box + 16, box, plain + 16, 1 + PIECE, nonce, key);
}

static void open_box(void) {
    if (crypto_secretbox_open_detached(plain + 16, box + 16, box, 1 + PIECE, nonce, key) != 0)
        abort();
}

static void digest(void) {
    crypto_generichash_update(&hash, plain, PIECE);
}

static void copy(void) {
    memcpy(plain, box, PIECE);
    __asm__ volatile("" ::: "memory");
}

static double seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* MB/s of processor time, the best of a few rounds: others may use this machine too. */
static double rate(void (*fn)(void)) {
    double best = 0;
    for (int round = 0; round < ROUNDS; round++) {
        double begin = seconds();
        for (int i = 0; i < PIECES; i++)
            fn();
        double now = (double)PIECES * PIECE / 1e6 / (seconds() - begin);
        best = now > best ? now : best;
    }
    return best;
}

int main(int argc, char **argv) {
    if (sodium_init() < 0)
        return 1;
    randombytes_buf(plain, sizeof plain);
    randombytes_buf(key, sizeof key);
    crypto_generichash_init(&hash, NULL, 0, 32);
    double sealed = rate(seal), opened = rate(open_box), hashed = rate(digest), copied = rate(copy);
    if (argc > 1 && strcmp(argv[1], "--json") == 0)
        printf("{\"seal\":%.0f,\"open\":%.0f,\"hash\":%.0f,\"copy\":%.0f}\n", sealed, opened, hashed, copied);
    else
        printf("pieces of 64 KiB, MB/s on one core: secretbox %.0f, its opening %.0f, BLAKE2b %.0f, memcpy "
               "%.0f\n",
               sealed, opened, hashed, copied);
    return 0;
}
