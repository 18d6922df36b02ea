/*
 * trivet_merge.h - three states in, one out.
 *
 * The merge engine behind Trivet: it combines the edits of a phone and a computer against the last state
 * that both agreed on. It is pure: no clock, no I/O, no randomness, no global state, no dependency but libc's
 * memory and string functions. The rules, by section number, are in merge/README.md ("merge §3").
 * This library may not know sockets, files, databases, or the wire protocol.
 *
 * Calling sequence:
 *
 *     trivet_merge_error err = TRIVET_MERGE_ERROR_INIT;
 *     trivet_merge_state *a = NULL, *p = NULL, *c = NULL;
 *     trivet_merge_result *r = NULL;
 *     if (trivet_merge_state_read(a_json, a_len, TRIVET_MERGE_ANCESTOR, &a, &err) == 0 &&
 *         trivet_merge_state_read(p_json, p_len, TRIVET_MERGE_PHONE, &p, &err) == 0 &&
 *         trivet_merge_state_read(c_json, c_len, TRIVET_MERGE_COMPUTER, &c, &err) == 0 &&
 *         trivet_merge(a, p, c, NULL, &r, &err) == 0)
 *         use(trivet_merge_result_status(r), trivet_merge_result_snapshot(r));
 *     trivet_merge_result_free(r);   // before the states that it borrows from
 *     trivet_merge_state_free(c); trivet_merge_state_free(p); trivet_merge_state_free(a);
 *
 * Ownership: a state borrows the bytes it was read from, and a result borrows its three states: keep them
 * alive and unchanged for as long. An out-parameter of type char ** is the caller's to free(). Functions that
 * take a const state may be called from any thread, one at a time per state.
 *
 * Strings ("slices") are the inside of a JSON string literal in canonical form: UTF-8, with `"`, `\`, control
 * characters, NUL and lone surrogates as JSON escapes, as JavaScript's JSON.stringify writes them, and
 * without the quotation marks. Two strings are equal if and only if their slices are.
 */
#ifndef TRIVET_MERGE_H
#define TRIVET_MERGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What is declared here is all that the shared library shows; the rest is built hidden. */
#ifdef __GNUC__
#pragma GCC visibility push(default)
#endif

/* ---- errors ---- */

enum {
    TRIVET_MERGE_OK = 0,
    TRIVET_MERGE_EINPUT = -1, /* a document was refused; side, path and reason say where and why (merge §1) */
    TRIVET_MERGE_ENOMEM = -2,  /* out of memory; nothing was changed */
    TRIVET_MERGE_EPICK = -3,   /* a pick is missing, or matches no tie; path and reason name it (merge §7) */
    TRIVET_MERGE_ENOTHERE = -4 /* no such item, slot or entry */
};

typedef enum {
    TRIVET_MERGE_ANCESTOR,
    TRIVET_MERGE_PHONE,
    TRIVET_MERGE_COMPUTER,
} trivet_merge_side;

/* "ancestor", "phone", "computer" */
const char *trivet_merge_side_name(trivet_merge_side side);

/* Owned by the caller; the first error stands. Neither field ever holds content, only keys and indices. */
typedef struct {
    int code;
    trivet_merge_side side;
    char path[256];   /* JSON path, "lists[2][17].position"; "" is the document itself */
    char reason[128]; /* "expected a finite number" */
} trivet_merge_error;

#define TRIVET_MERGE_ERROR_INIT                                                                              \
    { 0, TRIVET_MERGE_ANCESTOR, "", "" }

/* ---- states ---- */

typedef struct trivet_merge_state trivet_merge_state;

typedef struct {
    const char *data;
    size_t len;
} trivet_merge_slice;

/* The six keys that the engine knows. The first two hold slots of items, the others one entry per slot. */
typedef enum {
    TRIVET_MERGE_LISTS,
    TRIVET_MERGE_LOCKED_LISTS,
    TRIVET_MERGE_LISTS_CATEGORIES,
    TRIVET_MERGE_LOCKED_LISTS_CATEGORIES,
    TRIVET_MERGE_SCRATCHPAD,
    TRIVET_MERGE_SCRATCHPAD_CATEGORIES,
    TRIVET_MERGE_SECTIONS /* how many */
} trivet_merge_section;

enum {
    TRIVET_MERGE_MAX_SLOTS = 64,
    TRIVET_MERGE_MAX_ITEMS = 1000000, /* of one state */
    TRIVET_MERGE_MAX_ID = 256,        /* bytes */
    TRIVET_MERGE_MAX_DEPTH = 64
};

/* The key in the document: "lists", "lockedLists", "listsCategories", ... */
const char *trivet_merge_section_name(trivet_merge_section section);

/* Reads and checks a state document (merge §1). `json` is borrowed for the state's life. */
int trivet_merge_state_read(const char *json, size_t len, trivet_merge_side side, trivet_merge_state **out,
                            trivet_merge_error *err);

/* The same, but the state takes `json` (from malloc) over and frees it with itself, on failure at once. */
int trivet_merge_state_read_steal(char *json, size_t len, trivet_merge_side side, trivet_merge_state **out,
                                  trivet_merge_error *err);

/* A state with no view of anything ({}). */
int trivet_merge_state_new(trivet_merge_state **out);

void trivet_merge_state_free(trivet_merge_state *state); /* NULL is fine */

/* The canonical document (merge §1); *out is NUL-terminated, and `len` leaves the NUL out. */
int trivet_merge_state_write(const trivet_merge_state *state, char **out, size_t *len);

/*
 * The same in parts, so that a store can keep each apart: called once per part in the order in which the
 * canonical document holds them. A part is one slot or scratchpad entry, or (index == SIZE_MAX) the whole
 * value of another top-level key. A present but empty section of slots or scratchpads gives one part with
 * index 0 and no bytes (len 0). `key` is a slice. Stops at the first callback that returns non-zero and
 * returns that.
 */
typedef int trivet_merge_part_fn(void *ctx, trivet_merge_slice key, size_t index, const char *json,
                                 size_t len);
int trivet_merge_state_write_parts(const trivet_merge_state *state, trivet_merge_part_fn *fn, void *ctx);

/* Whether both have the same canonical document. */
bool trivet_merge_state_equal(const trivet_merge_state *a, const trivet_merge_state *b);

/*
 * Whether a side that holds `side` would see nothing change if it were given `merged`: equal in every key
 * that `side` sends, trailing empty slots and factory default entries (merge §3) left aside. A duplicate id
 * in `side` is a difference.
 */
bool trivet_merge_state_agrees(const trivet_merge_state *merged, const trivet_merge_state *side);

/* ---- looking into a state ---- */

/* An item. `rest` stands for the unknown fields: borrowed from the state it came from, NULL for none. */
typedef struct {
    trivet_merge_slice id;
    trivet_merge_slice text;
    double position;
    int64_t created_at, updated_at; /* ms since 1970; 0 where the item has none */
    int64_t deleted_at;             /* ms since 1970; -1 is null */
    bool done, deleted;
    unsigned has; /* TRIVET_MERGE_HAS_*: optional fields that the item holds */
    const void *rest;
} trivet_merge_item;

#define TRIVET_MERGE_HAS_DONE 1u
#define TRIVET_MERGE_HAS_CREATED_AT 2u
#define TRIVET_MERGE_HAS_UPDATED_AT 4u

/* A category or scratchpad entry. */
typedef struct {
    trivet_merge_slice text; /* `label` or `content`; data NULL where the entry holds none */
    int64_t updated_at;
    const void *rest; /* `section` and unknown fields, as in an item */
} trivet_merge_entry;

bool trivet_merge_state_has(const trivet_merge_state *state, trivet_merge_section section);

/* How many slots or entries; 0 where the state has no view. */
size_t trivet_merge_slot_count(const trivet_merge_state *state, trivet_merge_section section);

/* Items of a slot, live and dead, duplicates resolved; 0 for a slot beyond the end. */
size_t trivet_merge_item_count(const trivet_merge_state *state, trivet_merge_section section, size_t slot);

/* Item `index` of a slot in canonical order: live ones by (position, id), then dead ones by id. */
bool trivet_merge_item_at(const trivet_merge_state *state, trivet_merge_section section, size_t slot,
                          size_t index, trivet_merge_item *item);

/* By id, in constant time after a state's first call. `item` and `slot` may be NULL. */
bool trivet_merge_item_find(const trivet_merge_state *state, trivet_merge_section section,
                            trivet_merge_slice id, trivet_merge_item *item, size_t *slot);

bool trivet_merge_entry_at(const trivet_merge_state *state, trivet_merge_section section, size_t index,
                           trivet_merge_entry *entry);

/* Whether two items, or entries, are equal in every field, times and position included, unknown fields
 * deeply. */
bool trivet_merge_item_equal(const trivet_merge_item *a, const trivet_merge_item *b);
bool trivet_merge_entry_equal(const trivet_merge_entry *a, const trivet_merge_entry *b);

/* Whether an entry is a factory default: no text, updatedAt 0 (merge §3). */
bool trivet_merge_entry_is_default(const trivet_merge_entry *entry);

/* One item as canonical JSON, and one such object read alone. The item borrows `json` and lives as long as
 * `keeper`. */
int trivet_merge_item_write(const trivet_merge_item *item, char **out, size_t *len);
int trivet_merge_item_read(trivet_merge_state *keeper, const char *json, size_t len, trivet_merge_item *out,
                           trivet_merge_error *err);

/* ---- changing a state ---- */

/*
 * Each copies what it is given into the state, and makes the section (and slots up to the one named) where it
 * is missing. On an error nothing has changed. EINPUT where a limit of merge §1 would be broken.
 */

/* The item replaces the one with its id, in whatever slot that was, or is added. */
int trivet_merge_put_item(trivet_merge_state *state, trivet_merge_section section, size_t slot,
                          const trivet_merge_item *item, trivet_merge_error *err);
int trivet_merge_remove_item(trivet_merge_state *state, trivet_merge_section section, trivet_merge_slice id);
int trivet_merge_put_entry(trivet_merge_state *state, trivet_merge_section section, size_t index,
                           const trivet_merge_entry *entry, trivet_merge_error *err);

/*
 * `to`'s view of one section becomes `from`'s (no view included); the unknown top-level keys travel with
 * TRIVET_MERGE_LISTS. Cheap: `to` borrows from `from`, which must outlive it.
 */
int trivet_merge_take_section(trivet_merge_state *to, const trivet_merge_state *from,
                              trivet_merge_section section);

/*
 * Pads every section with empty slots and factory default entries to `at_least`, and to the length that
 * `like` (may be NULL) has there, and makes those that are missing: what a phone is sent must be (protocol
 * §3).
 */
int trivet_merge_pad(trivet_merge_state *state, const trivet_merge_state *like, size_t at_least);

/* Plain UTF-8 to a slice's text and back; a lone surrogate comes back as U+FFFD. EINPUT where it is not
 * UTF-8. */
int trivet_merge_quote(const char *utf8, size_t len, char **out, size_t *out_len);
int trivet_merge_unquote(trivet_merge_slice slice, char **out, size_t *out_len);

/* ---- merging ---- */

typedef enum {
    TRIVET_MERGE_LARGE_ASK, /* a large change is a result of its own (merge §8) */
    TRIVET_MERGE_LARGE_COMPUTER,
    TRIVET_MERGE_LARGE_PHONE,
    TRIVET_MERGE_LARGE_BOTH,
} trivet_merge_large;

typedef enum {
    TRIVET_MERGE_TEXT_LINES, /* scratchpads that both changed merge by lines (merge §4) */
    TRIVET_MERGE_TEXT_WHOLE, /* ... or as one field */
} trivet_merge_text;

/* A tie's answer. `item_id` has a NULL `data` for an entry's tie. Slices are borrowed for the call. */
typedef struct {
    trivet_merge_section section;
    size_t slot;
    trivet_merge_slice item_id;
    trivet_merge_slice field;
    trivet_merge_side pick; /* TRIVET_MERGE_PHONE or TRIVET_MERGE_COMPUTER */
} trivet_merge_pick;

typedef struct {
    const trivet_merge_state *guard; /* measured against where there is no ancestor (merge §8); may be NULL */
    double large_threshold;          /* 0 to 1 */
    trivet_merge_large large;        /* the answer to a large change; ASK: none was given */
    trivet_merge_text text;
    int64_t phone_clock_offset;     /* ms, added to what the phone dated since the ancestor (merge §3) */
    const trivet_merge_pick *picks; /* NULL: report ties; else one for each tie (merge §7) */
    size_t pick_count;
} trivet_merge_options;

#define TRIVET_MERGE_OPTIONS_INIT                                                                            \
    { NULL, 0.8, TRIVET_MERGE_LARGE_ASK, TRIVET_MERGE_TEXT_LINES, 0, NULL, 0 }

typedef struct trivet_merge_result trivet_merge_result;

/* `ancestor` may be NULL; `options` NULL means defaults. The same inputs give the same bytes on every
 * machine. */
int trivet_merge(const trivet_merge_state *ancestor, const trivet_merge_state *phone,
                 const trivet_merge_state *computer, const trivet_merge_options *options,
                 trivet_merge_result **out, trivet_merge_error *err);

void trivet_merge_result_free(trivet_merge_result *result); /* NULL is fine */

typedef enum { TRIVET_MERGE_MERGED, TRIVET_MERGE_CONFLICT, TRIVET_MERGE_LARGE_CHANGE } trivet_merge_status;

trivet_merge_status trivet_merge_result_status(const trivet_merge_result *result);

/* The merged state; provisional in a conflict (the phone's value stands in each tie), NULL in a large change.
 */
const trivet_merge_state *trivet_merge_result_snapshot(const trivet_merge_result *result);

typedef struct {
    trivet_merge_section section;
    size_t slot;                /* where M holds it */
    trivet_merge_slice item_id; /* data NULL: an entry's tie */
    trivet_merge_slice field;   /* "text", "done", "slot", "label", "content", an unknown field's name */
    trivet_merge_slice phone_value, computer_value; /* JSON values; an absent one is null */
    trivet_merge_slice context; /* M's provisional text of the item or entry: a slice as above */
} trivet_merge_tie;

size_t trivet_merge_result_tie_count(const trivet_merge_result *result);
void trivet_merge_result_tie(const trivet_merge_result *result, size_t index, trivet_merge_tie *tie);

/* merge §9; each of the first eight is exclusive of the others. */
typedef struct {
    size_t added_from_phone, added_from_computer, edited_field, edited_lww, tombstoned, removed, restored,
        ties;
    size_t moved, scratchpad_line_merged, duplicates;
} trivet_merge_counts;

void trivet_merge_result_counts(const trivet_merge_result *result, trivet_merge_counts *counts);

typedef enum {
    TRIVET_MERGE_ADDED,
    TRIVET_MERGE_EDITED,
    TRIVET_MERGE_MOVED,
    TRIVET_MERGE_TOMBSTONED,
    TRIVET_MERGE_REMOVED,
    TRIVET_MERGE_RESTORED
} trivet_merge_kind;

typedef struct {
    trivet_merge_side side; /* the one that must change */
    trivet_merge_kind kind;
    trivet_merge_section section;
    size_t slot;
    trivet_merge_slice id;    /* data NULL for an entry */
    trivet_merge_slice field; /* data NULL where no single field is meant */
} trivet_merge_change;

size_t trivet_merge_result_change_count(const trivet_merge_result *result);
void trivet_merge_result_change(const trivet_merge_result *result, size_t index, trivet_merge_change *change);

typedef struct {
    size_t known, phone_missing, computer_missing;
} trivet_merge_large_change;

/* Only after TRIVET_MERGE_LARGE_CHANGE. */
void trivet_merge_result_large_change(const trivet_merge_result *result, trivet_merge_large_change *large);

/*
 * The guard alone (merge §8): 1 where either side lacks at least `threshold` of what lives in `against` and on the
 * other side, 0 where not, ENOMEM. `large` is filled in either way. For a caller that adds to ancestor or computer
 * what the guard must not see (merge §10).
 */
int trivet_merge_guard(const trivet_merge_state *against, const trivet_merge_state *phone,
                       const trivet_merge_state *computer, double threshold,
                       trivet_merge_large_change *large);

/* The document of merge §9, canonical. */
int trivet_merge_result_write(const trivet_merge_result *result, char **out, size_t *len);

#ifdef __GNUC__
#pragma GCC visibility pop
#endif

#ifdef __cplusplus
}
#endif
#endif
