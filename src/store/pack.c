/*
 * pack.c - zstd's fastest ordinary level: a difference from a near relative is as small at a higher one.
 */
#include "pack.h"

#include <stdlib.h>
#include <zstd.h>
#include <zstd_errors.h>

enum { LEVEL = 1 };

/* The base must lie within the window, or the far end of it is of no use. */
static int window_for(size_t size) {
    int bits = 18;
    while (bits < 27 && (size_t)1 << bits < size)
        bits++;
    return bits;
}

uint8_t *pack(pack_bytes data, const pack_bytes *base, size_t *len) {
    size_t room = ZSTD_compressBound(data.len);
    ZSTD_CCtx *z = ZSTD_createCCtx();
    uint8_t *out = z != NULL ? malloc(room) : NULL;
    size_t n = 0;
    if (out != NULL) {
        ZSTD_CCtx_setParameter(z, ZSTD_c_compressionLevel, LEVEL);
        if (base != NULL) {
            ZSTD_CCtx_setParameter(z, ZSTD_c_windowLog, window_for(base->len + data.len));
            ZSTD_CCtx_refPrefix(z, base->data, base->len);
        }
        n = ZSTD_compress2(z, out, room, data.data, data.len);
    }
    ZSTD_freeCCtx(z);
    if (out != NULL && ZSTD_isError(n)) { /* there is room for any result, so it was the memory */
        free(out);
        return NULL;
    }
    *len = n;
    return out;
}

uint8_t *unpack(pack_bytes packed, const pack_bytes *base, size_t size, bool *memory) {
    *memory = false;
    if (size > PACK_MOST || ZSTD_getFrameContentSize(packed.data, packed.len) != size)
        return NULL;
    ZSTD_DCtx *z = ZSTD_createDCtx();
    uint8_t *out = z != NULL ? malloc(size + 1) : NULL;
    if (out == NULL) {
        ZSTD_freeDCtx(z);
        *memory = true;
        return NULL;
    }
    if (base != NULL)
        ZSTD_DCtx_refPrefix(z, base->data, base->len);
    size_t n = ZSTD_decompressDCtx(z, out, size, packed.data, packed.len);
    ZSTD_freeDCtx(z);
    if (n == size)
        return out;
    *memory = ZSTD_getErrorCode(n) == ZSTD_error_memory_allocation;
    free(out);
    return NULL;
}
