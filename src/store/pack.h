/*
 * pack.h - blobs made small: as they are, compressed alone, or as the difference from another one.
 *
 * Two successive states of a slot differ in an item, so that as a difference (zstd with the other as its prefix) one
 * takes about a hundred bytes, where it is 180 kB as it is and 45 kB compressed alone.
 */
#ifndef TRIVET_STORE_PACK_H
#define TRIVET_STORE_PACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How a blob is stored; on disk, never renumbered. */
typedef enum { PACK_RAW = 0, PACK_ALONE = 1, PACK_DIFFERENCE = 2 } pack_coding;

/*
 * What is packed at most: more would take longer than a step of pruning may, and a few bytes of a hostile backup are not to
 * become a gigabyte. And at least: less is not worth it.
 */
enum { PACK_MOST = 4 << 20, PACK_LEAST = 512 };

typedef struct {
    const uint8_t *data;
    size_t len;
} pack_bytes;

/* From malloc; NULL: out of memory. `base` NULL: alone. */
uint8_t *pack(pack_bytes data, const pack_bytes *base, size_t *len);

/* Back, `size` bytes; NULL: it does not give that (damaged), or with *memory set, out of memory. */
uint8_t *unpack(pack_bytes packed, const pack_bytes *base, size_t size, bool *memory);

#endif
