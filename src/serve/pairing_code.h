/*
 * pairing_code.h - a pairing code as a person sees it: a QR code for the phone's camera, and its address,
 * port and secret to type in (protocol §6).
 */
#ifndef TRIVET_SERVE_PAIRING_CODE_H
#define TRIVET_SERVE_PAIRING_CODE_H

#include <stdbool.h>
#include <stdio.h>
#include <trivet_proto.h>

/*
 * Writes the code to `out`. With `colour` it is black on white whatever the terminal's own colours are;
 * without, the light parts are drawn as blocks, which is right on a dark background. 0, or -1: out of memory,
 * or nothing could be written. What is shown is secret: `out` must be where the person looks, and no log.
 */
int pairing_show(FILE *out, const trivet_proto_pairing *pairing, bool colour);

/* Whether `out` is a terminal that is to get colours: never with NO_COLOR, nor on a dumb one. */
bool pairing_colour(FILE *out);

#endif
