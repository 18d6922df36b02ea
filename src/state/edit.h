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

/* When something that was last edited at `old` is edited now (merge §3), up to the last time that there is. */
int64_t edit_date(int64_t now, int64_t old);

/*
 * The slot that a person means: a number from 1, or a label (in the section's categories; case does not
 * matter where that is unambiguous). `section` is LISTS, LOCKED_LISTS or SCRATCHPAD. A number up to 6, or up
 * to what the state holds, is accepted.
 */
int edit_slot(const trivet_merge_state *state, trivet_merge_section section, const char *typed, size_t *slot,
              edit_error *err);

/* How many slots a section has for a person: those that the state holds, and at least six. */
size_t edit_slot_count(const trivet_merge_state *state, trivet_merge_section section);

/* The label of a slot, from malloc; NULL where it has none. 0, or -1: out of memory. */
int edit_label(const trivet_merge_state *state, trivet_merge_section section, size_t slot, char **label);

/*
 * A live item by its id or a unique prefix of it, in lists and locked lists. "lists/ID" and "lockedLists/ID"
 * say which of the two, should both hold an id. Status 66 where there is none, 65 where there are several.
 */
int edit_find(const trivet_merge_state *state, const char *id, trivet_merge_section *section, size_t *slot,
              trivet_merge_item *item, edit_error *err);

/* Each gives the item as it is now; status 1 where nothing is to do. `text` is UTF-8 as typed; refused where
 * it is not, or empty. `now` in ms since 1970. */
int edit_add(trivet_merge_state *state, trivet_merge_section section, size_t slot, const char *text,
             int64_t now, trivet_merge_item *out, edit_error *err); /* at the bottom, with a fresh UUID v4 */
int edit_text(trivet_merge_state *state, const char *id, const char *text, int64_t now,
              trivet_merge_item *out, edit_error *err);
int edit_done(trivet_merge_state *state, const char *id, bool done, int64_t now, trivet_merge_item *out,
              edit_error *err);
int edit_remove(trivet_merge_state *state, const char *id, int64_t now, trivet_merge_item *out,
                edit_error *err);

typedef enum { EDIT_BOTTOM, EDIT_TOP, EDIT_BEFORE, EDIT_AFTER, EDIT_SAME_PLACE } edit_place;

/*
 * To `slot` (SIZE_MAX: where it is, or where `other` is) and there to `place`, next to `other` (id or prefix)
 * for BEFORE and AFTER. SAME_PLACE in another slot is its bottom. Only a slot whose doubles are exhausted is
 * numbered afresh; the other items' dates stay.
 */
int edit_move(trivet_merge_state *state, const char *id, size_t slot, edit_place place, const char *other,
              int64_t now, trivet_merge_item *out, edit_error *err);

int edit_pad(trivet_merge_state *state, size_t slot, const char *text, int64_t now, edit_error *err);

#endif
