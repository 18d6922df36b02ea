/* The words, and nothing else. */
#include "cli/moved.h"

#include "cli/client.h"

#include <stdio.h>

const char *const moved_advice =
    "Have the router give this computer the old address (a DHCP reservation), or make a new code: "
    "`trivet pair --replace DEVICE`, with `--host NAME.local` one that outlives moves.";

void moved_text(const json_t *device, char out[static MOVED_TEXT]) {
    const char *name = reply_string(device, "name");

    snprintf(out, MOVED_TEXT, "%s was paired with %s port %u, which is not this computer's now",
             name[0] ? name : reply_string(device, "id"), reply_string(device, "host"),
             (unsigned)reply_number(device, "port"));
}
