/*
 * lines.c - finds the lines of a text, and a longest common subsequence of two texts' lines.
 *
 * After Hunt and Szymanski: equal lines of the two texts are brought together by sorting, then the pairs of them are
 * gone through from the last to the first. For each length that a common subsequence can have, the latest line of
 * `b` that one can start with is known, so each pair's length is found by a binary search. A walk from the first
 * pair takes each that can still lead to the longest. That costs O(n log n) for n lines that are all different, with
 * the sorting never worse, and O(r log n) for r pairs; merge §4 says how many are too many.
 */
#include "lines.h"

#include <stdlib.h>

#include "sort.h"

/* ---- lines --------------------------------------------------------------------------------------------- */

/* Behind the next end of a line, or NULL. In a canonical slice something always follows a backslash. */
static const char *line_end(const char *p, const char *end) {
    while (p < end && (p = memchr(p, '\\', (size_t)(end - p))) != NULL) {
        if (p[1] == 'n')
            return p + 2;
        p += 2;
    }
    return NULL;
}

/* The text with an end to its last line; `count` and `ended` are set. */
static int end_lines(tm_lines *lines, tm_slice text) {
    const char *p = text.data, *end = p + text.len, *next;
    size_t count = 0;
    for (; p < end && (next = line_end(p, end)) != NULL; p = next)
        count++;
    *lines = (tm_lines){.text = text, .count = count, .ended = count > 0 && p == end};
    if (p == end)
        return 0;
    lines->owned = malloc(text.len + 2);
    if (!lines->owned)
        return TRIVET_MERGE_ENOMEM;
    memcpy(lines->owned, text.data, text.len);
    memcpy(lines->owned + text.len, "\\n", 2);
    lines->text = (tm_slice){lines->owned, text.len + 2};
    lines->count++;
    return 0;
}

int tm_lines_init(tm_lines *lines, tm_slice text) {
    int rc = end_lines(lines, text);
    if (rc != 0)
        return rc;
    lines->start = malloc((lines->count + 1) * sizeof *lines->start);
    if (!lines->start)
        return TRIVET_MERGE_ENOMEM;
    const char *begin = lines->text.data, *p = begin;
    lines->start[0] = 0;
    for (size_t i = 1; i <= lines->count; i++) {
        p = line_end(p, begin + lines->text.len);
        lines->start[i] = (size_t)(p - begin);
    }
    return 0;
}

void tm_lines_release(tm_lines *lines) {
    free(lines->owned);
    free(lines->start);
}

static tm_slice line(const tm_lines *lines, size_t i) {
    return tm_lines_slice(lines, i, i + 1);
}

/* ---- equal lines --------------------------------------------------------------------------------------- */

/* One line between head and tail; `at` counts from the head's end. */
typedef struct {
    tm_slice line;
    uint64_t hash;
    size_t at;
    bool of_a;
} place;

/* FNV-1a; it only saves comparisons. */
static uint64_t hash_line(tm_slice line) {
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < line.len; i++)
        hash = (hash ^ (unsigned char)line.data[i]) * UINT64_C(0x100000001b3);
    return hash;
}

static int compare_places(const void *left, const void *right) {
    const place *a = left, *b = right;
    if (a->hash != b->hash)
        return a->hash < b->hash ? -1 : 1;
    return tm_slice_compare(a->line, b->line);
}

static void trim(tm_alignment *x) {
    size_t most = x->a->count < x->b->count ? x->a->count : x->b->count;
    while (x->head < most && tm_slice_equal(line(x->a, x->head), line(x->b, x->head)))
        x->head++;
    while (x->head + x->tail < most &&
           tm_slice_equal(line(x->a, x->a->count - 1 - x->tail), line(x->b, x->b->count - 1 - x->tail)))
        x->tail++;
}

static size_t between(const tm_alignment *x, const tm_lines *lines) {
    return lines->count - x->head - x->tail;
}

static void put_places(const tm_alignment *x, const tm_lines *lines, place *places) {
    for (size_t i = 0; i < between(x, lines); i++) {
        tm_slice text = line(lines, x->head + i);
        places[i] = (place){text, hash_line(text), i, lines == x->a};
    }
}

/* Of equal lines, `a`'s stand before `b`'s, and each in their order: the sort is stable. */
static void group(tm_alignment *x, place *const *sorted, size_t count) {
    size_t listed = 0, next;
    for (size_t i = 0; i < count; i = next) {
        size_t of_b;
        next = i;
        while (next < count && compare_places(sorted[i], sorted[next]) == 0 && sorted[next]->of_a)
            next++;
        of_b = next;
        while (next < count && compare_places(sorted[i], sorted[next]) == 0)
            next++;
        for (size_t j = i; j < of_b; j++) {
            x->first[sorted[j]->at] = listed;
            x->equal_count[sorted[j]->at] = next - of_b;
        }
        x->pairs += (uint64_t)(of_b - i) * (next - of_b);
        for (size_t j = of_b; j < next; j++)
            x->equal[listed++] = sorted[j]->at;
    }
}

static int find_equal(tm_alignment *x, place *places, place **sorted) {
    size_t of_a = between(x, x->a), count = of_a + between(x, x->b);
    x->first = malloc((of_a + 1) * sizeof *x->first);
    x->equal_count = malloc((of_a + 1) * sizeof *x->equal_count);
    x->equal = malloc((count - of_a + 1) * sizeof *x->equal);
    if (!places || !sorted || !x->first || !x->equal_count || !x->equal)
        return TRIVET_MERGE_ENOMEM;
    put_places(x, x->a, places);
    put_places(x, x->b, places + of_a);
    for (size_t i = 0; i < count; i++)
        sorted[i] = &places[i];
    tm_sort((void **)sorted, count, compare_places, (void **)sorted + count);
    group(x, sorted, count);
    return 0;
}

int tm_align(tm_alignment *x, const tm_lines *a, const tm_lines *b) {
    *x = (tm_alignment){.a = a, .b = b};
    trim(x);
    size_t count = between(x, a) + between(x, b);
    place *places = malloc((count + 1) * sizeof *places), **sorted = malloc((2 * count + 1) * sizeof *sorted);
    int rc = find_equal(x, places, sorted);
    free(sorted);
    free(places);
    return rc;
}

void tm_alignment_release(tm_alignment *x) {
    free(x->first);
    free(x->equal_count);
    free(x->equal);
}

/* ---- the longest common subsequence -------------------------------------------------------------------- */

/* How long a common subsequence can be at most that starts behind line `at` of `b`; latest[1] is the greatest. */
static size_t longest_behind(const size_t *latest, size_t longest, size_t at) {
    size_t low = 0, high = longest;
    while (low < high) {
        size_t middle = high - (high - low) / 2;
        if (latest[middle] > at)
            low = middle;
        else
            high = middle - 1;
    }
    return low;
}

/* For each pair, the length of the longest common subsequence that it can start. Returns the longest of all. */
static size_t measure(const tm_alignment *x, uint32_t *lengths, size_t *latest) {
    size_t longest = 0, at = (size_t)x->pairs;
    for (size_t i = between(x, x->a); i-- > 0;) {
        const size_t *equal = x->equal + x->first[i];
        at -= x->equal_count[i];
        for (size_t j = 0; j < x->equal_count[i]; j++) {
            size_t length = longest_behind(latest, longest, equal[j]) + 1;
            lengths[at + j] = (uint32_t)length;
            longest = length > longest ? length : longest;
            latest[length] = equal[j]; /* what was there is no later line, or the search had found it */
        }
    }
    return longest;
}

static void walk(const tm_alignment *x, const uint32_t *lengths, size_t wanted, size_t *partner) {
    size_t free_from = 0, at = 0;
    for (size_t i = 0; i < between(x, x->a); i++) {
        const size_t *equal = x->equal + x->first[i];
        for (size_t j = 0; wanted > 0 && j < x->equal_count[i]; j++) {
            if (equal[j] >= free_from && lengths[at + j] == wanted) {
                partner[x->head + i] = x->head + equal[j];
                free_from = equal[j] + 1;
                wanted--;
                break;
            }
        }
        at += x->equal_count[i];
    }
}

int tm_alignment_finish(const tm_alignment *x, size_t *partner) {
    size_t of_a = between(x, x->a), of_b = between(x, x->b);
    uint32_t *lengths = malloc(((size_t)x->pairs + 1) * sizeof *lengths);
    size_t *latest = malloc(((of_a < of_b ? of_a : of_b) + 1) * sizeof *latest);
    if (lengths && latest) {
        for (size_t i = 0; i < x->a->count; i++)
            partner[i] = i < x->head ? i : i < x->head + of_a ? TM_NO_LINE : i - x->a->count + x->b->count;
        walk(x, lengths, measure(x, lengths, latest), partner);
    }
    int rc = lengths && latest ? 0 : TRIVET_MERGE_ENOMEM;
    free(latest);
    free(lengths);
    return rc;
}
