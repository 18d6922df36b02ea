/* Questions as JSON. What comes from a state is JSON already and is passed on as it is. */
#include "serve/question_body.h"

#include <stdio.h>
#include <stdlib.h>

static void write_slice(FILE *f, const char *key, trivet_merge_slice s, const char *quote) {
    fprintf(f, ",\"%s\":%s", key, quote);
    fwrite(s.data, 1, s.len, f);
    fputs(quote, f);
}

static char *finish(FILE *f, char **text) {
    if (fclose(f) == 0)
        return *text;
    free(*text);
    return NULL;
}

/* ---- ties ---- */

static int64_t written_at(const trivet_merge_tie *tie, const trivet_merge_state *phone) {
    trivet_merge_item item;
    trivet_merge_entry entry;

    if (tie->item_id.data)
        return trivet_merge_item_find(phone, tie->section, tie->item_id, &item, NULL) ? item.updated_at : 0;
    return trivet_merge_entry_at(phone, tie->section, tie->slot, &entry) ? entry.updated_at : 0;
}

char *question_ties(const trivet_merge_result *result, const trivet_merge_state *phone) {
    char *text = NULL;
    size_t size = 0, count = trivet_merge_result_tie_count(result);
    FILE *f = open_memstream(&text, &size);

    if (!f)
        return NULL;
    for (size_t i = 0; i < count; i++) {
        trivet_merge_tie tie;
        trivet_merge_result_tie(result, i, &tie);
        fprintf(f, "%s{\"section\":\"%s\",\"slot\":%zu", i ? "," : "[",
                trivet_merge_section_name(tie.section), tie.slot);
        if (tie.item_id.data)
            write_slice(f, "itemId", tie.item_id, "\"");
        write_slice(f, "field", tie.field, "\"");
        write_slice(f, "phoneValue", tie.phone_value, "");
        write_slice(f, "computerValue", tie.computer_value, "");
        write_slice(f, "itemContext", tie.context, "\"");
        fprintf(f, ",\"updatedAt\":%lld}", (long long)written_at(&tie, phone));
    }
    fputs(count ? "]" : "[]", f);
    return finish(f, &text);
}

/* ---- large changes ---- */

/* Where a text may be cut: before an escape or a character, never in one. */
static trivet_merge_slice beginning(trivet_merge_slice text) {
    size_t at = 0;

    while (at < text.len) {
        size_t n = 1;
        if (text.data[at] == '\\')
            n = at + 1 < text.len && text.data[at + 1] == 'u' ? 6 : 2;
        while (at + n < text.len && ((unsigned char)text.data[at + n] & 0xC0) == 0x80)
            n++;
        if (at + n > QUESTION_TEXT || at + n > text.len)
            break;
        at += n;
    }
    return (trivet_merge_slice){text.data, at};
}

static bool lives(const trivet_merge_state *state, trivet_merge_section section, trivet_merge_slice id,
                  bool *absent) {
    trivet_merge_item item;
    bool found = trivet_merge_item_find(state, section, id, &item, NULL);

    *absent = !found;
    return found && !item.deleted;
}

/* Items of one section that are live in `guard` and on the side that `has` them, and absent on the other. */
static void write_section(FILE *f, trivet_merge_section section, const trivet_merge_state *guard,
                          const trivet_merge_state *has, const trivet_merge_state *lacks, const char *missing,
                          size_t *left) {
    trivet_merge_item item;
    bool absent, ignored;

    for (size_t slot = 0; slot < trivet_merge_slot_count(guard, section); slot++)
        for (size_t i = 0; *left && trivet_merge_item_at(guard, section, slot, i, &item) && !item.deleted;
             i++) {
            lives(lacks, section, item.id, &absent);
            if (!absent || !lives(has, section, item.id, &ignored))
                continue;
            fprintf(f, "%s{\"missing\":\"%s\",\"section\":\"%s\",\"slot\":%zu",
                    *left == QUESTION_EXAMPLES ? "" : ",", missing, trivet_merge_section_name(section), slot);
            write_slice(f, "text", beginning(item.text), "\"");
            fputs("}", f);
            (*left)--;
        }
}

/* How many were written. */
static size_t write_examples(FILE *f, const trivet_merge_state *guard, const trivet_merge_state *has,
                             const trivet_merge_state *lacks, const char *missing) {
    size_t left = QUESTION_EXAMPLES;

    write_section(f, TRIVET_MERGE_LISTS, guard, has, lacks, missing, &left);
    write_section(f, TRIVET_MERGE_LOCKED_LISTS, guard, has, lacks, missing, &left);
    return QUESTION_EXAMPLES - left;
}

char *question_large(const trivet_merge_large_change *large, const trivet_merge_state *guard,
                     const trivet_merge_state *phone, const trivet_merge_state *computer) {
    char *text = NULL;
    size_t size = 0;
    FILE *f = open_memstream(&text, &size);

    if (!f)
        return NULL;
    fprintf(f,
            "{\"large_change\":{\"known\":%zu,\"phoneMissing\":%zu,\"computerMissing\":%zu},\"examples\":[",
            large->known, large->phone_missing, large->computer_missing);
    if (write_examples(f, guard, computer, phone, "phone") && large->computer_missing)
        fputs(",", f);
    write_examples(f, guard, phone, computer, "computer");
    fputs("]}", f);
    return finish(f, &text);
}
