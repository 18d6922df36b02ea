/* States become documents once more, because a case holds documents. Runs on the worker, after the merge. */
#include "serve/recording.h"

#include "fixture/keep.h"
#include "log.h"

#include <stdlib.h>
#include <string.h>

static int copy_state(const trivet_merge_state *state, char **out, size_t *len) {
    return state ? trivet_merge_state_write(state, out, len) : 0;
}

static int copy_bytes(const char *data, size_t len, char **out) {
    if (!data)
        return 0;
    if (!(*out = malloc(len + 1)))
        return -1;
    memcpy(*out, data, len);
    (*out)[len] = '\0';
    return 0;
}

static int copy_slice(trivet_merge_slice from, trivet_merge_slice *to) {
    char *text = NULL;
    int rc = copy_bytes(from.data, from.len, &text);
    *to = (trivet_merge_slice){text, from.len};
    return rc;
}

static int copy_picks(const trivet_merge_options *options, fixture_inputs *out) {
    int rc = 0;

    if (!options->picks)
        return 0;
    if (!(out->picks = calloc(options->pick_count + 1, sizeof *out->picks)))
        return -1;
    for (size_t i = 0; rc == 0 && i < options->pick_count; i++) {
        trivet_merge_pick *pick = &out->picks[out->pick_count++];
        *pick = options->picks[i];
        pick->item_id.data = pick->field.data = NULL;
        rc = copy_slice(options->picks[i].item_id, &pick->item_id);
        if (rc == 0)
            rc = copy_slice(options->picks[i].field, &pick->field);
    }
    return rc;
}

static int copy_inputs(const recording_merge *m, fixture_inputs *out) {
    out->options = m->options;
    out->options.guard = NULL;
    out->options.picks = NULL;
    out->options.pick_count = 0;
    out->phone_len = m->phone_len;
    return copy_bytes(m->phone, m->phone_len, &out->phone) == 0 &&
                   copy_state(m->ancestor, &out->ancestor, &out->ancestor_len) == 0 &&
                   copy_state(m->options.guard, &out->guard, &out->guard_len) == 0 &&
                   copy_state(m->computer, &out->computer, &out->computer_len) == 0
               ? copy_picks(&m->options, out)
               : -1;
}

void recording_keep(const char *folder, const recording_merge *merge) {
    fixture_inputs in = FIXTURE_INPUTS_INIT;
    fixture_kept kept = {.error = "out of memory"};

    if (copy_inputs(merge, &in) != 0 || fixture_keep(folder, &in, merge->result, &kept) != 0)
        log_warning("a merge was not recorded: %s", kept.error);
    else if (!kept.alike)
        log_warning("recorded %s, whose result is not that of the real merge", kept.name);
    else
        log_info("recorded %s", kept.name);
    fixture_inputs_release(&in);
}
