/*
 * refuse.h - how the phone's functions say no; nothing outside src/phone needs it.
 */
#ifndef TRIVET_PHONE_REFUSE_H
#define TRIVET_PHONE_REFUSE_H

#include "state/edit.h"

/* Fills `err` in, whatever stood there. Returns -1. */
int phone_refuse(edit_error *err, int status, const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif
