/* merge_run.c - states are the merge library's own to read; only picks go through jansson. */
#include "cli/merge_run.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void merge_inputs_release(merge_inputs *in) {
    free(in->ancestor);
    free(in->phone);
    free(in->computer);
    free(in->guard);
    for (size_t i = 0; i < in->pick_count; i++) {
        free((char *)in->picks[i].item_id.data);
        free((char *)in->picks[i].field.data);
    }
    free(in->picks);
    *in = (merge_inputs)MERGE_INPUTS_INIT;
}

void merge_output_release(merge_output *out) {
    free(out->document);
    out->document = NULL;
}

static void write_result(const trivet_merge_result *result, merge_output *out) {
    int rc = trivet_merge_result_write(result, &out->document, &out->len);
    if (rc != 0) {
        out->error.code = rc;
        snprintf(out->error.reason, sizeof out->error.reason, "out of memory");
    }
    out->status = trivet_merge_result_status(result);
    out->ties = trivet_merge_result_tie_count(result);
    if (out->status == TRIVET_MERGE_LARGE_CHANGE)
        trivet_merge_result_large_change(result, &out->large);
}

void merge_run(const merge_inputs *in, merge_output *out) {
    trivet_merge_state *a = NULL, *p = NULL, *c = NULL, *guard = NULL;
    trivet_merge_result *result = NULL;
    trivet_merge_options options = in->options;

    *out = (merge_output){.error = TRIVET_MERGE_ERROR_INIT};
    options.picks = in->picks;
    options.pick_count = in->pick_count;
    if (in->ancestor &&
        trivet_merge_state_read(in->ancestor, in->ancestor_len, TRIVET_MERGE_ANCESTOR, &a, &out->error) != 0)
        goto out;
    if (in->guard &&
        trivet_merge_state_read(in->guard, in->guard_len, TRIVET_MERGE_ANCESTOR, &guard, &out->error) != 0)
        goto out;
    if (trivet_merge_state_read(in->phone, in->phone_len, TRIVET_MERGE_PHONE, &p, &out->error) != 0 ||
        trivet_merge_state_read(in->computer, in->computer_len, TRIVET_MERGE_COMPUTER, &c, &out->error) != 0)
        goto out;
    options.guard = guard;
    if (trivet_merge(a, p, c, &options, &result, &out->error) == 0)
        write_result(result, out);
out:
    trivet_merge_result_free(result);
    trivet_merge_state_free(a);
    trivet_merge_state_free(p);
    trivet_merge_state_free(c);
    trivet_merge_state_free(guard);
}

bool merge_large_named(const char *name, trivet_merge_large *out) {
    static const char *const names[] = {"ask", "computer", "phone", "both"};
    for (int i = 0; i < 4; i++) {
        if (strcmp(name, names[i]) == 0) {
            *out = (trivet_merge_large)i;
            return true;
        }
    }
    return false;
}

bool merge_text_named(const char *name, trivet_merge_text *out) {
    bool lines = strcmp(name, "lines") == 0;
    *out = lines ? TRIVET_MERGE_TEXT_LINES : TRIVET_MERGE_TEXT_WHOLE;
    return lines || strcmp(name, "whole") == 0;
}

/* ---- picks -------------------------------------------------------------------------------------------- */

static bool section_named(const char *name, trivet_merge_section *out) {
    for (int s = 0; name && s < TRIVET_MERGE_SECTIONS; s++) {
        if (strcmp(name, trivet_merge_section_name((trivet_merge_section)s)) == 0) {
            *out = (trivet_merge_section)s;
            return true;
        }
    }
    return false;
}

static bool quote(const json_t *string, trivet_merge_slice *out) {
    char *data;
    if (trivet_merge_quote(json_string_value(string), json_string_length(string), &data, &out->len) != 0)
        return false;
    out->data = data;
    return true;
}

/* NULL, or what is wrong with the pick. */
static const char *read_pick(const json_t *json, trivet_merge_pick *pick) {
    const json_t *slot = json_object_get(json, "slot"), *id = json_object_get(json, "itemId");
    const json_t *field = json_object_get(json, "field");
    const char *side = json_string_value(json_object_get(json, "pick"));

    if (!json_is_object(json))
        return "expected an object";
    if (!section_named(json_string_value(json_object_get(json, "section")), &pick->section))
        return "section: expected lists, lockedLists, listsCategories or another key of a state";
    if (!json_is_integer(slot) || json_integer_value(slot) < 0 ||
        json_integer_value(slot) >= TRIVET_MERGE_MAX_SLOTS)
        return "slot: expected a number from 0 to 63";
    if (id && !json_is_string(id))
        return "itemId: expected a string";
    if (!json_is_string(field))
        return "field: expected a string";
    if (!side || (strcmp(side, "phone") != 0 && strcmp(side, "computer") != 0))
        return "pick: expected \"phone\" or \"computer\"";
    pick->slot = (size_t)json_integer_value(slot);
    pick->pick = strcmp(side, "phone") == 0 ? TRIVET_MERGE_PHONE : TRIVET_MERGE_COMPUTER;
    if ((id && !quote(id, &pick->item_id)) || !quote(field, &pick->field))
        return "out of memory";
    return NULL;
}

bool merge_picks_read(merge_inputs *in, const char *json, size_t len, char *why, size_t why_size) {
    json_error_t error;
    json_t *array = json_loadb(json, len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error), *element;
    const char *wrong = NULL;
    size_t i;

    if (!array) {
        snprintf(why, why_size, "line %d: %s", error.line, error.text);
        return false;
    }
    if (!json_is_array(array)) {
        snprintf(why, why_size, "expected an array of picks");
        json_decref(array);
        return false;
    }
    in->picks = calloc(json_array_size(array) + 1, sizeof *in->picks);
    if (!in->picks)
        snprintf(why, why_size, "out of memory");
    json_array_foreach(array, i, element) {
        if (!in->picks)
            break;
        wrong = read_pick(element, &in->picks[in->pick_count++]);
        if (wrong) {
            snprintf(why, why_size, "[%zu]: %s", i, wrong);
            break;
        }
    }
    json_decref(array);
    return in->picks && !wrong;
}
