/*
 * UTF-8 validity, piece by piece. Most of what phones send is ASCII (base64), so eight bytes are looked at a
 * time as long as they are.
 */
#include "utf8.h"

#include <string.h>

/* How many bytes at `data` are ASCII, counted in words. */
static size_t ascii_run(const uint8_t *data, size_t len) {
    size_t i = 0;

    for (; len - i >= 32; i += 32) {
        uint64_t word[4];

        memcpy(word, data + i, sizeof word);
        if ((word[0] | word[1] | word[2] | word[3]) & 0x8080808080808080u)
            break;
    }
    return i;
}

/* Opens a character with its first byte, Unicode's table 3-7: no overlong forms, no surrogates, no more than
 * U+10FFFF. */
static bool open_character(utf8_check_state *s, uint8_t byte) {
    s->lowest = 0x80;
    s->highest = 0xbf;
    if (byte < 0x80)
        return true;
    if (byte < 0xc2 || byte > 0xf4)
        return false;
    s->missing = byte < 0xe0 ? 1 : byte < 0xf0 ? 2 : 3;
    if (byte == 0xe0)
        s->lowest = 0xa0;
    else if (byte == 0xed)
        s->highest = 0x9f;
    else if (byte == 0xf0)
        s->lowest = 0x90;
    else if (byte == 0xf4)
        s->highest = 0x8f;
    return true;
}

bool utf8_check(utf8_check_state *state, const uint8_t *data, size_t len) {
    for (size_t i = 0; i < len; i++) {
        if (state->missing == 0) {
            i += ascii_run(data + i, len - i);
            if (i == len)
                break;
            if (!open_character(state, data[i]))
                return false;
            continue;
        }
        if (data[i] < state->lowest || data[i] > state->highest)
            return false;
        state->missing--;
        state->lowest = 0x80;
        state->highest = 0xbf;
    }
    return true;
}

bool utf8_check_complete(const utf8_check_state *state) {
    return state->missing == 0;
}
