/*
 * passphrase.h - a passphrase from a file or a person. It is wiped when it is released.
 */
#ifndef TRIVET_CLI_PASSPHRASE_H
#define TRIVET_CLI_PASSPHRASE_H

#include "store/backup_file.h"
#include <stdbool.h>
#include <stddef.h>

typedef struct {
    char text[BACKUP_PASSPHRASE_MAX + 1];
    size_t len;
} passphrase;

/*
 * The first line of `file`, or where that is NULL what is typed at the terminal, without an echo, and twice if `twice`. 0, or an
 * exit status after telling why not.
 */
int passphrase_get(passphrase *p, const char *file, bool twice);
void passphrase_release(passphrase *p);

#endif
