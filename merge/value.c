/*
 * value.c - walks two texts side by side.
 *
 * Nothing is built: as long as keys come in the same order one pass does. From the first key that does not
 * match, the members that are left are listed and sorted. Recursion is bounded by the depth that the reader
 * allows.
 */
#include "value.h"

#include <stdlib.h>

#include "number.h"
#include "sort.h"

typedef struct {
    const char *key, *value; /* where each starts */
} member;

static bool equal_values(const char **a, const char **b);

static int hex4(const char *p) {
    int value = 0;
    for (int i = 0; i < 4; i++)
        value = value << 4 | (p[i] <= '9' ? p[i] - '0' : (p[i] | 0x20) - 'a' + 10);
    return value;
}

static int escaped_point(const char **p, const char *end) {
    char c = *(*p)++;
    switch (c) {
    case 'b':
        return '\b';
    case 'f':
        return '\f';
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case 't':
        return '\t';
    case 'u':
        break;
    default:
        return (unsigned char)c;
    }
    int unit = hex4(*p);
    *p += 4;
    if (unit >= 0xd800 && unit < 0xdc00 && end - *p >= 6 && (*p)[0] == '\\' && (*p)[1] == 'u') {
        int low = hex4(*p + 2);
        if (low >= 0xdc00 && low < 0xe000) {
            *p += 6;
            return 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
        }
    }
    return unit;
}

int tm_code_point(const char **p, const char *end) {
    int c = (unsigned char)*(*p)++;
    if (c == '\\')
        return escaped_point(p, end);
    if (c < 0x80)
        return c;
    int more = c < 0xe0 ? 1 : c < 0xf0 ? 2 : 3;
    c &= 0x3f >> more;
    while (more-- > 0)
        c = c << 6 | (*(*p)++ & 0x3f);
    return c;
}

/* `p` is at a quotation mark; the next one that is not escaped. */
static const char *closing_quote(const char *p) {
    for (p++; *p != '"'; p++)
        p += *p == '\\';
    return p;
}

/* Any total order will do for sorting keys; both cursors are left behind their strings if these are equal. */
static int compare_strings(const char **a, const char **b) {
    const char *a_end = closing_quote(*a), *b_end = closing_quote(*b), *p = *a + 1, *q = *b + 1;
    while (p < a_end && q < b_end) {
        int left = tm_code_point(&p, a_end), right = tm_code_point(&q, b_end);
        if (left != right)
            return left < right ? -1 : 1;
    }
    if (p < a_end || q < b_end)
        return p < a_end ? 1 : -1;
    *a = a_end + 1;
    *b = b_end + 1;
    return 0;
}

/* The end of a scalar other than a string: no white space stands in a value that was read. */
static const char *word_end(const char *p) {
    while ((*p >= '0' && *p <= '9') || (*p >= 'a' && *p <= 'z') || *p == '-' || *p == '+' || *p == '.' ||
           *p == 'E')
        p++;
    return p;
}

static const char *skip(const char *p) {
    size_t depth = 0;
    do {
        if (*p == '"')
            p = closing_quote(p) + 1;
        else if (*p == '{' || *p == '[')
            depth++, p++;
        else if (*p == '}' || *p == ']')
            depth--, p++;
        else if (*p == ',' || *p == ':')
            p++;
        else
            p = word_end(p);
    } while (depth > 0);
    return p;
}

/* ---- objects ------------------------------------------------------------------------------------------- */

/* `p` is at a key; lists the members up to the closing brace if there is room, and counts them. */
static size_t list_members(const char *p, member *members, const char **end) {
    size_t count = 0;
    for (;;) {
        member m = {p, closing_quote(p) + 2};
        if (members)
            members[count] = m;
        count++;
        p = skip(m.value);
        if (*p++ == '}')
            break;
    }
    *end = p;
    return count;
}

static int compare_members(const void *a, const void *b) {
    const char *p = ((const member *)a)->key, *q = ((const member *)b)->key;
    return compare_strings(&p, &q);
}

static bool equal_members(const member *a, const member *b) {
    const char *p = a->value, *q = b->value;
    return equal_values(&p, &q);
}

static bool equal_sorted(const char *a, const char *b, size_t count, member *members, void **order) {
    const char *end;
    list_members(a, members, &end);
    list_members(b, members + count, &end);
    for (size_t i = 0; i < 2 * count; i++)
        order[i] = &members[i];
    tm_sort(order, count, compare_members, order + 2 * count);
    tm_sort(order + count, count, compare_members, order + 2 * count);
    for (size_t i = 0; i < count; i++)
        if (compare_members(order[i], order[i + count]) != 0 || !equal_members(order[i], order[i + count]))
            return false;
    return true;
}

/* For each member of one, the other is searched from its start. */
static bool equal_searched(const char *a, const char *b) {
    for (;;) {
        member left = {a, closing_quote(a) + 2}, right;
        for (const char *q = b;; q++) {
            right = (member){q, closing_quote(q) + 2};
            if (compare_members(&left, &right) == 0)
                break;
            q = skip(right.value);
            if (*q == '}')
                return false;
        }
        if (!equal_members(&left, &right))
            return false;
        a = skip(left.value);
        if (*a++ == '}')
            return true;
    }
}

/* Both are at a key; the order of what follows may differ. */
static bool equal_unordered(const char **a, const char **b) {
    enum { FEW = 8 };
    const char *a_end, *b_end;
    size_t count = list_members(*a, NULL, &a_end);
    if (list_members(*b, NULL, &b_end) != count)
        return false;
    member *members = NULL;
    void **order = NULL;
    if (count > FEW) {
        members = malloc(2 * count * sizeof *members);
        order = malloc(3 * count * sizeof *order);
    }
    bool equal = members && order ? equal_sorted(*a, *b, count, members, order) : equal_searched(*a, *b);
    free(members);
    free(order);
    *a = a_end;
    *b = b_end;
    return equal;
}

static bool equal_objects(const char **a, const char **b) {
    if (**a == '}' || **b == '}')
        return *(*a)++ == *(*b)++;
    for (;;) {
        const char *p = *a, *q = *b;
        if (compare_strings(&p, &q) != 0)
            return equal_unordered(a, b);
        p++;
        q++;
        if (!equal_values(&p, &q))
            return false;
        char after = *p++, other = *q++;
        *a = p;
        *b = q;
        if (after != other)
            return false; /* one has more members */
        if (after == '}')
            return true;
    }
}

/* ---- values -------------------------------------------------------------------------------------------- */

static bool equal_arrays(const char **a, const char **b) {
    if (**a == ']' || **b == ']')
        return *(*a)++ == *(*b)++;
    for (;;) {
        if (!equal_values(a, b))
            return false;
        char after = *(*a)++, other = *(*b)++;
        if (after != other)
            return false;
        if (after == ']')
            return true;
    }
}

/* Of a word's first character: a sign or digit, and no letter. */
static bool is_number(char c) {
    return c <= '9';
}

static bool equal_words(const char **a, const char **b) {
    const char *p = *a, *q = *b, *p_end = word_end(p), *q_end = word_end(q);
    *a = p_end;
    *b = q_end;
    if (p_end - p == q_end - q && memcmp(p, q, (size_t)(p_end - p)) == 0)
        return true;
    return is_number(*p) && is_number(*q) && tm_number_read(p, p_end) == tm_number_read(q, q_end);
}

/* Steps both cursors over their values if they are equal. */
static bool equal_values(const char **a, const char **b) {
    char c = **a, d = **b;
    if (c == '"' || d == '"')
        return c == d && compare_strings(a, b) == 0;
    if (c == '{' || c == '[' || d == '{' || d == '[') {
        if (c != d)
            return false;
        ++*a;
        ++*b;
        return c == '{' ? equal_objects(a, b) : equal_arrays(a, b);
    }
    return equal_words(a, b);
}

bool tm_value_equal(tm_slice a, tm_slice b) {
    a = a.data ? a : TM_SLICE("null");
    b = b.data ? b : TM_SLICE("null");
    if (tm_slice_equal(a, b))
        return true;
    const char *p = a.data, *q = b.data;
    return equal_values(&p, &q);
}
