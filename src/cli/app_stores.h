/*
 * app_stores.h - the stores of the JotBunker app, read from a folder.
 *
 * The app keeps three files, `jotbunker-lists.json`, `jotbunker-lockedLists.json` and
 * `jotbunker-scratchpad.json`, each {"state":{...},"version":N} (zustand's persist middleware). What `state`
 * calls things is not fixed by any document, so keys are taken leniently:
 *
 *     file         the section itself                its categories
 *     lists        lists, items, slots               any other key that ends in "categories", case aside
 *     lockedLists  lockedLists, lists, items, slots  the same
 *     scratchpad   scratchpad(s), contents, pads,    the same
 *                  slots
 *
 * All other keys (settings of the screen, what is selected) are left out. The values are copied byte by byte
 * and checked by the merge engine: they may hold what a JSON library refuses.
 */
#ifndef TRIVET_CLI_APP_STORES_H
#define TRIVET_CLI_APP_STORES_H

#include <stddef.h>

/*
 * Makes one document (merge §1) of the files that are there; at least one must be. *out is from malloc. 0, or
 * the exit status after telling what is wrong.
 */
int app_stores_read(const char *folder, char **out, size_t *len);

#endif
