/*
 * commands.h - the commands of the one binary, in the style of git.
 */
#ifndef TRIVET_CLI_COMMANDS_H
#define TRIVET_CLI_COMMANDS_H

/* One file per command in this folder defines each; argv[0] is the command's name. They return the exit
 * status. */
int cli_serve(int argc, char **argv);
int cli_pair(int argc, char **argv);
int cli_devices(int argc, char **argv);
int cli_doctor(int argc, char **argv);
int cli_status(int argc, char **argv);
int cli_sync(int argc, char **argv);
int cli_list(int argc, char **argv);
int cli_add(int argc, char **argv);
int cli_backup(int argc, char **argv);
int cli_edit(int argc, char **argv);
int cli_done(int argc, char **argv); /* done and undone */
int cli_rm(int argc, char **argv);
int cli_mv(int argc, char **argv);
int cli_pad(int argc, char **argv);
int cli_pending(int argc, char **argv);
int cli_resolve(int argc, char **argv);
int cli_history(int argc, char **argv);
int cli_diff(int argc, char **argv);
int cli_restore(int argc, char **argv);
int cli_export(int argc, char **argv);
int cli_fsck(int argc, char **argv);
int cli_import(int argc, char **argv);
int cli_jots(int argc, char **argv);
int cli_merge(int argc, char **argv);
int cli_phone(int argc, char **argv);

/* Finds and runs the command that argv[1] names; the whole of main(). */
int commands_main(int argc, char **argv);

#endif
