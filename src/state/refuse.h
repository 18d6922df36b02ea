/*
 * refuse.h - how the functions of edit.h say no; nothing outside src/state needs it.
 */
#ifndef TRIVET_STATE_REFUSE_H
#define TRIVET_STATE_REFUSE_H

#include "state/edit.h"

/* Fills `err` in unless an earlier refusal stands there. Returns -1. */
int edit_refuse(edit_error *err, int status, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* What the engine says no with. */
int edit_refuse_merge(edit_error *err, int code, const trivet_merge_error *why);

#endif
