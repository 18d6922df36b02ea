/*
 * serve.h - the computer's side of Trivet as a running program.
 */
#ifndef TRIVET_SERVE_SERVE_H
#define TRIVET_SERVE_SERVE_H

#include "serve/reload.h"

/*
 * Runs the server on `folder` until SIGTERM or SIGINT; messages go to standard error. SIGHUP reads the settings
 * again from `source`, or ends it where its terminal has gone. Returns the exit status: 0 after a clean stop, a
 * sysexits code where it could not start.
 */
int serve_run(const char *folder, const config *c, const reload_source *source);

#endif
