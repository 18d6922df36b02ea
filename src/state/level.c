/* See level.h. */
#include "state/level.h"

static const trivet_merge_section ENTRIES[] = {TRIVET_MERGE_LISTS_CATEGORIES,
                                               TRIVET_MERGE_LOCKED_LISTS_CATEGORIES, TRIVET_MERGE_SCRATCHPAD,
                                               TRIVET_MERGE_SCRATCHPAD_CATEGORIES};

static int mark_emptied(const trivet_merge_state *before, trivet_merge_state *after,
                        trivet_merge_section section) {
    trivet_merge_error why = TRIVET_MERGE_ERROR_INIT;
    trivet_merge_entry was, is;
    int rc = 0;

    for (size_t slot = 0; rc == 0 && trivet_merge_entry_at(before, section, slot, &was); slot++)
        if (was.text.len > 0 && trivet_merge_entry_at(after, section, slot, &is) &&
            trivet_merge_entry_is_default(&is)) {
            is.updated_at = was.updated_at + 1;
            rc = trivet_merge_put_entry(after, section, slot, &is, &why);
        }
    return rc;
}

int state_level(trivet_merge_state *before, trivet_merge_state *after) {
    int rc = trivet_merge_pad(before, after, 0);

    if (rc == 0)
        rc = trivet_merge_pad(after, before, 0);
    for (size_t i = 0; rc == 0 && i < sizeof ENTRIES / sizeof *ENTRIES; i++)
        rc = mark_emptied(before, after, ENTRIES[i]);
    return rc == TRIVET_MERGE_EINPUT ? 0 : rc; /* a date beyond the last one that there is */
}
