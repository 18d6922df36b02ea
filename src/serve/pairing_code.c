/*
 * A QR code of half blocks: a character is one module wide and two high, which is about square in a
 * terminal's font. The quiet zone of four modules belongs to the code (ISO/IEC 18004 §9.1), scanners fail
 * without it.
 */
#include "serve/pairing_code.h"

#include <qrencode.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { QUIET = 4 };

/* Fixed colours of the 256-colour cube: what "black" and "white" are is the theme's, these are not. */
static const char BLACK_ON_WHITE[] = "\033[38;5;16;48;5;231m", PLAIN[] = "\033[0m";

static bool is_dark(const QRcode *code, int x, int y) {
    return x >= 0 && y >= 0 && x < code->width && y < code->width && (code->data[y * code->width + x] & 1);
}

static void draw(FILE *out, const QRcode *code, bool colour) {
    /* by upper and lower module being inked */
    static const char *const blocks[2][2] = {{" ", "▄"}, {"▀", "█"}};

    for (int y = -QUIET; y < code->width + QUIET; y += 2) {
        if (colour)
            fputs(BLACK_ON_WHITE, out);
        for (int x = -QUIET; x < code->width + QUIET; x++) {
            bool upper = is_dark(code, x, y), lower = is_dark(code, x, y + 1);
            /* ink is dark with colours, light without; the width is odd, so a last half line is left over */
            bool beyond = y + 1 >= code->width + QUIET;
            fputs(colour ? blocks[upper][lower] : blocks[!upper][!lower && !beyond], out);
        }
        fputs(colour ? PLAIN : "", out);
        fputc('\n', out);
    }
}

bool pairing_colour(FILE *out) {
    const char *no_colour = getenv("NO_COLOR"), *terminal = getenv("TERM");

    return isatty(fileno(out)) && !(no_colour && no_colour[0]) &&
           !(terminal && strcmp(terminal, "dumb") == 0);
}

int pairing_show(FILE *out, const trivet_proto_pairing *pairing, bool colour) {
    char *json = NULL;
    QRcode *code = NULL;
    int result = -1;

    if (trivet_proto_pairing_encode(pairing, &json) != 0)
        return -1;
    code = QRcode_encodeString8bit(json, 0,
                                   QR_ECLEVEL_L); /* low correction: the smallest; a screen has no dirt */
    if (!code)
        goto out;
    fputc('\n', out);
    draw(out, code, colour);
    /* Without a secret there is nothing that a person would type. */
    fprintf(out, "\nScan this with the phone%s:\n\n", pairing->secret[0] ? ", or type it in" : "");
    fprintf(out, "    address   %s\n    port      %u\n", pairing->ip, (unsigned)pairing->port);
    if (pairing->secret[0])
        fprintf(out, "    secret    %s\n", pairing->secret);
    else
        fprintf(out, "    device    %s, version 2 of the protocol only\n", pairing->device);
    fprintf(out, "\nThe code is for one phone, and lapses if it is not used within 10 minutes.\n");
    result = ferror(out) || fflush(out) != 0 ? -1 : 0;
out:
    if (code) {
        sodium_memzero(code->data, (size_t)code->width * (size_t)code->width);
        QRcode_free(code);
    }
    sodium_memzero(json, strlen(json));
    free(json);
    return result;
}
