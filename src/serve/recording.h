/*
 * recording.h - each merge of a sync kept as a merge case, where `record` asks for it: what a user can attach to a
 * report of a wrong merge.
 */
#ifndef TRIVET_SERVE_RECORDING_H
#define TRIVET_SERVE_RECORDING_H

#include <stddef.h>
#include <trivet_merge.h>

/* What was merged; all borrowed. */
typedef struct {
    const trivet_merge_state *ancestor; /* may be NULL */
    const char *phone;                  /* the document as it came */
    size_t phone_len;
    const trivet_merge_state *computer;
    trivet_merge_options options;      /* its guard and picks, too */
    const trivet_merge_result *result; /* NULL: not at hand */
} recording_merge;

/* Never fails towards its caller: what goes wrong is a warning in the log. */
void recording_keep(const char *folder, const recording_merge *merge);

#endif
