/*
 * age.c - two values: what the clock said last ("age.clock"), and the date by then ("age.date").
 */
#include "age.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* What differs by less is not worth a write. */
enum { GRAIN_MS = 60 * 1000 };

/* `absent` where there is none yet. */
static int get_number(store *s, const char *key, int64_t absent, int64_t *out, store_error *err) {
    char text[32];
    int rc = store_meta_get(s, key, text, sizeof text, err);
    *out = rc == 0 ? strtoll(text, NULL, 10) : absent;
    return rc == STORE_NONE ? 0 : rc;
}

static int set_number(store *s, const char *key, int64_t value, store_error *err) {
    char text[32];
    snprintf(text, sizeof text, "%" PRId64, value);
    return store_meta_set(s, key, text, err);
}

static int64_t lesser(int64_t a, int64_t b) {
    return a < b ? a : b;
}

int age_now(store *s, int64_t wall, int64_t *out, store_error *err) {
    int64_t clock, date;
    *out = wall;
    int rc = get_number(s, "age.clock", INT64_MIN, &clock, err);
    if (rc == 0)
        rc = get_number(s, "age.date", wall, &date, err);
    if (rc != 0)
        return rc;
    bool first = clock == INT64_MIN;
    if (!first && wall > clock) {
        int64_t went = wall - clock, ahead = date + (went > AGE_STEP_MS / 2 ? AGE_STEP_MS : 2 * went);
        int64_t moved = lesser(ahead, wall);
        date = moved > date ? moved : date;
    }
    *out = lesser(date, wall);
    if (!first && llabs(wall - clock) < GRAIN_MS)
        return 0;
    rc = set_number(s, "age.clock", wall, err);
    return rc == 0 ? set_number(s, "age.date", date, err) : rc;
}
