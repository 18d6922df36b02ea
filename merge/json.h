/*
 * json.h - tokens: the reader under every document that this library takes in.
 *
 * A reader is a cursor over bytes that checks as it goes: grammar (RFC 8259), UTF-8, depth. Functions return
 * 0 or an error of trivet_merge.h, with the error filled in; then the reader is done for. The path of an
 * error is made of the steps that the caller pushed. Strings come out as canonical slices: inside the
 * document where they stand there canonically, else in the arena.
 */
#ifndef TM_JSON_H
#define TM_JSON_H

#include "slice.h"

/* An unknown field or top-level key: a name and a JSON value without insignificant white space. */
typedef struct {
    tm_slice key, value;
} tm_field;

/* One step of a path: a key, or where that has no data an index. */
typedef struct {
    tm_slice key;
    size_t index;
} tm_step;

typedef struct {
    const char *at, *end;
    tm_arena *arena;
    trivet_merge_error *err; /* may be NULL */
    trivet_merge_side side;
    size_t depth, steps;
    tm_step path[TRIVET_MERGE_MAX_DEPTH + 2];
    tm_field *fields; /* a stack of unfinished objects' members */
    size_t field_count, field_room;
    unsigned char guess[8]; /* read.c's: which key stood at each place of the last item */
} tm_reader;

void tm_reader_init(tm_reader *r, const char *json, size_t len, trivet_merge_side side, tm_arena *arena,
                    trivet_merge_error *err);
void tm_reader_release(tm_reader *r);

int tm_fail(tm_reader *r, const char *reason); /* EINPUT */
/* EINPUT because something else stands here; a document that ends early says that instead. */
int tm_fail_expected(tm_reader *r, const char *expected);
int tm_fail_memory(tm_reader *r); /* ENOMEM */
/* EINPUT, one step below where the reader is. */
int tm_fail_at(tm_reader *r, tm_slice key, const char *reason);

/* The same without a reader, for the other callers of an error. */
int tm_error_set(trivet_merge_error *err, int code, trivet_merge_side side, const tm_step *path, size_t steps,
                 const char *reason);

static inline void tm_space(tm_reader *r) {
    while (r->at < r->end && (unsigned char)*r->at <= ' ' &&
           (*r->at == ' ' || *r->at == '\n' || *r->at == '\r' || *r->at == '\t'))
        r->at++;
}

/* The byte after white space, 0 at the end; it is not consumed. */
static inline char tm_peek(tm_reader *r) {
    tm_space(r);
    return r->at < r->end ? *r->at : '\0';
}

static inline void tm_push_key(tm_reader *r, tm_slice key) {
    r->path[r->steps++].key = key;
}

static inline void tm_push_index(tm_reader *r) {
    r->path[r->steps].key.data = NULL;
    r->path[r->steps++].index = 0;
}

/* The step on top: where in the container the reader stands. */
static inline void tm_set_key(tm_reader *r, tm_slice key) {
    r->path[r->steps - 1].key = key;
}

static inline void tm_next_index(tm_reader *r) {
    r->path[r->steps - 1].index++;
}

static inline void tm_pop(tm_reader *r) {
    r->steps--;
}

/*
 * Containers. `open` is '{' or '['. Then for each member tm_next_key() or tm_next_element(), `*first` being true
 * before the first one: 1, and the reader stands at its value, with its step pushed; 0 once there is none left, the
 * container being left behind; or an error.
 */
int tm_enter(tm_reader *r, char open, const char *expected);
int tm_next_key(tm_reader *r, bool *first, tm_slice *key);
int tm_next_element(tm_reader *r, bool *first);

/*
 * The same by hand, where it must be fast: tm_more() says whether there is a member and steps over commas; then
 * tm_key(), the step, the value; and behind the last one tm_leave().
 */
int tm_more_slowly(tm_reader *r, char close, bool *first, bool *more);
static inline int tm_more(tm_reader *r, char close, bool *first, bool *more) {
    if (!*first && r->at < r->end && *r->at == ',') {
        r->at++;
        tm_space(r);
        *more = true;
        return 0;
    }
    return tm_more_slowly(r, close, first, more);
}
int tm_key(tm_reader *r, tm_slice *key);
void tm_leave(tm_reader *r);

int tm_string(tm_reader *r, tm_slice *out); /* anything else: "expected a string" */
int tm_bool(tm_reader *r, bool *out);
int tm_finite(tm_reader *r, double *out);
int tm_time(tm_reader *r, int64_t *out); /* merge §1: an integer from 0 to 2^53 - 1 */
bool tm_null(tm_reader *r);              /* consumes a null if there is one */

/* Any value, checked to the bottom. */
int tm_value(tm_reader *r, tm_slice *out);

/* Only white space is left. */
int tm_finish(tm_reader *r);

/* The stack of members: what was pushed since `base`, sorted by key; a repeated key is refused. */
int tm_push_field(tm_reader *r, tm_slice key, tm_slice value);
int tm_sort_fields(tm_reader *r, size_t base);

#endif
