/*
 * merge_run.h - one merge of files, as `trivet merge` does it and as its fixtures are run.
 *
 *     merge_inputs in = MERGE_INPUTS_INIT;
 *     merge_options_read(&in, ...), merge_picks_read(&in, ...);
 *     merge_run(&in, &out);
 *     merge_output_release(&out);
 *     merge_inputs_release(&in);
 */
#ifndef TRIVET_CLI_MERGE_RUN_H
#define TRIVET_CLI_MERGE_RUN_H

#include <trivet_merge.h>

/* The texts are from malloc; NULL where there is none. */
typedef struct {
    char *ancestor, *phone, *computer, *guard;
    size_t ancestor_len, phone_len, computer_len, guard_len;
    trivet_merge_options options;
    trivet_merge_pick *picks;
    size_t pick_count;
} merge_inputs;

#define MERGE_INPUTS_INIT                                                                                    \
    { .options = TRIVET_MERGE_OPTIONS_INIT }

/* The document of merge §9, or an error (code not 0). */
typedef struct {
    char *document;
    size_t len;
    trivet_merge_status status;
    size_t ties;
    trivet_merge_large_change large;
    trivet_merge_error error;
} merge_output;

void merge_inputs_release(merge_inputs *in);
void merge_output_release(merge_output *out);

void merge_run(const merge_inputs *in, merge_output *out);

/* Both give false where the name is none. */
bool merge_large_named(const char *name, trivet_merge_large *out);
bool merge_text_named(const char *name, trivet_merge_text *out);

/*
 * Reads a JSON array of {section, slot, itemId?, field, pick} (merge §7). False after writing what is wrong into
 * `why`, with the place.
 */
bool merge_picks_read(merge_inputs *in, const char *json, size_t len, char *why, size_t why_size);

#endif
