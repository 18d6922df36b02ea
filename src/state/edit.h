/*
 * edit.h - what a person does to a state: add, edit, tick, delete and move items, write scratchpads.
 *
 * Used alike on the computer's state and on that of `trivet phone`. Every edit dates what it touches
 * max(now, old updatedAt + 1) (merge §3) and never changes what it need not: a move gives one item a new
 * position and leaves its neighbours theirs (merge §5). Slots are 0-based here; what a person types is
 * resolved by edit_slot().
 */
#ifndef TRIVET_STATE_EDIT_H
#define TRIVET_STATE_EDIT_H

#include <trivet_merge.h>

/* A "no" to tell the user: status is a sysexits code, or 1 for a no that is no error. */
typedef struct {
    int status;
    char message[512];
} edit_error;

#define EDIT_ERROR_INIT                                                                                      \
    { 0, "" }

/*
 * The slot that a person means: a number from 1, or a label (in the section's categories; case does not
 * matter where that is unambiguous). `section` is LISTS, LOCKED_LISTS or SCRATCHPAD. A number up to 6, or up
 * to what the state holds, is accepted.
 */
int edit_slot(const trivet_merge_state *state, trivet_merge_section section, const char *typed, size_t *slot,
              edit_error *err);

/* A live item by its id or a unique prefix of it, in lists and locked lists. */
int edit_find(const trivet_merge_state *state, const char *id, trivet_merge_section *section, size_t *slot,
              trivet_merge_item *item, edit_error *err);

/* Each gives the item as it is now. `text` is UTF-8 as typed; refused where it is not, or empty. `now` in ms
 * since 1970. */
int edit_add(trivet_merge_state *state, trivet_merge_section section, size_t slot, const char *text,
             int64_t now, trivet_merge_item *out, edit_error *err); /* at the bottom, with a fresh UUID v4 */
int edit_text(trivet_merge_state *state, const char *id, const char *text, int64_t now,
              trivet_merge_item *out, edit_error *err);
int edit_done(trivet_merge_state *state, const char *id, bool done, int64_t now, trivet_merge_item *out,
              edit_error *err); /* status 1 where it is so already */
int edit_remove(trivet_merge_state *state, const char *id, int64_t now, trivet_merge_item *out,
                edit_error *err);

typedef enum { EDIT_BOTTOM, EDIT_TOP, EDIT_BEFORE, EDIT_AFTER, EDIT_SAME_PLACE } edit_place;

/* To `slot` (SIZE_MAX: where it is) and there to `place`, next to `other` (id or prefix) for BEFORE and
 * AFTER. */
int edit_move(trivet_merge_state *state, const char *id, size_t slot, edit_place place, const char *other,
              int64_t now, trivet_merge_item *out, edit_error *err);

int edit_pad(trivet_merge_state *state, size_t slot, const char *text, int64_t now, edit_error *err);

#endif
