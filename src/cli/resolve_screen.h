/*
 * resolve_screen.h - a question on a terminal, answered by a person with a few keys.
 */
#ifndef TRIVET_CLI_RESOLVE_SCREEN_H
#define TRIVET_CLI_RESOLVE_SCREEN_H

#include "cli/client.h"

/* `id` 0: the only open one. The exit status: 0 answered, 1 given up or gone. Needs terminal_usable(). */
int resolve_on_screen(const cli_common *common, int64_t id, bool locked);

#endif
