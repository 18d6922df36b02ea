/*
 * item.h - what add, edit, done, rm and mv have in common: they change one item and say what became of it.
 */
#ifndef TRIVET_CLI_ITEM_H
#define TRIVET_CLI_ITEM_H

#include "cli/client.h"

/* Where an item stands; strings are borrowed. */
typedef struct {
    bool locked;
    size_t slot;          /* from 0 */
    const char *label;    /* of the slot; NULL or "": none */
    const char *short_id; /* what a person must type */
} item_place;

/*
 * Prints `added [ ] 3f2a  milk  (1 Groceries)` for the verb "added", or as JSON the item. The text of an item in
 * a locked list is left out unless `locked`. 0, or the exit status after telling.
 */
int item_print(const trivet_merge_item *item, const item_place *at, const char *verb, bool locked, bool json);

/* Sends the request (taken over) and prints the item that the answer holds. Returns the exit status. */
int item_request(const cli_common *common, json_t *request, const char *text, bool locked, unsigned flags,
                 const char *verb);

#endif
