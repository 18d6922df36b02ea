/*
 * Positions. Each candidate is tried against the order itself, (position, id), rather than reasoned about: a
 * position equal to a neighbour's will do where the ids fall right, and one that rounds to it will not.
 */
#include "state/place.h"

#include <math.h>
#include <string.h>

int place_compare_ids(trivet_merge_slice a, trivet_merge_slice b) {
    int order = memcmp(a.data, b.data, a.len < b.len ? a.len : b.len);
    if (order != 0)
        return order;
    return a.len < b.len ? -1 : a.len > b.len;
}

bool place_before(double position, trivet_merge_slice id, const trivet_merge_item *item) {
    if (position < item->position || position > item->position)
        return position < item->position;
    return place_compare_ids(id, item->id) < 0;
}

static bool fits(const trivet_merge_item *low, const trivet_merge_item *high, trivet_merge_slice id,
                 double position) {
    return isfinite(position) && (!low || !place_before(position, id, low)) &&
           (!high || place_before(position, id, high));
}

bool place_between(const trivet_merge_item *low, const trivet_merge_item *high, trivet_merge_slice id,
                   double *position) {
    double candidates[3];
    size_t count = 0;

    if (low && high) {
        candidates[count++] = low->position / 2 + high->position / 2; /* the difference could overflow */
        candidates[count++] = low->position;
        candidates[count++] = high->position;
    } else if (low) {
        candidates[count++] = low->position + 1; /* rounds back to low's where that is huge */
        candidates[count++] = nextafter(low->position, INFINITY);
    } else if (high) {
        candidates[count++] = high->position - 1;
        candidates[count++] = nextafter(high->position, -INFINITY);
    } else {
        candidates[count++] = 1;
    }
    for (size_t i = 0; i < count; i++) {
        if (fits(low, high, id, candidates[i])) {
            *position = candidates[i];
            return true;
        }
    }
    return false;
}
