/*
 * state.h - what a state is inside.
 *
 * Nodes and entries never change once they stand in a state: an edit makes a new one. So any number of states
 * can point to the same ones, and a merged state is mostly pointers into the three that it came from.
 *
 * Invariants:
 * 1. A section that is not present has no slots.
 * 2. A node's `slot` is the index of the slot that points to it.
 * 3. No two nodes of a section have the same id.
 * 4. A slot that is `sorted` is in canonical order (merge §1); tm_slot_sort() makes it so.
 * 5. An index that is built holds every node of its section.
 */
#ifndef TM_STATE_H
#define TM_STATE_H

#include "index.h"
#include "json.h"

enum { TM_ITEM_SECTIONS = 2, TM_ENTRY_SECTIONS = 4 };

/* Unknown fields (an entry's `section` among them), sorted by key. */
typedef struct tm_rest {
    size_t count;
    tm_field fields[];
} tm_rest;

typedef struct tm_node {
    trivet_merge_item item;
    uint32_t hash; /* of the id */
    uint16_t slot;
    bool dropped; /* a duplicate that lost; only while a state is read */
} tm_node;

typedef struct {
    trivet_merge_entry entry; /* its text's data is NULL where the entry holds none */
    bool has_updated_at;
} tm_entry;

typedef struct {
    tm_node **nodes;
    size_t count, room;
    bool sorted;
} tm_slot;

typedef struct {
    bool present;
    size_t slot_count, total;
    tm_slot slots[TRIVET_MERGE_MAX_SLOTS];
    tm_index index; /* built when first needed */
} tm_items;

typedef struct {
    bool present;
    size_t count;
    const tm_entry *entries[TRIVET_MERGE_MAX_SLOTS];
} tm_entries;

struct trivet_merge_state {
    tm_arena arena;
    char *owned; /* the document, if the state frees it */
    trivet_merge_side side;
    tm_items items[TM_ITEM_SECTIONS];
    tm_entries entries[TM_ENTRY_SECTIONS];
    tm_field *unknown; /* unknown top-level keys, sorted */
    size_t unknown_count;
    size_t duplicates; /* copies that were dropped */
    size_t size_hint;  /* about how long its document is */
};

static inline bool tm_is_items(trivet_merge_section section) {
    return section == TRIVET_MERGE_LISTS || section == TRIVET_MERGE_LOCKED_LISTS;
}

static inline bool tm_is_entries(trivet_merge_section section) {
    return !tm_is_items(section) && (unsigned)section < TRIVET_MERGE_SECTIONS;
}

/* An enum's value is the caller's word: a section out of range has no view. NULL where it is of the other
 * kind. */
tm_items *tm_items_of(const trivet_merge_state *state, trivet_merge_section section);
tm_entries *tm_entries_of(const trivet_merge_state *state, trivet_merge_section section);

static inline tm_slice tm_section_key(trivet_merge_section section) {
    const char *name = trivet_merge_section_name(section);
    return (tm_slice){name, strlen(name)};
}

/* "label" or "content" */
static inline tm_slice tm_text_key(trivet_merge_section section) {
    return section == TRIVET_MERGE_SCRATCHPAD ? TM_SLICE("content") : TM_SLICE("label");
}

void tm_state_init(trivet_merge_state *state, size_t arena_hint);
void tm_state_clear(trivet_merge_state *state);

/* Canonical order. */
int tm_node_compare(const void *a, const void *b);
void tm_slot_sort(tm_slot *slot);
void tm_items_sort(tm_items *items);

/* The node with that id, or NULL. Never fails: without memory for an index it looks at every node. */
tm_node *tm_items_find(tm_items *items, tm_arena *arena, tm_slice id, uint32_t hash);

/* Room for one more; 0 or ENOMEM. */
int tm_slot_reserve(tm_slot *slot, tm_arena *arena, size_t count);
/* Appends; there is room. */
void tm_slot_push(tm_items *items, size_t slot, tm_node *node);

/* Makes the section present and `slot_count` slots long at least. */
void tm_items_extend(tm_items *items, size_t slot_count);

/* By value: numbers as doubles, unknown fields deeply (merge §1), absent times as 0. */
bool tm_rest_equal(const tm_rest *a, const tm_rest *b);
bool tm_done_equal(const trivet_merge_item *a, const trivet_merge_item *b);
/* All but the strings, the id and the text. */
bool tm_fields_equal(const trivet_merge_item *a, const trivet_merge_item *b);

/* The fields of a reader's stack since `base` as a rest in its arena; NULL for none. */
int tm_rest_take(tm_reader *r, size_t base, const tm_rest **out);

/* One item's object at the reader; `node` is filled in but for its slot. */
int tm_item_parse(tm_reader *r, tm_node *node);

#endif
