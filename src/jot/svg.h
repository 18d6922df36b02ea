/*
 * svg.h - a drawing as the phone stores it, as an SVG document.
 *
 * The phone's form is JSON: an array of strokes, or an object whose `paths` or `strokes` is one; a stroke is SVG path data
 * as a string, or an object with it under `path`, `d` or `svg`, and perhaps `color` or `stroke`, and `width` or
 * `strokeWidth`. A JSON string, or path data as it stands, is one stroke.
 *
 * Nothing of it goes into the document as it came: path data is read command by command and number by number and
 * written anew, a colour is one of a few forms or black. So the document holds lines and nothing else, whatever the phone
 * said. A stroke ends where its data makes no sense, as SVG has it.
 */
#ifndef TRIVET_JOT_SVG_H
#define TRIVET_JOT_SVG_H

#include <stddef.h>

/*
 * 0: *out is the document (malloc'd, NUL-terminated, *len bytes); 1: there is nothing in the drawing that could be drawn;
 * -1: out of memory.
 */
int jot_svg(const char *drawing, char **out, size_t *len);

#endif
