/* The program. What it can do stands in the table of src/cli/commands.c. */
#include "cli/commands.h"

int main(int argc, char **argv) {
    return commands_main(argc, argv);
}
