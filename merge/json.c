/* json.c - the reader: errors, containers, scalars but strings (string.c), and values of any kind. */
#include "json.h"

#include <stdlib.h>

#include "number.h"
#include "sort.h"

void tm_reader_init(tm_reader *r, const char *json, size_t len, trivet_merge_side side, tm_arena *arena,
                    trivet_merge_error *err) {
    r->at = json;
    r->end = json + len;
    r->arena = arena;
    r->err = err;
    r->side = side;
    r->depth = r->steps = 0;
    r->fields = NULL;
    r->field_count = r->field_room = 0;
    memset(r->guess, 0, sizeof r->guess);
}

void tm_reader_release(tm_reader *r) {
    free(r->fields);
    r->fields = NULL;
}

/* ---- errors -------------------------------------------------------------------------------------------- */

/* A field of an error being written; what comes after something that had to be cut is left out. */
typedef struct {
    char *out;
    size_t room, len;
    bool full;
} text_field;

static void append(text_field *t, const char *data, size_t len) {
    size_t left = t->room - 1 - t->len;
    if (t->full)
        return;
    if (len > left) {
        t->full = true;
        len = left;
        while (len > 0 && ((unsigned char)data[len] & 0xc0) == 0x80)
            len--; /* not half a character */
    }
    memcpy(t->out + t->len, data, len);
    t->len += len;
    t->out[t->len] = '\0';
}

static bool is_name(tm_slice key) {
    for (size_t i = 0; i < key.len; i++) {
        char c = key.data[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
              (i > 0 && c >= '0' && c <= '9')))
            return false;
    }
    return key.len > 0;
}

static void append_step(text_field *t, const tm_step *step) {
    if (!step->key.data) {
        char digits[TM_NUMBER_MAX];
        append(t, "[", 1);
        append(t, digits, (size_t)(tm_integer_write(digits, step->index) - digits));
        append(t, "]", 1);
    } else if (is_name(step->key)) {
        if (t->len > 0)
            append(t, ".", 1);
        append(t, step->key.data, step->key.len);
    } else {
        append(t, "[\"", 2);
        append(t, step->key.data, step->key.len);
        append(t, "\"]", 2);
    }
}

int tm_error_set(trivet_merge_error *err, int code, trivet_merge_side side, const tm_step *path, size_t steps,
                 const char *reason) {
    if (!err || err->code != 0)
        return code;
    text_field where = {err->path, sizeof err->path, 0, false},
               why = {err->reason, sizeof err->reason, 0, false};
    err->code = code;
    err->side = side;
    err->path[0] = err->reason[0] = '\0';
    for (size_t i = 0; i < steps; i++)
        append_step(&where, &path[i]);
    append(&why, reason, strlen(reason));
    return code;
}

int tm_fail(tm_reader *r, const char *reason) {
    return tm_error_set(r->err, TRIVET_MERGE_EINPUT, r->side, r->path, r->steps, reason);
}

int tm_fail_at(tm_reader *r, tm_slice key, const char *reason) {
    tm_push_key(r, key);
    return tm_fail(r, reason);
}

int tm_fail_memory(tm_reader *r) {
    return tm_error_set(r->err, TRIVET_MERGE_ENOMEM, r->side, NULL, 0, "out of memory");
}

int tm_fail_expected(tm_reader *r, const char *expected) {
    return tm_fail(r, r->at >= r->end ? "unexpected end" : expected);
}

/* ---- containers ---------------------------------------------------------------------------------------- */

int tm_enter(tm_reader *r, char open, const char *expected) {
    if (tm_peek(r) != open)
        return tm_fail_expected(r, expected);
    if (r->depth == TRIVET_MERGE_MAX_DEPTH)
        return tm_fail(r, "nested deeper than 64");
    r->depth++;
    r->at++;
    return 0;
}

void tm_leave(tm_reader *r) {
    r->depth--;
}

int tm_more_slowly(tm_reader *r, char close, bool *first, bool *more) {
    char c = tm_peek(r);
    if (c == close) {
        r->at++;
        *more = false;
        return 0;
    }
    if (!*first) {
        if (c != ',')
            return tm_fail_expected(r, close == ']' ? "expected , or ]" : "expected , or }");
        r->at++;
        tm_space(r);
    }
    *first = false;
    *more = true;
    return 0;
}

int tm_key(tm_reader *r, tm_slice *key) {
    if (tm_peek(r) != '"')
        return tm_fail_expected(r, "expected a key");
    int rc = tm_string(r, key);
    if (rc != 0)
        return rc;
    if (tm_peek(r) != ':')
        return tm_fail_expected(r, "expected :");
    r->at++;
    tm_space(r);
    return 0;
}

int tm_next_key(tm_reader *r, bool *first, tm_slice *key) {
    bool more;
    if (!*first)
        tm_pop(r);
    int rc = tm_more(r, '}', first, &more);
    if (rc == 0 && more)
        rc = tm_key(r, key);
    if (rc != 0)
        return rc;
    if (!more) {
        tm_leave(r);
        return 0;
    }
    tm_push_key(r, *key);
    return 1;
}

int tm_next_element(tm_reader *r, bool *first) {
    bool more;
    if (*first)
        tm_push_index(r);
    else
        tm_next_index(r);
    int rc = tm_more(r, ']', first, &more);
    if (rc != 0 || more)
        return rc != 0 ? rc : 1;
    tm_pop(r);
    tm_leave(r);
    return 0;
}

int tm_finish(tm_reader *r) {
    tm_space(r);
    return r->at == r->end ? 0 : tm_fail(r, "expected the end of the document");
}

/* ---- other scalars ------------------------------------------------------------------------------------- */

static bool literal(tm_reader *r, const char *word, size_t len) {
    if ((size_t)(r->end - r->at) < len || memcmp(r->at, word, len) != 0)
        return false;
    r->at += len;
    return true;
}

bool tm_null(tm_reader *r) {
    tm_space(r);
    return literal(r, "null", 4);
}

int tm_bool(tm_reader *r, bool *out) {
    tm_space(r);
    *out = literal(r, "true", 4);
    if (*out || literal(r, "false", 5))
        return 0;
    return tm_fail_expected(r, "expected true or false");
}

static bool ends_number(char c) {
    return c == ',' || c == '}' || c == ']';
}

/* Eight digits in a row, all at once: they are paired to numbers below 100, these to ones below 10,000, and so on. */
static bool eight_digits(const char *p, int64_t *out) {
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    const uint64_t ones = UINT64_C(0x0101010101010101);
    uint64_t v;
    memcpy(&v, p, 8);
    v ^= ones * '0';
    /* a digit is now 0 to 9; adding 0x76 sets the high bit of anything above */
    if (((v | (v + ones * 0x76)) & ones * 0x80) != 0)
        return false;
    v = (v * 10 + (v >> 8)) & UINT64_C(0x00ff00ff00ff00ff);
    v = (v * 100 + (v >> 16)) & UINT64_C(0x0000ffff0000ffff);
    *out = (int64_t)((v * 10000 + (v >> 32)) & UINT64_C(0xffffffff));
    return true;
#else
    (void)p;
    (void)out;
    return false;
#endif
}

/* A plain integer of at most 15 digits that ends at a delimiter, which nearly every number is. */
static bool short_integer(tm_reader *r, int64_t *out) {
    const char *p = r->at, *limit = r->end - p > 16 ? p + 16 : r->end;
    int64_t value = 0;
    if (limit - p == 16 && eight_digits(p, &value))
        p += 8;
    while (p < limit && *p >= '0' && *p <= '9')
        value = value * 10 + (*p++ - '0');
    if (p == r->at || p == limit || !ends_number(*p) || (*r->at == '0' && p - r->at > 1))
        return false;
    r->at = p;
    *out = value;
    return true;
}

int tm_finite(tm_reader *r, double *out) {
    static const char expected[] = "expected a finite number";
    int64_t integer;
    tm_space(r);
    if (short_integer(r, &integer)) {
        *out = (double)integer;
        return 0;
    }
    const char *end = tm_number_scan(r->at, r->end);
    if (!end)
        return tm_fail_expected(r, expected);
    *out = tm_number_read(r->at, end);
    if (*out - *out != 0) /* infinite */
        return tm_fail(r, expected);
    r->at = end;
    return 0;
}

int tm_time(tm_reader *r, int64_t *out) {
    static const char expected[] = "expected an integer from 0 to 9007199254740991";
    tm_space(r);
    if (short_integer(r, out))
        return 0;
    const char *end = tm_number_scan(r->at, r->end);
    if (!end)
        return tm_fail_expected(r, expected);
    double value = tm_number_read(r->at, end);
    if (!(value >= 0 && value <= (double)TM_TIME_MAX) || (double)(int64_t)value != value)
        return tm_fail(r, expected);
    *out = (int64_t)value;
    r->at = end;
    return 0;
}

/* ---- any value ----------------------------------------------------------------------------------------- */

static int skip_value(tm_reader *r);

static int skip_object(tm_reader *r) {
    size_t base = r->field_count;
    bool first = true;
    tm_slice key;
    int rc = tm_enter(r, '{', "");
    if (rc != 0)
        return rc;
    while ((rc = tm_next_key(r, &first, &key)) > 0)
        if ((rc = skip_value(r)) != 0 || (rc = tm_push_field(r, key, (tm_slice){NULL, 0})) != 0)
            return rc;
    if (rc != 0 || (rc = tm_sort_fields(r, base)) != 0)
        return rc;
    r->field_count = base;
    return 0;
}

static int skip_array(tm_reader *r) {
    bool first = true;
    int rc = tm_enter(r, '[', "");
    if (rc != 0)
        return rc;
    while ((rc = tm_next_element(r, &first)) > 0)
        if ((rc = skip_value(r)) != 0)
            return rc;
    return rc;
}

/* Recursion is bounded by TRIVET_MERGE_MAX_DEPTH. */
static int skip_value(tm_reader *r) {
    tm_slice ignored;
    switch (tm_peek(r)) {
    case '{':
        return skip_object(r);
    case '[':
        return skip_array(r);
    case '"':
        return tm_string(r, &ignored);
    case 't':
        return literal(r, "true", 4) ? 0 : tm_fail_expected(r, "expected a value");
    case 'f':
        return literal(r, "false", 5) ? 0 : tm_fail_expected(r, "expected a value");
    case 'n':
        return literal(r, "null", 4) ? 0 : tm_fail_expected(r, "expected a value");
    default:
        break;
    }
    const char *end = tm_number_scan(r->at, r->end);
    if (!end)
        return tm_fail_expected(r, "expected a value");
    r->at = end;
    return 0;
}

static bool is_space(char c) {
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

/* The end of the string that starts at `p` in checked JSON. */
static const char *string_end(const char *p) {
    for (p++; *p != '"'; p++)
        p += *p == '\\';
    return p + 1;
}

static bool has_space(const char *p, const char *end) {
    while (p < end) {
        if (is_space(*p))
            return true;
        p = *p == '"' ? string_end(p) : p + 1;
    }
    return false;
}

static int compact(tm_reader *r, const char *p, const char *end, tm_slice *out) {
    char *bytes = tm_alloc_bytes(r->arena, (size_t)(end - p)), *to = bytes;
    if (!bytes)
        return tm_fail_memory(r);
    while (p < end) {
        if (*p == '"') {
            const char *next = string_end(p);
            memcpy(to, p, (size_t)(next - p));
            to += next - p;
            p = next;
        } else if (is_space(*p)) {
            p++;
        } else {
            *to++ = *p++;
        }
    }
    *out = (tm_slice){bytes, (size_t)(to - bytes)};
    tm_trim_bytes(r->arena, bytes, out->len);
    return 0;
}

int tm_value(tm_reader *r, tm_slice *out) {
    tm_space(r);
    const char *start = r->at;
    int rc = skip_value(r);
    if (rc != 0)
        return rc;
    if ((*start == '{' || *start == '[') && has_space(start, r->at))
        return compact(r, start, r->at, out);
    *out = (tm_slice){start, (size_t)(r->at - start)};
    return 0;
}

/* ---- members ------------------------------------------------------------------------------------------- */

int tm_push_field(tm_reader *r, tm_slice key, tm_slice value) {
    if (r->field_count == r->field_room) {
        size_t room = r->field_room ? r->field_room * 2 : 16;
        bool fits = room <= SIZE_MAX / 2 / sizeof *r->fields;
        tm_field *fields = fits ? realloc(r->fields, room * sizeof *fields) : NULL; /* not covered: it fits */
        if (!fields)
            return tm_fail_memory(r);
        r->fields = fields;
        r->field_room = room;
    }
    r->fields[r->field_count++] = (tm_field){key, value};
    return 0;
}

/* Heap sort: in place and never worse than n log n, whoever chose the keys. */
static void sift_field(tm_field *fields, size_t at, size_t count) {
    tm_field field = fields[at];
    for (size_t child; (child = 2 * at + 1) < count; at = child) {
        if (child + 1 < count && tm_slice_compare(fields[child].key, fields[child + 1].key) < 0)
            child++;
        if (tm_slice_compare(field.key, fields[child].key) >= 0)
            break;
        fields[at] = fields[child];
    }
    fields[at] = field;
}

int tm_sort_fields(tm_reader *r, size_t base) {
    tm_field *fields = r->fields ? r->fields + base : NULL;
    size_t count = r->field_count - base;
    bool sorted = true;
    for (size_t i = 1; i < count && sorted; i++)
        sorted = tm_slice_compare(fields[i - 1].key, fields[i].key) < 0;
    if (sorted)
        return 0;
    for (size_t i = count / 2; i-- > 0;)
        sift_field(fields, i, count);
    for (size_t last = count; last-- > 1;) {
        tm_field greatest = fields[0];
        fields[0] = fields[last];
        fields[last] = greatest;
        sift_field(fields, 0, last);
    }
    for (size_t i = 1; i < count; i++)
        if (tm_slice_equal(fields[i - 1].key, fields[i].key))
            return tm_fail_at(r, fields[i].key, "repeated key");
    return 0;
}
