/* The program. What it can do stands in the table of src/cli/commands.c. */
#include "cli/commands.h"

#include <fcntl.h>
#include <stdlib.h>

/*
 * Standard streams that are closed must not become a database, a lock or a socket that is opened next. Held by
 * /dev/null, opened the wrong way round, so that whoever reads or writes is told as before.
 */
static void hold_standard_streams(void) {
    for (int fd = 0; fd <= 2; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY) != fd)
            exit(71); /* EX_OSERR, and nowhere to say so */
}

int main(int argc, char **argv) {
    hold_standard_streams();
    return commands_main(argc, argv);
}
