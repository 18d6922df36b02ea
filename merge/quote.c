/* quote.c - plain UTF-8 to a slice and back. */
#include "buffer.h"
#include "json.h"
#include "value.h"

/* As in a string literal, what must be escaped is escaped. */
static void quote_byte(tm_buffer *b, unsigned char c) {
    static const char hex[] = "0123456789abcdef";
    static const char escapes[] = "\bb\tt\nn\ff\rr\"\"\\\\";
    for (const char *e = escapes; *e; e += 2) {
        if ((unsigned char)e[0] == c) {
            char pair[2] = {'\\', e[1]};
            tm_buffer_add(b, pair, 2);
            return;
        }
    }
    char byte = (char)c;
    if (c >= 0x20) {
        tm_buffer_add(b, &byte, 1);
        return;
    }
    char unit[6] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};
    tm_buffer_add(b, unit, 6);
}

/* A string literal that is what `b` holds between quotation marks? It is if its UTF-8 is valid. */
static bool is_utf8(const tm_buffer *b) {
    tm_arena arena;
    tm_reader r;
    tm_slice ignored;
    tm_arena_init(&arena, 0);
    tm_reader_init(&r, b->data, b->len, TRIVET_MERGE_COMPUTER, &arena, NULL);
    bool valid = tm_string(&r, &ignored) == 0;
    tm_arena_release(&arena);
    return valid;
}

int trivet_merge_quote(const char *utf8, size_t len, char **out, size_t *out_len) {
    tm_buffer b;
    size_t written;
    *out = NULL;
    tm_buffer_init(&b, len + len / 16 + 2);
    TM_ADD(&b, "\"");
    for (size_t i = 0; i < len; i++)
        quote_byte(&b, (unsigned char)utf8[i]);
    TM_ADD(&b, "\"");
    if (!b.failed && !is_utf8(&b)) {
        tm_buffer_release(&b);
        return TRIVET_MERGE_EINPUT;
    }
    int rc = tm_buffer_finish(&b, out, &written);
    if (rc != 0)
        return rc;
    /* without its quotation marks */
    written -= 2;
    memmove(*out, *out + 1, written);
    (*out)[written] = '\0';
    if (out_len)
        *out_len = written;
    return 0;
}

static void put_point(tm_buffer *b, int point) {
    char utf8[4];
    if (point >= 0xd800 && point < 0xe000)
        point = 0xfffd;
    if (point < 0x80) {
        utf8[0] = (char)point;
        tm_buffer_add(b, utf8, 1);
    } else if (point < 0x800) {
        utf8[0] = (char)(0xc0 | point >> 6);
        utf8[1] = (char)(0x80 | (point & 0x3f));
        tm_buffer_add(b, utf8, 2);
    } else if (point < 0x10000) {
        utf8[0] = (char)(0xe0 | point >> 12);
        utf8[1] = (char)(0x80 | (point >> 6 & 0x3f));
        utf8[2] = (char)(0x80 | (point & 0x3f));
        tm_buffer_add(b, utf8, 3);
    } else {
        utf8[0] = (char)(0xf0 | point >> 18);
        utf8[1] = (char)(0x80 | (point >> 12 & 0x3f));
        utf8[2] = (char)(0x80 | (point >> 6 & 0x3f));
        utf8[3] = (char)(0x80 | (point & 0x3f));
        tm_buffer_add(b, utf8, 4);
    }
}

int trivet_merge_unquote(trivet_merge_slice slice, char **out, size_t *out_len) {
    tm_buffer b;
    tm_buffer_init(&b, slice.len + 1);
    const char *p = slice.data, *end = p + slice.len;
    while (p < end)
        put_point(&b, tm_code_point(&p, end));
    return tm_buffer_finish(&b, out, out_len);
}
