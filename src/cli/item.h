/*
 * item.h - what add, edit, done, rm and mv have in common: they change one item and say what became of it.
 */
#ifndef TRIVET_CLI_ITEM_H
#define TRIVET_CLI_ITEM_H

#include "cli/client.h"

/*
 * Sends the request (taken over) and prints "VERB [ ] short  text  (1 Label)", or with --json the item. Where
 * the item is in a locked list its text is left out unless `locked`. Returns the exit status.
 */
int item_request(const cli_common *common, json_t *request, const char *text, bool locked, unsigned flags,
                 const char *verb);

#endif
