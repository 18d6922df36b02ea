/*
 * age.h - the date by which retention measures how old something is, on a computer whose clock may be wrong.
 *
 * A clock that is a year ahead for one minute must not make everything a year old: what is then dropped is gone. So the
 * date follows the clock, but a single step of the clock moves it by AGE_STEP_MS at most, and it is never ahead of the
 * clock. What it lags behind after a step that was right (a computer that was off for a year) it makes up by going twice
 * as fast. A clock that is set back moves it not at all: things are kept longer, and nothing is lost by that.
 */
#ifndef TRIVET_STORE_AGE_H
#define TRIVET_STORE_AGE_H

#include "store.h"

#define AGE_STEP_MS (2LL * 24 * 3600 * 1000)

/*
 * *out is the date to measure from while the clock says `wall` (both ms since 1970), which is remembered in the caller's
 * transaction. To be called at least once a day, and whenever something may be dropped.
 */
int age_now(store *s, int64_t wall, int64_t *out, store_error *err);

#endif
