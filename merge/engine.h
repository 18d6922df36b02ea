/*
 * engine.h - one merge while it runs: what its parts share.
 *
 *     join     brings the three forms of each item together: rows
 *     guard    looks at the rows for a large change (merge §8)
 *     moves    finds out who moved which items, and who renumbered which slots (merge §5)
 *     item     merges one row (merge §2, §3)
 *     order    builds the order of a slot that was renumbered (merge §5)
 *     entry    merges one category or scratchpad (merge §3)
 *     text     merges a scratchpad's lines (merge §4)
 *     fields   decides one field (merge §3), and unknown ones
 *     picks    answers a tie, or notes it (merge §7)
 *     report   what each side will see change (merge §9)
 *     merge    calls the others in order
 */
#ifndef TM_ENGINE_H
#define TM_ENGINE_H

#include "sort.h"
#include "state.h"

/* The forms of one item; NULL where a side does not hold it. A side without a view holds what it agrees with.
 */
typedef struct {
    const tm_node *a, *p, *c;
} tm_row;

/* What is said of P's form of a row; the same of C's is one bit further left. */
enum {
    TM_CHANGED = 1, /* live in one slot with A's form, at another position */
    TM_CROSSED = 4, /* stands for another item's having moved */
    TM_MOVED = 16,  /* live in one slot with A's form, and moved there (merge §5) */
    TM_SAME = 64,   /* equals A's form, slot and all */
    TM_TEXT = 256   /* has A's text */
};

/* The rows of what A holds come first, slot by slot as it holds them. */
typedef struct {
    tm_row *rows;    /* malloc'd, the marks with them */
    uint16_t *marks; /* of each row: TM_CHANGED, TM_SAME and TM_TEXT by the join, the others by moves.c */
    size_t count;
    size_t first[TRIVET_MERGE_MAX_SLOTS]; /* row of A's slot */
    bool changed[TRIVET_MERGE_MAX_SLOTS]; /* whether a row of it is marked */
} tm_rows;

/* An item that is live in M, in a slot whose order must be built: what is to be done with it once it has its place. */
typedef struct {
    const tm_row *held; /* as it is reported */
    tm_row row;         /* as it is merged */
    tm_node *node;      /* M's */
    bool own;           /* no other state's */
    int owner;          /* order.c's */
    bool tied, recent, same_text;
    int64_t p_time, c_time;
} tm_placed;

typedef struct {
    tm_placed *items; /* malloc'd */
    size_t count, room;
} tm_placing;

struct trivet_merge_result {
    trivet_merge_status status;
    trivet_merge_state snapshot; /* its arena holds all that the result made */
    trivet_merge_tie *ties;      /* malloc'd, like the other three; as they were found */
    size_t tie_count, tie_room;
    trivet_merge_change *changes;
    size_t change_count, change_room;
    tm_keyed *sorted_ties, *sorted_changes; /* pointers to those, in the report's order */
    trivet_merge_counts counts;
    trivet_merge_large_change large;
};

typedef struct {
    const trivet_merge_state *a, *p, *c; /* a may be NULL */
    const trivet_merge_options *options;
    trivet_merge_error *err;
    trivet_merge_result *result;
    tm_arena *arena; /* the result's */
    tm_rows rows[TM_ITEM_SECTIONS];
    trivet_merge_large large; /* the answer, once the guard has asked; else ASK */
    /* of the section that is being merged: the slots that P (0) and C (1) renumbered, a bit for each */
    uint64_t renumbered[2];
    tm_placing placing[TRIVET_MERGE_MAX_SLOTS];
    uint64_t pairs; /* of equal lines that scratchpads may still be aligned by */
    /* picks, in order; which of them have met their tie */
    const trivet_merge_pick **picks;
    bool *picked;
    /* unknown fields of the object that is being merged */
    tm_field *fields;
    size_t field_count, field_room;
} tm_merge;

/* ---- join.c -------------------------------------------------------------------------------------------- */

/* Each may be NULL: no items there. 0 or ENOMEM. */
int tm_join(const trivet_merge_state *a, const trivet_merge_state *p, const trivet_merge_state *c,
            trivet_merge_section section, tm_rows *out);

/* ---- guard.c ------------------------------------------------------------------------------------------- */

/* Sets `*asked` where there is a large change, and the result's counts of it. */
int tm_guard(tm_merge *m, bool *asked);

/* ---- fields.c ------------------------------------------------------------------------------------------ */

/* The item or entry whose fields are being merged. */
typedef struct {
    trivet_merge_section section;
    size_t slot; /* M's, provisional */
    tm_slice id; /* data NULL: an entry */
    bool has_a;
    unsigned marks;         /* an item's row's */
    int64_t p_time, c_time; /* updatedAt, the phone's clock put right */
    bool silent;            /* ties take P's value and are not reported */
    bool tied, recent;      /* out: a field tied; one went by most-recent-wins */
    bool same_text;         /* out: an item has P's text and C's */
} tm_subject;

typedef enum {
    TM_TAKE_A,
    TM_TAKE_P,
    TM_TAKE_C,
    TM_TAKE_SAME, /* P's and C's, which are equal */
    TM_TAKE_TIE
} tm_take;

/* The table of merge §3; `recent` may be NULL. */
tm_take tm_decide(const tm_subject *s, bool p_is_a, bool c_is_a, bool p_is_c, bool *recent);

/* The phone's updatedAt, its clock put right where it dated the item or entry since the ancestor (merge §3).
 */
int64_t tm_phone_time(const tm_merge *m, int64_t p_time, const int64_t *a_time);

int tm_merge_rest(tm_merge *m, tm_subject *s, const tm_rest *a, const tm_rest *p, const tm_rest *c,
                  const tm_rest **out);

/* ---- moves.c ------------------------------------------------------------------------------------------- */

/* The two sides by number, as in `renumbered`. */
enum { TM_P, TM_C };

static inline const tm_node *tm_side(const tm_row *row, int side) {
    return side == TM_P ? row->p : row->c;
}

/* Whether it is live and in that slot. */
static inline bool tm_lives_in(const tm_node *node, size_t slot) {
    return node && !node->item.deleted && node->slot == slot;
}

/*
 * Sets m->renumbered, and TM_MOVED in the rows of each slot that any side renumbered. 0 or an error.
 */
int tm_find_moves(tm_merge *m, trivet_merge_section section);

/* ---- order.c ------------------------------------------------------------------------------------------- */

/* Whether M's form of an item has to wait for its place. */
static inline bool tm_awaits_place(const tm_merge *m, const tm_node *node) {
    return ((m->renumbered[TM_P] | m->renumbered[TM_C]) >> node->slot & 1) != 0 && !node->item.deleted;
}

/* Keeps it until then. */
int tm_place_later(tm_merge *m, const tm_placed *placed);

/* Builds the orders, and adds and reports what waited. */
int tm_build_orders(tm_merge *m, trivet_merge_section section);

/* ---- text.c -------------------------------------------------------------------------------------------- */

/* Pairs of equal lines, all scratchpads of a merge together, that may be looked at (merge §4). */
#define TM_PAIRS_MAX (UINT64_C(1) << 22)

/* Merges three texts by lines. `*merged` is false where that cannot be done, and `out` untouched. 0 or ENOMEM. */
int tm_merge_lines(tm_merge *m, const tm_subject *s, tm_slice a, tm_slice p, tm_slice c, tm_slice *out,
                   bool *merged);

/* ---- item.c, entry.c, unknown.c ------------------------------------------------------------------------ */

/* What an item counts as on each side: with the answer `both` what only one lacks is unchanged there (merge §8). */
tm_row tm_row_counts(const tm_merge *m, const tm_row *row);

/* `marks` are the row's. */
int tm_merge_item(tm_merge *m, trivet_merge_section section, const tm_row *row, unsigned marks);
int tm_merge_entries(tm_merge *m, trivet_merge_section section);
/* Unknown top-level keys. */
int tm_merge_unknown(tm_merge *m);

/* Into M. */
int tm_add_item(tm_merge *m, trivet_merge_section section, const tm_node *node);

/* `node` of `row`; where it is the phone's own, with the date that its clock should have given. NULL: out of memory. */
const tm_node *tm_dated(tm_merge *m, trivet_merge_section section, const tm_row *row, const tm_node *node);

/* ---- picks.c ------------------------------------------------------------------------------------------- */

int tm_picks_init(tm_merge *m);

/* Answers a tie by its pick, or notes it and answers P. The values are JSON. */
int tm_tie(tm_merge *m, tm_subject *s, tm_slice field, tm_slice p_value, tm_slice c_value, tm_take *take);

/* EPICK where a pick has met no tie. */
int tm_picks_finish(tm_merge *m);

/* A slice as a JSON string in the arena; null for one without data. Data NULL on return: out of memory. */
tm_slice tm_quoted(tm_merge *m, tm_slice slice);

/* ---- report.c ------------------------------------------------------------------------------------------ */

/* `node` is M's, NULL where it has none; `s` (NULL: nothing to say) tells how it came about. */
int tm_report_item(tm_merge *m, trivet_merge_section section, const tm_row *row, const tm_node *node,
                   const tm_subject *s);
/* `p` and `c` are NULL for a side without a view. */
int tm_report_entry(tm_merge *m, const tm_entry *p, const tm_entry *c, const tm_entry *merged,
                    const tm_subject *s);
/* Puts ties and changes in order. */
int tm_report_finish(tm_merge *m);

int tm_out_of_memory(tm_merge *m);

#endif
