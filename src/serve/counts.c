/* One table of the keys of merge §9 and where each stands in the engine's struct. */
#include "serve/counts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *key;
    size_t offset;
} COUNTS[] = {
    {"addedFromPhone", offsetof(trivet_merge_counts, added_from_phone)},
    {"addedFromComputer", offsetof(trivet_merge_counts, added_from_computer)},
    {"editedField", offsetof(trivet_merge_counts, edited_field)},
    {"editedLWW", offsetof(trivet_merge_counts, edited_lww)},
    {"tombstoned", offsetof(trivet_merge_counts, tombstoned)},
    {"removed", offsetof(trivet_merge_counts, removed)},
    {"restored", offsetof(trivet_merge_counts, restored)},
    {"ties", offsetof(trivet_merge_counts, ties)},
    {"moved", offsetof(trivet_merge_counts, moved)},
    {"scratchpadLineMerged", offsetof(trivet_merge_counts, scratchpad_line_merged)},
    {"duplicates", offsetof(trivet_merge_counts, duplicates)},
};

json_t *counts_json(const trivet_merge_counts *counts) {
    json_t *object = json_object();

    for (size_t i = 0; i < sizeof COUNTS / sizeof COUNTS[0]; i++) {
        size_t value;
        memcpy(&value, (const char *)counts + COUNTS[i].offset, sizeof value);
        if (json_object_set_new(object, COUNTS[i].key, json_integer((json_int_t)value)) != 0) {
            json_decref(object);
            return NULL;
        }
    }
    return object;
}

void counts_text(const trivet_merge_counts *counts, char *out, size_t size) {
    json_t *object = counts_json(counts);
    char *text = object ? json_dumps(object, JSON_COMPACT) : NULL;

    snprintf(out, size, "%s", text && strlen(text) < size ? text : "{}");
    free(text);
    json_decref(object);
}
