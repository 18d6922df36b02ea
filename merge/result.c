/* result.c - what a merge gives back, to look into and as a document (merge §9). */
#include <stdlib.h>

#include "engine.h"
#include "write.h"

void trivet_merge_result_free(trivet_merge_result *result) {
    if (!result)
        return;
    tm_state_clear(&result->snapshot);
    free(result->ties);
    free(result->changes);
    free(result->sorted_ties);
    free(result->sorted_changes);
    free(result);
}

trivet_merge_status trivet_merge_result_status(const trivet_merge_result *result) {
    return result->status;
}

const trivet_merge_state *trivet_merge_result_snapshot(const trivet_merge_result *result) {
    return result->status == TRIVET_MERGE_LARGE_CHANGE ? NULL : &result->snapshot;
}

size_t trivet_merge_result_tie_count(const trivet_merge_result *result) {
    return result->tie_count;
}

void trivet_merge_result_tie(const trivet_merge_result *result, size_t index, trivet_merge_tie *tie) {
    *tie = *(const trivet_merge_tie *)result->sorted_ties[index].item;
}

void trivet_merge_result_counts(const trivet_merge_result *result, trivet_merge_counts *counts) {
    *counts = result->counts;
}

size_t trivet_merge_result_change_count(const trivet_merge_result *result) {
    return result->change_count;
}

void trivet_merge_result_change(const trivet_merge_result *result, size_t index,
                                trivet_merge_change *change) {
    *change = *(const trivet_merge_change *)result->sorted_changes[index].item;
}

void trivet_merge_result_large_change(const trivet_merge_result *result, trivet_merge_large_change *large) {
    *large = result->large;
}

/* ---- the document -------------------------------------------------------------------------------------- */

static const char *kind_name(trivet_merge_kind kind) {
    static const char *const names[] = {"added", "edited", "moved", "tombstoned", "removed", "restored"};
    return names[kind];
}

static tm_slice slice_of(const char *name) {
    return (tm_slice){name, strlen(name)};
}

static void put_number(tm_buffer *b, const char *key, size_t value) {
    tm_buffer_slice(b, slice_of(key));
    tm_buffer_integer(b, value);
}

static void write_large(tm_buffer *b, const trivet_merge_large_change *large) {
    put_number(b, "\"large_change\":{\"computerMissing\":", large->computer_missing);
    put_number(b, ",\"known\":", large->known);
    put_number(b, ",\"phoneMissing\":", large->phone_missing);
    TM_ADD(b, "},");
}

static void write_change(tm_buffer *b, const trivet_merge_change *change) {
    TM_ADD(b, "{");
    if (change->field.data) {
        TM_ADD(b, "\"field\":");
        tm_buffer_string(b, change->field);
        TM_ADD(b, ",");
    }
    if (change->id.data) {
        TM_ADD(b, "\"id\":");
        tm_buffer_string(b, change->id);
        TM_ADD(b, ",");
    }
    TM_ADD(b, "\"kind\":");
    tm_buffer_string(b, slice_of(kind_name(change->kind)));
    TM_ADD(b, ",\"section\":");
    tm_buffer_string(b, tm_section_key(change->section));
    TM_ADD(b, ",\"side\":");
    tm_buffer_string(b, slice_of(trivet_merge_side_name(change->side)));
    put_number(b, ",\"slot\":", change->slot);
    TM_ADD(b, "}");
}

static void write_counts(tm_buffer *b, const trivet_merge_counts *counts) {
    put_number(b, "{\"addedFromComputer\":", counts->added_from_computer);
    put_number(b, ",\"addedFromPhone\":", counts->added_from_phone);
    put_number(b, ",\"duplicates\":", counts->duplicates);
    put_number(b, ",\"editedField\":", counts->edited_field);
    put_number(b, ",\"editedLWW\":", counts->edited_lww);
    put_number(b, ",\"moved\":", counts->moved);
    put_number(b, ",\"removed\":", counts->removed);
    put_number(b, ",\"restored\":", counts->restored);
    put_number(b, ",\"scratchpadLineMerged\":", counts->scratchpad_line_merged);
    put_number(b, ",\"ties\":", counts->ties);
    put_number(b, ",\"tombstoned\":", counts->tombstoned);
    TM_ADD(b, "}");
}

static void write_tie(tm_buffer *b, const trivet_merge_tie *tie) {
    TM_ADD(b, "{\"computerValue\":");
    tm_buffer_slice(b, tie->computer_value);
    TM_ADD(b, ",\"field\":");
    tm_buffer_string(b, tie->field);
    TM_ADD(b, ",\"itemContext\":");
    tm_buffer_string(b, tie->context);
    if (tie->item_id.data) {
        TM_ADD(b, ",\"itemId\":");
        tm_buffer_string(b, tie->item_id);
    }
    TM_ADD(b, ",\"phoneValue\":");
    tm_buffer_slice(b, tie->phone_value);
    TM_ADD(b, ",\"section\":");
    tm_buffer_string(b, tm_section_key(tie->section));
    put_number(b, ",\"slot\":", tie->slot);
    TM_ADD(b, "}");
}

int trivet_merge_result_write(const trivet_merge_result *result, char **out, size_t *len) {
    static const char *const statuses[] = {"merged", "conflict", "large_change"};
    tm_buffer b;
    tm_buffer_init(&b, result->snapshot.size_hint + 512);
    TM_ADD(&b, "{");
    if (result->status == TRIVET_MERGE_LARGE_CHANGE)
        write_large(&b, &result->large);
    TM_ADD(&b, "\"snapshot\":");
    if (result->status == TRIVET_MERGE_LARGE_CHANGE)
        TM_ADD(&b, "null");
    else
        tm_write_state(&b, &result->snapshot);
    TM_ADD(&b, ",\"status\":");
    tm_buffer_string(&b, slice_of(statuses[result->status]));
    TM_ADD(&b, ",\"summary\":{\"changes\":[");
    for (size_t i = 0; i < result->change_count; i++) {
        if (i > 0)
            TM_ADD(&b, ",");
        write_change(&b, result->sorted_changes[i].item);
    }
    TM_ADD(&b, "],\"counts\":");
    write_counts(&b, &result->counts);
    TM_ADD(&b, "},\"ties\":[");
    for (size_t i = 0; i < result->tie_count; i++) {
        if (i > 0)
            TM_ADD(&b, ",");
        write_tie(&b, result->sorted_ties[i].item);
    }
    TM_ADD(&b, "]}");
    return tm_buffer_finish(&b, out, len);
}
