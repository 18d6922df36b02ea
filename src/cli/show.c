/* Lists on paper. Dead items are never shown: they are bookkeeping between devices. */
#include "cli/show.h"

#include "cli/print.h"
#include "state/edit.h"
#include "state/prefix.h"

#include <stdlib.h>
#include <string.h>

static bool is_live(const trivet_merge_state *state, trivet_merge_section section, size_t slot, size_t index,
                    trivet_merge_item *item) {
    return trivet_merge_item_at(state, section, slot, index, item) && !item->deleted;
}

/* Whether the slot is to be shown, and its label (from malloc, may be NULL). -1: out of memory. */
static int wanted(const trivet_merge_state *state, trivet_merge_section section, size_t slot, size_t only,
                  char **label) {
    trivet_merge_item item;

    *label = NULL;
    if (only != SIZE_MAX && slot != only)
        return 0;
    if (edit_label(state, section, slot, label) != 0)
        return -1;
    return only == slot || *label || is_live(state, section, slot, 0, &item);
}

static void heading(FILE *out, trivet_merge_section section, size_t slot, const char *label) {
    print_styled(out, PRINT_HEADING, "%zu", slot + 1);
    if (label) {
        fputs("  ", out);
        print_line(out, label, strlen(label));
    }
    if (section == TRIVET_MERGE_LOCKED_LISTS)
        print_styled(out, PRINT_FAINT, "  (locked)");
    fputc('\n', out);
}

/* The longest id prefix of a slot: its column's width. */
static int id_width(const trivet_merge_state *state, trivet_merge_section section, size_t slot,
                    const prefixes *p) {
    trivet_merge_item item;
    size_t widest = 0;

    for (size_t i = 0; is_live(state, section, slot, i, &item); i++) {
        char *id = prefixes_of(p, item.id);
        size_t width = id ? print_width(id) : 0;
        if (width > widest)
            widest = width;
        free(id);
    }
    return (int)widest;
}

static int show_item(FILE *out, const trivet_merge_item *item, const prefixes *p, int column) {
    char *id = prefixes_of(p, item->id);

    if (!id)
        return -1;
    fprintf(out, "   %s ", item->done ? "[x]" : "[ ]");
    print_styled(out, PRINT_ID, "%s", id);
    fprintf(out, "%*s", column - (int)print_width(id) + 2, "");
    print_slice(out, item->text);
    fputc('\n', out);
    free(id);
    return 0;
}

int show_lists(FILE *out, const trivet_merge_state *state, trivet_merge_section section, size_t only,
               size_t *shown) {
    size_t count = edit_slot_count(state, section);
    trivet_merge_item item;
    prefixes *p = NULL;
    int result = prefixes_new(state, &p);

    for (size_t slot = 0; slot < count && result == 0; slot++) {
        char *label;
        int want = wanted(state, section, slot, only, &label);
        if (want > 0) {
            int column = id_width(state, section, slot, p);
            if ((*shown)++ > 0)
                fputc('\n', out);
            heading(out, section, slot, label);
            for (size_t i = 0; is_live(state, section, slot, i, &item) && result == 0; i++)
                result = show_item(out, &item, p, column);
        }
        free(label);
        if (want < 0)
            result = -1;
    }
    prefixes_free(p);
    return result;
}

static int show_items_json(FILE *out, const trivet_merge_state *state, trivet_merge_section section,
                           size_t slot) {
    trivet_merge_item item;

    for (size_t i = 0; is_live(state, section, slot, i, &item); i++) {
        char *json;
        size_t len;
        if (trivet_merge_item_write(&item, &json, &len) != 0)
            return -1;
        fprintf(out, "%s\n  %.*s", i ? "," : "", (int)len, json);
        free(json);
    }
    return 0;
}

int show_lists_json(FILE *out, const trivet_merge_state *state, trivet_merge_section section, size_t only,
                    size_t *shown) {
    size_t count = edit_slot_count(state, section);
    int result = 0;

    for (size_t slot = 0; slot < count && result == 0; slot++) {
        char *label;
        int want = wanted(state, section, slot, only, &label);
        if (want > 0) {
            fprintf(out, "%s{\"number\":%zu,\"label\":", (*shown)++ ? ",\n" : "", slot + 1);
            print_json_text(out, label ? label : "");
            fprintf(out, ",\"locked\":%s,\"items\":[",
                    section == TRIVET_MERGE_LOCKED_LISTS ? "true" : "false");
            result = show_items_json(out, state, section, slot);
            fputs("]}", out);
        }
        free(label);
        if (want < 0)
            result = -1;
    }
    return result;
}
