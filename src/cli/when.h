/*
 * when.h - moments as people write them.
 */
#ifndef TRIVET_CLI_WHEN_H
#define TRIVET_CLI_WHEN_H

#include <stdbool.h>
#include <stdint.h>

/*
 * How long ago (90s, 5m, 2h, 3d, 1w; "yesterday" is 1d), or a date of the local time: 2026-01-31, 2026-01-31 14:05,
 * with seconds, with T in place of the space. A date alone is its midnight. false: it is none of these. ms since
 * 1970.
 */
bool when_parse(const char *typed, int64_t now, int64_t *out);

#endif
