/*
 * phone_verbs.h - the commands of `trivet phone` that read and edit its lists: the computer's, on another
 * state.
 */
#ifndef TRIVET_CLI_PHONE_VERBS_H
#define TRIVET_CLI_PHONE_VERBS_H

/* Each parses its own arguments, argv[0] being its name, and returns the exit status. `folder` is the
 * phone's. */
int phone_add(const char *folder, int argc, char **argv);
int phone_edit(const char *folder, int argc, char **argv);
int phone_done(const char *folder, int argc, char **argv); /* done and undone */
int phone_rm(const char *folder, int argc, char **argv);
int phone_mv(const char *folder, int argc, char **argv);
int phone_pad(const char *folder, int argc, char **argv);
int phone_list(const char *folder, int argc, char **argv);
int phone_export(const char *folder, int argc, char **argv);

/* phone_jot.c */
int phone_jot(const char *folder, int argc, char **argv);

#endif
