/*
 * prefix.h - how much of each id a person must type: the shortest prefix that no other live item's id has.
 */
#ifndef TRIVET_STATE_PREFIX_H
#define TRIVET_STATE_PREFIX_H

#include <trivet_merge.h>

typedef struct prefixes prefixes;

/* Looks at all live items of lists and locked lists. `state` is borrowed for the life of *out. 0, or -1: out
 * of memory. */
int prefixes_new(const trivet_merge_state *state, prefixes **out);
void prefixes_free(prefixes *p); /* NULL is fine */

/*
 * The prefix to show for an id, at least four characters where the id has them; cut between characters, a
 * NUL-terminated UTF-8 string from malloc, or NULL: out of memory.
 */
char *prefixes_of(const prefixes *p, trivet_merge_slice id);

#endif
