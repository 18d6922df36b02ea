/* What was answered to the ties of one sync: a list, and a hash table over it. */
#include "serve/tie_answers.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

struct tie_answer {
    trivet_merge_section section;
    size_t slot;
    char *item_id, *field, *phone_value, *computer_value; /* item_id NULL: an entry's */
    trivet_merge_side side;
};

_Static_assert(sizeof((tie_answers *)NULL)->key == crypto_shorthash_KEYBYTES, "the key is SipHash's");

static void release(struct tie_answer *answer) {
    free(answer->item_id);
    free(answer->field);
    free(answer->phone_value);
    free(answer->computer_value);
}

void tie_answers_release(tie_answers *a) {
    for (size_t i = 0; i < a->count; i++)
        release(&a->answers[i]);
    free(a->answers);
    free(a->index);
    *a = (tie_answers){0};
}

static bool same_text(const char *kept, trivet_merge_slice slice) {
    return kept ? slice.data && strlen(kept) == slice.len && memcmp(kept, slice.data, slice.len) == 0
                : !slice.data;
}

/* Ties of one entry are told apart by their slot; an item's slot is only where M would put it. */
static bool same_tie(const struct tie_answer *answer, const trivet_merge_tie *tie) {
    return answer->section == tie->section && same_text(answer->item_id, tie->item_id) &&
           (answer->item_id || answer->slot == tie->slot) && same_text(answer->field, tie->field) &&
           same_text(answer->phone_value, tie->phone_value) &&
           same_text(answer->computer_value, tie->computer_value);
}

/* Of what names a tie: an item's id is enough, with the field; many ties have equal values. */
static size_t hash(const tie_answers *a, const trivet_merge_tie *tie) {
    unsigned char out[crypto_shorthash_BYTES];
    uint64_t sum = (uint64_t)tie->section * 31, part;
    const trivet_merge_slice named[] = {tie->item_id, tie->field};

    if (!tie->item_id.data)
        sum += tie->slot;
    for (size_t i = 0; i < sizeof named / sizeof *named; i++)
        if (named[i].data) {
            crypto_shorthash(out, (const unsigned char *)named[i].data, named[i].len, a->key);
            memcpy(&part, out, sizeof part);
            sum = (sum << 1 | sum >> 63) ^ part;
        }
    return (size_t)sum;
}

/* Where the tie's answer stands in the index, or where it would. The index has a free place. */
static size_t *place(const tie_answers *a, const trivet_merge_tie *tie) {
    size_t i = hash(a, tie) & (a->slots - 1);

    while (a->index[i] != 0 && !same_tie(&a->answers[a->index[i] - 1], tie))
        i = (i + 1) & (a->slots - 1);
    return &a->index[i];
}

static trivet_merge_slice slice(const char *text) {
    return (trivet_merge_slice){text, text ? strlen(text) : 0};
}

/* Twice the room, at most half of it taken. */
static int grow(tie_answers *a) {
    size_t capacity = a->capacity ? 2 * a->capacity : 16;
    struct tie_answer *answers = realloc(a->answers, capacity * sizeof *answers);

    if (!answers)
        return -1;
    a->answers = answers;
    size_t *index = calloc(2 * capacity, sizeof *index);
    if (!index)
        return -1;
    if (a->capacity == 0)
        crypto_shorthash_keygen(a->key);
    free(a->index);
    a->index = index;
    a->slots = 2 * capacity;
    a->capacity = capacity;
    for (size_t i = 0; i < a->count; i++) {
        const struct tie_answer *kept = &a->answers[i];
        const trivet_merge_tie tie = {.section = kept->section,
                                      .slot = kept->slot,
                                      .item_id = slice(kept->item_id),
                                      .field = slice(kept->field),
                                      .phone_value = slice(kept->phone_value),
                                      .computer_value = slice(kept->computer_value)};
        *place(a, &tie) = i + 1;
    }
    return 0;
}

static char *copy(trivet_merge_slice text, bool *failed) {
    char *copied = text.data ? strndup(text.data, text.len) : NULL;
    *failed |= text.data && !copied;
    return copied;
}

int tie_answers_give(tie_answers *a, const trivet_merge_tie *tie, trivet_merge_side side) {
    bool failed = false;

    if (a->count == a->capacity && grow(a) != 0)
        return -1;
    size_t *at = place(a, tie);
    if (*at != 0) {
        a->answers[*at - 1].side = side;
        return 0;
    }
    struct tie_answer *answer = &a->answers[a->count];
    *answer = (struct tie_answer){.section = tie->section,
                                  .slot = tie->slot,
                                  .item_id = copy(tie->item_id, &failed),
                                  .field = copy(tie->field, &failed),
                                  .phone_value = copy(tie->phone_value, &failed),
                                  .computer_value = copy(tie->computer_value, &failed),
                                  .side = side};
    if (failed) {
        release(answer);
        return -1;
    }
    *at = ++a->count;
    return 0;
}

bool tie_answers_find(const tie_answers *a, const trivet_merge_tie *tie, trivet_merge_side *side) {
    size_t at = a->count > 0 ? *place(a, tie) : 0;

    if (at == 0)
        return false;
    *side = a->answers[at - 1].side;
    return true;
}

size_t tie_answers_open(const tie_answers *a, const trivet_merge_result *result) {
    size_t open = 0;
    trivet_merge_side side;
    trivet_merge_tie tie;

    for (size_t i = 0; i < trivet_merge_result_tie_count(result); i++) {
        trivet_merge_result_tie(result, i, &tie);
        open += !tie_answers_find(a, &tie, &side);
    }
    return open;
}
